-- runtime_spec - the engine tells what it runs on, and refuses a process it would corrupt.

local aws = require "spec.support.aws"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"

local HTTP = [[
    lua_shared_dict vault_secrets 1m;
    init_by_lua_block { require("vault").init() }
    init_worker_by_lua_block { require("vault").init_worker() }
]]
local SERVER = [[
    location /secret {
        content_by_lua_block {
            local value, message, word = require("vault").get("{vault://aws/ok.s/name}")
            ngx.say(value or (word .. ": " .. message))
        }
    }
    location /alive { return 200 "yes"; }
]]

-- An OpenSSL built without threads, as far as the check can see.
local NO_THREADS = "unsigned long CRYPTO_THREAD_get_current_id(void) { return 0; }\n"

describe("the process that the engine finds itself in", function()
    local fake, server, folder

    before_each(function()
        fake = aws.start()
        folder = system.folder()
    end)
    after_each(function()
        if server then
            server:stop()
            server = nil
        end
        fake:stop()
        system.remove(folder)
    end)

    it("is described in the log at start", function()
        server = nginx.start { env = fake:env(), http = HTTP, server = SERVER }
        assert.equal("s\n", http.get(server.url .. "/secret").body)
        assert.matches("%[info%].*lua%-resty%-vaults %d+%.%d+%.%d+, libcurl %d+%.%d+%.%d+ "
            .. "%(OpenSSL/%S+%), SSL_new from /%S+libssl%S+", server:error_log())
    end)

    it("is refused where its OpenSSL has no threads, and nginx goes on serving", function()
        local source = system.write(folder .. "/no_threads.c", NO_THREADS)
        system.must(("%s -shared -fPIC -o %s/no_threads.so %s"):format(os.getenv("CC") or "cc",
            folder, source))
        server = nginx.start { env = fake:env(), http = HTTP, server = SERVER,
                               preload = folder .. "/no_threads.so" }
        local body = http.get(server.url .. "/secret").body
        assert.matches("^unsupported: ", body)
        assert.matches("without threads", body)
        assert.matches("enable%-threads", body)
        assert.matches("STATIC_CURL=1", body)
        assert.equal("yes", http.get(server.url .. "/alive").body)
        assert.matches("%[error%].*without threads", server:error_log())
        assert.equal(0, fake:stats().calls)
    end)
end)
