-- renewal - how long a node takes to renew all its secrets, and with how many calls.
--
-- For:   1,000 and 10,000 secrets that are due at the same moment, without pacing, from a server
--        that takes 5 ms: milliseconds from that moment to the last answer, and calls; beside it
--        how long the calls alone would take, as many at a time as the node has in flight. Medians
--        of rounds. One JSON line each.
-- Never: a pass or a fail.

local batches = require "bench.support.batches"
local http = require "spec.support.http"
local median = require("bench.support.rounds").median
local node = require "bench.support.node"
local system = require "spec.support.system"

local DELAY = 0.005 -- seconds
local BATCH, IN_FLIGHT = 20, 4 -- secrets in a call; calls by one worker
local ROUNDS = 5
local TTL = 1000 -- seconds; the clock is set forward by nearly as much

local INIT = [[
    local now, ahead = ngx.now, ngx.shared.ahead
    ngx.now = function()
        return now() + (ahead:get("seconds") or 0)
    end
    references = {}
    for i = 1, %d do
        references[i] = ("{vault://aws/bench-%%06d/password}"):format(i)
    end
]]

-- /due: all secrets are due from now on; the moment, in milliseconds of the clock.
local SERVER = [[
    location = /use {
        content_by_lua_block {
            for _, reference in ipairs(references) do
                assert(require("vault").get(reference))
            end
        }
    }
    location = /due {
        content_by_lua_block {
            ngx.shared.ahead:incr("seconds", ]] .. TTL * 0.95 .. [[, 0)
            ngx.print(require("bench.support.clock").milliseconds())
        }
    }
]]

local function round(one, fake, secrets)
    http.get(one.url .. "/use", { timeout = 60 })
    fake.reset()
    local due = tonumber(http.get(one.url .. "/due").body)
    local counts
    assert(system.wait_for(function()
        counts = fake.counts()
        return counts.secrets + counts.singles >= secrets
    end, 60, 0.05), "not all were renewed")
    return { wall = counts.last - due, calls = counts.batches + counts.singles,
             from_first = counts.last - counts.first }
end

local LINE = '{"bench":"renewal","secrets":%d,"rounds":%d,"wall_ms":%.1f,"from_first_call_ms":%.1f,'
    .. '"calls":%d,"least_ms":%.1f}'

local function measure(one, fake, secrets)
    local rounds = {}
    for i = 1, ROUNDS do
        rounds[i] = round(one, fake, secrets)
    end
    print(LINE:format(secrets, ROUNDS, median(rounds, "wall"), median(rounds, "from_first"),
        median(rounds, "calls"), math.ceil(secrets / BATCH / IN_FLIGHT) * DELAY * 1e3))
end

for _, secrets in ipairs { 1000, 10000 } do
    batches.with({ delay = DELAY }, function(fake)
        node.run(fake, {
            secrets = "64m", dicts = "lua_shared_dict vault_locks 16m; lua_shared_dict ahead 1m;",
            before_init = INIT:format(secrets), server = SERVER, timeout = 60,
            init = "refresh_rate = 0, max_entries = 20000, init_timeout = 60",
            after_init = 'assert(require("vault").warmup(references))',
            env = { KONG_VAULT_AWS_TTL = tostring(TTL) },
        }, function(one) measure(one, fake, secrets) end)
    end)
end
