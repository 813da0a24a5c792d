-- news_spec - what changed is told to all workers, none of it is missed (vault.news).

local dicts = require "spec.support.dict"
local news = require "vault.news"

describe("the node's news", function()
    local clock, dict

    local function worker(ring, through)
        return news.new { dict = through or dict, ring = ring or 8,
                          now = function() return clock end }
    end

    -- What one read tells: the keys in order, "ALL" for on_all; and what it returns.
    local function read(one)
        local told = {}
        local changed = one:read(function(key) told[#told + 1] = key end,
            function() told[#told + 1] = "ALL" end)
        assert.equal(#told > 0, changed)
        return table.concat(told, " ")
    end

    before_each(function()
        clock = 1700000000.123
        dict = dicts.new { now = function() return clock end }
    end)

    it("are nothing at first", function()
        assert.equal("", read(worker()))
    end)

    it("reach every worker once, in order", function()
        local one, two = worker(), worker()
        one:tell("a")
        two:tell("b c\n")
        one:tell("a")
        for _, reader in ipairs { one, two } do
            assert.equal("a b c\n a", read(reader))
            assert.equal("", read(reader))
        end
    end)

    it("of before a worker began are not told to it", function()
        local one = worker()
        one:tell("a")
        local two = worker()
        assert.equal("", read(two))
        one:tell("b")
        assert.equal("b", read(two))
        one:tell("c")
        two:skip()
        assert.equal("", read(two))
        assert.equal("b c", (read(one):gsub("^a ", "")))
    end)

    it("are known one by one as far as the ring goes, and no further", function()
        local one, two = worker(8), worker(8)
        for i = 1, 8 do
            one:tell(i)
        end
        assert.equal("1 2 3 4 5 6 7 8", read(one))
        one:tell("x")
        assert.equal("ALL", read(two))
        assert.equal("x", read(one))
        one:tell("y")
        assert.equal("y", read(two))
    end)

    it("can be that any may have changed, to all workers, before the first change too", function()
        for _ = 1, 2 do
            local one, two = worker(), worker()
            one:tell_all()
            one:tell("a")
            assert.equal("ALL", read(two))
            assert.equal("ALL", read(one))
            one:tell("b")
            assert.equal("b", read(two))
            dict:flush_all()
        end
        news.new({ now = function() return clock end }):tell_all()
    end)

    it("go around the ring for ever", function()
        local one = worker(3)
        for i = 1, 1000 do
            one:tell("k" .. i)
            assert.equal("k" .. i, read(one))
        end
    end)

    -- A worker that stops before its operation on the dict that is called `name`.
    local function stops_before(name, action)
        local slow = worker(8, setmetatable({}, { __index = function(_, called)
            return function(_, ...)
                if called == name then
                    coroutine.yield()
                end
                return dict[called](dict, ...)
            end
        end }))
        local routine = coroutine.create(function() action(slow) end)
        assert(coroutine.resume(routine))
        return routine
    end

    it("wait for an entry that is counted and not written yet", function()
        local one = worker()
        one:tell("a")
        local teller = stops_before("safe_set", function(slow) slow:tell("slow") end)
        one:tell("b")
        assert.equal("a", read(one))
        coroutine.resume(teller)
        assert.equal("slow b", read(one))
        assert.equal("", read(one))
    end)

    it("wait at each entry anew", function()
        local one = worker()
        for i = 1, 20 do
            local teller = stops_before("safe_set", function(slow) slow:tell("k" .. i) end)
            assert.equal("", read(one))
            coroutine.resume(teller)
            assert.equal("k" .. i, read(one))
        end
    end)

    it("do not wait twice: a teller that died leaves any of them possible", function()
        local one, two = worker(), worker()
        stops_before("safe_set", function(slow) slow:tell("lost") end)
        one:tell("b")
        assert.equal("", read(two))
        assert.equal("ALL", read(two))
        assert.equal("", read(two))
        one:tell("c")
        assert.equal("c", read(two))
        assert.equal("", read(one))
        assert.equal("ALL", read(one))
    end)

    it("do not take an old entry of the same place for a new one", function()
        local one = worker(2)
        one:tell("a")
        one:tell("b")
        assert.equal("a b", read(one))
        dict:incr("g", 1)
        assert.equal("", read(one))
        assert.equal("ALL", read(one))
    end)

    it("that were overwritten while they were read are not known", function()
        local one, two = worker(2), worker(2)
        one:tell("a")
        one:tell("b")
        local told = {}
        two:read(function(key)
            told[#told + 1] = key
            one:tell("c")
            one:tell("d")
            one:tell("e")
        end, function() told[#told + 1] = "ALL" end)
        assert.same({ "a", "ALL" }, told)
        assert.equal("ALL", read(two))
        assert.equal("", read(two))
    end)

    it("that nobody read for minutes are not known", function()
        local one = worker()
        one:tell("a")
        clock = clock + 120
        assert.equal("", read(one))
        assert.equal("ALL", read(one))
    end)

    for _, next_step in ipairs { "a teller", "a reader" } do
        it("start again after a flush that is found by " .. next_step, function()
            local one, two, three = worker(), worker(), worker()
            one:tell("a")
            assert.equal("a", read(one))
            clock = clock + 0.05
            dict:flush_all()
            if next_step == "a teller" then
                one:tell("b")
            end
            for _, reader in ipairs { one, two, three } do
                assert.equal("ALL", read(reader))
                assert.equal("", read(reader))
            end
            one:tell("c")
            assert.equal("c", read(three))
        end)
    end

    it("start again where only the counter was lost", function()
        local one, two = worker(), worker()
        one:tell("a")
        clock = clock + 0.05
        dict:delete("g")
        two:tell("b")
        assert.equal("ALL", read(one))
        assert.equal("ALL", read(two))
    end)

    it("start again where the clock went back", function()
        local one, two = worker(), worker()
        one:tell("a")
        dict:flush_all()
        clock = clock - 3600
        one:tell("b")
        assert.equal("ALL", read(two))
    end)

    it("are any where the dict takes no more", function()
        local one, two = worker(), worker()
        dict:safe_set("s:secret", "value")
        dict.full = true
        one:tell("a")
        one:tell("b")
        assert.equal("ALL", read(one))
        assert.equal("ALL", read(two))
        assert.equal("", read(two))
        dict.full = false
        one:tell("c")
        assert.equal("c", read(two))
        assert.equal("value", dict:get("s:secret"))
        assert.same({}, dict.evicted)
    end)

    it("are any at each read where not even the counter fits", function()
        dict.full = true
        local one, two = worker(), worker()
        assert.equal("ALL", read(two))
        one:tell("a")
        assert.equal("ALL", read(two))
        assert.equal("ALL", read(two))
        dict.full = false
        assert.equal("ALL", read(two))
        assert.equal("", read(two))
        one:tell("b")
        assert.equal("b", read(two))
        assert.same({}, dict.evicted)
    end)

    it("are none without a dict", function()
        local one = news.new { now = function() return clock end }
        one:tell("a")
        one:skip()
        assert.equal("", read(one))
    end)

    it("reach a reader whole, in whatever order three tellers and it get to run", function()
        local seed = 7
        local function pick(most)
            seed = (seed * 16807) % 2147483647
            return seed % most + 1
        end
        for _ = 1, 500 do
            dict:flush_all()
            local reader, routines, told = worker(), {}, {}
            for i = 1, 3 do
                routines[i] = stops_before("incr", function(slow)
                    slow:tell("x" .. i)
                    slow:tell("y" .. i)
                end)
            end
            while routines[1] do
                local i = pick(#routines)
                assert(coroutine.resume(routines[i]))
                if coroutine.status(routines[i]) == "dead" then
                    table.remove(routines, i)
                end
                if pick(2) == 1 then
                    for key in read(reader):gmatch("%S+") do
                        told[key] = (told[key] or 0) + 1
                    end
                end
            end
            for key in read(reader):gmatch("%S+") do
                told[key] = (told[key] or 0) + 1
            end
            assert.same({ x1 = 1, x2 = 1, x3 = 1, y1 = 1, y2 = 1, y3 = 1 }, told)
        end
    end)
end)
