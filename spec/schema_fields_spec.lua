-- schema_fields_spec - what each field takes and refuses, and that the table is the one that
-- vault.config settles by.

local config = require "vault.config"
local fields = require "vault.schema_fields"
local reference = require "vault.reference"

local function check(strategy, name, value)
    return fields.check(fields.CONFIG[strategy][name], value)
end

local ROLE = "arn:aws:iam::123456789012:role/"

-- field, values that are kept as they are
local GOOD = {
    { "region", "us-east-1", "cn-north-1", "eusc-de-east-1", "us-gov-west-1",
      "{vault://env/my-region}", "$env://REGION", "$ENV://REGION", "{vault://env/all/region}" },
    { "endpoint_url", "http://localhost:4566", "https://vpce-1.secretsmanager.eu-west-1.vpce."
      .. "amazonaws.com", "HTTPS://Host/", "http://[::1]:8080/a/b", "http://127.0.0.1",
      "https://host:65535/x/", "http://my_host", "$env://URL" },
    { "sts_endpoint_url", "https://sts.eu-west-1.amazonaws.com" },
    { "assume_role_arn", ROLE .. "reader", ROLE .. "path/a+b=c,d.e@f-g", "$env://ROLE",
      "arn:aws-cn:iam::123456789012:role/x" },
    { "role_session_name", "ab", ("a"):rep(64), "a_+=,.@-1" },
    { "external_id", "ab", "a:b/c", ("x"):rep(1224) },
    { "access_key_id", "AKIARK7HKSJVWAIKFOXR", "test", "$env://ID", "{vault://env/id}" },
    { "secret_access_key", "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", "a/b+c=" },
    { "session_token", ("t"):rep(16384) },
    { "ttl", 0, 60, 0.5, 1e8, 1e15 },
    { "neg_ttl", 0, 1 },
    { "resurrect_ttl", 0, 1e8 },
    { "base64_decode", true, false },
    { "timeout", 0.001, 10, 3600 },
    { "allow", { "*" }, { "prod/*", "arn:aws:secretsmanager:*:123456789012:secret:x-??????" },
      { "rds!db-1", "a_b+c=d.e@f" } },
}

describe("a field of aws", function()
    for _, row in ipairs(GOOD) do
        for i = 2, #row do
            it(row[1] .. " takes " .. tostring(row[i]):sub(1, 40), function()
                assert.same(row[i], (check("aws", row[1], row[i])))
            end)
        end
    end
end)

local BAD = "refused"
-- field, the complaint, values
local REFUSED = {
    { "region", "expected a string", 1, true, {} },
    { "region", "length must be at least 1", "" },
    { "region", "length must be at most 32", ("a"):rep(33) },
    { "region", "expected an AWS region", "US-EAST-1", "us east", "1a", "us-east-", "a.b", "a/b",
      "../x", "us-east-1 ", "{vault://env/x", " $env://X", "vault://env/x" },
    { "region", "expected valid UTF-8", "\255", "a\192\128", "\237\160\128", "\244\144\128\128" },
    { "region", "must not hold control characters", "us-east-1\n", "a\0", "\127" },
    { "region", "only references to the environment may stand here: {vault://env/..}, $env://..",
      "{vault://aws/name/key}", "{vault://my-vault/x}", "$secret://aws/john/name/key",
      "$secret://env/john/name" },
    { "secret_access_key", "AWS_SECRET_ACCESS_KEY is the gateway's own, and not for references",
      "$env://AWS_SECRET_ACCESS_KEY", "{vault://env/aws-secret-access-key}" },
    { "region", 'the option "endpoint_url" may not be set in a reference; ttl, neg_ttl, '
      .. "resurrect_ttl, region, base64_decode and, for env, prefix may",
      "{vault://env/x?endpoint_url=y}" },
    { "endpoint_url", "expected a URL that begins with http:// or https://", "host", "ftp://host",
      "//host", "http:/host", "file:///etc/passwd", "unix:/x" },
    { "endpoint_url", "a URL holds printable ASCII only", "http://h\195\182st", "http://a b" },
    { "endpoint_url", "the URL must not hold a user or a password", "http://user:pw@host",
      "https://user@host/x", "http://host\\@other" },
    { "endpoint_url", "the URL must not have a query or a fragment", "http://host?x", "http://h#y",
      "http://host/x?y=1" },
    { "endpoint_url", "the URL has no valid host", "http://", "http:///x", "http://:80",
      "http://.host", "http://a..b", "http://[zz]", "http://%41", "http://" .. ("a"):rep(254) },
    { "endpoint_url", "the URL's port is not 1 to 65535", "http://host:", "http://host:0",
      "http://host:65536", "http://host:1x", "http://host:-1", "http://host\\other",
      "http://host:999999" },
    { "endpoint_url", "the URL's path must not have empty or dot segments", "http://host//",
      "http://host/a//b", "http://host/../x", "http://host/.", "http://host/%2e%2E/x",
      "http://host/a/.%2e" },
    { "endpoint_url", "length must be at most 2048", "http://" .. ("a"):rep(2048) },
    { "assume_role_arn", "expected the ARN of an IAM role", "reader", ROLE, ROLE .. "a b",
      "arn:aws:iam::12345:role/x", "arn:aws:iam::123456789012:user/x",
      "arn:aws:sts::123456789012:assumed-role/x/y" },
    { "role_session_name", "length must be at least 2", "a" },
    { "role_session_name", "length must be at most 64", ("a"):rep(65) },
    { "role_session_name", "expected letters, digits and _+=,.@-", "a b", "a/b", "a\195\182" },
    { "external_id", "expected letters, digits and _+=,.@:/-", "a b", "a;b" },
    { "access_key_id", "expected a string", 12345, {} },
    { "access_key_id", "length must be at most 128", ("A"):rep(129) },
    { "secret_access_key", "expected printable ASCII without blanks", "a b", "\195\182" },
    { "secret_access_key", "a reference is written {vault://env/..} or $env://.., with nothing "
      .. "around it", " $env://X", "{vault://env/x", "env://X", "x$env://X" },
    { "session_token", "length must be at most 16384", ("t"):rep(16385) },
    { "ttl", "expected a number", "60", true, {}, 0 / 0, math.huge },
    { "ttl", "value must be 0 or more", -1, -0.001, -math.huge },
    { "timeout", "value should be between 0.001 and 3600", 0, 0.0001, 3601, -1 },
    { "base64_decode", "expected a boolean", "true", 1, 0 },
    { "allow", "expected an array", "prod/*", { a = "b" }, { "a", x = "b" }, 1 },
    { "allow", "length must be at least 1", {} },
    { "allow", BAD, { "a", 2 }, { "" }, { "a b" }, { "a\0" }, { "{vault://env/x}" },
      { ("a"):rep(2049) } },
}

