-- refresh_spec - secrets renewed ahead of expiry: by whom, in which batches, how they end.

local fleet = require "spec.support.fleet"

local DAY = 86400

describe("refresh", function()
    before_each(function()
        math.randomseed(5)
    end)

    -- How often the seldomest and the most asked for of `count` secrets were.
    local function least_and_most(one, count, since)
        local asked = one:asked(since)
        local least, most = math.huge, 0
        for i = 1, count do
            local n = asked["s" .. i] or 0
            least, most = math.min(least, n), math.max(most, n)
        end
        return least, most
    end

    describe("of what is due", function()
        it("begins in the last fifth of the ttl, and is spread over half of it", function()
            local one = fleet.new { workers = 1 }
            local began = one.clock
            one:warm(300, { ttl = 100, batchable = false })
            one:pass(100)
            local first, last = math.huge, 0
            for _, call in ipairs(one:calls("single")) do
                first, last = math.min(first, call.at - began), math.max(last, call.at - began)
            end
            assert.equal(300, #one:calls("single"))
            assert.is_true(first >= 80 and first < 81, first)
            assert.is_true(last > 89 and last <= 90.2, last)
        end)

        it("counts calls that were repeated, and answers that asked for less", function()
            local one = fleet.new { workers = 1 }
            one:warm(20)
            one.aws.attempts = 3
            one:pass(60)
            assert.equal(2, one.counts["vault_retries_total"])
            one.aws.word = function() return "throttled" end
            one:pass(45)
            local throttled = #one:calls("batch") - 1
            assert.equal(throttled, one.counts["vault_throttles_total"])
            assert.equal(20 * throttled, one.counts["vault_fetches_total throttled"])
        end)

        it("takes at most 50 batches for 1,000 due at once, and no single call", function()
            local one = fleet.new { workers = 4 }
            one:warm(1000)
            local start = one.clock
            one:pass(60)
            assert.is_true(#one:calls("batch") <= 50, #one:calls("batch"))
            assert.equal(1000, #one:calls("get"))
            assert.equal(0, #one:calls("single"))
            assert.same({ 1, 1 }, { least_and_most(one, 1000, start + 1) })
            assert.equal(1000, one.counts["vault_batch_secrets_total"])
            assert.equal(#one:calls("batch"), one.counts["vault_batches_total"])
            assert.equal(1000, one.counts["vault_refresh_lag_seconds_count"])
        end)

        it("is not shared out by two workers that begin at the same moment", function()
            local one = fleet.new { workers = 2 }
            one:warm(40)
            one.clock = one.clock + 58
            local add, other, claims = one.dict.safe_add, one.workers[2].refresh, 0
            function one.dict.safe_add(...)
                claims = claims + 1
                if claims == 10 then
                    other:step()
                end
                return add(...)
            end
            one.workers[1].refresh:step()
            assert.is_true(claims > 40)
            one:pass(1)
            assert.equal(2, #one:calls("batch"))
        end)

        it("is done once per ttl by 4 workers, and by none at the same time", function()
            local one = fleet.new { workers = 4 }
            one:warm(1000)
            one:pass(600)
            local least, most = least_and_most(one, 1000)
            assert.is_true(least >= 10, least)
            assert.is_true(most <= 13, most) -- 600 / (60 * 0.8), and the first
            assert.equal(0, one.counts["vault_stale_total"] or 0)
            -- Where they come by and by, batches are still full: what is ripe is taken along.
            assert.is_true(one.counts["vault_batch_secrets_total"] / #one:calls("batch") > 15)
        end)

        it("goes on where another worker's version came by the dict", function()
            local one = fleet.new { workers = 2 }
            one:warm(10, { ttl = 10 })
            one.aws.versions.s1 = "v2"
            one:pass(10)
            for _, worker in ipairs(one.workers) do
                assert.equal("v2", one:get(worker, "s1", { ttl = 10 }).version_id)
            end
            assert.equal(10, #one:calls("get"))
        end)

        it("leaves out ttl 0, and what is not to be kept up", function()
            local one = fleet.new { workers = 1 }
            one:get(one.workers[1], "a", { ttl = 0 })
            one:get(one.workers[1], "b", { once = true })
            one:pass(1000)
            assert.equal(2, #one.aws.calls)
        end)

        for _, ttl in ipairs { 0.05, 0.5, 1, 3 } do
            it("keeps up with a ttl of " .. ttl, function()
                local one = fleet.new { workers = 2, rate = 10 }
                one.aws.delay = 0.05
                local oldest = 0
                one:warm(5, { ttl = ttl })
                for _ = 1, 400 do
                    one:pass(0.05)
                    for i = 1, 5 do
                        one:get(one.workers[1], "s" .. i, { ttl = ttl })
                        oldest = math.max(oldest, one:age(one.workers[1], "s" .. i))
                    end
                end
                assert.is_true(oldest <= math.max(ttl, 0.5), oldest)
                assert.is_true(ttl < 0.5 or #one:calls("get") == 5 and not one.waited)
                assert.is_true(#one:calls("batch") <= 20 * 10)
            end)
        end

        it("is told of a smaller ttl", function()
            local one = fleet.new { workers = 1 }
            one:get(one.workers[1], "s1", { ttl = 3600 })
            one:pass(5)
            one:get(one.workers[1], "s1", { ttl = 10 })
            one:pass(4.2)
            assert.equal(1, #one:calls("batch"))
        end)

        it("is not what has made room for others", function()
            local one = fleet.new { workers = 1, max_entries = 10 }
            for i = 1, 1000 do
                one:get(one.workers[1], "s" .. i)
            end
            one:pass(60)
            assert.equal(10, one.counts["vault_batch_secrets_total"])
            one:warm(1)
            for _, group in pairs(one.workers[1].refresh.groups) do
                assert.is_true(group.together.due.count + group.alone.due.count <= 10)
            end
        end)
    end)

    describe("by single calls", function()
        it("follows a refused batch, 16 at a time on the node", function()
            local one = fleet.new { workers = 4 }
            one.aws.word = function(_, kind) return kind == "batch" and "access_denied" or nil end
            one:warm(1000)
            one:pass(66)
            assert.is_true(#one:calls("batch") <= 16, #one:calls("batch")) -- in flight
            assert.equal(1000, #one:calls("single"))
            assert.is_true(one.aws.most <= 16, one.aws.most)
            assert.equal(0, one.counts["vault_stale_total"] or 0)
        end)

        it("remembers for a day, on the node, that batches are refused", function()
            local one = fleet.new { workers = 2, beat = 5 }
            one.aws.word = function(_, kind) return kind == "batch" and "access_denied" or nil end
            one:warm(10, { ttl = 1000 })
            one:pass(1000)
            local denied = #one:calls("batch")
            assert.is_true(denied <= 2)
            one:kill(one.workers[1])
            local heir = one:start_worker()
            for _ = 1, (DAY - 2000) / 500 do
                one:pass(500)
                for i = 1, 10 do
                    one:get(heir, "s" .. i, { ttl = 1000 })
                    one:get(one.workers[2], "s" .. i, { ttl = 1000 })
                end
            end
            assert.equal(denied, #one:calls("batch"))
            one.aws.word = function() end
            one:pass(4000)
            assert.is_true(#one:calls("batch") > denied)
        end)

        it("remembers it without a dict that has room", function()
            local one = fleet.new { workers = 1 }
            one.aws.word = function(_, kind) return kind == "batch" and "access_denied" or nil end
            one:warm(10)
            one.dict.full = true
            one:pass(600)
            assert.equal(1, #one:calls("batch"))
        end)

        for _, word in ipairs { "invalid_request", "too_large", "bad_response" } do
            it("follows a batch that failed for one of them: " .. word, function()
                local one = fleet.new { workers = 1 }
                local bad = false
                one.aws.word = function(names)
                    for _, name in ipairs(names) do
                        if bad and name == "s7" then
                            return word
                        end
                    end
                end
                one:warm(20)
                bad = true
                local start = one.clock + 1
                one:pass(60)
                assert.equal(1, #one:calls("batch"))
                assert.same({ 2, 2 }, { least_and_most(one, 6, start) })
                for i = 1, 20 do
                    assert.is_true(i == 7 or one:age(one.workers[1], "s" .. i) < 13)
                end
                -- The good ones go together again; the bad one stays by itself.
                local before = one.clock
                one:pass(50)
                assert.equal(1, #one:calls("batch", before))
                for _, call in ipairs(one:calls("single", before)) do
                    assert.same({ "s7" }, call.names)
                end
                assert.equal("v1", one:get(one.workers[1], "s7").version_id)
                bad = false
                one:pass(61)
                assert.is_true(one:age(one.workers[1], "s7") < 61)
            end)
        end

        it("does not follow what is no single secret's fault", function()
            local one = fleet.new { workers = 2 }
            one:warm(100)
            one.aws.word = function() return "credentials_refused" end
            one:pass(600)
            assert.equal(0, #one:calls("single"))
            assert.is_true(#one:calls("batch") < 200, #one:calls("batch"))
            one.aws.word = function() end
            one:pass(61)
            for i = 1, 100 do
                assert.is_true(one:age(one.workers[1], "s" .. i) < 61)
            end
        end)
    end)

    describe("that failed", function()
        it("for some of a batch leaves these as they were", function()
            local one = fleet.new { workers = 2 }
            one:warm(20)
            one.aws.errors = { s3 = "not_found", s4 = "decryption_failed" }
            one:pass(70)
            for i = 1, 20 do
                local snapshot = one:get(one.workers[1], "s" .. i)
                assert.equal("v1", snapshot.version_id)
                local bad = i == 3 or i == 4
                assert.equal(bad, snapshot.expires <= one.clock)
            end
            assert.is_true(one.counts["vault_fetches_total not_found"] >= 2)
            one.aws.errors = {}
            one:pass(61)
            for _, name in ipairs { "s3", "s4" } do
                assert.is_true(one:age(one.workers[1], name) < 61)
            end
        end)

        it("for good is tried less and less, and at least once a minute", function()
            local one = fleet.new { workers = 1 }
            one:warm(1)
            one.aws.errors = { s1 = "not_found" }
            one:pass(60)
            local before = one.clock
            one:pass(600)
            local calls = #one:calls(nil, before)
            assert.is_true(calls >= 10 and calls <= 14, calls)
        end)

        it("leaves what was flushed meanwhile where it is", function()
            local one = fleet.new { workers = 1 }
            one:warm(1)
            one:pass(40)
            one.aws.delay, one.aws.word = 5, function() return "timeout" end
            while #one:calls("batch") == 0 do
                one:pass(0.1)
            end
            one:pass(1)
            one.workers[1].cache:flush()
            one:pass(6)
            assert.is_nil(one.dict:get("s:s1"))
        end)

        it("all at once is told to people once", function()
            local one = fleet.new { workers = 1 }
            one:warm(40)
            for _, word in ipairs { "no_credentials", "bad_config", "no_credentials" } do
                one.aws.word = function() return word end
                one:pass(300)
            end
            assert.equal(1, #one.warned)
            assert.matches("no_credentials; the old values stay in use$", one.warned[1])
            one.aws.word = function() end
            one:pass(120)
            one.aws.word = function() return "no_credentials" end
            one:pass(300)
            assert.equal(2, #one.warned)
        end)

        it("for good is told to people once, and once more where it had come back", function()
            local one = fleet.new { workers = 1 }
            one:warm(2)
            for times = 1, 2 do
                one.aws.errors = { s1 = "not_found" }
                one.aws.word = function() end
                one:pass(600)
                assert.equal(times, #one.warned)
                assert.matches("; its old value stays in use$", one.warned[times])
                one.aws.errors = {}
                one:pass(61)
                one.aws.word = function() return "timeout" end -- which is AWS's, and no secret's
                one:pass(600)
            end
            assert.equal(2, #one.warned)
        end)

        it("because the engine takes nothing ends there, and is put off", function()
            for _, batchable in ipairs { true, false } do
                local one = fleet.new { workers = 1 }
                local begun = 0
                one:warm(30, { batchable = batchable })
                one.begin = function()
                    begun = begun + 1
                    return nil, "planted", "internal"
                end
                one:pass(60)
                assert.is_true(begun > 0 and begun < 200, begun)
                assert.equal(0, one.workers[1].refresh.batches + one.workers[1].refresh.singles)
                one.begin = nil
                one:pass(61)
                assert.is_true(one:age(one.workers[1], "s30") < 61)
            end
        end)

        it("with a worker that was killed is another's within 2 s", function()
            local one = fleet.new { workers = 2 }
            one:warm(20)
            one.aws.delay = 5
            while #one:calls("batch") == 0 do
                one:pass(0.01)
            end
            one:pass(2)
            local killed, other = unpack(one.workers)
            if killed.refresh.batches == 0 then
                killed, other = other, killed
            end
            one:kill(killed)
            one.aws.delay = 0.02
            local before = one.clock
            one:pass(60 * 0.1 + 2)
            assert.same({ 1, 1 }, { least_and_most(one, 20, before) })
            assert.is_true(one:age(other, "s1") < 10)
        end)
    end)

    describe("of what nobody uses", function()
        local function renewed(one, name, seconds)
            local before = one.clock
            one:pass(seconds)
            return one:asked(before)[name] or 0
        end

        it("ends after an hour, or 3 ttl where that is more", function()
            for ttl, idle in pairs { [60] = 3600, [3600] = 3 * 3600 } do
                local one = fleet.new { workers = 1, beat = 1 }
                one:warm(1, { ttl = ttl })
                one:pass(idle)
                assert.is_true(renewed(one, "s1", ttl) >= 1)
                one:pass(2 * ttl)
                assert.equal(0, renewed(one, "s1", 5 * ttl))
                assert.is_true(one.workers[1].cache.entries.items.s1.idle)
                assert.is_nil(next(one.workers[1].refresh.groups))
                one:get(one.workers[1], "s1", { ttl = ttl })
                assert.is_nil(one.workers[1].cache.entries.items.s1.idle)
                assert.is_true(renewed(one, "s1", ttl) >= 1)
            end
        end)

        it("does not end while somebody asks, or says that it is in use", function()
            local one = fleet.new { workers = 1, beat = 1 }
            one:warm(2)
            for _ = 1, 4 * 60 do
                one:pass(60)
                one.workers[1].cache.entries.items.s1.used = true
                one:get(one.workers[1], "s2")
            end
            assert.is_true(renewed(one, "s1", 60) >= 1)
            assert.equal(2, #one:calls("get"))
        end)
    end)
end)
