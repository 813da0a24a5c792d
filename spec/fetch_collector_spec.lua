-- fetch_collector_spec - who takes what the engine has finished, and when (vault.fetch).

local engine = require "spec.support.engine"

describe("collecting", function()
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

    it("by polling is quick at first, then every 10 ms", function()
        load_fetch()
        local one = ask("a")
        world:pass(0.0005)
        local takes = core.takes
        world:pass(0.01)
        assert.is_true(core.takes - takes >= 2)
        world:pass(1)
        takes = core.takes
        world:pass(1)
        assert.is_true(core.takes - takes <= 110)
        core.finish(1, { payload = "A" })
        world:pass(0.011)
        assert.is_true(one.done)
        takes = core.takes
        world:pass(60)
        assert.equal(takes, core.takes)
    end)

    it("needs one timer, however many wait", function()
        load_fetch()
        for i = 1, 50 do
            ask("k" .. i)
        end
        world:pass(0.1)
        for i = 50, 1, -1 do
            core.finish(i, { payload = i })
        end
        world:pass(0.1)
        assert.equal(1, world.timer_count)
        assert.equal(50, core.taken)
    end)

    for _, how in ipairs { "refused", "vanish" } do
        it("is done by who waits where timers are " .. how, function()
            load_fetch()
            world.timers = how
            local one, two = ask("a"), ask("a")
            core.finish(1, { payload = "A" })
            world:pass(0.02)
            assert.equal("A", one.results[1].payload)
            assert.equal("A", two.results[1].payload)
            world.timers = nil
            world:pass(2)
            local three = ask("b")
            core.finish(2, { payload = "B" })
            world:pass(0.02)
            assert.equal("B", three.results[1].payload)
        end)
    end

    it("goes on where the collector dies", function()
        load_fetch()
        local one = ask("a")
        world:pass(0.1)
        local pending = core.port.pending
        function core.port.pending()
            error("planted")
        end
        world:pass(0.1)
        core.port.pending = pending
        assert.matches("collecting failed", world.logged[1])
        core.finish(1, { payload = "A" })
        world:pass(1.1)
        assert.equal("A", one.results[1].payload)
    end)

    it("by the resident collector waits for the engine's byte", function()
        local fetch, socket = load_fetch("init"), rig:with_socket()
        core.tmpdir = "/private"
        world:call("init_worker", fetch.init_worker)
        world:pass(0)
        assert.equal("unix:/proc/self/fd/7", socket.path)
        assert.same({ "/private", "/dev/shm", "/prefix/" }, core.folders)
        local one = ask("a")
        world:pass(5)
        local takes = core.takes
        core.finish(1, { payload = "A" })
        world:pass(0)
        assert.equal("A", one.results[1].payload)
        assert.is_true(core.takes - takes <= 2)
        assert.equal(1, world.timer_count)
    end)

    -- Of the looks whether the worker leaves there is one a day instead of ten a second.
    local function sleep_long()
        local sleep = world.ngx.sleep
        function world.ngx.sleep(seconds)
            sleep(seconds * 10 * 86400)
        end
    end

    it("by the resident collector lasts through weeks without a fetch", function()
        sleep_long()
        local fetch, socket = load_fetch("init"), rig:with_socket()
        world:call("init_worker", fetch.init_worker)
        world:pass(60 * 86400)
        assert.is_false(socket.closed)
        assert.is_true(socket.receives > 1)
        local one = ask("a")
        core.finish(1, { payload = "A" })
        world:pass(0)
        assert.equal("A", one.results[1].payload)
    end)

    it("ends when the worker leaves, and those who wait are served still", function()
        local fetch, socket = load_fetch("init"), rig:with_socket()
        world:call("init_worker", fetch.init_worker)
        world:pass(1)
        local one = ask("a")
        world:leave()
        world:pass(0.1)
        assert.is_true(core.hung_up > 0)
        assert.is_true(socket.closed)
        core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.equal("A", one.results[1].payload)
        local two = ask("b")
        core.finish(2, { payload = "B" })
        world:pass(0.02)
        assert.equal("B", two.results[1].payload)
    end)

    it("does not keep a leaving worker for fetches that nobody waits for", function()
        local fetch = load_fetch("init")
        rig:with_socket()
        world:call("init_worker", fetch.init_worker)
        world:pass(1)
        ask("a", "log")
        ask("b").killed = true
        world:leave()
        world:pass(12)
        local takes = core.takes
        world:pass(1)
        assert.equal(takes, core.takes)
    end)

    it("in a worker that leaves holds no lock of what nobody waits for, and takes none", function()
        local fetch, options, ended = load_fetch("init"), { peek = function() end }, nil
        rig:join(world:dict(), 1, {})
        ask("k", "log", nil, nil, options)
        fetch.start({ secret_id = "renewed" }, function(...) ended = { ... } end)
        world:pass(0.1)
        assert.is_truthy(rig.locks:holder("k"))
        world:leave()
        world:pass(0.1)
        assert.is_nil(rig.locks:holder("k"))
        assert.same({ nil, "the worker is leaving", "cancelled" }, ended)
        local one, other = ask("k", nil, nil, nil, options), ask("other", nil, nil, nil, options)
        assert.is_nil(rig.locks:holder("other"))
        local others = rig.locks:take("k", 60)
        for number, payload in ipairs { "K", "R", "O" } do
            core.finish(number, { payload = payload })
        end
        world:pass(0.1)
        assert.equal("K", one.results[1].payload)
        assert.equal("O", other.results[1].payload)
        assert.equal(others, rig.locks:holder("k"))
    end)

    it("hangs up when a worker leaves in which no timer runs any more", function()
        local fetch = load_fetch("init")
        local socket = rig:with_socket()
        world:call("init_worker", fetch.init_worker)
        world:pass(3600)
        assert.equal(0, core.hung_up)
        world.timers = "vanish"
        world:leave()
        world:pass(0.1)
        assert.is_true(socket.closed)
    end)

    it("polls, with one warning, where no socket can be made", function()
        local fetch = load_fetch("init")
        world:call("init_worker", fetch.init_worker)
        world:pass(0)
        assert.same({ "warn: vault: no Unix socket can be made; fetches are polled for" },
            world.logged)
        local one = ask("a")
        core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.equal("A", one.results[1].payload)
    end)

    it("polls where the resident collector fails, and hangs up", function()
        local fetch, socket = load_fetch("init"), rig:with_socket()
        function socket.receive()
            error("planted")
        end
        world:call("init_worker", fetch.init_worker)
        world:pass(0)
        assert.matches("the collector failed", world.logged[1])
        assert.is_true(core.hung_up > 0)
        local one = ask("a")
        core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.equal("A", one.results[1].payload)
    end)
end)
