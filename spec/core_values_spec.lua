-- core_values_spec - vault.core compares texts.

local core = require "vault.core"

describe("equal", function()
    it("compares texts", function()
        assert.is_true(core.equal("", ""))
        assert.is_true(core.equal("a\0b", "a\0b"))
        for _, pair in ipairs { { "a", "b" }, { "a", "aa" }, { "", "a" }, { "a\0b", "a\0c" } } do
            assert.is_false(core.equal(pair[1], pair[2]))
            assert.is_false(core.equal(pair[2], pair[1]))
        end
        assert.has_error(function() core.equal("a") end)
        assert.has_error(function() core.equal({}, "a") end)
    end)
end)
