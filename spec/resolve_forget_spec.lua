-- resolve_forget_spec - a vault that has another config, or is gone, while its values are in use.

local node = require "spec.support.node"

local USER, PASSWORD = "{vault://my-aws/db/user}", "{vault://my-aws/db/password}"
local VARIABLE = "{vault://my-env/one}"

describe("a vault that changes", function()
    local one, answers, told

    -- answers: region -> text of the secret "db", or the word that it fails with
    local function get_of(aws, answer)
        return function(key, request, on_done, options, about)
            aws.options, request.key = options, key
            aws.asked[#aws.asked + 1] = request
            return answer(request, on_done, about)
        end
    end

    local function answer(request, on_done, about)
        local text = answers[request.terms.region] or "not_found"
        if text:sub(1, 1) == "{" then
            return on_done({ payload = text, version_id = text, binary = false }, nil, nil, about)
        end
        return on_done(nil, "planted " .. text, text, about), "planted " .. text, text
    end

    local function with(config, env_prefix, gone)
        one.vaults.configure { entities = {
            config and { prefix = "my-aws", name = "aws", config = config }
                or { prefix = "other", name = "aws" },
            { prefix = "my-env", name = "env", config = { prefix = env_prefix or "APP_" } },
        } }
        one.resolve.forget("my-aws", gone)
        one.resolve.forget("my-env", gone)
    end

    before_each(function()
        one = node.new()
        one:start_worker()
        one.aws.get = get_of(one.aws, function(...) return answer(...) end)
        answers = { ["eu-west-1"] = '{"user":"eu","password":"eu-p"}',
                    ["us-west-2"] = '{"user":"us","password":"us-p"}' }
        with { region = "eu-west-1", ttl = 60, resurrect_ttl = 100 }
        told = 0
        one.resolve.configure { cache = one.cache, dict = one.dict, now = one.world.ngx.now,
                                on_change = function() told = told + 1 end,
                                warn = function(message) table.insert(one.warned, message) end }
        assert.equal("eu", one.resolve.get(USER))
        assert.equal("eu-p", one.resolve.get(PASSWORD))
        one:asked()
    end)
    after_each(function()
        one:stop()
    end)

    it("is asked at the next look, and once", function()
        with { region = "us-west-2" }
        assert.is_true(told > 0)
        assert.equal("us", one.resolve.get(USER))
        assert.equal("us-p", one.resolve.get(PASSWORD))
        assert.equal("us", one.resolve.get(USER))
        assert.equal(1, #one:asked())
        assert.truthy(one.held.find(USER))
    end)

    it("is not asked again where the same bytes are meant", function()
        with { region = "eu-west-1", ttl = 30, description = nil }
        assert.equal("eu", one.resolve.get(USER))
        assert.equal(0, #one:asked())
    end)

    it("says the ttl anew, be it longer or shorter", function()
        for _, ttl in ipairs { 600, 5, 0, 60 } do
            with { region = "eu-west-1", ttl = ttl }
            one.resolve.get(USER)
            assert.equal(0, #one:asked())
            one.world:pass(ttl == 0 and 1000 or ttl - 0.5)
            one.resolve.get(USER)
            assert.equal(0, #one:asked())
            one.world:pass(1)
            assert.equal("eu", one.resolve.get(USER))
            assert.equal(ttl == 0 and 0 or 1, #one:asked())
            if ttl == 0 then
                with { region = "eu-west-1", ttl = 1 }
                one.resolve.get(USER)
                one:asked()
            end
        end
    end)

    it("does not make another's ttl longer", function()
        local sooner = "{vault://aws/db/user?ttl=70&region=eu-west-1}"
        assert.equal("eu", one.resolve.get(sooner))
        with { region = "eu-west-1", ttl = 600 }
        assert.equal("eu", one.resolve.get(USER))
        assert.equal("eu", one.resolve.get(sooner))
        assert.equal(0, #one:asked())
        one.world:pass(71)
        assert.equal("eu", one.resolve.get(sooner))
        assert.equal(1, #one:asked())
    end)

    for _, word in ipairs { "pending", "timeout", "throttled", "connect_failed", "cancelled" } do
        it("serves the old values as long as the new do not come: " .. word, function()
            answers["us-west-2"] = word
            with { region = "us-west-2" }
            for _ = 1, 100 do
                assert.same({ "eu" }, { one.resolve.get(USER) })
                assert.same({ "eu-p" }, { one.resolve.get(PASSWORD) })
                one.world:pass(0.01)
            end
            local asked = #one:asked()
            assert.is_true(asked >= 2 and asked <= 10, asked)
            assert.equal(1, one.aws.options.patience)
            assert.is_nil(one.held.find(USER))
            answers["us-west-2"] = '{"user":"us","password":"us-p"}'
            one.world:pass(1.1)
            assert.equal("us", one.resolve.get(USER))
            assert.equal("us-p", one.resolve.get(PASSWORD))
        end)
    end

    it("does not serve old values for longer than they were good for", function()
        answers["us-west-2"] = "timeout"
        with { region = "us-west-2" }
        one.world:pass(159)
        for _ = 1, 2 do
            assert.equal("eu", one.resolve.get(USER))
            one.world:pass(0.5)
        end
        assert.equal(1, #one.warned)
        assert.matches("; what it was before its vault changed stays in use$", one.warned[1])
        one.world:pass(1)
        one:fails("timeout", USER)
    end)

    it("serves the old values for as long where it changes again and again", function()
        answers["us-west-1"], answers["us-west-2"] = "timeout", "not_found"
        answers["us-west-3"] = "timeout"
        for i = 1, 3 do
            with { region = "us-west-" .. i }
            assert.equal("eu", one.resolve.get(USER))
            one.world:pass(50)
        end
        assert.equal("eu", one.resolve.get(USER))
        one.world:pass(11)
        one:fails("timeout", USER)
    end)

    for _, word in ipairs { "not_found", "access_denied", "credentials_refused", "bad_config" } do
        it("serves the old values where the new config is wrong, and says so once: " .. word,
            function()
                answers["us-west-2"] = word
                with { region = word == "bad_config" and "$env://NOT_SET" or "us-west-2" }
                for _ = 1, 40 do
                    assert.same({ "eu" }, { one.resolve.get(USER) })
                    assert.same({ "eu-p" }, { one.resolve.get(PASSWORD) })
                    one.world:pass(0.5)
                end
                assert.is_true(#one:asked() <= 2 * 20 / 5)
                assert.equal(2, #one.warned)
                for _, warning in ipairs(one.warned) do
                    assert.matches("; what it was before its vault changed stays in use$", warning)
                end
                one.world:pass(150)
                one:fails(word, USER)
            end)
    end

    it("takes both fields of one secret at once, when its config comes to something", function()
        answers["us-west-2"] = "not_found"
        with { region = "us-west-2" }
        assert.equal("eu", one.resolve.get(USER))
        one.world:pass(3)
        assert.equal("eu-p", one.resolve.get(PASSWORD))
        answers["us-west-2"] = '{"user":"us","password":"us-p"}'
        one.world:pass(2.5)
        assert.equal("us", one.resolve.get(USER))
        assert.equal("us-p", one.resolve.get(PASSWORD))
    end)

    it("says that its new secret has no such key, or that it allows it no more", function()
        answers["us-west-2"] = '{"user":"us"}'
        with { region = "us-west-2" }
        assert.equal("us", one.resolve.get(USER))
        one:fails("key_not_found", PASSWORD)
        with { region = "us-west-2", allow = { "other" } }
        one:fails("refused", USER)
    end)

    it("gives no values of two configs where one of them comes late", function()
        answers["us-west-2"] = "timeout"
        with { region = "us-west-2" }
        assert.equal("eu", one.resolve.get(USER))
        answers["us-west-2"] = '{"user":"us","password":"us-p"}'
        local before = told
        assert.equal("eu-p", one.resolve.get(PASSWORD)) -- not tried again yet
        one.world:pass(1)
        assert.equal("us-p", one.resolve.get(PASSWORD))
        assert.equal(before + 1, told)
        assert.equal("us", one.resolve.get(USER))
    end)

    it("takes nothing over that was asked for before", function()
        local text = "{vault://my-aws/db/user?ttl=7}"
        one.cache:flush()
        one.aws.get = get_of(one.aws, function(...)
            one.aws.get = get_of(one.aws, answer)
            with { region = "us-west-2" }
            return answer(...)
        end)
        assert.equal("eu", one.resolve.get(text))
        assert.is_nil(one.held.find(text))
        assert.equal("us", one.resolve.get(text))
        assert.equal("us", one.resolve.get(USER))
    end)

    it("is asked by its new config where the old one failed meanwhile", function()
        one.cache:flush()
        one.resolve.drop()
        one.aws.get = get_of(one.aws, function(_, on_done, about)
            one.aws.get = get_of(one.aws, answer)
            with { region = "us-west-2" }
            return on_done(nil, "planted", "access_denied", about), "planted", "access_denied"
        end)
        assert.equal("us", one.resolve.get(USER))
    end)

    it("is gone for all its references, and they are forgotten", function()
        with(nil, nil, true)
        for _ = 1, 2 do
            one:fails("unknown_vault", USER)
            one:fails("unknown_vault", PASSWORD)
        end
        with { region = "eu-west-1" }
        assert.equal("eu", one.resolve.get(USER))
    end)

    it("is gone at once where its values were asked for a moment ago", function()
        for _ = 1, 2 do
            assert.equal("eu", one.resolve.get(USER))
        end
        one.vaults.configure { entities = {} }
        one.resolve.forget("my-aws", true)
        one:fails("unknown_vault", USER)
    end)

    it("is gone at once where it is of the environment", function()
        assert.equal("prefixed", one.resolve.get(VARIABLE))
        one.vaults.configure { entities = {} }
        one.resolve.forget("my-env", true)
        one:fails("unknown_vault", VARIABLE)
    end)

    for _, word in ipairs { "timeout", "access_denied" } do
        it("leaves nothing to the next of its name where it is gone: " .. word, function()
            answers["us-west-2"] = word
            local other = "{vault://aws/db/user?region=eu-west-1}"
            assert.equal("eu", one.resolve.get(other))
            assert.equal("prefixed", one.resolve.get(VARIABLE))
            with { region = "us-west-2" }
            assert.equal("eu", one.resolve.get(USER)) -- held for a config of its own by now
            with({ region = "us-west-2" }, nil, true)
            local list = one.held.secrets()
            assert.same({ 1, "aws" }, { #list, list[1].vault })
            assert.is_nil(one.held.find(VARIABLE))
            one:fails(word, USER)
            one:fails(word, PASSWORD)
            assert.equal("prefixed", one.resolve.get(VARIABLE))
            answers["us-west-2"] = '{"user":"us","password":"us-p"}'
            one.world:pass(1)
            assert.equal("us", one.resolve.get(USER))
            assert.equal("us-p", one.resolve.get(PASSWORD))
        end)
    end

    it("of the environment is read at once", function()
        assert.equal("prefixed", one.resolve.get(VARIABLE))
        with({ region = "eu-west-1" }, "NO_")
        one:fails("not_found", VARIABLE)
        with({ region = "eu-west-1" }, "APP_")
        assert.equal("prefixed", one.resolve.get(VARIABLE))
    end)

    it("leaves others alone", function()
        local other = "{vault://aws/db/user?region=eu-west-1}"
        assert.equal("eu", one.resolve.get(other))
        with { region = "us-west-2" }
        assert.truthy(one.held.find(other))
        assert.equal("eu", one.resolve.get(other))
        assert.equal(0, #one:asked())
    end)
end)
