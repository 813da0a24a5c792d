-- resolve - one reference to its value.
--
-- For:   the way of a value that this worker does not hold: parse, find the vault, settle, the
--        cache, cut out the field.
-- Never: which config wins, expiry arithmetic, the engine.

local cut = require "vault.cut"
local held = require "vault.held"
local lifetime = require "vault.lifetime"
local reference_of = require "vault.reference"
local splits_of = require "vault.splits"
local vaults = require "vault.vaults"

local _M = {}

local TICK = 0.001 -- seconds; what began in the same one began now
local PATIENCE = 1 -- seconds that anybody waits while a value is held that may serve

local cache -- nil: nothing is cached (command line)
local now, on_change = os.time, function() end
local splits = splits_of.new()

-- Forget what this worker holds.
function _M.drop()
    held.clear()
    splits:forget()
    if cache then
        cache:drop()
    end
end

-- cache (of vault.cache), dict: as there; now, max_entries, warn, on_change: vault.held's. What was
-- held is forgotten.
function _M.configure(options)
    _M.drop()
    cache, on_change = options.cache, options.on_change or on_change
    now = options.now or now
    splits = splits_of.new(options.dict)
    held.configure(options)
end

-- A way: what the cache fetches one secret with, a table that is called as its load(on_done,
-- patience, policy) and goes on as vault.fetch's options. No function of its own: variables of a
-- light thread that waits go with it where it is killed, and LuaJIT compiles none that is made each
-- time. peek: function(way) -> what another worker has fetched since; most: seconds that it may
-- take where the cache says nothing.
local function begin(way, on_done, patience, settled)
    way.patience = patience or way.most
    return way.vault.strategy.load(settled, on_done, way)
end

local ways = { __call = begin, __index = { peek = function(way)
    local snapshot, good = cache:peek(way.settled)
    return good and snapshot or nil
end } }

local function loading(vault, settled, most)
    local way = setmetatable({ vault = vault, settled = settled, patience = false }, ways)
    if most then
        way.most = most
    end
    way.since = cache.flush_at -- nil, or seconds: who asks after a flush joins no fetch from before
    return way
end

local ways_anew = { __call = begin, __index = { peek = function(way)
    return cache:newer(way.settled, way.since)
end } }

-- What the cache fetches `settled` with whatever is at hand, or what another worker fetches since;
-- and what is known by now.
--
-- since  seconds: the fetch begins after this moment; nil: after that of what is known
function _M.reloading(vault, settled, since)
    local known = cache:known(settled)
    return setmetatable({ vault = vault, settled = settled, patience = false,
                          since = since or known and known.began or 0 }, ways_anew), known
end

-- The whole secret: a snapshot, and what it was settled with. most, fresh: see read()
local function snapshot_of(vault, parts, most, fresh)
    local settled, message, word = vault.strategy.settle(parts, vault.config, nil,
        vault.terms)
    if not settled then
        return nil, message, word
    end
    settled.vault = parts.id or parts.name
    if settled.origin then -- it is kept for each secret, and nobody asks
        settled.origin = nil
    end
    local snapshot
    if not cache then
        snapshot, message, word = vault.strategy.load(settled)
    elseif fresh then
        snapshot, message, word = cache:fetch(settled,
            (_M.reloading(vault, settled, now() - TICK)))
    else
        snapshot, message, word = cache:get(settled,
            loading(vault, settled, most))
    end
    return snapshot, message, word, settled
end

-- What was at hand lacks what is wanted of it, and the secret may have it by now: the secret anew,
-- where AWS may be asked, or nil.
local function look_again(vault, settled, text, snapshot)
    if not cache or not cache.permit:may_look_again(settled, snapshot.fetched) then
        return nil
    end
    return cache:fetch(settled, (_M.reloading(vault, settled)),
        held.may_serve(text) and PATIENCE or nil)
end

