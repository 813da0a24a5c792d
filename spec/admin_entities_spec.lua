-- admin_entities_spec - one vault put in its place, or taken away.

local admin = require "spec.support.admin"
local entities = require "vault.admin_entities"

local ID = "2911e119-ee1f-42af-a114-67061c3831e5"

describe("admin_entities", function()
    local world, list

    before_each(function()
        world = admin.new()
        list = { { id = "x", prefix = ID, name = "aws", config = {}, created_at = 1 },
                 { id = ID, prefix = "b", name = "aws", config = {}, created_at = 2 },
                 { id = "z", prefix = "c", name = "env", config = {}, declared = true } }
        world.entities = list
    end)

    it("finds by id before prefix", function()
        assert.equal(2, entities.by_key(list, ID))
        assert.equal(2, entities.by_key(list, ID:upper()))
        assert.equal(1, entities.by_prefix(list, ID))
        assert.equal(2, entities.by_key(list, "b"))
        assert.is_nil(entities.by_key(list, "d"))
        assert.is_nil(entities.by_prefix(list, "x"))
    end)

    it("gives what is new an id and times", function()
        local made = entities.put(world.parts, function() end, function(old, all)
            assert.is_nil(old)
            assert.equal(3, #all)
            return { prefix = "d", name = "aws", config = {} }
        end)
        assert.is_true(made.created)
        assert.same({ id = "2911e119-ee1f-42af-a114-000000000001", prefix = "d", name = "aws",
                      config = {}, created_at = world.clock, updated_at = world.clock },
            made.entity)
        assert.equal(4, #world.entities)
    end)

    it("puts one in the place of another", function()
        local made = entities.put(world.parts, function() return 2 end, function(old)
            assert.equal("b", old.prefix)
            old.config = { ttl = 1 }
            return old
        end)
        assert.is_false(made.created)
        assert.same({ ID, 2, world.clock, 1 }, { world.entities[2].id,
            world.entities[2].created_at, world.entities[2].updated_at,
            world.entities[2].config.ttl })
    end)

    it("passes a failure on and changes nothing", function()
        local made, failure = entities.put(world.parts, function() return 2 end, function(old)
            old.config = { ttl = 1 }
            return nil, { missing = true }
        end)
        assert.is_nil(made)
        assert.same({ missing = true }, failure)
        assert.is_nil(world.entities[2].config.ttl)
    end)

    it("takes one away", function()
        assert.is_true(entities.remove(world.parts, function() return 1 end))
        assert.same({ "b", "c" }, { world.entities[1].prefix, world.entities[2].prefix })
        local ok, failure = entities.remove(world.parts, function() end)
        assert.is_nil(ok)
        assert.same({ missing = true }, failure)
    end)

    it("leaves what is declared alone", function()
        local function third() return 3 end
        for _, change in ipairs { entities.put, entities.remove } do
            local ok, failure = change(world.parts, third, function() error("it was made") end)
            assert.is_nil(ok)
            assert.same({ declared = "c" }, failure)
        end
    end)
end)
