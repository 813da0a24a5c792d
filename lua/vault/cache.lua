-- cache - snapshots of whole secrets, kept on this worker and in the shared dict.
--
-- For:   ttl, neg_ttl, resurrect_ttl: when a snapshot is good, when a miss is, when an old one still
--        serves. The loader and the clock come in.
-- Never: AWS words, references, the engine.
--
-- A snapshot: { payload, binary, version_id, fetched, good_until }. Whoever keeps something cut out
-- of one asks good_until: it is set to 0 the moment a newer snapshot takes its place.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local RETRY_STALE = 1 -- seconds an expired snapshot serves before the next try, after a failed one

-- A cache.
--
-- dict         the shared dict, or nil: then each worker keeps its own
-- now          function() -> seconds
-- max_entries  snapshots kept on this worker
-- warn         function(message)
function _M.new(options)
    return setmetatable({
        dict = options.dict, now = options.now, max_entries = options.max_entries or 10000,
        warn = options.warn or function() end, snapshots = {}, count = 0,
    }, metatable)
end

-- One text for the dict: the fixed fields in front, the payload, which may hold anything, last.
local function pack(snapshot)
    return ("%.3f %s %s\n%s"):format(snapshot.fetched, snapshot.version_id,
        snapshot.binary and "b" or "s", snapshot.payload)
end

local function unpack_snapshot(text)
    local fetched, version_id, kind, at = text:match("^(%d+%.%d+) (%S+) ([bs])\n()")
    if not fetched then
        return nil
    end
    return {
        fetched = tonumber(fetched), version_id = version_id, binary = kind == "b",
        payload = text:sub(at), good_until = 0,
    }
end

-- The smallest ttl of all who use a snapshot holds for it.
local function settle_expiry(snapshot, ttl)
    local until_when = ttl > 0 and snapshot.fetched + ttl or math.huge
    if snapshot.good_until == 0 or until_when < snapshot.good_until then
        snapshot.good_until = until_when
    end
end

function methods:keep(key, snapshot)
    local old = self.snapshots[key]
    if old then
        old.good_until = 0
    elseif self.count >= self.max_entries then
        self:drop()
    end
    if not old then
        self.count = self.count + 1
    end
    self.snapshots[key] = snapshot
end

-- Forget what this worker holds (the dict keeps its own).
function methods:drop()
    for _, snapshot in pairs(self.snapshots) do
        snapshot.good_until = 0
    end
    self.snapshots, self.count = {}, 0
end

function methods:share(key, snapshot)
    if not self.dict then
        return
    end
    local ok, err = self.dict:safe_set("s:" .. key, pack(snapshot))
    if not ok then
        self.warn("the shared dict takes no more secrets: " .. tostring(err))
    end
end

-- The snapshot at hand, good or not.
function methods:find(key, ttl)
    local snapshot = self.snapshots[key]
    if snapshot and snapshot.good_until > self.now() then
        return snapshot
    end
    local text = self.dict and self.dict:get("s:" .. key)
    local shared = text and unpack_snapshot(text)
    if shared and (not snapshot or shared.fetched > snapshot.fetched) then
        settle_expiry(shared, ttl)
        self:keep(key, shared)
        return shared
    end
    return snapshot
end

function methods:find_miss(key)
    local text = self.dict and self.dict:get("n:" .. key)
    if not text then
        return nil
    end
    return text:match("^(%S+) (.*)$")
end

-- What the fetch of `policy` brought: kept on success, and remembered as a miss where neg_ttl says
-- so. Returns the snapshot.
function methods:store(policy, result, message, word)
    if result then
        local snapshot = {
            payload = result.payload, binary = result.binary, version_id = result.version_id,
            fetched = self.now(), good_until = 0,
        }
        settle_expiry(snapshot, policy.ttl)
        self:keep(policy.key, snapshot)
        self:share(policy.key, snapshot)
        return snapshot
    end
    if policy.neg_ttl > 0 and policy.may_cache(word) and self.dict then
        self.dict:safe_set("n:" .. policy.key, word .. " " .. message, policy.neg_ttl)
    end
    return nil
end

-- The snapshot for `policy`.
--
-- policy  { key, ttl, neg_ttl, resurrect_ttl (seconds), may_cache = function(word) -> boolean }
-- load    function(on_done) -> snapshot | nil, message, word; on_done(result, message, word) must be
--         called once when the load ends, and its return value be the snapshot of all who wait
--
-- snapshot | nil, message, word (the loader's)
function methods:get(policy, load)
    local old = self:find(policy.key, policy.ttl)
    if old then
        settle_expiry(old, policy.ttl)
        if old.good_until > self.now() then
            return old
        end
    end
    local word, message = self:find_miss(policy.key)
    local snapshot
    if not word then
        snapshot, message, word = load(function(result, why, what)
            return self:store(policy, result, why, what)
        end)
    end
    if snapshot then
        return snapshot
    end
    if old and self.now() < old.fetched + policy.ttl + policy.resurrect_ttl then
        old.good_until = self.now() + RETRY_STALE
        return old
    end
    return nil, message, word
end

return _M
