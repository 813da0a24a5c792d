-- dict - a stand-in for ngx.shared.DICT, with a clock that the spec moves.
--
-- For:   pure specs of what goes through a shared dict, one that is full included.
--        spec/nginx/dict_spec compares it with the real one.
-- Never: sizes of entries, lists.
--
-- `full`: no new entry fits. safe_* then fail with "no memory"; set, add and incr with init evict
-- the entry that was not used for longest, and `evicted` has the keys they threw out. A value
-- as long as the old one fits always; where another one does not, the old one is lost.

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- now       function() -> seconds
-- capacity  bytes, for capacity() and free_space() only
function _M.new(options)
    return setmetatable({ now = options.now, bytes = options.capacity or 1048576, full = false,
                          entries = {}, evicted = {}, uses = 0 }, metatable)
end

local function milliseconds(seconds)
    return math.floor(seconds * 1000 + 0.5)
end

local function over_at(self, seconds)
    local duration = milliseconds(seconds or 0)
    return duration > 0 and milliseconds(self.now()) + duration or math.huge
end

local function use(self, entry)
    self.uses = self.uses + 1
    entry.used = self.uses
    return entry
end

-- The living entry, used with this.
local function look(self, key)
    local entry = self.entries[key]
    return entry and entry.over >= milliseconds(self.now()) and use(self, entry) or nil
end

local function evict(self)
    local oldest
    for key, entry in pairs(self.entries) do
        if not oldest or entry.used < self.entries[oldest].used then
            oldest = key
        end
    end
    if not oldest then
        return false
    end
    self.entries[oldest] = nil
    self.evicted[#self.evicted + 1] = oldest
    return true
end

local function length(value)
    return type(value) == "number" and 8 or type(value) == "boolean" and 1 or #value
end

local function store(self, key, value, seconds, flags, safe)
    local old = self.entries[key]
    local forcible = false
    if not old or length(old.value) ~= length(value) then
        self.entries[key] = nil
        if self.full and (safe or not evict(self)) then
            return false, "no memory", false
        end
        forcible = self.full
    end
    self.entries[key] = use(self, { value = value, over = over_at(self, seconds),
                                    flags = flags ~= 0 and flags or nil })
    return true, nil, forcible
end

local function add(self, key, value, seconds, flags, safe)
    if look(self, key) then
        return false, "exists", false
    end
    return store(self, key, value, seconds, flags, safe)
end

function methods:get(key)
    local entry = look(self, key)
    if not entry then
        return nil
    end
    return entry.value, entry.flags
end

function methods:get_stale(key)
    local entry = self.entries[key]
    if not entry then
        return nil
    end
    use(self, entry)
    return entry.value, entry.flags, entry.over < milliseconds(self.now())
end

function methods:set(key, value, seconds, flags)
    if value == nil then
        return self:delete(key)
    end
    return store(self, key, value, seconds, flags, false)
end

function methods:safe_set(key, value, seconds, flags)
    if value == nil then
        return self:delete(key)
    end
    return store(self, key, value, seconds, flags, true)
end

function methods:add(key, value, seconds, flags)
    return add(self, key, value, seconds, flags, false)
end

function methods:safe_add(key, value, seconds, flags)
    return add(self, key, value, seconds, flags, true)
end

function methods:delete(key)
    self.entries[key] = nil
    return true, nil, false
end

function methods:incr(key, number, init, seconds)
    local entry = look(self, key)
    if not entry then
        if not init then
            return nil, "not found"
        end
        local ok, err, forcible = store(self, key, init + number, seconds, nil, false)
        if not ok then
            return nil, err, forcible
        end
        return init + number, nil, forcible
    end
    if type(entry.value) ~= "number" then
        return nil, "not a number"
    end
    entry.value = entry.value + number
    return entry.value, nil, false
end

-- As the real one does, it brings back an entry that expired but was not thrown out yet.
function methods:expire(key, seconds)
    local entry = self.entries[key]
    if not entry then
        return nil, "not found"
    end
    entry.over = over_at(self, seconds)
    return true
end

-- Below 0 for an entry that expired but was not thrown out yet; 0 for one that never does.
function methods:ttl(key)
    local entry = self.entries[key]
    if not entry then
        return nil, "not found"
    end
    return entry.over < math.huge and (entry.over - milliseconds(self.now())) / 1000 or 0
end

-- As the real one does, it leaves the entries there, expired; they make room for others, and a full
-- dict is not full.
function methods:flush_all()
    for _, entry in pairs(self.entries) do
        entry.over = 0
    end
    self.full = false
end

-- How many were thrown out.
function methods:flush_expired()
    local now, count = milliseconds(self.now()), 0
    for key, entry in pairs(self.entries) do
        if entry.over < now then
            self.entries[key], count = nil, count + 1
        end
    end
    return count
end

function methods:capacity()
    return self.bytes
end

-- Whole free pages, which may be none long before the dict is full.
function methods:free_space()
    return self.full and 0 or self.bytes
end

return _M
