-- collector - from a request given to the C engine to its end, on this worker.
--
-- For:   submitting, and taking what the engine's thread has finished the moment it is; whoever
--        waits for it is told by a function.
-- Never: who waits, keys, caching.
--
-- One light thread in a timer collects: resident on a connection to the engine, or polling while
-- something is under way. What it calls must not yield, so nobody can be killed in the middle.

local core = require "vault.core"

local ngx = ngx -- luacheck: ignore 431; nil on the command line
local port = core.port

local _M = {}

local POLL_FIRST, POLL_MOST = 0.001, 0.01 -- seconds
local LEAVE_LOOK = 0.1 -- seconds between two looks whether the worker leaves
local RECEIVE_MOST = 2 ^ 30 -- milliseconds
local NONE = {}
local LOOK = 1 -- seconds after which a collector that was asked for is asked for again

local settings = {} -- for the engine: ca_file
local host_timer_at -- nil: ngx.timer.at
local function on_leaving() end
local jobs = {} -- number -> job, see submit
local collecting = false
local asked_for -- when its timer was made; past lua_max_running_timers none comes of it

-- Set what the engine goes by: ca_file (path or nil). timer_at: nginx's own, where a host has put
-- something else in the place of ngx.timer.at.
function _M.configure(options)
    settings.ca_file, host_timer_at = options.ca_file, options.timer_at
end

local function timer_at(...)
    return (host_timer_at or ngx.timer.at)(...)
end

-- What came says when it was asked for: whether that was before or after a change, the end of a
-- fetch does not tell.
local function stamp(result, began)
    if result then
        result.began = began
        for _, entry in ipairs(result.entries or NONE) do
            entry.began = began
        end
    end
end

-- Call the engine on this thread, and wait for it: for phases in which nothing can yield.
function _M.run(request)
    local began = ngx and ngx.now() or nil
    local result, message, word = core.run(request, settings)
    stamp(result, began)
    return result, message, word
end

-- How a fetch goes, on this thread: see vault.fetch.
function _M.explain(request)
    return core.explain(request, settings)
end

-- Take all that is finished.
function _M.take()
    local number, result, message, word = port:take()
    while number do
        local job = jobs[number]
        jobs[number] = nil
        if job then
            stamp(result, job.began)
            job:ended(result, message, word)
        end
        number, result, message, word = port:take()
    end
end

local function anybody_waits()
    for _, job in pairs(jobs) do
        if job:is_waited() then
            return true
        end
    end
    return false
end

-- A worker that leaves is not kept by fetches that nobody waits for.
local function is_idle()
    return port:pending() == 0 or ngx.worker.exiting() and not anybody_waits()
end

local function poll_until_idle()
    local pause = POLL_FIRST
    while not is_idle() do
        local before = port:pending()
        _M.take()
        pause = port:pending() < before and POLL_FIRST or math.min(pause * 2, POLL_MOST)
        if not is_idle() then
            ngx.sleep(pause)
        end
    end
end

local function folders()
    return core.getenv("TMPDIR") or "/tmp", "/dev/shm", ngx.config.prefix()
end

-- The collector's connection to the engine; nil where there can be none.
local function connect()
    local path = port:listen(folders())
    if not path then
        return nil
    end
    local socket = ngx.socket.tcp()
    socket:settimeouts(1000, 1000, RECEIVE_MOST)
    local ok = socket:connect("unix:" .. path)
    if not ok or not port:accept() then
        port:hang_up()
        socket:close()
        return nil
    end
    return socket
end

-- A collector blocked in receive would keep alive a worker that leaves. A timer that fires when it
-- does might not run: there may be as many running as may be.
local function hang_up_when_leaving()
    while true do
        ngx.sleep(LEAVE_LOOK)
        if ngx.worker.exiting() then
            on_leaving()
            port:hang_up()
        end
    end
end

local function listen_for_wakeups()
    local socket = connect()
    if not socket then
        ngx.log(ngx.WARN, "vault: no Unix socket can be made; fetches are polled for")
        return
    end
    repeat
        _M.take()
        local byte, err = socket:receive(1)
    until not byte and err ~= "timeout"
    socket:close()
end

-- Perhaps nobody comes any more to take what is under way: no lock is held for it.
local function abandon_all()
    for number, job in pairs(jobs) do
        if job:abandoned() then
            jobs[number] = nil
        end
    end
end

local function collect(premature, kind)
    if collecting then
        return
    end
    collecting = true
    if not premature and kind == "resident" then
        local watch = ngx.thread.spawn(hang_up_when_leaving)
        local ok, err = pcall(listen_for_wakeups)
        if not ok then
            ngx.log(ngx.ERR, "vault: the collector failed: ", err)
        end
        ngx.thread.kill(watch)
        port:hang_up()
    end
    -- Whoever still waits is served; after that each waiter finds no collector and sees to it.
    local ok, err = pcall(poll_until_idle)
    collecting, asked_for = false, nil
    if not ok then
        ngx.log(ngx.ERR, "vault: collecting failed: ", err)
    end
    if ngx.worker.exiting() then
        abandon_all()
    end
end

-- See to it that somebody collects, where a timer can be had: whether somebody does already.
function _M.ensure(kind)
    if not collecting and not (asked_for and ngx.now() < asked_for + LOOK) then
        asked_for = timer_at(0, collect, kind or "polling") and ngx.now() or nil
    end
    return collecting
end

-- Call in init_worker: starts the resident collector, so that fetches are collected the moment
-- they finish. Without it they are polled for.
--
-- leaving  nil, or function(): called once the worker leaves, or more often
function _M.init_worker(leaving)
    on_leaving = leaving or on_leaving
    _M.ensure("resident")
end

-- Give the engine a request, and see to it that somebody collects.
--
-- job  a table with began (seconds) and three methods: job:ended(result, message, word), called
--      once, by whoever collects; job:is_waited() -> whether a request waits for it;
--      job:abandoned(), called where nobody does and the worker leaves: true where that is its end
--
-- true | nil, message, word
function _M.submit(request, job)
    local number, message, word = port:submit(request, settings)
    if not number then
        return nil, message, word
    end
    jobs[number] = job
    _M.ensure()
    return true
end

return _M
