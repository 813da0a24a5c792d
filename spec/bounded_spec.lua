-- bounded_spec - at most so many entries, and which of them go.

local bounded = require "vault.bounded"

describe("bounded", function()
    local out

    local function new(most)
        out = {}
        return bounded.new(most, function(entry) out[#out + 1] = entry.name end)
    end

    local function put(table, ...)
        for _, name in ipairs { ... } do
            table:put(name, { name = name })
        end
    end

    local function forget_uses(table)
        for _, entry in pairs(table.items) do
            entry.used = false
        end
    end

    it("keeps what it was given", function()
        local table = new(3)
        put(table, "a", "b", "c")
        assert.equal("b", table.items.b.name)
        assert.equal(3, table.count)
        assert.same({}, out)
    end)

    it("replaces an entry in its place", function()
        local table = new(2)
        put(table, "a", "b")
        table:put("a", { name = "other" })
        assert.equal("other", table.items.a.name)
        assert.equal(2, table.count)
        assert.same({}, out)
    end)

    it("lets go of what was not used", function()
        local table = new(3)
        put(table, "a", "b", "c")
        forget_uses(table)
        table.items.a.used = true
        put(table, "d")
        assert.same({ "b" }, out)
        assert.is_truthy(table.items.a)
        assert.is_truthy(table.items.d)
        assert.equal(3, table.count)
    end)

    it("lets go of one even where all are in use", function()
        local table = new(3)
        put(table, "a", "b", "c", "d", "e", "f", "g")
        assert.equal(3, table.count)
        assert.equal(4, #out)
    end)

    it("holds one", function()
        local table = new(1)
        put(table, "a", "b", "c")
        assert.same({ "a", "b" }, out)
        assert.equal("c", table.items.c.name)
    end)

    it("removes", function()
        local table = new(3)
        put(table, "a", "b", "c")
        assert.equal("a", table:remove("a").name)
        assert.is_nil(table:remove("a"))
        assert.equal("c", table:remove("c").name)
        assert.equal("b", table:remove("b").name)
        assert.equal(0, table.count)
        put(table, "a", "b", "c")
        assert.equal(3, table.count)
        assert.same({}, out)
    end)

    it("is the same as a model over many steps", function()
        local table, model, size = new(20), {}, 0
        math.randomseed(4)
        for step = 1, 5000 do
            local key = "k" .. math.random(40)
            local which = math.random(3)
            if which == 1 then
                size = size + (model[key] and 0 or 1)
                model[key] = step
                table:put(key, { name = key, step = step })
            elseif which == 2 then
                size = size - (model[key] and 1 or 0)
                model[key] = nil
                table:remove(key)
            elseif table.items[key] then
                table.items[key].used = true
            end
            for _, name in ipairs(out) do
                model[name], size = nil, size - 1
            end
            out = {}
            assert.equal(size, table.count)
            assert.equal(model[key], table.items[key] and table.items[key].step)
        end
        assert.is_true(size <= 20)
    end)

    it("forgets all", function()
        local table = new(2)
        put(table, "a", "b")
        table:clear()
        put(table, "c", "d")
        assert.same({}, out)
        assert.is_nil(table.items.a)
        assert.equal(2, table.count)
    end)
end)
