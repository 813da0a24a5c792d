-- node_spec - locks and news between the workers of a real nginx, through its shared dicts.

local cjson = require "cjson"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"

-- reuseport: the kernel spreads the connections over the workers.
local HTTP = [[
    lua_shared_dict locks 10m;
    lua_shared_dict news 10m;
    lua_shared_dict tight 64k;
    lua_shared_dict gates 1m;
    lua_shared_dict seen 10m;
    init_worker_by_lua_block {
        local function read(path)
            local file = io.open(path)
            local text = file and file:read("*a")
            if file then
                file:close()
            end
            return text
        end
        -- State and start time of a process: fields 3 and 22 of its stat.
        local function look(pid)
            local text = read("/proc/" .. pid .. "/stat")
            if not text then
                return nil
            end
            local words = {}
            for word in text:match("^.*%) (.*)$"):gmatch("%S+") do
                words[#words + 1] = word
            end
            return words[1], tonumber(words[20])
        end
        local pid = ngx.worker.pid()
        local _, started = look(pid)
        local node = { locks = require("vault.locks").new {
            dict = ngx.shared.locks, now = ngx.now, pid = pid, started = started,
            alive = function(asked, since)
                local state, began = look(asked)
                return began == since and state ~= "Z"
            end,
        } }
        local seen = ngx.shared.seen
        for _, name in ipairs { "news", "tight" } do
            local news = require("vault.news").new { dict = ngx.shared[name], now = ngx.now,
                                                     ring = name == "news" and 2048 or 64 }
            local where = ngx.worker.id() .. name
            node[name] = news
            ngx.timer.every(0.25, function()
                ngx.update_time()
                news:read(function(key)
                    seen:set(where .. " " .. key, ngx.now())
                    seen:incr(where .. " keys", 1, 0)
                end, function()
                    seen:incr(where .. " all", 1, 0)
                end)
            end)
        end
        package.loaded["test.node"] = node
        seen:incr("ready", 1, 0)
    }
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /take {
            content_by_lua_block {
                local arg, gates = ngx.req.get_uri_args(), ngx.shared.gates
                local name, rounds = arg.name, tonumber(arg.rounds)
                if gates:incr(name, 1, 0) == tonumber(arg.requests) then
                    gates:set(name .. " opens", ngx.now() + 0.1)
                end
                while not gates:get(name .. " opens") do
                    ngx.sleep(0.02)
                end
                ngx.update_time()
                ngx.sleep(math.max(gates:get(name .. " opens") - ngx.now(), 0))
                local tokens = {}
                for i = 1, rounds do
                    local token, other, err = require("test.node").locks:take(name .. i, 60)
                    tokens[i] = token or false
                    if not token and not other then
                        ngx.log(ngx.ERR, "take: ", err)
                    end
                    ngx.sleep(0)
                end
                ngx.print(require("cjson").encode { worker = ngx.worker.id(), tokens = tokens })
            }
        }
        location = /wait {
            content_by_lua_block {
                local locks, token = require("test.node").locks
                ngx.shared.gates:incr("waiting", 1, 0)
                while not token and not ngx.shared.gates:get("over") do
                    token = locks:take(ngx.var.arg_name, 60)
                    ngx.update_time()
                    if not token then
                        ngx.sleep(0.02)
                    end
                end
                ngx.shared.gates:set("over", true)
                ngx.print(require("cjson").encode { token = token, pid = ngx.worker.pid() })
            }
        }
        location = /tell {
            content_by_lua_block {
                local node, arg = require("test.node"), ngx.req.get_uri_args()
                ngx.update_time()
                local at = ngx.now()
                for i = tonumber(arg.from), tonumber(arg.to) do
                    node[arg.dict or "news"]:tell("k" .. i)
                end
                ngx.print(at)
            }
        }
    }
]]

local SERVER = [[
    location = /run {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(require("cjson").encode { loadstring(ngx.req.get_body_data())() })
        }
    }
]]

