-- cli_spec - bin/vaults as a script sees it: a value and 0, or one line on standard error and 1.

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local system = require "spec.support.system"

local CANARY = "canary-5ecret"

describe("bin/vaults", function()
    local fake, folder

    setup(function()
        fake = aws.start()
        folder = system.folder()
    end)
    teardown(function()
        fake:stop()
        system.remove(folder)
    end)

    local function run(arguments, env)
        local words = { system.root() .. "/bin/vaults", unpack(arguments) }
        words.env = env or fake:env()
        return child.run(words)
    end

    local function shows(value, arguments, env)
        local ended = run(arguments, env)
        assert.equal("", ended.err)
        assert.is_true(value == ended.out, ended.out)
        assert.equal(0, ended.code)
    end

    local function fails(word, arguments, env)
        local ended = run(arguments, env)
        assert.equal("", ended.out)
        assert.equal(1, ended.code)
        local message, seen = ended.err:match("^vaults: ([ -~]+) %[([%l_%d]+)%]\n$")
        assert.truthy(message, ended.err)
        assert.equal(word, seen)
        assert.falsy(ended.err:find("canary", 1, true))
        assert.falsy(ended.err:find(aws.SECRET_KEY, 1, true))
        return message
    end

    describe("get", function()
        it("prints the value and nothing else", function()
            fake:put("db/main", '{"user":"u\\n","empty":"","b":"YQBi"}')
            fake:put("whole", "two\nlines\n")
            shows("u\n", { "get", "{vault://aws/db/main/user}" })
            shows("u\n", { "get", "aws/db/main/user" })
            shows("", { "get", "aws/db/main/empty" })
            shows("a\0b", { "get", "aws/db/main/b?base64_decode=true" })
            shows("two\nlines\n", { "get", "aws/whole" })
        end)

        it("knows versions", function()
            fake:put("turned", '{"k":"old"}')
            fake:put("turned", '{"k":"new"}')
            shows("new", { "get", "aws/turned/k#1" })
            shows("old", { "get", "{vault://aws/turned/k#2}" })
        end)

        it("needs no network and no credentials for the environment", function()
            local env = { MY_SECRET = "s", MY_JSON = '{"k":"v"}' }
            shows("s", { "get", "{vault://env/my-secret}" }, env)
            shows("s", { "get", "env/my-secret" }, env)
            shows("v", { "get", "$env://MY_JSON/k" }, env)
        end)

        it("refuses an endpoint with a password, and does not show it", function()
            fails("bad_endpoint", { "get", "aws/x/k" },
                { AWS_REGION = "us-east-1", KONG_VAULT_AWS_ENDPOINT_URL = "http://u:canary@host" })
        end)

        local ROWS = {
            { "not_found", "aws/missing.x/k" },
            { "access_denied", "aws/denied.x/k" },
            { "expired_token", "aws/expired.x/k" },
            { "invalid_request", "aws/ctl.x/k" },
            { "key_not_found", "aws/x/other" },
            { "json_syntax", "aws/secret/key" },
            { "bad_response", "aws/malformed.x" },
            { "server_error", "aws/status-500.x" },
            { "connection_lost", "aws/reset-before.x" },
            { "too_large", "aws/huge.x" },
            { "bad_base64", "aws/secret?base64_decode=true" },
            { "bad_reference", "aws" }, { "bad_reference", "" },
            { "bad_reference", "aws/x#3" }, { "bad_reference", "aws/x?ttl=" .. "soon" },
            { "bad_reference", "aws/a\nb" }, { "bad_reference", "aws/a\27[31mb" },
            { "unknown_vault", "other/x" }, { "unknown_vault", "$secret://aws/john/x/k" },
            { "not_found", "env/not-set" }, { "refused", "env/aws-secret-access-key" },
            { "refused", "$env://AWS_SESSION_TOKEN" },
        }
        for _, row in ipairs(ROWS) do
            it(("says %s of %q in one line"):format(row[1], row[2]), function()
                fake:put("secret", CANARY)
                fails(row[1], { "get", row[2] })
            end)
        end

        it("shows neither credentials nor what AWS says back of them", function()
            local env = fake:env { AWS_ACCESS_KEY_ID = aws.ACCESS_KEY,
                                   AWS_SECRET_ACCESS_KEY = CANARY }
            fails("credentials_refused", { "get", "aws/x" }, env)
            env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN = aws.SECRET_KEY, CANARY
            fails("credentials_refused", { "get", "aws/leak.x" }, env)
        end)

        it("says what is not set", function()
            local env = fake:env { AWS_EC2_METADATA_DISABLED = "true" }
            env.AWS_REGION = nil
            assert.matches("AWS_DEFAULT_REGION", fails("no_region", { "get", "aws/x" }, env))
            env.AWS_REGION, env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY = "us-east-1", nil, nil
            fails("no_credentials", { "get", "aws/x" }, env)
            env.AWS_REGION = "US_EAST\n"
            fails("bad_config", { "get", "aws/x" }, env)
        end)

        it("says that nobody is there", function()
            local env = fake:env {
                AWS_ENDPOINT_URL_SECRETS_MANAGER = "http://127.0.0.1:" .. system.free_port(),
                AWS_MAX_ATTEMPTS = "1",
            }
            fails("connect_failed", { "get", "aws/x" }, env)
            env.AWS_ENDPOINT_URL_SECRETS_MANAGER = "gopher://localhost"
            fails("bad_endpoint", { "get", "aws/x" }, env)
        end)

        it("keeps to the time it is given", function()
            local began = system.now()
            fails("timeout", { "get", "aws/hang.x" }, fake:env { KONG_VAULT_AWS_TIMEOUT = "0.5" })
            assert.is_true(system.now() - began < 5)
        end)

        it("does not call it a success where the value could not be written", function()
            local ended = child.run { "sh", "-c", 'exec "$0" get aws/x/user >/dev/full',
                                      system.root() .. "/bin/vaults", env = fake:env() }
            assert.equal(1, ended.code)
            assert.matches("^vaults: [^\n]+ %[internal%]\n$", ended.err)
        end)
    end)

    describe("with --vaults", function()
        local path

        setup(function()
            path = folder .. "/vaults.yaml"
            system.write(path, ([[
_format_version: "3.0"
vaults:
- name: aws
  prefix: own-keys
  config:
    region: us-east-1
    access_key_id: %s
    secret_access_key: %s
- name: env
  prefix: prefixed
  config:
    prefix: APP_
]]):format(aws.ACCESS_KEY, aws.SECRET_KEY))
        end)

        local function without_keys()
            local env = fake:env { ONE_REF = "{vault://own-keys/filed/k}",
                                   APP_ONE = "of an entity" }
            env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_REGION = nil, nil, nil
            return env
        end

        it("a reference may name the vaults of a file", function()
            fake:put("filed", '{"k":"v"}')
            local env = without_keys()
            shows("v", { "get", "--vaults", path, "{vault://own-keys/filed/k}" }, env)
            fake:put("whole", "w")
            shows("w", { "get", "--vaults", path, "$secret://aws/own-keys/whole" }, env)
            shows("of an entity", { "get", "--vaults", path, "prefixed/one" }, env)
            for _, options in ipairs { { "--vaults", path }, { "--vaults", path, "--keep-aws" },
                                       { "--keep-aws", "--vaults", path } } do
                local words = { "exec", unpack(options) }
                for _, word in ipairs { "--", "printenv", "ONE_REF" } do
                    words[#words + 1] = word
                end
                shows("v\n", words, env)
            end
            fails("unknown_vault", { "get", "own-keys/filed/k" }, env)
            fails("unknown_vault", { "get", "--vaults", path, "others/filed/k" }, env)
        end)

        it("explain tells of that vault, and not its keys", function()
            local ended = run({ "explain", "--vaults", path, "own-keys/filed/k" }, without_keys())
            assert.equal(0, ended.code)
            assert.matches("\n  source +the vault's own keys\n", ended.out)
            assert.falsy(ended.out:find(aws.SECRET_KEY, 1, true))
            assert.falsy(ended.out:find(aws.ACCESS_KEY, 1, true))
        end)

        it("a file that is not right is an error, without what is in it", function()
            local bad = folder .. "/bad.yaml"
            system.write(bad, '_format_version: "3.0"\nvaults:\n- name: aws\n  prefix: p-q\n'
                .. "  config:\n    secret_access_key: [canary]\n")
            assert.matches("bad.yaml: line 5: ", fails("bad_config",
                { "get", "--vaults", bad, "env/one" }, { ONE = "1" }))
            fails("bad_config", { "exec", "--vaults", folder .. "/none", "--", "true" }, {})
        end)
    end)

    -- What it tells of AWS: cli_explain_spec.
    it("explain tells of a reference, aligned, and not its value", function()
        shows([[
reference
  text      $env://ONE
  grammar   Apache APISIX's
  vault     env
  resource  ONE
  key       none: the whole value
  version   #1, the current one
vault
  strategy  env
  config    none: the strategy itself
settings
  prefix  not set
environment
  variable  ONE
  state     set
value
  to be had
]], { "explain", "$env://ONE" }, { ONE = CANARY })
        local ended = run({ "explain", "env/one" }, {})
        assert.equal(1, ended.code)
        assert.matches("\n  state     not set\n", ended.out)
        assert.equal("vaults: the environment variable ONE is not set [not_found]\n", ended.err)
    end)

    -- The rest of it: exec_spec, check_spec.
    it("exec becomes a program, check looks at a file", function()
        shows("s\n", { "exec", "--", "printenv", "ONE" }, { ONE = "{vault://env/two}", TWO = "s" })
        assert.equal(3, run({ "exec", "--keep-aws", "--", "sh", "-c", "exit 3" }, {}).code)
        fails("bad_config", { "check", folder .. "/nothing" })
    end)

    it("says what is wrong with any other call, and how it is used", function()
        for _, row in ipairs {
            { "a command is missing" }, { 'there is no command "got"', "got", "aws/x" },
            { 'there is no command ""', "" }, { 'there is no command "a\\x1bb"', "a\27b" },
            { "the reference is missing", "get" }, { "the reference is missing", "explain" },
            { "one reference is wanted, not 2", "get", "aws/x", "y" },
            { "one reference is wanted, not 2", "explain", "aws/x", "y" },
            { 'there is no option "--other"', "get", "--other", "aws/x" },
            { "the file is missing", "check" }, { "one file is wanted, not 2", "check", "a", "b" },
            { 'a "--" is missing before the program', "exec" },
            { 'a "--" is missing before the program', "exec", "true" },
            { 'a "--" is missing before the program', "exec", "--keep-aws", "true" },
            { 'the program is missing after the "--"', "exec", "--" },
            { 'the program is missing after the "--"', "exec", "--keep-aws", "--" },
            { 'there is no option "--other"', "exec", "--other", "--", "true" },
            { "the reference is missing", "get", "--vaults", "f" },
            { "the file is missing after --vaults", "get", "--vaults" },
            { "the file is missing after --vaults", "get", "--vaults", "", "env/x" },
            { 'a "--" is missing before the program', "exec", "--vaults", "--", "true" },
        } do
            local ended = run { unpack(row, 2) }
            assert.equal(1, ended.code)
            assert.equal("", ended.out)
            local line = "vaults: " .. row[1] .. "\nusage: vaults get [--vaults FILE] REFERENCE\n"
            assert.equal(line, ended.err:sub(1, #line))
        end
    end)

    it("shows how it is used, and its version, where that is asked for", function()
        for _, arguments in ipairs { { "--help" }, { "-h" }, { "help" }, { "help", "get" },
                                     { "get", "--help" }, { "explain", "-h" },
                                     { "check", "--help" }, { "exec", "--help" } } do
            local ended = run(arguments, {})
            assert.same({ 0, "" }, { ended.code, ended.err })
            assert.matches("^usage: vaults get %[%-%-vaults FILE%] REFERENCE\n", ended.out)
        end
        shows("vaults " .. require("vault.core")._VERSION .. "\n", { "--version" }, {})
        shows("--help\n", { "exec", "--", "sh", "-c", 'echo "$0"', "--help" }, {})
    end)

    it("says that a reference stands in braces where they were forgotten", function()
        for _, name in ipairs { "get", "explain" } do
            assert.equal("a reference stands in braces: {vault://..}",
                fails("bad_reference", { name, "vault://aws/x/k" }, {}))
        end
    end)

    it("finds the checkout however it is called", function()
        local root = system.root()
        for _, call in ipairs {
            { root, "bin/vaults" }, { root, "./bin/vaults" }, { root .. "/bin", "./vaults" },
            { root .. "/spec", "../bin/vaults" }, { "/", root .. "/bin/vaults" },
        } do
            local ended = child.run { "sh", "-c", 'cd "$0" && exec "$1" get env/one', call[1],
                                      call[2], env = { ONE = "1", LUA_PATH = ";;" } }
            assert.equal("", ended.err)
            assert.equal("1", ended.out)
        end
    end)
end)
