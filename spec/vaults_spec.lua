-- vaults_spec - which vault a reference means, what is no vault, and what the entities are.

local nodes = require "spec.support.vault_node"

local ID = "7d2f1f5e-0e6c-4a0b-9d9c-0d9c8f3f0b3b"

describe("vaults", function()
    local node, vaults

    before_each(function()
        node = nodes.new()
    end)
    after_each(function()
        node:stop()
    end)

    local function with(entities, options)
        options = options or {}
        options.entities = entities
        local worker = node:load(options)
        vaults = worker.vaults
        return worker
    end

    local function fails(message, parts)
        local vault, seen, word = vaults.find(parts)
        assert.is_nil(vault)
        assert.equal(message, seen)
        assert.equal("unknown_vault", word)
    end

    describe("find", function()
        it("has the strategies themselves, without config", function()
            with {}
            for _, name in ipairs { "aws", "env" } do
                local vault = vaults.find { name = name }
                assert.equal(name, vault.name)
                assert.equal(name, vault.prefix)
                assert.same({}, vault.config)
                assert.is_function(vault.strategy.get)
                assert.equal(vault, vaults.find { name = name })
            end
        end)

        it("finds an entity by its prefix, and by APISIX's manager and id", function()
            with {
                { prefix = "my-aws", name = "aws", config = { region = "eu-west-1" } },
                { prefix = "my-env", name = "env", config = { prefix = "APP_" } },
                { prefix = "john", name = "aws" },
            }
            assert.equal("eu-west-1", vaults.find({ name = "my-aws" }).config.region)
            assert.equal("my-aws", vaults.find({ name = "my-aws" }).prefix)
            assert.equal("APP_", vaults.find({ name = "my-env" }).config.prefix)
            assert.equal(require "vault.env", vaults.find({ name = "my-env" }).strategy)
            assert.equal(require "vault.aws", vaults.find({ name = "aws", id = "john" }).strategy)
            assert.same({}, vaults.find({ name = "aws", id = "john" }).config)
            assert.equal(vaults.find { name = "john" }, vaults.find { name = "aws", id = "john" })
        end)

        local UNKNOWN = {
            { { name = "other" }, "prefix other" },
            { { name = "aws", id = "other" }, "id other" },
            { { name = "aws", id = "aws" }, "id aws" },
            { { name = "a\27b" }, "prefix a\\x1bb" },
        }
        for _, row in ipairs(UNKNOWN) do
            it("has none with the " .. row[2], function()
                with { { prefix = "john", name = "aws" } }
                fails("no vault has the " .. row[2], row[1])
            end)
        end

        it("says of whom the vault is where a reference names another manager", function()
            with { { prefix = "john", name = "aws" } }
            for _, manager in ipairs { "gcp", "env", "vault" } do
                fails(("no vault %s/john: the manager here is aws"):format(manager),
                    { name = manager, id = "john" })
            end
        end)

        it("says so where there are none yet, and where vault.init failed or never was", function()
            with {}
            fails("no vault has the prefix x: there are no vaults yet", { name = "x" })
            node.disk["/s"] = "nonsense"
            node:restart()
            with({}, { state = "/s" })
            fails("no vault has the id x: the vaults could not be read at start",
                { name = "aws", id = "x" })
            local bare, put_back = require("spec.support.rooms").load({ "vault.vaults" }, {})
            vaults = bare
            fails("no vault has the prefix x: vault.init has not been called", { name = "x" })
            put_back()
        end)

        it("says so where one was removed, on each worker, until it is back", function()
            local one, two = node:start_worker(), node:start_worker()
            node.put(one, "my-aws", "d")
            node.put(one, "my-aws", "")
            node.put(one, "other", "d")
            node:beat()
            for _, worker in ipairs { one, two, node:start_worker() } do
                vaults = worker.vaults
                fails("the vault with the prefix my-aws was removed", { name = "my-aws" })
                fails("the vault with the id my-aws was removed", { name = "aws", id = "my-aws" })
                fails("no vault has the prefix new-one", { name = "new-one" })
            end
            node.put(two, "my-aws", "again")
            node:beat()
            assert.truthy(one.vaults.find { name = "my-aws" })
            fails("no vault env/my-aws: the manager here is aws", { name = "env", id = "my-aws" })
        end)
    end)

    describe("a list of entities", function()
        it("is taken as Kong's API gives it", function()
            with { {
                prefix = "my-aws", name = "aws", description = "d", tags = { "t" }, id = ID,
                created_at = 1, updated_at = 2,
                config = { region = "us-east-1", endpoint_url = "http://localhost", ttl = 60,
                           neg_ttl = 5, resurrect_ttl = 10, base64_decode = false, timeout = 5,
                           allow = { "*" } },
            } }
            assert.equal(60, vaults.find({ name = "my-aws" }).config.ttl)
            local entity = vaults.list()[1]
            assert.same({ ID, "t" }, { entity.id, entity.tags[1] })
        end)

        it("has ids and times, the same ids on all workers and after each start", function()
            local list = { { prefix = "my-aws", name = "aws" },
                           { prefix = "my-env", name = "env" } }
            with(list)
            local first = vaults.list()
            node:restart()
            node.clock = node.clock + 100
            with(list)
            for i, entity in ipairs(vaults.list()) do
                assert.equal(first[i].id, entity.id)
                assert.equal(1700000100, entity.created_at)
                assert.matches("^%x+%-%x%x%x%x%-5%x%x%x%-8%x%x%x%-%x+$", entity.id)
                assert.equal(36, #entity.id)
            end
            assert.not_equal(first[1].id, first[2].id)
            assert.is_nil(list[1].id)
        end)

        it("is listed by age, then id; what is given away may be changed", function()
            with {
                { prefix = "bb", name = "aws", created_at = 5 },
                { prefix = "cc", name = "aws", created_at = 4, config = { ttl = 1 } },
                { prefix = "aa", name = "aws", created_at = 5 },
            }
            local list = vaults.list()
            assert.equal("cc", list[1].prefix)
            assert.is_true(list[2].id < list[3].id)
            list[1].config.ttl = 7
            assert.equal(1, vaults.list()[1].config.ttl)
            assert.equal(1, vaults.find({ name = "cc" }).config.ttl)
        end)

        local GOOD = { prefix = "my-aws", name = "aws" }
        local BAD = {
            { { "text" }, "vaults[1]: expected a record" },
            { { GOOD, 7 }, "vaults[2]: expected a record" },
            { { GOOD, {} }, "vaults[2]: name: required field missing" },
            { { { prefix = "one-two" } }, 'vaults[1] "one-two": name: required field missing' },
            { { { prefix = "hc-one", name = "hcv" } }, 'vaults[1] "hc-one": name: vault \'hcv\'' },
            { { { name = "aws" } }, "vaults[1]: prefix: required field missing" },
            { { { name = "aws", prefix = 7 } }, "vaults[1]: prefix: expected a string" },
            { { { name = "aws", prefix = "a\nb" } }, 'vaults[1] "a\\x0ab": prefix: ' },
            { { { name = "aws", prefix = "aws" } }, 'vaults[1] "aws": prefix: must not be one of' },
            { { GOOD, GOOD }, 'vaults[2] "my-aws": prefix: another vault has this prefix' },
            { { { prefix = "my-aws", name = "aws", config = "text" } },
                'vaults[1] "my-aws": config: expected a record' },
            { { { prefix = "my-aws", name = "aws", region = "eu-west-1" } },
                'vaults[1] "my-aws": region: unknown field' },
            { { { prefix = "my-env", name = "env", config = { region = "eu-west-1" } } },
                'vaults[1] "my-env": config.region: unknown field' },
            { { { prefix = "my-aws", name = "aws", config = { secret_acess_key = "canary" } } },
                'vaults[1] "my-aws": config.secret_acess_key: unknown field' },
            { { prefix = "my-aws", name = "aws" }, "vaults: must be a list" },
            { { ["my-aws"] = GOOD }, "vaults: must be a list" },
            { { GOOD, extra = true }, "vaults: must be a list" },
        }
        for _, row in ipairs(BAD) do
            it("raises: " .. row[2], function()
                with { { prefix = "before-it", name = "env" } }
                local ok, message = pcall(vaults.configure, { entities = row[1] })
                assert.is_false(ok)
                assert.truthy(message:find(row[2], 1, true), message)
                assert.falsy(message:find("[^ -~]"), message)
                assert.falsy(message:find("canary", 1, true), message)
                assert.truthy(vaults.find { name = "before-it" })
                assert.is_nil(vaults.find { name = "my-aws" })
            end)
        end

        it("is in the place of all that were there", function()
            with { { prefix = "one-one", name = "aws" } }
            vaults.configure { entities = { { prefix = "two-two", name = "aws" } } }
            assert.is_nil(vaults.find { name = "one-one" })
            assert.truthy(vaults.find { name = "two-two" })
        end)
    end)

    describe("without a dict", function()
        it("are what init says, and the file; and cannot be changed", function()
            node:start_worker { state = "/s" }
            node.put(node.workers[1], "kept-one", "d")
            node:restart()
            local worker = node:start_worker { entities = { { prefix = "my-aws", name = "aws" } },
                                               state = "/s", dict = false }
            assert.equal("kept-one=d my-aws=nil", node.shown(worker))
            worker.vaults.read_news()
            local result, failure = node.put(worker, "new-one", "d")
            assert.is_nil(result)
            assert.equal(500, failure.status)
            assert.matches("takes a lua_shared_dict", failure.message)
            local ran = 0
            worker.vaults.keep_while(function() ran = ran + 1 end)
            assert.equal(1, ran)
        end)
    end)
end)
