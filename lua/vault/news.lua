-- news - which secrets changed, told to all workers of the node.
--
-- For:   one number to look at when nothing changed, the keys that did, and "any may have" where
--        that is not known any more.
-- Never: what changed (the dict's snapshots), timers, eviction of anybody's entry.
--
-- Dict: "g" -> the number of the last change; "c:" .. number % ring -> number .. " " .. key. A
-- teller counts first and writes then: a reader may look for an entry that is not there yet.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local KEEP = 60 -- seconds an entry is kept; who reads later than that takes all for changed

-- dict  the shared dict; nil: a worker alone, who has nobody to tell
-- now   function() -> seconds
-- ring  changes the dict remembers (4096)
function _M.new(options)
    local self = setmetatable({ dict = options.dict, now = options.now,
                                ring = options.ring or 4096 }, metatable)
    self:skip()
    return self
end

-- Make the counter where there is none: at first, and where somebody flushed the dict. It starts at
-- a number that none before it can have reached.
local function start(self)
    self.dict:safe_add("g", math.floor(self.now() * 1000) * 1024)
end

local function slot(self, number)
    return ("c:%d"):format(number % self.ring)
end

-- The number of the last of `count` changes more; nil where the dict has no room even for that.
local function advance(self, count)
    local number = self.dict:incr("g", count)
    if not number then
        start(self)
        number = self.dict:incr("g", count)
    end
    return number
end

-- Any of them may have changed: the counter leaves the ring behind.
function methods:tell_all()
    if self.dict then
        advance(self, self.ring + 1)
    end
end

-- The new snapshot must be in the dict already.
function methods:tell(key)
    local number = self.dict and advance(self, 1)
    if number
        and not self.dict:safe_set(slot(self, number), ("%.0f %s"):format(number, key), KEEP) then
        self:tell_all()
    end
end

-- The number of the last change; nil where the dict has no room even for that.
local function last(self)
    local number = self.dict:get("g")
    if number then
        return number
    end
    start(self)
    return self.dict:get("g")
end

-- The key of change `number`; nil where its entry is not there; nil, true where a later change has
-- its place.
local function find(self, number)
    local there, key = tostring(self.dict:get(slot(self, number))):match("^(%d+) (.*)$")
    there = tonumber(there)
    if there == number then
        return key
    end
    return nil, there ~= nil and there > number
end

-- Tell the changes up to `number`; false where one is not known any more.
local function catch_up(self, number, on_key)
    while self.seen ~= number do
        local key, over = find(self, self.seen + 1)
        if not key then
            local waited = self.missing == self.seen + 1
            self.missing = self.seen + 1
            return not (over or waited)
        end
        on_key(key)
        self.seen = self.seen + 1
    end
    return true
end

-- Look for changes told since the last read: on_key(key) for each; on_all() where they are not
-- known. Whether there were any.
function methods:read(on_key, on_all)
    if not self.dict then
        return false
    end
    local number, before = last(self), self.seen
    if number and number == before then
        return false
    end
    local ahead = number and before and number - before
    if ahead and ahead >= 1 and ahead <= self.ring and catch_up(self, number, on_key) then
        return self.seen ~= before
    end
    self.seen = number
    on_all()
    return true
end

-- Go on as if all told so far was read: a worker that holds nothing yet.
function methods:skip()
    self.seen = self.dict and last(self)
end

return _M
