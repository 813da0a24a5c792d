-- yaml_spec - YAML as values that know their lines, within bounds.

local cjson = require "cjson"
local yaml = require "vault.yaml"

local null = cjson.null

local function read(text)
    local root, message, line = yaml.compose(text)
    if not root then
        return nil, message, line
    end
    return yaml.read(root)
end

-- text, value
local VALUES = {
    { "a: text", { a = "text" } },
    { "a:\n  - 1\n  - two\nb: {c: [x]}", { a = { 1, "two" }, b = { c = { "x" } } } },
    { "a: 'it''s'", { a = "it's" } },
    { 'a: "\\u00e4\\n"', { a = "\195\164\n" } },
    { "a: |\n  b\n  c\n", { a = "b\nc\n" } },
    { "a:\nb: ~\nc: null\nd: ''", { a = null, b = null, c = null, d = "" } },
    { "[true, True, yes, on, false, no, OFF]", { true, true, true, true, false, false, false } },
    { "['true', \"1\", 'null', !!str 1, !!str true, ! 2]", { "true", "1", "null", "1", "true",
        "2" } },
    { "[0, 1, -1, +5, 1.5, .5, 1., 1e8, 1.5e-3]", { 0, 1, -1, 5, 1.5, 0.5, 1, 1e8, 0.0015 } },
    { "[!!int '7', !!bool 'no']", { 7, false } },
    -- what readers of YAML 1.1 and 1.2 would not read alike stays text
    { "[010, 0x10, 0b1, 1_000, 1:30, .inf, .nan, 00.5, -, '+', .]",
      { "010", "0x10", "0b1", "1_000", "1:30", ".inf", ".nan", "00.5", "-", "+", "." } },
    { "[2024-01-02, 1.2.3, 1e, e5, 0.0]", { "2024-01-02", "1.2.3", "1e", "e5", "0.0" } },
    { "a: &x {b: 1}\nc: *x", { a = { b = 1 }, c = { b = 1 } } },
    { "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}", { x = { a = 1, b = 2 }, y = { a = 1, b = 3 } } },
    { "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz: {<<: [*x, *y]}",
      { x = { a = 1 }, y = { a = 2, b = 2 }, z = { a = 1, b = 2 } } },
    { "'<<': 1", { ["<<"] = 1 } },
    { "line: 1\ninside: {line: 2}", { line = 1, inside = { line = 2 } } },
    { "---\na: 1\n...\n", { a = 1 } },
    { "\239\187\191a: 1", { a = 1 } },
    { '{"a": {"b": [1, null, "x\\/y"]}}', { a = { b = { 1, null, "x/y" } } } },
    { "a: 1\n#END\n", { a = 1 } },
    { "a: '{vault://env/x}'", { a = "{vault://env/x}" } },
    { "a: $env://X", { a = "$env://X" } },
}
VALUES[12][2][5] = 0 -- "0.0" is a number, if not an interesting one

describe("yaml.read", function()
    for _, row in ipairs(VALUES) do
        it(("%q"):format(row[1]), function()
            local value, message = read(row[1])
            assert.same(row[2], value, message)
        end)
    end
end)

-- text, line, what the message has
local REFUSED = {
    { "", 1, "empty" },
    { "# nothing\n", 1, "empty" },
    { "a: [1", 1, "not YAML" },
    { "a: 1\nb: 'x\n", 3, "not YAML" },
    { "a: 1\n  b: 2", 2, "not YAML" },
    { "a: 1\n\tb: 2", 2, "not YAML" },
    { "a: 1\nb: *x", 2, "alias" },
    { "a: &a [1, *a]", 1, "alias" },
    { "a: &a {b: *a}", 1, "alias" },
    { "--- 1\n--- 2", 2, "more than one" },
    { "a: 1\nb: 2\na: 3", 3, 'the key "a" is there twice' },
    { "a:\n  b: {c: 1, c: 2}", 2, 'the key "c" is there twice' },
    { "[1]: 2", 1, "key" },
    { "? {a: 1}\n: 2", 1, "key" },
    { "a:\n  - b: !foo 1", 2, "tag" },
    { "a: 1\nb: !!python/object:os.system x", 2, "tag" },
    { "a:\n  b: {vault://env/x}", 2, 'a reference must stand in quotes: "{vault://..}"' },
    { "a: {<<: 1}", 1, "<<" },
    { "a: \255\n", nil, "not YAML" },
    { "a: b\0c", nil, "not YAML" },
    { ("["):rep(33) .. ("]"):rep(33), 1, "nested too deeply" },
    { ("["):rep(900000), 1, "nested too deeply" },
    { ("- "):rep(400000), 1, "nested too deeply" },
    { "[" .. ("1,"):rep(300000) .. "]", 1, "too many values" },
    { "[" .. ("1,"):rep(150000) .. "]", 1, "too many values" },
}

describe("yaml refuses", function()
    for _, row in ipairs(REFUSED) do
        it(("%q"):format(row[1]:sub(1, 40)), function()
            local value, message, line = read(row[1])
            assert.is_nil(value)
            assert.truthy(message:find(row[3], 1, true), message)
            assert.equal(row[2], line)
        end)
    end

    it("aliases that multiply, before they do", function()
        local text = { "a0: &a0 [x, x, x, x, x, x, x, x, x, x]" }
        for i = 1, 20 do
            local alias = "*a" .. i - 1
            text[#text + 1] = ("a%d: &a%d [%s]"):format(i, i, (alias .. ", "):rep(9) .. alias)
        end
        local started = os.clock()
        local root = assert(yaml.compose(table.concat(text, "\n")))
        local value, message = yaml.read(root)
        assert.is_nil(value)
        assert.equal("too many values", message)
        assert.is_true(os.clock() - started < 2)
    end)

    it("without showing what the text says", function()
        for _, text in ipairs({ "canary", "a: 'canary", "a: [canary\n", "canary: b: c",
                                "a: !canary x", "a: %canary", "a: @canary", "a: *canary" }) do
            local _, message = read(text)
            assert.falsy(tostring(message):find("canary"), message)
        end
    end)
end)

describe("lines", function()
    it("are those of keys and of elements", function()
        local value, lines = read("a: 1\nb:\n  - x\n  - c:\n      d: 2\n")
        assert.same({ a = 1, b = { "x", { c = { d = 2 } } } }, value)
        assert.equal(1, lines.inside.a.line)
        assert.equal(2, lines.inside.b.line)
        assert.equal(3, lines.inside.b.inside[1].line)
        assert.equal(4, lines.inside.b.inside[2].line)
        assert.equal(5, lines.inside.b.inside[2].inside.c.inside.d.line)
    end)

    it("are known of a member of the root", function()
        local root = yaml.compose("a: 1\n\nb: 2\n")
        local node, line = yaml.member(root, "b")
        assert.equal(3, line)
        assert.equal(2, (yaml.read(node)))
        assert.is_nil((yaml.member(root, "c")))
        assert.is_nil((yaml.member(node, "c")))
        assert.same({ nil, 'the key "b" is there twice', 3 },
            { yaml.member(yaml.compose("b: 1\na: 1\nb: 2\nb: 3\n"), "b") })
    end)
end)

it("says what is missing where lyaml is", function()
    local loaded, preload = package.loaded.yaml, package.preload.yaml
    package.loaded.yaml = nil
    package.preload.yaml = function() error("not there") end
    local root, message = yaml.compose("a: 1")
    package.loaded.yaml, package.preload.yaml = loaded, preload
    assert.is_nil(root)
    assert.truthy(message:find("lua-yaml", 1, true))
end)
