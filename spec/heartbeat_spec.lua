-- heartbeat_spec - what is done at each beat, more seldom, in between, and at the end.

local light = require "spec.support.light"

describe("the heart", function()
    local heartbeat = require "vault.heartbeat"
    local world, outside, done, warned

    before_each(function()
        world, done, warned = light.new(), {}, {}
        outside = rawget(_G, "ngx")
        rawset(_G, "ngx", world.ngx)
    end)
    after_each(function()
        rawset(_G, "ngx", outside)
    end)

    local function work(name, every, result)
        return { every = every, run = function()
            done[name] = (done[name] or 0) + 1
            return type(result) == "function" and result() or result
        end }
    end

    local function warn(message)
        warned[#warned + 1] = message
    end

    local function beat(heart, first, last)
        for count = first, last do
            world:spawn("timer", function() heartbeat.beat(heart, count) end)
            world:pass(0.1)
        end
    end

    it("does each work at its beats", function()
        local heart = { warn = warn, work("often", 1), work("second", 10), work("minute", 600) }
        beat(heart, 0, 8)
        assert.same({ often = 9 }, done)
        beat(heart, 9, 598)
        assert.same({ often = 599, second = 59 }, done)
        beat(heart, 599, 599)
        assert.same({ often = 600, second = 60, minute = 1 }, done)
    end)

    it("goes on where one work fails, and says so", function()
        local heart = { warn = warn, work("first", 1, function() error("a fault", 0) end),
                        work("second", 1) }
        beat(heart, 0, 1)
        assert.same({ first = 2, second = 2 }, done)
        assert.same({ "a worker's regular work failed: a fault",
                      "a worker's regular work failed: a fault" }, warned)
    end)

    it("calls work again where that wants to be, before the next beat", function()
        beat({ warn = warn, work("a", 1, 0.04), work("b", 1, 0.1), work("c", 1, math.huge) }, 0, 0)
        assert.same({ a = 3, b = 1, c = 1 }, done)
        beat({ warn = warn, work("d", 1, 0) }, 0, 0)
        assert.is_true(done.d <= 100, done.d)
    end)

    describe("is started", function()
        local timers

        before_each(function()
            timers = {}
            world.ngx.timer.every = function(delay, action)
                timers[#timers + 1] = { delay = delay, action = action }
                return #timers
            end
        end)

        it("as one timer", function()
            local heart = { warn = warn, last = work("last").run, work("often", 1),
                            work("second", 10) }
            assert.truthy(heartbeat.start(heart))
            assert.same({ 1, 0.1 }, { #timers, timers[1].delay })
            for _ = 1, 20 do
                timers[1].action(false)
            end
            assert.same({ often = 20, second = 2 }, done)
            timers[1].action(true)
            assert.same({ often = 20, second = 2, last = 1 }, done)
        end)

        it("and says where there is no timer", function()
            world.ngx.timer.every = function() return nil, "too many pending timers" end
            assert.same({ nil, "too many pending timers" }, { heartbeat.start { warn = warn } })
        end)
    end)
end)
