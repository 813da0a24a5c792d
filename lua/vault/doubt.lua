-- doubt - what the cache holds may not be so any more: other workers' news, flushes, vaults that
-- have another config.
--
-- For:   vault.cache, whose methods these are.
-- Never: fetching, what takes the place of what is gone.

local lifetime = require "vault.lifetime"

local _M = {}

local LOOSE_KEPT = 3600 -- seconds at most that the dict keeps what is loose

local function take_news(cache, key)
    local entry = cache.entries.items[key]
    if entry and entry.snapshot then
        entry.recheck = true
        cache:look_again(entry)
    end
end

-- When the node's secrets were flushed last: `flushed` as the dict says it, `flush_at` by this
-- clock, which may have been set back since. What was asked for before that is not to be kept.
function _M.note_flush(cache)
    local flushed = cache.shelf:flushed()
    cache.flushed, cache.flush_at = flushed, flushed and math.min(flushed, cache.now())
end

-- The node's secrets were flushed, here or by another worker.
local function heed_flush(cache)
    _M.note_flush(cache)
    _M.drop(cache)
    cache.on_flush()
end

-- Any of them may have changed: each is looked at when it is wanted next.
local function doubt_all(cache)
    if cache.shelf:flushed() ~= cache.flushed then
        return heed_flush(cache)
    end
    for _, entry in pairs(cache.entries.items) do
        if entry.snapshot then
            entry.recheck, entry.snapshot.good_until = true, 0
        end
    end
    cache.on_change()
end

-- Look at what other workers changed. Cheap where nothing was.
function _M.read_news(cache)
    if cache.news then
        cache.news:read(function(key) take_news(cache, key) end, function() doubt_all(cache) end)
    end
end

-- Forget all secrets on the node. Other workers learn of it as of news: who looked while the dict
-- was empty, and did not say yet when it was flushed, has to look again.
function _M.flush(cache)
    cache.shelf:flush(cache.now())
    if cache.news then
        cache.news:tell_all()
    end
    heed_flush(cache)
end

-- Forget what this worker holds (the dict keeps its own); who waited for some of it yet is to keep
-- none either.
function _M.drop(cache)
    for _, entry in pairs(cache.entries.items) do
        if entry.snapshot then
            entry.snapshot.good_until, entry.snapshot.flushed = 0, true
        end
    end
    cache.entries:clear()
    cache.on_change()
end

-- The vault of this name has another config, or is gone: what is known of its secrets is loose.
function _M.loosen(cache, vault)
    for _, entry in pairs(cache.entries.items) do
        if entry.policy.vault == vault then
            entry.kept = math.min(entry.kept, LOOSE_KEPT)
            cache.shelf:shorten(entry.key, entry.kept)
            lifetime.loosen(entry)
        elseif entry.loose and entry.snapshot then
            entry.snapshot.good_until = 0
        end
    end
end

return _M
