-- entities_spec - lists of entities: compared, completed, read; and what went.

local entities = require "vault.entities"
local system = require "spec.support.system"

describe("entities", function()
    local SAME = {
        { 1, 1, true }, { 1, 2, false }, { nil, nil, true }, { {}, {}, true }, { {}, 1, false },
        { { a = { 1, 2 } }, { a = { 1, 2 } }, true }, { { a = { 1, 2 } }, { a = { 1 } }, false },
        { { a = 1 }, { a = 1, b = false }, false }, { { a = 1, b = 2 }, { a = 1 }, false },
        { { a = false }, {}, false },
    }
    for i, row in ipairs(SAME) do
        it("are the same or not: " .. i, function()
            assert.equal(row[3], entities.same(row[1], row[2]))
            assert.equal(row[3], entities.same(row[2], row[1]))
            assert.is_true(entities.same(row[1], entities.copy(row[1])))
        end)
    end

    it("get an id and times where they have none, those of before where these are known", function()
        local list = entities.complete({
            { prefix = "one", id = "x", created_at = 1, updated_at = 2 }, { prefix = "two" },
            { prefix = "three", created_at = 3 },
        }, 10.7, { { prefix = "two", id = "y", created_at = 4, updated_at = 5 } })
        assert.same({ prefix = "one", id = "x", created_at = 1, updated_at = 2 }, list[1])
        assert.same({ prefix = "two", id = "y", created_at = 4, updated_at = 5 }, list[2])
        assert.same({ 3, 3 }, { list[3].created_at, list[3].updated_at })
        assert.same(list[3].id, entities.complete({ { prefix = "three" } }, 11)[1].id)
    end)

    it("are what a file says, or what is wrong with it and where", function()
        local folder = system.folder()
        local path = system.write(folder .. "/f", '{"_format_version": "3.0", "vaults": ['
            .. '{"name": "aws", "prefix": "my-aws"}]}')
        local list, text = entities.read(path)
        assert.equal("my-aws", list[1].prefix)
        assert.equal(system.read(path), text)
        system.write(path, '_format_version: "3.0"\nvaults:\n- name: x\n  prefix: y\n')
        local none, message, word = entities.read(path)
        assert.is_nil(none)
        assert.matches("/f: line 3: vaults%[1%]%.name: .* %(and %d more%)$", message)
        assert.equal("bad_config", word)
        assert.equal("not_found", (select(3, entities.read(folder .. "/none"))))
        assert.equal("bad_config", (select(3, entities.read(folder))))
        system.remove(folder)
    end)

    it("are dumped only where they can be read again, whole", function()
        local list = { { prefix = "my-aws", name = "aws", config = { ttl = 0.1, allow = { "*" } },
                         tags = { "a" }, created_at = 5 } }
        assert.same(list, entities.parse(entities.dump(list)))
        local text, message, is_mistake = entities.dump { { prefix = "my-aws", name = "aws",
            config = { ttl = "canary" } } }
        assert.is_nil(text)
        assert.matches("could not be read again", message)
        assert.falsy(message:find("canary", 1, true))
        assert.is_false(is_mistake)
        text, message, is_mistake = entities.dump { { prefix = "my-aws", name = "aws",
            description = ("x"):rep(2 ^ 20) } }
        assert.same({ nil, "all vaults together are over 1 MB", true }, { text, message,
                                                                           is_mistake })
    end)

    it("without the declared ones are the others, or nothing where one was touched", function()
        local declared = { { prefix = "a", config = { x = 1 } } }
        local edited = { { prefix = "b", declared = true }, { prefix = "a", declared = true,
                                                               config = { x = 1 } } }
        assert.same({ { prefix = "b" } }, entities.without(edited, declared))
        assert.is_true(edited[1].declared)
        assert.is_nil(entities.without({ edited[1] }, declared))
        assert.is_nil(entities.without({ { prefix = "a", config = { x = 2 } } }, declared))
        assert.is_nil(entities.without({ edited[2], edited[2] }, declared))
    end)

    it("that went: the new ones first, none twice, none that is back, a hundred at most", function()
        local function of(...)
            local list = {}
            for i, prefix in ipairs { ... } do
                list[i] = { prefix = prefix }
            end
            return list
        end
        assert.same({ "b", "c" }, entities.gone(of("a", "b"), of("a", "d"), { "d", "c", "b" }))
        local many = {}
        for i = 1, 200 do
            many[i] = "p" .. i
        end
        local list = entities.gone(of("x"), {}, many)
        assert.equal(100, #list)
        assert.equal("x", list[1])
    end)
end)
