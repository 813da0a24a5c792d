-- resolve_spec - a reference to its value: the hot path, keys, base64, what is seen of a rotation.

local node = require "spec.support.node"

local CANARY = "canary-5ecret"

describe("resolve", function()
    local one, aws, world

    before_each(function()
        one = node.new()
        aws, world = one.aws, one.world
        one:start_worker()
        aws.secrets["db/main"] = {
            AWSCURRENT = '{"user":"u2","password":"p2","n":17,"t":true,"z":null,"o":{},"a":[],'
                .. '"e":"","b":"YQBi"}',
            AWSPREVIOUS = '{"user":"u1","password":"p1"}',
        }
    end)
    after_each(function()
        one:stop()
    end)

    local function get(text)
        return one.resolve.get(text)
    end

    local function fails(...)
        return one:fails(...)
    end

    it("tells what it holds, once for each secret of a vault", function()
        aws.secrets.other = { AWSCURRENT = '{"k":"v"}' }
        for _, text in ipairs { "{vault://aws/db/main/user}", "{vault://aws/db/main/password}",
                                "{vault://john/db/main/user}", "$secret://aws/john/other/k",
                                "{vault://env/plain}", "{vault://aws/none/k}" } do
            get(text)
        end
        local list = one.held.secrets()
        table.sort(list, function(a, b) return a.reference < b.reference end)
        assert.same({ "$secret://aws/john/other/k", "john" },
            { list[1].reference, list[1].vault })
        assert.same({ "aws", "john", 3 }, { list[2].vault, list[3].vault, #list })
        assert.equal(world.clock, list[3].began)
    end)

    describe("the value", function()
        local ROWS = {
            { "{vault://aws/db/main/user}", "u2" },
            { "{vault://aws/db/main/user#1}", "u2" },
            { "{vault://aws/db/main/user#2}", "u1" },
            { "{vault://john/db/main/password}", "p2" },
            { "$secret://aws/john/db/main/user", "u2" },
            { "{vault://aws/db/main/e}", "" },
            { "{vault://aws/plain}", "text" },
            { "{vault://aws/empty}", "" },
            { "{vault://aws/bytes}", "\0\255" },
        }
        for _, row in ipairs(ROWS) do
            it("of " .. row[1], function()
                aws.secrets.plain = { AWSCURRENT = "text" }
                aws.secrets.empty = { AWSCURRENT = "" }
                aws.secrets.bytes = { AWSCURRENT = "\0\255", binary = true }
                for _ = 1, 2 do
                    assert.same({ row[2] }, { get(row[1]) })
                end
            end)
        end

        it("comes without a cache too", function()
            one:start_worker { cached = false }
            assert.equal("u2", get("{vault://aws/db/main/user}"))
            assert.equal("u2", get("{vault://aws/db/main/user}"))
            assert.equal(2, #aws.asked)
        end)
    end)

    describe("the hot path", function()
        it("is one look-up: nothing is parsed or asked again", function()
            for _ = 1, 10 do
                assert.equal("u2", get("{vault://aws/db/main/user?ttl=10}"))
            end
            assert.equal(1, one.parses)
            assert.equal(1, #aws.asked)
        end)

        it("ends with the ttl", function()
            get("{vault://aws/db/main/user?ttl=10}")
            one:rotate("db/main", '{"user":"u3"}')
            world:pass(9.99)
            assert.equal("u2", get("{vault://aws/db/main/user?ttl=10}"))
            world:pass(0.01)
            assert.equal("u3", get("{vault://aws/db/main/user?ttl=10}"))
        end)

        it("never ends where the ttl is 0", function()
            get("{vault://aws/db/main/user}")
            one:rotate("db/main", '{"user":"u3"}')
            world:pass(1e9)
            assert.equal("u2", get("{vault://aws/db/main/user}"))
        end)

        it("ends with the smaller ttl of another reference to the secret", function()
            get("{vault://aws/db/main/user?ttl=60}")
            get("{vault://aws/db/main/password?ttl=5}")
            one:rotate("db/main", '{"user":"u3","password":"p3"}')
            world:pass(5)
            assert.equal("u3", get("{vault://aws/db/main/user?ttl=60}"))
        end)

        it("is not for failures", function()
            for _ = 1, 3 do
                fails("not_found", "{vault://aws/missing/k}")
            end
            assert.equal(3, #aws.asked)
        end)

        it("is for old values while AWS is away, one question a second", function()
            get("{vault://aws/db/main/user?ttl=10}")
            aws.secrets["db/main"] = "timeout"
            world:pass(10)
            for _ = 1, 100 do
                assert.equal("u2", get("{vault://aws/db/main/user?ttl=10}"))
                assert.equal("p2", get("{vault://aws/db/main/password?ttl=10}"))
                world:pass(0.0499)
            end
            assert.is_true(#aws.asked >= 5 and #aws.asked <= 7, #aws.asked)
        end)

        it("keeps to each reference's own resurrect_ttl", function()
            local strict = "{vault://aws/db/main/user?ttl=10&resurrect_ttl=5}"
            local lenient = "{vault://aws/db/main/password?ttl=10&resurrect_ttl=100}"
            get(strict)
            get(lenient)
            aws.secrets["db/main"] = "timeout"
            for second = 1, 30 do
                world:pass(1)
                assert.equal("p2", get(lenient))
                assert.equal(second < 15 and "u2" or nil, (get(strict)))
            end
        end)

        it("holds a bounded number of values", function()
            one:start_worker { max_entries = 3 }
            for i = 1, 20 do
                aws.secrets["s" .. i] = { AWSCURRENT = "v" .. i }
            end
            for _ = 1, 2 do
                for i = 1, 20 do
                    assert.equal("v" .. i, get(("{vault://aws/s%d}"):format(i)))
                end
            end
        end)

        it("forgets at drop, and where the vaults are others", function()
            one:start_worker { alone = true }
            get("{vault://aws/db/main/user}")
            one.resolve.drop()
            get("{vault://aws/db/main/user}")
            assert.equal(2, #aws.asked)
            one:start_worker { alone = true }
            one.configure()
            one:rotate("db/main", '{"user":"u3"}')
            assert.equal("u3", get("{vault://aws/db/main/user}"))
            one.configure()
            one:rotate("db/main", '{"user":"u4"}')
            assert.equal("u4", get("{vault://aws/db/main/user}"))
        end)
    end)

    describe("a rotation", function()
        local USER = "{vault://aws/db/main/user?ttl=%d}"
        local PASSWORD = "{vault://aws/db/main/password?ttl=%d}"

        it("is never seen by half", function()
            for _, ttls in ipairs { { 10, 10 }, { 60, 7 }, { 7, 60 } } do
                local user, password = USER:format(ttls[1]), PASSWORD:format(ttls[2])
                for version = 3, 12 do
                    for _ = 1, 9 do
                        local name, word = get(user), get(password)
                        assert.equal(name:sub(2), word:sub(2))
                        world:pass(0.9)
                    end
                    one:rotate("db/main",
                        ('{"user":"u%d","password":"p%d"}'):format(version, version))
                end
            end
        end)

        it("is seen by other workers from the dict, whole", function()
            local user, password = USER:format(10), PASSWORD:format(10)
            get(user)
            local first = one.resolve
            one:start_worker()
            assert.equal("p2", get(password))
            one:rotate("db/main", '{"user":"u3","password":"p3"}')
            world:pass(10)
            assert.equal("p3", get(password))
            assert.equal("u3", first.get(user))
            assert.equal("p3", first.get(password))
            assert.equal(2, #aws.asked)
        end)

        it("is not undone by a failure", function()
            local user = USER:format(10)
            get(user)
            one:rotate("db/main", '{"user":"u3"}')
            world:pass(10)
            assert.equal("u3", get(user))
            aws.secrets["db/main"] = "timeout"
            world:pass(10)
            assert.equal("u3", get(user))
        end)
    end)

    describe("a key", function()
        local ROWS = {
            { "n", "not_a_string", "a number" }, { "t", "not_a_string", "true" },
            { "z", "not_a_string", "null" }, { "o", "not_a_string", "an object" },
            { "a", "not_a_string", "an array" }, { "other", "key_not_found", "no such key" },
        }
        for _, row in ipairs(ROWS) do
            it("whose value is " .. row[3], function()
                fails(row[2], "{vault://aws/db/main/" .. row[1] .. "}",
                    ('key "%s" of secret "db/main"'):format(row[1]), row[3])
            end)
        end

        local TEXTS = {
            { CANARY, "json_syntax" }, { ('"%s"'):format(CANARY), "not_an_object" },
            { ('["%s"]'):format(CANARY), "not_an_object" },
            { ('{"k":["%s"]}'):format(CANARY), "not_a_string" },
            { ('{"k":{"%s":"%s"}}'):format(CANARY, CANARY), "not_a_string" },
            { ('{"k":"%s","k":"%s"}'):format(CANARY, CANARY), "json_duplicate" },
            { ('{"k":"%s"} %s'):format(CANARY, CANARY), "json_trailing" },
            { ('{"k":"%s\\x"}'):format(CANARY), "json_escape" },
            { ('{"k":"%s\\ud800"}'):format(CANARY), "json_surrogate" },
            { ('{"k":"%s\255"}'):format(CANARY), "json_utf8" },
            { ('{"%s":"x"}'):format(CANARY), "key_not_found" },
            { "", "json_syntax" },
        }
        for i, row in ipairs(TEXTS) do
            it(("of text %d is %s, and nothing of the secret is shown"):format(i, row[2]),
                function()
                    aws.secrets.bad = { AWSCURRENT = row[1] }
                    fails(row[2], "{vault://aws/bad/k}", 'key "k" of secret "bad"')
                end)
        end

        it("is shown escaped", function()
            fails("key_not_found", "{vault://aws/db/main/%C3%A9%22}", 'key "\\xc3\\xa9"" of')
        end)
    end)

    describe("base64_decode", function()
        before_each(function()
            aws.secrets.whole = { AWSCURRENT = "YQBi" }
            aws.secrets.bytes = { AWSCURRENT = "\0\255", binary = true }
            aws.secrets.json = { AWSCURRENT = '{"k":"YQBi"}', binary = true }
            aws.secrets.bad = { AWSCURRENT = CANARY }
        end)

        local ROWS = {
            { "{vault://aws/whole?base64_decode=true}", "a\0b" },
            { "{vault://aws/whole}", "YQBi" },
            { "{vault://aws/db/main/b?base64_decode=true}", "a\0b" },
            { "{vault://b64/db/main/b}", "a\0b" },
            { "$secret://aws/b64/db/main/b", "a\0b" },
            { "{vault://b64/db/main/b?base64_decode=false}", "YQBi" },
            { "{vault://b64/bytes}", "\0\255" },
            { "{vault://b64/json/k}", "a\0b" },
            { "{vault://env/sixty-four?base64_decode=true}", "a\0b" },
            { "{vault://env/sixty-four}", "YQBi" },
            { "{vault://env/json-64/k?base64_decode=true}", "a\0b" },
        }
        for _, row in ipairs(ROWS) do
            it("undoes it, once, where it is asked for: " .. row[1], function()
                assert.same({ row[2] }, { get(row[1]) })
                assert.same({ row[2] }, { get(row[1]) })
            end)
        end

        it("of what is none is an error that does not show it", function()
            fails("bad_base64", "{vault://b64/bad}")
            fails("bad_base64", "{vault://aws/db/main/user?base64_decode=true}")
            fails("bad_base64", "{vault://env/my-json/user?base64_decode=true}")
        end)
    end)

    describe("environment references", function()
        local ROWS = {
            { "{vault://env/plain}", "value" }, { "$env://PLAIN", "value" },
            { "$ENV://PLAIN", "value" },
            { "{vault://env/my-json/user}", "u" }, { "$env://MY_JSON/user", "u" },
            { "{vault://app/one}", "prefixed" }, { "{vault://env/one?prefix=app_}", "prefixed" },
        }
        for _, row in ipairs(ROWS) do
            it(row[1], function()
                assert.same({ row[2] }, { get(row[1]) })
                assert.equal(0, #aws.asked)
            end)
        end

        it("fail with the word", function()
            fails("not_found", "{vault://env/not-set}", "NOT_SET is not set")
            fails("not_found", "$env://plain", "plain is not set")
            fails("key_not_found", "$env://MY_JSON/k", 'key "k" of variable "MY_JSON"')
            fails("not_a_string", "{vault://env/my-json/n}", 'key "n" of variable "my-json"')
            fails("refused", "{vault://env/aws-secret-access-key}")
            fails("refused", "$env://AWS_SECRET_ACCESS_KEY")
        end)
    end)

    describe("a failure", function()
        it("of the reference itself", function()
            fails("not_a_reference", CANARY)
            fails("bad_reference", "{vault://aws/n/k?ttl=x}", "ttl")
            fails("bad_reference", "{vault://john/n/k?prefix=x}", "prefix")
            fails("unknown_vault", "{vault://other/n}", "other")
            fails("unknown_vault", "$secret://aws/other/n/k", "other")
            fails("unknown_vault", "$secret://vault/john/n/k", "john")
        end)

        it("of a key that the secret lacks ends when it has it, be its ttl 0", function()
            for seconds, text in pairs { [1] = "{vault://aws/db/late}",
                                         [5] = "{vault://aws/db/late?neg_ttl=5}" } do
                aws.secrets.db = { AWSCURRENT = '{"user":"u"}' }
                one.cache:flush()
                one.resolve.drop()
                one:asked()
                fails("key_not_found", text)
                aws.secrets.db.AWSCURRENT = '{"user":"u","late":"v"}'
                world:pass(seconds - 0.01)
                fails("key_not_found", text)
                assert.equal(1, #one:asked())
                world:pass(0.02)
                assert.equal("v", one.resolve.get(text))
                assert.equal("v", one.resolve.get(text))
                assert.equal(1, #one:asked())
            end
        end)

        it("of a key that the secret goes on lacking asks once a second", function()
            for _ = 1, 50 do
                fails("key_not_found", "{vault://aws/db/main/late}")
                world:pass(0.1)
            end
            assert.equal(5, #one:asked())
            assert.equal("u2", one.resolve.get("{vault://aws/db/main/user}"))
        end)

        it("that may be cached is, for neg_ttl", function()
            for _ = 1, 3 do
                fails("access_denied", (function()
                    aws.secrets.denied = "access_denied"
                    return "{vault://aws/denied/k?neg_ttl=5}"
                end)())
            end
            assert.equal(1, #aws.asked)
            world:pass(5.001)
            fails("access_denied", "{vault://aws/denied/k?neg_ttl=5}")
            assert.equal(2, #aws.asked)
            aws.secrets.broken = "internal"
            fails("internal", "{vault://aws/broken/k?neg_ttl=5}")
            fails("internal", "{vault://aws/broken/k?neg_ttl=5}")
            assert.equal(4, #aws.asked)
        end)
    end)
end)
