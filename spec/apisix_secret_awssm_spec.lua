-- apisix_secret_awssm_spec - APISIX's secret manager and schema, as APISIX loads and calls them.

local apisix_host = require "spec.support.apisix_host"
local light = require "spec.support.light"
local rooms = require "spec.support.rooms"
local schema_fields = require "vault.schema_fields"

local CANARY = "canary-5ecret"
local ROLE = "arn:aws:iam::123456789012:role/reader"

describe("APISIX's manager awssm", function()
    local aws, world, host, variables, restore, before, said

    before_each(function()
        before = rawget(_G, "ngx")
        aws, world, variables, said = rooms.aws(), light.new(), { AWS_REGION = "us-east-1" }, {}
        aws.secrets["apisix-secrets"] = { AWSCURRENT = '{"john-key-auth":"john-key","a/b":"deep"}' }
        aws.secrets["team/db"] = { AWSCURRENT = '{"user":"u2","password":"p2"}' }
        rawset(_G, "ngx", world.ngx)
        local put_back = select(5, rooms.load({ "vault.aws", "vault.guest", "vault.apisix",
                                                "apisix.secret.awssm" }, {
            ["vault.fetch"] = aws, ["vault.environment"] = rooms.environment(variables),
            ["vault.files"] = { remember = function() end, check = function() end } }))
        restore = put_back
        host = apisix_host.new { now = world.ngx.now, log = function(text)
            said[#said + 1] = text
        end }
        assert(host:put("awssm", "john", { region = "ap-southeast-2" }))
    end)
    after_each(function()
        restore()
        package.loaded["apisix.core.config_local"] = nil
        rawset(_G, "ngx", before)
    end)

    local function asked()
        local names = {}
        for i, request in ipairs(aws.asked) do
            names[i] = request.secret_id
        end
        aws.asked = {}
        return names
    end

    -- A row of docs/references.md: the path behind the object's id, what is asked for, the value.
    local ROWS = {
        { "the seed's reference", "apisix-secrets/john-key-auth",
          { "apisix-secrets/john-key-auth", "apisix-secrets" }, "john-key" },
        { "a name with slashes", "team/db/password", { "team/db/password", "team/db" }, "p2" },
        { "a key with a slash", "apisix-secrets/a/b",
          { "apisix-secrets/a/b", "apisix-secrets/a", "apisix-secrets" }, "deep" },
        { "a whole secret by its longest name", "team/plain", { "team/plain" }, "text" },
        { "a '/' at the end: the whole secret", "team/plain/", { "team/plain" }, "text" },
        { "a name alone", "single", { "single" }, "alone" },
        { "a '/' at the start, which is the name's", "/lead/key", { "/lead/key", "/lead" }, "led" },
        { "no encoding, options or versions", "odd%2F?ttl=1#2/key",
          { "odd%2F?ttl=1#2/key", "odd%2F?ttl=1#2" }, "odd" },
        { "five steps at most", "1/2/3/4/5/6/7/8",
          { "1/2/3/4/5/6/7/8", "1/2/3/4/5/6/7", "1/2/3/4/5/6", "1/2/3/4/5", "1/2/3/4", "1/2/3" } },
        { "an ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf/key",
          { "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf/key",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf" }, "by ARN" },
    }

    before_each(function()
        aws.secrets["team/plain"], aws.secrets.single = { AWSCURRENT = "text" },
            { AWSCURRENT = "alone" }
        aws.secrets["/lead"] = { AWSCURRENT = '{"key":"led"}' }
        aws.secrets["odd%2F?ttl=1#2"] = { AWSCURRENT = '{"key":"odd"}' }
        aws.secrets["arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"] =
            { AWSCURRENT = '{"key":"by ARN"}' }
    end)

    for _, refusal in ipairs { "not_found", "access_denied" } do
        describe("where AWS answers " .. refusal .. " for what is not there, resolves", function()
            for _, row in ipairs(ROWS) do
                it(row[1], function()
                    setmetatable(aws.secrets, { __index = function() return refusal end })
                    assert.equal(row[4], host:get("$secret://awssm/john/" .. row[2]))
                    assert.same(row[3], asked())
                end)
            end
        end)
    end

    it("asks first as it was right for the last reference of the shape", function()
        host:get("$secret://awssm/john/team/db/password")
        asked()
        assert.equal("u2", host:get("$secret://awssm/john/team/db/user"))
        world:pass(2)
        assert.is_nil(host:get("$secret://awssm/john/team/db/none"))
        assert.same({ "team/db", "team/db/none" }, asked())
    end)

    it("fails with nil and a message, and shows nothing", function()
        aws.secrets["team/text"] = { AWSCURRENT = CANARY }
        aws.secrets["team/list"] = { AWSCURRENT = '{"key":["' .. CANARY .. '"]}' }
        for _, path in ipairs { "team/db/none", "team/text/key", "team/list/key", "none", "a/b/c",
                                "odd\27name/key", ("x"):rep(5000), "/" } do
            local get = require("apisix.secret.awssm").get
            local value, message = get(host.objects["awssm/john"], path)
            assert.same({ nil, "string" }, { value, type(message) }, path)
            assert.is_nil(message:find(CANARY, 1, true))
            assert.is_nil(message:find("[^ -~]"))
        end
    end)

    it("gives one result for a value, and two for a failure", function()
        local get, object = require("apisix.secret.awssm").get, host.objects["awssm/john"]
        assert.equal(1, select("#", get(object, "team/db/password")))
        assert.equal(2, select("#", get(object, "team/db/none")))
    end)

    it("leaves a reference without a value to APISIX, which logs why", function()
        local conf = host:fetch_secrets { key = "$secret://awssm/john/none/key",
                                          other = "$secret://awssm/john/team/db/user" }
        assert.same({ key = "$secret://awssm/john/none/key", other = "u2" }, conf)
        assert.equal(1, #said)
        assert.matches("planted not_found", said[1])
    end)

    it("works with an object that has no id, or one that fits into no reference", function()
        local get = require("apisix.secret.awssm").get
        for _, id in ipairs { false, "", "awssm/", "a b", ("x"):rep(65), 7 } do
            assert.equal("p2", get({ id = id or nil }, "team/db/password"))
        end
    end)

    describe("the object", function()
        it("has every field of a vault but ttls, which are APISIX's, and what APISIX adds",
            function()
                local schema = require("apisix.secret.awssm").schema
                local names = { id = true, name = true, desc = true, labels = true,
                                create_time = true, update_time = true, modifiedIndex = true }
                for _, field in ipairs(schema_fields.CONFIG.aws) do
                    names[field.name] = not field.name:find("ttl") or nil
                end
                for name in pairs(schema.properties) do
                    assert.is_true(names[name], name)
                    names[name] = nil
                end
                assert.same({}, names)
                assert.is_nil(schema.required)
            end)

        it("may be empty, or whole", function()
            assert.is_true(host:put("awssm", "a", {}))
            assert.is_true(host:put("awssm", "b", {
                region = "eu-west-1", endpoint_url = "https://vpce.example", timeout = 3,
                sts_endpoint_url = "https://sts.example", assume_role_arn = ROLE,
                role_session_name = "gate", external_id = "ext", access_key_id = "$env://ID",
                secret_access_key = "$env://KEY", session_token = "$env://TOKEN",
                base64_decode = false, allow = { "team/*" }, desc = "for people",
                labels = { team = "a" },
            }))
        end)

        it("may not hold what is misspelt, or of another type", function()
            for field, value in pairs {
                regoin = "eu-west-1", region = 1, ttl = 60, timeout = 0, base64_decode = "yes",
                allow = {}, access_key_id = "",
            } do
                assert.is_nil((host:put("awssm", "x", { [field] = value })), field)
            end
        end)

        it("says who asks, and where", function()
            variables.KEY_ID, variables.KEY = "AKIDOTHER", CANARY
            host:put("awssm", "mary", { region = "eu-west-1", access_key_id = "$env://KEY_ID",
                                        secret_access_key = "$env://KEY", timeout = 3,
                                        assume_role_arn = ROLE })
            host:get("$secret://awssm/mary/single")
            local request = aws.asked[1]
            request.key = nil
            assert.same({ secret_id = "single", timeout = 3, attempts = 0, terms = {
                stage = "AWSCURRENT", region = "eu-west-1", access_key_id = "AKIDOTHER",
                secret_access_key = CANARY, assume_role_arn = ROLE,
                role_session_name = "KongVault" } }, request)
        end)

        it("is refused at use where it is malformed, never taken for another", function()
            for _, conf in ipairs { { region = "Nowhere!" }, { access_key_id = "AKIDEXAMPLE" },
                                    { secret_access_key = "$env://NONE", access_key_id = "A" } } do
                assert.is_true(host:put("awssm", "bad", conf))
                local value, message = host:get("$secret://awssm/bad/single")
                assert.same({ nil, "string" }, { value, type(message) })
                assert.same({}, asked())
                host.cached = {}
            end
        end)
    end)

    describe("the certificates", function()
        local function trusted(conf)
            package.loaded["apisix.core.config_local"] = { local_conf = function() return conf end }
            host:get("$secret://awssm/john/single")
            return aws.settings.ca_file
        end

        local function ssl(path)
            return { apisix = { ssl = { ssl_trusted_certificate = path } } }
        end

        it("are APISIX's", function()
            assert.equal("/etc/ca.pem", trusted(ssl("/etc/ca.pem")))
        end)

        it("may be relative to nginx's configuration", function()
            assert.equal("/prefix/conf/cert/ca.pem", trusted(ssl("cert/ca.pem")))
        end)

        for _, system in ipairs { "system", " system ", "system,/etc/ca.pem" } do
            it("are the system's for " .. system, function()
                variables.AWS_CA_BUNDLE = "/bundle.pem"
                assert.is_nil(trusted(ssl(system)))
            end)
        end

        it("are the environment's where APISIX has none", function()
            variables.AWS_CA_BUNDLE = "/bundle.pem"
            assert.equal("/bundle.pem", trusted({ apisix = {} }))
        end)

        for _, conf in ipairs { false, {}, { apisix = { ssl = {} } }, ssl(7) } do
            it("are nobody's mistake where its configuration is odd", function()
                assert.is_nil(trusted(conf or nil))
            end)
        end
    end)

    it("has the words of APISIX for how it is loaded in time", function()
        assert.matches("lua_module_hook: vault.apisix", aws.settings.load_by)
    end)
end)
