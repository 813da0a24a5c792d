-- declarative_spec - files of vaults: what is read of them, the line of what is wrong, and that
-- what is written reads back the same.

local cjson = require "cjson"
local declarative = require "vault.declarative"
local schema = require "vault.schema"

local SEED = [[
_format_version: "3.0"
vaults:
- config:
    region: us-east-1
  description: Storing secrets in AWS Secrets Manager
  name: aws
  prefix: aws-sm-vault
]]

local APISIX = [[
secrets:
  - id: aws/john
    region: ap-southeast-2
    access_key_id: $env://AWS_JOHN_ID
    secret_access_key: "{vault://env/aws-john-key}"
#END
]]

describe("a file is read:", function()
    it("the seed's", function()
        assert.same({ { name = "aws", prefix = "aws-sm-vault",
            description = "Storing secrets in AWS Secrets Manager",
            config = { region = "us-east-1" } } }, declarative.load(SEED))
    end)

    it("APISIX's standalone file", function()
        assert.same({ { name = "aws", prefix = "john", config = { region = "ap-southeast-2",
            access_key_id = "$env://AWS_JOHN_ID",
            secret_access_key = "{vault://env/aws-john-key}" } } }, declarative.load(APISIX))
    end)

    it("both in one", function()
        local entities = assert(declarative.load(SEED .. APISIX))
        assert.equal("aws-sm-vault", entities[1].prefix)
        assert.equal("john", entities[2].prefix)
    end)

    it("JSON", function()
        assert.same({ { name = "env", prefix = "my-env-vault", config = { prefix = "MY_" } } },
            declarative.load(' \n{"_format_version": "3.0", "vaults": [{"name": "env", '
                .. '"prefix": "my-env-vault", "config": {"prefix": "MY_"}, "tags": null}], '
                .. '"services": []}'))
        assert.same({ { name = "aws", prefix = "1", config = {} } },
            declarative.load('\239\187\191{"secrets": [{"id": "aws/1"}]}'))
    end)

    it("a gateway's whole file, of which the rest is not ours", function()
        local entities = assert(declarative.load([[
_format_version: "2.1"
_transform: false
x-defaults: &defaults {ttl: 60, neg_ttl: 5}
services:
- name: a
  url: !custom http://host
  {a: 1}: twice
  name: b
vaults:
- name: aws
  prefix: sm-one
  config:
    <<: *defaults
    neg_ttl: 0
]]))
        assert.same({ { name = "aws", prefix = "sm-one", config = { ttl = 60, neg_ttl = 0 } } },
            entities)
    end)

    for _, text in ipairs({
        '_format_version: "1.1"', "_format_version: 3.0", '_format_version: "3.0"\nvaults:\n',
        '_format_version: "3.0"\nvaults: []', "secrets: []\n#END", '{"vaults": [], '
        .. '"_format_version": "3.0"}', '{"secrets": {}}',
    }) do
        it(("%q has no vaults"):format(text), function()
            assert.same({}, declarative.load(text))
        end)
    end
end)

local VAULT = "- name: aws\n  prefix: sm-one\n"

local function vaults(text)
    return '_format_version: "3.0"\nvaults:\n' .. text
end

