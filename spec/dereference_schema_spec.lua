-- dereference_schema_spec - vault.dereference: references that are fields become values, all or
--                           none, and what update makes of them afterwards.

local rooms = require "spec.support.rooms"

describe("dereference", function()
    local dereference, restore, clock, secrets, evicted, during, news, warned, gets, fetched

    -- "{vault://aws/name/key}" over secrets: name -> { key = value, version }, or a word.
    local function stand_in()
        local resolve, found = {}, {}
        local function look(text)
            local name, key = text:match("aws/([%w-]+)/(%w+)")
            return name or text, secrets[name or text] or "not_found", key
        end
        function resolve.get(text)
            gets = gets + 1
            local _, secret, key = look(text)
            if during then
                during(text)
            end
            if type(secret) == "table" and secret[key] then
                return secret[key]
            end
            local word = type(secret) == "string" and secret or "key_not_found"
            return nil, "planted " .. word, word
        end
        function found.find(text)
            local name, secret = look(text)
            if evicted[text] or type(secret) ~= "table" then
                return nil
            end
            return { entry = { key = name }, snapshot = { version_id = secret.version,
                                                          good_until = clock + 10 } }
        end
        function found.good_until()
            return clock + 10
        end
        function found.catch_up()
            if news then
                news()
            end
        end
        return resolve, found
    end

    before_each(function()
        clock, secrets, evicted, warned, gets = 1000, {}, {}, {}, 0
        during, news, fetched = nil, nil, nil
        local resolve, found = stand_in()
        dereference, restore = rooms.load({ "vault.dereference" }, {
            ["vault.resolve"] = resolve, ["vault.held"] = found,
            ["vault.anew"] = { prefetch = function(texts) fetched = texts end },
        })
        dereference.configure { now = function() return clock end,
                                warn = function(message) warned[#warned + 1] = message end }
        secrets.db = { version = "v1", user = "u1", password = "p1" }
        secrets.other = { version = "w1", key = "k1" }
    end)
    after_each(function()
        restore()
    end)

    local USER, PASSWORD = "{vault://aws/db/user}", "{vault://aws/db/password}"
    local KEY, GONE = "{vault://aws/other/key}", "{vault://aws/gone/key}"
    local STRING = { type = "string", referenceable = true }
    local OPTIONAL = { type = "string", referenceable = true, required = false }

    local function rotate()
        local number = tonumber(secrets.db.version:sub(2)) + 1
        secrets.db = { version = "v" .. number, user = "u" .. number, password = "p" .. number }
        dereference.changed()
    end

    local SCHEMA = { fields = {
        { host = STRING }, { plain = { type = "string" } },
        { database = { type = "record", fields = { { user = STRING }, { password = STRING } } } },
        { tokens = { type = "set", elements = STRING } },
        { headers = { type = "map", values = STRING } },
        { items = { type = "array", elements = { type = "record", fields = {
            { key = STRING } } } } },
    } }

    local function conf_of()
        return {
            host = "h", plain = USER, database = { user = USER, password = PASSWORD },
            tokens = { "t", KEY }, headers = { x = KEY, y = "y" }, items = { {}, { key = KEY } },
        }
    end

    describe("by a schema", function()
        it("puts values in place and references beside them, as Kong has it", function()
            local conf = conf_of()
            assert.same({ conf }, { dereference.dereference(conf, SCHEMA) })
            assert.same({
                host = "h", plain = USER,
                database = { user = "u1", password = "p1",
                             ["$refs"] = { user = USER, password = PASSWORD } },
                tokens = { "t", "k1" }, headers = { x = "k1", y = "y" },
                items = { {}, { key = "k1", ["$refs"] = { key = KEY } } },
                ["$refs"] = { tokens = { [2] = KEY }, headers = { x = KEY } },
            }, conf)
            assert.equal(5, #fetched)
            assert.equal(5, gets)
        end)

        it("leaves a default of the schema alone", function()
            local conf = {}
            dereference.dereference(conf, { fields = { { a = {
                type = "string", referenceable = true, default = KEY } } } })
            assert.same({}, conf)
        end)
    end)

    it("without one leaves a text in the place of $refs alone", function()
        local conf = { host = KEY, inner = { ["$refs"] = KEY } }
        assert.equal(conf, dereference.dereference(conf))
        assert.same({ host = "k1", inner = { ["$refs"] = KEY }, ["$refs"] = { host = KEY } }, conf)
    end)

    it("without one takes all strings, and keeps the references in conf itself", function()
        local conf = conf_of()
        assert.equal(conf, dereference.dereference(conf))
        assert.same({
            host = "h", plain = "u1", database = { user = "u1", password = "p1" },
            tokens = { "t", "k1" }, headers = { x = "k1", y = "y" }, items = { {}, { key = "k1" } },
            ["$refs"] = {
                plain = USER, database = { user = USER, password = PASSWORD },
                tokens = { [2] = KEY }, headers = { x = KEY }, items = { [2] = { key = KEY } },
            },
        }, conf)
    end)

    for name, schema in pairs { ["by a schema"] = SCHEMA, ["without one"] = false } do
        describe(name, function()
            it("is what update keeps up to date", function()
                local conf = conf_of()
                dereference.dereference(conf, schema or nil)
                assert.same({ conf }, { dereference.update(conf) })
                rotate()
                assert.same({ conf }, { dereference.update(conf) })
                assert.same({ "u2", "p2" }, { conf.database.user, conf.database.password })
                secrets.other = { version = "w2", key = "k2" }
                dereference.changed()
                dereference.update(conf)
                assert.same({ "k2", "k2", "k2", "y" }, { conf.tokens[2], conf.headers.x,
                                                         conf.items[2].key, conf.headers.y })
            end)

            it("is all or none", function()
                local conf = conf_of()
                conf.tokens[3] = GONE
                local before = conf_of()
                before.tokens[3] = GONE
                assert.same({ nil, "tokens[3]: planted not_found", "not_found" },
                    { dereference.dereference(conf, schema or nil) })
                assert.same(before, conf)
                secrets.gone = { version = "x", key = "g" }
                assert.equal(conf, dereference.dereference(conf, schema or nil))
                assert.same({ "t", "k1", "g" }, conf.tokens)
            end)

            it("takes a value for a value, whatever it looks like", function()
                secrets.db.user = PASSWORD
                local conf = { database = { user = USER } }
                for _ = 1, 3 do
                    assert.equal(conf, dereference.dereference(conf, schema or nil))
                    assert.equal(PASSWORD, conf.database.user)
                end
                assert.equal(1, gets)
            end)

            it("sees to what is new, and leaves what is there", function()
                local conf = conf_of()
                dereference.dereference(conf, schema or nil)
                dereference.update(conf)
                conf.host, conf.headers.z = KEY, USER
                assert.equal(conf, dereference.dereference(conf, schema or nil))
                assert.same({ "k1", "u1", "k1" }, { conf.host, conf.headers.z, conf.headers.x })
                assert.same({ x = KEY, z = USER }, conf["$refs"].headers)
                assert.equal(KEY, conf["$refs"].host)
                rotate()
                dereference.update(conf)
                assert.same({ "u2", "u2" }, { conf.headers.z, conf.database.user })
            end)

            it("does nothing where nothing is a reference", function()
                local conf = { host = "h", tokens = {}, headers = { a = "b" } }
                assert.same({ conf }, { dereference.dereference(conf, schema or nil) })
                assert.same({ host = "h", tokens = {}, headers = { a = "b" } }, conf)
                assert.is_nil(fetched)
            end)
        end)
    end

    it("has the values of one secret of one version", function()
        local conf, count = conf_of(), 0
        during = function()
            count = count + 1
            if count == 1 then
                rotate()
            end
        end
        assert.equal(conf, dereference.dereference(conf, SCHEMA))
        assert.same({ "u2", "p2" }, { conf.database.user, conf.database.password })
    end)

    it("leaves what somebody else changed meanwhile", function()
        local conf = conf_of()
        during = function()
            conf.database.user, conf.tokens = "changed", nil
        end
        assert.equal(conf, dereference.dereference(conf, SCHEMA))
        assert.same({ "changed", "p1" }, { conf.database.user, conf.database.password })
        assert.same({ password = PASSWORD }, conf.database["$refs"])
        assert.is_nil(conf.tokens)
    end)

    it("takes two of one configuration at once", function()
        local conf = conf_of()
        during = function()
            during = nil
            assert.equal(conf, dereference.dereference(conf, SCHEMA))
        end
        assert.equal(conf, dereference.dereference(conf, SCHEMA))
        assert.same({ "u1", "k1" }, { conf.database.user, conf.tokens[2] })
        rotate()
        dereference.update(conf)
        assert.equal("u2", conf.database.user)
    end)

    describe("an optional field", function()
        local LOOSE = { fields = {
            { key = OPTIONAL }, { user = STRING },
            { inner = { type = "record", fields = { { password = OPTIONAL } } } },
            { map = { type = "map", values = OPTIONAL } },
        } }

        it("is absent where it has no value, with one warning", function()
            local conf = { key = GONE, user = USER, map = { a = GONE, b = KEY } }
            assert.same({ conf }, { dereference.dereference(conf, LOOSE) })
            assert.same({ user = "u1", map = { b = "k1" }, ["$refs"] = {
                key = GONE, user = USER, map = { a = GONE, b = KEY } } }, conf)
            table.sort(warned)
            assert.same({ "the optional field key has no value: planted not_found",
                          "the optional field map.a has no value: planted not_found" }, warned)
            for _ = 1, 5 do
                clock = clock + 2
                assert.same({ conf }, { dereference.update(conf) })
            end
            assert.equal(2, #warned)
        end)

        it("comes when it has one, and is warned of again when that changes", function()
            local conf = { key = GONE, inner = { password = "{vault://aws/gone/word}" } }
            dereference.dereference(conf, LOOSE)
            assert.equal(2, #warned)
            secrets.gone = { version = "x", key = "g" }
            clock = clock + 1
            assert.same({ conf }, { dereference.update(conf) })
            assert.equal("g", conf.key)
            assert.is_nil(conf.inner.password)
            assert.equal("the optional field inner.password has no value: planted key_not_found",
                warned[3])
            secrets.gone = "timeout"
            clock = clock + 10
            dereference.update(conf)
            assert.equal("g", conf.key)
            clock = clock + 10
            dereference.update(conf)
            assert.equal(5, #warned)
            assert.matches("^the optional field key has no value: planted timeout$", warned[4])
        end)

        it("is not warned of while it is only waited for, nor where conf stays", function()
            secrets.gone = "pending"
            local conf = { key = GONE }
            assert.same({ conf }, { dereference.dereference(conf, LOOSE) })
            assert.is_nil(conf.key)
            secrets.gone = nil
            conf = { key = GONE, user = "{vault://aws/gone/user}" }
            for _ = 1, 3 do
                assert.same({ nil, "user: planted not_found", "not_found" },
                    { dereference.dereference(conf, LOOSE) })
            end
            assert.same({ key = GONE, user = "{vault://aws/gone/user}" }, conf)
            assert.same({}, warned)
        end)

        it("beside one that is not does not hide that", function()
            local conf = { key = GONE, user = USER }
            dereference.dereference(conf, LOOSE)
            secrets.db = "timeout"
            dereference.changed()
            assert.same({ conf, "planted timeout", "timeout" }, { dereference.update(conf) })
            assert.equal("u1", conf.user)
        end)

        it("keeps no configuration alive", function()
            local watched = setmetatable({}, { __mode = "k" })
            for _ = 1, 100 do
                local conf = { key = GONE, user = USER }
                dereference.dereference(conf, LOOSE)
                dereference.update(conf)
                watched[conf] = true
            end
            collectgarbage()
            collectgarbage()
            collectgarbage()
            assert.is_nil(next(watched))
        end)
    end)

    describe("update", function()
        it("has one version of a secret though what was read first is gone again", function()
            local first
            function during(text)
                first = first or text
                if text ~= first then
                    evicted[first] = true
                    secrets.db = { version = "v2", user = "u2", password = "p2" }
                end
            end
            local conf = { ["$refs"] = { user = USER, password = PASSWORD } }
            assert.same({ conf, "the values of one secret are of different versions",
                          "key_not_found" }, { dereference.update(conf) })
            assert.same({}, { conf.user, conf.password })
        end)

        it("learns first what other workers changed, where nothing else does", function()
            local conf = { ["$refs"] = { user = USER } }
            dereference.update(conf)
            news = rotate
            dereference.update(conf)
            assert.equal("u2", conf.user)
        end)
    end)

    it("shows names as they may be shown", function()
        assert.equal("a\\x0ab.x[2]: planted not_found",
            (select(2, dereference.dereference { ["a\nb"] = { x = { "", GONE } } })))
    end)

    it("raises for what is no table, at the caller's place", function()
        for _, wrong in ipairs { { "x" }, { 7, {} }, { {}, "x" }, { {}, {} }, { {}, true } } do
            local ok, message = pcall(function()
                dereference.dereference(wrong[1], wrong[2])
            end)
            assert.is_false(ok)
            assert.matches("dereference_schema_spec%.lua:%d+: %l+ must be a table", message)
        end
        assert.error_matches(function()
            dereference.dereference({ a = {} }, { fields = { { a = { type = "array" } } } })
        end, "^the schema is malformed: array without elements")
    end)
end)
