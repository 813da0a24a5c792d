-- roomy_spec - a dict that throws out what has expired before it takes no more; over the stand-in,
--              and (spec/nginx/dict_spec) over nginx's own.

local dicts = require "spec.support.dict"
local roomy = require "vault.roomy"

describe("a roomy dict", function()
    local clock, dict, walks, full, one

    local function now()
        return clock
    end

    -- The real one is full of what has expired, too: here it is until that is thrown out.
    before_each(function()
        clock, walks, full = 1700000000, 0, 0
        dict = dicts.new { now = now }
        local flush_expired = dict.flush_expired
        function dict.flush_expired(self)
            walks = walks + 1
            local freed = flush_expired(self)
            self.full = self.full and freed == 0
            return freed
        end
        one = roomy.new { dict = dict, now = now, on_full = function() full = full + 1 end }
    end)

    it("is nothing where there is none", function()
        assert.is_nil(roomy.new { now = now })
    end)

    for _, name in ipairs { "safe_set", "safe_add" } do
        it("makes room for " .. name .. " where something has expired", function()
            dict:safe_set("old", "value", 1)
            clock = clock + 2
            dict.full = true
            assert.is_true((one[name](one, "new", "value", 5)))
            assert.equal("value", one:get("new"))
            assert.is_true(one:ttl("new") > 4)
            assert.same({ 1, 0 }, { walks, full })
        end)

        it("says that it is full, and does not walk through it each time: " .. name, function()
            dict:safe_set("alive", "value", 100)
            dict.full = true
            for i = 1, 5 do
                local ok, err = one[name](one, "new" .. i, "value")
                assert.is_false(ok)
                assert.equal("no memory", err)
            end
            assert.same({ 1, 1 }, { walks, full })
            clock = clock + 61
            one[name](one, "new", "value")
            assert.same({ 2, 2 }, { walks, full })
            clock = clock + 40
            assert.is_true((one[name](one, "new", "value")))
            assert.same({ 3, 2 }, { walks, full })
        end)
    end

    it("walks again though the clock was set back", function()
        dict.full = true
        one:safe_set("a", "value")
        clock = clock - 3600
        one:safe_set("a", "value")
        assert.equal(2, walks)
    end)

    it("else is the dict", function()
        assert.is_true((one:safe_add("a", 1, 10)))
        assert.same({ false, "exists" }, { one:safe_add("a", 2) })
        assert.equal(3, one:incr("a", 2))
        assert.is_true(one:expire("a", 20))
        assert.is_true(one:ttl("a") > 19)
        one:delete("a")
        assert.is_nil(one:get("a"))
        assert.equal(dict:capacity(), one:capacity())
        assert.equal(dict:free_space(), one:free_space())
        one:safe_set("b", "value", 1)
        clock = clock + 2
        assert.equal(1, one:flush_expired())
        one:safe_set("b", "value")
        one:flush_all()
        assert.is_nil(one:get("b"))
    end)
end)