local function cut_out(vault, parts, text, settled, snapshot)
    local value, message, word = cut.value(vault.strategy, settled, snapshot, parts)
    local newer = not value and look_again(vault, settled, text, snapshot)
    if newer then
        snapshot = newer
        value, message, word = cut.value(vault.strategy, settled, snapshot, parts)
    end
    return snapshot, value, message, word
end

-- text   the reference: where an old value of it is held nobody waits for long
-- fresh  whether it is fetched whatever is at hand
-- most   seconds that it may take where the cache says nothing; nil: as long as it takes, but where
--        only an old config's value is held
-- value, nil, nil, entry for `values` | nil, message, word; an entry too where only the cut failed
local function read(vault, parts, text, fresh, most)
    local snapshot, message, word, settled = snapshot_of(vault, parts,
        most or held.is_outdated(text) and PATIENCE, fresh)
    if not snapshot then
        return nil, message, word
    end
    local value
    snapshot, value, message, word = cut_out(vault, parts, text, settled, snapshot)
    return value, message, word, {
        value = value, snapshot = snapshot, last = cache and lifetime.last_use(settled, snapshot),
        entry = cache and cache.entries.items[settled.key]
            or { key = settled.key, policy = settled },
        policy = settled, split = parts.id and parts, slot = 0, used = true,
    }
end

-- APISIX's names hold slashes, so where the name ends only AWS knows.
local function read_split(vault, parts, text, fresh)
    local began = now()
    return splits:read(parts, function(one, lacking)
        local most = lacking and held.may_serve(text) and math.max(began + PATIENCE - now(), 0)
        return read(vault, one, text, fresh, most)
    end)
end

-- The vault `prefix` has another config, or is gone. What took its place has to give values itself.
function _M.forget(prefix, gone)
    (gone and held.forget or held.outdate)(prefix)
    if cache then
        cache:loosen(prefix)
    end
    on_change()
end

-- Why nothing came of `text`: where its old value is of a split that the vault does not allow any
-- more, that, whichever split was tried first.
local function reason(vault, text, message, word)
    local split = held.outdated_split(text)
    if split then
        local _, refusal, refused = vault.strategy.settle(split, vault.config, nil, vault.terms)
        if refused == "refused" then
            return refusal, refused
        end
    end
    return message, word
end

-- Nothing came of `text`, or, as `entry`, what cannot be used: the old value, where it may serve.
local function fall_back(vault, text, entry, message, word)
    local value
    if entry then
        value = held.keep_old(text, entry, message)
    else
        message, word = reason(vault, text, message, word)
        value = held.serve_outdated(text, message, word)
    end
    if value then
        return value
    end
    return nil, message, word
end

local slow

-- string | nil, message, word
local function read_secret(vault, parts, text, fresh)
    local read_it = parts.id and read_split or read
    local value, message, word, entry = read_it(vault, parts, text, fresh)
    if not cache then
        return value, message, word
    end
    local is_current = vaults.find(parts) == vault
    if value then
        if is_current and not entry.snapshot.flushed then
            held.put(text, entry)
        end
        return value
    elseif not is_current then -- it is another one since
        return slow(text, fresh)
    end
    return fall_back(vault, text, entry, message, word)
end

local function read_variable(vault, parts, text)
    local value, message, word = vault.strategy.read(vault.config, parts)
    if value and cache then
        held.put_variable(text, value, vault.prefix)
    end
    return value, message, word
end

function slow(text, fresh)
    local parts, message, word = reference_of.parse(text)
    local vault
    if parts then
        vault, message, word = vaults.find(parts)
    end
    if not vault then
        held.remove(text)
        return nil, message, word
    end
    return (vault.name == "env" and read_variable or read_secret)(vault, parts, text, fresh)
end

-- The value of the reference `text`. See vault.get.
_M.get = held.before(slow)

-- The same, of its secret as it is from now on.
function _M.fresh(text)
    held.catch_up()
    return slow(text, true)
end

return _M
