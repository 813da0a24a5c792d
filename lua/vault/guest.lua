-- guest - secrets inside a gateway that has a cache and workers of its own: Kong, APISIX.
--
-- For:   one fetch per secret and node for all who ask at the same time, or within a second of it;
--        what a guest has to set up itself, since nobody calls vault.init and vault.init_worker.
-- Never: keeping a secret for longer than that: the host does, and ages would add up; what a host
--        is like (kong.vaults.aws, vault.apisix).
--
-- A snapshot: { payload, binary, version_id, began, fetched: when its fetch began, too }.

local aws = require "vault.aws"
local config = require "vault.config"
local core = require "vault.core"
local cut = require "vault.cut"
local environment = require "vault.environment"
local failures_of = require "vault.failures"
local fetch = require "vault.fetch"
local fields = require "vault.schema_fields"
local files = require "vault.files"
local locks_of = require "vault.locks"
local roomy_of = require "vault.roomy"
local shelf_of = require "vault.shelf"
local splits_of = require "vault.splits"

local _M = {}

local DICT, LOCKS = "vault_secrets", "vault_locks"
local YOUNG = 1 -- seconds since a fetch began, in which what it brought is the answer
local KEPT = 3 -- seconds in the dict, for whoever waited on another worker for a fetch to end
local WARN_EVERY = 60 -- seconds

local host -- see begin()
local locks_dict, shelf, splits
local recent, tidied_at = {}, 0 -- key -> snapshot, of this worker
local joined = false -- whether this is a worker that has joined the others
local warned_at = -math.huge

-- Setting up --------------------------------------------------------------------------------------

local function warn(message)
    ngx.log(ngx.WARN, "vault: ", message)
end

local function on_full()
    if ngx.now() > warned_at + WARN_EVERY then
        warned_at = ngx.now()
        warn("the shared dict " .. DICT .. " is full: each worker fetches for itself")
    end
end

-- Kong's command line has tables in the place of shared dicts that lack some of their methods.
local function shared(name)
    local dict = ngx.shared[name]
    return roomy_of.new { dict = dict and dict.expire and dict or nil, now = ngx.now }
end

-- The file of certificates, as the host has it at this moment.
local function trust()
    local ca_file = config.trusted_certificate(host.trusted_certificate(), environment.get)
    fetch.configure { ca_file = ca_file, load_by = host.load_by, timer_at = host.timer_at }
    return ca_file
end

-- Set up what all workers share. Call it where the host loads the adapter, in init if that can be.
-- A second call does nothing.
--
-- options  trusted_certificate: function() -> path | "system" | nil, the host's setting. Asked for
--          here and, since a host may not have read its settings yet, once more in each worker
--          load_by: how people get this loaded in init; nil: "load it in init_by_lua"
--          timer_at: nginx's own, where the host has another ngx.timer.at; nil: it has not
--
-- context: any
function _M.begin(options)
    if host then
        return
    end
    host = options
    local dict = shared(DICT)
    locks_dict = shared(LOCKS) or dict
    shelf, splits = shelf_of.new { dict = dict, on_full = on_full }, splits_of.new(dict)
    if not dict and ngx.worker.count() > 1 then
        warn("no lua_shared_dict " .. DICT .. ": each worker fetches for itself")
    end
    local ca_file = trust()
    if ngx.get_phase() == "init" then
        files.remember(ca_file)
    end
    local ok, message = core.check()
    if not ok then
        ngx.log(ngx.ERR, "vault: ", message)
    end
end

-- Once in each worker, at its first secret: the host calls nothing of ours when it starts one.
local function join()
    if joined or fetch.blocks() or ngx.get_phase() == "exit_worker" then
        return
    end
    joined = true
    trust()
    if locks_dict then
        local pid, started = core.process()
        fetch.share {
            locks = locks_of.new { dict = locks_dict, now = ngx.now, pid = pid, started = started,
                                   alive = core.is_alive },
            failures = failures_of.new(locks_dict),
        }
    end
    files.check()
    fetch.init_worker()
