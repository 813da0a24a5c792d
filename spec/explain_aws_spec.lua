-- explain_aws_spec - one attempt told: settings, credentials, request, answer, key, policy.

local config = require "vault.config"
local explain_aws = require "vault.explain_aws"
local sheet_of = require "vault.sheet"

local ROLE = "arn:aws:iam::123456789012:role/"
local CANARY = "CANARY"

-- An attempt for the resource "db", of a fetch that went well; `more` over its result.
local function attempt_of(more, entity, environment, parts)
    parts = parts or { resource = "db", key = "user" }
    local result = {
        ok = true, word = "ok", attempts = 1, skew = 0, region = "eu-west-1", partition = "aws",
        endpoint = "https://secretsmanager.eu-west-1.amazonaws.com/", source = "environment",
        http_status = 200, request_id = "r-1", version_id = "v-1", payload_type = "string",
        arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf",
        value_word = "ok", tried = { { what = "environment", word = "ok" } },
    }
    for name, value in pairs(more or {}) do
        result[name] = value ~= "" and value or nil
    end
    environment = environment or { AWS_REGION = "eu-west-1" }
    local settled = assert(config.settle(parts, entity, function(name)
        return environment[name]
    end))
    return { parts = parts, settled = settled, result = result }
end

local FAILED = { ok = false, version_id = "", arn = "", payload_type = "", value_word = "" }

local function failed(more)
    local result = {}
    for _, from in ipairs { FAILED, more } do
        for name, value in pairs(from) do
            result[name] = value
        end
    end
    return attempt_of(result)
end

