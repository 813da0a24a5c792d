-- reference_spec - both grammars, rule by rule, and what they must refuse.

local reference = require "vault.reference"

local ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"

-- { text, parts }
local KONG = {
    -- the seeds' own
    { "{vault://aws/secret-name/foo}", { name = "aws", resource = "secret-name", key = "foo" } },
    { "{vault://aws/secret-name/snip}", { name = "aws", resource = "secret-name", key = "snip" } },
    { "{vault://aws/secret-name/foo#1}",
      { name = "aws", resource = "secret-name", key = "foo", version = 1 } },
    { "{vault://aws/secret-name/foo#2}",
      { name = "aws", resource = "secret-name", key = "foo", version = 2 } },
    { "{vault://aws-sm-vault/secret-name/foo}",
      { name = "aws-sm-vault", resource = "secret-name", key = "foo" } },
    { "{vault://aws-sm-vault/secret-name/snip}",
      { name = "aws-sm-vault", resource = "secret-name", key = "snip" } },
    { "{vault://aws-eu-central-vault/secret-name/foo}",
      { name = "aws-eu-central-vault", resource = "secret-name", key = "foo" } },
    { "{vault://aws-us-west-vault/secret-name/snip}",
      { name = "aws-us-west-vault", resource = "secret-name", key = "snip" } },
    { "{vault://aws/kong-gateway-database/pg_user}",
      { name = "aws", resource = "kong-gateway-database", key = "pg_user" } },
    { "{vault://aws/kong-gateway-database/pg_password}",
      { name = "aws", resource = "kong-gateway-database", key = "pg_password" } },
    { "{vault://env/my-secret-postgres-password}",
      { name = "env", resource = "my-secret-postgres-password" } },
    { "{vault://env/arn:x}", { name = "env", resource = "arn:x" } },
    -- whole secrets
    { "{vault://aws/name}", { name = "aws", resource = "name" } },
    { "{vault://aws/name/}", { name = "aws", resource = "name" } },
    { "{vault://aws/a/b/c/}", { name = "aws", resource = "a/b/c" } },
    { "{vault://aws/a%2Fb}", { name = "aws", resource = "a/b" } },
    -- names with slashes and the characters that decoding must leave alone
    { "{vault://aws/prod/db/password}", { name = "aws", resource = "prod/db", key = "password" } },
    { "{vault://aws/%2Fprod/db/k}", { name = "aws", resource = "/prod/db", key = "k" } },
    { "{vault://aws/a%2f/k}", { name = "aws", resource = "a/", key = "k" } },
    { "{vault://aws/a+b=c@d_e.f/k+l}", { name = "aws", resource = "a+b=c@d_e.f", key = "k+l" } },
    { "{vault://aws/a%2Bb/k%2520}", { name = "aws", resource = "a+b", key = "k%20" } },
    { "{vault://aws/n/a%2Fb%20%3F%23%7B%7D}", { name = "aws", resource = "n", key = "a/b ?#{}" } },
    { "{vault://aws/n/\195\188ber}", { name = "aws", resource = "n", key = "\195\188ber" } },
    -- ARNs
    { "{vault://aws/" .. ARN .. "name/with/slash-AbCdEf/key}",
      { name = "aws", resource = ARN .. "name/with/slash-AbCdEf", key = "key" } },
    { "{vault://aws/" .. ARN .. "name%2Fwith-AbCdEf}",
      { name = "aws", resource = ARN .. "name/with-AbCdEf" } },
    { "{vault://aws/" .. ARN .. "name-AbCdEf/key#2}",
      { name = "aws", resource = ARN .. "name-AbCdEf", key = "key", version = 2 } },
    -- options
    { "{vault://aws/secret-name/key?ttl=60#2}",
      { name = "aws", resource = "secret-name", key = "key", version = 2, config = { ttl = 60 } } },
    { "{vault://aws/n?ttl=0&neg_ttl=0.5&resurrect_ttl=1e+8&region=eu-west-1&base64_decode=true}",
      { name = "aws", resource = "n", config = { ttl = 0, neg_ttl = 0.5, resurrect_ttl = 1e8,
        region = "eu-west-1", base64_decode = true } } },
    { "{vault://aws/n/k?base64_decode=false}",
      { name = "aws", resource = "n", key = "k", config = { base64_decode = false } } },
    { "{vault://env/cert/key?prefix=SSL_#1}", { name = "env", resource = "cert", key = "key",
        version = 1, config = { prefix = "SSL_" } } },
    { "{vault://my-env/cert?prefix=ssl%2D}",
      { name = "my-env", resource = "cert", config = { prefix = "ssl-" } } },
    { "{vault://aws/n/k?}", { name = "aws", resource = "n", key = "k" } },
}

