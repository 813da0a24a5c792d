-- violations_spec - complaints in Kong's words and shape.

local cjson = require "cjson"
local violations = require "vault.violations"

local function gathered(complaints)
    local report = violations.new()
    for _, entry in ipairs(complaints) do
        report:add(entry[1], entry[2])
    end
    return report:render()
end

describe("violations", function()
    it("are nil where there is none", function()
        assert.is_nil(violations.new():render())
    end)

    it("name the one", function()
        local violation, list = gathered({ { { "config", "ttl" }, "expected a number" } })
        assert.same({
            message = "schema violation (config.ttl: expected a number)",
            name = "schema violation", code = 2,
            fields = { config = { ttl = "expected a number" } },
        }, violation)
        assert.same({ { path = { "config", "ttl" }, message = "expected a number" } }, list)
    end)

    it("count several, in the order of paths", function()
        local violation = gathered({
            { { "prefix" }, "required field missing" }, { { "config", "b" }, "unknown field" },
            { { "config", "a" }, "expected a string" },
        })
        assert.equal("3 schema violations (config.a: expected a string; config.b: unknown field; "
            .. "prefix: required field missing)", violation.message)
        assert.same({ prefix = "required field missing",
            config = { a = "expected a string", b = "unknown field" } }, violation.fields)
    end)

    it("of elements go by index, and can be JSON", function()
        local violation = gathered({ { { "tags" }, { [3] = "x", [7] = "y" } } })
        assert.equal("2 schema violations (tags[3]: x; tags[7]: y)", violation.message)
        assert.same({ tags = { ["3"] = "x", ["7"] = "y" } },
            cjson.decode(cjson.encode(violation.fields)))
    end)

    it("of the whole are under @entity", function()
        local violation = gathered({ { {}, "expected a record" } })
        assert.equal("schema violation (expected a record)", violation.message)
        assert.same({ ["@entity"] = { "expected a record" } }, violation.fields)
    end)

    it("show names from outside escaped and cut", function()
        local violation = gathered({ { { "a\n\255" .. ("x"):rep(200) }, "unknown field" } })
        assert.falsy(violation.message:find("[^ -~]"))
        assert.is_true(#violation.message < 200)
        assert.falsy(next(violation.fields):find("[^ -~]"))
    end)

    it("are twenty at most", function()
        local many = {}
        for i = 1, 50 do
            many[i] = { { "f" .. i }, "unknown field" }
        end
        local violation, list = gathered(many)
        assert.equal(20, #list)
        assert.truthy(violation.message:find("^20 schema violations"))
    end)

    it("of uniqueness are Kong's", function()
        assert.same({ message = [[UNIQUE violation detected on '{prefix="a-b"}']], code = 5,
            name = "unique constraint violation", fields = { prefix = "a-b" } },
            (violations.unique("prefix", "a-b")))
        assert.same({ message = [[primary key violation on key '{id="x"}']], code = 3,
            name = "primary key violation", fields = { id = "x" } }, (violations.primary("x")))
    end)

    it("have paths as people write them", function()
        assert.equal("vaults[2].config.allow[1]",
            violations.path_text({ "vaults", 2, "config", "allow", 1 }))
        assert.equal("", violations.path_text({}))
    end)
end)
