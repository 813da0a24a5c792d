-- semaphores_spec - semaphores that are used again, in a world of light threads.

local light = require "spec.support.light"
local rooms = require "spec.support.rooms"

describe("semaphores", function()
    local world, semaphores, restore

    before_each(function()
        world = light.new()
        rawset(_G, "ngx", world.ngx)
        semaphores, restore = rooms.load({ "vault.semaphores" },
            { ["ngx.semaphore"] = world.semaphore })
    end)
    after_each(function()
        restore()
        rawset(_G, "ngx", nil)
    end)

    local function waiting(one, seconds)
        return world:spawn("content", function() return one:wait(seconds) end)
    end

    it("serve again once they were given back, and only then", function()
        local one, other = semaphores.take(), semaphores.take()
        assert.is_true(one ~= other)
        semaphores.give(one)
        assert.equal(one, semaphores.take())
        assert.is_true(semaphores.take() ~= other)
    end)

    it("wake whoever waits at that moment, and nobody who comes later", function()
        local one = semaphores.take()
        local first, second = waiting(one, 1), waiting(one, 1)
        semaphores.wake(one)
        world:pass(0.01)
        assert.same({ { true }, { true } }, { first.results, second.results })
        semaphores.wake(one)
        local late = waiting(one, 1)
        world:pass(0.5)
        assert.is_nil(late.done)
        assert.equal(-1, one:count())
    end)

    it("do not serve again where a resource is left, or somebody waits", function()
        local left, waited = semaphores.take(), semaphores.take()
        left:post(1)
        waiting(waited, 1)
        semaphores.give(left)
        semaphores.give(waited)
        local one, other = semaphores.take(), semaphores.take()
        assert.is_true(one ~= left and one ~= waited and other ~= left and other ~= waited)
    end)

    it("are kept up to 256", function()
        local all, known = {}, {}
        for i = 1, 300 do
            all[i] = semaphores.take()
            known[all[i]] = true
        end
        for _, one in ipairs(all) do
            semaphores.give(one)
        end
        for i = 1, 300 do
            assert.equal(i <= 256, known[semaphores.take()] or false)
        end
    end)
end)
