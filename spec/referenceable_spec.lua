-- referenceable_spec - which fields of a configuration are references, by a schema and without one.

local referenceable = require "vault.referenceable"

local A, B, C = "{vault://aws/a/k}", "$secret://aws/john/b/k", "$env://C"

describe("referenceable", function()
    -- What is found: "path.key=reference", sorted; "?" behind an optional one, and the depth.
    local function find(conf, schema, taken)
        local lines = {}
        for i, field in ipairs(referenceable.find(conf, schema, taken or {})) do
            local path = { unpack(field.path) }
            path[#path + 1] = field.key
            for j, key in ipairs(path) do
                path[j] = tostring(key)
            end
            lines[i] = ("%s=%s%s %d"):format(table.concat(path, "."), field.reference,
                field.optional and "?" or "", field.depth)
        end
        table.sort(lines)
        return lines
    end

    local STRING = { type = "string", referenceable = true }

    describe("by a schema", function()
        it("are the fields that it marks", function()
            local schema = { fields = {
                { a = STRING }, { b = { type = "string" } },
                { c = { type = "string", referenceable = false } }, { d = STRING }, { e = STRING },
                { f = { type = "number" } }, { g = { type = "foreign", reference = "x" } },
                { h = { referenceable = true } },
            } }
            local conf = { a = A, b = B, c = C, d = "plain", f = A, g = { id = A }, h = A,
                           unknown = A }
            assert.same({ "a=" .. A .. " 0" }, find(conf, schema))
        end)

        it("are in records, arrays, sets and maps", function()
            local inner = { type = "record", fields = { { key = STRING }, { plain = {
                type = "string" } } } }
            local schema = { name = "plugin", fields = {
                { record = { type = "record", fields = { { deep = inner } } } },
                { list = { type = "array", elements = STRING } },
                { set = { type = "set", elements = STRING } },
                { map = { type = "map", keys = { type = "string" }, values = STRING } },
                { records = { type = "array", elements = inner } },
                { by_name = { type = "map", keys = { type = "string" }, values = inner } },
                { lists = { type = "array", elements = { type = "array", elements = STRING } } },
                { list_of_maps = { type = "array", elements = { type = "map", values = STRING } } },
                { empty = { type = "array", elements = STRING } },
            } }
            assert.same({
                "by_name.one.key=" .. A .. " 2", "list.2=" .. B .. " 0",
                "list_of_maps.1.x=" .. C .. " 0", "lists.1.2=" .. A .. " 0", "map.x=" .. C .. " 0",
                "record.deep.key=" .. A .. " 2", "records.2.key=" .. B .. " 2",
                "set.1=" .. A .. " 0",
            }, find({
                record = { deep = { key = A, plain = B } },
                list = { "plain", B }, set = { A }, map = { x = C, y = "plain", z = 7 },
                records = { { plain = A }, { key = B } },
                by_name = { one = { key = A }, two = { plain = A } },
                lists = { { "plain", A } }, list_of_maps = { { x = C } }, empty = {},
            }, schema))
        end)

        it("are the strings of a list or map that is marked as a whole", function()
            local text = { type = "string" }
            assert.same({ "list.1=" .. A .. " 0", "map.x=" .. B .. " 0" },
                find({ list = { A }, map = { x = B }, plain = { C } }, { fields = {
                    { list = { type = "set", referenceable = true, elements = text } },
                    { map = { type = "map", referenceable = true, values = text } },
                    { plain = { type = "array", elements = text } },
                } }))
        end)

        it("are optional where it says so of a record's field or a map's values", function()
            local optional = { type = "string", referenceable = true, required = false }
            local schema = { fields = {
                { a = optional }, { b = STRING },
                { c = { type = "string", referenceable = true, required = true } },
                { list = { type = "array", required = false, elements = optional } },
                { map = { type = "map", values = optional } },
                { strict = { type = "map", required = false, values = STRING } },
                { record = { type = "record", required = false, fields = {
                    { a = optional }, { b = STRING } } } },
            } }
            assert.same({
                "a=" .. A .. "? 0", "b=" .. A .. " 0", "c=" .. A .. " 0", "list.1=" .. A .. " 0",
                "map.x=" .. A .. "? 0", "record.a=" .. A .. "? 1", "record.b=" .. A .. " 1",
                "strict.x=" .. A .. " 0",
            }, find({ a = A, b = A, c = A, list = { A }, map = { x = A }, strict = { x = A },
                      record = { a = A, b = A } }, schema))
        end)

        it("are none where the configuration is not what it says", function()
            assert.same({}, find({ record = A, list = A, map = A, text = { A } }, { fields = {
                { record = { type = "record", fields = { { a = STRING } } } },
                { list = { type = "array", elements = STRING } },
                { map = { type = "map", values = STRING } }, { text = STRING },
            } }))
        end)

        it("raises for what is no schema, where it leads there", function()
            for _, schema in ipairs {
                {}, { fields = "x" }, { fields = { "x" } }, { fields = { {} } },
                { fields = { t = STRING } }, { fields = { { t = { type = "text" } } } },
                { fields = { { other = { type = "strnig", referenceable = true } } } },
                { fields = { { t = { type = "record", fields = { a = STRING } } } } },
                { fields = { { t = { type = {}, referenceable = true } } } },
                { fields = { { a = "string" } } }, { fields = { { STRING } } },
                { fields = { { t = { type = "record" } } } },
                { fields = { { t = { type = "array" } } } },
                { fields = { { t = { type = "set", elements = "x" } } } },
                { fields = { { t = { type = "map", keys = STRING } } } },
            } do
                assert.error_matches(function() referenceable.find({ t = {} }, schema, {}) end,
                    "^the schema is malformed: ")
            end
        end)

        it("takes each of Kong's types, and a record without any fields", function()
            for _, name in ipairs { "number", "integer", "boolean", "function", "foreign", "any",
                                    "json" } do
                assert.same({}, find({ t = A }, { fields = { { t = { type = name } } } }))
            end
            assert.same({}, find({ t = {} }, { fields = { { t = { type = "record",
                fields = {} } } } }))
        end)
    end)

    describe("without a schema", function()
        it("are all strings that are references as a whole", function()
            assert.same({
                "a=" .. A .. " 0", "b.c.1=" .. B .. " 0", "b.c.3.d=" .. C .. " 0",
            }, find { a = A, b = { c = { B, "x" .. A, { d = C } } }, e = "plain", f = 7, g = true })
        end)

        it("are each found once, in what loops and what is shared", function()
            local shared = { a = A }
            local conf = { shared }
            conf[2], conf[3] = shared, conf
            assert.same({ "1.a=" .. A .. " 0" }, find(conf))
        end)

        it("are at any depth", function()
            local conf = { a = A }
            for _ = 1, 1000 do
                conf = { conf }
            end
            assert.equal(1, #find(conf))
        end)
    end)

    for name, schema in pairs {
        ["by a schema"] = { fields = {
            { a = STRING }, { list = { type = "array", elements = STRING } },
            { map = { type = "map", values = STRING } } } },
        without = false,
    } do
        it("are not those that have references already: " .. name, function()
            local conf = { a = A, list = { A, B }, map = { x = A }, ["$refs"] = { a = C, b = C } }
            conf.map["$refs"] = { x = C }
            local taken = { [conf] = { a = true }, [conf.list] = { [2] = true } }
            assert.same({ "list.1=" .. A .. " 0", "map.x=" .. A .. " 0" },
                find(conf, schema or nil, taken))
            assert.same({ [conf] = { a = true }, [conf.list] = { true, true },
                          [conf.map] = { x = true } }, taken)
            assert.same({}, find(conf, schema or nil, taken))
        end)

        it("do not run metamethods: " .. name, function()
            local function never()
                error("it ran")
            end
            local conf = setmetatable({ map = setmetatable({ x = A }, { __index = never }) },
                { __index = never, __pairs = never })
            assert.same({ "map.x=" .. A .. " 0" }, find(conf, schema or nil))
        end)
    end
end)