local function apisix(name, id, path, resource, key)
    return { grammar = "apisix", name = name, id = id, path = path, resource = resource, key = key }
end

local APISIX = {
    { "$secret://aws/john/apisix-secrets/john-key-auth",
      apisix("aws", "john", { "apisix-secrets", "john-key-auth" }, "apisix-secrets",
          "john-key-auth") },
    { "$secret://aws/john/name", apisix("aws", "john", { "name" }, "name") },
    { "$secret://aws/john/name/", apisix("aws", "john", { "name" }, "name") },
    { "$secret://aws/john/a/b/", apisix("aws", "john", { "a", "b" }, "a/b") },
    { "$secret://awssm/a.b_c-1/a/b/c", apisix("awssm", "a.b_c-1", { "a", "b", "c" }, "a/b", "c") },
    { "$secret://aws/john//lead/k", apisix("aws", "john", { "", "lead", "k" }, "/lead", "k") },
    { "$secret://aws/john//lead", apisix("aws", "john", { "", "lead" }, "/lead") },
    { "$secret://aws/john/a%2Fb?ttl=1/k#2",
      apisix("aws", "john", { "a%2Fb?ttl=1", "k#2" }, "a%2Fb?ttl=1", "k#2") },
    { "$secret://aws/john/" .. ARN .. "name-AbCdEf/k",
      apisix("aws", "john", { ARN .. "name-AbCdEf", "k" }, ARN .. "name-AbCdEf", "k") },
    { "$env://MY_SECRET", { grammar = "apisix", name = "env", resource = "MY_SECRET" } },
    { "$ENV://my-Secret/a/b",
      { grammar = "apisix", name = "env", resource = "my-Secret", key = "a/b" } },
    { "$eNv://X/", { grammar = "apisix", name = "env", resource = "X" } },
}

