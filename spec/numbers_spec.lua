-- numbers_spec - numbers the workers of a node keep together (vault.numbers).

local dicts = require "spec.support.dict"
local numbers = require "vault.numbers"

describe("numbers", function()
    local clock, dict, one, two

    local function now()
        return clock
    end

    before_each(function()
        clock = 1700000000.5
        dict = dicts.new { now = now }
        one, two = numbers.new { dict = dict, now = now }, numbers.new { dict = dict, now = now }
    end)

    it("are added to by all workers", function()
        assert.is_nil(one:get("k"))
        assert.equal(101, one:add("k", 1, 100))
        assert.equal(99, two:add("k", -2, 100))
        assert.equal(99, one:get("k"))
        two:set("k", 7)
        assert.equal(7, one:get("k"))
        one:delete("k")
        assert.is_nil(two:get("k"))
    end)

    it("are forgotten when their time is over, a day where none was given", function()
        one:set("k", 7, 2)
        one:add("a", 1, 0)
        clock = clock + 2.1
        assert.is_nil(two:get("k"))
        clock = clock + 86390
        assert.equal(1, two:get("a"))
        clock = clock + 10
        assert.equal(1, two:add("a", 1, 0))
    end)

    it("are claimed by one at a time", function()
        assert.equal(0, one:claim("k", 3))
        clock = clock + 1
        assert.near(2, two:claim("k", 3), 0.01)
        assert.near(2, one:claim("k", 3), 0.01)
        clock = clock + 2.01
        assert.equal(0, two:claim("k", 3))
        assert.is_true(one:claim("k", 3) > 2.9)
        one:delete("k")
        assert.equal(0, one:claim("k", 3))
    end)

    it("tell whoever waits for a claim to wait, to its very end", function()
        one:claim("k", 3)
        for _ = 1, 10 do
            local wait = two:claim("k", 3)
            if wait == 0 then
                break
            end
            clock = clock + wait
        end
        assert.is_true(one:claim("k", 3) > 2.9)
    end)

    it("leave alone what another claimed as the last claim ended", function()
        one:claim("k", 3)
        dict.get = function()
            dict.get = nil
            dict:delete("k")
            assert.equal(0, two:claim("k", 3))
            return nil
        end
        assert.is_true(one:claim("k", 3) > 0)
    end)

    it("outlive a clock that is set back", function()
        one:claim("k", 3)
        clock = clock - 3600
        assert.equal(0, two:claim("k", 3))
        assert.near(3, one:claim("k", 3), 0.01)
    end)

    it("tell whether they are claimed, by whomever, and not for longer where the clock is set back",
        function()
            assert.is_false(one:is_claimed("k"))
            one:claim("k", 5)
            assert.same({ true, true }, { one:is_claimed("k"), two:is_claimed("k") })
            clock = clock - 3600
            assert.same({ false, false }, { one:is_claimed("k"), two:is_claimed("k") })
            assert.equal(0, two:claim("k", 5))
            assert.is_true(one:is_claimed("k"))
            clock = clock + 5.1
            assert.is_false(two:is_claimed("k"))
        end)

    it("stay with the worker where there is no dict", function()
        one, two = numbers.new { now = now }, numbers.new { now = now }
        assert.equal(6, one:add("k", 1, 5))
        assert.equal(7, one:add("k", 1, 5))
        assert.is_nil(two:get("k"))
        assert.equal(0, one:claim("c", 3))
        assert.near(3, one:claim("c", 3), 0.01)
        assert.equal(0, two:claim("c", 3))
        one:set("k", 1, 2)
        clock = clock + 3.1
        assert.is_nil(one:get("k"))
        assert.equal(0, one:claim("c", 3))
    end)

    it("stay with the worker while the dict is full, and join the others' after", function()
        dict.full = true
        assert.equal(6, one:add("k", 1, 5))
        assert.equal(7, one:add("k", 1, 5))
        one:set("s", 3)
        assert.equal(3, one:get("s"))
        assert.equal(0, one:claim("c", 3))
        assert.near(3, one:claim("c", 3), 0.01)
        assert.is_nil(two:get("k"))
        dict.full = false
        assert.equal(8, one:add("k", 1, 5))
        assert.equal(8, two:get("k"))
        assert.near(3, one:claim("c", 3), 0.01)
    end)

    it("that cannot be set in a full dict are not the old ones", function()
        dict:safe_set("k", "longer than a number")
        dict.full = true
        one:set("k", 2)
        assert.equal(2, one:get("k"))
        assert.is_nil(two:get("k"))
        assert.is_nil(dict:get("k"))
    end)

    it("are added to in a full dict that has them", function()
        one:add("k", 1, 0)
        dict.full = true
        assert.equal(2, two:add("k", 1, 0))
        assert.equal(2, one:get("k"))
    end)

    it("are not what somebody else put in their place", function()
        dict:safe_set("k", "text")
        assert.is_nil(one:get("k"))
        assert.equal(6, one:add("k", 1, 5))
        assert.equal(6, one:get("k"))
        assert.equal(0, two:claim("k", 3))
    end)

    it("in this worker's memory are bounded", function()
        one = numbers.new { now = now }
        for i = 1, 25000 do
            one:add("k" .. i, 1, 0)
        end
        local count = 0
        for _ in pairs(one.own) do
            count = count + 1
        end
        assert.is_true(count <= 10000)
        assert.equal(count, one.own_count)
    end)
end)
