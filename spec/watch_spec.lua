-- watch_spec - other workers' locks are looked at until they end.

local engine = require "spec.support.engine"
local locks_of = require "vault.locks"

describe("watch", function()
    local rig, world, dict, other, dead, one, ended, waited

    before_each(function()
        rig = engine.new()
        world = rig.world
        dict, dead, ended, waited = world:dict(), {}, {}, false
        rig:load()
        local function locks(pid)
            return locks_of.new { dict = dict, now = world.ngx.now, pid = pid, started = 1,
                                  alive = function(asked) return not dead[asked] end }
        end
        other, one = locks(2), rig.watch.new(locks(1))
    end)
    after_each(function()
        rig:stop()
    end)

    local function watch(name)
        local token = other:take(name, 11)
        one:add(name, token, { released = function() ended[#ended + 1] = name end,
                               is_waited = function() return waited end })
        return token
    end

    it("tells once when a lock is given back", function()
        local token = watch("a")
        assert.is_false(one:ensure())
        world:pass(1)
        assert.is_true(one:ensure())
        assert.same({}, ended)
        other:release("a", token)
        world:pass(0.051)
        assert.same({ "a" }, ended)
        world:pass(1)
        assert.same({ "a" }, ended)
        assert.is_false(one.watching)
    end)

    it("tells when the holder died, when the lock expired, and when another took it", function()
        watch("a")
        one:ensure()
        world:pass(1)
        dead[2] = true
        world:pass(0.051)
        assert.same({ "a" }, ended)
        dead[2] = nil
        watch("b")
        one:ensure()
        world:pass(10.9)
        assert.same({ "a" }, ended)
        world:pass(0.2)
        assert.same({ "a", "b" }, ended)
        other:release("c", watch("c"))
        other:take("c", 11)
        one:look("c")
        assert.same({ "a", "b", "c" }, ended)
    end)

    it("is quick at first, then every 50 ms, for any number with one timer", function()
        local looks, get = 0, dict.get
        function dict.get(...)
            looks = looks + 1
            return get(...)
        end
        local tokens = {}
        for i = 1, 100 do
            tokens[i] = watch("k" .. i)
            one:ensure()
        end
        assert.equal(1, world.timer_count)
        looks = 0
        world:pass(0.02)
        assert.is_true(looks >= 300)
        world:pass(1)
        looks = 0
        world:pass(1)
        assert.is_true(looks >= 1900 and looks <= 2100, looks)
        for i = 1, 100 do
            other:release("k" .. i, tokens[i])
        end
        world:pass(0.06)
        assert.equal(100, #ended)
        looks = 0
        world:pass(60)
        assert.equal(0, looks)
        assert.equal(1, world.timer_count)
    end)

    it("goes on where who is told watches again", function()
        other:release("a", other:take("a", 11))
        local token = other:take("a", 11)
        one:add("a", token, { released = function()
            ended[#ended + 1] = "a"
            watch("a")
        end })
        one:ensure()
        other:release("a", token)
        world:pass(0.06)
        assert.same({ "a" }, ended)
        other:release("a", dict:get("l:a"))
        world:pass(0.06)
        assert.same({ "a", "a" }, ended)
    end)

    it("goes on where it failed, and says so", function()
        local token = watch("a")
        one:ensure()
        world:pass(0.1)
        local get = dict.get
        function dict.get()
            error("planted")
        end
        world:pass(0.1)
        dict.get = get
        assert.matches("watching other workers failed", world.logged[1])
        assert.is_false(one:ensure())
        other:release("a", token)
        world:pass(0.06)
        assert.same({ "a" }, ended)
    end)

    for _, how in ipairs { "refused", "vanish" } do
        it("leaves it to who asks where timers are " .. how, function()
            world.timers = how
            local token = watch("a")
            assert.is_false(one:ensure())
            other:release("a", token)
            world:pass(0.5)
            assert.is_false(one:ensure())
            one:look("b")
            one:look("a")
            assert.same({ "a" }, ended)
            watch("b")
            world.timers = nil
            world:pass(1)
            one:ensure()
            world:pass(0.01)
            assert.is_true(one:ensure())
        end)
    end

    it("keeps a worker that leaves for as long as somebody waits", function()
        local token = watch("a")
        one:ensure()
        waited = true
        world:pass(1)
        world:leave()
        world:pass(1)
        other:release("a", token)
        world:pass(0.06)
        assert.same({ "a" }, ended)
        watch("b")
        one:ensure()
        world:pass(1)
        assert.is_true(one.watching)
        waited = false
        world:pass(0.06)
        assert.is_false(one.watching)
        assert.same({ "a" }, ended)
    end)
end)
