-- renewal_spec - what a node asks of AWS to keep many secrets fresh, and for one that is missing.
--
-- The library's clock is set forward, so that all secrets are due at the same moment.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local crowd = require "spec.support.crowd"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local SECRETS, WORKERS = 1000, 2
local TTL, LATER = 100, 95 -- seconds; secrets of that ttl that are so old are due, and good still
local RATE = 10 -- batch calls a second where nothing else is said
local SINGLES_MOST = 16 -- in flight on the node
local BUDGET, COST, REFILL = 500, 5, 5 -- tokens; what a repeated call costs; each second

local CLOCK = [[
    local now, clock = ngx.now, ngx.shared.clock
    ngx.now = function()
        return now() + (clock:get("ahead") or 0)
    end
    references = {}
    for i = 1, ]] .. SECRETS .. [[ do
        references[i] = "{vault://aws/delay-20.s" .. i .. "/name}"
    end
]]

local WARM = 'assert(require("vault").warmup(references))'

-- Each worker uses all secrets, once it is told to.
local USE = [[
    local used = false
    ngx.timer.every(0.05, function()
        if used or not ngx.shared.clock:get("use") then
            return
        end
        used = true
        for i, reference in ipairs(references) do
            assert(require("vault").get(reference) == "s" .. i)
        end
        ngx.shared.clock:incr("users", 1, 0)
    end)
]]

local HTTP = "lua_shared_dict clock 1m; lua_shared_dict vault_locks 10m;"
local SERVER = [[
    location = /run {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(require("cjson").encode { loadstring(ngx.req.get_body_data())() })
        }
    }
    location = /missing {
        content_by_lua_block {
            local value, _, word = require("vault").get("{vault://aws/missing.gone/name}")
            ngx.print(value or word)
        }
    }
]]

local function count(names)
    local number = 0
    for _ in pairs(names) do
        number = number + 1
    end
    return number
end

describe("a node of " .. WORKERS .. " workers", function()
    local fake, one

    before_each(function()
        fake = aws.start()
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
        fake:stop()
    end)

    local function run(code)
        return cjson.decode(http.post(one.url .. "/run", code).body)[1]
    end

    -- Every worker uses all secrets, which the master has fetched; then the counts begin.
    local function start(init)
        one = gateway.start {
            env = fake:env { KONG_VAULT_AWS_TTL = tostring(TTL) }, workers = WORKERS, init = init,
            before_init = CLOCK, after_init = WARM, init_worker = USE, http = HTTP, server = SERVER,
        }
        run 'ngx.shared.clock:set("use", true)'
        assert.is_truthy(system.wait_for(function()
            return run 'return ngx.shared.clock:get("users")' == WORKERS
        end))
        local stats = fake:stats()
        assert.same({ 0, SECRETS / 20 }, { stats.calls, stats.batches })
        fake:reset()
    end

    -- Once more where the machine was late.
    local function prove(trial)
        if not trial() then
            one:stop()
            fake:reset()
            assert.is_true(trial())
        end
    end

    -- Seconds of the processor that the server has used.
    local function used_by_server()
        local words = {}
        local stat = system.read(("/proc/%d/stat"):format(fake.process.pid))
        for word in stat:match("%) (.*)"):gmatch("%S+") do
            words[#words + 1] = word
        end
        return (words[12] + words[13]) / 100 -- fields 14 and 15, in hundredths on Linux
    end

    -- Call `work`; it is what the node asks for that is seen, not what the server is able to
    -- answer.
    local function with_idle_server(work)
        local began, used = system.now(), used_by_server()
        work()
        local share = (used_by_server() - used) / (system.now() - began)
        assert.is_true(share < 0.5, ("the server was busy for %.2f of the time"):format(share))
    end

    -- All are due now. The counts once each secret was asked for, `field` having their names, and
    -- a moment later.
    local function renew(field)
        local stats
        with_idle_server(function()
            run(('ngx.shared.clock:set("ahead", %d)'):format(LATER))
            assert.is_truthy(system.wait_for(function()
                return count(fake:stats()[field]) == SECRETS
            end, 20, 0.1))
            system.sleep(0.5)
        end)
        stats = fake:stats()
        for name, times in pairs(stats[field]) do
            assert.equal(1, times, name)
        end
        return stats
    end

    -- The most of `arrivals` in a second, wherever it begins.
    local function most_in_a_second(arrivals)
        local most, first = 0, 1
        for last, at in ipairs(arrivals) do
            while arrivals[first] <= at - 1 do
                first = first + 1
            end
            most = math.max(most, last - first + 1)
        end
        return most
    end

    it("renews 1,000 secrets that are due at once with 50 batch calls", function()
        start "refresh_rate = 0"
        local stats = renew("by_name_in_batches")
        assert.same({ 0, SECRETS / 20 }, { stats.calls, stats.batches })
        assert.is_true(stats.max_batches_in_flight > 1)
        -- The server would see a pace that is not kept.
        assert.is_true(most_in_a_second(fake:arrivals().batches) > RATE)
    end)

    it("renews them with one call for each where batches are denied", function()
        start "refresh_rate = 0"
        fake:batches { code = "AccessDeniedException" }
        local stats = renew("by_name")
        assert.equal(SECRETS, stats.calls)
        assert.is_true(stats.max_in_flight <= SINGLES_MOST, stats.max_in_flight .. " in flight")
        -- Those that were under way when the first was denied: four of each worker at most.
        assert.is_true(stats.batches <= 4 * WORKERS, stats.batches .. " batches")
    end)

    it("renews them with at most 10 batch calls in any second", function()
        prove(function()
            start()
            local stats = renew("by_name_in_batches")
            assert.equal(0, stats.calls)
            return most_in_a_second(fake:arrivals().batches) <= RATE
        end)
    end)

    it("renews them with at most 10 batch calls in any second where AWS throttles", function()
        prove(function()
            start()
            fake:batches { code = "ThrottlingException", times = 10 }
            local stats = renew("by_name_in_batches")
            assert.equal(0, stats.calls)
            return most_in_a_second(fake:arrivals().batches) <= RATE
        end)
    end)

    it("asks for a missing secret as often as its budget allows", function()
        one = gateway.start { env = fake:env(), workers = WORKERS, server = SERVER }
        local answers
        with_idle_server(function()
            answers = crowd.ask(one.url .. "/missing?%d", 3000, 1000)
        end)
        for _, answer in ipairs(answers) do
            assert.same({ 200, "not_found" }, { answer.status, answer.body })
        end
        local arrivals = fake:arrivals().calls
        local seconds = arrivals[#arrivals] - arrivals[1]
        -- The first call is no repetition; the budget is refilled at whole seconds.
        local most = 1 + (BUDGET + REFILL * (seconds + 1)) / COST
        assert.is_true(#arrivals > 1 and #arrivals <= most,
            ("%d calls in %.1f s"):format(#arrivals, seconds))
    end)
end)
