-- memory - what a cached secret costs a worker and the shared dict.
--
-- For:   1,000 and 10,000 secrets, each with a ttl and one reference to a field, in a worker of its
--        own: bytes a secret in Lua's heap, in the worker's memory, in the shared dict, beside the
--        bytes of the secret. One JSON line each. VAULT_BENCH_URL and VAULT_BENCH_CA name the
--        server (bench/support/upstream.lua).
-- Never: a pass or a fail.

local cjson = require "cjson"
local node = require "bench.support.node"

local WARM = 200 -- secrets before the first look: connections, compiled code, the tables' frames

local SERVER = [[
    location = /fill {
        content_by_lua_block {
            local result, message = require("bench.support.load").fill(
                tonumber(ngx.var.arg_secrets))
            ngx.print(require("cjson").encode(result or { failure = message }))
        }
    }
]]

local function fill(one, secrets)
    local result = cjson.decode(one:show("/fill?secrets=" .. secrets, { timeout = 60 }))
    assert(not result.failure, result.failure)
    return result
end

local LINE = '{"bench":"memory","secrets":%d,"secret_bytes":%d,"lua_bytes":%.0f,'
    .. '"worker_bytes":%.0f,"dict_bytes":%.0f}'

local function measure(one, secrets)
    local before = fill(one, WARM)
    local after = fill(one, secrets)
    print(LINE:format(secrets, after.secret_bytes, (after.lua - before.lua) / secrets,
        (after.worker - before.worker) / secrets, (after.dict - before.dict) / secrets))
end

for _, secrets in ipairs { 1000, 10000 } do
    node.run(nil, { secrets = "64m", dicts = "lua_shared_dict vault_locks 1m;", server = SERVER,
                    init = "max_entries = 20000" }, function(one) measure(one, secrets) end)
end
