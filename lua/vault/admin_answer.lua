-- admin_answer - what the Admin API answers, as JSON text.
--
-- For:   tables -> JSON with sorted names, so that the same answer is the same text; which tables
--        are lists.
-- Never: ngx, hiding secrets (vault.schema.redact comes before).

local cjson = require "cjson"

local _M = {}

local LIST = {} -- metatable of what is a list even when it is empty

function _M.list(values)
    return setmetatable(values, LIST)
end

local encode

local function encode_list(list)
    local parts = {}
    for i, value in ipairs(list) do
        parts[i] = encode(value)
    end
    return "[" .. table.concat(parts, ",") .. "]"
end

-- cjson writes "/" as "\/", which is right and which nobody wants to read.
local function encode_text(text)
    return (cjson.encode(text):gsub("\\/", "/"))
end

local function encode_map(map)
    local names, parts = {}, {}
    for name in pairs(map) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        parts[i] = encode_text(name) .. ":" .. encode(map[name])
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
    if type(value) == "table" then
        local is_list = getmetatable(value) == LIST or value[1] ~= nil
        return (is_list and encode_list or encode_map)(value)
    elseif type(value) == "string" then
        return encode_text(value)
    end
    return cjson.encode(value)
end

-- `value` as JSON: a table is a list where list() made it or it has a first element.
_M.encode = encode

return _M
