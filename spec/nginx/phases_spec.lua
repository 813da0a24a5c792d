-- phases_spec - vault.get in every phase of nginx: it waits, blocks, or says "pending" and has the
-- value for the next one.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

-- probe(phase): asks for a secret of that phase's own and keeps what came of it.
local PROBE = [[
    function probe(phase)
        local value, message, word = require("vault").get(
            "{vault://aws/delay-40." .. phase .. "/name}")
        ngx.shared.seen:set(phase, value or word .. ": " .. message)
    end
]]
local HTTP = [[
    lua_shared_dict seen 1m;
    upstream backend {
        server 0.0.0.1;
        balancer_by_lua_block {
            probe("balancer")
            require("ngx.balancer").set_current_peer("127.0.0.1", tonumber(ngx.var.server_port))
        }
    }
    server {
        listen 127.0.0.1:${tls_port} ssl;
        ssl_certificate ${wrong_cert};
        ssl_certificate_key ${wrong_key};
        ssl_client_hello_by_lua_block { probe("ssl_client_hello") }
        ssl_certificate_by_lua_block {
            probe("ssl_certificate")
            local ssl, vault = require "ngx.ssl", require "vault"
            assert(ssl.clear_certs())
            assert(ssl.set_cert(assert(ssl.parse_pem_cert(
                assert(vault.get("{vault://aws/pair/cert}"))))))
            assert(ssl.set_priv_key(assert(ssl.parse_pem_priv_key(
                assert(vault.get("{vault://aws/pair/key}"))))))
        }
        location / { return 200 "over TLS"; }
    }
    server {
        listen 127.0.0.1:${server_rewrite_port};
        server_rewrite_by_lua_block { probe("server_rewrite") }
        location / { return 200; }
    }
]]
local SERVER = [[
    location = /plain { return 200; }
    location = /seen {
        content_by_lua_block { ngx.print(ngx.shared.seen:get(ngx.var.arg_phase) or "nothing") }
    }
    location = /rewrite {
        rewrite_by_lua_block { probe("rewrite") }
        content_by_lua_block { ngx.print() }
    }
    location = /access {
        access_by_lua_block { probe("access") }
        content_by_lua_block { ngx.print() }
    }
    location = /content { content_by_lua_block { probe("content") ngx.print() } }
    location = /timer {
        content_by_lua_block {
            ngx.timer.at(0, function() probe("timer") end)
            ngx.print()
        }
    }
    location = /set {
        set_by_lua_block $nothing { probe("set") return "" }
        return 200;
    }
    location = /header_filter {
        header_filter_by_lua_block { probe("header_filter") }
        return 200 "text";
    }
    location = /body_filter {
        body_filter_by_lua_block { if ngx.arg[2] then probe("body_filter") end }
        return 200 "text";
    }
    location = /log { log_by_lua_block { probe("log") } return 200 "text"; }
    location = /balancer { proxy_pass http://backend/plain; }
]]

-- at: another server than the first; starts: asked without a request; pending: cannot wait, or
-- "perhaps", where it takes a patched nginx
local PHASES = {
    { "init", starts = true }, { "init_worker", starts = true },
    { "rewrite" }, { "access" }, { "content" }, { "timer" },
    { "server_rewrite", at = "server_rewrite" },
    { "ssl_certificate", at = "tls" }, { "ssl_client_hello", at = "tls", pending = "perhaps" },
    { "set", pending = true }, { "header_filter", pending = true },
    { "body_filter", pending = true }, { "log", pending = true }, { "balancer", pending = true },
}

local SETTINGS = {
    { "with init_worker" },
    { "without init_worker", init_worker = false,
      http = 'init_worker_by_lua_block { probe("init_worker") }' },
    { "without a shared dict", dict = false },
}

local certificates, fake

local function fill(template, values)
    return (template:gsub("%${([%w_]+)}", values))
end

local function start(setting)
    local ports = { tls_port = system.free_port(), server_rewrite_port = system.free_port() }
    local one = gateway.start {
        env = fake:env(), dict = setting.dict, server = SERVER,
        before_init = PROBE, after_init = 'probe("init")',
        init_worker = setting.init_worker == nil and 'probe("init_worker")' or false,
        http = (setting.http or "") .. fill(HTTP, {
            tls_port = ports.tls_port, server_rewrite_port = ports.server_rewrite_port,
            wrong_cert = certificates.wrong_cert, wrong_key = certificates.wrong_key }),
    }
    one.tls = "https://localhost:" .. ports.tls_port
    one.server_rewrite = "http://127.0.0.1:" .. ports.server_rewrite_port
    return one
end

local function visit(one, phase)
    if phase.starts then
        return
    end
    local answer = http.get((one[phase.at] or one.url) .. "/" .. phase[1],
        { cacert = certificates.ca })
    assert.same({ 200, 0 }, { answer.status, answer.code }, answer.errors)
    if phase.at == "tls" then
        assert.equal("over TLS", answer.body)
    end
end

local function seen(one, phase)
    return one:show("/seen?phase=" .. phase[1])
end

local function calls(phase)
    return fake:stats().by_name["delay-40." .. phase[1]] or 0
end

local function assert_waits(one, phase)
    assert.is_truthy(system.wait_for(function() -- a timer outlives the request
        return seen(one, phase) ~= "nothing"
    end))
    assert.equal(phase[1], seen(one, phase))
    assert.equal(1, calls(phase))
end

local function assert_pending(one, phase)
    assert.matches("^pending: the [%l_]+ phase of nginx cannot wait; the fetch is under way$",
        seen(one, phase))
    assert.is_truthy(system.wait_for(function()
        visit(one, phase)
        return seen(one, phase) == phase[1]
    end))
    assert.equal(1, calls(phase))
end

describe("vault.get", function()
    setup(function()
        certificates = tls.make()
        fake = aws.start()
        fake:put("pair", cjson.encode { cert = system.read(certificates.cert),
                                        key = system.read(certificates.key) })
    end)
    teardown(function()
        if fake then
            fake:stop()
        end
        certificates:remove()
    end)

    for _, setting in ipairs(SETTINGS) do
        describe(setting[1], function()
            local one

            setup(function()
                fake:reset()
                fake:put("pair", cjson.encode { cert = system.read(certificates.cert),
                                                key = system.read(certificates.key) })
                one = start(setting)
            end)
            teardown(function()
                if one then
                    one:stop()
                end
            end)

            for _, phase in ipairs(PHASES) do
                it((phase.pending and "is pending in " or "has the value in ") .. phase[1],
                    function()
                        visit(one, phase)
                        local waits = not phase.pending
                        if phase.pending == "perhaps" then
                            waits = not seen(one, phase):find("^pending")
                        end
                        local check = waits and assert_waits or assert_pending
                        check(one, phase)
                    end)
            end

            it("is said to be without a dict once, if it is", function()
                local _, warnings = one:error_log():gsub("no lua_shared_dict vault_secrets", "")
                assert.equal(setting.dict == false and 1 or 0, warnings)
                assert.is_nil(one:error_log():find("%[error%]"))
            end)

            it("has kept all it fetched", function()
                local before = fake:stats().calls
                for _, phase in ipairs(PHASES) do
                    if not phase.starts then
                        visit(one, phase)
                        assert_waits(one, phase)
                    end
                end
                assert.equal(before, fake:stats().calls)
                assert.equal(0, one.nginx:quit())
            end)
        end)
    end
end)
