-- sources - where the entities come from, at start and when nginx reads its configuration again.
--
-- For:   the declarative file, and the file and the dict of vault.state: which of them counts.
--        What was good before stays where a file is broken.
-- Never: which entities are in use (vaults), changes while the node runs.

local list_of = require "vault.entities"

local _M = {}

local LOCK_SECONDS = 60
local STAY = "; the vaults of before stay in use"

-- What the file at `path` declares, or what it did while it was good.
-- entities | nil, message
function _M.declared(path, state, warn)
    local entities, message = list_of.read(path)
    if entities then
        if state then
            state:keep_declared(list_of.dump(entities))
        end
        return entities
    end
    local before = state and state:declared()
    if not before then
        return nil, message
    end
    warn(message .. STAY)
    return list_of.parse(before)
end

-- Nothing is in the dict: the file counts, where there is one.
local function begin(path, state, now, warn)
    local entities, message, word
    if path then
        entities, message, word = list_of.read(path)
    end
    if path and not entities and word ~= "not_found" then
        return nil, message
    end
    entities = list_of.complete(entities or {}, now())
    local text
    text, message = list_of.dump(entities)
    if not text then
        return nil, message
    end
    if state and not state:begin(text) then
        warn("the shared dict has no room for the vaults: they cannot be changed")
    end
    return entities
end

-- The dict has the state of before, unless the file is another one by now.
local function look_at_file(path, state, now, warn)
    local entities, message, word = list_of.read(path)
    local _, current, gone = state:read()
    local before = current and list_of.parse(current) or {}
    if not entities then
        if word ~= "not_found" or #before > 0 then
            warn(message .. STAY)
        end
        return
    end
    local text, ok
    text, message = list_of.dump(list_of.complete(entities, now(), before))
    ok = text == current
    if text and not ok then
        ok, message = state:write(text, list_of.gone(before, entities, gone or {}), true)
    end
    if not ok then
        warn(message .. STAY)
    end
end

-- What was made while the node ran; where the dict has a state already, it has that now.
--
-- options  { path, state, locks, lock (its name), now, warn }; without locks, or where somebody is
--          changing them at this moment, the file is not looked at again
--
-- entities, none of them where the dict has them | nil, message
function _M.stored(options)
    local path, state, locks = options.path, options.state, options.locks
    if not (state and state:number()) then
        return begin(path, state, options.now, options.warn)
    end
    local token = locks and locks:take(options.lock, LOCK_SECONDS)
    if token then
        state:finish()
        if path then
            look_at_file(path, state, options.now, options.warn)
        end
        locks:release(options.lock, token)
    end
    return {}
end

return _M
