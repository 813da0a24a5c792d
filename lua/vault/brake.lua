-- brake - how much the node may ask of AWS.
--
-- For:   the budget for repeated calls, the circuit that opens while AWS is away, the pace of batch
--        calls; for all workers of the node together.
-- Never: making calls, waiting, the words of outcomes (the caller says what is transient).
--
-- Calls that may be told apart by whom they ask and who asks have groups of their own: a short
-- text. Where the shared dict takes no more, a worker goes by what it knows itself.

local numbers = require "vault.numbers"
local pace = require "vault.pace"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local BUDGET, COST = 500, 5 -- tokens
local REFILL = 5 -- tokens a second
local OPEN_AFTER = 10 -- transient failures in a row
-- Seconds between two probes; less by a tenth to three tenths, so that there is time for the probe
-- itself within 5 s of AWS's return.
local PERIODS = { 1, 2, 4, 5 }
local JITTER_LEAST, JITTER_MORE = 0.7, 0.2
local function ignore() end
local CLOCK_SET_BACK = 2 -- seconds; less is two workers' clocks
local CALM = 0.05 -- seconds in which a worker that found nothing amiss does not look again
local TOKENS, FILLED = "b:tokens:", "b:filled:"
local FAILURES, PROBES, PROBE = "b:failures:", "b:probes:", "b:probe:"

-- A brake.
--
-- dict    the shared dict, or nil: then each worker has its own
-- now     function() -> seconds, fresh (slots are milliseconds)
-- turn    function() -> seconds, as of nginx's turn; nil: whoever found nothing amiss looks again
-- random  function() -> [0, 1)
-- rate    batch calls a second, at least 1, default 10; 0: no pacing
-- on_open, on_close  function(message of the last failure), function(): the circuit's
function _M.new(options)
    local rate = options.rate or 10
    if type(rate) ~= "number" or rate ~= 0 and rate < 1 then
        error("rate must be 0 or at least 1", 2)
    end
    local shared = numbers.new { dict = options.dict, now = options.now }
    return setmetatable({
        numbers = shared, now = options.now, random = options.random or math.random,
        turn = options.turn, calm = {}, calm_until = 0,
        on_open = options.on_open or ignore, on_close = options.on_close or ignore,
        slots = pace.new { numbers = shared, now = options.now, rate = rate },
    }, metatable)
end

-- Most fetches begin and end while no other has failed of late: the groups of which this worker
-- takes that for granted, until a moment not far away.
local function calm(self)
    local left = self.calm_until - self.turn()
    if left <= 0 or left > CALM then -- or the clock was set back
        self.calm, self.calm_until = {}, self.turn() + CALM
    end
    return self.calm
end

local function is_calm(self, group)
    return self.turn and calm(self)[group]
end

local function give(self, group, tokens)
    local sum = self.numbers:add(TOKENS .. group, tokens, BUDGET)
    if sum > BUDGET then
        self.numbers:add(TOKENS .. group, BUDGET - sum, BUDGET)
    end
end

-- Each second since the last refill is handed out once: who moved the mark has them, and who moved
-- it past the present second gives the rest back.
local function refill(self, group)
    local second, mark = math.floor(self.now()), FILLED .. group
    local filled = self.numbers:get(mark)
    if not filled then
        filled = self.numbers:add(mark, 0, second)
    elseif filled > second + CLOCK_SET_BACK then
        self.numbers:set(mark, second)
        return
    end
    local passed = second - filled
    if passed <= 0 then
        return
    end
    local over = math.min(math.max(self.numbers:add(mark, passed, filled) - second, 0), passed)
    if over > 0 then
        self.numbers:add(mark, -over, second)
    end
    if over < passed then
        give(self, group, (passed - over) * REFILL)
    end
end

-- May a call be made that is not the first for its reference: one whose last call failed, or, while
-- the circuit is open, any whose value is not in hand? True draws on the budget.
function methods:may_repeat(group)
    self.calm[group] = nil
    refill(self, group)
    local key = TOKENS .. group
    if (self.numbers:get(key) or BUDGET) < COST then
        return false
    end
    if self.numbers:add(key, -COST, BUDGET) >= 0 then
        return true
    end
    self.numbers:add(key, COST, 0)
    return false
end

-- Is the circuit open: 10 transient failures in a row, and no answer since?
function methods:is_open(group)
    return not is_calm(self, group) and (self.numbers:get(FAILURES .. group) or 0) >= OPEN_AFTER
end

local function period(self, probes)
    local seconds = PERIODS[math.min(probes + 1, #PERIODS)]
    return seconds * (JITTER_LEAST + JITTER_MORE * self.random())
end

-- May a call be made now? Always while the circuit is closed; while it is open, one on the node for
-- each period.
function methods:may_probe(group)
    if not self:is_open(group) then
        return true
    end
    local probes = self.numbers:get(PROBES .. group) or 0
    if self.numbers:claim(PROBE .. group, period(self, probes + 1)) > 0 then
        return false
    end
    self.numbers:add(PROBES .. group, 1, 0)
    return true
end

local function close(self, group)
    local failures = self.numbers:get(FAILURES .. group)
    if failures then
        self.numbers:delete(PROBES .. group)
        self.numbers:delete(PROBE .. group)
        self.numbers:delete(FAILURES .. group)
        if failures >= OPEN_AFTER then
            self.on_close()
        end
    end
    return failures ~= nil
end

-- A call brought what it was for. Closes the circuit.
function methods:succeeded(group)
    if is_calm(self, group) then
        return
    end
    local closed, tokens = close(self, group), self.numbers:get(TOKENS .. group)
    if tokens and tokens < BUDGET then
        give(self, group, 1)
    elseif self.turn and not closed then
        calm(self)[group] = true
    end
end

-- A call failed. One that is not transient was an answer, if not the one hoped for: it closes the
-- circuit too, or a probe for a secret that is gone would keep it open. A call that was cancelled
-- or never made is none of either.
function methods:failed(group, transient, message)
    self.calm[group] = nil
    if not transient then
        close(self, group)
    elseif self.numbers:add(FAILURES .. group, 1, 0) == OPEN_AFTER then
        self.numbers:claim(PROBE .. group, period(self, 0))
        self.on_open(message)
    end
end

-- 0: the next batch call is the caller's to make, now. Else the seconds to wait before asking
-- again. At most `rate` in any second.
function methods:pace(group)
    return self.slots:take(group)
end

-- A batch call was answered with throttling (the caller says failed too).
function methods:throttled(group)
    self.slots:throttled(group)
end

return _M
