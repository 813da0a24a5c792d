-- cache_dict_spec - what workers tell each other through the shared dict (vault.cache).

local cache = require "vault.cache"
local light = require "spec.support.light"
local loads = require "spec.support.loads"
local shelf = require "vault.shelf"

local failing, loader, payload, policy = loads.failing, loads.loader, loads.payload, loads.policy

describe("the cache's shared dict", function()
    local world, dict, full, one

    local function worker(options)
        options = options or {}
        return cache.new {
            shelf = shelf.new { dict = not options.alone and dict or nil,
                                on_full = function(name) full[#full + 1] = name end },
            now = world.ngx.now, max_entries = options.max_entries,
        }
    end

    before_each(function()
        world, full = light.new(), {}
        dict = world:dict()
        one = worker()
    end)

    it("spares other workers the fetch", function()
        local source = loader("a")
        source.version_id, source.binary = "v7", true
        payload(one, policy(), source)
        local snapshot = worker():get(policy(), source.load)
        assert.equal(1, source.calls)
        assert.equal("a", snapshot.payload)
        assert.equal("v7", snapshot.version_id)
        assert.is_true(snapshot.binary)
        assert.equal(world.clock + 10, snapshot.good_until)
    end)

    local PAYLOADS = { "", "\n", "a\nb\n", "\0", "a\0b", "\r\n\0\255", "1.000 v s\nx", " b\n",
                       ("\0\1\n"):rep(20000), "b\n" }
    for i, text in ipairs(PAYLOADS) do
        it("brings every byte of payload " .. i, function()
            for _, binary in ipairs { true, false } do
                local source = loader(text)
                source.binary = binary
                payload(worker(), policy { key = i }, source)
                local snapshot = worker():get(policy { key = i }, source.load)
                assert.is_true(text == snapshot.payload)
                assert.equal(binary, snapshot.binary)
                dict:delete("s:" .. i)
            end
        end)
    end

    it("takes an answer without VersionId", function()
        local source = loader("a")
        source.version_id = ""
        payload(one, policy(), source)
        payload(worker(), policy(), source)
        assert.equal(1, source.calls)
    end)

    it("keeps a secret for whoever wants it for longest", function()
        local long = policy { resurrect_ttl = 1e6 }
        payload(one, policy(), loader("a"))
        payload(one, long, loader("a"))
        world:pass(10)
        payload(one, long, loader("a"))
        world:pass(1000)
        assert.equal("a", payload(worker(), long, failing("timeout")))
    end)

    for _, garbage in ipairs { "", "x", "1.5", "1.5 q 2 v1x", "1.5 s 2", "nan s 2 v1x",
                               7, true, "-1.0 s 2 v1x", "1e9 s 1 vx", "1.5 s -1 x", "\0" } do
        it(("garbage is ignored: %q"):format(tostring(garbage)), function()
            dict:safe_set("s:k", garbage)
            dict:safe_set("n:k", garbage)
            assert.equal("a", payload(one, policy { neg_ttl = 5 }, loader("a")))
            assert.equal("a", payload(worker(), policy(), loader("b")))
        end)
    end

    it("brings a newer snapshot, which ends the older one", function()
        local two = worker()
        local old = one:get(policy(), loader("a").load)
        assert.equal("a", payload(two, policy(), loader("b")))
        world:pass(10)
        payload(two, policy(), loader("b"))
        local source = loader("c")
        assert.equal("b", payload(one, policy(), source))
        assert.equal(0, source.calls)
        assert.equal(0, old.good_until)
    end)

    it("does not bring back an older one", function()
        local two = worker()
        payload(two, policy(), loader("a"))
        local text = dict:get("s:k")
        world:pass(10)
        payload(one, policy(), loader("b"))
        dict:safe_set("s:k", text)
        world:pass(10)
        assert.equal("b", payload(one, policy { resurrect_ttl = 60 }, failing("timeout")))
    end)

    it("that is full is told of, and the value is served", function()
        dict.full = true
        local source = loader("a")
        assert.equal("a", payload(one, policy(), source))
        assert.equal("a", payload(one, policy(), source))
        assert.equal(1, source.calls)
        assert.same({ "name" }, full)
        assert.same({ nil, "planted not_found", "not_found" },
            { payload(one, policy { key = "m", neg_ttl = 5 }, failing("not_found")) })
    end)

    describe("of what failed before", function()
        -- A loader whose fetch begins `later`, after run() (what other workers do meanwhile).
        local function beginning(later, run)
            local source = loader("a")
            local load = source.load
            function source.load(on_done, patience, asked)
                return load(function(result, ...)
                    if run then
                        run()
                    end
                    result.began = world.ngx.now() + later
                    return on_done(result, ...)
                end, patience, asked)
            end
            return source
        end

        it("nothing is left after a success", function()
            local asked = policy { neg_ttl = 60 }
            payload(one, asked, failing("not_found"))
            assert.is_not_nil(dict:get("n:k"))
            assert.equal("a", one:fetch(asked, loader("a").load).payload)
            assert.is_nil(dict:get("n:k"))
            world:pass(11)
            payload(one, policy(), failing("not_found")) -- remembered, and not the answer
            assert.is_not_nil(dict:get("n:k"))
            assert.equal("a", payload(one, policy(), beginning(0)))
            assert.is_nil(dict:get("n:k"))
        end)

        it("nothing is left of what failed while the fetch waited for another worker", function()
            local function fail()
                one.shelf:put_miss("k", world.ngx.now(), { word = "not_found", message = "m" }, 60)
            end
            assert.equal("a", payload(one, policy { neg_ttl = 60 }, beginning(0.01, fail)))
            assert.is_nil(dict:get("n:k"))
        end)

        it("nothing is left of what failed in the moment in which the fetch began", function()
            local asked = policy { neg_ttl = 60 }
            payload(one, asked, failing("not_found"))
            one:fetch(asked, beginning(0).load)
            assert.is_nil(dict:get("n:k"))
        end)
    end)

    it("can be left out", function()
        one = worker { alone = true }
        local source = loader("a")
        payload(one, policy(), source)
        payload(one, policy(), source)
        assert.equal(1, source.calls)
        payload(worker { alone = true }, policy(), source)
        assert.equal(2, source.calls)
    end)
end)
