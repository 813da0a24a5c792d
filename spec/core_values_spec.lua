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

describe("key", function()
    it("is 32 bytes of all the texts, and no two lists have the same", function()
        local seen = {}
        for i, list in ipairs { {}, { "" }, { "", "" }, { "a" }, { "a", "" }, { "", "a" }, { "ab" },
                                { "a", "b" }, { "b", "a" }, { "a\0" }, { ("a"):rep(1000) } } do
            local key = core.key(unpack(list))
            assert.equal(32, #key)
            assert.equal(key, core.key(unpack(list)))
            assert.is_nil(seen[key], i)
            seen[key] = true
        end
    end)

    it("raises for what is no text", function()
        assert.has_error(function() core.key("a", nil) end)
        assert.has_error(function() core.key({}) end)
    end)
end)
