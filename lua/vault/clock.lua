-- clock - a clock that was set back while secrets were held.
--
-- For:   seeing that it was, and putting an end to what would be good until the old time comes
--        again: a secret counts as fetched at that moment at the latest.
-- Never: what is in the shared dict (cache), a clock that was set ahead: all is renewed then.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local LEAST = 0.1 -- seconds; a clock may be corrected by less all the time

-- cache  of vault.cache
-- now    function() -> seconds
function _M.new(options)
    return setmetatable({ cache = options.cache, now = options.now, last = options.now() },
        metatable)
end

local function pull_back(snapshot, ttl, now)
    if snapshot.fetched > now then
        snapshot.began, snapshot.fetched = math.min(snapshot.began, now), now
        snapshot.expires = math.min(snapshot.expires, now + ttl)
    end
    snapshot.good_until = math.min(snapshot.good_until, snapshot.expires)
end

-- Look at the clock; often. True where it was set back since.
function methods:read()
    local now, before = self.now(), self.last
    self.last = now
    if now > before - LEAST then
        return false
    end
    for _, entry in pairs(self.cache.entries.items) do
        if entry.snapshot then
            if entry.ttl > 0 then
                pull_back(entry.snapshot, entry.ttl, now)
            end
            self.cache.on_entry(entry)
        end
    end
    local flush_at = self.cache.flush_at
    self.cache.flush_at = flush_at and math.min(flush_at, now)
    self.cache.on_change()
    return true
end

return _M
