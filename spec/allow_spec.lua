-- allow_spec - which secrets a vault's `allow` lets through, by name and by ARN.

local allow = require "vault.allow"

local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
local ANY = "arn:aws:secretsmanager:*:*:secret:"
local EXACT = "of that ARN only"

-- globs, resource, whether it is allowed; region (eu-west-1)
local ROWS = {
    -- names by globs of names
    { { "prod/*" }, "prod/db", true },
    { { "prod/*" }, "test/db", false },
    { { "test/*", "prod/db" }, "prod/db", true },
    { { "db" }, "db2", false },
    { { "*" }, "anything", true },
    { { "app" }, "app-master", false },
    -- ARNs by globs of ARNs
    { { ARN .. "prod/*" }, ARN .. "prod/db-AbCdEf", true },
    { { ARN .. "prod/db-??????" }, ARN .. "prod/db-AbCdEf", EXACT },
    { { ARN .. "prod/db-AbCdEf" }, ARN .. "prod/db-AbCdEf", EXACT },
    { { ARN .. "prod/db-AbCdEf" }, ARN .. "prod/db-AbCdEg", false },
    { { ARN .. "prod/db-??????" }, ARN .. "prod/db", true },
    { { ARN .. "prod/db" }, ARN .. "prod/db", true },
    { { ARN .. "prod/*" }, (ARN:gsub("eu%-west%-1", "us-east-1")) .. "prod/db-AbCdEf", false },
    { { ARN .. "prod/*" }, (ARN:gsub("1234", "4321")) .. "prod/db-AbCdEf", false },
    { { ANY .. "prod/*" }, ARN .. "prod/db-AbCdEf", true },
    { { "arn:*" }, ARN .. "prod/db-AbCdEf", true },
    { { "*" }, ARN .. "prod/db-AbCdEf", true },
    -- ARNs by globs of names
    { { "prod/*" }, ARN .. "prod/db-AbCdEf", true },
    { { "prod/db" }, ARN .. "prod/db-AbCdEf", EXACT },
    { { "prod/db" }, ARN .. "prod/db", true },
    { { "prod/db" }, ARN .. "prod/db2-AbCdEf", false },
    { { "prod/db" }, ARN .. "test/prod/db-AbCdEf", false },
    { { "app" }, ARN .. "app-master", EXACT },
    { { "app-master" }, ARN .. "app-master", true },
    { { "app-*" }, ARN .. "app-master", true },
    { { "prod/*" }, "arn:aws:s3:::prod/db", false },
    { { "prod/*" }, "arn:prod/db", false },
    -- names by globs of ARNs
    { { ANY .. "prod/*" }, "prod/db", true },
    { { ANY .. "prod/*" }, "test/db", false },
    { { ARN .. "prod/*" }, "prod/db", true },
    { { ARN .. "prod/*" }, "prod/db", false, "us-east-1" },
    { { ARN .. "prod/*" }, "prod/db", true, false }, -- whose region only the profile knows
    { { ARN .. "prod/db-??????" }, "prod/db", true },
    { { ARN .. "prod/db-AbCdEf" }, "prod/db", true },
    { { ARN .. "prod/db" }, "prod/db", true },
    { { ARN .. "prod/db-*" }, "prod/db", true },
    { { ARN .. "prod/db-??????" }, "prod/db2", false },
    { { ARN .. "app-??????" }, "app-master", false },
    { { (ANY:gsub("aws", "aws-cn", 1)) .. "prod/*" }, "prod/db", true, "cn-north-1" },
    { { "arn:*:secret:prod/*" }, "prod/db", true },
    { { "arn:*:secret:prod/*" }, "test/db", false },
    { { "arn:aws:s3:::prod/*" }, "prod/db", false },
    { {}, "prod/db", false },
}

describe("allow", function()
    for _, row in ipairs(ROWS) do
        local globs, resource, wanted, region = unpack(row, 1, 4)
        it(("%s: %s is %s"):format(table.concat(globs, ","), resource,
            wanted == EXACT and EXACT or wanted and "allowed" or "not"), function()
            if region == nil then
                region = "eu-west-1"
            end
            local allowed, exact = allow.check(globs, resource, region or nil)
            assert.equal(wanted ~= false, allowed)
            assert.equal(wanted == EXACT or nil, exact)
        end)
    end

    it("reads a list anew where it is another one", function()
        assert.is_true((allow.check({ "a" }, "a")))
        assert.is_false((allow.check({ "b" }, "a")))
    end)
end)
