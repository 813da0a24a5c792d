-- aws_spec - Kong's strategy contract, and what must not be left out in silence.

local core = require "vault.core"
local rooms = require "spec.support.rooms"

local ROLE = "arn:aws:iam::123456789012:role/reader"

describe("aws", function()
    local aws, fake, restore, variables

    before_each(function()
        variables = {}
        fake = rooms.aws()
        aws, restore = rooms.load({ "vault.aws" }, {
            ["vault.fetch"] = fake, ["vault.environment"] = rooms.environment(variables),
        })
        fake.secrets["db/main"] = { AWSCURRENT = '{"user":"u2"}', AWSPREVIOUS = '{"user":"u1"}' }
    end)
    after_each(function()
        restore()
    end)

    describe("get", function()
        it("keeps Kong's contract", function()
            assert.equal(core._VERSION, aws.VERSION)
            aws.init()
            assert.same({ '{"user":"u2"}' }, { aws.get(nil, "db/main") })
            assert.same({ '{"user":"u2"}' }, { aws.get({}, "db/main", 1) })
            assert.same({ '{"user":"u1"}' }, { aws.get({}, "db/main", 2) })
            assert.same({ nil, 'planted not_found of "other"' }, { aws.get({}, "other") })
            local value, message = aws.get({}, "db/main", 3)
            assert.is_nil(value)
            assert.matches("AWSPREVIOUS", message)
        end)

        it("returns an empty secret as such", function()
            fake.secrets.empty = { AWSCURRENT = "" }
            assert.same({ "" }, { aws.get({}, "empty") })
        end)

        it("asks for what the config and the environment say", function()
            variables.AWS_REGION = "us-east-1"
            aws.get({ endpoint_url = "http://localhost:1", timeout = 3, ttl = 60 }, "db/main", 2)
            local asked = fake.asked[1]
            asked.key = nil
            assert.same({ secret_id = "db/main", timeout = 3, attempts = 0, terms = {
                stage = "AWSPREVIOUS", region = "us-east-1", endpoint_url = "http://localhost:1",
                role_session_name = "KongVault" } }, asked)
        end)

        it("hands on who asks, from the config and from the environment", function()
            variables.AWS_REGION = "us-east-1"
            variables.KONG_VAULT_AWS_EXTERNAL_ID = "ext"
            aws.get({ access_key_id = "AKIDEXAMPLE", secret_access_key = "key",
                      session_token = "token", assume_role_arn = ROLE,
                      role_session_name = "gate", sts_endpoint_url = "http://localhost:2" }, "n")
            assert.equal("n", fake.asked[1].secret_id)
            assert.same({ stage = "AWSCURRENT", region = "us-east-1",
                          access_key_id = "AKIDEXAMPLE", secret_access_key = "key",
                          session_token = "token", assume_role_arn = ROLE, external_id = "ext",
                          role_session_name = "gate", sts_endpoint_url = "http://localhost:2" },
                fake.asked[1].terms)
        end)

        it("takes a config as Kong hands it over, with null for what is not set", function()
            local null = newproxy()
            assert.truthy(aws.get({
                region = "us-east-1", endpoint_url = null, assume_role_arn = null, ttl = null,
                role_session_name = "KongVault", sts_endpoint_url = null, neg_ttl = null,
                resurrect_ttl = null, base64_decode = false, whatever = null, other = "",
            }, "db/main"))
        end)

        it("decodes base64 where the config says so", function()
            fake.secrets.b64 = { AWSCURRENT = "YQBiCg==" }
            fake.secrets.bad = { AWSCURRENT = "canary-no-base64" }
            assert.same({ "a\0b\n" }, { aws.get({ base64_decode = true }, "b64") })
            assert.same({ "YQBiCg==" }, { aws.get({}, "b64") })
            local value, message = aws.get({ base64_decode = true }, "bad")
            assert.same({ nil, 'secret "bad": the value is not base64' }, { value, message })
        end)

        it("leaves a SecretBinary as it is: it is bytes already", function()
            fake.secrets.bytes = { AWSCURRENT = "\0\255", binary = true }
            assert.same({ "\0\255" }, { aws.get({ base64_decode = true }, "bytes") })
        end)

        it("raises for a mistake of the caller's, at his place", function()
            for _, call in ipairs { function() aws.get({}, nil) end, function() aws.get({}, 7) end,
                                    function() aws.get("text", "db/main") end } do
                local ok, message = pcall(call)
                assert.is_false(ok)
                assert.matches("aws_spec.lua:%d+: %w+ must be", message)
            end
        end)
    end)

    describe("what is malformed or not known is an error:", function()
        local ROWS = {
            { { role_session_name = ("x"):rep(65), assume_role_arn = ROLE }, nil,
                "role_session_name is not 2 to 64" },
            { {}, { KONG_VAULT_AWS_ASSUME_ROLE_ARN = "reader" },
                "KONG_VAULT_AWS_ASSUME_ROLE_ARN is not the ARN of an IAM role" },
            { { secret_access_key = "canary" }, nil, "access_key_id is missing" },
            { { session_token = "canary" }, nil, "session_token is there without a key" },
            { { allow = { "canary#" } }, nil, "field allow is not a list of names or ARNs" },
            { { allow = "canary" }, nil, "field allow is not a list of names or ARNs" },
            { { allow = {} }, nil, "field allow is not a list of names or ARNs" },
            { { regoin = "canary" }, nil, "field regoin is not known" },
            { { ["a\nb"] = 1 }, nil, "field a\\x0ab is not known" },
            { { region = "$env://NOT_SET" }, nil,
                "field region: the environment variable NOT_SET is not set" },
            { { region = "{vault://env/json/k}" }, { JSON = '{"k":["canary"]}' },
                'field region: key "k" of variable "json": ' },
            { { region = "$env://CANARY" }, { CANARY = "canary canary" },
                "field region is not an AWS region" },
            { { assume_role_arn = "$env://X" }, { X = "canary" }, "is not the ARN of an IAM role" },
            { { ttl = "$env://TTL" }, { TTL = "canary" }, "field ttl is not a number of seconds" },
        }
        for _, row in ipairs(ROWS) do
            it(row[3], function()
                for name, value in pairs(row[2] or {}) do
                    variables[name] = value
                end
                local settled, message, word = aws.settle({ resource = "n" }, row[1])
                assert.is_nil(settled)
                assert.truthy(message:find(row[3], 1, true), message)
                assert.falsy(message:find("canary", 1, true))
                assert.equal("bad_config", word)
                assert.same({ nil, message }, { aws.get(row[1], "n") })
                assert.equal(0, #fake.asked)
            end)
        end
    end)

    describe("references in the config", function()
        it("have the environment's value, by both grammars", function()
            variables.MY_REGION, variables.MY_KEYS = "eu-west-1", '{"id":"AKID","key":"s"}'
            local conf = { region = "{vault://env/my-region}", endpoint_url = "$env://MY_URL",
                           access_key_id = "{vault://env/my-keys/id}",
                           secret_access_key = "$ENV://MY_KEYS/key" }
            variables.MY_URL = "http://localhost:1"
            local settled = assert(aws.settle({ resource = "n" }, conf))
            assert.equal("eu-west-1", settled.region)
            assert.equal("http://localhost:1", settled.endpoint_url)
            assert.equal("AKID", settled.access_key_id)
            assert.equal("s", settled.secret_access_key)
            assert.equal("{vault://env/my-region}", conf.region)
            variables.MY_REGION = "us-east-1"
            assert.equal("us-east-1", aws.settle({ resource = "n" }, conf).region)
        end)

        for text, why in pairs {
            ["$env://AWS_SECRET_ACCESS_KEY"] = "planted refusal",
            ["{vault://aws/name/key}"] = "only references to the environment",
            ["{vault://my-vault/name}"] = "only references to the environment",
            ["$secret://aws/john/name/key"] = "only references to the environment",
            ["$secret://env/john/name"] = "only references to the environment",
        } do
            it("are refused: " .. text, function()
                local settled, message, word = aws.settle({ resource = "n" },
                    { access_key_id = "AKID", secret_access_key = text })
                assert.is_nil(settled)
                assert.truthy(message:find("field secret_access_key: " .. why, 1, true), message)
                assert.equal("refused", word)
            end)
        end
    end)

    describe("allow", function()
        local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"

        local function settle(resource, globs)
            return aws.settle({ resource = resource }, { region = "eu-west-1", allow = globs })
        end

        it("refuses what no glob names", function()
            assert.truthy(settle("prod/db", { "test/*", "prod/*" }))
            assert.truthy(settle("prod/db", newproxy())) -- Kong's null
            assert.same({ nil, 'the vault does not allow the secret "dev/db"', "refused" },
                { settle("dev/db", { "test/*", "prod/*" }) })
            assert.same({ nil, 'the vault does not allow the secret "n"' },
                { aws.get({ allow = { "m" } }, "n") })
            assert.equal(0, #fake.asked)
        end)

        it("tries names on ARNs, and ARNs on names", function()
            assert.truthy(settle(ARN .. "prod/db-AbCdEf", { "prod/*" }))
            assert.truthy(settle("prod/db", { ARN .. "prod/*" }))
            assert.is_nil(settle("prod/db", { (ARN:gsub("west", "east")) .. "prod/*" }))
        end)

        it("is no part of what selects the bytes", function()
            assert.equal(settle("n").key, settle("n", { "*" }).key)
        end)

        describe("with an ARN that may mean a longer name", function()
            local resource = ARN .. "app-master"
            local answered

            before_each(function()
                answered = resource
                fake.get = function(_, _, on_done)
                    return on_done({ payload = "v", arn = answered })
                end
            end)

            it("takes the answer where it is of that ARN", function()
                assert.equal("v", (aws.get({ allow = { "app" } }, resource)))
            end)

            it("refuses the answer where it is of another", function()
                answered = ARN .. "app-master-AbCdEf"
                local seen
                local settled = settle(resource, { "app" })
                local kept, _, word = aws.load(settled, function(...) seen = { ... } end)
                assert.is_nil(kept)
                assert.equal("refused", word)
                assert.is_nil(seen[1])
                assert.equal("refused", seen[3])
                assert.is_nil((aws.get({ allow = { "app" } }, resource)))
                aws.start(settled, function(...) seen = { ... } end)
                fake.started.on_done({ payload = "v", arn = answered })
                assert.equal("refused", seen[3])
            end)

            it("keeps it apart from what others may read, and out of batches", function()
                assert.not_equal(settle(resource).key, settle(resource, { "app" }).key)
                assert.is_false(settle(resource, { "app" }).batchable)
                assert.is_true(settle(resource, { "app-*" }).batchable)
            end)
        end)
    end)

    describe("settle", function()
        it("gives resource and key beside what config settles", function()
            local settled = aws.settle({ resource = "n", config = { ttl = 5 } }, { ttl = 60 })
            assert.equal("n", settled.resource)
            assert.equal(5, settled.ttl)
            for _, hash in ipairs { settled.key, settled.group } do
                assert.equal(32, #hash)
            end
        end)

        it("says what may be cached, tried again, and fetched by batch", function()
            local settled = aws.settle({ resource = "n" })
            assert.is_true(settled.may_cache("not_found"))
            assert.is_false(settled.may_cache("internal"))
            assert.is_false(settled.may_cache("no word"))
            assert.is_true(settled.may_retry("throttled"))
            assert.is_false(settled.may_retry("not_found"))
            assert.is_false(settled.may_retry("no word"))
            assert.is_true(settled.batchable)
            assert.is_true(aws.settle({ resource = "n", version = 1 }).batchable)
            assert.is_false(aws.settle({ resource = "n", version = 2 }).batchable)
            assert.is_false(aws.settle({ resource = "n", stage = "AWSPENDING" }).batchable)
        end)

        it("has one group for what one call can fetch", function()
            local function group(parts, conf)
                return aws.settle(parts, conf).group
            end
            local one = group({ resource = "n" })
            assert.equal(one, group({ resource = "m", config = { ttl = 5 } }, { timeout = 1 }))
            assert.not_equal(one, group({ resource = "n", config = { region = "eu-west-1" } }))
            assert.not_equal(one, group({ resource = "n" }, { endpoint_url = "http://localhost" }))
            assert.not_equal(one, group({ resource = "n" }, { access_key_id = "A",
                                                              secret_access_key = "B" }))
        end)

        it("has one key for what selects the same bytes, whatever the policy", function()
            local function key(parts, conf)
                return aws.settle(parts, conf).key
            end
            local one = key({ resource = "n" })
            assert.equal(one, key({ resource = "n", version = 1, key = "k",
                                    config = { ttl = 5, base64_decode = true } }, { timeout = 1 }))
            assert.not_equal(one, key({ resource = "n", version = 2 }))
            assert.not_equal(one, key({ resource = "m" }))
            assert.not_equal(one, key({ resource = "n", config = { region = "eu-west-1" } }))
            assert.not_equal(one, key({ resource = "n" }, { endpoint_url = "http://localhost" }))
        end)

        for good = 0, 1 do
            it("hands on the failure of the hash, after " .. good, function()
                restore()
                local left = good
                local broken = setmetatable({
                    key = function(...)
                        left = left - 1
                        if left >= 0 then
                            return core.key(...)
                        end
                        return nil, "planted", "no_memory"
                    end,
                }, { __index = core })
                aws, restore = rooms.load({ "vault.aws" }, {
                    ["vault.fetch"] = fake, ["vault.environment"] = rooms.environment({}),
                    ["vault.core"] = broken,
                })
                assert.same({ nil, "planted", "no_memory" }, { aws.settle({ resource = "n" }) })
            end)
        end

        it("hands on what is wrong with the config", function()
            local settled, message, word = aws.settle({ resource = "n" }, { ttl = "canary" })
            assert.is_nil(settled)
            assert.truthy(message)
            assert.equal("bad_config", word)
        end)
    end)

    it("load joins by the key and hands over what on_done returns", function()
        local settled = aws.settle({ resource = "db/main" }, { region = "us-east-1" })
        local kept = aws.load(settled, function(result) return { result.payload } end)
        assert.same({ '{"user":"u2"}' }, kept)
        assert.equal(settled.key, fake.asked[1].key)
    end)

    it("load hands on how long it may take, and what another worker has", function()
        local options = { patience = 1, peek = function() end }
        aws.load(aws.settle({ resource = "db/main" }), function() end, options)
        assert.equal(options, fake.options)
    end)

    it("load where an old value serves is one attempt, of 3 s at most", function()
        for timeout, most in pairs { [1] = 1, [60] = 3 } do
            local settled = aws.settle({ resource = "db/main" }, { timeout = timeout })
            aws.load(settled, function() end, { patience = 1 })
            local renewed = fake.asked[#fake.asked]
            assert.same({ 1, most }, { renewed.attempts, renewed.timeout })
            aws.load(settled, function() end, {})
            local fetched = fake.asked[#fake.asked]
            assert.same({ 0, timeout }, { fetched.attempts, fetched.timeout }) -- the engine's own
        end
    end)

    it("load without on_done gives the result, and does not join those who keep theirs", function()
        local settled = aws.settle({ resource = "db/main" })
        assert.equal('{"user":"u2"}', aws.load(settled).payload)
        assert.not_equal(settled.key, fake.asked[1].key)
    end)

    describe("start", function()
        local TERMS = { stage = "AWSCURRENT", region = "us-east-1", assume_role_arn = ROLE,
                        external_id = "ext", role_session_name = "KongVault" }

        local function settle(name)
            return aws.settle({ resource = name }, {
                region = "us-east-1", timeout = 5, assume_role_arn = ROLE, external_id = "ext" })
        end

        it("asks for one", function()
            local function on_done() end
            assert.is_true(aws.start(settle("n"), on_done))
            assert.equal(on_done, fake.started.on_done)
            assert.same({ secret_id = "n", attempts = 1, timeout = 3, terms = TERMS },
                fake.started.request)
        end)

        it("asks for several in one call, by whom it is for all of them", function()
            local function on_done() end
            assert.is_true(aws.start_batch({ settle("n"), settle("m") }, on_done))
            assert.equal(on_done, fake.started.on_done)
            assert.same({ batch = { "n", "m" }, attempts = 1, timeout = 3, terms = TERMS },
                fake.started.request)
        end)
    end)
end)
