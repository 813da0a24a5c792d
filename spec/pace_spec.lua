-- pace_spec - when a batch call may be made (vault.pace): workers over simulated time.

local dicts = require "spec.support.dict"
local numbers = require "vault.numbers"
local pace = require "vault.pace"

describe("the pace", function()
    local clock, dict

    local function now()
        return clock
    end

    before_each(function()
        clock = 1700000000.123
        dict = dicts.new { now = now }
    end)

    local function worker(rate, alone)
        return pace.new { numbers = numbers.new { dict = not alone and dict or nil, now = now },
                          now = now, rate = rate }
    end

    -- The times of the calls of `count` workers that always have one to make, in `seconds`. Some
    -- wait as they are told, some ask when they like. on_call(at, worker)
    local function calls(count, rate, seconds, on_call)
        local workers, times = {}, {}
        for i = 1, count do
            workers[i] = { pace = worker(rate), at = clock + math.random(),
                           hasty = math.random() < 0.3 }
        end
        local until_when = clock + seconds
        while true do
            local next_one = workers[1]
            for _, one in ipairs(workers) do
                next_one = one.at < next_one.at and one or next_one
            end
            if next_one.at > until_when then
                return times
            end
            clock = math.max(clock, next_one.at)
            local wait = next_one.pace:take("g")
            if wait == 0 then
                times[#times + 1] = clock
                if on_call then
                    on_call(clock, next_one.pace)
                end
            end
            assert(wait >= 0 and wait <= 2.2)
            wait = next_one.hasty and math.random() * 0.2 / rate or wait
            next_one.at = clock + math.max(wait, 0.001) + math.random() * 0.0005
        end
    end

    -- The most calls in any second, wherever it begins.
    local function most_in_a_second(times)
        local most, first = 0, 1
        for i, at in ipairs(times) do
            while times[first] <= at - 1 do
                first = first + 1
            end
            most = math.max(most, i - first + 1)
        end
        return most
    end

    for _, case in ipairs { { 1, 10 }, { 8, 10 }, { 4, 1 }, { 4, 2 }, { 5, 3 }, { 16, 50 },
                            { 3, 100 } } do
        local count, rate = case[1], case[2]
        it(("of %d workers at %d a second: never more in any second"):format(count, rate),
            function()
                for seed = 1, 5 do
                    math.randomseed(seed)
                    clock = clock + 100
                    local times = calls(count, rate, 30)
                    local most = most_in_a_second(times)
                    assert.is_true(most <= rate, most .. " in a second")
                    assert.is_true(#times >= 30 * rate * 0.75, #times .. " in 30 seconds")
                end
            end)
    end

    it("leaves a call a tenth of a second for its way", function()
        math.randomseed(7)
        local times = calls(8, 10, 60)
        for i, at in ipairs(times) do
            times[i] = at + math.random() * 0.1
        end
        table.sort(times)
        assert.is_true(most_in_a_second(times) <= 10)
    end)

    it("of 0 is none", function()
        local one = worker(0)
        for _ = 1, 1000 do
            assert.equal(0, one:take("g"))
        end
        one:throttled("g")
        assert.equal(0, one:take("g"))
    end)

    it("says how long to wait, and to whom", function()
        local one, two = worker(10), worker(10)
        assert.equal(0, one:take("g"))
        assert.near(0.11, two:take("g"), 0.002)
        assert.equal(0, two:take("another"))
        clock = clock + 0.1
        assert.near(0.01, one:take("g"), 0.002)
    end)

    it("is halved once a second while AWS throttles, and not below one a second", function()
        local one, two = worker(10), worker(10)
        for _, rate in ipairs { 5, 3, 2, 1, 1, 1 } do
            one:throttled("g")
            two:throttled("g")
            one:throttled("g")
            assert.equal(rate, two:current("g"))
            assert.equal(10, two:current("another"))
            clock = clock + 1.002
        end
    end)

    it("comes back by one a second", function()
        local one = worker(10)
        one:throttled("g")
        for rate = 5, 30 do
            assert.equal(math.min(rate, 10), one:current("g"))
            clock = clock + 1
        end
    end)

    it("of one a second stays", function()
        local one = worker(1)
        one:throttled("g")
        assert.equal(1, one:current("g"))
    end)

    it("settles where AWS throttles what is over its limit", function()
        math.randomseed(3)
        local throttled, second, in_second = 0, 0, 0
        local times = calls(4, 10, 120, function(at, one)
            if math.floor(at) ~= second then
                second, in_second = math.floor(at), 0
            end
            in_second = in_second + 1
            if in_second > 4 then
                throttled = throttled + 1
                one:throttled("g")
            end
        end)
        assert.is_true(throttled / #times < 0.25, throttled .. " of " .. #times)
        assert.is_true(#times - throttled > 120 * 2.5)
    end)

    it("outlives a clock that is set back", function()
        local one = worker(10)
        one:throttled("g")
        one:take("g")
        clock = clock - 3600
        assert.equal(1, one:current("g"))
        assert.equal(0, one:take("g"))
        clock = clock + 9
        assert.equal(10, one:current("g"))
    end)

    it("is a worker's own where the dict takes nothing", function()
        dict.full = true
        for _, alone in ipairs { true, false } do
            local one, two = worker(10, alone), worker(10, alone)
            assert.equal(0, one:take("g"))
            assert.is_true(one:take("g") > 0)
            assert.equal(0, two:take("g"))
            one:throttled("g")
            assert.equal(5, one:current("g"))
            assert.equal(10, two:current("g"))
        end
    end)
end)
