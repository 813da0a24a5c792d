-- fetch - one fetch of one secret on the node, and all who wait for it.
--
-- For:   one fetch per key and worker, shared by all who ask for it, and one per key and node, by a
--        lock; waiting where the phase can wait, blocking in init and on the command line, starting
--        without waiting elsewhere.
-- Never: caching, references, retries (C's), the engine's results (collector).
--
-- A fetch belongs to the worker. A request only waits on a semaphore: whoever is killed while it
-- waits (a client that left) takes nothing along.

local blocking = require "vault.blocking"
local collector = require "vault.collector"
local hand_over = require("vault.handover").run
local late = require "vault.late"
local semaphores = require "vault.semaphores"
local untold = require "vault.untold"
local watch_of = require "vault.watch"

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}

-- The first phases of TLS can wait only where nginx and OpenSSL are patched for it: elsewhere the
-- handshake ends there, in silence. OpenResty's are; ngx.pipe, which needs another patch of that
-- set, tells.
local PATCHED = ngx ~= nil and pcall(require, "ngx.pipe")
local YIELDABLE = {
    server_rewrite = true, rewrite = true, access = true, content = true, timer = true,
    preread = true, ssl_cert = true, ssl_client_hello = PATCHED, ssl_session_fetch = PATCHED,
}
local COLLECT_MOST = 0.01 -- seconds between two looks of a waiter where nobody collects for it
local LOOK = 1 -- seconds after which a waiter looks whether somebody still collects or watches
local SHORTEST = 0.001 -- seconds; for less nginx does not wait, and its clock would stand still
local HOLDERS_MOST = 2 -- other workers waited for in vain, after which this one goes on by itself
local EARLIER_MOST = 2 -- fetches that are waited for because they began too early
local NO_OPTIONS = {}
local GRACE = 1 -- seconds a waiter gives the engine beyond the fetch's own timeout

local locks, failures, watch -- nil: a worker alone

-- key -> record: { key, request, on_done, about, options, waiters (who ever waited), left (those of
-- them who do not any more), semaphore (false: nobody waits), done, result, message, word, token,
-- holder, holders, began }. Where `holder` is set another worker of the node fetches it, and may
-- have begun earlier. Its methods are what the collector and the watch ask and tell it.
local by_key = {}
local methods = {}
local metatable = { __index = methods }

local function phase()
    return ngx and ngx.get_phase and ngx.get_phase() or "init"
end

-- ca_file       path or nil
-- timer_at      nil: ngx.timer.at, see vault.collector
-- init_timeout  seconds for all blocking fetches of one init or init_worker together
-- load_by       for people: how this module is loaded in init
function _M.configure(options)
    collector.configure(options)
    blocking.configure(options)
    late.configure(options)
end

-- From now on one fetch per key and node.
--
-- locks     of vault.locks
-- failures  { put(token, message, word), get(token) -> message, word }: how a fetch of another
--           worker failed
function _M.share(options)
    locks, failures = options.locks, options.failures
    watch = watch_of.new(locks)
end

-- Ends --------------------------------------------------------------------------------------------

-- All who wait for `record` are served.
local function conclude(record, kept, message, word)
    if by_key[record.key] == record then
        by_key[record.key] = nil
    end
    record.result, record.message, record.word, record.done = kept, message, word, true
    untold.ended(record.key, record.waiters == 0 and word and record or nil)
    if record.semaphore then
        semaphores.wake(record.semaphore)
    end
end

-- Whoever was killed while it waited has left its semaphore.
function methods:is_waited()
    return self.semaphore and self.semaphore:count() < 0
end

-- The lock lasts GRACE longer than the fetch may.
local function release(record)
    local seconds = record.request.timeout or 10
    locks:release(record.key, record.token, ngx.now() - record.began < seconds)
end

-- A request that comes yet may collect it, but no other worker waits for that.
function methods:abandoned()
    if self.token then
        release(self)
        self.token = false
    end
    return false
end

-- Others wait for the lock: they are told of a failure before it is free.
function methods:ended(result, message, word)
    local kept
    kept, message, word = hand_over(self.on_done, self.about, result, message, word)
    if self.token then
        if word then
            failures.put(self.token, message, word)
        end
        release(self)
    end
    conclude(self, kept, message, word)
end

-- Beginnings --------------------------------------------------------------------------------------

local begin

