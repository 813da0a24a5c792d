-- cache_stale_spec - an old value serves while a new one cannot be had, and nobody waits long
--                    (vault.cache with vault.brake and vault.fetch).

local brake_of = require "vault.brake"
local cache = require "vault.cache"
local engine = require "spec.support.engine"
local loads = require "spec.support.loads"
local shelf = require "vault.shelf"

local failing, loader, payload, policy = loads.failing, loads.loader, loads.payload, loads.policy

describe("an old value", function()
    local rig, world, dict, brake, one, counts

    local function worker(options)
        return cache.new {
            shelf = shelf.new { dict = dict }, now = world.ngx.now, brake = options and brake,
            count = function(name) counts[name] = (counts[name] or 0) + 1 end,
        }
    end

    before_each(function()
        rig = engine.new()
        world, counts = rig.world, {}
        dict = world:dict()
        brake = brake_of.new { dict = dict, now = world.ngx.now, random = function() return 0 end }
        one = worker()
        rig:load()
    end)
    after_each(function()
        rig:stop()
    end)

    local STALE = policy { resurrect_ttl = 60 }

    -- A request for the value, whose load goes to the engine. { done, results, took }
    local function ask(asked)
        local thread, began = nil, world.clock
        thread = world:spawn("content", function()
            local snapshot, message, word = one:get(asked, function(on_done, patience, about)
                return rig.fetch.get(asked.key, { secret_id = asked.key }, on_done,
                    { patience = patience }, about)
            end)
            if thread then
                thread.took = world.clock - began
            end
            return snapshot and snapshot.payload, message, word
        end)
        thread.took = thread.done and 0 or nil
        return thread
    end

    it("is waited over by all in one flight, and by none for more than a second", function()
        payload(one, STALE, loader("a"))
        world:pass(10)
        local all = {}
        for i = 1, 1000 do
            all[i] = ask(STALE)
            world:pass(0.0005)
        end
        world:pass(0.6)
        for i = 1001, 1100 do
            all[i] = ask(STALE)
            world:pass(0.1)
        end
        for i = 1, 1100 do
            assert.is_true(all[i].done)
            assert.equal("a", all[i].results[1])
            assert.is_true(all[i].took <= 1.0001, all[i].took)
        end
        assert.equal(1, #rig.core.submitted)
        assert.equal(0, all[1100].took)
        rig.core.finish(1, { payload = "b", version_id = "v2" })
        world:pass(0.02)
        assert.equal("b", ask(STALE).results[1])
        assert.equal(1, #rig.core.submitted)
    end)

    it("is given up the moment the new one comes", function()
        payload(one, STALE, loader("a"))
        world:pass(10)
        local thread = ask(STALE)
        world:pass(0.2)
        rig.core.finish(1, { payload = "b", version_id = "v2" })
        world:pass(0.02)
        assert.equal("b", thread.results[1])
    end)

    it("is asked about a second after a failure, not before", function()
        local source = failing("timeout")
        payload(one, STALE, loader("a"))
        world:pass(10)
        for _, row in ipairs { { 0, 1 }, { 0.5, 1 }, { 0.49, 1 }, { 0.02, 2 }, { 0.9, 2 } } do
            world:pass(row[1])
            assert.equal("a", payload(one, STALE, source))
            assert.equal(row[2], source.calls)
        end
        assert.equal(1, source.patience)
        assert.equal(2, counts.vault_stale_total)
    end)

    it("is asked about by a reference with a new ttl no sooner", function()
        local source = failing("timeout")
        payload(one, STALE, loader("a"))
        world:pass(10)
        payload(one, STALE, source)
        assert.equal("a", payload(one, policy { ttl = 3, resurrect_ttl = 60 }, source))
        assert.equal(1, source.calls)
    end)

    it("is renewed once for each period of the open circuit, by any worker", function()
        one = worker { brake = true }
        local two = worker { brake = true }
        for i = 1, 20 do
            payload(one, policy { key = "k" .. i, resurrect_ttl = 60 }, loader("a"))
        end
        world:pass(10)
        for _ = 1, 10 do
            brake:failed("g", true)
        end
        local source = failing("timeout")
        for _ = 1, 300 do
            world:pass(0.1)
            for i = 1, 20 do
                local from = i % 2 == 0 and one or two
                assert.equal("a", payload(from, policy { key = "k" .. i, resurrect_ttl = 60 },
                    source))
            end
        end
        assert.is_true(source.calls >= 6 and source.calls <= 12, source.calls)
        -- AWS is back: the next probe closes the circuit.
        source = loader("b")
        local waited = 0
        repeat
            world:pass(0.1)
            waited = waited + 0.1
            local new = 0
            for i = 1, 20 do
                local value = payload(one, policy { key = "k" .. i, resurrect_ttl = 60 }, source)
                new = new + (value == "b" and 1 or 0)
            end
        until new == 20
        assert.is_true(waited <= 5, waited)
    end)

    it("is an error once resurrect_ttl is over, with the word of why", function()
        payload(one, STALE, loader("a"))
        local source = failing("access_denied")
        world:pass(69.9)
        assert.equal("a", payload(one, STALE, source))
        world:pass(0.2)
        assert.same({ nil, "planted access_denied", "access_denied" },
            { payload(one, STALE, source) })
    end)

    it("is an error where resurrect_ttl ends while it is waited", function()
        local short = policy { resurrect_ttl = 0.5 }
        payload(one, short, loader("a"))
        world:pass(10.2)
        local thread = ask(short)
        world:pass(1.1)
        assert.same({ nil, "the engine did not answer in time", "timeout" }, thread.results)
    end)

    it("without end was fetched before a reload: it serves while it is fetched anew", function()
        local ever = policy { ttl = 0 }
        payload(one, ever, loader("a"))
        world:pass(100)
        local reloaded = cache.new { shelf = shelf.new { dict = dict }, now = world.ngx.now,
                                     started = world.clock }
        local source = failing("timeout")
        assert.equal("a", payload(reloaded, ever, source))
        world:pass(0.5)
        assert.equal("a", payload(reloaded, ever, source))
        assert.equal(1, source.calls)
        world:pass(1)
        source = loader("b")
        assert.equal("b", payload(reloaded, ever, source))
        world:pass(1e8)
        assert.equal("b", payload(reloaded, ever, source))
        assert.equal(1, source.calls)
    end)

    it("stays where its entry made room for others while it was being renewed", function()
        one = cache.new { shelf = shelf.new {}, now = world.ngx.now, max_entries = 2 }
        payload(one, STALE, loader("a"))
        world:pass(10)
        assert.equal("a", payload(one, STALE, {
            load = function(on_done, _, about)
                for i = 1, 5 do
                    payload(one, policy { key = "other" .. i }, loader("b"))
                end
                return on_done(nil, "planted", "timeout", about), "planted", "timeout"
            end,
        }))
        local source = failing("timeout")
        assert.equal("a", payload(one, STALE, source))
        assert.equal(0, source.calls)
    end)

    for _, shared in ipairs { true, false } do
        it("is not put back where it was flushed while it was being renewed" .. (shared and ""
            or ", without a dict"), function()
            one = cache.new { shelf = shelf.new { dict = shared and dict or nil },
                              now = world.ngx.now }
            payload(one, STALE, loader("a"))
            world:pass(10)
            local thread = ask(STALE)
            world:pass(0.5)
            one:flush()
            world:pass(0.6)
            assert.same({ nil, "the engine did not answer in time", "timeout" }, thread.results)
            assert.same({ nil, "planted timeout", "timeout" },
                { payload(one, STALE, failing("timeout")) })
        end)
    end

    it("is kept in the dict while nothing comes of renewing it", function()
        payload(one, STALE, loader("a"))
        local long = policy { resurrect_ttl = 1e8 }
        payload(one, long, loader("a"))
        for _ = 1, 20 do
            world:pass(60)
            payload(one, long, failing("timeout"))
        end
        assert.equal("a", payload(worker(), long, failing("timeout")))
        dict:delete("s:k")
        world:pass(1.1)
        payload(one, long, failing("timeout"))
        assert.equal("a", payload(worker(), long, failing("timeout")))
    end)
end)
