-- reload_spec - workers that come and go under load lose no request and leave nothing behind.
--
-- VAULT_TEST_WORKER_PRELOAD is put before nginx: a sanitizer's runtime, by `make asan`.

local aws = require "spec.support.aws"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local system = require "spec.support.system"

local RELOADS = tonumber(os.getenv("VAULT_TEST_RELOADS") or 20)
local LEAVE_MOST = 2 -- seconds an old worker may stay after the reload
local CLIENTS = 20

-- Then Lua collects all the time too: what is freed too early is found.
local COLLECT = os.getenv("VAULT_TEST_WORKER_PRELOAD")
    and 'collectgarbage("setpause", 1)' or ""

local HTTP = [[
    lua_shared_dict vault_secrets 10m;
    %s
    init_by_lua_block { ]] .. COLLECT .. [[ require("vault").init() }
    init_worker_by_lua_block { require("vault").init_worker() }
]]
local SERVER = [[
    location /secret {
        content_by_lua_block {
            local value, message, word = require("vault").get("{vault://aws/" .. ngx.var.arg_name
                .. "/name}")
            if not value then
                ngx.status = 500
                return ngx.say(word, ": ", message)
            end
            ngx.say(value)
        }
    }
]]

local fake, server

local function start(options)
    options = options or {}
    server = nginx.start {
        workers = 2, env = fake:env(options.env), main = options.main, user = options.user,
        http = HTTP:format(options.http or ""), server = SERVER,
        preload = os.getenv("VAULT_TEST_WORKER_PRELOAD"), timeout = 20,
    }
    return server
end

-- Clients that ask for a cold secret with each request.
local function load(delay, most)
    return process.start { "python3", "spec/support/load.py",
        ("%s/secret?name=delay-%d.s%%d"):format(server.url, delay), tostring(CLIENTS), most,
        ready = not most and "ready 0\n" or nil }
end

local function end_load(clients)
    clients:kill("TERM")
    clients:wait(30)
    local said = clients:output():gsub("ready 0\n", "")
    clients:stop()
    return said
end

local function all_gone(pids)
    return system.wait_for(function()
        for _, pid in ipairs(pids) do
            if nginx.runs(pid) then
                return false
            end
        end
        return true
    end, LEAVE_MOST)
end

local function count_in(pid, what)
    local _, listing = system.run(("ls /proc/%d/%s"):format(pid, what))
    return select(2, listing:gsub("[^\n]+", ""))
end

-- nginx's own thread and the engine's; the addresses need no resolver.
local function assert_two_threads()
    for _, pid in ipairs(server:workers()) do
        assert.is_true(count_in(pid, "task") <= 2)
    end
end

local function assert_clean_log()
    local log = server:error_log():gsub("[^\n]*lua_code_cache is off[^\n]*\n", "")
    for line in log:gmatch("[^\n]+") do
        assert.is_nil(line:match("%[emerg%]") or line:match("%[alert%]") or line:match("%[crit%]")
            or line:match("%[error%]") or line:match("signal %d+ %(core") or
            line:match("exited on signal") or line:match("Sanitizer") or line:match("polled"), line)
    end
end

local function assert_nothing_left(pids)
    assert.is_true(all_gone(pids))
    local _, left = system.run("ls -A " .. server.tmp)
    assert.equal("", left)
end

local function quit()
    local pids = server:workers()
    assert.equal(0, server:quit(20))
    assert_nothing_left(pids)
    assert_clean_log()
end

local function reload_under_load(options)
    start(options)
    local clients = load(20)
    for _ = 1, RELOADS do
        assert.is_true(all_gone(server:reload()), "an old worker stays")
    end
    assert_two_threads()
    assert.matches("^%d+ ok\n$", end_load(clients))
    quit()
end

describe("reload under load", function()
    before_each(function()
        fake = aws.start()
    end)
    after_each(function()
        if server then
            server:stop()
            server = nil
        end
        fake:stop()
    end)

    it("fails no request and leaves nothing behind", function()
        reload_under_load()
    end)

    it("does so with a proxy cache, whose manager and loader inherit the module", function()
        reload_under_load { http = "proxy_cache_path cache keys_zone=c:1m;" }
    end)

    it("does so with lua_code_cache off, a Lua VM for each request", function()
        reload_under_load { http = "lua_code_cache off;" }
    end)

    it("does so where TMPDIR cannot be written", function()
        local folder = system.folder()
        system.must("chmod 0555 " .. folder)
        reload_under_load { env = { TMPDIR = folder },
                            user = system.is_root() and "nobody nogroup" or nil }
        local _, left = system.run("ls -A " .. folder .. " /dev/shm | grep vaults-")
        system.remove(folder)
        assert.equal("", left)
    end)

    it("does not pile up descriptors with lua_code_cache off", function()
        start { http = "lua_code_cache off;", main = "worker_rlimit_nofile 512;" }
        local clients = load(1, "600")
        clients:wait(60)
        assert.equal("600 ok\n", (end_load(clients)))
        for _, pid in ipairs(server:workers()) do
            assert.is_true(count_in(pid, "fd") < 120)
        end
        quit()
    end)
end)

describe("quit", function()
    before_each(function()
        fake = aws.start()
    end)
    after_each(function()
        server:stop()
        fake:stop()
    end)

    local function in_flight(options)
        start(options)
        local clients = load(400, tostring(CLIENTS))
        assert.is_true(system.wait_for(function()
            return fake:stats().in_flight == CLIENTS
        end, 10))
        return clients
    end

    it("waits for the fetches in flight and answers their requests", function()
        local clients = in_flight()
        quit()
        assert.equal(CLIENTS .. " ok\n", (end_load(clients)))
    end)

    -- In this mode nginx waits for nobody when it quits: the requests are its to drop.
    it("ends at once with master_process off, fetches in flight or not", function()
        local clients = in_flight { main = "master_process off;" }
        quit()
        end_load(clients)
    end)

    it("ends at once on a fast stop, fetches in flight or not", function()
        local clients = in_flight()
        local pids = server:workers()
        server.process:kill("TERM")
        assert.equal(0, server.process:wait(5))
        assert_nothing_left(pids)
        end_load(clients)
        assert_clean_log()
    end)

    -- nginx itself cannot serve after a reload in this mode ("worker_connections are not enough",
    -- with or without Lua): what can be asked of the module is not to crash and not to hang.
    it("survives a reload with master_process off", function()
        start { main = "master_process off;" }
        local clients = load(20, "100")
        clients:wait(30)
        assert.equal("100 ok\n", (end_load(clients)))
        server.process:kill("HUP")
        -- A signal that comes while nginx is still reading is seen only at the next event.
        assert.is_true(system.wait_for(function()
            return server:error_log():find("using the .*using the ") ~= nil
        end, 5))
        assert.equal(0, server:quit(10))
        assert.is_nil(server:error_log():find("signal %d+ %(core"))
    end)
end)
