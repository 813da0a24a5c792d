-- worker_spec - what a worker starts with: the master's environment and its own, the other workers'
-- secrets, a module that nobody loaded before; and how it ends.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"

describe("a worker", function()
    local fake, one

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

    it("has the master's environment, with its own laid over it", function()
        one = gateway.start {
            env = fake:env { GREETING = "master's", OTHER = "kept" },
            main = "env AWS_REGION=eu-west-1; env GREETING=worker's; env NEW=new;",
        }
        assert.equal("worker's", one:get("{vault://env/greeting}").value)
        assert.equal("new", one:get("$env://NEW").value)
        assert.equal("kept", one:get("{vault://env/other}").value)
        assert.equal("a", one:get("{vault://aws/a/name}").value)
        assert.matches("/eu%-west%-1/secretsmanager/aws4_request",
            fake:last().headers.authorization)
    end)

    it("has it after a reload", function()
        one = gateway.start { env = fake:env { OTHER = "kept" } }
        one.nginx:reload()
        assert.equal("kept", one:get("{vault://env/other}").value)
        assert.equal("a", one:get("{vault://aws/a/name}").value)
    end)

    it("has it where there is no master", function()
        one = gateway.start { env = fake:env { OTHER = "kept" }, main = "master_process off;" }
        assert.equal("kept", one:get("{vault://env/other}").value)
        assert.equal("a", one:get("{vault://aws/a/name}").value)
    end)

    -- The library in a worker only: no init_by_lua.
    local LATE = [[
        location = /late {
            content_by_lua_block {
                ngx.print(require("cjson").encode { require("vault").get(
                    "{vault://aws/late/name?region=us-east-1}") })
            }
        }
    ]]

    it("says so where the module came too late to see the environment", function()
        one = nginx.start { env = fake:env(), server = LATE,
                            main = "env AWS_EC2_METADATA_DISABLED=true;" }
        local answer = cjson.decode(http.get(one.url .. "/late").body)
        assert.equal("no_credentials", answer[3])
        for _, part in ipairs { "environment (AWS_ACCESS_KEY_ID is not set)", "profile (",
                                "first loaded in an nginx worker", "load it in init_by_lua" } do
            assert.is_truthy(answer[2]:find(part, 1, true), answer[2])
        end
    end)

    it("fetches nevertheless where nginx.conf hands the environment on", function()
        one = nginx.start { env = fake:env(), server = LATE, main = "env AWS_ACCESS_KEY_ID; "
            .. "env AWS_SECRET_ACCESS_KEY; env AWS_ENDPOINT_URL_SECRETS_MANAGER;" }
        assert.same({ "late" }, cjson.decode(http.get(one.url .. "/late").body))
    end)

    it("has what another worker fetched", function()
        local port = system.free_port()
        one = gateway.start { env = fake:env(), workers = 2, http = ([[
            server {
                listen 127.0.0.1:%d reuseport;
                location / {
                    content_by_lua_block {
                        ngx.print(ngx.worker.pid(), " ",
                            (require("vault").get("{vault://aws/shared/n}")))
                    }
                }
            }
        ]]):format(port) }
        local pids, known = {}, 0
        system.wait_for(function()
            local pid, count = http.get("http://127.0.0.1:" .. port).body:match("^(%d+) (.*)$")
            assert.equal("1", count)
            known = known + (pids[pid] and 0 or 1)
            pids[pid] = true
            return known == 2
        end)
        assert.equal(2, known)
        assert.equal(1, fake:stats().calls)
    end)

    it("answers from the cache while it leaves, and fetches no more", function()
        one = gateway.start { env = fake:env(), http = [[
            exit_worker_by_lua_block {
                local vault = require "vault"
                local known = vault.get("{vault://aws/a/name}")
                local value, message, word = vault.get("{vault://aws/b/name}")
                ngx.log(ngx.WARN, "at exit: ", known, " ", value, " ", word, ": ", message)
            }
        ]] }
        assert.equal("a", one:get("{vault://aws/a/name}").value)
        assert.equal(0, one.nginx:quit(5))
        assert.is_truthy(one:error_log():find(
            "at exit: a nil cancelled: the worker is leaving", 1, true), one:error_log())
        assert.equal(1, fake:stats().calls)
        assert.is_nil(one:error_log():find("exited on signal", 1, true))
    end)

    it("answers the request that waits before it leaves, and waits for no other fetch", function()
        one = gateway.start { env = fake:env(), server = [[
            location = /begin {
                content_by_lua_block { ngx.print("begun") }
                log_by_lua_block { require("vault").get("{vault://aws/hang.nobody}") }
            }
        ]] }
        assert.equal("begun", http.get(one.url .. "/begin").body)
        local waiting = one:ask("{vault://aws/delay-500.somebody/name}")
        assert.is_truthy(system.wait_for(function()
            return fake:stats().in_flight == 2
        end))
        assert.equal(0, one.nginx:quit(5)) -- of the 10 s that the other fetch has
        assert.equal("somebody", gateway.read(waiting).value)
    end)
end)
