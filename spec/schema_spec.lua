-- schema_spec - entities that are taken, entities that are refused and in which words, and what a
-- mask keeps.

local cjson = require "cjson"
local schema = require "vault.schema"
local support = require "spec.support.schema"

local by_path, entity = support.by_path, support.entity
local null = cjson.null
local ID = "2911e119-ee1f-42af-a114-67061c3831e5"
local OTHER_ID = "11111111-ee1f-42af-a114-67061c3831e5"

-- what is given, and what is kept
local GOOD = {
    { "the seed's entity", entity { description = "Storing secrets in AWS Secrets Manager" } },
    { "without config", { name = "aws", prefix = "john" },
      { name = "aws", prefix = "john", config = {} } },
    { "nulls", entity { tags = null, description = null, id = null,
        config = { region = "us-east-1", ttl = null } }, entity() },
    { "config null", entity { config = null }, { name = "aws", prefix = "aws-sm-vault",
        config = {} } },
    { "no tags", entity { tags = {} }, entity() },
    { "tags, each once", entity { tags = { "a", "b", "a" } }, entity { tags = { "a", "b" } } },
    { "an id in capitals", entity { id = ID:upper() }, entity { id = ID } },
    { "all common fields", entity { id = ID, created_at = 1644942689, updated_at = 1644942690,
        tags = { "t\195\164g" }, description = "two\nlines\t" } },
    { "static keys", entity { config = { access_key_id = "AKIA", secret_access_key = "x",
        session_token = "t" } } },
    { "keys from the environment", entity { config = { access_key_id = "$env://ID",
        secret_access_key = "{vault://env/secret}" } } },
    { "all else of aws", entity { config = { region = "eu-west-1", ttl = 60, neg_ttl = 5,
        resurrect_ttl = 0, base64_decode = true, timeout = 3, role_session_name = "me",
        assume_role_arn = "arn:aws:iam::123456789012:role/r", external_id = "ext",
        endpoint_url = "http://localhost:4566", sts_endpoint_url = "http://localhost:4566",
        allow = { "prod/*" } } } },
    { "env", { name = "env", prefix = "my-env-vault", config = { prefix = "MY_" } } },
    { "env without config", { name = "env", prefix = "my-env-vault", config = {} } },
}

describe("an entity is taken:", function()
    for _, row in ipairs(GOOD) do
        it(row[1], function()
            local kept, violation = schema.vault(row[2])
            assert.is_nil(violation)
            assert.same(row[3] or row[2], kept)
        end)
    end

    it("and is another table than what was given", function()
        local given = entity { tags = { "a" }, config = { allow = { "x" } } }
        local kept = schema.vault(given)
        given.tags[1], given.config.allow[1], given.config.ttl = "b", "y", 1
        assert.same(entity { tags = { "a" }, config = { allow = { "x" } } }, kept)
    end)
end)

