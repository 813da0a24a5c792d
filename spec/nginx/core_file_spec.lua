-- core_file_spec - what a core file of nginx would hold: no credential, and a secret's value only
-- in the shared dict and in Lua.
--
-- Read from the running processes (spec/support/core_reader.py), and once from a core file, where
-- the system writes them into the process's folder.

local asker = require "spec.support.asker"
local aws = require "spec.support.aws"
local gateway = require "spec.support.gateway"
local identity = require "spec.support.identity"
local process = require "spec.support.process"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

-- How every secret key, token and key id begins that the servers issue.
local CREDENTIALS = { "CANARY/secret+", "CANARY/token==", "ASIACANARY", "CANARY.web.identity" }
local STATIC = { access_key = "ASIACANARY0123456789", secret_key = "CANARY/secret+static",
                 token = "CANARY/token==static" }
local VALUE = "VALUE/CANARY"

-- The value itself is not shown: the buffers of an answer are no place for it. /plant puts a word
-- into memory of malloc's that is nowhere whole in Lua.
local SERVER = [[
    location = /ask {
        content_by_lua_block {
            local value, message = require("vault").get("{vault://aws/second/name}")
            ngx.print(value and #value or message)
        }
    }
    location = /plant {
        content_by_lua_block {
            local ffi = require "ffi"
            ffi.cdef "void *malloc(size_t size);"
            local memory = ffi.cast("char *", ffi.C.malloc(64))
            ffi.copy(memory, "PLANTED", 7)
            ffi.copy(memory + 7, "/CANARY", 8)
            ngx.print "planted"
        }
    }
]]
local AFTER_INIT = 'assert(require("vault").get("{vault://aws/first/name}"))'

local world, certificates, secure, secure_server

local function secured(env)
    return asker.merge(env, { AWS_CA_BUNDLE = certificates.ca })
end

-- Whose the credentials are, and over what they come: variables of each.
local WAYS = {
    role = function()
        return asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = asker.ROLE .. "one" })
    end,
    ["a program"] = function()
        return world:process(world:program("program", world:printed("process")))
    end,
    ["environment, over TLS"] = function()
        return secured(world:env { AWS_ENDPOINT_URL_SECRETS_MANAGER = secure.url,
            AWS_ACCESS_KEY_ID = STATIC.access_key, AWS_SECRET_ACCESS_KEY = STATIC.secret_key,
            AWS_SESSION_TOKEN = STATIC.token })
    end,
    ["role, over TLS"] = function()
        local keys = secure_server:issue("base")
        return secured(world:env { AWS_ENDPOINT_URL_STS = secure_server.url,
            AWS_ACCESS_KEY_ID = keys.access_key, AWS_SECRET_ACCESS_KEY = keys.secret_key,
            AWS_SESSION_TOKEN = keys.token, AWS_ROLE_ARN = false,
            KONG_VAULT_AWS_ASSUME_ROLE_ARN = asker.ROLE .. "one" })
    end,
}
for _, link in ipairs(asker.LINKS) do
    WAYS[link] = function() return world:linked(link) end
end

-- The lines of core_reader.py: { kind, word }, and how many.
local function search(pid, words, also)
    local list = system.write(world.folder .. "/words", table.concat(words, "\n"))
    local said = system.must(("%s spec/support/core_reader.py %d %s <%s"):format(
        system.venv("python"), pid, also or "", system.quote(list)))
    local found = {}
    for kind, word in said:gmatch("(%l+) 0x%x+ ([^ \n]+)") do
        found[#found + 1] = { kind, word }
    end
    return found
end

local function kinds(pid, word, also)
    local seen = {}
    for _, one in ipairs(search(pid, { word }, also)) do
        seen[one[1]] = true
    end
    return seen
end

-- The path of the worker's core file.
local function write_core(one, folder)
    system.must("kill -ABRT " .. one:worker())
    assert(system.wait_for(function()
        return one:error_log():find("core dumped", 1, true)
    end, 20), "no core file")
    return folder .. "/" .. system.must("ls " .. folder):match("[^\n]+")
end

-- Whether the system writes core files where the process is.
local function writes_core_files()
    local pattern = system.read("/proc/sys/kernel/core_pattern")
    return pattern and pattern:match("^core") ~= nil
end

describe("a core file", function()
    setup(function()
        world = asker.start()
        certificates = tls.make()
        local pair = { cert = certificates.cert, key = certificates.key }
        secure = aws.start { cert = pair.cert, key = pair.key, host = "localhost", args = {
            "--access-key", STATIC.access_key, "--secret-key", STATIC.secret_key,
            "--session-token", STATIC.token } }
        secure_server = identity.start(world.aws, pair)
        for _, server in ipairs { world.aws, secure } do
            server:put("first,second", ('{"name":"%s"}'):format(VALUE))
        end
    end)
    teardown(function()
        for _, server in ipairs { secure, secure_server } do
            server:stop()
        end
        certificates:remove()
        world:stop()
    end)

    local function start(env)
        local one = world:gateway { env = env, server = SERVER, after_init = AFTER_INIT }
        assert.equal(tostring(#VALUE), one:show("/ask"))
        return one
    end

    for way, env in pairs(WAYS) do
        it("holds no credential, and the value only where it may be: " .. way, function()
            local one = start(env())
            for _, pid in ipairs { one.nginx.process.pid, one:worker() } do
                assert.same({}, search(pid, CREDENTIALS))
                local seen = kinds(pid, VALUE)
                assert.is_true(seen.shared)
                seen.shared, seen.anonymous = nil, nil -- the dict's and Lua's
                assert.same({}, seen)
            end
            world:close()
        end)
    end

    -- In what is kept out of core files too: it is wiped when the request is over.
    it("holds nothing of a request that is over", function()
        local one = start(WAYS["role, over TLS"]())
        local said = search(one:worker(), { '"SecretId":"second"', "X-Amz-Security-Token: ",
                                            "Action=AssumeRole" },
            "all")
        assert.same({}, said)
        world:close()
    end)

    it("of the command line, which waits for AWS, holds no credential", function()
        local command = process.start { "bin/vaults", "get", "aws/hang.third/name",
                                        env = WAYS.environment(), clear_env = true }
        assert(system.wait_for(function()
            return world.aws:stats().by_name["hang.third"]
        end))
        for i = 1, 3 do
            assert.same({ kept = true }, kinds(command.pid, CREDENTIALS[i], "all"))
        end
        command:stop()
    end)

    it("would hold what lies in other memory: the credentials are kept, the planted is found",
        function()
            local one = start(WAYS.environment())
            for i = 1, 3 do
                assert.same({ kept = true }, kinds(one:worker(), CREDENTIALS[i], "all"))
            end
            assert.is_nil(kinds(one:worker(), "PLANTED/CANARY").heap)
            assert.equal("planted", one:show("/plant"))
            assert.is_true(kinds(one:worker(), "PLANTED/CANARY").heap)
            world:close()
        end)

    if writes_core_files() then
        it("that the system wrote holds the value and no credential", function()
            local folder = system.folder()
            local one = gateway.start {
                env = WAYS.role(), server = SERVER, after_init = AFTER_INIT,
                main = "worker_rlimit_core 1g; working_directory " .. folder .. ";" }
            assert.equal(tostring(#VALUE), one:show("/ask"))
            local path = write_core(one, folder)
            one:stop()
            local function holds(word)
                return system.run(("grep -qaF %s %s"):format(system.quote(word), path)) == 0
            end
            assert.is_true(holds(VALUE))
            for _, word in ipairs(CREDENTIALS) do
                assert.is_false(holds(word))
            end
            system.remove(folder)
        end)
    end
end)
