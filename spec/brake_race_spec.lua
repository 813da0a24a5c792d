-- brake_race_spec - workers that act between any two steps of one another (vault.brake).

local brake = require "vault.brake"
local dicts = require "spec.support.dict"

describe("the brake, between any two steps of another worker,", function()
    local clock, dict, one, two, busy, others

    local function now()
        return clock
    end

    -- The dict, before each use of which another worker may do something.
    local function interrupted()
        return setmetatable({}, { __index = function(_, name)
            return function(_, ...)
                if busy < 2 and math.random() < 0.2 then
                    busy = busy + 1
                    others()
                    busy = busy - 1
                end
                return dict[name](dict, ...)
            end
        end })
    end

    local function begin(seed)
        math.randomseed(seed)
        clock = 1700000000.123
        dict = dicts.new { now = now }
        busy, others = 0, function() end
        one = brake.new { dict = interrupted(), now = now, random = math.random }
        two = brake.new { dict = interrupted(), now = now, random = math.random }
    end

    for seed = 1, 5 do
        it("hands the budget out once: " .. seed, function()
            begin(seed)
            local calls = 0
            local function ask(asker)
                if asker:may_repeat("g") then
                    calls = calls + 1
                end
            end
            others = function() ask(two) end
            for i = 1, 60 * 200 do
                clock = 1700000000.123 + i / 201
                ask(one)
            end
            assert.is_true(calls >= 157 and calls <= 160, calls .. " calls")
        end)

        it("gives the slot and the probe to one: " .. seed, function()
            begin(seed)
            local slots, probes = 0, 0
            local function ask(asker)
                if asker:pace("g") == 0 then
                    slots = slots + 1
                end
                if asker:may_probe("g") then
                    probes = probes + 1
                end
            end
            for _ = 1, 10 do
                one:failed("g", true)
            end
            others = function() ask(two) end
            for _ = 1, 100 do
                local slots_before, probes_before = slots, probes
                ask(one)
                assert.is_true(slots - slots_before <= 1 and probes - probes_before <= 1)
                clock = clock + 0.05
            end
            assert.is_true(slots > 30 and slots < 51, slots .. " slots")
            assert.is_true(probes >= 2 and probes <= 4, probes .. " probes")
        end)

        it("opens for all failures and closes for one success: " .. seed, function()
            begin(seed)
            others = function() two:failed("g", true) end
            for _ = 1, 8 do
                one:failed("g", true)
            end
            one:failed("g", true)
            one:failed("g", true)
            assert.is_true(one:is_open("g"))
            others = function() two:succeeded("g") end
            one:succeeded("g")
            assert.is_false(two:is_open("g"))
        end)
    end
end)
