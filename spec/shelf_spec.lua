-- shelf_spec - secrets and misses in the shared dict, one that is full included.

local dicts = require "spec.support.dict"
local shelf = require "vault.shelf"

describe("shelf", function()
    local clock, dict, full

    local function new(options)
        return shelf.new { dict = not (options and options.alone) and dict or nil,
                           on_full = function(name) full[#full + 1] = name end }
    end

    local function snapshot(changes)
        local made = { payload = "p", binary = false, version_id = "v1", began = clock - 0.25,
                       fetched = clock, expires = 0, good_until = 0 }
        for field, value in pairs(changes or {}) do
            made[field] = value
        end
        return made
    end

    local function miss(changes)
        local made = { at = clock, word = "not_found", message = "planted" }
        for field, value in pairs(changes or {}) do
            made[field] = value
        end
        return made
    end

    before_each(function()
        clock, full = 1700000000.123, {}
        dict = dicts.new { now = function() return clock end }
    end)

    describe("a snapshot", function()
        local ROWS = {
            {}, { binary = true }, { version_id = "" }, { payload = "" },
            { version_id = "a b\n7 ", payload = "1.000 s 2 v1\n" },
            { payload = ("\0\255"):rep(5000) },
            { version_id = ("v"):rep(64), payload = " " }, { fetched = 0.5 },
        }
        for i, row in ipairs(ROWS) do
            it("is found as it was put there: " .. i, function()
                new():put("k", snapshot(row), 10)
                assert.same(snapshot(row), new():get("k"))
            end)
        end

        it("is there for its time", function()
            local one = new()
            one:put("k", snapshot(), 10)
            one:put("ever", snapshot(), math.huge)
            one:put("long", snapshot(), 1e18)
            clock = clock + 9.9
            assert.truthy(one:get("k"))
            clock = clock + 0.2
            assert.is_nil(one:get("k"))
            clock = clock + 1e9
            assert.truthy(one:get("ever"))
            assert.truthy(one:get("long"))
        end)

        it("is kept for longer", function()
            local one = new()
            one:put("k", snapshot(), 10)
            clock = clock + 9
            one:keep("k", snapshot { payload = "other" }, 10)
            clock = clock + 9
            assert.equal("p", one:get("k").payload)
            one:keep("k", snapshot(), math.huge)
            clock = clock + 1e9
            assert.truthy(one:get("k"))
        end)

        it("is kept for less, and never for longer", function()
            local one = new()
            one:put("k", snapshot(), 100)
            one:put("ever", snapshot(), math.huge)
            one:put("soon", snapshot(), 5)
            for _, key in ipairs { "k", "ever", "soon", "none" } do
                one:shorten(key, 10)
            end
            assert.is_nil(one:get("none"))
            clock = clock + 5.1
            assert.is_nil(one:get("soon"))
            one:shorten("k", 10)
            one:shorten("soon", 10)
            assert.is_nil(one:get("soon"))
            clock = clock + 4.8
            assert.same({ "p", "p" }, { one:get("k").payload, one:get("ever").payload })
            clock = clock + 0.2
            assert.same({}, { one:get("k"), one:get("ever") })
            new({ alone = true }):shorten("k", 10)
        end)

        it("is held for a moment, in which it is not kept for less", function()
            local one = new()
            one:put("k", snapshot(), 100)
            one:hold("k")
            one:shorten("k", 5)
            clock = clock + 0.4
            one:shorten("k", 5)
            assert.is_true(dict:ttl("s:k") > 99)
            clock = clock + 0.2
            one:shorten("k", 5)
            assert.is_true(dict:ttl("s:k") <= 5)
        end)

        it("that was flushed is not kept for longer, nor put back", function()
            local one, old = new(), snapshot()
            one:put("k", old, 10)
            one:flush(clock)
            one:keep("k", old, 10)
            assert.is_nil(one:get("k"))
        end)

        it("is put back where the dict lost it, but not over another", function()
            local one = new()
            one:keep("k", snapshot { payload = "a" }, 10)
            assert.equal("a", one:get("k").payload)
            one:put("k", snapshot { payload = "b" }, 10)
            one:keep("k", snapshot { payload = "a" }, 10)
            assert.equal("b", one:get("k").payload)
            assert.same({}, full)
        end)

        it("that does not fit is told of, and no older one stays", function()
            local one = new()
            one:put("k", snapshot(), 10, "db/main")
            dict.full = true
            one:put("k", snapshot { payload = ("x"):rep(100) }, 10, "db/main")
            assert.is_nil(one:get("k"))
            one:keep("k", snapshot(), 10, "other")
            assert.same({ "db/main", "other" }, full)
            assert.same({}, dict.evicted)
        end)

        it("is not put over a quicker one, and no older one stays by itself", function()
            local one = new()
            function dict.expire()
                return nil, "not found"
            end
            one:put("k", snapshot { payload = "b" }, 10)
            one:keep("k", snapshot { payload = "a" }, 10)
            assert.equal("b", one:get("k").payload)
            function dict.safe_set()
                return false, "no memory"
            end
            one:put("k", snapshot { payload = "c" }, 10)
            assert.is_nil(one:get("k"))
        end)

        it("has no place where there is no dict", function()
            local one = new { alone = true }
            one:put("k", snapshot(), 10)
            one:keep("k", snapshot(), 10)
            assert.is_nil(one:get("k"))
            assert.same({}, full)
        end)
    end)

    describe("a miss", function()
        local MESSAGES = { "planted", "", "two\nlines ", "a  b" }
        for _, alone in ipairs { false, true } do
            local where = alone and ", without a dict" or ""
            for i, message in ipairs(MESSAGES) do
                it(("is found as it was put there: %d%s"):format(i, where), function()
                    local one = new { alone = alone }
                    one:put_miss("k", clock, miss { message = message }, 10)
                    assert.same(miss { message = message }, one:get_miss("k"))
                end)
            end

            it("goes" .. where, function()
                local one = new { alone = alone }
                one:put_miss("k", clock, miss(), 10)
                one:drop_miss("k")
                one:drop_miss("k")
                assert.is_nil(one:get_miss("k"))
            end)
        end

        it("is there for its time", function()
            local one = new()
            one:put_miss("k", clock, miss(), 10)
            clock = clock + 10.1
            assert.is_nil(one:get_miss("k"))
        end)

        it("is this worker's own where the dict takes no more", function()
            local one = new()
            one:put_miss("k", clock, miss(), 10)
            dict.full = true
            one:put_miss("k", clock, miss { word = "access_denied" }, 10)
            assert.equal("access_denied", one:get_miss("k").word)
            assert.is_nil(new():get_miss("k"))
            assert.same({}, dict.evicted)
        end)

        it("is one of a bounded number on a worker", function()
            local one = new { alone = true }
            local function held()
                local count = 0
                for _ in pairs(one.misses) do
                    count = count + 1
                end
                return count
            end
            for i = 1, 10000 do
                one:put_miss("k" .. i, clock, miss(), 10)
                one:put_miss("k" .. i, clock, miss(), 10)
            end
            assert.equal(10000, held())
            one:drop_miss("k7")
            one:put_miss("k7", clock, miss(), 10)
            assert.equal(10000, held())
            one:put_miss("more", clock, miss(), 10)
            assert.equal(1, held())
            assert.truthy(one:get_miss("more"))
        end)
    end)

    for _, garbage in ipairs { "", "x", "1.5", "1.5 s", "1.5  1 v", "nan s 1 v", 7, true, "\0" } do
        it(("garbage is nothing: %q"):format(tostring(garbage)), function()
            dict:safe_set("s:k", garbage)
            dict:safe_set("n:k", garbage)
            assert.is_nil(new():get("k"))
            assert.is_nil(new():get_miss("k"))
        end)
    end

    it("is empty after a flush, whose moment is known", function()
        local one = new()
        assert.is_nil(one:flushed())
        one:put("k", snapshot(), 10)
        one:put_miss("m", clock, miss(), 10)
        one:flush(clock)
        assert.is_nil(one:get("k"))
        assert.is_nil(one:get_miss("m"))
        assert.equal(clock, new():flushed())
        local other = new { alone = true }
        other:put_miss("m", clock, miss(), 10)
        other:flush(clock)
        assert.is_nil(other:get_miss("m"))
        assert.equal(clock, other:flushed())
    end)
end)
