-- failures_spec - every failure is nil, a message and a word, and none of them shows a secret.
--
-- Each row is asked for twice: in a worker, where nothing else may stand still meanwhile, and on
-- the command line, which runs the same fetch on its own thread. What can be wrong with AWS and the
-- way there is fault_matrix_spec's.

local aws = require "spec.support.aws"
local command = require "spec.support.command"
local faults = require "spec.support.faults"
local gateway = require "spec.support.gateway"
local network = require "spec.support.network"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local CANARY, KEYS = faults.CANARY, faults.KEYS
local SECRETS = {
    [""] = '{"password":"CANARY","number":17,"list":["CANARY"]}',
    ["/text"] = "CANARY is no JSON",
    ["/list"] = '["CANARY"]',
    ["/cut"] = '{"other":"CANARY"',
    ["/twice"] = '{"password":"CANARY","password":"CANARY"}',
}

-- secret  behaviour words of fake_aws.py; "%s" is where the name goes that counts the calls
-- key     of the secret
-- word, says: a part of the message, as it is; calls: that the server saw (1)
-- at_once it fails before anything is fetched
local ROWS = {
    { "no such key", secret = "%s", key = "user", word = "key_not_found",
      says = 'key "user" of secret "%s": the secret has no such key' },
    { "a key that is a number", secret = "ok.%s", key = "number", word = "not_a_string",
      says = 'key "number" of secret "ok.%s": the key\'s value is not a string but a number' },
    { "a key that is a list", secret = "chunked.%s", key = "list", word = "not_a_string",
      says = "not a string but an array" },
    { "a key of plain text", secret = "%s/text", key = "password", word = "json_syntax",
      says = "the text is not JSON, at byte 1" },
    { "a key of a list", secret = "%s/list", key = "password", word = "not_an_object",
      says = "the text is not a JSON object" },
    { "a key of JSON cut short", secret = "%s/cut", key = "password", word = "json_syntax",
      says = "the text is not JSON, at byte 18" },
    { "a key that is there twice", secret = "%s/twice", key = "password",
      word = "json_duplicate", says = "the JSON object has the key twice" },

    { "control bytes in AWS's text", secret = "ctl.%s", word = "invalid_request",
      says = "InvalidRequestException: a\\x1B[31mred\\x0D\\x0Aline\\x00end\\x7F\\xC2\\x85" },
    { "bytes beyond ASCII and a backslash in the name", secret = "missing.%s\\n\195\164\194\133",
      word = "not_found", says = 'secret "missing.%s\\\\n\\xC3\\xA4\\xC2\\x85" in us-east-1' },
    { "bytes beyond ASCII in the key", secret = "close.%s", key = "\194\133",
      word = "key_not_found", says = 'key "\\xc2\\x85"' },
    { "control bytes in the name", secret = "%s%%0A2026 [alert] forged%%1B", calls = 0,
      at_once = true, word = "bad_reference", says = "\\x0a2026 [alert] forged\\x1b" },
    { "control bytes in the key", secret = "no.%s", key = "%%0D%%0Aforged", calls = 0,
      at_once = true, word = "bad_reference", says = '\\x0d\\x0aforged' },
    { "an older version than the previous", secret = "old.%s", after = "#3", calls = 0,
      at_once = true, word = "bad_reference", says = "#3" },
}

local servers, certificates -- what is asked
local shown = {} -- all texts that people get to see

local function start_servers()
    certificates = tls.make()
    local function fake(cert, key)
        return aws.start { cert = cert, key = key, args = {
            "--access-key", KEYS.AWS_ACCESS_KEY_ID, "--secret-key", KEYS.AWS_SECRET_ACCESS_KEY,
            "--session-token", KEYS.AWS_SESSION_TOKEN } }
    end
    servers = { fake = fake(), refusing = network.refusing(),
                wrong = fake(certificates.wrong_cert, certificates.wrong_key) }
    for _, asker in ipairs { "worker", "command" } do
        for name, text in pairs(SECRETS) do
            servers.fake:put(asker .. name, text)
        end
    end
end

local function stop_servers()
    for _, server in pairs(servers or {}) do
        (server.stop or server.close)(server)
    end
    if certificates then
        certificates:remove()
    end
end

local function environment(more)
    local env = { AWS_REGION = "us-east-1", AWS_CA_BUNDLE = certificates.ca,
                  AWS_EC2_METADATA_DISABLED = "true" } -- nothing leaves this machine
    for name, value in pairs(KEYS) do
        env[name] = value
    end
    for name, value in pairs(more or {}) do
        env[name] = value or nil
    end
    return env
end

local function secret_of(row, asker)
    return row.secret:format(asker)
end

local function path_of(row, asker)
    return secret_of(row, asker) .. "/" .. (row.key or ""):format() .. (row.after or "")
end

