-- admin_spec - the Admin API in a real nginx: the seeds' commands as written but for host and port,
-- what they print, and what comes of it on all workers.

local admin = require "spec.support.admin_gateway"
local aws = require "spec.support.aws"
local cjson = require "cjson"
local system = require "spec.support.system"

local APISIX = "/apisix/admin/secrets/aws/john"
local APISIX_PUT = [[curl "http://127.0.0.1:9180/apisix/admin/secrets/aws/john" -X PUT -d '
{
"region": "ap-southeast-2",
"access_key_id": "AKIARK7HKSJVWAIKFOXR",
"secret_access_key": "2z7gJxhO0kgwVNkN9QlvpNXdO9Q8Wvie6S2kKOJr"
}']]

local fake, api

describe("the Admin API", function()
    setup(function()
        fake = aws.start { args = { "--only-put" } }
        api = admin.start(fake)
    end)
    teardown(function()
        if api then
            api:stop()
        end
        fake:stop()
    end)

    describe("does what Kong's document says", function()
        it("for one vault", function()
            local printed = api:run([[curl -i -X PUT http://localhost:8001/vaults/aws-sm-vault  \
  --data name=aws \
  --data description="Storing secrets in AWS Secrets Manager" \
  --data config.region="us-east-1"]])
            assert.matches("^HTTP/1.1 200 OK", printed)
            local body = cjson.decode(printed:match("\r\n\r\n(.*)$"))
            assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$", body.id)
            assert.is_true(math.abs(os.time() - body.created_at) < 60)
            assert.equal(body.created_at, body.updated_at)
            body.id, body.created_at, body.updated_at = nil, nil, nil
            assert.same({ config = { region = "us-east-1" }, name = "aws",
                description = "Storing secrets in AWS Secrets Manager",
                prefix = "aws-sm-vault", tags = cjson.null }, body)
        end)

        it("for two regions", function()
            for vault, region in pairs { ["aws-eu-central-vault"] = "eu-central-1",
                                         ["aws-us-west-vault"] = "us-west-1" } do
                local body = cjson.decode(api:run(("curl -X PUT http://localhost:8001/vaults/%s "
                    .. '-d name=aws -d config.region="%s"'):format(vault, region)))
                assert.same({ vault, "aws", { region = region } },
                    { body.prefix, body.name, body.config })
            end
        end)

        it("for a look at what runs", function()
            local status = cjson.decode(api:run("curl -s localhost:8001"))
            assert.equal(require("vault.core")._VERSION, status.version)
            assert.is_true(status.vaults >= 1)
            assert.equal(10 * 1024 * 1024, status.dict.capacity)
            assert.is_number(status.worker.pid)
        end)

        it("and its vaults serve", function()
            fake:put("secret-name", '{"foo":"bar"}')
            assert.is_truthy(system.wait_for(function()
                return api.one:get("{vault://aws-us-west-vault/secret-name/foo}").value == "bar"
            end, 1.5))
        end)
    end)

    it("does what APISIX's document says", function()
        local printed = api:run(APISIX_PUT:gsub("^curl", "%0 -i"))
        assert.matches("^HTTP/1.1 201 Created", printed)
        local body = cjson.decode(printed:match("\r\n\r\n(.*)$"))
        assert.equal(body.value.create_time, body.value.update_time)
        body.value.create_time, body.value.update_time = nil, nil
        assert.same({ key = "/apisix/secrets/aws/john", value = { id = "aws/john",
            region = "ap-southeast-2", access_key_id = "******", secret_access_key = "******" } },
            body)
        assert.equal(200, (api:json("PUT", APISIX, { region = "us-east-1",
            access_key_id = aws.ACCESS_KEY, secret_access_key = aws.SECRET_KEY })))
        fake:put("apisix-secrets", '{"john-key-auth":"john-key"}')
        assert.is_truthy(system.wait_for(function()
            local read = api.one:get("$secret://aws/john/apisix-secrets/john-key-auth")
            return read.value == "john-key"
        end, 1.5))
    end)

    it("shows on each worker what another one has answered", function()
        for i = 1, 20 do
            assert.equal(200, (api:json("PUT", "/vaults/written", { name = "aws",
                config = { ttl = i } })))
            local _, body = api:ask("GET", "/vaults/written")
            assert.equal(i, body.config.ttl)
        end
    end)

    it("is one for all workers, within a second", function()
        assert.equal(201, (api:json("POST", "/vaults", { name = "aws", prefix = "everywhere" })))
        fake:put("seen", '{"k":"v"}')
        system.sleep(1)
        for _ = 1, 20 do
            assert.equal("v", api.one:get("{vault://everywhere/seen/k}").value)
        end
        assert.equal(204, (api:ask("DELETE", "/vaults/everywhere")))
        system.sleep(1)
        for _ = 1, 20 do
            assert.equal("unknown_vault", api.one:get("{vault://everywhere/seen/k}").word)
        end
    end)

    it("answers HEAD and OPTIONS", function()
        local status, _, answer = api:ask(nil, "/vaults", { curl = { "--head" } })
        assert.same({ 200, "application/json; charset=utf-8" },
            { status, answer.headers["content-type"] })
        assert.is_true(tonumber(answer.headers["content-length"]) > 0)
        status, _, answer = api:ask("OPTIONS", "/vaults")
        assert.same({ 204, "GET, HEAD, OPTIONS, POST" }, { status, answer.headers.allow })
        assert.equal("no-store", answer.headers["cache-control"])
    end)

    it("lies where it is mounted", function()
        local status, body = api:ask("GET", nil, { url = api.one.url .. "/admin/vaults?size=1" })
        assert.equal(200, status)
        assert.matches("^/admin/vaults%?offset=", body.next)
        status, body = api:ask("GET", nil, { url = api.one.url .. body.next })
        assert.equal(200, status)
        assert.equal(1, #body.data)
    end)

    it("refreshes what is in use, on all workers, once a second", function()
        local reference = "{vault://turning/turns/k}"
        assert.equal(200, (api:json("PUT", "/vaults/turning", { name = "aws" })))
        fake:put("turns", '{"k":"old"}')
        system.sleep(1)
        assert.same({ "old", "old" }, api:held(reference))
        fake:put("turns", '{"k":"new"}')
        assert.same({ "old", "old" }, api:held(reference))
        local before = fake:stats().calls
        local status, body = api:ask("POST", "/vaults/turning/refresh")
        assert.same({ 200, 1, 0 }, { status, body.secrets, body.failed })
        assert.equal(429, (api:ask("POST", "/vaults/turning/refresh")))
        system.sleep(1.2)
        assert.same({ "new", "new" }, api:held(reference))
        assert.equal(before + 1, fake:stats().calls)
    end)

    it("goes on with what it had where a refresh fails", function()
        local reference = "{vault://turning/turns/k}"
        api:held(reference)
        system.sleep(1)
        fake:delete("turns")
        local status, body = api:ask("POST", "/vaults/turning/refresh")
        assert.same({ 502, 1, 1 }, { status, body.secrets, body.failed })
        assert.same({ "new", "new" }, api:held(reference))
    end)
end)
