-- reference - the text of a vault reference, taken apart and put together.
--
-- For:   Kong's "{vault://prefix/resource/key?ttl=60#1}" and Apache APISIX's
--        "$secret://manager/id/name/key" and "$env://NAME/key" <-> one table of parts. Pure.
-- Never: ngx, I/O, whether the vault exists (vaults), defaults (config), which way of splitting
--        APISIX's path is right (only AWS knows).

local percent = require "vault.percent"
local quote = require("vault.quote").text

local byte, find, format, match, sub = string.byte, string.find, string.format, string.match,
    string.sub
local gmatch, gsub, concat = string.gmatch, string.gsub, table.concat
local encode = percent.encode

local TEXT_MAX = 4096
local RESOURCE_MAX = 2048 -- SecretId of GetSecretValue
local STEPS_MAX = 5

local KONG, SECRET, ENV = "{vault://", "$secret://", "$env://"
local SLASH = 47

local _M = { quote = quote }

-- One of these, in upper or lower case, is what a reference begins with; not all that does is one.
_M.STARTS = { KONG, SECRET, ENV }

local function bad(template, ...)
    return nil, format(template, ...), "bad_reference"
end

-- Seconds from decimal text, or nil: tonumber would also take "0x10", " 1 ", "nan" and "inf".
function _M.seconds(text)
    if not match(text, "^%d+%.?%d*$") and not match(text, "^%d+%.?%d*[eE][+-]?%d+$") then
        return nil
    end
    local number = tonumber(text)
    return number < math.huge and number or nil
end

-- Whether `text` can be a region at all; the rule of vault_region_valid in C.
function _M.is_region(text)
    return #text <= 32 and match(text, "^%l[%l%d-]*$") ~= nil and sub(text, -1) ~= "-"
end

-- The region of a secret's complete ARN; nil for anything else. Partitions go by pattern.
function _M.arn_region(resource)
    local region, account = match(resource,
        "^arn:aws[%l-]*:secretsmanager:([%l%d-]+):(%d+):secret:[^:]")
    return region and #account == 12 and _M.is_region(region) and region or nil
end

-- Options ---------------------------------------------------------------------------------------

local FLAGS = { ["true"] = true, ["false"] = false }
local SECONDS = { read = _M.seconds, wants = "a number of seconds, 0 or more" }
local OPTIONS = {
    ttl = SECONDS,
    neg_ttl = SECONDS,
    resurrect_ttl = SECONDS,
    region = {
        read = function(text) return _M.is_region(text) and text or nil end,
        wants = 'an AWS region (letters a-z, digits, "-")',
    },
    base64_decode = { read = function(text) return FLAGS[text] end, wants = "true or false" },
    prefix = {
        read = function(text) return match(text, "^[%a_-][%w_-]*$") end,
        wants = 'letters, digits, "_" and "-", no digit first',
        not_for = "aws",
    },
}
local WRITTEN_ORDER = { "ttl", "neg_ttl", "resurrect_ttl", "region", "base64_decode", "prefix" }

local function decode(text, what)
    local plain, problem, shown = percent.decode(text)
    if not plain then
        return bad('the %s "%s" %s', what, quote(shown), problem)
    end
    return plain
end

local function read_option(config, pair, vault)
    local name, text = match(pair, "^([^=]*)=(.*)$")
    local option = OPTIONS[name or pair]
    if not option or option.not_for == vault then
        return bad('the option "%s" may not be set in a reference; ttl, neg_ttl, resurrect_ttl, '
            .. "region, base64_decode and, for env, prefix may", quote(name or pair))
    end
    if not name then
        return bad("the option %s has no value", pair)
    end
    if config[name] ~= nil then
        return bad("the option %s is there twice", name)
    end
    local plain, message, word = decode(text, "option " .. name)
    if not plain then
        return nil, message, word
    end
    config[name] = option.read(plain)
    if config[name] == nil then
        return bad('the option %s is not %s: "%s"', name, option.wants, quote(plain))
    end
    return true
end

-- The table of options, or nil, message, word.
local function read_options(query, vault)
    local config = {}
    for pair in gmatch(query .. "&", "([^&]*)&") do
        local ok, message, word = read_option(config, pair, vault)
        if not ok then
            return nil, message, word
        end
    end
    return config
end

-- Kong's grammar --------------------------------------------------------------------------------

