-- config_spec - which setting wins, where it came from, and what must not share a cache entry.

local config = require "vault.config"
local core = require "vault.core"
local reference = require "vault.reference"

local ARN = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:name-AbCdEf"

local function getenv_of(variables)
    return function(name)
        return variables and variables[name]
    end
end

local function settle(text, entity, variables)
    return config.settle(assert(reference.parse(text)), entity, getenv_of(variables))
end

local function refused(word, needle, text, entity, variables)
    local settled, message, seen = settle(text, entity, variables)
    assert.is_nil(settled)
    assert.equal(word, seen)
    assert.truthy(message:find(needle, 1, true), message)
    assert.falsy(message:find("[^ -~]"))
end

describe("settle", function()
    it("has a default for everything but the region", function()
        local settled = assert(settle("{vault://aws/n/k}"))
        assert.same({
            ttl = 0, neg_ttl = 0, resurrect_ttl = 1e8, timeout = 10, base64_decode = false,
            role_session_name = "KongVault", stage = "AWSCURRENT",
            origin = { ttl = "default", neg_ttl = "default", resurrect_ttl = "default",
                timeout = "default", base64_decode = "default", role_session_name = "default" },
        }, settled)
    end)

    it("reads the stage from the version", function()
        assert.equal("AWSCURRENT", settle("{vault://aws/n/k}").stage)
        assert.equal("AWSCURRENT", settle("{vault://aws/n/k#1}").stage)
        assert.equal("AWSPREVIOUS", settle("{vault://aws/n/k#2}").stage)
        local pending = { resource = "n", version = 2, stage = "AWSPENDING" }
        assert.equal("AWSPENDING", config.settle(pending, nil, function() end).stage)
        local _, message, word = config.settle({ resource = "n", version = 3 }, nil, getenv_of())
        assert.truthy(message)
        assert.equal("bad_reference", word)
    end)

    it("settles APISIX's references and the parts that Kong hands to a strategy", function()
        local settled = assert(settle("$secret://aws/john/apisix-secrets/john-key-auth",
            { region = "ap-southeast-2", access_key_id = "AKIDEXAMPLE",
              secret_access_key = "wJalrXUtnFEMI" }))
        assert.equal("ap-southeast-2", settled.region)
        assert.equal("AKIDEXAMPLE", settled.access_key_id)
        settled = assert(config.settle({ resource = "secret-name", version = 2 },
            { region = "us-east-1", ttl = 60 }, getenv_of()))
        assert.equal("AWSPREVIOUS", settled.stage)
        assert.equal(60, settled.ttl)
    end)

    it("raises for what is no parts or no entity", function()
        for _, parts in ipairs({ "text", {}, { resource = 1 } }) do
            assert.is_false(pcall(config.settle, parts, nil, getenv_of()))
        end
        assert.is_false(pcall(config.settle, { resource = "n" }, "entity", getenv_of()))
    end)

    it("takes the seed's null and empty texts as not set", function()
        local null = newproxy()
        local settled = assert(settle("{vault://aws/n}",
            { region = null, endpoint_url = "", ttl = null, access_key_id = "" },
            { AWS_REGION = "us-east-1", KONG_VAULT_AWS_REGION = "", KONG_VAULT_AWS_TTL = "" }))
        assert.equal("us-east-1", settled.region)
        assert.is_nil(settled.endpoint_url)
        assert.is_nil(settled.access_key_id)
        assert.equal(0, settled.ttl)
    end)
end)

-- From the strongest down: each must beat all that follow it.
local function chain_test(field, sources)
    for strongest = 1, #sources do
        for other = strongest + 1, #sources do
            local high, low = sources[strongest], sources[other]
            it(field .. ": " .. high.origin .. " over " .. low.origin, function()
                local given = { name = "n", options = {}, entity = {}, variables = {} }
                low.set(given)
                high.set(given)
                local query = table.concat(given.options, "&")
                local settled = assert(settle("{vault://aws/" .. given.name
                    .. (query ~= "" and "?" .. query or "") .. "}", given.entity, given.variables))
                assert.equal(high.value, settled[field])
                assert.equal(high.origin, settled.origin[field])
            end)
        end
    end
end

local function option(field, text, value)
    return { origin = "option", value = value,
        set = function(given) table.insert(given.options, field .. "=" .. text) end }
end

local function of_entity(field, value)
    return { origin = "entity", value = value,
        set = function(given) given.entity[field] = value end }
end

local function variable(name, text, value)
    return { origin = name, value = value or text,
        set = function(given) given.variables[name] = text end }
end

local function default(value)
    return { origin = "default", value = value, set = function() end }
end

