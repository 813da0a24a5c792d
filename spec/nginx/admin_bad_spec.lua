-- admin_bad_spec - bad input for every route of the Admin API: a status, what is wrong with which
-- field, and nothing changed.

local admin = require "spec.support.admin_gateway"
local aws = require "spec.support.aws"

local APISIX = "/apisix/admin/secrets/aws/john"
local MB = 1024 * 1024

-- A JSON text in which one member holds so many bytes.
local function large(bytes)
    return ('{"name":"aws","description":"%s"}'):format(("x"):rep(bytes))
end

-- method, path, body, content type, status, what the answer holds
local FORM, JSON = "application/x-www-form-urlencoded", "application/json"
local UUID = "2911e119-ee1f-42af-a114-67061c3831e5"
local BAD = {
    { "PUT", "/vaults/bad", '{"name":1}', JSON, 400, '"name":"expected a string"' },
    { "PUT", "/vaults/bad", '{"name":"aws","foo":1}', JSON, 400, '"foo":"unknown field"' },
    { "PUT", "/vaults/bad", '{"name":"aws","config":{"ttl":"1"}}', JSON, 400,
      '"ttl":"expected a number"' },
    { "PUT", "/vaults/bad", "name=aws&config.foo=1", FORM, 400, '"foo":"unknown field"' },
    { "PUT", "/vaults/bad", "name=aws&config.ttl=x", FORM, 400, '"ttl":"expected a number"' },
    { "PUT", "/vaults/bad", "name=aws&description=%FF", FORM, 400, "expected valid UTF-8" },
    { "PUT", "/vaults/bad", '{"name":"aws","description":"\255"}', JSON, 400,
      "expected valid UTF-8" },
    { "PUT", "/vaults/bad", large(1025), JSON, 400, "length must be at most 1024" },
    { "PUT", "/vaults/bad", '{"name":"aws"', JSON, 400, "Cannot parse JSON body" },
    { "PUT", "/vaults/bad", '{"name":"aws"}', FORM, 415, "Content-Type" },
    { "PUT", "/vaults/bad", "<x/>", "text/xml", 415, "Content-Type" },
    { "PUT", "/vaults/bad", "x", "multipart/form-data; boundary=x", 415, "Content-Type" },
    { "PUT", "/vaults/bad", large(1.2 * MB), JSON, 413, "the body is over 1 MB" },
    { "PUT", "/vaults/bad", large(10 * MB), JSON, 413, "" },
    { "PUT", "/vaults/aws", '{"name":"aws"}', JSON, 400, "must not be one of: aws, env" },
    { "PUT", "/vaults/Bad_1", '{"name":"aws"}', JSON, 400, '"prefix":"expected' },
    { "PUT", "/vaults/" .. ("x"):rep(65), '{"name":"aws"}', JSON, 400, "at most 64" },
    { "PUT", "/vaults/" .. UUID, '{"name":"aws","prefix":"taken"}', JSON, 409,
      '"name":"unique constraint violation"' },
    { "PUT", "/vaults/fixed", '{"name":"aws"}', JSON, 405, "is declared" },
    { "PUT", "/vaults/../taken", '{"name":"aws"}', JSON, 400, "the path is malformed" },
    { "PUT", "/vaults/%2e%2e%2ftaken", '{"name":"aws"}', JSON, 400, "the path is malformed" },
    { "PUT", "/vaults/a%2Fb", '{"name":"aws"}', JSON, 400, "the path is malformed" },
    { "POST", "/vaults", '{"name":"aws","prefix":"taken"}', JSON, 409, '"prefix":"taken"' },
    { "POST", "/vaults", '{"name":"aws","prefix":"env"}', JSON, 400, "must not be one of" },
    { "POST", "/vaults", '["x"]', JSON, 400, "Cannot parse JSON body" },
    { "POST", "/vaults", "x", "text/plain", 415, "Content-Type" },
    { "POST", "/vaults", large(10 * MB), JSON, 413, "" },
    { "PATCH", "/vaults/taken", '{"config":{"ttl":-1}}', JSON, 400, "value must be 0 or more" },
    { "PATCH", "/vaults/taken", '{"prefix":"fixed"}', JSON, 409, '"prefix":"fixed"' },
    { "PATCH", "/vaults/taken", "config.region=nowhere!", FORM, 400, "expected an AWS region" },
    { "PATCH", "/vaults/none", "{}", JSON, 404, "Not found" },
    { "PATCH", "/vaults/taken", "x", "text/plain", 415, "Content-Type" },
    { "PATCH", "/vaults/taken", large(10 * MB), JSON, 413, "" },
    { "DELETE", "/vaults/fixed", nil, nil, 405, "is declared" },
    { "DELETE", "/vaults/..", nil, nil, 400, "the path is malformed" },
    { "GET", "/vaults/none", nil, nil, 404, "Not found" },
    { "GET", "/vaults?size=0", nil, nil, 400, "invalid size" },
    { "GET", "/vaults?offset=x", nil, nil, 400, "invalid offset" },
    { "GET", "/vaults?size=%", nil, nil, 400, "the query is malformed" },
    { "POST", "/vaults/none/refresh", nil, nil, 404, "Not found" },
    { "GET", "/vaults/taken/refresh", nil, nil, 405, "Method not allowed" },
    { "GET", "/schemas/vaults/hcv", nil, nil, 404, "No vault named 'hcv'" },
    { "POST", "/schemas/vaults/validate", '{"name":"aws"}', JSON, 400, "required field missing" },
    { "POST", "/schemas/vaults/validate", large(10 * MB), JSON, 413, "" },
    { "PUT", APISIX, '{"region":1}', JSON, 400, 'property \\"region\\": expected a string' },
    { "PUT", APISIX, '{"uri":"x"}', JSON, 400, 'property \\"uri\\": unknown field' },
    { "PUT", APISIX, "{", JSON, 400, "Cannot parse JSON body" },
    { "PUT", APISIX, "{}", "text/plain", 415, "Content-Type" },
    { "PUT", APISIX, '{"external_id":"\255\255"}', JSON, 400, "expected valid UTF-8" },
    { "PUT", APISIX, large(10 * MB), JSON, 413, "" },
    { "PUT", "/apisix/admin/secrets/aws/..", "{}", JSON, 400, "the path is malformed" },
    { "PUT", "/apisix/admin/secrets/aws/env", "{}", JSON, 400, 'property \\"id\\"' },
    { "PUT", "/apisix/admin/secrets/aws/" .. ("x"):rep(65), "{}", JSON, 400, 'property \\"id\\"' },
    { "PUT", "/apisix/admin/secrets/vault/john", "{}", JSON, 400, "invalid secret manager" },
    { "PUT", "/apisix/admin/secrets/gcp/john", "{}", JSON, 400, "invalid secret manager" },
    { "PATCH", APISIX .. "/ttl", '"x"', JSON, 400, 'property \\"ttl\\": expected a number' },
    { "PATCH", "/apisix/admin/secrets/aws/none", "{}", JSON, 404, "Key not found" },
    { "DELETE", "/apisix/admin/secrets/aws/none", nil, nil, 404, "Key not found" },
    { "GET", "/apisix/admin/secrets/aws/none", nil, nil, 404, "Key not found" },
    { "POST", "/apisix/admin/secrets", "{}", JSON, 405, "Method not allowed" },
    { "GET", "/nothing", nil, nil, 404, "Not found" },
    { "POST", "/metrics", nil, nil, 405, "Method not allowed" },
    { "POST", "/status", nil, nil, 405, "Method not allowed" },
}

local fake, api

describe("the Admin API refuses", function()
    setup(function()
        fake = aws.start()
        api = admin.start(fake)
        api:json("PUT", "/vaults/taken", { name = "aws" })
        api:json("PUT", APISIX, { region = "us-east-1" })
    end)

    teardown(function()
        if api then
            api:stop()
        end
        fake:stop()
    end)

    for _, row in ipairs(BAD) do
        local method, path, body, kind, status, holds = unpack(row, 1, 6)
        it(("%s %s: %s %s"):format(method, path:sub(1, 45), kind or "",
            (body or ""):sub(1, 40)), function()
            local before = api:listed()
            local got, _, answer = api:ask(method, path, { body = body, headers = {
                ["Content-Type"] = kind }, curl = { "--path-as-is" } })
            assert.equal(status, got, answer.body .. answer.errors)
            assert.truthy(answer.body:find(holds, 1, true), answer.body)
            assert.equal(status == 405, answer.headers.allow ~= nil)
            assert.equal(before, api:listed())
        end)
    end
end)
