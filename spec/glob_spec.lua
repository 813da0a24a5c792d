-- glob_spec - which texts a list of globs matches, and that none of them can stall a worker.

local glob = require "vault.glob"

local ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf"

-- globs, text, whether they match
local ROWS = {
    { { "name" }, "name", true },
    { { "name" }, "names", false },
    { { "name" }, "a name", false },
    { { "name" }, "", false },
    { { "" }, "", true },
    { { "*" }, "", true },
    { { "*" }, "anything/at:all", true },
    { { "**" }, "x", true },
    { { "prod/*" }, "prod/db", true },
    { { "prod/*" }, "prod/team/db", true },
    { { "prod/*" }, "prod/", true },
    { { "prod/*" }, "prod", false },
    { { "prod/*" }, "xprod/db", false },
    { { "*/db" }, "prod/db", true },
    { { "*/db" }, "prod/db2", false },
    { { "*db*" }, "prod/db2", true },
    { { "a*b*c" }, "abc", true },
    { { "a*b*c" }, "a1b2b3c", true },
    { { "a*b*c" }, "acb", false },
    { { "ab*ba" }, "aba", false }, -- the ends may not share a byte
    { { "ab*ba" }, "abba", true },
    { { "a*aa*a" }, "aaa", false },
    { { "a*aa*a" }, "aaaa", true },
    { { "?" }, "x", true },
    { { "?" }, "", false },
    { { "?" }, "xy", false },
    { { "db-??????" }, "db-AbCdEf", true },
    { { "db-??????" }, "db-AbCdE", false },
    { { "?*?" }, "x", false },
    { { "?*?" }, "xy", true },
    { { "*?b" }, "ab", true },
    { { "*?b" }, "b", false },
    { { "arn:aws:secretsmanager:*:123456789012:secret:prod/*" }, ARN, true },
    { { "arn:aws:secretsmanager:us-*:123456789012:secret:prod/*" }, ARN, false },
    { { "prod/*" }, ARN, false },
    -- all else is itself
    { { "a.b" }, "axb", false },
    { { "a.b" }, "a.b", true },
    { { "a+b-c%d" }, "a+b-c%d", true },
    { { "[a]" }, "a", false },
    { { "[a]" }, "[a]", true },
    { { "^a$" }, "^a$", true },
    { { "%a" }, "b", false },
    { { "a\\*b" }, "a*b", false },
    { { "Name" }, "name", false },
    -- of several, one is enough
    { { "a", "b*" }, "bc", true },
    { { "a", "b*" }, "c", false },
    { {}, "a", false },
}

describe("glob", function()
    for _, row in ipairs(ROWS) do
        it(("%s %s %q"):format(table.concat(row[1], ","),
            row[3] and "matches" or "does not match", row[2]), function()
            assert.equal(row[3], glob.compile(row[1])(row[2]))
        end)
    end

    -- Recursion over stars, for comparison: right and slow.
    local function slowly(pattern, text)
        if pattern == "" then
            return text == ""
        end
        local first, rest = pattern:sub(1, 1), pattern:sub(2)
        if first == "*" then
            return slowly(rest, text) or text ~= "" and slowly(pattern, text:sub(2))
        end
        return text ~= "" and (first == "?" or first == text:sub(1, 1))
            and slowly(rest, text:sub(2))
    end

    local function random_text(letters, length)
        local made = {}
        for i = 1, length do
            local at = math.random(#letters)
            made[i] = letters:sub(at, at)
        end
        return table.concat(made)
    end

    it("agrees with the simplest matcher on 20,000 random pairs", function()
        math.randomseed(5)
        for _ = 1, 20000 do
            local pattern = random_text("ab*?", math.random(0, 6))
            local text = random_text("ab", math.random(0, 7))
            assert.equal(slowly(pattern, text), glob.compile({ pattern })(text),
                pattern .. " on " .. text)
        end
    end)

    it("does not explode", function()
        local text = ("a"):rep(2048)
        local started = os.clock()
        assert.is_false(glob.compile({ ("*a"):rep(1000) .. "b" })(text))
        assert.is_false(glob.compile({ "*" .. ("?"):rep(1000) .. "b*c" })(text))
        assert.is_false(glob.compile({ ("*?"):rep(1023) .. "*b*" })(text))
        assert.is_true(os.clock() - started < 1)
    end)
end)
