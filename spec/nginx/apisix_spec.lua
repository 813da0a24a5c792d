-- apisix_spec - APISIX's secret manager in workers, called as APISIX calls it, with and without the
-- hook that loads it in init (spec.support.apisix_host).

local aws = require "spec.support.aws"
local cjson = require "cjson"
local crowd = require "spec.support.crowd"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local WORKERS = 4

-- probe(phase): the manager, as APISIX calls it there, for a secret of that phase's own.
local HTTP = [[
    lua_shared_dict seen 1m;
    ${dict}
    init_by_lua_block {
        package.path = "${root}/?.lua;" .. package.path
        local cjson = require "cjson"
        require "ngx.semaphore"
        local host = require "spec.support.apisix_host"
        function probe(phase)
            local value, err = apisix:get("$secret://awssm/john/" .. phase .. "/key")
            ngx.shared.seen:set(phase, value or "nothing: " .. err)
        end
        require("spec.support.touched").look()
        host.start { cache = ${cache}, hook = ${hook},
                     conf = cjson.decode([==[${conf}]==]) }
    }
    init_worker_by_lua_block {
        assert(apisix:put("awssm", "john", require("cjson").decode([==[${object}]==])))
    }
    server {
        listen 127.0.0.1:${spread} reuseport backlog=1024;
        location = /get {
            rewrite_by_lua_block {
                local asked = ngx.unescape_uri(ngx.var.arg_ref)
                local conf = apisix:fetch_secrets { key = asked }
                ngx.ctx.answer = require("cjson").encode {
                    key = conf.key, resolved = conf.key ~= asked, pid = ngx.worker.pid() }
            }
            content_by_lua_block { ngx.print(ngx.ctx.answer) }
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
            local pair = apisix:fetch_secrets { cert = "$secret://awssm/john/pair/cert",
                                                key = "$secret://awssm/john/pair/key" }
            assert(ssl.clear_certs())
            assert(ssl.set_cert(assert(ssl.parse_pem_cert(pair.cert))))
            assert(ssl.set_priv_key(assert(ssl.parse_pem_priv_key(pair.key))))
        }
        location / { return 200 "over TLS"; }
    }
]]

local function fill(template, values)
    return (template:gsub("%${([%w_]+)}", function(name)
        return tostring(values[name] or "")
    end))
end

