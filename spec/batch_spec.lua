-- batch_spec - several secrets by one call: core.run and core.port with `batch`, each spec in a
-- process of its own.

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local moto = require "spec.support.moto"

-- In front of every program: a request, and what came of its parts in short.
local TOOLS = [[
    local system = require "spec.support.system"
    local settings = {}
    local function request(...)
        return { batch = { ... }, region = "us-east-1", timeout = 5,
                 endpoint_url = os.getenv("ENDPOINT") }
    end
    local function run(...)
        return core.run(request(...), settings)
    end
    local function words(result)
        local list = {}
        for i, entry in ipairs(result.entries) do
            list[i] = entry.word or entry.payload
        end
        return table.concat(list, " ")
    end
    local function raises(action, needle)
        local ok, message = pcall(action)
        assert(not ok, "it does not raise")
        assert(not needle or message:find(needle, 1, true), message)
    end
]]

local function run_with(server, text, more)
    local env = server:env(more)
    env.ENDPOINT = server.url
    env.AWS_ENDPOINT_URL_SECRETS_MANAGER = nil
    return child.lua(TOOLS .. text .. ' io.write("done")', env)
end

describe("a batch", function()
    local fake

    setup(function()
        fake = aws.start()
    end)
    before_each(function()
        fake:reset()
    end)
    teardown(function()
        fake:stop()
    end)

    local function run(text, more)
        return run_with(fake, text, more)
    end

    it("brings all secrets by one call, in the order asked", function()
        local version = fake:put("db/main", "a\n\0b")
        fake:put("two", "2")
        assert.equal("done", run([[
            local arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
            local result = assert(run("two", "db/main", arn .. "two-AbCdEf", arn .. "two",
                                      "binary.two"))
            assert(result.attempts == nil and #result.entries == 5 and result.payload == nil)
            assert(words(result) == "2 a\n\0b 2 2 2", words(result))
            local entry = result.entries[2]
            assert(entry.version_id == os.getenv("VERSION") and entry.binary == false)
            assert(entry.arn == arn .. "db/main-AbCdEf")
            assert(entry.word == nil and entry.message == nil)
            assert(result.entries[5].binary == true)
        ]], { VERSION = version }))
        local stats = fake:stats()
        assert.same({ 1, { 5 }, 0, 1 }, { stats.batches, stats.batch_sizes, stats.calls,
                                          stats.max_batches_in_flight })
        assert.equal(1, stats.by_name_in_batches["db/main"])
    end)

    it("says of each secret that is refused what a single call says", function()
        assert.equal("done", run [[
            local names = { "missing.a", "ok", "denied.b", "code-DecryptionFailure.c",
                            "code-ThrottlingException.d", "code-New.e", "ctl.f", "novalue.g" }
            local result = assert(run(unpack(names)))
            assert(result.attempts == nil)
            result.entries[2].payload = "ok"
            assert(words(result) == "not_found ok access_denied decryption_failed throttled "
                .. "rejected invalid_request bad_response", words(result))
            for i, name in ipairs(names) do
                if i ~= 2 then
                    local alone = request()
                    alone.batch, alone.secret_id = nil, name
                    local _, message, word = core.run(alone, settings)
                    message = message:gsub(" %(%d attempts%)$", "")
                    local entry = result.entries[i]
                    assert(entry.word == word and entry.message == message, entry.message)
                    assert(entry.payload == nil and not entry.message:find("[^ -~]"))
                end
            end
        ]])
        assert.equal(1, fake:stats().batches)
    end)

    it("fails as a whole where the call is denied, and is not tried again", function()
        fake:batches { code = "AccessDeniedException" }
        assert.equal("done", run [[
            local none, message, word = run("a", "b")
            assert(none == nil and word == "access_denied", word)
            assert(message:find("batch of 2 secrets in us-east-1: AccessDeniedException: ", 1,
                                true) == 1, message)
        ]])
        assert.equal(1, fake:stats().batches)
    end)

    it("is tried again where the call is throttled", function()
        fake:batches { code = "ThrottlingException", times = 1 }
        assert.equal("done", run [[
            local result = assert(run("a", "missing.b"))
            assert(result.attempts == 2 and #result.entries == 2)
            assert(result.entries[1].version_id ~= "" and result.entries[2].word == "not_found")
        ]])
        local stats = fake:stats()
        assert.same({ 2, { 2, 2 } }, { stats.batches, stats.batch_sizes })
        assert.equal(1, stats.by_name_in_batches.a)
    end)

    it("signs: a wrong key, a wrong clock", function()
        assert.equal("done", run([[
            local none, _, word = run("a")
            assert(none == nil and word == "credentials_refused", word)
        ]], { AWS_SECRET_ACCESS_KEY = "wrong" }))
        fake:reset()
        assert.equal("done", run [[
            assert(run("skew+3600.a", "b").attempts == 2)
        ]])
    end)

    it("brings 20 secrets of 64 KiB", function()
        assert.equal("done", run [[
            local names = {}
            for i = 1, 20 do
                names[i] = "big65536.s" .. i
            end
            local result = assert(run(unpack(names)))
            for i = 1, 20 do
                assert(result.entries[i].payload == ("x"):rep(65536))
            end
            names[20] = "big65537.s20"
            result = assert(run(unpack(names)))
            assert(#result.entries[19].payload == 65536 and result.entries[20].word == "too_large")
        ]])
    end)

    it("fails as a whole where the answer is malformed, cut or lost", function()
        assert.equal("done", run([[
            for name, wanted in pairs { ["malformed.a"] = "bad_response", ["html-502.a"] =
                "server_error", ["truncate.a"] = "connection_lost" } do
                local none, message, word = run("b", name)
                assert(none == nil and word == wanted, name .. ": " .. tostring(word))
                assert(message:find("batch of 2 secrets", 1, true))
            end
        ]], { AWS_MAX_ATTEMPTS = "1" }))
    end)

    it("goes through the port like any fetch, several at a time", function()
        fake:batches { delay = 200 }
        assert.equal("done", run [[
            local port = core.port
            local one = port:submit(request("a", "missing.b"), settings)
            local two = port:submit(request("c"), settings)
            local seen = {}
            system.wait_for(function()
                local number, result = port:take()
                seen[number or 0] = result
                return number and port:pending() == 0
            end, 10, 0.001)
            assert(#seen[one].entries == 2 and seen[one].entries[2].word == "not_found")
            assert(#seen[two].entries == 1 and not seen[two].attempts)
        ]])
        local stats = fake:stats()
        assert.same({ 2, 2, 0 }, { stats.batches, stats.max_batches_in_flight,
                                   stats.batches_in_flight })
    end)

    it("raises for what is no batch", function()
        assert.equal("done", run [[
            local many = {}
            for i = 1, 21 do
                many[i] = "s" .. i
            end
            for _, bad in ipairs { {}, many, "x", 7, { 7 }, { "x", {} }, { x = "y" } } do
                local wrong = request()
                wrong.batch = bad
                raises(function() core.run(wrong, settings) end, "batch must be a")
                raises(function() core.port:submit(wrong, settings) end, "batch must be a")
            end
            local both = request("a")
            both.secret_id = "b"
            raises(function() core.run(both, settings) end, "exclude each other")
            local stage = request("a")
            stage.stage = "AWSPREVIOUS"
            raises(function() core.run(stage, settings) end, "AWSCURRENT")
            raises(function() core.explain(request("a"), settings) end, "one secret")
            many[21] = nil
            assert(#assert(run(unpack(many))).entries == 20)
            for _, bad in ipairs { "", ("x"):rep(2049), "a\255" } do
                local none, _, word = run("a", bad)
                assert(none == nil and word == "bad_reference", word)
            end
            assert(core.port:pending() == 0)
        ]])
        assert.same({ 20 }, fake:stats().batch_sizes)
    end)
end)

describe("a batch from moto", function()
    local server

    setup(function()
        server = moto.start()
    end)
    teardown(function()
        server:stop()
    end)

    it("brings what is there, and says what is not", function()
        local arn = server:create("team/db", '{"user":"john"}').ARN
        server:create("team/dbx", "x")
        server:put("team/dbx", "y")
        assert.equal("done", run_with(server, [[
            local arn = os.getenv("ARN")
            local result = assert(run("team/db", "nobody", arn, "team/dbx"))
            assert(words(result) == '{"user":"john"} not_found {"user":"john"} y', words(result))
            assert(result.entries[1].arn == arn and result.entries[3].arn == arn)
            assert(#result.entries[1].version_id == 36)
            assert(result.entries[2].message:find('secret "nobody" in us-east-1: Resource', 1,
                                                  true))
        ]], { ARN = arn }))
    end)
end)
