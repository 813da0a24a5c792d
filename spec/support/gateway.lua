-- gateway - nginx with the library in it, set up as a user would.
--
-- For:   specs that ask a worker for references: what vault.get returned there, and whether the
--        worker did anything else meanwhile.
-- Never: AWS (aws, moto); nginx's own life (nginx).

local cjson = require "cjson"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local HTTP = [[
    ${dict}
    init_by_lua_block { ${before_init} require("vault").init { ${init} } ${after_init} }
    ${init_worker}
    ${http}
]]

-- Another light thread of the request is ready to run when vault.get is called: it has run when
-- vault.get returns if, and only if, the worker's event loop went on. A failure is logged as a
-- gateway would log it.
local SERVER = [[
    location = /get {
        content_by_lua_block {
            local bell, others = require("ngx.semaphore").new(), false
            ngx.thread.spawn(function()
                others = bell:wait(60)
            end)
            bell:post()
            local value, message, word = require("vault").get(
                ngx.unescape_uri(ngx.var.http_x_reference))
            if not value then
                ngx.log(ngx.ERR, "vault.get: ", message, " [", word, "]")
            end
            ngx.print(require("cjson").encode { value = value, message = message, word = word,
                                                others = others })
        }
    }
    ${server}
]]

-- Under a sanitizer Lua collects all the time: what is freed too early is found.
local COLLECT = os.getenv("VAULT_TEST_WORKER_PRELOAD")
    and 'collectgarbage("setpause", 1) ' or ""

local function fill(template, values)
    return (template:gsub("%${([%w_]+)}", function(name)
        return values[name] or ""
    end))
end

-- Start it; stop() ends it. Further options are nginx.start's; VAULT_TEST_WORKER_PRELOAD (a
-- sanitizer's runtime, by `make asan`) is put before nginx where nothing else is.
--
-- options  init         Lua text of vault.init's table, without the braces
--          before_init, after_init   Lua text around vault.init
--          dict         false: no lua_shared_dict for the library
--          init_worker  false: vault.init_worker is not called; Lua text: run after it
--          http, server as nginx.start's, added to what is here
function _M.start(options)
    local values = {
        dict = options.dict ~= false and "lua_shared_dict vault_secrets 10m;" or "",
        before_init = COLLECT .. (options.before_init or ""),
        init = options.init, after_init = options.after_init,
        http = options.http, server = options.server,
    }
    if options.init_worker ~= false then
        values.init_worker = ('init_worker_by_lua_block { require("vault").init_worker() %s }')
            :format(options.init_worker or "")
    end
    local copy = {}
    for name, value in pairs(options) do
        copy[name] = value
    end
    copy.preload = copy.preload or os.getenv("VAULT_TEST_WORKER_PRELOAD")
    copy.http, copy.server = fill(HTTP, values), fill(SERVER, values)
    local self = setmetatable({ nginx = nginx.start(copy) }, metatable)
    self.url = self.nginx.url
    return self
end

-- The headers that carry a reference, whatever bytes are in it.
function _M.headers(reference)
    return { ["X-Reference"] = (reference:gsub("[^%w/:.]", function(c)
        return ("%%%02X"):format(c:byte())
    end)) }
end

-- Start asking for `reference`: a request of http.
function methods:ask(reference, path)
    return http.start(self.url .. (path or "/get"), { headers = _M.headers(reference) })
end

-- The end of a request of ask(): { value, message, word, others }; others: the worker's event loop
-- went on while vault.get ran.
function _M.read(asked)
    local answer = asked:finish()
    if answer.status ~= 200 then
        error(("the gateway answers %d: %s%s"):format(answer.status, answer.body, answer.errors), 2)
    end
    return cjson.decode(answer.body)
end

function methods:get(reference, path)
    return _M.read(self:ask(reference, path))
end

-- The text that a location of the spec's own prints.
function methods:show(path, options)
    local answer = http.get(self.url .. path, options)
    assert(answer.status == 200, ("%s answers %d: %s"):format(path, answer.status, answer.errors))
    return answer.body
end

function methods:error_log()
    return self.nginx:error_log()
end

-- The worker's process id, where there is one worker.
function methods:worker()
    return self.nginx:worker()
end

function methods:stop()
    return self.nginx:stop()
end

return _M
