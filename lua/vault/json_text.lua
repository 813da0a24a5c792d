-- json_text - tables as JSON: the Admin API's answers, and entities at rest.
--
-- For:   sorted names and all digits of a number, so that the same tables are the same text; which
--        tables are lists.
-- Never: reading, what the tables mean, hiding secrets (vault.schema.redact comes before).

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

local function encode_number(number)
    local short = ("%.14g"):format(number)
    return tonumber(short) == number and short or ("%.17g"):format(number)
end

function encode(value)
    local kind = type(value)
    if kind == "table" then
        local is_list = getmetatable(value) == LIST or value[1] ~= nil
        return (is_list and encode_list or encode_map)(value)
    elseif kind == "string" then
        return encode_text(value)
    elseif kind == "number" and value - value == 0 then
        return encode_number(value)
    end
    return cjson.encode(value)
end

-- `value` as JSON: a table is a list where list() made it or it has a first element. Raises for
-- what JSON has not: functions, infinite numbers.
_M.encode = encode

return _M
