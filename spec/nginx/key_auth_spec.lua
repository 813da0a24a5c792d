-- key_auth_spec - the example's consumers, whose keys are references: who gets in, and who never.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local example = require "spec.support.example"
local http = require "spec.support.http"
local network = require "spec.support.network"
local system = require "spec.support.system"

local REFERENCE = "$secret://aws/john/apisix-secrets/john-key-auth"
local KEY, NEW_KEY, JANES = "canary-john-1", "canary-john-2", "canary-jane"
local MISSING = '{"message":"Missing API key found in request"}\n'
local INVALID = '{"message":"Invalid API key in request"}\n'
local PATIENCE = 10 -- seconds that a spec waits for what must come

describe("the example of key-auth", function()
    local fake, gateway

    -- curl's own words for headers: "apikey;" is an empty one.
    local function ask(...)
        local words = {}
        for _, header in ipairs { ... } do
            words[#words + 1] = "-H"
            words[#words + 1] = header
        end
        return http.get(gateway:url("proxy", "/anything"), { curl = words })
    end

    local function ask_with(key)
        return ask("apikey: " .. key)
    end

    local function assert_refused(key)
        for _ = 1, 2 do
            local answer = ask_with(key)
            assert.same({ 401, INVALID }, { answer.status, answer.body })
        end
    end

    -- Several times in a row, since each worker has keys of its own.
    local function assert_gets_in(key)
        assert.truthy(system.wait_for(function()
            for _ = 1, 6 do
                if ask_with(key).status ~= 200 then
                    return false
                end
            end
            return true
        end, PATIENCE), "the right key is refused")
    end

    local function put_vault(vault)
        local answer = http.request(gateway:url("apisix", "/apisix/admin/secrets/aws/john"), {
            method = "PUT", body = cjson.encode(vault) })
        assert(answer.status < 300, answer.body)
    end

    local function put_key(key)
        fake:put("apisix-secrets", cjson.encode { ["john-key-auth"] = key })
    end

    -- Until John's reference means `wanted`, a value or a word.
    local function await(wanted)
        assert.truthy(system.wait_for(function()
            return gateway:show(REFERENCE):match("^[^:]*") == wanted
        end, PATIENCE), wanted)
    end

    local function start(env)
        gateway = example.start { env = fake:env(env) }
    end

    before_each(function()
        fake = aws.start { args = { "--only-put" } }
    end)
    after_each(function()
        if gateway then
            gateway:stop()
            local log = gateway:error_log()
            gateway = nil
            for _, secret in ipairs { KEY, NEW_KEY, JANES } do
                assert.is_nil(log:find(secret, 1, true), "a key is in the log")
            end
            assert.is_nil(log:find("[error]", 1, true), log)
        end
        fake:stop()
    end)

    it("lets in who has the key, and tells the upstream who that is, and not the key", function()
        put_key(KEY)
        start()
        put_vault { region = "us-east-1" }
        assert_gets_in(KEY)
        local answer = ask("apikey: " .. KEY, "X-Consumer-Username: admin",
            "X-Credential-Identifier: another")
        assert.equal(200, answer.status)
        assert.is_nil(answer.body:find(KEY, 1, true))
        local headers = cjson.decode(answer.body).headers
        assert.same({ "john", "cred-john-key-auth" },
            { headers["x-consumer-username"], headers["x-credential-identifier"] })
    end)

    it("lets in nobody else", function()
        put_key(KEY)
        start()
        put_vault { region = "us-east-1" }
        assert_gets_in(KEY)
        for _, key in ipairs { "wrong-key", KEY .. "x", KEY:sub(1, -2), KEY:upper(), REFERENCE,
                               "$env://JANE_KEY_AUTH", "nil", "john", "null" } do
            assert_refused(key)
        end
        local missing, empty = ask(), ask("apikey;")
        assert.same({ 401, MISSING }, { missing.status, missing.body })
        assert.same({ 401, INVALID }, { empty.status, empty.body })
    end)

    it("lets in nobody for a reference without a value, and the others all the same", function()
        start { JANE_KEY_AUTH = JANES }
        for _, step in ipairs {
            { "unknown_vault", function() end },
            { "not_found", function() put_vault { region = "us-east-1", ttl = 1 } end },
            { "key_not_found", function() fake:put("apisix-secrets", '{"another":"x"}') end },
            { "not_a_string", function() fake:put("apisix-secrets", '{"john-key-auth":1}') end },
            { "", function() put_key("") end },
        } do
            step[2]()
            await(step[1])
            for _, key in ipairs { REFERENCE, "1", "x" } do
                assert_refused(key)
            end
            assert.equal(401, ask("apikey;").status)
            local answer = ask_with(JANES)
            assert.equal(200, answer.status)
            assert.equal("jane", cjson.decode(answer.body).headers["x-consumer-username"])
        end
        put_key(KEY)
        assert_gets_in(KEY)
    end)

    it("takes a new key, and the old one no more", function()
        put_key(KEY)
        start()
        put_vault { region = "us-east-1" }
        assert_gets_in(KEY)
        put_key(NEW_KEY)
        assert.equal(200, http.post(gateway:url("kong", "/vaults/john/refresh"), "").status)
        assert_gets_in(NEW_KEY)
        assert_refused(KEY)
    end)

    it("lets in nobody with a key that cannot be had any more", function()
        put_key(KEY)
        start()
        put_vault { region = "us-east-1", ttl = 1, resurrect_ttl = 1 }
        assert_gets_in(KEY)
        fake:delete("apisix-secrets")
        await("not_found")
        system.sleep(1) -- by now on every worker
        assert_refused(KEY)
    end)

    it("begins when AWS does", function()
        local nobody = network.refusing()
        start { AWS_ENDPOINT_URL_SECRETS_MANAGER = nobody.url }
        put_vault { region = "us-east-1" }
        await("connect_failed")
        for _, key in ipairs { KEY, REFERENCE } do
            assert_refused(key)
        end
        nobody:close()
        local late = aws.start { port = nobody.port, args = { "--only-put" } }
        finally(function()
            late:stop()
        end)
        late:put("apisix-secrets", cjson.encode { ["john-key-auth"] = KEY })
        assert_gets_in(KEY)
        assert_refused(REFERENCE)
    end)

    it("says once why a credential has no key", function()
        start()
        for _ = 1, 20 do
            assert.equal(401, ask_with("x").status)
        end
        local log, times = gateway:error_log(), {}
        for id in log:gmatch("%d+#%d+: %*[^\n]*key%-auth: (%S+) has no key") do
            times[id] = (times[id] or 0) + 1
        end
        for _, id in ipairs { "cred-john-key-auth", "cred-jane-key-auth" } do
            assert.is_true(times[id] == 1 or times[id] == 2, log) -- on each of two workers
        end
    end)
end)