-- { text, what the message must hold }
local BAD = {
    { "{vault://}", "the vault's name" },
    { "{vault:///a/b}", "the vault's name" },
    { "{vault://AWS/a/b}", "the vault's name" },
    { "{vault://9aws/a/b}", "the vault's name" },
    { "{vault://aws-/a/b}", "the vault's name" },
    { "{vault://user@aws/a/b}", "the vault's name" },
    { "{vault://aws%2Dx/a/b}", "the vault's name" },
    { "{vault://aws}", "names no secret" },
    { "{vault://aws/}", "names no secret" },
    { "{vault://aws/%2F}", "names no secret" },
    { "{vault://aws//a/b}", "empty segment" },
    { "{vault://aws/a//b}", "empty segment" },
    { "{vault://aws/a/b//}", "empty segment" },
    { "{vault://aws/a%2/b}", "secret's name" },
    { "{vault://aws/a%zz/b}", 'secret\'s name "a%zz"' },
    { "{vault://aws/a%%411/b}", 'secret\'s name' },
    { "{vault://aws/a/b%}", 'key "b%"' },
    { "{vault://aws/a%00/b}", 'secret\'s name "a\\x00" holds a control byte' },
    { "{vault://aws/a/b%0d%0a}", 'key "b\\x0d\\x0a" holds a control byte' },
    { "{vault://aws/a/b%7F}", "control byte" },
    { "{vault://aws/a\nb/k}", "a\\x0ab" },
    { "{vault://aws/a\0b/k}", "a\\x00b" },
    { "{vault://aws/a}{vault://aws/b}", 'a "}" inside' },
    { "{vault://aws/a{b/k}", '"%7B"' },
    { "{vault://aws/a/k#}", "version" },
    { "{vault://aws/a/k#0}", "version" },
    { "{vault://aws/a/k#01}", "version" },
    { "{vault://aws/a/k#-1}", "version" },
    { "{vault://aws/a/k#latest}", '"#latest"' },
    { "{vault://aws/a/k#1#2}", '"#1#2"' },
    { "{vault://aws/a/k#1?ttl=1}", "version" },
    { "{vault://aws/a/k#3}", "version #3 cannot be had" },
    { "{vault://aws/a/k#999999999999999999999}", "cannot be had" },
    { "{vault://aws/a/k?endpoint_url=http://evil}", '"endpoint_url"' },
    { "{vault://aws/a/k?assume_role_arn=x}", '"assume_role_arn"' },
    { "{vault://aws/a/k?TTL=1}", '"TTL"' },
    { "{vault://aws/a/k?prefix=x}", '"prefix"' },
    { "{vault://aws/a/k?ttl=1&ttl=1}", "ttl is there twice" },
    { "{vault://aws/a/k?base64_decode=false&base64_decode=true}", "there twice" },
    { "{vault://aws/a/k?ttl=1&}", '""' },
    { "{vault://aws/a/k?=1}", '""' },
    { "{vault://aws/a/k?ttl}", "ttl has no value" },
    { "{vault://aws/a/k?ttl=}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=-1}", "ttl is not a number" },
    { "{vault://aws/a/k?neg_ttl=1s}", "neg_ttl is not a number" },
    { "{vault://aws/a/k?ttl=0x10}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=nan}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=inf}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=1e999}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=+1}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=%201}", "ttl is not a number" },
    { "{vault://aws/a/k?ttl=%1}", "option ttl" },
    { "{vault://aws/a/k?region=%00}", "control byte" },
    { "{vault://aws/a/k?region=us.east}", "region is not" },
    { "{vault://aws/a/k?region=us-east-1/x}", "region is not" },
    { "{vault://aws/a/k?region=us-}", "region is not" },
    { "{vault://aws/a/k?region=" .. ("a"):rep(33) .. "}", "region is not" },
    { "{vault://aws/a/k?base64_decode=1}", "base64_decode is not true or false" },
    { "{vault://env/a?prefix=9}", "prefix is not" },
    { "{vault://aws/arn:aws:ssm:us-east-1:123456789012:parameter/x}", "complete ARN" },
    { "{vault://aws/arn:aws:secretsmanager:us-east-1:1234:secret:x/k}", "complete ARN" },
    { "{vault://aws/arn:aws:secretsmanager::123456789012:secret:x/k}", "complete ARN" },
    { "{vault://aws/arn:gcp:secretsmanager:us-east-1:123456789012:secret:x/k}", "complete ARN" },
    { "{vault://aws/" .. ARN .. "/k}", "complete ARN" },
    { "{vault://aws/" .. ("a"):rep(2049) .. "/k}", "2048 bytes" },
    { "{vault://aws/" .. ("a"):rep(4096) .. "}", "4096 bytes" },
    { "$secret://", "$secret://<manager>" },
    { "$secret://aws", "$secret://<manager>" },
    { "$secret://aws/john", "$secret://<manager>" },
    { "$secret:///john/a", "secret manager" },
    { "$secret://a w/john/a", "secret manager" },
    { "$secret://aws//a", "the id" },
    { "$secret://aws/jo hn/a", "the id" },
    { "$secret://aws/" .. ("a"):rep(65) .. "/a", "the id" },
    { "$secret://aws/john/", "names no secret" },
    { "$secret://aws/john//", "names no secret" },
    { "$secret://aws/john/a\r/k", "\\x0d" },
    { "$secret://aws/john/arn:aws:s3:::b/k", "complete ARN" },
    { "$env://", "environment variable" },
    { "$env:///k", "environment variable" },
    { "$env://A=B", "environment variable" },
    { "$env://A\127", "\\x7f" },
}

