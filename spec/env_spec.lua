-- env_spec - references to environment variables through Kong's strategy contract.

describe("env", function()
    local env, strategy, variables

    setup(function()
        package.loaded["vault.core"] = {
            getenv = function(name) return variables[name] end,
            extract = function(text, key)
                if key == "none" then
                    return nil, "planted", "key_not_found"
                end
                return text .. " of " .. key
            end,
            base64_decode = function(text)
                if text == "odd" then
                    return nil, "planted", "bad_base64"
                end
                return "decoded " .. text
            end,
        }
        package.loaded["vault.environment"] = nil
        package.loaded["vault.env"] = nil
        env = require "vault.env"
        strategy = env.new(function(name)
            if name == "AWS_SECRET_ACCESS_KEY" then
                return nil, "AWS_SECRET_ACCESS_KEY may not leave the library", "refused"
            end
            return variables[name]
        end)
    end)

    before_each(function()
        variables = {
            MY_SECRET_POSTGRES_PASSWORD = "pa$$", MY_SECRET = "v1", MY_SECRET_PREVIOUS = "v0",
            APP_MY_SECRET = "app", ["mixed-Case"] = "raw", EMPTY = "",
            AWS_SECRET_ACCESS_KEY = "canary", AWS_SECRET_ACCESS_KEY_PREVIOUS = "older",
        }
    end)

    it("keeps Kong's contract", function()
        for _, it in ipairs({ env, strategy }) do
            assert.is_string(it.VERSION)
            assert.is_function(it.init)
            assert.is_function(it.get)
            it.init()
        end
    end)

    local FOUND = {
        { {}, "my-secret-postgres-password", nil, "pa$$" },
        { {}, "my-secret", nil, "v1" },
        { {}, "my-secret", 1, "v1" },
        { {}, "my-secret", 2, "v0" },
        { {}, "MY_SECRET", nil, "v1" },
        { {}, "My_sEcret", nil, "v1" },
        { nil, "my-secret", nil, "v1" },
        { { prefix = "APP_" }, "my-secret", nil, "app" },
        { { prefix = "app-" }, "my-secret", nil, "app" },
        { { prefix = "MY_" }, "secret", 2, "v0" },
        { { prefix = "" }, "my-secret", nil, "v1" },
        { { raw = true }, "mixed-Case", nil, "raw" },
        { { raw = true, prefix = "APP_" }, "MY_SECRET", nil, "v1" },
    }
    for i, row in ipairs(FOUND) do
        it("finds " .. row[2] .. ", case " .. i, function()
            assert.equal(row[4], strategy.get(row[1], row[2], row[3]))
            assert.equal(row[4], env.get(row[1], row[2], row[3]))
        end)
    end

    local NOT_FOUND = {
        { {}, "not-set", nil, "NOT_SET is not set" },
        { {}, "empty", nil, "EMPTY is empty" },
        { {}, "mixed-case", nil, "MIXED_CASE is not set" },
        { { raw = true }, "my-secret", nil, "my-secret is not set" },
        { { prefix = "X_" }, "my-secret", 2, "X_MY_SECRET_PREVIOUS is not set" },
        { { prefix = "a\nb" }, "x", nil, "A\\x0aBX is not set" },
    }
    for _, row in ipairs(NOT_FOUND) do
        it("says: " .. row[4], function()
            local value, message, word = strategy.get(row[1], row[2], row[3])
            assert.is_nil(value)
            assert.truthy(message:find(row[4], 1, true), message)
            assert.equal("not_found", word)
        end)
    end

    it("hands on the refusal, however the name is put together", function()
        for _, row in ipairs({
            { {}, "aws-secret-access-key" }, { {}, "AWS_SECRET_ACCESS_KEY" },
            { { prefix = "aws-" }, "secret-access-key" },
            { { raw = true }, "AWS_SECRET_ACCESS_KEY" },
        }) do
            local value, message, word = strategy.get(row[1], row[2])
            assert.is_nil(value)
            assert.equal("refused", word)
            assert.falsy(message:find("canary", 1, true))
        end
    end)

    it("knows two versions", function()
        for _, version in ipairs({ 0, 3, "1" }) do
            assert.equal("bad_reference", (select(3, strategy.get({}, "my-secret", version))))
        end
    end)

    describe("a whole reference", function()
        local function read(config, parts)
            parts.resource = parts.resource or "my-secret"
            return strategy.read(config, parts)
        end

        it("has the prefix of its option, or else of its vault", function()
            assert.equal("v1", read({}, {}))
            assert.equal("app", read({ prefix = "app-" }, {}))
            assert.equal("app", read({ prefix = "other-" }, { config = { prefix = "app-" } }))
            assert.equal("v0", read({}, { version = 2 }))
            assert.equal("raw", read({}, { resource = "mixed-Case", grammar = "apisix" }))
        end)

        it("has its key cut out, and base64 undone", function()
            assert.equal("v1 of k", read({}, { key = "k" }))
            assert.equal("decoded v1 of k", read({}, { key = "k", config = {
                base64_decode = true } }))
            assert.same({ nil, 'key "none" of variable "my-secret": planted', "key_not_found" },
                { read({}, { key = "none", config = { base64_decode = true } }) })
            variables.ODD = "odd"
            assert.same({ nil, 'variable "odd": planted', "bad_base64" },
                { read({}, { resource = "odd", config = { base64_decode = true } }) })
        end)

        it("fails as get does", function()
            assert.equal("not_found", (select(3, read({}, { resource = "other", key = "k" }))))
            assert.equal("refused", (select(3, read({}, { resource = "aws-secret-access-key" }))))
        end)
    end)

    it("raises for a resource that is no string", function()
        local ok, message = pcall(function() strategy.get({}, nil) end)
        assert.is_false(ok)
        assert.truthy(message:find("env_spec.*string"), message)
    end)
end)
