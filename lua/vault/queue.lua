-- queue - what is due first comes out first.
--
-- For:   keys with the moment at which each is due: a binary heap that can be told otherwise.
-- Never: the clock, what the keys are.

local _M = {}
local methods = {}
local metatable = { __index = methods }

function _M.new()
    return setmetatable({ keys = {}, dues = {}, places = {}, count = 0 }, metatable)
end

local function swap(self, left, right)
    local keys, dues, places = self.keys, self.dues, self.places
    keys[left], keys[right] = keys[right], keys[left]
    dues[left], dues[right] = dues[right], dues[left]
    places[keys[left]], places[keys[right]] = left, right
end

local function rise(self, place)
    while place > 1 do
        local above = math.floor(place / 2)
        if self.dues[above] <= self.dues[place] then
            return
        end
        swap(self, above, place)
        place = above
    end
end

local function sink(self, place)
    while true do
        local below = place * 2
        if below < self.count and self.dues[below + 1] < self.dues[below] then
            below = below + 1
        end
        if below > self.count or self.dues[place] <= self.dues[below] then
            return
        end
        swap(self, place, below)
        place = below
    end
end

-- `key` is due at the moment `due`, whatever was said before.
function methods:put(key, due)
    local place = self.places[key]
    if not place then
        self.count = self.count + 1
        place = self.count
        self.keys[place], self.places[key] = key, place
    end
    self.dues[place] = due
    rise(self, place)
    sink(self, self.places[key])
end

-- Take `key` out, if it is there.
function methods:remove(key)
    local place = self.places[key]
    if not place then
        return
    end
    local last = self.count
    swap(self, place, last)
    self.keys[last], self.dues[last], self.places[key] = nil, nil, nil
    self.count = last - 1
    if place < last then
        rise(self, place)
        sink(self, self.places[self.keys[place]])
    end
end

-- The first key and when it is due; nil where none is.
function methods:first()
    return self.keys[1], self.dues[1]
end

return _M
