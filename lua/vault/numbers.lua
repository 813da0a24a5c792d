-- numbers - numbers that all workers of the node keep together.
--
-- For:   adding, setting, and claiming a name for a while, in the shared dict; in this worker's
--        memory where there is no dict or it takes no more.
-- Never: putting others' entries out of the dict; what the numbers mean (brake, pace).

local _M = {}
local methods = {}
local metatable = { __index = methods }

local DAY = 86400 -- seconds after which a number nobody set anew is forgotten
local LONGEST = 10 -- seconds; a claim that has more left was made before the clock was set back
local OWN_MOST = 10000 -- numbers in this worker's memory
local SHORTEST = 0.001 -- seconds; the dict counts in milliseconds

-- Numbers.
--
-- dict  the shared dict, or nil
-- now   function() -> seconds, fresh: a claim lasts by the clock of who made it
function _M.new(options)
    return setmetatable({ dict = options.dict, now = options.now, own = {}, own_count = 0 },
        metatable)
end

local function own(self, key)
    local entry = self.own[key]
    if entry and entry.over > self.now() then
        return entry.value
    end
    return nil
end

local function keep_own(self, key, value, seconds)
    local entry = self.own[key]
    if entry then
        entry.value, entry.over = value, self.now() + seconds
        return
    end
    if self.own_count >= OWN_MOST then
        self.own, self.own_count = {}, 0
    end
    self.own_count = self.own_count + 1
    self.own[key] = { value = value, over = self.now() + seconds }
end

local function drop_own(self, key)
    if self.own[key] then
        self.own[key], self.own_count = nil, self.own_count - 1
    end
end

-- The number, or nil.
function methods:get(key)
    local value = self.dict and self.dict:get(key)
    if type(value) == "number" then
        return value
    end
    return own(self, key)
end

-- The sum that was added to, or nil where the dict has none and takes none.
local function add_shared(self, key, delta, start)
    local sum = self.dict:incr(key, delta)
    if sum then
        return sum
    end
    local ok, err = self.dict:safe_add(key, start + delta, DAY)
    if ok then
        return start + delta
    end
    return err == "exists" and self.dict:incr(key, delta) or nil
end

-- Add `delta`; a number that is missing counts as `start`. Returns the sum. It is forgotten a day
-- after it was first added to.
function methods:add(key, delta, start)
    local mine = own(self, key)
    local sum = self.dict and add_shared(self, key, delta, mine or start)
    if sum then
        drop_own(self, key)
        return sum
    end
    sum = (mine or start) + delta
    keep_own(self, key, sum, DAY)
    return sum
end

-- Set it, for `seconds` or for a day.
function methods:set(key, value, seconds)
    if self.dict then
        if self.dict:safe_set(key, value, seconds or DAY) then
            drop_own(self, key)
            return
        end
        self.dict:delete(key)
    end
    keep_own(self, key, value, seconds or DAY)
end

function methods:delete(key)
    if self.dict then
        self.dict:delete(key)
    end
    drop_own(self, key)
end

-- Seconds until the claim that ends at `over` is free; nil where that cannot be one.
local function left(self, over)
    local seconds = type(over) == "number" and over - self.now() or math.huge
    return seconds <= LONGEST and math.max(seconds, SHORTEST) or nil
end

-- 0: claimed; seconds it is still held; nil: the dict takes no more. A claim is deleted only where
-- the clock was set back: one that ended meanwhile may be another worker's already.
local function claim_shared(self, key, over, seconds)
    for _ = 1, 2 do
        local ok, err = self.dict:safe_add(key, over, seconds)
        if ok then
            return 0
        elseif err ~= "exists" then
            return nil
        end
        local held = self.dict:get(key)
        local wait = left(self, held)
        if wait then
            return wait
        elseif held ~= nil then
            self.dict:delete(key)
        end
    end
    return SHORTEST
end

-- Whether `key` is claimed by anybody.
function methods:is_claimed(key)
    local over = self:get(key)
    return over ~= nil and over > self.now() and left(self, over) ~= nil
end

-- Claim `key` for `seconds` (at most 10): 0 for one caller on the node, for the others how many
-- seconds it is still held.
function methods:claim(key, seconds)
    local mine = own(self, key)
    if mine and left(self, mine) then
        return left(self, mine)
    end
    drop_own(self, key)
    local over = self.now() + seconds
    local wait = self.dict and claim_shared(self, key, over, seconds)
    if not wait then
        keep_own(self, key, over, seconds)
    end
    return wait or 0
end

return _M
