-- node_spec - what a worker is put together from, and what it does from time to time: with a dict,
--             without, with a full one.

local workers = require "spec.support.worker"

describe("a node", function()
    local node, one, two, aws, world, dict

    before_each(function()
        node = workers.new()
        aws, world = node.aws, node.world
        dict = world:dict()
        aws.secrets.db = { AWSCURRENT = '{"k":"v1"}' }
    end)
    after_each(function()
        node:stop()
    end)

    local function start(shared, options)
        for name in pairs(world.ngx.shared) do
            world.ngx.shared[name] = nil
        end
        for name, one_dict in pairs(shared) do
            world.ngx.shared[name] = one_dict
        end
        one, two = node:start_worker(options), node:start_worker(options)
    end

    local function get(worker, text)
        return node:run(function() return worker.vault.get(text or "{vault://aws/db/k?ttl=10}") end)
    end

    local function logged(needle)
        local count = 0
        for _, line in ipairs(world.logged) do
            count = count + (line:find(needle, 1, true) and 1 or 0)
        end
        return count
    end

    local function metric(name, worker)
        return tonumber((worker or one).vault.metrics():match("\n" .. name:gsub("[{}]", "%%%0")
            .. " ([^\n]+)"))
    end

    describe("with a dict", function()
        before_each(function()
            start { vault_secrets = dict }
        end)

        it("fetches a secret once for all workers", function()
            assert.equal("v1", get(one))
            assert.equal("v1", get(two))
            assert.equal(1, node:calls())
            assert.equal(0, logged("dict"))
        end)

        it("renews it ahead of expiry, once, by a batch", function()
            get(one)
            get(two)
            node:calls()
            node:rotate("db", '{"k":"v2"}')
            world:pass(9.5)
            local count, call = node:calls()
            assert.same({ 1, true }, { count, call.batch })
            for _, worker in ipairs { one, two } do
                assert.equal("v2", world:call("log", function()
                    return worker.vault.get("{vault://aws/db/k?ttl=10}")
                end))
            end
        end)

        it("brings living configurations up to date", function()
            local conf = { ["$refs"] = { k = "{vault://aws/db/k?ttl=10}" } }
            node:run(function() return two.vault.update(conf) end)
            node:rotate("db", '{"k":"v2"}')
            world:pass(9.5)
            two.vault.update(conf)
            assert.equal("v2", conf.k)
        end)

        it("keeps what living configurations use, and only that", function()
            local conf = { ["$refs"] = { k = "{vault://aws/db/k?ttl=600}" } }
            aws.secrets.idle = { AWSCURRENT = '{"k":"i"}' }
            get(one, "{vault://aws/idle/k?ttl=600}")
            node:run(function() return one.vault.update(conf) end)
            world:pass(3 * 3600)
            assert.is_true(metric('vault_oldest_value_age_seconds{vault="aws"}') <= 600)
            node:calls()
            world:pass(600)
            local count, call = node:calls()
            assert.is_true(count >= 1)
            assert.same({ "db" }, call.names)
            assert.equal("u", conf.k and "u")
        end)

        it("does not draw the same chances in all workers, nor change the worker's own", function()
            local refresh, draws = require "vault.refresh", {}
            local new = refresh.new
            refresh.new = function(options)
                for _ = 1, 100 do
                    draws[#draws + 1] = options.random()
                end
                return new(options)
            end
            math.randomseed(3)
            local mine = math.random()
            math.randomseed(3)
            start { vault_secrets = dict }
            refresh.new = new
            assert.equal(mine, math.random())
            assert.equal(200, #draws)
            table.sort(draws)
            for i = 1, 199 do
                assert.is_true(draws[i] < draws[i + 1] and draws[i] >= 0 and draws[i + 1] < 1)
            end
            assert.is_true(draws[20] < 0.2 and draws[180] > 0.8)
        end)

        it("has one list of vaults for all workers, which outlives a flush", function()
            local made, text = one.vaults.change(function()
                return { { prefix = "my-aws", name = "aws", config = { region = "eu-west-1" } } }, 1
            end), "{vault://my-aws/db/k}"
            assert.equal(1, made)
            node:run(function() one.vault.flush() return true end)
            world:pass(0.3)
            assert.equal("v1", get(two, text))
            two.vaults.change(function() return {}, 1 end)
            world:pass(0.3)
            assert.equal("unknown_vault", select(3, one.vault.get(text)))
        end)

        it("flushes for all workers", function()
            get(one)
            get(two)
            node:calls()
            one.vault.flush()
            world:pass(0.2)
            aws.secrets.db = "not_found"
            for _, worker in ipairs { one, two } do
                local value, message, word = get(worker)
                assert.is_nil(value)
                assert.equal("planted not_found of db", message)
                assert.equal("not_found", word)
            end
            aws.secrets.db = { AWSCURRENT = '{"k":"v2"}' }
            assert.equal("v2", get(two))
        end)

        it("keeps nobody waiting for more than a second where an old value serves", function()
            get(one)
            node:rotate("db", '{"other":"v2"}')
            world:pass(9.5)
            assert.equal("v1", get(one))
            aws.delay = 1000
            for _ = 1, 20 do
                world:pass(2)
                local thread = world:spawn("content", function()
                    return one.vault.get("{vault://aws/db/k?ttl=10}")
                end)
                world:pass(1.1)
                assert.is_true(thread.done)
                assert.equal("v1", thread.results[1])
            end
        end)

        local function set_vault(region, id)
            one.vaults.change(function()
                return { region and { id = id, prefix = "my-aws", name = "aws",
                                      config = { region = region } } }, 1
            end)
        end

        it("flushes what the others keep of a vault that has another config", function()
            local text = "{vault://my-aws/db/k}"
            set_vault("eu-west-1")
            world:pass(0.2)
            assert.same({ "v1", "v1" }, { get(one, text), get(two, text) })
            aws.word = function(request)
                return request.terms.region == "eu-west-2" and "access_denied" or nil
            end
            set_vault("eu-west-2")
            world:pass(0.2)
            assert.same({ "v1", "v1" }, { get(one, text), get(two, text) })
            one.vault.flush()
            world:pass(0.2)
            for _, worker in ipairs { one, two } do
                assert.same({ nil, "planted access_denied", "access_denied" },
                    { get(worker, text) })
            end
        end)

        it("gives nothing of a removed vault out as the next one's of its name", function()
            local text = "{vault://my-aws/db/k}"
            set_vault("eu-west-1", "2911e119-ee1f-42af-a114-67061c3831e5")
            world:pass(0.2)
            assert.same({ "v1", "v1" }, { get(one, text), get(two, text) })
            aws.word = function() return "access_denied" end
            set_vault(nil)
            set_vault("eu-west-2", "2911e119-ee1f-42af-a114-67061c3831e6")
            world:pass(0.2)
            for _, worker in ipairs { one, two } do
                assert.equal("access_denied", select(3, get(worker, text)))
            end
        end)

        it("flushes what the others keep of a version before one without the key", function()
            get(one)
            get(two)
            node:rotate("db", '{"other":"v2"}')
            world:pass(9.5)
            assert.same({ "v1", "v1" }, { get(one), get(two) })
            one.vault.flush()
            world:pass(0.2)
            for _, worker in ipairs { one, two } do
                assert.equal("key_not_found", select(3, get(worker)))
            end
        end)
    end)

    it("keeps locks and counters in a dict of their own where there is one", function()
        local locks = world:dict()
        start { vault_secrets = dict, vault_locks = locks }
        get(one)
        world:pass(2)
        for key in pairs(dict.entries) do
            assert.truthy(key:find("^[sngcf]"), key)
        end
        local kinds = {}
        for key in pairs(locks.entries) do
            kinds[key:sub(1, 1)] = true
        end
        assert.is_true(kinds.m)
        assert.is_nil(kinds.s)
    end)

    it("takes the dict of another name", function()
        start({ mine = dict }, { dict = "mine" })
        get(one)
        get(two)
        assert.equal(1, node:calls())
    end)

    describe("without a dict", function()
        it("caches in each worker, and warns once in each", function()
            start({})
            for _ = 1, 3 do
                get(one)
                get(two)
            end
            assert.equal(2, node:calls())
            assert.equal(2, logged("no lua_shared_dict vault_secrets: each worker caches for "))
            assert.equal(2, logged("dict"))
            world:pass(10)
            assert.equal(2, node:calls())
            assert.matches("vault_fetches_total", one.vault.metrics(), 1, true)
            one.vault.flush()
            get(one)
            assert.equal(1, node:calls())
        end)
    end)

    describe("with a full dict", function()
        it("caches in each worker, and warns once a minute, by name", function()
            dict.full = true
            aws.secrets.other = { AWSCURRENT = '{"k":"canary"}' }
            start { vault_secrets = dict }
            for _ = 1, 3 do
                assert.equal("v1", get(one))
                assert.equal("v1", get(two))
            end
            assert.equal("canary", get(one, "{vault://aws/other/k?ttl=3}"))
            assert.equal(3, node:calls())
            local text = "the shared dict is full: each worker fetches for itself, among others: db"
            assert.equal(2, logged(text)) -- each worker its own
            world:pass(50)
            assert.equal(2, logged("is full"))
            world:pass(25)
            assert.equal(4, logged("is full"))
            assert.equal(1, logged("among others: other, db") + logged("among others: db, other"))
            assert.equal(0, logged("canary"))
            assert.is_true(metric("vault_dict_refusals_total") >= 3)
        end)

        it("names ten secrets at most", function()
            dict.full = true
            start { vault_secrets = dict }
            for i = 1, 30 do
                aws.secrets["s" .. i] = { AWSCURRENT = "x" }
                get(one, "{vault://aws/s" .. i .. "?ttl=40}")
            end
            world:pass(65)
            local last = world.logged[#world.logged]
            assert.equal(10, select(2, last:gsub("s%d+", "")))
        end)
    end)

    describe("in the privileged agent", function()
        it("renews nothing", function()
            world.ngx.worker.id = function() return nil end
            start { vault_secrets = dict }
            local timers = world.timer_count
            assert.equal("v1", get(one))
            node:calls()
            world:pass(30)
            assert.equal(0, node:calls())
            assert.is_true(world.timer_count - timers < 50, world.timer_count)
        end)
    end)

    it("says where a worker takes no timer", function()
        world.ngx.timer.every = function() return nil, "too many pending timers" end
        start { vault_secrets = dict }
        assert.equal(2, logged("takes no timer: nothing is renewed ahead of time"))
        assert.equal("v1", get(one))
    end)

    it("does nothing before it was put together", function()
        local worker = node:load()
        assert.equal("", worker.vault.metrics())
        assert.has_no.errors(worker.vault.flush)
        world:call("init_worker", worker.vault.init_worker)
    end)

    describe("metrics", function()
        it("count what all workers did, and show this one's gauges", function()
            start { vault_secrets = dict }
            get(one)
            get(one)
            get(two)
            world:pass(1.1)
            assert.equal(1, metric('vault_fetches_total{outcome="ok"}'))
            assert.equal(1, metric('vault_hits_total{level="worker"}'))
            assert.equal(1, metric('vault_hits_total{level="dict"}', two))
            assert.equal(1, metric('vault_entries{level="worker"}'))
            assert.equal(0, metric("vault_resurrected_secrets"))
            local age = metric('vault_oldest_value_age_seconds{vault="aws"}')
            assert.is_true(age > 1 and age < 1.5, age)
            world:pass(8.6)
            assert.equal(1, metric("vault_batches_total"))
            assert.equal(1, metric("vault_batch_secrets_total"))
            assert.equal(1, metric("vault_refresh_lag_seconds_count"))
        end)

        it("show when credentials run out, the first of each source", function()
            start { vault_secrets = dict }
            one.rig.core.credentials = function()
                local now = world.ngx.now()
                return { { source = "container", expires = now + 900 },
                         { source = "assumed role", expires = now + 3600 },
                         { source = "assumed role", expires = now + 60 },
                         { source = "profile", expires = 0 } }
            end
            assert.equal(900, metric('vault_credential_expiry_seconds{source="container"}'))
            assert.equal(60, metric('vault_credential_expiry_seconds{source="assumed role"}'))
            assert.is_nil(one.vault.metrics():find('source="profile"', 1, true))
        end)

        it("show what serves past its ttl", function()
            start { vault_secrets = dict }
            get(one)
            aws.word = function() return "connect_failed" end
            world:pass(20)
            assert.equal(1, metric("vault_resurrected_secrets"))
            assert.is_true(metric('vault_oldest_value_age_seconds{vault="aws"}') > 19)
            assert.is_true(metric('vault_fetches_total{outcome="connect_failed"}') > 1)
            assert.equal("v1", get(one))
            assert.is_true(metric("vault_stale_total") >= 1)
        end)

        it("are handed in when a worker leaves", function()
            start { vault_secrets = dict }
            get(one)
            world:leave()
            assert.equal(1, metric('vault_fetches_total{outcome="ok"}', two))
        end)
    end)

    it("renews in the seconds after a start as paced as refresh_rate says", function()
        start({ vault_secrets = dict }, { refresh_rate = 1 })
        for i = 1, 100 do
            aws.secrets["s" .. i] = { AWSCURRENT = "x" }
            get(one, "{vault://aws/s" .. i .. "?ttl=60}")
        end
        node:calls()
        world:pass(56)
        assert.is_true((node:calls()) <= 9)
        start({ vault_secrets = world:dict() }, { refresh_rate = 0 })
        for i = 1, 100 do
            get(one, "{vault://aws/s" .. i .. "?ttl=1}")
        end
        node:calls()
        world:pass(0.85)
        assert.is_true((node:calls()) >= 5)
    end)
end)