local function read_version(text)
    if not match(text, "^[1-9]%d*$") then
        return bad('the version "#%s" is not #1 (current) or #2 (previous)', quote(text))
    end
    local version = tonumber(text)
    if version > 2 then
        return bad("the version #%s cannot be had: #1 is the current one (AWSCURRENT), #2 the "
            .. "previous one (AWSPREVIOUS), and older ones have no number", quote(text))
    end
    return version
end

local function check_resource(parts)
    local resource = parts.resource
    if resource == "" or byte(resource, 1) == SLASH and not find(resource, "[^/]") then
        return bad("the reference names no secret")
    end
    if #resource > RESOURCE_MAX then
        return bad('the name "%s" is longer than %d bytes', quote(resource), RESOURCE_MAX)
    end
    if sub(resource, 1, 4) == "arn:" and parts.name ~= "env" and not _M.arn_region(resource) then
        return bad('"%s" is not the complete ARN of a Secrets Manager secret', quote(resource))
    end
    return parts
end

-- Where the last slash is, or nil.
local function last_slash(path)
    local last, at = nil, find(path, "/", 1, true)
    while at do
        last, at = at, find(path, "/", at + 1, true)
    end
    return last
end

-- Fills parts.resource and parts.key, which is behind the last slash, if anything is.
local function read_path(parts, path)
    if byte(path, 1) == SLASH or find(path, "//", 1, true) then
        return bad('the path "%s" has an empty segment; a "/" at the edge of a name is '
            .. 'written "%%2F"', quote(path))
    end
    local slash = last_slash(path)
    local resource, message, word = decode(slash and sub(path, 1, slash - 1) or path,
        "secret's name")
    if resource and slash and slash < #path then
        parts.key, message, word = decode(sub(path, slash + 1), "key")
    end
    if message then
        return nil, message, word
    end
    parts.resource = resource
    return check_resource(parts)
end

-- What is before the first `mark` and what is behind it, "" where there is none.
local function cut(text, mark)
    local at = find(text, mark, 1, true)
    return at and sub(text, 1, at - 1) or text, at and sub(text, at + 1) or ""
end

