-- aws - the AWS Secrets Manager strategy, in Kong's contract.
--
-- For:   a resource and a vault's config -> one fetch by the engine.
-- Never: caching (vault.cache keeps what this brings), what wins in a config (vault.config).

local allow = require "vault.allow"
local config = require "vault.config"
local core = require "vault.core"
local cut = require "vault.cut"
local env = require "vault.env"
local environment = require "vault.environment"
local fetch = require "vault.fetch"
local fields = require "vault.schema_fields"
local reference = require "vault.reference"

local quote = reference.quote

local _M = { VERSION = core._VERSION }

local RENEWAL_MOST = 3 -- seconds

-- What the engine is asked by, whichever secret: handed to it as it is.
local TERMS = { "stage", "region", "endpoint_url", "access_key_id", "secret_access_key",
                "session_token", "assume_role_arn", "role_session_name", "external_id",
                "sts_endpoint_url" }

-- Kong's contract has it. Nothing is left to do.
function _M.init()
end

-- A misspelt `region` must not go unnoticed either.
local function check_fields(entity)
    for field, value in pairs(entity) do
        if config.is_set(value) and not fields.CONFIG.aws[field] then
            return nil, ("the vault's field %s is not known"):format(quote(tostring(field))),
                "bad_config"
        end
    end
    return true
end

-- A vault's own settings come from the environment or from nowhere: a vault that needs another one
-- could need itself.
local function own_setting(text, getenv)
    local parts, message, word = reference.parse(text)
    if not parts then
        return nil, message, word
    elseif parts.name ~= "env" or parts.id then
        return nil, "only references to the environment may stand there", "refused"
    end
    return env.new(getenv).read({}, parts)
end

-- `entity` with the values of its references, and the names of the fields that were some.
-- nil, nil, message, "bad_config" or "refused"
local function with_own_settings(entity, getenv)
    local made, hidden = {}, {}
    for field, value in pairs(entity) do
        made[field] = value
        local known = fields.CONFIG.aws[field]
        if known and known.referenceable and reference.is_reference(value) then
            local text, message, word = own_setting(value, getenv)
            if not text then
                return nil, nil, ("the vault's field %s: %s"):format(field, message),
                    word == "refused" and word or "bad_config"
            end
            made[field], hidden[field] = text, true
        end
    end
    return made, hidden
end

local checked = setmetatable({}, { __mode = "k" }) -- lists of globs

-- true, exact (of vault.allow) | nil, message, word
local function check_allowed(globs, settled)
    if not config.is_set(globs) then
        return true
    end
    if not checked[globs] then
        if fields.check(fields.CONFIG.aws.allow, globs) == nil then
            return nil, "the vault's field allow is not a list of names or ARNs, with * and ?",
                "bad_config"
        end
        checked[globs] = true
    end
    local allowed, exact = allow.check(globs, settled.resource, settled.region)
    if not allowed then
        return nil, ('the vault does not allow the secret "%s"'):format(quote(settled.resource)),
            "refused"
    end
    return true, exact
end

local function may_cache(word)
    local row = core.words[word]
    return row ~= nil and row.may_cache
end

local function may_retry(word)
    local row = core.words[word]
    return row ~= nil and row.may_retry
end

-- What was answered for an ARN that could be two secrets' is kept apart from what others may read.
local function key_of(settled)
    if settled.exact then
        return core.key(settled.group, settled.resource, settled.stage, "exact")
    end
    return core.key(settled.group, settled.resource, settled.stage)
end

local function settle_fields(parts, given, getenv)
    local entity, hidden, message, word = with_own_settings(given, getenv)
    local settled
    if entity then
        settled, message, word = config.settle(parts, entity, getenv, hidden)
    end
    local good
    if settled then
        good, message, word = check_fields(entity)
    end
    if good then
        settled.resource = parts.resource
        good, message, word = check_allowed(entity.allow, settled)
    end
    if not good then
        return nil, message, word
    end
    settled.exact = message
    return settled
end

local function engine_terms(settled)
    local terms = {}
    for _, field in ipairs(TERMS) do
        terms[field] = settled[field]
    end
    return terms
end

local function settle_anew(parts, entity, getenv)
    local settled, message, word = settle_fields(parts, entity, getenv)
    if not settled then
        return nil, message, word
    end
    settled.group, message, word = core.key(config.asker(settled))
    if settled.group then
        settled.key, message, word = key_of(settled)
    end
    if not settled.key then
        return nil, message, word
    end
    settled.batchable = settled.stage == "AWSCURRENT" and not settled.exact
    settled.may_cache, settled.may_retry = may_cache, may_retry
    settled.terms = engine_terms(settled)
    return settled
end

-- What many secrets of a vault have in common ----------------------------------------------------
-- Those of the same version and options, but for ARNs: terms, a table of { allow, metatable } by
-- version and options. A secret's own fields stand before those of the metatable.

local SPECIFIC = { resource = true, key = true, origin = true }
local TERMS_MOST = 100 -- of one vault: who has more different options pays for it

