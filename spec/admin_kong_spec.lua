-- admin_kong_spec - /vaults and /schemas/vaults answer as Kong does, and show no secret.

local admin = require "spec.support.admin"
local cjson = require "cjson"

local NULL = cjson.null
local ID = "2911e119-ee1f-42af-a114-000000000001"
local OTHER = "2911e119-ee1f-42af-a114-67061c3831e5"
local MOMENT = 1644942689
local KEYS = { region = "us-east-1", access_key_id = "canary-id", session_token = "canary-token",
               secret_access_key = "canary-key" }

-- What is refused: method, target, body (a table is JSON, a text a form), status, and what the
-- answer holds: a field and its complaint, or nil and a part of the message.
local BAD = {
    { "PUT", "/vaults/vv", {}, 400, "name", "required field missing" },
    { "PUT", "/vaults/vv", { name = 1 }, 400, "name", "expected a string" },
    { "PUT", "/vaults/vv", { name = "hcv" }, 400, "name", "vault 'hcv' is not installed" },
    { "PUT", "/vaults/vv", { name = "aws", foo = 1 }, 400, "foo", "unknown field" },
    { "PUT", "/vaults/vv", { name = "aws", config = "x" }, 400, "config", "expected a record" },
    { "PUT", "/vaults/vv", { name = "aws", config = { foo = "canary" } }, 400, "config",
      { foo = "unknown field" } },
    { "PUT", "/vaults/vv", { name = "aws", config = { ttl = "canary" } }, 400, "config",
      { ttl = "expected a number" } },
    { "PUT", "/vaults/vv", "name=aws&config.ttl=canary", 400, "config",
      { ttl = "expected a number" } },
    { "PUT", "/vaults/vv", "name=aws&config.region=%FF", 400, "config",
      { region = "expected valid UTF-8" } },
    { "PUT", "/vaults/vv", "name=aws&description=%FFcanary", 400, "description",
      "expected valid UTF-8" },
    { "PUT", "/vaults/vv", { name = "aws", description = ("x"):rep(1025) }, 400, "description",
      "length must be at most 1024" },
    { "PUT", "/vaults/aws", { name = "aws" }, 400, "prefix", "must not be one of: aws, env" },
    { "PUT", "/vaults/John_1", { name = "aws" }, 400, "prefix" },
    { "PUT", "/vaults/" .. ("x"):rep(65), { name = "aws" }, 400, "prefix",
      "length must be at most 64" },
    { "PUT", "/vaults/vv", { name = "aws", prefix = "ww" }, 400, "prefix",
      "is another than that of the vault in the path" },
    { "PUT", "/vaults/one", { name = "aws", id = OTHER }, 400, "id",
      "is another than that of the vault in the path" },
    { "PUT", "/vaults/" .. OTHER, { name = "aws", prefix = "ww", id = ID }, 400, "id",
      "is another than that of the vault in the path" },
    { "PUT", "/vaults/" .. OTHER, { name = "aws" }, 400, "prefix", "required field missing" },
    { "PUT", "/vaults/" .. OTHER, { name = "aws", prefix = "one" }, 409, "prefix", "one" },
    { "PUT", "/vaults/vv", { name = "aws", id = ID }, 400, "id", ID },
    { "PUT", "/vaults/vv", { name = "aws", id = "canary" }, 400, "id", "expected a valid UUID" },
    { "PUT", "/vaults/vv", { name = "aws", config = { access_key_id = "canary" } }, 400, "config",
      { secret_access_key = "required beside the other half of the key" } },
    { "PUT", "/vaults/vv", { name = "aws", config = { access_key_id = "******",
      secret_access_key = "canary" } }, 400, "config",
      { access_key_id = "this is the mask of a value, and no value is stored" } },
    { "POST", "/vaults", { name = "aws" }, 400, "prefix", "required field missing" },
    { "POST", "/vaults", { name = "aws", prefix = "one" }, 409, "prefix", "one" },
    { "POST", "/vaults", { name = "aws", prefix = "vv", id = ID }, 400, "id", ID },
    { "POST", "/vaults", { name = "aws", prefix = "env" }, 400, "prefix",
      "must not be one of: aws, env" },
    { "PATCH", "/vaults/one", { name = NULL }, 400, "name", "required field missing" },
    { "PATCH", "/vaults/one", { prefix = "two" }, 409, "prefix", "two" },
    { "PATCH", "/vaults/one", { name = "env" }, 400, "config", { region = "unknown field",
      access_key_id = "unknown field", secret_access_key = "unknown field",
      session_token = "unknown field" } },
    { "PATCH", "/vaults/one", { config = { secret_access_key = NULL } }, 400, "config",
      { secret_access_key = "required beside the other half of the key" } },
    { "PATCH", "/vaults/one", { config = { endpoint_url = "http://u:canary@h/" } }, 400, "config",
      { endpoint_url = "the URL must not hold a user or a password" } },
    { "PATCH", "/vaults/none", { config = {} }, 404, nil, "Not found" },
    { "PATCH", "/vaults/fixed", { config = {} }, 405, nil, "'fixed' is declared" },
    { "PUT", "/vaults/fixed", { name = "aws" }, 405, nil, "'fixed' is declared" },
    { "DELETE", "/vaults/fixed", nil, 405, nil, "'fixed' is declared" },
    { "GET", "/vaults/none", nil, 404, nil, "Not found" },
    { "POST", "/vaults/none/refresh", nil, 404, nil, "Not found" },
    { "GET", "/schemas/vaults/hcv", nil, 404, nil, "No vault named 'hcv'" },
    { "POST", "/schemas/vaults/validate", { name = "aws", prefix = "vv", config = { ttl = -1 } },
      400, "config", { ttl = "value must be 0 or more" } },
}