-- What came of each on the command line; nothing is on standard output.
local function run_commands(references)
    local answers = command.get(references)
    for _, answer in ipairs(answers) do
        shown[#shown + 1] = answer.errors
        assert.same({ 1, "" }, { answer.code, answer.output })
    end
    return answers
end

local function run_all_commands()
    local references = {}
    for i, row in ipairs(ROWS) do
        references[i] = { "aws/" .. path_of(row, "command"), env = environment {
            AWS_ENDPOINT_URL_SECRETS_MANAGER = servers.fake.url } }
    end
    return run_commands(references)
end

local function assert_hidden(text)
    assert.is_nil(text:find(CANARY, 1, true), text)
end

local function assert_failed(row, asker, answer)
    assert.is_nil(answer.value)
    assert.equal(row.word, answer.word)
    assert.is_truthy(answer.message:find((row.says:gsub("%%s", asker)), 1, true), answer.message)
    assert_hidden(answer.message)
end

describe("a failed fetch", function()
    local worker
    local results = { worker = {}, command = {} }
    local calls, planted, sent = {}, nil, nil

    setup(function()
        start_servers()
        worker = gateway.start { env = environment { AWS_ENDPOINT_URL = servers.fake.url } }
        local asked = {}
        for i, row in ipairs(ROWS) do
            asked[i] = worker:ask(("{vault://aws/%s}"):format(path_of(row, "worker")))
        end
        for i = 1, #ROWS do
            results.worker[i] = gateway.read(asked[i])
        end
        results.command = run_all_commands()
        calls = servers.fake:stats().by_name
        planted = worker:get("{vault://aws/worker/password}").value
        sent = servers.fake:last().headers
        worker:stop()
        shown[#shown + 1] = worker:error_log()
    end)
    teardown(function()
        if worker then
            worker:stop()
        end
        stop_servers()
    end)

    for i, row in ipairs(ROWS) do
        it("in a worker: " .. row[1], function()
            local answer = results.worker[i]
            assert_failed(row, "worker", answer)
            assert.equal(row.calls or 1, calls[secret_of(row, "worker")] or 0)
            assert.equal(not row.at_once, answer.others)
        end)

        it("on the command line: " .. row[1], function()
            assert_failed(row, "command", results.command[i])
            assert.equal(row.calls or 1, calls[secret_of(row, "command")] or 0)
        end)
    end

    -- What the process has around it, one gateway each. env: false takes a variable away.
    local WORLDS = {
        { "no region", env = { AWS_REGION = false }, word = "no_region",
          says = { "no AWS region", "AWS_REGION", "AWS_DEFAULT_REGION", "no file " } },
        { "no credentials", env = { AWS_ACCESS_KEY_ID = false, AWS_SECRET_ACCESS_KEY = false },
          word = "no_credentials",
          says = { "no AWS credentials: environment (AWS_ACCESS_KEY_ID is not set), profile (",
                   "no file ", "/.aws/credentials", "/.aws/config" } },
        { "half a key", env = { AWS_SECRET_ACCESS_KEY = false }, word = "no_credentials",
          says = { "AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is set" } },
        { "no such profile", env = { AWS_ACCESS_KEY_ID = false, AWS_PROFILE = "no\nbody" },
          word = "bad_profile", says = { 'profile "no\\x0Abody"' } },
        { "a malformed profile", word = "bad_profile", file = "[default\nCANARY\n",
          env = { AWS_ACCESS_KEY_ID = false }, says = { "line 1 " } },
        { "a proxy that refuses connections", env = { http_proxy = "refusing" },
          word = "proxy_failed", says = { "Failed to connect", "(a proxy is configured)" } },
        { "a proxy that refuses the tunnel", at = "wrong", word = "proxy_failed",
          env = { https_proxy = "fake" }, says = { "404", "(a proxy is configured)" } },
        { "a CA file that is not there", at = "wrong", word = "tls_failed",
          env = { AWS_CA_BUNDLE = "/nonexistent/ca.pem" }, says = { "certificate" } },
    }

    local function world_env(world)
        local url = servers[world.at or "fake"].url
        local more = { AWS_ENDPOINT_URL = url, HOME = certificates.folder }
        for name, value in pairs(world.env) do
            more[name] = name:find("_proxy$")
                and servers[value].url:gsub("//", "//user:CANARY@") or value
        end
        if world.file then
            more.AWS_SHARED_CREDENTIALS_FILE = system.write(
                certificates.folder .. "/profile", world.file)
        end
        return environment(more)
    end

    local function assert_world(world, answer)
        assert.is_nil(answer.value)
        assert.equal(world.word, answer.word)
        for _, part in ipairs(world.says) do
            assert.is_truthy(answer.message:find(part, 1, true), answer.message)
        end
        assert_hidden(answer.message)
    end

    for _, world in ipairs(WORLDS) do
        it("in a worker and on the command line: " .. world[1], function()
            local env = world_env(world)
            local before = servers.fake:stats().by_name["world"] or 0
            local one = gateway.start { env = env }
            local answer = one:get("{vault://aws/world}")
            one:stop()
            shown[#shown + 1] = one:error_log()
            assert_world(world, answer)
            assert.is_true(answer.others)
            assert_world(world, run_commands({ { "aws/world", env = env } })[1])
            assert.equal(before, servers.fake:stats().by_name["world"] or 0)
        end)
    end

    it("reaches a server whose certificate it trusts", function()
        local trusted = aws.start { cert = certificates.cert, key = certificates.key,
                                    host = "localhost" }
        local env = trusted:env { AWS_CA_BUNDLE = certificates.ca }
        local one = gateway.start { env = env }
        local answer = one:get("{vault://aws/tls/name}")
        one:stop()
        local output = command.get({ { "aws/tls/name", env = env } })[1].value
        trusted:stop()
        assert.same({ "tls", "tls" }, { answer.value, output })
    end)

    it("shows no secret and no credential, in no message and no log", function()
        assert.is_true(#shown > #ROWS)
        assert.equal(CANARY, planted)
        assert.is_truthy(sent.authorization:find(CANARY) and
            sent["x-amz-security-token"]:find(CANARY))
        for _, text in ipairs(shown) do
            assert_hidden(text)
        end
    end)

    it("cannot be made to forge a line of the log", function()
        for _, text in ipairs(shown) do
            assert.is_nil(text:find("[%z\1-\9\11-\31\127-\255]"))
            assert.is_nil(("\n" .. text):find("\n2026 [alert]", 1, true))
        end
    end)
end)