describe("precedence of", function()
    chain_test("region", {
        option("region", "eu-west-1", "eu-west-1"),
        { origin = "arn", value = "eu-west-3", set = function(given)
            given.name = ARN:gsub("/", "%%2F")
        end },
        of_entity("region", "us-east-2"),
        variable("KONG_VAULT_AWS_REGION", "us-east-1"),
        variable("AWS_REGION", "us-west-1"),
        variable("AWS_DEFAULT_REGION", "us-west-2"),
    })
    chain_test("endpoint_url", {
        of_entity("endpoint_url", "http://entity:1"),
        variable("KONG_VAULT_AWS_ENDPOINT_URL", "http://kong:1"),
        variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://service:1"),
        variable("AWS_ENDPOINT_URL", "http://all:1"),
    })
    chain_test("sts_endpoint_url", {
        of_entity("sts_endpoint_url", "http://entity:1"),
        variable("KONG_VAULT_AWS_STS_ENDPOINT_URL", "http://kong:1"),
        variable("AWS_ENDPOINT_URL_STS", "http://service:1"),
        variable("AWS_ENDPOINT_URL", "http://all:1"),
    })
    for _, row in ipairs({ { "ttl", 0 }, { "neg_ttl", 0 }, { "resurrect_ttl", 1e8 } }) do
        chain_test(row[1], {
            option(row[1], "1", 1), of_entity(row[1], 2),
            variable("KONG_VAULT_AWS_" .. row[1]:upper(), "3", 3), default(row[2]),
        })
    end
    chain_test("base64_decode", {
        option("base64_decode", "false", false), of_entity("base64_decode", true),
        variable("KONG_VAULT_AWS_BASE64_DECODE", "true", true),
        variable("KONG_VAULT_AWS_DECODE_BASE64", "true", true), default(false),
    })
    chain_test("timeout", {
        of_entity("timeout", 2), variable("KONG_VAULT_AWS_TIMEOUT", "3.5", 3.5), default(10),
    })
    chain_test("assume_role_arn", {
        of_entity("assume_role_arn", "arn:aws:iam::123456789012:role/a"),
        variable("KONG_VAULT_AWS_ASSUME_ROLE_ARN", "arn:aws-cn:iam::123456789012:role/path/b"),
    })
    chain_test("role_session_name", {
        of_entity("role_session_name", "entity"),
        variable("KONG_VAULT_AWS_ROLE_SESSION_NAME", "kong"), default("KongVault"),
    })
    chain_test("external_id", {
        of_entity("external_id", "entity"), variable("KONG_VAULT_AWS_EXTERNAL_ID", "kong"),
    })
end)

describe("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", function()
    local variables = {
        AWS_ENDPOINT_URL_SECRETS_MANAGER = "http://a", AWS_ENDPOINT_URL = "http://b",
        AWS_ENDPOINT_URL_STS = "http://c", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = "True",
    }

    it("turns AWS's variables off", function()
        local settled = assert(settle("{vault://aws/n}", nil, variables))
        assert.is_nil(settled.endpoint_url)
        assert.is_nil(settled.sts_endpoint_url)
    end)

    it("leaves the vault's own", function()
        assert.equal("http://e",
            settle("{vault://aws/n}", { endpoint_url = "http://e" }, variables).endpoint_url)
        variables.KONG_VAULT_AWS_ENDPOINT_URL = "http://k"
        assert.equal("http://k", settle("{vault://aws/n}", nil, variables).endpoint_url)
    end)

    it("means true and nothing else", function()
        for _, value in ipairs({ "false", "1", "yes", "" }) do
            assert.equal("http://b", settle("{vault://aws/n}", nil, {
                AWS_ENDPOINT_URL = "http://b", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS = value,
            }).endpoint_url)
        end
    end)
end)

describe("an ARN and an endpoint", function()
    local text = "{vault://aws/" .. ARN .. "/key}"

    it("of one region go together", function()
        assert.equal("eu-west-3", settle(text,
            { endpoint_url = "https://vpce", region = "eu-west-3" }).region)
        assert.equal("eu-west-3", settle(text, { endpoint_url = "https://vpce" }).region)
    end)

    it("of two regions are refused, wherever the two came from", function()
        local elsewhere = "the ARN is of the region eu-west-3"
        refused("refused", elsewhere, text, { endpoint_url = "https://vpce", region = "us-east-1" })
        refused("refused", elsewhere, text, { region = "us-east-1" },
            { AWS_ENDPOINT_URL = "http://localhost:5000" })
        refused("refused", elsewhere, text, { endpoint_url = "https://vpce" },
            { AWS_REGION = "us-east-1" })
        refused("refused", elsewhere, "{vault://aws/" .. ARN .. "/key?region=us-east-1}",
            { endpoint_url = "https://vpce" })
    end)

    it("need not agree where AWS's own hosts are used", function()
        assert.equal("eu-west-3", settle(text, { region = "us-east-1" }).region)
    end)
end)

