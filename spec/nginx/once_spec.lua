-- once_spec - a node asks AWS once for what all its workers want, whoever leaves or dies meanwhile.
--
-- Runs in sanitized workers too: VAULT_TEST_WORKER_PRELOAD, of spec.support.gateway.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local crowd = require "spec.support.crowd"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"

local WORKERS = 4

-- reuseport: the kernel spreads the connections over the workers. Of each secret that is asked for
-- it is noted how many requests began, on all workers and on each, and how many clients left.
local HTTP = [[
    lua_shared_dict seen 1m;
    lua_check_client_abort on;
    server {
        listen 127.0.0.1:${spread} reuseport backlog=1024;
        location = /get {
            content_by_lua_block {
                local arg, seen, pid = ngx.req.get_uri_args(), ngx.shared.seen, ngx.worker.pid()
                seen:incr(arg.name .. " begun", 1, 0)
                seen:incr(arg.name .. " begun " .. pid, 1, 0)
                seen:safe_add(arg.name .. " first", pid)
                local key, options = arg.key or "name", arg.options or ""
                if arg.keys then
                    key = "k" .. arg.n % arg.keys
                end
                if arg.mixed and arg.n % 2 == 0 then
                    options = "?ttl=60"
                end
                local value, message, word = require("vault").get(
                    "{vault://aws/" .. arg.name .. "/" .. key .. options .. "}")
                ngx.print(require("cjson").encode { value = value, message = message, word = word,
                                                    pid = pid })
            }
            log_by_lua_block {
                if ngx.status == 499 then
                    ngx.shared.seen:incr(ngx.req.get_uri_args().name .. " left", 1, 0)
                end
            }
        }
    }
]]
local SERVER = [[
    location = /seen {
        content_by_lua_block { ngx.print(ngx.shared.seen:get(ngx.req.get_uri_args().what) or 0) }
    }
    location = /refresh {
        content_by_lua_block {
            ngx.print(require("vault").refresh("{vault://aws/" .. ngx.var.arg_name .. "/name}"),
                " ", ngx.worker.pid())
        }
    }
]]

