-- leaving_spec - a worker that leaves, and stays for a request that lasts: it is in nobody's way,
-- and learns what the others changed.

local aws = require "spec.support.aws"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local LOCKED = 5 -- seconds; such a lock lasts for 12

local HTTP = [[
    lua_shared_dict notes 1m;
    %s
]]
local SERVER = [[
    location = /stay {
        content_by_lua_block {
            local notes, vault = ngx.shared.notes, require "vault"
            local conf = { ["$refs"] = { name = "{vault://aws/conf/name}" } }
            repeat
                notes:set("got", vault.get("{vault://aws/got/name}"))
                notes:set("conf", vault.update(conf).name)
                notes:set("pid", ngx.worker.pid())
                ngx.sleep(0.05)
            until notes:get("over")
        }
    }
    location = /notes {
        content_by_lua_block {
            local notes = ngx.shared.notes
            ngx.print(notes:get("pid"), " ", notes:get("got"), " ", notes:get("conf"))
        }
    }
    location = /over { content_by_lua_block { ngx.shared.notes:set("over", true) } }
    location = /plain {
        content_by_lua_block { require("vault").get("{vault://aws/delay-1500.nobody/name}") }
    }
    location = /flush { content_by_lua_block { require("vault").flush() } }
    location = /timers {
        content_by_lua_block {
            for _ = 1, 30 do
                ngx.timer.at(0, function() ngx.sleep(1.5) end)
            end
        }
    }
]]

describe("a worker that leaves", function()
    local fake, one, lasting

    local function start(more)
        one = gateway.start { env = fake:env(), http = HTTP:format(more or ""), server = SERVER }
        return one
    end

    before_each(function()
        fake = aws.start()
    end)
    after_each(function()
        one:stop()
        if lasting then
            lasting:leave()
            lasting = nil
        end
        fake:stop()
    end)

    -- Its pid; it goes on leaving until the end of `lasting`.
    local function stay()
        lasting = http.start(one.url .. "/stay")
        local pid
        assert.is_truthy(system.wait_for(function()
            pid = http.get(one.url .. "/notes").body:match("^(%d+) %S+ %S+$")
            return pid
        end))
        return tonumber(pid)
    end

    -- The old worker takes requests for a moment more.
    local function reload()
        one.nginx:reload()
        assert.is_truthy(system.wait_for(function()
            return #one.nginx:workers("worker process is shutting down") == 1
        end))
    end

    it("holds no lock of a renewal that it does not see to the end", function()
        start()
        local reference = "{vault://aws/renewed/name?ttl=3&resurrect_ttl=0}"
        stay()
        assert.equal("renewed", one:get(reference).value)
        fake:batches { delay = 4000 }
        assert.is_truthy(system.wait_for(function()
            return (fake:stats().batches_in_flight or 0) > 0
        end))
        reload()
        fake:batches {}
        local till = system.now() + 4
        while system.now() < till do
            local answer = one:get(reference)
            assert.equal("renewed", answer.value, answer.message)
            system.sleep(0.1)
        end
        assert.is_true(system.now() < till + LOCKED, "somebody waited for the lock")
    end)

    it("holds no lock of a fetch whose client is gone", function()
        start("lua_check_client_abort on;")
        stay()
        local client = http.start(one.url .. "/plain")
        assert.is_truthy(system.wait_for(function() return fake:stats().in_flight == 1 end))
        client:leave()
        assert.is_truthy(system.wait_for(function()
            return one:error_log():find("client prematurely closed", 1, true)
        end))
        reload()
        local answer = one:get("{vault://aws/delay-1500.nobody/name}")
        assert.equal("nobody", answer.value, answer.message)
    end)

    it("ends though as many timers run as may run", function()
        start("lua_max_running_timers 8;")
        assert.equal("a", one:get("{vault://aws/a/name}").value)
        http.get(one.url .. "/timers")
        assert.equal(0, one.nginx:quit(10))
    end)

    it("learns of a flush and of what another worker fetched then, though no timer runs", function()
        fake:put("got", '{"name":"v1"}')
        fake:put("conf", '{"name":"v1"}')
        start("lua_max_running_timers 8;")
        local pid = stay()
        http.get(one.url .. "/timers")
        reload()
        fake:put("got", '{"name":"v2"}')
        fake:put("conf", '{"name":"v2"}')
        http.get(one.url .. "/flush")
        assert.is_truthy(system.wait_for(function()
            return http.get(one.url .. "/notes").body == pid .. " v2 v2"
        end, 5), http.get(one.url .. "/notes").body)
        http.get(one.url .. "/over")
        assert.equal(0, one.nginx:quit(10))
    end)
end)
