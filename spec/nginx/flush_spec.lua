-- flush_spec - vault.flush while a fetch is under way: nobody who asks after it is given what was
-- asked for before it.

local aws = require "spec.support.aws"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local SLOW = "{vault://aws/delay-800.turned/name}"

describe("a flush", function()
    local fake, one

    before_each(function()
        fake = aws.start()
        fake:put("delay-800.turned", '{"name":"old"}')
        one = gateway.start { env = fake:env(), server = [[
            location = /flush { content_by_lua_block { require("vault").flush() } }
            location = /turn {
                content_by_lua_block {
                    local vault = require "vault"
                    local thread = ngx.thread.spawn(vault.get, "]] .. SLOW .. [[")
                    os.execute("sleep 0.3")
                    vault.flush()
                    ngx.thread.wait(thread)
                }
            }
        ]] }
    end)
    after_each(function()
        one:stop()
        fake:stop()
    end)

    -- A request that has asked for it, and waits while the secret changes and is flushed.
    local function ask_and_flush(new)
        local before = one:ask(SLOW)
        assert.is_truthy(system.wait_for(function() return fake:stats().in_flight == 1 end))
        fake:put("delay-800.turned", new)
        assert.equal(200, http.get(one.url .. "/flush").status)
        return before
    end

    it("counts for a fetch that began before it, and for who joins that", function()
        local before = ask_and_flush('{"name":"new"}')
        local after = one:ask(SLOW)
        assert.equal("old", gateway.read(before).value)
        assert.equal("new", gateway.read(after).value)
        assert.equal("new", one:get(SLOW).value)
        assert.equal(2, fake:stats().calls)
    end)

    it("leaves nothing to fall back on, whoever waited for it", function()
        local before = ask_and_flush('{"other":"key"}')
        assert.equal("old", gateway.read(before).value)
        assert.equal("key_not_found", one:get(SLOW).word)
    end)

    it("counts for what began in the same turn of nginx", function()
        assert.equal(200, http.get(one.url .. "/turn").status)
        fake:put("delay-800.turned", '{"name":"new"}')
        assert.equal("new", one:get(SLOW).value)
    end)
end)
