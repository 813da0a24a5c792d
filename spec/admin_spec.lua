-- admin_spec - who is served, and which route a request means; the options of serve().

local admin = require "spec.support.admin"
local api = require "vault.admin"

-- target, what Allow says
local ROUTES = {
    { "/", "GET, HEAD, OPTIONS" },
    { "/status", "GET, HEAD, OPTIONS" },
    { "/metrics", "GET, HEAD, OPTIONS" },
    { "/vaults", "GET, HEAD, OPTIONS, POST" },
    { "/vaults/one", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT" },
    { "/vaults/one/refresh", "OPTIONS, POST" },
    { "/schemas/vaults", "GET, HEAD, OPTIONS" },
    { "/schemas/vaults/aws", "GET, HEAD, OPTIONS" },
    { "/schemas/vaults/validate", "OPTIONS, POST" },
    { "/apisix/admin/secrets", "GET, HEAD, OPTIONS" },
    { "/apisix/admin/secrets/aws/john", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT" },
    { "/apisix/admin/secrets/aws/john/region", "OPTIONS, PATCH" },
}
local METHODS = { "DELETE", "GET", "HEAD", "PATCH", "POST", "PUT", "TRACE", "VAULT" }

describe("admin", function()
    local world

    before_each(function()
        world = admin.new()
    end)

    for _, row in ipairs(ROUTES) do
        it("allows " .. row[2] .. " at " .. row[1], function()
            local status, _, answer = world:ask("OPTIONS", row[1])
            assert.same({ 204, row[2] }, { status, answer.headers.Allow })
            for _, method in ipairs(METHODS) do
                local allows = row[2]:find(method, 1, true) ~= nil
                status, _, answer = world:ask(method, row[1])
                if not allows then
                    assert.same({ 405, row[2] }, { status, answer.headers.Allow }, method)
                    assert.truthy(world.text:find("Method not allowed", 1, true))
                else
                    assert.not_equal(405, status)
                end
            end
        end)
    end

    it("knows no other path", function()
        for _, target in ipairs { "/x", "/vaults/a/b", "/vaults/a/refresh/x", "/schemas",
                                  "/schemas/routes", "/Vaults", "/status/x" } do
            for _, method in ipairs(METHODS) do
                local status, body = world:ask(method, target)
                assert.same({ 404, { message = "Not found" } }, { status, body })
            end
        end
        local status, body = world:ask("GET", "/apisix/x")
        assert.same({ 404, { error_msg = "Not found" } }, { status, body })
    end)

    it("answers status and metrics", function()
        for _, target in ipairs { "/", "/status" } do
            local status, body = world:ask("GET", target)
            assert.same({ 200, "1.2.3" }, { status, body.version })
            assert.truthy(world.text:find('"credentials":[]', 1, true))
        end
        local status, text, answer = world:ask("GET", "/metrics")
        assert.same({ 200, "# metrics\n" }, { status, text })
        assert.matches("^text/plain; version=0%.0%.4", answer.type)
    end)

    it("reads what other workers changed before it answers", function()
        world.parts.vaults.read_news = function()
            world.entities[1] = { id = "x", prefix = "one", name = "env", config = {},
                                  created_at = 1, updated_at = 1 }
        end
        assert.equal(200, (world:ask("GET", "/vaults/one")))
    end)

    it("lies where it is mounted", function()
        assert.equal(200, (world:ask("GET", "/admin/vaults", { mount = "/admin" })))
        assert.equal(404, (world:ask("GET", "/vaults", { mount = "/admin" })))
        local _, body = world:ask("GET", "/admin/apisix/x", { mount = "/admin" })
        assert.equal("Not found", body.error_msg)
    end)

    it("serves whom the guard lets in", function()
        for _, row in ipairs(ROUTES) do
            for _, method in ipairs(METHODS) do
                assert.equal(403, (world:ask(method, row[1],
                    { addresses = { "10.0.0.1", "127.0.0.1" } })))
                assert.equal(403, (world:ask(method, row[1], { origin = "http://a.example" })))
            end
        end
        world.token = "canary"
        local status, body = world:ask("GET", "/vaults")
        assert.same({ 401, "Unauthorized" }, { status, body.message })
        status, body = world:ask("GET", "/apisix/admin/secrets", { tokens = { "x" } })
        assert.same({ 401, "failed to check token" }, { status, body.error_msg })
        assert.equal(200, (world:ask("GET", "/vaults", { tokens = { "canary" },
                                                         origin = "http://a.example" })))
        world.token = "{vault://env/token}"
        assert.equal(503, (world:ask("GET", "/vaults", { tokens = { "canary" } })))
        world.secrets["{vault://env/token}"] = "canary"
        assert.equal(200, (world:ask("GET", "/vaults", { tokens = { "canary" } })))
    end)

    it("says no more than that it failed", function()
        world.parts.vaults.list = function() error("planted fault") end
        local status, body = world:ask("GET", "/vaults")
        assert.same({ 500, { message = "An unexpected error occurred" } }, { status, body })
        assert.matches("planted fault", world.warned[1])
    end)

    it("takes its options only", function()
        for _, row in ipairs { { { tokn = "x" }, "vault.admin has no option tokn" },
                               { { token = "" }, "token must be a string of 1 to 4096 bytes" },
                               { { mount = "admin" }, "mount must be a path" },
                               { { mount = "/admin/" }, "mount must be a path" },
                               { { mount = 1 }, "mount must be a path" } } do
            local ok, message = pcall(api.serve, row[1])
            assert.is_false(ok)
            assert.truthy(message:find(row[2], 1, true), message)
        end
    end)
end)
