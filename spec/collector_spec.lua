-- collector_spec - requests given to the engine, and their ends (vault.collector alone; how it
--                  collects: fetch_collector_spec).

local engine = require "spec.support.engine"

describe("collector", function()
    local rig, world, core, collector, ends

    before_each(function()
        rig = engine.new()
        world, core = rig.world, rig.core
        rig:load()
        collector, ends = rig.collector, {}
    end)
    after_each(function()
        rig:stop()
    end)

    local function submit(name, is_waited, is_over)
        return collector.submit({ secret_id = name }, {
            ended = function(_, ...) ends[#ends + 1] = { name, ... } end,
            is_waited = is_waited or function() return true end,
            abandoned = function()
                ends[#ends + 1] = { name, "abandoned" }
                return is_over
            end,
        })
    end

    it("tells each its own end, once, in the order in which they came", function()
        collector.configure { ca_file = "/ca.pem" }
        for _, name in ipairs { "a", "b", "c" } do
            assert.is_true(submit(name))
        end
        assert.same({ secret_id = "b" }, core.submitted[2].request)
        assert.equal("/ca.pem", core.submitted[2].settings.ca_file)
        core.finish(3, { payload = "C" })
        core.finish(1, nil, "planted", "timeout")
        core.finish(1, { payload = "again" })
        core.finish(77, { payload = "nobody's" })
        world:pass(0.02)
        assert.same({ { "c", { payload = "C" } }, { "a", nil, "planted", "timeout" } }, ends)
    end)

    it("uses nginx's own timers where a host has others in their place", function()
        local native = world.ngx.timer.at
        world.ngx.timer.at = function() error("a job for the host") end
        collector.configure { timer_at = native }
        submit("a")
        collector.init_worker()
        core.finish(1, { payload = "A" })
        world:pass(0.02)
        assert.same({ { "a", { payload = "A" } } }, ends)
    end)

    it("hands on why nothing was submitted; nobody is told of an end", function()
        core.refuses = "no_memory"
        assert.same({ nil, "planted no_memory", "no_memory" }, { submit("a") })
        assert.equal(0, world.timer_count)
    end)

    it("takes in the middle of anything, without waiting", function()
        world.timers = "refused"
        submit("a")
        core.finish(1, { payload = "A" })
        world:call("log", collector.take)
        assert.equal(1, #ends)
    end)

    it("goes on with the others where an end fails", function()
        collector.submit({}, { ended = function() error("planted") end })
        submit("b")
        core.finish(1, { payload = "A" })
        core.finish(2, { payload = "B" })
        world:pass(0.02)
        assert.matches("collecting failed", world.logged[1])
        submit("c")
        world:pass(0.02)
        assert.equal("b", ends[1][1])
    end)

    it("asks for one timer, and once a second for another where nothing came of it", function()
        world.timers = "vanish"
        for i = 1, 100 do
            submit("k" .. i)
        end
        assert.equal(1, world.timer_count)
        world:pass(1)
        assert.is_false(collector.ensure())
        assert.is_false(collector.ensure())
        assert.equal(2, world.timer_count)
        world.timers = nil
        world:pass(1)
        collector.ensure()
        world:pass(0)
        assert.is_true(collector.ensure())
    end)

    for _, waited in ipairs { true, false } do
        it(("in a worker that leaves %s for what %s waited for"):format(waited and "stays"
            or "does not stay", waited and "is" or "is not"), function()
            submit("a", function() return waited end)
            world:pass(0.02)
            world:leave()
            world:pass(0.02)
            local takes = core.takes
            world:pass(1)
            assert.equal(waited, core.takes > takes)
        end)
    end

    it("tells what is under way that it is abandoned, once the worker leaves", function()
        local function nobody()
            return false
        end
        submit("over", nobody, true)
        submit("may end yet", nobody, false)
        world:pass(0.02)
        assert.same({}, ends)
        world:leave()
        world:pass(0.02)
        table.sort(ends, function(left, right) return left[1] < right[1] end)
        assert.same({ { "may end yet", "abandoned" }, { "over", "abandoned" } }, ends)
        core.finish(1, { payload = "A" })
        core.finish(2, { payload = "B" })
        world:call("log", collector.take)
        assert.same({ "may end yet", { payload = "B" } }, ends[3])
        assert.is_nil(ends[4])
    end)

    it("tells that the worker leaves, though no timer runs", function()
        local told = 0
        world.ngx.thread.kill = function() end
        rig:with_socket()
        collector.init_worker(function() told = told + 1 end)
        world:pass(1)
        assert.equal(0, told)
        world.timers = "vanish"
        world:leave()
        world:pass(0.1)
        assert.is_true(told > 0)
    end)

    it("runs and explains on this thread, by the same settings", function()
        collector.configure { ca_file = "/ca.pem" }
        core.outcome = { nil, "planted", "timeout" }
        for _, how in ipairs { "run", "explain" } do
            assert.same({ nil, "planted", "timeout" }, { collector[how]({ secret_id = "a" }) })
            local seen = how == "run" and core.ran or core.explained
            assert.same({ request = { secret_id = "a" }, settings = { ca_file = "/ca.pem" } }, seen)
        end
        assert.equal(0, world.timer_count)
    end)
end)
