-- refresh - secrets renewed before they expire, so that no request waits for AWS.
--
-- For:   what is due, in which batches, by which worker; what is no longer used. Each worker sees
--        to what it uses itself; a lock per secret on the node leaves each renewal to one of them.
-- Never: when a snapshot is good (cache), the engine (fetch), limits (brake).
--
-- A secret is ripe in the last fifth of its ttl, and due by chance in the first half of that. A
-- batch begins when one is due, and takes along what is ripe. Whoever is first renews a secret; the
-- others find it renewed.

local queue = require "vault.queue"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local BATCH_MOST = 20 -- BatchGetSecretValue takes no more
local BATCHES_MOST = 4 -- in flight by one worker
local DENIED, DENIED_FOR = "d:", 86400 -- seconds in which a refused batch is not tried again
local IDLE_LEAST = 3600 -- seconds without use after which a secret is not renewed any more
local LOOK_AGAIN = 1 -- seconds until one that another worker renews is looked at again
-- Two workers that gathered at the same time would share out what is one batch.
local GATHER, GATHER_MOST = "gather:", 2 -- a lock for each group; seconds
local GATHER_AGAIN = 0.005 -- seconds until one that another worker had is asked for again
local SINGLES_PER_SLOT = 20 -- single fetches cost the pace of one batch
-- Where the ttl is short, a fifth of it is no time for beats, pace and AWS.
local SHORT, LAST, LAST_OF_SHORT = 4, 0.2, 0.4 -- seconds; parts of the ttl
-- Seconds until the next try. An outage's end is to be seen within 5 s; what AWS refuses for good
-- waits twice as long each time.
local AGAIN_LEAST, AGAIN_MOST, REFUSED_MOST = 1, 4, 60
-- The words that may be due to one secret of a batch.
local OF_ONE = { invalid_request = true, too_large = true, bad_response = true, rejected = true,
                 not_found = true, decryption_failed = true }

local function ignore() end

