-- lifetime - how long what was fetched may serve, and how long it is kept.
--
-- For:   sums of ttl, resurrect_ttl and the moment of a fetch, and what a snapshot is told of them.
-- Never: clocks, what is at hand (cache).
--
-- A policy is vault.cache's, of which ttl and resurrect_ttl count here. A ttl of 0 has no end.

local _M = {}

local RESURRECT_KEPT = 7 * 86400 -- seconds at most that the dict keeps what nobody renews
local SPARE = 60 -- seconds more, in which it is renewed for the last time

-- When what was fetched at the moment `fetched` is to be renewed. started: before it nothing was
-- fetched that is good without end.
function _M.expiry(fetched, ttl, started)
    if ttl > 0 then
        return fetched + ttl
    end
    return fetched >= started and math.huge or started
end

-- `snapshot` expires by `ttl`, unless it expires sooner; started: as above.
function _M.settle(snapshot, ttl, started)
    local expires = _M.expiry(snapshot.fetched, ttl, started)
    if expires < snapshot.expires then
        if snapshot.good_until == snapshot.expires then
            snapshot.good_until = expires
        end
        snapshot.expires = expires
    end
end

-- Another table in the place of `snapshot`: that one is not good any more, and who knows it asks.
function _M.anew(snapshot)
    local other = {}
    for field, value in pairs(snapshot) do
        other[field] = value
    end
    other.good_until, snapshot.good_until = snapshot.expires, 0
    return other
end

-- Whatever serves the secret of the cache's `entry` asks again, each by its own ttl.
function _M.loosen(entry)
    entry.loose, entry.snapshot = true, entry.snapshot and _M.anew(entry.snapshot)
end

-- Until when `snapshot` may serve `policy` at all, renewed or not.
function _M.last_use(policy, snapshot)
    return policy.ttl > 0 and snapshot.fetched + policy.ttl + policy.resurrect_ttl or math.huge
end

-- How long the dict keeps what `policy` fetched.
function _M.shelf_seconds(policy)
    return policy.ttl > 0 and policy.ttl + math.min(policy.resurrect_ttl, RESURRECT_KEPT) + SPARE
        or math.huge
end

-- The ttl that ends first.
function _M.smaller_ttl(left, right)
    if left == 0 or right == 0 then
        return left + right
    end
    return math.min(left, right)
end

return _M
