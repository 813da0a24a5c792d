-- attempt_spec - vault.try: newer values after a failure, stages of a rotation, and how few calls
--                that takes.

local workers = require "spec.support.worker"

describe("try", function()
    local node, one, two, aws, database

    before_each(function()
        node = workers.new()
        aws = node.aws
        node.world.ngx.shared.vault_secrets = node.world:dict()
        one, two = node:start_worker(), node:start_worker()
        aws.secrets.db = { AWSCURRENT = '{"user":"u","password":"p1"}' }
        aws.secrets.plain = { AWSCURRENT = "text" }
        database = { password = "p1", connects = {} }
    end)
    after_each(function()
        node:stop()
    end)

    local function db_conf()
        return { db = { ["$refs"] = { user = "{vault://aws/db/user?ttl=3600}",
                                      password = "{vault://aws/db/password?ttl=3600}" } } }
    end

    local function secret(password)
        return ('{"user":"u","password":"%s"}'):format(password)
    end

    local function rotate(password)
        node:rotate("db", secret(password))
    end

    -- Connects after a while; fails as a database does, without saying why.
    local function connect(conf)
        table.insert(database.connects, conf.db.password or "none")
        node.world.ngx.sleep(0.005)
        if conf.db.password == database.password and conf.db.user == "u" then
            return "connection"
        end
        return nil, "refused " .. tostring(conf.db.password)
    end

    local function try(worker, conf, options)
        return node:run(function() return worker.vault.try(connect, conf, options) end)
    end

    it("calls once where that works", function()
        assert.equal("connection", try(one, db_conf()))
        assert.equal("connection", try(one, db_conf()))
        assert.same({ "p1", "p1" }, database.connects)
        assert.equal(1, node:calls())
    end)

    it("calls again with what AWS has by then", function()
        local conf = db_conf()
        try(one, conf)
        node:calls()
        rotate("p2")
        database.password = "p2"
        assert.equal("connection", try(one, conf))
        assert.same({ "p1", "p1", "p2" }, database.connects)
        assert.equal("p2", conf.db.password)
        assert.equal(1, node:calls())
    end)

    it("is one fetch for 50 callers on two workers that fail at once", function()
        local conf = { [one] = db_conf(), [two] = db_conf() }
        try(one, conf[one])
        try(two, conf[two])
        assert.equal(1, node:calls())
        rotate("p2")
        database.password = "p2"
        local threads = {}
        for i = 1, 50 do
            local worker = i % 2 == 0 and one or two
            threads[i] = node.world:spawn("content", function()
                node.world.ngx.sleep(i * 0.001)
                return worker.vault.try(connect, conf[worker])
            end)
        end
        node.world:pass(1)
        for i = 1, 50 do
            assert.same({ "connection" }, threads[i].results)
        end
        assert.equal(1, node:calls())
    end)

    it("takes what another worker has seen, before the news of it", function()
        local mine, others = db_conf(), db_conf()
        try(one, mine)
        try(two, others)
        rotate("p2")
        database.password = "p2"
        node:calls()
        local heartbeat = require "vault.heartbeat"
        local beat = heartbeat.beat
        heartbeat.beat = function() end
        assert.equal("connection", try(one, mine))
        assert.equal("connection", try(two, others))
        heartbeat.beat = beat
        assert.equal(1, node:calls())
    end)

    it("does not call twice, nor fetch again at once, where nothing is newer", function()
        local conf = db_conf()
        database.password = "elsewhere"
        assert.same({ nil, "refused p1" }, { try(one, conf) })
        assert.same({ "p1" }, database.connects)
        assert.equal(2, node:calls())
        for i = 1, 50 do
            assert.is_nil(try(i % 2 == 0 and one or two, i % 3 == 0 and conf or db_conf()))
        end
        assert.equal(0, node:calls())
        assert.equal(51, #database.connects)
        node.world:pass(1)
        assert.is_nil(try(two, conf))
        assert.is_nil(try(one, conf))
        assert.equal(1, node:calls())
    end)

    -- The calls of `seconds` in which each worker tries ten times a second.
    local function calls_of(seconds, options)
        local confs = { [one] = db_conf(), [two] = db_conf() }
        node:calls()
        for _ = 1, seconds * 10 do
            try(one, confs[one], options)
            try(two, confs[two], options)
            node.world:pass(0.08)
        end
        return (node:calls())
    end

    it("looks ever more rarely while it fails, and soon again after something changed", function()
        database.password = "elsewhere"
        try(one, db_conf())
        assert.equal(3, calls_of(9)) -- after 1, 2 more and 4 more seconds, and so on
        calls_of(20)
        local calls = calls_of(60)
        assert.is_true(calls >= 5 and calls <= 6, calls .. " calls")
        rotate("p2")
        node.world:pass(10)
        assert.equal(3, calls_of(3)) -- the new version, and one after each of 1 and 2 seconds
    end)

    it("finds the password that AWS has a moment after the database", function()
        local conf = db_conf()
        for i = 1, 4 do
            assert.equal("connection", try(one, conf))
            database.password = "p" .. i + 1
            assert.is_nil(try(one, conf))
            rotate(database.password)
            node.world:pass(1)
        end
    end)

    it("cools down where AWS does not answer, and without a dict that has room", function()
        local conf = db_conf()
        try(one, conf)
        node.world.ngx.shared.vault_secrets.full = true
        aws.word = function() return "connect_failed" end
        database.password = "elsewhere"
        node:calls()
        for _ = 1, 20 do
            assert.same({ nil, "refused p1" }, { try(one, conf) })
        end
        assert.equal(1, node:calls())
        assert.equal("p1", conf.db.password)
    end)

    it("fetches each secret of a configuration once, and no variable", function()
        local conf = db_conf()
        conf["$refs"] = { env = "$env://MY_SECRET", text = "{vault://aws/plain?ttl=60}" }
        database.password = "elsewhere"
        try(one, conf)
        assert.equal(4, node:calls()) -- two at first, two again
        assert.same({ "s", "text" }, { conf.env, conf.text })
    end)

    it("hands on what the callback returns, and what it raises", function()
        local function returns(...)
            local all, count = { ... }, select("#", ...)
            return node:run(function()
                return select("#", one.vault.try(function() return unpack(all, 1, count) end, {})),
                    one.vault.try(function() return unpack(all, 1, count) end, {})
            end)
        end
        assert.same({ 5, true, nil, 3, nil, nil }, { returns(true, nil, 3, nil, nil) })
        assert.same({ 3, nil, "why", nil }, { returns(nil, "why", nil) })
        assert.same({ 1, false }, { returns(false) })
        assert.equal(0, (returns()))
        local fault = { "a fault" }
        local ok, raised = node:run(function()
            return pcall(one.vault.try, function() error(fault) end, db_conf())
        end)
        assert.is_false(ok)
        assert.equal(fault, raised)
    end)

    it("raises for what is no callback, configuration or option", function()
        for _, row in ipairs { { "x", {}, "callback must" }, { connect, "x", "conf must" },
                               { nil, {}, "callback must" }, { connect, nil, "conf must" },
                               { connect, {}, "options must", true },
                               { connect, {}, "no option stage$", { stage = true } },
                               { connect, {}, "options.stages must", { stages = 1 } } } do
            assert.error_matches(function() one.vault.try(row[1], row[2], row[4]) end, row[3])
        end
    end)

    it("calls though a value is missing", function()
        aws.secrets.db = "not_found"
        assert.same({ nil, "refused nil" }, { try(one, db_conf()) })
        assert.same({ "none" }, database.connects)
    end)

    describe("with stages", function()
        local STAGES = { stages = true }

        it("goes no further than it has to", function()
            aws.secrets.db.AWSPENDING = secret("p2")
            assert.equal("connection", try(one, db_conf(), STAGES))
            assert.same({ "p1" }, database.connects)
            assert.equal(1, node:calls())
            rotate("p2")
            database.password = "p2"
            assert.equal("connection", try(one, db_conf(), STAGES))
            assert.same({ "p1", "p1", "p2" }, database.connects)
        end)

        it("takes AWSPENDING after AWSCURRENT, in a copy", function()
            local conf = setmetatable(db_conf(), { __index = { by_default = true } })
            conf.shared = {}
            local seen
            aws.secrets.db.AWSPENDING = secret("p2")
            database.password = "p2"
            local result = node:run(function()
                return one.vault.try(function(given)
                    seen = given
                    return connect(given)
                end, conf, STAGES)
            end)
            assert.equal("connection", result)
            assert.same({ "p1", "p2" }, database.connects)
            assert.is_true(seen ~= conf and seen.db ~= conf.db and seen.shared == conf.shared
                and seen.by_default)
            assert.equal("p1", conf.db.password)
            assert.same(conf.db["$refs"], seen.db["$refs"])
        end)

        it("and then AWSPREVIOUS", function()
            aws.secrets.db.AWSPENDING = secret("p3")
            aws.secrets.db.AWSPREVIOUS = secret("p0")
            database.password = "p0"
            assert.equal("connection", try(one, db_conf(), STAGES))
            assert.same({ "p1", "p3", "p0" }, database.connects)
        end)

        it("remembers which worked, until a secret changes", function()
            local conf = db_conf()
            aws.secrets.db.AWSPENDING = secret("p2")
            database.password = "p2"
            try(one, conf, STAGES)
            database.connects = {}
            node:calls()
            for _ = 1, 50 do
                assert.equal("connection", try(one, conf, STAGES))
            end
            assert.same({ "p2", 50 }, { database.connects[1], #database.connects })
            assert.is_true(node:calls() <= 1)
            -- Promoted: the stage goes, another worker sees the version.
            aws.secrets.db = { AWSPREVIOUS = secret("p1"), AWSCURRENT = secret("p2") }
            node:run(function() return two.vault.refresh("{vault://aws/db/user?ttl=3600}") end)
            node.world:pass(0.2)
            database.connects = {}
            assert.equal("connection", try(one, conf, STAGES))
            assert.same({ "p2" }, database.connects)
            assert.equal("p2", conf.db.password)
        end)

        it("goes on with the others where the remembered one fails, each once", function()
            local conf = db_conf()
            aws.secrets.db.AWSPENDING = secret("p2")
            aws.secrets.db.AWSPREVIOUS = secret("p0")
            database.password = "p2"
            try(one, conf, STAGES)
            database.password, database.connects = "p0", {}
            assert.equal("connection", try(one, conf, STAGES))
            assert.same({ "p2", "p1", "p0" }, database.connects)
        end)

        -- A rotation as AWS makes it; the database is connected to before its end, and after it.
        local function rotate_and_try(conf, password)
            aws.secrets.db.AWSPENDING = secret(password)
            database.password = password
            local first = try(one, conf, STAGES)
            rotate(password)
            return first, (try(one, conf, STAGES))
        end

        it("follows one rotation upon the other", function()
            local conf = db_conf()
            try(one, conf, STAGES)
            for i = 2, 6 do
                assert.same({ "connection", "connection" }, { rotate_and_try(conf, "p" .. i) })
                node.world:pass(1)
            end
        end)

        it("asks for a stage again with each look", function()
            local conf = db_conf()
            database.password = "away"
            assert.is_nil(try(one, conf, STAGES))
            node.world:pass(1)
            assert.same({ "connection", "connection" }, { rotate_and_try(conf, "p2") })
        end)

        it("reports all failures", function()
            aws.secrets.db.AWSPENDING = secret("p2")
            database.password = "elsewhere"
            assert.same({ nil, "AWSCURRENT: refused p1; AWSPENDING: refused p2; "
                .. "AWSPREVIOUS: planted not_found of db" }, { try(one, db_conf(), STAGES) })
        end)

        it("makes no more calls while the database is away", function()
            aws.secrets.db.AWSPENDING = secret("p2")
            database.password = "elsewhere"
            try(one, db_conf(), STAGES)
            try(two, db_conf(), STAGES)
            assert.equal(4, node:calls()) -- at first, again, and each stage
            for i = 1, 20 do
                assert.is_nil(try(i % 2 == 0 and one or two, db_conf(), STAGES))
            end
            assert.equal(0, node:calls())
            node.world:pass(3600 * 0.5)
            assert.equal(0, node:calls()) -- and stages are not kept up
        end)

        it("keeps few stages, however long it fails, and counts none as in use", function()
            aws.secrets.db.AWSPENDING = secret("p2")
            aws.secrets.db.AWSPREVIOUS = secret("p0")
            database.password = "elsewhere"
            for _ = 1, 60 do
                assert.is_nil(try(one, db_conf(), STAGES))
                node.world:pass(2)
            end
            local text = one.vault.metrics()
            assert.is_true(tonumber(text:match('vault_entries{level="worker"} (%d+)')) <= 15)
            assert.matches("\nvault_resurrected_secrets 0\n", text)
        end)

        it("passes over a stage that is the current version", function()
            aws.secrets.db.AWSPENDING = secret("p1")
            database.password = "elsewhere"
            local _, message = try(one, db_conf(), STAGES)
            assert.same({ "p1" }, database.connects)
            assert.matches("AWSPENDING: it is the current version; ", message, 1, true)
        end)

        it("takes a secret's stage whole or not at all", function()
            aws.secrets.db.AWSPENDING = '{"password":"p2"}'
            database.password = "p2"
            local _, message = try(one, db_conf(), STAGES)
            assert.same({ "p1" }, database.connects)
            assert.matches('AWSPENDING: key "user" of secret "db"', message, 1, true)
        end)

        it("takes those secrets that have it, and the others as they are", function()
            local conf = db_conf()
            conf["$refs"] = { text = "{vault://aws/plain}", env = "$env://MY_SECRET",
                              old = "{vault://aws/db/password#2}" }
            aws.secrets.db.AWSPENDING = secret("p2")
            aws.secrets.db.AWSPREVIOUS = secret("p0")
            database.password = "p2"
            local seen
            node:run(function()
                return one.vault.try(function(given)
                    seen = given
                    return connect(given)
                end, conf, STAGES)
            end)
            assert.same({ "p2", "text", "s", "p0" },
                { seen.db.password, seen.text, seen.env, seen.old })
        end)

        it("is what it is without any references", function()
            assert.same({ nil, "why" }, { node:run(function()
                return one.vault.try(function() return nil, "why" end, {}, STAGES)
            end) })
        end)

        it("says something for a callback that says nothing", function()
            local _, message = node:run(function()
                return one.vault.try(function() end, db_conf(), STAGES)
            end)
            assert.matches("AWSCURRENT: it failed without a reason; ", message, 1, true)
        end)
    end)
end)
