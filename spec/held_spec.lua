-- held_spec - what a worker holds of references: hits, use, bad new versions, and that the hot path
--             is compiled, as what it is (vault.held).

local node = require "spec.support.node"

local USER, PASSWORD = "{vault://aws/db/user?ttl=10}", "{vault://aws/db/password?ttl=10}"

describe("resolve holds", function()
    local one, world

    before_each(function()
        one = node.new()
        world = one.world
        one.aws.secrets.db = { AWSCURRENT = '{"user":"u1","password":"p1"}' }
        one:start_worker()
    end)
    after_each(function()
        one:stop()
    end)

    local function get(text)
        return one.resolve.get(text)
    end

    it("what answers are counted by, until they are taken", function()
        get(USER)
        assert.equal(0, one.held.take_hits())
        for _ = 1, 5 do
            get(USER)
        end
        assert.equal(5, one.held.take_hits())
        assert.equal(0, one.held.take_hits())
        assert.equal(1, one.counts.vault_misses_total)
    end)

    it("what is good still, once other workers' news are read, in a worker that leaves", function()
        local read = 0
        one.held.leave(function()
            read = read + 1
            if read == 3 then
                one.cache:drop()
                one.aws.secrets.db.AWSCURRENT = '{"user":"u2","password":"p2"}'
                one.cache.shelf:flush(world.clock)
            end
        end)
        assert.equal("u1", get(USER))
        world:pass(0.2)
        assert.equal("u1", get(USER))
        assert.equal(2, read)
        assert.equal("u1", get(USER)) -- hot
        assert.equal(2, read)
        world:pass(0.2)
        assert.equal("u2", get(USER))
    end)

    it("environment references too", function()
        for _, text in ipairs { "{vault://env/plain}", "$env://MY_JSON/user" } do
            one.parses = 0
            local value = get(text)
            for _ = 1, 5 do
                assert.equal(value, get(text))
            end
            assert.equal(1, one.parses)
            assert.equal(math.huge, one.held.good_until(text))
            assert.equal("", one.held.version(text))
            one.held.mark_used(text)
        end
        assert.equal(10, one.held.take_hits())
        one:fails("not_found", "{vault://env/not-set}")
        assert.is_nil(one.held.find("{vault://env/not-set}"))
    end)

    it("nothing without a cache", function()
        one:start_worker { cached = false }
        get(USER)
        get("{vault://env/plain}")
        assert.is_nil(one.held.find(USER))
        assert.is_nil(one.held.find("{vault://env/plain}"))
        assert.is_nil(one.held.version(USER))
    end)

    it("its version, and until when it is good", function()
        assert.is_nil(one.held.version(USER))
        assert.equal(world.clock, one.held.good_until(USER))
        get(USER)
        local first = one.held.version(USER)
        assert.equal(world.clock + 10, one.held.good_until(USER))
        one:rotate("db", '{"user":"u2"}')
        world:pass(10)
        get(USER)
        assert.not_equal(first, one.held.version(USER))
    end)

    it("no longer than its own resurrect_ttl, whatever the snapshot's", function()
        local strict = "{vault://aws/db/user?ttl=10&resurrect_ttl=0.5}"
        get(strict)
        one.aws.secrets.db = "timeout"
        world:pass(10.2)
        assert.equal("u1", get(strict))
        assert.is_true(one.held.good_until(strict) <= world.clock + 0.31)
    end)

    it("that it is used, and its secret", function()
        get(USER)
        local held = one.held.find(USER)
        for _, use in ipairs { get, one.held.mark_used } do
            held.used, held.entry.used = false, false
            use(USER)
            assert.is_true(held.used)
            assert.is_true(held.entry.used)
        end
        assert.equal(one.cache.entries.items[held.policy.key], held.entry)
    end)

    it("what was renewed, without another look, where the version is the same", function()
        get(USER)
        local held = one.held.find(USER)
        local policy = held.policy
        for _ = 1, 20 do
            world:pass(8)
            one.cache:store(policy, { payload = '{"user":"u1","password":"p1"}', binary = false,
                                      version_id = held.snapshot.version_id })
            one.parses = 0
            assert.equal("u1", get(USER))
            assert.equal(0, one.parses)
        end
        assert.equal(1, #one.aws.asked)
        assert.equal(0, one.changes)
    end)

    it("both fields of what another worker renewed, at its first look at the news", function()
        local first, first_cache
        one:start_worker { news = true }
        get(USER)
        get(PASSWORD)
        first, first_cache = one.resolve, one.cache
        one:start_worker { news = true }
        get(USER)
        local policy = one.held.find(USER).policy
        local changes = 0
        local on_change = first_cache.on_change
        function first_cache.on_change()
            on_change()
            changes = changes + 1
        end
        world:pass(1)
        one.cache:store(policy, { payload = '{"user":"u2","password":"p2"}', binary = false,
                                  version_id = "new" })
        assert.equal("u1p1", first.get(USER) .. first.get(PASSWORD))
        first_cache:read_news()
        assert.equal(1, changes)
        assert.equal("u2p2", first.get(USER) .. first.get(PASSWORD))
        assert.equal("u2p2", get(USER) .. get(PASSWORD))
        assert.equal(1, #one.aws.asked)
    end)

    it("at most so many; what was put out is read again", function()
        one:start_worker { max_entries = 3 }
        for i = 1, 20 do
            one.aws.secrets["s" .. i] = { AWSCURRENT = "v" .. i }
        end
        for _ = 1, 3 do
            for i = 1, 20 do
                local text = ("{vault://aws/s%d}"):format(i)
                assert.equal("v" .. i, get(text))
                assert.equal("s" .. i, one.held.find(text).entry.policy.resource)
                local held = 0
                for j = 1, 20 do
                    held = held + (one.held.find(("{vault://aws/s%d}"):format(j)) and 1 or 0)
                end
                assert.is_true(held <= 3)
            end
        end
        assert.equal(20, #one.aws.asked)
    end)

    it("a policy even where the cache has let go of the secret meanwhile", function()
        local load = one.aws.get
        function one.aws.get(key, ...)
            local kept = load(key, ...)
            one.cache.entries:remove(key)
            return kept
        end
        get(USER)
        local held = one.held.find(USER)
        assert.equal("db", held.entry.policy.resource)
        assert.equal(held.policy.key, held.entry.key)
    end)

    describe("what it was before a new version that cannot be used:", function()
        local ROWS = {
            { "without the key", '{"user":"u2"}', "key_not_found" },
            { "with a number", '{"user":"u2","password":17}', "not_a_string" },
            { "no JSON", "text", "json_syntax" },
        }
        for _, row in ipairs(ROWS) do
            it(row[1], function()
                get(PASSWORD)
                one:rotate("db", row[2])
                for _ = 1, 5 do
                    world:pass(10)
                    assert.equal("p1", get(PASSWORD))
                    assert.equal("p1", get(PASSWORD))
                end
                assert.equal(6, #one.aws.asked)
                assert.equal(1, #one.warned)
                assert.matches('key "password" of secret "db"', one.warned[1], 1, true)
                assert.matches("what it was before stays in use", one.warned[1], 1, true)
                one:rotate("db", '{"user":"u3","password":"p3"}')
                world:pass(10)
                assert.equal("p3", get(PASSWORD))
                one:rotate("db", row[2])
                world:pass(10)
                assert.equal("p3", get(PASSWORD))
                assert.equal(2, #one.warned)
            end)
        end

        it("not base64", function()
            local text = "{vault://aws/b64?ttl=10&base64_decode=true}"
            one.aws.secrets.b64 = { AWSCURRENT = "YQBi" }
            get(text)
            one:rotate("b64", "canary!")
            world:pass(10)
            assert.equal("a\0b", get(text))
            assert.is_nil(one.warned[1]:find("canary", 1, true))
        end)

        it("for resurrect_ttl after the last time it was seen, and no longer", function()
            local text = "{vault://aws/db/password?ttl=10&resurrect_ttl=5}"
            get(text)
            local held = one.held.find(text)
            world:pass(9)
            one.cache:store(held.policy, { payload = '{"user":"u1","password":"p1"}',
                                           binary = false, version_id = held.snapshot.version_id })
            one:rotate("db", '{"user":"u2"}')
            world:pass(10)
            assert.equal("p1", get(text))
            world:pass(4.9)
            assert.equal("p1", get(text))
            world:pass(0.2)
            one:fails("key_not_found", text)
        end)

        it("and nobody waits for long to see whether a newer one is better", function()
            get(PASSWORD)
            one:rotate("db", '{"user":"u2"}')
            world:pass(10)
            get(USER)
            world:pass(2)
            assert.equal("p1", get(PASSWORD))
            assert.equal(1, one.aws.options.patience)
            one.aws.secrets.db, one.aws.asked = "timeout", {}
            world:pass(10)
            assert.equal("p1", get(PASSWORD)) -- which is kept by now
            assert.equal(2, #one.aws.asked)
            assert.equal(1, one.aws.options.patience)
            world:pass(2)
            one:fails("key_not_found", "{vault://aws/db/none?ttl=10}")
            assert.is_nil(one.aws.options.patience)
        end)

        it("not where there was none", function()
            one.aws.secrets.db = { AWSCURRENT = '{"user":"u1"}' }
            one:fails("key_not_found", PASSWORD)
            assert.same({}, one.warned)
        end)

        it("not once this worker has been told to forget", function()
            get(PASSWORD)
            one:rotate("db", '{"user":"u2"}')
            one.cache:flush()
            one.resolve.drop()
            one:fails("key_not_found", PASSWORD)
        end)
    end)

    describe("and compiles the hot path:", function()
        -- What LuaJIT's compiler says of `action` run in a loop.
        local function traced(action)
            local seen = { start = 0, stop = 0, abort = 0 }
            local function note(what)
                seen[what] = (seen[what] or 0) + 1
            end
            local on = jit.status()
            jit.flush()
            jit.on()
            jit.attach(note, "trace")
            for _ = 1, 2000 do
                action()
            end
            jit.attach(note)
            if not on then
                jit.off()
            end
            return seen
        end

        -- The compiler begins its traces by chance, and may begin one at a bad place: one of three
        -- runs is without an abort, or it is the path's fault.
        local function traced_well(action)
            local seen
            for _ = 1, 3 do
                seen = traced(action)
                if seen.abort == 0 then
                    break
                end
            end
            return seen
        end

        it("one trace, no abort, for secrets and for variables", function()
            for _, text in ipairs { USER, "{vault://env/plain}", "$secret://aws/john/db/user" } do
                local resolve = one.resolve
                resolve.get(text)
                local seen = traced_well(function() return resolve.get(text) end)
                assert.equal(0, seen.abort)
                assert.is_true(seen.stop >= 1 and seen.stop <= 5, seen.stop)
            end
        end)

        -- How the trace ends that begins with the function `called`, after cold calls of it.
        local function linktype_after_cold_calls(called)
            local starts, linktype = {}, nil
            local function note(what, number, func)
                if what == "start" then
                    starts[number] = func
                elseif what == "stop" and starts[number] == called then
                    linktype = linktype or require("jit.util").traceinfo(number).linktype
                end
            end
            local on = jit.status()
            jit.flush()
            jit.on()
            jit.attach(note, "trace")
            one.held.heat(called)
            ;("x"):rep(500):gsub("x", function() called("{vault://aws/db/no-such-key}") end)
            jit.attach(note)
            if not on then
                jit.off()
            end
            return linktype
        end

        -- By chance it may give up each time.
        it("as the hot case, though cold calls come first", function()
            local linktype
            for _ = 1, 10 do
                linktype = linktype or linktype_after_cold_calls(one.resolve.get)
            end
            assert.equal("return", linktype)
        end)

        it("the cold case would be compiled without that", function()
            one.held.heat = function() end
            assert.not_equal("return", linktype_after_cold_calls(one.resolve.get))
        end)

        it("the check itself finds what cannot be compiled", function()
            local seen = traced_well(function() return string.format("%s", {}) and newproxy() end)
            assert.is_true(seen.abort >= 1)
        end)
    end)
end)