describe("a field of aws refuses", function()
    for _, row in ipairs(REFUSED) do
        for i = 3, #row do
            local shown = type(row[i]) == "string" and ("%q"):format(row[i]:sub(1, 40))
                or tostring(row[i]):gsub("0x%x+", "")
            it(row[1] .. " " .. i .. " " .. shown, function()
                local value, complaint = check("aws", row[1], row[i])
                assert.is_nil(value)
                if row[2] == BAD then
                    assert.equal("table", type(complaint))
                else
                    assert.equal(row[2], complaint)
                end
            end)
        end
    end

    it("a list by element", function()
        local value, complaints = check("aws", "allow", { "a", 2, "b c" })
        assert.is_nil(value)
        assert.same({ [2] = "expected a string",
            [3] = "expected a name or an ARN, with * and ?" }, complaints)
    end)

    it("a list of more than its maximum", function()
        local many = {}
        for i = 1, 101 do
            many[i] = "a"
        end
        assert.equal("length must be at most 100", select(2, check("aws", "allow", many)))
    end)
end)

describe("the prefix of env", function()
    for value, good in pairs({ MY_ = true, ["my-"] = true, _x = true, ["1x"] = false,
                               ["a b"] = false, ["A=B"] = false, ["$env://X"] = false }) do
        it(value .. (good and " is taken" or " is refused"), function()
            assert.equal(good and value or nil, (check("env", "prefix", value)))
        end)
    end

    it("may be what a reference's own option may be", function()
        for _, value in ipairs({ "a", "A_", "-x", "9", "a.b" }) do
            local parts = reference.parse("{vault://env/x?prefix=" .. value .. "}")
            assert.equal(parts ~= nil, check("env", "prefix", value) ~= nil)
        end
    end)
end)

-- Kong's documented prefixes are all of one shape.
describe("a prefix", function()
    for value, complaint in pairs({
        ["aws-sm-vault"] = false, ["my-env-vault"] = false, ["aws-eu-central-vault"] = false,
        ["aws-us-west-vault"] = false, john = false, a1 = false, ["a--b"] = false, aws2 = false,
        a = "shape", A = "shape", John = "shape", ["a-"] = "shape", ["-a"] = "shape",
        ["1a"] = "shape", a_b = "shape", ["a.b"] = "shape", ["a/b"] = "shape", ["../x"] = "shape",
        ["a b"] = "shape", ["a\n"] = "shape", ["a\0b"] = "shape", aws = "name", env = "name",
    }) do
        it(("%q is %s"):format(value, complaint and "refused" or "taken"), function()
            local said = fields.check_prefix(value)
            assert.equal(complaint ~= false, said ~= nil)
            assert.equal(complaint == "name", said == "must not be one of: aws, env")
        end)
    end

    it("matches what Kong's own pattern matches, up to five bytes", function()
        local function walk(text)
            local kong = text:find("^[a-z][a-z%d-]-[a-z%d]+$") ~= nil
            assert.equal(kong, fields.check_prefix(text) == nil, text)
            if #text < 5 then
                for _, more in ipairs({ "a", "7", "-", "A", "_" }) do
                    walk(text .. more)
                end
            end
        end
        walk("")
    end)
end)

