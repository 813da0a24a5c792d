-- credentials_shared_spec - credentials in workers, had once for all who need them at one time.
local asker = require "spec.support.asker"
local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local ROLE = asker.ROLE

local world, opened

-- A gateway whose log must show no secret; the world's variables where there are no others.
local function start(options)
    local one = gateway.start(options)
    opened[#opened + 1] = one
    return one
end

local function begin()
    opened, world = {}, asker.start()
end

local function finish()
    local logs = {}
    for i, one in ipairs(opened) do
        one:stop()
        logs[i] = one:error_log()
    end
    world:stop()
    for _, log in ipairs(logs) do
        asker.assert_hidden(log)
        assert.is_nil(log:find("exited on signal", 1, true))
    end
end

local function assert_value(name, answer)
    assert.same({ name }, { answer.value, answer.message })
end

describe("a gateway whose fetches share credentials", function()
    before_each(begin)
    after_each(finish)

    -- The answers of `count` fetches at the same time, each of another secret.
    local function ask_many(one, count)
        local urls = {}
        for i = 1, count do
            urls[i] = one.url .. "/value?name=many-" .. i
        end
        local answers = http.parallel(urls, { max = count })
        for i, answer in ipairs(answers) do
            answers[i] = cjson.decode(answer.body)
        end
        return answers
    end
    local VALUE = [[
        location = /value {
            content_by_lua_block {
                local value, message = require("vault").get(
                    "{vault://aws/" .. ngx.var.arg_name .. "/name}")
                ngx.print(require("cjson").encode { value = value, message = message,
                                                    pid = ngx.worker.pid() })
            }
        }
    ]]

    it("asks STS once for 200 cold fetches at the same time", function()
        world.server:set { sts = { delay = 300 } }
        local one = start { server = VALUE, env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        for i, answer in ipairs(ask_many(one, 200)) do
            assert_value("many-" .. i, answer)
        end
        assert.same({ assume_role = 1 }, world.server:calls())
        assert.same({ one = 200 }, world.aws:stats().by_caller)
    end)

    it("tells when its credentials run out, and no more of them", function()
        world.server:set { sts = { life = 900 } }
        local one = start { server = VALUE .. [[
            location = /kept {
                content_by_lua_block {
                    ngx.print(require("cjson").encode(require("vault.core").credentials()))
                }
            }
        ]], env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        local function kept()
            return cjson.decode(http.get(one.url .. "/kept").body)
        end
        assert.same({}, kept())
        ask_many(one, 1)
        local list = kept()
        assert.equal(1, #list)
        assert.equal("assumed role", list[1].source)
        local left = list[1].expires - os.time()
        assert.is_true(left > 800 and left <= 901, left)
        list[1].source, list[1].expires = nil, nil
        assert.is_nil(next(list[1]))
    end)

    it("fails 200 cold fetches with one refusal of STS", function()
        world.server:set { sts = { delay = 300, code = "AccessDenied" } }
        local one = start { server = VALUE, env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        for _, answer in ipairs(ask_many(one, 200)) do
            assert.is_nil(answer.value)
            assert.matches("AccessDenied", answer.message)
        end
        assert.is_true(world.server:calls().assume_role <= 4, world.server:calls().assume_role)
        assert.equal(0, world.aws:stats().calls)
    end)

    it("asks instance metadata for keys and region as often as it must", function()
        world.server:set { imds = { delay = 100 } }
        local one = start { server = VALUE, env = asker.merge(world:linked("imds"),
            { AWS_REGION = false }) }
        for i, answer in ipairs(ask_many(one, 50)) do
            assert_value("many-" .. i, answer)
        end
        assert.same({ token = 2, region = 1, role = 1, credentials = 1 }, world.server:calls())
    end)

    it("goes on with what it has while its renewal hangs", function()
        world.server:set { sts = { life = 9 } }
        local one = start { init = 'vaults = { { prefix = "brief", name = "aws", '
            .. 'config = { timeout = 1 } } }', env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        assert_value("a", one:get("{vault://brief/a/name}"))
        system.sleep(6.2) -- less than a third of its life is left: it is to be renewed
        world.server:set { sts = { hang = true } }
        for i = 1, 3 do
            assert_value("b" .. i, one:get(("{vault://brief/b%d/name}"):format(i)))
        end
    end)
end)
