-- init_spec - the facade, require "vault": options, what it sets up, in nginx and outside.

local child = require "spec.support.child"
local core = require "vault.core"
local light = require "spec.support.light"
local rooms = require "spec.support.rooms"

local WANTED = { "vault.cache", "vault.aws", "vault.vaults", "vault.held", "vault.resolve",
                 "vault.anew",
                 "vault.dereference", "vault.settings", "vault.node", "vault" }

describe("vault", function()
    local vault, aws, world, outside, checked, restore, files

    -- require "vault", in nginx or, with false, outside.
    local function load_vault(in_nginx)
        outside = rawget(_G, "ngx")
        rawset(_G, "ngx", in_nginx ~= false and world.ngx or nil)
        local counted = setmetatable({
            check = function() return unpack(checked, 1, 3) end,
        }, { __index = core })
        local loaded = { rooms.load(WANTED, {
            ["vault.fetch"] = aws, ["vault.core"] = counted, ["vault.files"] = files,
            ["vault.environment"] = rooms.environment {
                AWS_REGION = "us-east-1", AWS_CA_BUNDLE = "/bundle.pem", MY_SECRET = "s",
            },
            ["vault.env"] = require("vault.env").new(rooms.environment { MY_SECRET = "s" }.get),
        }) }
        vault, restore = loaded[#WANTED], loaded[#WANTED + 1]
        return vault
    end

    before_each(function()
        world, aws, checked = light.new(), rooms.aws(), { true }
        world.ngx.worker.id = function() return 0 end
        world.ngx.worker.count = function() return 1 end
        world.ngx.timer.every = function() return true end
        aws.share, aws.blocks = function() end, function() return false end
        files = {
            remember = function(ca_file) files.asked = { ca_file } end,
            check = function() files.checks = (files.checks or 0) + 1 end,
        }
        aws.secrets.db = { AWSCURRENT = '{"k":"v"}' }
        load_vault()
    end)
    after_each(function()
        rawset(_G, "ngx", outside)
        restore()
    end)

    describe("init", function()
        it("works alone, with a warning where there is no dict", function()
            assert.is_true(vault.init())
            assert.same({
                "warn: vault: no lua_shared_dict vault_secrets: each worker caches for itself",
                "info: " .. core.about(),
            }, world.logged)
            for _ = 1, 3 do
                assert.equal("v", vault.get("{vault://aws/db/k}"))
            end
            assert.equal(1, #aws.asked)
        end)

        it("uses the shared dict of the name given", function()
            world.ngx.shared.mine = world:dict()
            assert.is_true(vault.init { dict = "mine" })
            assert.same({ "info: " .. core.about() }, world.logged)
            vault.get("{vault://aws/db/k}")
            local held = {}
            for key in pairs(world.ngx.shared.mine.entries) do
                held[#held + 1] = #key == 34 and key:sub(1, 2) == "s:" and key or nil
            end
            assert.equal(1, #held)
        end)

        it("takes all its options", function()
            assert.is_true(vault.init {
                vaults = { { prefix = "my-aws", name = "aws", config = { ttl = 5 } } },
                dict = "mine", trusted_certificate = "/ca.pem", max_entries = 10,
                init_timeout = 2.5, refresh_rate = 0,
            })
            assert.same({ ca_file = "/ca.pem", init_timeout = 2.5 }, aws.settings)
            assert.same({ "/ca.pem" }, files.asked)
            assert.equal("v", vault.get("{vault://my-aws/db/k}"))
        end)

        it("trusts the environment's certificates, or the system's where that is asked", function()
            vault.init()
            assert.equal("/bundle.pem", aws.settings.ca_file)
            vault.init { trusted_certificate = "system" }
            assert.is_nil(aws.settings.ca_file)
        end)

        it("returns and logs why the engine cannot run", function()
            checked = { nil, "planted", "unsupported" }
            assert.same({ nil, "planted", "unsupported" }, { vault.init() })
            assert.equal("error: vault: planted", world.logged[#world.logged])
        end)

        local BAD = {
            { { vault = {} }, "no option vault" }, { { [1] = "x" }, "no option 1" },
            { { vaults = 7 }, "vaults must be a table or string" },
            { { vaults = "" }, "vaults must not be empty" },
            { { state = {} }, "state must be a string" },
            { { dict = {} }, "dict must be a string" },
            { { trusted_certificate = true }, "trusted_certificate must be a string" },
            { { max_entries = "10" }, "max_entries must be a number" },
            { { max_entries = 0 }, "max_entries must be greater than 0" },
            { { max_entries = 0 / 0 }, "max_entries must be greater than 0" },
            { { init_timeout = -1 }, "init_timeout must be greater than 0" },
            { { init_timeout = math.huge }, "init_timeout must be greater than 0" },
            { { refresh_rate = "10" }, "refresh_rate must be a number" },
            { { refresh_rate = 0.5 }, "refresh_rate must be 0, or 1 and more" },
            { { refresh_rate = -1 }, "refresh_rate must be 0, or 1 and more" },
            { { refresh_rate = math.huge }, "refresh_rate must be 0, or 1 and more" },
            { { refresh_rate = 0 / 0 }, "refresh_rate must be 0, or 1 and more" },
            { "text", "takes a table of options" }, { true, "takes a table of options" },
        }
        for _, row in ipairs(BAD) do
            it("raises at the caller's place: " .. row[2], function()
                local ok, message = pcall(function() vault.init(row[1]) end)
                assert.is_false(ok)
                assert.matches("init_spec%.lua:%d+: vault%.init", message)
                assert.truthy(message:find(row[2], 1, true), message)
                assert.is_nil(aws.settings)
            end)
        end

        it("raises for a malformed vault, naming it, and sets nothing up", function()
            local ok, message = pcall(vault.init,
                { vaults = { { prefix = "my-aws", name = "aws", config = { regoin = "x" } } } })
            assert.is_false(ok)
            assert.truthy(message:find('vaults[1] "my-aws": config.regoin', 1, true), message)
            assert.is_nil(aws.settings)
        end)

        it("forgets the values of the vaults before", function()
            local function with(region)
                vault.init { vaults = { { prefix = "my-aws", name = "aws",
                                          config = { region = region } } } }
            end
            with("us-east-1")
            vault.get("{vault://my-aws/db/k}")
            with("eu-west-1")
            vault.get("{vault://my-aws/db/k}")
            assert.equal("us-east-1", aws.asked[1].terms.region)
            assert.equal("eu-west-1", aws.asked[2].terms.region)
        end)
    end)

    it("init_worker drops what was read before the fork, and starts the collector", function()
        vault.init()
        vault.get("{vault://aws/db/k}")
        vault.init_worker()
        assert.same({ 1, 1 }, { aws.workers, files.checks })
        aws.secrets.db = { AWSCURRENT = '{"k":"v2"}' }
        assert.equal("v2", vault.get("{vault://aws/db/k}"))
    end)

    describe("get", function()
        it("works before init", function()
            assert.equal("v", vault.get("{vault://aws/db/k}"))
            assert.equal("s", vault.get("$env://MY_SECRET"))
        end)

        it("hands on message and word", function()
            local value, message, word = vault.get("{vault://aws/other/k}")
            assert.is_nil(value)
            assert.is_string(message)
            assert.equal("not_found", word)
        end)

        it("raises for what is no text, at the caller's place", function()
            for _, wrong in ipairs { 7, {}, true } do
                local ok, message = pcall(function() vault.get(wrong) end)
                assert.is_false(ok)
                assert.matches("init_spec%.lua:%d+: the reference must be a string", message)
            end
            assert.has_error(function() vault.get() end)
        end)
    end)

    it("brings configurations up to date, and tries with them", function()
        vault.init()
        local conf = { ["$refs"] = { k = "{vault://aws/db/k}", none = "{vault://aws/none}" } }
        local given, message, word = vault.update(conf)
        assert.equal(conf, given)
        assert.same({ "v", nil, "not_found" }, { conf.k, conf.none, word })
        assert.is_string(message)
        assert.same({ "v", nil, 2 }, { vault.try(function(with) return with.k, nil, 2 end, conf) })
        assert.is_true(vault.warmup({ "{vault://aws/db/k}" }))
        assert.equal("not_found", (select(3, vault.warmup(conf))))
    end)

    it("puts values in the place of references, in configurations and settings", function()
        vault.init()
        local conf = { k = "{vault://aws/db/k}", none = "{vault://aws/none}" }
        local schema = { fields = { { k = { type = "string", referenceable = true } } } }
        assert.same({ nil, 'none: planted not_found of "none"', "not_found" },
            { vault.dereference(conf) })
        assert.equal(conf, vault.dereference(conf, schema))
        assert.equal("v", conf.k)
        assert.same({ MY_SECRET = "s", k = "v", n = 7 },
            vault.environment { "MY_SECRET", k = "{vault://aws/db/k}", n = 7 })
        assert.equal("not_found", (select(3, vault.environment { k = "{vault://aws/none}" })))
        for name, call in pairs { environment = function() vault.environment() end,
                                  conf = function() vault.dereference("x") end } do
            local ok, message = pcall(call)
            assert.is_false(ok)
            assert.matches("init_spec%.lua:%d+: .*" .. name, message)
        end
    end)

    it("refreshes, flushes, counts", function()
        vault.init()
        assert.equal("v", vault.get("{vault://aws/db/k}"))
        aws.secrets.db = { AWSCURRENT = '{"k":"v2"}' }
        assert.equal("v", vault.get("{vault://aws/db/k}"))
        assert.equal("v2", vault.refresh("{vault://aws/db/k}"))
        aws.secrets.db = { AWSCURRENT = '{"k":"v3"}' }
        vault.flush()
        assert.equal("v3", vault.get("{vault://aws/db/k}"))
        assert.matches('vault_fetches_total{outcome="ok"} 3\n', vault.metrics(), 1, true)
    end)

    it("is_reference takes anything", function()
        assert.is_true(vault.is_reference("{vault://aws/db/k}"))
        assert.is_true(vault.is_reference("$env://X"))
        for _, other in ipairs { "", "x", 7, {}, true, newproxy() } do
            assert.is_false(vault.is_reference(other))
        end
        assert.is_false(vault.is_reference(nil))
    end)

    it("parse_reference gives Kong's table", function()
        assert.same({ name = "aws", resource = "db", key = "k", config = { ttl = 5 }, version = 2 },
            vault.parse_reference("{vault://aws/db/k?ttl=5#2}"))
        local parts = vault.parse_reference("$secret://aws/john/db/k")
        assert.equal("apisix", parts.grammar)
        assert.equal("john", parts.id)
        assert.equal("not_a_reference", (select(3, vault.parse_reference("x"))))
        assert.equal("bad_reference", (select(3, vault.parse_reference("{vault://}"))))
    end)

    it("says its version", function()
        assert.equal(core._VERSION, vault._VERSION)
    end)

    describe("outside nginx", function()
        it("needs no ngx", function()
            rawset(_G, "ngx", outside)
            restore()
            load_vault(false)
            assert.is_true(vault.init { max_entries = 5 })
            assert.is_nil(files.asked)
            assert.equal("v", vault.get("{vault://aws/db/k}"))
            assert.equal("s", vault.get("{vault://env/my-secret}"))
            local conf = { ["$refs"] = { k = "{vault://aws/db/k}" } }
            vault.init_worker()
            assert.equal("v", vault.update(conf).k)
            assert.equal("v", (vault.try(function(with) return with.k end, conf)))
            assert.is_true(vault.warmup(conf))
            assert.equal("v", vault.refresh("{vault://aws/db/k}"))
            vault.flush()
            assert.equal("", vault.metrics())
            checked = { nil, "planted", "unsupported" }
            assert.same({ nil, "planted", "unsupported" }, { vault.init() })
        end)

        it("works as it is", function()
            assert.equal("s not_found", child.lua([[
                local vault = require "vault"
                assert(vault.init())
                io.write(vault.get("$env://MY_SECRET"), " ",
                    (select(3, vault.get("$env://OTHER"))))
            ]], { MY_SECRET = "s" }))
        end)
    end)
end)
