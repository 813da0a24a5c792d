-- guest_spec - secrets inside a host that has a cache of its own: what is shared, and for how long.

local engine = require "spec.support.engine"
local light = require "spec.support.light"
local rooms = require "spec.support.rooms"

local CANARY = "canary-5ecret"
local ROLE = "arn:aws:iam::123456789012:role/reader"
local VARIABLES = { AWS_REGION = "us-east-1" }

describe("guest", function()
    local aws, world, put_back, before

    before_each(function()
        before = rawget(_G, "ngx")
        aws, world, put_back = rooms.aws(), light.new(), {}
        world.ngx.worker.count = function() return 2 end
        aws.secrets["db/main"] = { AWSCURRENT = '{"user":"u2","password":"p2"}',
                                   AWSPREVIOUS = '{"user":"u1","password":"p1"}' }
        rawset(_G, "ngx", world.ngx)
        world.ngx.shared.vault_secrets = world:dict()
    end)
    after_each(function()
        for i = #put_back, 1, -1 do
            put_back[i]()
        end
        rawset(_G, "ngx", before)
    end)

    local function logged(pattern)
        local count = 0
        for _, line in ipairs(world.logged) do
            count = count + (line:find(pattern) and 1 or 0)
        end
        return count
    end

    -- vault.guest as one worker has it.
    local function load(standing_in)
        local stand_in = { ["vault.fetch"] = aws, ["vault.files"] = {
                               remember = function(path) aws.remembered = path or "nothing" end,
                               check = function() aws.checked = (aws.checked or 0) + 1 end },
                           ["vault.environment"] = rooms.environment(VARIABLES) }
        for name, module in pairs(standing_in or {}) do
            stand_in[name] = module
        end
        local _, guest, back = rooms.load({ "vault.aws", "vault.guest" }, stand_in)
        put_back[#put_back + 1] = back
        return guest
    end

    local function worker(options)
        local guest = load()
        options = options or {}
        options.trusted_certificate = options.trusted_certificate or function() end
        guest.begin(options)
        return guest
    end

    local function text(guest, name, conf, version)
        return guest.text({ resource = name or "db/main", version = version },
            guest.entity(conf or {}))
    end

    local function asked()
        local names = {}
        for i, request in ipairs(aws.asked) do
            names[i] = request.secret_id .. (request.stage == "AWSCURRENT" and "" or " before")
        end
        aws.asked = {}
        return names
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
            local dict = world.ngx.shared.vault_secrets
            text(worker())
            world:pass(11)
            dict:flush_expired()
            assert.same({}, dict.entries)
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

    -- Over vault.fetch, whose fetches end when the spec says so.
    describe("who asks while a fetch is under way", function()
        local dict, workers

        before_each(function()
            dict, workers = world:dict(), {}
            world.ngx.shared.vault_secrets = dict
        end)
        after_each(function()
            for i = #workers, 1, -1 do
                workers[i]:stop()
            end
        end)

        -- A worker: its engine, and guest over that.
        local function start(pid)
            local one = engine.new(world)
            setmetatable(one.core, { __index = require "vault.core" })
            function one.core.process() return pid, 1 end
            function one.core.is_alive() return true end
            workers[#workers + 1] = one
            local fetch = one:load()
            one.guest = load { ["vault.fetch"] = fetch, ["vault.core"] = one.core }
            one.guest.begin { trusted_certificate = function() end }
            return one
        end

        local function ask(one, name)
            return world:spawn("access", function()
                return text(one.guest, name)
            end)
        end

        local function finish(one, number, payload)
            one.core.finish(number, { payload = payload, binary = false, version_id = "v1",
                                      attempts = 1 })
        end

        it("joins it, on its own worker and on others", function()
            local one, other = start(100), start(101)
            local asking = { ask(one, "a"), ask(one, "a"), ask(other, "a"), ask(other, "a") }
            world:pass(3)
            assert.same({ 1, 0 }, { #one.core.submitted, #other.core.submitted })
            finish(one, 1, "late")
            world:pass(1.2)
            for _, thread in ipairs(asking) do
                assert.same({ "late" }, thread.results)
            end
            assert.equal(0, #other.core.submitted)
        end)

        it("does not join what was there before", function()
            local one, other = start(100), start(101)
            local first = ask(one, "a")
            finish(one, 1, "old")
            world:pass(0.1)
            assert.same({ "old" }, first.results)
            world:pass(2)
            local second, third = ask(one, "a"), ask(other, "a")
            world:pass(0.5)
            finish(one, 2, "new")
            world:pass(1.2)
            assert.same({ { "new" }, { "new" } }, { second.results, third.results })
        end)

        it("is told of its failure, by both", function()
            local one, other = start(100), start(101)
            local first, second = ask(one, "a"), ask(other, "a")
            one.core.finish(1, nil, "planted outage", "server_error")
            world:pass(1.2)
            assert.same({ nil, "planted outage", "server_error" }, first.results)
            assert.same({ nil, "planted outage", "server_error" }, second.results)
            assert.equal(0, #other.core.submitted)
        end)

        it("has no need of a dict on its own worker", function()
            world.ngx.shared.vault_secrets = nil
            local one = start(100)
            local first, second = ask(one, "a"), ask(one, "a")
            finish(one, 1, "v")
            world:pass(0.1)
            assert.same({ { "v" }, { "v" } }, { first.results, second.results })
            assert.equal(1, #one.core.submitted)
        end)
    end)

    describe("a worker", function()
        it("joins the others once, at its first secret that does not block", function()
            local asked_for = 0
            local guest = worker { load_by = "so", timer_at = "native",
                                   trusted_certificate = function()
                asked_for = asked_for + 1
                return asked_for > 1 and "/host/ca.pem" or nil
            end }
            assert.same({ load_by = "so", timer_at = "native" }, aws.settings)
            aws.blocking = true
            text(guest)
            assert.is_nil(aws.workers)
            assert.is_nil(aws.shared)
            aws.blocking = false
            world.phase = "exit_worker"
            text(guest)
            assert.is_nil(aws.workers)
            world.phase = "access"
            text(guest)
            text(guest)
            assert.same({ 1, 1, 2 }, { aws.workers, aws.checked, asked_for })
            assert.equal("/host/ca.pem", aws.settings.ca_file)
            local locks = aws.shared.locks
            local token = locks:take("x", 1)
            assert.equal(token, world.ngx.shared.vault_secrets:get("l:x"))
            aws.shared.failures.put("t", "m", "w")
            assert.same({ "m", "w" }, { aws.shared.failures.get("t") })
        end)

        it("has its locks in a dict of their own where there is one", function()
            world.ngx.shared.vault_locks = world:dict()
            text(worker())
            aws.shared.locks:take("x", 1)
            assert.is_truthy(world.ngx.shared.vault_locks:get("l:x"))
            assert.is_nil(world.ngx.shared.vault_secrets:get("l:x"))
        end)

        it("goes by the host's certificates, else by the environment's, else the system's",
            function()
                for _, row in ipairs { { "/host.pem", "/host.pem" }, { nil, "/bundle.pem" },
                                       { "system", nil } } do
                    VARIABLES.AWS_CA_BUNDLE = "/bundle.pem"
                    worker { trusted_certificate = function() return row[1] end }
                    VARIABLES.AWS_CA_BUNDLE = nil
                    assert.equal(row[2], aws.settings.ca_file)
                end
            end)

        it("looks for unreadable files where the master began", function()
            world.phase = "init"
            worker { trusted_certificate = function() return "/host.pem" end }
            assert.equal("/host.pem", aws.remembered)
            aws.remembered, world.phase = nil, "access"
            worker()
            assert.is_nil(aws.remembered)
        end)

        it("begins once", function()
            local guest = worker()
            local settings = aws.settings
            guest.begin { trusted_certificate = function() return "/other.pem" end }
            assert.equal(settings, aws.settings)
        end)

        it("says that there is no dict, once, where there are several workers", function()
            world.ngx.shared.vault_secrets = nil
            local guest = worker()
            text(guest)
            text(guest)
            assert.equal(1, logged("^warn: vault: no lua_shared_dict vault_secrets: each worker"))
            world.ngx.worker.count = function() return 1 end
            worker()
            assert.equal(1, logged("no lua_shared_dict"))
        end)

        it("takes what lacks a shared dict's methods for none, as on Kong's command line",
            function()
                world.ngx.shared = setmetatable({}, { __index = function()
                    return { get = error, safe_set = error, safe_add = error, delete = error }
                end })
                assert.is_truthy(text(worker()))
                assert.is_nil(aws.shared)
            end)

        it("says that the dict is full, once a minute", function()
            world.ngx.shared.vault_secrets.full = true
            local guest = worker()
            for _ = 1, 61 do
                text(guest)
                world:pass(1)
            end
            assert.equal(1, logged("the shared dict vault_secrets is full"))
            text(guest)
            assert.equal(2, logged("the shared dict vault_secrets is full"))
        end)

        it("says at once that this nginx cannot share a process with libcurl", function()
            local core = setmetatable({ check = function()
                return nil, "planted reason", "unsupported"
            end }, { __index = require "vault.core" })
            load({ ["vault.core"] = core }).begin { trusted_certificate = function() end }
            assert.equal(1, logged("^error: vault: planted reason"))
        end)
    end)

    describe("the value of an APISIX path", function()
        local reference = require "vault.reference"

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
