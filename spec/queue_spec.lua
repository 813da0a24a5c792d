-- queue_spec - what is due first comes out first.

local queue = require "vault.queue"

local function drain(from)
    local keys = {}
    while from:first() do
        keys[#keys + 1] = from:first()
        from:remove(keys[#keys])
    end
    return keys
end

describe("queue", function()
    it("is empty at first", function()
        assert.is_nil(queue.new():first())
    end)

    it("gives what is due first", function()
        local one = queue.new()
        one:put("c", 3)
        one:put("a", 1)
        one:put("b", 2)
        assert.same({ "a", 1 }, { one:first() })
        assert.same({ "a", "b", "c" }, drain(one))
        assert.equal(0, one.count)
    end)

    it("is told otherwise", function()
        local one = queue.new()
        one:put("a", 1)
        one:put("b", 2)
        one:put("a", 3)
        one:put("c", 4)
        one:put("c", 0)
        assert.same({ "c", "b", "a" }, drain(one))
    end)

    it("removes what is not there", function()
        local one = queue.new()
        one:remove("a")
        one:put("a", 1)
        one:remove("b")
        assert.equal(1, one.count)
    end)

    it("is in order after many steps", function()
        local one, model = queue.new(), {}
        math.randomseed(7)
        for _ = 1, 5000 do
            local key = "k" .. math.random(60)
            if math.random(3) == 1 then
                one:remove(key)
                model[key] = nil
            else
                model[key] = math.random(1000)
                one:put(key, model[key])
            end
        end
        local last, count = 0, 0
        while one:first() do
            local key, due = one:first()
            assert.equal(model[key], due)
            assert.is_true(due >= last)
            last, count, model[key] = due, count + 1, nil
            one:remove(key)
        end
        assert.is_nil(next(model))
        assert.is_true(count > 0)
    end)
end)
