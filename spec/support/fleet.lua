-- fleet - the workers of a node that renew their secrets, over simulated time.
--
-- For:   specs of vault.refresh: cache, locks, brake, news and refresh of each worker over one
--        shared dict, and an AWS that answers after a while.
-- Never: nginx, the engine, waiting requests: what a worker has to fetch itself it has at once.

local brake = require "vault.brake"
local cache = require "vault.cache"
local dicts = require "spec.support.dict"
local locks = require "vault.locks"
local news = require "vault.news"
local numbers = require "vault.numbers"
local queue = require "vault.queue"
local refresh = require "vault.refresh"
local shelf = require "vault.shelf"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local BEAT = 0.1
local TRANSIENT = { timeout = true, throttled = true, server_error = true, connect_failed = true }

local function may_retry(word)
    return TRANSIENT[word] or false
end

local function may_cache(word)
    return word ~= "internal" and word ~= "cancelled"
end

-- A node. options: workers (1), rate (0: no pacing), max_entries, beat (seconds, more where a spec
-- is long). It has aws: see below; clock; counts: metrics of all workers; begin: where a spec sets
-- it, what stands in for beginning to fetch.
function _M.new(options)
    local self = setmetatable({
        clock = 1700000000.123, events = queue.new(), actions = {}, ordered = 0,
        options = options, workers = {}, dead = {}, counts = {}, warned = {}, policies = {},
        -- What AWS is asked, { at, kind = "batch"|"single"|"get", names }, and how it answers:
        -- delay: after how many seconds; word: function(names, kind) -> what the call fails with;
        -- errors: name -> word of that secret in a batch's answer; versions: name -> VersionId;
        -- attempts: by how many calls each batch came (1)
        aws = { calls = {}, delay = 0.02, word = function() end, errors = {}, versions = {},
                flying = 0, most = 0 },
    }, metatable)
    self.now = function() return self.clock end
    self.dict = dicts.new { now = self.now }
    for _ = 1, options.workers or 1 do
        self:start_worker()
    end
    return self
end

-- Time --------------------------------------------------------------------------------------------

function methods:at(moment, action)
    self.ordered = self.ordered + 1
    self.actions[self.ordered] = action
    self.events:put(self.ordered, moment)
end

-- Let `seconds` pass with all that happens in them.
function methods:pass(seconds)
    local till = self.clock + seconds
    local number, moment = self.events:first()
    while number and moment <= till do
        self.clock = math.max(self.clock, moment)
        local action = self.actions[number]
        self.actions[number] = nil
        self.events:remove(number)
        action()
        number, moment = self.events:first()
    end
    self.clock = till
end

-- AWS ---------------------------------------------------------------------------------------------

local function answer_of(self, name)
    local word = self.aws.errors[name]
    if word then
        return { word = word, message = "planted " .. word }
    end
    return { payload = "p of " .. name, binary = false,
             version_id = self.aws.versions[name] or "v1" }
end

local function answer(self, kind, names)
    local word = self.aws.word(names, kind)
    if word then
        return nil, "planted " .. word, word
    end
    local entries = {}
    for i, name in ipairs(names) do
        entries[i] = answer_of(self, name)
    end
    if kind == "batch" then
        return { entries = entries, attempts = self.aws.attempts or 1 }
    end
    if entries[1].word then
        return nil, entries[1].message, entries[1].word
    end
    return entries[1]
end

local function call(self, kind, names)
    table.insert(self.aws.calls, { at = self.clock, kind = kind, names = names })
end

local function fly(self, worker, kind, names, on_done)
    local aws = self.aws
    call(self, kind, names)
    if kind == "single" then
        aws.flying = aws.flying + 1
        aws.most = math.max(aws.most, aws.flying)
    end
    local delay = type(aws.delay) == "function" and aws.delay() or aws.delay
    self:at(self.clock + delay, function()
        if kind == "single" then
            aws.flying = aws.flying - 1
        end
        if not worker.killed then
            on_done(answer(self, kind, names))
        end
    end)
    return true
end

