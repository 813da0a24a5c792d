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

-- The first phases of TLS can wait only where nginx and OpenSSL are patched for it: elsewhere the
-- handshake ends there, in silence. OpenResty's are; ngx.pipe, which needs another patch of that
-- set, tells.
local PATCHED = ngx ~= nil and pcall(require, "ngx.pipe")
local YIELDABLE = {
    server_rewrite = true, rewrite = true, access = true, content = true, timer = true,
    preread = true, ssl_cert = true, ssl_client_hello = PATCHED, ssl_session_fetch = PATCHED,
}
local POLL_FIRST, POLL_MOST = 0.001, 0.01 -- seconds
local FAR = 2 ^ 20 -- seconds; the timer that fires before its time when the worker leaves
local RECEIVE_MOST = 2 ^ 30 -- milliseconds
local LOOK = 1 -- seconds after which a waiter looks whether the collector is still there
local FAILED_MOST = 1000
local GRACE = 1 -- seconds a waiter gives the engine beyond the fetch's own timeout

local settings = {} -- for the engine: ca_file
local init_timeout, init_spent = 10, 0
local late -- the sentence for a module that came too late to see the environment

-- key -> record, and number -> record: { key, number, on_done, semaphore, waiters, done, result,
-- message, word }
local by_key, by_number = {}, {}

-- key -> record of a failure for which nobody waited: it is for the next who asks where nobody can
-- wait, or he would be told "pending" for ever.
local failed, failed_count = {}, 0

local collecting = false
local asked_for_collector -- when its timer was made; past lua_max_running_timers none comes of it

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

-- What all who asked are given: kept, message, word.
local function hand_over(on_done, result, message, word)
    if message then
        message = explain(message, word)
    end
    local ok, kept = pcall(on_done, result, message, word)
    if not ok then
        return nil, "the cache failed: " .. tostring(kept), "internal"
    end
    return kept, message, word
end

-- Collecting --------------------------------------------------------------------------------------

local function take_failure(key)
    local record = failed[key]
    if record then
        failed[key], failed_count = nil, failed_count - 1
    end
    return record
end

local function keep_failure(record)
    take_failure(record.key)
    if record.waiters > 0 or not record.word then
        return
    end
    if failed_count >= FAILED_MOST then
        failed, failed_count = {}, 0
    end
    failed[record.key], failed_count = record, failed_count + 1
end

local function finish(number, result, message, word)
    local record = by_number[number]
    by_number[number] = nil
    if not record then
        return
    end
    by_key[record.key] = nil
    record.result, record.message, record.word = hand_over(record.on_done, result, message, word)
    record.done = true
    keep_failure(record)
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

-- Whoever was killed while it waited has left its semaphore.
local function anybody_waits()
    for _, record in pairs(by_number) do
        if record.semaphore:count() < 0 then
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
        take_finished()
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

local function listen_for_wakeups()
    local socket = connect()
    if not socket then
        ngx.log(ngx.WARN, "vault: no Unix socket can be made; fetches are polled for")
        return
    end
    repeat
        take_finished()
        local byte, err = socket:receive(1)
    until not byte and err ~= "timeout"
    socket:close()
end

local function collect(premature, kind)
    if collecting then
        return
    end
    collecting = true
    if not premature and kind == "resident" then
        local ok, err = pcall(listen_for_wakeups)
        if not ok then
            ngx.log(ngx.ERR, "vault: the collector failed: ", err)
        end
        port:hang_up()
    end
    -- Whoever still waits is served; after that each waiter finds no collector and sees to it.
    local ok, err = pcall(poll_until_idle)
    collecting, asked_for_collector = false, nil
    if not ok then
        ngx.log(ngx.ERR, "vault: collecting failed: ", err)
    end
end

local function start_collector(kind)
    if collecting or asked_for_collector and ngx.now() < asked_for_collector + LOOK then
        return
    end
    asked_for_collector = ngx.timer.at(0, collect, kind) and ngx.now() or nil
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

-- Without a collector (the worker takes no more timers) whoever waits collects.
local function wait_step(record, left)
    start_collector("polling")
    if collecting then
        return record.semaphore:wait(math.min(left, LOOK))
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
    return hand_over(on_done, result, message, word)
end

-- For phases that cannot wait: what is known already, or what came of the last fetch for which
-- nobody waited.
local function not_waiting(record, now_in)
    start_collector("polling")
    take_finished()
    local failure = take_failure(record.key)
    if record.done then
        return record.result, record.message, record.word
    end
    if failure then
        return nil, failure.message, failure.word
    end
    return nil, ("the %s phase of nginx cannot wait; the fetch is under way"):format(now_in),
        "pending"
end

-- Fetch one secret.
--
-- key      what selects the bytes: who asks for the same key while a fetch is under way joins it
-- request  { secret_id, stage?, region?, endpoint_url?, timeout? (seconds) } for the engine
-- on_done  function(result, message, word), called once when the fetch ends, and not in the
--          caller's light thread; it must not yield. What it returns is what all who ask are given.
--          Its upvalues must not be variables of a function that waits for this one to return: a
--          light thread that is killed takes those along.
--          result: { payload, binary, version_id, arn, attempts }
--
-- context: any. In phases that cannot wait the fetch is started: nil, message, "pending", or what
-- the fetch before this one failed with, where nobody has been told. In exit_worker: "cancelled".
-- value | nil, message, word
function _M.get(key, request, on_done)
    local now_in = phase()
    if now_in == "init" or now_in == "init_worker" then
        return block(request, on_done)
    end
    if now_in == "exit_worker" then -- no timer, no connection, and nobody to collect
        return nil, "the worker is leaving", "cancelled"
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
    return not_waiting(record, now_in)
end

return _M
