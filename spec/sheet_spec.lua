-- sheet_spec - sections of aligned rows.

local sheet_of = require "vault.sheet"

describe("sheet", function()
    local sheet

    before_each(function()
        sheet = sheet_of.new()
    end)

    it("aligns labels, and notes, in each section for itself", function()
        sheet:section("one")
        sheet:row("a", "1", "here")
        sheet:row("longer", "22", nil)
        sheet:row("b", "333", "there")
        sheet:section("two")
        sheet:row("c", 4)
        assert.equal("one\n  a       1    (here)\n  longer  22\n  b       333  (there)\n"
            .. "two\n  c  4\n", sheet:text())
    end)

    it("has lines without a label, which move no column", function()
        sheet:section("one")
        sheet:line(("l"):rep(60))
        sheet:row("a", "1")
        assert.equal("one\n  " .. ("l"):rep(60) .. "\n  a  1\n", sheet:text())
    end)

    it("leaves out rows without a value", function()
        sheet:section("one")
        sheet:row("a", nil, "note")
        sheet:row("b", false)
        assert.equal("one\n  b  false\n", sheet:text())
    end)

    it("does not move a column for what is too long for it", function()
        sheet:section("one")
        sheet:row(("a"):rep(25), "1", "n")
        sheet:row("b", ("v"):rep(49), "n")
        sheet:row("c", "3", "n")
        assert.equal("one\n  " .. ("a"):rep(25) .. "  1  (n)\n  b  " .. ("v"):rep(49)
            .. "  (n)\n  c  3  (n)\n", sheet:text())
    end)

    it("shows a section without rows", function()
        sheet:section("none")
        assert.equal("none\n", sheet:text())
    end)
end)
