-- kong_vaults_aws_spec - Kong's vault strategy and its schema, as Kong loads and calls them.

local core = require "vault.core"
local kong_host = require "spec.support.kong_host"
local kong_schema = require "spec.support.kong_schema"
local light = require "spec.support.light"
local rooms = require "spec.support.rooms"
local schema_fields = require "vault.schema_fields"
local system = require "spec.support.system"

local CANARY = "canary-5ecret"
local ROLE = "arn:aws:iam::123456789012:role/reader"

describe("Kong's vault aws", function()
    local aws, world, host, variables, restore, before

    before_each(function()
        before = { ngx = rawget(_G, "ngx"), kong = rawget(_G, "kong") }
        aws, world, variables = rooms.aws(), light.new(), { AWS_REGION = "us-east-1" }
        aws.secrets["db/main"] = { AWSCURRENT = '{"user":"u2","password":"p2"}',
                                   AWSPREVIOUS = '{"user":"u1","password":"p1"}' }
        rawset(_G, "ngx", world.ngx)
    end)
    after_each(function()
        restore()
        rawset(_G, "ngx", before.ngx)
        rawset(_G, "kong", before.kong)
        rawset(_G, "native_timer_at", nil)
    end)

    -- Kong with these settings and entities; kong: what the global is, false for none.
    local function start(configuration, kong)
        local put_back = select(4, rooms.load({ "vault.aws", "vault.guest", "kong.vaults.aws" }, {
            ["vault.fetch"] = aws, ["vault.environment"] = rooms.environment(variables),
            ["vault.files"] = { remember = function() end, check = function() end } }))
        restore = function()
            put_back()
            package.loaded["kong.vaults.aws"] = nil
        end
        if kong ~= false then
            rawset(_G, "kong", kong or { configuration = configuration or {} })
        end
        host = kong_host.new { configuration = configuration, now = world.ngx.now }
        host:init()
        return host
    end

    local function last()
        local request = aws.asked[#aws.asked]
        request.key = nil
        return request
    end

    describe("to Kong", function()
        it("is a strategy", function()
            start()
            local strategy = host.strategies.aws
            assert.same({ "aws", core._VERSION, "function", "function" },
                { strategy.name, strategy.VERSION, type(strategy.init), type(strategy.get) })
        end)

        it("has a schema with every field of a vault but lists, and no other", function()
            start()
            local names = {}
            for name, field in kong_schema.each(host.schemas.aws) do
                names[#names + 1] = name
                assert.equal(schema_fields.CONFIG.aws[name].type, field.type)
                assert.is_truthy(field.description)
                assert.equal(schema_fields.CONFIG.aws[name].write_only, field.encrypted)
                assert.is_nil(field.referenceable)
                assert.is_nil(field.default) -- the environment is heard where nothing is set
            end
            assert.equal(#schema_fields.CONFIG.aws - 1, #names)
        end)

        it("takes the entity of Kong's documents, and one with everything", function()
            start()
            assert.is_truthy(host:put("aws-sm-vault", { name = "aws",
                                                        config = { region = "us-east-1" } }))
            local config = {
                region = "eu-west-1", endpoint_url = "https://vpce.example", ttl = 60, neg_ttl = 0,
                sts_endpoint_url = "https://sts.example", assume_role_arn = ROLE, timeout = 3,
                role_session_name = "gate", external_id = "ext", access_key_id = "AKIDEXAMPLE",
                secret_access_key = "$env://KEY", session_token = "{vault://env/token}",
                resurrect_ttl = 1e8, base64_decode = false,
            }
            local _, complaints = host:put("whole", { name = "aws", config = config })
            assert.is_nil(complaints)
        end)

        it("refuses what vault.schema_fields refuses, with its words and without the value",
            function()
                start()
                for field, value in pairs {
                    region = "Nowhere!", endpoint_url = "ftp://x", assume_role_arn = CANARY,
                    role_session_name = "x", ttl = -1, timeout = 0, base64_decode = "yes",
                    allow = { CANARY }, secret_access_key = "a b", regoin = "x",
                    access_key_id = "{vault://aws/other/key}",
                } do
                    local ok, complaints = host:put("x", { name = "aws",
                                                           config = { [field] = value } })
                    assert.is_nil(ok, field)
                    local complaint = complaints[field] or complaints["@record"]
                    assert.is_truthy(complaints[field] or complaint:find(field .. ": ", 1, true))
                    assert.is_nil(complaint:find(CANARY, 1, true))
                end
            end)
    end)

    describe("get", function()
        it("gives the whole text, of which Kong cuts the key out", function()
            start()
            assert.equal("p2", host:get("{vault://aws/db/main/password}"))
            assert.equal("p1", host:get("{vault://aws/db/main/password#2}"))
            assert.equal('{"user":"u2","password":"p2"}', host:get("{vault://aws/db/main/}"))
        end)

        it("is nil and a message, and nothing more, where it fails", function()
            start()
            aws.secrets.denied = "access_denied"
            for _, row in ipairs { { "denied" }, { "none" }, { "db/main", 3 }, { "db/main", 0 },
                                   { "db/main", 1, { region = "Nowhere!" } } } do
                local count = 0
                local function results(...)
                    count = select("#", ...)
                    return ...
                end
                local value, message = results(host.strategies.aws.get(row[3] or {}, row[1],
                    row[2]))
                assert.same({ nil, "string", 2 }, { value, type(message), count })
            end
        end)

        it("is one text, and nothing more, where it does not", function()
            start()
            assert.equal(1, select("#", host.strategies.aws.get({}, "db/main", nil)))
        end)

        it("goes by the entity, with the reference's options over it", function()
            start()
            host:put("west", { name = "aws", config = { region = "us-west-1", timeout = 3,
                                                        endpoint_url = "http://localhost:1" } })
            host:get("{vault://west/db/main/user}")
            assert.same({ secret_id = "db/main", timeout = 3, attempts = 0, terms = {
                stage = "AWSCURRENT", region = "us-west-1", endpoint_url = "http://localhost:1",
                role_session_name = "KongVault" } }, last())
            host:get("{vault://west/db/main/user?region=eu-west-1#2}")
            assert.same({ "eu-west-1", "AWSPREVIOUS" }, { last().terms.region, last().terms.stage })
        end)

        it("goes by kong.conf, and by the variables that Kong does not hand on", function()
            variables.KONG_VAULT_AWS_EXTERNAL_ID = "of-the-environment"
            start { vault_aws_region = "eu-north-1", vault_aws_assume_role_arn = ROLE,
                    vault_aws_timeout = "4" }
            assert.equal("p2", host:get("{vault://aws/db/main/password}"))
            local request = last()
            assert.same({ "eu-north-1", ROLE, 4, "of-the-environment" },
                { request.terms.region, request.terms.assume_role_arn, request.timeout,
                  request.terms.external_id })
        end)

        it("asks for nothing that kong.conf does not allow, whatever a reference's options say",
            function()
                start { vault_aws_allow = "db/*, team/b*" }
                host:put("west", { name = "aws", config = { region = "us-west-1" } })
                aws.secrets["team/b1"] = { AWSCURRENT = '{"k":"v"}' }
                assert.equal("p2", host:get("{vault://west/db/main/password}"))
                assert.equal("v", host:get("{vault://aws/team/b1/k}"))
                aws.asked = {}
                for _, text in ipairs { "{vault://aws/other/key}", "{vault://aws/team/a/k?allow=*}",
                                        "{vault://west/other/key?allow=other}" } do
                    local value, message = host:get(text)
                    assert.is_nil(value)
                    assert.matches("does not allow", message)
                end
                assert.same({}, aws.asked)
                restore()
                for _, odd in ipairs { "", " , ", "a b c?d [x]" } do
                    start { vault_aws_allow = odd }
                    assert.is_nil(host:get("{vault://aws/db/main/password}"))
                    assert.same({}, aws.asked)
                    restore()
                end
            end)

        it("decodes base64 in all of Kong's spellings", function()
            aws.secrets.b64 = { AWSCURRENT = "eyJrZXkiOiJ2In0=" }
            for _, setting in ipairs { { vault_aws_base64_decode = "true" },
                                       { vault_aws_decode_base64 = "true" } } do
                start(setting)
                assert.equal("v", host:get("{vault://aws/b64/key}"))
                restore()
            end
            for _, name in ipairs { "BASE64_DECODE", "DECODE_BASE64" } do
                variables["KONG_VAULT_AWS_" .. name] = "true"
                start()
                assert.equal("v", host:get("{vault://aws/b64/key}"))
                restore()
                variables["KONG_VAULT_AWS_" .. name] = nil
            end
            start { vault_aws_decode_base64 = "true" }
            host:put("plain", { name = "aws", config = { base64_decode = false } })
            assert.is_nil(host:get("{vault://plain/b64/key}"))
            assert.equal("v", host:get("{vault://plain/b64/key?base64_decode=true}"))
        end)

        it("takes keys of the entity from the environment, and never the machine's instead",
            function()
                variables.KEY_ID, variables.KEY = "AKIDOTHER", CANARY
                start()
                local config = { access_key_id = "$env://KEY_ID",
                                 secret_access_key = "{vault://env/key}" }
                host:put("keys", { name = "aws", config = config })
                host:get("{vault://keys/db/main/user}")
                assert.same({ "AKIDOTHER", CANARY },
                    { last().terms.access_key_id, last().terms.secret_access_key })
                variables.KEY, aws.asked = nil, {}
                local value, message = host:get("{vault://keys/db/main/password}")
                assert.is_nil(value)
                assert.matches("secret_access_key", message)
                assert.same({}, aws.asked)
            end)

        -- Kong leaves out what fails a field's own validator, without a word.
        it("never leaves out a role or keys that are malformed, wherever they are from", function()
            local entity = { assume_role_arn = ROLE, access_key_id = "AKIDEXAMPLE",
                             secret_access_key = CANARY }
            start()
            host:put("mine", { name = "aws", config = entity })
            for _, name in ipairs { "access_key_id", "secret_access_key" } do
                host:get("{vault://mine/db/main/user?" .. name .. "=%20}")
                assert.equal(" ", last().terms[name]) -- which the core refuses
                aws.asked = {}
            end
            local _, message = host:get("{vault://mine/db/main/user?assume_role_arn=x}")
            assert.is_truthy(message:find("assume_role_arn", 1, true), message)
            restore()
            start { vault_aws_assume_role_arn = "arn:aws:iam::12345678901:role/reader" }
            _, message = host:get("{vault://aws/db/main/user}")
            assert.is_truthy(message:find("assume_role_arn", 1, true), message)
            assert.same({}, aws.asked)
        end)

        it("works before Kong has a configuration, as on its command line", function()
            for _, kong in ipairs { false, {}, { configuration = false } } do
                start(nil, kong)
                assert.equal("p2", host:get("{vault://aws/db/main/password}"))
                restore()
            end
        end)
    end)

    -- Over a node of three workers, whose shared dict is one, and 60 s of a clock that is the
    -- spec's. Each secret's value is the number of its version.
    describe("behind Kong's own cache", function()
        local TTL, STEP = 5, 0.1
        local workers, replaced

        before_each(function()
            world.ngx.shared.vault_secrets = world:dict()
            workers, replaced = {}, {}
            local put_back = {}
            for i = 1, 3 do
                start({ vault_aws_ttl = tostring(TTL) })
                workers[i], put_back[i] = host, restore
            end
            restore = function()
                for i = 3, 1, -1 do
                    put_back[i]()
                end
            end
            aws.secrets.s = { AWSCURRENT = '{"n":"1"}' }
        end)

        local function rotate(number)
            replaced[number - 1] = world.clock
            aws.secrets.s.AWSCURRENT = ('{"n":"%d"}'):format(number)
        end

        -- For how long something newer has been there.
        local function age_of(value)
            local at = replaced[tonumber(value)]
            return at and world.clock - at or 0
        end

        for seed = 1, 20 do
            it("no value is older than Kong's ttl and a second: " .. seed, function()
                math.randomseed(seed)
                local oldest, oldest_fetched, number = 0, 0, 1
                for _ = 1, 60 / STEP do
                    world:pass(STEP)
                    if math.random() < 0.2 then
                        number = number + 1
                        rotate(number)
                    end
                    for _, each in ipairs(workers) do
                        each:rotate()
                    end
                    local one = workers[math.random(3)]
                    if math.random() < 0.5 then
                        oldest = math.max(oldest, age_of(one:get("{vault://aws/s/n}")))
                    end
                    if math.random() < 0.3 then
                        local text = one.strategies.aws.get({}, "s")
                        oldest_fetched = math.max(oldest_fetched, age_of(text:match("%d+")))
                    end
                end
                assert.is_true(oldest_fetched <= 1, oldest_fetched)
                assert.is_true(oldest <= TTL + 1 + STEP, oldest)
                assert.is_true(#aws.asked > 10)
            end)
        end

        it("try has the rotated value at its second attempt", function()
            local refs = { password = "{vault://aws/s/n}" }
            for round = 1, 10 do
                local one = workers[math.random(3)]
                one:try(function() return true end, { ["$refs"] = refs })
                world:pass(1 + math.random())
                rotate(round + 1)
                local attempts = {}
                local result = one:try(function(conf)
                    attempts[#attempts + 1] = conf.password
                    return conf.password == tostring(round + 1)
                end, { ["$refs"] = refs })
                assert.is_true(result, table.concat(attempts, " "))
                assert.equal(2, #attempts)
            end
        end)
    end)

    describe("the certificates", function()
        local folder

        before_each(function()
            folder = system.folder()
        end)
        after_each(function()
            system.remove(folder)
        end)

        local function trusted(configuration)
            start(configuration)
            return aws.settings.ca_file
        end

        it("are those that Kong has put together", function()
            local path = system.write(folder .. "/.ca_combined", "")
            assert.equal(path, trusted { lua_ssl_trusted_certificate_combined = path,
                                         lua_ssl_trusted_certificate = { "/a", "/b" } })
        end)

        it("are the one that is set where Kong has not put it together", function()
            assert.equal("/a", trusted {
                lua_ssl_trusted_certificate_combined = folder .. "/none",
                lua_ssl_trusted_certificate = { "/a" } })
        end)

        it("are the environment's, or the system's, where Kong has none", function()
            assert.is_nil(trusted {})
            restore()
            assert.is_nil(trusted { lua_ssl_trusted_certificate = {} })
            restore()
            variables.AWS_CA_BUNDLE = "/bundle.pem"
            assert.equal("/bundle.pem", trusted {})
        end)
    end)

    it("has nginx's timers where Kong has put others in their place", function()
        local function native() end
        rawset(_G, "native_timer_at", native)
        start()
        assert.equal(native, aws.settings.timer_at)
    end)
end)
