-- schema - the config of an "aws" vault, in Kong's schema language. Part of lua-resty-vaults.
--
-- For:   vault.schema_fields as Kong's Admin API, declarative files and kong.conf check it.
-- Never: a field, a bound or a complaint of its own. Nothing is marked referenceable: the values
--        that Kong puts in where a reference fails are empty, and an empty key would mean the
--        machine's own credentials. What may be a reference to the environment vault.aws resolves.

local fields = require "vault.schema_fields"

-- true | nil, complaint
local function checking(field)
    return function(value)
        local checked, complaint = fields.check(field, value)
        if checked == nil then
            return nil, complaint
        end
        return true
    end
end

local function describe(field)
    local told = { type = field.type, description = field.about }
    if field.elements then
        told.len_min, told.len_max = field.min, field.max
        told.elements = { type = field.elements.type, custom_validator = checking(field.elements) }
    else
        told.custom_validator = checking(field)
        told.encrypted = field.write_only
    end
    return told
end

local list = {}
for i, field in ipairs(fields.CONFIG.aws) do
    list[i] = { [field.name] = describe(field) }
end

return {
    name = "aws",
    fields = { { config = { type = "record", fields = list } } },
}