describe("a node of " .. WORKERS .. " workers", function()
    local fake, one, spread

    local function start(options)
        local port = system.free_port()
        spread = "http://127.0.0.1:" .. port
        options.env, options.workers, options.server = fake:env(), WORKERS, SERVER
        options.http = HTTP:gsub("%${spread}", tostring(port))
        one = gateway.start(options)
    end

    before_each(function()
        fake = aws.start()
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
        fake:stop()
    end)

    local function url(name, more)
        return ("%s/get?name=%s&n=%%d%s"):format(spread, name, more or "")
    end

    local function seen(what)
        return tonumber(one:show("/seen?" .. http.query { what = what }))
    end

    local function wait_for(probe)
        assert.is_truthy(system.wait_for(probe, 10))
    end

    -- The bodies of all answers, and how many different workers gave them.
    local function read(answers)
        local bodies, pids, count = {}, {}, 0
        for i, answer in ipairs(answers) do
            assert.equal(200, answer.status, answer.body)
            bodies[i] = cjson.decode(answer.body)
            local pid = bodies[i].pid
            count, pids[pid] = count + (pids[pid] and 0 or 1), true
        end
        return bodies, count
    end

    -- `count` requests at once: read()'s.
    local function ask(name, count, more)
        return read(crowd.ask(url(name, more), count))
    end

    local function assert_all(bodies, value)
        for _, body in ipairs(bodies) do
            assert.equal(value, body.value, body.message)
        end
    end

    it("asks once for what 500 requests want at the same moment", function()
        start {}
        local bodies, workers = ask("delay-500.cold", 500)
        assert.equal(WORKERS, workers)
        assert_all(bodies, "cold")
        assert.equal(1, fake:stats().calls)
    end)

    it("asks once for 16 keys of one secret", function()
        start {}
        local keys = {}
        for i = 0, 15 do
            keys["k" .. i] = "v" .. i
        end
        fake:put("many", cjson.encode(keys))
        for _ = 1, 2 do
            local values = {}
            for i, body in ipairs(ask("delay-200.many", 160, "&keys=16")) do
                assert.equal("v" .. i % 16, body.value, body.message)
                values[body.value] = true
            end
            assert.equal("v15", values.v15 and "v15")
        end
        assert.equal(1, fake:stats().calls)
    end)

    it("asks once for references that differ in ttl", function()
        start {}
        for _ = 1, 2 do
            assert_all(ask("delay-200.shared", 40, "&mixed=1"), "shared")
        end
        for i, options in ipairs { "?ttl=60", "" } do
            local later = i == 1 and "" or "?ttl=60"
            assert_all(ask("first" .. i, 1, "&options=" .. options), "first" .. i)
            assert_all(ask("first" .. i, 8, "&options=" .. later), "first" .. i)
        end
        assert.same({ ["delay-200.shared"] = 1, first1 = 1, first2 = 1 }, fake:stats().by_name)
    end)

    -- Everybody waits for the leader's fetch when `harm` is done to it; that is how the others
    -- fared.
    local function with_leader(name, count, harm)
        local leader = http.start((url(name):gsub("%%d", "0")))
        wait_for(function()
            return fake:stats().in_flight == 1
        end)
        local others = crowd.start(url(name), count)
        wait_for(function()
            return seen(name .. " begun") == count + 1
        end)
        harm(leader, seen(name .. " first"))
        return others:finish()
    end

    -- Once more where the machine was late.
    local function prove(trial)
        if not trial(1) then
            assert.is_true(trial(2))
        end
    end

    it("fetches within 1 s where the worker that did is killed", function()
        start {}
        prove(function(number)
            local name = "fail1-hang.k" .. number
            local killed_at, lost, latest, survived = nil, nil, 0, {}
            local answers = with_leader(name, 60, function(leader, pid)
                lost = seen(name .. " begun " .. pid) - 1
                killed_at = system.now()
                system.must("kill -9 " .. pid)
                leader:leave()
            end)
            for _, answer in ipairs(answers) do
                if answer.status == 0 then
                    lost = lost - 1
                else
                    survived[#survived + 1] = answer
                    latest = math.max(latest, answer.at)
                end
            end
            local bodies, workers = read(survived)
            assert_all(bodies, "k" .. number)
            assert.equal(WORKERS - 1, workers)
            assert.equal(0, lost)
            assert.equal(2, fake:stats().by_name[name])
            return latest - killed_at < 1
        end)
    end)

    it("does not ask again where the leader's client left", function()
        start {}
        prove(function(number)
            local name, in_time = ("delay-%d.left%d"):format(1500 * number ^ 2, number), nil
            local answers = with_leader(name, 40, function(leader)
                leader:leave()
                wait_for(function()
                    in_time = seen(name .. " left") == 1 and fake:stats().in_flight == 1
                    return in_time or fake:stats().in_flight == 0
                end)
            end)
            local bodies, workers = read(answers)
            assert_all(bodies, "left" .. number)
            assert.equal(WORKERS, workers)
            assert.equal(1, fake:stats().by_name[name])
            return in_time
        end)
    end)

    -- The master read the first version: whoever is forked from it has that in its memory.
    it("has the rotated value in whoever follows a killed worker", function()
        start { after_init = 'assert(require("vault").get("{vault://aws/turned/name}"))' }
        assert_all(ask("turned", 40), "turned")
        assert.equal(1, fake:stats().calls)
        fake:put("turned", '{"name":"new"}')
        local pid = tonumber(one:show("/refresh?name=turned"):match("^new (%d+)$"))
        system.must("kill -9 " .. pid)
        wait_for(function()
            return #one.nginx:workers() == WORKERS and not nginx.runs(pid)
        end)
        -- What the successor says from its first answer on, and the others soon.
        local old = {}
        for _ = 1, 20 do
            local bodies, workers = ask("turned", 40)
            old = {}
            for _, body in ipairs(bodies) do
                old[#old + 1] = body.value ~= "new" and body or nil
            end
            if #old == 0 and workers == WORKERS then
                break
            end
            system.sleep(0.05)
        end
        assert.same({}, old)
        assert.equal(2, fake:stats().calls)
    end)

    local function assert_same_failure(name, word, calls)
        local bodies, workers = ask(name, 500)
        assert.equal(WORKERS, workers)
        for _, body in ipairs(bodies) do
            assert.same({ word, bodies[1].message }, { body.word, body.message })
        end
        local made = fake:stats().by_name[name]
        assert.is_true(made <= calls, made .. " calls")
    end

    it("gives 500 requests the same failure of one call", function()
        start {}
        assert_same_failure("delay-500.denied.a", "access_denied", 1)
    end)

    it("gives 500 requests the same failure of one call and its repetitions", function()
        start {}
        assert_same_failure("delay-200.status-500.a", "server_error", 3)
    end)

    -- Whoever comes when the answer is there already may ask again: neg_ttl is 0.
    it("gives 500 requests the same failure of a few calls where it comes at once", function()
        start {}
        assert_same_failure("denied.a", "access_denied", 20)
    end)
end)
