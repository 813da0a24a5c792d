-- cached - what a value costs that is at hand: get, update and dereference in an nginx worker.
--
-- For:   get over 10, 900 and 10,000 references in turn, beside a bare look-up in a Lua table with
--        ngx.now() and beside lua-resty-lrucache's get in the same worker; update of configurations
--        with 1 to 64 references in which nothing has changed, beside one get; dereference. One
--        JSON line each. VAULT_BENCH_URL and VAULT_BENCH_CA name the server
--        (bench/support/upstream.lua).
-- Never: a pass or a fail.

local cjson = require "cjson"
local node = require "bench.support.node"

local MOST = 10000

local SERVER = [[
    location = /fill {
        content_by_lua_block {
            ngx.print(require("cjson").encode { require("bench.support.load").fill(
                tonumber(ngx.var.arg_count)) })
        }
    }
    location = /run {
        content_by_lua_block {
            ngx.print(require("cjson").encode { require("bench.support.hot")[ngx.var.arg_what](
                tonumber(ngx.var.arg_count)) })
        }
    }
]]

local function ask(one, path)
    local answer = cjson.decode(one:show(path, { timeout = 120 }))
    assert(answer[1] and answer[1] ~= cjson.null, answer[2])
    return answer[1]
end

local function measure(one)
    ask(one, "/fill?count=" .. MOST)
    for _, count in ipairs { 10, 900, MOST } do
        local ns = ask(one, "/run?what=get&count=" .. count)
        print(('{"bench":"cached_get","references":%d,"get_ns":%.1f,"bare_ns":%.1f,'
            .. '"lrucache_ns":%.1f,"over_bare":%.2f,"over_lrucache":%.2f}'):format(count, ns.vault,
            ns.bare, ns.lrucache, ns.vault / ns.bare, ns.vault / ns.lrucache))
    end
    for _, count in ipairs { 1, 4, 16, 64 } do
        local ns = ask(one, "/run?what=update&count=" .. count)
        print(('{"bench":"cached_update","references":%d,"update_ns":%.1f,"get_ns":%.1f,'
            .. '"over_get":%.2f,"dereference_us":%.1f}'):format(count, ns.update, ns.get,
            ns.update / ns.get, ask(one, "/run?what=dereference&count=" .. count)))
    end
end

node.run(nil, { secrets = "64m", dicts = "lua_shared_dict vault_locks 1m;", server = SERVER,
                init = "max_entries = 20000" }, measure)