local OTHER = {
    "", "hunter2", "vault://aws/a/b", "{vault://aws/a/b", "vault://aws/a/b}", " {vault://aws/a/b}",
    "{vault://aws/a/b} ", "{vault:/aws/a/b}", "{Vault://aws/a/b}", "{env://X}", "{", "}", "{}",
    "$", "$secret:/a", "$SECRET://aws/john/a/b", "$envy://X", "$env:X", "prefix$env://X",
}

describe("is_reference", function()
    it("knows the outer shape", function()
        for _, rows in ipairs({ KONG, APISIX, BAD }) do
            for _, row in ipairs(rows) do
                assert.is_true(reference.is_reference(row[1]), row[1])
            end
        end
        for _, text in ipairs(OTHER) do
            assert.is_false(reference.is_reference(text), text)
        end
    end)

    it("takes anything without raising", function()
        for _, value in ipairs({ 1, true, {}, print, coroutine.create(print) }) do
            assert.is_false(reference.is_reference(value))
        end
        assert.is_false(reference.is_reference(nil))
    end)
end)

describe("parse", function()
    for _, rows in ipairs({ KONG, APISIX }) do
        for _, row in ipairs(rows) do
            it("takes apart " .. row[1], function()
                assert.same(row[2], (assert(reference.parse(row[1]))))
            end)
        end
    end

    for _, row in ipairs(BAD) do
        it("refuses " .. reference.quote(row[1]), function()
            local parts, message, word = reference.parse(row[1])
            assert.is_nil(parts)
            assert.equal("bad_reference", word)
            assert.truthy(message:find(row[2], 1, true), message)
            assert.falsy(message:find("[^ -~]"))
            assert.is_true(#message < 512)
        end)
    end

    it("does not show what is no reference: it may be a secret", function()
        for _, text in ipairs({ "hunter2", "{hunter2}", "$hunter2", "{vault://hunter2" }) do
            local parts, message, word = reference.parse(text)
            assert.is_nil(parts)
            assert.equal("not_a_reference", word)
            assert.falsy(message:find("hunter2", 1, true))
        end
        for _, value in ipairs({ 1, true, {} }) do
            assert.equal("not_a_reference", (select(3, reference.parse(value))))
        end
        assert.equal("not_a_reference", (select(3, reference.parse(nil))))
    end)

    it("takes references and names up to their limits", function()
        local parts = assert(reference.parse("{vault://aws/" .. ("a"):rep(2048) .. "/k}"))
        assert.equal(2048, #parts.resource)
        local text = "{vault://aws/n/" .. ("k"):rep(4096 - 16) .. "}"
        assert.equal(4096, #text)
        assert.equal(4080, #assert(reference.parse(text)).key)
        assert.is_nil(reference.parse("{vault://aws/n/k" .. ("k"):rep(4096 - 16) .. "}"))
    end)
end)

describe("arn_region", function()
    it("reads the region of a secret's ARN in any partition", function()
        for partition, region in pairs({
            ["aws"] = "us-east-1", ["aws-cn"] = "cn-north-1", ["aws-us-gov"] = "us-gov-west-1",
            ["aws-iso-b"] = "us-isob-east-1", ["aws-eusc"] = "eusc-de-east-1",
        }) do
            assert.equal(region, reference.arn_region("arn:" .. partition .. ":secretsmanager:"
                .. region .. ":123456789012:secret:n-AbCdEf"))
        end
    end)

    it("has none for anything else", function()
        for _, text in ipairs({ "name", "", "arn:", ARN, ARN .. ":x", "x" .. ARN .. "n",
            "arn:aws:secretsmanager:US-EAST-1:123456789012:secret:n",
            "arn:aws:secretsmanager:us-:123456789012:secret:n",
            "arn:aws:secretsmanager:us-east-1:123456789012:n" }) do
            assert.is_nil(reference.arn_region(text))
        end
    end)
end)

describe("splits", function()
    local function splits(text)
        local seen = {}
        for i, candidate in ipairs(reference.splits(assert(reference.parse(text)))) do
            seen[i] = candidate.resource .. " | " .. (candidate.key or "")
        end
        return seen
    end

    it("tries the longest name first and moves one segment at a time", function()
        assert.same({ "apisix-secrets/john-key-auth | ", "apisix-secrets | john-key-auth" },
            splits("$secret://aws/john/apisix-secrets/john-key-auth"))
        assert.same({ "a/b/c | ", "a/b | c", "a | b/c" }, splits("$secret://aws/john/a/b/c"))
    end)

    it("moves at most five segments", function()
        local seen = splits("$secret://aws/john/a/b/c/d/e/f/g/h")
        assert.equal(6, #seen)
        assert.equal("a/b/c/d/e/f/g/h | ", seen[1])
        assert.equal("a/b/c | d/e/f/g/h", seen[6])
    end)

    it("never tries a name of slashes alone", function()
        assert.same({ "/a/k | ", "/a | k" }, splits("$secret://aws/john//a/k"))
        assert.same({ "//a/k | ", "//a | k" }, splits("$secret://aws/john///a/k"))
    end)

    it("has one way where there is nothing to guess", function()
        assert.same({ "name | " }, splits("$secret://aws/john/name"))
        assert.same({ "a/b | " }, splits("$secret://aws/john/a/b/"))
        assert.same({ "/a | " }, splits("$secret://aws/john//a"))
        assert.same({ "a/b | k" }, splits("{vault://aws/a/b/k}"))
        assert.same({ "X | a/b" }, splits("$env://X/a/b"))
    end)
end)

describe("short", function()
    it("gives the full text of the command line's form", function()
        assert.equal("{vault://aws/name/key}", reference.short("aws/name/key"))
        assert.equal("{vault://aws/name/key?ttl=1#2}", reference.short("aws/name/key?ttl=1#2"))
        for _, text in ipairs({ "{vault://aws/name/key}", "$env://X", "$secret://aws/a/b" }) do
            assert.equal(text, reference.short(text))
        end
    end)
end)

describe("format", function()
    it("puts every table above together again", function()
        for _, rows in ipairs({ KONG, APISIX }) do
            for _, row in ipairs(rows) do
                assert.same(row[2], (reference.parse(reference.format(row[2]))))
            end
        end
    end)

    it("keeps the seeds' references as they are", function()
        for _, text in ipairs({
            "{vault://aws/secret-name/foo#2}", "{vault://aws-sm-vault/secret-name/snip}",
            "{vault://env/my-secret-postgres-password}", "{vault://aws/a/b/c/}",
            "$secret://aws/john/apisix-secrets/john-key-auth", "$env://MY_SECRET/key",
            "{vault://aws/" .. ARN .. "name/with/slash-AbCdEf/key}",
            "{vault://aws/n/k?ttl=60&neg_ttl=0.1&region=eu-west-1&base64_decode=true#1}",
        }) do
            assert.equal(text, reference.format(assert(reference.parse(text))))
        end
    end)

    it("raises where no text can mean the parts", function()
        for _, parts in ipairs({
            { name = "AWS", resource = "a" },
            { name = "aws", resource = "" },
            { name = "aws", resource = "a", key = "" },
            { name = "aws", resource = "a\n" },
            { name = "aws", resource = "a", version = 3 },
            { name = "aws", resource = "a", config = { endpoint_url = "http://x" } },
            { name = "aws", resource = "a", config = { ttl = "60" } },
            { name = "aws", resource = "a", config = { ttl = -1 } },
            { grammar = "apisix", name = "aws", id = "x", resource = "a", key = "b/c" },
            { grammar = "apisix", name = "aws", id = "x", resource = "a", version = 1 },
            { grammar = "apisix", name = "aws", id = "x", resource = "a", config = { ttl = 1 } },
            { grammar = "apisix", name = "env", resource = "A/B" },
        }) do
            assert.error_matches(function() reference.format(parts) end, "no reference can say")
        end
    end)
end)
