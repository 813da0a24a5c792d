-- blocking_spec - fetches on this thread, and init's time.

local engine = require "spec.support.engine"

describe("a fetch on this thread", function()
    local rig, world, core, blocking

    before_each(function()
        rig = engine.new()
        world, core = rig.world, rig.core
        core.outcome = { { payload = "A" } }
        rig:load()
        blocking = require "vault.blocking"
    end)
    after_each(function()
        rig:stop()
    end)

    -- The next ones take so many seconds.
    local function take(seconds)
        local run = core.run
        function core.run(...)
            world.clock = world.clock + seconds
            return run(...)
        end
    end

    it("says when it began", function()
        local began = world.clock
        take(3)
        assert.same({ payload = "A", began = began }, blocking.run {})
        core.outcome = { nil, "planted", "not_found" }
        assert.same({ nil, "planted", "not_found" }, { blocking.run {} })
    end)

    it("has of init's time what the others left, and init_worker has it anew", function()
        blocking.configure { init_timeout = 5 }
        take(2)
        for _, left in ipairs { 5, 3, 1 } do
            blocking.run {}
            assert.is_true(math.abs(core.ran.request.timeout - left) < 1e-6)
        end
        core.ran = nil
        local _, message, word = blocking.run {}
        assert.matches("init_timeout of 5 s is used up", message)
        assert.equal("timeout", word)
        assert.is_nil(core.ran)
        blocking.init_worker()
        blocking.run { timeout = 4 }
        assert.equal(4, core.ran.request.timeout)
    end)

    it("without nginx has the time it wants", function()
        rig:load(false)
        blocking = require "vault.blocking"
        blocking.configure { init_timeout = 0.001 }
        for _ = 1, 3 do
            blocking.run { timeout = 60 }
            assert.equal(60, core.ran.request.timeout)
        end
    end)
end)
