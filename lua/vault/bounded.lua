-- bounded - a table of at most so many entries; those that were not used of late go first.
--
-- For:   look-ups at the price of a bare table (`items`), and room for a new entry at the expense
--        of an old one: the second-chance (clock) rule.
-- Never: what the entries are. Each is a table of its own; whoever uses one sets its field `used`.

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- most     entries, 1 or more
-- on_out   function(entry): called for each that goes to make room
function _M.new(most, on_out)
    return setmetatable({ items = {}, order = {}, count = 0, hand = 0, most = most,
                          on_out = on_out or function() end }, metatable)
end

-- The next entry that was not used since the hand came by last.
local function find_victim(self)
    while true do
        self.hand = self.hand % self.count + 1
        local key = self.order[self.hand]
        local entry = self.items[key]
        if not entry.used then
            return key
        end
        entry.used = false
    end
end

-- Put `entry` under `key`, in the place of the one there, which does not go to on_out.
function methods:put(key, entry)
    local old = self.items[key]
    if old then
        entry.slot = old.slot
    else
        if self.count >= self.most then
            local victim = find_victim(self)
            self.on_out(self:remove(victim))
        end
        self.count = self.count + 1
        self.order[self.count] = key
        entry.slot = self.count
    end
    entry.used = true
    self.items[key] = entry
end

-- Take the entry of `key` out; the entry, or nil.
function methods:remove(key)
    local entry = self.items[key]
    if not entry then
        return nil
    end
    local last = self.order[self.count]
    self.order[entry.slot] = last
    self.items[last].slot = entry.slot
    self.order[self.count], self.items[key] = nil, nil
    self.count = self.count - 1
    return entry
end

-- Forget all; nothing goes to on_out. `items` is another table from then on.
function methods:clear()
    self.items, self.order, self.count, self.hand = {}, {}, 0, 0
end

return _M
