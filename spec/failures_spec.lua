-- failures_spec - how a fetch failed, told to other workers.

local dicts = require "spec.support.dict"
local failures_of = require "vault.failures"

describe("failures", function()
    local clock, dict, failures

    before_each(function()
        clock = 1700000000
        dict = dicts.new { now = function() return clock end }
        failures = failures_of.new(dict)
    end)

    it("are read by another worker, whole", function()
        failures.put("100 1 a.1", "the first line\nand a second one", "access_denied")
        assert.same({ "the first line\nand a second one", "access_denied" },
            { failures_of.new(dict).get("100 1 a.1") })
        assert.is_nil(failures.get("100 1 a.2"))
    end)

    it("are there for a moment", function()
        failures.put("t", "m", "w")
        clock = clock + 1.9
        assert.same({ "m", "w" }, { failures.get("t") })
        clock = clock + 0.2
        assert.is_nil(failures.get("t"))
    end)

    it("are nobody's where the dict is full, or holds something else", function()
        dict.full = true
        failures.put("t", "m", "w")
        assert.is_nil(failures.get("t"))
        dict.full = false
        for _, garbage in ipairs { true, 17, "word", "" } do
            dict:set("e:t", garbage)
            assert.is_nil(failures.get("t"))
        end
    end)
end)
