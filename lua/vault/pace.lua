-- pace - when the node may make its next batch call.
--
-- For:   at most `rate` calls in any second, whichever worker makes them; half of it after each
--        throttled answer, one more a second for each second without one.
-- Never: waiting (it says how long); what the calls are; failures other than throttling.
--
-- Who claims a group's slot makes the call; nobody else claims it before 1.1 / rate seconds are
-- over. The tenth more keeps AWS's count below `rate` where a call is up to 0.1 s late on its way.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local SPACING = 1.1
local SLOT, ZERO, HALVED = "b:slot:", "b:zero:", "b:halved:"
local HALVE_EVERY = 1 -- seconds

-- A pace.
--
-- numbers  vault.numbers
-- now      function() -> seconds
-- rate     calls a second; 0: no pacing
function _M.new(options)
    return setmetatable({ numbers = options.numbers, now = options.now, rate = options.rate },
        metatable)
end

-- Calls a second at this moment. What is kept is when the rate would have been 0: it has grown by
-- one a second since.
function methods:current(group)
    local zero = self.numbers:get(ZERO .. group)
    if not zero then
        return self.rate
    end
    local grown = math.floor(self.now() - zero)
    if grown < 1 then -- the clock was set back
        self.numbers:set(ZERO .. group, self.now() - 1, self.rate)
        return 1
    end
    return math.min(grown, self.rate)
end

-- 0: the slot is the caller's. Else the seconds to wait before asking again.
function methods:take(group)
    if self.rate <= 0 then
        return 0
    end
    return self.numbers:claim(SLOT .. group, SPACING / self:current(group))
end

-- AWS asked for fewer calls.
function methods:throttled(group)
    if self.rate <= 1 or self.numbers:claim(HALVED .. group, HALVE_EVERY) > 0 then
        return
    end
    local half = math.max(1, math.floor(self:current(group) / 2))
    self.numbers:set(ZERO .. group, self.now() - half, self.rate)
end

return _M
