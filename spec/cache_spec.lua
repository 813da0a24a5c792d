-- cache_spec - when a snapshot is good, when a miss is, when an old one serves, what workers share.

local cache = require "vault.cache"
local light = require "spec.support.light"
local loads = require "spec.support.loads"
local shelf = require "vault.shelf"

local failing, loader, payload, policy = loads.failing, loads.loader, loads.payload, loads.policy

describe("cache", function()
    local world, dict, full, one

    local function worker(options)
        options = options or {}
        return cache.new {
            shelf = shelf.new { dict = not options.alone and dict or nil,
                                on_full = function(name) full[#full + 1] = name end },
            now = world.ngx.now, max_entries = options.max_entries,
        }
    end

    before_each(function()
        world, full = light.new(), {}
        dict = world:dict()
        one = worker()
    end)

    describe("ttl", function()
        it("keeps for the ttl and not longer", function()
            local source = loader("a")
            assert.equal("a", payload(one, policy(), source))
            world:pass(9.99)
            payload(one, policy(), source)
            assert.equal(1, source.calls)
            world:pass(0.01)
            payload(one, policy(), source)
            assert.equal(2, source.calls)
        end)

        it("of 0 never ends", function()
            local source = loader("a")
            payload(one, policy { ttl = 0 }, source)
            world:pass(1e9)
            payload(one, policy { ttl = 0 }, source)
            payload(worker(), policy { ttl = 0 }, source)
            assert.equal(1, source.calls)
        end)

        it("that is over brings another payload, though AWS gives no VersionId", function()
            local first, second = loader("a"), loader("b")
            first.version_id, second.version_id = "", ""
            payload(one, policy(), first)
            world:pass(10)
            assert.equal("b", payload(one, policy(), second))
        end)

        it("of 0 goes on serving what another reference's ttl has ended", function()
            payload(one, policy { ttl = 5 }, loader("a"))
            world:pass(6)
            assert.equal("a", payload(one, policy { ttl = 0 }, failing("timeout")))
        end)

        for _, order in ipairs { { 60, 5 }, { 5, 60 }, { 0, 5 }, { 5, 0 } } do
            it(("that is smaller wins: %d and %d"):format(order[1], order[2]), function()
                local source = loader("a")
                local first = one:get(policy { ttl = order[1] }, source.load)
                assert.equal(first, one:get(policy { ttl = order[2] }, source.load))
                world:pass(5)
                assert.is_false(first.good_until > world.clock)
                payload(one, policy { ttl = order[1] }, source)
                assert.equal(2, source.calls)
            end)
        end

        it("that is smaller wins for a snapshot from the dict too", function()
            payload(one, policy { ttl = 60 }, loader("a"))
            world:pass(6)
            local source = loader("b")
            assert.equal("a", payload(worker(), policy { ttl = 60 }, source))
            assert.equal("b", payload(worker(), policy { ttl = 5 }, source))
        end)

        it("of one who only joined the load counts", function()
            local snapshot
            one:get(policy { ttl = 60 }, function(on_done, _, asked)
                snapshot = on_done({ payload = "a", version_id = "v1" }, nil, nil, asked)
                return snapshot
            end)
            local two = worker { alone = true }
            assert.equal(snapshot, two:get(policy { ttl = 5 }, function() return snapshot end))
            assert.equal(world.clock + 5, snapshot.good_until)
        end)

        it("counts from the end of the fetch", function()
            local snapshot = one:get(policy(), function(on_done, _, asked)
                world.clock = world.clock + 3
                return on_done({ payload = "a", version_id = "v1" }, nil, nil, asked)
            end)
            assert.equal(world.clock + 10, snapshot.good_until)
        end)
    end)

    describe("neg_ttl", function()
        for _, alone in ipairs { false, true } do
            local where = alone and "on the worker" or "in the dict"

            it("of 0 remembers no miss " .. where, function()
                one = worker { alone = alone }
                local source = failing("not_found")
                for _ = 1, 2 do
                    assert.same({ nil, "planted not_found", "not_found" },
                        { payload(one, policy(), source) })
                end
                assert.equal(2, source.calls)
            end)

            it("of 5 remembers one for 5 seconds " .. where, function()
                one = worker { alone = alone }
                local source, asked = failing("not_found"), policy { neg_ttl = 5 }
                for _, pause in ipairs { 0, 4.99, 0.02 } do
                    world:pass(pause)
                    assert.same({ nil, "planted not_found", "not_found" },
                        { payload(one, asked, source) })
                end
                assert.equal(2, source.calls)
            end)

            it("is each reference's own " .. where, function()
                one = worker { alone = alone }
                local source = failing("not_found")
                payload(one, policy { neg_ttl = 60 }, source)
                payload(one, policy { neg_ttl = 0 }, source)
                assert.equal(2, source.calls)
                world:pass(6)
                payload(one, policy { neg_ttl = 60 }, source)
                assert.equal(2, source.calls)
                payload(one, policy { neg_ttl = 5 }, source)
                assert.equal(3, source.calls)
            end)

            it("ends with the first success " .. where, function()
                one = worker { alone = alone }
                payload(one, policy { neg_ttl = 60 }, failing("not_found"))
                payload(one, policy { ttl = 5 }, loader("a"))
                world:pass(6)
                assert.equal("b", payload(one, policy { neg_ttl = 60 }, loader("b")))
            end)
        end

        it("holds on every worker", function()
            payload(one, policy { neg_ttl = 5 }, failing("not_found"))
            local source = loader("a")
            assert.same({ nil, "planted not_found", "not_found" },
                { payload(worker(), policy { neg_ttl = 5 }, source) })
            assert.equal(0, source.calls)
        end)

        it("is not for words that may not be cached", function()
            local source = failing("internal")
            payload(one, policy { neg_ttl = 5 }, source)
            payload(one, policy { neg_ttl = 5 }, source)
            assert.equal(2, source.calls)
        end)

        it("keeps a message with line breaks", function()
            payload(one, policy { neg_ttl = 5 }, loader(nil, "two\nlines ", "timeout"))
            assert.same({ nil, "two\nlines ", "timeout" },
                { payload(one, policy { neg_ttl = 5 }, loader("a")) })
        end)
    end)

    describe("resurrect_ttl", function()
        it("is how long an expired snapshot serves while it cannot be renewed", function()
            payload(one, policy(), loader("a"))
            local source, asked = failing("timeout"), policy { resurrect_ttl = 5 }
            world:pass(14.9)
            assert.equal("a", payload(one, asked, source))
            world:pass(0.1)
            world:pass(1)
            assert.same({ nil, "planted timeout", "timeout" }, { payload(one, asked, source) })
            assert.equal("b", payload(one, asked, loader("b")))
        end)

        it("asks again at most once a second, whoever asks", function()
            payload(one, policy(), loader("a"))
            world:pass(10)
            local source = failing("timeout")
            for second = 1, 5 do
                for _ = 1, 10 do
                    assert.equal("a", payload(one, policy { resurrect_ttl = 60 }, source))
                    assert.equal("a", payload(one, policy { resurrect_ttl = 90 }, source))
                    world:pass(0.0999)
                end
                assert.equal(second, source.calls)
                world:pass(0.001)
            end
        end)

        it("does not go on because another reference has a larger one", function()
            payload(one, policy(), loader("a"))
            world:pass(11)
            local source = failing("timeout")
            assert.equal("a", payload(one, policy { resurrect_ttl = 60 }, source))
            assert.same({ nil, "planted timeout", "timeout" },
                { payload(one, policy { resurrect_ttl = 0 }, source) })
        end)

        it("holds against a remembered miss too", function()
            local asked = policy { neg_ttl = 60, resurrect_ttl = 60 }
            payload(one, asked, loader("a"))
            world:pass(10)
            local source = failing("not_found")
            for _ = 1, 5 do
                assert.equal("a", payload(one, asked, source))
                world:pass(1.1)
            end
            assert.equal(1, source.calls)
        end)

        it("is not needed where another worker was luckier meanwhile", function()
            payload(one, policy(), loader("a"))
            world:pass(10)
            local two = worker()
            assert.equal("b", payload(one, policy(), {
                load = function(on_done, _, asked)
                    payload(two, policy(), loader("b"))
                    return on_done(nil, "planted", "timeout", asked), "planted", "timeout"
                end,
            }))
        end)
    end)

    describe("the snapshot", function()
        it("is one for all who wait", function()
            local ends, got = {}, {}
            local function waiting(on_done)
                ends[#ends + 1] = on_done
                return coroutine.yield()
            end
            for i = 1, 3 do
                local thread = coroutine.wrap(function() got[i] = one:get(policy(), waiting) end)
                thread()
                ends[i] = { on_done = ends[i], thread = thread }
            end
            -- vault.fetch calls the first one's on_done, and gives what it returns to all
            local shared = ends[1].on_done({ payload = "a", version_id = "v1" }, nil, nil, policy())
            for i = 1, 3 do
                ends[i].thread(shared)
            end
            assert.equal("a", shared.payload)
            for i = 1, 3 do
                assert.equal(shared, got[i])
            end
            assert.equal(shared, one:get(policy(), failing("internal").load))
        end)

        it("that was replaced stays ended, though a late waiter is handed it", function()
            local first = one:get(policy(), loader("a").load)
            world:pass(10)
            payload(one, policy(), loader("b"))
            assert.equal(first, one:get(policy { ttl = 10, key = "other" },
                function() return first end))
            assert.equal(0, first.good_until)
        end)

        it("that was replaced is not brought back by a failure that came late", function()
            local first = one:get(policy(), loader("a").load)
            world:pass(10)
            assert.equal("b", payload(one, policy { resurrect_ttl = 60 }, {
                load = function(on_done, _, asked)
                    payload(one, policy(), loader("b"))
                    return on_done(nil, "planted", "timeout", asked), "planted", "timeout"
                end,
            }))
            assert.equal(0, first.good_until)
        end)

        it("is one of a bounded number on a worker; those that go are ended", function()
            one = worker { alone = true, max_entries = 3 }
            local all = {}
            for i = 1, 50 do
                all[i] = one:get(policy { key = "k" .. i }, loader("a").load)
                local good = 0
                for j = 1, i do
                    good = good + (all[j].good_until > world.clock and 1 or 0)
                end
                assert.is_true(good >= 1 and good <= 3)
            end
        end)

        it("is ended by drop; the dict still has it", function()
            local source = loader("a")
            local snapshot = one:get(policy(), source.load)
            one:drop()
            assert.equal(0, snapshot.good_until)
            assert.equal("a", payload(one, policy(), source))
            assert.equal(1, source.calls)
        end)
    end)
end)
