-- cache - when a secret at hand is good, when it is renewed first, and when an old one serves.
--
-- For:   ttl and resurrect_ttl over what this worker and the shared dict hold. The loader and the
--        clock come in.
-- Never: AWS words, references, the engine, whether AWS may be asked (permit), what to renew ahead
--        of time (refresh), sums of ttl and resurrect_ttl (lifetime), what is not so any more
--        (doubt).
--
-- A snapshot: { payload, binary, version_id, began (its fetch), fetched (its end), expires,
-- good_until }. It expires by the smallest ttl of all who use it. good_until is that moment too,
-- but later while an expired one serves, and 0 from when a newer version takes its place: whoever
-- keeps what was cut out of one asks it. One that is renewed and the same version stays the same
-- table. One that is `flushed` is nobody's to keep.
--
-- An entry is what this worker knows of one key: { key, policy (of the smallest ttl), ttl, used,
-- snapshot, kept (seconds in the dict), recheck (another version may be there), mixed (since when
-- it is asked for with several ttls), loose (its vault has another config, or none, or who wanted
-- its ttl may be gone: who asks next says what the ttl is, and nobody renews it before) }.

local bounded = require "vault.bounded"
local doubt = require "vault.doubt"
local lifetime = require "vault.lifetime"
local permit_of = require "vault.permit"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local RETRY_STALE = 1 -- seconds an expired snapshot serves before the next try, after a failed one
local PATIENCE = 1 -- seconds that anybody waits for a new snapshot while an old one could serve
local MIXED_LEAST = 3600 -- seconds; then, or after three ttls, who wants the smallest says so again
local CLOCK_SET_BACK = 2 -- seconds; less is two workers' clocks
local function ignore() end

-- A cache.
--
-- shelf        of vault.shelf
-- now          function() -> seconds
-- started      this configuration's first moment: what never expires is renewed after each reload
-- max_entries  secrets kept on this worker (10000)
-- brake        of vault.brake; nil: nothing is held back
-- news         of vault.news; nil: a worker alone
-- count        function(name, label, n): metrics
-- on_entry     function(entry): it has a new expiry, or is new; or, without a snapshot, it is gone
-- on_change    function(): some value of this worker is not what it was
-- on_flush     function(): all secrets on the node are to be forgotten, here too
function _M.new(options)
    local self = setmetatable({
        shelf = options.shelf, now = options.now, started = options.started or 0,
        permit = permit_of.new(options), news = options.news, count = options.count or ignore,
        on_entry = options.on_entry or ignore, on_change = options.on_change or ignore,
        on_flush = options.on_flush or ignore,
    }, metatable)
    -- What every load calls at its end, perhaps long after the light thread that began it was
    -- killed: variables of a function that waits would be that thread's, whose stack nginx's Lua
    -- clears and gives to the next. One for all: LuaJIT compiles none in which another is made.
    self.keep = function(result, message, word, policy)
        return self:store(policy, result, message, word)
    end
    self.entries = bounded.new(options.max_entries or 10000, function(entry)
        if entry.snapshot then
            entry.snapshot.good_until, entry.snapshot = 0, nil
            self.on_entry(entry)
        end
    end)
    self:note_flush()
    return self
end

-- Entries -----------------------------------------------------------------------------------------

-- What `policy` says in the place of all that was said of it before.
local function settle_anew(self, entry, policy)
    local snapshot = entry.snapshot and lifetime.anew(entry.snapshot)
    entry.ttl, entry.policy, entry.snapshot = policy.ttl, policy, snapshot
    entry.loose, entry.mixed = nil, nil
    entry.kept = lifetime.shelf_seconds(policy)
    self.shelf:hold(entry.key) -- who hears of the new config later is not to undo this
    if snapshot then
        snapshot.expires, snapshot.good_until = math.huge, math.huge
        lifetime.settle(snapshot, policy.ttl, self.started)
        self.on_entry(entry)
        self:keep_on_shelf(entry)
    end
    return entry
end

