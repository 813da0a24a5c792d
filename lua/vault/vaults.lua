-- vaults - the entities in use: which vault a reference's first part means, and how that changes.
--
-- For:   finding a vault by prefix, or by APISIX's manager and id; entities that a file declares,
--        and entities that are made while the node runs; changes, one after the other on the node
--        and known to all its workers.
-- Never: what a field may hold (vault.schema), how texts are kept (vault.state), HTTP.

local core = require "vault.core"
local list_of = require "vault.entities"
local quote = require("vault.reference").quote
local sources = require "vault.sources"
local state_of = require "vault.state"

local _M = {}

local STRATEGIES = { aws = "vault.aws", env = "vault.env" }
local LOCK, LOCK_SECONDS = "vaults", 600 -- a holder that died loses it at once
local WAIT_STEP, WAIT_MOST = 0.01, 10 -- seconds, for whoever else is changing them
local RESTORE_EVERY = 1 -- seconds

local declared, stored = {}, {} -- lists of entities: of a file or of init; made while the node runs
local in_use = {} -- prefix -> { name, config, strategy, prefix, entity }
local own = {} -- the same for the strategies themselves
local gone = {} -- list of prefixes
local condition = ": vault.init has not been called" -- for the message that nobody has a prefix
local state, locks, wait -- nil: nothing can be changed
local seen -- number of the state that `stored` is of
local restored = 0 -- when the dict was last found without one
local now, warn, on_change

-- In use ------------------------------------------------------------------------------------------

-- Of what was made while the node runs: what counts, and what stands behind a declared one.
local function sort_out()
    local prefixes, ids = list_of.index(declared, "prefix"), list_of.index(declared, "id")
    local visible, hidden = {}, {}
    for _, entity in ipairs(stored) do
        local is_hidden = prefixes[entity.prefix] or ids[entity.id]
        table.insert(is_hidden and hidden or visible, entity)
    end
    return visible, hidden
end

local function make_vault(entity)
    return { name = entity.name, config = entity.config, prefix = entity.prefix, entity = entity,
             strategy = require(STRATEGIES[entity.name]), terms = {} }
end

-- Whether `vault` is no more, now that `entity` or nothing has its prefix: what was removed and
-- made again has another id.
local function is_gone(vault, entity)
    return not entity or entity.id ~= vault.entity.id
end

local function vault_for(entity, old)
    if old and not is_gone(old, entity) and old.name == entity.name
        and list_of.same(old.config, entity.config) then
        old.entity = entity
        return old
    end
    return make_vault(entity)
end

-- Put `declared` and `stored` into use; on_change for each vault that is another one, gone or new.
local function use()
    local before = in_use
    in_use = {}
    for _, list in ipairs { declared, (sort_out()) } do
        for _, entity in ipairs(list) do
            in_use[entity.prefix] = vault_for(entity, before[entity.prefix])
        end
    end
    condition = next(in_use) == nil and ": there are no vaults yet" or ""
    for prefix, vault in pairs(before) do
        local now_there = in_use[prefix]
        if now_there ~= vault then
            on_change(prefix, is_gone(vault, now_there and now_there.entity))
        end
    end
    for prefix in pairs(in_use) do
        if not before[prefix] then
            on_change(prefix, false)
        end
    end
end

local function say_missing(parts, prefix)
    local kind, shown = parts.id and "id" or "prefix", quote(prefix)
    if parts.id and in_use[prefix] then
        return ("no vault %s/%s: the manager here is %s"):format(quote(parts.name), shown,
            in_use[prefix].name)
    end
    for _, each in ipairs(gone) do
        if each == prefix and not in_use[prefix] then
            return ("the vault with the %s %s was removed"):format(kind, shown)
        end
    end
    return ("no vault has the %s %s%s"):format(kind, shown, condition)
end

-- The vault that `parts` (of vault.reference) means: { name, config, strategy, prefix, terms: a
-- table for what the strategy makes of config }, one table for as long as its config is the same.
-- nil, message, "unknown_vault"; the message tells apart: never there, removed, none there yet
function _M.find(parts)
    local prefix = parts.id or parts.name
    local vault = in_use[prefix]
    if vault and (not parts.id or vault.name == parts.name) then
        return vault
    end
    if not parts.id and STRATEGIES[prefix] then
        own[prefix] = own[prefix] or make_vault({ name = prefix, prefix = prefix, config = {} })
        return own[prefix]
    end
    return nil, say_missing(parts, prefix), "unknown_vault"
end

