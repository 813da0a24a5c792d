-- light - nginx's Lua world with a clock that the spec moves: light threads, timers, semaphores,
--         shared dicts.
--
-- For:   specs of what waits, without nginx and without waiting.
-- Never: what nginx alone can show (spec/nginx).

local dicts = require "spec.support.dict"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local function later(self, at, action)
    self.ordered = self.ordered + 1
    local event = { at = at, action = action, order = self.ordered }
    self.events[#self.events + 1] = event
    return event
end

local function resume(self, thread, ...)
    local before = self.phase
    self.phase = thread.phase
    local answer = { coroutine.resume(thread.routine, ...) }
    self.phase = before
    if not answer[1] then
        error(answer[2], 0)
    end
    if coroutine.status(thread.routine) == "dead" then
        thread.done, thread.results = true, { select(2, unpack(answer, 1, 8)) }
    end
end

-- Run `action` as a light thread of `phase` until it first waits. { done, results, killed }: one
-- that is set killed never goes on.
function methods:spawn(phase, action)
    local thread = { phase = phase, routine = coroutine.create(action) }
    self.threads[thread.routine] = thread
    resume(self, thread)
    return thread
end

-- What `action` returns in `phase`; it must not wait.
function methods:call(phase, action)
    local thread = self:spawn(phase, action)
    assert(thread.done, "it waits")
    return unpack(thread.results, 1, 8)
end

local function next_event(self, until_when)
    local first
    for i, event in ipairs(self.events) do
        local best = first and self.events[first]
        if event.at <= until_when and (not best or event.at < best.at
            or event.at == best.at and event.order < best.order) then
            first = i
        end
    end
    return first and table.remove(self.events, first)
end

-- Let `seconds` pass, with all that happens in them; 0 for what is due now.
function methods:pass(seconds)
    local until_when = self.clock + seconds
    local event = next_event(self, until_when)
    while event do
        self.clock = math.max(self.clock, event.at)
        event.action()
        event = next_event(self, until_when)
    end
    self.clock = until_when
end

-- The worker leaves: all timers fire now.
function methods:leave()
    self.leaving = true
    for _, event in ipairs(self.events) do
        if event.timer then
            event.at = self.clock
        end
    end
    self:pass(0)
end

-- A light thread of the current phase waits until `wake` is called, or for `seconds`.
local function wait(self, seconds, enlist, list)
    local thread = self.threads[coroutine.running()]
    local event
    local function wake(...)
        if event and not thread.killed then
            event.at, event = math.huge, nil
            resume(self, thread, ...)
        end
    end
    event = later(self, self.clock + seconds, function()
        for i = #(list or {}), 1, -1 do
            if list[i] == wake then
                table.remove(list, i)
            end
        end
        wake(nil, "timeout")
    end)
    enlist(wake)
    return coroutine.yield()
end

local function semaphores(self)
    local semaphore = {}
    local members = {}
    function semaphore.new()
        return setmetatable({ units = 0, wakes = {}, posted = 0 }, { __index = members })
    end
    function members.post(one, count)
        one.units, one.posted = one.units + (count or 1), one.posted + (count or 1)
        later(self, self.clock, function()
            while one.units > 0 and one.wakes[1] do
                one.units = one.units - 1
                table.remove(one.wakes, 1)(true)
            end
        end)
    end
    function members.count(one)
        return one.units - #one.wakes
    end
    function members.wait(one, seconds)
        assert(self.waiting_phases[self.phase], "API disabled in the context of " .. self.phase)
        self.waits = self.waits + 1
        if one.units > 0 then
            one.units = one.units - 1
            return true
        end
        seconds = math.floor(seconds * 1000) / 1000
        if seconds == 0 then -- so nginx counts, and does not wait for less
            return nil, "timeout"
        end
        return wait(self, seconds, function(wake) one.wakes[#one.wakes + 1] = wake end, one.wakes)
    end
    return semaphore
end

local function timers(self)
    local timer = {}
    function timer.at(delay, action, ...)
        if self.timers == "refused" then
            return nil, "too many pending timers"
        end
        local arguments, count = { ... }, select("#", ...)
        self.timer_count = self.timer_count + 1
        local event = later(self, self.clock + delay, function()
            if self.timers ~= "vanish" then
                local premature = self.leaving or false
                self:spawn("timer", function() action(premature, unpack(arguments, 1, count)) end)
            end
        end)
        event.timer = true
        return true
    end
    function timer.every(delay, action)
        return timer.at(delay, function(premature)
            if not premature then
                timer.every(delay, action)
            end
            action(premature)
        end)
    end
    return timer
end

local function log_to(self)
    return function(level, ...)
        local words = { ... }
        for i = 1, select("#", ...) do
            words[i] = tostring(words[i])
        end
        self.logged[#self.logged + 1] = level .. ": " .. table.concat(words)
    end
end

-- A shared dict by this world's clock.
function methods:dict()
    return dicts.new { now = self.ngx.now }
end

-- A world: ngx, semaphore (for package.loaded), phase and clock (which a spec may set), logged,
-- timers ("refused": none can be made; "vanish": none runs), timer_count, waits.
function _M.new()
    local self = setmetatable({
        clock = 1700000000.123, phase = "content", events = {}, ordered = 0, logged = {},
        threads = setmetatable({}, { __mode = "k" }),
        timer_count = 0, waits = 0,
        waiting_phases = { content = true, access = true, rewrite = true, timer = true },
    }, metatable)
    self.semaphore = semaphores(self)
    self.ngx = {
        WARN = "warn", NOTICE = "notice", ERR = "error", INFO = "info", shared = {},
        timer = timers(self),
        get_phase = function() return self.phase end,
        now = function() return self.clock end,
        update_time = function() end,
        sleep = function(seconds) wait(self, seconds, function() end) end,
        thread = { spawn = function(action) return self:spawn(self.phase, action) end,
                   kill = function(thread) thread.killed = true end },
        worker = { exiting = function() return self.leaving or false end,
                   id = function() return 0 end, count = function() return 1 end },
        config = { prefix = function() return "/prefix/" end },
        log = log_to(self),
    }
    return self
end

return _M
