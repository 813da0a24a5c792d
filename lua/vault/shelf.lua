-- shelf - whole secrets and misses in the shared dict, where all workers of the node find them.
--
-- For:   one entry per secret, one per miss; their texts.
-- Never: when a snapshot is good (cache), AWS words.
--
-- A snapshot: { payload, binary, version_id, began, fetched }, and what the cache makes of expires
-- and good_until, which are not kept here. Without a dict there is no shelf for snapshots, and
-- misses are this worker's own.
--
-- Dict: "s:" .. key -> snapshot, "n:" .. key -> miss, "u:" .. key -> its life is not shortened, "f"
-- -> when all of them were flushed.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local MISSES_MOST = 10000 -- of a worker without a dict
local HELD = 0.5 -- seconds; all workers hear of a change sooner, and the next change is later
local LONGEST = 1e9 -- seconds; the dict counts milliseconds, and not without end

-- dict     the shared dict, or nil
-- on_full  function(name): the dict takes no more, not even this one
function _M.new(options)
    return setmetatable({ dict = options.dict, on_full = options.on_full or function() end,
                          misses = {}, miss_count = 0 }, metatable)
end

-- One text: the fixed fields in front, what may hold anything last.
local function pack(snapshot)
    return ("%.3f %.3f %s %d %s%s"):format(snapshot.began, snapshot.fetched,
        snapshot.binary and "b" or "s", #snapshot.version_id, snapshot.version_id,
        snapshot.payload)
end

local function unpack_snapshot(text)
    if type(text) ~= "string" then
        return nil
    end
    local began, fetched, kind, length, at = text:match("^(%d+%.%d+) (%d+%.%d+) ([bs]) (%d+) ()")
    local over = began and at + length
    return began and { began = tonumber(began), fetched = tonumber(fetched), binary = kind == "b",
                         version_id = text:sub(at, over - 1), payload = text:sub(over),
                         expires = 0, good_until = 0 } -- room for what the cache adds
end

-- Seconds as the dict takes them: 0 is for good.
local function lifetime(seconds)
    return seconds < LONGEST and seconds or 0
end

-- Put a snapshot there for `seconds`; name: the secret's, for who is told that the dict is full. An
-- older one that cannot be replaced must not be found by others: it goes.
function methods:put(key, snapshot, seconds, name)
    if not self.dict then
        return
    end
    if not self.dict:safe_set("s:" .. key, pack(snapshot), lifetime(seconds)) then
        self.dict:delete("s:" .. key)
        self.on_full(name)
    end
end

-- The same where there is none yet: whether that was so.
function methods:add(key, snapshot, seconds, name)
    if not self.dict then
        return true
    end
    local ok, err = self.dict:safe_add("s:" .. key, pack(snapshot), lifetime(seconds))
    if err == "exists" then
        return false
    elseif not ok then
        self.on_full(name)
    end
    return true
end

-- The snapshot, or nil.
function methods:get(key)
    return self.dict and unpack_snapshot(self.dict:get("s:" .. key))
end

-- Keep what is there for `seconds` more; where the dict has lost it, what this worker has, unless
-- that was flushed.
function methods:keep(key, snapshot, seconds, name)
    if self.dict and not self.dict:expire("s:" .. key, lifetime(seconds))
        and snapshot.fetched > (self:flushed() or 0) then
        self:add(key, snapshot, seconds, name)
    end
end

-- For a moment no worker shortens the life of what is there.
function methods:hold(key)
    if self.dict then
        self.dict:safe_set("u:" .. key, true, HELD)
    end
end

-- Keep what is there for `seconds` at most; what ends sooner does, and what is held stays.
function methods:shorten(key, seconds)
    local left = self.dict and not self.dict:get("u:" .. key) and self.dict:ttl("s:" .. key)
    if left and (left == 0 or left > seconds) then -- 0: it is there for good
        self.dict:expire("s:" .. key, lifetime(seconds))
    end
end

-- Remember for `seconds` that a fetch failed at the moment `at`.
function methods:put_miss(key, at, failure, seconds)
    local text = ("%.3f %s %s"):format(at, failure.word, failure.message)
    if self.dict then
        if self.dict:safe_set("n:" .. key, text, lifetime(seconds)) then
            return
        end
        self.dict:delete("n:" .. key)
    end
    if not self.misses[key] then
        if self.miss_count >= MISSES_MOST then
            self.misses, self.miss_count = {}, 0
        end
        self.miss_count = self.miss_count + 1
    end
    self.misses[key] = text
end

-- The last failure { at, word, message }, or nil. Without a dict it may be a very old one.
function methods:get_miss(key)
    local text = self.dict and self.dict:get("n:" .. key) or self.misses[key]
    if type(text) ~= "string" then
        return nil
    end
    local at, word, message = text:match("^(%d+%.%d+) (%S+) (.*)$")
    return at and { at = tonumber(at), word = word, message = message }
end

function methods:drop_miss(key)
    if self.dict then
        self.dict:delete("n:" .. key)
    end
    if self.misses[key] then
        self.misses[key], self.miss_count = nil, self.miss_count - 1
    end
end

-- Forget all that any worker put there, at the moment `at`.
function methods:flush(at)
    if self.dict then
        self.dict:flush_all()
        self.dict:flush_expired()
        self.dict:safe_set("f", at)
    end
    self.misses, self.miss_count, self.flush_moment = {}, 0, at
end

-- The moment of the last flush, or nil.
function methods:flushed()
    if self.dict then
        return self.dict:get("f")
    end
    return self.flush_moment
end

return _M
