-- attempt_spec - vault.try: newer values after a failure, and how few calls that takes; stages of a
--                rotation are attempt_stages_spec's.

local databases = require "spec.support.database"

local db_conf = databases.conf

describe("try", function()
    local node, one, two, aws, database

    before_each(function()
        node, one, two, database = databases.start()
        aws = node.aws
    end)
    after_each(function()
        node:stop()
    end)

    local function connect(conf)
        return database:connect(conf)
    end

    local function try(worker, conf, options)
        return database:try(worker, conf, options)
    end

    local function rotate(password)
        database:rotate(password)
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
end)
