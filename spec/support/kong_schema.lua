-- kong_schema - as much of Kong's schema language as a vault's schema needs, from its documents.
--
-- For:   spec.support.kong_host: is this a schema, is this a config.
-- Never: Kong's code; fields of an entity around the config.

local _M = {}

-- Attributes of a field that Kong documents, and the types of their values. What is not here is a
-- mistake in a schema.
local ATTRIBUTES = {
    type = "string", required = "boolean", description = "string", referenceable = "boolean",
    encrypted = "boolean", elements = "table", fields = "table", between = "table", gt = "number",
    len_eq = "number", len_min = "number", len_max = "number", match = "string", one_of = "table",
    custom_validator = "function",
}
local TYPES = { string = "string", number = "number", integer = "number", boolean = "boolean",
                array = "table", set = "table", record = "table" }

local function check_attributes(name, field)
    assert(TYPES[field.type], name .. " has no type that Kong knows")
    for attribute, value in pairs(field) do
        if attribute ~= "default" then
            assert(ATTRIBUTES[attribute], name .. " has " .. attribute)
            assert(type(value) == ATTRIBUTES[attribute], name .. "." .. attribute)
        end
    end
    if field.elements then
        check_attributes(name .. "[]", field.elements)
    end
end

local function config_of(schema)
    return schema.fields[1].config
end

-- Iterate over a config's fields: name, field.
function _M.each(schema)
    local i, list = 0, config_of(schema).fields
    return function()
        i = i + 1
        return next(list[i] or {})
    end
end

-- Raises where Kong would not start with this schema of the vault `name`.
function _M.check_schema(name, schema)
    assert(schema.name == name, "the schema has another name")
    assert(#schema.fields == 1 and config_of(schema).type == "record", "it has no config")
    local seen = {}
    for field_name, field in _M.each(schema) do
        assert(not seen[field_name], field_name .. " is there twice")
        seen[field_name] = true
        check_attributes(field_name, field)
    end
end

local checks = {}

function checks.string(field, value)
    if #value < (field.len_min or 1) then
        return "length must be at least " .. (field.len_min or 1)
    end
end

function checks.array(field, value)
    if #value < (field.len_min or 0) or #value > (field.len_max or math.huge) then
        return "length"
    end
    for _, element in ipairs(value) do
        local ok, complaint = _M.check_field(field.elements, element)
        if not ok then
            return complaint
        end
    end
end

-- true | nil, complaint
function _M.check_field(field, value)
    if type(value) ~= TYPES[field.type] then
        return nil, "expected a " .. field.type
    end
    local complaint = checks[field.type] and checks[field.type](field, value)
    if complaint then
        return nil, complaint
    end
    if field.custom_validator then
        local ok, why = field.custom_validator(value)
        if not ok then
            return nil, why or "invalid value"
        end
    end
    return true
end

-- config | nil, { field -> complaint }, "@record" for the config's own validator
function _M.check(schema, config)
    local fields, complaints = {}, {}
    for name, field in _M.each(schema) do
        fields[name] = field
    end
    for name, value in pairs(config) do
        local ok, complaint = nil, "unknown field"
        if fields[name] then
            ok, complaint = _M.check_field(fields[name], value)
        end
        complaints[name] = not ok and complaint or nil
    end
    local whole = config_of(schema).custom_validator
    if whole and not next(complaints) then
        complaints["@record"] = select(2, whole(config))
    end
    if next(complaints) then
        return nil, complaints
    end
    return config
end

-- What a text in kong.conf, the environment or a reference means for a field.
function _M.infer(value, field)
    if type(value) ~= "string" then
        return value
    elseif field.type == "number" or field.type == "integer" then
        return tonumber(value) or value
    elseif field.type == "boolean" then
        if value == "true" or value == "false" then
            return value == "true"
        end
    elseif field.type == "array" or field.type == "set" then
        return { value }
    end
    return value
end

return _M
