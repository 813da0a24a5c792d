-- admin_guard - who may use the Admin API.
--
-- For:   with a token, whoever knows it; without one, what came over loopback or a Unix socket, and
--        from no web page.
-- Never: routes; the token in a message or a log.

local core = require "vault.core"
local reference = require "vault.reference"

local _M = {}

local TOKEN_MAX = 4096

-- Whether `address`, as nginx writes it, is of this machine alone.
local function is_local(address)
    return address:find("^unix:") ~= nil or address == "::1"
        or address:find("^127%.%d+%.%d+%.%d+$") ~= nil
        or address:find("^::ffff:127%.%d+%.%d+%.%d+$") ~= nil
end

-- A web page's own host may come to have this machine's address, and a page that reads from its own
-- host says no origin; but it says its host's name.
local function is_own_name(request)
    local host = (request.host or ""):lower():gsub(":%d*$", "")
    return host == "" or host == "localhost" or host:find("%.localhost$") ~= nil
        or host:find("^%d+%.%d+%.%d+%.%d+$") ~= nil or host:find("^%[[%x:.]+%]$") ~= nil
        or request.addresses[1]:find("^unix:") ~= nil
end

-- Digests are compared, so that not even the token's length shows.
local function is_token(given, token)
    return core.equal(core.sha256(given), core.sha256(token))
end

local function check_place(request)
    if #request.addresses < 2 then
        return { status = 403, message = "without a token both ends' addresses must be known" }
    end
    for _, address in ipairs(request.addresses) do
        if not is_local(address) then
            return { status = 403, message = "without a token the Admin API serves loopback and "
                .. "Unix addresses only" }
        end
    end
    if request.origin then
        return { status = 403, message = "without a token the Admin API serves no web pages" }
    end
    if not is_own_name(request) then
        return { status = 403, message = "without a token the Admin API serves who calls it "
            .. "localhost, or by its address" }
    end
    return nil
end

-- Raise where `token` is no token and no reference to one.
function _M.check_token(token)
    if token ~= nil and (type(token) ~= "string" or token == "" or #token > TOKEN_MAX) then
        error("vault.admin: token must be a string of 1 to 4096 bytes, or a reference to one", 3)
    end
end

-- request  { addresses = of the connection, both ends, this one first; host, origin: headers;
--          tokens = list of what was sent }
-- token    nil, a string, or a reference; get: function(reference) -> value | nil, message
-- warn     function(message)
--
-- nil: it may | { status, message }
function _M.check(request, token, get, warn)
    if not token then
        return check_place(request)
    end
    if reference.is_reference(token) then
        local value, message = get(token)
        if not value or value == "" then
            warn("the Admin API's token is not to be had: " .. (message or "it is empty"))
            return { status = 503, message = "the Admin API's token is not to be had" }
        end
        token = value
    end
    for _, given in ipairs(request.tokens) do
        if is_token(given, token) then
            return nil
        end
    end
    return { status = 401, message = "Unauthorized" }
end

return _M
