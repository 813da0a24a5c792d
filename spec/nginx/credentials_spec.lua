-- credentials_spec - credentials in workers: they run out and are renewed, a vault has its own,
-- clocks are wrong.

local asker = require "spec.support.asker"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local identity = require "spec.support.identity"
local network = require "spec.support.network"
local system = require "spec.support.system"

local ROLE, assert_value = asker.ROLE, asker.assert_value
local LIFE = 6 -- seconds that credentials live here

local world, elsewhere

local function begin()
    world = asker.start()
    elsewhere = identity.elsewhere(world.folder)
end

local function finish()
    world:stop()
end

describe("credentials that live " .. LIFE .. " s", function()
    local LIVES = 3
    local ONES = {
        { "container", kind = "container", link = "container" },
        { "instance", kind = "credentials", link = "imds" },
        { "role", kind = "assume_role", link = "environment",
          env = { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" } },
        { "token", kind = "web_identity", link = "web" },
    }
    local WORKERS = 2
    local failures, fetched, callers = {}, 0, nil

    -- One gateway with a server of its own for each, so that what is in flight can be told apart.
    local function open(one)
        local server = world.server
        one.server = identity.start(world.aws)
        one.server:set { imds = { life = LIFE }, container = { life = LIFE },
                         sts = { life = LIFE } }
        world.server = one.server
        local env = asker.merge(world:linked(one.link), one.env)
        world.server = server
        if env.AWS_ACCESS_KEY_ID then
            one.server:accept { access_key = env.AWS_ACCESS_KEY_ID, name = "base",
                                secret_key = env.AWS_SECRET_ACCESS_KEY,
                                token = env.AWS_SESSION_TOKEN }
        end
        one.gateway = world:gateway { env = env, workers = WORKERS }
    end

    local function ask(round)
        for _, one in ipairs(ONES) do
            local asked = {}
            for i = 1, 3 do
                asked[i] = one.gateway:ask(("{vault://aws/%s-%d-%d/name}"):format(one[1], round, i))
            end
            for i = 1, 3 do
                local answer = gateway.read(asked[i])
                fetched = fetched + 1
                if answer.value ~= ("%s-%d-%d"):format(one[1], round, i) then
                    failures[one[1]] = answer.message
                end
            end
        end
    end

    -- The token is another one, in the file and for STS, and then the old one is not good any more.
    local function turn_token(round)
        local server, token = ONES[4].server, "CANARY.web.token-" .. round
        server:set { sts = { tokens = { token, ONES[4].token } } }
        local path = world.folder .. "/web-token"
        system.write(path .. ".new", token)
        assert(os.rename(path .. ".new", path))
        server:set { sts = { tokens = { token } } }
        ONES[4].token = token
    end

    setup(function()
        begin()
        for _, one in ipairs(ONES) do
            open(one)
        end
        ONES[4].token = "CANARY.web.identity-token"
        local over, round = system.now() + LIVES * LIFE + 1, 0
        while system.now() < over do
            round = round + 1
            turn_token(round)
            ONES[1].server:set { container = { fail = round % 20 == 0 and 1 or 0 } }
            ask(round)
        end
        for _, one in ipairs(ONES) do
            one.stats = one.server:stats()
            one.server:stop()
        end
        callers = world.aws:stats().by_caller
    end)
    teardown(finish)

    it("serve three lives of traffic without a failed fetch", function()
        assert.same({}, failures)
        assert.is_true(fetched > 100, fetched)
        assert.is_true(callers.container > 0 and callers.imds > 0 and callers.one > 0
            and callers.web > 0)
    end)

    for _, one in ipairs(ONES) do
        it("are renewed by one call at a time and process: " .. one[1], function()
            assert.is_true(one.stats.max_in_flight[one.kind] <= WORKERS)
            local calls = one.stats.calls[one.kind]
            assert.is_true(calls >= LIVES and calls <= WORKERS * LIVES * 3, calls)
        end)
    end

    it("are had for the token that stands in the file then", function()
        local seen, last = {}, nil
        for _, record in ipairs(ONES[4].stats.records) do
            last = record.WebIdentityToken
            seen[last] = true
        end
        assert.is_true(last ~= "CANARY.web.identity-token")
        assert.is_truthy(next(seen, next(seen)))
    end)
end)

describe("a gateway", function()
    before_each(begin)
    after_each(finish)

    it("asks anew for credentials that AWS does not take any more", function()
        local one = world:gateway { env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        assert_value("a", one:get("{vault://aws/a/name}"))
        http.post(world.aws.url .. "/_/refuse?name=one&code=ExpiredTokenException", "")
        assert_value("b", one:get("{vault://aws/b/name}"))
        assert_value("c", one:get("{vault://aws/c/name}"))
        assert.same({ assume_role = 2 }, world.server:calls())
    end)

    local ENTITY = '{ prefix = %q, name = "aws", config = { %s } },'

    local function with(vaults)
        local list = {}
        for prefix, text in pairs(vaults) do
            list[#list + 1] = ENTITY:format(prefix, text)
        end
        return "vaults = {" .. table.concat(list) .. "}"
    end

    it("reads each vault with its own keys and roles, and caches them apart", function()
        local keys = world.server:issue("mine")
        local static = ("access_key_id = %q, secret_access_key = %q, session_token = %q"):format(
            keys.access_key, keys.secret_key, keys.token)
        local role = ('assume_role_arn = "%s%%s"'):format(ROLE)
        world.server:set { sts = { roles = { [ROLE .. "one"] = { by = "environment" },
            [ROLE .. "two"] = { by = "environment", external_id = "e-2" },
            [ROLE .. "three"] = { by = "mine" } } } }
        local one = world:gateway { env = world:linked("environment", "container"), init = with {
            keys = static, one = role:format("one"), three = static .. ", " .. role:format("three"),
            two = role:format("two") .. ', external_id = "e-2", role_session_name = "S-2"' } }
        for prefix, caller in pairs { keys = "mine", one = "one", two = "two", three = "three",
                                      aws = "environment" } do
            assert_value("s", one:get(("{vault://%s/s/name}"):format(prefix)))
            assert.equal(1, world.aws:stats().by_caller[caller])
        end
        assert.same({ assume_role = 3 }, world.server:calls())
        for _, record in ipairs(world.server:records("assume_role")) do
            local second = record.RoleArn == ROLE .. "two"
            assert.equal(second and "S-2" or "KongVault", record.RoleSessionName)
            assert.equal(second and "e-2" or nil, record.ExternalId)
        end
    end)

    it("does not say a vault's keys where AWS refuses them", function()
        local one = world:gateway { env = world:env(), init = with {
            mine = 'access_key_id = "AKIACANARY", secret_access_key = "CANARY/key"' } }
        local answer = one:get("{vault://mine/s/name}")
        assert.equal("credentials_refused", answer.word)
        asker.assert_hidden(answer.message)
    end)

    it("gives a web identity's token to no STS of a vault's", function()
        local theirs, refusing = identity.start(world.aws), network.refusing()
        world.server:set { sts = { tokens = { "CANARY.web.identity-token" } } }
        local one = world:gateway { env = world:linked("web"), init = with {
            their = ("sts_endpoint_url = %q"):format(theirs.url),
            role = ('sts_endpoint_url = %q, assume_role_arn = "%sone"'):format(theirs.url, ROLE) } }
        assert_value("a", one:get("{vault://their/a/name}"))
        assert.same({}, theirs:calls())
        -- Theirs does not know who was issued keys by ours: what counts is what it was sent.
        one:get("{vault://role/b/name}")
        assert.is_nil(theirs:calls().web_identity)
        assert.is_true(theirs:calls().assume_role > 0)
        for _, record in ipairs(theirs:records("assume_role")) do
            assert.is_nil(record.WebIdentityToken)
            assert.is_truthy(record.headers.authorization)
        end
        local env = world:linked("web")
        env.AWS_ENDPOINT_URL_STS = refusing.url
        local other = world:gateway { env = env, init = with {
            their = ("sts_endpoint_url = %q"):format(theirs.url) } }
        assert.equal("connect_failed", other:get("{vault://their/c/name}").word)
        assert.is_nil(theirs:calls().web_identity)
        theirs:stop()
        refusing:close()
    end)

    for _, offset in ipairs { 1200, -1200 } do
        describe(("whose clock is %+d s off"):format(offset), function()
            local function off(link, more)
                return world:gateway { preload = elsewhere, env = asker.merge(world:linked(link),
                    { VAULT_SPEC_CLOCK = tostring(offset) }, more) }
            end

            it("corrects itself with the first fetch", function()
                local one = off("environment")
                assert_value("a", one:get("{vault://aws/a/name}"))
                assert.equal(2, world.aws:stats().calls)
                for i = 1, 3 do
                    assert_value("b" .. i, one:get(("{vault://aws/b%d/name}"):format(i)))
                end
                assert.equal(5, world.aws:stats().calls)
            end)

            it("corrects itself with STS", function()
                local one = off("environment", { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" })
                for i = 1, 3 do
                    assert_value("b" .. i, one:get(("{vault://aws/b%d/name}"):format(i)))
                end
                assert.same({ assume_role = 2 }, world.server:calls())
                assert.equal(3, world.aws:stats().calls)
            end)

            it("uses what a container's agent hands out", function()
                world.server:set { container = { life = 900 } }
                local one = off("container")
                for i = 1, 3 do
                    assert_value("b" .. i, one:get(("{vault://aws/b%d/name}"):format(i)))
                end
                assert.is_true(world.server:calls().container <= 3)
            end)
        end)
    end
end)
