-- permit_spec - when AWS may be asked: misses that are remembered, the budget, the circuit.

local dicts = require "spec.support.dict"
local brake_of = require "vault.brake"
local loads = require "spec.support.loads"
local permit = require "vault.permit"
local shelf = require "vault.shelf"

local policy = loads.policy

describe("permit", function()
    local clock, dict, brake, one

    local function now()
        return clock
    end

    local function fail(word, changes)
        one:ended(policy(changes), "planted " .. word, word)
    end

    -- How many of `most` calls in a row may be made; each fails with `word` where one is given.
    local function granted(most, changes, word)
        local calls = 0
        for _ = 1, most do
            if not one:refusal(policy(changes)) then
                calls = calls + 1
                if word then
                    fail(word, changes)
                end
            end
        end
        return calls
    end

    before_each(function()
        clock = 1700000000.123
        dict = dicts.new { now = now }
        brake = brake_of.new { dict = dict, now = now, random = function() return 0 end }
        one = permit.new { shelf = shelf.new { dict = dict }, now = now, brake = brake }
    end)

    it("is given to what never failed, however often", function()
        assert.equal(2000, granted(2000))
        assert.is_true(one:may_renew(policy()))
    end)

    it("is given freely where nothing is held back", function()
        one = permit.new { shelf = shelf.new { dict = dict }, now = now }
        assert.equal(2000, granted(2000, nil, "not_found"))
        fail("timeout")
        clock = clock + 1.01
        assert.is_true(one:may_renew(policy()))
    end)

    it("to look again is given after neg_ttl, a second at least, within the budget", function()
        for neg_ttl, seconds in pairs { [0] = 1, [0.5] = 1, [30] = 30 } do
            local one_policy = policy { neg_ttl = neg_ttl }
            assert.is_false(one:may_look_again(one_policy, clock - seconds + 0.01))
            assert.is_true(one:may_look_again(one_policy, clock - seconds))
            assert.is_true(one:may_look_again(one_policy, clock + seconds)) -- set back since
        end
        local given = 0
        for _ = 1, 1000 do
            given = given + (one:may_look_again(policy(), clock - 1) and 1 or 0)
        end
        assert.is_true(given > 0 and given <= 100, given)
    end)

    it("to renew is not given again for a tenth of the ttl, 1 to 4 s, after a failure", function()
        for ttl, seconds in pairs { [1] = 1, [10] = 1, [30] = 3, [60] = 4, [86400] = 4 } do
            local key = "ttl" .. ttl
            fail("not_found", { key = key })
            clock = clock + seconds - 0.01
            assert.is_false(one:may_renew(policy { key = key, ttl = ttl }))
            assert.is_true(one:may_renew(policy { key = "other", ttl = ttl }))
            clock = clock + 0.02
            assert.is_true(one:may_renew(policy { key = key, ttl = ttl }))
            fail("not_found", { key = key })
            one:ended(policy { key = key })
            assert.is_true(one:may_renew(policy { key = key, ttl = ttl }))
        end
    end)

    describe("of a miss", function()
        it("is not given within neg_ttl: the miss is the answer", function()
            fail("not_found", { neg_ttl = 5 })
            for _, pause in ipairs { 0, 4.99 } do
                clock = clock + pause
                local miss = one:refusal(policy { neg_ttl = 5 })
                assert.equal("not_found", miss.word)
                assert.equal("planted not_found", miss.message)
                assert.is_false(one:may_renew(policy { neg_ttl = 5 }))
            end
            assert.is_nil(one:refusal(policy { neg_ttl = 4 }))
            clock = clock + 0.02
            assert.is_nil(one:refusal(policy { neg_ttl = 5 }))
            assert.is_true(one:may_renew(policy { neg_ttl = 5 }))
        end)

        it("is kept by the budget where neg_ttl is 0", function()
            assert.equal(101, granted(1000, nil, "not_found"))
            local miss = one:refusal(policy())
            assert.same({ "not_found", "planted not_found" }, { miss.word, miss.message })
            local calls = 0
            for _ = 1, 30 do
                clock = clock + 1
                calls = calls + granted(1000, nil, "not_found")
            end
            assert.equal(30, calls)
        end)

        it("does not hinder others that never failed", function()
            granted(1000, nil, "not_found")
            assert.equal(50, granted(50, { key = "other" }))
        end)

        it("is given again once it is a minute old, or succeeded", function()
            granted(1000, nil, "not_found")
            one:ended(policy())
            assert.equal(1000, granted(1000))
            granted(1000, nil, "not_found")
            clock = clock + 60.1
            assert.equal(1000, granted(1000))
        end)

        it("is given freely 2 s later where the failure was one that passes", function()
            granted(200, nil, "not_found") -- nothing is left of the budget
            fail("timeout", { key = "other" })
            clock = clock + 0.5
            local miss = one:refusal(policy { key = "other" })
            assert.same({ "timeout", "planted timeout" }, { miss.word, miss.message })
            clock = clock + 1.6
            granted(200, nil, "not_found")
            assert.equal(100, granted(100, { key = "other" }))
        end)

        it("is not for ever where the clock was set back", function()
            one = permit.new { shelf = shelf.new {}, now = now, brake = brake }
            fail("not_found", { neg_ttl = 5 })
            clock = clock - 3600
            assert.is_nil(one:refusal(policy { neg_ttl = 5 }))
        end)

        it("is in the dict for a minute, or for a neg_ttl that is longer", function()
            for neg_ttl, seconds in pairs { [0] = 60, [30] = 60, [600] = 600 } do
                local key = "neg" .. neg_ttl
                fail("not_found", { key = key, neg_ttl = neg_ttl })
                assert.equal(seconds, dict:ttl("n:" .. key))
            end
        end)

        it("is not remembered where its word may not be", function()
            fail("internal", { neg_ttl = 5 })
            assert.is_nil(one:refusal(policy { neg_ttl = 5 }))
        end)
    end)

    describe("while the circuit is open", function()
        before_each(function()
            for i = 1, 10 do
                fail("timeout", { key = "k" .. i })
            end
            assert.is_true(brake:is_open("g"))
        end)

        it("draws on the budget for what is not at hand; the refusal says why", function()
            assert.equal(100, granted(1000, { key = "cold" }))
            local refused = one:refusal(policy { key = "cold" })
            assert.equal("timeout", refused.word)
            assert.matches("AWS could not be reached of late", refused.message)
        end)

        it("is one in each period for what is at hand", function()
            local probes = 0
            for _ = 1, 200 do
                clock = clock + 0.1
                probes = probes + (one:may_renew(policy { key = "cold" }) and 1 or 0)
            end
            assert.is_true(probes >= 4 and probes <= 8, probes)
        end)

        it("is not given to look again", function()
            assert.is_false(one:may_look_again(policy { key = "cold" }, clock - 100))
        end)

        it("is another group's no matter", function()
            assert.equal(1000, granted(1000, { key = "cold", group = "h" }))
            assert.is_true(one:may_renew(policy { key = "cold", group = "h" }))
        end)

        for _, word in ipairs { "ok", "not_found" } do
            it("is given again after " .. word, function()
                one:ended(policy { key = "cold" }, nil, word ~= "ok" and word or nil)
                assert.equal(1000, granted(1000, { key = "colder" }))
                assert.is_true(one:may_renew(policy { key = "colder" }))
            end)
        end

        it("is not changed by what was cancelled", function()
            one:ended(policy { key = "cold" }, "planted", "cancelled")
            assert.is_true(brake:is_open("g"))
        end)
    end)
end)
