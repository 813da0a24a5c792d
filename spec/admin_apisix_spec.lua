-- admin_apisix_spec - /apisix/admin/secrets answers as APISIX does, and shows no secret.

local admin = require "spec.support.admin"
local cjson = require "cjson"

local MOMENT = 1644942689
local JOHN = '{\n"region": "ap-southeast-2",\n"access_key_id": "canary-id",\n'
    .. '"secret_access_key": "canary-key"\n}'
local PATH = "/apisix/admin/secrets/aws/john"

-- method, target, body, status, part of error_msg or message
local BAD = {
    { "PUT", PATH, "", 400, "missing configuration" },
    { "PUT", PATH, "{", 400, "Cannot parse JSON" },
    { "PUT", PATH, '["canary"]', 400, "expected an object" },
    { "PUT", PATH, '"canary"', 400, "expected an object" },
    { "PUT", PATH, '{"region":1}', 400,
      'invalid configuration: property "region": expected a string' },
    { "PUT", PATH, '{"region":"canary!"}', 400, 'property "region": expected an AWS region' },
    { "PUT", PATH, '{"uri":"canary"}', 400, 'property "uri": unknown field' },
    { "PUT", PATH, '{"access_key_id":"canary"}', 400,
      'property "secret_access_key": required beside the other half of the key' },
    { "PUT", "/apisix/admin/secrets/aws/new", '{"access_key_id":"******","secret_access_key":"x"}',
      400, 'property "access_key_id": this is the mask' },
    { "PUT", PATH, '{"id":"mary"}', 400, 'property "id": is another' },
    { "PUT", PATH, '{"region":"\255canary"}', 400, 'property "region": expected valid UTF-8' },
    { "PUT", PATH, '{"allow":["ok","{canary"]}', 400, 'property "allow[2]": ' },
    { "PUT", "/apisix/admin/secrets/aws/aws", "{}", 400, 'property "id": must not be one of' },
    { "PUT", "/apisix/admin/secrets/aws/a%20b", "{}", 400, 'property "id": expected 1 to 64' },
    { "PUT", "/apisix/admin/secrets/aws/" .. ("x"):rep(65), "{}", 400, 'property "id"' },
    { "PUT", "/apisix/admin/secrets/aws/..", "{}", 400, "the path is malformed" },
    { "PUT", "/apisix/admin/secrets/aws/my-env", "{}", 409, 'property "id": another vault' },
    { "PUT", "/apisix/admin/secrets/aws/fixed", "{}", 405, "fixed is declared" },
    { "PATCH", "/apisix/admin/secrets/aws/fixed", "{}", 405, "fixed is declared" },
    { "DELETE", "/apisix/admin/secrets/aws/fixed", nil, 405, "fixed is declared" },
    { "PUT", "/apisix/admin/secrets/vault/john", '{"uri":"http://127.0.0.1/"}', 400,
      "invalid secret manager: vault; this gateway has aws only" },
    { "PUT", "/apisix/admin/secrets/gcp/john", "{}", 400, "invalid secret manager: gcp" },
    { "GET", "/apisix/admin/secrets/vault/john", nil, 400, "invalid secret manager: vault" },
    { "GET", "/apisix/admin/secrets/aws/mary", nil, 404, "Key not found" },
    { "GET", "/apisix/admin/secrets/aws/my-env", nil, 404, "Key not found" },
    { "DELETE", "/apisix/admin/secrets/aws/mary", nil, 404, "Key not found" },
    { "DELETE", "/apisix/admin/secrets/aws/my-env", nil, 404, "Key not found" },
    { "PATCH", "/apisix/admin/secrets/aws/mary", "{}", 404, "Key not found" },
    { "PATCH", "/apisix/admin/secrets/aws/my-env", "{}", 404, "Key not found" },
    { "PATCH", PATH, "", 400, "missing configuration" },
    { "PATCH", PATH, '"canary"', 400, "expected an object" },
    { "PATCH", PATH, '{"secret_access_key":null}', 400, 'property "secret_access_key"' },
    { "PATCH", PATH .. "/region", "1", 400, 'property "region": expected a string' },
    { "PATCH", PATH .. "/no_such", "1", 400, "unknown field" },
    { "PATCH", PATH .. "/region/x", "1", 400, "the sub-path names no property" },
    { "PATCH", PATH .. "/region", "", 400, "missing configuration" },
    { "PATCH", PATH .. "/region", "canary", 400, "Cannot parse JSON" },
    { "POST", "/apisix/admin/secrets", "{}", 405, "Method not allowed" },
    { "POST", PATH, "{}", 405, "Method not allowed" },
    { "GET", "/apisix/admin/routes", nil, 404, "Not found" },
    { "GET", "/apisix/admin/secrets/aws", nil, 404, "Not found" },
}

