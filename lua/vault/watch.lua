-- watch - locks that other workers hold, and when they end.
--
-- For:   one light thread per worker that looks at all of them, a few milliseconds apart; a look
--        at a single one for whoever finds no such thread.
-- Never: what is locked, what is done once it is free.

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}
local methods = {}
local metatable = { __index = methods }

local PAUSE_FIRST, PAUSE_MOST = 0.005, 0.05 -- seconds between two looks
local ASK_AGAIN = 1 -- seconds; past lua_max_running_timers nothing comes of a timer

-- locks: of vault.locks
function _M.new(locks)
    return setmetatable({ locks = locks, held = {}, count = 0, watching = false }, metatable)
end

-- Watch the lock `name`, which the other worker's `token` has.
--
-- waiter  a table with two methods: waiter:released(), called once, when it has not any more, which
--         must not yield; waiter:is_waited() -> whether a request waits for it
function methods:add(name, token, waiter)
    self.count = self.count + (self.held[name] and 0 or 1)
    self.held[name] = { token = token, waiter = waiter }
end

-- Look at one, now.
function methods:look(name)
    local one = self.held[name]
    if one and self.locks:holder(name) ~= one.token then
        self.held[name], self.count = nil, self.count - 1
        one.waiter:released()
    end
end

local function look_at_all(self)
    local names = {}
    for name in pairs(self.held) do
        names[#names + 1] = name
    end
    for _, name in ipairs(names) do
        self:look(name)
    end
end

local function anybody_waits(self)
    for _, one in pairs(self.held) do
        if one.waiter:is_waited() then
            return true
        end
    end
    return false
end

-- A worker that leaves is not kept by what nobody waits for.
local function is_idle(self)
    return self.count == 0 or ngx.worker.exiting() and not anybody_waits(self)
end

local function watch_until_idle(self)
    local pause = PAUSE_FIRST
    while not is_idle(self) do
        local before = self.count
        look_at_all(self)
        pause = self.count < before and PAUSE_FIRST or math.min(pause * 1.5, PAUSE_MOST)
        if not is_idle(self) then
            ngx.sleep(pause)
        end
    end
end

local function watch(_, self)
    if self.watching then
        return
    end
    self.watching = true
    local ok, err = pcall(watch_until_idle, self)
    self.watching, self.asked_for = false, nil
    if not ok then
        ngx.log(ngx.ERR, "vault: watching other workers failed: ", err)
    end
end

-- See to it that all are looked at, where a timer can be had: whether somebody does already.
function methods:ensure()
    if not self.watching and not (self.asked_for and ngx.now() < self.asked_for + ASK_AGAIN) then
        self.asked_for = ngx.timer.at(0, watch, self) and ngx.now() or nil
    end
    return self.watching
end

return _M
