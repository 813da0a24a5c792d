-- locks - one holder per name on the node.
--
-- For:   who does what only one worker should; a holder that died loses its lock at once.
-- Never: waiting, timers, what the work is. Who cannot have a lock decides what to do without.
--
-- Dict: "l:" .. name -> the holder's token. "x:" .. token -> the token of the worker that ends what
-- a dead holder left. All go by safe_add, the one operation of the dict that only one worker wins.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local CLAIM = 60     -- seconds a claim to end a dead holder's lock is kept
local SURVIVES = 5   -- seconds a lock is kept at most beyond what emptied the dict
local PUT_OFF = 60   -- seconds by which expiry is put off while a lock is taken away
local ATTEMPTS = 100 -- each lost to a worker that was quicker, and done since

-- To be made in the worker that uses it, after fork: pid and started are that process's.
--
-- dict         the shared dict; nil: a worker alone, every take succeeds
-- now          function() -> seconds
-- pid, started process id and start time, a number
-- alive        function(pid, started) -> whether that very process lives
function _M.new(options)
    local self = setmetatable({ dict = options.dict, pid = options.pid, started = options.started,
                                alive = options.alive, count = 0 }, metatable)
    -- One process may hold several Lua VMs, one after the other or at the same time.
    self.mine = ("%.0f %.0f %.0f.%s."):format(options.pid, options.started, options.now() * 1000,
        tostring(self):match("0x(%x+)") or "0")
    return self
end

local function new_token(self)
    self.count = self.count + 1
    return self.mine .. self.count
end

-- What is not a token is nobody's: it stays until it expires.
local function lives(self, token)
    local pid, started = tostring(token):match("^(%d+) (%d+) ")
    pid, started = tonumber(pid), tonumber(started)
    return not pid or pid == self.pid and started == self.started or self.alive(pid, started)
end

-- Whether this worker ends what the dead holder of `token` left: true; or false and the token of
-- the living worker that does; or nil and an error of take()'s. A worker that died before it had
-- ended it has left a claim, which is contested in the same way.
local function claim(self, token)
    local mine = new_token(self)
    for _ = 1, ATTEMPTS do
        local ok, err = self.dict:safe_add("x:" .. token, mine, CLAIM)
        if ok then
            return true
        elseif err ~= "exists" then
            return nil, err
        end
        local other = self.dict:get("x:" .. token)
        if other and lives(self, other) then
            return false, other
        end
        token = other or token
    end
    return nil, "contended"
end

-- The dict cannot delete on a condition. Between look and deletion nobody but us takes this lock
-- away, unless it expires: so that is put off first.
local function take_away(self, name, token)
    local dict, key = self.dict, "l:" .. name
    if dict:get(key) == token and dict:expire(key, PUT_OFF) and dict:get(key) == token then
        dict:delete(key)
    end
end

-- Take the lock; it is held until release(), for `seconds` at most.
--
-- token            this worker has it
-- nil, token       somebody else has it
-- nil, nil, error  "no memory" (the dict takes no more) or "contended": go on without a lock
function methods:take(name, seconds)
    if seconds <= 0 then
        error("seconds must be positive", 2)
    end
    local token, key = new_token(self), "l:" .. name
    if not self.dict then
        return token
    end
    for _ = 1, ATTEMPTS do
        -- What the dict rounds to 0 ms would never expire.
        local ok, err = self.dict:safe_add(key, token, math.max(seconds, 0.001))
        if ok then
            return token
        elseif err ~= "exists" then
            return nil, nil, err
        end
        local other, failure = self:holder(name)
        if other or failure then
            return nil, other, failure
        end
    end
    return nil, nil, "contended"
end

-- The token of who has the lock, or of who is about to end a dead holder's; nil where it is free.
-- nil, error of take()'s: its holder is dead, but who ends it cannot be settled.
function methods:holder(name)
    local token = self.dict and self.dict:get("l:" .. name)
    if not token or lives(self, token) then
        return token or nil
    end
    local ours, other = claim(self, token)
    if ours then
        take_away(self, name, token)
        return nil
    elseif ours == nil then
        return nil, other
    end
    return other
end

-- Give the lock back, where `token` still has it.
--
-- in_time  nil, or true: it was taken by far less than its seconds ago, so that it has not expired.
--          Only where the dict was emptied since, or the clock set back, may another have it: he
--          loses it, and two work
function methods:release(name, token, in_time)
    if not self.dict then
        return
    elseif in_time then
        self.dict:delete("l:" .. name)
    else
        take_away(self, name, token)
    end
end

-- Call run(), which empties the dict: who has the lock keeps it, for a while. He may have given it
-- back meanwhile, and then it is nobody's until that is over.
function methods:survive(name, run)
    local dict, key = self.dict, "l:" .. name
    local token = dict and dict:get(key)
    local left = token and dict:ttl(key)
    run()
    if left then
        dict:safe_add(key, token, math.min(left, SURVIVES))
    end
end

return _M
