-- cli_explain_spec - "vaults explain" from end to end: what it tells, its exit status, and that
-- nobody's secret is in it.

local asker = require "spec.support.asker"
local aws = require "spec.support.aws"
local child = require "spec.support.child"

local ROLE = asker.ROLE
local SECRET = "canary-5ecret"

-- The vaults that vault.init has; the command line has none of its own.
local PROGRAM = [[
    local vault = require "vault"
    vault.init { vaults = { %s } }
    vault.init = function() return true end
    os.exit(require("vault.cli").run({ "explain", %q }, io.stdout, io.stderr), true)
]]

describe("vaults explain", function()
    local world

    setup(function()
        world = asker.start()
    end)
    teardown(function()
        world:stop()
    end)
    before_each(function()
        world:reset()
        world.aws:put("db/main", '{"user":"' .. SECRET .. '","n":17}')
    end)

    -- { out (with single blanks), err, code }. No secret is in either, and no key of anybody's.
    local function explain(reference, env, vaults)
        local ended = child.run { "luajit", "-e", PROGRAM:format(vaults or "", reference),
                                  env = env }
        for _, text in ipairs { ended.out, ended.err } do
            asker.assert_hidden(text)
            assert.is_nil(text:find(SECRET, 1, true), text)
            assert.is_nil(text:find(aws.SECRET_KEY, 1, true), text)
            assert.is_nil(text:find("ASIA", 1, true), text)
            assert.is_nil(text:find("[^ -~\n]"), text)
        end
        ended.out = "\n" .. ended.out:gsub(" +", " ")
        return ended
    end

    local function has(out, rows)
        for _, row in ipairs(rows) do
            assert.is_truthy(out:find("\n " .. row .. "\n", 1, true), row .. out)
        end
    end

    -- The value would be had: all of `rows` are told of.
    local function tells(reference, env, rows, vaults)
        local ended = explain(reference, env, vaults)
        assert.equal("", ended.err)
        assert.equal(0, ended.code, ended.out)
        has(ended.out, rows)
        has(ended.out, { "to be had" })
        return ended.out
    end

    -- It would not, for the reason of `word`, which vault.get gives in the same words.
    local function fails(word, reference, env, rows, vaults)
        local ended = explain(reference, env, vaults)
        assert.equal(1, ended.code, ended.out)
        local message, seen = ended.err:match("^vaults: ([ -~]+) %[([%l_%d]+)%]\n$")
        assert.equal(word, seen, ended.err)
        has(ended.out, rows)
        has(ended.out, { ("not to be had: %s [%s]"):format(message:gsub(" +", " "), word) })
        return ended.out, message
    end

    local function resource(text)
        return '"Resource": "arn:aws:secretsmanager:' .. text .. '"'
    end

    it("tells all of a value that is there", function()
        tells("aws/db/main/user?ttl=60", world:linked("environment"), {
            "text {vault://aws/db/main/user?ttl=60}", "resource db/main", "key user",
            "region us-east-1 (AWS_REGION)", "ttl 60 s (the reference)",
            "environment used", "source environment", "expires never, as far as is known",
            "endpoint " .. world.aws.url .. "/", "secret db/main (AWSCURRENT)",
            "signed scope us-east-1/secretsmanager", "status HTTP 200",
            "request id 00000000-0000-4000-8000-000000000000", "attempts 1", "user found",
            resource("us-east-1:123456789012:secret:db/main-AbCdEf"),
        })
        assert.equal(1, world.aws:stats().calls)
    end)

    it("says the same as get where there are no credentials, and of each why", function()
        local env = world:env()
        local out, message = fails("no_credentials", "aws/db/main/user", env, {
            "the vault's own keys passed over: none are set",
            "environment passed over: AWS_ACCESS_KEY_ID is not set",
            "container passed over: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                .. "AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            "web identity passed over: AWS_WEB_IDENTITY_TOKEN_FILE is not set",
            "instance metadata passed over: AWS_EC2_METADATA_DISABLED is true", "not asked",
            "user not looked for", resource("us-east-1:*:secret:db/main-??????"),
        })
        assert.matches("\n profile passed over: no file ", out, 1, true)
        assert.equal(world:get(env, "aws/db/main/user").message, message)
        assert.equal(0, world.aws:stats().calls)
    end)

    -- word, reference, rows
    local REFUSALS = {
        { "access_denied", "aws/denied.db/main/user", {
            "status HTTP 400", "code AccessDeniedException",
            "message User is not authorized to perform: secretsmanager:GetSecretValue",
            "request id 00000000-0000-4000-8000-000000000000", "user not looked for",
            '"Action": "secretsmanager:GetSecretValue",',
            resource("us-east-1:*:secret:denied.db/main-??????") } },
        { "not_found", "aws/missing.db", { "code ResourceNotFoundException",
            "message Secrets Manager can't find the specified secret." } },
        { "not_found", "aws/other/user#2", { "version #2, the previous one",
            "secret other (AWSPREVIOUS)", "code ResourceNotFoundException" } },
        { "decryption_failed", "aws/code-DecryptionFailure.db", { "code DecryptionFailure",
            "kms:Decrypt on the secret's KMS key is needed too: in this policy, and in the key's "
            .. "own" } },
        { "key_not_found", "aws/db/main/pass", { "status HTTP 200",
            "pass the secret has no such key (key_not_found)" } },
        { "not_a_string", "aws/db/main/n", { "n the key's value is not a string but a number "
            .. "(not_a_string)" } },
        { "json_syntax", "aws/big9.x/k", { "payload string" } },
        { "bad_base64", "aws/db/main/user?base64_decode=true", {
            "base64_decode true (the reference)", "user the value is not base64 (bad_base64)" } },
        { "server_error", "aws/status-500.db", { "status HTTP 500", "attempts 3" } },
        { "connection_lost", "aws/reset-before.db", { "status none came" } },
    }
    for _, row in ipairs(REFUSALS) do
        it(("says of %s: %s, as get does"):format(row[2], row[1]), function()
            local env = world:linked("environment")
            local _, message = fails(row[1], row[2], env, row[3])
            assert.equal(world:get(env, row[2]).message, message)
        end)
    end

    it("shows none of AWS's words that quote the request", function()
        fails("credentials_refused", "aws/leak.db/user", world:linked("imds"),
            { "code InvalidSignatureException" })
    end)

    -- what is malformed before anybody is asked: word, reference, variables, rows
    local MALFORMED = {
        { "bad_reference", "aws/x?ttl=soon", {}, { "text {vault://aws/x?ttl=soon}" } },
        { "bad_reference", "aws/a\27[31mb", {}, { "text {vault://aws/a\\x1b[31mb}" } },
        { "unknown_vault", "nobody/x", {}, { "vault nobody" } },
        { "bad_config", "aws/x", { KONG_VAULT_AWS_TTL = "soon" }, { "strategy aws" } },
        { "bad_endpoint", "aws/x", { KONG_VAULT_AWS_ENDPOINT_URL = "https://u:CANARY@h/?CANARY" },
          { "endpoint_url ***@h/... (KONG_VAULT_AWS_ENDPOINT_URL)",
            "not made: where to is not settled", "not looked for", "not asked" } },
        { "no_region", "aws/x", { AWS_REGION = false }, { "region not set" } },
        { "bad_profile", "aws/x", { AWS_PROFILE = "nobody" }, { "not asked" } },
    }
    for _, row in ipairs(MALFORMED) do
        it(("comes as far as it can: %s of %q"):format(row[1], row[2]), function()
            fails(row[1], row[2], world:env(row[3]), row[4])
            assert.equal(0, world.aws:stats().calls)
        end)
    end

    describe("of roles", function()
        local function role(name, more)
            return asker.merge(world:linked("environment"),
                { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. name }, more)
        end

        it("has the one that is assumed, and its policy", function()
            world.server:set { sts = { roles = { [ROLE .. "top"] = { external_id = "CANARY" } } } }
            local out = tells("aws/db/main/user", role("top",
                { KONG_VAULT_AWS_EXTERNAL_ID = "CANARY" }), {
                "assume_role_arn " .. ROLE .. "top (KONG_VAULT_AWS_ASSUME_ROLE_ARN)",
                "external_id set (KONG_VAULT_AWS_EXTERNAL_ID)", "environment used",
                "role " .. ROLE .. "top assumed", "source assumed role", "for " .. ROLE .. "top:",
                '"Action": "sts:AssumeRole",', '"Resource": "' .. ROLE .. 'top"',
                "for whoever the first credentials belong to, whom the trust policy of " .. ROLE
                    .. "top must name:" })
            assert.matches("\n expires 20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ\n", out)
        end)

        it("has the one that is refused", function()
            world.server:set { sts = { roles = { [ROLE .. "other"] = {} } } }
            local out = fails("access_denied", "aws/db/main/user", role("one"), {
                "environment used", "not asked", "for " .. ROLE .. "one:",
                resource("us-east-1:123456789012:secret:db/main-??????"),
                '"Resource": "' .. ROLE .. 'one"' })
            assert.matches("\n role " .. ROLE .. "one failed [access_denied]: AccessDenied: User: "
                .. "environment is not authorized", out, 1, true)
            assert.is_nil(out:find("\n source ", 1, true))
        end)

        it("has each of a chain of profiles", function()
            world.server:set { sts = { roles = { [ROLE .. "one"] = { by = "base" },
                                                 [ROLE .. "two"] = { by = "one" } } } }
            local env = world:env(world:config {
                ["profile two"] = { role_arn = ROLE .. "two", source_profile = "one" },
                ["profile one"] = { role_arn = ROLE .. "one", source_profile = "base" },
                ["profile base"] = world:keys("base") }, { AWS_PROFILE = "two" })
            tells("aws/db/main/user", env, {
                "profile used", "role " .. ROLE .. "one assumed", "role " .. ROLE .. "two assumed",
                "for " .. ROLE .. "two:", ("for %sone, whom the trust policy of %stwo must name:")
                :format(ROLE, ROLE) })
        end)

        it("has a web identity's", function()
            tells("aws/db/main/user", world:linked("web"), {
                "web identity " .. ROLE .. "web assumed", "source web identity",
                "the trust policy of " .. ROLE .. "web must allow sts:AssumeRoleWithWebIdentity to "
                .. "the token's issuer and subject" })
        end)
    end)

    describe("has the region", function()
        local ARN = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:db/main-AbCdEf"
        local VAULT = '{ prefix = "john", name = "aws", config = { region = "ap-south-1" } }'
        -- of what, reference, variables, region, its place
        local ROWS = {
            { "the option", "aws/db/main/user?region=us-west-1", {}, "us-west-1", "the reference" },
            { "the ARN", "aws/" .. ARN .. "/user", { AWS_REGION = false }, "eu-north-1",
              "the ARN" },
            { "the vault", "{vault://john/db/main/user}", {}, "ap-south-1", "the vault" },
            { "Kong's variable", "aws/db/main/user", { KONG_VAULT_AWS_REGION = "us-east-2" },
              "us-east-2", "KONG_VAULT_AWS_REGION" },
            { "AWS's other variable", "aws/db/main/user",
              { AWS_REGION = false, AWS_DEFAULT_REGION = "us-east-2" }, "us-east-2",
              "AWS_DEFAULT_REGION" },
        }
        for _, row in ipairs(ROWS) do
            it("of " .. row[1], function()
                tells(row[2], asker.merge(world:linked("environment"), row[3]), {
                    ("region %s (%s)"):format(row[4], row[5]),
                    ("signed scope %s/secretsmanager"):format(row[4]) }, VAULT)
            end)
        end

        it("of the profile, and its endpoint", function()
            local env = world:env(world:config { default = asker.merge(world:keys("base"),
                { region = "eu-west-1", endpoint_url = world.aws.url }) },
                { AWS_REGION = false, AWS_ENDPOINT_URL_SECRETS_MANAGER = false })
            tells("aws/db/main/user", env, { "region eu-west-1 (profile)",
                "endpoint_url " .. world.aws.url .. "/ (profile)", "profile used" })
        end)

        it("of the instance", function()
            world.server:set { imds = { region = "eu-west-3" } }
            tells("aws/db/main/user", asker.merge(world:linked("imds"), { AWS_REGION = false }), {
                "region eu-west-3 (instance metadata)", "instance metadata used" })
        end)
    end)

    it("corrects a clock, and says so", function()
        local out = tells("aws/skew+1200.db/main/user", world:linked("environment"),
            { "attempts 2" })
        local seconds = out:match("\n clock corrected: AWS's is (%d+) s ahead of this machine's\n")
        assert.is_true(math.abs(seconds - 1200) < 10, out) -- AWS's date has no parts of a second
    end)

    describe("of an APISIX reference", function()
        local VAULT = '{ prefix = "john", name = "aws", config = { neg_ttl = 5 } }'

        it("has each split, and the one that is there in full", function()
            world.aws:put("missing.db/main", '{"user":"' .. SECRET .. '"}')
            local out = fails("not_found", "$secret://aws/john/missing.db/main/user",
                world:linked("imds"), {
                    "manager aws", "id john", 'config that of the vault "john"',
                    "neg_ttl 5 s (the vault)",
                    '1 secret "missing.db/main/user": not_found, explained below',
                    '2 secret "missing.db/main", key "user": not_found',
                    '3 secret "missing.db", key "main/user": not_found',
                    "instance metadata used",
                    'for whoever the credentials belong to, if the secret is "missing.db/main":',
                }, VAULT)
            assert.is_nil(out:find("4 secret", 1, true))
        end)

        it("tries another where the first is not there", function()
            local strict = aws.start { args = { "--only-put" } }
            strict:put("team/db", '{"user":"' .. SECRET .. '"}')
            local env = strict:env { AWS_EC2_METADATA_DISABLED = "true" }
            local ended = explain("$secret://aws/john/team/db/user", env, VAULT)
            local calls = strict:stats().calls
            strict:stop()
            assert.equal("", ended.err)
            has(ended.out, { '1 secret "team/db/user": not_found',
                             '2 secret "team/db", key "user": ok, explained below',
                             "secret team/db (AWSCURRENT)", "user found", "to be had" })
            assert.equal(2, calls)
        end)
    end)

    describe("of a variable", function()
        -- word or nil, reference, variables, rows
        local ROWS = {
            { nil, "$env://MY_JSON/k", { MY_JSON = '{"k":"' .. SECRET .. '"}' },
              { "variable MY_JSON", "state set", "k found" } },
            { nil, "env/my-secret?prefix=app-", { APP_MY_SECRET = SECRET },
              { "variable APP_MY_SECRET", "state set", "prefix app- (the reference)" } },
            { "not_found", "env/my-secret", {}, { "variable MY_SECRET", "state not set" } },
            { "key_not_found", "$env://MY_JSON/x", { MY_JSON = '{"k":"' .. SECRET .. '"}' },
              { "x key_not_found" } },
            { "refused", "env/aws-secret-access-key", { AWS_SECRET_ACCESS_KEY = SECRET },
              { "variable AWS_SECRET_ACCESS_KEY", "state refused" } },
        }
        for _, row in ipairs(ROWS) do
            it(row[2], function()
                if row[1] then
                    fails(row[1], row[2], row[3], row[4])
                else
                    tells(row[2], row[3], row[4])
                end
            end)
        end
    end)

    it("does not call it a success where nothing could be written", function()
        local ended = child.run { "sh", "-c", 'exec luajit -e "$0" >/dev/full',
                                  PROGRAM:format("", "$env://ONE"), env = { ONE = "1" } }
        assert.equal(1, ended.code)
        assert.matches("^vaults: the explanation could not be written: [^\n]+ %[internal%]\n$",
            ended.err)
    end)
end)
