-- batches - a server that answers BatchGetSecretValue and GetSecretValue after some milliseconds.
--
-- For:   renewal.lua and neighbour.lua: an nginx with TLS and Lua, which says how many calls there
--        were and when the last one was answered.
-- Never: signatures checked: the server must not be what is measured.

local cjson = require "cjson"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local _M = {}

-- One version of each secret, for ever: nothing is new.
local ANSWER = [[
    local cjson = require "cjson"
    local counts = ngx.shared.counts
    ngx.req.read_body()
    local asked = cjson.decode(ngx.req.get_body_data())
    local function one(name)
        return '{"ARN":"arn:aws:secretsmanager:us-east-1:111122223333:secret:' .. name
            .. '-a1b2c3","CreatedDate":1700000000.123,"Name":"' .. name .. '","SecretString":'
            .. '"{\\"password\\":\\"correct horse battery staple\\"}","VersionId":'
            .. '"01234567-89ab-cdef-0123-456789abcdef","VersionStages":["AWSCURRENT"]}'
    end
    counts:add("first", require("bench.support.clock").milliseconds())
    ngx.sleep(%g)
    ngx.header["Content-Type"] = "application/x-amz-json-1.1"
    if asked.SecretIdList then
        local parts = {}
        for i, name in ipairs(asked.SecretIdList) do
            parts[i] = one(name)
        end
        counts:incr("batches", 1, 0)
        counts:incr("secrets", #parts, 0)
        ngx.print('{"Errors":[],"SecretValues":[', table.concat(parts, ","), "]}")
    else
        counts:incr("singles", 1, 0)
        ngx.print(one(asked.SecretId))
    end
    counts:set("last", require("bench.support.clock").milliseconds())
]]

local HTTP = [[
    lua_shared_dict counts 1m;
    keepalive_requests %d;
    server {
        listen 127.0.0.1:%d ssl backlog=1024;
        ssl_certificate %s;
        ssl_certificate_key %s;
        location / { content_by_lua_block { %s } }
    }
    init_by_lua_block { package.path = "%s/?.lua;" .. package.path }
]]

local CONTROL = [[
    location = /reset { content_by_lua_block { ngx.shared.counts:flush_all() } }
    location = /counts {
        content_by_lua_block {
            local counts = {}
            for _, name in ipairs { "first", "last", "batches", "singles", "secrets" } do
                counts[name] = ngx.shared.counts:get(name) or 0
            end
            ngx.print(require("cjson").encode(counts))
        }
    }
]]

-- Call use(server) while one runs: { url, ca, reset(), counts() }.
--
-- options  delay: seconds; requests: how many a connection is good for (a thousand million)
function _M.with(options, use)
    local certificates, port = tls.make(), system.free_port()
    local server = nginx.start {
        http = HTTP:format(options.requests or 1e9, port, certificates.cert, certificates.key,
            ANSWER:format(options.delay), system.root()),
        server = CONTROL, log_level = "error",
    }
    local self = { url = "https://127.0.0.1:" .. port, ca = certificates.ca }
    function self.reset()
        http.get(server.url .. "/reset")
    end
    -- { first, last, batches, singles, secrets }; the first two in milliseconds of the clock
    function self.counts()
        return cjson.decode(http.get(server.url .. "/counts").body)
    end
    local ok, err = pcall(use, self)
    server:stop()
    certificates:remove()
    assert(ok, err)
end

return _M
