-- postgres_spec - vault.try against a real PostgreSQL whose password changes behind the gateway.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local postgres = require "spec.support.postgres"
local system = require "spec.support.system"

-- Seconds after the first look that found a secret unchanged in which it may be looked for again.
local LOOKS = { 1, 3, 7, 15, 25, 35, 45 }
local LAG = 0.5 -- seconds by which the time of a busy worker's turn may be behind
local ROLE = "app"
local passwords = {} -- all there ever were: none may be seen anywhere

-- A new one.
local function password()
    passwords[#passwords + 1] = ("canary-%d-%d"):format(#passwords + 1, math.random(1e6, 1e7))
    return passwords[#passwords]
end

local HTTP = [[
    lua_shared_dict vault_locks 1m;
    lua_shared_dict failed 1m;
]]

-- /connect: who the database says is there, the error, and with which passwords it was tried. With
-- ?callers=N no attempt that fails returns before N have failed.
local SERVER = [[
    location = /connect {
        content_by_lua_block {
            local tried, callers = 0, tonumber(ngx.var.arg_callers or 1)
            local function connect(conf)
                tried = tried + 1
                local link, err = database:connect("postgres", conf.db.user, conf.db.password,
                    "${socket}")
                if not link then
                    local failed = ngx.shared.failed:incr("failed", 1, 0)
                    while failed < callers do
                        ngx.sleep(0.01)
                        failed = ngx.shared.failed:get("failed")
                    end
                    return nil, err
                end
                local who = link:execute("SELECT current_user"):fetch()
                link:close()
                return who
            end
            local who, err = require("vault").try(connect, conf,
                { stages = ngx.var.arg_stages ~= nil })
            ngx.print(require("cjson").encode { who = who, err = err, tried = tried })
        }
    }
]]

local AFTER_INIT = [[
    _G.database = require("luasql.postgres").postgres()
    _G.conf = { db = { ["$refs"] = { user = "{vault://aws/db/app/user}",
                                     password = "{vault://aws/db/app/password}" } } }
]]

describe("try, against PostgreSQL", function()
    local database, fake, one

    setup(function()
        database = postgres.start()
        fake = aws.start { args = { "--only-put" } }
    end)
    teardown(function()
        fake:stop()
        database:remove()
    end)

    -- What AWS holds of the secret.
    local function put(text, stage)
        fake:put("db/app", cjson.encode { user = ROLE, password = text }, stage)
    end

    -- The calls for the secret since the last look.
    local looked
    local function calls()
        local all = fake:stats().by_name["db/app"] or 0
        local fresh = all - looked
        looked = all
        return fresh
    end

    before_each(function()
        fake:reset()
        local first = password()
        put(first)
        database:set_password(ROLE, first)
        one = gateway.start { env = fake:env(), http = HTTP, workers = 4, after_init = AFTER_INIT,
                              server = SERVER:gsub("${socket}", database.folder) }
        looked = 0
    end)
    after_each(function()
        if not one then
            return
        end
        one:stop()
        local log = one:error_log()
        one = nil
        for _, text in ipairs(passwords) do
            assert.is_nil(log:find(text, 1, true), "a password is in the log")
        end
        assert.is_nil(log:find("[error]", 1, true), log)
    end)

    local function read(answer)
        assert.equal(200, answer.status)
        for _, text in ipairs(passwords) do
            assert.is_nil(answer.body:find(text, 1, true), "a password is in an answer")
        end
        return cjson.decode(answer.body)
    end

    local function connect(query)
        return read(http.get(one.url .. "/connect?" .. (query or "")))
    end

    -- As many at the same time.
    local function connect_all(many, query)
        local urls, answers = {}, {}
        for i = 1, many do
            urls[i] = one.url .. "/connect?" .. (query or "")
        end
        for i, answer in ipairs(http.parallel(urls, { max = many })) do
            answers[i] = read(answer)
        end
        return answers
    end

    -- All workers have the secret.
    local function warm_up()
        for _, answer in ipairs(connect_all(40)) do
            assert.same({ who = ROLE, tried = 1 }, answer)
        end
        assert.equal(1, calls())
    end

    local function rotate()
        local new = password()
        database:set_password(ROLE, new)
        put(new)
    end

    it("connects on the second attempt after a rotation behind its back", function()
        assert.same({ who = ROLE, tried = 1 }, connect())
        assert.equal(1, calls())
        rotate()
        assert.same({ who = ROLE, tried = 2 }, connect())
        assert.equal(1, calls())
        assert.same({ who = ROLE, tried = 1 }, connect())
        assert.equal(0, calls())
    end)

    it("fetches once for 50 callers of 4 workers who fail at the same time", function()
        warm_up()
        rotate()
        local before = database:refused()
        for _, answer in ipairs(connect_all(50, "callers=50")) do
            assert.same({ who = ROLE, tried = 2 }, answer)
        end
        assert.equal(50, database:refused() - before)
        assert.equal(1, calls())
    end)

    -- At least one since the moment `began`, and with each look at most one for each of so many
    -- stages.
    local function assert_few_calls(began, stages)
        local spent, passed, times = calls(), system.now() - began, 1
        for _, second in ipairs(LOOKS) do
            times = times + (passed >= second - LAG and 1 or 0)
        end
        assert.is_true(spent >= 1 and spent <= times * stages, spent .. " calls")
    end

    it("uses the password that waits to be promoted, and fails nobody", function()
        warm_up()
        local new = password()
        put(new, "AWSPENDING")
        for _, answer in ipairs(connect_all(10, "stages=1")) do
            assert.same({ who = ROLE, tried = 1 }, answer)
        end
        assert.equal(0, calls())
        database:set_password(ROLE, new)
        local began = system.now()
        for _, answer in ipairs(connect_all(50, "stages=1&callers=50")) do
            assert.equal(ROLE, answer.who)
        end
        for _ = 1, 10 do
            assert.equal(ROLE, connect("stages=1").who)
        end
        assert_few_calls(began, 2)
        put(new)
        for _, answer in ipairs(connect_all(10, "stages=1")) do
            assert.equal(ROLE, answer.who)
        end
    end)

    it("uses the password before, where the database never got the new one", function()
        put(password())
        local began = system.now()
        for _, answer in ipairs(connect_all(20, "stages=1")) do
            assert.equal(ROLE, answer.who)
        end
        assert_few_calls(began, 4) -- the first, and one for each stage
    end)

    local function assert_refused(answer, part)
        assert.is_nil(answer.who)
        assert.is_truthy(answer.err:find(part, 1, true), answer.err)
    end

    it("says each stage's failure where the database takes none of them", function()
        warm_up()
        put(password(), "AWSPENDING")
        database:set_password(ROLE, password())
        local answer = connect("stages=1")
        assert_refused(answer, "AWSCURRENT: LuaSQL: error connecting")
        assert_refused(answer, "; AWSPENDING: LuaSQL: error connecting")
        assert_refused(answer, '; AWSPREVIOUS: secret "db/app"')
        assert.equal(2, answer.tried)
    end)

    for _, stages in ipairs { "", "stages=1" } do
        it("does not ask AWS again and again while the database is away " .. stages, function()
            warm_up()
            database:stop()
            finally(function()
                database:begin()
            end)
            local began = system.now()
            for _ = 1, 3 do
                for _, answer in ipairs(connect_all(50, stages)) do
                    assert_refused(answer, "No such file or directory")
                end
            end
            assert_few_calls(began, stages == "" and 1 or 3)
            database:begin()
            assert.same({ who = ROLE, tried = 1 }, connect(stages))
            assert.equal(0, calls())
        end)
    end
end)
