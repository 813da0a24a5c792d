-- tls_spec - the example's server whose certificate and key are references: which pair it shows,
-- and that it never shows another.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local example = require "spec.support.example"
local http = require "spec.support.http"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local PATIENCE = 10 -- seconds that a spec waits for what must come

-- A line in the log for each text that is parsed.
local COUNT = [[
    local ssl = require "ngx.ssl"
    for _, name in ipairs { "parse_pem_cert", "parse_pem_priv_key" } do
        local parse = ssl[name]
        ssl[name] = function(text)
            ngx.log(ngx.NOTICE, "spec: ", name)
            return parse(text)
        end
    end
]]

describe("the example of TLS", function()
    local fake, certificates, gateway, keys

    setup(function()
        certificates = tls.make()
    end)
    teardown(function()
        certificates:remove()
    end)

    local function issue(is_rsa)
        local pair = certificates:issue(is_rsa)
        keys[#keys + 1] = pair.key
        return pair
    end

    -- Have the node fetch what it uses, which it does once a second.
    local function refresh()
        system.wait_for(function()
            return http.post(gateway:url("kong", "/vaults/aws/refresh"), "").status ~= 429
        end, PATIENCE, 0.2)
    end

    -- A new version of the secret.
    local function put(certificate, key)
        fake:put("gateway-tls", cjson.encode { certificate = certificate, key = key })
        refresh()
    end

    -- The serial number that a connection is shown, "none" where the handshake fails.
    local function serial()
        local shown = certificates:shown(gateway.ports.tls)
        assert(not shown or shown.verified, "what is shown is not to be trusted")
        return shown and shown.serial or "none"
    end

    -- Whether several connections, which come to both workers, are shown nothing else.
    local function all_show(wanted)
        for _ = 1, 5 do
            if serial() ~= wanted then
                return false
            end
        end
        return true
    end

    local function assert_shows_soon(wanted)
        assert.truthy(system.wait_for(function() return all_show(wanted) end, PATIENCE), wanted)
    end

    before_each(function()
        keys = {}
        fake = aws.start { args = { "--only-put" } }
    end)
    after_each(function()
        if gateway then
            gateway:stop()
            local log = gateway:error_log()
            gateway = nil
            for _, key in ipairs(keys) do
                for line in key:gmatch("[^\n]+") do
                    assert.is_nil(log:find(line, 1, true), "a key is in the log")
                end
            end
            assert.is_nil(log:find("BEGIN", 1, true), "PEM is in the log")
            assert.is_nil(log:find("stale global SSL error", 1, true), log)
        end
        fake:stop()
    end)

    local function start(options)
        options = options or {}
        options.env = fake:env()
        gateway = example.start(options)
    end

    it("shows the secret's chain, and serves", function()
        start()
        local pair = issue()
        put(pair.certificate, pair.key)
        assert.same({ serial = pair.serial, certificates = 2, verified = true },
            certificates:shown(gateway.ports.tls))
        local answer = http.get(("https://localhost:%d/"):format(gateway.ports.tls),
            { cacert = certificates.ca, curl = { "--connect-to", "localhost::127.0.0.1:" } })
        assert.same({ 200, "over TLS\n" }, { answer.status, answer.body })
    end)

    it("shows a new version to new connections, without a reload, and parses each once", function()
        start { init = COUNT }
        local workers
        for _, is_rsa in ipairs { false, false, true } do
            local pair = issue(is_rsa)
            put(pair.certificate, pair.key)
            assert_shows_soon(pair.serial)
            workers = workers or gateway.nginx:workers()
        end
        assert.equal(2, #workers)
        assert.same(workers, gateway.nginx:workers())
        for _, name in ipairs { "parse_pem_cert", "parse_pem_priv_key" } do
            local _, times = gateway:error_log():gsub("spec: " .. name, "")
            assert.is_true(times >= 3 and times <= 6, times) -- three versions, two workers
        end
    end)

    -- A PEM text of `key` that wants a passphrase.
    local function lock(key)
        local path = system.write(certificates.folder .. "/open.key", key)
        local locked = system.must("openssl ec -aes128 -passout pass:x -in " .. path)
            :match("%-%-%-%-%-BEGIN.*")
        keys[#keys + 1] = locked
        return locked
    end

    it("keeps a good pair where the new one is not", function()
        start()
        local good, other, of_rsa = issue(), issue(), issue(true)
        put(good.certificate, good.key)
        assert_shows_soon(good.serial)
        for _, bad in ipairs {
            { other.certificate, good.key, "the key is not the certificate's" },
            { of_rsa.certificate, other.key, "the key is not the certificate's" },
            { other.certificate, of_rsa.key, "the key is not the certificate's" },
            { other.certificate:sub(1, 200), other.key, "the certificate cannot be read: " },
            { "", other.key, "the certificate cannot be read: " },
            { other.certificate, other.key:sub(1, 100), "the key cannot be read: " },
            { other.certificate, "", "the key cannot be read: " },
            { other.certificate, lock(other.key), "the key is encrypted" },
            { other.certificate, nil, "what it was before stays in use" },
        } do
            local seen = #gateway:error_log()
            put(bad[1], bad[2])
            assert.truthy(system.wait_for(function()
                assert.equal(good.serial, serial())
                return gateway:error_log():find(bad[3], seen, true)
            end, PATIENCE), bad[3])
            assert.is_true(all_show(good.serial))
        end
        put(other.certificate, other.key)
        assert_shows_soon(other.serial)
        fake:delete("gateway-tls")
        refresh()
        assert.is_true(all_show(other.serial))
    end)

    it("fails handshakes while there is no good pair, and never shows the placeholder", function()
        start()
        assert.is_true(all_show("none"))
        local failed = "tls: no certificate for this connection: "
        assert.truthy(gateway:error_log():find(failed .. 'secret "gateway-tls"', 1, true))
        local one, other = issue(), issue()
        put(one.certificate, other.key)
        assert.truthy(system.wait_for(function()
            assert.equal("none", serial())
            return gateway:error_log():find(failed .. "the key is not the certificate's", 1, true)
        end, PATIENCE))
        put(one.certificate, one.key)
        assert_shows_soon(one.serial)
    end)

    it("fails the handshake where its own code fails", function()
        start { init = [[
            require("vault").update = function() error("planted") end
        ]] }
        assert.is_true(all_show("none"))
        assert.truthy(gateway:error_log():find("planted", 1, true))
    end)
end)
