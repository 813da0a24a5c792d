-- node - this worker's part in what the node keeps: who is made, and who is told what.
--
-- For:   the cache and all that it works with, put together; what a worker begins when it starts.
-- Never: rules of any of them.

local aws = require "vault.aws"
local anew = require "vault.anew"
local brake_of = require "vault.brake"
local cache_of = require "vault.cache"
local clock_of = require "vault.clock"
local core = require "vault.core"
local dereference = require "vault.dereference"
local failures_of = require "vault.failures"
local fetch = require "vault.fetch"
local heartbeat = require "vault.heartbeat"
local held = require "vault.held"
local locks_of = require "vault.locks"
local metrics_of = require "vault.metrics"
local news_of = require "vault.news"
local numbers_of = require "vault.numbers"
local quote = require("vault.reference").quote
local refresh_of = require "vault.refresh"
local renewal_of = require "vault.renewal"
local resolve = require "vault.resolve"
local roomy_of = require "vault.roomy"
local shelf_of = require "vault.shelf"
local vaults = require "vault.vaults"

local _M = {}

local DICT, LOCKS = "vault_secrets", "vault_locks"
local SINGLES_MOST = 16 -- single fetches of refresh in flight on the node
local RENEWED_AT_ONCE = 8 -- secrets of a vault that is refreshed
local WARN_EVERY, REFUSED_MOST = 60, 10 -- seconds; names in one warning
local EACH_BEAT, EACH_SECOND, EACH_MINUTE = 1, 10, 600 -- of vault.heartbeat

local dict, locks_dict -- of this node, or nil
local parts = {} -- cache, shelf, brake, metrics, refresh
local refused, warned_at = {}, 0 -- names of secrets that the dict did not take

local function warn(message)
    ngx.log(ngx.WARN, "vault: ", message)
end

-- Each worker's own: math.random's numbers are the same in all workers, unless somebody seeds it.
local seed = 1
local function random()
    seed = seed * 16807 % 2147483647
    return seed / 2147483647
end

-- The brake's slots are milliseconds: the time of this turn of nginx's loop may be long past.
local function fresh_now()
    ngx.update_time()
    return ngx.now()
end

local function count(name, label, n)
    parts.metrics:count(name, label, n or 1)
end

local function on_open(message)
    warn("ten calls of AWS in a row came to nothing: until it answers it is asked once in a few "
        .. "seconds, and old values serve; the last one: " .. message)
end

local function on_close()
    ngx.log(ngx.NOTICE, "vault: AWS is asked as usual again")
end

