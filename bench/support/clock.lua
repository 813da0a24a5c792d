-- clock - the monotonic clock, finer than nginx's.
--
-- For:   what runs inside a worker and measures.
-- Never: the wall clock.

local ffi = require "ffi"

ffi.cdef [[
struct vault_bench_timespec { long seconds; long nanoseconds; };
int clock_gettime(int clock, struct vault_bench_timespec *out);
]]

local CLOCK_MONOTONIC = 1
local time = ffi.new("struct vault_bench_timespec")

local _M = {}

function _M.milliseconds()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.seconds) * 1e3 + tonumber(time.nanoseconds) / 1e6
end

return _M
