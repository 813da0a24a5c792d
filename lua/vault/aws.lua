-- aws - the AWS Secrets Manager strategy, in Kong's contract.
--
-- For:   a resource and a vault's config -> one fetch by the engine.
-- Never: caching (vault.cache keeps what this brings), what wins in a config (vault.config).

local config = require "vault.config"
local core = require "vault.core"
local environment = require "vault.environment"
local fetch = require "vault.fetch"
local quote = require("vault.reference").quote

local _M = { VERSION = core._VERSION }

-- Who asks: handed to the engine as they are.
local CALLER = { "access_key_id", "secret_access_key", "session_token", "assume_role_arn",
                 "role_session_name", "external_id", "sts_endpoint_url" }

-- What a vault's config may hold.
_M.FIELDS = { region = true, endpoint_url = true, ttl = true, neg_ttl = true, resurrect_ttl = true,
              base64_decode = true, timeout = true }
for _, field in ipairs(CALLER) do
    _M.FIELDS[field] = true
end

-- Kong's contract has it. Nothing is left to do.
function _M.init()
end

-- A misspelt `region`, or an `allow` that nobody heeds, must not go unnoticed either.
local function check_fields(entity)
    for field, value in pairs(entity) do
        local null = value == "" or type(value) == "userdata"
        if not (_M.FIELDS[field] or null) then
            return nil, ("the vault's field %s is not known or not supported yet"):format(
                quote(tostring(field))), "bad_config"
        end
    end
    return true
end

-- What the fetch of `parts` (of vault.reference) goes by; pure.
--
-- settled   vault.config's, and key: what selects the bytes, hashed
-- nil, message, word   "bad_reference", "bad_config", "refused"
function _M.settle(parts, entity)
    local settled, message, word = config.settle(parts, entity, environment.get)
    if not settled then
        return nil, message, word
    end
    local known
    known, message, word = check_fields(entity or {})
    if not known then
        return nil, message, word
    end
    settled.resource = parts.resource
    settled.key, message, word = config.key(settled, parts.resource, core.sha256)
    if not settled.key then
        return nil, message, word
    end
    return settled
end

local function as_it_is(result)
    return result
end

-- Fetch what `settled` names; who asks for the same key meanwhile joins. As vault.fetch.get.
function _M.load(settled, on_done)
    local request = {
        secret_id = settled.resource, stage = settled.stage, region = settled.region,
        endpoint_url = settled.endpoint_url, timeout = settled.timeout,
    }
    for _, field in ipairs(CALLER) do
        request[field] = settled[field]
    end
    return fetch.get(settled.key, request, on_done or as_it_is)
end

-- The secret's bytes as the reference wants them: base64_decode undone, but for a SecretBinary,
-- which is bytes already.
-- string | nil, message, "bad_base64"
function _M.decode(settled, value, binary)
    if settled.base64_decode and not binary then
        return core.base64_decode(value)
    end
    return value
end

-- Kong's strategy contract.
--
-- conf      the vault's config; nil for none
-- resource  name or complete ARN
-- version   nil, 1 (AWSCURRENT) or 2 (AWSPREVIOUS)
--
-- context: where the phase cannot wait, the fetch is only started
-- string | nil, message
function _M.get(conf, resource, version)
    if type(resource) ~= "string" then
        error("resource must be a string", 2)
    end
    if conf ~= nil and type(conf) ~= "table" then
        error("conf must be a table or nil", 2)
    end
    local settled, message = _M.settle({ resource = resource, version = version }, conf)
    local result, value
    if settled then
        result, message = _M.load(settled)
    end
    if result then
        value, message = _M.decode(settled, result.payload, result.binary)
    end
    return value, not value and message or nil
end

return _M
