-- resolve - one reference to its value.
--
-- For:   the way of a value: parse, find the vault, settle, the cache, cut out the field. And the
--        hot path, which is one look-up in a table.
-- Never: which config wins, expiry arithmetic, the engine.

local cache_of = require "vault.cache"
local core = require "vault.core"
local reference_of = require "vault.reference"
local vaults = require "vault.vaults"

local _M = {}

local NEXT_SPLIT = { not_found = true, access_denied = true }

local cache, dict -- nil: nothing is cached (command line)
local now = os.time
local max_entries = 10000
-- reference -> { value, snapshot, last }: last is when the snapshot stops to serve this reference,
-- renewed or not
local values, count = {}, 0
local splits = {} -- shape of an APISIX path -> which split worked

-- Forget what this worker holds.
function _M.drop()
    values, count, splits = {}, 0, {}
    if cache then
        cache:drop()
    end
end

-- cache (of vault.cache), dict, now: as there; max_entries: values kept on this worker. Values of
-- before are forgotten: they came of other vaults.
function _M.configure(options)
    _M.drop()
    cache, dict, now = options.cache, options.dict, options.now
    max_entries = options.max_entries or 10000
end

local function may_cache(word)
    local row = core.words[word]
    return row ~= nil and row.may_cache
end

-- The whole secret: a snapshot, and what it was settled with.
local function snapshot_of(vault, parts)
    local settled, message, word = vault.strategy.settle(parts, vault.config)
    if not settled then
        return nil, message, word
    end
    local snapshot
    if cache then
        settled.may_cache = may_cache
        snapshot, message, word = cache:get(settled, function(on_done)
            return vault.strategy.load(settled, on_done)
        end)
    else
        snapshot, message, word = vault.strategy.load(settled)
    end
    return snapshot, message, word, settled
end

-- what: "secret" or "variable", for the message
local function member(text, parts, what)
    local value, message, word = core.extract(text, parts.key)
    if not value then
        return nil, ('key "%s" of %s "%s": %s'):format(reference_of.quote(parts.key), what,
            reference_of.quote(parts.resource), message), word
    end
    return value
end

local function cut(strategy, settled, snapshot, parts)
    if not parts.key then
        return strategy.decode(settled, snapshot.payload, snapshot.binary)
    end
    local value, message, word = member(snapshot.payload, parts, "secret")
    if not value then
        return nil, message, word
    end
    return strategy.decode(settled, value)
end

-- value, nil, nil, entry for `values` | nil, message, word; an entry too where only the cut failed
local function read(vault, parts)
    local snapshot, message, word, settled = snapshot_of(vault, parts)
    if not snapshot then
        return nil, message, word
    end
    local entry = { snapshot = snapshot, last = cache and cache_of.last_use(settled, snapshot) }
    entry.value, message, word = cut(vault.strategy, settled, snapshot, parts)
    return entry.value, message, word, entry
end

local function shape_of(parts, many)
    return ("%s/%s %d"):format(parts.name, parts.id, many)
end

local function split_of(shape)
    return splits[shape] or dict and dict:get("split:" .. shape)
end

local function remember_split(shape, which)
    splits[shape] = which
    if dict then
        dict:safe_set("split:" .. shape, which)
    end
end

local function with(parts, candidate)
    return { name = parts.name, id = parts.id, config = parts.config, version = parts.version,
             resource = candidate.resource, key = candidate.key }
end

-- APISIX's names hold slashes, so where the name ends only AWS knows: the longest is tried first.
-- The split that worked is tried first for the next reference of the same shape.
local function read_split(vault, parts)
    local candidates = reference_of.splits(parts)
    local shape = shape_of(parts, #candidates)
    local first = split_of(shape)
    local order = {}
    if candidates[first] then
        order[1] = first
    end
    for i = 1, #candidates do
        if i ~= first then
            order[#order + 1] = i
        end
    end
    local value, message, word, entry, first_message, first_word
    for _, i in ipairs(order) do
        value, message, word, entry = read(vault, with(parts, candidates[i]))
        if entry then
            if i ~= first then
                remember_split(shape, i)
            end
            return value, message, word, entry
        end
        if not NEXT_SPLIT[word] then
            return nil, message, word
        end
        first_message, first_word = first_message or message, first_word or word
    end
    return nil, first_message, first_word
end

local function read_env(vault, parts)
    local options = parts.config or {}
    local conf = { prefix = options.prefix or vault.config.prefix,
                   raw = parts.grammar == "apisix" }
    local value, message, word = vault.strategy.get(conf, parts.resource, parts.version)
    if value and parts.key then
        value, message, word = member(value, parts, "variable")
    end
    if value and options.base64_decode then
        return core.base64_decode(value)
    end
    return value, message, word
end

local function keep(text, entry)
    if not values[text] then
        if count >= max_entries then
            values, count = {}, 0
        end
        count = count + 1
    end
    values[text] = entry
end

local function slow(text)
    local parts, message, word = reference_of.parse(text)
    if not parts then
        return nil, message, word
    end
    local vault
    vault, message, word = vaults.find(parts)
    if not vault then
        return nil, message, word
    end
    if vault.name == "env" then
        return read_env(vault, parts)
    end
    local read_it = parts.id and read_split or read
    local value, entry
    value, message, word, entry = read_it(vault, parts)
    if value and cache then
        keep(text, entry)
    end
    return value, message, word
end

-- The value of the reference `text`. See vault.get.
function _M.get(text)
    local hot = values[text]
    if hot then
        local moment = now()
        if hot.snapshot.good_until > moment and hot.last > moment then
            return hot.value
        end
    end
    return slow(text)
end

return _M