describe("APISIX's manager awssm in nginx", function()
    local certificates, fake, one, spread

    setup(function()
        certificates = tls.make()
        fake = aws.start { args = { "--only-put", "denied" } }
    end)
    teardown(function()
        fake:stop()
        certificates:remove()
    end)
    before_each(function()
        fake:reset()
        fake:put("apisix-secrets", '{"john-key-auth":"john-key","mary-key-auth":"mary-key"}')
        fake:put("team/db", '{"user":"u","password":"p"}')
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
    end)

    -- APISIX's nginx. Further options are nginx.start's.
    --
    -- dict    false: no lua_shared_dict of ours
    -- hook    false: without lua_module_hook
    -- cache   true: with APISIX's own
    -- conf    what is in config.yaml; object: the secret object's fields; http: text there
    local function start(options)
        options = options or {}
        local port = system.free_port()
        spread = "http://127.0.0.1:" .. port
        options.env = options.env or fake:env()
        options.preload = os.getenv("VAULT_TEST_WORKER_PRELOAD")
        options.server, options.http = SERVER, fill(HTTP, {
            root = system.root(), spread = port, http = options.http,
            cache = tostring(options.cache or false),
            hook = options.hook == false and "nil" or '"vault.apisix"',
            conf = cjson.encode(options.conf or { x = 1 }),
            object = cjson.encode(options.object or { timeout = 5 }),
            dict = options.dict ~= false and "lua_shared_dict vault_secrets 1m;" or "",
        })
        one = nginx.start(options)
    end

    local function show(path)
        local answer = http.get(one.url .. path)
        assert.equal(200, answer.status, answer.errors)
        return answer.body
    end

    local function url(path)
        return spread .. "/get?" .. http.query { ref = "$secret://awssm/john/" .. path }
    end

    local function get(path)
        return cjson.decode(http.get(url(path)).body)
    end

    describe("has the value where APISIX asks for it", function()
        local function seen(phase)
            return system.wait_for(function() -- a timer outlives the request
                local text = show("/seen?phase=" .. phase)
                return text ~= "" and text
            end)
        end

        for _, phase in ipairs { "rewrite", "access", "timer" } do
            it("in " .. phase, function()
                fake:put(phase, '{"key":"value of ' .. phase .. '"}')
                start()
                show("/" .. phase)
                assert.equal("value of " .. phase, seen(phase))
                assert.same({ [phase] = 1, [phase .. "/key"] = 1 }, fake:stats().by_name)
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
            assert.equal(1, fake:stats().by_name.pair)
        end)

        it("and soon in log, which cannot wait", function()
            fake:put("log", '{"key":"value of log"}')
            start()
            show("/log")
            assert.matches("^nothing: the log phase of nginx cannot wait; the fetch is under way$",
                seen("log"))
            assert.is_truthy(system.wait_for(function()
                show("/log")
                return seen("log") == "value of log"
            end))
        end)
    end)

    it("resolves the seed's reference and names with slashes where others are denied", function()
        start { workers = WORKERS, cache = true }
        fake:put("team/sub/deep", '{"key":"deep"}')
        for path, value in pairs {
            ["apisix-secrets/john-key-auth"] = "john-key", ["team/db/password"] = "p",
            ["team/sub/deep/key"] = "deep", ["team/db/"] = '{"user":"u","password":"p"}',
        } do
            assert.equal(value, get(path).key)
        end
        local answer = get("team/none/key")
        assert.is_false(answer.resolved)
        assert.matches("AccessDeniedException", one:error_log())
    end)

    it("asks AWS once for what 200 requests want first at the same moment", function()
        start { workers = WORKERS }
        fake:calls { delay = 500 }
        local pids, count = {}, 0
        for _, answer in ipairs(crowd.ask(url("apisix-secrets/john-key-auth"), 200)) do
            local body = cjson.decode(answer.body)
            assert.equal("john-key", body.key)
            count, pids[body.pid] = count + (pids[body.pid] and 0 or 1), true
        end
        fake:calls {}
        assert.equal(WORKERS, count)
        assert.same({ ["apisix-secrets"] = 1, ["apisix-secrets/john-key-auth"] = 1 },
            fake:stats().by_name)
    end)

    it("asks AWS once for two fields of one secret within a second", function()
        start { workers = WORKERS }
        assert.equal("john-key", get("apisix-secrets/john-key-auth").key)
        assert.equal("mary-key", get("apisix-secrets/mary-key-auth").key)
        assert.equal(1, fake:stats().by_name["apisix-secrets"])
        assert.equal(2, fake:stats().calls) -- and the one that told where the name ends
        system.sleep(1.01)
        assert.equal("john-key", get("apisix-secrets/john-key-auth").key)
        assert.equal("mary-key", get("apisix-secrets/mary-key-auth").key)
        assert.equal(3, fake:stats().calls)
    end)

    it("says once that there is no dict, and works without it", function()
        start { workers = WORKERS, dict = false }
        for _, answer in ipairs(crowd.ask(url("apisix-secrets/john-key-auth"), 40)) do
            assert.equal("john-key", cjson.decode(answer.body).key)
        end
        local _, warnings = one:error_log():gsub("no lua_shared_dict vault_secrets", "")
        assert.equal(1, warnings)
    end)

    describe("without the hook", function()
        -- AWS_* is not there when APISIX first loads the manager; the rest of the chain would ask
        -- the machine.
        local function start_without(main)
            start { hook = false, main = "env AWS_EC2_METADATA_DISABLED=true;\n" .. (main or ""),
                    object = { region = "us-east-1", endpoint_url = fake.url } }
            return get("apisix-secrets/john-key-auth")
        end

        it("says how it is loaded in time", function()
            assert.is_false(start_without().resolved)
            assert.matches("first loaded in an nginx worker, where nginx has emptied the "
                .. "environment: `lua_module_hook: vault.apisix` under `apisix:` in config.yaml",
                one:error_log())
        end)

        it("has what nginx's `env` lines give the workers", function()
            assert.equal("john-key", start_without(("env AWS_ACCESS_KEY_ID=%s;\n"
                .. "env AWS_SECRET_ACCESS_KEY=%s;"):format(aws.ACCESS_KEY, aws.SECRET_KEY)).key)
        end)
    end)

    it("trusts the certificates of APISIX's settings", function()
        local secure = aws.start { cert = certificates.cert, key = certificates.key,
                                   cacert = certificates.ca, host = "localhost" }
        local answers = {}
        for i, ca in ipairs { certificates.ca, certificates.other_ca } do
            start { env = secure:env(),
                    conf = { apisix = { ssl = { ssl_trusted_certificate = ca } } } }
            answers[i] = get("s/user")
            answers[i].log = one:error_log()
            one:stop()
        end
        secure:stop()
        assert.matches("^{", answers[1].key) -- whatever is asked for is there, whole
        assert.is_false(answers[2].resolved)
        assert.matches("certificate", answers[2].log)
    end)

    it("lets a worker leave", function()
        start()
        assert.equal("john-key", get("apisix-secrets/john-key-auth").key)
        local old = one:reload()
        assert.is_truthy(system.wait_for(function() return not nginx.runs(old[1]) end))
        assert.equal("john-key", get("apisix-secrets/john-key-auth").key)
        assert.equal(0, one:quit())
        assert.is_nil(one:error_log():find("%[error%]"))
    end)

    it("touches nothing else: no globals, not ngx, not require", function()
        start()
        show("/access")
        assert.equal("john-key", get("apisix-secrets/john-key-auth").key)
        local ours, others = {}, {}
        for path in show("/touched"):gmatch("[^\n]+") do
            local module = path:match("^require (.*)")
            if module and (module:find("^vault%.") or module == "apisix.secret.awssm") then
                ours[module] = true
            elseif not path:find("^_G%.apisix") and module ~= "ngx.pipe"
                and module ~= "apisix.core.config_local" then -- the host's own
                others[#others + 1] = path
            end
        end
        assert.is_true(ours["vault.apisix"] and ours["apisix.secret.awssm"])
        assert.same({}, others)
    end)
end)
