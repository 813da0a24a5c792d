-- vaults - the entities: which vault a reference's first part means.
--
-- For:   finding the strategy and the config for a prefix, or for APISIX's manager and id.
-- Never: what a config's fields mean (vault.config), fetching.

local _M = {}

local STRATEGIES = { aws = "vault.aws", env = "vault.env" }
local FIELDS = {
    aws = { region = true, endpoint_url = true, ttl = true, neg_ttl = true, resurrect_ttl = true,
            base64_decode = true, timeout = true },
    env = { prefix = true },
}
local PREFIX = "^[a-z][a-z%d-]-[a-z%d]+$"

local by_prefix = {}

local function check(entity, seen)
    assert(type(entity) == "table", "a vault must be a table")
    local prefix, name = entity.prefix, entity.name
    assert(FIELDS[name], "a vault's name must be a strategy: aws or env")
    assert(type(prefix) == "string" and prefix:find(PREFIX), "a vault's prefix must match " .. PREFIX)
    assert(not STRATEGIES[prefix], "a vault's prefix cannot be the name of a strategy: " .. prefix)
    assert(not seen[prefix], "two vaults have the prefix " .. prefix)
    assert(entity.config == nil or type(entity.config) == "table", "a vault's config must be a table")
    for field in pairs(entity.config or {}) do
        assert(FIELDS[name][field],
            ("vault %s: config.%s is not known or not supported yet"):format(prefix, tostring(field)))
    end
end

-- Put `entities` in the place of all that were there: a list of { prefix, name, config }. Raises for
-- a malformed one and then changes nothing.
function _M.set(entities)
    local made = {}
    for _, entity in ipairs(entities) do
        check(entity, made)
        made[entity.prefix] = { name = entity.name, config = entity.config or {} }
    end
    by_prefix = made
end

-- The vault that `parts` (of vault.reference) means: { name, config, strategy }.
-- nil, message, "unknown_vault"
function _M.find(parts)
    local prefix = parts.id or parts.name
    local entity = by_prefix[prefix]
    if entity and parts.id and entity.name ~= parts.name then
        entity = nil
    end
    if not entity and not parts.id and STRATEGIES[prefix] then
        entity = { name = prefix, config = {} }
    end
    if not entity then
        return nil, ("no vault has the %s %s"):format(parts.id and "id" or "prefix",
            require("vault.reference").quote(prefix)), "unknown_vault"
    end
    return { name = entity.name, config = entity.config,
             strategy = require(STRATEGIES[entity.name]) }
end

return _M
