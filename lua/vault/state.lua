-- state - entities at rest: a file, and one copy in the shared dict for all workers of the node.
--
-- For:   writing a new state in steps, so that whoever stops at any of them leaves the old state or
--        the new one, whole; ending what a writer that was killed left; what the dict lost.
-- Never: what the text means (vault.declarative), locks: who writes or ends something has one.
--
-- Dict: "vaults" -> number of the state in use; "vaults:" .. number -> the prefixes that went, a
-- line feed, the text; "vaults:next" -> number of the one that is being written; "vaults:declared"
-- -> the last good text of another source. Numbers are compared with ~=, and go up by one.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local IN_USE, NEXT, DECLARED, WARNED = "vaults", "vaults:next", "vaults:declared", "vaults:warned"
local NO_ROOM = "the shared dict has no room"
local READS_MOST = 3 -- of a state that others replace meanwhile

-- dict          the shared dict
-- path          of the file, or nil: the state lives in the dict alone
-- now           function() -> seconds
-- read_file     function(path) -> text | nil, message, word
-- replace_file  function(path, text) -> true | nil, message
function _M.new(options)
    return setmetatable({ dict = options.dict, path = options.path, now = options.now,
                          read_file = options.read_file, replace_file = options.replace_file },
        metatable)
end

local function key_of(number)
    return ("vaults:%.0f"):format(number)
end

-- The number of the state in use; nil where the dict has none.
function methods:number()
    return self.dict:get(IN_USE)
end

-- text, prefixes that went (in one text) | nil
local function entry_of(self, number)
    local entry = number and self.dict:get(key_of(number))
    if not entry then
        return nil
    end
    local gone, at = entry:match("^([^\n]*)\n()")
    return entry:sub(at), gone
end

local function words_of(text)
    local words = {}
    for word in text:gmatch("%S+") do
        words[#words + 1] = word
    end
    return words
end

-- number, text, list of prefixes that went | nil: the dict has lost it, or never had it
function methods:read()
    for _ = 1, READS_MOST do
        local number = self:number()
        local text, gone = entry_of(self, number)
        if text then
            return number, text, words_of(gone)
        end
    end
    return nil
end

-- Put `text` where the dict has no state: at the very first, or where it was lost. Of several
-- workers the first does. Whether there is one now.
function methods:begin(text)
    local dict = self.dict
    local number = self:number() or math.floor(self.now() * 1000) * 1024
    dict:safe_add(key_of(number), "\n" .. text)
    if dict:get(key_of(number)) then
        dict:safe_add(IN_USE, number)
    end
    return self:number() ~= nil
end

-- `number` was not, or is no more, in use. Whoever is killed here leaves it to finish().
local function forget(self, number)
    self.dict:delete(key_of(number))
    self.dict:delete(NEXT)
end

local function text_of_file(self)
    return self.path and self.read_file(self.path) or nil
end

-- The file may be the new one although writing it failed.
local function give_up(self, number, text, before)
    if text_of_file(self) == text then
        self.replace_file(self.path, before)
    end
    forget(self, number)
end

-- Put `text` in the place of the state in use. The caller has the lock.
--
-- gone     list of prefixes
-- is_file  whether it is what the file says already
--
-- number | nil, message: all is as it was
function methods:write(text, gone, is_file)
    local dict, before = self.dict, self:number()
    local old = entry_of(self, before)
    if not old then
        return nil, "the shared dict has lost the vaults"
    end
    local number = before + 1
    local entry = table.concat(gone, " ") .. "\n" .. text
    if not (dict:safe_set(NEXT, number) and dict:safe_set(key_of(number), entry)) then
        forget(self, number)
        return nil, NO_ROOM
    end
    local ok, message = true, nil
    if self.path and not is_file then
        ok, message = self.replace_file(self.path, text)
    end
    -- A number fits where a number was.
    if ok and not dict:safe_set(IN_USE, number) then
        ok, message = false, NO_ROOM
    end
    if not ok then
        give_up(self, number, text, old)
        return nil, message
    end
    forget(self, before)
    return number
end

-- Whether somebody is writing, or was killed while he did.
function methods:is_unfinished()
    return self.dict:get(NEXT) ~= nil
end

-- End what a killed writer left: where the file is the new one already, so is the state. The caller
-- has the lock.
function methods:finish()
    local dict = self.dict
    local number, in_use = dict:get(NEXT), self:number()
    if not number then
        return
    end
    local text = entry_of(self, number)
    local is_new = in_use ~= number and text ~= nil and text == text_of_file(self)
    if is_new and dict:safe_set(IN_USE, number) then
        in_use = number
    end
    forget(self, in_use == number and number - 1 or number)
end

-- Call run(), which empties the dict, and put back what of it is the state's.
function methods:survive(run)
    local kept = { DECLARED, NEXT }
    local number, written = self:number(), self.dict:get(NEXT)
    kept[#kept + 1] = written and key_of(written)
    kept[#kept + 1] = number and key_of(number)
    kept[#kept + 1] = number and IN_USE -- the last one, for whoever finds it finds the rest
    for i, key in ipairs(kept) do
        kept[i] = { key = key, value = self.dict:get(key) }
    end
    run()
    for _, one in ipairs(kept) do
        if one.value ~= nil then
            self.dict:safe_add(one.key, one.value)
        end
    end
end

-- The last good text of another source; see keep_declared().
function methods:declared()
    return self.dict:get(DECLARED)
end

function methods:keep_declared(text)
    if not self.dict:safe_set(DECLARED, text) then
        self.dict:delete(DECLARED)
    end
end

-- Whether this call is the first one on the node, since it was started.
function methods:is_first_warning()
    return (self.dict:safe_add(WARNED, true))
end

return _M
