-- credentials_profile_spec - profiles with IAM Identity Center: from the login to the secret, and
-- every way in which that fails.

local asker = require "spec.support.asker"
local cjson = require "cjson"
local identity = require "spec.support.identity"
local system = require "spec.support.system"

local ROLE = asker.ROLE
local URL = "https://start.test"
local CORP = { sso_region = "eu-west-1", sso_start_url = URL }
local READER = { sso_account_id = "012345678901", sso_role_name = "reader" }
local SESSION = asker.merge(READER, { sso_session = "corp" })
local LEGACY = asker.merge(READER, CORP)

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
        system.must("rm -rf " .. system.quote(world.folder) .. "/.aws")
    end)

    -- The variables for a config file with these sections and [sso-session corp].
    local function env(sections, more)
        return world:env(world:config(asker.merge({ ["sso-session corp"] = CORP }, sections)),
            { AWS_ENDPOINT_URL_SSO = world.server.url }, more)
    end

    local function login(name, members)
        return identity.login(world.folder, name or "corp", members)
    end

    -- set: what the server is told; login: the login's members, false for none; profile: the
    -- default profile; env: variables; calls: of the portal
    local function sso_rows(list)
        for _, row in ipairs(list) do
            it(row[1], function()
                if row.set then
                    world.server:set { sso = row.set }
                end
                if row.login ~= false then
                    login("corp", row.login)
                end
                assert.same({ sso = row.calls }, (world:fails(row.word, row.says,
                    env({ default = row.profile or SESSION }, row.env))))
            end)
        end
    end

    describe("with IAM Identity Center", function()
        local LOGIN = 'run "aws sso login"'
        local WHO = "IAM Identity Center (role reader of account 012345678901): "

        it("reads with the login of its session", function()
            login()
            assert.same({ sso = 1 }, world:reads_as("reader", env { default = SESSION }))
            local record = world:only_record("sso")
            assert.same({ "reader", "012345678901", "CANARY.sso.token" }, { record.role_name,
                record.account_id, record.headers["x-amz-sso_bearer_token"] })
            assert.is_nil(record.headers.authorization)
        end)

        it("reads with the login of its start URL", function()
            login(URL)
            world:reads_as("reader", env({ ["profile x"] = LEGACY }, { AWS_PROFILE = "x" }))
        end)

        it("reads with a login that an old command line wrote", function()
            login(URL, { expiresAt = os.date("!%Y-%m-%dT%H:%M:%SUTC", os.time() + 60) })
            world:reads_as("reader", env { default = LEGACY })
        end)

        it("goes before keys and programs of the same profile", function()
            login()
            world:reads_as("reader", env { default = asker.merge(SESSION, world:keys("keys"),
                { credential_process = "/nonexistent/CANARY" }) })
        end)

        it("goes by the proxy", function()
            login()
            world:reads_as("reader", env({ default = SESSION }, {
                AWS_ENDPOINT_URL_SSO = "http://portal.test", http_proxy = world.server.url,
                no_proxy = "127.0.0.1" }))
            assert.is_true(world:only_record("sso").proxied)
        end)

        it("is asked at the endpoint of the profile's services", function()
            login()
            local variables = env { default = asker.merge(SESSION, { services = "here" }) }
            variables.AWS_ENDPOINT_URL_SSO = nil
            variables.AWS_CONFIG_FILE = world:write("services", system.read(
                variables.AWS_CONFIG_FILE) .. "[services here]\nsso =\n  endpoint_url = "
                .. world.server.url .. "\n")
            world:reads_as("reader", variables)
        end)

        it("is asked again after a failure", function()
            login()
            world.server:set { sso = { fail = 2 } }
            assert.same({ sso = 3 }, world:reads_as("reader", env { default = SESSION }))
        end)

        it("is the source of other profiles' roles", function()
            login()
            world:reads_as("two", env(asker.chain(SESSION), { AWS_PROFILE = "two" }))
            world:assert_chain("reader")
        end)

        it("is what a vault's role is assumed with", function()
            login()
            world.server:set { sts = { roles = { [ROLE .. "top"] = { by = "reader" } } } }
            world:reads_as("top", env({ default = SESSION },
                { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "top" }))
        end)

        sso_rows {
            { "and no login", login = false, word = "bad_profile", says = {
              "no IAM Identity Center login: cannot open ", "/.aws/sso/cache/", LOGIN } },
            { "and a login that is over", login = { expiresAt = "2020-01-01T00:00:00UTC" },
              word = "expired_token", says = { "the IAM Identity Center login has expired: "
                  .. LOGIN } },
            { "and a login without a token", login = { accessToken = cjson.null },
              word = "bad_profile", says = { "accessToken is absent or empty: " .. LOGIN } },
            { "and a login that would forge a header", word = "bad_profile",
              login = { accessToken = "CANARY\r\nX-Evil: 1" }, says = { "accessToken holds" } },
            { "whose portal does not know the login, and shows it", set = { token = "another" },
              word = "expired_token", calls = 1, says = { WHO .. "HTTP 401, UnauthorizedException: "
                  .. "Session token not found or invalid ...: " .. LOGIN } },
            { "of another account", set = { roles = { reader = "109876543210" } }, calls = 1,
              word = "access_denied", says = { WHO .. "HTTP 403, ForbiddenException: No access" } },
            { "of a role that nobody knows", set = { status = 404 }, calls = 1,
              word = "access_denied", says = { WHO .. "HTTP 404" } },
            { "that throttles for ever", set = { status = 429 }, calls = 3, word = "throttled",
              says = { WHO .. "HTTP 429" } },
            { "that is broken", set = { status = 500 }, calls = 3, word = "server_error",
              says = { WHO .. "HTTP 500" } },
            { "that answers half a JSON", set = { raw = '{"roleCredentials":{"CANARY' }, calls = 1,
              word = "bad_response", says = { WHO .. "HTTP 200: the text is not JSON" } },
            { "that answers without keys", set = { raw = '{"roleCredentials":{"expiration":1}}' },
              calls = 1, word = "bad_response", says = { "accessKeyId is absent or empty" } },
            { "that hands out what has expired", set = { expired = true }, calls = 1,
              word = "bad_response", says = { "it hands out credentials that have expired" } },
            { "at no URL", env = { AWS_ENDPOINT_URL_SSO = "portal" }, word = "bad_endpoint",
              says = { "IAM Identity Center: endpoint URL" } },
            { "in another region than its session", word = "bad_profile",
              profile = asker.merge(SESSION, { sso_region = "eu-west-2" }),
              says = { "another sso_region than its section [sso-session]" } },
            { "without an account", profile = asker.merge(SESSION, { sso_account_id = false }),
              word = "bad_profile", says = { "has no sso_account_id" } },
            { "for nothing but a token", profile = { sso_session = "corp" },
              word = "bad_profile", says = { "has sso_session but neither" } },
        }

        it("names the profile to log in with, and stops the chain", function()
            local variables = asker.merge(world:linked("container"),
                env({ ["profile x"] = SESSION }, { AWS_PROFILE = "x" }))
            assert.same({}, (world:fails("bad_profile", { 'run "aws sso login --profile x"' },
                variables)))
        end)

        it("whose portal is not there", function()
            login()
            world:fails("connect_failed", { WHO }, env({ default = SESSION },
                { AWS_ENDPOINT_URL_SSO = "http://127.0.0.1:" .. system.free_port() }))
        end)
    end)

    describe("in nginx", function()
        after_each(function()
            world:close()
        end)

        it("reads by IAM Identity Center, once for many", function()
            login()
            world.server:set { sso = { delay = 200 } }
            local one = world:gateway { env = env { default = SESSION } }
            asker.assert_gets(one, "a")
            asker.assert_gets(one, "b")
            assert.same({ sso = 1 }, world.server:calls())
            assert.same({ reader = 2 }, world.aws:stats().by_caller)
        end)

        it("reads with the login that is there by then", function()
            local one = world:gateway { env = env { default = SESSION } }
            assert.equal("bad_profile", one:get("{vault://aws/a/name}").word)
            login()
            asker.assert_gets(one, "a")
        end)
    end)
end)