describe("an id of APISIX's", function()
    for value, good in pairs({ john = true, ["1"] = true, ["a-Z_0.9"] = true, a = true,
        ["..."] = true, [("x"):rep(64)] = true, [("x"):rep(65)] = false, [""] = false,
        ["."] = false, [".."] = false, ["a/b"] = false, ["../x"] = false, ["a b"] = false,
        ["a%2f"] = false, ["a\0"] = false, aws = false, env = false }) do
        it(("%q is %s"):format(value, good and "taken" or "refused"), function()
            assert.equal(good, fields.check_secret_id(value) == nil)
        end)
    end

    it("is a text", function()
        assert.truthy(fields.check_secret_id(nil))
        assert.truthy(fields.check_secret_id({}))
    end)

    it("is what a reference can name", function()
        for _, id in ipairs({ "a-Z_0.9", "a/b", "a b", ("x"):rep(64), ("x"):rep(65), "" }) do
            local parts = reference.parse("$secret://aws/" .. id .. "/name/key")
            assert.equal(parts ~= nil and parts.id == id, fields.check_secret_id(id) == nil)
        end
    end)
end)

describe("UTF-8", function()
    for text, good in pairs({
        [""] = true, plain = true, ["\0\127"] = true, ["\194\128"] = true, ["\223\191"] = true,
        ["\224\160\128"] = true, ["\237\159\191"] = true, ["\238\128\128"] = true,
        ["\240\144\128\128"] = true, ["\244\143\191\191"] = true, ["a\226\130\172b"] = true,
        ["\128"] = false, ["\192\175"] = false, ["\193\191"] = false, ["\194"] = false,
        ["\224\159\191"] = false, ["\237\160\128"] = false, ["\240\143\191\191"] = false,
        ["\244\144\128\128"] = false, ["\245\128\128\128"] = false, ["a\226\130"] = false,
        ["\255\254"] = false,
    }) do
        it(text:gsub("[^ -~]", function(c) return ("\\x%02x"):format(c:byte()) end)
            .. (good and " is" or " is not"), function()
            assert.equal(good, fields.is_utf8(text))
        end)
    end
end)

describe("the table of aws and vault.config", function()
    local parts = { resource = "name" }

    local function settle(entity, variables)
        return assert(config.settle(parts, entity, function(name)
            return variables and variables[name]
        end))
    end

    it("have the same fields but for allow, which selects nothing", function()
        local names = {}
        for _, field in ipairs(fields.CONFIG.aws) do
            names[#names + 1] = field.name ~= "allow" and field.name or nil
        end
        local settled = { unpack(config.NAMES) }
        table.sort(names)
        table.sort(settled)
        assert.same(settled, names)
    end)

    local SAMPLES = { region = "eu-west-1", endpoint_url = "http://localhost:1",
        sts_endpoint_url = "http://localhost:2",
        assume_role_arn = ROLE .. "reader", role_session_name = "me", external_id = "ext",
        ttl = "7", neg_ttl = "7", resurrect_ttl = "7", base64_decode = "true", timeout = "7" }
    for _, field in ipairs(fields.CONFIG.aws) do
        it("have one default for " .. field.name, function()
            assert.equal(field.default, settle()[field.name])
        end)
        for _, variable in ipairs(field.variables) do
            it("both hear " .. variable .. " for " .. field.name, function()
                local settled = settle(nil, { [variable] = SAMPLES[field.name] })
                assert.equal(variable, settled.origin[field.name])
                for other, origin in pairs(settled.origin) do
                    local listed = table.concat(fields.CONFIG.aws[other].variables, " ") .. " "
                    assert.is_true(origin ~= variable or listed:find(variable .. " ") ~= nil)
                end
            end)
        end
    end

    it("agree on what an entity may hold", function()
        for _, row in ipairs(GOOD) do
            for i = 2, #row do
                local is_reference = reference.is_reference(row[i])
                if row[1] ~= "allow" and not is_reference
                    and not row[1]:find("key") and row[1] ~= "session_token" then
                    local settled, message = config.settle(parts, { [row[1]] = row[i] },
                        function() end)
                    assert.truthy(settled, message)
                end
            end
        end
    end)
end)