-- what is given, and the complaints by path
local BAD = {
    { "no table", "text", { [""] = "expected a record" } },
    { "null", null, { [""] = "expected a record" } },
    { "nothing", {}, { name = "required field missing", prefix = "required field missing" } },
    { "name of another type", entity { name = 1 }, { name = "expected a string" } },
    { "an unknown strategy", entity { name = "hcv" },
      { name = "vault 'hcv' is not installed" } },
    { "a strategy as a path", entity { name = "../aws" },
      { name = "vault '../aws' is not installed" } },
    { "an unknown field", entity { foo = 1 }, { foo = "unknown field" } },
    { "an unknown field of config", entity { config = { regon = "x" } },
      { ["config.regon"] = "unknown field" } },
    { "a field of the other strategy", entity { config = { prefix = "x" } },
      { ["config.prefix"] = "unknown field" } },
    { "aws's field in env", { name = "env", prefix = "my-env", config = { region = "x" } },
      { ["config.region"] = "unknown field" } },
    { "config of another type", entity { config = "x" }, { config = "expected a record" } },
    { "config as a list", entity { config = { "x" } }, { ["config[1]"] = "unknown field" } },
    { "an entity that is a list", { "x" }, { ["[1]"] = "unknown field",
        name = "required field missing", prefix = "required field missing" } },
    { "a strategy's name as prefix", entity { prefix = "aws" },
      { prefix = "must not be one of: aws, env" } },
    { "the other strategy's name", entity { prefix = "env" },
      { prefix = "must not be one of: aws, env" } },
    { "prefix over-long", entity { prefix = ("a"):rep(65) },
      { prefix = "length must be at most 64" } },
    { "prefix empty", entity { prefix = "" }, { prefix = "length must be at least 1" } },
    { "prefix of another type", entity { prefix = {} }, { prefix = "expected a string" } },
    { "an id that is no UUID", entity { id = "1" }, { id = "expected a valid UUID" } },
    { "an id with its dashes elsewhere", entity { id = "2911e119ee1f-42af-a114-67061c3831e-5" },
      { id = "expected a valid UUID" } },
    { "an id that is a path", entity { id = "../../../etc/passwd" },
      { id = "expected a valid UUID" } },
    { "an id with more behind it", entity { id = ID .. "/" },
      { id = "length must be at most 36" } },
    { "description over-long", entity { description = ("x"):rep(1025) },
      { description = "length must be at most 1024" } },
    { "description in bad UTF-8", entity { description = "a\255" },
      { description = "expected valid UTF-8" } },
    { "description with a NUL", entity { description = "a\0b" },
      { description = "must not hold control characters" } },
    { "tags of another type", entity { tags = "a" }, { tags = "expected a set" } },
    { "tags as a map", entity { tags = { a = 1 } }, { tags = "expected a set" } },
    { "bad tags", entity { tags = { "ok", "a,b", 3, "", "\255", "a/b" } },
      { ["tags[2]"] = 'a tag holds no "," and no "/"', ["tags[3]"] = "expected a string",
        ["tags[4]"] = "length must be at least 1", ["tags[5]"] = "expected valid UTF-8",
        ["tags[6]"] = 'a tag holds no "," and no "/"' } },
    { "times that are none", entity { created_at = 1.5, updated_at = "x" },
      { created_at = "expected an integer", updated_at = "expected an integer" } },
    { "a time before 1970", entity { created_at = -1 },
      { created_at = "value should be between 0 and 9007199254740992" } },
    { "half a key", entity { config = { access_key_id = "AKIA" } },
      { ["config.secret_access_key"] = "required beside the other half of the key" } },
    { "the other half", entity { config = { secret_access_key = "x" } },
      { ["config.access_key_id"] = "required beside the other half of the key" } },
    { "a token alone", entity { config = { session_token = "x" } },
      { ["config.session_token"] = "stands beside access_key_id only" } },
    { "a mask where nothing is stored", entity { config = { access_key_id = "******",
        secret_access_key = "x" } },
      { ["config.access_key_id"] = "this is the mask of a value, and no value is stored" } },
    { "several at once", entity { name = "aws", prefix = "A", config = { ttl = "60", timeout = 0,
        allow = "x", base64_decode = 1 } },
      { prefix = "expected two or more of lower-case letters, digits and '-', a letter first, "
          .. "no '-' last",
        ["config.ttl"] = "expected a number", ["config.base64_decode"] = "expected a boolean",
        ["config.timeout"] = "value should be between 0.001 and 3600",
        ["config.allow"] = "expected an array" } },
}

