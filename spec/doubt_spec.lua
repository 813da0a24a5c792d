-- doubt_spec - what a worker makes of another one's changes, and what it says of its own
--              (vault.doubt in vault.cache).

local cache = require "vault.cache"
local light = require "spec.support.light"
local loads = require "spec.support.loads"
local news = require "vault.news"
local shelf = require "vault.shelf"

local failing, loader, payload, policy = loads.failing, loads.loader, loads.payload, loads.policy

describe("the cache's news", function()
    local world, dict, one, two

    local function worker(options)
        local made
        made = cache.new {
            shelf = shelf.new { dict = dict }, now = world.ngx.now,
            news = news.new { dict = dict, now = world.ngx.now, ring = options and options.ring },
            on_change = function() made.changes = (made.changes or 0) + 1 end,
            on_flush = function() made.flushes = made.flushes + 1 end,
            on_entry = function(entry) made.entry = entry end,
            count = function(name, label)
                name = label and name .. " " .. label or name
                made.counts[name] = (made.counts[name] or 0) + 1
            end,
        }
        made.changes, made.flushes, made.counts = 0, 0, {}
        return made
    end

    before_each(function()
        world = light.new()
        dict = world:dict()
        one, two = worker(), worker()
    end)

    -- Both have "a"; one fetches again.
    local function renew(with, asked)
        payload(one, asked or policy(), loader("a"))
        payload(two, asked or policy(), loader("a"))
        world:pass(1)
        one:fetch(asked or policy(), loader(with).load)
    end

    local function current(from, asked)
        local source = failing("timeout")
        local value = payload(from, asked or policy(), source)
        assert.equal(0, source.calls)
        return value
    end

    it("bring another worker's new version at once", function()
        local old = two:get(policy(), loader("a").load)
        renew("b")
        assert.equal("a", current(two))
        two:read_news()
        assert.equal(0, old.good_until)
        assert.equal(1, two.changes)
        assert.equal("b", current(two))
        assert.equal(world.clock + 10, two.entry.snapshot.expires)
        assert.equal(1, one.counts.vault_changes_total)
        assert.is_nil(two.counts.vault_changes_total)
    end)

    it("bring one of the same moment, though it is no younger", function()
        payload(two, policy(), loader("a"))
        payload(one, policy(), loader("a"))
        one:fetch(policy(), loader("b").load)
        two:read_news()
        assert.equal("b", current(two))
    end)

    it("are none where the version is the same; the snapshot goes on, younger", function()
        local snapshot = two:get(policy(), loader("a").load)
        renew("a")
        local before = one.changes
        assert.equal(snapshot.fetched + 10, snapshot.good_until)
        one:read_news()
        two:read_news()
        assert.equal(0, two.changes)
        assert.equal(before, one.changes)
        world:pass(9.5)
        assert.equal("a", current(two))
        assert.equal(snapshot, two.entry.snapshot)
        assert.is_true(snapshot.good_until > world.clock)
    end)

    it("of its own change nothing", function()
        renew("b")
        local snapshot = one.entry.snapshot
        assert.equal(1, one.changes)
        one:read_news()
        assert.equal(1, one.changes)
        assert.equal(snapshot.expires, snapshot.good_until)
        assert.equal("b", current(one))
    end)

    it("do not take away what the dict has lost", function()
        renew("b")
        dict:delete("s:k")
        two:read_news()
        assert.equal("a", current(two))
        assert.equal(0, two.changes)
        world:pass(10)
        assert.equal("c", payload(two, policy(), loader("c")))
    end)

    it("of what this worker does not hold are none", function()
        payload(two, policy { key = "other" }, loader("x"))
        payload(two, policy(), failing("timeout"))
        payload(one, policy(), loader("a"))
        world:pass(1)
        one:fetch(policy(), loader("b").load)
        two:read_news()
        assert.equal(0, two.changes)
        assert.equal("b", current(two))
    end)

    it("that were missed bring all to be looked at once", function()
        two = worker { ring = 2 }
        local held = {}
        for i = 1, 5 do
            local asked = policy { key = "k" .. i }
            payload(one, asked, loader("a"))
            held[i] = two:get(asked, loader("a").load)
        end
        world:pass(1)
        for i = 1, 4 do
            one:fetch(policy { key = "k" .. i }, loader("b").load)
        end
        two:read_news()
        assert.equal(1, two.changes)
        for i = 1, 5 do
            assert.equal(i < 5 and "b" or "a", current(two, policy { key = "k" .. i }))
            assert.equal(i == 5, held[i].good_until > 0)
        end
    end)

    it("of a flush make every worker forget, whatever it held", function()
        local asked = policy { resurrect_ttl = 60, neg_ttl = 60 }
        renew("b", asked)
        payload(one, policy { key = "missing", neg_ttl = 60 }, failing("not_found"))
        two:read_news()
        local snapshot = two.entry.snapshot
        world:pass(1)
        one:flush()
        two:read_news()
        one:read_news()
        assert.same({ 1, 1 }, { one.flushes, two.flushes })
        assert.equal(0, snapshot.good_until)
        for _, from in ipairs { one, two } do
            assert.equal("c", payload(from, asked, loader("c")))
            from:read_news()
            from:read_news()
            assert.equal("c", current(from, asked))
            assert.equal("d", payload(from, policy { key = "missing", neg_ttl = 60 },
                loader("d")))
            dict:delete("s:k")
            dict:delete("s:missing")
        end
        assert.equal("x", payload(worker(), asked, loader("x")))
    end)

    for _, before in ipairs { "safe_set", "flush_expired" } do
        it("of the first flush are not missed by who looks in the middle: " .. before, function()
            local asked = policy { resurrect_ttl = 60 }
            payload(one, asked, loader("a"))
            payload(two, asked, loader("a"))
            local action, looked = dict[before], false
            dict[before] = function(...)
                dict[before], looked = nil, true
                two:read_news()
                return action(...)
            end
            one:flush()
            assert.is_true(looked)
            two:read_news()
            two:read_news()
            assert.equal("c", payload(two, asked, loader("c")))
        end)
    end

    -- A load that another's `deed` falls into.
    local function across(payload_of, deed)
        return { load = function(on_done, _, asked)
            local result = { payload = payload_of, binary = false, version_id = payload_of,
                             began = world.clock }
            world:pass(0.1)
            deed()
            return on_done(result, nil, nil, asked)
        end }
    end

    for _, how in ipairs { "with a dict", "alone" } do
        it("of a flush leave nothing of a fetch from before it: " .. how, function()
            dict = how == "with a dict" and dict or nil
            one = worker()
            assert.equal("old", payload(one, policy(), across("old", function() one:flush() end)))
            assert.equal("new", payload(one, policy(), loader("new")))
            assert.equal("new", current(one))
        end)
    end

    it("of a flush leave nothing of what a worker fetched that had not heard of it", function()
        assert.equal("old", payload(one, policy(), across("old", function() two:flush() end)))
        assert.equal("new", payload(two, policy(), loader("new")))
        one:read_news()
        assert.equal("new", current(one))
        assert.equal("new", current(two))
    end)

    it("of a flush are known to a worker that is forked after it", function()
        local master = worker()
        assert.equal("old", payload(one, policy(), across("old", function() two:flush() end)))
        master:note_flush()
        assert.equal("new", payload(master, policy(), loader("new")))
    end)

    it("need no dict", function()
        dict = nil
        one = worker()
        payload(one, policy(), loader("a"))
        one:fetch(policy(), loader("b").load)
        one:read_news()
        assert.equal("b", current(one))
        one:flush()
        assert.equal("c", payload(one, policy(), loader("c")))
    end)

    describe("for refresh:", function()
        it("look_again finds what another worker has renewed", function()
            renew("a")
            local entry = two.entries.items.k
            assert.is_true(two:look_again(entry))
            assert.equal(world.clock, entry.snapshot.fetched)
            assert.is_false(two:look_again(entry))
            assert.is_false(one:look_again(one.entries.items.k))
        end)

        it("newer is what was fetched since, by anybody", function()
            payload(two, policy(), loader("a"))
            local since = world.clock
            assert.is_nil(two:newer(policy(), since))
            renew("b")
            assert.equal("b", two:newer(policy(), since).payload)
            assert.is_nil(two:newer(policy(), world.clock))
            assert.is_nil(two:newer(policy { key = "never" }, 0))
        end)

        it("peek fetches nothing, and an old value is not good", function()
            local asked = policy { resurrect_ttl = 60 }
            assert.same({ nil, false }, { two:peek(asked) })
            payload(one, asked, loader("a"))
            local snapshot, good = two:peek(asked)
            assert.same({ "a", true }, { snapshot.payload, good })
            world:pass(10)
            payload(two, asked, failing("timeout"))
            snapshot, good = two:peek(asked)
            assert.same({ "a", false }, { snapshot.payload, good })
            world:pass(1)
            payload(one, asked, loader("b"))
            snapshot, good = two:peek(asked)
            assert.same({ "b", true }, { snapshot.payload, good })
        end)

        it("every entry's new expiry is told, a smaller ttl's too", function()
            payload(one, policy(), loader("a"))
            assert.equal(10, one.entry.ttl)
            one.entry = nil
            payload(one, policy { ttl = 60 }, loader("a"))
            assert.is_nil(one.entry)
            payload(one, policy { ttl = 5 }, loader("a"))
            assert.equal(5, one.entry.ttl)
            assert.equal(5, one.entry.policy.ttl)
        end)
    end)

    it("counts what came from where", function()
        payload(one, policy(), loader("a"))
        payload(two, policy(), loader("a"))
        payload(two, policy(), loader("a"))
        payload(two, policy { key = "m" }, failing("not_found"))
        assert.same({ vault_misses_total = 1, ["vault_fetches_total ok"] = 1 }, one.counts)
        assert.same({ ["vault_hits_total dict"] = 1, vault_misses_total = 1,
                      ["vault_fetches_total not_found"] = 1 }, two.counts)
    end)
end)
