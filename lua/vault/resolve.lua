-- resolve - one reference to its value.
--
-- For:   the way of a value that this worker does not hold: parse, find the vault, settle, the
--        cache, cut out the field.
-- Never: which config wins, expiry arithmetic, the engine.

local bounded = require "vault.bounded"
local cache_of = require "vault.cache"
local core = require "vault.core"
local held = require "vault.held"
local reference_of = require "vault.reference"
local vaults = require "vault.vaults"

local _M = {}

-- The words on which another split of an APISIX path is tried; a vault's `allow` refuses names.
_M.NEXT_SPLIT = { not_found = true, access_denied = true, refused = true }

local PATIENCE = 1 -- seconds that anybody waits for the value of another config
local SPLITS_MOST = 10000

local cache, dict -- nil: nothing is cached (command line)
local on_change = function() end
local splits = bounded.new(SPLITS_MOST) -- shape of an APISIX path -> which split worked

-- Forget what this worker holds.
function _M.drop()
    held.clear()
    splits:clear()
    if cache then
        cache:drop()
    end
end

-- cache (of vault.cache), dict: as there; now, max_entries, warn, on_change: vault.held's. What was
-- held is forgotten.
function _M.configure(options)
    _M.drop()
    cache, dict, on_change = options.cache, options.dict, options.on_change or on_change
    held.configure(options)
end

-- For the fetch of `settled`: made in a function that returns, since what a light thread that waits
-- has for variables goes with it where it is killed.
local function peeking(settled)
    return function()
        local snapshot, good = cache:peek(settled)
        return good and snapshot or nil
    end
end

-- What the cache fetches `settled` with; peek: function() -> what another worker has fetched since;
-- most: seconds that it may take where the cache says nothing.
function _M.loading(vault, settled, peek, most)
    return function(on_done, patience)
        return vault.strategy.load(settled, on_done, { peek = peek, patience = patience or most })
    end
end

-- The whole secret: a snapshot, and what it was settled with. most: as above
local function snapshot_of(vault, parts, most)
    local settled, message, word = vault.strategy.settle(parts, vault.config)
    if not settled then
        return nil, message, word
    end
    settled.vault = parts.id or parts.name
    settled.origin = nil -- it is kept for each secret, and nobody asks
    local snapshot
    if cache then
        snapshot, message, word = cache:get(settled,
            _M.loading(vault, settled, peeking(settled), most))
    else
        snapshot, message, word = vault.strategy.load(settled)
    end
    return snapshot, message, word, settled
end

-- What is amiss with the key of `parts`, for people; what: "secret" or "variable".
function _M.say_key(parts, what, message)
    return ('key "%s" of %s "%s": %s'):format(reference_of.quote(parts.key), what,
        reference_of.quote(parts.resource), message)
end

local function member(text, parts, what)
    local value, message, word = core.extract(text, parts.key)
    if not value then
        return nil, _M.say_key(parts, what, message), word
    end
    return value
end

-- The value that `parts` means, out of a snapshot. string | nil, message, word
function _M.cut(strategy, settled, snapshot, parts)
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
local function read(vault, parts, most)
    local snapshot, message, word, settled = snapshot_of(vault, parts, most)
    if not snapshot then
        return nil, message, word
    end
    local entry = { snapshot = snapshot, last = cache and cache_of.last_use(settled, snapshot),
                    entry = cache and cache.entries.items[settled.key]
                        or { key = settled.key, policy = settled },
                    policy = settled, vault = vault, parts = parts }
    entry.value, message, word = _M.cut(vault.strategy, settled, snapshot, parts)
    return entry.value, message, word, entry
end

local function shape_of(parts, many)
    return ("%s/%s %d"):format(parts.name, parts.id, many)
end

local function split_of(shape)
    local known = splits.items[shape]
    return known and known.which or dict and dict:get("split:" .. shape)
end

local function remember_split(shape, which)
    splits:put(shape, { which = which })
    if dict then
        dict:safe_set("split:" .. shape, which)
    end
end

-- `parts` with the resource and key of one split.
function _M.with(parts, candidate)
    return { name = parts.name, id = parts.id, config = parts.config, version = parts.version,
             resource = candidate.resource, key = candidate.key }
end

-- APISIX's names hold slashes, so where the name ends only AWS knows: the longest is tried first.
-- The split that worked is tried first for the next reference of the same shape.
local function read_split(vault, parts, most)
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
        value, message, word, entry = read(vault, _M.with(parts, candidates[i]), most)
        if entry then
            if i ~= first then
                remember_split(shape, i)
            end
            return value, message, word, entry
        end
        if not _M.NEXT_SPLIT[word] then
            return nil, message, word
        end
        first_message, first_word = first_message or message, first_word or word
    end
    return nil, first_message, first_word
end

-- The vault `prefix` has another config, or is gone.
function _M.forget(prefix)
    held.outdate(prefix)
    if cache then
        cache:loosen(prefix)
    end
    on_change()
end

local slow

-- string | nil, message, word
local function read_secret(vault, parts, text)
    local read_it = parts.id and read_split or read
    local value, message, word, entry = read_it(vault, parts, held.is_outdated(text) and PATIENCE)
    if not cache then
        return value, message, word
    end
    local is_current = vaults.find(parts) == vault
    if value then
        if is_current then
            held.put(text, entry)
        end
        return value
    elseif not is_current then -- it is another one since
        return slow(text)
    end
    if entry then
        value = held.keep_old(text, entry, message)
    else
        value = held.serve_outdated(text, message, word)
    end
    if value then
        return value
    end
    return nil, message, word
end

local function read_variable(vault, parts, text)
    local value, message, word = vault.strategy.read(vault.config, parts)
    if value and cache then
        held.put_variable(text, value, vault.prefix)
    end
    return value, message, word
end

function slow(text)
    local parts, message, word = reference_of.parse(text)
    local vault
    if parts then
        vault, message, word = vaults.find(parts)
    end
    if not vault then
        held.remove(text)
        return nil, message, word
    end
    return (vault.name == "env" and read_variable or read_secret)(vault, parts, text)
end

-- The value of the reference `text`. See vault.get.
_M.get = held.before(slow)

return _M
