-- example - examples/gateway.conf in a real nginx, with ports of its own.
--
-- For:   specs of the how-tos: what runs is what examples/render.sh makes of the example; requests
--        to its servers, and commands of a document, as they are written but for host and port.
-- Never: AWS (moto, aws); a configuration of a spec's own.

local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local shell = require "spec.support.shell"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- The ports in the example's files.
local PORTS = { kong = 8001, apisix = 9180, proxy = 9080, upstream = 8081, tls = 9443, show = 8080 }

local function render(ports, prefix)
    local words = {}
    for name, port in pairs(ports) do
        words[#words + 1] = PORTS[name] .. "=" .. port
    end
    system.must(("PATH=$PATH:/usr/sbin VAULT_BUILD=%s examples/render.sh %s %s"):format(
        system.quote(system.build()), system.quote(prefix), table.concat(words, " ")))
end

-- Start it, with two workers; stop() ends it. VAULT_TEST_WORKER_PRELOAD: as gateway's.
--
-- options  env     its environment; as nginx.start's
--          vaults  text in the place of vaults.yaml
--          init    Lua text in front of what init_by_lua does: what a spec needs for counting
function _M.start(options)
    local ports = {}
    for name in pairs(PORTS) do
        ports[name] = system.free_port()
    end
    local function configure(prefix)
        render(ports, prefix)
        if options.vaults then
            system.write(prefix .. "/vaults.yaml", options.vaults)
        end
        if options.init then
            local path = prefix .. "/gateway.conf"
            local text, places = system.read(path):gsub("init_by_lua_block {", function(found)
                return found .. "\n" .. options.init
            end)
            assert(places == 1)
            system.write(path, text)
        end
        return "gateway.conf"
    end
    return setmetatable({ ports = ports, nginx = nginx.start {
        port = ports.show, configure = configure, env = options.env, workers = 2,
        preload = os.getenv("VAULT_TEST_WORKER_PRELOAD") } }, metatable)
end

-- A server of it by name (kong, apisix, proxy, tls, show), with a path.
function methods:url(name, path)
    return ("%s://127.0.0.1:%d%s"):format(name == "tls" and "https" or "http", self.ports[name],
        path)
end

-- What a document's commands print, its hosts and ports being the example's.
function methods:run(text, env)
    for _, name in ipairs { "kong", "apisix", "proxy" } do
        for _, host in ipairs { "localhost", "127%.0%.0%.1" } do
            text = text:gsub(host .. ":" .. PORTS[name], "127.0.0.1:" .. self.ports[name])
        end
    end
    return shell.run(text, env or {})
end

-- What a reference is worth there: text, HTTP status.
function methods:show(reference)
    local answer = http.get(self:url("show", "/show?" .. http.query { reference = reference }))
    return answer.body:gsub("\n$", ""), answer.status
end

function methods:error_log()
    return self.nginx:error_log()
end

function methods:stop()
    return self.nginx:stop()
end

return _M
