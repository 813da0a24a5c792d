-- anew_spec - what is fetched whatever is at hand: refresh, a look for something newer, stages, and
--             many secrets at start.

local workers = require "spec.support.worker"

describe("anew", function()
    local node, one, two, aws

    before_each(function()
        node = workers.new()
        aws = node.aws
        node.world.ngx.shared.vault_secrets = node.world:dict()
        aws.secrets.db = { AWSCURRENT = '{"user":"u1","password":"p1"}' }
    end)
    after_each(function()
        node:stop()
    end)

    local USER, PASSWORD = "{vault://aws/db/user?ttl=60}", "{vault://aws/db/password?ttl=60}"

    local function get(worker, text)
        return node:run(function() return worker.vault.get(text) end)
    end

    describe("refresh", function()
        before_each(function()
            one, two = node:start_worker(), node:start_worker()
        end)

        local function refresh(worker, text, phase)
            return node:run(function() return worker.vault.refresh(text) end, phase)
        end

        it("tells what a vault's new config comes to, though the old value serves", function()
            local text = "{vault://my-aws/db/user}"
            local function with(region)
                one.vaults.configure { entities = {
                    { prefix = "my-aws", name = "aws", config = { region = region } },
                } }
                one.resolve.forget("my-aws")
            end
            with("us-east-1")
            assert.equal("u1", get(one, text))
            for _, word in ipairs { "not_found", "timeout" } do
                aws.word = function() return word end
                with("us-west-2")
                assert.equal("u1", get(one, text))
                local _, message, seen = refresh(one, text)
                assert.equal(word, seen)
                assert.matches("planted " .. word, message)
                assert.equal("u1", get(one, text))
                aws.word = function() end
                node:rotate("db", '{"user":"u2"}')
                assert.equal("u2", refresh(one, text))
                aws.secrets.db.AWSCURRENT = '{"user":"u1"}'
                assert.equal("u1", refresh(one, text))
            end
        end)

        it("fetches what has no value so far, once", function()
            local text = "{vault://aws/db/late}"
            for _, apisix in ipairs { false, true } do
                text = apisix and "$secret://aws/john/db/late" or text
                aws.secrets.db = { AWSCURRENT = '{"user":"u1"}' }
                if apisix then
                    one = node:start_worker { vaults = { { prefix = "john", name = "aws" } } }
                end
                assert.is_nil(get(one, text))
                aws.secrets.db.AWSCURRENT = '{"late":"v"}'
                node:calls()
                assert.same({ "v" }, { refresh(one, text) })
                assert.equal(1, (node:calls()))
            end
        end)

        it("fetches what is at hand again, for all workers", function()
            assert.equal("u1", get(one, USER))
            assert.equal("u1", get(two, USER))
            node:rotate("db", '{"user":"u2","password":"p2"}')
            assert.equal("u2", refresh(one, USER))
            assert.equal("p2", get(one, PASSWORD))
            node.world:pass(0.2)
            assert.equal("u2", get(two, USER))
            assert.equal(2, node:calls())
        end)

        it("fetches once what nobody has", function()
            assert.equal("u1", refresh(one, USER))
            assert.equal(1, node:calls())
        end)

        it("fetches again what only the dict has", function()
            get(one, USER)
            node.world:pass(1)
            node:rotate("db", '{"user":"u2","password":"p2"}')
            assert.equal("u2", refresh(two, USER))
            assert.equal(2, node:calls())
        end)

        it("is not of a fetch that began before it, whichever worker's", function()
            for _, asked in ipairs { one, two } do
                node:rotate("db", '{"user":"u1"}')
                node.world:call("content", one.vault.flush)
                node:calls()
                aws.delay = 0.5
                local early = node.world:spawn("content", function()
                    return one.vault.get(USER)
                end)
                node.world:pass(0.2)
                node:rotate("db", '{"user":"u2"}')
                local late = node.world:spawn("content", function()
                    return asked.vault.refresh(USER)
                end)
                node.world:pass(2)
                assert.same({ "u1", "u2" }, { early.results[1], late.results[1] })
                assert.equal(2, (node:calls()))
                assert.same({ "u2", "u2" }, { get(one, USER), get(two, USER) })
            end
        end)

        it("is one fetch for all who want it at once", function()
            get(one, USER)
            get(two, USER)
            node:calls()
            local threads = {}
            for i = 1, 20 do
                local worker = i % 2 == 0 and one or two
                threads[i] = node.world:spawn("content", function()
                    return worker.vault.refresh(USER)
                end)
            end
            node.world:pass(1)
            for i = 1, 20 do
                assert.same({ "u1" }, threads[i].results)
            end
            assert.equal(1, node:calls())
        end)

        it("says why it could not, and leaves what there is", function()
            get(one, USER)
            aws.secrets.db = "access_denied"
            local value, message, word = refresh(one, USER)
            assert.is_nil(value)
            assert.equal("planted access_denied of db", message)
            assert.equal("access_denied", word)
            assert.equal("u1", get(one, USER))
            assert.equal("not_found", (select(3, refresh(one, "{vault://aws/none/k}"))))
            assert.equal("bad_reference", (select(3, refresh(one, "{vault://}"))))
        end)

        it("gives variables as they are", function()
            assert.equal("s", refresh(one, "{vault://env/my-secret}"))
            assert.equal("s", refresh(one, "{vault://env/my-secret}"))
            assert.equal(0, node:calls())
        end)

        it("raises for what is no text, at the caller's place", function()
            local ok, message = pcall(function() one.vault.refresh(7) end)
            assert.is_false(ok)
            assert.matches("anew_spec%.lua:%d+: the reference must be a string", message)
        end)
    end)

    it("looks for nothing, and has no stages, where nothing is held", function()
        one = node:start_worker()
        one.anew.look("{vault://aws/db/user}")
        one.anew.look("{vault://env/my-secret}")
        assert.equal(0, node:calls())
        for _, text in ipairs { "{vault://aws/db/user}", "{vault://env/my-secret}" } do
            assert.same({ nil, "the reference has no stages" },
                { one.anew.get_stage(text, "AWSPENDING") })
        end
    end)

    it("keeps a stage apart from a reference to it", function()
        one = node:start_worker()
        aws.secrets.db.AWSPREVIOUS = '{"user":"u0"}'
        get(one, USER)
        local previous = "{vault://aws/db/user?ttl=3600#2}"
        assert.equal("u0", get(one, previous))
        node:calls()
        local value, version = node:run(function()
            return one.anew.get_stage(USER, "AWSPREVIOUS")
        end)
        assert.equal("u0", value)
        assert.is_string(version)
        assert.equal("the reference has no stages", (select(2,
            one.anew.get_stage(previous, "AWSPENDING"))))
        node.world:pass(20)
        assert.equal(1, node:calls())
        assert.equal("u0", get(one, previous))
        assert.equal(0, node:calls())
    end)

    describe("warmup", function()
        local function references(count)
            local conf = {}
            for i = 1, count do
                aws.secrets["s" .. i] = { AWSCURRENT = '{"k":"v' .. i .. '"}' }
                conf[i] = "{vault://aws/s" .. i .. "/k?ttl=60}"
            end
            return conf
        end

        -- What warmup returns in `phase` of a worker, and the calls that were batches, and not.
        local function warm(worker, conf, phase)
            aws.asked = {}
            local results = { node:run(function() return worker.vault.warmup(conf) end, phase, 99) }
            local batches, singles = {}, {}
            for _, call in ipairs(aws.asked) do
                table.insert(call.batch and batches or singles, call.names)
            end
            return results, batches, singles
        end

        local function master(options)
            local worker = node:load()
            node.world:call("init", function() worker.vault.init(options) end)
            return worker
        end

        it("fetches twenty at a time in init, and nothing that is there", function()
            local worker, conf = master(), references(45)
            local results, batches, singles = warm(worker, conf, "init")
            assert.same({ true }, results)
            assert.same({ 20, 20, 5, 0 }, { #batches[1], #batches[2], #batches[3], #singles })
            for i = 1, 45 do
                assert.equal("v" .. i, node.world:call("init", function()
                    return worker.vault.get(conf[i])
                end))
            end
            assert.equal(3, #aws.asked)
            conf[46] = references(46)[46]
            results, batches, singles = warm(worker, conf, "init")
            assert.same({ true }, results)
            assert.same({ {}, { { "s46" } } }, { batches, singles })
        end)

        it("has each caller's secrets in batches of their own", function()
            local worker = master { vaults = {
                { prefix = "east", name = "aws", config = { region = "us-east-1" } },
                { prefix = "west", name = "aws", config = { region = "us-west-2" } },
            } }
            references(4)
            local conf = { "{vault://east/s1/k}", "{vault://west/s2/k}", { "{vault://east/s3/k}" },
                     x = "{vault://west/s4/k}", y = "{vault://east/s1}", z = "$env://MY_SECRET" }
            local results, batches, singles = warm(worker, conf, "init")
            assert.same({ true }, results)
            for _, names in ipairs(batches) do
                table.sort(names)
            end
            table.sort(batches, function(left, right) return left[1] < right[1] end)
            assert.same({ { "s1", "s3" }, { "s2", "s4" } }, batches)
            assert.same({}, singles)
        end)

        it("goes on one by one where batches are refused, after one of them", function()
            local worker, conf = master(), references(45)
            aws.word = function(request) return request.batch and "access_denied" or nil end
            local results, batches, singles = warm(worker, conf, "init")
            assert.same({ true }, results)
            assert.equal(1, #batches)
            assert.equal(45, #singles)
        end)

        it("fetches by itself what no batch brings: other stages, APISIX's names", function()
            local worker = master { vaults = { { prefix = "john", name = "aws" } } }
            references(2)
            aws.secrets.s1.AWSPREVIOUS = '{"k":"v0"}'
            local results, batches, singles = warm(worker, {
                "{vault://aws/s1/k#2}", "{vault://aws/s1/k}", "{vault://aws/s2/k}",
                "$secret://aws/john/s2/k" }, "init")
            assert.same({ true }, results)
            assert.same({ { "s1", "s2" } }, batches)
            assert.equal("s1", singles[1][1])
        end)

        it("reports the first that has no value; all others have theirs", function()
            local worker, conf = master(), references(3)
            aws.secrets.s2 = "access_denied"
            conf[4] = "{vault://aws/s3/none}"
            local results, batches, singles = warm(worker, conf, "init")
            assert.same({ nil, "planted access_denied of s2", "access_denied" }, results)
            assert.same({ 1, { { "s2" } } }, { #batches, singles })
            assert.equal("v3", node.world:call("init", function()
                return worker.vault.get(conf[3])
            end))
        end)

        it("does not hang a start where AWS is away", function()
            local worker, conf = master { init_timeout = 10 }, references(1000)
            aws.word, aws.delay = function() return "timeout" end, 9
            local before = node.world.clock
            local results = warm(worker, conf, "init")
            assert.same("timeout", results[3])
            assert.is_true(node.world.clock - before <= 20, node.world.clock - before)
        end)

        it("fetches one after the other where it can wait", function()
            one = node:start_worker()
            local results, batches, singles = warm(one, references(3), "content")
            assert.same({ true, nil, nil }, results)
            assert.same({ 0, 3 }, { #batches, #singles })
        end)

        it("says which vault each is of, for the metrics", function()
            local worker = master { vaults = { { prefix = "east", name = "aws" } } }
            references(2)
            warm(worker, { "{vault://east/s1/k}", "{vault://east/s2/k}" }, "init")
            assert.matches('vault_oldest_value_age_seconds{vault="east"} ', worker.vault.metrics(),
                1, true)
        end)
    end)
end)