-- The dict takes no more: this worker keeps its own. Said once a minute, by name.
local function on_full(name)
    count("vault_dict_refusals_total")
    name = quote(name)
    if not refused[name] and #refused < REFUSED_MOST then
        refused[name], refused[#refused + 1] = true, name
    end
    if ngx.now() < warned_at + WARN_EVERY then
        return
    end
    warned_at = ngx.now()
    warn("the shared dict is full: each worker fetches for itself, among others: "
        .. table.concat(refused, ", "))
    refused = {}
end

local function on_locks_full()
    warn("the shared dict " .. LOCKS .. " is full: each worker fetches and counts for itself, and "
        .. "vaults cannot be changed")
end

local function roomy(name, full)
    return roomy_of.new { dict = ngx.shared[name], now = ngx.now, on_full = full }
end

-- run(item) for all of `list`, RENEWED_AT_ONCE at a time. context: where light threads are
local function each(list, run)
    local threads, taken = {}, 0
    local function work()
        while taken < #list do
            taken = taken + 1
            run(list[taken])
        end
    end
    for i = 1, math.min(RENEWED_AT_ONCE, #list) do
        threads[i] = ngx.thread.spawn(work)
    end
    for _, thread in ipairs(threads) do
        ngx.thread.wait(thread)
    end
end

local function make_renewal()
    return renewal_of.new { dict = locks_dict, now = ngx.now, numbers = parts.numbers,
                            secrets = held.secrets, refresh = anew.refresh, each = each,
                            warn = warn }
end

local function changed()
    held.cool()
    dereference.changed()
end

-- Put it together, in init: no worker is there yet.
--
-- options  dict: name; max_entries; rate: batch calls a second
function _M.configure(options)
    local name = options.dict or DICT
    dict = roomy(name)
    locks_dict = name ~= LOCKS and roomy(LOCKS, on_locks_full) or dict
    if not dict then
        warn("no lua_shared_dict " .. name .. ": each worker caches for itself")
    end
    parts.metrics = metrics_of.new { dict = locks_dict }
    parts.brake = brake_of.new { dict = locks_dict, now = fresh_now, turn = ngx.now,
                                 random = random, rate = options.rate, on_open = on_open,
                                 on_close = on_close }
    parts.shelf = shelf_of.new { dict = dict, on_full = on_full }
    parts.cache = cache_of.new {
        shelf = parts.shelf, now = ngx.now, started = ngx.now(), brake = parts.brake,
        max_entries = options.max_entries, count = count, on_change = changed,
        on_flush = resolve.drop,
        on_entry = function(entry)
            if parts.refresh then
                parts.refresh:schedule(entry)
            end
        end,
    }
    parts.numbers = numbers_of.new { dict = locks_dict, now = ngx.now }
    parts.renewal = make_renewal()
    local settings = { cache = parts.cache, dict = dict, numbers = parts.numbers, now = ngx.now,
                       warn = warn, max_entries = options.max_entries,
                       on_change = dereference.changed }
    resolve.configure(settings)
    anew.configure(settings)
    dereference.configure(settings)
end

local function make_locks()
    local pid, started = core.process()
    return locks_of.new { dict = locks_dict, now = ngx.now, pid = pid, started = started,
                          alive = core.is_alive }
end

-- A path that is relative is so to nginx's prefix, wherever nginx was started.
local function whole_path(path)
    return path and path:sub(1, 1) ~= "/" and ngx and ngx.config.prefix() .. path or path
end

-- What vault.vaults is configured with, after configure(); outside nginx nothing is shared.
--
-- options  vaults: a list of entities or the path of a file; state: the path of a file
function _M.vault_settings(options)
    local given = options.vaults
    local is_path = type(given) == "string"
    local settings = { entities = not is_path and given or nil,
                       file = is_path and whole_path(given) or nil,
                       state = whole_path(options.state), on_change = resolve.forget }
    if ngx and ngx.shared then
        settings.dict, settings.now, settings.warn = locks_dict, ngx.now, warn
        settings.locks = make_locks()
    end
    return settings
end

-- The privileged agent and helpers of nginx serve nobody.
local function serves()
    return ngx.worker.id() ~= nil
end

local function make_refresh(locks)
    return refresh_of.new {
        cache = parts.cache, locks = locks, brake = parts.brake, numbers = parts.numbers,
        now = ngx.now, random = random, count = count, warn = warn,
        fetch_batch = aws.start_batch, fetch_one = aws.start, leaving = ngx.worker.exiting,
        singles_most = math.max(1, math.floor(SINGLES_MOST / ngx.worker.count())),
    }
end

local function count_hits()
    count("vault_hits_total", "worker", held.take_hits())
    parts.metrics:flush()
end

-- What other workers changed: the vaults, and the secrets.
local NEWS = {
    warn = warn,
    { every = EACH_BEAT, run = vaults.read_news },
    { every = EACH_BEAT, run = function() parts.cache:read_news() end },
}

-- Beside the beats, which go on while it waits for AWS.
local function read_renewals()
    if parts.renewal:is_told() then
        ngx.timer.at(0, function(premature)
            if not premature then
                parts.renewal:read()
            end
        end)
    end
end

local function read_clock(clock)
    if clock:read() then
        warn("the clock was set back: what is held is renewed as if it had just been fetched")
    end
end

local function start_heart()
    local clock = clock_of.new { cache = parts.cache, now = ngx.now }
    return heartbeat.start {
        warn = warn, last = count_hits,
        { every = EACH_BEAT, run = function() read_clock(clock) end },
        NEWS[1], NEWS[2],
        { every = EACH_BEAT, run = function() return parts.refresh:step() end },
        { every = EACH_SECOND, run = count_hits },
        { every = EACH_SECOND, run = read_renewals },
        { every = EACH_MINUTE, run = dereference.mark_used },
    }
end

-- In init_worker, after fork: what the master held is dropped, since it will learn of no change.
function _M.init_worker()
    resolve.drop()
    if not parts.cache or not serves() then
        return
    end
    local pid, started = core.process()
    seed = (pid * 7919 + started) % 2147483646 + 1
    local locks = make_locks()
    vaults.start { locks = locks, wait = ngx.sleep }
    parts.cache.news = dict and news_of.new { dict = dict, now = ngx.now }
    parts.cache:note_flush() -- the news before this are not read
    parts.refresh = make_refresh(locks)
    if locks_dict then
        fetch.share { locks = locks, failures = failures_of.new(locks_dict) }
    end
    if not start_heart() then
        warn("this worker takes no timer: nothing is renewed ahead of time")
    end
end

-- This worker leaves: it has no beats any more.
function _M.leave()
    if parts.cache then
        held.leave(function() heartbeat.beat(NEWS, 0) end)
    end
end

-- Forget all secrets on the node: each is fetched again when it is wanted. The time of this turn
-- may be from long ago, and what was asked for since is not to be kept either.
function _M.flush()
    if not parts.cache then
        return
    end
    ngx.update_time()
    if locks_dict ~= dict then
        return parts.cache:flush()
    end
    vaults.keep_while(function() parts.cache:flush() end)
end

-- Fetch anew what the node holds of the vault with this prefix; see vault.renewal. Before init
-- nothing is held.
function _M.renew(prefix)
    if not parts.renewal then
        return { secrets = 0, failed = 0 }
    end
    return parts.renewal:ask(prefix)
end

-- Only of what is in use: nobody renews the rest.
local function look_at_entries(now)
    local oldest, resurrected = {}, 0
    for _, entry in pairs(parts.cache.entries.items) do
        local snapshot = not (entry.idle or entry.loose) and entry.snapshot
        if snapshot then
            local vault = entry.policy.vault or "aws"
            oldest[vault] = math.max(oldest[vault] or 0, now - snapshot.fetched)
            resurrected = resurrected + (snapshot.expires <= now and 1 or 0)
        end
    end
    return oldest, resurrected
end

-- { source -> seconds until the first of its credentials runs out }
local function credential_expiries(now)
    local first = {}
    for _, kept in ipairs(core.credentials()) do
        if kept.expires > 0 then
            first[kept.source] = math.min(first[kept.source] or math.huge, kept.expires - now)
        end
    end
    return first
end

local function gauges()
    local oldest, resurrected = look_at_entries(ngx.now())
    local list = {
        { name = "vault_resurrected_secrets", value = resurrected,
          help = "Secrets of this worker that serve past their ttl." },
        { name = "vault_entries", label = { "level", "worker" },
          value = parts.cache.entries.count, help = "Secrets kept, by level." },
    }
    for vault, age in pairs(oldest) do
        list[#list + 1] = { name = "vault_oldest_value_age_seconds", label = { "vault", vault },
                            value = age, help = "Age of the oldest value in use, by vault." }
    end
    for source, left in pairs(credential_expiries(ngx.now())) do
        list[#list + 1] = { name = "vault_credential_expiry_seconds", label = { "source", source },
                            value = left,
                            help = "Until this worker's credentials run out, by their source." }
    end
    return list
end

-- Counters of the node and gauges of this worker, as Prometheus text.
function _M.metrics()
    if not parts.metrics then
        return ""
    end
    return parts.metrics:text(gauges())
end

-- What is there, in numbers: nothing secret.
function _M.status()
    return {
        version = core._VERSION, worker = { pid = ngx.worker.pid(), id = ngx.worker.id() },
        vaults = #vaults.list(), secrets = parts.cache and parts.cache.entries.count or 0,
        dict = dict and { capacity = dict:capacity(), free_space = dict:free_space() } or nil,
        credentials = core.credentials(),
    }
end

return _M
