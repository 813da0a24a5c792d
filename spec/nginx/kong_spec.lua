-- kong_spec - Kong's vault strategy in workers, called as Kong calls it (spec.support.kong_host).

local aws = require "spec.support.aws"
local cjson = require "cjson"
local crowd = require "spec.support.crowd"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local WORKERS = 4

-- probe(phase): the strategy, as Kong calls it there, for a secret of that phase's own.
local HTTP = [[
    lua_shared_dict kong_secrets 1m;
    lua_shared_dict seen 1m;
    ${dict}
    init_by_lua_block {
        package.path = "${root}/?.lua;" .. package.path
        local host, cjson = require "spec.support.kong_host", require "cjson"
        function probe(phase)
            local text, err = kong.vault.strategies.aws.get({}, "delay-40." .. phase)
            ngx.shared.seen:set(phase, text or "nothing: " .. err)
        end
        host.start { configuration = cjson.decode([==[${configuration}]==]), ${options} }
        ${init}
    }
    init_worker_by_lua_block { ${init_worker} }
    server {
        listen 127.0.0.1:${spread} reuseport backlog=1024;
        location = /get {
            content_by_lua_block {
                local value, err = kong.vault:get(ngx.unescape_uri(ngx.var.arg_ref))
                ngx.print(require("cjson").encode { value = value, err = err,
                                                    pid = ngx.worker.pid() })
            }
        }
    }
    ${http}
]]
local SERVER = [[
    location = /seen {
        content_by_lua_block { ngx.print(ngx.shared.seen:get(ngx.var.arg_phase) or "") }
    }
    location = /rewrite {
        rewrite_by_lua_block { probe("rewrite") }
        content_by_lua_block { ngx.print() }
    }
    location = /access {
        access_by_lua_block { probe("access") }
        content_by_lua_block { ngx.print() }
    }
    location = /timer {
        content_by_lua_block { ngx.timer.at(0, function() probe("timer") end) ngx.print() }
    }
    location = /log { log_by_lua_block { probe("log") } return 200 "text"; }
    location = /try {
        content_by_lua_block {
            local conf, attempts = { ["$refs"] = { user = "{vault://aws/db/user}",
                                                   password = "{vault://aws/db/password}" } }, {}
            local result = kong.vault:try(function(options)
                attempts[#attempts + 1] = options.user .. ":" .. options.password
                return options.password == ngx.var.arg_password
            end, conf)
            ngx.print(require("cjson").encode { result = result, attempts = attempts })
        }
    }
    location = /jobs { content_by_lua_block { ngx.print(kong.timers.jobs) } }
    location = /touched {
        content_by_lua_block {
            ngx.print(table.concat(require("spec.support.touched").since(), "\n"))
        }
    }
]]
local TLS = [[
    server {
        listen 127.0.0.1:${tls_port} ssl;
        ssl_certificate ${wrong_cert};
        ssl_certificate_key ${wrong_key};
        ssl_certificate_by_lua_block {
            local ssl = require "ngx.ssl"
            assert(ssl.clear_certs())
            assert(ssl.set_cert(assert(ssl.parse_pem_cert(
                assert(kong.vault:get("{vault://aws/delay-40.pair/cert}"))))))
            assert(ssl.set_priv_key(assert(ssl.parse_pem_priv_key(
                assert(kong.vault:get("{vault://aws/delay-40.pair/key}"))))))
        }
        location / { return 200 "over TLS"; }
    }
]]

local function fill(template, values)
    return (template:gsub("%${([%w_]+)}", function(name)
        return tostring(values[name] or "")
    end))
end

describe("Kong's vault aws in nginx", function()
    local certificates, fake, one, spread

    setup(function()
        certificates, fake = tls.make(), aws.start()
    end)
    teardown(function()
        fake:stop()
        certificates:remove()
    end)
    before_each(function()
        fake:reset()
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
    end)

    -- Kong's nginx. Further options are nginx.start's.
    --
    -- dict           false: no lua_shared_dict of ours
    -- configuration  of Kong; options: text of more for spec.support.kong_host
    -- init, init_worker, http: text there
    local function start(options)
        options = options or {}
        local port = system.free_port()
        spread = "http://127.0.0.1:" .. port
        options.env = options.env or fake:env()
        options.preload = os.getenv("VAULT_TEST_WORKER_PRELOAD")
        options.server, options.http = SERVER, fill(HTTP, {
            root = system.root(), spread = port, init = options.init, http = options.http,
            options = options.options,
            init_worker = options.init_worker,
            configuration = cjson.encode(options.configuration or { x = 1 }),
            dict = options.dict ~= false and "lua_shared_dict vault_secrets 1m;" or "",
        })
        one = nginx.start(options)
    end

    local function show(path)
        local answer = http.get(one.url .. path)
        assert.equal(200, answer.status, answer.errors)
        return answer.body
    end

    local function url(reference)
        return spread .. "/get?" .. http.query { ref = reference }
    end

    local function get(reference)
        return cjson.decode(http.get(url(reference)).body)
    end

    local function calls(name)
        return fake:stats().by_name[name] or 0
    end

    describe("has the value where Kong asks for it", function()
        local function seen(phase)
            return system.wait_for(function() -- a timer outlives the request
                local text = show("/seen?phase=" .. phase)
                return text ~= "" and text
            end)
        end

        local function assert_has_value(phase)
            assert.equal(phase, cjson.decode(seen(phase)).name)
            assert.equal(1, calls("delay-40." .. phase))
        end

        for _, phase in ipairs { "init", "init_worker" } do
            it("in " .. phase .. ", by blocking", function()
                start { [phase] = ('probe("%s")'):format(phase) }
                assert_has_value(phase)
            end)
        end

        for _, phase in ipairs { "rewrite", "access", "timer" } do
            it("in " .. phase, function()
                start()
                show("/" .. phase)
                assert_has_value(phase)
            end)
        end

        it("in ssl_certificate", function()
            local port = system.free_port()
            fake:put("pair", cjson.encode { cert = system.read(certificates.cert),
                                            key = system.read(certificates.key) })
            start { http = fill(TLS, { tls_port = port, wrong_cert = certificates.wrong_cert,
                                       wrong_key = certificates.wrong_key }) }
            local answer = http.get("https://localhost:" .. port, { cacert = certificates.ca })
            assert.same({ 200, "over TLS" }, { answer.status, answer.body }, answer.errors)
            assert.equal(1, calls("delay-40.pair"))
        end)

        it("and the next time in log, which cannot wait", function()
            start()
            show("/log")
            assert.matches("^nothing: the log phase of nginx cannot wait; the fetch is under way$",
                seen("log"))
            assert.is_truthy(system.wait_for(function()
                show("/log")
                return seen("log"):find('"name"', 1, true)
            end))
        end)
    end)

    it("asks AWS once for what 200 requests want first at the same moment", function()
        start { workers = WORKERS }
        local pids, count = {}, 0
        for _, answer in ipairs(crowd.ask(url("{vault://aws/delay-500.cold/name}"), 200)) do
            local body = cjson.decode(answer.body)
            assert.equal("cold", body.value, body.err)
            count, pids[body.pid] = count + (pids[body.pid] and 0 or 1), true
        end
        assert.equal(WORKERS, count)
        assert.equal(1, fake:stats().calls)
    end)

    it("asks AWS once for two fields of one secret within a second", function()
        start { workers = WORKERS }
        assert.equal("u1", get("{vault://aws/pair/user}").value)
        assert.equal("p1", get("{vault://aws/pair/password}").value)
        assert.equal(1, fake:stats().calls)
    end)

    it("is in time with the second attempt of try after a rotation", function()
        start { workers = WORKERS }
        fake:put("db", '{"user":"u","password":"before"}')
        local conf = get("{vault://aws/db/password}")
        assert.equal("before", conf.value)
        get("{vault://aws/db/user}")
        system.sleep(1.01)
        fake:put("db", '{"user":"u","password":"after"}')
        local answer = cjson.decode(show("/try?password=after"))
        assert.same({ result = true, attempts = { "u:before", "u:after" } }, answer)
        assert.equal(2, fake:stats().calls)
    end)

    it("says once that there is no dict, and shares on each worker without it", function()
        start { workers = WORKERS, dict = false }
        for _, answer in ipairs(crowd.ask(url("{vault://aws/delay-500.cold/name}"), 100)) do
            assert.equal("cold", cjson.decode(answer.body).value)
        end
        assert.equal(WORKERS, fake:stats().calls)
        local _, warnings = one:error_log():gsub("no lua_shared_dict vault_secrets", "")
        assert.equal(1, warnings)
    end)

    it("fails with what AWS says, and without the keys", function()
        start()
        local answer = get("{vault://aws/denied.x/name}")
        assert.is_nil(answer.value)
        assert.matches("AccessDeniedException", answer.err)
        assert.is_nil(one:error_log():find(aws.SECRET_KEY, 1, true))
    end)

    it("trusts the certificates of Kong's settings", function()
        local secure = aws.start { cert = certificates.cert, key = certificates.key,
                                   cacert = certificates.ca, host = "localhost" }
        start { env = secure:env(),
                configuration = { lua_ssl_trusted_certificate_combined = certificates.ca } }
        local trusted = get("{vault://aws/s/user}")
        one:stop()
        start { env = secure:env(),
                configuration = { lua_ssl_trusted_certificate_combined = certificates.other_ca } }
        local other = get("{vault://aws/s/user}")
        secure:stop()
        assert.equal("u1", trusted.value, trusted.err)
        assert.is_nil(other.value)
        assert.matches("certificate", other.err)
    end)

    it("takes what nginx's `env` gives the workers over what Kong was started with", function()
        local env = fake:env { AWS_ENDPOINT_URL_SECRETS_MANAGER = "http://127.0.0.1:1" }
        start { env = env, main = ("env AWS_ENDPOINT_URL_SECRETS_MANAGER=%s;"):format(fake.url) }
        assert.equal("u1", get("{vault://aws/s/user}").value)
    end)

    it("lets a worker leave, and keeps none of Kong's timers busy", function()
        start()
        assert.equal("u1", get("{vault://aws/s/user}").value)
        assert.equal("0", show("/jobs"))
        local old = one:reload()
        assert.is_truthy(system.wait_for(function() return not nginx.runs(old[1]) end))
        assert.equal("u1", get("{vault://aws/s/user}").value)
        assert.equal(0, one:quit())
        assert.is_nil(one:error_log():find("%[error%]"))
    end)

    it("touches nothing else: no globals, not ngx, not require", function()
        start { init = 'probe("init")',
                options = [[ready = function()
                    require "ngx.semaphore"
                    require("spec.support.touched").look()
                end]] }
        show("/access")
        assert.equal("u1", get("{vault://aws/s/user}").value)
        local ours, others = {}, {}
        for path in show("/touched"):gmatch("[^\n]+") do
            local module = path:match("^require (.*)")
            if module and (module:find("^vault%.") or module:find("^kong%.vaults%.aws")) then
                ours[module] = true
            elseif not path:find("^_G%.kong%.vault[ .]") and module ~= "ngx.pipe" then
                others[#others + 1] = path
            end
        end
        assert.is_true(ours["kong.vaults.aws"] and ours["kong.vaults.aws.schema"])
        assert.same({}, others)
    end)
end)