-- Whoever asks with a smaller ttl makes it everybody's.
local function entry_for(self, policy)
    local entry = self.entries.items[policy.key]
    if not entry then
        entry = { key = policy.key, policy = policy, ttl = policy.ttl, snapshot = nil,
                  kept = lifetime.shelf_seconds(policy), used = true, slot = 0 }
        self.entries:put(policy.key, entry)
        return entry
    end
    if entry.loose then
        return settle_anew(self, entry, policy)
    end
    entry.kept = math.max(entry.kept, lifetime.shelf_seconds(policy))
    if policy.ttl ~= entry.ttl and not entry.mixed then
        entry.mixed = self.now()
    end
    local ttl = lifetime.smaller_ttl(entry.ttl, policy.ttl)
    if ttl ~= entry.ttl then
        entry.ttl, entry.policy = ttl, policy
        if entry.snapshot then
            lifetime.settle(entry.snapshot, ttl, self.started)
            self.on_entry(entry)
        end
    end
    return entry
end

-- The same as it is: whoever only looks, or asked before he waited, changes nothing of it, for his
-- vault may have another config since.
local function entry_of(self, policy)
    return self.entries.items[policy.key] or entry_for(self, policy)
end

-- Take what was read, here or by another worker, as what `entry` has. One of the same version only
-- makes the old one younger.
local function adopt(self, entry, read)
    local old = entry.snapshot
    local same = old and old.version_id == read.version_id and old.payload == read.payload
    local snapshot = same and old or read
    snapshot.began, snapshot.fetched = read.began, read.fetched
    snapshot.expires, snapshot.good_until = math.huge, math.huge
    lifetime.settle(snapshot, entry.ttl, self.started)
    entry.snapshot = snapshot
    if entry.recheck then -- or there would be room made for it
        entry.recheck = nil
    end
    if old and not same then
        old.good_until = 0
        self.on_change()
    end
    if entry.mixed and self.now() - entry.mixed > math.max(3 * entry.ttl, MIXED_LEAST) then
        lifetime.loosen(entry)
    end
    self.on_entry(entry)
    return entry.snapshot
end

-- Whether what was asked for at the moment `began` is what was to be forgotten since.
local function is_flushed(self, began)
    return self.flush_at and began < self.flush_at
end

-- What the dict has of `entry`, or nil.
local function read_shelf(self, entry)
    local read, now = self.shelf:get(entry.key), self.now()
    if not read or is_flushed(self, read.began) then -- put there by who had not heard of it yet
        return nil
    end
    if read.fetched > now + CLOCK_SET_BACK then -- nobody knows how old it is
        local snapshot = entry.snapshot
        read.fetched = math.min(now - entry.ttl, snapshot and snapshot.fetched or math.huge)
        read.began = read.fetched
    end
    return read
end

-- Another worker may have a newer one. The snapshot of `entry`, and whether it came from there.
local function look_at_shelf(self, entry)
    local snapshot, read = entry.snapshot, read_shelf(self, entry)
    if read and (not snapshot or read.fetched > snapshot.fetched
        or entry.recheck and read.version_id ~= snapshot.version_id) then
        return adopt(self, entry, read), true
    end
    if snapshot and entry.recheck then
        entry.recheck = nil
        snapshot.good_until = snapshot.expires
    end
    return snapshot, false
end

-- The snapshot of `entry`, and whether it is good for `policy` without being renewed.
local function look(self, entry, policy)
    local snapshot, now, came = entry.snapshot, self.now(), false
    if not snapshot or snapshot.good_until <= now or snapshot.expires <= now then
        snapshot, came = look_at_shelf(self, entry)
    end
    if came then
        self.count("vault_hits_total", "dict")
    end
    if not snapshot then
        return nil, false
    end
    return snapshot, snapshot.good_until > now and lifetime.last_use(policy, snapshot) > now
end

-- What is at hand for `policy`, and whether it need not be renewed; nothing is fetched.
function methods:peek(policy)
    local snapshot, good = look(self, entry_of(self, policy), policy)
    return snapshot, good and snapshot.expires > self.now()
end

-- Storing -----------------------------------------------------------------------------------------

-- Others hold an older version: they are to look again.
local function tell(self, key, old, version_id)
    if old and old.version_id ~= version_id then
        self.count("vault_changes_total")
        if self.news then
            self.news:tell(key)
        end
    end
end

local function store_result(self, policy, result)
    local now = self.now()
    result.began, result.fetched, result.arn = math.min(result.began or now, now), now, nil
    if is_flushed(self, result.began) then -- it is for those who wait, and not kept
        result.expires, result.good_until, result.flushed = 0, 0, true
        return result
    end
    local entry = entry_of(self, policy)
    local old = entry.snapshot
    local snapshot = adopt(self, entry, result)
    if old or not self.shelf:add(policy.key, snapshot, entry.kept, policy.resource) then
        old = old or self.shelf:get(policy.key)
        self.shelf:put(policy.key, snapshot, entry.kept, policy.resource)
        tell(self, policy.key, old, snapshot.version_id)
    end
    return snapshot