describe("an entity is refused:", function()
    for _, row in ipairs(BAD) do
        it(row[1], function()
            local kept, violation, list = schema.vault(row[2])
            assert.is_nil(kept)
            assert.equal(2, violation.code)
            assert.equal("schema violation", violation.name)
            assert.same(row[3], by_path(list))
            assert.truthy(cjson.encode(violation))
        end)
    end

    it("in Kong's shape", function()
        local _, violation = schema.vault(entity { config = { ttl = "60" } })
        assert.same({ message = "schema violation (config.ttl: expected a number)",
            name = "schema violation", code = 2,
            fields = { config = { ttl = "expected a number" } } }, violation)
        _, violation = schema.vault(entity { config = { ttl = "60" }, foo = 1 })
        assert.equal("2 schema violations (config.ttl: expected a number; foo: unknown field)",
            violation.message)
    end)

    it("without a word of any value", function()
        local canary = "canary://x y\n"
        for _, name in ipairs({ "region", "endpoint_url", "sts_endpoint_url", "assume_role_arn",
            "role_session_name", "external_id", "access_key_id", "secret_access_key",
            "session_token", "ttl", "base64_decode", "allow" }) do
            local _, violation = schema.vault(entity { config = { [name] = canary } })
            assert.falsy(cjson.encode(violation):find("canary"))
        end
        for _, name in ipairs({ "prefix", "description", "tags", "id", "created_at" }) do
            local _, violation = schema.vault(entity { [name] = canary .. "\0" })
            assert.falsy(cjson.encode(violation):find("canary"))
        end
    end)
end)