describe("a malformed setting", function()
    -- { word, what the message names, entity, variables }
    local ROWS = {
        { "bad_config", "the vault's field ttl", { ttl = -1 } },
        { "bad_config", "the vault's field ttl", { ttl = 0 / 0 } },
        { "bad_config", "the vault's field ttl", { ttl = 1 / 0 } },
        { "bad_config", "the vault's field ttl", { ttl = true } },
        { "bad_config", "the vault's field ttl", { ttl = "0x10" } },
        { "bad_config", "the vault's field neg_ttl", { neg_ttl = "many" } },
        { "bad_config", "the vault's field resurrect_ttl", { resurrect_ttl = {} } },
        { "bad_config", "the vault's field timeout", { timeout = 0 } },
        { "bad_config", "the vault's field timeout", { timeout = 3601 } },
        { "bad_config", "the vault's field base64_decode", { base64_decode = "yes" } },
        { "bad_config", "the vault's field region", { region = "us.east" } },
        { "bad_config", "the vault's field region", { region = 5 } },
        { "bad_config", "x\\x0ay", { region = "x\ny" } },
        { "bad_config", "the vault's field endpoint_url", { endpoint_url = 5 } },
        { "bad_config", "the vault's field endpoint_url", { endpoint_url = "http://a\r\nb" } },
        { "bad_config", "not resolved", { endpoint_url = "$env://ENDPOINT" } },
        { "bad_config", "not resolved",
          { access_key_id = "{vault://env/id}", secret_access_key = "x" } },
        { "bad_config", "secret_access_key is missing", { access_key_id = "AKID" } },
        { "bad_config", "access_key_id is missing", { secret_access_key = "key" } },
        { "bad_config", "session_token", { session_token = "token" } },
        { "bad_config", "the vault's field access_key_id", { access_key_id = 5 } },
        { "bad_config", "control bytes", { access_key_id = "A\0", secret_access_key = "k" } },
        { "bad_config", "control bytes", { access_key_id = "A", secret_access_key = "k\n" } },
        { "bad_config", "control bytes", { session_token = "\127" } },
        { "bad_config", "the vault's field assume_role_arn", { assume_role_arn = "role" } },
        { "bad_config", "the vault's field assume_role_arn",
          { assume_role_arn = "arn:aws:iam::123456789012:user/x" } },
        { "bad_config", "the vault's field role_session_name", { role_session_name = "x" } },
        { "bad_config", "the vault's field role_session_name",
          { role_session_name = ("x"):rep(65) } },
        { "bad_config", "the vault's field role_session_name", { role_session_name = "a b" } },
        { "bad_config", "variable KONG_VAULT_AWS_TTL", nil, { KONG_VAULT_AWS_TTL = "-1" } },
        { "bad_config", "variable KONG_VAULT_AWS_TTL", nil, { KONG_VAULT_AWS_TTL = "nan" } },
        { "bad_config", "variable KONG_VAULT_AWS_NEG_TTL", nil,
          { KONG_VAULT_AWS_NEG_TTL = "inf" } },
        { "bad_config", "variable KONG_VAULT_AWS_RESURRECT_TTL", nil,
          { KONG_VAULT_AWS_RESURRECT_TTL = "1 day" } },
        { "bad_config", "variable KONG_VAULT_AWS_TIMEOUT", nil, { KONG_VAULT_AWS_TIMEOUT = "0" } },
        { "bad_config", "variable KONG_VAULT_AWS_DECODE_BASE64", nil,
          { KONG_VAULT_AWS_DECODE_BASE64 = "maybe" } },
        { "bad_config", "variable AWS_DEFAULT_REGION", nil, { AWS_DEFAULT_REGION = "US EAST" } },
        { "bad_config", "variable KONG_VAULT_AWS_ROLE_SESSION_NAME", nil,
          { KONG_VAULT_AWS_ROLE_SESSION_NAME = ("x"):rep(65) } },
    }
    for i, row in ipairs(ROWS) do
        it("is named with the place it came from: " .. row[2] .. ", case " .. i, function()
            refused(row[1], row[2], "{vault://aws/n/k}", row[3], row[4])
        end)
    end

    it("in a reference is the reference's fault", function()
        local options = { ttl = -1, base64_decode = "yes", region = "x.y", prefix = "p" }
        for name, value in pairs(options) do
            local settled, message, word = config.settle(
                { resource = "n", config = { [name] = value } }, nil, getenv_of())
            assert.is_nil(settled)
            assert.truthy(message:find("the reference's option " .. name, 1, true), message)
            assert.equal("bad_reference", word)
        end
        refused("bad_reference", "prefix", "{vault://my-entity/n?prefix=x}")
    end)

    it("never shows a credential or an endpoint", function()
        for _, entity in ipairs({
            { access_key_id = "canary" }, { secret_access_key = "canary" },
            { session_token = "canary" },
            { access_key_id = "id", secret_access_key = { "canary" } },
            { endpoint_url = "http://user:canary@host/\n" }, { external_id = "canary\n" },
            { access_key_id = "id", secret_access_key = "$env://canary" },
        }) do
            local settled, message = settle("{vault://aws/n}", entity)
            assert.is_nil(settled)
            assert.falsy(message:find("canary", 1, true), message)
        end
    end)
end)

