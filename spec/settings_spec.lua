-- settings_spec - settings and variables with their references resolved, over a resolve and an
--                 environment that are tables.

local rooms = require "spec.support.rooms"
local workers = require "spec.support.worker"

describe("settings", function()
    local settings, restore, values, variables, asked, fetched

    before_each(function()
        values, variables, asked, fetched = {}, {}, {}, nil
        settings, restore = rooms.load({ "vault.settings" }, {
            ["vault.environment"] = rooms.environment(variables),
            ["vault.anew"] = { prefetch = function(texts) fetched = texts end },
            ["vault.resolve"] = { get = function(text)
                asked[#asked + 1] = text
                local value = values[text:match("([^/]*)}$")] or { "not_found" }
                if type(value) == "table" then
                    return nil, "planted " .. value[1], value[1]
                end
                return value
            end },
        })
    end)
    after_each(function()
        restore()
    end)

    local function ref(name)
        return "{vault://aws/" .. name .. "}"
    end

    describe("read", function()
        it("gives variables by name and settings as they are named", function()
            values.a, values.b = "value a", ""
            variables.PG_USER, variables.PG_HOST, variables.EMPTY = ref "a", "localhost", ""
            local wanted = { "PG_USER", "PG_HOST", "EMPTY", "NOT_SET", redis = ref "b",
                             port = 6379, tls = false, ["with space"] = "text " .. ref "a" }
            assert.same({
                PG_USER = "value a", PG_HOST = "localhost", EMPTY = "", redis = "", port = 6379,
                tls = false, ["with space"] = "text " .. ref "a",
            }, settings.read(wanted))
            assert.equal(ref "b", wanted.redis)
            assert.same({ ref "a", ref "b" }, asked)
            assert.same({ ref "a", ref "b" }, fetched)
        end)

        it("gives a new table, and asks for nothing where nothing is a reference", function()
            local wanted = { a = "text" }
            local given = settings.read(wanted)
            assert.same(wanted, given)
            assert.are_not.equal(wanted, given)
            assert.same({}, settings.read({}))
            assert.same({}, asked)
        end)

        it("gives nothing where one has no value", function()
            values.a = "value a"
            variables.A = ref "a"
            assert.same({ nil, "B: planted not_found; 1 of 2 references have no value",
                          "not_found" }, { settings.read { "A", B = ref "b" } })
            assert.same({ nil, "B: planted not_found", "not_found" },
                { settings.read { B = ref "b", C = "text" } })
        end)

        it("hands on that a variable is not for references", function()
            assert.same({ nil, "AWS_SECRET_ACCESS_KEY: planted refusal", "refused" },
                { settings.read { "AWS_SECRET_ACCESS_KEY" } })
        end)

        it("raises for what it cannot mean, at the caller's place", function()
            for _, wrong in ipairs { { {} }, { a = {} }, { 7 }, { [true] = "x" }, { true },
                                     { "A", A = "x" }, { "A", [3] = {} }, { a = newproxy() } } do
                local ok, message = pcall(function() settings.read(wrong) end)
                assert.is_false(ok)
                assert.matches("settings_spec%.lua:%d+: vault%.environment", message)
            end
            for _, wrong in ipairs { "A", 7, true } do
                local ok, message = pcall(function() settings.read(wrong) end)
                assert.is_false(ok)
                assert.matches("settings_spec%.lua:%d+: vault%.environment takes a table", message)
            end
            assert.same({}, asked)
        end)
    end)

    describe("resolve", function()
        it("names the first by name, shown, and counts", function()
            values.b, values.c, values.d = "value b", { "key_not_found" }, { "access_denied" }
            assert.same({ nil, "c: planted key_not_found; 2 of 3 references have no value",
                          "key_not_found" },
                { settings.resolve { d = ref "d", b = ref "b", c = ref "c" } })
            assert.same({ ref "b", ref "c", ref "d" }, asked)
            assert.matches("^a\\x0ab: ", (select(2, settings.resolve { ["a\nb"] = ref "x" })))
        end)

        it("asks no further where AWS is away", function()
            values.a, values.b, values.c = "value a", { "timeout" }, "value c"
            assert.same({ nil, "b: planted timeout; the 2 after it were not asked for",
                          "timeout" }, { settings.resolve {
                              a = ref "a", b = ref "b", c = ref "c", d = ref "d" } })
            assert.same({ ref "a", ref "b" }, asked)
            values.a = { "not_found" }
            assert.same({ nil, "a: planted not_found; the 1 after it were not asked for",
                          "not_found" }, { settings.resolve {
                              a = ref "a", b = ref "b", c = ref "c" } })
            assert.same({ nil, "a: planted not_found; 2 of 2 references have no value",
                          "not_found" }, { settings.resolve { a = ref "a", b = ref "b" } })
        end)
    end)

    describe("in init", function()
        local node

        before_each(function()
            node = workers.new()
            node.world.ngx.shared.vault_secrets = node.world:dict()
        end)
        after_each(function()
            node:stop()
        end)

        local function master(own)
            local worker = node:load(own)
            node.world:call("init", worker.vault.init)
            return worker
        end

        it("has twenty secrets by one call, and their values for what comes after", function()
            local wanted, expected, own = {}, {}, { AWS_REGION = "us-east-1" }
            for i = 1, 25 do
                node.aws.secrets["s" .. i] = { AWSCURRENT = ('{"k":"v%d"}'):format(i) }
                wanted[i], own["V" .. i] = "V" .. i, ("{vault://aws/s%d/k}"):format(i)
                expected["V" .. i] = "v" .. i
            end
            local worker = master(own)
            assert.same(expected, node.world:call("init", function()
                return worker.vault.environment(wanted)
            end))
            assert.equal(2, node:calls())
            assert.equal("v7", node.world:call("init", function()
                return worker.vault.get(own.V7)
            end))
            assert.equal(0, node:calls())
        end)

        it("says what is missing, and gives nothing", function()
            node.aws.secrets.db = { AWSCURRENT = '{"user":"u"}' }
            local worker = master()
            assert.same({ nil, 'password: key "password" of secret "db": the secret has no such '
                          .. "key; 1 of 2 references have no value", "key_not_found" },
                { node.world:call("init", function()
                    return worker.vault.environment { user = "{vault://aws/db/user}",
                                                      password = "{vault://aws/db/password}" }
                end) })
        end)

        it("is over soon where AWS is away", function()
            node.aws.word, node.aws.delay = function() return "timeout" end, 9
            local worker, wanted = master(), {}
            for i = 1, 100 do
                wanted["s" .. i] = ("{vault://aws/s%d/k}"):format(i)
            end
            local before = node.world.clock
            assert.equal("timeout", (select(3, node.world:call("init", function()
                return worker.vault.environment(wanted)
            end))))
            assert.is_true(node.world.clock - before <= 20)
        end)

        it("has the same of a configuration", function()
            node.aws.secrets.a = { AWSCURRENT = '{"k":"va"}' }
            node.aws.secrets.b = { AWSCURRENT = '{"k":"vb"}' }
            local worker = master()
            local conf = { a = "{vault://aws/a/k}", deep = { "{vault://aws/b/k}" } }
            assert.equal(conf, node.world:call("init", function()
                return worker.vault.dereference(conf)
            end))
            assert.same({ "va", "vb" }, { conf.a, conf.deep[1] })
            assert.equal(1, node:calls())
        end)
    end)
end)
