-- admin_request - what a request to the Admin API says: its path, its query, its body.
--
-- For:   bytes -> segments, arguments, tables; or the status to refuse them with. Pure.
-- Never: ngx, what a route means, what a field may hold (vault.schema).

local cjson = require "cjson"
local form = require "vault.form"

local find, gmatch, gsub, match, sub = string.find, string.gmatch, string.gsub, string.match,
    string.sub

local _M = {}

_M.BODY_MAX = 1024 * 1024

local ARGUMENTS_MAX = 1000

local json = cjson.new()
json.decode_max_depth(32)
json.decode_invalid_numbers(false)

local function refuse(status, message)
    return nil, { status = status, message = message }
end

-- Percent-encoding --------------------------------------------------------------------------------

-- Decoded once; nil where a "%" has not two hexadecimal digits behind it.
local function decode(text)
    if find(gsub(text, "%%%x%x", ""), "%", 1, true) then
        return nil
    end
    return (gsub(text, "%%(%x%x)", function(digits)
        return string.char(tonumber(digits, 16))
    end))
end

local function encode(text)
    return (gsub(text, "[^%w._~-]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

_M.encode = encode

local function add(arguments, name, value)
    local before = arguments[name]
    if before == nil then
        arguments[name] = value
    elseif type(before) == "table" then
        before[#before + 1] = value
    else
        arguments[name] = { before, value }
    end
end

-- Of a query or a form: name -> text, true (no "="), or a list of these.
-- nil: it is malformed, or too many
local function read_arguments(text)
    local arguments, count = {}, 0
    for pair in gmatch(gsub(text, "+", " "), "[^&]+") do
        local name, value = match(pair, "^([^=]*)=(.*)$")
        name, value = decode(name or pair), not name or decode(value)
        count = count + 1
        if not name or value == nil or count > ARGUMENTS_MAX then
            return nil
        end
        add(arguments, name, value)
    end
    return arguments
end

-- Path --------------------------------------------------------------------------------------------

-- Whether a decoded segment cannot be a name: what others might fold or split is refused.
local function is_odd(segment)
    return segment == "." or segment == ".." or find(segment, "[%z\1-\31\127/\\]") ~= nil
end

local function split(path)
    local segments = {}
    for raw in gmatch(sub(path, 2), "([^/]*)/?") do
        segments[#segments + 1] = raw
    end
    while segments[#segments] == "" do -- gmatch's last match, and one "/" at the end
        segments[#segments] = nil
    end
    return segments
end

-- What lies behind `mount`, "" or as "/admin"; nil: the path is not under it.
local function unmount(path, mount)
    if sub(path, 1, #mount) ~= mount or not find(sub(path, #mount + 1, #mount + 1), "^/?$") then
        return nil
    end
    return sub(path, #mount + 1)
end

-- The request's target, as it came: { segments, query }, the segments decoded once.
-- nil, { status, message }
function _M.target(text, mount)
    text = gsub(text, "^%a[%w+.-]*://[^/?]*", "")
    local path, query = match(text, "^([^?]*)%??(.*)$")
    path = unmount(path, mount or "")
    if not path then
        return refuse(404, "Not found")
    end
    local segments = split(path)
    for i, raw in ipairs(segments) do
        local segment = decode(raw)
        if not segment or is_odd(segment) then
            return refuse(400, "the path is malformed")
        elseif segment == "" then
            return refuse(404, "Not found")
        end
        segments[i] = segment
    end
    local arguments = read_arguments(query)
    if not arguments then
        return refuse(400, "the query is malformed")
    end
    return { segments = segments, query = arguments }
end

-- Body --------------------------------------------------------------------------------------------

local FORM, JSON = "application/x-www-form-urlencoded", "application/json"

local function media_type(header)
    return match(header or "", "^%s*([^;]-)%s*;") or match(header or "", "^%s*(.-)%s*$")
end

local function read_text(request)
    if request.content_length and request.content_length > _M.BODY_MAX then
        return refuse(413, "the body is over 1 MB")
    end
    local encoding = request.content_encoding
    if encoding and encoding:lower() ~= "identity" then
        return refuse(415, "Content-Encoding is not supported")
    end
    local text = request.read()
    if #text > _M.BODY_MAX then
        return refuse(413, "the body is over 1 MB")
    end
    return text
end

local function read_json(text)
    local ok, value = pcall(json.decode, text)
    if not ok then
        return refuse(400, "Cannot parse JSON body")
    end
    return value
end

local function read_object(text)
    if not find(text, "^%s*{") then
        return refuse(400, "Cannot parse JSON body: expected an object")
    end
    return read_json(text)
end

local function read_form(text)
    if find(text, "^%s*[{%[]") then
        return refuse(415, "a JSON body needs Content-Type: application/json")
    end
    local arguments = read_arguments(text)
    if not arguments then
        return refuse(400, "the form is malformed")
    end
    return form.read(arguments)
end

-- The fields that Kong's clients send, as JSON or as a form; nothing at all is no fields.
-- table | nil, { status, message }
function _M.read_fields(request)
    local text, failure = read_text(request)
    if not text then
        return nil, failure
    end
    local kind = media_type(request.content_type):lower()
    if text == "" and (kind == JSON or kind == "") then
        return {}
    elseif kind == JSON then
        return read_object(text)
    elseif kind == FORM then
        return read_form(text)
    end
    return refuse(415, "expected Content-Type: application/json or " .. FORM)
end

-- The JSON that APISIX's clients send: curl says that it is a form.
--
-- bare: whether it may be any value; else it must be an object
-- value | nil, { status, message }
function _M.read_json(request, bare)
    local text, failure = read_text(request)
    if not text then
        return nil, failure
    end
    local kind = media_type(request.content_type):lower()
    if kind ~= JSON and kind ~= FORM and kind ~= "" then
        return refuse(415, "expected Content-Type: application/json")
    elseif text == "" then
        return refuse(400, "missing configuration")
    end
    return (bare and read_json or read_object)(text)
end

return _M
