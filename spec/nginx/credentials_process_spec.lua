-- credentials_process_spec - a profile's program, run beside a worker that serves.

local asker = require "spec.support.asker"
local gateway = require "spec.support.gateway"
local system = require "spec.support.system"

describe("a profile with a program, in nginx", function()
    local world, one

    setup(function()
        world = asker.start()
    end)
    teardown(function()
        world:stop()
    end)
    before_each(function()
        world:reset()
    end)

    local function program(...)
        return world:program(...)
    end

    local function printed(...)
        return world:printed(...)
    end

    local function process(...)
        return world:process(...)
    end

    after_each(function()
        one:stop()
        local log = one:error_log()
        asker.assert_hidden(log)
        assert.is_nil(log:find("exited on signal", 1, true))
    end)

    -- A worker gets its secret, and served others meanwhile.
    local function gets(name)
        local answer = one:get("{vault://aws/" .. name .. "/name}")
        assert.same({ name, nil, true }, { answer.value, answer.message, answer.others })
    end

    it("runs a program beside the worker, which inherits nothing of it", function()
        local seen = world.folder .. "/seen"
        one = gateway.start { env = process(program("printer", printed("printer"),
            ("sleep 0.3; ls /proc/self/fd >'%s'; ls -l /proc/$$/fd/0 >>'%s'"):format(seen,
                seen))) }
        gets("a")
        -- the fourth is the folder that ls reads
        assert.matches("^0\n1\n2\n3\n.* %-> /dev/null\n$", system.read(seen))
        gets("b")
        assert.same({ printer = 2 }, world.aws:stats().by_caller)
    end)

    it("runs a program while it starts, once for master and workers", function()
        local runs = world.folder .. "/runs"
        one = gateway.start {
            workers = 2, env = process(program("printer", printed("printer"),
                ("echo >>'%s'"):format(runs))),
            after_init = 'assert(require("vault").get("{vault://aws/early/name}") == "early")',
        }
        gets("a")
        assert.equal("\n", system.read(runs))
        assert.same({ printer = 2 }, world.aws:stats().by_caller)
    end)

    it("says of a program that fails why, and not what it printed", function()
        one = gateway.start { env = process(program("printer", "CANARY",
            "echo CANARY; echo 'no ticket' >&2; exit 5")) }
        local answer = one:get("{vault://aws/a/name}")
        assert.equal("credentials_refused", answer.word)
        assert.matches("exit status 5: no ticket", answer.message, 1, true)
    end)
end)
