-- credentials_process_spec - profiles with a program: from what it prints to the secret, and every
-- way in which that fails.

local asker = require "spec.support.asker"
local cjson = require "cjson"
local identity = require "spec.support.identity"
local system = require "spec.support.system"

local ROLE = asker.ROLE

describe("a profile", function()
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

    local function program(...)
        return world:program(...)
    end

    local function printed(...)
        return world:printed(...)
    end

    local function process(...)
        return world:process(...)
    end

    -- The same for one that two roles stand on.
    local function chained(command)
        return world:env(world:config(asker.chain { credential_process = command }),
            { AWS_PROFILE = "two" })
    end

    describe("with a program", function()
        it("reads with what it prints", function()
            assert.same({}, world:reads_as("printer",
                process(program("printer", printed("printer")))))
        end)

        it("reads with keys that never run out", function()
            world:reads_as("printer", process(program("printer",
                printed("printer", { Expiration = false }))))
        end)

        it("gives it the words of its command, and the environment", function()
            local path = program("pr inter", printed("printer"),
                [[[ "$#" = 3 ] && [ "$1" = "a  b" ] && [ "$2" = 'c$HOME;' ] && [ "$3" = d\\e ] &&]]
                .. ' [ "$OF_THE_GATEWAY" = yes ] || exit 7')
            world:reads_as("printer", process(('"%s" "a  b" \'c$HOME;\' d\\\\\\e'):format(path),
                { OF_THE_GATEWAY = "yes" }))
        end)

        it("finds it in PATH", function()
            program("vault-spec-printer", printed("printer"))
            world:reads_as("printer", process("vault-spec-printer",
                { PATH = world.folder .. ":" .. os.getenv("PATH") }))
        end)

        it("goes before keys of the config file, behind those of the credentials file", function()
            local path = program("printer", printed("printer"))
            local variables = world:env(world:config { default = asker.merge(world:keys("config"),
                { credential_process = path }) })
            world:reads_as("printer", variables)
            world:reset()
            variables.AWS_SHARED_CREDENTIALS_FILE = world:write("credentials",
                identity.config { default = world:keys("credentials") })
            world:reads_as("credentials", variables)
        end)

        it("is the source of other profiles' roles", function()
            world:reads_as("two", chained(program("printer", printed("printer"))))
            world:assert_chain("printer")
        end)

        it("is what a vault's role is assumed with", function()
            world.server:set { sts = { roles = { [ROLE .. "top"] = { by = "printer" } } } }
            world:reads_as("top", process(program("printer", printed("printer")),
                { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "top" }))
        end)

        local GOOD = { AccessKeyId = "AKIACANARY", SecretAccessKey = "CANARY/key", Version = 1 }

        local function says(members)
            return cjson.encode(asker.merge(GOOD, members))
        end

        -- first: shell commands; text: what is printed then; command: another one
        local ROWS = {
            { "that fails, and says why", first = "echo 'no such \1 ticket' >&2; exit 3",
              text = says(), word = "credentials_refused",
              says = { "credential_process: exit status 3: no such \\x01 ticket" } },
            { "that fails without a word", first = "exit 1", text = says(),
              word = "credentials_refused", says = { "exit status 1" } },
            { "that kills itself", first = "kill -9 $$", text = says(),
              word = "credentials_refused", says = { "exit status 137" } },
            { "that prints no JSON", text = "<CANARY>", word = "bad_response",
              says = { "credential_process: its output: the text is not JSON, at byte 1" } },
            { "that prints nothing", first = "exit 0", text = "", word = "bad_response",
              says = { "the text is not JSON" } },
            { "of another version", text = says { Version = 2 }, word = "bad_response",
              says = { "Version is not 1" } },
            { "that prints no version", text = says { Version = false }, word = "bad_response",
              says = { "Version is absent" } },
            { "that prints half a pair", text = says { SecretAccessKey = false },
              word = "bad_response", says = { "secret" } },
            { "that prints what has expired", word = "expired_token",
              text = says { Expiration = "2020-01-01T00:00:00Z" }, says = { "have expired" } },
            { "that prints an expiration that is no time", word = "bad_response",
              text = says { Expiration = "CANARY" }, says = { "Expiration is not a time" } },
            { "that prints without end", first = "yes CANARY", text = "", word = "too_large",
              says = { "credential_process" } },
            { "that is not there", command = "/nonexistent/printer", word = "bad_profile",
              says = { "/nonexistent/printer" } },
            { "whose command does not end", command = '/bin/echo "CANARY', word = "bad_profile",
              says = { "credential_process: " } },
        }
        for _, row in ipairs(ROWS) do
            it(row[1], function()
                local command = row.command or program("printer", row.text, row.first)
                assert.same({}, (world:fails(row.word, row.says, process(command))))
            end)
        end

        it("that may not be executed", function()
            world:fails("bad_profile", { "credential_process" }, process(world:write("plain", "x")))
        end)

        it("that takes too long: it is killed with all it started", function()
            local pids = world.folder .. "/pids"
            local path = program("printer", "", ("sleep 60 & echo $$ $! >'%s'; wait"):format(pids))
            local _, answer = world:fails("timeout", {}, process(path,
                { KONG_VAULT_AWS_TIMEOUT = "1" }))
            assert.is_true(answer.time < 5, answer.time)
            for pid in system.read(pids):gmatch("%d+") do
                assert.is_truthy(system.wait_for(function()
                    local state = system.read("/proc/" .. pid .. "/stat")
                    return not state or state:match("%) (%a)") == "Z"
                end, 3), "still there: " .. pid)
            end
        end)

        it("fails as the source of a role: the role is not assumed", function()
            local calls = world:fails("credentials_refused", { "exit status 4" },
                chained(program("printer", "", "exit 4")))
            assert.same({}, calls)
        end)
    end)
end)
