-- admin_guard_spec - whom the Admin API serves in a real nginx, and what it never shows.

local admin = require "spec.support.admin_gateway"
local aws = require "spec.support.aws"
local cjson = require "cjson"

local TOKEN = admin.TOKEN
local KEYS = { region = "us-east-1", access_key_id = admin.KEY_ID, secret_access_key = admin.KEY,
               session_token = "canary-session-token" }
local CANARIES = { KEYS.access_key_id, KEYS.secret_access_key, KEYS.session_token, TOKEN }

local fake, api

describe("the Admin API serves", function()
    setup(function()
        fake = aws.start()
        api = admin.start(fake)
    end)
    teardown(function()
        if api then
            api:stop()
        end
        fake:stop()
    end)

    it("no web page", function()
        assert.equal(403, (api:ask("GET", "/vaults",
            { headers = { Origin = "http://127.0.0.1:" .. api.ports.kong } })))
    end)

    it("whoever comes by a Unix socket", function()
        assert.equal(200, (api:ask("GET", "/vaults",
            { curl = { "--unix-socket", api.socket } })))
    end)

    it("nobody from away without a token", function()
        if not api.away then
            return
        end
        local away = ("http://%s:%d/vaults"):format(api.away, api.ports.kong)
        assert.equal(403, (api:ask("GET", nil, { url = away })))
        assert.equal(403, (api:ask("GET", nil, { url = away, headers = {
            Host = "localhost", ["X-Real-IP"] = "127.0.0.1" } })))
        assert.equal(403, (api:ask("GET", "/vaults", { port = "real",
            headers = { ["X-Real-IP"] = "10.0.0.1" } })))
    end)

    it("whoever has the token", function()
        local away = ("http://%s:%d/vaults"):format(api.away, api.ports.token)
        for name, value in pairs { ["Kong-Admin-Token"] = TOKEN, ["X-API-KEY"] = TOKEN,
                                   Authorization = "Bearer " .. TOKEN } do
            for _, at in ipairs { api:url("/vaults", "token"), away } do
                assert.equal(200, (api:ask("GET", nil, { url = at, headers = { [name] = value,
                    Origin = "http://a.example" } })), name)
                assert.equal(401, (api:ask("GET", nil, { url = at,
                    headers = { [name] = value .. "x" } })))
            end
        end
        assert.equal(401, (api:ask("GET", "/vaults", { port = "token" })))
    end)

    it("and never shows a secret", function()
        local shown = {}
        local function keep(_, _, answer)
            assert.is_true(answer.status < 500, answer.body)
            shown[#shown + 1] = answer.body
        end
        keep(api:json("PUT", "/vaults/canary", { name = "aws", config = KEYS }))
        keep(api:json("PATCH", "/vaults/canary", { name = "aws", config = KEYS }))
        keep(api:json("POST", "/vaults", { name = "aws", prefix = "canary", config = KEYS }))
        keep(api:json("POST", "/schemas/vaults/validate", { name = "aws", config = KEYS }))
        keep(api:json("PUT", "/vaults/canary", { name = "aws", config = { region = KEYS } }))
        keep(api:json("PUT", "/vaults/canary", { name = "env", config = KEYS }))
        keep(api:json("PUT", "/apisix/admin/secrets/aws/canary2", KEYS))
        keep(api:json("PATCH", "/apisix/admin/secrets/aws/canary2", KEYS))
        keep(api:json("PATCH", "/apisix/admin/secrets/aws/canary2/secret_access_key",
            cjson.encode(KEYS.secret_access_key)))
        keep(api:json("PUT", "/apisix/admin/secrets/aws/canary2", cjson.encode(KEYS):sub(1, -2)))
        keep(api:ask("PUT", "/vaults/canary", { body = cjson.encode { config = KEYS } }))
        for _, path in ipairs { "/", "/status", "/metrics", "/vaults", "/vaults/canary",
                                "/vaults/fixed", "/vaults/canary2", "/schemas/vaults",
                                "/schemas/vaults/aws", "/apisix/admin/secrets",
                                "/apisix/admin/secrets/aws/canary" } do
            local status, _, answer = api:ask("GET", path)
            assert.equal(200, status)
            keep(nil, nil, answer)
        end
        api.one:get("{vault://canary/secret-name/foo}") -- fails: AWS does not know that key
        keep(api:ask("POST", "/vaults/canary/refresh"))
        shown[#shown + 1] = api.one:error_log()
        assert.truthy(table.concat(shown):find(KEYS.region, 1, true)) -- the rest does show
        for _, text in ipairs(shown) do
            for _, canary in ipairs(CANARIES) do
                assert.is_nil(text:find(canary, 1, true), "a secret shows")
                assert.is_nil(text:gsub("\\/", "/"):find(canary, 1, true), "a secret shows")
            end
        end
        local _, body = api:ask("GET", "/vaults/canary")
        assert.same({ "******", "******", "******" }, { body.config.access_key_id,
            body.config.secret_access_key, body.config.session_token })
    end)
end)
