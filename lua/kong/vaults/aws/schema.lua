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
local is_set = require("vault.config").is_set

local list, own = {}, {}
for _, field in ipairs(fields.CONFIG.aws) do
    if not field.elements then
        own[#own + 1] = field
        list[#list + 1] = { [field.name] = {
            type = field.type, description = field.about, encrypted = field.write_only,
        } }
    end
end

-- Of all fields together: one that fails its type or a validator of its own Kong leaves out without
-- a word where it calls a strategy, and without a vault's role or keys the machine's own would be
-- used. So no text does, and vault.aws refuses those that are malformed.
--
-- true | nil, complaints
local function check(config)
    local complaints = {}
    for _, field in ipairs(own) do
        local value = config[field.name]
        local checked, complaint = true, nil
        if is_set(value) then
            checked, complaint = fields.check(field, value)
        end
        if checked == nil then
            complaints[#complaints + 1] = field.name .. ": " .. complaint
        end
    end
    if #complaints > 0 then
        return nil, table.concat(complaints, "; ")
    end
    return true
end

return {
    name = "aws",
    fields = { { config = { type = "record", fields = list, custom_validator = check } } },
}
