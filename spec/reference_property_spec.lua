-- reference_property_spec - whatever parts there are, text and parts say the same.

local reference = require "vault.reference"
local rules = require "spec.support.reference_rules"

-- Seeded random; the same cases in every run.
describe("any parts", function()
    local state = 20240229

    local function random(limit)
        state = (state * 16807) % 2147483647
        return state % limit + 1
    end

    local function pick(list)
        return list[random(#list)]
    end

    local function random_text(alphabet, most)
        local text = {}
        for i = 1, random(most) do
            text[i] = pick(alphabet)
        end
        return table.concat(text)
    end

    local ANY = { "a", "Z", "0", "/", "/", "%", "%2F", "%zz", "+", "?", "#", "&", "=", "{", "}",
        " ", "-", "_", ".", "@", ":", "\\", "\"", "$", "\195\169", "\255", "~", "!", "'", "," }

    local function random_config(name)
        if random(2) == 1 then
            return nil
        end
        local config = { ttl = random(100000) / pick({ 1, 3, 7, 1000 }) }
        config.neg_ttl = pick({ 0, 1e8, 1e-7, 1 / 3 })
        config.base64_decode = pick({ true, false })
        config.region = pick({ "eu-west-1", "us-gov-west-1" })
        if name ~= "aws" then
            config.prefix = pick({ "APP_", "my-app-", "-", "_9" })
        end
        return config
    end

    it("survive the round trip in Kong's grammar", function()
        for _ = 1, 5000 do
            local parts = { name = pick({ "aws", "env", "aws-eu-central-vault", "v2" }) }
            repeat
                parts.resource = random_text(ANY, 12)
            until parts.resource:find("[^/]")
            parts.key = random(3) > 1 and random_text(ANY, 6) or nil
            parts.version = pick({ false, 1, 2 }) or nil
            parts.config = random_config(parts.name)
            assert.same(parts, (reference.parse(reference.format(parts))))
        end
    end)

    it("survive it in APISIX's", function()
        for _ = 1, 5000 do
            local text = pick({ "$secret://aws/john/", "$secret://gcp/a.b-c_1/", "$env://" })
                .. random_text(ANY, 10)
            local parts = reference.parse(text)
            if parts then
                assert.same(parts, (reference.parse(reference.format(parts))))
                local ways = reference.splits(parts)
                assert.is_true(#ways >= 1 and #ways <= 6)
                for _, way in ipairs(ways) do
                    assert.truthy(way.resource:find("[^/]"))
                    assert.not_equal("", way.key)
                end
            end
        end
    end)

    it("are found, or refused in printable words, whatever the bytes", function()
        local starts = {
            "{vault://aws/", "{vault://", "$secret://aws/john/", "$secret://", "$env://",
        }
        local bytes = { unpack(ANY) }
        for _, extra in ipairs({
            "\0", "\n", "\27", "\127", "ttl=1", "#2", "%00", "%41", "arn:",
        }) do
            bytes[#bytes + 1] = extra
        end
        local found, refused = 0, 0
        for _ = 1, 20000 do
            local start = pick(starts)
            local text = start .. random_text(bytes, 10) .. (start:sub(1, 1) == "{" and "}" or "")
            if rules.check(text) then
                found = found + 1
            else
                refused = refused + 1
            end
        end
        assert.is_true(found > 1000 and refused > 1000)
    end)
end)
