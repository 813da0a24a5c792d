-- aws - the AWS Secrets Manager strategy, in Kong's contract.
--
-- For:   a resource and a vault's config -> one fetch by the engine.
-- Never: caching (vault.cache keeps what this brings), what wins in a config (vault.config).

local config = require "vault.config"
local core = require "vault.core"
local environment = require "vault.environment"
local fetch = require "vault.fetch"

local _M = { VERSION = core._VERSION }

-- What config settles and the engine of this version cannot do yet must not be left out in silence:
-- the secret would be read as somebody else.
local NOT_YET = { "access_key_id", "assume_role_arn", "external_id" }

-- Kong's contract has it. Nothing is left to do.
function _M.init()
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
    for _, field in ipairs(NOT_YET) do
        if settled[field] then
            return nil, field .. " (" .. settled.origin[field] .. ") is not supported yet",
                "bad_config"
        end
    end
    settled.resource = parts.resource
    settled.key = config.key(settled, parts.resource, core.sha256)
    return settled
end

local function as_it_is(result)
    return result
end

-- Fetch what `settled` names; who asks for the same key meanwhile joins. As vault.fetch.get.
function _M.load(settled, on_done)
    return fetch.get(settled.key, {
        secret_id = settled.resource, stage = settled.stage, region = settled.region,
        endpoint_url = settled.endpoint_url, timeout = settled.timeout,
    }, on_done or as_it_is)
end

-- The secret's bytes as the reference wants them: base64_decode undone.
-- string | nil, message, "bad_base64"
function _M.decode(settled, value)
    if settled.base64_decode then
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
    local settled, message = _M.settle({ resource = resource, version = version }, conf)
    local result, value
    if settled then
        result, message = _M.load(settled)
    end
    if result then
        value, message = _M.decode(settled, result.payload)
    end
    return value, not value and message or nil
end

return _M