local function identity_of(settled, resource)
    return core.key(config.asker(settled), resource, settled.stage)
end

describe("identity", function()
    local function identity(changes, resource)
        local settled = { region = "us-east-1", stage = "AWSCURRENT",
            role_session_name = "KongVault", ttl = 0, neg_ttl = 0, resurrect_ttl = 1e8,
            timeout = 10, base64_decode = false }
        for field, value in pairs(changes or {}) do
            settled[field] = value
        end
        return identity_of(settled, resource or "name")
    end

    it("leaves policy out", function()
        local plain = identity()
        for _, change in ipairs({ { ttl = 60 }, { neg_ttl = 5 }, { resurrect_ttl = 1 },
            { timeout = 1 }, { base64_decode = true }, { origin = {} },
            { role_session_name = "other" }, { external_id = "x" },
            { sts_endpoint_url = "http://x" },
        }) do
            assert.equal(plain, identity(change))
        end
    end)

    it("differs in everything that selects the bytes", function()
        local role = "arn:aws:iam::123456789012:role/a"
        local seen = {}
        for i, text in ipairs({
            identity(), identity(nil, "other"), identity({ stage = "AWSPREVIOUS" }),
            identity({ region = "us-east-2" }), identity({ endpoint_url = "http://a" }),
            identity({ assume_role_arn = role }),
            identity({ assume_role_arn = role .. "2" }),
            identity({ assume_role_arn = role, external_id = "x" }),
            identity({ assume_role_arn = role, role_session_name = "other" }),
            identity({ assume_role_arn = role, sts_endpoint_url = "http://x" }),
            identity({ access_key_id = "a", secret_access_key = "b" }),
            identity({ access_key_id = "a", secret_access_key = "c" }),
            identity({ access_key_id = "ab", secret_access_key = "" }),
            identity({ access_key_id = "a", secret_access_key = "b", session_token = "c" }),
        }) do
            assert.is_nil(seen[text], i)
            seen[text] = i
        end
        local settled = { stage = "AWSCURRENT" }
        assert.is_nil(seen[identity_of(settled, "name")])
    end)

    it("cannot be made to collide by what stands in a field", function()
        assert.not_equal(identity({ endpoint_url = "a", region = "b" }, "c"),
            identity({ endpoint_url = "a;1:b", region = "c" }, "c"))
        assert.not_equal(identity({ region = "-" }), identity_of({ stage = "AWSCURRENT",
            region = nil }, "name"))
        assert.not_equal(identity(nil, "name;10:AWSCURRENT"), identity(nil, "name"))
    end)

    it("is the same wherever a setting came from", function()
        local settled = assert(settle("{vault://aws/name/k?ttl=60}", nil,
            { AWS_REGION = "us-east-1" }))
        local other = assert(settle("{vault://aws/name/k2}", { region = "us-east-1" }))
        assert.equal(identity_of(settled, "name"), identity_of(other, "name"))
    end)
end)

describe("asker", function()
    it("is who asks, and where, and not for what", function()
        local asker = config.asker
        local one = asker { region = "r", endpoint_url = "e", stage = "AWSCURRENT" }
        assert.equal(one, asker { region = "r", endpoint_url = "e", stage = "other", ttl = 5 })
        assert.not_equal(one, asker { region = "r2", endpoint_url = "e" })
        assert.not_equal(one, asker { region = "r", endpoint_url = "e", access_key_id = "a" })
        assert.not_equal(one, asker { region = "r", endpoint_url = "e", assume_role_arn = "a" })
    end)
end)

describe("trusted_certificate", function()
    -- { option, variables, path }
    local ROWS = {
        { nil, {}, nil },
        { "", {}, nil },
        { "system", {}, nil },
        { "system", { AWS_CA_BUNDLE = "/a", SSL_CERT_FILE = "/s" }, nil },
        { nil, { AWS_CA_BUNDLE = "/a", SSL_CERT_FILE = "/s" }, "/a" },
        { "", { AWS_CA_BUNDLE = "", SSL_CERT_FILE = "/s" }, "/s" },
        { nil, { SSL_CERT_FILE = "/s" }, "/s" },
        { "/own", { AWS_CA_BUNDLE = "/a" }, "/own" },
    }
    for i, row in ipairs(ROWS) do
        it("is the option, then the environment, then the system: case " .. i, function()
            assert.equal(row[3], config.trusted_certificate(row[1], getenv_of(row[2])))
        end)
    end
end)