end

local function count_fetch(self, result, word)
    self.count("vault_fetches_total", result and "ok" or word)
    if word == "throttled" then
        self.count("vault_throttles_total")
    elseif result and (result.attempts or 1) > 1 then
        self.count("vault_retries_total", nil, result.attempts - 1)
    end
end

-- What the fetch of `policy` brought, for everybody on the node: the snapshot, which was `result`.
function methods:store(policy, result, message, word)
    count_fetch(self, result, word)
    self.permit:ended(policy, message, not result and word or nil)
    if result then
        return store_result(self, policy, result)
    end
    local entry = self.entries.items[policy.key]
    if entry then
        self:keep_on_shelf(entry)
    end
    return nil
end

-- Getting -----------------------------------------------------------------------------------------

-- There is an old one: nobody waits long, and nobody is told of a failure while it may serve.
local function serve_old(self, entry, policy, load)
    local snapshot, message, word, good
    if self.permit:may_renew(policy) then
        local old, items = entry.snapshot, self.entries.items
        snapshot, message, word = load(self.keep, PATIENCE, policy)
        if snapshot then
            return snapshot
        end
        -- While this one waited, the entry may have made room for another; or all were dropped.
        entry = entry_of(self, policy)
        entry.snapshot = entry.snapshot or self.entries.items == items and old or nil
    end
    snapshot, good = look(self, entry, policy)
    if not snapshot or not good and self.now() >= lifetime.last_use(policy, snapshot) then
        return nil, message or "its resurrect_ttl is over", word or "timeout"
    end
    if not good then
        self.count("vault_stale_total")
        snapshot.good_until = self.now() + RETRY_STALE
    end
    return snapshot
end

-- The snapshot for `policy`.
--
-- policy  { key, group, resource, ttl, neg_ttl, resurrect_ttl (seconds), may_cache, may_retry =
--         function(word) -> boolean }
-- load    function(on_done, patience, policy) -> snapshot | nil, message, word;
--         on_done(result, message, word, policy) must be called once when the load ends, and its
--         return value be the snapshot of all who wait. patience: nil, or the seconds after the
--         load's beginning in which it must return, done or not
--
-- snapshot | nil, message, word (the loader's)
function methods:get(policy, load)
    local entry = entry_for(self, policy)
    entry.used = true
    local old, good = look(self, entry, policy)
    if good then
        return old
    end
    self.count("vault_misses_total")
    if old and self.now() < lifetime.last_use(policy, old) then
        return serve_old(self, entry, policy, load)
    end
    local miss = self.permit:refusal(policy)
    if miss then
        return nil, miss.message, miss.word
    end
    local snapshot, message, word = load(self.keep, nil, policy)
    if snapshot then
        lifetime.settle(snapshot, policy.ttl, self.started) -- who joined may want a smaller ttl
        return snapshot
    end
    snapshot, good = self:peek(policy) -- others may have been luckier meanwhile
    if good then
        return snapshot
    end
    return nil, message, word
end

-- Doubt -------------------------------------------------------------------------------------------

methods.read_news, methods.flush, methods.note_flush = doubt.read_news, doubt.flush,
    doubt.note_flush
methods.drop, methods.loosen = doubt.drop, doubt.loosen

-- Look whether another worker has something newer of `entry`; then that is what there is of it.
function methods:look_again(entry)
    return (select(2, look_at_shelf(self, entry)))
end

-- For refresh: nothing came of renewing `entry`; what is there is kept for longer.
function methods:keep_on_shelf(entry)
    if entry.snapshot then
        self.shelf:keep(entry.key, entry.snapshot, entry.kept, entry.policy.resource)
    end
end

-- What any worker has for `policy`, good or not, for whoever is about to fetch it; or nil.
function methods:known(policy)
    return (look_at_shelf(self, entry_for(self, policy)))
end

-- The same for whoever waited, where its fetch began after the moment `since`.
function methods:newer(policy, since)
    local snapshot = look_at_shelf(self, entry_of(self, policy))
    return snapshot and snapshot.began > since and snapshot or nil
end

-- Fetch the secret of `policy` whatever is at hand; that stays where it fails.
-- load, patience as in get(); snapshot | nil, message, word
function methods:fetch(policy, load, patience)
    return load(self.keep, patience, policy)
end

return _M
