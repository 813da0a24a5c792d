-- imds_mock_spec - keys of an instance, from metadata as Amazon's own mock of it has them.

local asker = require "spec.support.asker"
local child = require "spec.support.child"
local identity = require "spec.support.identity"
local mocks = require "spec.support.imds_mock"
local nginx = require "spec.support.nginx"

local LIST = "iam/security-credentials"
local KEYS = LIST .. "/" .. mocks.ROLE
local REGION = "placement/region"

describe("Amazon's mock of instance metadata", function()
    local world, elsewhere, mock, front

    setup(function()
        world = asker.start()
        elsewhere = identity.elsewhere(world.folder)
    end)
    teardown(function()
        world:stop()
    end)
    before_each(function()
        world:reset()
        world.aws:accept(mocks.CALLER)
    end)
    after_each(function()
        for _, one in ipairs { front or false, mock or false } do
            if one then
                one:stop()
            end
        end
        front, mock = nil, nil
    end)

    local function start(options)
        mock = mocks.start(options or {})
        return mock
    end

    local function env(more)
        return asker.merge(world:env { AWS_EC2_METADATA_DISABLED = false,
            AWS_EC2_METADATA_SERVICE_ENDPOINT = (front or mock).url }, more)
    end

    -- In front of the mock, what gives nobody a token: a firewall, an instance before 2019.
    local function forbid_tokens(status)
        front = nginx.start { server = ([[
            location = /latest/api/token { return %d; }
            location / { proxy_pass %s; }
        ]]):format(status, mock.url) }
    end

    local function reads(asked, more)
        local answer = world:get(env(more))
        assert.is_nil(answer.message)
        assert.equal("s" .. world.number, answer.value)
        assert.equal("mock", answer.caller)
        assert.same(asked, mock:asked())
    end

    local function fails(word, says, asked, more)
        local answer = world:get(env(more))
        assert.is_nil(answer.value)
        assert.equal(word, answer.word, answer.message)
        assert.is_truthy(answer.message:find(says, 1, true), answer.message)
        assert.same(asked, mock:asked())
        assert.equal(0, world.aws:stats().calls)
    end

    it("is asked with a token, where it wants one", function()
        start { imdsv2 = true }
        reads { "token", LIST, KEYS }
        assert.is_true(mock:validated())
    end)

    it("is asked for a token, where it wants none", function()
        start()
        reads { "token", LIST, KEYS }
    end)

    for _, status in ipairs { 403, 404, 405 } do
        it("is asked without a token, where that gets " .. status, function()
            start()
            forbid_tokens(status)
            reads { LIST, KEYS }
        end)
    end

    it("is not asked without a token where that is forbidden", function()
        start()
        forbid_tokens(403)
        fails("credentials_refused", "AWS_EC2_METADATA_V1_DISABLED is true", {},
            { AWS_EC2_METADATA_V1_DISABLED = "true" })
    end)

    it("refuses who has no token, where it wants one", function()
        start { imdsv2 = true }
        forbid_tokens(404)
        fails("credentials_refused", "HTTP 401", { 401 })
    end)

    it("is found at AWS's address", function()
        start { imdsv2 = true }
        reads({ "token", LIST, KEYS }, { AWS_EC2_METADATA_SERVICE_ENDPOINT = false,
            LD_PRELOAD = elsewhere, VAULT_SPEC_METADATA = tostring(mock.port) })
    end)

    it("tells the region, where nothing else does", function()
        start { imdsv2 = true, region = "eu-west-3" }
        reads({ "token", REGION, "token", LIST, KEYS }, { AWS_REGION = false })
        assert.matches("/eu%-west%-3/secretsmanager/aws4_request",
            world.aws:last().headers.authorization)
    end)

    it("has no role", function()
        start { paths = { ["iam-security-credentials-role"] = "", ["iam-security-credentials"] =
            "" } }
        fails("no_credentials", "the instance has no role", { "token", LIST })
    end)

    it("says that the role may not be assumed", function()
        start { code = "AssumeRoleUnauthorizedAccess" }
        fails("credentials_refused", "Code is not Success: AssumeRoleUnauthorizedAccess",
            { "token", LIST, KEYS })
    end)

    -- Two secrets, one process: the keys are asked for once, whatever the mock says of their end.
    local ENDS = {
        { "keys that end in an hour", {} },
        { "keys that ended long ago, as it does by itself",
          { expiration = "2020-04-02T00:49:51Z" } },
    }
    for _, row in ipairs(ENDS) do
        it("gives " .. row[1], function()
            start(row[2])
            assert.equal("a b", child.lua([[
                local vault = require "vault"
                vault.init {}
                io.write(tostring(vault.get("{vault://aws/a/name}")), " ",
                    tostring(vault.get("{vault://aws/b/name}")))
            ]], env()))
            assert.same({ mock = 2 }, world.aws:stats().by_caller)
            assert.same({ "token", LIST, KEYS }, mock:asked())
        end)
    end

    it("gives keys whose end is no time", function()
        start { expiration = "tomorrow" }
        fails("bad_response", "Expiration", { "token", LIST, KEYS })
    end)
end)
