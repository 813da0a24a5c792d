-- failures_spec - every failure is nil, a message and a word, and none of them shows a secret.
--
-- Each row is asked for twice: in a worker, where nothing else may stand still meanwhile, and on
-- the command line, which runs the same fetch on its own thread.

local aws = require "spec.support.aws"
local gateway = require "spec.support.gateway"
local network = require "spec.support.network"
local process = require "spec.support.process"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

-- Whatever may never be shown holds this word.
local CANARY = "CANARY"
local KEYS = {
    AWS_ACCESS_KEY_ID = "AKIACANARYKEYID", AWS_SECRET_ACCESS_KEY = "CANARY/secret+key/0123456789",
    AWS_SESSION_TOKEN = ("CANARY/session+token=="):rep(20),
}
local SECRETS = {
    [""] = '{"password":"CANARY","number":17,"list":["CANARY"]}',
    ["/text"] = "CANARY is no JSON",
    ["/list"] = '["CANARY"]',
    ["/cut"] = '{"other":"CANARY"',
    ["/twice"] = '{"password":"CANARY","password":"CANARY"}',
}

-- secret  behaviour words of fake_aws.py; "%s" is where the name goes that counts the calls
-- key     of the secret; at: which server is asked ("fake"); short: a vault with a timeout of 1 s
-- word, says: a part of the message, as it is; calls: that the server saw (1)
-- tries   attempts that the message speaks of, where it speaks of any
-- at_once it fails before anything is fetched
local ROWS = {
    { "no such secret", secret = "missing.%s", word = "not_found",
      says = "ResourceNotFoundException: Secrets Manager can't find the specified secret." },
    { "access denied", secret = "denied.%s", word = "access_denied",
      says = "AccessDeniedException: User is not authorized to perform" },
    { "an invalid parameter", secret = "code-InvalidParameterException.%s",
      word = "invalid_request", says = "InvalidParameterException: planted" },
    { "an invalid request", secret = "code-InvalidRequestException.%s", word = "invalid_request",
      says = "InvalidRequestException: planted" },
    { "KMS cannot decrypt", secret = "code-DecryptionFailure.%s", word = "decryption_failed",
      says = "DecryptionFailure: planted" },
    { "an error code nobody knows", secret = "code-BrandNewException.%s", word = "rejected",
      says = "BrandNewException: planted" },
    { "a 404 with an unknown code", secret = "status-404.%s", word = "rejected",
      says = "UnknownError: planted" },
    -- The providers are read once more: the keys may have been rotated.
    { "an expired token", secret = "expired.%s", word = "expired_token", calls = 2, tries = 2,
      says = "ExpiredTokenException: The security token included in the request is expired" },
    { "an unknown key", secret = "code-UnrecognizedClientException.%s", calls = 2, tries = 2,
      word = "credentials_refused", says = "UnrecognizedClientException: planted" },
    { "a refused signature, the request shown back", secret = "leak.%s", calls = 2, tries = 2,
      word = "credentials_refused",
      says = "InvalidSignatureException: The Canonical String should have been" },

    { "throttling, as HTTP 400", secret = "code-ThrottlingException.%s", word = "throttled",
      says = "ThrottlingException: planted", calls = 3, tries = 3 },
    { "throttling, as HTTP 429", secret = "html-429.%s", word = "throttled", says = "HTTP 429",
      calls = 3, tries = 3 },
    { "an internal error, as HTTP 400", secret = "code-InternalServiceError.%s", calls = 3,
      tries = 3, word = "server_error", says = "InternalServiceError: planted" },
    { "a clock too skewed", secret = "code-RequestTimeTooSkewed.%s", calls = 3, tries = 3,
      word = "clock_skew", says = "RequestTimeTooSkewed: planted" },
    { "a 500", secret = "status-500.%s", word = "server_error", calls = 3, tries = 3,
      says = "InternalServiceError: planted" },
    { "a 503", secret = "status-503.%s", word = "server_error", calls = 3, tries = 3,
      says = "ServiceUnavailableException: planted" },
    { "a 502 that is not AWS's", secret = "html-502.%s", word = "server_error", calls = 3,
      tries = 3, says = "HTTP 502" },

    { "a redirect", secret = "redirect.%s", word = "bad_response", says = "HTTP 302" },
    { "malformed JSON", secret = "malformed.%s", word = "bad_response",
      says = "HTTP 200: the text is not JSON, at byte 41" },
    { "neither string nor binary", secret = "novalue.%s", word = "bad_response",
      says = "HTTP 200: SecretString and SecretBinary are both absent" },
    { "a body over its limit", secret = "huge.%s", word = "too_large",
      says = "the answer is over its limit of 524288 bytes" },
    { "a secret over 64 KiB", secret = "big65537.%s", word = "too_large",
      says = "HTTP 200: the secret is over 65536 bytes" },
    { "a truncated body", secret = "truncate.%s", at = "breaks", word = "connection_lost",
      calls = 3, tries = 3, says = "1000 bytes remaining" },
    { "a reset before the answer", secret = "reset-before.%s", at = "breaks", calls = 3,
      tries = 3, word = "connection_lost", says = "reset" },
    { "a reset in the headers", secret = "reset-headers.%s", at = "breaks", calls = 3,
      tries = 3, word = "connection_lost", says = "reset" },
    { "a reset in the body", secret = "reset-body.%s", at = "breaks", calls = 3, tries = 3,
      word = "connection_lost", says = "reset" },

    { "no answer in time", secret = "hang.%s", short = true, word = "timeout",
      says = "timed out after" },
    { "an answer too slow", secret = "drip-100.%s", short = true, word = "timeout",
      says = "timed out after" },
    { "a host that is not there", secret = "%s", at = "silent", short = true,
      word = "connect_failed", says = "timed out after", calls = 0 },
    { "a refused connection", secret = "%s", at = "refusing", word = "connect_failed",
      says = "Failed to connect to 127.0.0.1 port", calls = 0, tries = 3 },
    { "a certificate nobody trusts", secret = "%s", at = "untrusted", word = "tls_failed",
      says = "SSL certificate problem", calls = 0 },
    { "a certificate of another host", secret = "%s", at = "wrong", word = "tls_failed",
      says = "subject name", calls = 0 },

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

local servers, endpoints, certificates -- what is asked
local shown = {} -- all texts that people get to see

local function start_servers()
    certificates = tls.make()
    local function fake(cert, key)
        return aws.start { cert = cert, key = key, args = {
            "--access-key", KEYS.AWS_ACCESS_KEY_ID, "--secret-key", KEYS.AWS_SECRET_ACCESS_KEY,
            "--session-token", KEYS.AWS_SESSION_TOKEN } }
    end
    servers = {}
    servers.fake, servers.breaks = fake(), fake()
    servers.untrusted = fake(certificates.other_ca, certificates.folder .. "/other.key")
    servers.wrong = fake(certificates.wrong_cert, certificates.wrong_key)
    servers.silent, servers.refusing = network.silent(), network.refusing()
    endpoints = {}
    for name, server in pairs(servers) do
        endpoints[name] = server.url
    end
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

local function entities()
    local list = {}
    local entity = '{ prefix = "%s%s", name = "aws", config = { endpoint_url = %q%s } }'
    for name, url in pairs(endpoints) do
        for suffix, timeout in pairs { [""] = "", ["-short"] = ", timeout = 1" } do
            list[#list + 1] = entity:format(name, suffix, url, timeout)
        end
    end
    return "vaults = { " .. table.concat(list, ", ") .. " }"
end

local function secret_of(row, asker)
    return row.secret:format(asker)
end

local function path_of(row, asker)
    return secret_of(row, asker) .. "/" .. (row.key or ""):format() .. (row.after or "")
end

local function ask_worker(worker, row)
    local prefix = (row.at or "fake") .. (row.short and "-short" or "")
    return worker:ask(("{vault://%s/%s}"):format(prefix, path_of(row, "worker")))
end

-- "vaults get": started; its end is { message, word } and no value.
local function ask_command(reference, env)
    return process.start { "bin/vaults", "get", reference, env = env, clear_env = true }
end

local function end_command(asked)
    local code = asked:wait(60)
    local output, errors = asked:output(), asked:errors()
    asked:stop()
    shown[#shown + 1] = errors
    assert.same({ 1, "" }, { code, output })
    local message, word = errors:match("^vaults: ([^\n]*) %[([%l_]+)%]\n$")
    return { message = message or errors, word = word }
end

local function run_command(row)
    return ask_command("aws/" .. path_of(row, "command"), environment {
        AWS_ENDPOINT_URL_SECRETS_MANAGER = endpoints[row.at or "fake"],
        KONG_VAULT_AWS_TIMEOUT = row.short and "1" or nil })
end

-- At most so many at a time: this machine has other things to do.
local function run_all_commands(results)
    local most = 8
    for first = 1, #ROWS, most do
        local asked = {}
        for i = first, math.min(first + most - 1, #ROWS) do
            asked[i] = run_command(ROWS[i])
        end
        for i, one in pairs(asked) do
            results[i] = end_command(one)
        end
    end
end

local function assert_hidden(text)
    assert.is_nil(text:find(CANARY, 1, true), text)
end

local function assert_failed(row, asker, answer)
    assert.is_nil(answer.value)
    assert.equal(row.word, answer.word)
    assert.is_truthy(answer.message:find((row.says:gsub("%%s", asker)), 1, true), answer.message)
    local tries = tonumber(answer.message:match(" %((%d+) attempts%)$"))
    assert.equal(row.tries, tries)
    assert_hidden(answer.message)
end

describe("a failed fetch", function()
    local worker
    local results = { worker = {}, command = {} }
    local calls, planted, sent = {}, nil, nil

    local function calls_of(row, asker)
        return calls[(row.at or "fake") .. " " .. secret_of(row, asker)] or 0
    end

    setup(function()
        start_servers()
        worker = gateway.start { env = environment(), init = entities() }
        local asked = {}
        for i, row in ipairs(ROWS) do
            asked[i] = ask_worker(worker, row)
        end
        for i = 1, #ROWS do
            results.worker[i] = gateway.read(asked[i])
        end
        run_all_commands(results.command)
        for _, server in ipairs { "fake", "breaks", "untrusted", "wrong" } do
            for name, number in pairs(servers[server]:stats().by_name) do
                calls[server .. " " .. name] = number
            end
        end
        planted = worker:get("{vault://fake/worker/password}").value
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
            assert.equal(row.calls or 1, calls_of(row, "worker"))
            assert.equal(not row.at_once, answer.others)
        end)

        it("on the command line: " .. row[1], function()
            assert_failed(row, "command", results.command[i])
            assert.equal(row.calls or 1, calls_of(row, "command"))
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
        local url = endpoints[world.at or "fake"]
        local more = { AWS_ENDPOINT_URL = url, HOME = certificates.folder }
        for name, value in pairs(world.env) do
            more[name] = name:find("_proxy$")
                and endpoints[value]:gsub("//", "//user:CANARY@") or value
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
            assert_world(world, end_command(ask_command("aws/world", env)))
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
        local command = ask_command("aws/tls/name", env)
        command:wait()
        local output = command:output()
        command:stop()
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