local function seconds_of(request)
    return (request.timeout or 10) + GRACE
end

-- Whether another worker has kept what `record` is for, which is its end then.
local function is_kept(record)
    local ok, kept = pcall(record.options.peek, record.options)
    if ok and kept then
        conclude(record, kept)
        return true
    end
    return false
end

-- The other worker has come to an end: with a value, with a failure, or with nothing, as where it
-- was killed or the dict takes no more; then this worker fetches.
function methods:released()
    if is_kept(self) then
        return
    end
    local message, word = failures.get(self.holder)
    self.holder = nil
    if not message then
        local ok
        ok, message, word = begin(self)
        if ok then
            return
        end
    end
    conclude(self, nil, message, word)
end

-- Begin to fetch, or to wait for whoever does on this node. true | nil, message, word
local function try_to_begin(record)
    if locks and record.options.peek and record.holders < HOLDERS_MOST
        and not ngx.worker.exiting() then -- where perhaps nobody comes to give the lock back
        record.token, record.holder = locks:take(record.key, seconds_of(record.request))
    end
    if record.holder then
        record.holders = record.holders + 1
        watch:add(record.key, record.holder, record)
        return true
    end
    if record.token and is_kept(record) then -- by who had the lock when this worker looked before
        release(record)
        return true
    end
    return collector.submit(record.request, record)
end

-- The same, and what was raised is a failure: nobody may wait for what never began.
function begin(record)
    record.began = ngx.now()
    local called, ok, message, word = pcall(try_to_begin, record)
    if not called then
        ok, message, word = nil, "the fetch could not begin: " .. tostring(ok), "internal"
    end
    if not ok and record.token then
        release(record)
    end
    return ok, message, word
end

-- Waiting -----------------------------------------------------------------------------------------

-- Whether somebody sees to the end of `record`.
local function is_seen_to(record)
    if record.holder then
        return watch:ensure()
    end
    return collector.ensure()
end

local function look(record)
    collector.take()
    if record.holder then
        watch:look(record.key)
    end
end

-- Where the worker takes no more timers whoever waits looks for itself.
local function wait_step(record, left)
    if is_seen_to(record) then
        return record.semaphore:wait(math.min(left, LOOK))
    end
    look(record)
    return record.done or record.semaphore:wait(math.min(left, COLLECT_MOST))
end

-- The last to leave gives the semaphore back. Whoever was killed never leaves: then it serves no
-- more.
local function leave(record)
    record.left = record.left + 1
    if record.left == record.waiters then
        semaphores.give(record.semaphore)
        record.semaphore = false
    end
end

-- Who comes when the time is over looks once: perhaps nobody else does.
local function wait_for_end(record, deadline)
    record.semaphore = record.semaphore or semaphores.take()
    record.waiters = record.waiters + 1
    repeat
        wait_step(record, math.max(deadline - ngx.now(), 0))
    until record.done or deadline - ngx.now() < SHORTEST
    leave(record)
end

local function wait(record, deadline)
    if not record.done then
        wait_for_end(record, deadline)
    end
    if not record.done then
        return nil, "the engine did not answer in time", "timeout"
    end
    return record.result, record.message, record.word
end

local function deadline_of(record, options)
    local seconds = seconds_of(record.request)
    local patience = options and options.patience
    return record.began + (patience and math.min(patience, seconds) or seconds)
end

-- Whether what `record` brings may be from before the moment `since`.
local function is_earlier(record, since)
    if record.holder then
        return (record.options.since or -math.huge) < since
    end
    return record.began <= since
end

-- Wait for the fetch for `key` that began too early, and for one more that another worker may have
-- begun, till the moment `over`; whoever comes after these began late enough.
local function wait_for_earlier(key, options, over)
    for _ = 1, EARLIER_MOST do
        local record = by_key[key]
        if not record or not is_earlier(record, options.since) then
            break
        end
        wait(record, math.min(deadline_of(record, options), over))
    end
end

-- For phases that cannot wait: what is known already, or what came of the last fetch for which
-- nobody waited.
local function not_waiting(record, now_in, since)
    local is_wanted = not (since and is_earlier(record, since))
    is_seen_to(record)
    look(record)
    local failure = untold.take(record.key)
    if record.done and is_wanted then
        return record.result, record.message, record.word
    elseif failure then
        return nil, failure.message, failure.word
    end
    return nil, ("the %s phase of nginx cannot wait; the fetch is under way"):format(now_in),
        "pending"
