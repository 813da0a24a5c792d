-- database_spec - the example of Kong's how-to, its own files over a real PostgreSQL and moto: the
--                 database's password changes under load, and no client notices.

local child = require "spec.support.child"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local moto = require "spec.support.moto"
local postgres = require "spec.support.postgres"
local process = require "spec.support.process"
local system = require "spec.support.system"

local WORKERS, CLIENTS = 4, 20
local SECRET = "kong-gateway-database"
local NOT_THERE = "the database is not to be had\n"

-- reuseport: the kernel spreads the clients over the workers.
local HTTP = [[
    lua_shared_dict vault_locks 1m;
    server {
        listen 127.0.0.1:${port} reuseport;
        include ${root}/examples/database.conf;
    }
]]

local database, aws, one, url, clients
local passwords = {} -- all there ever were: none may be seen anywhere

-- A new one.
local function password()
    passwords[#passwords + 1] = ("canary-%d-%d"):format(#passwords + 1, math.random(1e6, 1e7))
    return passwords[#passwords]
end

local function assert_no_password(text)
    for _, canary in ipairs(passwords) do
        assert.is_nil(text:find(canary, 1, true), "a password is seen")
    end
end

local function value(text)
    return cjson.encode { pg_user = "kong", pg_password = text }
end

local function reference(field, options)
    return ("{vault://aws/%s/%s%s}"):format(SECRET, field, options or "")
end

-- What a command line of the how-to prints, without docker in front, with its variables; `text` is
-- kong's password.
local function how_to(line, text)
    return system.must(("export PGHOST=%s PGPASSWORD=password; KONG_PG_USER=kong; "
        .. "KONG_PG_PASSWORD=%s; %s"):format(database.folder, text, line))
end

local function set_password(text)
    local line = [[psql -U admin -c "ALTER USER ${KONG_PG_USER} PASSWORD '${KONG_PG_PASSWORD}'"]]
    assert.equal("ALTER ROLE\n", how_to(line, text))
end

-- How the load ended, in its own words.
local function end_load()
    clients:kill("TERM")
    clients:wait(30)
    return clients:output():gsub("^ready 0\n", "")
end

local function wait_for(what, probe)
    if not system.wait_for(probe, 20, 0.05) then
        error(what .. "; the clients say: " .. end_load(), 2)
    end
end

-- The server's processes for connections of nginx, as a set; and how many of them are not in `old`.
local function connections(old)
    local pids, fresh = {}, 0
    for pid in database:sql("SELECT pid FROM pg_stat_activity WHERE usename = 'kong'")
        :gmatch("%d+") do
        pids[pid] = true
        fresh = fresh + (old and old[pid] and 0 or 1)
    end
    return pids, fresh
end

-- Until every worker has asked the database after this moment.
local function let_run()
    local now = database:sql("SELECT clock_timestamp()"):match("[^\n]+")
    local count = ([[
        SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'kong' AND query_start > '%s' AND query LIKE 'SELECT current_user%%'
    ]]):format(now)
    wait_for("not every worker asks the database", function()
        return tonumber(database:sql(count)) == WORKERS
    end)
end

-- All connections break, and every worker makes another, by the password that the database has now.
local function break_off()
    local old = connections()
    database:sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'kong'")
    wait_for("not every worker connects again", function()
        return select(2, connections(old)) == WORKERS
    end)
    let_run()
end

local function start_load()
    clients = process.start { "python3", "spec/support/load.py", url, tostring(CLIENTS), "0",
                              "kong\n", ready = "ready 0\n" }
    let_run()
end

-- Every answer was 200 and the user.
local function assert_all_good()
    local said = end_load()
    assert.matches("^%d+ ok\n$", said, nil, nil, one:error_log():sub(-4000))
    assert.is_true(tonumber(said:match("%d+")) >= 10 * CLIENTS)
    assert.is_nil(one:error_log():find("[error]", 1, true), one:error_log())
end

-- In every second round there was a look at AWS in vain, and there is none for a second then: no
-- rotation is so soon after another.
local function let_cool(round)
    if round % 2 == 0 then
        system.sleep(1.1)
    end
end

-- A gateway whose user and password have these options in their references.
local function start_gateway(options)
    local port = system.free_port()
    url = ("http://127.0.0.1:%d/database"):format(port)
    one = gateway.start {
        env = aws:env { KONG_PG_HOST = database.folder,
                        KONG_PG_USER = reference("pg_user", options),
                        KONG_PG_PASSWORD = reference("pg_password", options) },
        workers = WORKERS, http = HTTP:gsub("${(%w+)}", { root = system.root(), port = port }),
        before_init = ('package.path = "%s/examples/?.lua;" .. package.path'):format(
            system.root()),
    }
end

describe("Kong's how-to", function()
    setup(function()
        database, aws = postgres.start(), moto.start()
        database:sql("CREATE ROLE admin SUPERUSER LOGIN PASSWORD 'password'")
        database:sql("CREATE DATABASE admin") -- as docker's image makes it
        local line =
            [[psql -U admin -c "CREATE USER ${KONG_PG_USER} WITH PASSWORD '${KONG_PG_PASSWORD}'"]]
        assert.equal("CREATE ROLE\n", how_to(line, password()))
        line = [[psql -U admin -c "CREATE DATABASE kong OWNER ${KONG_PG_USER};"]]
        assert.equal("CREATE DATABASE\n", how_to(line, ""))
    end)
    teardown(function()
        aws:stop()
        database:remove()
    end)

    before_each(function()
        local first = password()
        set_password(first)
        aws:call("CreateSecret", { Name = SECRET, Description = "Kong GW Database credentials" })
        aws:put(SECRET, value(first))
    end)
    after_each(function()
        aws:delete(SECRET)
        if clients then
            clients:stop()
            clients = nil
        end
        if one then
            one:stop()
            assert_no_password(one:error_log())
            one = nil
        end
    end)

    describe("in nginx", function()
        it("asks the database as the user of the secret, over one connection", function()
            start_gateway()
            for _ = 1, 20 do
                local answer = http.get(url)
                assert.same({ 200, "kong\n" }, { answer.status, answer.body })
            end
            assert.is_true(select(2, connections()) <= WORKERS)
        end)

        for _, options in ipairs { "", "?ttl=1" } do
            local renews = options ~= ""

            -- Until AWS's value is a worker's, where they renew it.
            local function let_renew(new)
                wait_for("the value is not renewed", function()
                    return not renews
                        or one:get(reference("pg_password", options)).value == new
                end)
            end

            local function promote(new)
                if renews then -- by batches: see moto.lua
                    aws:put(SECRET, value(new))
                else
                    aws:promote(SECRET)
                end
            end

            it("fails nobody where the database is first to have a password " .. options, function()
                start_gateway(options)
                start_load()
                for round = 1, 4 do
                    local new = password()
                    aws:put(SECRET, value(new), "AWSPENDING")
                    set_password(new)
                    if round % 2 == 0 then
                        break_off()
                    end
                    promote(new)
                    break_off()
                    let_renew(new)
                    break_off()
                    let_cool(round)
                end
                assert_all_good()
            end)

            it("fails nobody where AWS is first to have a password " .. options, function()
                start_gateway(options)
                start_load()
                for round = 1, 4 do
                    local new = password()
                    aws:put(SECRET, value(new))
                    let_renew(new)
                    if round % 2 == 0 then
                        break_off()
                    end
                    set_password(new)
                    break_off()
                    let_cool(round)
                end
                assert_all_good()
            end)
        end

        -- The most calls to AWS that may come of `seconds` in which the database is away: a look
        -- at first, after 1 s, after 2 more and so on, each with two stages.
        local function most_calls(seconds)
            local looks = 1
            for _, moment in ipairs { 1, 3, 7, 15, 25, 35 } do
                looks = looks + (seconds >= moment and 1 or 0)
            end
            return 3 * looks
        end

        local function assert_refused(part)
            local urls = {}
            for i = 1, 100 do
                urls[i] = url
            end
            for _, answer in ipairs(http.parallel(urls, { max = CLIENTS })) do
                assert.same({ 503, NOT_THERE }, { answer.status, answer.body })
            end
            assert.is_truthy(one:error_log():find(part, 1, true))
        end

        it("says so while the database is away, and goes on when it is back", function()
            start_gateway()
            start_load()
            local calls, began = aws:calls(), system.now()
            finally(function()
                database:begin()
            end)
            database:stop()
            assert_refused("No such file or directory")
            database:leave_socket()
            assert_refused("Connection refused")
            local spent, passed = aws:calls() - calls, system.now() - began
            assert.is_true(spent >= 3 and spent <= most_calls(passed), spent .. " calls")
            database:begin()
            let_run()
            break_off()
            assert.is_true(aws:calls() - calls <= most_calls(system.now() - began))
            assert.matches("^%d+ ok\n%d+ status 503: b'the database is not to be had\\n'\n$",
                (end_load()))
        end)
    end)

    describe("on the command line", function()
        local own

        before_each(function()
            own = system.folder()
        end)
        after_each(function()
            system.remove(own)
        end)

        -- bin/vaults exec -- psql, to run a query: child.run's or process.start's words.
        local function psql(query)
            return {
                system.root() .. "/bin/vaults", "exec", "--", "psql", "-X", "-A", "-t", "-h",
                database.folder, "-d", "kong", "-c", query,
                env = aws:env { PGUSER = reference("pg_user"),
                                PGPASSWORD = reference("pg_password"), HOME = own, TMPDIR = own,
                                LUA_CPATH = system.build() .. "/?.so;;" },
            }
        end

        it("psql logs in by exec, before a rotation and after it", function()
            for _ = 1, 2 do
                local ended = child.run(psql("SELECT current_user"))
                assert.same({ 0, "kong\n", "" }, { ended.code, ended.out, ended.err })
                local new = password()
                set_password(new)
                local refused = child.run(psql("SELECT current_user"))
                assert.equal(2, refused.code)
                assert_no_password(refused.err)
                aws:put(SECRET, value(new))
            end
        end)

        it("psql has the password in its environment, and nowhere else", function()
            local words = psql("SELECT pg_sleep(60)")
            words.clear_env = true
            local running = process.start(words)
            finally(function()
                running:stop()
            end)
            local ready = system.wait_for(function()
                return select(2, connections()) == 1
            end, 20)
            assert.is_truthy(ready, running:errors())
            local function read(name)
                return system.read(("/proc/%d/%s"):format(running.pid, name))
            end
            assert.matches("pg_sleep", read("cmdline"), 1, true)
            assert_no_password(read("cmdline"))
            local canary = passwords[#passwords]
            assert.is_truthy(read("environ"):find("PGPASSWORD=" .. canary .. "\0", 1, true))
            local grep = child.run { "grep", "-rlF", canary, own, running.folder, database.folder }
            assert.same({ "", 1 }, { grep.out, grep.code })
        end)
    end)
end)