-- The text by sections: { settings = "  region ..\n" }
local function tell(attempt)
    local sheet = sheet_of.new()
    explain_aws.tell(sheet, attempt, attempt.result.tried)
    local sections, order, title = {}, {}, nil
    for line in sheet:text():gmatch("([^\n]*)\n") do
        assert.is_nil(line:find("[^ -~]"), line)
        assert.is_nil(line:find(CANARY, 1, true), line)
        if line:sub(1, 2) ~= "  " then
            title = line
            sections[title], order[#order + 1] = "", title
        else
            sections[title] = sections[title] .. line .. "\n"
        end
    end
    return sections, order
end

-- Each of `rows`, of single blanks, is a row of the section.
local function has(section, ...)
    local plain = "\n" .. section:gsub(" +", " ")
    for _, row in ipairs { ... } do
        assert.is_truthy(plain:find("\n " .. row .. "\n", 1, true), row .. "\n" .. section)
    end
end

local function lacks(section, part)
    assert.is_nil(section:find(part, 1, true), section)
end

describe("an attempt that went well", function()
    it("is told in one order", function()
        local sections, order = tell(attempt_of())
        assert.same({ "settings", "credentials", "request", "answer", "key", "policy" }, order)
        has(sections.request, "endpoint https://secretsmanager.eu-west-1.amazonaws.com/",
            "service secretsmanager", "secret db (AWSCURRENT)",
            "signed scope eu-west-1/secretsmanager")
        lacks(sections.request, "clock")
        has(sections.answer, "status HTTP 200", "request id r-1", "attempts 1", "version id v-1",
            "ARN arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf", "payload string")
        lacks(sections.answer, "message")
        has(sections.key, "user found")
        has(sections.policy, "for whoever the credentials belong to:",
            '"Action": "secretsmanager:GetSecretValue",',
            '"Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"')
        lacks(sections.policy, "sts:")
    end)

    it("without a key is the whole secret's", function()
        local whole = { resource = "db" }
        local sections = tell(attempt_of({ payload_type = "binary" }, nil, nil, whole))
        has(sections.key, "the whole secret had")
        has(sections.answer, "payload binary")
    end)

    it("escapes what is from outside", function()
        local sections = tell(attempt_of(nil, nil, nil, { resource = "db", key = "a\27[31m\n\\" }))
        has(sections.key, "a\\x1b[31m\\x0a\\\\ found")
    end)
end)

describe("settings", function()
    it("have each field, and where it came from", function()
        local sections = tell(attempt_of(nil, { neg_ttl = 5, assume_role_arn = ROLE .. "r" }, {
            AWS_REGION = "eu-west-1", KONG_VAULT_AWS_TTL = "60", KONG_VAULT_AWS_TIMEOUT = "1.5",
        }, { resource = "db", config = { base64_decode = true } }))
        has(sections.settings, "region eu-west-1 (AWS_REGION)", "endpoint_url not set",
            "sts_endpoint_url not set", "assume_role_arn " .. ROLE .. "r (the vault)",
            "role_session_name KongVault (default)", "external_id not set",
            "access_key_id not set", "ttl 60 s (KONG_VAULT_AWS_TTL)", "neg_ttl 5 s (the vault)",
            "resurrect_ttl 100000000 s (default)", "base64_decode true (the reference)",
            "timeout 1.5 s (KONG_VAULT_AWS_TIMEOUT)")
    end)

    it("show no secret, and no user of a URL", function()
        local sections = tell(attempt_of({ endpoint = "https://h/" }, {
            access_key_id = CANARY, secret_access_key = CANARY, session_token = CANARY,
            external_id = CANARY, endpoint_url = "https://user:" .. CANARY .. "@h/x?t=" .. CANARY,
        }, { AWS_REGION = "eu-west-1", AWS_ENDPOINT_URL_STS = CANARY .. "@sts#" .. CANARY }))
        has(sections.settings, "access_key_id set (the vault)",
            "secret_access_key set (the vault)", "session_token set (the vault)",
            "external_id set (the vault)", "endpoint_url ***@h/x... (the vault)",
            "sts_endpoint_url ***@sts... (AWS_ENDPOINT_URL_STS)")
    end)

    -- parts, entity, environment, result -> the row
    local REGIONS = {
        { "the option's", "region us-east-2 (the reference)",
          { resource = "db", config = { region = "us-east-2" } }, { region = "a" } },
        { "the ARN's", "region eu-north-1 (the ARN)",
          { resource = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:d-AbCdEf" },
          { region = "us-west-1" } },
        { "the entity's", "region ap-south-1 (the vault)", nil, { region = "ap-south-1" } },
        { "Kong's variable's", "region us-west-2 (KONG_VAULT_AWS_REGION)", nil, nil,
          { KONG_VAULT_AWS_REGION = "us-west-2", AWS_REGION = "eu-west-1" } },
        { "the profile's", "region eu-west-3 (profile)", nil, nil, {},
          { region = "eu-west-3", region_from = "profile" } },
        { "the instance's", "region eu-west-3 (instance metadata)", nil, nil, {},
          { region = "eu-west-3", region_from = "instance metadata" } },
        { "nobody's", "region not set", nil, nil, {}, { region = "", endpoint = "" } },
    }
    for _, row in ipairs(REGIONS) do
        it("have a region that is " .. row[1], function()
            has(tell(attempt_of(row[6], row[4], row[5], row[3])).settings, row[2])
        end)
    end

    it("have the profile's endpoint, and not AWS's own", function()
        has(tell(attempt_of { endpoint = "http://localhost:4566/" }).settings,
            "endpoint_url http://localhost:4566/ (profile)")
        for _, own in ipairs { "https://secretsmanager-fips.eu-west-1.amazonaws.com/",
                               "https://secretsmanager.eu-west-1.api.aws/" } do
            has(tell(attempt_of { endpoint = own }).settings, "endpoint_url not set")
        end
    end)
end)

describe("credentials", function()
    it("have each provider in order, and what it came to", function()
        local sections = tell(attempt_of {
            source = "assumed role", expires = 1440941760, tried = {
                { what = "environment", word = "not_configured", why = "no variable" },
                { what = "profile", word = "ok" },
                { what = "assuming the role " .. ROLE .. "one", word = "ok" },
            } })
        assert.equal("  the vault's own keys  passed over: none are set\n"
            .. "  environment           passed over: no variable\n"
            .. "  profile               used\n"
            .. "  role                  " .. ROLE .. "one assumed\n"
            .. "  source                assumed role\n"
            .. "  expires               2015-08-30T13:36:00Z\n", sections.credentials)
    end)

    it("have what failed, and why", function()
        local sections = tell(failed {
            word = "access_denied", message = "m", attempts = 0, source = "", tried = {
                { what = "web identity for the role " .. ROLE .. "web", word = "access_denied",
                  why = "AccessDenied: no" } } })
        has(sections.credentials, "web identity " .. ROLE
            .. "web failed [access_denied]: AccessDenied: no")
        lacks(sections.credentials, "source")
        lacks(sections.credentials, "expires")
        has(sections.answer, "not asked")
    end)

    it("are the vault's own", function()
        local sections = tell(attempt_of({
            source = "the vault's own keys",
            tried = { { what = "the vault's own keys", word = "ok" } },
        }, { access_key_id = "a", secret_access_key = "b" }))
        assert.equal("  the vault's own keys  used\n  source                the vault's own keys\n"
            .. "  expires               never, as far as is known\n", sections.credentials)
    end)

    it("are not looked for where it did not come as far", function()
        local sections = tell(failed { word = "no_region", message = "no AWS region: ..",
            region = "", partition = "", endpoint = "", source = "", attempts = 0, tried = {},
            http_status = "", request_id = "" })
        has(sections.credentials, "not looked for")
        has(sections.request, "not made: where to is not settled")
        has(sections.answer, "not asked")
        has(sections.key, "user not looked for")
        assert.is_nil(sections.policy)
    end)
end)

describe("the request", function()
    it("has the correction of a clock", function()
        has(tell(attempt_of { skew = 1199.7 }).request,
            "clock corrected: AWS's is 1200 s ahead of this machine's")
        has(tell(attempt_of { skew = -1199.7 }).request,
            "clock corrected: AWS's is 1200 s behind this machine's")
        lacks(tell(attempt_of { skew = 0.2 }).request, "clock")
    end)
end)

describe("the answer", function()
    it("that refuses has AWS's code and message", function()
        local sections = tell(failed {
            word = "access_denied", http_status = 400, attempts = 2, message =
            'secret "db" in eu-west-1: AccessDeniedException: User: x is not: so (2 attempts)' })
        has(sections.answer, "status HTTP 400", "code AccessDeniedException",
            "message User: x is not: so (2 attempts)", "attempts 2")
        has(sections.key, "user not looked for")
    end)

    it("of no such shape has the message", function()
        has(tell(failed { word = "server_error", http_status = 502,
            message = 'secret "db" in eu-west-1: HTTP 502' }).answer, "message HTTP 502")
        local none = tell(failed { word = "connect_failed", http_status = "", request_id = "",
            message = 'secret "db" in eu-west-1: refused: by h' }).answer
        has(none, "status none came", "message refused: by h")
        lacks(none, "code")
    end)
end)

describe("the key", function()
    for word, message in pairs { key_not_found = "the secret has no such key",
                                 not_a_string = "the key's value is not a string but a number" } do
        it("is " .. word, function()
            has(tell(attempt_of { value_word = word, value_message = message }).key,
                ("user %s (%s)"):format(message, word))
        end)
    end
end)

describe("the policy", function()
    local function assuming(arn, word)
        return { what = "assuming the role " .. arn, word = word or "ok", why = "w" }
    end

    it("has a statement for each role, and who assumes it", function()
        local sections = tell(attempt_of { tried = {
            { what = "profile", word = "ok" }, assuming(ROLE .. "one"), assuming(ROLE .. "two"),
            assuming(ROLE .. "one") } })
        local policy = sections.policy
        has(policy, "for " .. ROLE .. "two:",
            ("for whoever the first credentials belong to, whom the trust policy of %s must name:")
            :format(ROLE .. "one"),
            ("for %s, whom the trust policy of %s must name:"):format(ROLE .. "one", ROLE .. "two"))
        local _, count = policy:gsub('"Action": "sts:AssumeRole"', "")
        assert.equal(2, count)
    end)

    it("has the account of the role that asks, which a name is looked up in", function()
        local attempt = failed { word = "not_found", message = "m", http_status = 400,
                                 tried = { assuming(ROLE .. "one") } }
        has(tell(attempt).policy,
            '"Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-??????"')
    end)

    it("has the vault's role though it was not come to", function()
        local attempt = attempt_of({ ok = false, arn = "", word = "no_credentials", message = "m",
                                     attempts = 0, source = "", tried = {} },
            { assume_role_arn = ROLE .. "own" })
        has(tell(attempt).policy, "for " .. ROLE .. "own:", '"Resource": "' .. ROLE .. 'own"')
    end)

    it("knows the vault's role though the trail has its beginning", function()
        local long = ROLE .. ("p"):rep(200) .. "/" .. ("n"):rep(60)
        local cut = long:sub(1, 256) .. "..."
        local own = tell(attempt_of({ tried = { assuming(cut) } }, { assume_role_arn = long }))
        has(own.policy, '"Resource": "' .. long .. '"')
        lacks(own.policy, "...")
        has(tell(attempt_of { tried = { assuming(cut) } }).policy,
            '"Resource": "' .. long:sub(1, 256) .. '*"')
    end)

    it("of a web identity is its role's trust", function()
        local sections = tell(attempt_of { tried = {
            { what = "web identity for the role " .. ROLE .. "web", word = "ok" } } })
        has(sections.policy, "for " .. ROLE .. "web:", "the trust policy of " .. ROLE .. "web must "
            .. "allow sts:AssumeRoleWithWebIdentity to the token's issuer and subject")
        lacks(sections.policy, '"sts:AssumeRole')
    end)

    it("speaks of KMS where that is why", function()
        local KMS = "kms:Decrypt on the secret's KMS key is needed too: in this policy, and in the "
            .. "key's own"
        has(tell(failed { word = "decryption_failed", message = "m" }).policy, KMS)
        has(tell(failed { word = "access_denied", message = "Access to KMS denied" }).policy, KMS)
        lacks(tell(failed { word = "access_denied", message = "no" }).policy, "kms")
        lacks(tell(failed { word = "not_found", message = "kms" }).policy, "kms:")
    end)

    it("is for the name that is meant, where it may be several", function()
        local attempt = failed { word = "not_found", message = "m" }
        attempt.meant = "team/db"
        has(tell(attempt).policy,
            'for whoever the credentials belong to, if the secret is "team/db":',
            '"Resource": "arn:aws:secretsmanager:eu-west-1:*:secret:team/db-??????"')
    end)
end)
