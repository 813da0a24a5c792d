-- brake_spec - how much a node asks of AWS (vault.brake): workers over simulated time.

local brake = require "vault.brake"
local dicts = require "spec.support.dict"

describe("the brake", function()
    local clock, dict, one, two

    local function now()
        return clock
    end

    local function worker(options)
        options = options or {}
        return brake.new { dict = not options.alone and dict or nil, now = now,
                           turn = options.turn, random = math.random, rate = options.rate }
    end

    before_each(function()
        math.randomseed(11)
        clock = 1700000000.123
        dict = dicts.new { now = now }
        one, two = worker(), worker()
    end)

    -- How many of `per_second` askers in each of `seconds` may call; workers ask in turn.
    local function granted(workers, seconds, per_second, on_grant)
        local calls, start = 0, clock
        for i = 0, seconds * per_second - 1 do
            clock = start + i / per_second
            local asker = workers[i % #workers + 1]
            if asker:may_repeat("g") then
                calls = calls + 1
                if on_grant then
                    on_grant(asker)
                end
            end
        end
        clock = start + seconds
        return calls
    end

    describe("budget", function()
        it("bounds the calls for a missing secret, asked for 1,000 times a second", function()
            local workers = { one, two, worker(), worker() }
            local calls = granted(workers, 60, 1000, function(asker)
                asker:failed("g", false)
            end)
            assert.is_true(calls <= 160, calls .. " calls")
            assert.is_true(calls >= 158, calls .. " calls")
            assert.is_true(granted(workers, 60, 1000) <= 60)
        end)

        for _, offset in ipairs { 0, 0.001, 0.5, 0.999 } do
            it("does so from any moment on: " .. offset, function()
                clock = 1700000000 + offset
                assert.is_true(granted({ one, two }, 60, 50) <= 160)
            end)
        end

        it("is not filled beyond 100 calls, however long it rests", function()
            assert.equal(100, granted({ one, two }, 0.8, 1000))
            clock = clock + 50000.1
            assert.is_true(granted({ one, two }, 1, 999) <= 101)
        end)

        it("grows by a fifth of a call with each success", function()
            clock = 1700000000
            granted({ one }, 0.9, 500)
            assert.is_false(one:may_repeat("g"))
            for _ = 1, 4 do
                two:succeeded("g")
                assert.is_false(one:may_repeat("g"))
            end
            two:succeeded("g")
            assert.is_true(one:may_repeat("g"))
            assert.is_false(two:may_repeat("g"))
        end)

        it("is not grown by successes beyond its limit", function()
            one:may_repeat("g")
            for _ = 1, 1000 do
                one:succeeded("g")
            end
            assert.is_true(granted({ one, two }, 0.5, 1000) <= 100)
        end)

        it("is each group's own", function()
            granted({ one }, 0.5, 500)
            assert.is_false(one:may_repeat("g"))
            assert.is_true(one:may_repeat("another"))
        end)

        it("is handed out once where the workers' clocks differ", function()
            local shift = { 0, 0.4, -0.7, 1.2 }
            local workers, start = {}, clock
            for i, seconds in ipairs(shift) do
                workers[i] = brake.new { dict = dict, random = math.random,
                                         now = function() return clock + seconds end }
            end
            local calls = granted(workers, 60, 400)
            assert.is_true(calls <= 162, calls .. " calls")
            assert.equal(start + 60, clock)
        end)

        it("goes on after a clock that is set back", function()
            granted({ one }, 1, 999)
            clock = clock - 86400
            one:may_repeat("g")
            local calls = granted({ one, two }, 60, 100)
            assert.is_true(calls >= 58 and calls <= 61, calls .. " calls")
        end)

        it("is a worker's own where the dict takes nothing", function()
            dict.full = true
            assert.is_true(granted({ one }, 60, 100) <= 160)
            assert.is_true(two:may_repeat("g"))
            local alone = worker { alone = true }
            assert.is_true(granted({ alone }, 60, 100) <= 160)
        end)
    end)

    local function fail(times, from)
        for i = 1, times do
            (from or (i % 2 == 0 and one or two)):failed("g", true)
        end
    end

    describe("circuit", function()
        it("opens after 10 transient failures in a row, on all workers", function()
            fail(9)
            assert.is_false(one:is_open("g"))
            assert.is_true(one:may_probe("g"))
            fail(1)
            assert.is_true(one:is_open("g"))
            assert.is_true(two:is_open("g"))
            assert.is_false(one:may_probe("g"))
            assert.is_true(one:may_probe("another"))
        end)

        it("does not where one succeeds in between", function()
            fail(9)
            two:succeeded("g")
            fail(9)
            assert.is_false(one:is_open("g"))
        end)

        it("does not where AWS answers in between, and closes when it does", function()
            fail(9)
            one:failed("g", false)
            fail(9)
            assert.is_false(one:is_open("g"))
            fail(1)
            assert.is_true(one:is_open("g"))
            two:failed("g", false)
            assert.is_false(one:is_open("g"))
        end)

        -- The moments, counted from the opening, at which one of the workers may probe.
        local function probes(workers, seconds, on_probe)
            local moments, start = {}, clock
            while clock - start < seconds do
                for _, asker in ipairs(workers) do
                    if asker:may_probe("g") then
                        moments[#moments + 1] = clock - start
                        on_probe(asker)
                    end
                end
                clock = clock + 0.01
            end
            return moments
        end

        it("is probed by one on the node, after 1, 2, 4 and 5 s at most", function()
            fail(500)
            local moments = probes({ one, two, worker() }, 60, function(asker)
                asker:failed("g", true)
            end)
            local before = 0
            for i, at in ipairs(moments) do
                local most = math.min(2 ^ (i - 1), 5)
                assert.is_true(at - before <= most * 0.9 + 0.03, "too late: " .. i)
                assert.is_true(at - before >= most * 0.7 - 0.03, "too early: " .. i)
                before = at
            end
            assert.is_true(#moments >= 13 and #moments <= 20)
        end)

        it("is probed at moments that differ", function()
            local firsts = {}
            for i = 1, 5 do
                local asker = worker()
                for _ = 1, 10 do
                    asker:failed("g", true)
                end
                firsts[i] = probes({ asker }, 1, function() asker:succeeded("g") end)[1]
            end
            local different = {}
            for _, at in ipairs(firsts) do
                different[("%.3f"):format(at)] = true
            end
            assert.is_not_nil(next(different, (next(different))))
        end)

        it("closes with the first success, and begins anew", function()
            fail(10)
            clock = clock + 1
            assert.is_true(one:may_probe("g"))
            assert.is_false(two:may_probe("g"))
            one:succeeded("g")
            assert.is_false(two:is_open("g"))
            assert.is_true(two:may_probe("g"))
            assert.is_true(two:may_probe("g"))
            fail(10)
            local moments = probes({ one }, 5, function() one:failed("g", true) end)
            assert.is_true(moments[1] >= 0.69 and moments[1] <= 0.92)
            assert.is_true(moments[2] - moments[1] <= 1.83)
        end)

        it("closes within 5 s of AWS's return, however long it was away", function()
            for _, away in ipairs { 0.5, 3, 17, 60, 3600 } do
                local back = clock + away
                local closed
                fail(10)
                local step = away > 1000 and 0.1 or 0.01
                while not closed do
                    for _, asker in ipairs { one, two } do
                        if asker:may_probe("g") then
                            if clock >= back then
                                asker:succeeded("g")
                                closed = clock
                            else
                                asker:failed("g", true)
                            end
                        end
                    end
                    clock = clock + step
                end
                assert.is_true(closed - back <= 4.6, closed - back .. " s")
                assert.is_false(one:is_open("g"))
            end
        end)

        it("bounds the calls of an outage", function()
            local calls, start = 0, clock
            while clock - start < 300 do
                for _, asker in ipairs { one, two } do
                    if asker:may_probe("g") then
                        calls = calls + 1
                        asker:failed("g", true)
                    end
                end
                clock = clock + 0.02
            end
            assert.is_true(calls <= 10 + 3 + 300 / 3.5, calls .. " calls")
        end)

        it("is probed by the first who asks after a while without", function()
            fail(10)
            clock = clock + 600
            assert.is_true(one:is_open("g"))
            assert.is_true(two:may_probe("g"))
            assert.is_false(one:may_probe("g"))
        end)

        it("is a worker's own where the dict takes nothing", function()
            dict.full = true
            for _, alone in ipairs { true, false } do
                local mine, other = worker { alone = alone }, worker { alone = alone }
                fail(10, mine)
                assert.is_true(mine:is_open("g"))
                assert.is_false(mine:may_probe("g"))
                assert.is_false(other:is_open("g"))
                clock = clock + 1
                assert.is_true(mine:may_probe("g"))
                assert.is_false(mine:may_probe("g"))
                mine:succeeded("g")
                assert.is_false(mine:is_open("g"))
            end
        end)
    end)

    describe("pace", function()
        it("is 10 batch calls a second where nothing else is said", function()
            assert.equal(0, one:pace("g"))
            local wait = two:pace("g")
            assert.is_true(wait > 0.1 and wait < 0.12)
            one:throttled("g")
            clock = clock + wait + 0.001
            assert.equal(0, two:pace("g"))
            assert.near(0.22, one:pace("g"), 0.01)
        end)

        it("can be another, or none", function()
            one = worker { rate = 2 }
            one:pace("g")
            assert.near(0.55, one:pace("g"), 0.01)
            one = worker { rate = 0 }
            assert.equal(0, one:pace("g"))
            assert.equal(0, one:pace("g"))
            for _, rate in ipairs { -1, 0.5, "10" } do
                assert.has_error(function() worker { rate = rate } end,
                    "rate must be 0 or at least 1")
            end
        end)
    end)

    describe("of a worker that found nothing amiss", function()
        local calm

        before_each(function()
            calm = worker { turn = now }
            calm:succeeded("g")
        end)

        it("does not look again at once", function()
            local uses = dict.uses
            calm:succeeded("g")
            assert.is_false(calm:is_open("g"))
            assert.equal(uses, dict.uses)
            fail(10)
            assert.is_false(calm:is_open("g"))
            assert.is_true(calm:may_probe("g"))
        end)

        it("looks again within a twentieth of a second, and in another group", function()
            fail(10)
            clock = clock + 0.051
            assert.is_true(calm:is_open("g"))
            calm:succeeded("g")
            for _ = 1, 10 do
                two:failed("other", true)
            end
            assert.is_true(calm:is_open("other"))
        end)

        it("looks again after a failure of its own, and after a clock that is set back", function()
            fail(9)
            calm:failed("g", true)
            assert.is_true(calm:is_open("g"))
            calm:succeeded("g")
            calm:succeeded("g")
            fail(10)
            clock = clock - 1000
            assert.is_true(calm:is_open("g"))
        end)

        it("gives back what its failures drew", function()
            assert.is_true(calm:may_repeat("g"))
            for _ = 1, 10 do
                calm:succeeded("g")
            end
            assert.equal(500, dict:get("b:tokens:g"))
        end)
    end)

    it("outlives a dict that is flushed", function()
        fail(10)
        granted({ one }, 0.5, 500)
        one:pace("g")
        dict:flush_all()
        assert.is_false(one:is_open("g"))
        assert.is_true(one:may_probe("g"))
        assert.is_true(one:may_repeat("g"))
        assert.equal(0, one:pace("g"))
    end)

    it("puts nobody's entries out of a full dict", function()
        for _, full in ipairs { false, true } do
            dict.set, dict.add = false, false
            dict:safe_set("another's", "value")
            dict.full = full
            fail(20)
            granted({ one, two }, 30, 50)
            clock = clock + 5
            one:may_probe("g")
            one:pace("g")
            one:throttled("g")
            one:succeeded("g")
            assert.same({}, dict.evicted)
        end
    end)

    it("makes a handful of entries for a group", function()
        for _ = 1, 50 do
            granted({ one, two }, 1, 50)
            fail(20)
            one:may_probe("g")
            one:pace("g")
            one:throttled("g")
        end
        local count = 0
        for _ in pairs(dict.entries) do
            count = count + 1
        end
        assert.is_true(count <= 8, count .. " entries")
    end)
end)
