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

local RENEWAL_MOST = 3 -- seconds

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

local function may_cache(word)
    local row = core.words[word]
    return row ~= nil and row.may_cache
end

local function may_retry(word)
    local row = core.words[word]
    return row ~= nil and row.may_retry
end

-- What the fetch of `parts` (of vault.reference) goes by; pure.
--
-- getenv   nil: vault.environment's
--
-- settled   vault.config's, and key: what selects the bytes, hashed; group: what it has in common
--           with others that one call can fetch, hashed; batchable: whether one can; may_cache,
--           may_retry: function(word) -> boolean
-- nil, message, word   "bad_reference", "bad_config", "refused"
function _M.settle(parts, entity, getenv)
    local settled, message, word = config.settle(parts, entity, getenv or environment.get)
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
    if settled.key then
        settled.group, message, word = config.group(settled, core.sha256)
    end
    if not settled.group then
        return nil, message, word
    end
    settled.batchable = settled.stage == "AWSCURRENT"
    settled.may_cache, settled.may_retry = may_cache, may_retry
    return settled
end

local function as_it_is(result)
    return result
end

-- What the engine is asked for `settled`.
function _M.request(settled)
    local request = {
        secret_id = settled.resource, stage = settled.stage, region = settled.region,
        endpoint_url = settled.endpoint_url, timeout = settled.timeout,
    }
    for _, field in ipairs(CALLER) do
        request[field] = settled[field]
    end
    return request
end

-- What the engine is asked for several of one group, 20 at most.
function _M.batch(policies)
    local request, batch = _M.request(policies[1]), {}
    for i, settled in ipairs(policies) do
        batch[i] = settled.resource
    end
    request.secret_id, request.stage, request.batch = nil, nil, batch
    return request
end

-- Where an old value serves meanwhile: who renews it has a pace of his own, and tries again by it.
-- A call that gets no answer must not be in the way of the next for long.
local function renewal(request)
    request.attempts, request.timeout = 1, math.min(request.timeout, RENEWAL_MOST)
    return request
end

-- Fetch what `settled` names; who asks for the same key meanwhile joins. As vault.fetch.get.
-- on_done  nil: the engine's result is given as it is, and not to those who want it kept
function _M.load(settled, on_done, options)
    local key = on_done and settled.key or "raw:" .. settled.key
    local request = _M.request(settled)
    if options and options.patience then
        request = renewal(request)
    end
    return fetch.get(key, request, on_done or as_it_is, options)
end

-- Start a fetch of one, or of several of one group, for which nobody waits. As vault.fetch.start.
function _M.start(settled, on_done)
    return fetch.start(renewal(_M.request(settled)), on_done)
end

function _M.start_batch(policies, on_done)
    return fetch.start(renewal(_M.batch(policies)), on_done)
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
