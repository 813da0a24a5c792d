-- fetch - the only caller of the C engine.
--
-- For:   one fetch per key and worker, shared by all who ask for it; waiting where the phase can
--        wait, blocking in init and on the command line, starting without waiting elsewhere; the
--        collector, which takes what the engine's thread has finished.
-- Never: caching, references, retries (C's).
--
-- A fetch belongs to the worker. A request only waits on a semaphore: whoever is killed while it
-- waits (a client that left) takes nothing along.

local core = require "vault.core"

local ngx = ngx -- luacheck: ignore 431; nil on the command line
local port = core.port

local _M = {}

local YIELDABLE = {
    server_rewrite = true, rewrite = true, access = true, content = true, timer = true,
    preread = true, ssl_cert = true, ssl_client_hello = true, ssl_session_fetch = true,
}
local POLL_FIRST, POLL_MOST = 0.001, 0.01 -- seconds
local FAR = 2 ^ 20 -- seconds; the timer that fires before its time when the worker leaves
local RECEIVE_MOST = 2 ^ 30 -- milliseconds
local GRACE = 1 -- seconds a waiter gives the engine beyond the fetch's own timeout

local settings = {} -- for the engine: ca_file
local init_timeout, init_spent = 10, 0
local late -- the sentence for a module that came too late to see the environment

-- key -> record, and number -> record: { key, number, on_done, semaphore, waiters, done, result,
-- message, word }
local by_key, by_number = {}, {}
local collector -- nil, "resident" or "polling"

local ENVIRONMENT_WORDS = { no_credentials = true, no_region = true, bad_profile = true }

local function phase()
    return ngx and ngx.get_phase and ngx.get_phase() or "init"
end

if core.captured_here and phase() ~= "init" then
    late = " (this module was first loaded in an nginx worker, where nginx has emptied the "
        .. "environment: load it in init_by_lua)"
end

-- Set what the engine goes by: ca_file (path or nil), init_timeout (seconds for all blocking
-- fetches of one init or init_worker together).
function _M.configure(options)
    settings.ca_file = options.ca_file
    init_timeout = options.init_timeout or init_timeout
end

local function explain(message, word)
    if late and ENVIRONMENT_WORDS[word] then
        return message .. late
    end
    return message
end

-- Collecting --------------------------------------------------------------------------------------

local function finish(number, result, message, word)
    local record = by_number[number]
    by_number[number] = nil
    if not record then
        return
    end
    by_key[record.key] = nil
    if message then
        message = explain(message, word)
    end
    local ok, kept = pcall(record.on_done, result, message, word)
    if not ok then
        kept, message, word = nil, "the cache failed: " .. tostring(kept), "internal"
    end
    record.done, record.result, record.message, record.word = true, kept, message, word
    record.semaphore:post(record.waiters + 1)
end

-- Take all that is finished. Does not yield, so nobody can be killed in the middle of it.
local function take_finished()
    local number, result, message, word = port:take()
    while number do
        finish(number, result, message, word)
        number, result, message, word = port:take()
    end
end

local function poll_until_idle()
    local pause = POLL_FIRST
    while port:pending() > 0 do
        local before = port:pending()
        take_finished()
        pause = port:pending() < before and POLL_FIRST or math.min(pause * 2, POLL_MOST)
        if port:pending() > 0 then
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

local function listen_for_wakeups()
    local socket = connect()
    if not socket then
        ngx.log(ngx.WARN, "vault: no Unix socket can be made; fetches are polled for")
        return
    end
    repeat
        take_finished()
        local byte = socket:receive(1)
    until not byte
    socket:close()
    port:hang_up()
end

local function collect(premature, kind)
    if not premature and kind == "resident" then
        local ok, err = pcall(listen_for_wakeups)
        if not ok then
            ngx.log(ngx.ERR, "vault: the collector failed: ", err)
        end
    end
    -- Whoever still waits is served; after that each waiter finds "no collector" and sees to it.
    collector = "polling"
    local ok, err = pcall(poll_until_idle)
    collector = nil
    if not ok then
        ngx.log(ngx.ERR, "vault: collecting failed: ", err)
    end
end

local function start_collector(kind)
    if not collector and ngx.timer.at(0, collect, kind) then
        collector = kind
    end
end

-- Runs when the worker leaves: a collector blocked in receive would keep it alive.
local function leave(premature)
    if premature then
        port:hang_up()
    else
        ngx.timer.at(FAR, leave)
    end
end

-- Call in init_worker: starts the resident collector, so that fetches are collected the moment
-- they finish. Without it they are polled for.
function _M.init_worker()
    init_spent = 0
    start_collector("resident")
    ngx.timer.at(FAR, leave)
end

-- Fetching ----------------------------------------------------------------------------------------

local function start(key, request, on_done)
    local number, message, word = port:submit(request, settings)
    if not number then
        return nil, message, word
    end
    local record = {
        key = key, number = number, on_done = on_done, waiters = 0,
        semaphore = require("ngx.semaphore").new(),
    }
    by_key[key], by_number[number] = record, record
    return record
end

-- Without a collector (the worker is leaving and takes no new timers) whoever waits collects.
local function wait_step(record, left)
    if not collector then
        start_collector("polling")
    end
    if collector then
        return record.semaphore:wait(left)
    end
    take_finished()
    return record.done or record.semaphore:wait(math.min(left, POLL_MOST))
end

local function wait(record, seconds)
    local deadline = ngx.now() + seconds
    record.waiters = record.waiters + 1
    while not record.done do
        local left = deadline - ngx.now()
        if left <= 0 then
            return nil, "the engine did not answer in time", "timeout"
        end
        wait_step(record, left)
    end
    return record.result, record.message, record.word
end

local function block(request, on_done)
    local left = init_timeout - init_spent
    if ngx and left <= 0 then
        return nil, ("the init_timeout of %s s is used up"):format(init_timeout), "timeout"
    end
    local began = ngx and (ngx.update_time() or ngx.now())
    if ngx and left < (request.timeout or 10) then
        request.timeout = math.max(left, 0.001)
    end
    local result, message, word = core.run(request, settings)
    if ngx then
        ngx.update_time()
        init_spent = init_spent + ngx.now() - began
    end
    return on_done(result, message and explain(message, word), word), message, word
end

-- Fetch one secret.
--
-- key      what selects the bytes: who asks for the same key while a fetch is under way joins it
-- request  { secret_id, stage?, region?, endpoint_url?, timeout? (seconds) } for the engine
-- on_done  function(result, message, word), called once when the fetch ends, and not in the
--          caller's light thread; it must not yield. What it returns is what all who ask are given.
--          result: { payload, binary, version_id, arn, attempts }
--
-- context: any. In phases that cannot wait the fetch is started: nil, message, "pending".
-- value | nil, message, word
function _M.get(key, request, on_done)
    local now_in = phase()
    if now_in == "init" or now_in == "init_worker" then
        return block(request, on_done)
    end
    local record, message, word = by_key[key], nil, nil
    if not record then
        record, message, word = start(key, request, on_done)
    end
    if not record then
        return nil, message, word
    end
    if YIELDABLE[now_in] then
        return wait(record, (request.timeout or 10) + GRACE)
    end
    start_collector("polling")
    return nil, ("the %s phase of nginx cannot wait; the fetch is under way"):format(now_in),
        "pending"
end

return _M
