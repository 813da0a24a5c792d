-- admin_gateway - nginx with the Admin API mounted in all its ways, and requests to it.
--
-- For:   specs of vault.admin that need connections, bodies and workers.
-- Never: what it answers (the specs).

local cjson = require "cjson"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

_M.TOKEN = "canary-admin-token"
_M.KEY_ID, _M.KEY = "AKIACANARY000000001", "canary/Secret+Key"

-- kong: without a token, on loopback, on a Unix socket and on an address that is neither; token:
-- with one, the same; real: behind what trusts a header for the client's address.
local HTTP = [[
    lua_shared_dict vault_locks 1m;
    server {
        listen 127.0.0.1:${kong} reuseport;
        listen unix:${socket};
        client_max_body_size 2m;
        client_body_buffer_size 1m;
        location / { content_by_lua_block { require("vault.admin").serve() } }
        location = /held {
            content_by_lua_block {
                local value = require("vault").get(ngx.unescape_uri(ngx.var.http_x_reference))
                ngx.print('{"worker":', ngx.worker.id(), ',"value":"', value, '"}')
            }
        }
    }
    server {
        listen ${away}:${kong};
        location / { content_by_lua_block { require("vault.admin").serve() } }
    }
    server {
        listen 127.0.0.1:${token} reuseport;
        set_real_ip_from 0.0.0.0/0;
        location / {
            content_by_lua_block {
                require("vault.admin").serve { token = "{vault://env/my-admin-token}" }
            }
        }
    }
    server {
        listen ${away}:${token};
        location / {
            content_by_lua_block { require("vault.admin").serve { token = "${literal}" } }
        }
    }
    server {
        listen 127.0.0.1:${real} reuseport;
        set_real_ip_from 0.0.0.0/0;
        location / { content_by_lua_block { require("vault.admin").serve() } }
    }
]]
local SERVER = [[
    location /admin/ {
        content_by_lua_block { require("vault.admin").serve { mount = "/admin" } }
    }
]]


-- An address of this machine that is not loopback, or nil.
local function find_address()
    local _, text = system.run("hostname -I")
    return text:match("%d+%.%d+%.%d+%.%d+")
end

-- Two workers over `fake` (of aws); the vault "fixed", with keys, is declared. .ports; .away: an
-- address that is not loopback, or nil; .one: of gateway.
function _M.start(fake)
    local self = setmetatable({ folder = system.folder(), away = find_address() }, metatable)
    self.socket = self.folder .. "/admin.sock"
    self.ports = { kong = system.free_port(), token = system.free_port(),
                   real = system.free_port() }
    local values = { away = self.away or "127.0.0.2", socket = self.socket, literal = _M.TOKEN }
    for name, port in pairs(self.ports) do
        values[name] = port
    end
    self.one = gateway.start {
        workers = 2, http = HTTP:gsub("%${(%w+)}", values), server = SERVER,
        env = fake:env { MY_ADMIN_TOKEN = _M.TOKEN }, init = ([[
            vaults = { { prefix = "fixed", name = "aws", config = { region = "eu-west-1",
                         access_key_id = "%s", secret_access_key = "%s" } } }
        ]]):format(_M.KEY_ID, _M.KEY),
    }
    return self
end

function methods:url(path, port)
    return ("http://127.0.0.1:%d%s"):format(self.ports[port or "kong"], path)
end

-- Status, body (a table where it is JSON) and answer of a request; options: of http, and port (a
-- name) or url.
function methods:ask(method, path, options)
    options = options or {}
    options.method = method
    local answer = http.request(options.url or self:url(path, options.port), options)
    local ok, body = pcall(cjson.decode, answer.body)
    return answer.status, ok and body or answer.body, answer
end

-- The same with JSON: a table, or text.
function methods:json(method, path, value)
    return self:ask(method, path, {
        body = type(value) == "string" and value or cjson.encode(value),
        headers = { ["Content-Type"] = "application/json" } })
end

-- Run a command of a seed, but for host and port: what it prints.
function methods:run(command)
    local here = "127.0.0.1:" .. self.ports.kong
    return system.must((command:gsub("^curl ", "curl -q -sS --noproxy '*' ")
        :gsub("localhost:8001", here):gsub("127%.0%.0%.1:9180", here)))
end

-- What both workers have for `reference`, by the number of the worker.
function methods:held(reference)
    local values = {}
    for _ = 1, 200 do
        local _, body = self:ask("GET", "/held", { headers = gateway.headers(reference) })
        values[body.worker + 1] = body.value
        if values[1] and values[2] then
            return values
        end
    end
    error("a worker never answers", 2)
end

-- All vaults, as text.
function methods:listed()
    local _, _, answer = self:ask("GET", "/vaults?size=1000")
    return answer.body
end

function methods:stop()
    self.one:stop()
    system.remove(self.folder)
end

return _M