local function terms_of(settled, entity)
    local common = {}
    for field, value in pairs(settled) do
        if not SPECIFIC[field] then
            common[field] = value
        end
    end
    return { allow = entity.allow, metatable = { __index = common } }
end

local function settle_by(terms, resource)
    -- With room for what the caller adds.
    local settled = setmetatable({ resource = resource, key = false, vault = false },
        terms.metatable)
    local good, message, word = check_allowed(terms.allow, settled)
    if good then
        settled.key, message, word = key_of(settled)
    end
    if not good or not settled.key then
        return nil, message, word
    end
    return settled
end

-- Under which name the terms of `parts` are kept, or nil where they are its own.
local function name_of_terms(parts)
    local options = parts.config
    if parts.stage or parts.resource:sub(1, 4) == "arn:" then
        return nil
    elseif not options then
        return parts.version or 1
    end
    return ("%d %.17g %.17g %.17g %s %s"):format(parts.version or 1, options.ttl or -1,
        options.neg_ttl or -1, options.resurrect_ttl or -1, options.region or "",
        tostring(options.base64_decode))
end

local function keep_terms(terms, name, settled, entity)
    local count = terms.count or 0
    if count < TERMS_MOST then
        terms[name], terms.count = terms_of(settled, entity), count + 1
    end
end

-- What the fetch of `parts` (of vault.reference) goes by; pure.
--
-- getenv   nil: vault.environment's
-- terms    nil, or a table that belongs to `entity`, which stays as it is: what is settled for one
--          secret is kept there for the next; then the options are vault.reference's
--
-- settled   vault.config's, and key: what selects the bytes, hashed; group: what it has in common
--           with others that one call can fetch, hashed; terms: the engine's; batchable: whether
--           one call can; exact: the answer must be of the ARN that is asked for; may_cache,
--           may_retry: function(word) -> boolean
-- nil, message, word   "bad_reference", "bad_config", "refused"
function _M.settle(parts, entity, getenv, terms)
    local name = terms and name_of_terms(parts)
    if name and terms[name] then
        return settle_by(terms[name], parts.resource)
    end
    entity = entity or {}
    local settled, message, word = settle_anew(parts, entity, getenv or environment.get)
    if not settled then
        return nil, message, word
    end
    if name and environment.is_settled() then
        keep_terms(terms, name, settled, entity)
    end
    return settled
end

local function as_it_is(result)
    return result
end

-- What the engine is asked for `settled`.
function _M.request(settled)
    return { secret_id = settled.resource, terms = settled.terms, timeout = settled.timeout,
             attempts = 0 }
end

-- What the engine is asked for several of one group, 20 at most.
function _M.batch(policies)
    local request, batch = _M.request(policies[1]), {}
    for i, settled in ipairs(policies) do
        batch[i] = settled.resource
    end
    request.secret_id, request.batch = nil, batch
    return request
end

-- Where an old value serves meanwhile: who renews it has a pace of his own, and tries again by it.
-- A call that gets no answer must not be in the way of the next for long.
local function renewal(request)
    request.attempts, request.timeout = 1, math.min(request.timeout, RENEWAL_MOST)
    return request
end

-- Why `result`, of what `settled` names, is of another secret than is allowed: message, word; nil
-- where it is not.
function _M.refusal(settled, result)
    if settled.exact and result.arn ~= settled.resource then
        return "the ARN is not complete: the vault does not allow what it means", "refused"
    end
    return nil
end

-- on_done, but what comes of another secret than was allowed is refused.
local function guard(settled, on_done)
    return function(result, message, word)
        local why, refused
        if result then
            why, refused = _M.refusal(settled, result)
        end
        if why then
            on_done(nil, why, refused, settled)
            return nil, why, refused
        end
        return on_done(result, message, word, settled)
    end
end

-- LuaJIT compiles no function in which another one is made.
local function guarded(settled, on_done)
    return settled.exact and guard(settled, on_done) or on_done
end

-- Fetch what `settled` names; who asks for the same key meanwhile joins. As vault.fetch.get, which
-- tells on_done about `settled`.
-- on_done  nil: the engine's result is given as it is, and not to those who want it kept
function _M.load(settled, on_done, options)
    local key = on_done and settled.key or "raw:" .. settled.key
    local request = _M.request(settled)
    if options and options.patience then
        request = renewal(request)
    end
    return fetch.get(key, request, guarded(settled, on_done or as_it_is), options, settled)
end

-- Start a fetch of one, or of several of one group, for which nobody waits. As vault.fetch.start.
function _M.start(settled, on_done)
    return fetch.start(renewal(_M.request(settled)), guarded(settled, on_done))
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
    local parts = { resource = resource, version = version }
    local settled, message = _M.settle(parts, conf)
    local result, value
    if settled then
        result, message = _M.load(settled)
    end
    if result then
        value, message = cut.value(_M, settled, result, parts)
    end
    return value, not value and message or nil
end

return _M
