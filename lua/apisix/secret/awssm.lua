-- awssm - APISIX's secret manager for AWS Secrets Manager. Part of lua-resty-vaults.
--
-- For:   what APISIX's secrets ask of a manager (schema, get) over vault.guest:
--        $secret://awssm/<id>/<name>[/<key>].
-- Never: caching (APISIX's), how a secret is fetched, which split of a path is right.

local fields = require "vault.schema_fields"
local guest = require "vault.guest"
local reference = require "vault.reference"
require "vault.apisix"

-- What JSON Schema can say of a field. Texts that may be references have no bound but the least:
-- a reference may be longer than what it means.
local function describe(field)
    local told = { type = field.type, description = field.about }
    if field.type == "string" then
        told.minLength, told.maxLength = 1, not field.referenceable and field.max or nil
    elseif field.type == "array" then
        told.minItems, told.maxItems = field.min, field.max
        told.items = describe(field.elements)
    elseif field.type == "number" then
        told.minimum, told.maximum = field.min, field.max
    end
    return told
end

-- What APISIX itself puts into an object, or lets people put there. A field that is none of these
-- is a mistake: without a word, a misspelt region would be another region.
local properties = {
    id = { type = "string" }, name = { type = "string" }, desc = { type = "string" },
    labels = { type = "object" }, create_time = { type = "integer" },
    update_time = { type = "integer" }, modifiedIndex = { type = "integer" },
}
local NOT_HERE = { ttl = true, neg_ttl = true, resurrect_ttl = true } -- apisix.lru.secret's

for _, field in ipairs(fields.CONFIG.aws) do
    if not NOT_HERE[field.name] then
        properties[field.name] = describe(field)
    end
end

local _M = {
    schema = { type = "object", properties = properties, additionalProperties = false },
}

-- The object's id, "awssm/john" or "john"; one that cannot stand in a reference is none.
local function id_of(conf)
    local id = type(conf.id) == "string" and conf.id:match("[^/]+$") or ""
    return #id <= 64 and id:find("^[%w_.-]+$") and id or "-"
end

-- Called by APISIX where its cache has no value.
--
-- conf  the secret object
-- key   what follows the object's id in the reference: "<name>[/<key>]", names with their slashes
--
-- context: any. In log and other phases that cannot wait the fetch is only started
-- string | nil, message
function _M.get(conf, key)
    local parts, message = reference.parse(("$secret://awssm/%s/%s"):format(id_of(conf), key))
    local value
    if parts then
        value, message = guest.value(parts, guest.entity(conf))
    end
    if not value then
        return nil, message
    end
    return value
end

return _M
