-- admin - the Admin API: requests of nginx in, answers out.
--
-- For:   require("vault.admin").serve(): who may ask (admin_guard), which route it is (admin_kong,
--        admin_apisix, /status, /metrics), and whatever of it nginx does.
-- Never: what a route does, rules about fields (vault.schema), storage (vault.vaults).

local apisix = require "vault.admin_apisix"
local guard = require "vault.admin_guard"
local json_text = require "vault.json_text"
local kong = require "vault.admin_kong"
local node = require "vault.node"
local quote = require("vault.reference").quote
local requests = require "vault.admin_request"
local resolve = require "vault.resolve"
local vaults = require "vault.vaults"

local _M = {}

local JSON, TEXT = "application/json; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8"
local METHODS = { "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT" }
local OPTIONS = { token = true, mount = true }
local FAULTS = { [500] = true, [503] = true } -- this node's, of which its log is to have a line

-- Routes ------------------------------------------------------------------------------------------

local function status(parts)
    local body = parts.status()
    json_text.list(body.credentials)
    return { status = 200, body = body }
end

local function metrics(parts)
    return { status = 200, text = parts.metrics(), type = TEXT }
end

local ROUTES = { { GET = status }, { "status", GET = status }, { "metrics", GET = metrics } }
for _, room in ipairs { kong, apisix } do
    for _, route in ipairs(room.ROUTES) do
        ROUTES[#ROUTES + 1] = route
    end
end

local function matches(route, segments)
    if #route ~= #segments then
        return false
    end
    for i, name in ipairs(route) do
        if name ~= "*" and name ~= segments[i] then
            return false
        end
    end
    return true
end

-- The first route that fits: names go before "*".
local function find_route(segments)
    for _, route in ipairs(ROUTES) do
        if matches(route, segments) then
            return route
        end
    end
    return nil
end

-- What `route` does for `method`, HEAD being GET.
local function handler_of(route, method)
    return route[method == "HEAD" and "GET" or method]
end

local function allowed(route)
    local names = {}
    for _, method in ipairs(METHODS) do
        if method == "OPTIONS" or handler_of(route, method) then
            names[#names + 1] = method
        end
    end
    return table.concat(names, ", ")
end

-- Answers -----------------------------------------------------------------------------------------

-- Who speaks APISIX's language is answered in it.
local function language(path)
    return path:find("^/apisix/") and apisix or kong
end

local function dispatch(request, parts, room, options)
    local target, refused = requests.target(request.target, options.mount)
    if not target then
        return room.refuse(refused)
    end
    local route = find_route(target.segments)
    if not route then
        return room.refuse { status = 404, message = "Not found" }
    end
    local handler = request.method ~= "OPTIONS" and handler_of(route, request.method)
    if handler then
        parts.vaults.read_news() -- what another worker answered counts here from then on
        return handler(parts, { request = request, query = target.query,
                                segments = target.segments, mount = options.mount or "" })
    end
    local answered = request.method == "OPTIONS" and { status = 204 }
        or room.refuse { status = 405, message = "Method not allowed" }
    answered.headers = { Allow = allowed(route) }
    return answered
end

-- The answer to a request. Waits where a route fetches something.
--
-- request  { method, target (as it came), addresses, host, origin, tokens, content_type,
--          content_length, content_encoding, read = function() -> text }
-- parts    { vaults, now, uuid, renew, status, metrics, get, warn }
-- options  of serve()
--
-- { status, body or text, type, headers }: a body is a table
function _M.answer(request, parts, options)
    local room = language(request.target:sub(#(options.mount or "") + 1))
    local refused = guard.check(request, options.token, parts.get, parts.warn)
    if refused then
        return room.refuse(refused)
    end
    local ok, answered = pcall(dispatch, request, parts, room, options)
    if not ok then
        parts.warn("the Admin API failed: " .. quote(tostring(answered), 512))
        return room.refuse { status = 500, message = "An unexpected error occurred" }
    end
    if FAULTS[answered.status] then
        parts.warn("the Admin API could not do what it was asked: "
            .. (answered.body.message or answered.body.error_msg))
    end
    return answered
end

-- nginx -------------------------------------------------------------------------------------------

-- A file that nginx wrote a larger body to.
local function read_file(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read(requests.BODY_MAX + 1)
    file:close()
    return text or ""
end

local function read_body()
    ngx.req.read_body()
    local path = ngx.req.get_body_file()
    return path and read_file(path) or ngx.req.get_body_data() or ""
end

-- The other end's address is that of the connection, whatever a header made nginx take it for.
local function addresses()
    return { ngx.var.server_addr, ngx.var.remote_addr, ngx.var.realip_remote_addr }
end

local function tokens()
    local bearer = (ngx.var.http_authorization or ""):match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(.-) *$")
    local list = {}
    for _, given in pairs { ngx.var.http_kong_admin_token, ngx.var.http_x_api_key, bearer } do
        list[#list + 1] = given
    end
    return list
end

local function read_request()
    return {
        method = ngx.req.get_method(), target = ngx.var.request_uri, read = read_body,
        addresses = addresses(), host = ngx.var.http_host, origin = ngx.var.http_origin,
        tokens = tokens(),
        content_type = ngx.var.http_content_type,
        content_length = tonumber(ngx.var.http_content_length),
        content_encoding = ngx.var.http_content_encoding,
    }
end

local function send(answered)
    ngx.status = answered.status
    ngx.header["Cache-Control"] = "no-store"
    for name, value in pairs(answered.headers or {}) do
        ngx.header[name] = value
    end
    if answered.status == 204 then
        return ngx.exit(204)
    end
    local text = answered.text or json_text.encode(answered.body)
    ngx.header["Content-Type"] = answered.type or JSON
    ngx.header["Content-Length"] = #text
    ngx.print(text)
    return ngx.exit(ngx.OK)
end

local function warn(message)
    ngx.log(ngx.ERR, "vault: ", message)
end

-- A random UUID (RFC 9562, version 4).
local function uuid()
    local file = assert(io.open("/dev/urandom", "rb"))
    local bytes = { file:read(16):byte(1, 16) }
    file:close()
    bytes[7], bytes[9] = 64 + bytes[7] % 16, 128 + bytes[9] % 64
    return (("%02x"):rep(16):format(unpack(bytes))
        :gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

local PARTS = { vaults = vaults, now = function() return ngx.time() end, uuid = uuid,
                renew = node.renew, status = node.status, metrics = node.metrics,
                get = resolve.get, warn = warn }

local function check_options(options)
    for name in pairs(options) do
        if not OPTIONS[name] then
            error("vault.admin has no option " .. tostring(name), 3)
        end
    end
    local mount = options.mount
    if mount ~= nil and (type(mount) ~= "string" or not mount:find("^/.*[^/]$")) then
        error('vault.admin: mount must be a path as "/admin"', 3)
    end
    guard.check_token(options.token)
end

-- Answer the request at hand.
--
-- token  text, or a reference to it: who brings it is served, and nobody else; without one, who
--        comes over loopback or a Unix socket, and is no web page
-- mount  the path under which it lies, as "/admin"; nil: under none
--
-- context: content_by_lua*. Raises for a malformed option.
function _M.serve(options)
    options = options or {}
    check_options(options)
    return send(_M.answer(read_request(), PARTS, options))
end

return _M
