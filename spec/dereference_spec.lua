-- dereference_spec - `$refs` of configurations and their values, over a vault.resolve that the spec
--                    holds in its hands.

local rooms = require "spec.support.rooms"

describe("dereference", function()
    local dereference, restore, clock, secrets, held, gets, used, during, warmed

    -- vault.resolve and vault.held over `secrets`: name -> { version, good_until, spoilt = { key },
    -- fields.. }, or the word it fails with.
    local function stand_in()
        local resolve, found = {}, {}
        function resolve.get(text)
            gets = gets + 1
            local name, key = text:match("aws/(%w+)/(%w+)")
            if during then
                during(text)
            end
            local secret = secrets[name] or "not_found"
            local value = type(secret) == "table" and secret[key]
            if not value then
                held[text] = nil
                local word = type(secret) == "string" and secret or "key_not_found"
                return nil, "planted " .. word .. " of " .. text, word
            end
            held[text] = { entry = { key = name }, spoilt = secret.spoilt and secret.spoilt[key],
                           snapshot = { version_id = secret.version,
                                        good_until = secret.good_until or clock + 10 } }
            return value
        end
        function found.find(text)
            return held[text]
        end
        function found.good_until(text)
            return held[text] and held[text].snapshot.good_until or clock
        end
        function found.mark_used(text)
            used[text] = true
        end
        function found.catch_up()
        end
        return resolve, found
    end

    before_each(function()
        clock, secrets, held, gets, used, during, warmed = 1000, {}, {}, 0, {}, nil, nil
        local resolve, found = stand_in()
        dereference, restore = rooms.load({ "vault.dereference" }, {
            ["vault.resolve"] = resolve, ["vault.held"] = found,
            ["vault.anew"] = { warmup = function(texts)
                warmed = texts
                return nil, "planted", "not_found"
            end },
        })
        dereference.configure { now = function() return clock end }
        secrets.db = { version = "v1", user = "u1", password = "p1" }
        secrets.other = { version = "w1", key = "k1" }
    end)
    after_each(function()
        restore()
    end)

    local USER, PASSWORD = "{vault://aws/db/user}", "{vault://aws/db/password}"

    local function db_conf()
        return { host = "h", ["$refs"] = { user = USER, password = PASSWORD } }
    end

    local function rotate()
        local now_at = tonumber(secrets.db.version:sub(2)) + 1
        secrets.db = { version = "v" .. now_at, user = "u" .. now_at, password = "p" .. now_at }
        dereference.changed()
    end

    describe("update", function()
        it("puts values beside the references, in place", function()
            local conf = db_conf()
            local given, message, word = dereference.update(conf)
            assert.equal(conf, given)
            assert.is_nil(message or word)
            assert.same({ "u1", "p1", "h" }, { conf.user, conf.password, conf.host })
            assert.equal(USER, conf["$refs"].user)
        end)

        it("finds them at any depth, in arrays, maps and what loops", function()
            local deep = { ["$refs"] = { key = "{vault://aws/other/key}" } }
            local inner = deep
            for _ = 1, 200 do
                inner = { inner }
            end
            local conf = {
                inner = inner,
                list = { "a", "b", "c" }, map = { x = "y" },
                ["$refs"] = { list = { nil, USER, PASSWORD }, map = { z = USER }, plain = "text",
                              number = 7, absent = { USER } },
                items = { { ["$refs"] = { name = USER } }, { ["$refs"] = { name = PASSWORD } } },
            }
            conf.self, conf.items[1].up = conf, conf
            dereference.update(conf)
            assert.equal("k1", deep.key)
            assert.same({ "a", "u1", "p1" }, conf.list)
            assert.same({ x = "y", z = "u1" }, conf.map)
            assert.same({ "u1", "p1" }, { conf.items[1].name, conf.items[2].name })
            assert.is_nil(conf.plain)
            assert.is_nil(conf.absent)
            assert.equal(7, #dereference.fields(conf))
        end)

        it("looks at nothing again where nothing has changed", function()
            local conf = db_conf()
            dereference.update(conf)
            assert.equal(2, gets)
            for _ = 1, 100 do
                clock = clock + 0.05
                assert.equal(conf, dereference.update(conf))
            end
            assert.equal(2, gets)
        end)

        it("looks again where the first of its values is no longer good", function()
            local conf = db_conf()
            secrets.other.good_until = clock + 3
            conf["$refs"].key = "{vault://aws/other/key}"
            dereference.update(conf)
            clock = clock + 2.99
            dereference.update(conf)
            assert.equal(3, gets)
            clock = clock + 0.01
            dereference.update(conf)
            assert.equal(6, gets)
        end)

        it("looks again where any secret has changed", function()
            local conf = db_conf()
            dereference.update(conf)
            rotate()
            dereference.update(conf)
            assert.same({ "u2", "p2" }, { conf.user, conf.password })
            assert.equal(4, gets)
            dereference.update(conf)
            assert.equal(4, gets)
        end)

        it("does not mind that parts of the configuration come, go and change", function()
            local conf = { a = db_conf(), b = db_conf() }
            dereference.update(conf)
            conf.a, conf.b = nil, { new = true }
            rotate()
            dereference.update(conf)
            assert.same({ b = { new = true } }, conf)
            conf.b = "text"
            rotate()
            dereference.update(conf)
            assert.same({ b = "text" }, conf)
        end)

        it("does not run a configuration's metamethods", function()
            local function never()
                error("it ran")
            end
            local inner = setmetatable({}, { __index = never, __newindex = never })
            local conf = setmetatable({ inner = inner, ["$refs"] = { list = { USER } } },
                { __index = never })
            assert.has_no.errors(function() dereference.update(conf) end)
        end)

        it("takes a configuration without references", function()
            local conf = { a = { b = 1 }, ["$refs"] = {} }
            assert.equal(conf, dereference.update(conf))
            dereference.update({ ["$refs"] = "text" })
            assert.equal(0, gets)
        end)

        it("raises for what is no table", function()
            local ok, message = pcall(function() dereference.update("x") end)
            assert.is_false(ok)
            assert.matches("dereference_spec%.lua:%d+: conf must be a table", message)
        end)
    end)

    describe("a value that is not there", function()
        it("leaves its field absent, and says so each time", function()
            local conf = db_conf()
            conf["$refs"].key = "{vault://aws/gone/key}"
            for _ = 1, 3 do
                local given, message, word = dereference.update(conf)
                assert.equal(conf, given)
                assert.equal("planted not_found of {vault://aws/gone/key}", message)
                assert.equal("not_found", word)
                assert.is_nil(conf.key)
                assert.same({ "u1", "p1" }, { conf.user, conf.password })
            end
            assert.equal(3, gets)
        end)

        it("is looked for again after a second", function()
            local conf = { ["$refs"] = { key = "{vault://aws/gone/key}" } }
            dereference.update(conf)
            clock = clock + 0.99
            secrets.gone = { version = "v", key = "found" }
            dereference.update(conf)
            assert.is_nil(conf.key)
            clock = clock + 0.01
            assert.same({ conf }, { dereference.update(conf) })
            assert.equal("found", conf.key)
        end)

        it("stays as it was where it was", function()
            local conf = db_conf()
            dereference.update(conf)
            secrets.db = "timeout"
            clock = clock + 10
            assert.equal("timeout", (select(3, dereference.update(conf))))
            assert.same({ "u1", "p1" }, { conf.user, conf.password })
        end)

        it("is asked for once, however often the others change meanwhile", function()
            local conf = db_conf()
            conf["$refs"].key = "{vault://aws/gone/key}"
            local asked = 0
            during = function(text)
                if text:find("gone", 1, true) then
                    asked = asked + 1
                    rotate()
                end
            end
            dereference.update(conf)
            assert.equal(1, asked)
            assert.same({ "u2", "p2" }, { conf.user, conf.password })
        end)
    end)

    describe("the fields of one secret", function()
        it("switch together though it changes between two look-ups", function()
            for switch = 1, 6 do
                local conf, count = db_conf(), 0
                secrets.db = { version = "v1", user = "u1", password = "p1" }
                during = function()
                    count = count + 1
                    if count <= switch and count % 2 == 0 then
                        rotate()
                    end
                end
                dereference.update(conf)
                assert.equal(conf.user and conf.user:sub(2), conf.password and conf.password:sub(2))
                during = nil
                clock = clock + 1
                dereference.update(conf)
                assert.equal(secrets.db.user, conf.user)
                assert.equal(secrets.db.password, conf.password)
            end
        end)

        it("are none, and said to be, where it changes at every look-up", function()
            local conf = db_conf()
            conf["$refs"].key = "{vault://aws/other/key}"
            during = rotate
            local _, message, word = dereference.update(conf)
            assert.equal("the values of one secret are of different versions", message)
            assert.equal("key_not_found", word)
            assert.same({ "k1" }, { conf.key, conf.user, conf.password })
        end)

        it("all stay where one of the new version cannot be used", function()
            local conf = db_conf()
            dereference.update(conf)
            secrets.db = { version = "v2", user = "u1", password = "p2", spoilt = { user = true } }
            dereference.changed()
            assert.equal("key_not_found", (select(3, dereference.update(conf))))
            assert.same({ "u1", "p1" }, { conf.user, conf.password })
            rotate()
            assert.same({ conf }, { dereference.update(conf) })
            assert.same({ "u3", "p3" }, { conf.user, conf.password })
        end)

        it("are never older than what another request has put there", function()
            local conf = db_conf()
            conf["$refs"].key = "{vault://aws/other/key}"
            during = function(text)
                if text:find("other", 1, true) then
                    during = nil
                    rotate()
                    dereference.update(conf)
                    assert.equal("u2", conf.user)
                end
            end
            dereference.update(conf)
            assert.same({ "u2", "p2" }, { conf.user, conf.password })
        end)
    end)

    describe("a configuration that was rearranged", function()
        it("has each value in the record that has its reference", function()
            local conf = { list = { db_conf(), { user = "theirs" } } }
            dereference.update(conf)
            local moved = table.remove(conf.list, 1)
            rotate()
            dereference.update(conf)
            assert.same({ user = "theirs" }, conf.list[1])
            conf.list[2] = moved
            rotate()
            dereference.update(conf)
            assert.same({ "theirs", "u3", "p3" },
                { conf.list[1].user, moved.user, moved.password })
        end)

        it("while its values were read has none in another record", function()
            local conf = { list = { db_conf(), { user = "theirs" } } }
            during = function()
                during = nil
                table.remove(conf.list, 1)
            end
            dereference.update(conf)
            assert.same({ user = "theirs" }, conf.list[1])
        end)

        it("has a table of references for all the fields that share it", function()
            local both = { USER, PASSWORD }
            local conf = { a = { "", "" }, b = { "", "" }, ["$refs"] = { a = both, b = both } }
            dereference.update(conf)
            assert.same({ { "u1", "p1" }, { "u1", "p1" } }, { conf.a, conf.b })
        end)

        it("goes on without references that go round in a circle", function()
            local conf = db_conf()
            conf["$refs"].again = conf["$refs"]
            dereference.update(conf)
            assert.same({ "u1", "p1" }, { conf.user, conf.password })
        end)
    end)

    describe("the registry", function()
        local function fill(count)
            for _ = 1, count do
                dereference.update { a = { db_conf() }, b = string.rep("x", 1000) }
            end
        end

        it("keeps no configuration alive", function()
            local watched = setmetatable({}, { __mode = "k" })
            for _ = 1, 100 do
                local conf = { a = { db_conf() } }
                dereference.update(conf)
                watched[conf] = true
            end
            collectgarbage()
            collectgarbage()
            assert.is_nil(next(watched))
            fill(100)
            collectgarbage()
            collectgarbage()
            local before = collectgarbage("count")
            fill(3000)
            collectgarbage()
            collectgarbage()
            assert.is_true(collectgarbage("count") - before < 500)
        end)

        it("says what living ones use", function()
            local conf = db_conf()
            dereference.update(conf)
            dereference.update({ ["$refs"] = { key = "{vault://aws/other/key}" } })
            collectgarbage()
            collectgarbage()
            dereference.mark_used()
            assert.same({ [USER] = true, [PASSWORD] = true }, used)
            assert.equal("u1", conf.user)
        end)
    end)

    describe("warmup", function()
        it("takes references wherever they are, each once", function()
            local conf = db_conf()
            conf.text, conf.again, conf.plain = "{vault://aws/other/key}", { USER }, "plain"
            conf.env, conf.number, conf.self = "$env://NAME", 1, conf
            assert.same({ nil, "planted", "not_found" }, { dereference.warmup(conf) })
            table.sort(warmed)
            assert.same({ "$env://NAME", PASSWORD, USER, "{vault://aws/other/key}" },
                { unpack(warmed) })
        end)

        it("raises for what is no table", function()
            assert.error_matches(function() dereference.warmup("x") end, "conf must be a table")
        end)
    end)
end)
