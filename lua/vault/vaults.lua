-- vaults - the entities: which vault a reference's first part means.
--
-- For:   finding the strategy and the config for a prefix, or for APISIX's manager and id.
-- Never: what a config's fields mean (vault.config), fetching.

local aws = require "vault.aws"
local quote = require("vault.reference").quote

local _M = {}

local STRATEGIES = { aws = "vault.aws", env = "vault.env" }
local CONFIG = { aws = aws.FIELDS, env = { prefix = true } }
local FIELDS = { prefix = true, name = true, config = true, description = true, tags = true,
                 id = true, created_at = true, updated_at = true }
local PREFIX = "^[a-z][a-z%d-]-[a-z%d]+$"

local by_prefix = {}

-- assert, with the vault that is meant in front.
local function need(condition, which, complaint, ...)
    if not condition then
        error(which .. ": " .. complaint:format(...), 0)
    end
end

local function check_prefix(prefix, which, seen)
    need(type(prefix) == "string" and prefix:find(PREFIX), which,
        "prefix must be lower-case letters, digits and '-', two or more, a letter first, no '-' "
        .. "last")
    need(not STRATEGIES[prefix], which, "prefix cannot be the name of a strategy")
    need(not seen[prefix], which, "another vault has this prefix")
end

local function check_config(entity, which)
    local conf = entity.config or {}
    need(type(conf) == "table", which, "config must be a table")
    for field in pairs(conf) do
        need(CONFIG[entity.name][field], which, "config.%s is not known or not supported yet",
            quote(tostring(field)))
    end
    need(entity.name ~= "env" or conf.prefix == nil or type(conf.prefix) == "string", which,
        "config.prefix must be a string")
end

local function check(entity, which, seen)
    need(type(entity) == "table", which, "must be a table { prefix, name, config }")
    if type(entity.prefix) == "string" then
        which = ('%s "%s"'):format(which, quote(entity.prefix))
    end
    for field in pairs(entity) do
        need(FIELDS[field], which, "%s is not a field of a vault", quote(tostring(field)))
    end
    need(STRATEGIES[entity.name], which, "name must be a strategy: aws or env")
    check_prefix(entity.prefix, which, seen)
    check_config(entity, which)
end

-- Put `entities` in the place of all that were there: a list of { prefix, name, config }. Raises
-- for a malformed one and then changes nothing.
function _M.set(entities)
    local made, count = {}, 0
    for _ in pairs(entities) do
        count = count + 1
    end
    need(count == #entities, "vaults", "must be a list of { prefix, name, config }")
    for i, entity in ipairs(entities) do
        check(entity, "vaults[" .. i .. "]", made)
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
            quote(prefix)), "unknown_vault"
    end
    return { name = entity.name, config = entity.config,
             strategy = require(STRATEGIES[entity.name]) }
end

return _M
