-- fetch_spec - one fetch for all who ask, in every phase.

local engine = require "spec.support.engine"

describe("fetch", function()
    local rig, world, core

    before_each(function()
        rig = engine.new()
        world, core = rig.world, rig.core
    end)
    after_each(function()
        rig:stop()
    end)

    local function load_fetch(phase)
        return rig:load(phase)
    end

    local function ask(...)
        return rig:ask(...)
    end

    describe("in a phase that can wait", function()
        it("submits once for all who ask for a key, and gives all the same", function()
            local fetch = load_fetch()
            fetch.configure { ca_file = "/ca.pem" }
            local threads, calls = {}, 0
            for i = 1, 5 do
                threads[i] = ask("a", "content", function(result)
                    calls = calls + 1
                    return { cut = result.payload }
                end)
            end
            local other = ask("b")
            assert.equal(2, #core.submitted)
            assert.equal("a", core.submitted[1].request.secret_id)
            assert.equal("/ca.pem", core.submitted[1].settings.ca_file)
            world:pass(0.1)
            core.finish(1, { payload = "A" })
            world:pass(0.1)
            assert.equal(1, calls)
            for i = 1, 5 do
                assert.is_true(threads[i].done)
                assert.equal("A", threads[i].results[1].cut)
                assert.equal(threads[1].results[1], threads[i].results[1])
            end
            assert.is_false(other.done or false)
            core.finish(2, { payload = "B" })
            world:pass(0.1)
            assert.equal("B", other.results[1].payload)
        end)

        it("has those who wait one after the other do so on one semaphore", function()
            load_fetch()
            local new, made = world.semaphore.new, 0
            world.semaphore.new = function()
                made = made + 1
                return new()
            end
            for i = 1, 5 do
                local one, two = ask("a"), ask("a")
                core.finish(i, { payload = i })
                world:pass(0.1)
                assert.same({ i, i }, { one.results[1].payload, two.results[1].payload })
            end
            assert.equal(1, made)
            local late = ask("a", nil, nil, 1) -- gives up before the engine has an answer
            world:pass(3)
            assert.equal("timeout", late.results[3])
            local other = ask("b")
            assert.equal("timeout", ask("a").results[3]) -- not on the one that the other has now
            assert.equal(2, made)
            core.finish(6, { payload = "late" })
            world:pass(0.1)
            assert.is_nil(other.done)
            core.finish(7, { payload = "B" })
            world:pass(0.1)
            assert.equal("B", other.results[1].payload)
            assert.equal(2, made)
        end)

        it("gives all the same failure", function()
            load_fetch()
            local seen
            local one = ask("a", nil, function(...) seen = { ... } end)
            local two = ask("a")
            core.finish(1, nil, "planted", "timeout")
            world:pass(0.1)
            assert.same({ nil, "planted", "timeout" }, seen)
            assert.same({ nil, "planted", "timeout" }, one.results)
            assert.same(one.results, two.results)
        end)

        it("submits again once a fetch is over", function()
            load_fetch()
            for number = 1, 3 do
                local one = ask("a")
                core.finish(number, { payload = number })
                world:pass(0.1)
                assert.equal(number, one.results[1].payload)
            end
            assert.equal(3, #core.submitted)
        end)

        it("is joined by nobody who wants what is from now on", function()
            load_fetch()
            local early, since = ask("a"), world.clock
            world:pass(0.5)
            local late = ask("a", nil, nil, nil, { since = world.clock - 0.001 })
            world:pass(0.1)
            local later = ask("a", nil, nil, nil, { since = world.clock - 0.001 })
            local whichever = ask("a", nil, nil, nil, { since = since - 1 })
            assert.equal(1, #core.submitted)
            core.finish(1, { payload = "old" })
            world:pass(0.1)
            assert.equal("old", early.results[1].payload)
            assert.equal("old", whichever.results[1].payload)
            assert.equal(2, #core.submitted)
            core.finish(2, { payload = "new" })
            world:pass(0.1)
            assert.equal("new", late.results[1].payload)
            assert.equal("new", later.results[1].payload)
            assert.equal(2, #core.submitted)
        end)

        it("says when it began", function()
            load_fetch()
            local one, began = ask("a"), world.clock
            world:pass(3)
            core.finish(1, { payload = "A" })
            world:pass(0.1)
            assert.equal(began, one.results[1].began)
        end)

        it("that cannot even begin is a failure, and the next one is another", function()
            load_fetch()
            local submit = core.port.submit
            function core.port.submit()
                error("planted")
            end
            for _ = 1, 2 do
                local one = ask("a")
                assert.is_true(one.done)
                assert.matches("planted", one.results[2])
                assert.equal("internal", one.results[3])
            end
            core.port.submit = submit
            local good = ask("a")
            core.finish(1, { payload = "A" })
            world:pass(0.1)
            assert.equal("A", good.results[1].payload)
        end)

        it("hands on why nothing was submitted", function()
            load_fetch()
            core.refuses = "unsupported"
            assert.same({ nil, "planted unsupported", "unsupported" }, ask("a").results)
            core.refuses = nil
            ask("a")
            assert.equal(1, #core.submitted)
        end)

        it("calls on_done once, and its failure is an internal one of all who wait", function()
            load_fetch()
            local calls = 0
            local one = ask("a", nil, function()
                calls = calls + 1
                error("planted")
            end)
            local two, other = ask("a"), ask("b")
            core.finish(1, { payload = "A" })
            core.finish(2, { payload = "B" })
            world:pass(0.1)
            for _, thread in ipairs { one, two } do
                assert.is_nil(thread.results[1])
                assert.equal("internal", thread.results[3])
                assert.matches("the cache failed", thread.results[2])
            end
            assert.equal(1, calls)
            assert.equal("B", other.results[1].payload)
        end)

        it("hands on what on_done has against the result, to all who wait", function()
            load_fetch()
            local function refuse(result)
                return nil, "planted against " .. result.payload, "refused"
            end
            local one, two = ask("a", nil, refuse), ask("a")
            core.finish(1, { payload = "A" })
            world:pass(0.1)
            for _, thread in ipairs { one, two } do
                assert.same({ nil, "planted against A", "refused" }, thread.results)
            end
        end)

        it("waits a second longer than the engine may take", function()
            load_fetch()
            local default, short = ask("a"), ask("b", nil, nil, 2)
            world:pass(2.9)
            assert.falsy(short.done)
            world:pass(0.2)
            assert.equal("timeout", short.results[3])
            world:pass(7.8)
            assert.falsy(default.done)
            world:pass(0.2)
            assert.equal("timeout", default.results[3])
        end)

        it("serves those who wait where the first who asked is gone", function()
            load_fetch()
            local first = ask("a")
            local second = ask("a")
            first.killed = true
            core.finish(1, { payload = "A" })
            world:pass(0.1)
            assert.equal("A", second.results[1].payload)
        end)
    end)

    describe("in a phase that cannot wait", function()
        for _, phase in ipairs { "set", "header_filter", "body_filter", "log", "balancer",
                                 "ssl_session_store" } do
            it(phase .. " starts the fetch and says so", function()
                load_fetch()
                local kept = nil
                local one = ask("a", phase, function(result) kept = result end)
                assert.is_nil(one.results[1])
                assert.equal("pending", one.results[3])
                assert.matches(phase, one.results[2])
                assert.equal("pending", ask("a", phase).results[3])
                assert.equal(1, #core.submitted)
                core.finish(1, { payload = "A" })
                world:pass(0.02)
                assert.equal("A", kept.payload)
                assert.equal(0, world.waits)
            end)
        end

        it("exit_worker starts nothing", function()
            load_fetch()
            assert.same({ nil, "the worker is leaving", "cancelled" },
                ask("a", "exit_worker").results)
            assert.equal(0, #core.submitted)
            assert.equal(0, world.timer_count)
        end)

        it("tells the next who asks what the fetch failed with", function()
            load_fetch()
            assert.equal("pending", ask("a", "log").results[3])
            core.finish(1, nil, "planted", "not_found")
            world:pass(0.02)
            assert.same({ nil, "planted", "not_found" }, ask("a", "log").results)
            assert.equal(2, #core.submitted)
            assert.equal("pending", ask("a", "log").results[3])
            core.finish(2, { payload = "A" })
            world:pass(0.02)
            assert.equal("pending", ask("a", "log").results[3])
        end)

        it("does not tell of a failure that somebody who waited was told of", function()
            load_fetch()
            local one = ask("a")
            core.finish(1, nil, "planted", "not_found")
            world:pass(0.02)
            assert.equal("not_found", one.results[3])
            assert.equal("pending", ask("a", "log").results[3])
        end)

        it("forgets a failure that a later success has overtaken", function()
            load_fetch()
            ask("a", "log")
            core.finish(1, nil, "planted", "not_found")
            world:pass(0.02)
            ask("a")
            core.finish(2, { payload = "A" })
            world:pass(0.02)
            assert.equal("pending", ask("a", "log").results[3])
        end)

        it("keeps a bounded number of failures", function()
            load_fetch()
            for i = 1, 2500 do
                ask("k" .. i, "log")
                core.finish(i, nil, "planted", "not_found")
                world:pass(0.02)
            end
            local known = 0
            for i = 1, 2500 do
                local answer = ask("k" .. i, "log")
                known = known + (answer.results[3] == "not_found" and 1 or 0)
            end
            assert.is_true(known >= 1 and known <= 1000)
        end)

        it("collects itself where timers vanish", function()
            load_fetch()
            world.timers = "vanish"
            ask("a", "log")
            core.finish(1, { payload = "A" })
            assert.equal("A", ask("a", "log").results[1].payload)
        end)
    end)

    describe("in init", function()
        it("blocks, without the engine's thread", function()
            local fetch = load_fetch()
            fetch.configure { ca_file = "/ca.pem" }
            core.outcome = { { payload = "A" } }
            for _, phase in ipairs { "init", "init_worker" } do
                local seen
                local one = ask("a", phase, function(...)
                    seen = { ... }
                    return "kept"
                end)
                assert.equal("kept", one.results[1])
                assert.same({ { payload = "A", began = world.clock } }, seen)
                assert.equal("/ca.pem", core.ran.settings.ca_file)
            end
            assert.equal(0, #core.submitted)
        end)

        it("hands on the failure, and on_done's own", function()
            load_fetch()
            core.outcome = { nil, "planted", "not_found" }
            assert.same({ nil, "planted", "not_found" }, ask("a", "init").results)
            local one = ask("a", "init", function() error("planted") end)
            assert.equal("internal", one.results[3])
        end)

        it("spends one init_timeout over all fetches", function()
            local fetch = load_fetch()
            fetch.configure { init_timeout = 10 }
            core.outcome = { { payload = "A" } }
            local run, took = core.run, 4
            function core.run(...)
                world.clock = world.clock + took
                return run(...)
            end
            ask("a", "init")
            assert.equal(10, core.ran.request.timeout or 10)
            ask("b", "init")
            assert.is_true(math.abs(core.ran.request.timeout - 6) < 0.01)
            ask("c", "init", nil, 1)
            assert.equal(1, core.ran.request.timeout)
            core.ran = nil
            local late = ask("d", "init")
            assert.is_nil(core.ran)
            assert.equal("timeout", late.results[3])
            assert.matches("init_timeout of 10 s", late.results[2])
            rig:with_socket()
            world:call("init_worker", fetch.init_worker)
            assert.equal("A", ask("d", "init_worker").results[1].payload)
        end)
    end)

    describe("without nginx", function()
        it("blocks, and has no init_timeout", function()
            local function as_it_is(result)
                return result
            end
            local fetch = load_fetch(false)
            fetch.configure { init_timeout = 0.5 }
            core.outcome = { { payload = "A" } }
            for _ = 1, 3 do
                assert.equal("A", fetch.get("a", { timeout = 60 }, as_it_is).payload)
                assert.equal(60, core.ran.request.timeout)
            end
            core.outcome = { nil, "planted", "no_credentials" }
            assert.same({ nil, "planted", "no_credentials" }, { fetch.get("a", {}, as_it_is) })
        end)
    end)
end)
