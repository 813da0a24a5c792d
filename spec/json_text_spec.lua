-- json_text_spec - the same tables are the same JSON.

local cjson = require "cjson"
local json_text = require "vault.json_text"

local ROWS = {
    { "names are sorted", { b = 1, a = "x", c = true }, '{"a":"x","b":1,"c":true}' },
    { "an empty table is an object", {}, "{}" },
    { "an empty list", json_text.list({}), "[]" },
    { "a list", { 1, "a", false }, '[1,"a",false]' },
    { "a list of objects", json_text.list({ { a = {} } }), '[{"a":{}}]' },
    { "null", { a = cjson.null }, '{"a":null}' },
    { "slashes stay", { key = "/apisix/secrets" }, '{"key":"/apisix/secrets"}' },
    { "escapes", { ['"'] = '\\/"\n\1' }, '{"\\"":"\\\\/\\"\\n\\u0001"}' },
    { "numbers", { a = 1e8, b = 1644942689, c = 0.5 },
      '{"a":100000000,"b":1644942689,"c":0.5}' },
    { "all their digits", { 0.1, 123456789012345678, 1 / 3 },
      "[0.1,1.2345678901234568e+17,0.33333333333333331]" },
}

describe("json_text", function()
    for _, row in ipairs(ROWS) do
        it(row[1], function()
            assert.equal(row[3], json_text.encode(row[2]))
        end)
    end

    it("raises for what JSON has not", function()
        for _, value in ipairs { math.huge, -math.huge, 0 / 0, print } do
            assert.has_error(function() json_text.encode { value } end)
        end
    end)
end)
