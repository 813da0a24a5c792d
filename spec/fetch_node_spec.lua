-- fetch_node_spec - workers of one node fetch a secret once (vault.fetch with vault.watch and
--                   vault.locks): several workers in one Lua, each with modules of its own.

local engine = require "spec.support.engine"
local light = require "spec.support.light"

describe("on one node", function()
    local world, dict, dead, rigs, kept

    -- What has come of fetches lies in `kept`, as in the shared dict.
    local function peek_at(key)
        return function()
            return kept[key]
        end
    end

    local function keep_at(key)
        return function(result)
            kept[key] = result
            return result
        end
    end

    local function start(count)
        for pid = 1, count do
            rigs[pid] = engine.new(world)
            rigs[pid]:load("init")
            rigs[pid]:join(dict, pid, dead)
        end
    end

    local function ask(pid, key, options)
        options = options or {}
        return rigs[pid]:ask(key, options.phase, options.on_done or keep_at(key), options.timeout,
            { peek = options.peek or peek_at(key), patience = options.patience })
    end

    -- How many fetches each worker has begun.
    local function submitted()
        local counts = {}
        for pid, rig in ipairs(rigs) do
            counts[pid] = #rig.core.submitted
        end
        return counts
    end

    before_each(function()
        world, dead, rigs, kept = light.new(), {}, {}, {}
        dict = world:dict()
    end)
    after_each(function()
        for pid = #rigs, 1, -1 do
            rigs[pid]:stop()
        end
    end)

    it("200 requests on 4 workers for one cold key are one fetch", function()
        start(4)
        local all = {}
        for i = 1, 200 do
            all[i] = ask(i % 4 + 1, "k")
        end
        world:pass(0.3)
        assert.same({ 0, 1, 0, 0 }, submitted())
        rigs[2].core.finish(1, { payload = "A" })
        world:pass(0.07)
        for i = 1, 200 do
            assert.equal("A", all[i].results[1].payload)
        end
        assert.same({ 0, 1, 0, 0 }, submitted())
        assert.is_true(world.timer_count <= 4, world.timer_count)
        assert.is_nil(dict:get("l:k"))
    end)

    it("what another worker kept before this one had the lock is not fetched again", function()
        start(2)
        local looks = 0
        local one = ask(1, "k", { peek = function()
            looks = looks + 1
            return { payload = "A" }
        end })
        assert.equal("A", one.results[1].payload)
        assert.same({ 1, { 0, 0 } }, { looks, submitted() })
        assert.is_nil(dict:get("l:k"))
    end)

    it("a failure is told to all, with its word", function()
        start(3)
        local all = {}
        for i = 1, 30 do
            all[i] = ask(i % 3 + 1, "k")
        end
        rigs[2].core.finish(1, nil, "two\nlines", "access_denied")
        world:pass(0.07)
        for i = 1, 30 do
            assert.same({ nil, "two\nlines", "access_denied" }, all[i].results)
        end
        assert.same({ 0, 1, 0 }, submitted())
        ask(1, "k")
        assert.same({ 1, 1, 0 }, submitted())
    end)

    it("other keys are other workers' matter", function()
        start(2)
        ask(1, "a")
        ask(2, "b")
        assert.same({ 1, 1 }, submitted())
    end)

    it("where the one who fetches is killed, one other fetches, at once", function()
        start(4)
        ask(1, "k")
        local all = {}
        for i = 1, 60 do
            all[i] = ask(i % 3 + 2, "k")
        end
        world:pass(0.5)
        dead[1] = true
        world:pass(0.06)
        local counts = submitted()
        assert.equal(2, counts[1] + counts[2] + counts[3] + counts[4])
        for pid = 2, 4 do
            if counts[pid] == 1 then
                rigs[pid].core.finish(1, { payload = "A" })
            end
        end
        world:pass(0.07)
        for i = 1, 60 do
            assert.equal("A", all[i].results[1].payload)
        end
    end)

    it("who comes after that has all the time of the new fetch", function()
        start(2)
        ask(1, "k")
        local first = ask(2, "k")
        world:pass(10.5)
        dead[1] = true
        world:pass(0.06)
        world:pass(1)
        assert.equal("timeout", first.results[3])
        local late = ask(2, "k")
        world:pass(5)
        assert.falsy(late.done)
        rigs[2].core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.equal("A", late.results[1].payload)
    end)

    it("where the dict keeps nothing, nobody waits for more than two others", function()
        start(5)
        local all = {}
        for pid = 1, 5 do
            all[pid] = ask(pid, "k", { peek = function() return nil end })
        end
        local waits = 0
        repeat
            waits = waits + 1
            local done = 0
            for pid = 1, 5 do
                if #rigs[pid].core.submitted == 1 and not all[pid].done then
                    rigs[pid].core.finish(1, { payload = pid })
                end
            end
            world:pass(0.11)
            for pid = 1, 5 do
                done = done + (all[pid].done and 1 or 0)
            end
        until done == 5 or waits > 9
        assert.equal(3, waits)
        assert.same({ 1, 1, 1, 1, 1 }, submitted())
    end)

    it("a dict that takes no lock hinders nobody", function()
        start(2)
        dict.full = true
        local one, two = ask(1, "k"), ask(2, "k")
        assert.same({ 1, 1 }, submitted())
        rigs[1].core.finish(1, { payload = "A" })
        rigs[2].core.finish(1, nil, "planted", "timeout")
        world:pass(0.02)
        assert.equal("A", one.results[1].payload)
        assert.equal("timeout", two.results[3])
    end)

    it("who keeps nothing for others waits for none", function()
        start(2)
        local asked = { secret_id = "k" }
        for pid = 1, 2 do
            world:spawn("content", function()
                return rigs[pid].fetch.get("k", asked, function(result) return result end)
            end)
        end
        assert.same({ 1, 1 }, submitted())
        assert.is_nil(dict:get("l:k"))
    end)

    it("what was not submitted gives the lock back", function()
        start(2)
        rigs[1].core.refuses = "no_memory"
        assert.equal("no_memory", ask(1, "k").results[3])
        ask(2, "k")
        assert.same({ 0, 1 }, submitted())
    end)

    it("what cannot be submitted after all fails all who wait", function()
        start(2)
        ask(1, "k")
        rigs[2].core.refuses = "no_memory"
        local one, two = ask(2, "k"), ask(2, "k")
        world:pass(0.1)
        dead[1] = true
        world:pass(0.06)
        assert.same({ nil, "planted no_memory", "no_memory" }, one.results)
        assert.same(one.results, two.results)
        rigs[2].core.refuses = nil
        ask(2, "k")
        assert.same({ 1, 1 }, submitted())
    end)

    it("a fault of the one who looks for the value is no end: it is fetched", function()
        start(2)
        ask(1, "k")
        local one = ask(2, "k", { peek = function() error("planted") end })
        rigs[1].core.finish(1, { payload = "A" })
        world:pass(0.07)
        assert.same({ 1, 1 }, submitted())
        rigs[2].core.finish(1, { payload = "B" })
        world:pass(0.02)
        assert.equal("B", one.results[1].payload)
    end)

    it("a cache that fails fails for all", function()
        start(2)
        local one = ask(1, "k", { on_done = function() error("planted") end })
        local two = ask(2, "k")
        rigs[1].core.finish(1, { payload = "A" })
        world:pass(0.07)
        for _, thread in ipairs { one, two } do
            assert.equal("internal", thread.results[3])
        end
    end)

    it("what another has kept when the lock is had is given at once", function()
        start(1)
        rigs[1]:with_socket()
        world:call("init_worker", rigs[1].fetch.init_worker)
        world:pass(0)
        kept.k = { payload = "A" }
        local one = ask(1, "k")
        assert.equal("A", one.results and one.results[1].payload)
        assert.same({ 0 }, submitted())
    end)

    it("whoever ends too late leaves the lock to whoever has it by then", function()
        start(3)
        ask(1, "k", { timeout = 0.5 })
        world:pass(1.6) -- it lasts a second longer than the fetch may
        ask(2, "k")
        assert.same({ 1, 1, 0 }, submitted())
        rigs[1].core.finish(1, nil, "planted", "timeout")
        world:pass(0.02)
        ask(3, "k")
        assert.same({ 1, 1, 0 }, submitted())
    end)

    it("whoever is killed while it waits takes nothing along", function()
        start(2)
        local first, second = ask(1, "k"), ask(2, "k")
        local third = ask(2, "k")
        world:pass(0.1)
        first.killed, second.killed = true, true
        rigs[1].core.finish(1, { payload = "A" })
        world:pass(0.07)
        assert.equal("A", third.results[1].payload)
        assert.same({ 1, 0 }, submitted())
    end)

    for _, how in ipairs { "refused", "vanish" } do
        it("it works where timers are " .. how, function()
            start(2)
            world.timers = how
            local one, two = ask(1, "k"), ask(2, "k")
            rigs[1].core.finish(1, { payload = "A" })
            world:pass(0.03)
            assert.equal("A", one.results[1].payload)
            assert.equal("A", two.results[1].payload)
            assert.same({ 1, 0 }, submitted())
        end)

        it("one who comes late sees to it where all are gone, and timers are " .. how, function()
            start(2)
            world.timers = how
            ask(1, "k").killed = true
            ask(2, "k").killed = true
            world:pass(60)
            rigs[1].core.finish(1, { payload = "A" })
            assert.equal("A", ask(1, "k").results[1].payload)
            assert.equal("A", ask(2, "k").results[1].payload)
        end)
    end

    it("a phase that cannot wait looks, and says that it is under way", function()
        start(2)
        ask(1, "k")
        for _, phase in ipairs { "log", "balancer" } do
            local answer = ask(2, "k", { phase = phase })
            assert.equal("pending", answer.results[3])
            assert.matches(phase, answer.results[2])
        end
        rigs[1].core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.same({ 1, 0 }, submitted())
        world.timers = "refused"
        ask(1, "m")
        assert.equal("pending", ask(2, "m", { phase = "log" }).results[3])
        rigs[1].core.finish(2, nil, "planted", "not_found")
        world:pass(0.03)
        assert.same({ nil, "planted", "not_found" }, ask(2, "m", { phase = "log" }).results)
    end)

    describe("patience", function()
        it("is counted from the beginning of the fetch, for each by itself", function()
            start(1)
            local long, short = ask(1, "k"), ask(1, "k", { patience = 1 })
            world:pass(0.9)
            local late = ask(1, "k", { patience = 1 })
            assert.falsy(short.done)
            world:pass(0.101)
            for _, thread in ipairs { short, late } do
                assert.same({ nil, "the engine did not answer in time", "timeout" },
                    thread.results)
            end
            assert.is_true(ask(1, "k", { patience = 1 }).done)
            rigs[1].core.finish(1, { payload = "A" })
            world:pass(0.02)
            assert.equal("A", long.results[1].payload)
            assert.same({ 1 }, submitted())
        end)

        it("is the same where another worker fetches", function()
            start(2)
            ask(1, "k")
            local one = ask(2, "k", { patience = 1 })
            world:pass(1.01)
            assert.equal("timeout", one.results[3])
            local two = ask(2, "k")
            rigs[1].core.finish(1, { payload = "A" })
            world:pass(0.07)
            assert.equal("A", two.results[1].payload)
        end)

        it("does not go round and round where less than a millisecond is left", function()
            start(1)
            world.clock = 1700000000.1234
            local one = ask(1, "k", { patience = 0.10035 })
            world:pass(0.2)
            assert.equal("timeout", one.results[3])
        end)
    end)

    it("a worker that leaves serves those who wait for another's fetch", function()
        start(2)
        ask(1, "k")
        local one = ask(2, "k")
        world:pass(0.1)
        world:leave()
        rigs[1].core.finish(1, { payload = "A" })
        world:pass(0.1)
        assert.equal("A", one.results[1].payload)
    end)

    it("a fetch that nobody waits for has its end told, and takes no lock", function()
        start(1)
        local seen
        assert.is_true(rigs[1].fetch.start({ secret_id = "k" }, function(...)
            seen = { ... }
        end))
        assert.is_nil(dict:get("l:k"))
        rigs[1].core.finish(1, nil, "planted", "throttled")
        world:pass(0.02)
        assert.same({ nil, "planted", "throttled" }, seen)
        rigs[1].core.refuses = "no_memory"
        assert.same({ nil, "planted no_memory", "no_memory" },
            { rigs[1].fetch.start({ secret_id = "k" }, function() end) })
    end)
end)
