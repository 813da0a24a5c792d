-- cache_loose_spec - what a vault had fetched that has another config since, or is gone: nobody
--                    renews it, and it goes out of the dict; and a smaller ttl that nobody wants
--                    any more (vault.cache with refresh and node).

local fleet = require "spec.support.fleet"
local workers = require "spec.support.worker"

local HOUR = 3600

describe("what a vault had fetched that is another one now", function()
    local one, worker

    -- It is used all the time, as what a living configuration has is.
    local function pass(seconds)
        for _ = 1, seconds / 10 do
            for _, each in ipairs(one.workers) do
                for _, entry in pairs(each.cache.entries.items) do
                    entry.used = true
                end
            end
            one:pass(10)
        end
    end

    local function loosen(vault)
        for _, each in ipairs(one.workers) do
            each.cache:loosen(vault)
        end
    end

    local function shelved(name)
        return one.dict:get("s:" .. name) ~= nil
    end

    before_each(function()
        math.randomseed(5)
        one = fleet.new { workers = 2 }
        worker = one.workers[1]
    end)

    for _, ttl in ipairs { 60, 7200 } do
        it("is not renewed, and in the dict for an hour at most: ttl " .. ttl, function()
            for _, each in ipairs(one.workers) do
                one:get(each, "mine", { ttl = ttl, vault = "mine" })
                one:get(each, "other", { ttl = ttl, vault = "other" })
            end
            loosen("mine")
            local start = one.clock
            pass(HOUR - 10)
            assert.is_true(shelved("mine") and shelved("other"))
            pass(20)
            assert.same({ false, true }, { shelved("mine"), shelved("other") })
            pass(2 * HOUR)
            local asked = one:asked(start + 1)
            assert.is_nil(asked.mine)
            assert.is_true(asked.other >= 1)
        end)
    end

    it("is in the dict for an hour at most where it was there for good", function()
        one:get(worker, "mine", { ttl = 0, vault = "mine" })
        one:get(worker, "other", { ttl = 0, vault = "other" })
        loosen("mine")
        pass(HOUR + 10)
        assert.same({ false, true }, { shelved("mine"), shelved("other") })
    end)

    for _, ttl in ipairs { 0, 60 } do
        it("is kept and renewed again for who asks for it: ttl " .. ttl, function()
            one:get(worker, "mine", { ttl = 7200, vault = "mine" })
            loosen("mine")
            pass(100)
            local start = one.clock
            one:get(worker, "mine", { ttl = ttl, vault = "next", resurrect_ttl = 1e6 })
            assert.equal(0, #one:calls("batch"))
            pass(2 * HOUR)
            assert.is_true(shelved("mine"))
            assert.equal(ttl == 0, one:asked(start)["mine"] == nil)
        end)
    end

    it("stays so where a renewal that was under way ends well, or badly", function()
        for _, word in ipairs { "ok", "access_denied" } do
            one = fleet.new { workers = 1 }
            worker = one.workers[1]
            one:get(worker, "mine", { vault = "mine" })
            one:pass(40)
            one.aws.delay, one.aws.word = 30, function() return word ~= "ok" and word or nil end
            one:pass(20)
            assert.equal(1, #one:calls("batch"))
            loosen("mine")
            local start = one.clock
            pass(300)
            one.aws.delay = 0.02
            assert.is_nil(one:asked(start + 1).mine)
            pass(HOUR)
            assert.is_false(shelved("mine"))
            assert.is_nil(one:asked(start + 1).mine)
        end
    end)

    for _, resurrect_ttl in ipairs { 0, 1e6 } do
        it("stays so where a request that was under way comes to nothing: resurrect_ttl "
            .. resurrect_ttl, function()
            local options = { vault = "mine", resurrect_ttl = resurrect_ttl }
            one:get(worker, "mine", options)
            local start = one.clock
            one.begin = function() return nil, "planted", "timeout" end
            one:pass(70)
            one.begin = nil
            one.aws.word = function()
                loosen("mine")
                return "timeout"
            end
            one:get(worker, "mine", options)
            assert.same({ mine = 1 }, one:asked(start + 1))
            one.aws.word = function() end
            pass(HOUR)
            assert.same({ mine = 1 }, one:asked(start + 1))
        end)
    end

    it("keeps its life in the dict where one worker uses it before another hears of it", function()
        local options = { ttl = 0, vault = "mine" }
        local other = one.workers[2]
        one:get(worker, "mine", options)
        one:get(other, "mine", options)
        worker.cache:loosen("mine")
        one:get(worker, "mine", options)
        one:pass(0.1)
        other.cache:loosen("mine")
        one:pass(2 * HOUR)
        assert.is_true(shelved("mine"))
    end)

    it("is not put back by a worker that has not heard yet that it was flushed", function()
        local options = { ttl = 0, vault = "mine" }
        local other = one.workers[2]
        one:get(worker, "mine", options)
        one:get(other, "mine", options)
        loosen("mine")
        one:pass(1)
        one.aws.versions.mine = "v2"
        worker.cache:flush()
        one:get(other, "mine", options)
        one:pass(1)
        for _, each in ipairs(one.workers) do
            assert.equal("v2", one:get(each, "mine", options).version_id)
        end
    end)

    it("is not settled by the old config of who waited for another worker's fetch", function()
        one:get(worker, "mine", { ttl = 60, vault = "mine" })
        local policy = worker.cache.entries.items.mine.policy
        loosen("mine")
        worker.cache:newer(policy, one.clock)
        assert.is_true(worker.cache.entries.items.mine.loose)
        worker.cache:known(policy)
        assert.is_nil(worker.cache.entries.items.mine.loose)
    end)

    it("serves no vault that shares it without another look", function()
        one:get(worker, "both", { ttl = 60, vault = "mine" })
        local shared = one:get(worker, "both", { ttl = 0, vault = "other" })
        worker.cache:loosen("mine")
        assert.equal(0, shared.good_until)
        -- Who waited for it meanwhile has what is loose already.
        shared = worker.cache.keep({ payload = "p of both", version_id = "v1", binary = false },
            nil, nil, one.policies["both 0"])
        assert.is_true(shared.good_until > one.clock)
        worker.cache:loosen("other")
        assert.equal(0, shared.good_until)
    end)

    it("is not in gauges of what is in use", function()
        local node = workers.new()
        local world = node.world
        world.ngx.shared.vault_secrets = world:dict()
        node.aws.secrets.db = { AWSCURRENT = "v" }
        local serving = node:start_worker()

        local function gauge(vault)
            return serving.vault.metrics():find(
                ('vault_oldest_value_age_seconds{vault="%s"}'):format(vault), 1, true) ~= nil
        end

        local function set_region(region)
            serving.vaults.change(function()
                return { region and { prefix = "mine", name = "aws",
                                      config = { region = region } } }, 1
            end)
        end

        set_region("eu-west-1")
        node:run(function() return serving.vault.get("{vault://mine/db}") end)
        node:run(function() return serving.vault.get("{vault://aws/db}") end)
        assert.same({ true, true }, { gauge("mine"), gauge("aws") })
        set_region(nil)
        assert.same({ false, true }, { gauge("mine"), gauge("aws") })
        node:stop()
    end)
end)

describe("a smaller ttl", function()
    it("is everybody's no longer than somebody asks with it", function()
        local node = workers.new()
        node.world.ngx.shared.vault_secrets = node.world:dict()
        node.aws.secrets.db = { AWSCURRENT = '{"k":"v"}' }
        local one = node:start_worker()
        local function calls_of_an_hour(small_too)
            node:calls()
            for _ = 1, HOUR / 10 do
                node.world:pass(10)
                node:run(function()
                    local value = one.vault.get("{vault://aws/db/k?ttl=3600}")
                    assert.equal("v", value)
                    return small_too and one.vault.get("{vault://aws/db/k?ttl=10}")
                end)
            end
            return (node:calls())
        end
        for _ = 1, 3 do
            assert.is_true(calls_of_an_hour(true) > 300)
        end
        calls_of_an_hour(false)
        calls_of_an_hour(false)
        assert.is_true(calls_of_an_hour(false) <= 2)
        assert.is_true(calls_of_an_hour(true) > 300)
        node:stop()
    end)
end)