end

-- Interface ---------------------------------------------------------------------------------------

-- Whether this phase blocks.
function _M.blocks()
    local now_in = phase()
    return now_in == "init" or now_in == "init_worker"
end

-- Call in init_worker: see vault.collector.
function _M.init_worker(leaving)
    blocking.init_worker()
    collector.init_worker(leaving)
end

local function new_record(key, request, on_done, options, about)
    -- What is set later on has its room from the beginning.
    return setmetatable({ key = key, request = request, on_done = on_done, about = about,
                          waiters = 0, left = 0, holders = 0, options = options or NO_OPTIONS,
                          began = 0, token = false, done = false, semaphore = false }, metatable)
end

-- Fetch one secret.
--
-- key      what selects the bytes: who asks for the same key while a fetch is under way joins it
-- request  for the engine: { secret_id, timeout? (seconds), terms }, terms being what it has in
--          common with others: { stage?, region?, endpoint_url?, .. }
-- on_done  function(result, message, word, about), called once when the fetch ends, and not in the
--          caller's light thread; it must not yield. What it returns is what all who ask are given.
--          Its upvalues must not be variables of a function that waits for this one to return: a
--          light thread that is killed takes those along.
--          result: { payload, binary, version_id, arn, attempts (nil: 1), began (seconds) }
-- options  nil, or { patience, peek, since }: seconds after the fetch's beginning in which this
--          call is over, the fetch done or not; function(options) -> what another worker has kept
--          since; the moment after which the fetch must have begun: no earlier one is joined.
--          Without peek nothing of it is kept where others find it, and none is waited for.
-- about    anything, or nil: for on_done
--
-- context: any. In phases that cannot wait the fetch is started: nil, message, "pending", or what
-- the fetch before this one failed with, where nobody has been told. In exit_worker: "cancelled".
-- value | nil, message, word
function _M.get(key, request, on_done, options, about)
    local now_in = phase()
    if _M.blocks() then
        return hand_over(on_done, about, blocking.run(request))
    end
    if now_in == "exit_worker" then -- no timer, no connection, and nobody to collect
        return nil, "the worker is leaving", "cancelled"
    end
    local since, over = options and options.since, ngx.now() + seconds_of(request)
    if since and YIELDABLE[now_in] then
        wait_for_earlier(key, options, over)
    end
    local record = by_key[key]
    if not record then
        record = new_record(key, request, on_done, options, about)
        by_key[key] = record
        local ok, message, word = begin(record)
        if not ok then
            by_key[key] = nil
            return nil, message, word
        end
    end
    if YIELDABLE[now_in] then
        return wait(record, math.min(deadline_of(record, options), over))
    end
    return not_waiting(record, now_in, since)
end

-- A fetch for which nobody waits.
local unheard = { __index = {
    is_waited = function() return false end,
    abandoned = function(self)
        self:ended(nil, "the worker is leaving", "cancelled")
        return true
    end,
    ended = function(self, result, message, word)
        local kept, refusal, refused = hand_over(self.on_done, nil, result, message, word)
        if not kept and refused == "internal" then
            ngx.log(ngx.ERR, "vault: ", refusal)
        end
    end,
} }

-- Start a fetch for which nobody waits, whoever else fetches the same. `on_done` as above; what it
-- returns is nobody's. true | nil, message, word
function _M.start(request, on_done)
    return collector.submit(request, setmetatable({ on_done = on_done, began = ngx.now() },
        unheard))
end

-- Fetch several secrets in one call: request.batch instead of secret_id. Blocks in init and
-- init_worker; nowhere else.
-- { entries, attempts } | nil, message, word
function _M.run_batch(request)
    local result, message, word = blocking.run(request)
    return result, late.explain(message, word), word
end

-- How the fetch of one secret goes, without the value; blocks.
--
-- request  as for get, and key (the member that is wanted) and base64_decode
--
-- context: the command line
-- { ok, word, message?, attempts, region?, partition?, region_from?, endpoint?, source?,
--   expires? (seconds since 1970), http_status?, request_id?, skew (seconds),
--   tried = { { what, word, why? }, .. }, and of a secret that came: version_id?, arn?,
--   payload_type, value_word, value_message? }
-- nil, message, word: the engine cannot run
function _M.explain(request)
    return collector.explain(request)
end

return _M