end

-- Secrets -----------------------------------------------------------------------------------------

-- Workers' clocks differ by a moment.
local function is_young(moment)
    return math.abs(ngx.now() - moment) < YOUNG
end

-- A snapshot that is the answer, or nil; and what is on the shelf, too old or not.
local function at_hand(key)
    local mine, shelved = recent[key], shelf:get(key)
    if mine and is_young(mine.fetched) then
        return mine, shelved
    end
    return shelved and is_young(shelved.fetched) and shelved or nil, shelved
end

-- What a fetch of another worker that ended after this moment has brought. Made in a function that
-- returns, as the next one: see vault.fetch.get.
local function peeking(key, known)
    return function()
        local shelved = shelf:get(key)
        return shelved and not (known and shelved.fetched == known.fetched) and shelved or nil
    end
end

-- Once a second, so that a crowd of secrets does not cost its square.
local function tidy()
    if is_young(tidied_at) then
        return
    end
    tidied_at = ngx.now()
    for key, snapshot in pairs(recent) do
        if not is_young(snapshot.fetched) then
            recent[key] = nil
        end
    end
end

-- A refusal is an answer, and shared for as long as one; an outage is none.
local function keeping(settled, began)
    local key = settled.key
    return function(result, message, word)
        if result then
            local snapshot = { payload = result.payload, binary = result.binary,
                               version_id = result.version_id, began = began, fetched = began }
            tidy()
            recent[key] = snapshot
            shelf:put(key, snapshot, KEPT, settled.resource)
            shelf:drop_miss(key)
            return snapshot
        elseif settled.may_cache(word) and not settled.may_retry(word) then
            shelf:put_miss(key, began, { word = word, message = message }, YOUNG)
        end
        return nil
    end
end

-- The whole secret.
--
-- parts   { resource: name or complete ARN, version: nil, 1 or 2, config: a reference's options }
-- entity  the vault's config: see entity()
--
-- snapshot, nil, nil, settled (vault.aws's) | nil, message, word
local function secret(parts, entity)
    join()
    local settled, message, word = aws.settle(parts, entity)
    if not settled then
        return nil, message, word
    end
    settled.key = "guest:" .. settled.key -- what vault.cache keeps of it is another matter
    ngx.update_time()
    local snapshot, known = at_hand(settled.key)
    local miss = not snapshot and shelf:get_miss(settled.key)
    if miss and is_young(miss.at) then
        return nil, miss.message, miss.word
    elseif not snapshot then
        snapshot, message, word = aws.load(settled, keeping(settled, ngx.now()),
            { peek = peeking(settled.key, known) })
    end
    if not snapshot then
        return nil, message, word
    end
    return snapshot, nil, nil, settled
end

-- The fields of `conf`, a host's configuration of a vault, that are the vault's: a host adds its
-- own, and its nulls. A new table.
function _M.entity(conf)
    local entity = {}
    for _, field in ipairs(fields.CONFIG.aws) do
        local value = conf[field.name]
        if config.is_set(value) then
            entity[field.name] = value
        end
    end
    return entity
end

-- The text of a whole secret, base64_decode undone; parts and entity as above.
--
-- context: as vault.get: blocks in init and init_worker; where the phase cannot wait the fetch is
-- only started
-- string | nil, message, word
function _M.text(parts, entity)
    local snapshot, message, word, settled = secret(parts, entity)
    if not snapshot then
        return nil, message, word
    end
    return cut.value(aws, settled, snapshot, parts)
end

-- The value that `parts`, of a reference in APISIX's grammar, means.
--
-- context: as above
-- string | nil, message, word
function _M.value(parts, entity)
    local value, message, word = splits:read(parts, function(one)
        local snapshot, why, word_of, settled = secret(one, entity)
        if not snapshot then
            return nil, why, word_of
        end
        local text
        text, why, word_of = cut.value(aws, settled, snapshot, one)
        return text, why, word_of, true
    end)
    return value, message, word
end

return _M
