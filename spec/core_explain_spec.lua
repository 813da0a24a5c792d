-- core_explain_spec - core.explain: how one fetch went, without the value.

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local cjson = require "cjson"
local core = require "vault.core"

local CANARY = "canary-5ecret"

describe("core.explain", function()
    local fake

    setup(function()
        fake = aws.start()
    end)
    teardown(function()
        fake:stop()
    end)

    -- core.explain of the request (Lua text), in a process of its own; its text, too.
    local function explain(request, more)
        local out = child.lua(([[io.write(require("cjson").encode(core.explain(%s, {})))]]):format(
            request), fake:env(more))
        assert.is_nil(out:find(CANARY, 1, true), out)
        assert.is_nil(out:find(aws.SECRET_KEY, 1, true), out)
        assert.is_nil(out:find(aws.ACCESS_KEY, 1, true), out)
        return cjson.decode(out)
    end

    local function request(fields)
        return ("{ secret_id = 's', region = 'us-east-1', endpoint_url = %q, %s }"):format(
            fake.url, fields or "")
    end

    it("tells all of a fetch but the value", function()
        local version = fake:put("s", '{"k":"' .. CANARY .. '"}')
        local told = explain(request "key = 'k'")
        assert.same({
            ok = true, word = "ok", attempts = 1, region = "us-east-1", partition = "aws",
            endpoint = fake.url .. "/", source = "environment", http_status = 200, skew = 0,
            request_id = "00000000-0000-4000-8000-000000000000", version_id = version,
            arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-AbCdEf",
            payload_type = "string", value_word = "ok",
            tried = { { what = "environment", word = "ok" } },
        }, told)
    end)

    -- what the secret is, what is asked for, and the word and message of the value
    local VALUES = {
        { '{"k":"' .. CANARY .. '"}', "", "ok" },
        { CANARY, "", "ok" },
        { CANARY, "base64_decode = true", "bad_base64", "^the value is not base64$" },
        { "YQBi", "base64_decode = true", "ok" },
        { '{"k":"YQBi"}', "key = 'k', base64_decode = true", "ok" },
        { '{"k":"' .. CANARY .. '"}', "key = 'k', base64_decode = true", "bad_base64",
          "^the value is not base64$" },
        { '{"k":"' .. CANARY .. '"}', "key = 'K'", "key_not_found",
          "^the secret has no such key$" },
        { '{"k":17}', "key = 'k'", "not_a_string", "but a number$" },
        { CANARY, "key = 'k'", "json_syntax", ", at byte 1$" },
        { '"' .. CANARY .. '"', "key = 'k'", "not_an_object", ", at byte 1$" },
    }
    for _, row in ipairs(VALUES) do
        it(("looks for %q in %q: %s"):format(row[2], row[1], row[3]), function()
            fake:put("s", row[1])
            local told = explain(request(row[2]))
            assert.is_true(told.ok)
            assert.equal(row[3], told.value_word)
            if row[4] then
                assert.matches(row[4], told.value_message)
            else
                assert.is_nil(told.value_message)
            end
        end)
    end

    it("does not decode what is bytes already", function()
        local told = explain((request("base64_decode = true"):gsub("'s'", "'binary.b'")))
        assert.same({ true, "binary", "ok" }, { told.ok, told.payload_type, told.value_word })
    end)

    it("tells of a refusal", function()
        local told = explain((request():gsub("'s'", "'denied.x'")))
        assert.same({ false, "access_denied", 400 }, { told.ok, told.word, told.http_status })
        assert.matches("^secret \"denied.x\" in us%-east%-1: AccessDeniedException: ", told.message)
        assert.same({}, { told.arn, told.version_id, told.payload_type, told.value_word })
    end)

    it("tells of what was not come to", function()
        local told = explain("{ secret_id = 's', region = 'cn-north-1', endpoint_url = 'x' }")
        assert.same({ ok = false, word = "bad_endpoint", attempts = 0, region = "cn-north-1",
                      partition = "aws-cn", skew = 0, tried = {}, message = told.message }, told)
        told = explain("{ secret_id = 's', region = 'NO REGION' }")
        assert.equal("bad_config", told.word)
        assert.same({}, { told.region, told.partition, told.endpoint })
    end)

    it("raises for what is malformed", function()
        for _, wrong in ipairs { {}, { secret_id = 7 }, { secret_id = "s", key = 7 },
                                 { secret_id = "s", timeout = 0 } } do
            assert.has_error(function() core.explain(wrong, {}) end)
        end
        assert.has_error(function() core.explain() end)
        assert.has_error(function() core.explain({ secret_id = "s" }) end)
    end)
end)