-- All entities, oldest first; the secrets are in them.
function _M.list()
    local list = {}
    for _, vault in pairs(in_use) do
        list[#list + 1] = list_of.copy(vault.entity)
    end
    table.sort(list, list_of.precedes)
    return list
end

-- News --------------------------------------------------------------------------------------------

-- The dict was emptied: the file has the state, or else every worker its own.
local function restore()
    if now() < restored + RESTORE_EVERY then
        return
    end
    restored = now()
    local entities, text
    if state.path then
        entities, text = list_of.read(state.path)
    end
    text = entities and text or list_of.dump(stored)
    if text then
        state:begin(text)
    end
end

-- Take over what another worker made of them.
local function take_news()
    local number = state:number()
    if number and number == seen then
        return
    end
    local text, prefixes
    number, text, prefixes = state:read()
    if not number then
        return restore()
    end
    seen = number
    local entities, message = list_of.parse(text)
    if not entities then
        return warn("the vaults in the shared dict cannot be read: " .. message)
    end
    stored, gone = list_of.complete(entities, now()), prefixes
    use()
end

-- Where whoever wrote was killed, end it.
local function end_unfinished()
    if not state:is_unfinished() or locks:holder(LOCK) then
        return
    end
    local token = locks:take(LOCK, LOCK_SECONDS)
    if token then
        state:finish()
        locks:release(LOCK, token)
    end
end

-- Look whether other workers changed them; called from time to time. Cheap where nobody did.
function _M.read_news()
    if state and locks then
        take_news()
        end_unfinished()
    end
end

-- Changing ----------------------------------------------------------------------------------------

local function failure(status, message)
    return nil, { status = status, message = message }
end

-- nil, failure: the caller gives it back.
local function take_lock()
    if not state or not locks then
        return failure(500, "the vaults cannot be changed here: that takes a lua_shared_dict, a "
            .. "vault.init that did not fail, and a worker of nginx")
    end
    local left = WAIT_MOST
    while true do
        local token, other, err = locks:take(LOCK, LOCK_SECONDS)
        if token then
            return token
        elseif not other then
            return failure(500, "the vaults cannot be locked: " .. err)
        elseif left <= 0 then
            return failure(503, "another worker has been changing the vaults for too long")
        end
        wait(WAIT_STEP)
        left = left - WAIT_STEP
    end
end

-- A copy of all that is in use.
local function editable(visible)
    local entities = list_of.copy(declared)
    for _, entity in ipairs(entities) do
        entity.declared = true
    end
    for _, entity in ipairs(visible) do
        entities[#entities + 1] = list_of.copy(entity)
    end
    return entities
end

-- true | nil, failure
local function write(entities)
    local text, message, is_mistake = list_of.dump(list_of.complete(entities, now()))
    if not text then
        return failure(is_mistake and 400 or 500, message)
    end
    local number
    number, message = state:write(text, list_of.gone(stored, entities, gone))
    if not number then
        return failure(500, message)
    end
    take_news()
    return true
end

local function change(edit)
    restored = 0
    state:finish()
    take_news()
    local visible, hidden = sort_out()
    local edited, result = edit(editable(visible))
    if not edited then
        return nil, result
    end
    local entities = list_of.without(edited, declared)
    if not entities then
        return failure(405, "a vault that a file declares can be changed there only")
    end
    for _, entity in ipairs(hidden) do
        entities[#entities + 1] = entity
    end
    local ok, failed = write(entities)
    if not ok then
        return nil, failed
    end
    if not state.path and state:is_first_warning() then
        warn("no file keeps the vaults (init's option state): they are gone after a restart")
    end
    return result
end

-- Change the entities, alone on the node.
--
-- edit  function(entities) -> entities, result | nil, failure. Called with a copy of all of them,
--       those of a file with declared = true, which must stay as they are. Must not yield.
--
-- context: where ngx.sleep is
-- result, when it is in the file and in the dict, and in use here
-- nil, failure: edit's own, or { status, message }: nothing has changed
function _M.change(edit)
    local token, failed = take_lock()
    if not token then
        return nil, failed
    end
    local ok, result, said = pcall(change, edit)
    locks:release(LOCK, token)
    if not ok then
        error(result, 0)
    end
    return result, said
end

-- Setting up --------------------------------------------------------------------------------------

local function warn_of_hidden()
    local _, hidden = sort_out()
    for _, entity in ipairs(hidden) do
        warn(('the vault "%s" was made while the node ran, and does not count beside the one that '
            .. "is declared"):format(quote(entity.prefix)))
    end
end

-- Begin with `entities`, a list of them in Lua, or with those of a declarative file.
--
-- entities, file  at most one of them; see above
-- state           path of the file that keeps what is made while the node runs, or nil: the dict
--                 alone does
-- dict            the shared dict of locks, or nil: nothing can be changed
-- locks           of vault.locks, for as long as this runs
-- now             function() -> seconds
-- warn            function(message)
-- on_change       function(prefix, gone): the vault is another one, new or gone; gone: whether the
--                 one of before was removed, made again since or not
--
-- context: init
-- true | nil, message, "bad_config": a file cannot be read or is not right, and the dict has none
-- of before. Raises for a malformed list, and then changes nothing.
function _M.configure(options)
    local list = list_of.check(options.entities or {})
    now, warn = options.now or os.time, options.warn or function() end
    on_change = options.on_change or function() end
    declared, stored, in_use, gone, seen, restored = {}, {}, {}, {}, nil, 0
    state = options.dict and state_of.new { dict = options.dict, path = options.state, now = now,
                                            read_file = core.read_file,
                                            replace_file = core.replace_file } or nil
    condition = ": the vaults could not be read at start"
    locks, wait = nil, nil
    local message
    if options.file then
        list, message = sources.declared(options.file, state, warn)
    end
    if list then
        declared = list_of.complete(list, now())
        stored, message = sources.stored { path = options.state, state = state, now = now,
                                           locks = options.locks, lock = LOCK, warn = warn }
    end
    if message then
        declared, stored, state = {}, {}, nil
        return nil, message, "bad_config"
    end
    use()
    if state then
        take_news()
    end
    warn_of_hidden()
    return true
end

-- From now on this worker can change them, and learns of changes by read_news().
--
-- locks  of vault.locks
-- wait   function(seconds)
--
-- context: init_worker
function _M.start(options)
    locks, wait = options.locks, options.wait
    if state then
        take_news()
    end
end

-- Call run(), which empties the dict; the entities stay, and who is changing them.
function _M.keep_while(run)
    local empty = state and function() state:survive(run) end or run
    if locks then
        return locks:survive(LOCK, empty)
    end
    empty()
end

return _M
