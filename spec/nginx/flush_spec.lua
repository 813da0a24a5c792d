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
        ]] }
    end)
    after_each(function()
        one:stop()
        fake:stop()
    end)

    it("counts for a fetch that began before it, and for who joins that", function()
        local before = one:ask(SLOW)
        assert.is_truthy(system.wait_for(function() return fake:stats().in_flight == 1 end))
        fake:put("delay-800.turned", '{"name":"new"}')
        assert.equal(200, http.get(one.url .. "/flush").status)
        local after = one:ask(SLOW)
        assert.equal("old", gateway.read(before).value)
        assert.equal("new", gateway.read(after).value)
        assert.equal("new", one:get(SLOW).value)
        assert.equal(2, fake:stats().calls)
    end)
end)
