-- dict_spec - the stand-in for a shared dict answers as nginx's own does (spec/support/dict).

local cjson = require "cjson"
local dicts = require "spec.support.dict"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"

local SERVER = [[
    location = /run {
        content_by_lua_block {
            ngx.req.read_body()
            ngx.print(require("cjson").encode(loadstring(ngx.req.get_body_data())()))
        }
    }
]]

-- What a room's dict must be able to rely on. The real one is filled until it takes no more.
local SCENARIO = [[
    local dict, fill, pass = ...
    local said = {}
    local function note(...)
        for i = 1, math.max(select("#", ...), 1) do
            said[#said + 1] = tostring((select(i, ...)))
        end
    end
    local function call(name, ...)
        local first, second = dict[name](dict, ...)
        note(name, first, second)
    end
    call("safe_add", "a", "one", 10)
    call("safe_add", "a", "two", 10)
    call("get", "a")
    call("safe_set", "a", "three", 0.05)
    note(dict:ttl("a") > 0 and dict:ttl("a") <= 0.05)
    pass(0.1)
    call("get", "a")
    call("safe_add", "a", "again", 0.05)
    pass(0.1)
    call("safe_add", "a", "short", 10)
    call("expire", "a", 20)
    note(dict:ttl("a") > 19)
    call("expire", "none", 1)
    call("ttl", "none")
    call("incr", "n", 1)
    call("safe_add", "n", 1700000000123 * 1024)
    call("incr", "n", 4097)
    note(("%.0f"):format(dict:get("n")))
    call("ttl", "n")
    call("incr", "a", 1)
    call("delete", "a")
    call("get", "a")
    call("delete", "a")
    call("safe_set", "keep", "12345")
    fill()
    call("safe_add", "new", "value")
    call("safe_set", "new", ("x"):rep(2000))
    call("safe_set", "keep", "54321")
    call("get", "keep")
    note((dict:incr("n", 1)) ~= nil)
    call("safe_set", "keep", ("x"):rep(3000))
    call("get", "keep")
    dict:flush_all()
    call("get", "n")
    call("incr", "n", 1)
    call("safe_add", "n", 7)
    call("get", "n")
    call("safe_set", "back", "x", 10)
    call("safe_set", "gone", "x", 10)
    dict:flush_all()
    call("get", "back")
    note(dict:ttl("back") < 0)
    call("expire", "back", 20) -- it is there still
    call("get", "back")
    note(dict:ttl("back") > 19, dict:flush_expired() > 0)
    call("get", "back")
    call("ttl", "gone")
    call("expire", "gone", 20)
    call("get", "gone")
    note(dict:flush_expired())
    return said
]]

describe("the stand-in for a shared dict", function()
    local one

    before_each(function()
        one = nginx.start { http = "lua_shared_dict tight 64k;", server = SERVER }
    end)
    after_each(function()
        one:stop()
    end)

    it("answers as the real one does, also where it is full", function()
        local clock = 1700000000.123
        local dict = dicts.new { now = function() return clock end }
        local fake = assert(loadstring(SCENARIO))(dict, function() dict.full = true end,
            function(seconds) clock = clock + seconds end)
        local answer = http.post(one.url .. "/run", ([[
            local dict = ngx.shared.tight
            return (function(...) %s end)(dict, function()
                local number = 0
                for _, size in ipairs { 2000, 500, 100, 20, 5, 1 } do
                    while dict:safe_add("s:" .. number, ("x"):rep(size)) do
                        number = number + 1
                    end
                end
            end, ngx.sleep)
        ]]):format(SCENARIO))
        assert.equal(200, answer.status)
        assert.same(cjson.decode(answer.body), fake)
    end)

    it("that is roomy takes more where the real one is full of what has expired", function()
        local answer = http.post(one.url .. "/run", [[
            local dict = ngx.shared.tight
            dict:safe_set("alive", "first")
            local number = 0
            while dict:safe_add("e:" .. number, ("x"):rep(100), 0.05) do
                number = number + 1
            end
            ngx.sleep(0.1)
            local one = require("vault.roomy").new { dict = dict, now = ngx.now }
            return { number > 100, tostring((dict:safe_add("new", ("y"):rep(100)))),
                     one:safe_add("new", ("y"):rep(100)), dict:get("alive") }
        ]])
        assert.same({ true, "false", true, "first" }, cjson.decode(answer.body))
    end)
end)
