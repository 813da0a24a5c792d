-- startup_spec - what nginx has before its first request: settings and configurations with their
-- references resolved in init, and kept up to date in a worker.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local system = require "spec.support.system"

local AFTER_INIT = [[
    local vault = require "vault"
    settings = { vault.environment { "PG_USER", "PG_PASSWORD", "PG_HOST", "NOT_SET",
                                     key = "{vault://aws/keys/one}" } }
    missing = { vault.environment { "PG_USER", none = "{vault://aws/missing.x/k}" } }
    conf = { tokens = { "{vault://aws/keys/one?ttl=1}" }, user = "{vault://aws/db/user?ttl=1}",
             other = "{vault://aws/missing.x/k}" }
    conf_in_init = { vault.dereference(conf, { fields = {
        { user = { type = "string", referenceable = true } },
        { tokens = { type = "array", elements = { type = "string", referenceable = true } } },
        { other = { type = "string", referenceable = true, required = false } },
    } }) }
]]
local SERVER = [[
    location = /seen {
        content_by_lua_block {
            ngx.print(require("cjson").encode { settings = settings, missing = missing,
                                                same = conf_in_init[1] == conf })
        }
    }
    location = /conf {
        content_by_lua_block {
            local _, message = require("vault").update(conf)
            ngx.print(require("cjson").encode { user = conf.user, token = conf.tokens[1],
                                                other = conf.other, message = message })
        }
    }
]]

describe("an nginx that is an upgrade of another's binary", function()
    it("says that its environment is not whole", function()
        for _, env in ipairs { { NGINX = "" }, {} } do
            local one = gateway.start { env = env }
            local log = one:error_log()
            one:stop()
            assert.equal(env.NGINX ~= nil, log:find("only what env lines name", 1, true) ~= nil)
        end
    end)
end)

describe("what is needed at start", function()
    local fake, nginx

    setup(function()
        fake = aws.start()
        fake:put("db", '{"user":"u1","password":"p1"}')
        fake:put("keys", '{"one":"k1"}')
        nginx = gateway.start {
            after_init = AFTER_INIT, server = SERVER,
            env = fake:env { PG_USER = "{vault://aws/db/user}", PG_HOST = "db.internal",
                             PG_PASSWORD = "{vault://aws/db/password}" },
        }
    end)
    teardown(function()
        nginx:stop()
        fake:stop()
    end)

    it("is there, in one call for all of it", function()
        local seen = cjson.decode(nginx:show("/seen"))
        assert.same({ { PG_USER = "u1", PG_PASSWORD = "p1", PG_HOST = "db.internal", key = "k1" } },
            seen.settings)
        assert.same("not_found", seen.missing[3])
        assert.matches("^none: ", seen.missing[2])
        assert.is_true(seen.same)
        assert.equal(2, fake:stats().batch_sizes[1])
        assert.same(nil, fake:stats().by_name.db)
    end)

    it("is kept up to date by update", function()
        local function conf()
            return cjson.decode(nginx:show("/conf"))
        end
        assert.same({ user = "u1", token = "k1" }, conf())
        fake:put("db", '{"user":"u2","password":"p2"}')
        assert.truthy(system.wait_for(function() return conf().user == "u2" end, 4))
        assert.same({ user = "u2", token = "k1" }, conf())
        local _, count = nginx:error_log():gsub("the optional field other has no value", "")
        assert.is_true(count >= 1 and count <= 2, count) -- init's, which a worker inherits
    end)
end)
