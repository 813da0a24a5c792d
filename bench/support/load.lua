-- load - cold fetches by a worker, as fast as it can, at a fixed concurrency.
--
-- For:   a content location of gateway.lua: light threads that each ask vault.get for one name
--        after the other that nobody asked for before.
-- Never: the library's inside; HTTP between the load and the worker, which would be measured too.

local ffi = require "ffi"
local vault = require "vault"

ffi.cdef [[
struct vault_load_timespec { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct vault_load_timespec *out);
]]

local CLOCK_MONOTONIC = 1
local time = ffi.new("struct vault_load_timespec")
local asked = 0

local _M = {}

local function milliseconds()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) * 1e3 + tonumber(time.nanoseconds) / 1e6
end

local function ask_until(over, spent)
    local now = milliseconds()
    while now < over do
        asked = asked + 1
        local value, message = vault.get(("{vault://aws/bench-%09d}"):format(asked))
        if not value then
            return message
        end
        local before = now
        now = milliseconds()
        spent[#spent + 1] = now - before
    end
    return nil
end

-- Fetch for `seconds` with `concurrency` light threads: { fetches, seconds, p50_ms, p99_ms }, or
-- nil and the first failure.
function _M.run(concurrency, seconds)
    local spent, threads, failure = {}, {}, nil
    local began = milliseconds()
    for i = 1, concurrency do
        threads[i] = ngx.thread.spawn(ask_until, began + seconds * 1e3, spent)
    end
    for i = 1, concurrency do
        local _, message = ngx.thread.wait(threads[i])
        failure = failure or message
    end
    if failure then
        return nil, failure
    end
    local took = milliseconds() - began
    table.sort(spent)
    return {
        fetches = #spent, seconds = took / 1e3,
        p50_ms = spent[math.ceil(#spent * 0.50)], p99_ms = spent[math.ceil(#spent * 0.99)],
    }
end

return _M
