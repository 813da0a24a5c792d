-- refresh_storm_spec - many secrets, and an AWS that is slow, asks for less, or is away.

local fleet = require "spec.support.fleet"

describe("refresh", function()
    before_each(function()
        math.randomseed(9)
    end)

    -- The most calls of `kind` that began within any second.
    local function most_in_a_second(one, kind)
        local calls, most, first = one:calls(kind), 0, 1
        for i, call in ipairs(calls) do
            while call.at - calls[first].at >= 1 do
                first = first + 1
            end
            most = math.max(most, i - first + 1)
        end
        return most
    end

    local function oldest(one, count)
        local age = 0
        for _, worker in ipairs(one.workers) do
            if not worker.killed then
                for i = 1, count do
                    age = math.max(age, one:age(worker, "s" .. i))
                end
            end
        end
        return age
    end

    describe("that is paced", function()
        it("never makes more than 10 batch calls in a second, and makes use of them", function()
            for _, workers in ipairs { 1, 4 } do
                local one = fleet.new { workers = workers, rate = 10 }
                one:warm(5000)
                one:pass(120)
                assert.is_true(most_in_a_second(one, "batch") <= 10)
                assert.is_true(most_in_a_second(one, "batch") >= 9)
                assert.equal(0, #one:calls("single"))
                local before = one.clock
                one:pass(60) -- spread over the ttl by now
                assert.is_true(#one:calls("batch", before) <= 5000 / 20 * 60 / 48 * 1.2)
                assert.is_true(oldest(one, 5000) <= 61, oldest(one, 5000))
            end
        end)

        it("slows down after each single call that is throttled", function()
            local one = fleet.new { workers = 1, rate = 10 }
            local brake, slowed = one.workers[1].brake, 0
            local throttled = brake.throttled
            function brake.throttled(...)
                slowed = slowed + 1
                return throttled(...)
            end
            one.aws.word = function(_, kind) return kind == "single" and "throttled" or nil end
            one:warm(1, { batchable = false })
            one:pass(60)
            assert.is_true(#one:calls("single") > 0)
            assert.equal(#one:calls("single"), slowed)
        end)

        it("counts 20 single calls as one batch", function()
            local one = fleet.new { workers = 4, rate = 2 }
            one:warm(500, { ttl = 120, batchable = false })
            one:pass(240)
            assert.is_true(most_in_a_second(one, "single") <= 2 * 20 + 16)
            assert.is_true(oldest(one, 500) <= 121, oldest(one, 500))
        end)
    end)

    it("of 10,000 secrets converges where AWS takes 5 calls a second", function()
        local one = fleet.new { workers = 4, rate = 10 }
        local answered, refused = {}, 0
        one.aws.word = function(_, kind)
            local second = math.floor(one.clock)
            answered[second] = (answered[second] or 0) + 1
            if kind ~= "get" and answered[second] > 5 then
                refused = refused + 1
                return "throttled"
            end
        end
        one:warm(10000, { ttl = 600 })
        local before = one.clock
        one:pass(600)
        local calls = #one:calls("batch", before + 1)
        assert.is_true(oldest(one, 10000) <= 601, oldest(one, 10000))
        -- A call that is refused costs the pace half of it: one in four at most.
        assert.is_true(calls < 500 * 1.4, calls)
        assert.is_true(refused < calls / 4, refused)
        assert.equal(refused, one.counts["vault_throttles_total"])
        assert.is_true(most_in_a_second(one, "batch") <= 10)
        assert.equal(0, #one:calls("single"))
    end)

    for how, delay in pairs { ["refuses connections"] = 0.001, ["is a black hole"] = 10 } do
        it("outlasts an AWS that " .. how .. ", and recovers", function()
            local one = fleet.new { workers = 4, rate = 10 }
            one:warm(1000)
            one:pass(30)
            one.aws.word = function() return delay > 1 and "timeout" or "connect_failed" end
            one.aws.delay = function() return one.aws.word() and delay or 0.02 end
            local away = one.clock
            one:pass(60)
            local open = one.clock
            one:pass(600)
            -- Ten calls to open the circuit, and what was in flight; then one in each period.
            assert.is_true(#one:calls(nil, away) - #one:calls(nil, open) < 60)
            local probes = #one:calls(nil, open)
            assert.is_true(probes >= 600 / 5 and probes <= 600 / 3, probes)
            for i = 1, 1000 do
                assert.equal("v1", one:get(one.workers[1], "s" .. i).version_id)
            end

            one.aws.word = function() end
            local back = one.clock
            one:pass(5)
            local first = one:calls(nil, back)[1]
            assert.is_true(first ~= nil and first.at - back <= 5)
            one:pass(15)
            assert.is_true(oldest(one, 1000) <= 20, oldest(one, 1000))
            assert.is_true(most_in_a_second(one, "batch") <= 10)
        end)
    end

    it("of one secret sees the end of an outage within 5 s", function()
        for _ = 1, 50 do
            local one = fleet.new { workers = 2 }
            one:warm(1)
            one.aws.word = function() return "connect_failed" end
            one:pass(200 + 10 * math.random())
            one.aws.word = function() end
            one:pass(5)
            assert.is_true(oldest(one, 1) <= 60 or one:age(one.workers[1], "s1") <= 5
                or one:age(one.workers[2], "s1") <= 5)
            one:pass(5)
            assert.is_true(oldest(one, 1) <= 10)
        end
    end)

    it("does not take some failures in an answer for an outage", function()
        local one = fleet.new { workers = 1 }
        one:warm(20)
        for i = 1, 15 do
            one.aws.errors["s" .. i] = "server_error"
        end
        one:pass(70)
        assert.is_false(one.workers[1].brake:is_open("g"))
        one.aws.errors = {}
        one:pass(5)
        for i = 1, 15 do
            assert.is_true(one:age(one.workers[1], "s" .. i) <= 5)
        end
    end)

    it("takes a batch that was cancelled for no sign that AWS is back", function()
        local one = fleet.new { workers = 1 }
        local brake = one.workers[1].brake
        one:warm(20)
        one.aws.word, one.aws.delay = function() return "cancelled" end, 1
        while #one:calls("batch") == 0 do
            one:pass(0.1)
        end
        for _ = 1, 10 do
            brake:failed("g", true, "planted")
        end
        assert.is_true(brake:is_open("g"))
        one:pass(1.05)
        assert.is_true(brake:is_open("g"))
    end)

    it("puts back what the dict lost where a batch comes to nothing", function()
        local one = fleet.new { workers = 1 }
        one:warm(2)
        one.dict:delete("s:s1")
        one.aws.word = function() return "timeout" end
        one:pass(60)
        assert.is_not_nil(one.dict:get("s:s1"))
    end)

    it("needs no dict that has room", function()
        local one = fleet.new { workers = 2, rate = 10 }
        one.dict.full = true
        one:warm(200, { ttl = 20 })
        one:pass(100)
        assert.is_true(oldest(one, 200) <= 21, oldest(one, 200))
    end)

    it("leaves no value older than its ttl and a second, and no request waiting", function()
        local one = fleet.new { workers = 2, rate = 10 }
        one.aws.delay = function() return 0.005 + 0.06 * math.random() end
        local ttls = {}
        for i = 1, 500 do
            ttls[i] = { ttl = 1 + 59 * math.random() }
            for _, worker in ipairs(one.workers) do
                one:get(worker, "s" .. i, ttls[i])
            end
        end
        for _ = 1, 1200 do
            one:pass(0.1 * math.random())
            for _ = 1, 50 do
                local worker, i = one.workers[math.random(2)], math.random(500)
                local snapshot = one:get(worker, "s" .. i, ttls[i])
                assert.is_true(one.clock - snapshot.fetched <= ttls[i].ttl + 1)
            end
        end
        for _ = 1, 10 do
            one:pass(7)
            for i = 1, 500 do
                for _, worker in ipairs(one.workers) do
                    one:get(worker, "s" .. i, ttls[i])
                    assert.is_true(one:age(worker, "s" .. i) <= ttls[i].ttl + 1)
                end
            end
        end
        assert.equal(500, #one:calls("get"))
        assert.equal(0, one.waited or 0)
        assert.equal(0, one.counts["vault_stale_total"] or 0)
    end)

    it("is not begun by a worker that leaves", function()
        local one = fleet.new { workers = 1 }
        one:warm(20)
        one.workers[1].refresh.leaving = function() return true end
        one:pass(120)
        assert.equal(0, #one:calls("batch"))
    end)
end)
