-- renewal_spec - a vault's secrets fetched anew on every worker that holds them, once.

local light = require "spec.support.light"
local numbers = require "vault.numbers"
local renewal = require "vault.renewal"

describe("renewal", function()
    local world, dict, fetched, warned

    -- A worker that holds { vault, reference } each.
    local function worker(own_dict, ...)
        local held = {}
        for i, pair in ipairs { ... } do
            held[i] = { vault = pair[1], reference = pair[2], began = 0 }
        end
        local self = { held = held }
        local now = world.ngx.now
        self.renewal = renewal.new {
            dict = own_dict, now = now, numbers = numbers.new { dict = own_dict, now = now },
            warn = function(message) warned[#warned + 1] = message end,
            secrets = function() return held end,
            each = function(list, run)
                for _, item in ipairs(list) do
                    run(item)
                end
            end,
            refresh = function(reference)
                fetched[#fetched + 1] = reference
                if reference:find("bad") then
                    return nil, "planted " .. reference
                end
                for _, secret in ipairs(held) do
                    if secret.reference == reference then
                        secret.began = world.clock
                    end
                end
                return "value"
            end,
        }
        return self
    end

    local function read(one)
        if one.renewal:is_told() then
            one.renewal:read()
        end
    end

    local function took()
        local list = fetched
        table.sort(list)
        fetched = {}
        return list
    end

    before_each(function()
        world, fetched, warned = light.new(), {}, {}
        dict = world:dict()
    end)

    it("fetches what is held of the vault", function()
        local one = worker(dict, { "one", "a" }, { "two", "b" }, { "one", "c" })
        assert.same({ secrets = 2, failed = 0 }, one.renewal:ask("one"))
        assert.same({ "a", "c" }, took())
        assert.same({ secrets = 0, failed = 0 }, one.renewal:ask("three"))
    end)

    it("says what failed", function()
        local one = worker(dict, { "one", "a" }, { "one", "bad1" }, { "one", "bad2" })
        assert.same({ secrets = 3, failed = 2, message = "planted bad1" }, one.renewal:ask("one"))
    end)

    it("does so once a second and vault, on the node", function()
        local one, other = worker(dict, { "one", "a" }), worker(dict, { "one", "a" })
        assert.is_table(one.renewal:ask("one"))
        assert.is_nil(one.renewal:ask("one"))
        assert.is_nil(other.renewal:ask("one"))
        assert.is_table(other.renewal:ask("two"))
        world:pass(0.99)
        assert.is_nil(other.renewal:ask("one"))
        world:pass(0.02)
        assert.is_table(other.renewal:ask("one"))
    end)

    it("does so without a dict, and where it is full", function()
        local one = worker(nil, { "one", "a" })
        assert.is_table(one.renewal:ask("one"))
        assert.is_nil(one.renewal:ask("one"))
        read(one)
        dict.full = true
        one = worker(dict, { "one", "a" })
        assert.is_table(one.renewal:ask("one"))
        assert.is_nil(one.renewal:ask("one"))
        world:pass(1.1)
        assert.is_table(one.renewal:ask("one"))
    end)

    it("lets the others fetch what nobody has fetched since", function()
        local one = worker(dict, { "one", "a" })
        local other = worker(dict, { "one", "a" }, { "one", "b" }, { "two", "c" })
        world:pass(1)
        one.renewal:ask("one")
        other.held[1].began = world.clock -- it has heard the news
        took()
        read(other)
        assert.same({ "b" }, took())
        read(other)
        read(one)
        assert.same({}, took())
    end)

    it("says what the others could not fetch", function()
        local one, other = worker(dict), worker(dict, { "one", "bad1" }, { "one", "a" })
        assert.same({ secrets = 0, failed = 0 }, one.renewal:ask("one"))
        read(other)
        assert.equal(1, #warned)
        assert.matches("^1 of 2 secrets .* could not be fetched: planted bad1$", warned[1])
        world:pass(1)
        read(one)
        assert.equal(1, #warned)
    end)

    it("is heard of after a flush, and when the clock was set back", function()
        local one, other = worker(dict, { "one", "a" }), worker(dict, { "one", "a" })
        for _ = 1, 3 do
            world:pass(1.1)
            one.renewal:ask("one")
            took()
            read(other)
            assert.same({ "a" }, took())
            dict:flush_all()
        end
        world.clock = world.clock - 3600
        assert.is_table(one.renewal:ask("one"))
        assert.is_nil(one.renewal:ask("one"))
    end)

    it("hears of two in the same moment", function()
        local one, two = worker(dict), worker(dict)
        local other = worker(dict, { "one", "a" }, { "two", "b" })
        world:pass(1)
        one.renewal:ask("one")
        read(other)
        assert.same({ "a" }, took())
        two.renewal:ask("two")
        read(other)
        assert.same({ "b" }, took())
    end)

    it("does not hear of what was before it began", function()
        local one = worker(dict)
        world:pass(1)
        one.renewal:ask("one")
        read(worker(dict, { "one", "a" }))
        assert.same({}, took())
    end)
end)
