-- credentials_spec - whose keys a secret is read with: every link of the chain, in its order.

local asker = require "spec.support.asker"
local child = require "spec.support.child"
local identity = require "spec.support.identity"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local LINKS, ROLE = asker.LINKS, asker.ROLE

describe("the chain of credentials", function()
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

    local function reads_as(caller, env)
        return world:reads_as(caller, env)
    end

    local function only_record(kind)
        return world:only_record(kind)
    end

    describe("takes", function()
        for i, first in ipairs(LINKS) do
            it(first .. " alone", function()
                reads_as(first, world:linked(first))
            end)
            for j = i + 1, #LINKS do
                it(first .. " before " .. LINKS[j], function()
                    reads_as(first, world:linked(first, LINKS[j]))
                end)
            end
        end

        it("a vault's own keys before all of them", function()
            local keys = world.server:issue("vault")
            local out = child.lua(([[
                local vault = require "vault"
                vault.init { vaults = { { prefix = "mine", name = "aws", config = {
                    access_key_id = %q, secret_access_key = %q, session_token = %q } } } }
                io.write(tostring(vault.get("{vault://mine/s/name}")), " ",
                    tostring(vault.get("{vault://aws/s/name}")))
            ]]):format(keys.access_key, keys.secret_key, keys.token), world:linked(unpack(LINKS)))
            assert.equal("s s", out)
            assert.same({ vault = 1, environment = 1 }, world.aws:stats().by_caller)
        end)

        local HALVES = {
            { "half an environment as none", { AWS_ACCESS_KEY_ID = "AKIACANARY" } },
            { "the other half as none", { AWS_SECRET_ACCESS_KEY = "CANARY" } },
            { "an empty half as none", { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "x" } },
        }
        for _, row in ipairs(HALVES) do
            it(row[1], function()
                reads_as("container", asker.merge(world:linked("container"), row[2]))
            end)
        end
    end)

    describe("asks instance metadata", function()
        -- what it does, and what is asked of it then
        local ROWS = {
            { "version 2", { mode = "v2only" }, { token = 1, role = 1, credentials = 1 } },
            { "version 1, where a token is forbidden", { mode = "v1only", put = 403 },
              { token = 1, role = 1, credentials = 1 } },
            { "version 1, where there are no tokens", { mode = "v1only", put = 404 },
              { token = 1, role = 1, credentials = 1 } },
            { "version 1, where PUT is not known", { mode = "v1only", put = 405 },
              { token = 1, role = 1, credentials = 1 } },
            { "version 1, where the token does not come", { mode = "v1only", put = "hang" },
              { token = 1, role = 1, credentials = 1 } },
            { "for another token, once", { mode = "v2only", once401 = true },
              { token = 2, role = 2, credentials = 1 } },
            { "and takes expired keys, which AWS takes as well", { expired = true },
              { token = 1, role = 1, credentials = 1 } },
            { "for a role with every character there can be", { role = "A_z+9=,.@-" },
              { token = 1, role = 1, credentials = 1 } },
        }
        for _, row in ipairs(ROWS) do
            it(row[1], function()
                world.server:set { imds = row[2] }
                assert.same(row[3], reads_as("imds", world:linked("imds")))
            end)
        end

        it("at AWS's address, by no proxy", function()
            local env = world:linked("imds")
            reads_as("imds", asker.merge(env, {
                AWS_EC2_METADATA_SERVICE_ENDPOINT = false, LD_PRELOAD = elsewhere,
                VAULT_SPEC_METADATA = tostring(world.server.port),
                http_proxy = "http://127.0.0.1:" .. system.free_port(), no_proxy = "127.0.0.1",
            }))
            assert.is_false(only_record("credentials").proxied)
            assert.equal("169.254.169.254", only_record("credentials").headers.host)
        end)

        it("for the region, where nothing else has one", function()
            world.server:set { imds = { mode = "v2only", region = "eu-west-3" } }
            local calls = reads_as("imds", asker.merge(world:linked("imds"),
                { AWS_REGION = false }))
            assert.equal(1, calls.region)
            assert.matches("/eu%-west%-3/secretsmanager/aws4_request",
                world.aws:last().headers.authorization)
        end)
    end)

    describe("asks a container's agent", function()
        it("with the token of the variable", function()
            world.server:set { container = { token = "CANARY let me in" } }
            reads_as("container", asker.merge(world:linked("container"),
                { AWS_CONTAINER_AUTHORIZATION_TOKEN = "CANARY let me in" }))
        end)

        it("with the file's token rather, and without its line's end", function()
            world.server:set { container = { token = "CANARY of the file" } }
            reads_as("container", asker.merge(world:linked("container"), {
                AWS_CONTAINER_AUTHORIZATION_TOKEN = "CANARY of the variable",
                AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE =
                    world:write("agent", "CANARY of the file\n") }))
            assert.equal("CANARY of the file", only_record("container").headers.authorization)
        end)

        it("at ECS's address, rather than at a full URI", function()
            reads_as("container", asker.merge(world:linked("container"), {
                AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/1?a=b",
                LD_PRELOAD = elsewhere, VAULT_SPEC_METADATA = tostring(world.server.port),
                http_proxy = "http://127.0.0.1:" .. system.free_port(), no_proxy = "127.0.0.1",
            }))
            local record = only_record("container")
            assert.same({ "169.254.170.2", "/v2/credentials/1", false },
                { record.headers.host, record.path, record.proxied })
        end)

        it("again after a failure", function()
            world.server:set { container = { fail = 1, status = 500 } }
            assert.same({ container = 2 }, reads_as("container", world:linked("container")))
        end)

        it("by TLS, whose certificate is checked", function()
            local certificates = tls.make()
            local server = identity.start(world.aws, certificates)
            local env = world:env { AWS_CONTAINER_CREDENTIALS_FULL_URI = server.url
                                    .. "/container" }
            local refused = world:get(env)
            env.AWS_CA_BUNDLE = certificates.ca
            local answer = world:get(env)
            server:stop()
            certificates:remove()
            assert.equal("tls_failed", refused.word)
            assert.same({ "container" }, { answer.caller, answer.message })
        end)
    end)

    describe("exchanges a web identity's token", function()
        it("unsigned, for the role of the variable", function()
            world.server:set { sts = { tokens = { "CANARY.web.identity-token" } } }
            assert.same({ web_identity = 1 }, reads_as("web", world:linked("web")))
            local record = only_record("web_identity")
            assert.is_nil(record.headers.authorization)
            assert.is_nil(record.headers["x-amz-date"])
            assert.same({ "2011-06-15", ROLE .. "web", nil }, {
                record.Version, record.RoleArn, record.ExternalId })
        end)

        it("with the session name of the variable", function()
            reads_as("web", asker.merge(world:linked("web"),
                { AWS_ROLE_SESSION_NAME = "me@pod" }))
            assert.equal("me@pod", only_record("web_identity").RoleSessionName)
        end)

        it("at Kong's endpoint of STS, which goes before AWS's", function()
            reads_as("web", asker.merge(world:linked("web"), {
                KONG_VAULT_AWS_STS_ENDPOINT_URL = world.server.url,
                AWS_ENDPOINT_URL_STS = "http://127.0.0.1:" .. system.free_port() }))
        end)

        it("at the endpoint of the profile", function()
            local env = world:linked("web")
            env.AWS_ENDPOINT_URL_STS = nil
            env.AWS_CONFIG_FILE = world:write("endpoints", "[default]\nservices = here\n"
                .. "[services here]\nsts =\n  endpoint_url = " .. world.server.url .. "\n")
            reads_as("web", env)
        end)

        it("of JSON's kind too", function()
            world.server:set { sts = { json = true } }
            reads_as("web", world:linked("web"))
        end)

        it("again after throttling", function()
            world.server:set { sts = { code = "Throttling", fail = 1 } }
            assert.same({ web_identity = 2 }, reads_as("web", world:linked("web")))
        end)

        it("of a profile's", function()
            world:write("token", "CANARY.of.the.profile")
            world.server:set { sts = { tokens = { "CANARY.of.the.profile" } } }
            reads_as("one", world:env(world:config { default = {
                role_arn = ROLE .. "one", web_identity_token_file = "~/token",
                role_session_name = "profile-session", duration_seconds = "900" } }))
            local record = only_record("web_identity")
            assert.same({ "profile-session", "900" },
                { record.RoleSessionName, record.DurationSeconds })
        end)
    end)

    describe("assumes a role", function()
        local function role(name, more)
            return asker.merge({ KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. name }, more)
        end

        for _, link in ipairs(LINKS) do
            it("with what the link has: " .. link, function()
                local roles = { [ROLE .. "top"] = { by = link } }
                roles[ROLE .. "web"] = {}
                world.server:set { sts = { roles = roles } }
                local calls = reads_as("top", asker.merge(world:linked(link), role("top")))
                assert.equal(1, calls.assume_role)
                local record = only_record("assume_role")
                assert.same({ link, "KongVault" }, { record.caller, record.RoleSessionName })
                assert.is_nil(record.ExternalId)
                assert.matches("/us%-east%-1/sts/aws4_request", record.headers.authorization)
            end)
        end

        it("with external id and session name", function()
            world.server:set { sts = { roles = { [ROLE .. "x"] = { external_id = "a:b/c=1" } } } }
            reads_as("x", asker.merge(world:linked("environment"), role("x", {
                KONG_VAULT_AWS_EXTERNAL_ID = "a:b/c=1",
                KONG_VAULT_AWS_ROLE_SESSION_NAME = ("n"):rep(64) })))
            assert.equal(("n"):rep(64), only_record("assume_role").RoleSessionName)
        end)

        it("through a chain of three profiles, and a fourth on top", function()
            world.server:set { sts = { roles = {
                [ROLE .. "one"] = { by = "base", external_id = "e-1" }, [ROLE .. "two"] =
                { by = "one" }, [ROLE .. "three"] = { by = "two" }, [ROLE .. "top"] =
                { by = "three" } } } }
            local config = world:config {
                ["profile three"] = { role_arn = ROLE .. "three", source_profile = "two",
                                      role_session_name = "third" },
                ["profile two"] = { role_arn = ROLE .. "two", source_profile = "one",
                                    duration_seconds = "1000" },
                ["profile one"] = { role_arn = ROLE .. "one", source_profile = "base",
                                    external_id = "e-1" },
                ["profile base"] = world:keys("base") }
            config.AWS_PROFILE = "three"
            reads_as("top", world:env(config, role("top")))
            local seen = {}
            for i, record in ipairs(world.server:records("assume_role")) do
                seen[i] = { record.caller, record.RoleArn:match("[^/]+$"), record.ExternalId,
                            record.DurationSeconds }
            end
            assert.same({ { "base", "one", "e-1" }, { "one", "two", nil, "1000" },
                          { "two", "three" }, { "three", "top" } }, seen)
            assert.equal("third", world.server:records("assume_role")[3].RoleSessionName)
        end)

        local SOURCES = { Environment = "environment", EcsContainer = "container",
                          Ec2InstanceMetadata = "imds" }
        for source, link in pairs(SOURCES) do
            it("with credential_source = " .. source, function()
                world.server:set { sts = { roles = { [ROLE .. "one"] = { by = link } } } }
                local env = asker.merge(world:linked(link), world:config {
                    ["profile p"] = { role_arn = ROLE .. "one", credential_source = source } })
                env.AWS_PROFILE = "p"
                -- The environment's keys go before a profile of the environment's.
                reads_as(source == "Environment" and "environment" or "one", env)
            end)
        end

        it("again after throttling, within the fetch's time", function()
            world.server:set { sts = { code = "Throttling", fail = 1 } }
            local calls = reads_as("x", asker.merge(world:linked("environment"), role("x")))
            assert.same({ assume_role = 2 }, calls)
        end)
    end)

    it("reads keys of the credentials file before those of the config file", function()
        local env = world:env(world:config { default = world:keys("of-config") })
        env.AWS_SHARED_CREDENTIALS_FILE = world:write("credentials",
            identity.config { default = world:keys("of-credentials") })
        reads_as("of-credentials", env)
    end)

    it("reads ~/.aws", function()
        system.must("mkdir -p " .. world.folder .. "/.aws")
        world:write(".aws/credentials", identity.config { other = world:keys("at-home") })
        reads_as("at-home", world:env { AWS_PROFILE = "other" })
        system.must("rm -r " .. world.folder .. "/.aws")
    end)

    it("takes the region of the profile, for STS too", function()
        local env = world:env(world:config {
            default = asker.merge(world:keys("base"), { region = "eu-west-1" }) })
        env.AWS_REGION, env.KONG_VAULT_AWS_ASSUME_ROLE_ARN = nil, ROLE .. "x"
        reads_as("x", env)
        assert.matches("/eu%-west%-1/sts/", only_record("assume_role").headers.authorization)
        assert.matches("/eu%-west%-1/secretsmanager/", world.aws:last().headers.authorization)
    end)

    -- What AWS refuses is asked for once more, where there may be newer.
    it("asks again for keys that AWS does not know any more", function()
        local answer = world:get(world:linked("imds"), "aws/code-ExpiredTokenException.a")
        assert.equal("expired_token", answer.word)
        assert.equal(2, answer.calls.credentials)
    end)
end)
