-- identity_support_spec - whether fake_identity.py can be trusted: curl signs, botocore asks.

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local cjson = require "cjson"
local http = require "spec.support.http"
local identity = require "spec.support.identity"
local system = require "spec.support.system"

local ROLES = "/latest/meta-data/iam/security-credentials/"
local TTL = { ["X-aws-ec2-metadata-token-ttl-seconds"] = "21600" }
local ROLE = "arn:aws:iam::123456789012:role/one"

describe("fake_identity.py", function()
    local fake, server, folder

    setup(function()
        fake = aws.start()
        server = identity.start(fake)
        folder = system.folder()
    end)
    teardown(function()
        if server then
            server:stop()
        end
        fake:stop()
        system.remove(folder)
    end)
    before_each(function()
        fake:reset()
        server:reset()
    end)

    -- A call of Secrets Manager or STS that curl signs, which owes nothing to csrc/sigv4.c.
    local function sign(url, service, caller, options)
        options.curl = { "--aws-sigv4", "aws:amz:us-east-1:" .. service, "-u",
                         caller.access_key .. ":" .. caller.secret_key }
        options.headers["X-Amz-Security-Token"] = caller.token
        return http.request(url .. "/", options)
    end

    local function get_secret(caller)
        return sign(fake.url, "secretsmanager", caller, {
            body = '{"SecretId":"a"}', headers = {
                ["X-Amz-Target"] = "secretsmanager.GetSecretValue",
                ["Content-Type"] = "application/x-amz-json-1.1" } })
    end

    local STATIC = { access_key = aws.ACCESS_KEY, secret_key = aws.SECRET_KEY }
    local FORM = "Action=%s&Version=2011-06-15&RoleArn=%s&RoleSessionName=%s%s"

    local function assume(caller, more, session)
        return sign(server.url, "sts", caller, {
            body = FORM:format("AssumeRole", ROLE, session or "KongVault", more or ""),
            headers = {} })
    end

    local function with_token(token)
        return http.post(server.url .. "/", FORM:format("AssumeRoleWithWebIdentity", ROLE, "me",
            "&WebIdentityToken=" .. token))
    end

    local function element(answer, name)
        return answer.body:match("<" .. name .. ">([^<]*)</" .. name .. ">")
    end

    local function issued(answer)
        return { access_key = element(answer, "AccessKeyId"), token = element(answer,
                 "SessionToken"), secret_key = element(answer, "SecretAccessKey") }
    end

    local function refused(code, answer)
        assert.equal(code, element(answer, "Code") or answer.body)
    end

    local function token()
        return http.request(server.url .. "/latest/api/token", { method = "PUT", headers = TTL })
    end

    local function metadata(path, held)
        return http.get(server.url .. path, { headers = { ["X-aws-ec2-metadata-token"] = held } })
    end

    describe("as instance metadata", function()
        it("gives a token, a role, its keys, a region", function()
            local held = token()
            assert.equal(200, held.status)
            assert.equal("fake-role", metadata(ROLES, held.body).body)
            assert.equal("us-east-1",
                metadata("/latest/meta-data/placement/region", held.body).body)
            local keys = cjson.decode(metadata(ROLES .. "fake-role", held.body).body)
            assert.equal("Success", keys.Code)
            local answer = get_secret { access_key = keys.AccessKeyId, token = keys.Token,
                                        secret_key = keys.SecretAccessKey }
            assert.equal(200, answer.status)
            assert.same({ imds = 1 }, fake:stats().by_caller)
            assert.same({ token = 1, role = 1, credentials = 1, region = 1 }, server:calls())
        end)

        it("knows version 1, unless it is told not to", function()
            assert.equal(200, metadata(ROLES).status)
            server:set { imds = { mode = "v2only" } }
            assert.equal(401, metadata(ROLES).status)
            assert.equal(401, metadata(ROLES, "another").status)
            server:set { imds = { mode = "v1only", put = 405 } }
            assert.equal(405, token().status)
            assert.equal(200, metadata(ROLES).status)
        end)

        it("refuses as it is told", function()
            local held = token().body
            server:set { imds = { once401 = true } }
            assert.equal(401, metadata(ROLES, held).status)
            assert.equal(200, metadata(ROLES, token().body).status)
            server:set { imds = { code = "Failed" } }
            assert.matches('"Code": "Failed"', metadata(ROLES .. "fake-role").body)
            server:set { imds = { mode = "norole" } }
            assert.equal(404, metadata(ROLES).status)
            server:set { imds = { mode = "disabled" } }
            assert.equal(403, token().status)
            assert.equal(403, metadata(ROLES).status)
            server:set { imds = { mode = "both" } }
            assert.equal(400, http.request(server.url .. "/latest/api/token",
                { method = "PUT" }).status)
        end)

        it("hands out keys whose time is over, and which AWS takes", function()
            server:set { imds = { expired = true } }
            local keys = cjson.decode(metadata(ROLES .. "fake-role").body)
            assert.is_true(keys.Expiration < os.date("!%Y-%m-%dT%H:%M:%SZ"))
            assert.equal(200, get_secret { access_key = keys.AccessKeyId, token = keys.Token,
                                           secret_key = keys.SecretAccessKey }.status)
        end)
    end)

    describe("as the agent of a container", function()
        local function agent(authorization)
            return http.get(server.url .. "/v2/credentials/x",
                { headers = { Authorization = authorization } })
        end

        it("gives keys to who brings the token", function()
            assert.equal(200, agent().status)
            server:set { container = { token = "let me in" } }
            assert.equal(401, agent().status)
            assert.equal(401, agent("others").status)
            local keys = cjson.decode(agent("let me in").body)
            assert.equal(200, get_secret { access_key = keys.AccessKeyId, token = keys.Token,
                                           secret_key = keys.SecretAccessKey }.status)
            assert.equal("let me in", server:records("container")[4].headers.authorization)
        end)

        it("fails as it is told", function()
            server:set { container = { fail = 2, status = 500 } }
            assert.same({ 500, 500, 200 }, { agent().status, agent().status, agent().status })
            server:set { container = { fail = false, status = 403 } }
            assert.equal(403, agent().status)
            server:set { container = { status = false, raw = "{" } }
            assert.equal("{", agent().body)
            server:set { container = { raw = false, huge = true } }
            assert.is_true(#agent().body > 512 * 1024)
        end)
    end)

    describe("as STS", function()
        it("gives a role to who signs, and that role can go on to another", function()
            local first = assume(STATIC, "&ExternalId=x1&DurationSeconds=900")
            assert.equal(200, first.status)
            local second = assume(issued(first))
            assert.equal(200, second.status)
            assert.equal(200, get_secret(issued(second)).status)
            local records = server:records("assume_role")
            assert.same({ "static", "KongVault", "x1", "900" }, {
                records[1].caller, records[1].RoleSessionName, records[1].ExternalId,
                records[1].DurationSeconds })
            assert.equal("one", records[2].caller)
            assert.same({ one = 1 }, fake:stats().by_caller)
        end)

        it("refuses a wrong key, a wrong service, no signature", function()
            refused("SignatureDoesNotMatch",
                assume { access_key = aws.ACCESS_KEY, secret_key = "x" })
            refused("InvalidClientTokenId", assume { access_key = "AKIDX", secret_key = "x" })
            refused("MissingAuthenticationToken",
                http.post(server.url .. "/", FORM:format("AssumeRole", ROLE, "me", "")))
            refused("SignatureDoesNotMatch", sign(server.url, "secretsmanager", STATIC, {
                body = FORM:format("AssumeRole", ROLE, "me", ""), headers = {} }))
            assert.equal(400, sign(fake.url, "sts", STATIC, {
                body = '{"SecretId":"a"}', headers = {
                    ["X-Amz-Target"] = "secretsmanager.GetSecretValue" } }).status)
        end)

        it("gives a role to those who may have it, with the external id", function()
            server:set { sts = { roles = { [ROLE] = { by = "static", external_id = "x1" } } } }
            assert.equal(200, assume(STATIC, "&ExternalId=x1").status)
            refused("AccessDenied", assume(STATIC, "&ExternalId=x2"))
            refused("AccessDenied", assume(STATIC))
            refused("AccessDenied", assume(server:issue("another"), "&ExternalId=x1"))
        end)

        it("knows AWS's limits", function()
            refused("ValidationError", assume(STATIC, nil, ("x"):rep(65)))
            refused("ValidationError", assume(STATIC, "&DurationSeconds=899"))
        end)

        it("lets keys live as long as it is told", function()
            local caller = server:issue("short", 3)
            assert.equal(200, get_secret(caller).status)
            system.wait_for(function() return os.time() >= caller.expires end)
            assert.matches("ExpiredTokenException", get_secret(caller).body)
            refused("ExpiredToken", assume(caller))
        end)

        it("exchanges the token it knows, unsigned", function()
            server:set { sts = { tokens = { "good" } } }
            assert.equal(200, get_secret(issued(with_token("good"))).status)
            refused("InvalidIdentityToken", with_token("bad"))
            refused("ValidationError", sign(server.url, "sts", STATIC, { headers = {},
                body = FORM:format("AssumeRoleWithWebIdentity", ROLE, "me",
                    "&WebIdentityToken=good") }))
        end)

        it("fails as it is told", function()
            server:set { sts = { code = "Throttling", fail = 1 } }
            refused("Throttling", assume(STATIC))
            assert.equal(200, assume(STATIC).status)
            server:set { sts = { code = "ExpiredTokenException", fail = false } }
            refused("ExpiredTokenException", with_token("any"))
            server:refuse("static")
            server:set { sts = { code = false } }
            refused("InvalidClientTokenId", assume(STATIC))
        end)
    end)

    describe("as the portal of IAM Identity Center", function()
        local function role(query, held, headers)
            headers = headers or {}
            headers["x-amz-sso_bearer_token"] = held
            return http.get(server.url .. "/federation/credentials?" .. http.query(query),
                { headers = headers })
        end
        local ASKED = { role_name = "reader", account_id = "1" }

        it("gives a role's keys to who brings the token", function()
            server:set { sso = { token = "good" } }
            local keys = cjson.decode(role(ASKED, "good").body).roleCredentials
            assert.is_true(keys.expiration > 1e12)
            assert.equal(200, get_secret { access_key = keys.accessKeyId,
                secret_key = keys.secretAccessKey, token = keys.sessionToken }.status)
            assert.same({ reader = 1 }, fake:stats().by_caller)
            local answer = role(ASKED, "other")
            assert.equal(401, answer.status)
            assert.matches("UnauthorizedException", answer.body)
            assert.equal(401, role(ASKED).status)
        end)

        it("refuses other roles and accounts, and what is no such call", function()
            server:set { sso = { roles = { reader = "1" } } }
            assert.equal(200, role(ASKED, "t").status)
            assert.equal(403, role({ role_name = "reader", account_id = "2" }, "t").status)
            assert.equal(403, role({ role_name = "writer", account_id = "1" }, "t").status)
            assert.equal(400, role({ role_name = "reader" }, "t").status)
            assert.equal(400, role(ASKED, "t", { Authorization = "AWS4" }).status)
        end)

        it("fails as it is told", function()
            server:set { sso = { fail = 1 } }
            assert.same({ 503, 200 }, { role(ASKED, "t").status, role(ASKED, "t").status })
            server:set { sso = { expired = true } }
            assert.is_true(cjson.decode(role(ASKED, "t").body).roleCredentials.expiration
                < os.time() * 1000)
            server:set { sso = { fail = false, status = 429 } }
            assert.equal(429, role(ASKED, "t").status)
        end)
    end)

    it("counts what is in flight, by kind", function()
        server:set { container = { delay = 300 } }
        local asked = {}
        for i = 1, 3 do
            asked[i] = http.start(server.url .. "/container")
        end
        for i = 1, 3 do
            asked[i]:finish()
        end
        assert.equal(3, server:stats().max_in_flight.container)
        assert.equal(0, server:stats().in_flight)
    end)

    it("has its keys forgotten by fake_aws.py too", function()
        local caller = server:issue("gone")
        assert.equal(200, get_secret(caller).status)
        http.post(fake.url .. "/_/refuse?name=gone", "")
        assert.matches("UnrecognizedClientException", get_secret(caller).body)
    end)

    describe("is all that botocore expects:", function()
        local function botocore(env)
            env.AWS_ENDPOINT_URL_SECRETS_MANAGER = fake.url
            env.AWS_ENDPOINT_URL_STS, env.AWS_DEFAULT_REGION = server.url, "us-east-1"
            env.NO_PROXY = "127.0.0.1"
            return child.run { system.venv("python"), "spec/support/botocore_get.py", "a",
                               env = env }
        end

        local function reads(method, env)
            fake:put("a", "value")
            local ended = botocore(env)
            assert.equal(method .. " value", ended.out .. ended.err)
        end

        it("instance metadata", function()
            server:set { imds = { mode = "v2only" } }
            reads("iam-role", { AWS_EC2_METADATA_SERVICE_ENDPOINT = server.url })
        end)

        it("the agent of a container", function()
            server:set { container = { token = "let me in" } }
            reads("container-role", {
                AWS_CONTAINER_CREDENTIALS_FULL_URI = server.url .. "/container",
                AWS_CONTAINER_AUTHORIZATION_TOKEN = "let me in" })
        end)

        it("web identity", function()
            server:set { sts = { tokens = { "good" } } }
            reads("assume-role-with-web-identity", { AWS_ROLE_ARN = ROLE,
                AWS_WEB_IDENTITY_TOKEN_FILE = system.write(folder .. "/token", "good") })
        end)

        it("the portal of IAM Identity Center, by session and by start URL", function()
            server:set { sso = { token = "CANARY.sso.token", roles = { reader = "1" } } }
            local whole = { sso_account_id = "1", sso_role_name = "reader" }
            local legacy = { sso_account_id = "1", sso_role_name = "reader",
                             sso_region = "eu-west-1", sso_start_url = "https://start.test" }
            whole.sso_session = "corp"
            local config = system.write(folder .. "/config", identity.config {
                ["profile one"] = whole, ["profile two"] = legacy,
                ["sso-session corp"] = { sso_region = "eu-west-1",
                                         sso_start_url = "https://start.test" } })
            for profile, name in pairs { one = "corp", two = "https://start.test" } do
                local path = identity.login(folder, name)
                reads("sso", { AWS_PROFILE = profile, AWS_CONFIG_FILE = config, HOME = folder,
                               AWS_ENDPOINT_URL_SSO = server.url })
                os.remove(path)
            end
            assert.same({ sso = 2 }, server:calls())
        end)

        it("a role of a profile", function()
            server:set { sts = { roles = { [ROLE] = { by = "static", external_id = "x1" } } } }
            local config = identity.config {
                ["profile base"] = { aws_access_key_id = aws.ACCESS_KEY,
                                     aws_secret_access_key = aws.SECRET_KEY },
                ["profile one"] = { role_arn = ROLE, source_profile = "base",
                                    external_id = "x1" } }
            reads("assume-role", { AWS_PROFILE = "one",
                AWS_CONFIG_FILE = system.write(folder .. "/config", config) })
        end)
    end)
end)