describe("admin_kong", function()
    local world

    local function make(prefix, more)
        local entity = { id = ("2911e119-ee1f-42af-a114-%012x"):format(#world.entities + 1),
                         prefix = prefix, name = "aws", created_at = MOMENT,
                         updated_at = MOMENT, config = {} }
        for name, value in pairs(more or {}) do
            entity[name] = value
        end
        table.insert(world.entities, entity)
        world.ids = #world.entities
        return entity
    end

    local function shown(prefix, more)
        local entity = { id = ID, prefix = prefix, name = "aws", created_at = MOMENT,
                         updated_at = MOMENT, config = {}, description = NULL, tags = NULL }
        for name, value in pairs(more or {}) do
            entity[name] = value
        end
        return entity
    end

    before_each(function()
        world = admin.new()
    end)
    after_each(function()
        assert.is_nil(table.concat(world.warned):find("canary", 1, true))
    end)

    it("puts the seed's vault and shows what the seed shows", function()
        local status = world:form("PUT", "/vaults/aws-sm-vault",
            "name=aws&description=Storing secrets in AWS Secrets Manager&config.region=us-east-1")
        assert.equal(200, status)
        assert.equal('{"config":{"region":"us-east-1"},"created_at":1644942689,"description":'
            .. '"Storing secrets in AWS Secrets Manager","id":"' .. ID
            .. '","name":"aws","prefix":"aws-sm-vault","tags":null,"updated_at":1644942689}',
            world.text)
        assert.same({ 200, world.text }, { (world:ask("GET", "/vaults/aws-sm-vault")), world.text })
    end)

    describe("create", function()
        it("makes a vault", function()
            local status, body = world:json("POST", "/vaults", { name = "env", prefix = "my-env",
                config = { prefix = "APP_" }, tags = { "a", "b" } })
            assert.equal(201, status)
            assert.same(shown("my-env", { name = "env", config = { prefix = "APP_" },
                                          tags = { "a", "b" } }), body)
        end)

        it("takes the id and the time that it is given", function()
            local _, body = world:json("POST", "/vaults", { name = "aws", prefix = "vv",
                id = OTHER:upper(), created_at = 5, updated_at = 6 })
            assert.same({ OTHER, 5, MOMENT }, { body.id, body.created_at, body.updated_at })
        end)
    end)

    describe("change", function()
        before_each(function()
            make("one", { config = KEYS, description = "d", tags = { "t" } })
            world.clock = MOMENT + 10
        end)

        local function put_shown(more)
            more.updated_at = MOMENT + 10
            return shown("one", more)
        end

        it("replaces by PUT", function()
            local status, body = world:json("PUT", "/vaults/one",
                { name = "aws", config = { ttl = 60 } })
            assert.equal(200, status)
            assert.same(put_shown { config = { ttl = 60 } }, body)
            assert.same({ ttl = 60 }, world.entities[1].config)
        end)

        it("keeps by the mask", function()
            local _, before = world:ask("GET", "/vaults/one")
            assert.equal("******", before.config.secret_access_key)
            before.config.region = "us-west-1"
            local status, body = world:json("PUT", "/vaults/one", before)
            assert.equal(200, status)
            before.updated_at = MOMENT + 10
            assert.same(before, body)
            assert.same({ "canary-key", "us-west-1" }, { world.entities[1].config.secret_access_key,
                                                         world.entities[1].config.region })
        end)

        it("merges by PATCH", function()
            local status, body = world:json("PATCH", "/vaults/one", { tags = NULL,
                config = { ttl = 60, region = NULL, session_token = "canary-new" } })
            assert.equal(200, status)
            assert.same(put_shown { description = "d", config = { ttl = 60,
                access_key_id = "******", secret_access_key = "******",
                session_token = "******" } }, body)
            assert.equal("canary-new", world.entities[1].config.session_token)
        end)

        it("goes by id too, in any case, and renames", function()
            for _, row in ipairs { { "PATCH", "/vaults/" .. ID:upper(), { prefix = "two" } },
                                   { "PATCH", "/vaults/two", { prefix = "three" } },
                                   { "PUT", "/vaults/" .. ID, { name = "aws", prefix = "one" } },
                                   { "PUT", "/vaults/" .. ID:upper(),
                                     { name = "aws", prefix = "one", id = ID:upper() } } } do
                local status, body = world:json(unpack(row))
                assert.same({ 200, row[3].prefix, ID }, { status, body.prefix, body.id })
            end
            assert.equal(1, #world.entities)
        end)

        it("makes by PUT what is not there", function()
            local status, body = world:json("PUT", "/vaults/" .. OTHER:upper(),
                { name = "aws", prefix = "vv" })
            assert.same({ 200, OTHER, "vv" }, { status, body.id, body.prefix })
            status, body = world:form("PUT", "/vaults/ww", "name=aws&prefix=ww")
            assert.same({ 200, "ww" }, { status, body.prefix })
            assert.equal(3, #world.entities)
        end)

        it("changes a vault that APISIX's routes made", function()
            make("John_1")
            local status, body = world:json("PATCH", "/vaults/John_1", { config = { ttl = 1 } })
            assert.same({ 200, "John_1", 1 }, { status, body.prefix, body.config.ttl })
            assert.equal(200, (world:json("PUT", "/vaults/John_1", { name = "aws" })))
        end)
    end)

    it("deletes, and says so again", function()
        make("one")
        make("two")
        for _ = 1, 2 do
            local status, body, answer = world:ask("DELETE", "/vaults/one")
            assert.equal(204, status)
            assert.is_nil(body)
            assert.is_nil(answer.body)
        end
        assert.equal(204, (world:ask("DELETE", "/vaults/" .. world.entities[1].id)))
        assert.same({}, world.entities)
    end)

    for _, row in ipairs(BAD) do
        local method, target, given, status, field, complaint = unpack(row, 1, 6)
        local text = type(given) == "table" and cjson.encode(given) or given or ""
        it(("refuses %s %s %s"):format(method, target:sub(1, 40), text:sub(1, 60)), function()
            make("one", { config = KEYS })
            make("two")
            make("fixed", { declared = true })
            local before = cjson.encode(world.entities)
            local ask = type(given) == "table" and "json" or given and "form" or "ask"
            local got, body, answer = world[ask](world, method, target, given)
            assert.equal(status, got, world.text)
            if field then
                assert.same(complaint or body.fields[field], body.fields[field], world.text)
                assert.is_string(body.message)
                assert.is_number(body.code)
                assert.is_string(body.name)
            else
                assert.truthy(body.message:find(complaint, 1, true), world.text)
            end
            assert.equal(status == 405 and "GET, HEAD, OPTIONS" or nil,
                answer.headers and answer.headers.Allow)
            assert.is_nil(world.text:find("canary", 1, true))
            assert.equal(before, cjson.encode(world.entities))
        end)
    end

    it("says what storage says", function()
        world.broken = { status = 500, message = "cannot write the state file" }
        for _, row in ipairs { { "PUT", "/vaults/vv", { name = "aws" } },
                               { "POST", "/vaults", { name = "aws", prefix = "vv" } } } do
            local status, body = world:json(unpack(row))
            assert.same({ 500, { message = "cannot write the state file" } }, { status, body })
            assert.matches("cannot write the state file$", world.warned[#world.warned])
        end
        assert.equal(2, #world.warned)
        make("one")
        assert.equal(500, (world:ask("DELETE", "/vaults/one")))
    end)

    describe("list", function()
        local function prefixes(body)
            local list = {}
            for i, entity in ipairs(body.data) do
                list[i] = entity.prefix
            end
            return list
        end

        it("is empty", function()
            assert.equal(200, (world:ask("GET", "/vaults")))
            assert.equal('{"data":[],"next":null}', world.text)
        end)

        it("shows no secret and no mark of ours", function()
            make("one", { config = KEYS, declared = true })
            local _, body = world:ask("GET", "/vaults")
            assert.same({ shown("one", { config = { region = "us-east-1",
                access_key_id = "******", secret_access_key = "******",
                session_token = "******" } }) }, body.data)
        end)

        it("goes page by page, whatever is deleted meanwhile", function()
            for i = 1, 7 do
                make("v" .. i, { created_at = MOMENT + math.floor(i / 3) })
            end
            local seen, link = {}, "/vaults?size=2"
            while link ~= NULL do
                local status, body = world:ask("GET", link)
                assert.equal(200, status)
                for _, prefix in ipairs(prefixes(body)) do
                    seen[#seen + 1] = prefix
                end
                link = body.next
                assert.equal(link == NULL, body.offset == nil)
                if #seen == 2 then
                    table.remove(world.entities, 2) -- the last one of that page
                end
            end
            assert.same({ "v1", "v2", "v3", "v4", "v5", "v6", "v7" }, seen)
        end)

        it("has a hundred on a page", function()
            for i = 1, 101 do
                make("v" .. i)
            end
            local _, body = world:ask("GET", "/vaults")
            assert.equal(100, #body.data)
            assert.equal("/vaults?offset=" .. body.offset, body.next)
            _, body = world:ask("GET", "/admin/vaults?size=100", { mount = "/admin" })
            assert.equal("/admin/vaults?offset=" .. body.offset .. "&size=100", body.next)
            _, body = world:ask("GET", "/vaults?size=1000")
            assert.equal(101, #body.data)
        end)

        it("goes by tags", function()
            make("one", { tags = { "a", "b" } })
            make("two", { tags = { "b" } })
            make("three")
            for query, wanted in pairs { ["a"] = { "one" }, ["b"] = { "one", "two" },
                                         ["a,b"] = { "one" }, ["a/b"] = { "one", "two" },
                                         ["c"] = {}, ["b%2Cc"] = {}, [""] = {} } do
                local _, body = world:ask("GET", "/vaults?tags=" .. query)
                assert.same(wanted, prefixes(body))
            end
            local _, body = world:ask("GET", "/vaults?size=1&tags=a/b")
            assert.matches("&tags=a%%2Fb&size=1$", body.next)
        end)

        for _, size in ipairs { "0", "1001", "-1", "1.5", "x", "", "1&size=2", "0x10" } do
            it("refuses the size " .. size, function()
                local status, body = world:ask("GET", "/vaults?size=" .. size)
                assert.same({ 400, { code = 9, name = "invalid size",
                    message = "size must be an integer between 1 and 1000" } }, { status, body })
            end)
        end

        for _, offset in ipairs { "x", "", "00", "3120", "1&offset=2", ("31"):rep(200) } do
            it("refuses the offset " .. offset, function()
                local status, body = world:ask("GET", "/vaults?offset=" .. offset)
                assert.same({ 400, 7, "invalid offset" }, { status, body.code, body.name })
                assert.matches("not a valid offset$", body.message)
                assert.is_nil(body.message:find("table", 1, true))
            end)
        end
    end)

    describe("refresh", function()
        it("goes by prefix, id and strategy", function()
            make("one")
            for _, key in ipairs { "one", ID, "aws" } do
                local status, body = world:ask("POST", "/vaults/" .. key .. "/refresh")
                assert.equal(200, status)
                assert.same({ 2, 0 }, { body.secrets, body.failed })
            end
            assert.same({ "one", "one", "aws" }, world.renewed)
        end)

        it("is braked", function()
            make("one")
            world.renewal = nil
            local status, body, answer = world:ask("POST", "/vaults/one/refresh")
            assert.same({ 429, 1 }, { status, answer.headers["Retry-After"] })
            assert.is_string(body.message)
        end)

        it("says what failed", function()
            make("one")
            world.renewal = { secrets = 3, failed = 1, message = "planted" }
            local status, body = world:ask("POST", "/vaults/one/refresh")
            assert.same({ 502, { secrets = 3, failed = 1,
                message = "1 of 3 secrets could not be fetched: planted" } }, { status, body })
        end)
    end)

    describe("schemas", function()
        it("describe strategies", function()
            local status, body = world:ask("GET", "/schemas/vaults/aws")
            assert.equal(200, status)
            assert.equal("aws", body.name)
            assert.equal("record", body.fields[1].config.type)
            status, body = world:ask("GET", "/schemas/vaults")
            assert.equal(200, status)
            assert.is_truthy(body.fields[1].id)
        end)

        it("validate without storing", function()
            local status, body = world:json("POST", "/schemas/vaults/validate",
                { name = "aws", prefix = "vv", config = KEYS })
            assert.same({ 200, { message = "schema validation successful" } }, { status, body })
            assert.same({}, world.entities)
        end)
    end)
end)
