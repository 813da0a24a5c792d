-- admin_entities - changes of the vaults, as both grammars of the Admin API make them.
--
-- For:   finding one, putting one in its place, taking one away, each as one change of the vaults;
--        ids and times of what is new.
-- Never: ngx, how a failure is said (admin_kong, admin_apisix), what a field may hold (schema).
--
-- A failure is { missing = true }, { declared = prefix }, { violation, complaints } of
-- vault.schema, or vault.vaults' own { status, message }.

local _M = {}

-- The place in the list of the one with this prefix, or nil.
function _M.by_prefix(entities, prefix)
    for i, entity in ipairs(entities) do
        if entity.prefix == prefix then
            return i
        end
    end
    return nil
end

-- The same for an id or a prefix; an id goes before a prefix that looks like one.
function _M.by_key(entities, key)
    local id = key:lower()
    for i, entity in ipairs(entities) do
        if entity.id == id then
            return i
        end
    end
    return _M.by_prefix(entities, key)
end

local function stamp(parts, entity)
    entity.updated_at = parts.now()
    entity.created_at = entity.created_at or entity.updated_at
    entity.id = entity.id or parts.uuid()
    return entity
end

-- Put an entity in the place of another, or beside the others.
--
-- parts  { vaults, now, uuid }
-- find   function(entities) -> place or nil
-- make   function(old, entities) -> entity | nil, failure
--
-- { entity, created } | nil, failure
function _M.put(parts, find, make)
    return parts.vaults.change(function(entities)
        local place = find(entities)
        local old = place and entities[place]
        if old and old.declared then
            return nil, { declared = old.prefix }
        end
        local entity, failure = make(old, entities)
        if not entity then
            return nil, failure
        end
        entities[place or #entities + 1] = stamp(parts, entity)
        return entities, { entity = entity, created = not old }
    end)
end

-- Take one away; parts, find as of put().
-- true | nil, failure
function _M.remove(parts, find)
    return parts.vaults.change(function(entities)
        local place = find(entities)
        if not place then
            return nil, { missing = true }
        elseif entities[place].declared then
            return nil, { declared = entities[place].prefix }
        end
        table.remove(entities, place)
        return entities, true
    end)
end

return _M
