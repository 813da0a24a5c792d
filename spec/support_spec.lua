-- support_spec - whether the stand-ins that the other specs trust can be trusted.

local aws = require "spec.support.aws"
local http = require "spec.support.http"
local moto = require "spec.support.moto"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

-- A call signed by curl, which owes nothing to csrc/sigv4.c nor to fake_aws.py.
local function call(fake, secret_id, options)
    options = options or {}
    local key = ("%s:%s"):format(options.access_key or aws.ACCESS_KEY,
        options.secret_key or aws.SECRET_KEY)
    local curl = { "--aws-sigv4", "aws:amz:us-east-1:secretsmanager", "-u", key }
    return http.post(fake.url .. "/", ('{"SecretId":"%s"%s}'):format(secret_id,
        options.more or ""), {
        curl = curl, cacert = options.cacert,
        headers = { ["X-Amz-Target"] = "secretsmanager.GetSecretValue",
                    ["X-Amz-Content-Sha256"] = options.content,
                    ["Content-Type"] = "application/x-amz-json-1.1" },
    })
end

describe("process", function()
    it("tells how a program ended", function()
        local quick = process.start { "sh", "-c", "echo out; echo err >&2; exit 3" }
        assert.equal(3, quick:wait())
        assert.equal("out\n", quick:output())
        assert.equal("err\n", quick:errors())
        quick:stop()
        local slow = process.start { "sleep", "60" }
        assert.is_true(slow:alive())
        assert.equal(128 + 15, slow:stop())
        assert.is_false(slow:alive())
    end)

    it("gives a program the environment asked for, and no other", function()
        local env = process.start { "env", env = { A = "it's $1" }, clear_env = true }
        env:wait()
        assert.matches("A=it's %$1\n", env:output())
        assert.is_nil(env:output():match("HOME="))
        env:stop()
    end)
end)

