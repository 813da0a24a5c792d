-- port_spec - the engine as Lua sees it: core.port and core.run, each spec in a process of its own.

local aws = require "spec.support.aws"
local child = require "spec.support.child"

-- In front of every program: a request, and waiting for what is finished.
local TOOLS = [[
    local system = require "spec.support.system"
    local port, settings = core.port, {}
    local function request(id, more)
        local made = { secret_id = id, region = "us-east-1", timeout = 5,
                       endpoint_url = os.getenv("ENDPOINT") }
        for field, value in pairs(more or {}) do
            made[field] = value
        end
        return made
    end
    local function take()
        local answer
        system.wait_for(function()
            answer = { port:take() }
            return answer[1]
        end, 10, 0.001)
        return unpack(answer, 1, 4)
    end
    local function raises(action, needle)
        local ok, message = pcall(action)
        assert(not ok, "it does not raise")
        assert(not needle or message:find(needle, 1, true), message)
    end
]]

describe("the port", function()
    local fake

    setup(function()
        fake = aws.start()
    end)
    teardown(function()
        fake:stop()
    end)

    local function run(text, more)
        local env = fake:env(more)
        env.ENDPOINT = fake.url
        env.AWS_ENDPOINT_URL_SECRETS_MANAGER = nil
        return child.lua(TOOLS .. text .. ' io.write("done")', env)
    end

    it("submits under numbers and gives back what came of them", function()
        fake:put("db/main", "a\n\0b")
        assert.equal("done", run [[
            assert(port:pending() == 0 and not port:take())
            local one = port:submit(request("db/main"), settings)
            local two = port:submit(request("missing.x"), settings)
            assert(one > 0 and two > one and port:pending() == 2)
            local seen = {}
            for _ = 1, 2 do
                local number, result, message, word = take()
                seen[number] = { result = result, message = message, word = word }
            end
            assert(port:pending() == 0 and not port:take())
            local result = seen[one].result
            assert(result.payload == "a\n\0b" and result.binary == false)
            assert(#result.version_id == 36 and not result.attempts)
            assert(result.arn:find("secret:db/main", 1, true))
            assert(seen[two].result == nil and seen[two].word == "not_found")
            assert(seen[two].message:find("ResourceNotFoundException", 1, true))
        ]])
    end)

    it("counts attempts, and fetches stages and bytes", function()
        assert.equal("done", run [[
            port:submit(request("fail1-500.x"), settings)
            local _, result = take()
            assert(result.attempts == 2)
            port:submit(request("fail1-500.y", { attempts = 1 }), settings)
            local _, failed, _, why = take()
            assert(failed == nil and why == "server_error")
            port:submit(request("binary.x", { stage = "AWSCURRENT" }), settings)
            _, result = take()
            assert(result.binary == true)
            port:submit(request("x", { stage = "AWSPREVIOUS" }), settings)
            local _, none, _, word = take()
            assert(none == nil and word == "not_found")
        ]])
    end)

    it("run does the same on the calling thread", function()
        assert.equal("done", run [[
            local result = assert(core.run(request("x"), settings))
            assert(core.extract(result.payload, "user") == "u1")
            local none, message, word = core.run(request("denied.x"), settings)
            assert(none == nil and message and word == "access_denied")
            local threads = system.read("/proc/self/status"):match("Threads:%s*(%d+)")
            assert(threads == "1", threads)
        ]])
    end)

    it("takes what requests have in common from a table of its own", function()
        assert.equal("done", run [[
            local terms = request(nil, { timeout = "not read", secret_id = 7 })
            for _, id in ipairs { "x", "y" } do
                assert(port:submit({ secret_id = id, timeout = 5, terms = terms }, settings))
                assert(select(2, take()).payload)
            end
            assert(core.run({ secret_id = "x", terms = terms }, settings))
            local others = request("x")
            others[1], others[true], others.region_ = "not read", "nor this", 7
            assert(core.run(others, settings))
            local result, _, word = core.run({ secret_id = "x", region = "us-east-1",
                terms = { region = "NONE", endpoint_url = terms.endpoint_url } }, settings)
            assert(not result and word == "bad_config", word)
        ]])
    end)

    it("raises for requests that are none, and nothing is under way then", function()
        assert.equal("done", run [[
            for _, bad in ipairs {
                {}, { secret_id = 7 }, { secret_id = "x", timeout = 0 },
                { secret_id = "x", timeout = 3601 }, { secret_id = "x", timeout = 0 / 0 },
                { secret_id = "x", timeout = "5" }, { secret_id = "x", stage = 7 },
                { secret_id = "x", region = {} }, { secret_id = "x", endpoint_url = true },
                { secret_id = "x", region = "a\0b" }, { secret_id = "x", stage = "a\0b" },
                { secret_id = "x", terms = "t" }, { secret_id = "x", terms = { region = 7 } },
                { secret_id = false }, { secret_id = "x", attempts = "1" },
                { secret_id = "x", attempts = 11 }, { secret_id = "x", attempts = -1 },
                { secret_id = "x", batch = { "x" } }, { batch = "x" }, { batch = {} },
                { batch = { 7 } }, { batch = { "x" }, stage = "AWSPREVIOUS" },
            } do
                raises(function() port:submit(bad, settings) end)
                raises(function() core.run(bad, settings) end)
            end
            raises(function() port:submit() end)
            raises(function() port:submit("x", settings) end)
            raises(function() port:submit(request("x")) end)
            raises(function() port:submit(request("x"), { ca_file = 7 }) end)
            raises(function() core.run(request("x"), { ca_file = "a\0b" }) end)
            raises(function() core.run() end)
            raises(function() port.take({}) end)
            raises(function() port.pending() end)
            raises(function() port.submit(io.stdout, request("x"), settings) end)
            raises(function() port:listen({}) end)
            assert(port:pending() == 0)
        ]])
    end)

    it("raises once it is closed; closing it again does not", function()
        assert.equal("done", run [[
            port:submit(request("delay-2000.x"), settings)
            port:close()
            for _, name in ipairs { "submit", "take", "pending", "listen", "accept", "hang_up" } do
                raises(function() port[name](port, request("x"), settings) end, "closed")
            end
            port:close()
            port:close()
            assert(core.run(request("x"), settings))
        ]])
    end)

    it("leaves the engine to another VM's port, and can be had anew", function()
        assert.equal("done", run [[
            assert(port:submit(request("x"), settings))
            take()
            package.loaded["vault.core"] = nil
            local other = require("vault.core").port
            port:close()
            port = other
            assert(port:submit(request("x"), settings))
            assert(select(2, take()).payload)
            port:close()
            package.loaded["vault.core"] = nil
            port = require("vault.core").port
            assert(port:submit(request("x"), settings))
            assert(select(2, take()).payload)
        ]])
    end)

    it("rings over the connection to the path that listen gives", function()
        assert.equal("done", run [[
            local ffi = require "ffi"
            ffi.cdef "struct spec_un { uint16_t family; char path[108]; };"
            ffi.cdef "long read(int fd, void *bytes, size_t size);"
            local path = assert(port:listen("/nonexistent", os.getenv("TMPDIR") or "/tmp"))
            assert(path:match("^/proc/self/fd/%d+$"))
            local address = ffi.new("struct spec_un", { 1, path })
            local fd = ffi.C.socket(1, 1, 0)
            assert(ffi.C.connect(fd, ffi.cast("const struct vault_spec_address *", address),
                ffi.sizeof(address)) == 0)
            assert(port:accept() == true)
            local byte = ffi.new("char[1]")
            for _ = 1, 3 do
                port:submit(request("x"), settings)
                assert(ffi.C.read(fd, byte, 1) == 1)
                assert(port:take())
            end
            port:hang_up()
            port:hang_up()
            assert(ffi.C.read(fd, byte, 1) == 0)
            port:submit(request("x"), settings)
            assert(take())
        ]])
    end)

    it("says where no folder will do", function()
        assert.equal("done", run [[
            local path, message, word = port:listen("/nonexistent", "/proc")
            assert(path == nil and message and word == "bad_config")
            path, message, word = port:listen()
            assert(path == nil and message and word == "bad_config")
        ]])
    end)

    it("works with a collector that never rests", function()
        assert.equal("done", run [[
            jit.off() -- a trace that collects at each step may never come to its end
            collectgarbage("setpause", 1)
            collectgarbage("setstepmul", 1e6)
            for round = 1, 10 do
                for i = 1, 20 do
                    assert(port:submit(request("s" .. i % 7, { stage = "AWS" .. "CURRENT" }),
                        { ca_file = nil }))
                    collectgarbage()
                end
                for _ = 1, 20 do
                    local _, result = take()
                    collectgarbage()
                    assert(result.payload:find("user", 1, true))
                end
                assert(core.run(request("s" .. round), settings).payload)
                pcall(port.submit, port, { secret_id = "x" .. round, timeout = -1 }, settings)
            end
        ]])
    end)

    it("ends with the process, with fetches under way", function()
        assert.equal("done", run [[
            for i = 1, 20 do
                port:submit(request("delay-3000.x" .. i), settings)
            end
            system.sleep(0.05)
        ]])
    end)
end)
