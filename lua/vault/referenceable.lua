-- referenceable - which fields of a configuration may be references, and are.
--
-- For:   walking a configuration by a schema, in Kong's language, or all of it without one.
-- Never: values, fetching; whether the configuration is valid.
--
-- Of the schema only what leads to strings is looked at: `fields` of records, `elements` of arrays
-- and sets, `values` of maps, and of these `type`, `referenceable` and `required`.

local reference = require "vault.reference"

local is_reference, quote = reference.is_reference, reference.quote

local _M = {}

local REFS = "$refs"

-- The types of Kong's schema language.
local TYPES = { string = true, number = true, integer = true, boolean = true, array = true,
                set = true, map = true, record = true, ["function"] = true, foreign = true,
                any = true, json = true }

local visit

local function longer(path, key)
    local copy = { unpack(path) }
    copy[#copy + 1] = key
    return copy
end

-- Where the walk is: container, a table of the configuration; path to it; depth, how many steps of
-- that lead to the record around it.
local function step(place, key, container, is_record)
    local path = longer(place.path, key)
    return { container = container, path = path, depth = is_record and #path or place.depth }
end

local function add(state, place, key, optional)
    local container = place.container
    local text, taken = rawget(container, key), state.taken[container]
    if not is_reference(text) or taken and taken[key] then
        return
    end
    if not taken then
        taken = {}
        state.taken[container] = taken
    end
    taken[key] = true
    state.found[#state.found + 1] = { path = place.path, key = key, reference = text,
                                      depth = place.depth, optional = optional }
end

-- By a schema -------------------------------------------------------------------------------------

local function malformed(what)
    error("the schema is malformed: " .. what, 0)
end

local function visit_record(state, schema, place)
    if type(schema.fields) ~= "table" then
        malformed("a record without fields")
    elseif #schema.fields == 0 and next(schema.fields) ~= nil then
        malformed("fields is not a list of { name = { type = .. } }")
    end
    for _, entry in ipairs(schema.fields) do
        local name, field
        if type(entry) == "table" then
            name, field = next(entry)
        end
        if type(name) ~= "string" or type(field) ~= "table" then
            malformed("a field is not { name = { type = .. } }")
        end
        visit(state, field, place, name, field.required == false)
    end
end

-- What is said of a list or a map as a whole holds for the strings in it.
local function inner_of(schema, field)
    local inner = schema[field]
    if type(inner) ~= "table" then
        malformed(("%s without %s"):format(tostring(schema.type), field))
    end
    if schema.referenceable and inner.type == "string" then
        return setmetatable({ referenceable = true }, { __index = inner })
    end
    return inner
end

local function visit_list(state, schema, place)
    local elements = inner_of(schema, "elements")
    for i in ipairs(place.container) do
        visit(state, elements, place, i, false)
    end
end

local function visit_map(state, schema, place)
    local values = inner_of(schema, "values")
    for key in next, place.container do
        if key ~= REFS then
            visit(state, values, place, key, values.required == false)
        end
    end
end

local WAYS = { record = visit_record, array = visit_list, set = visit_list, map = visit_map }

-- What `schema` says of the member `key` of the container at `place`.
function visit(state, schema, place, key, optional)
    if schema.type ~= nil and not TYPES[schema.type] then
        malformed(('there is no type "%s"'):format(quote(tostring(schema.type))))
    end
    local value, way = rawget(place.container, key), WAYS[schema.type]
    if way and type(value) == "table" then
        way(state, schema, step(place, key, value, schema.type == "record"))
    elseif schema.type == "string" and schema.referenceable then
        add(state, place, key, optional)
    end
end

-- Without -----------------------------------------------------------------------------------------

local function visit_all(state, place)
    state.seen[place.container] = true
    for key, value in next, place.container do
        if type(value) ~= "table" then
            if key ~= REFS then
                add(state, place, key, false)
            end
        elseif key ~= REFS and not state.seen[value] then
            visit_all(state, step(place, key, value, false))
        end
    end
end

-- The fields of `conf` whose text is a reference.
--
-- schema  a record of Kong's schema language, { fields = { { name = { type, .. } }, .. } }: those
--         marked `referenceable`; nil: all strings
-- taken   { [table in conf] = { [key] = true } }: what is left out; gets what is found
--
-- list of { path (to the table it lies in), key, reference, depth (of the first steps of the path,
-- which lead to the record around it; without a schema that is conf), optional (where the schema
-- says `required = false` of the field of a record, or of the values of a map) }
-- Raises for a malformed schema.
function _M.find(conf, schema, taken)
    local state = { found = {}, taken = taken, seen = {} }
    local place = { container = conf, path = {}, depth = 0 }
    if schema then
        visit_record(state, schema, place)
    else
        visit_all(state, place)
    end
    return state.found
end

return _M