describe("the workers of a node", function()
    local one, spread

    -- What `code` returns in some worker.
    local function run(code)
        local answer = http.post(one.url .. "/run", code)
        assert(answer.status == 200, answer.body)
        return unpack(cjson.decode(answer.body))
    end

    before_each(function()
        spread = system.free_port()
        one = nginx.start {
            workers = 4, server = SERVER, http = (HTTP:gsub("%${spread}", tostring(spread))),
            preload = os.getenv("VAULT_TEST_WORKER_PRELOAD"),
        }
        spread = "http://127.0.0.1:" .. spread
        -- A worker learns what is told from its start on, and one answers before all have begun.
        assert(system.wait_for(function()
            return run "return ngx.shared.seen:get('ready') == 4"
        end))
    end)
    after_each(function()
        local log = one:error_log()
        one:stop()
        assert.is_nil(log:match("[^\n]*%[error%][^\n]*"))
    end)

    local function repeated(url, count)
        local urls = {}
        for i = 1, count do
            urls[i] = url
        end
        return urls
    end

    -- 4 x 50 requests take each of `rounds` locks at once; exactly one gets each.
    local function all_take(name, rounds)
        local url = ("%s/take?name=%s&rounds=%d&requests=200"):format(spread, name, rounds)
        local winners, workers, count = {}, {}, 0
        for _, answer in ipairs(http.parallel(repeated(url, 200), { max = 200 })) do
            local body = cjson.decode(answer.body)
            if not workers[body.worker] then
                workers[body.worker], count = true, count + 1
            end
            for i, token in ipairs(body.tokens) do
                winners[i] = winners[i] or {}
                winners[i][#winners[i] + 1] = token or nil
            end
        end
        assert.equal(4, count)
        assert.equal(rounds, #winners)
        for i, tokens in ipairs(winners) do
            assert.equal(1, #tokens)
            local holder = run(("return ngx.shared.locks:get('l:%s%d')"):format(name, i))
            assert.equal(tokens[1], holder)
        end
    end

    it("give a lock to one of 200 requests", function()
        all_take("free", 20)
    end)

    it("give a dead holder's lock to one of 200 requests", function()
        run [[
            for i = 1, 20 do
                ngx.shared.locks:safe_set("l:dead" .. i, "999999999 1 x" .. i, 60)
            end
        ]]
        all_take("dead", 20)
    end)

    it("take a lock from a worker that is killed within 1 s, one of them", function()
        local holder = cjson.decode(http.get(spread .. "/wait?name=a").body)
        run "ngx.shared.gates:flush_all()"
        local requests = {}
        for i = 1, 20 do
            requests[i] = http.start(spread .. "/wait?name=a")
        end
        assert(system.wait_for(function()
            return run "return ngx.shared.gates:get('waiting')" == 20
        end))
        assert.equal(holder.token, run "return ngx.shared.locks:get('l:a')")
        local before = system.now()
        system.must("kill -9 " .. holder.pid)
        assert(system.wait_for(function()
            return run "return ngx.shared.gates:get('over') or false"
        end))
        local after = system.now()
        local tokens = {}
        for _, request in ipairs(requests) do
            local answer = request:finish()
            -- Those of the killed worker have no answer.
            if answer.status == 200 then
                tokens[#tokens + 1] = cjson.decode(answer.body).token
            end
        end
        assert.equal(1, #tokens)
        assert.not_equal(holder.token, tokens[1])
        assert.is_true(after - before < 1, "it took " .. after - before .. " s")
    end)

    local function tell(from, to, dict)
        local url = ("%s/tell?from=%d&to=%d&dict=%s"):format(spread, from, to, dict or "news")
        return tonumber((http.get(url).body))
    end

    -- Of each worker, what it noted as `what`: a list of four, or nil where one has not.
    local function seen(what, dict)
        return system.wait_for(function()
            local found = run(([[
                local found = {}
                for id = 0, 3 do
                    found[#found + 1] = ngx.shared.seen:get(id .. "%s %s")
                end
                return found
            ]]):format(dict or "news", what))
            return #found == 4 and found
        end, 5)
    end

    it("read what one of them tells within 0.5 s", function()
        local late = {}
        for i = 1, 5 do
            local told = tell(i, i)
            for _, at in ipairs(assert(seen("k" .. i))) do
                assert.is_true(at >= told - 0.01)
                if at - told > 0.5 then
                    late[i] = true
                end
            end
        end
        -- Five trials: a machine that others use too may make one of them late.
        assert.is_true(#late <= 1)
        assert.same({}, run [[
            local all = {}
            for id = 0, 3 do
                all[#all + 1] = ngx.shared.seen:get(id .. "news all")
            end
            return all
        ]])
    end)

    it("read each of 1000 changes that all of them tell at once, once", function()
        local urls = {}
        for i = 1, 200 do
            urls[i] = ("%s/tell?from=%d&to=%d"):format(spread, i * 5 - 4, i * 5)
        end
        http.parallel(urls, { max = 200 })
        assert(system.wait_for(function()
            local keys = seen("keys")
            return keys and table.concat(keys, " ") == "1000 1000 1000 1000"
        end, 5))
        local missing, all = run [[
            local missing, all = 0, 0
            for id = 0, 3 do
                for i = 1, 1000 do
                    missing = missing + (ngx.shared.seen:get(id .. "news k" .. i) and 0 or 1)
                end
                all = all + (ngx.shared.seen:get(id .. "news all") or 0)
            end
            return missing, all
        ]]
        assert.same({ 0, 0 }, { missing, all })
    end)

    it("take all for changed where there were more changes than the ring holds", function()
        tell(1, 3000)
        assert.is_truthy(seen("all"))
        tell(3001, 3001)
        assert.is_truthy(seen("k3001"))
    end)

    it("take all for changed where the dict was flushed, and hear of the next", function()
        run "ngx.shared.news:flush_all()"
        assert.is_truthy(seen("all"))
        tell(1, 1)
        assert.is_truthy(seen("k1"))
    end)

    it("take all for changed where the dict takes no more, and evict nothing", function()
        local held = run [[
            local dict, number = ngx.shared.tight, 0
            for _, size in ipairs { 2000, 500, 100, 20, 1 } do
                while dict:safe_add("s:" .. number, ("x"):rep(size)) do
                    number = number + 1
                end
            end
            return number
        ]]
        tell(1, 10, "tight")
        assert.is_truthy(seen("all", "tight"))
        assert.equal(held, run(([[
            local held = 0
            for i = 0, %d do
                held = held + (ngx.shared.tight:get("s:" .. i) and 1 or 0)
            end
            return held
        ]]):format(held)))
    end)
end)
