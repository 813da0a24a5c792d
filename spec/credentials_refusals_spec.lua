-- credentials_refusals_spec - a link of the chain that is there and does not work ends the chain,
-- with a message that says which it is and why, and nobody else's keys are used.

local asker = require "spec.support.asker"
local identity = require "spec.support.identity"
local network = require "spec.support.network"
local system = require "spec.support.system"

local ROLE = asker.ROLE
local LONG = ("n"):rep(65)

describe("a chain of credentials that", function()
    local world, elsewhere

    setup(function()
        world = asker.start()
        elsewhere = identity.elsewhere(world.folder)
    end)
    teardown(function()
        world:stop()
    end)
    before_each(function()
        world:reset()
    end)

    local function fails(word, says, env)
        return world:fails(word, says, env)
    end

    -- set  what the server is told; env: variables, over those of the link and of instance
    --      metadata, which must not be asked; calls: what was asked ({ container = 1 }, say)
    local function rows(link, list)
        for _, row in ipairs(list) do
            it(row[1], function()
                if row.set then
                    world.server:set(row.set)
                end
                local more = type(row.env) == "function" and row.env() or row.env
                local env = world:linked("imds", link)
                local calls = fails(row.word, row.says, asker.merge(env, more))
                assert.same(row.calls or {}, calls)
            end)
        end
    end

    describe("has a broken environment", function()
        rows("environment", {
            { "with a line's end in a key", word = "bad_config", says = { "AWS_ACCESS_KEY_ID",
              "white space" }, env = { AWS_ACCESS_KEY_ID = "AKIACANARY\nX-Evil: 1" } },
        })
    end)

    describe("has a container's agent", function()
        local URI, TOKEN = "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        local ONCE = { container = 1 }
        rows("container", {
            { "that is always broken", set = { container = { status = 500 } },
              word = "server_error", says = { "container", "HTTP 500", URI },
              calls = { container = 3 } },
            { "that forbids it", set = { container = { status = 403 } },
              word = "credentials_refused", says = { "container", "HTTP 403" }, calls = ONCE },
            { "that does not know the path", set = { container = { status = 404 } },
              word = "credentials_refused", says = { "HTTP 404" }, calls = ONCE },
            { "that wants another token, and shows ours", word = "credentials_refused",
              set = { container = { token = "x" } }, says = { "HTTP 401" },
              env = { [TOKEN] = "CANARY-token-of-mine" }, calls = ONCE },
            { "that answers half a JSON", set = { container = { raw = '{"AccessKeyId":"CANARY' } },
              word = "bad_response", says = { "HTTP 200: the text is not JSON" }, calls = ONCE },
            { "that answers without keys", set = { container = { raw = '{"Token":"CANARY"}' } },
              word = "bad_response", says = { "AccessKeyId is absent or empty" }, calls = ONCE },
            { "that answers with a key that is no key", word = "bad_response", calls = ONCE,
              set = { container = { raw = '{"AccessKeyId":"CAN ARY","SecretAccessKey":"CANARY",'
                  .. '"Token":"CANARY","Expiration":"2099-01-01T00:00:00Z"}' } },
              says = { "white space" } },
            { "that answers with no time", word = "bad_response", calls = ONCE,
              set = { container = { raw = '{"AccessKeyId":"CANARY","SecretAccessKey":"CANARY",'
                  .. '"Token":"CANARY","Expiration":"soon"}' } },
              says = { "Expiration is not a time" } },
            { "that answers more than there can be", set = { container = { huge = true } },
              word = "too_large", says = { "limit" }, calls = ONCE },
            { "that hands out what has expired", set = { container = { expired = true } },
              word = "expired_token", says = { "container", "expired" }, calls = ONCE },
            { "at an address that may not be asked", env = { [URI] = "http://192.0.2.1/x" },
              word = "bad_config", says = { URI, "may not be asked over plain http" } },
            { "at a relative URI that is another host",
              env = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "@192.0.2.1/x" },
              word = "bad_config", says = { "does not begin with a slash" } },
            { "at no URL", env = { [URI] = "gopher://localhost/x" }, word = "bad_config",
              says = { URI } },
            { "and a token with a line's end", env = { [TOKEN] = "CANARY\r\nX-Evil: 1" },
              word = "bad_config", says = { TOKEN, "line's end" } },
            { "and a token's file that is not there", word = "bad_config",
              env = { [TOKEN .. "_FILE"] = "/nonexistent/token", [TOKEN] = "CANARY" },
              says = { TOKEN .. "_FILE", "/nonexistent/token" } },
            { "and an empty token's file", word = "bad_config",
              env = function() return { [TOKEN .. "_FILE"] = world:write("empty", "") } end,
              says = { TOKEN .. "_FILE", "empty" } },
        })

        it("at a name that means another host than this", function()
            local env = world:linked("imds", "container")
            env[URI] = "http://169.254.170.2.nip.test/x"
            local answer = world:get(env)
            assert.is_nil(answer.value)
            assert.is_nil(answer.calls.container)
        end)
    end)

    describe("has a web identity", function()
        local FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
        local ONCE = { web_identity = 1 }
        rows("web", {
            { "whose file is not there", env = { [FILE] = "/nonexistent/token" },
              word = "bad_config", says = { "web identity", "/nonexistent/token" } },
            { "whose file is empty", word = "bad_config", says = { "token is empty" },
              env = function() return { [FILE] = world:write("empty", "") } end },
            { "with a malformed role", env = { AWS_ROLE_ARN = "role/one" }, word = "bad_config",
              says = { "role ARN" } },
            { "with a session name over 64", env = { AWS_ROLE_SESSION_NAME = LONG },
              word = "bad_config", says = { "role session name is over 64" } },
            { "with a session name of other letters", env = { AWS_ROLE_SESSION_NAME = "a b" },
              word = "bad_config", says = { "role session name" } },
            { "that is denied", set = { sts = { roles = { [ROLE .. "other"] = {} } } },
              word = "access_denied", says = { "AccessDenied: User: the token's subject is not",
                  "web identity" }, calls = ONCE },
            { "that has expired", set = { sts = { code = "ExpiredTokenException" } },
              word = "expired_token", says = { "ExpiredTokenException: planted" }, calls = ONCE },
            { "that STS does not know, and shows", set = { sts = { tokens = { "x" } } },
              word = "server_error", says = { "InvalidIdentityToken" },
              calls = { web_identity = 3 } },
            { "whose claim is rejected", set = { sts = { code = "IDPRejectedClaim" } },
              word = "credentials_refused", says = { "IDPRejectedClaim" }, calls = ONCE },
            { "whose answer is no XML", set = { sts = { raw = "<CANARY" } },
              word = "bad_response", says = { "HTTP 200: XML: " }, calls = ONCE },
            { "whose answer has a document type", word = "bad_response", calls = ONCE,
              set = { sts = { raw = '<!DOCTYPE x [<!ENTITY e "CANARY">]><x>&e;</x>' } },
              says = { "a document type" } },
            { "whose answer is empty", set = { sts = { raw = "" } }, word = "bad_response",
              says = { "HTTP 200: " }, calls = ONCE },
        })

        it("without a role is not one, and says so", function()
            local env = world:linked("web")
            env.AWS_ROLE_ARN = nil
            fails("no_credentials", { "web identity (", "AWS_ROLE_ARN is not set" }, env)
        end)

        it("whose STS is not there", function()
            local env = world:linked("imds", "web")
            env.AWS_ENDPOINT_URL_STS = "http://127.0.0.1:" .. system.free_port()
            assert.same({}, (fails("connect_failed", { "Failed to connect" }, env)))
        end)
    end)

    describe("has instance metadata", function()
        local KEYS = { token = 1, role = 1, credentials = 1 }
        rows("imds", {
            { "that is turned off", set = { imds = { mode = "disabled" } },
              word = "no_credentials", says = { "instance metadata is turned off" },
              calls = { token = 1, role = 1 } },
            { "of an instance without a role", set = { imds = { mode = "norole" } },
              word = "no_credentials", says = { "the instance has no role" },
              calls = { token = 1, role = 1 } },
            { "that hangs", set = { imds = { mode = "hang" } }, word = "no_credentials",
              says = { "timed out" }, calls = { token = 1, role = 1 } },
            { "that is version 1 where that is forbidden", word = "credentials_refused",
              env = { AWS_EC2_METADATA_V1_DISABLED = "true" },
              set = { imds = { mode = "v1only", put = 403 } },
              says = { "HTTP 403 for a token", "AWS_EC2_METADATA_V1_DISABLED is true" },
              calls = { token = 1 } },
            { "whose role may not be assumed", word = "credentials_refused", calls = KEYS,
              set = { imds = { code = "AssumeRoleUnauthorizedAccess" } },
              says = { "Code is not Success: AssumeRoleUnauthorizedAccess: planted refusal" } },
            { "that is broken", set = { imds = { status = 500 } }, word = "server_error",
              says = { "HTTP 500 for /latest/meta-data/iam/security-credentials/" },
              calls = { token = 1, role = 1 } },
            { "that is asked as often as is said", set = { imds = { status = 500 } },
              word = "server_error", says = { "HTTP 500" }, calls = { token = 1, role = 3 },
              env = { AWS_METADATA_SERVICE_NUM_ATTEMPTS = "3" } },
            { "that answers half a JSON", set = { imds = { raw = '{"Code":"Success","CANARY' } },
              word = "bad_response", says = { "the text is not JSON" }, calls = KEYS },
            { "that asks too much patience", env = { AWS_METADATA_SERVICE_TIMEOUT = "soon" },
              word = "bad_config", says = { "AWS_METADATA_SERVICE_TIMEOUT" } },
            { "at no URL", env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = "localhost" },
              word = "bad_config", says = { "AWS_EC2_METADATA_SERVICE_ENDPOINT" } },
            { "of a mode that is none", word = "bad_config",
              env = { AWS_EC2_METADATA_SERVICE_ENDPOINT = false,
                      AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv5" },
              says = { "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6" } },
            { "that nobody may ask", env = { AWS_EC2_METADATA_DISABLED = "TRUE" },
              word = "no_credentials", says = { "AWS_EC2_METADATA_DISABLED is true" } },
        })

        it("that knows no region", function()
            world.server:set { imds = { region = false } }
            local env = world:linked("imds")
            env.AWS_REGION = nil
            fails("no_region", { "the instance knows no region" }, env)
        end)
    end)

    describe("has a profile", function()
        local function profile(text, more)
            return function()
                return asker.merge({ AWS_CONFIG_FILE = world:write("broken", text) }, more)
            end
        end
        local KEYS = "aws_access_key_id = CANARY\naws_secret_access_key = CANARY\n"
        local ONE = "role_arn = " .. ROLE .. "one\n"
        local P = { AWS_PROFILE = "p" }
        rows("container", {
            { "that is not there, beside [default]'s keys", word = "bad_profile",
              env = profile("[default]\n" .. KEYS, P), says = { 'profile "p"', "no section" } },
            { "with half a key", env = profile("[default]\naws_access_key_id = CANARY\n"),
              word = "bad_profile", says = { "aws_secret_access_key" } },
            { "of a malformed file", env = profile("[default\nCANARY\n"), word = "bad_profile",
              says = { "line 1 " } },
            { "with a role and no source", env = profile("[default]\n" .. ONE),
              word = "bad_profile", says = { "no source_profile, credential_source or" } },
            { "with a role and two sources", word = "bad_profile",
              env = profile("[default]\n" .. ONE .. "source_profile = b\ncredential_source = "
                  .. "EcsContainer\n"),
              says = { "both source_profile and credential_source" } },
            { "with a role and an unknown source", word = "bad_profile",
              env = profile("[default]\n" .. ONE .. "credential_source = Ec2\n"),
              says = { "credential_source that is none of" } },
            { "with a role and an absent source", word = "bad_profile",
              env = profile("[default]\n" .. ONE .. "source_profile = nobody\n"),
              says = { '"nobody"' } },
            { "whose source goes in a circle", word = "bad_profile",
              env = profile("[profile p]\n" .. ONE .. "source_profile = q\n[profile q]\n" .. ONE
                  .. "source_profile = p\n", P),
              says = { "circle", '"p"', '"q"' } },
            { "that needs somebody's code", word = "bad_profile", says = { "mfa_serial" },
              env = profile("[default]\n" .. ONE .. "source_profile = b\nmfa_serial = x\n") },
            { "whose session is too short", word = "bad_profile", says = { "duration_seconds" },
              env = profile("[default]\n" .. ONE .. "credential_source = EcsContainer\n"
                  .. "duration_seconds = 899\n") },
            { "with a session name over 64", word = "bad_config",
              env = profile("[default]\n" .. ONE .. "credential_source = EcsContainer\n"
                  .. "role_session_name = " .. LONG .. "\n"),
              says = { "role session name is over 64" } },
        })

        it("whose role's source has nothing", function()
            local env = world:env(profile("[default]\n" .. ONE
                .. "credential_source = EcsContainer\n")())
            local answer = world:get(env)
            assert.is_nil(answer.value)
            assert.matches("AWS_CONTAINER_CREDENTIALS", answer.message)
            assert.equal(0, world.aws:stats().calls)
        end)
    end)

    describe("ends in a role", function()
        local function role(name, more)
            return asker.merge({ KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. name }, more)
        end
        rows("environment", {
            { "that is denied: the base is not used instead", word = "access_denied",
              set = { sts = { roles = { [ROLE .. "other"] = {} } } }, env = role("one"),
              says = { "AccessDenied: User: environment is not authorized", ROLE .. "one" },
              calls = { assume_role = 1 } },
            { "with a wrong external id", word = "access_denied",
              set = { sts = { roles = { [ROLE .. "one"] = { external_id = "right" } } } },
              env = role("one", { KONG_VAULT_AWS_EXTERNAL_ID = "wrong" }),
              says = { "AccessDenied" }, calls = { assume_role = 1 } },
            { "with a session name over 64", word = "bad_config",
              env = role("one", { KONG_VAULT_AWS_ROLE_SESSION_NAME = LONG }),
              says = { "KONG_VAULT_AWS_ROLE_SESSION_NAME", "64" } },
            { "with a malformed external id", word = "bad_config", says = { "external id" },
              env = role("one", { KONG_VAULT_AWS_EXTERNAL_ID = "a b" }) },
            { "that is no role", word = "bad_config", says = { "KONG_VAULT_AWS_ASSUME_ROLE_ARN" },
              env = { KONG_VAULT_AWS_ASSUME_ROLE_ARN = "arn:aws:iam::1:user/x" } },
            { "that STS throttles for ever", set = { sts = { code = "Throttling" } },
              env = role("one"), word = "throttled", says = { "Throttling: planted" },
              calls = { assume_role = 3 } },
            { "that STS fails at", set = { sts = { status = 503 } }, env = role("one"),
              word = "server_error", says = { "HTTP 503" }, calls = { assume_role = 3 } },
        })

        it("for keys that STS does not know", function()
            local env = asker.merge(world:linked("environment"), role("one"))
            world.server:refuse("environment", "UnrecognizedClientException")
            local calls = fails("credentials_refused", { "assuming the role",
                ROLE .. "one: InvalidClientTokenId: " }, env)
            assert.is_true(calls.assume_role <= 2)
        end)

        it("in the middle of a chain of profiles", function()
            world.server:set { sts = { roles = { [ROLE .. "one"] = {} } } }
            local config = world:config {
                ["profile two"] = { role_arn = ROLE .. "two", source_profile = "one" },
                ["profile one"] = { role_arn = ROLE .. "one", source_profile = "base" },
                ["profile base"] = world:keys("base") }
            config.AWS_PROFILE = "two"
            local calls = fails("access_denied", { "User: one is not authorized", ROLE .. "two" },
                world:env(config))
            assert.same({ assume_role = 2 }, calls)
        end)
    end)

    describe("has nothing, off AWS,", function()
        local silent

        before_each(function()
            silent = network.silent()
        end)
        after_each(function()
            silent:close()
        end)

        local function nowhere(more)
            return world:env({ AWS_EC2_METADATA_DISABLED = false, LD_PRELOAD = elsewhere,
                               VAULT_SPEC_METADATA = tostring(silent.port) }, more)
        end

        it("says so in time, and of each link why", function()
            local _, answer = fails("no_credentials", { "no AWS credentials: ",
                "environment (AWS_ACCESS_KEY_ID is not set)", "profile (no file ",
                "container (neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor",
                "web identity (", "AWS_WEB_IDENTITY_TOKEN_FILE",
                "instance metadata at http://169.254.169.254" }, nowhere())
            assert.is_true(answer.time < 3, answer.time)
        end)

        it("and no region, says where both were looked for", function()
            local _, answer = fails("no_region", { "no AWS region: ", "KONG_VAULT_AWS_REGION",
                "AWS_REGION", "AWS_DEFAULT_REGION", "profile (", "instance metadata" },
                nowhere { AWS_REGION = false })
            assert.is_true(answer.time < 3, answer.time)
        end)
    end)
end)
