-- attempt_stages_spec - vault.try: the stages of a rotation that is under way, and how few calls
--                       that takes.

local databases = require "spec.support.database"

local db_conf, secret = databases.conf, databases.secret

describe("try with stages", function()
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

    local STAGES = { stages = true }

    it("goes no further than it has to", function()
        aws.secrets.db.AWSPENDING = secret("p2")
        assert.equal("connection", try(one, db_conf(), STAGES))
        assert.same({ "p1" }, database.connects)
        assert.equal(1, node:calls())
        database:rotate("p2")
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

    it("forgets a stage that works no more", function()
        local conf = db_conf()
        aws.secrets.db.AWSPENDING = secret("p2")
        database.password = "p2"
        assert.equal("connection", try(one, conf, STAGES))
        database.password = "p1"
        for _, connects in ipairs { { "p2", "p1" }, { "p1" } } do
            database.connects = {}
            assert.equal("connection", try(one, conf, STAGES))
            assert.same(connects, database.connects)
        end
    end)

    it("begins with what is current once a secret has changed", function()
        local conf = db_conf()
        aws.secrets.db.AWSPENDING = secret("p2")
        database.password = "p2"
        assert.equal("connection", try(one, conf, STAGES))
        aws.secrets.db = { AWSPREVIOUS = secret("p1"), AWSCURRENT = secret("p2"),
                           AWSPENDING = secret("p3") }
        node:run(function() return one.vault.refresh("{vault://aws/db/user?ttl=3600}") end)
        node.world:pass(11)
        database.connects = {}
        assert.equal("connection", try(one, conf, STAGES))
        assert.same({ "p2" }, database.connects)
    end)

    it("finds a stage that is new within seconds, however long it has failed", function()
        local conf = db_conf()
        aws.secrets.db.AWSPENDING = secret("p9")
        database.password = "elsewhere"
        for _ = 1, 12 do
            assert.is_nil(try(one, conf, STAGES))
            node.world:pass(12)
        end
        aws.secrets.db.AWSPENDING, database.password = secret("p2"), "p2"
        node.world:pass(12)
        assert.equal("connection", try(one, conf, STAGES))
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
        database:rotate(password)
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
        local result, message = try(one, db_conf(), STAGES)
        assert.is_nil(result)
        assert.equal("AWSCURRENT: refused p1; AWSPENDING: refused p2; "
            .. "AWSPREVIOUS: planted not_found of db", message)
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
