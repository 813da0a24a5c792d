-- seeds_spec - the documents' how-tos, run as they are written but for host, port and account:
-- their `aws` and curl commands, against moto and the example gateway, and what comes of it.
--
-- spec/support/seeds.lua has all their code blocks, and says of those that are not run why. What
-- they print is compared without ids and times, which are made anew, and without placeholders.

local cjson = require "cjson"
local example = require "spec.support.example"
local moto = require "spec.support.moto"
local seeds = require "spec.support.seeds"
local shell = require "spec.support.shell"
local system = require "spec.support.system"

local LATEST = 1 -- seconds in which all workers know of a change
local NO_VAULTS = '_format_version: "3.0"\nvaults: []\n'
local ROLE = "arn:aws:iam::123456789012:role/reader-of-secrets"
local PLACEHOLDERS = {
    access_key_id = "AKIAIOSFODNN7EXAMPLE", secrets_access_key = "wJalrXUtnFEMIEXAMPLEKEY",
    token = "a-token", ["aws-region"] = "us-east-1",
    aws_iam_role_arn = ROLE, aws_assume_role_session_name = "a-session",
}

describe("the documents", function()
    local cloud, gateway

    -- A block's text with an account in the place of its <placeholders>.
    local function filled(name)
        return (seeds.text(name):gsub("<([%w_-]+)>", PLACEHOLDERS))
    end

    -- The environment of somebody who has configured the AWS command line, as it says in them all.
    local function account(region)
        return { AWS_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE",
                 AWS_SECRET_ACCESS_KEY = "wJalrXUtnFEMIEXAMPLEKEY", AWS_ENDPOINT_URL = cloud.url,
                 AWS_REGION = region, AWS_DEFAULT_REGION = region }
    end

    local function create(name, value, region)
        shell.run(("aws secretsmanager create-secret --name %s --secret-string %s"):format(
            name, system.quote(value)), account(region or "us-east-1"))
    end

    -- The gateway, with moto for its AWS, no matter where the spec runs, and else with `env` alone.
    local function start(env, vaults)
        env.AWS_ENDPOINT_URL, env.AWS_EC2_METADATA_DISABLED = cloud.url, "true"
        gateway = example.start { env = env, vaults = vaults or NO_VAULTS }
    end

    local function shown(name)
        local values = {}
        for i, reference in ipairs(seeds.references(name)) do
            values[i] = gateway:show(reference)
        end
        return values
    end

    -- Status line and decoded body of what `curl -i` printed.
    local function parse(printed)
        local line, body = printed:match("^([^\r]+)\r\n.-\r\n\r\n(.*)$")
        return line, cjson.decode(body)
    end

    local function without_ids(vault)
        assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+$", vault.id)
        assert.is_number(vault.created_at)
        assert.is_number(vault.updated_at)
        vault.id, vault.created_at, vault.updated_at = nil, nil, nil
        return vault
    end

    setup(function()
        cloud = moto.start()
    end)
    teardown(function()
        cloud:stop()
    end)
    after_each(function()
        if gateway then
            gateway:stop()
            gateway = nil
        end
        cloud:reset()
    end)

    describe("of Kong on AWS Secrets Manager as a backend:", function()
        before_each(function()
            create("secret-name", seeds.text("secret"))
        end)

        it("credentials and region of the environment", function()
            start(shell.environment(filled("credentials"), {}))
            assert.same({ "bar", "snap" }, shown("references"))
        end)

        it("the region of KONG_VAULT_AWS_REGION", function()
            local env = account("eu-west-1")
            env.AWS_REGION, env.AWS_DEFAULT_REGION = nil, nil
            start(env)
            assert.matches("^no_region: ", (gateway:show("{vault://aws/secret-name/foo}")))
            gateway:stop()
            start(shell.environment(filled("default region"), env))
            assert.same({ "bar", "snap" }, shown("references"))
        end)

        it("an assumed role", function()
            start(shell.environment(filled("role"), account("us-east-1")))
            assert.same({ "bar", "snap" }, shown("references"))
            assert.truthy(system.wait_for(function() -- of the worker that asked
                local status = cjson.decode(gateway:run(seeds.text("verify")))
                return (status.credentials[1] or {}).source == "assumed role"
            end))
        end)

        it("versions", function()
            start(account("us-east-1"))
            shell.run([[aws secretsmanager put-secret-value --secret-id secret-name \
                --secret-string '{"foo":"newer"}']], account("us-east-1"))
            assert.same({ "newer", "newer", "bar" }, shown("versions"))
        end)

        it("a vault by the Admin API, in the place of AWS_REGION", function()
            local env = account()
            start(env)
            local line, vault = parse(gateway:run(seeds.text("put vault")))
            assert.equal("HTTP/1.1 200 OK", line)
            assert.same(without_ids(cjson.decode(seeds.text("vault"))), without_ids(vault))
            system.sleep(LATEST)
            assert.same({ "bar", "snap" }, shown("vault's references"))
        end)

        it("a vault by declarative configuration, in the place of AWS_REGION", function()
            local file = seeds.text("declared vault")
            start(account(), file)
            assert.same({ "bar", "snap" }, shown("vault's references"))
            local vault = cjson.decode(gateway:run("curl -s localhost:8001/vaults/aws-sm-vault"))
            assert.same(without_ids(cjson.decode(seeds.text("vault"))), without_ids(vault))
            assert.equal(file, system.read("examples/vaults.yaml"):gsub("#[^\n]*\n", "")
                :gsub("\n$", ""), "examples/vaults.yaml is another one")
        end)

        it("two regions, one name, two values", function()
            create("secret-name", '{"foo":"bar in Europe","snip":"snap in Europe"}', "eu-central-1")
            create("secret-name", '{"foo":"bar in the West","snip":"snap in the West"}',
                "us-west-1")
            start(account("us-east-1"))
            for block, wanted in pairs { ["put eu-central"] = { "eu-central", "eu-central-1" },
                                         ["put us-west"] = { "us-west", "us-west-1" } } do
                local vault = cjson.decode(gateway:run(seeds.text(block)))
                assert.same({ "aws-" .. wanted[1] .. "-vault", "aws", { region = wanted[2] } },
                    { vault.prefix, vault.name, vault.config })
            end
            system.sleep(LATEST)
            assert.same({ "bar in Europe", "snap in the West" }, shown("regions' references"))
            -- The same key by both; and the environment's region has not changed.
            assert.equal("bar in the West",
                (gateway:show("{vault://aws-us-west-vault/secret-name/foo}")))
            assert.same({ "bar", "snap" }, shown("references"))
        end)
    end)

    it("of Kong on database credentials", function()
        shell.run(table.concat({ seeds.text("user and password"), seeds.text("create secret"),
                                 seeds.text("put secret value") }, "\n"), account("us-east-1"))
        local env = account("us-east-1")
        env.AWS_SESSION_TOKEN = "a-token"
        start(env)
        assert.same({ "kong", "KongFTW" }, shown("launch"))
        local status = cjson.decode(gateway:run(seeds.text("verify")))
        assert.equal(require("vault.core")._VERSION, status.version)
    end)

    it("of Kong on secrets in the environment", function()
        start { MY_SECRET_POSTGRES_PASSWORD = "from the environment" }
        assert.equal("from the environment",
            (gateway:show("{vault://env/my-secret-postgres-password}")))
    end)

    describe("of APISIX:", function()
        it("the requests with the right and with the wrong key", function()
            -- What the document does in AWS's console.
            create("apisix-secrets", '{"john-key-auth":"john-key"}', "ap-southeast-2")
            start {}
            local line = gateway:run(seeds.text("wrong key")):match("^[^\r]+")
            assert.equal("HTTP/1.1 401 Unauthorized", line)
            local made = cjson.decode(gateway:run(seeds.text("put manager")))
            assert.same({ "/apisix/secrets/aws/john", "ap-southeast-2" },
                { made.key, made.value.region })
            system.sleep(2 * LATEST) -- what was not there is looked for again after a second
            assert.equal("HTTP/1.1 200 OK", (parse(gateway:run(seeds.text("right key")))))
            assert.equal("HTTP/1.1 401 Unauthorized", (parse(gateway:run(seeds.text("wrong key")))))
            assert.is_nil(gateway:error_log():find("john-key[^-]"))
        end)

        -- The JSON that a block's curl sends.
        local function sent(name)
            return cjson.decode(seeds.text(name):match("-d '(.*)'$"))
        end

        it("its consumer, credential and route are the example's", function()
            local code = system.read("examples/key_auth.lua")
            local credential = sent("put credential")
            for name, value in pairs { username = sent("put consumer").username,
                                       id = credential.id,
                                       key = credential.plugins["key-auth"].key } do
                assert.truthy(code:find(('%s = "%s"'):format(name, value), 1, true), name)
            end
            assert.truthy(system.read("examples/key-auth.conf"):find(
                ("location = %s {"):format(sent("put route").uri), 1, true))
        end)
    end)

    it("have no block that is left out without a reason", function()
        assert.same({}, seeds.left())
    end)
end)