describe("uniqueness", function()
    local stored = { entity { id = ID }, entity { id = OTHER_ID, prefix = "other" } }

    it("of the prefix", function()
        local kept, violation, list = schema.vault(entity(), { existing = stored })
        assert.is_nil(kept)
        assert.same({ message = [[UNIQUE violation detected on '{prefix="aws-sm-vault"}']],
            name = "unique constraint violation", code = 5,
            fields = { prefix = "aws-sm-vault" } }, violation)
        assert.same({ prefix = "another vault has this prefix" }, by_path(list))
        assert.is_nil((schema.vault(entity { id = OTHER_ID }, { existing = stored })))
    end)

    it("is not broken by the entity itself, also under a new prefix", function()
        assert.truthy(schema.vault(entity { id = ID }, { existing = stored }))
        assert.truthy(schema.vault(entity { id = ID, prefix = "new" }, { existing = stored }))
        assert.truthy(schema.vault(entity { prefix = "new" }, { existing = stored }))
    end)

    it("of the id where it must be new", function()
        local options = { existing = stored, create = true }
        local _, violation = schema.vault(entity { id = ID, prefix = "new" }, options)
        assert.equal(3, violation.code)
        assert.equal(5, select(2, schema.vault(entity { id = ID }, options)).code)
    end)

    it("asks a function too", function()
        local asked = {}
        local function existing(prefix, id)
            asked[#asked + 1] = prefix or id
            return prefix == "aws-sm-vault" and stored[1] or nil
        end
        assert.equal(5, select(2, schema.vault(entity(), { existing = existing })).code)
        assert.same({ "aws-sm-vault" }, asked)
    end)

    it("comes after the schema", function()
        local _, violation = schema.vault(entity { foo = 1 }, { existing = stored })
        assert.equal(2, violation.code)
    end)
end)

describe("part of an entity", function()
    it("may lack what is required, and keeps nulls and masks", function()
        local given = { description = null, tags = {}, config = { ttl = 60, region = null,
            secret_access_key = "******" } }
        assert.same(given, schema.vault(given, { partial = true }))
        assert.same({}, schema.vault({}, { partial = true }))
    end)

    it("is not asked for uniqueness: that is the whole's", function()
        assert.truthy(schema.vault({ prefix = "aws-sm-vault" },
            { partial = true, existing = { entity { id = ID } } }))
    end)

    it("is checked field by field all the same", function()
        local _, _, list = schema.vault({ foo = 1, config = { ttl = "x", prefix = 1, no = 1 } },
            { partial = true })
        assert.same({ foo = "unknown field", ["config.ttl"] = "expected a number",
            ["config.prefix"] = "expected a string", ["config.no"] = "unknown field" },
            by_path(list))
    end)

    it("knows whose config it is where it is told", function()
        local given = { config = { prefix = "MY_" } }
        assert.same(given, schema.vault(given, { partial = true, strategy = "env" }))
        assert.is_nil((schema.vault(given, { partial = true, strategy = "aws" })))
    end)
end)

describe("merge", function()
    local old = { id = ID, name = "aws", prefix = "x1", description = "d", tags = { "a" },
        created_at = 5, updated_at = 6,
        config = { region = "eu-west-1", ttl = 60, access_key_id = "id",
                   secret_access_key = "key" } }

    local function merged(new, partial)
        local made = schema.merge(old, new, partial)
        return made, schema.vault(made, { existing = { old } })
    end

    it("of a PUT leaves what is given, the id and created_at", function()
        local _, kept = merged({ name = "aws", prefix = "x1", config = { ttl = 1 } })
        assert.same({ id = ID, name = "aws", prefix = "x1", created_at = 5,
            config = { ttl = 1 } }, kept)
    end)

    it("of a PUT of what was shown changes nothing", function()
        local _, kept = merged(schema.redact(old, null))
        assert.same(old, kept)
    end)

    it("of a PUT keeps what is masked, each field for itself", function()
        local _, kept = merged({ name = "aws", prefix = "x1",
            config = { access_key_id = "new", secret_access_key = "******" } })
        assert.same({ access_key_id = "new", secret_access_key = "key" }, kept.config)
    end)

    it("of a PATCH keeps what is not given and takes away what is null", function()
        local _, kept = merged({ tags = null, config = { ttl = null, neg_ttl = 3,
            secret_access_key = "******" } }, true)
        assert.same({ id = ID, name = "aws", prefix = "x1", description = "d", created_at = 5,
            updated_at = 6, config = { region = "eu-west-1", neg_ttl = 3, access_key_id = "id",
            secret_access_key = "key" } }, kept)
    end)

    it("does not change what is stored, nor share with it", function()
        local before = cjson.encode(old)
        local made = merged({ tags = null, id = null, config = { ttl = null } }, true)
        made.config.region = "x"
        assert.equal(before, cjson.encode(old))
        assert.equal(ID, made.id)
    end)

    it("keeps a mask that has nothing behind it, for the check to refuse", function()
        local made, kept = merged({ name = "aws", prefix = "x1",
            config = { session_token = "******" } })
        assert.equal("******", made.config.session_token)
        assert.is_nil(kept)
    end)

    it("of nothing stored is what is given", function()
        assert.same(entity(), schema.merge(nil, entity()))
        assert.same({ config = { secret_access_key = "******" } },
            schema.merge(nil, { config = { secret_access_key = "******" } }))
    end)

    it("passes garbage on to the check", function()
        assert.equal("x", schema.merge(old, { config = "x" }, true).config)
        assert.is_nil(select(2, merged({ name = {}, config = { [1] = "x" } }, true)))
    end)

    it("cannot move a vault onto another one's id", function()
        local _, violation = schema.vault(schema.merge(old, { id = OTHER_ID, name = "aws",
            prefix = "x1" }), { existing = { old } })
        assert.equal(5, violation.code)
    end)

    it("takes APISIX's partial secret", function()
        local part = schema.secret("aws", "x1", { ttl = null, secret_access_key = "******" },
            { partial = true })
        assert.same({ region = "eu-west-1", access_key_id = "id", secret_access_key = "key" },
            schema.merge(old, part, true).config)
    end)
end)

describe("describe", function()
    it("tells the fields of a strategy as Kong does", function()
        local told = schema.describe("aws")
        local config = told.fields[1].config
        assert.equal("record", config.type)
        assert.same({ region = { type = "string", referenceable = true, len_max = 32,
            description = "The AWS region of the secrets; else the profile's or the machine's own."
        } }, config.fields[1])
        local by_name = {}
        for _, field in ipairs(config.fields) do
            local name, about = next(field)
            by_name[name] = about
        end
        assert.equal(true, by_name.secret_access_key.encrypted)
        assert.equal(1e8, by_name.resurrect_ttl.default)
        assert.equal("seconds", by_name.ttl.unit)
        assert.same({ 0.001, 3600 }, by_name.timeout.between)
        assert.equal("string", by_name.allow.elements.type)
        assert.truthy(cjson.encode(told))
    end)

    it("tells env's, the entity's own, and nothing of what is not there", function()
        assert.truthy(schema.describe("env").fields[1].config.fields[1].prefix)
        assert.equal("id", (next(schema.describe().fields[1])))
        assert.is_nil(schema.describe("hcv"))
    end)
end)
