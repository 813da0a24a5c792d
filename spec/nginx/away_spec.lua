-- away_spec - AWS cannot be reached while nginx starts, or its name cannot be resolved: nginx
-- starts, serves, and leaves all the same.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local network = require "spec.support.network"
local preload = require "spec.support.preload"
local system = require "spec.support.system"

local HANG = 6 -- seconds that spec/support/resolver.c keeps who asks for slow.test

-- What each vault.get of `names` gave at start, in a global, and how long all took.
local function ask_at_start(global, names)
    local asked = {}
    for i, name in ipairs(names) do
        asked[i] = ("{ vault.get(%q) },"):format("{vault://" .. name .. "}")
    end
    return ([[
        local vault = require "vault"
        ngx.update_time()
        local began = ngx.now()
        _G.%s = { answers = { %s } }
        ngx.update_time()
        _G.%s.time = ngx.now() - began
    ]]):format(global, table.concat(asked, " "), global)
end

local SHOW = [[
    location = /started { content_by_lua_block { ngx.print(require("cjson").encode(at_start)) } }
    location = /worker_started {
        content_by_lua_block { ngx.print(require("cjson").encode(at_worker_start)) }
    }
]]

local function started(one, path)
    return cjson.decode(one:show(path or "/started"))
end

-- { nil, message, word }, as JSON shows it.
local function assert_answer(word, part, answer)
    assert.equal(cjson.null, answer[1])
    assert.is_truthy(answer[2]:find(part, 1, true), answer[2])
    assert.equal(word, answer[3])
end

local function threads(one)
    local status = system.read(("/proc/%d/status"):format(one:worker()))
    return tonumber(status:match("Threads:%s*(%d+)"))
end

local opened -- what each spec leaves behind: { method, object }

local function open(object, method)
    table.insert(opened, 1, { method or "stop", object })
    return object
end

describe("nginx starts while AWS is away", function()
    before_each(function()
        opened = {}
    end)
    after_each(function()
        for _, one in ipairs(opened) do
            one[2][one[1]](one[2])
        end
    end)

    local function start(url, options)
        options.env = { AWS_ACCESS_KEY_ID = aws.ACCESS_KEY, AWS_SECRET_ACCESS_KEY = aws.SECRET_KEY,
                        AWS_REGION = "us-east-1", AWS_ENDPOINT_URL = url }
        options.server = SHOW .. (options.server or "")
        return open(gateway.start(options))
    end

    it("within init_timeout, and the errors can be read later", function()
        local silent = open(network.silent(), "close")
        local one = start(silent.url, {
            init = "init_timeout = 1", after_init = ask_at_start("at_start", { "aws/a", "aws/b" }),
            init_worker = ask_at_start("at_worker_start", { "aws/a" }),
        })
        local master, worker = started(one), started(one, "/worker_started")
        assert_answer("connect_failed", 'secret "a" in us-east-1: ', master.answers[1])
        assert_answer("timeout", "the init_timeout of 1 s is used up", master.answers[2])
        assert_answer("connect_failed", 'secret "a" in us-east-1: ', worker.answers[1])
        assert.is_true(master.time >= 0.9 and master.time < 3, master.time)
        assert.is_true(worker.time >= 0.9 and worker.time < 3, worker.time)
    end)

    it("and has the secret as soon as AWS is back", function()
        local port = network.refusing()
        local one = start(port.url, { after_init = ask_at_start("at_start", { "aws/db/name" }) })
        assert_answer("connect_failed", "(3 attempts)", started(one).answers[1])
        port:close()
        open(aws.start { port = port.port })
        assert.equal("db", one:get("{vault://aws/db/name}").value)
    end)
end)

describe("a resolver", function()
    local fake, library, folder

    setup(function()
        folder = system.folder()
        library = preload.build(folder, "resolver")
        fake = aws.start()
    end)
    teardown(function()
        if fake then
            fake:stop()
        end
        system.remove(folder)
    end)
    before_each(function()
        opened = {}
    end)
    after_each(function()
        for _, one in ipairs(opened) do
            one[2][one[1]](one[2])
        end
    end)

    local function start(options)
        local entity = '{ prefix = "%s", name = "aws", config = { timeout = %d, '
            .. 'endpoint_url = "http://%s.test:' .. fake.port .. '" } },'
        options.init = "init_timeout = 1, vaults = {" .. entity:format("slow", 2, "slow")
            .. entity:format("slower", 30, "slow") .. entity:format("fast", 10, "fast")
            .. entity:format("nowhere", 10, "nowhere") .. "}"
        options.server = SHOW .. [[
            location = /begin {
                content_by_lua_block { ngx.print("begun") }
                log_by_lua_block { require("vault").get("{vault://slower/x}") }
            }
        ]]
        options.env, options.preload = fake:env(), library
        return open(gateway.start(options))
    end

    it("that does not know the host says so", function()
        local answer = start({}):get("{vault://nowhere/a}")
        assert_answer("resolve_failed", "Could not resolve host: nowhere.test (3 attempts)",
            { answer.value or cjson.null, answer.message, answer.word })
        assert.is_true(answer.others)
    end)

    it("that hangs for one host does not hold up the fetches from others", function()
        local one = start {}
        local slow = one:ask("{vault://slow/a}")
        -- nginx's thread, the engine's, the resolver's
        assert.is_truthy(system.wait_for(function()
            return threads(one) == 3
        end))
        for i = 1, 5 do
            assert.equal("f" .. i, one:get("{vault://fast/f" .. i .. "/name}").value)
        end
        assert.is_true(slow.process:alive())
        local answer = gateway.read(slow)
        assert.equal("resolve_failed", answer.word)
        assert.is_truthy(answer.message:find("timed out", 1, true), answer.message)
        assert.is_true(answer.others)
        -- The resolver's thread hangs still; nothing waits for it.
        assert.equal(3, threads(one))
        assert.equal("late", one:get("{vault://fast/late/name}").value)
        assert.equal(0, one.nginx:quit(HANG - 3))
    end)

    it("that hangs does not hold up the worker's exit with the fetch in flight", function()
        local one = start {}
        local worker = one:worker()
        assert.equal("begun", http.get(one.url .. "/begin").body)
        assert.equal("f", one:get("{vault://fast/f/name}").value)
        assert.equal(0, one.nginx:quit(HANG - 2))
        assert.is_nil(one:error_log():find("exited on signal", 1, true))
        assert.is_nil(system.read("/proc/" .. worker .. "/stat"))
    end)

    it("that hangs does not hold up the start", function()
        local one = start { after_init = ask_at_start("at_start", { "slower/a", "fast/a" }) }
        local answers = started(one)
        assert_answer("resolve_failed", 'secret "a" in us-east-1: ', answers.answers[1])
        assert_answer("timeout", "init_timeout", answers.answers[2])
        assert.is_true(answers.time < HANG - 2)
    end)
end)