-- cache        of vault.cache, whose on_entry calls schedule
-- locks        of vault.locks
-- brake        of vault.brake
-- numbers      of vault.numbers: remembers refused batches
-- now, random  function() -> seconds (the time of nginx's turn will do); function() -> [0, 1)
-- fetch_batch  function(policies, on_done) -> true | nil, message, word: starts a fetch, never
--              waits; on_done({ entries, attempts } | nil, message, word), an entry being a result
--              or { word, message }
-- fetch_one    function(policy, on_done) -> true | nil, message, word; on_done(result | nil,
--              message, word)
-- singles_most single fetches in flight by this worker (16)
-- leaving      function() -> whether this worker leaves: it begins nothing more
-- count        function(name, label, n): metrics
-- warn         function(message): for people
function _M.new(options)
    return setmetatable({
        cache = options.cache, locks = options.locks, brake = options.brake,
        numbers = options.numbers, now = options.now, random = options.random,
        fetch_batch = options.fetch_batch, fetch_one = options.fetch_one,
        singles_most = options.singles_most or 16, count = options.count or ignore,
        warn = options.warn or ignore, leaving = options.leaving or ignore,
        groups = {}, batches = 0, singles = 0,
        refused = {}, -- group -> the word with which a batch of it failed, not in passing
    }, metatable)
end

-- When --------------------------------------------------------------------------------------------
-- Of each group (what one caller can fetch from one place) there are two lanes: `together` for what
-- goes by batch, `alone` for the rest. credit: single fetches that are paid for.

local function new_lane()
    return { due = queue.new(), ripe = queue.new() }
end

local function take_out(lane, key)
    lane.due:remove(key)
    lane.ripe:remove(key)
end

local function put(self, entry, due, ripe)
    local group = self.groups[entry.policy.group]
    if not group then
        group = { together = new_lane(), alone = new_lane(), credit = 0 }
        self.groups[entry.policy.group] = group
    end
    local mine, other = group.together, group.alone
    if entry.alone or not entry.policy.batchable then
        mine, other = other, mine
    end
    take_out(other, entry.key)
    entry.due, entry.ripe = due, ripe or due
    mine.due:put(entry.key, entry.due)
    mine.ripe:put(entry.key, entry.ripe)
end

-- `entry` of the cache has a new expiry, or none any more.
function methods:schedule(entry)
    local ttl, snapshot = entry.ttl, entry.snapshot
    if entry.refusals then
        self.refused[entry.policy.group] = nil
    end
    entry.refusals, entry.idle = nil, nil
    if ttl > 0 and snapshot and not entry.policy.once then
        local last = ttl * (ttl < SHORT and LAST_OF_SHORT or LAST)
        local ripe = snapshot.fetched + ttl - last
        put(self, entry, ripe + last / 2 * self.random(), ripe)
        return
    end
    local group = self.groups[entry.policy.group]
    if group then
        take_out(group.together, entry.key)
        take_out(group.alone, entry.key)
    end
end

-- Nothing came of renewing it. Whether it is the first time that this was not in passing.
local function put_off(self, entry, word)
    local seconds = math.min(math.max(entry.ttl / 10, AGAIN_LEAST), AGAIN_MOST)
    local is_first = false
    if not entry.policy.may_retry(word) and word ~= "cancelled" then
        entry.refusals = (entry.refusals or 0) + 1
        is_first = entry.refusals == 1
        seconds = math.min(seconds * 2 ^ (entry.refusals - 1), REFUSED_MOST)
    end
    put(self, entry, self.now() + seconds)
    return is_first
end

local function is_idle(self, entry)
    local now = self.now()
    if entry.used or not entry.last_used then
        entry.used, entry.last_used = false, now
    end
    return now - entry.last_used > math.max(3 * entry.ttl, IDLE_LEAST)
end

-- Whose it is -------------------------------------------------------------------------------------

local function unlock(self, item)
    if item.token then
        self.locks:release(item.entry.key, item.token)
    end
end

-- `entry`, which is in no queue, and its lock, where this worker is to renew it; else nil: it is in
-- the queue again, or not used any more.
local function claim(self, entry)
    if entry.loose or is_idle(self, entry) then
        entry.idle = true
        return nil
    end
    if self.cache:look_again(entry) then
        return nil
    end
    local token, holder = self.locks:take(entry.key, (entry.policy.timeout or 10) + 2)
    if holder then
        put(self, entry, self.now() + LOOK_AGAIN)
        return nil
    end
    local item = { entry = entry, token = token, due = entry.due }
    if self.cache:look_again(entry) then -- before the lock was this worker's
        unlock(self, item)
        return nil
    end
    return item
end

-- The next of `lane` that is `what` ("due", "ripe") and for this worker to renew.
local function take_next(self, lane, what)
    local key, moment = lane[what]:first()
    while key and moment <= self.now() do
        take_out(lane, key)
        local entry = self.cache.entries.items[key]
        local item = entry and entry.snapshot and claim(self, entry)
        if item then
            return item
        end
        key, moment = lane[what]:first()
    end
    return nil
end

-- Ends --------------------------------------------------------------------------------------------

local function end_one(self, item, result, message, word)
    local entry = item.entry
    entry.alone = not result and entry.alone -- storing it puts it into a lane
    self.cache:store(entry.policy, result, message, word)
    unlock(self, item)
    if result then
        self.count("vault_refresh_lag_seconds_sum", nil, math.max(self.now() - item.due, 0))
        self.count("vault_refresh_lag_seconds_count", nil, 1)
    elseif self.cache.entries.items[entry.key] == entry and put_off(self, entry, word) then
        self.warn(message .. "; its old value stays in use")
    end
end

local function heed(self, policy, message, word)
    if word == "access_denied" then
        self.numbers:set(DENIED .. policy.group, 1, DENIED_FOR)
        return
    elseif word == "throttled" then
        self.brake:throttled(policy.group)
        self.count("vault_throttles_total", nil, 1)
    end
    if word ~= "cancelled" then
        self.brake:failed(policy.group, policy.may_retry(word), message)
    end
end

-- Nothing came of any of them. Where that may be due to one, each is asked for by itself.
local function end_failed_batch(self, items, message, word)
    local group, is_news = items[1].entry.policy.group, false
    self.count("vault_fetches_total", word, #items)
    for _, item in ipairs(items) do
        local entry = item.entry
        self.cache:keep_on_shelf(entry)
        unlock(self, item)
        if word == "access_denied" or OF_ONE[word] then
            entry.alone = OF_ONE[word]
            put(self, entry, self.now())
        else
            is_news = put_off(self, entry, word) or is_news
        end
    end
    if is_news and self.refused[group] ~= word then -- which all the others would say, too
        self.refused[group] = word
        self.warn(message .. "; the old values stay in use")
    end
end

local function end_batch(self, items, result)
    for i, item in ipairs(items) do
        local entry = result.entries[i]
        if entry.word then
            end_one(self, item, nil, entry.message, entry.word)
        else
            end_one(self, item, entry)
        end
    end
    -- Whatever it said of each secret, AWS has answered.
    self.brake:succeeded(items[1].entry.policy.group)
    if (result.attempts or 1) > 1 then
        self.count("vault_retries_total", nil, result.attempts - 1)
    end
end

-- Made in a function that returns, as what the cache gives its loads: see there.
local function ending_batch(self, items)
    return function(result, message, word)
        self.batches = self.batches - 1
        if result then
            end_batch(self, items, result)
        else
            heed(self, items[1].entry.policy, message, word)
            end_failed_batch(self, items, message, word)
        end
        self:step()
    end
end

local function ending_single(self, item)
    return function(result, message, word)
        self.singles = self.singles - 1
        if word == "throttled" then
            self.brake:throttled(item.entry.policy.group)
        end
        end_one(self, item, result, message, word)
        self:step()
    end
end

-- Beginnings --------------------------------------------------------------------------------------

local function begin_batch(self, items)
    local policies = {}
    for i, item in ipairs(items) do
        policies[i] = item.entry.policy
    end
    self.batches = self.batches + 1
    self.count("vault_batches_total", nil, 1)
    self.count("vault_batch_secrets_total", nil, #items)
    local ok, message, word = self.fetch_batch(policies, ending_batch(self, items))
    if not ok then
        self.batches = self.batches - 1
        end_failed_batch(self, items, message, word)
    end
end

local function begin_single(self, item)
    self.singles = self.singles + 1
    local ok, message, word = self.fetch_one(item.entry.policy, ending_single(self, item))
    if not ok then
        self.singles = self.singles - 1
        end_one(self, item, nil, message, word)
    end
end

-- Seconds until the pace allows another one: 0 takes it. Every twentieth single fetch costs what a
-- batch does.
local function pace(self, name, by_batch)
    local group = self.groups[name]
    if not by_batch and group.credit > 0 then
        group.credit = group.credit - 1
        return 0
    end
    local wait = self.brake:pace(name)
    if wait <= 0 and not by_batch then
        group.credit = SINGLES_PER_SLOT - 1
    end
    return wait
end

-- Whether as many are in flight as may be: the end of one begins the next.
local function is_busy(self, by_batch)
    if by_batch then
        return self.batches >= BATCHES_MOST
    end
    return self.singles >= self.singles_most
end

-- Seconds until a fetch of `group` may begin; 0: it is to begin now. While the circuit is open: one
-- in each of its periods.
local function wait_of(self, group, by_batch)
    if self.brake:is_open(group) then
        return self.brake:may_probe(group) and 0 or math.huge
    end
    return pace(self, group, by_batch)
end

-- Begin one fetch out of `lane`: 0; or the seconds until one may begin; or nil: none is due.
local function begin_one(self, group, lane, by_batch)
    local item = take_next(self, lane, "due")
    if not item then
        return nil
    end
    local wait = wait_of(self, group, by_batch)
    if wait > 0 then
        unlock(self, item)
        put(self, item.entry, item.entry.due, item.entry.ripe)
        return wait
    end
    if not by_batch then
        begin_single(self, item)
        return 0
    end
    local items = {}
    while item do
        items[#items + 1] = item
        item = #items < BATCH_MOST and take_next(self, lane, "ripe")
    end
    begin_batch(self, items)
    return 0
end

local function begin_next(self, group, lane, by_batch)
    local _, moment = lane.due:first()
    if not moment or moment > self.now() then
        return nil
    elseif is_busy(self, by_batch) then
        return math.huge
    elseif not by_batch then
        return begin_one(self, group, lane, false)
    end
    local token, holder = self.locks:take(GATHER .. group, GATHER_MOST)
    if holder then
        return GATHER_AGAIN
    end
    local wait = begin_one(self, group, lane, by_batch)
    if token then
        self.locks:release(GATHER .. group, token)
    end
    return wait
end

local function begin_all(self, group, lane, by_batch)
    local wait
    repeat
        wait = begin_next(self, group, lane, by_batch)
    until wait ~= 0
    return wait or math.huge
end

-- Begin what is due and may begin. Never waits; to be called every tenth of a second or so, and
-- called whenever a fetch has ended.
-- Seconds until more may begin, where the pace held something back; else math.huge.
function methods:step()
    local wait = math.huge
    if self.leaving() then
        return wait
    end
    for name, group in pairs(self.groups) do
        local by_batch = not self.numbers:get(DENIED .. name)
        wait = math.min(wait, begin_all(self, name, group.together, by_batch),
            begin_all(self, name, group.alone, false))
        if group.together.due.count + group.alone.due.count == 0 then
            self.groups[name] = nil
        end
    end
    return wait
end

return _M
