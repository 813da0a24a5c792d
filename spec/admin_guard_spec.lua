-- admin_guard_spec - who is served, with a token and without.

local guard = require "vault.admin_guard"

local LOCAL = { "127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "unix:",
                "unix:/run/admin.sock" }
local AWAY = { "10.0.0.1", "::2", "::ffff:10.0.0.1", "128.0.0.1", "127.0.0.1.example", "",
               "1127.0.0.1", "fe80::1", "0.0.0.0" }
local TOKEN = "canary-token"

local function check(options)
    local warned = {}
    local refused = guard.check({
        addresses = options.addresses or { "127.0.0.1", "127.0.0.1" }, origin = options.origin,
        host = options.host, tokens = options.tokens or {},
    }, options.token, function(reference)
        if reference == "{vault://env/good}" then
            return TOKEN
        elseif reference == "{vault://env/empty}" then
            return ""
        end
        return nil, "planted failure"
    end, function(message) warned[#warned + 1] = message end)
    return refused and refused.status, refused and refused.message, warned
end

describe("admin_guard", function()
    for _, address in ipairs(LOCAL) do
        it("serves " .. address .. " without a token", function()
            assert.is_nil(check { addresses = { address, address } })
            assert.is_nil(check { addresses = { address, address, address } })
        end)
    end

    for _, address in ipairs(AWAY) do
        it("does not serve '" .. address .. "' without a token", function()
            for _, addresses in ipairs { { address, "127.0.0.1" }, { "127.0.0.1", address },
                                         { "127.0.0.1", "127.0.0.1", address } } do
                local status, message = check { addresses = addresses }
                assert.equal(403, status)
                assert.matches("loopback", message)
            end
        end)
    end

    it("must know both ends", function()
        assert.equal(403, (check { addresses = { "127.0.0.1" } }))
        assert.equal(403, (check { addresses = {} }))
    end)

    it("serves no web page without a token", function()
        for _, origin in ipairs { "http://localhost:8001", "null", "" } do
            assert.equal(403, (check { origin = origin }))
        end
    end)

    it("serves no page whose own host has come to mean this machine", function()
        for _, host in ipairs { "evil.example", "evil.example:8001", "localhost.evil.example",
                                "evillocalhost:8001", "127.0.0.1.evil.example",
                                "[::1].evil.example", "1.2.3" } do
            assert.equal(403, (check { host = host }))
            assert.is_nil(check { host = host, addresses = { "unix:/a", "unix:" } })
            assert.is_nil(check { host = host, token = TOKEN, tokens = { TOKEN } })
        end
        for _, host in ipairs { "localhost", "LocalHost:8001", "admin.localhost:1", "127.0.0.1",
                                "127.0.0.1:8001", "[::1]:8001", "" } do
            assert.is_nil(check { host = host })
        end
        assert.is_nil(check {})
    end)

    it("serves whoever brings the token", function()
        assert.is_nil(check { token = TOKEN, tokens = { TOKEN } })
        assert.is_nil(check { token = TOKEN, tokens = { "x", TOKEN }, origin = "http://a",
                              addresses = { "10.0.0.1", "10.0.0.2" } })
        assert.is_nil(check { token = "{vault://env/good}", tokens = { TOKEN } })
    end)

    it("serves nobody else", function()
        for _, tokens in ipairs { {}, { "" }, { "x" }, { TOKEN .. "x" }, { TOKEN:sub(1, -2) },
                                  { TOKEN:upper() }, { "{vault://env/good}" } } do
            assert.equal(401, (check { token = TOKEN, tokens = tokens }))
            assert.equal(401, (check { token = "{vault://env/good}", tokens = tokens }))
        end
    end)

    it("serves nobody where the token is not to be had", function()
        for _, token in ipairs { "{vault://env/bad}", "{vault://env/empty}" } do
            for _, tokens in ipairs { {}, { "" }, { token } } do
                local status, message, warned = check { token = token, tokens = tokens }
                assert.equal(503, status)
                assert.equal(1, #warned)
                assert.is_nil((message .. warned[1]):find(TOKEN, 1, true))
            end
        end
    end)

    it("takes a string for a token", function()
        guard.check_token(nil)
        guard.check_token("x")
        for _, token in ipairs { "", ("x"):rep(4097), 1, true, {} } do
            assert.has_error(function() guard.check_token(token) end,
                "vault.admin: token must be a string of 1 to 4096 bytes, or a reference to one")
        end
    end)
end)
