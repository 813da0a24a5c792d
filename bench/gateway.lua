-- gateway - cold fetches through an nginx worker, beside bare libcurl in the same run.
--
-- For:   concurrency 1, 16, 64: fetches per second, latency as Lua sees it, and the processor time
--        a fetch costs the worker's own thread and the engine's. Rounds of the gateway and of
--        `fetch bare` take turns; one JSON line each with medians, and the medians of each round's
--        ratio. VAULT_BENCH_URL and VAULT_BENCH_CA name the server (bench/support/upstream.lua).
-- Never: a pass or a fail.

local cjson = require "cjson"
local median = require("bench.support.rounds").median
local node = require "bench.support.node"
local system = require "spec.support.system"

local ROUNDS = 9
local ROUND_SECONDS = 0.3
local TICKS = 100 -- of /proc's processor times, per second, on every Linux we know

local SERVER = [[
    location = /run {
        content_by_lua_block {
            local result, message = require("bench.support.load").run(
                tonumber(ngx.var.arg_concurrency), tonumber(ngx.var.arg_seconds))
            ngx.print(require("cjson").encode(result or { failure = message }))
        }
    }
]]

-- utime and stime of a thread, in seconds.
local function processor_time(pid, thread)
    local stat = system.read(("/proc/%d/task/%d/stat"):format(pid, thread))
    local user, kernel = (stat or ""):match("%) %a" .. (" %-?%d+"):rep(10) .. " (%d+) (%d+)")
    return user and (user + kernel) / TICKS or 0
end

-- Of the worker's own thread, and of all others: the engine's.
local function processor_times(pid)
    local _, threads = system.run("ls /proc/" .. pid .. "/task")
    local own, others = processor_time(pid, pid), 0
    for thread in threads:gmatch("%d+") do
        if tonumber(thread) ~= pid then
            others = others + processor_time(pid, thread)
        end
    end
    return own, others
end

local function gateway_round(one, concurrency, seconds)
    local result = cjson.decode(one:show(("/run?concurrency=%d&seconds=%s"):format(concurrency,
        seconds)))
    assert(not result.failure, result.failure)
    result.per_second = result.fetches / result.seconds
    return result
end

local function bare_round(concurrency)
    return cjson.decode(system.must(("%s/bench/fetch bare %d %d"):format(system.build(),
        concurrency, ROUND_SECONDS * 1e3)))
end

local function sum(list, field)
    local total = 0
    for _, entry in ipairs(list) do
        total = total + entry[field]
    end
    return total
end

local LINE = '{"bench":"gateway","concurrency":%d,"rounds":%d,"per_second":%.0f,'
    .. '"bare_per_second":%.0f,"rate_ratio":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"bare_p50_ms":%.3f,'
    .. '"bare_p99_ms":%.3f,"p50_over_bare_ms":%.3f,"worker_cpu_us":%.1f,"engine_cpu_us":%.1f,'
    .. '"bare_cpu_us":%.1f}'

local function measure(one, concurrency)
    local pid = one:worker()
    local ours, bare, pairs_of = {}, {}, {}
    gateway_round(one, concurrency, 0.2) -- connections opened, code compiled
    local own, others = processor_times(pid)
    for i = 1, ROUNDS do
        ours[i], bare[i] = gateway_round(one, concurrency, ROUND_SECONDS), bare_round(concurrency)
        pairs_of[i] = { ratio = ours[i].per_second / bare[i].per_second,
                        over = ours[i].p50_ms - bare[i].p50_ms }
    end
    local own_after, others_after = processor_times(pid)
    local fetches = sum(ours, "fetches")
    print(LINE:format(concurrency, ROUNDS, median(ours, "per_second"), median(bare, "per_second"),
        median(pairs_of, "ratio"), median(ours, "p50_ms"), median(ours, "p99_ms"),
        median(bare, "p50_ms"), median(bare, "p99_ms"), median(pairs_of, "over"),
        (own_after - own) / fetches * 1e6, (others_after - others) / fetches * 1e6,
        median(bare, "cpu_us")))
end

-- The dict is large enough that no fetch pays for a full one.
node.run(nil, { secrets = "128m", server = SERVER }, function(one)
    for _, concurrency in ipairs { 1, 16, 64 } do
        measure(one, concurrency)
    end
end)
