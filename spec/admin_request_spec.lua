-- admin_request_spec - paths, queries and bodies as they come from outside.

local cjson = require "cjson"
local requests = require "vault.admin_request"

-- target, segments, query
local TARGETS = {
    { "/", {}, {} },
    { "/vaults", { "vaults" }, {} },
    { "/vaults/", { "vaults" }, {} },
    { "/vaults/my-vault/refresh", { "vaults", "my-vault", "refresh" }, {} },
    { "/vaults/a%62c", { "vaults", "abc" }, {} },
    { "/vaults/a%2562", { "vaults", "a%62" }, {} },
    { "/vaults/a+b", { "vaults", "a+b" }, {} },
    { "http://localhost:8001/vaults?size=1", { "vaults" }, { size = "1" } },
    { "/vaults?size=1&tags=a%2Cb+c&x&y=&size=2", { "vaults" },
      { size = { "1", "2" }, tags = "a,b c", x = true, y = "" } },
    { "/vaults?", { "vaults" }, {} },
}

-- target, status
local BAD_TARGETS = {
    { "/vaults//x", 404 }, { "//vaults", 404 }, { "/vaults/../x", 400 }, { "/vaults/.", 400 },
    { "/vaults/%2e%2e/x", 400 }, { "/vaults/%2E", 400 }, { "/vaults/a%2fb", 400 },
    { "/vaults/a%5cb", 400 }, { "/vaults/..\\x", 400 }, { "/vaults/%00", 400 },
    { "/vaults/%0a", 400 }, { "/vaults/%", 400 }, { "/vaults/%4", 400 }, { "/vaults/%zz", 400 },
    { "/vaults?a=%", 400 }, { "/vaults?%zz", 400 },
}

-- body, content type -> the table
local FIELDS = {
    { '{"name":"aws"}', "application/json", { name = "aws" } },
    { ' {"a":null}', "Application/JSON; charset=utf-8", { a = cjson.null } },
    { "", "application/json", {} },
    { "", nil, {} },
    { "name=aws&config.region=us-east-1&description=a+b%21", "application/x-www-form-urlencoded",
      { name = "aws", description = "a b!", config = { region = "us-east-1" } } },
    { "name=aws&config.ttl=60&tags[]=a&tags[]=b", "application/x-www-form-urlencoded;charset=UTF-8",
      { name = "aws", tags = { "a", "b" }, config = { ttl = 60 } } },
    { "", "application/x-www-form-urlencoded", {} },
}

local BAD_FIELDS = {
    { '{"name":', "application/json", 400 }, { "[1]", "application/json", 400 },
    { '"x"', "application/json", 400 }, { "null", "application/json", 400 },
    { '{"a":NaN}', "application/json", 400 }, { '{"a":1}x', "application/json", 400 },
    { ('{"a":'):rep(40) .. "1" .. ("}"):rep(40), "application/json", 400 },
    { '{"name":"aws"}', "application/x-www-form-urlencoded", 415 },
    { "a=%zz", "application/x-www-form-urlencoded", 400 },
    { ("a=1&"):rep(1001), "application/x-www-form-urlencoded", 400 },
    { "x", "text/plain", 415 }, { "x", "multipart/form-data; boundary=x", 415 },
    { "name=aws", nil, 415 }, { "", "text/plain", 415 },
}

local function request(body, kind)
    return { content_type = kind, read = function() return body end }
end

describe("admin_request", function()
    for _, row in ipairs(TARGETS) do
        it("reads " .. row[1], function()
            assert.same({ segments = row[2], query = row[3] }, requests.target(row[1]))
        end)
    end

    for _, row in ipairs(BAD_TARGETS) do
        it("refuses " .. row[1], function()
            local target, failure = requests.target(row[1])
            assert.is_nil(target)
            assert.equal(row[2], failure.status)
            assert.is_string(failure.message)
        end)
    end

    it("knows where it is mounted", function()
        assert.same({ "vaults" }, requests.target("/admin/vaults", "/admin").segments)
        assert.same({}, requests.target("/admin", "/admin").segments)
        for _, target in ipairs { "/vaults", "/administrator/vaults", "/" } do
            local read, failure = requests.target(target, "/admin")
            assert.is_nil(read)
            assert.equal(404, failure.status)
        end
    end)

    for i, row in ipairs(FIELDS) do
        it("reads fields " .. i, function()
            assert.same(row[3], requests.read_fields(request(row[1], row[2])))
        end)
    end

    for i, row in ipairs(BAD_FIELDS) do
        it("refuses fields " .. i, function()
            local fields, failure = requests.read_fields(request(row[1], row[2]))
            assert.is_nil(fields)
            assert.equal(row[3], failure.status)
            assert.is_string(failure.message)
        end)
    end

    it("reads APISIX's JSON whatever curl calls it", function()
        for _, kind in ipairs { "application/json", "application/x-www-form-urlencoded", "" } do
            assert.same({ a = 1 }, requests.read_json(request('\n{"a":1}', kind)))
        end
        assert.equal("x", requests.read_json(request('"x"', "application/json"), true))
        assert.equal(cjson.null, requests.read_json(request("null"), true))
        assert.is_false(requests.read_json(request("false"), true))
    end)

    it("refuses what is not APISIX's JSON", function()
        for _, row in ipairs { { "", nil, 400 }, { '"x"', nil, 400 }, { "a=1", nil, 400 },
                               { "{}", "text/plain", 415 } } do
            local value, failure = requests.read_json(request(row[1], row[2]))
            assert.is_nil(value)
            assert.equal(row[3], failure.status)
        end
    end)

    it("reads no large body", function()
        local large = ("x"):rep(requests.BODY_MAX + 1)
        local asked = request(large, "application/json")
        for _, read in ipairs { requests.read_fields, requests.read_json } do
            asked.content_length = nil
            local _, failure = read(asked)
            assert.equal(413, failure.status)
            asked.content_length = #large
            asked.read = function() error("it was read") end
            _, failure = read(asked)
            assert.equal(413, failure.status)
            asked.read = function() return large end
        end
    end)

    it("reads no compressed body", function()
        local asked = request("{}", "application/json")
        asked.content_encoding = "gzip"
        local _, failure = requests.read_fields(asked)
        assert.equal(415, failure.status)
        asked.content_encoding = "Identity"
        assert.same({}, requests.read_fields(asked))
    end)
end)
