-- vaults_spec - which vault a reference means, and what is no vault.

local vaults = require "vault.vaults"

describe("vaults", function()
    after_each(function()
        vaults.set {}
    end)

    it("has the strategies themselves, without config", function()
        for _, name in ipairs { "aws", "env" } do
            local vault = vaults.find { name = name }
            assert.equal(name, vault.name)
            assert.same({}, vault.config)
            assert.is_function(vault.strategy.get)
        end
    end)

    it("finds an entity by its prefix, and by APISIX's manager and id", function()
        vaults.set {
            { prefix = "my-aws", name = "aws", config = { region = "eu-west-1" } },
            { prefix = "my-env", name = "env", config = { prefix = "APP_" } },
            { prefix = "john", name = "aws" },
        }
        assert.equal("eu-west-1", vaults.find({ name = "my-aws" }).config.region)
        assert.equal("APP_", vaults.find({ name = "my-env" }).config.prefix)
        assert.equal(require "vault.env", vaults.find({ name = "my-env" }).strategy)
        assert.equal(require "vault.aws", vaults.find({ name = "aws", id = "john" }).strategy)
        assert.same({}, vaults.find({ name = "aws", id = "john" }).config)
    end)

    local UNKNOWN = {
        { { name = "other" }, "prefix other" },
        { { name = "aws", id = "other" }, "id other" },
        { { name = "aws", id = "aws" }, "id aws" },
        { { name = "env", id = "john" }, "id john" },
        { { name = "vault", id = "john" }, "id john" },
        { { name = "a\27b" }, "prefix a\\x1bb" },
    }
    for _, row in ipairs(UNKNOWN) do
        it("has none with the " .. row[2], function()
            vaults.set { { prefix = "john", name = "aws" } }
            local vault, message, word = vaults.find(row[1])
            assert.is_nil(vault)
            assert.equal("no vault has the " .. row[2], message)
            assert.equal("unknown_vault", word)
        end)
    end

    it("takes an entity as Kong's API gives it", function()
        vaults.set { {
            prefix = "my-aws", name = "aws", description = "d", tags = { "t" },
            id = "7d2f1f5e-0e6c-4a0b-9d9c-0d9c8f3f0b3b", created_at = 1, updated_at = 2,
            config = { region = "us-east-1", endpoint_url = "http://localhost", ttl = 60,
                       neg_ttl = 5, resurrect_ttl = 10, base64_decode = false, timeout = 5 },
        } }
        assert.equal(60, vaults.find({ name = "my-aws" }).config.ttl)
    end)

    local GOOD = { prefix = "my-aws", name = "aws" }
    local BAD = {
        { { "text" }, "vaults[1]: must be a table" },
        { { GOOD, 7 }, "vaults[2]: must be a table" },
        { { GOOD, {} }, "vaults[2]: name must be a strategy: aws or env" },
        { { { prefix = "one-two" } }, 'vaults[1] "one-two": name must be a strategy' },
        { { { prefix = "hc-one", name = "hcv" } }, 'vaults[1] "hc-one": name must be a strategy' },
        { { { name = "aws" } }, "vaults[1]: prefix must be lower-case" },
        { { { name = "aws", prefix = 7 } }, "vaults[1]: prefix must be lower-case" },
        { { { name = "aws", prefix = "x" } }, 'vaults[1] "x": prefix must be' },
        { { { name = "aws", prefix = "1a" } }, 'vaults[1] "1a": prefix must be' },
        { { { name = "aws", prefix = "My-Aws" } }, 'vaults[1] "My-Aws": prefix must be' },
        { { { name = "aws", prefix = "my-" } }, 'vaults[1] "my-": prefix must be' },
        { { { name = "aws", prefix = "my_aws" } }, 'vaults[1] "my_aws": prefix must be' },
        { { { name = "aws", prefix = "a\nb" } }, 'vaults[1] "a\\x0ab": prefix must be' },
        { { { name = "aws", prefix = "aws" } }, 'vaults[1] "aws": prefix cannot be the name' },
        { { { name = "aws", prefix = "env" } }, 'vaults[1] "env": prefix cannot be the name' },
        { { GOOD, GOOD }, 'vaults[2] "my-aws": another vault has this prefix' },
        { { { prefix = "my-aws", name = "aws", config = "text" } },
            'vaults[1] "my-aws": config must be a table' },
        { { { prefix = "my-aws", name = "aws", region = "eu-west-1" } },
            'vaults[1] "my-aws": region is not a field of a vault' },
        { { { prefix = "my-env", name = "env", config = { prefix = 5 } } },
            'vaults[1] "my-env": config.prefix must be a string' },
        { { { prefix = "my-env", name = "env", config = { region = "eu-west-1" } } },
            'vaults[1] "my-env": config.region is not known' },
        { { prefix = "my-aws", name = "aws" }, "vaults: must be a list" },
        { { ["my-aws"] = GOOD }, "vaults: must be a list" },
        { { GOOD, extra = true }, "vaults: must be a list" },
    }
    for _, field in ipairs { "regoin", "allow", "prefix" } do
        BAD[#BAD + 1] = { { { prefix = "my-aws", name = "aws", config = { [field] = "x" } } },
            ('vaults[1] "my-aws": config.%s is not known or not supported yet'):format(field) }
    end
    for _, row in ipairs(BAD) do
        it("says: " .. row[2], function()
            vaults.set { { prefix = "before-it", name = "env" } }
            local ok, message = pcall(vaults.set, row[1])
            assert.is_false(ok)
            assert.truthy(message:find(row[2], 1, true), message)
            assert.falsy(message:find("[^ -~]"), message)
            assert.truthy(vaults.find { name = "before-it" })
            assert.is_nil(vaults.find { name = "my-aws" })
        end)
    end

    it("never shows what a field holds", function()
        local _, message = pcall(vaults.set,
            { { prefix = "my-aws", name = "aws", config = { secret_acess_key = "canary" } } })
        assert.falsy(message:find("canary", 1, true))
    end)

    it("puts the new ones in the place of all that were there", function()
        vaults.set { { prefix = "one-one", name = "aws" } }
        vaults.set { { prefix = "two-two", name = "aws" } }
        assert.is_nil(vaults.find { name = "one-one" })
        assert.truthy(vaults.find { name = "two-two" })
    end)
end)