-- text, then { line, path, message } for each error
local REFUSED = {
    { "a typing error in a field", vaults(VAULT .. "  config:\n    ttl: 1\n    regio: x\n"),
      { 7, "vaults[1].config.regio", "unknown field" } },
    { "wrong types", vaults(VAULT .. "  config:\n    region: 1\n    ttl: \"60\"\n"
        .. "    base64_decode: 'yes'\n"),
      { 8, "vaults[1].config.base64_decode", "expected a boolean" },
      { 6, "vaults[1].config.region", "expected a string" },
      { 7, "vaults[1].config.ttl", "expected a number" } },
    { "errors in several vaults", vaults(VAULT .. "  foo: 1\n- name: hcv\n  prefix: other\n"),
      { 5, "vaults[1].foo", "unknown field" },
      { 6, "vaults[2].name", "vault 'hcv' is not installed" } },
    { "a field that is missing", vaults(VAULT .. "- prefix: other\n"),
      { 5, "vaults[2].name", "required field missing" } },
    { "the same prefix twice", vaults(VAULT .. VAULT),
      { 6, "vaults[2].prefix", "another vault has this prefix" } },
    { "the same id twice", vaults(
        "- {name: aws, prefix: sm-one, id: 2911e119-ee1f-42af-a114-67061c3831e5}\n"
        .. "- {name: aws, prefix: sm-two, id: 2911E119-EE1F-42AF-A114-67061C3831E5}\n"),
      { 4, "vaults[2].id", "another vault has this id" } },
    { "a strategy's name as prefix", vaults("- name: aws\n  prefix: env\n"),
      { 4, "vaults[1].prefix", "must not be one of: aws, env" } },
    { "a path as prefix", vaults("- name: aws\n  prefix: ../../etc\n"),
      { 4, "vaults[1].prefix", "expected two or more of lower-case letters, digits and '-', a "
          .. "letter first, no '-' last" } },
    { "APISIX's prefix in Kong's list", vaults("- name: aws\n  prefix: John_1\n"),
      { 4, "vaults[1].prefix", "expected two or more of lower-case letters, digits and '-', a "
          .. "letter first, no '-' last" } },
    { "a mask", vaults(VAULT .. "  config:\n    access_key_id: x\n"
        .. "    secret_access_key: '******'\n"),
      { 7, "vaults[1].config.secret_access_key",
        "this is the mask of a value, and no value is stored" } },
    { "an element of a list", vaults(VAULT .. "  config:\n    allow:\n    - a\n    - b c\n"),
      { 8, "vaults[1].config.allow[2]", "expected a name or an ARN, with * and ?" } },
    { "a reference without quotes", vaults(VAULT .. "  config:\n"
        .. "    region: {vault://env/region}\n"),
      { 6, "", 'a reference must stand in quotes: "{vault://..}"' } },
    { "another vault's reference", vaults(VAULT .. "  config:\n"
        .. '    region: "{vault://other/region}"\n'),
      { 6, "vaults[1].config.region", "only references to the environment may stand here: "
          .. "{vault://env/..}, $env://.." } },
    { "vaults twice", vaults(VAULT) .. "services: []\nvaults:\n- name: aws\n  prefix: sm-two\n",
      { 6, "", 'the key "vaults" is there twice' } },
    { "secrets twice", "secrets:\n- id: aws/a\nsecrets:\n- id: aws/b\n#END",
      { 3, "", 'the key "secrets" is there twice' } },
    { "the version twice", vaults("") .. '_format_version: "2.1"\n',
      { 3, "", 'the key "_format_version" is there twice' } },
    { "no version", "vaults:\n" .. VAULT, { 1, "_format_version", "required field missing" } },
    { "an unknown version", "a: 1\n_format_version: '4.0'\nvaults:\n" .. VAULT,
      { 2, "_format_version", 'expected "1.1", "2.1" or "3.0"' } },
    { "a version of another type", "_format_version: {}\n",
      { 1, "_format_version", 'expected "1.1", "2.1" or "3.0"' } },
    { "vaults as a mapping", vaults("  name: aws\n  prefix: sm-one\n"),
      { 2, "vaults", "expected a list" } },
    { "a vault that is none", vaults("- aws\n-\n"),
      { 3, "vaults[1]", "expected a record" }, { 4, "vaults[2]", "expected a record" } },
    { "nothing of ours", "services: []\nvault: []\n",
      { 1, "", "the file has neither vaults nor secrets" } },
    { "a text", "vaults\n", { 1, "", "expected a mapping with vaults or secrets" } },
    { "no text", "", { 1, "", "the file is empty" } },
    { "YAML that ends early", vaults(VAULT .. "  config: {region: x"),
      { 5, "", "not YAML: did not find expected ',' or '}'" } },
    { "bad UTF-8", vaults("- name: aws\n  prefix: sm\255\n"),
      { 4, "", "the file is not UTF-8, or holds control characters" } },
    { "bad UTF-8 in JSON", '{"vaults":\n["\192\175"]}',
      { 2, "", "the file is not UTF-8, or holds control characters" } },
    { "a NUL", "a: 1\nb: \0\n", { 2, "", "the file is not UTF-8, or holds control characters" } },
    { "a secret without an id", "secrets:\n- region: x\n#END",
      { 2, "secrets[1].id", 'expected an id "aws/<id>"' } },
    { "a secret that is none", "secrets:\n- x\n#END",
      { 2, "secrets[1]", 'expected an id "aws/<id>"' } },
    { "an id without its manager", "secrets:\n- id: john\n#END",
      { 2, "secrets[1].id", 'expected an id "aws/<id>"' } },
    { "another manager", "secrets:\n- ttl: 1\n  id: vault/1\n#END",
      { 3, "secrets[1].id", "secret manager 'vault' is not supported" } },
    { "a path as id", "secrets:\n- id: aws/../x\n#END",
      { 2, "secrets[1].id", "expected 1 to 64 letters, digits, '-', '_' and '.'" } },
    { "the same secret twice", "secrets:\n- id: aws/a\n- id: aws/a\n#END",
      { 3, "secrets[2].id", "another vault has this id" } },
    { "a secret with a vault's prefix", vaults(VAULT) .. "secrets:\n- id: aws/sm-one\n#END",
      { 6, "secrets[1].id", "another vault has this id" } },
    { "an unknown field of a secret", "secrets:\n- id: aws/a\n  uri: x\n#END",
      { 3, "secrets[1].uri", "unknown field" } },
    { "half a file of APISIX's", "secrets:\n- id: aws/a\n",
      { 1, "secrets", "the file's last line is not #END, which APISIX wants there" } },
    { "an end with more behind it", "secrets:\n- id: aws/a\n#END\n# more to come\n",
      { 1, "secrets", "the file's last line is not #END, which APISIX wants there" } },
    { "JSON that ends early", '{"vaults":\n\n[',
      { 3, "", "not JSON: Expected value but found T_END" } },
    { "JSON with more behind it", '{"vaults": []}\n{}',
      { 2, "", "not JSON: Expected the end but found T_OBJ_BEGIN" } },
    { "JSON that is a list", "[]", { nil, "", "the file has neither vaults nor secrets" } },
    { "JSON that is not deep but deeper", '{"vaults": ' .. ("["):rep(40),
      { 1, "", "not JSON: Found too many nested data structures (33)" } },
    { "JSON's other numbers", '{"vaults": [{"config": {"ttl": NaN}}]}',
      { 1, "", "not JSON: Expected value but found invalid token" } },
    { "JSON, with the line all the same",
      '{"_format_version": "3.0",\n "vaults": [\n  {"name": "aws", "prefix": "sm-one",\n'
      .. '   "config": {\n    "ttl": "60"}}]}',
      { 5, "vaults[1].config.ttl", "expected a number" } },
}

