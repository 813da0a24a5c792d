-- neighbour - what others of a worker's clients notice of its fetches.
--
-- For:   the 99th percentile of a trivial location while 64 fetches a second of 300 ms each are
--        under way, every eighth on a new TLS connection: made by the worker, beside the same
--        fetches made by a separate libcurl process, and beside none. Rounds take turns; one JSON
--        line with medians, and the medians of each round's ratios.
-- Never: a pass or a fail.

local batches = require "bench.support.batches"
local http = require "spec.support.http"
local median = require("bench.support.rounds").median
local node = require "bench.support.node"
local process = require "spec.support.process"
local system = require "spec.support.system"

local DELAY, AT_ONCE = 0.3, 19 -- seconds; so many all the time are 64 a second
local REQUESTS = 8 -- of one connection
local ROUNDS, SECONDS = 7, 2

local SERVER = [[
    location = /trivial { return 200 "x"; }
    location = /run {
        content_by_lua_block {
            local result, message = require("bench.support.load").run(
                tonumber(ngx.var.arg_concurrency), tonumber(ngx.var.arg_seconds))
            ngx.print(message or result.fetches)
        }
    }
]]

-- The 99th percentile of the trivial location, in milliseconds: one connection, one request after
-- the other.
local function trivial(one)
    local said = system.must(("wrk -t1 -c1 -d%ds --latency %s/trivial"):format(SECONDS, one.url))
    local figure, unit = said:match("99%%%s+([%d.]+)(%a+)")
    return tonumber(figure) * ({ us = 1e-3, ms = 1, s = 1e3 })[unit]
end

local loads = {}

function loads.none(one)
    return trivial(one)
end

function loads.worker(one)
    local fetching = http.start(("%s/run?concurrency=%d&seconds=%d"):format(one.url, AT_ONCE,
        SECONDS + 1), { timeout = 30 })
    system.sleep(0.5)
    local p99 = trivial(one)
    local fetches = tonumber(fetching:finish().body)
    assert(fetches and fetches > AT_ONCE, "the worker fetched nothing")
    return p99
end

function loads.other(one, fake)
    local fetching = process.start { system.build() .. "/bench/fetch", "bare", tostring(AT_ONCE),
        tostring((SECONDS + 1) * 1000),
        env = { VAULT_BENCH_URL = fake.url, VAULT_BENCH_CA = fake.ca } }
    system.sleep(0.5)
    local p99 = trivial(one)
    assert(fetching:wait(30) == 0, "the other process failed")
    return p99
end

local function measure(one, fake)
    local p99 = { none = {}, worker = {}, other = {} }
    local over_other, over_none = {}, {}
    loads.worker(one, fake) -- code compiled
    for i = 1, ROUNDS do
        for name, load in pairs(loads) do
            p99[name][i] = load(one, fake)
        end
        over_other[i] = p99.worker[i] / p99.other[i]
        over_none[i] = p99.worker[i] / p99.none[i]
    end
    print(('{"bench":"neighbour","rounds":%d,"p99_ms":%.4f,"other_process_p99_ms":%.4f,'
        .. '"none_p99_ms":%.4f,"over_other_process":%.2f,"over_none":%.2f}'):format(ROUNDS,
        median(p99.worker), median(p99.other), median(p99.none), median(over_other),
        median(over_none)))
end

batches.with({ delay = DELAY, requests = REQUESTS }, function(fake)
    node.run(fake, { secrets = "16m", server = SERVER }, function(one) measure(one, fake) end)
end)
