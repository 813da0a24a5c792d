-- credentials_process_spec - a profile's program, run beside a worker that serves.

local asker = require "spec.support.asker"
local system = require "spec.support.system"

describe("a profile with a program, in nginx", function()
    local world

    setup(function()
        world = asker.start()
    end)
    teardown(function()
        world:stop()
    end)
    before_each(function()
        world:reset()
    end)

    after_each(function()
        world:close()
    end)

    it("runs a program beside the worker, which inherits nothing of it", function()
        local seen = world.folder .. "/seen"
        local one = world:gateway { env = world:process(world:program("printer",
            world:printed("printer"), ("sleep 0.3; ls /proc/self/fd >'%s'; "
                .. "ls -l /proc/$$/fd/0 >>'%s'"):format(seen, seen))) }
        asker.assert_gets(one, "a")
        -- the fourth is the folder that ls reads
        assert.matches("^0\n1\n2\n3\n.* %-> /dev/null\n$", system.read(seen))
        asker.assert_gets(one, "b")
        assert.same({ printer = 2 }, world.aws:stats().by_caller)
    end)

    it("runs a program while it starts, once for master and workers", function()
        local runs = world.folder .. "/runs"
        local one = world:gateway {
            workers = 2, env = world:process(world:program("printer", world:printed("printer"),
                ("echo >>'%s'"):format(runs))),
            after_init = 'assert(require("vault").get("{vault://aws/early/name}") == "early")',
        }
        asker.assert_gets(one, "a")
        assert.equal("\n", system.read(runs))
        assert.same({ printer = 2 }, world.aws:stats().by_caller)
    end)

    it("says of a program that fails why, and not what it printed", function()
        local one = world:gateway { env = world:process(world:program("printer", "CANARY",
            "echo CANARY; echo 'no ticket' >&2; exit 5")) }
        local answer = one:get("{vault://aws/a/name}")
        assert.equal("credentials_refused", answer.word)
        assert.matches("exit status 5: no ticket", answer.message, 1, true)
    end)
end)
