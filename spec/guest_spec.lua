-- guest_spec - secrets inside a host that has a cache of its own: what is shared, and for how long.

local guests = require "spec.support.guest"
local reference = require "vault.reference"

local text = guests.text
local CANARY = "canary-5ecret"
local ROLE = "arn:aws:iam::123456789012:role/reader"

describe("guest", function()
    local node, aws, world

    before_each(function()
        node = guests.new()
        aws, world = node.aws, node.world
    end)
    after_each(function()
        node:stop()
    end)

    local function worker()
        return node:worker()
    end

    local function asked()
        return node:asked()
    end

    describe("the text of a secret", function()
        it("is whole, of either version, decoded where that is asked for", function()
            local guest = worker()
            assert.equal('{"user":"u2","password":"p2"}', text(guest))
            assert.equal('{"user":"u2","password":"p2"}', text(guest, nil, nil, 1))
            assert.equal('{"user":"u1","password":"p1"}', text(guest, nil, nil, 2))
            aws.secrets.b64 = { AWSCURRENT = "YQBi" }
            assert.equal("a\0b", text(guest, "b64", { base64_decode = true }))
            assert.equal("YQBi", text(guest, "b64"))
            aws.secrets.empty = { AWSCURRENT = "" }
            assert.equal("", text(guest, "empty"))
        end)

        it("fails with a message and a word, and shows nothing", function()
            local guest = worker()
            aws.secrets.denied = "access_denied"
            aws.secrets.odd = { AWSCURRENT = CANARY .. "!" }
            for _, row in ipairs {
                { "access_denied", "denied" }, { "not_found", "none" },
                { "bad_base64", "odd", { base64_decode = true } },
                { "bad_reference", "db/main", {}, 3 }, { "bad_reference", "db/main", {}, 1.5 },
                { "bad_config", "db/main", { region = "Nowhere!" } },
                { "refused", "db/main", { allow = { "other/*" } } },
            } do
                local value, message, word = text(guest, row[2], row[3], row[4])
                assert.same({ nil, row[1], "string" }, { value, word, type(message) })
                assert.is_nil(message:find(CANARY, 1, true))
            end
            assert.same({ nil, 'secret "odd": the value is not base64', "bad_base64" },
                { text(guest, "odd", { base64_decode = true }) })
        end)

        it("takes of a host's configuration what is a vault's", function()
            local null = require("cjson").null
            local entity = worker().entity {
                region = "eu-west-1", endpoint_url = null, external_id = "", ["$refs"] = {},
                id = "awssm/john", create_time = 1, base64_decode = false,
            }
            assert.same({ region = "eu-west-1", base64_decode = false }, entity)
        end)
    end)

    describe("what a fetch brought", function()
        it("is the answer for a second, on all workers", function()
            local one, other = worker(), worker()
            text(one)
            text(one)
            text(other)
            assert.same({ "db/main" }, asked())
            world:pass(0.9)
            text(one)
            text(other)
            assert.same({}, asked())
            world:pass(0.1)
            text(other)
            text(one)
            assert.same({ "db/main" }, asked())
        end)

        it("is so since the fetch began, not since it ended", function()
            local guest = worker()
            local get = aws.get
            function aws.get(...)
                world.clock = world.clock + 0.7
                return get(...)
            end
            text(guest)
            world:pass(0.2)
            text(guest)
            assert.same({ "db/main" }, asked())
            world:pass(0.2)
            text(guest)
            assert.same({ "db/main" }, asked())
        end)

        it("is so without a dict, and with a full one, on each worker", function()
            for _, make in ipairs { function() world.ngx.shared.vault_secrets.full = true end,
                                    function() world.ngx.shared.vault_secrets = nil end } do
                make()
                local one, other = worker(), worker()
                text(one)
                text(one)
                text(other)
                assert.same({ "db/main", "db/main" }, asked())
                world:pass(1)
            end
        end)

        it("is one secret's, version's, role's, endpoint's and region's", function()
            local guest = worker()
            local others = {
                {}, { assume_role_arn = ROLE }, { endpoint_url = "http://localhost:1" },
                { region = "eu-west-1" },
                { access_key_id = "AKIDEXAMPLE", secret_access_key = "key" },
            }
            for _ = 1, 2 do
                for _, conf in ipairs(others) do
                    text(guest, nil, conf)
                end
                text(guest, nil, nil, 2)
            end
            assert.equal(#others + 1, #asked())
        end)

        it("is shared by what differs in ttl, timeout or base64_decode", function()
            local guest = worker()
            aws.secrets.b64 = { AWSCURRENT = "YQBi" }
            for _, conf in ipairs { {}, { ttl = 60 }, { timeout = 3 }, { base64_decode = true } } do
                assert.is_truthy(text(guest, "b64", conf))
            end
            assert.same({ "b64" }, asked())
        end)

        it("leaves the dict soon, and what vault.cache keeps there alone", function()
            local dict, guest = world.ngx.shared.vault_secrets, worker()
            local key = "s:" .. require("vault.aws").settle({ resource = "db/main" }, {}).key
            dict:set(key, "of vault.cache")
            text(guest)
            world:pass(4)
            dict:flush_expired()
            local left = {}
            for name, entry in pairs(dict.entries) do
                left[name] = entry.value
            end
            assert.same({ [key] = "of vault.cache" }, left)
        end)

        it("leaves the worker's memory with the next fetch", function()
            local guest, weak, get = worker(), setmetatable({}, { __mode = "v" }), aws.get
            function aws.get(...)
                weak[#weak + 1] = get(...)
                return weak[#weak]
            end
            text(guest)
            aws.secrets.other = { AWSCURRENT = "other" }
            world:pass(1)
            text(guest, "other")
            collectgarbage()
            collectgarbage()
            assert.is_nil(weak[1])
            assert.equal("other", weak[2].payload)
        end)

        it("counts whichever way the clock was set", function()
            local guest = worker()
            text(guest)
            world.clock = world.clock - 3600
            text(guest)
            text(guest)
            assert.same({ "db/main", "db/main" }, asked())
        end)
    end)

    describe("a refusal", function()
        for _, word in ipairs { "not_found", "access_denied", "credentials_refused" } do
            it("is the answer for a second, on all workers: " .. word, function()
                aws.secrets.gone = word
                local one, other = worker(), worker()
                local first = { text(one, "gone") }
                assert.equal(word, first[3])
                assert.same(first, { text(one, "gone") })
                assert.same(first, { text(other, "gone") })
                assert.same({ "gone" }, asked())
                world:pass(1)
                aws.secrets.gone = { AWSCURRENT = "there" }
                assert.equal("there", text(other, "gone"))
                assert.equal("there", text(one, "gone"))
                assert.same({ "gone" }, asked())
            end)
        end

        for _, word in ipairs { "timeout", "throttled", "server_error", "pending", "cancelled",
                                "internal" } do
            it("is something else than " .. word, function()
                aws.secrets.gone = word
                local guest = worker()
                text(guest, "gone")
                aws.secrets.gone = { AWSCURRENT = "there" }
                assert.equal("there", text(guest, "gone"))
            end)
        end
    end)

    describe("the value of an APISIX path", function()
        local function value(guest, path, conf)
            return guest.value(reference.parse("$secret://awssm/john/" .. path),
                guest.entity(conf or {}))
        end

        it("is cut out of the secret that is there", function()
            local guest = worker()
            assert.equal("p2", value(guest, "db/main/password"))
            assert.equal("u2", value(guest, "db/main/user"))
            assert.same({ "db/main/password", "db/main" }, asked())
        end)

        it("costs no refused call on any worker once a path of its shape is known", function()
            local one, other = worker(), worker()
            value(one, "db/main/password")
            world:pass(1)
            asked()
            value(one, "db/main/user")
            world:pass(1)
            value(other, "db/main/user")
            assert.same({ "db/main", "db/main" }, asked())
        end)

        it("is decoded after it is cut out", function()
            aws.secrets.b64 = { AWSCURRENT = '{"key":"YQBi"}' }
            assert.equal("a\0b", value(worker(), "b64/key", { base64_decode = true }))
        end)

        it("fails as the first way to split it does, and stops at a secret that is there",
            function()
                local guest = worker()
                aws.secrets.odd = { AWSCURRENT = CANARY }
                for _, row in ipairs { { "not_found", "no/such/name" },
                                       { "key_not_found", "db/main/none" },
                                       { "json_syntax", "odd/key" } } do
                    local text_of, message, word = value(guest, row[2])
                    assert.same({ nil, row[1], "string" }, { text_of, word, type(message) })
                    assert.is_nil(message:find(CANARY, 1, true))
                end
            end)
    end)
end)
