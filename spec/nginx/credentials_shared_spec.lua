-- credentials_shared_spec - credentials in workers, had once for all who need them at one time.
local asker = require "spec.support.asker"
local cjson = require "cjson"
local http = require "spec.support.http"
local system = require "spec.support.system"

local ROLE, assert_value = asker.ROLE, asker.assert_value

describe("a gateway whose fetches share credentials", function()
    local world

    before_each(function()
        world = asker.start()
    end)
    after_each(function()
        world:stop()
    end)

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
        local one = world:gateway { server = VALUE, env = asker.merge(world:linked("environment"),
            { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }) }
        for i, answer in ipairs(ask_many(one, 200)) do
            assert_value("many-" .. i, answer)
        end
        assert.same({ assume_role = 1 }, world.server:calls())
        assert.same({ one = 200 }, world.aws:stats().by_caller)
    end)

    it("asks STS once for a start with several workers, where init resolved a secret", function()
        local port, workers = system.free_port(), 3
        local one = world:gateway {
            workers = workers, env = asker.merge(world:linked("web"),
                { KONG_VAULT_AWS_ASSUME_ROLE_ARN = ROLE .. "one" }),
            after_init = 'assert(require("vault").get("{vault://aws/early/name}") == "early")',
            http = ([[ server { listen 127.0.0.1:%d reuseport; %s } ]]):format(port, VALUE),
        }
        local pids, known, number = {}, 0, 0
        system.wait_for(function()
            number = number + 1
            local answer = cjson.decode(http.get(("http://127.0.0.1:%d/value?name=w-%d"):format(
                port, number)).body)
            assert_value("w-" .. number, answer)
            known = known + (pids[answer.pid] and 0 or 1)
            pids[answer.pid] = true
            return known == workers
        end, 10)
        assert.equal(workers, known)
        assert.same({ web_identity = 1, assume_role = 1 }, world.server:calls())
        one.nginx:reload()
        assert_value("after", one:get("{vault://aws/after/name}"))
        assert.is_true(world.server:calls().assume_role <= 2)
    end)

    it("tells when its credentials run out, and no more of them", function()
        world.server:set { sts = { life = 900 } }
        local one = world:gateway { server = VALUE .. [[
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
        local one = world:gateway { server = VALUE, env = asker.merge(world:linked("environment"),
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
        local one = world:gateway { server = VALUE, env = asker.merge(world:linked("imds"),
            { AWS_REGION = false }) }
        for i, answer in ipairs(ask_many(one, 50)) do
            assert_value("many-" .. i, answer)
        end
        assert.same({ token = 2, region = 1, role = 1, credentials = 1 }, world.server:calls())
    end)

    it("goes on with what it has while its renewal hangs", function()
        world.server:set { sts = { life = 9 } }
        local one = world:gateway { init = 'vaults = { { prefix = "brief", name = "aws", '
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
