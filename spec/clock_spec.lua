-- clock_spec - a clock that was set back while secrets were held (vault.clock, and what vault.cache
-- makes of a dict that was filled before).

local cache = require "vault.cache"
local clock_of = require "vault.clock"
local light = require "spec.support.light"
local loads = require "spec.support.loads"
local shelf = require "vault.shelf"

local failing, loader, payload, policy = loads.failing, loads.loader, loads.payload, loads.policy

local HOUR = 3600

describe("a clock that was set back", function()
    local world, dict, one, clock, scheduled, changes

    local function worker()
        return cache.new {
            shelf = shelf.new { dict = dict }, now = world.ngx.now,
            on_entry = function(entry) scheduled[#scheduled + 1] = entry.key end,
            on_change = function() changes = changes + 1 end,
        }
    end

    before_each(function()
        world, scheduled, changes = light.new(), {}, 0
        dict = world:dict()
        one = worker()
        clock = clock_of.new { cache = one, now = world.ngx.now }
    end)

    local function set_back()
        world.clock = world.clock - HOUR
        scheduled, changes = {}, 0
        assert.is_true(clock:read())
    end

    it("has not had the moment of a flush yet, after which all is kept as ever", function()
        one:flush()
        set_back()
        assert.equal("a", payload(one, policy(), loader("a")))
        assert.equal("a", payload(one, policy(), failing("timeout")))
        world:pass(HOUR)
        assert.equal("b", payload(one, policy(), loader("b")))
        assert.equal("b", payload(one, policy(), failing("timeout")))
    end)

    it("hides no flush of another worker that was not heard of yet", function()
        local other = worker()
        payload(one, policy { resurrect_ttl = 60 }, loader("a"))
        other:flush()
        set_back()
        assert.not_equal(one.flushed, one.shelf:flushed())
    end)

    it("is no clock that goes on, stands, was corrected a little or set ahead", function()
        payload(one, policy(), loader("a"))
        scheduled, changes = {}, 0
        for _, seconds in ipairs { 0, 0.001, -0.09, 1, HOUR } do
            world.clock = world.clock + seconds
            assert.is_false(clock:read())
        end
        assert.same({ {}, 0 }, { scheduled, changes })
    end)

    it("lets no value be good for more than its ttl from then", function()
        payload(one, policy(), loader("a"))
        world:pass(6)
        set_back()
        local source = loader("b")
        world:pass(9.99)
        assert.equal("a", payload(one, policy(), source))
        world:pass(0.01)
        assert.equal("b", payload(one, policy(), source))
        assert.is_false(clock:read())
    end)

    it("has a secret that is gone asked for no more often, and an old value end", function()
        local asked = policy { ttl = 1, neg_ttl = 600, resurrect_ttl = 5 }
        local gone = failing("not_found")
        payload(one, asked, loader("a"))
        payload(one, asked, failing("not_found"))
        world:pass(0.5)
        set_back()
        local served = 0
        for second = 1, 60 do
            world:pass(1)
            clock:read()
            served = payload(one, asked, gone) and second or served
        end
        assert.equal(1, gone.calls)
        assert.is_true(served <= 6, served)
    end)

    it("has each value's renewal planned anew, and who holds values look again", function()
        payload(one, policy(), loader("a"))
        set_back()
        assert.same({ policy().key }, scheduled)
        assert.equal(1, changes)
    end)

    it("makes an old value be tried again that served on", function()
        local stale = policy { resurrect_ttl = 60 }
        payload(one, stale, loader("a"))
        world:pass(10)
        assert.equal("a", payload(one, stale, failing("internal"))) -- for a second more
        clock:read()
        world.clock = world.clock - 0.5
        assert.is_true(clock:read())
        world:pass(0.5)
        assert.equal("b", payload(one, stale, loader("b")))
    end)

    it("does not bring back a value that a newer one has replaced", function()
        local first = one:get(policy(), loader("a").load)
        one:store(policy(), { payload = "b", version_id = "vb" })
        set_back()
        assert.is_false(first.good_until > world.clock)
    end)

    it("ends no value without a ttl", function()
        payload(one, policy { ttl = 0 }, loader("a"))
        set_back()
        assert.equal("a", payload(one, policy { ttl = 0 }, loader("b")))
    end)

    it("has a worker that comes later renew what the dict holds", function()
        payload(one, policy { resurrect_ttl = 60 }, loader("a"))
        world.clock = world.clock - HOUR
        local other, source = worker(), loader("b")
        assert.equal("a", payload(other, policy { resurrect_ttl = 60 }, failing("timeout")))
        world:pass(1)
        assert.equal("b", payload(other, policy { resurrect_ttl = 60 }, source))
        assert.equal("b", payload(worker(), policy { resurrect_ttl = 60 }, loader("c")))
    end)

    it("by less than two workers' clocks differ is none", function()
        payload(one, policy(), loader("a"))
        world.clock = world.clock - 1
        assert.equal("a", payload(worker(), policy(), loader("b")))
    end)
end)
