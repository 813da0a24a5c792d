-- judge_spec - what spec/support/judge.lua finds in a long run, and what it does not take for a
-- fault.

local judge_of = require "spec.support.judge"

describe("the judge of a long run", function()
    local judge

    before_each(function()
        judge = judge_of.new { ttl = 2, margin = 1 }
        judge:put("s", 1, 100)
        judge:put("s", 2, 200)
    end)

    it("lets a version serve while it is the newest, and as long as it may after", function()
        for _, last in ipairs { 100, 150, 200, 203.9 } do
            assert.is_nil(judge:served("s", 1, last))
        end
        assert.is_nil(judge:served("s", 2, 9999))
    end)

    it("finds what is too old, too early or never was", function()
        assert.matches("too late", judge:served("s", 1, 204.1))
        assert.matches("before it came", judge:served("s", 2, 198))
        assert.matches("never was", judge:served("s", 3, 300))
        assert.matches("never was", judge:served("other", 1, 300))
    end)

    it("excuses what is old by a fault that AWS had then, and no other", function()
        judge:fault(199, 220)
        assert.is_nil(judge:served("s", 1, 226.9))
        assert.matches("too late", judge:served("s", 1, 227.1))
        judge:put("s", 3, 300)
        assert.matches("too late", judge:served("s", 2, 304.1))
    end)

    it("excuses a try that gave up during a fault, or a little later", function()
        judge:fault(300, 310)
        assert.is_nil(judge:gave_up("s", 305))
        assert.is_nil(judge:gave_up("s", 320))
        assert.matches("gave up", judge:gave_up("s", 298))
        assert.matches("gave up", judge:gave_up("s", 322))
    end)

    it("knows what is flat from what grows", function()
        local function flat(what, ...)
            return judge_of.flat(what, "of all", { ... })
        end
        assert.is_nil(flat("memory", 20000, 25000, 21000, 24000, 20500, 22000))
        assert.matches("memory of all", flat("memory", 20000, 21000, 22000, 23000, 24000))
        assert.is_nil(flat("memory, compiled,", 14000, 15000, 16000, 17000, 18000, 19000))
        assert.matches("compiled, of all", flat("memory, compiled,", 14000, 16000, 20000, 22000))
        assert.is_nil(flat("descriptors", 30, 36, 31, 34))
        assert.matches("descriptors of all", flat("descriptors", 30, 35, 40, 45))
        assert.matches("too few", flat("memory", 1, 2, 3))
    end)
end)