describe("fake_aws.py", function()
    local fake

    setup(function()
        fake = aws.start()
    end)
    teardown(function()
        fake:stop()
    end)
    before_each(function()
        fake:reset()
    end)

    it("answers a correctly signed call", function()
        local answer = call(fake, "db/main")
        assert.equal(200, answer.status)
        assert.matches([["SecretString": "{\"name\": \"db/main\", \"n\": \"1\"]], answer.body,
            1, true)
        assert.same({ ["db/main"] = 1 }, fake:stats().by_name)
    end)

    it("refuses a wrong key, a wrong name and no signature at all", function()
        assert.matches("InvalidSignatureException", call(fake, "a", { secret_key = "x" }).body)
        assert.matches("UnrecognizedClient", call(fake, "a", { access_key = "AKIDX" }).body)
        local unsigned = http.post(fake.url .. "/", '{"SecretId":"a"}',
            { headers = { ["X-Amz-Target"] = "secretsmanager.GetSecretValue" } })
        assert.equal(400, unsigned.status)
        assert.matches("MissingAuthenticationToken", unsigned.body)
    end)

    -- The call that curl signed, sent again by hand: as it was, but for what `changes` says of its
    -- headers (false takes one away) and for the body.
    local function replay(changes, body)
        call(fake, "a")
        local headers = {}
        for name, value in pairs(fake:last().headers) do
            headers[name] = name ~= "content-length" and name ~= "accept" and value or nil
        end
        for name, change in pairs(changes) do
            headers[name] = type(change) == "function" and change(headers[name]) or change or nil
        end
        return http.post(fake.url .. "/", body or '{"SecretId":"a"}', { headers = headers })
    end

    it("takes the same call twice", function()
        assert.equal(200, replay({}).status)
    end)

    local CONTROLS = {
        { "another signature", { authorization = function(value)
            return (value:gsub("%x$", function(digit)
                return digit == "0" and "1" or "0"
            end))
        end }, nil, "does not match" },
        { "another body", {}, '{"SecretId":"b"}', "does not match" },
        { "another value of a header that is signed", { ["content-type"] = "text/plain" }, nil,
            "does not match" },
        { "a header of AWS's that is not signed", { ["x-amz-more"] = "1" }, nil,
            "must be signed" },
        { "less signed than must be", { authorization = function(value)
            return (value:gsub(";x%-amz%-target", ""))
        end }, nil, "must be signed" },
        { "a header that is signed and missing", { ["content-type"] = false }, nil,
            "does not match" },
        { "another second", { ["x-amz-date"] = function(value)
            return (value:gsub("%dZ$", function(digit)
                return digit == "0Z" and "1Z" or "0Z"
            end))
        end }, nil, "does not match" },
        { "another Region", { authorization = function(value)
            return (value:gsub("us%-east%-1", "us-east-2"))
        end }, nil, "does not match" },
        { "another service", { authorization = function(value)
            return (value:gsub("/secretsmanager/", "/sts/"))
        end }, nil, "scoped to another" },
    }
    for _, row in ipairs(CONTROLS) do
        it("refuses " .. row[1], function()
            local answer = replay(row[2], row[3])
            assert.equal(400, answer.status)
            assert.matches("InvalidSignatureException", answer.body)
            assert.matches(row[4], answer.body)
        end)
    end

    it("refuses a body that is not what a signed header says of it", function()
        local nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        assert.matches("does not match", call(fake, "a", { content = nothing }).body)
    end)

    it("keeps versions and their stages", function()
        fake:put("a", '{"k":"new"}')
        assert.matches('k\\":\\"new', call(fake, "a").body, 1, true)
        local previous = call(fake, "a", { more = ',"VersionStage":"AWSPREVIOUS"' })
        assert.matches('p1', previous.body, 1, true)
        local unknown = call(fake, "a", { more = ',"VersionStage":"NO"' })
        assert.matches("ResourceNotFoundException", unknown.body)
    end)

    -- word, HTTP status, curl's exit code, a pattern of the body
    local behaviours = {
        { "delay-300.a", 200, 0, "SecretString" },
        { "status-500.a", 500, 0, "InternalServiceError" },
        { "code-ThrottlingException.a", 400, 0, "ThrottlingException" },
        { "reset-before.a", 0, 56 },
        { "reset-headers.a", 200, 56 },
        { "reset-body.a", 200, 56 },
        { "truncate.a", 200, 18 },
        { "malformed.a", 200, 0, "closed$" },
        { "html-502.a", 502, 0, "<html>" },
        { "ctl.a", 400, 0, "\\u001b" },
        { "skew+1200.a", 400, 0, "Signature expired" },
        { "tooskewed-1200.a", 400, 0, "RequestTimeTooSkewed" },
        { "expired.a", 400, 0, "ExpiredTokenException" },
        { "binary.a", 200, 0, "SecretBinary" },
        { "big1000.a", 200, 0, ("x"):rep(1000) },
        { "empty.a", 200, 0, '"SecretString": ""' },
        { "missing.a", 400, 0, "ResourceNotFoundException" },
        { "denied.a", 400, 0, "AccessDeniedException" },
        { "leak.a", 400, 0, "AKIDEXAMPLE" },
        { "drip-1.a", 200, 0, "SecretString" },
        { "delay-20.chunked.close.a.b", 200, 0, '"Name": "a.b"' },
    }
    for _, row in ipairs(behaviours) do
        it("behaves as told: " .. row[1], function()
            local answer = call(fake, row[1])
            assert.same({ row[2], row[3] }, { answer.status, answer.code })
            assert.matches(row[4] or "", answer.body)
        end)
    end

    it("waits, fails a number of times, asks for patience", function()
        assert.is_true(call(fake, "delay-300.a").time >= 0.3)
        local statuses = {}
        for i = 1, 3 do
            statuses[i] = call(fake, "fail2-503.a").status
        end
        assert.same({ 503, 503, 200 }, statuses)
        local patience = call(fake, "retryafter-250.a")
        assert.same({ 503, "250" }, { patience.status, patience.headers["x-amz-retry-after"] })
        assert.is_true(#call(fake, "huge.a").body > 512 * 1024)
        assert.equal(6, fake:stats().calls)
    end)

    it("counts connections and calls in flight, and ends at once", function()
        local own = aws.start { args = { "--no-verify" } }
        local hanging = http.start(own.url .. "/", { body = '{"SecretId":"hang.a"}', headers = {
            ["X-Amz-Target"] = "secretsmanager.GetSecretValue" } })
        assert.is_truthy(system.wait_for(function()
            return own:stats().in_flight == 1
        end))
        local stats = own:stats()
        assert.same({ 1, 1, 1 }, { stats.connections, stats.open, stats.max_in_flight })
        hanging:leave()
        assert.is_truthy(system.wait_for(function()
            return own:stats().open == 0
        end))
        local began = system.now()
        assert.equal(0, own:stop())
        assert.is_true(system.now() - began < 1)
    end)
end)

describe("moto", function()
    it("keeps secrets and their versions", function()
        local server = moto.start()
        server:create("m/a", "one")
        server:put("m/a", "two")
        server:update("m/a", "three")
        assert.equal("three", server:call("GetSecretValue", { SecretId = "m/a" }).SecretString)
        local previous = { SecretId = "m/a", VersionStage = "AWSPREVIOUS" }
        assert.equal("two", server:call("GetSecretValue", previous).SecretString)
        server:delete("m/a")
        assert.has_error(function()
            server:call("GetSecretValue", { SecretId = "m/a" })
        end)
        server:stop()
    end)
end)

describe("tls", function()
    it("makes certificates that are trusted exactly where they should be", function()
        local certificates = tls.make()
        local fake = aws.start { cert = certificates.cert, key = certificates.key }
        local wrong = aws.start { cert = certificates.wrong_cert, key = certificates.wrong_key }
        assert.equal(200, call(fake, "a", { cacert = certificates.ca }).status)
        assert.equal(60, call(fake, "a", { cacert = certificates.other_ca }).code)
        assert.equal(60, call(wrong, "a", { cacert = certificates.ca }).code)
        fake:stop()
        wrong:stop()
        certificates:remove()
    end)
end)

describe("nginx", function()
    local gateway

    setup(function()
        gateway = nginx.start {
            workers = 2, main = "env COLOUR;", env = { COLOUR = "green" },
            server = [[
                location /hello { content_by_lua_block { ngx.print(os.getenv("COLOUR")) } }
                location /slow { content_by_lua_block { ngx.sleep(0.3) ngx.print("slow") } }
                location /log { content_by_lua_block { ngx.log(ngx.ERR, "a mark") } }
            ]],
        }
    end)
    teardown(function()
        gateway:stop()
    end)

    it("serves, with the environment it was given", function()
        local answer = http.get(gateway.url .. "/hello")
        assert.same({ 200, "green" }, { answer.status, answer.body })
        assert.equal(2, #gateway:workers())
    end)

    it("answers many at the same time", function()
        local urls = {}
        for i = 1, 50 do
            urls[i] = gateway.url .. (i % 2 == 0 and "/slow" or "/hello")
        end
        for i, answer in ipairs(http.parallel(urls)) do
            assert.same({ 200, i % 2 == 0 and "slow" or "green" }, { answer.status, answer.body })
        end
    end)

    it("shows its log, reloads, and leaves", function()
        http.get(gateway.url .. "/log")
        assert.matches("a mark", gateway:error_log())
        local old = gateway:reload()
        assert.equal(2, #old)
        assert.is_truthy(system.wait_for(function()
            return not nginx.runs(old[1]) and not nginx.runs(old[2])
        end))
        assert.equal(200, http.get(gateway.url .. "/hello").status)
        assert.equal(0, gateway:quit())
    end)

    -- `make asan` trusts this.
    local sanitizer = os.getenv("VAULT_TEST_WORKER_PRELOAD")
    if sanitizer then
        it("shows in its log what a preloaded sanitizer finds in a worker", function()
            local broken = nginx.start { preload = sanitizer, timeout = 20, server = [[
                location / { content_by_lua_block {
                    local ffi = require "ffi"
                    ffi.cdef [=[ void *malloc(size_t); void free(void *);
                        void *memset(void *, int, size_t); ]=]
                    local lost = ffi.C.malloc(8)
                    ffi.C.free(lost)
                    ffi.C.memset(lost, 1, 8)
                } }
            ]] }
            http.get(broken.url)
            assert.matches("AddressSanitizer: heap%-use%-after%-free", broken:error_log())
            broken:stop()
        end)
    end

    it("says why it does not start", function()
        assert.has_error(function()
            nginx.start { http = "no_such_directive;" }
        end)
    end)
end)
