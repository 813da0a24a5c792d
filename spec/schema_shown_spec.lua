-- schema_shown_spec - APISIX's secret object, and what is shown of an entity (vault.schema).

local cjson = require "cjson"
local schema = require "vault.schema"
local support = require "spec.support.schema"

local by_path, entity = support.by_path, support.entity
local null = cjson.null
local ID = "2911e119-ee1f-42af-a114-67061c3831e5"
local OTHER_ID = "11111111-ee1f-42af-a114-67061c3831e5"

-- The seed's secret.
local JOHN = { region = "ap-southeast-2", access_key_id = "AKIARK7HKSJVWAIKFOXR",
               secret_access_key = "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" }

describe("APISIX's secret", function()
    it("becomes an entity, and an object again", function()
        local made = schema.secret("aws", "john", JOHN)
        assert.same({ name = "aws", prefix = "john", config = JOHN }, made)
        made.created_at, made.updated_at = 1, 2
        assert.same({ id = "aws/john", create_time = 1, update_time = 2,
            region = JOHN.region, access_key_id = JOHN.access_key_id,
            secret_access_key = JOHN.secret_access_key }, schema.to_secret(made))
        assert.same(made, schema.secret("aws", "john", schema.to_secret(made)))
    end)

    it("may have an id that Kong's prefixes do not allow, and stays changeable", function()
        local made = assert(schema.secret("aws", "John_1.x", { ttl = 60 }))
        assert.equal("John_1.x", made.prefix)
        assert.is_nil((schema.vault(made)))
        assert.same(made, schema.vault(made, { stored = true }))
        made.id = ID
        assert.same(made, schema.vault(made, { existing = { made } }))
        assert.is_nil((schema.vault(entity { id = OTHER_ID, prefix = "John_2" },
            { existing = { made } })))
    end)

    local ROWS = {
        { "another manager", "vault", "1", {},
          { manager = "secret manager 'vault' is not supported" } },
        { "env as a manager", "env", "1", {},
          { manager = "secret manager 'env' is not supported" } },
        { "a path as id", "aws", "../john", {},
          { id = "expected 1 to 64 letters, digits, '-', '_' and '.'" } },
        { "a dot segment", "aws", "..", {}, { id = "must not be a dot segment" } },
        { "a strategy's name", "aws", "env", {}, { id = "must not be one of: aws, env" } },
        { "an over-long id", "aws", ("x"):rep(65), {},
          { id = "expected 1 to 64 letters, digits, '-', '_' and '.'" } },
        { "another id inside", "aws", "john", { id = "aws/jane" },
          { id = "is another than the one in the path" } },
        { "no object", "aws", "john", "x", { [""] = "expected an object" } },
        { "wrong types", "aws", "john", { region = 1, access_key_id = {}, ttl = "x" },
          { region = "expected a string", access_key_id = "expected a string",
            ttl = "expected a number", secret_access_key =
              "required beside the other half of the key" } },
        { "an unknown field", "aws", "john", { uri = "x" }, { uri = "unknown field" } },
        { "Kong's nesting", "aws", "john", { config = { region = "x" } },
          { config = "unknown field" } },
        { "a mask where nothing is stored", "aws", "john",
          { access_key_id = "x", secret_access_key = "******" },
          { secret_access_key = "this is the mask of a value, and no value is stored" } },
    }
    for _, row in ipairs(ROWS) do
        it("is refused: " .. row[1], function()
            local made, violation, list = schema.secret(row[2], row[3], row[4])
            assert.is_nil(made)
            assert.equal(2, violation.code)
            assert.same(row[5], by_path(list))
        end)
    end

    it("takes its place again, but not that of another strategy", function()
        local john = schema.secret("aws", "john", JOHN)
        assert.truthy(schema.secret("aws", "john", {}, { existing = { john } }))
        assert.is_nil((schema.secret("aws", "john", {}, { existing = { john }, create = true })))
        john.name = "env"
        local _, violation = schema.secret("aws", "john", {}, { existing = { john } })
        assert.equal(5, violation.code)
    end)

    it("in part keeps nulls and masks", function()
        assert.same({ name = "aws", prefix = "john",
            config = { ttl = null, secret_access_key = "******" } },
            schema.secret("aws", "john", { ttl = null, secret_access_key = "******" },
                { partial = true }))
    end)
end)

describe("what is shown", function()
    local stored = { id = ID, name = "aws", prefix = "x1", config = { region = "eu-west-1",
        access_key_id = "canary1", secret_access_key = "canary2", session_token = "canary3",
        external_id = "ext" } }

    it("has the mask in the place of what is write-only", function()
        local shown = schema.redact(stored)
        assert.same({ id = ID, name = "aws", prefix = "x1", config = { region = "eu-west-1",
            access_key_id = "******", secret_access_key = "******", session_token = "******",
            external_id = "ext" } }, shown)
        assert.equal("canary1", stored.config.access_key_id)
    end)

    it("has no mask for what is not set", function()
        assert.same(entity(), schema.redact(entity()))
    end)

    it("has the seed's nulls where they are wanted", function()
        local shown = schema.redact(entity { description = "d" }, null)
        assert.equal(null, shown.tags)
        assert.equal("d", shown.description)
    end)

    it("as a secret holds none either", function()
        assert.falsy(cjson.encode(schema.to_secret(schema.redact(stored))):find("canary"))
    end)

    it("is masked whatever strategy an entity claims", function()
        assert.falsy(cjson.encode(schema.redact({ name = "zz", prefix = "x", config = {
            secret_access_key = "canary" } })):find("canary"))
    end)
end)
