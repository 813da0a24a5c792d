-- lifetime_spec - how long what was fetched may serve, and is kept.

local lifetime = require "vault.lifetime"

local EVER = math.huge
local WEEK = 7 * 86400

describe("what was fetched", function()
    it("is to be renewed after its ttl, and without one after a reload", function()
        assert.equal(110, lifetime.expiry(100, 10, 0))
        assert.equal(110, lifetime.expiry(100, 10, 105))
        assert.equal(EVER, lifetime.expiry(100, 0, 100))
        assert.equal(101, lifetime.expiry(100, 0, 101))
    end)

    it("expires by the smallest ttl that it is told, and what was put off stays put off", function()
        local snapshot = { fetched = 100, expires = EVER, good_until = EVER }
        lifetime.settle(snapshot, 60, 0)
        assert.same({ 160, 160 }, { snapshot.expires, snapshot.good_until })
        lifetime.settle(snapshot, 90, 0)
        assert.same({ 160, 160 }, { snapshot.expires, snapshot.good_until })
        snapshot.good_until = 170
        lifetime.settle(snapshot, 10, 0)
        assert.same({ 110, 170 }, { snapshot.expires, snapshot.good_until })
    end)

    it("is asked for again where another table takes its place", function()
        local old = { payload = "p", fetched = 100, expires = 160, good_until = 170 }
        local other = lifetime.anew(old)
        assert.same({ payload = "p", fetched = 100, expires = 160, good_until = 160 }, other)
        assert.equal(0, old.good_until)
    end)

    it("may serve for its resurrect_ttl beyond that, and without a ttl for ever", function()
        local snapshot = { fetched = 100 }
        assert.equal(115, lifetime.last_use({ ttl = 10, resurrect_ttl = 5 }, snapshot))
        assert.equal(EVER, lifetime.last_use({ ttl = 0, resurrect_ttl = 5 }, snapshot))
    end)

    it("is kept a minute longer than it may serve, a week beyond its ttl at most", function()
        assert.equal(75, lifetime.shelf_seconds { ttl = 10, resurrect_ttl = 5 })
        assert.equal(70 + WEEK, lifetime.shelf_seconds { ttl = 10, resurrect_ttl = 1e8 })
        assert.equal(EVER, lifetime.shelf_seconds { ttl = 0, resurrect_ttl = 5 })
    end)

    local SMALLER = { { 5, 60, 5 }, { 60, 5, 5 }, { 0, 5, 5 }, { 5, 0, 5 }, { 0, 0, 0 } }

    it("goes by the ttl that ends first", function()
        for _, row in ipairs(SMALLER) do
            assert.equal(row[3], lifetime.smaller_ttl(row[1], row[2]))
        end
    end)
end)
