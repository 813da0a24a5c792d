-- cut_spec - one value out of a whole secret.

local cut = require "vault.cut"

local CANARY = "canary-5ecret"

describe("cut", function()
    local strategy = {
        decode = function(settled, value, binary)
            if settled.decode and value == CANARY then
                return nil, "the value is not base64", "bad_base64"
            end
            return settled.decode and not binary and "decoded " .. value or value
        end,
    }

    local function value(payload, key, more)
        more = more or {}
        return cut.value(strategy, { decode = more.decode },
            { payload = payload, binary = more.binary }, { resource = "db/\27main", key = key })
    end

    it("is the whole secret where there is no key", function()
        assert.equal("text", value("text"))
        assert.equal("decoded text", value("text", nil, { decode = true }))
        assert.equal("\0\1", value("\0\1", nil, { decode = true, binary = true }))
    end)

    it("is the member of that key", function()
        assert.equal("p", value('{"user":"u","password":"p"}', "password"))
        assert.equal("decoded p", value('{"password":"p"}', "password", { decode = true }))
    end)

    for _, row in ipairs {
        { "key_not_found", '{"other":"' .. CANARY .. '"}' },
        { "not_a_string", '{"password":[1]}' },
        { "not_an_object", '"' .. CANARY .. '"' },
        { "json_syntax", '{"password":' .. CANARY },
    } do
        it("says which key of which secret is " .. row[1] .. ", and nothing of it", function()
            local text, message, word = value(row[2], "password")
            assert.same({ nil, row[1] }, { text, word })
            assert.matches('^key "password" of secret "db/\\x1bmain": ', message)
            assert.is_nil(message:find(CANARY, 1, true))
        end)
    end

    it("says which secret, and which key of it, is not base64", function()
        assert.same({ nil, 'secret "db/\\x1bmain": the value is not base64', "bad_base64" },
            { value(CANARY, nil, { decode = true }) })
        assert.same({ nil, 'key "password" of secret "db/\\x1bmain": the value is not base64',
                      "bad_base64" },
            { value('{"password":"' .. CANARY .. '"}', "password", { decode = true }) })
    end)
end)
