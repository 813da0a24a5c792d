-- locks_spec - one holder per name on the node, whoever dies and whenever (vault.locks).

local dicts = require "spec.support.dict"
local locks = require "vault.locks"

describe("a lock of the node", function()
    local clock, dict, dead

    local function worker(pid, through, started)
        return locks.new {
            dict = through or dict, now = function() return clock end, pid = pid,
            started = started or 1,
            alive = function(asked, since) return not dead[asked .. " " .. since] end,
        }
    end

    local function kill(pid)
        dead[pid .. " 1"] = true
    end

    before_each(function()
        clock, dead = 1700000000.123, {}
        dict = dicts.new { now = function() return clock end }
    end)

    it("has one holder, whose token everybody else is told", function()
        local one, two = worker(1), worker(2)
        local token = one:take("a", 10)
        assert.matches("^1 1 %S+$", token)
        assert.same({ nil, token }, { two:take("a", 10) })
        assert.same({ nil, token }, { one:take("a", 10) })
        assert.equal(token, two:holder("a"))
        assert.is_string(two:take("b", 10))
    end)

    it("is free when it was released, by its holder's token only", function()
        local one, two = worker(1), worker(2)
        local token = one:take("a", 10)
        two:release("a", "2 1 x")
        assert.equal(token, two:holder("a"))
        one:release("a", token)
        assert.is_nil(one:holder("a"))
        local second = two:take("a", 10)
        one:release("a", token)
        assert.equal(second, one:holder("a"))
    end)

    it("is free when it was released in time, without a look", function()
        local one, looks = worker(1), 0
        local token, get = one:take("a", 10), dict.get
        dict.get = function(...)
            looks = looks + 1
            return get(...)
        end
        one:release("a", token, true)
        assert.equal(0, looks)
        dict.get = get
        assert.is_nil(worker(2):holder("a"))
    end)

    it("keeps its time when somebody else releases it", function()
        local token = worker(1):take("a", 1000)
        worker(2):release("a", "2 1 x")
        assert.equal(1000, dict:ttl("l:a"))
        assert.equal(token, worker(2):holder("a"))
    end)

    it("is free when its time is over", function()
        local token = worker(1):take("a", 10)
        clock = clock + 9.9
        assert.equal(token, worker(2):holder("a"))
        clock = clock + 0.2
        assert.is_nil(worker(2):holder("a"))
        assert.is_string(worker(2):take("a", 10))
    end)

    it("expires however short its time is", function()
        worker(1):take("a", 0.0001)
        clock = clock + 0.01
        assert.is_nil(worker(2):holder("a"))
        assert.has_error(function() worker(1):take("a", 0) end, "seconds must be positive")
    end)

    it("is taken from a dead holder at once", function()
        local one, two, three = worker(1), worker(2), worker(3)
        local token = one:take("a", 1000)
        kill(1)
        assert.is_nil(two:holder("a"))
        local second = two:take("a", 1000)
        assert.not_equal(token, second)
        assert.same({ nil, second }, { three:take("a", 1000) })
        kill(2)
        assert.is_string(three:take("a", 1000))
    end)

    it("is taken from a dead process whose id another process has now", function()
        worker(1):take("a", 1000)
        kill(1)
        assert.is_string(worker(1, nil, 2):take("a", 1000))
    end)

    it("stays with whoever cannot be known, until it expires", function()
        dict:safe_set("l:a", "garbage", 5)
        assert.same({ nil, "garbage" }, { worker(1):take("a", 5) })
        clock = clock + 6
        assert.is_string(worker(1):take("a", 5))
    end)

    it("needs a new token each time, also in another VM of the same process", function()
        local seen, one = {}, worker(1)
        local others = {}
        for i = 1, 50 do
            others[i] = worker(1)
            for _, token in ipairs { one:take("a" .. i, 1), (others[i]:take("b" .. i, 1)) } do
                assert.is_nil(seen[token])
                seen[token] = true
            end
        end
    end)

    it("is not given where the dict takes no more", function()
        dict.full = true
        assert.same({ nil, nil, "no memory" }, { worker(1):take("a", 10) })
        assert.is_nil(worker(1):holder("a"))
    end)

    it("of a dead holder is not given where the dict takes no more", function()
        local token = worker(1):take("a", 10)
        kill(1)
        dict.full = true
        assert.same({ nil, nil, "no memory" }, { worker(2):take("a", 10) })
        assert.same({ nil, "no memory" }, { worker(2):holder("a") })
        assert.equal(token, dict:get("l:a"))
        dict.full = false
        assert.is_string(worker(2):take("a", 10))
    end)

    it("is everybody's without a dict", function()
        local one = locks.new { now = function() return clock end, pid = 1, started = 1 }
        assert.is_string(one:take("a", 10))
        assert.is_string(one:take("a", 10))
        assert.is_nil(one:holder("a"))
        one:release("a", "x")
    end)

    it("evicts nothing", function()
        for i = 1, 5 do
            worker(1):take("a" .. i, 10)
        end
        kill(1)
        dict.full = true
        for i = 1, 10 do
            worker(2):take("a" .. i, 10)
        end
        assert.same({}, dict.evicted)
    end)

    -- Workers that lose the processor before each of their operations on the dict.
    local function interrupted()
        return setmetatable({}, { __index = function(_, name)
            return function(_, ...)
                coroutine.yield()
                return dict[name](dict, ...)
            end
        end })
    end

    local function start(action)
        local routine = coroutine.create(action)
        assert(coroutine.resume(routine))
        return routine
    end

    local function step(routine)
        local ok, err = coroutine.resume(routine)
        assert(ok, err)
    end

    -- Run `trial` with every order in which its choices can fall: pick(n) is one of 1..n. Depth
    -- first: a later trial repeats an earlier one up to the last choice that had another one left.
    local function all_orders(trial)
        local path, count = {}, 0
        repeat
            local depth = 0
            trial(function(most)
                depth = depth + 1
                path[depth] = path[depth] or { at = 1, most = most }
                return path[depth].at
            end)
            count = count + 1
            while path[1] and path[#path].at == path[#path].most do
                path[#path] = nil
            end
            if path[1] then
                path[#path].at = path[#path].at + 1
            end
        until not path[1]
        return count
    end

    local function living(routines)
        local found = {}
        for i, routine in ipairs(routines) do
            if coroutine.status(routine) ~= "dead" then
                found[#found + 1] = i
            end
        end
        return found
    end

    local function fresh()
        dead = {}
        dict = dicts.new { now = function() return clock end }
    end

    -- The tokens that `count` workers got, all trying at the same time.
    local function contest(pick, count)
        local tokens, routines = {}, {}
        for i = 1, count do
            local one = worker(i, interrupted())
            routines[i] = start(function()
                local token = one:take("a", 10)
                tokens[#tokens + 1] = token
            end)
        end
        local left = living(routines)
        while left[1] do
            step(routines[left[pick(#left)]])
            left = living(routines)
        end
        return tokens
    end

    it("goes to one of two workers in every order of what they do", function()
        assert.is_true(all_orders(function(pick)
            fresh()
            assert.equal(1, #contest(pick, 2))
        end) > 1)
    end)

    it("of a dead holder goes to one of two workers in every order", function()
        assert.is_true(all_orders(function(pick)
            fresh()
            worker(9):take("a", 10)
            kill(9)
            local tokens = contest(pick, 2)
            assert.equal(1, #tokens)
            assert.equal(tokens[1], dict:get("l:a"))
        end) > 300)
    end)

    it("of a dead holder goes to at most one of three, and to one at the next try", function()
        local seed = 1
        local function pick(most)
            seed = (seed * 16807) % 2147483647
            return seed % most + 1
        end
        for _ = 1, 3000 do
            fresh()
            worker(9):take("a", 10)
            kill(9)
            local tokens = contest(pick, 3)
            assert.is_true(#tokens <= 1)
            if #tokens == 0 then
                assert.is_string(worker(4):take("a", 10))
            end
        end
    end)

    it("is taken over wherever the worker that was taking it over dies", function()
        all_orders(function(pick)
            fresh()
            worker(9):take("a", 1000)
            kill(9)
            local one = worker(1, interrupted())
            local routine = start(function() one:take("a", 1000) end)
            while coroutine.status(routine) ~= "dead" and pick(2) == 1 do
                step(routine)
            end
            kill(1)
            local token = worker(2):take("a", 1000)
            assert.is_string(token)
            assert.equal(token, dict:get("l:a"))
            assert.same({ nil, token }, { worker(3):take("a", 1000) })
        end)
    end)

    it("outlives a flush with what is left of its time, or for a while", function()
        for _, row in ipairs { { 6, 2 }, { 600, 5 } } do
            fresh()
            local token = worker(1):take("a", row[1])
            clock = clock + 4
            worker(2):survive("a", function() dict:flush_all() end)
            assert.same({ nil, token }, { worker(3):take("a", 10) })
            clock = clock + row[2] - 0.1
            assert.same({ nil, token }, { worker(3):take("a", 10) })
            clock = clock + 0.2
            assert.is_string(worker(3):take("a", 10))
        end
        worker(2):survive("b", function() dict:flush_all() end)
        assert.is_string(worker(4):take("b", 10))
    end)

    it("that expires while it is released stays with its next holder, in every order", function()
        assert.is_true(all_orders(function(pick)
            fresh()
            local one, two = worker(1, interrupted()), worker(2)
            local token = worker(1):take("a", 10)
            local routine = start(function() one:release("a", token) end)
            local second
            while coroutine.status(routine) ~= "dead" do
                if not second and pick(2) == 1 then
                    clock = clock + 11
                    second = two:take("a", 10)
                end
                step(routine)
            end
            assert.equal(second, second and dict:get("l:a"))
        end) >= 4)
    end)
end)