local function show(errors)
    local lines = {}
    for i, each in ipairs(errors) do
        lines[i] = ("%s %s %s"):format(tostring(each.line), each.path, each.message)
    end
    return table.concat(lines, "\n")
end

describe("a file is refused:", function()
    for _, row in ipairs(REFUSED) do
        it(row[1], function()
            local entities, errors = declarative.load(row[2])
            assert.is_nil(entities)
            local wanted = {}
            for i = 3, #row do
                wanted[i - 2] = { line = row[i][1], path = row[i][2], message = row[i][3] }
            end
            assert.equal(show(wanted), show(errors))
            for _, each in ipairs(errors) do
                assert.is_nil(each.where)
            end
        end)
    end

    it("over 1 MB", function()
        local text = vaults(VAULT)
        text = text .. "#" .. ("x"):rep(1024 * 1024 - #text - 1)
        assert.truthy(declarative.load(text))
        local entities, errors = declarative.load(text .. "x")
        assert.is_nil(entities)
        assert.equal("the file is over 1 MB", errors[1].message)
    end)

    it("with a hundred errors at most, in bounded time", function()
        local started = os.clock()
        local _, errors = declarative.load("vaults: [" .. ("1,"):rep(90000) .. "]")
        assert.equal(100, #errors)
        assert.is_true(os.clock() - started < 5)
    end)

    it("without a word of its values", function()
        for _, text in ipairs({
            vaults(VAULT .. "  config:\n    secret_access_key: canary x\n"),
            vaults(VAULT .. "  config: canary\n"),
            vaults(VAULT .. "  config: {secret_access_key: 'canary\n"),
            vaults(VAULT .. "  config: {secret_access_key: !canary x}\n"),
            vaults(VAULT .. "  config: {secret_access_key: *canary}\n"),
            '{"vaults": [{"config": {"secret_access_key": "canary',
            '{"vaults": [canary]}', "canary", "canary: [",
            "secrets:\n- {id: aws/x, secret_access_key: canary y}\n#END",
        }) do
            local entities, errors = declarative.load(text)
            assert.is_nil(entities)
            assert.falsy(show(errors):find("canary"), show(errors))
        end
    end)
end)

describe("what is written", function()
    local ENTITIES = {
        { id = "2911e119-ee1f-42af-a114-67061c3831e5", name = "aws", prefix = "aws-sm-vault",
          description = 'quotes " \\ \195\164\nlines', tags = { "b", "a" },
          created_at = 1644942689, updated_at = 1644942690,
          config = { region = "us-east-1", ttl = 1 / 3, neg_ttl = 0.1, resurrect_ttl = 1e8,
                     timeout = 0.001, base64_decode = false, allow = { "prod/*", "x" },
                     access_key_id = "AKIA", secret_access_key = "a/b+c=", session_token = "t" } },
        { name = "env", prefix = "my-env-vault", config = {} },
        { name = "aws", prefix = "John_1.x", config = { ttl = 0 } },
        { name = "aws", prefix = "1", config = { ttl = 123456789012345 } },
    }

    it("reads back the same", function()
        local text = declarative.dump(ENTITIES)
        assert.same(ENTITIES, declarative.load(text))
        assert.equal(text, declarative.dump(declarative.load(text)))
        assert.same({}, declarative.load(declarative.dump({})))
    end)

    it("is JSON, one entity a line", function()
        local text = declarative.dump(ENTITIES)
        assert.equal(4, #cjson.decode(text).vaults)
        local _, lines = text:gsub("\n", "")
        assert.equal(6, lines)
    end)

    it("is not more than can be read back", function()
        local many = {}
        for i = 1, 1200 do
            many[i] = { name = "aws", prefix = "v" .. i, config = {},
                        description = ("x"):rep(1000) }
        end
        local text, message = declarative.dump(many)
        assert.is_nil(text)
        assert.equal("all vaults together are over 1 MB", message)
    end)

    it("reads back the same for 300 random entities", function()
        math.randomseed(11)
        local letters = { "a", "Z", "9", "-", "\195\164", '"', "\\", "\n", "#", ": ", "{", "~" }
        local function text()
            local made = { "a" }
            for i = 2, math.random(30) do
                made[i] = letters[math.random(#letters)]
            end
            return table.concat(made)
        end
        local entities = {}
        for i = 1, 300 do
            entities[i] = assert(schema.vault({
                name = "aws", prefix = "v" .. i, description = text(), tags = { "t" .. i, "b" },
                config = { ttl = math.random() * 10 ^ math.random(-5, 12),
                           base64_decode = math.random(2) == 1 },
            }))
        end
        assert.same(entities, declarative.load(declarative.dump(entities)))
    end)
end)
