-- cache - snapshots of whole secrets, kept on this worker and in the shared dict.
--
-- For:   ttl, neg_ttl, resurrect_ttl: when a snapshot is good, when a miss is, when an old one
--        still serves. The loader and the clock come in.
-- Never: AWS words, references, the engine.
--
-- A snapshot: { payload, binary, version_id, fetched, expires, good_until }. It expires by the
-- smallest ttl of all who use it. good_until is that moment too, but later while an expired one
-- serves, and 0 from when a newer snapshot takes its place: whoever keeps something cut out of a
-- snapshot asks it.

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
        misses = {}, miss_count = 0,
    }, metatable)
end

-- One text for the dict: the fixed fields in front, the payload, which may hold anything, last.
local function pack(snapshot)
    return ("%.3f %s %s\n%s"):format(snapshot.fetched, snapshot.version_id,
        snapshot.binary and "b" or "s", snapshot.payload)
end

-- A snapshot whose expiry nobody has settled yet.
local function fresh(payload, binary, version_id, fetched)
    return { payload = payload, binary = binary, version_id = version_id, fetched = fetched,
             expires = math.huge, good_until = math.huge }
end

local function unpack_snapshot(text)
    if type(text) ~= "string" then
        return nil
    end
    local fetched, version_id, kind, at = text:match("^(%d+%.%d+) (%S*) ([bs])\n()")
    return fetched and fresh(text:sub(at), kind == "b", version_id, tonumber(fetched))
end

local function settle_expiry(snapshot, ttl)
    local expires = ttl > 0 and snapshot.fetched + ttl or math.huge
    if expires < snapshot.expires then
        if snapshot.good_until == snapshot.expires then
            snapshot.good_until = expires
        end
        snapshot.expires = expires
    end
end

-- Until when `snapshot` may serve `policy` at all, renewed or not.
function _M.last_use(policy, snapshot)
    return policy.ttl > 0 and snapshot.fetched + policy.ttl + policy.resurrect_ttl or math.huge
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
    self.misses, self.miss_count = {}, 0
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

-- The newest snapshot at hand; the dict is asked where this worker's is no longer good.
function methods:find(key)
    local snapshot = self.snapshots[key]
    if snapshot and snapshot.good_until > self.now() then
        return snapshot
    end
    local shared = self.dict and unpack_snapshot(self.dict:get("s:" .. key))
    if shared and (not snapshot or shared.fetched > snapshot.fetched) then
        self:keep(key, shared)
        return shared
    end
    return snapshot
end

-- The snapshot at hand, or nil, and whether it is good for `policy` without being renewed.
function methods:look(policy)
    local snapshot = self:find(policy.key)
    if not snapshot then
        return nil, false
    end
    settle_expiry(snapshot, policy.ttl)
    local now = self.now()
    return snapshot, snapshot.good_until > now and _M.last_use(policy, snapshot) > now
end

-- word, message of a miss that is young enough for `policy`.
function methods:find_miss(policy)
    if policy.neg_ttl <= 0 then
        return nil
    end
    local text = self.misses[policy.key] or self.dict and self.dict:get("n:" .. policy.key)
    if type(text) ~= "string" then
        return nil
    end
    local at, word, message = text:match("^(%d+%.%d+) (%S+) (.*)$")
    if at and tonumber(at) + policy.neg_ttl > self.now() then
        return word, message
    end
    return nil
end

function methods:keep_miss(policy, message, word)
    local text = ("%.3f %s %s"):format(self.now(), word, message)
    if self.dict then
        self.dict:safe_set("n:" .. policy.key, text, policy.neg_ttl)
        return
    end
    if self.miss_count >= self.max_entries then
        self.misses, self.miss_count = {}, 0
    end
    if not self.misses[policy.key] then
        self.miss_count = self.miss_count + 1
    end
    self.misses[policy.key] = text
end

function methods:forget_miss(key)
    if self.dict then
        self.dict:delete("n:" .. key)
    elseif self.misses[key] then
        self.misses[key] = nil
        self.miss_count = self.miss_count - 1
    end
end

-- What the fetch of `policy` brought: kept on success, and remembered as a miss where neg_ttl says
-- so. Returns the snapshot.
function methods:store(policy, result, message, word)
    if result then
        local snapshot = fresh(result.payload, result.binary, result.version_id, self.now())
        settle_expiry(snapshot, policy.ttl)
        self:keep(policy.key, snapshot)
        self:share(policy.key, snapshot)
        self:forget_miss(policy.key)
        return snapshot
    end
    if policy.neg_ttl > 0 and policy.may_cache(word) then
        self:keep_miss(policy, message, word)
    end
    return nil
end

-- What the load calls at its end, perhaps long after the light thread that began it was killed. It
-- is made in a function that has returned: variables of one that still waits would be the killed
-- thread's, whose stack nginx's Lua clears and gives to the next.
local function storing(self, policy)
    return function(result, message, word)
        return self:store(policy, result, message, word)
    end
end

-- The snapshot for `policy`.
--
-- policy  { key, ttl, neg_ttl, resurrect_ttl (seconds), may_cache = function(word) -> boolean }
-- load    function(on_done) -> snapshot | nil, message, word; on_done(result, message, word) must
--         be called once when the load ends, and its return value be the snapshot of all who wait
--
-- snapshot | nil, message, word (the loader's)
function methods:get(policy, load)
    local old, good = self:look(policy)
    if good then
        return old
    end
    local word, message = self:find_miss(policy)
    if not word then
        local snapshot
        snapshot, message, word = load(storing(self, policy))
        if snapshot then
            settle_expiry(snapshot, policy.ttl) -- who only joined may want a smaller ttl
            return snapshot
        end
        local newer
        newer, good = self:look(policy) -- while this one waited, others may have been luckier
        old = newer or old
    end
    if not old or not good and self.now() >= _M.last_use(policy, old) then
        return nil, message, word
    end
    if not good and self.snapshots[policy.key] == old then
        old.good_until = self.now() + RETRY_STALE
    end
    return old
end

return _M
