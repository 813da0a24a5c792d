-- admin_answer_spec - the same answer is the same JSON.

local answer = require "vault.admin_answer"
local cjson = require "cjson"

local ROWS = {
    { "names are sorted", { b = 1, a = "x", c = true }, '{"a":"x","b":1,"c":true}' },
    { "an empty table is an object", {}, "{}" },
    { "an empty list", answer.list({}), "[]" },
    { "a list", { 1, "a", false }, '[1,"a",false]' },
    { "a list of objects", answer.list({ { a = {} } }), '[{"a":{}}]' },
    { "null", { a = cjson.null }, '{"a":null}' },
    { "slashes stay", { key = "/apisix/secrets" }, '{"key":"/apisix/secrets"}' },
    { "escapes", { ['"'] = '\\/"\n\1' }, '{"\\"":"\\\\/\\"\\n\\u0001"}' },
    { "numbers", { a = 1e8, b = 1644942689, c = 0.5 },
      '{"a":100000000,"b":1644942689,"c":0.5}' },
}

describe("admin_answer", function()
    for _, row in ipairs(ROWS) do
        it(row[1], function()
            assert.equal(row[3], answer.encode(row[2]))
        end)
    end
end)
