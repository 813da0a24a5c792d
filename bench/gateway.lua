-- gateway - cold fetches through an nginx worker, beside bare libcurl in the same run.
--
-- For:   concurrency 1, 16, 64: fetches per second, latency as Lua sees it, and the processor time
--        a fetch costs the worker's own thread and the engine's. Rounds of the gateway and of
--        `fetch bare` take turns; one JSON line each with medians, and the medians of each round's
--        ratio. VAULT_BENCH_URL, VAULT_BENCH_CA and VAULT_BENCH_SERVER name the server
--        (bench/support/upstream.lua).
-- Never: a pass or a fail.

local cjson = require "cjson"
local median = require("bench.support.rounds").median
local node = require "bench.support.node"
local system = require "spec.support.system"

local ROUNDS = 31
local ROUND_SECONDS = 0.1
local SERVER_PID = assert(tonumber(os.getenv("VAULT_BENCH_SERVER")),
    "VAULT_BENCH_SERVER names no process")

local SERVER = [[
    location = /run {
        content_by_lua_block {
            local result, message = require("bench.support.load").run(
                tonumber(ngx.var.arg_concurrency), tonumber(ngx.var.arg_seconds))
            ngx.print(require("cjson").encode(result or { failure = message }))
        }
    }
]]

-- Processor time of a thread, in microseconds.
local function processor_time(pid, thread)
    local text = system.read(("/proc/%d/task/%d/schedstat"):format(pid, thread))
    return tonumber(text and text:match("^%d+") or 0) / 1e3
end

-- Of the worker's own thread; of all its others, which are the engine's; of the server.
local function processor_times(pid)
    local _, threads = system.run("ls /proc/" .. pid .. "/task")
    local worker, engine = processor_time(pid, pid), 0
    for thread in threads:gmatch("%d+") do
        if tonumber(thread) ~= pid then
            engine = engine + processor_time(pid, thread)
        end
    end
    return worker, engine, processor_time(SERVER_PID, SERVER_PID)
end

local function gateway_round(one, concurrency, seconds)
    local pid = one:worker()
    local worker, engine, server = processor_times(pid)
    local result = cjson.decode(one:show(("/run?concurrency=%d&seconds=%s"):format(concurrency,
        seconds)))
    assert(not result.failure, result.failure)
    local worker_after, engine_after, server_after = processor_times(pid)
    result.per_second = result.fetches / result.seconds
    result.worker_cpu_us = (worker_after - worker) / result.fetches
    result.engine_cpu_us = (engine_after - engine) / result.fetches
    result.server_cpu_us = (server_after - server) / result.fetches
    return result
end

local function bare_round(concurrency)
    return cjson.decode(system.must(("%s/bench/fetch bare %d %d"):format(system.build(),
        concurrency, ROUND_SECONDS * 1e3)))
end

-- One round of each beside the other. alone: the ratio of the rates, if all had one processor.
local function compared(ours, bare)
    return {
        ratio = ours.per_second / bare.per_second, over = ours.p50_ms - bare.p50_ms,
        alone = (bare.cpu_us + bare.server_cpu_us)
            / (ours.worker_cpu_us + ours.engine_cpu_us + ours.server_cpu_us),
    }
end

local LINE = '{"bench":"gateway","concurrency":%d,"rounds":%d,"per_second":%.0f,'
    .. '"bare_per_second":%.0f,"rate_ratio":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"bare_p50_ms":%.3f,'
    .. '"bare_p99_ms":%.3f,"p50_over_bare_ms":%.3f,"worker_cpu_us":%.1f,"engine_cpu_us":%.1f,'
    .. '"bare_cpu_us":%.1f,"server_cpu_us":%.1f,"bare_server_cpu_us":%.1f,'
    .. '"one_processor_ratio":%.3f}'

local function measure(one, concurrency)
    local ours, bare, turns = {}, {}, {}
    gateway_round(one, concurrency, 0.2) -- connections opened, code compiled
    for i = 1, ROUNDS do
        ours[i], bare[i] = gateway_round(one, concurrency, ROUND_SECONDS), bare_round(concurrency)
        turns[i] = compared(ours[i], bare[i])
    end
    print(LINE:format(concurrency, ROUNDS, median(ours, "per_second"), median(bare, "per_second"),
        median(turns, "ratio"), median(ours, "p50_ms"), median(ours, "p99_ms"),
        median(bare, "p50_ms"), median(bare, "p99_ms"), median(turns, "over"),
        median(ours, "worker_cpu_us"), median(ours, "engine_cpu_us"), median(bare, "cpu_us"),
        median(ours, "server_cpu_us"), median(bare, "server_cpu_us"), median(turns, "alone")))
end

-- The dict is large enough that no fetch pays for a full one.
node.run(nil, { secrets = "128m", server = SERVER }, function(one)
    for _, concurrency in ipairs { 1, 16, 64 } do
        measure(one, concurrency)
    end
end)
