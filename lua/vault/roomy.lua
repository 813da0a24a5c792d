-- roomy - a shared dict that throws out what has expired before it takes no more.
--
-- For:   every dict of the library. nginx itself makes room from the end that was not used for
--        longest, and stops at the first entry there that lives: behind an old one all that has
--        expired since stays, until the dict is full of it.
-- Never: what the entries are; room at the expense of what lives.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local FULL = "no memory"
-- Seconds between two walks by one worker, during which the dict is locked; and after one that
-- found nothing.
local EVERY, EVERY_IN_VAIN = 1, 10
local TELL_EVERY = 60 -- seconds
local function ignore() end

-- dict     of ngx.shared, or nil
-- now      function() -> seconds
-- on_full  function(), called once a minute at most: it takes no more, though all that had expired
--          is gone
--
-- a dict with as many of the methods as the library uses, or nil where there is none
function _M.new(options)
    return options.dict and setmetatable({ dict = options.dict, now = options.now, walked = 0,
                                           pause = 0, told = -math.huge,
                                           on_full = options.on_full or ignore },
        metatable)
end

local function make_room(self)
    local now = self.now()
    if math.abs(now - self.walked) < self.pause then
        return false
    end
    local freed = self.dict:flush_expired()
    self.walked, self.pause = now, freed > 0 and EVERY or EVERY_IN_VAIN
    return freed > 0
end

local function tell(self)
    if self.now() >= self.told + TELL_EVERY then
        self.told = self.now()
        self.on_full()
    end
end

-- store: "safe_set" or "safe_add"
local function put(self, store, key, value, seconds)
    local dict = self.dict
    local ok, err = dict[store](dict, key, value, seconds)
    if err == FULL and make_room(self) then
        ok, err = dict[store](dict, key, value, seconds)
    end
    if err == FULL then
        tell(self)
    end
    return ok, err
end

-- true | nil, error: ngx.shared's
function methods:safe_set(key, value, seconds)
    return put(self, "safe_set", key, value, seconds)
end

function methods:safe_add(key, value, seconds)
    return put(self, "safe_add", key, value, seconds)
end

-- The others are ngx.shared's: they want no room.

function methods:get(key)
    return self.dict:get(key)
end

function methods:incr(key, delta)
    return self.dict:incr(key, delta)
end

function methods:delete(key)
    return self.dict:delete(key)
end

function methods:ttl(key)
    return self.dict:ttl(key)
end

function methods:expire(key, seconds)
    return self.dict:expire(key, seconds)
end

function methods:flush_all()
    return self.dict:flush_all()
end

function methods:flush_expired()
    return self.dict:flush_expired()
end

function methods:capacity()
    return self.dict:capacity()
end

function methods:free_space()
    return self.dict:free_space()
end

return _M
