-- entities - lists of vaults entities: read, completed, compared.
--
-- For:   a list from init, from a file, from a text of vault.state -> entities with id and times;
--        what changed between two lists. Pure, but for reading a file.
-- Never: what a field may hold (vault.schema, vault.declarative), which list is in use (vaults).

local core = require "vault.core"
local declarative = require "vault.declarative"
local quote = require("vault.reference").quote
local path_text = require("vault.violations").path_text
local schema = require "vault.schema"

local _M = {}

local GONE_MOST = 100 -- prefixes that are remembered as gone
local PATH_SHOW = 256

_M.copy = schema.copy

-- Whether `left` is listed before `right`: the older one; of two of one second the smaller id.
function _M.precedes(left, right)
    if left.created_at ~= right.created_at then
        return left.created_at < right.created_at
    end
    return left.id < right.id
end

-- Whether two values, tables all the way down, say the same.
function _M.same(left, right)
    if type(left) ~= "table" or type(right) ~= "table" then
        return left == right
    end
    for name, value in pairs(left) do
        if not _M.same(value, right[name]) then
            return false
        end
    end
    for name in pairs(right) do
        if left[name] == nil then
            return false
        end
    end
    return true
end

-- A list by one field of its entities.
function _M.index(entities, field)
    local found = {}
    for _, entity in ipairs(entities) do
        found[entity[field]] = entity
    end
    return found
end

-- An id that is the same on all workers and after each start, for one that was declared without.
local function id_for(prefix)
    local hash = core.sha256("vault " .. prefix)
    return ("%s-%s-5%s-8%s-%s"):format(hash:sub(1, 8), hash:sub(9, 12), hash:sub(14, 16),
        hash:sub(18, 20), hash:sub(21, 32))
end

-- The same list: what has no id or times gets them; before: a list that may know them, or nil.
function _M.complete(entities, now, before)
    local known = _M.index(before or {}, "prefix")
    for _, entity in ipairs(entities) do
        local old = known[entity.prefix] or {}
        entity.id = entity.id or old.id or id_for(entity.prefix)
        entity.created_at = entity.created_at or old.created_at or math.floor(now)
        entity.updated_at = entity.updated_at or old.updated_at or entity.created_at
    end
    return entities
end

-- The list that somebody wrote in Lua, checked. Raises for a malformed one, without a place.
function _M.check(list)
    local made, count = {}, 0
    for _ in pairs(list) do
        count = count + 1
    end
    if count ~= #list then
        error("vaults: must be a list of { prefix, name, config }", 0)
    end
    for i, given in ipairs(list) do
        local entity, _, complaints = schema.vault(given, { create = true, existing = made })
        if not entity then
            local prefix, path = type(given) == "table" and given.prefix, complaints[1].path
            local which = type(prefix) == "string" and (' "%s"'):format(quote(prefix)) or ""
            local where = #path > 0 and path_text(path) .. ": " or ""
            error(("vaults[%d]%s: %s%s"):format(i, which, where, complaints[1].message), 0)
        end
        made[i] = entity
    end
    return made
end

-- What a text says. entities | nil, message: the first error, and how many more there are
function _M.parse(text)
    local entities, errors = declarative.load(text)
    if entities then
        return entities
    end
    local first, more = errors[1], #errors - 1
    return nil, table.concat {
        first.line and "line " .. first.line .. ": " or "",
        first.path ~= "" and first.path .. ": " or "", first.message,
        more > 0 and (" (and %d more)"):format(more) or "",
    }
end

-- What the file at `path` says. entities, text | nil, message, word ("not_found": no such file)
function _M.read(path)
    local text, message, word = core.read_file(path)
    if not text then
        return nil, message, word
    end
    local entities
    entities, message = _M.parse(text)
    if not entities then
        return nil, ("%s: %s"):format(quote(path, PATH_SHOW), message), "bad_config"
    end
    return entities, text
end

-- A text from which parse() makes the same again. nil, message, whether it is the caller's mistake
function _M.dump(entities)
    local text, message = declarative.dump(entities)
    if not text then
        return nil, message, true
    end
    local read
    read, message = _M.parse(text)
    if not read then
        return nil, "the vaults could not be read again: " .. message, false
    end
    return text
end

-- Those of `edited`, copies, that are not among `declared`. nil: one of these was touched
function _M.without(edited, declared)
    local made, prefixes, left = {}, _M.index(declared, "prefix"), #declared
    for _, given in ipairs(edited) do
        local entity, original = _M.copy(given), prefixes[given.prefix]
        entity.declared = nil
        if not original then
            made[#made + 1] = entity
        elseif _M.same(entity, original) then
            left = left - 1
        else
            return nil
        end
    end
    return left == 0 and made or nil
end

-- The prefixes that are in `before` and not in `after`, then those of `gone` that have not come
-- back: a list.
function _M.gone(before, after, gone)
    local known, list = _M.index(after, "prefix"), {}
    local function add(prefix)
        if not known[prefix] and #list < GONE_MOST then
            known[prefix], list[#list + 1] = true, prefix
        end
    end
    for _, entity in ipairs(before) do
        add(entity.prefix)
    end
    for _, prefix in ipairs(gone) do
        add(prefix)
    end
    return list
end

return _M
