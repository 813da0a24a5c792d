-- explain_spec - a reference told without a network: how it parses, its vault, splits, variables.

local env = require "vault.env"
local explain = require "vault.explain"

local CANARY = "CANARY-5ecret"

local ENTITIES = {
    john = { name = "aws", config = { region = "eu-west-1" } },
    only = { name = "aws", config = { allow = { "app" } } },
    vars = { name = "env", config = { prefix = "app-" } },
}
local STRATEGIES = { aws = true, env = true }

describe("explain", function()
    local variables, results, asked

    before_each(function()
        variables, results, asked = { AWS_REGION = "us-east-1" }, {}, {}
    end)

    local function good(request, more)
        local result = {
            ok = true, word = "ok", attempts = 1, skew = 0, region = request.terms.region,
            partition = "aws", endpoint = "https://h/", source = "environment", http_status = 200,
            payload_type = "string", value_word = "ok",
            tried = { { what = "environment", word = "ok" } },
        }
        for name, value in pairs(more or {}) do
            result[name] = value
        end
        return result
    end

    local function refused(request, word)
        return good(request, { ok = false, word = word, http_status = 400, message =
            ('secret "%s" in %s: Code: text'):format(request.secret_id, request.terms.region) })
    end

    local function run(request)
        asked[#asked + 1] = request
        local result = results[request.secret_id] or "ok"
        if type(result) == "table" then
            return good(request, result)
        end
        return result == "ok" and good(request) or refused(request, result)
    end

    local function getenv(name)
        if name == "AWS_SECRET_ACCESS_KEY" then
            return nil, "may not leave", "refused"
        end
        return variables[name]
    end

    local function find(parts)
        local prefix = parts.id or parts.name
        local entity = ENTITIES[prefix]
            or STRATEGIES[prefix] and not parts.id and { name = prefix, config = {} }
        if not entity then
            return nil, "no vault has the prefix " .. prefix, "unknown_vault"
        end
        return entity
    end

    -- What vault.get would say; explain asks it for variables only.
    local function get(text)
        if text:find("json", 1, true) and not text:find("/k", 1, true) then
            return nil, 'key "x" of variable "JSON": no such key', "key_not_found"
        end
        local name = text:find("aws-secret", 1, true) and "aws-secret-access-key"
            or text:match("([%w_-]+)[^%w_-]*$"):lower()
        return env.new(getenv).get({ prefix = text:find("vars/", 1, true) and "app-" or nil },
            text:find("json/k", 1, true) and "json" or name)
    end

    local function tell(text)
        local told, message, word = explain.explain(text,
            { run = run, getenv = getenv, find = find, get = get })
        assert.is_nil(told:find("[^ -~\n]"), told)
        assert.is_nil(told:find(CANARY, 1, true), told)
        local verdict = message and ("not to be had: %s [%s]"):format(message, word) or "to be had"
        assert.equal("\nvalue\n  " .. verdict .. "\n", told:sub(-#verdict - 10))
        return told:gsub(" +", " "), message, word
    end

    local function has(told, ...)
        for _, row in ipairs { ... } do
            assert.is_truthy(told:find("\n " .. row .. "\n", 1, true), row .. "\n" .. told)
        end
    end

    local function titles(told)
        local found = {}
        for title in told:gmatch("%f[^\n%z](%l[%l ]*)\n") do
            found[#found + 1] = title
        end
        return found
    end

    it("tells of a reference in Kong's grammar", function()
        local told = tell("{vault://aws/team/db/user?ttl=60&base64_decode=true#2}")
        assert.same({ "reference", "vault", "settings", "credentials", "request", "answer", "key",
                      "policy", "value" }, titles(told))
        has(told, "text {vault://aws/team/db/user?ttl=60&base64_decode=true#2}",
            "grammar Kong's", "vault aws", "resource team/db", "key user",
            "option base64_decode true", "option ttl 60", "version #2, the previous one",
            "strategy aws", "config none: the strategy itself", "user found")
        assert.same({ "team/db", "AWSPREVIOUS", "us-east-1", "user", true }, {
            asked[1].secret_id, asked[1].terms.stage, asked[1].terms.region, asked[1].key,
            asked[1].base64_decode })
        assert.equal(1, #asked)
    end)

    it("tells of one in APISIX's, and of its vault", function()
        local told = tell("$secret://aws/john/db")
        has(told, "grammar Apache APISIX's", "manager aws", "id john", "resource db",
            "key none: the whole value", "version #1, the current one",
            'config that of the vault "john"', "region eu-west-1 (the vault)")
        assert.is_nil(told:find("\nsplits\n", 1, true))
        has(tell("{vault://john/db/user}"), "vault john", 'config that of the vault "john"')
    end)

    -- as far as it comes: text, word, sections, a row
    local ENDS = {
        { "hunter2" .. CANARY, "not_a_reference", { "reference", "value" },
          "text not shown, for it may be a secret" },
        { "{vault://aws/x?ttl=soon}", "bad_reference", { "reference", "value" },
          "text {vault://aws/x?ttl=soon}" },
        { "{vault://aws/a\nb}", "bad_reference", { "reference", "value" },
          "text {vault://aws/a\\x0ab}" },
        { "{vault://nobody/x}", "unknown_vault", { "reference", "value" }, "vault nobody" },
        { "$secret://aws/nobody/x", "unknown_vault", { "reference", "value" }, "id nobody" },
        { "{vault://aws/x?region=eu-west-1&prefix=a}", "bad_reference", { "reference", "value" } },
    }
    for _, row in ipairs(ENDS) do
        it(("comes as far as it can: %q"):format(row[1]:sub(1, 12)), function()
            local told, _, word = tell(row[1])
            assert.equal(row[2], word)
            assert.same(row[3], titles(told))
            has(told, row[4])
            assert.equal(0, #asked)
        end)
    end

    it("comes to the settings that are malformed", function()
        variables.KONG_VAULT_AWS_TTL = "soon"
        local told, message, word = tell("{vault://aws/x}")
        assert.same({ "reference", "vault", "value" }, titles(told))
        assert.equal("bad_config", word)
        assert.matches("KONG_VAULT_AWS_TTL", message)
    end)

    -- how the value is not there: result, message, word
    local VALUES = {
        { { value_word = "key_not_found", value_message = "the secret has no such key" },
          'key "user" of secret "db": the secret has no such key' },
        { { value_word = "not_a_string", value_message = "the key's value is not a string but x" },
          'key "user" of secret "db": the key\'s value is not a string but x' },
        { { value_word = "bad_base64", value_message = "the value is not base64" },
          'key "user" of secret "db": the value is not base64' },
    }
    for _, row in ipairs(VALUES) do
        it("says, as vault.get does, " .. row[1].value_word, function()
            results.db = row[1]
            local _, message, word = tell("{vault://aws/db/user}")
            assert.same({ row[2], row[1].value_word }, { message, word })
        end)
    end

    it("refuses a secret that is not allowed behind an ARN that is cut", function()
        local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-master"
        for arn, word in pairs { [ARN .. "-AbCdEf"] = "refused", [ARN] = false } do
            results[ARN] = { arn = arn }
            local _, message, said = tell("{vault://only/" .. ARN .. "/}")
            assert.equal(word or nil, said, message)
        end
    end)

    it("says that the engine cannot run", function()
        local told, message, word = explain.explain("{vault://aws/db}", {
            find = find, getenv = getenv,
            run = function() return nil, "two OpenSSLs", "unsupported" end })
        assert.same({ "two OpenSSLs", "unsupported" }, { message, word })
        assert.matches("\ncredentials\n  not looked for\n", told, 1, true)
    end)

    describe("tries the splits of a path", function()
        local REFERENCE = "$secret://aws/john/team/db/user"

        it("in order, and tells of the one that is there", function()
            results["team/db/user"] = "access_denied"
            local told, message = tell(REFERENCE)
            assert.is_nil(message)
            has(told, '1 secret "team/db/user": access_denied',
                '2 secret "team/db", key "user": ok, explained below', "user found")
            assert.equal(2, #asked)
            assert.same({ "reference", "vault", "splits", "settings" },
                { unpack(titles(told), 1, 4) })
        end)

        it("and says what is amiss with its key", function()
            results["team/db/user"] = "not_found"
            results["team/db"] = { value_word = "key_not_found", value_message = "none" }
            local told, message, word = tell(REFERENCE)
            assert.same({ 'key "user" of secret "team/db": none', "key_not_found" },
                { message, word })
            has(told, '2 secret "team/db", key "user": key_not_found, explained below')
        end)

        it("and says of the first what it is where none is there", function()
            results = { ["team/db/user"] = "access_denied", ["team/db"] = "not_found",
                        team = "not_found" }
            local told, message, word = tell(REFERENCE)
            assert.same({ 'secret "team/db/user" in eu-west-1: Code: text', "access_denied" },
                { message, word })
            has(told, '1 secret "team/db/user": access_denied, explained below',
                '2 secret "team/db", key "user": not_found',
                '3 secret "team", key "db/user": not_found',
                'for whoever the credentials belong to, if the secret is "team/db":',
                '"Resource": "arn:aws:secretsmanager:eu-west-1:*:secret:team/db-??????"')
        end)

        it("and stops where another would fare no better", function()
            results["team/db/user"], results["team/db"] = "not_found", "throttled"
            local told, message, word = tell(REFERENCE)
            assert.same({ 'secret "team/db" in eu-west-1: Code: text', "throttled" },
                { message, word })
            has(told, '2 secret "team/db", key "user": throttled, explained below')
            assert.equal(2, #asked)
        end)

        it("with the credentials that the first found", function()
            results["team/db/user"] = "not_found"
            results["team/db"] = { tried = {} }
            has((tell(REFERENCE)), "environment used")
        end)
    end)

    describe("reads a variable", function()
        -- text, value, variable, state, word
        local ROWS = {
            { "{vault://env/my-secret}", CANARY, "MY_SECRET", "set" },
            { "$env://MY_SECRET", CANARY, "MY_SECRET", "set" },
            { "{vault://env/my-secret}", nil, "MY_SECRET", "not set", "not_found" },
            { "{vault://env/my-secret}", "", "MY_SECRET", "empty", "not_found" },
            { "{vault://env/aws-secret-access-key}", CANARY, "AWS_SECRET_ACCESS_KEY", "refused",
              "refused" },
            { "{vault://vars/my-secret}", CANARY, "APP_MY_SECRET", "set" },
        }
        for _, row in ipairs(ROWS) do
            it(("%s, %s"):format(row[1], row[4]), function()
                variables[row[3]] = row[2]
                local told, _, word = tell(row[1])
                assert.equal(row[5], word)
                has(told, "variable " .. row[3], "state " .. row[4])
                assert.same({ "reference", "vault", "settings", "environment", "value" },
                    titles(told))
                assert.equal(0, #asked)
            end)
        end

        it("of the version before", function()
            has((tell("{vault://env/my-secret#2}")), "variable MY_SECRET_PREVIOUS",
                "version #2, the previous one")
        end)

        it("with a prefix, and says whose", function()
            has((tell("{vault://vars/my-secret}")), "prefix app- (the vault)")
            has((tell("{vault://env/x?prefix=p-}")), "prefix p- (the reference)", "variable P_X")
            has((tell("{vault://env/x}")), "prefix not set")
        end)

        it("and its key", function()
            variables.JSON = '{"k":"' .. CANARY .. '"}'
            has((tell("{vault://env/json/k}")), "k found")
            local told, _, word = tell("{vault://env/json/x}")
            assert.equal("key_not_found", word)
            has(told, "x key_not_found")
            variables.JSON = nil
            has((tell("{vault://env/json/k}")), "k not looked for")
        end)
    end)
end)