local function parse_kong(text)
    local inside = sub(text, #KONG + 1, -2)
    if find(inside, "{", 1, true) or find(inside, "}", 1, true) then
        local brace = match(inside, "[{}]")
        return bad('a "%s" inside the reference is written "%%%02X"', brace, byte(brace))
    end
    local rest, version = cut(inside, "#")
    local address, query = cut(rest, "?")
    local name, path = cut(address, "/")
    if not match(name, "^%l[%l%d-]*$") or sub(name, -1) == "-" then
        return bad('the vault\'s name "%s" is not of lower-case letters, digits and "-", '
            .. "a letter first", quote(name))
    end
    local parts, message, word = { name = name }, nil, nil
    if query ~= "" then
        parts.config, message, word = read_options(query, name)
    end
    if not message and #rest < #inside then
        parts.version, message, word = read_version(version)
    end
    if message then
        return nil, message, word
    end
    return read_path(parts, path)
end

-- APISIX's grammar: no encoding, options or versions ---------------------------------------------

local function split(path)
    local segments, count = {}, 0
    for segment in gmatch(path .. "/", "([^/]*)/") do
        count = count + 1
        segments[count] = segment
    end
    return segments, count
end

local function parse_secret(text)
    local manager, id, path = match(sub(text, #SECRET + 1), "^([^/]*)/([^/]*)/(.*)$")
    if not manager then
        return bad('"%s" is not $secret://<manager>/<id>/<name>[/<key>]', quote(text))
    end
    if not match(manager, "^%a[%w_-]*$") then
        return bad('the secret manager "%s" is not a name', quote(manager))
    end
    if #id > 64 or not match(id, "^[%w_.-]+$") then
        return bad('the id "%s" is not 1 to 64 letters, digits, "-", "_" and "."', quote(id))
    end
    local segments, count = split(path)
    local parts = { grammar = "apisix", name = manager, id = id, path = segments }
    if count > 1 and segments[count] == "" then
        segments[count] = nil
    elseif count > 1 then
        parts.key = segments[count]
    end
    parts.resource = concat(segments, "/", 1, parts.key and count - 1 or #segments)
    if parts.key and not find(parts.resource, "[^/]") then
        parts.resource, parts.key = path, nil -- "/name": the slash can only be the name's
    end
    return check_resource(parts)
end

local function parse_env(text)
    local name, key = match(sub(text, #ENV + 1), "^([^/]*)/?(.*)$")
    if name == "" or find(name, "=", 1, true) then
        return bad('"%s" is not the name of an environment variable', quote(name))
    end
    local parts = { grammar = "apisix", name = "env", resource = name }
    parts.key = key ~= "" and key or nil
    return check_resource(parts)
end

local function parser_of(text)
    if type(text) ~= "string" then
        return nil
    end
    local first = byte(text, 1)
    if first == 123 then -- "{"
        return byte(text, -1) == 125 and sub(text, 1, #KONG) == KONG and parse_kong or nil
    end
    if first ~= 36 then -- "$"
        return nil
    end
    if sub(text, 1, #SECRET) == SECRET then
        return parse_secret
    end
    return sub(text, 1, #ENV):lower() == ENV and parse_env or nil
end

-- Whether `text`, of any type, has the outer shape of a reference. Never raises.
function _M.is_reference(text)
    return parser_of(text) ~= nil
end

-- parts   { name, resource, key?, config?, version? }; from APISIX's grammar also grammar =
--         "apisix", id and path, the segments of name and key together (see splits)
-- nil, message, "not_a_reference"  not the outer shape. The message does not show the text: what
--                                  is no reference may be a secret
-- nil, message, "bad_reference"    a part is malformed; the message names the part
function _M.parse(text)
    local parser = parser_of(text)
    if not parser then
        return nil, "the value has not the shape of a reference", "not_a_reference"
    end
    if #text > TEXT_MAX then
        return bad('the reference "%s" is longer than %d bytes', quote(text), TEXT_MAX)
    end
    if percent.has_control(text) then
        return bad('the reference "%s" holds a control byte', quote(text))
    end
    return parser(text)
end

-- Every { resource, key? } that `parts` may mean, in the order in which to try them: the longest
-- name first, then one segment more on the key side, at most five times. More than one only for
-- $secret:// with a key.
function _M.splits(parts)
    local path, found = parts.path, {}
    if not path or not parts.key then
        return { { resource = parts.resource, key = parts.key } }
    end
    local count = #path
    for last = count, math.max(count - STEPS_MAX, 1), -1 do
        local resource = concat(path, "/", 1, last)
        if find(resource, "[^/]") then
            found[#found + 1] = {
                resource = resource,
                key = last < count and concat(path, "/", last + 1) or nil,
            }
        end
    end
    return found
end

-- The full text of the command line's short form, "aws/name/key?ttl=60#2"; a reference stays.
function _M.short(text)
    return _M.is_reference(text) and text or KONG .. text .. "}"
end

-- Slashes inside a name stay as they are, unless one would leave an empty segment.
local function encode_resource(resource)
    local text = encode(resource)
    if find("/" .. resource .. "/", "//", 1, true) then
        return text
    end
    return (gsub(text, "%%2F", "/"))
end

local function encode_options(config)
    local written = {}
    for _, name in ipairs(WRITTEN_ORDER) do
        local value = config[name]
        if type(value) == "number" then
            local short = format("%.14g", value)
            value = tonumber(short) == value and short or format("%.17g", value)
        end
        if value ~= nil then
            written[#written + 1] = name .. "=" .. encode(tostring(value))
        end
    end
    return #written > 0 and "?" .. concat(written, "&") or ""
end

local function format_kong(parts)
    local address = parts.name .. "/" .. encode_resource(parts.resource)
    if parts.key then
        address = address .. "/" .. encode(parts.key)
    elseif find(address, "/", #parts.name + 2, true) then
        address = address .. "/"
    end
    local version = parts.version and "#" .. parts.version or ""
    return KONG .. address .. encode_options(parts.config or {}) .. version .. "}"
end

local function format_apisix(parts)
    local tail = parts.key and "/" .. parts.key or ""
    if parts.name == "env" then
        return ENV .. parts.resource .. tail
    end
    -- One "/" at the start of a name cannot be taken for the one before a key.
    if tail == "" and find(parts.resource, "/", 2, true) then
        tail = "/"
    end
    return SECRET .. parts.name .. "/" .. parts.id .. "/" .. parts.resource .. tail
end

-- The text of `parts`; parse() gives the same parts back. Raises where no text can mean them.
function _M.format(parts)
    local text = (parts.grammar == "apisix" and format_apisix or format_kong)(parts)
    local read, message = _M.parse(text)
    if not read then
        error("no reference can say this: " .. message, 2)
    end
    for _, field in ipairs({ "name", "id", "resource", "key", "version" }) do
        if read[field] ~= parts[field] then
            error("no reference can say this " .. field, 2)
        end
    end
    for option, value in pairs(parts.config or {}) do
        if not read.config or read.config[option] ~= value then
            error("no reference can say this option: " .. tostring(option), 2)
        end
    end
    return text
end

return _M
