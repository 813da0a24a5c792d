-- resolve - one reference to its value.
--
-- For:   the way of a value: parse, find the vault, settle, the cache, cut out the field. And the
--        hot path, which is one look-up in a table.
-- Never: which config wins, expiry arithmetic, the engine.

local bounded = require "vault.bounded"
local cache_of = require "vault.cache"
local core = require "vault.core"
local reference_of = require "vault.reference"
local vaults = require "vault.vaults"

local _M = {}

-- The words on which another split of an APISIX path is tried; a vault's `allow` refuses names.
_M.NEXT_SPLIT = { not_found = true, access_denied = true, refused = true }

local PATIENCE = 1 -- seconds that anybody waits for the value of another config
local RETRY = 0.25 -- seconds until it is tried again, where it did not come
local NOT_YET = { pending = true, cancelled = true } -- and the words that may be tried again

local cache, dict -- nil: nothing is cached (command line)
local now = os.time
local warn, on_change = function() end, function() end
-- reference -> { value, snapshot, entry, last, policy, vault, parts, spoilt }: last is when the
-- snapshot stops to serve this reference, renewed or not; entry is the cache's, or as good as that;
-- spoilt: the value is of a version before the snapshot's; outdated: its vault has another config
-- since, and a stand-in is in the place of the snapshot
local values = bounded.new(10000)
local splits = bounded.new(10000) -- shape of an APISIX path -> which split worked
local hits = 0

-- Forget what this worker holds.
function _M.drop()
    values:clear()
    splits:clear()
    if cache then
        cache:drop()
    end
end

-- cache (of vault.cache), dict, now: as there; max_entries: values kept on this worker; warn:
-- function(message); on_change: function(), some value is not what it was. Values of before are
-- forgotten: they came of other vaults.
function _M.configure(options)
    _M.drop()
    cache, dict, now = options.cache, options.dict, options.now
    warn, on_change = options.warn or warn, options.on_change or on_change
    values = bounded.new(options.max_entries or 10000)
    splits = bounded.new(options.max_entries or 10000)
end

-- How many answers came out of this worker's table since the last call.
function _M.take_hits()
    local count = hits
    hits = 0
    return count
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

-- The environment is what it was at start.
local FOR_EVER = { good_until = math.huge, version_id = "" }
local function keep_variable(text, value, prefix)
    if value and cache then
        values:put(text, { value = value, snapshot = FOR_EVER, entry = {}, last = math.huge,
                           prefix = prefix })
    end
end

-- Vaults that are others now ----------------------------------------------------------------------

-- The vault `prefix` has another config, or is gone: its values are read anew when they are wanted
-- next. Until that comes to something they serve, so that a change is no moment without values.
function _M.forget(prefix)
    local stand_in = { good_until = 0, fetched = 0, version_id = "" }
    for text, held in pairs(values.items) do
        if held.prefix == prefix then
            values:remove(text)
        elseif held.policy and held.policy.vault == prefix then
            if not (held.outdated or held.spoilt) then
                held.last = cache_of.last_use(held.policy, held.snapshot)
            end
            held.snapshot, held.outdated = stand_in, true
        end
    end
    if cache then
        cache:loosen(prefix)
    end
    on_change()
end

local function is_passing(word)
    local row = core.words[word]
    return NOT_YET[word] or row ~= nil and row.may_retry
end

-- The new config has come to nothing. The value of the old one, where that may be different soon;
-- else it goes.
local function serve_outdated(text, word)
    local old = values.items[text]
    if not (old and old.outdated) then
        return nil
    end
    if is_passing(word) and old.last > now() then
        old.snapshot.good_until = now() + RETRY
        return old.value
    end
    values:remove(text)
    return nil
end

-- The first value of the new config: others of that vault are tried at once, or those of one secret
-- would be of two configs.
local function put_value(text, entry)
    local old = values.items[text]
    values:put(text, entry)
    if old and old.outdated then
        old.snapshot.good_until = 0
        on_change()
    end
end

-- A new version that cannot be used does not take the place of a good value.
local function keep_old(text, entry, message)
    local old = values.items[text]
    if old and old.outdated then
        values:remove(text)
        return nil
    end
    if old and old.policy and not old.spoilt then
        old.last = cache_of.last_use(old.policy, old.snapshot) -- it may have been renewed since
    end
    if not old or old.last <= now() then
        return nil
    end
    if not old.spoilt then
        warn(message .. "; what it was before stays in use")
    end
    old.snapshot, old.entry, old.spoilt = entry.snapshot, entry.entry, true
    return old.value
end

local slow

-- string | nil, message, word
local function read_secret(vault, parts, text)
    local old = values.items[text]
    local read_it = parts.id and read_split or read
    local value, message, word, entry = read_it(vault, parts, old and old.outdated and PATIENCE)
    if not cache then
        return value, message, word
    end
    local is_current = vaults.find(parts) == vault
    if value then
        if is_current then
            put_value(text, entry)
        end
        return value
    elseif not is_current then -- it is another one since
        return slow(text)
    end
    if entry then
        value = keep_old(text, entry, message)
    else
        value = serve_outdated(text, word)
    end
    if value then
        return value
    end
    return nil, message, word
end

function slow(text)
    local parts, message, word = reference_of.parse(text)
    local vault, value
    if parts then
        vault, message, word = vaults.find(parts)
    end
    if not vault then
        values:remove(text)
        return nil, message, word
    elseif vault.name ~= "env" then
        return read_secret(vault, parts, text)
    end
    value, message, word = vault.strategy.read(vault.config, parts)
    keep_variable(text, value, vault.prefix)
    return value, message, word
end

-- What this worker holds of the reference `text`, or nil; see `values`. What is outdated is not.
function _M.held(text)
    local held = values.items[text]
    return held and not held.outdated and held or nil
end

-- What this worker holds of AWS: a list of { vault (its prefix), reference, fetched }, one for each
-- secret of a vault.
function _M.secrets()
    local list, seen = {}, {}
    for text, held in pairs(values.items) do
        local key = held.policy and held.policy.vault .. " " .. tostring(held.entry.key)
        if key and not seen[key] then
            seen[key] = true
            local snapshot = held.entry.snapshot or held.snapshot -- the value may be of one before
            list[#list + 1] = { vault = held.policy.vault, reference = text,
                                fetched = snapshot.fetched }
        end
    end
    return list
end

-- Until when what is held of `text` is good.
function _M.good_until(text)
    local held = values.items[text]
    return held and math.min(held.snapshot.good_until, held.last) or now()
end

-- The VersionId of what is held of `text`, or nil.
function _M.version(text)
    local held = values.items[text]
    return held and held.snapshot.version_id
end

-- Something that lives needs `text`, though nobody asks for it.
function _M.mark_used(text)
    local held = values.items[text]
    if held then
        held.used, held.entry.used = true, true
    end
end

-- The value of the reference `text`. See vault.get.
function _M.get(text)
    local hot = values.items[text]
    if hot then
        local moment = now()
        if hot.snapshot.good_until > moment and hot.last > moment then
            local entry = hot.entry
            if not entry.used then
                entry.used = true
            end
            if not hot.used then
                hot.used = true
            end
            hits = hits + 1
            return hot.value
        end
    end
    return slow(text)
end

return _M
