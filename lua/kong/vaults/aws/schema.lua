-- schema - the config of an "aws" vault, in Kong's schema language. Part of lua-resty-vaults.
--
-- For:   vault.schema_fields as Kong's Admin API, declarative files and kong.conf check it.
-- Never: a field, a bound or a complaint of its own. Nothing is marked referenceable: the values
--        that Kong puts in where a reference fails are empty, and an empty key would mean the
--        machine's own credentials. What may be a reference to the environment vault.aws resolves.
--
-- No lists: Kong's cache keys are made of a config's values as text, and a list's is its address.
-- So `allow` is a setting of the node's (kong.vaults.aws); no reference's option goes over that.

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

local list = {}
for _, field in ipairs(fields.CONFIG.aws) do
    if not field.elements then
        list[#list + 1] = { [field.name] = {
            type = field.type, description = field.about, encrypted = field.write_only,
            custom_validator = checking(field),
        } }
    end
end

return {
    name = "aws",
    fields = { { config = { type = "record", fields = list } } },
}
