-- policy_spec - the ARN of a secret, as narrow as it is known, and the text of a policy.

local cjson = require "cjson"
local policy = require "vault.policy"

local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"

describe("policy.secret", function()
    local HERE = { region = "eu-west-1", partition = "aws" }

    -- what is known, and the ARN
    local ROWS = {
        { "of AWS's answer", { arn = ARN .. "db-AbCdEf", resource = "db" }, ARN .. "db-AbCdEf" },
        { "of the reference", { resource = ARN .. "db-AbCdEf" }, ARN .. "db-AbCdEf" },
        { "of a reference without the suffix", { resource = ARN .. "team/db" },
          ARN .. "team/db-??????" },
        { "of a name", { resource = "team/db" }, "arn:aws:secretsmanager:eu-west-1:*:secret:"
          .. "team/db-??????" },
        { "of a name that looks as if it had the suffix", { resource = "db-AbCdEf" },
          "arn:aws:secretsmanager:eu-west-1:*:secret:db-AbCdEf-??????" },
        { "of a name in an account", { resource = "db", account = "210987654321" },
          "arn:aws:secretsmanager:eu-west-1:210987654321:secret:db-??????" },
        { "of a name in another partition",
          { resource = "db", region = "cn-north-1", partition = "aws-cn" },
          "arn:aws-cn:secretsmanager:cn-north-1:*:secret:db-??????" },
        { "of a name with IAM's own characters", { resource = "a*b?c$d" },
          "arn:aws:secretsmanager:eu-west-1:*:secret:a${*}b${?}c${$}d-??????" },
        { "of nothing that AWS would answer with", { resource = ARN },
          "arn:aws:secretsmanager:eu-west-1:*:secret:" .. ARN .. "-??????" },
    }
    for _, row in ipairs(ROWS) do
        it(row[1], function()
            local known = {}
            for _, from in ipairs { HERE, row[2] } do
                for name, value in pairs(from) do
                    known[name] = value
                end
            end
            assert.equal(row[3], policy.secret(known))
        end)
    end

    it("is none where the region is not known, but of an ARN", function()
        assert.is_nil(policy.secret { resource = "db" })
        assert.is_nil(policy.secret { resource = "db", region = "eu-west-1" })
        assert.equal(ARN .. "db-AbCdEf", policy.secret { resource = ARN .. "db-AbCdEf" })
    end)
end)

describe("policy.account", function()
    it("is the one of a role's ARN", function()
        assert.equal("123456789012", policy.account("arn:aws-cn:iam::123456789012:role/a/b"))
        assert.is_nil(policy.account("arn:aws:sts::123456789012:assumed-role/a/b"))
        assert.is_nil(policy.account("role"))
    end)
end)

describe("policy.lines", function()
    it("are the JSON of one statement, in one order", function()
        local lines = policy.lines("secretsmanager:GetSecretValue", ARN .. "db-AbCdEf")
        assert.same({ "{", '  "Version": "2012-10-17",', '  "Statement": [', "    {",
                      '      "Effect": "Allow",',
                      '      "Action": "secretsmanager:GetSecretValue",',
                      '      "Resource": "' .. ARN .. 'db-AbCdEf"', "    }", "  ]", "}" }, lines)
    end)

    it("are JSON whatever the name holds", function()
        for text, shown in pairs {
            ['a"b\\c'] = 'a"b\\c', ["a\nb\0c\127"] = "a?b?c?", ["\195\164"] = "??",
            ["\\\""] = "\\\"", ["a/b"] = "a/b",
        } do
            local document = cjson.decode(table.concat(policy.lines("a:B", text), "\n"))
            assert.same({ { Effect = "Allow", Action = "a:B", Resource = shown } },
                document.Statement)
            assert.equal("2012-10-17", document.Version)
        end
    end)
end)