describe("admin_apisix", function()
    local world

    local function ask(method, target, body)
        return world:ask(method, target, { body = body, type = body
            and "application/x-www-form-urlencoded" or nil })
    end

    local function value(more)
        local object = { id = "aws/john", create_time = MOMENT, update_time = MOMENT,
                         region = "ap-southeast-2", access_key_id = "******",
                         secret_access_key = "******" }
        for name, each in pairs(more or {}) do
            object[name] = each
        end
        return { key = "/apisix/secrets/aws/john", value = object }
    end

    before_each(function()
        world = admin.new()
        assert.equal(201, (ask("PUT", PATH, JOHN)))
        world.clock = MOMENT + 10
    end)

    it("puts the seed's secret as APISIX does", function()
        world.clock = MOMENT
        local status, body = ask("PUT", "/apisix/admin/secrets/aws/jane", JOHN)
        assert.equal(201, status)
        assert.equal("/apisix/secrets/aws/jane", body.key)
        assert.equal('{"key":"/apisix/secrets/aws/jane","value":{"access_key_id":"******",'
            .. '"create_time":1644942689,"id":"aws/jane","region":"ap-southeast-2",'
            .. '"secret_access_key":"******","update_time":1644942689}}', world.text)
        assert.equal("canary-key", world.entities[2].config.secret_access_key)
    end)

    it("gets what it has", function()
        local status, body = ask("GET", PATH)
        assert.same({ 200, value() }, { status, body })
    end)

    it("replaces by PUT, and keeps by the mask", function()
        local status, body = ask("PUT", PATH,
            '{"region":"us-east-1","access_key_id":"******","secret_access_key":"canary-2",'
            .. '"id":"aws/john","create_time":1,"update_time":1}')
        assert.same({ 200, value { region = "us-east-1", update_time = MOMENT + 10 } },
            { status, body })
        assert.same({ "canary-id", "canary-2" }, { world.entities[1].config.access_key_id,
                                                   world.entities[1].config.secret_access_key })
        status, body = ask("PUT", PATH, "{}")
        assert.same({ 200, { id = "aws/john", create_time = MOMENT, update_time = MOMENT + 10 } },
            { status, body.value })
        assert.same({}, world.entities[1].config)
    end)

    it("merges by PATCH", function()
        local status, body = ask("PATCH", PATH, '{"ttl":60,"region":null}')
        local wanted = value { ttl = 60, update_time = MOMENT + 10 }
        wanted.value.region = nil
        assert.same({ 200, wanted }, { status, body })
        assert.equal("canary-key", world.entities[1].config.secret_access_key)
    end)

    it("changes one property by its path", function()
        for _, row in ipairs { { "region", '"us-east-1"' }, { "ttl", "60" },
                               { "base64_decode", "false" }, { "allow", '["a*"]' } } do
            local status, body = ask("PATCH", PATH .. "/" .. row[1], row[2])
            assert.equal(200, status)
            assert.same(cjson.decode("[" .. row[2] .. "]")[1], body.value[row[1]])
        end
        assert.equal(200, (ask("PATCH", PATH .. "/secret_access_key", '"canary-3"')))
        assert.equal("canary-3", world.entities[1].config.secret_access_key)
        local _, body = ask("PATCH", PATH .. "/ttl", "null")
        assert.is_nil(body.value.ttl)
    end)

    it("leaves alone what APISIX does not know of", function()
        world.entities[1].description, world.entities[1].tags = "d", { "t" }
        local id = world.entities[1].id
        assert.equal(200, (ask("PUT", PATH, JOHN)))
        assert.equal(200, (ask("PATCH", PATH, "{}")))
        assert.same({ "d", { "t" }, id }, { world.entities[1].description, world.entities[1].tags,
                                            world.entities[1].id })
    end)

    it("deletes", function()
        local status, body = ask("DELETE", PATH)
        assert.same({ 200, { key = "/apisix/secrets/aws/john", deleted = "1" } },
            { status, body })
        assert.same({}, world.entities)
        assert.equal(404, (ask("DELETE", PATH)))
    end)

    it("lists", function()
        world:json("PUT", "/vaults/my-env", { name = "env" })
        local status, body = ask("GET", "/apisix/admin/secrets")
        assert.same({ 200, { total = 1, list = { value() } } }, { status, body })
        ask("DELETE", PATH)
        ask("GET", "/apisix/admin/secrets")
        assert.equal('{"list":[],"total":0}', world.text)
    end)

    it("is one with Kong's routes", function()
        local status, body = world:ask("GET", "/vaults/john")
        assert.same({ 200, "ap-southeast-2", "******" },
            { status, body.config.region, body.config.access_key_id })
        assert.equal(200, (world:json("PUT", "/vaults/mary", { name = "aws" })))
        assert.equal(200, (ask("PATCH", "/apisix/admin/secrets/aws/mary/ttl", "5")))
    end)

    it("takes an id that looks like another vault's", function()
        local id = world.entities[1].id
        local status, body = ask("PUT", "/apisix/admin/secrets/aws/" .. id, "{}")
        assert.same({ 201, "aws/" .. id }, { status, body.value.id })
        assert.equal(2, #world.entities)
    end)

    it("refuses other bodies", function()
        for _, kind in ipairs { "text/plain", "multipart/form-data; boundary=x" } do
            local status, body = world:ask("PUT", PATH, { body = "{}", type = kind })
            assert.equal(415, status)
            assert.is_string(body.error_msg)
        end
    end)

    for _, row in ipairs(BAD) do
        local method, target, body, status, message = unpack(row, 1, 5)
        it(("refuses %s %s %s"):format(method, target:sub(1, 50), body or ""), function()
            world:json("PUT", "/vaults/my-env", { name = "env" })
            table.insert(world.entities, { id = "f", prefix = "fixed", name = "aws",
                                           config = {}, declared = true, created_at = 1 })
            local before = cjson.encode(world.entities)
            local got, answered, answer = ask(method, target, body)
            assert.equal(status, got, world.text)
            local said = answered.error_msg or answered.message
            assert.truthy(said:find(message, 1, true), said)
            assert.equal(status == 405, (answer.headers or {}).Allow ~= nil)
            assert.is_nil(world.text:find("canary", 1, true))
            assert.equal(before, cjson.encode(world.entities))
        end)
    end
end)
