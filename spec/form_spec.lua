-- form_spec - a form's fields are what JSON would have said.

local cjson = require "cjson"
local form = require "vault.form"

-- arguments as ngx gives them, and the table
local ROWS = {
    { "the seed's request", { name = "aws", description = "Storing secrets in AWS Secrets Manager",
        ["config.region"] = "us-east-1" },
      { name = "aws", description = "Storing secrets in AWS Secrets Manager",
        config = { region = "us-east-1" } } },
    { "numbers", { ["config.ttl"] = "60", ["config.timeout"] = "0.5", created_at = "1644942689" },
      { config = { ttl = 60, timeout = 0.5 }, created_at = 1644942689 } },
    { "numbers that no field takes", { ["config.ttl"] = "-5", ["config.neg_ttl"] = "--5" },
      { config = { ttl = -5, neg_ttl = "--5" } } },
    { "what is no number stays text", { ["config.ttl"] = "0x10", ["config.neg_ttl"] = " 1",
        ["config.timeout"] = "nan" },
      { config = { ttl = "0x10", neg_ttl = " 1", timeout = "nan" } } },
    { "booleans", { ["config.base64_decode"] = "true" }, { config = { base64_decode = true } } },
    { "false", { ["config.base64_decode"] = "false" }, { config = { base64_decode = false } } },
    { "what is no boolean", { ["config.base64_decode"] = "1" },
      { config = { base64_decode = "1" } } },
    { "digits stay text in a text's field", { ["config.external_id"] = "12345", prefix = "1" },
      { config = { external_id = "12345" }, prefix = "1" } },
    { "empty is null", { description = "", ["config.ttl"] = "", ["config.region"] = "" },
      { description = cjson.null, config = { ttl = cjson.null, region = cjson.null } } },
    { "a list by repetition", { ["tags[]"] = { "a", "b" } }, { tags = { "a", "b" } } },
    { "a list of one", { ["tags[]"] = "a" }, { tags = { "a" } } },
    { "a list without brackets", { tags = "a" }, { tags = { "a" } } },
    { "a list without brackets, repeated", { tags = { "a", "b" } }, { tags = { "a", "b" } } },
    { "a list by index", { ["tags[2]"] = "b", ["tags[1]"] = "a", ["tags[10]"] = "c" },
      { tags = { "a", "b", "c" } } },
    { "an empty list is null", { ["tags[]"] = "" }, { tags = cjson.null } },
    { "a list in config", { ["config.allow[]"] = { "a*", "b*" } },
      { config = { allow = { "a*", "b*" } } } },
    { "unknown names stay, for the check to refuse", { foo = "1", ["config.foo.bar"] = "x",
        ["config."] = "y", ["a[b]"] = "z" },
      { foo = "1", config = { ["foo.bar"] = "x" }, ["config."] = "y", ["a[b]"] = "z" } },
    { "a text's field twice", { ["config.region"] = { "a", "b" } },
      { config = { region = { "a", "b" } } } },
    { "a text's field as a list", { ["name[]"] = "aws" }, { name = { "aws" } } },
    { "config as a text", { config = "x" }, { config = "x" } },
    { "config as both", { config = "x", ["config.ttl"] = "1" }, { config = { ttl = 1 } } },
    { "no value at all", { description = true, ["config.base64_decode"] = true },
      { description = true, config = { base64_decode = true } } },
    { "nothing", {}, {} },
}

describe("form", function()
    for _, row in ipairs(ROWS) do
        it(row[1], function()
            assert.same(row[3], form.read(row[2]))
        end)
    end
end)