-- The calls since `moment` of `kind` (nil: any).
function methods:calls(kind, moment)
    local calls = {}
    for _, one in ipairs(self.aws.calls) do
        if (not kind or one.kind == kind) and one.at >= (moment or 0) then
            calls[#calls + 1] = one
        end
    end
    return calls
end

-- name -> how often it was asked for since `moment`.
function methods:asked(moment)
    local counts = {}
    for _, one in ipairs(self:calls(nil, moment)) do
        for _, name in ipairs(one.names) do
            counts[name] = (counts[name] or 0) + 1
        end
    end
    return counts
end

-- Workers -----------------------------------------------------------------------------------------

local function names_of(policies)
    local names = {}
    for i, policy in ipairs(policies) do
        names[i] = policy.resource
    end
    return names
end

local function counter(self)
    return function(name, label, n)
        name = label and name .. " " .. label or name
        self.counts[name] = (self.counts[name] or 0) + (n or 1)
    end
end

-- One that is called before the next beat where it asks for that.
local function beat(self, worker)
    local till = self.clock + (self.options.beat or BEAT)
    local function step()
        if worker.killed then
            return
        end
        local wait = math.max(worker.refresh:step(), 0.001)
        if self.clock + wait < till then
            self:at(self.clock + wait, step)
        end
    end
    if not worker.killed then
        self:at(till, function() beat(self, worker) end)
        worker.cache:read_news()
        step()
    end
end

local function members(self, worker, pid)
    worker.locks = locks.new { dict = self.dict, now = self.now, pid = pid, started = 1,
                               alive = function(asked) return not self.dead[asked] end }
    worker.brake = brake.new { dict = self.dict, now = self.now, random = math.random,
                               rate = self.options.rate or 0 }
    worker.cache = cache.new {
        shelf = shelf.new { dict = self.dict }, now = self.now, brake = worker.brake,
        news = news.new { dict = self.dict, now = self.now }, count = counter(self),
        max_entries = self.options.max_entries,
        on_entry = function(entry)
            if worker.refresh then
                worker.refresh:schedule(entry)
            end
        end,
    }
end

-- A worker more: { cache, locks, brake, refresh, pid }.
function methods:start_worker()
    local pid = 100 + #self.workers
    local worker = { pid = pid }
    members(self, worker, pid)
    worker.refresh = refresh.new {
        cache = worker.cache, locks = worker.locks, brake = worker.brake,
        numbers = numbers.new { dict = self.dict, now = self.now },
        now = self.now, random = math.random, count = counter(self),
        warn = function(message) table.insert(self.warned, message) end,
        singles_most = math.floor(16 / (self.options.workers or 1)),
        fetch_batch = function(policies, on_done)
            return (self.begin or fly)(self, worker, "batch", names_of(policies), on_done)
        end,
        fetch_one = function(policy, on_done)
            return (self.begin or fly)(self, worker, "single", { policy.resource }, on_done)
        end,
    }
    self.workers[#self.workers + 1] = worker
    self:at(self.clock + BEAT * math.random(), function() beat(self, worker) end)
    return worker
end

-- SIGKILL.
function methods:kill(worker)
    worker.killed, self.dead[worker.pid] = true, true
end

local function policy_of(self, name, changes)
    local ttl = changes.ttl or 60
    local id = name .. " " .. ttl
    local policy = self.policies[id]
    if not policy then
        policy = { key = name, group = "g", resource = name, ttl = ttl, neg_ttl = 0,
                   resurrect_ttl = 1e6, timeout = 10, batchable = true, may_cache = may_cache,
                   may_retry = may_retry }
        for field, value in pairs(changes) do
            policy[field] = value
        end
        self.policies[id] = policy
    end
    return policy
end

-- The snapshot of `name` on `worker`, as a request has it. Where another worker, or refresh,
-- fetches it, the request waits for that, in vain.
function methods:get(worker, name, changes)
    local policy = policy_of(self, name, changes or {})
    return worker.cache:get(policy, function(on_done)
        if worker.locks:holder(name) then
            self.waited = (self.waited or 0) + 1
            return nil, "another fetches it", "timeout"
        end
        call(self, "get", { name })
        local result, message, word = answer(self, "get", { name })
        return on_done(result, message, word, policy), message, word
    end)
end

-- All workers have the secrets named prefix .. 1 to `count`.
function methods:warm(count, changes, prefix)
    for _, worker in ipairs(self.workers) do
        for i = 1, count do
            self:get(worker, (prefix or "s") .. i, changes)
        end
    end
end

-- How old what `worker` holds of `name` is, in seconds.
function methods:age(worker, name)
    return self.clock - worker.cache.entries.items[name].snapshot.fetched
end

return _M
