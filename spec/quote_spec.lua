-- quote_spec - text from outside, as messages may show it.
--
-- For:   what is escaped, and where it is cut.
-- Never: which messages quote what.

local quote = require("vault.quote").text

describe("quote", function()
    it("escapes all but printable ASCII, and bounds it", function()
        assert.equal("a b~[]\\\\\\x0a\\x00\\x7f\\xc3", quote("a b~[]\\\n\0\127\195"))
        assert.equal(("x"):rep(64), quote(("x"):rep(64)))
        assert.equal(("x"):rep(64) .. "...", quote(("x"):rep(65)))
        assert.equal("xx...", quote("xxx", 2))
    end)

    it("is reference's too", function()
        assert.equal(quote, require("vault.reference").quote)
    end)
end)
