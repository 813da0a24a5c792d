-- form - the fields of a form, as the table that JSON would have given.
--
-- For:   "config.region=..", "config.ttl=60", "tags[]=a", "tags[2]=b" -> nested tables, texts
--        turned into what vault.schema_fields says the field is. Pure.
-- Never: whether that is right (vault.schema): what cannot be turned stays the text it was.

local cjson = require "cjson"
local fields = require "vault.schema_fields"
local schema = require "vault.schema"
local seconds = require("vault.reference").seconds

local match = string.match

local _M = {}

local FLAGS = { ["true"] = true, ["false"] = false }

-- `text` as the field has it. "" is null: a form cannot say that otherwise.
local function turn(field, text)
    if text == "" then
        return cjson.null
    elseif type(text) ~= "string" or not field then
        return text
    elseif field.type == "number" or field.type == "integer" then
        local sign, digits = match(text, "^(%-?)(.*)$")
        local number = seconds(digits)
        return number and (sign == "-" and -number or number) or text
    elseif field.type == "boolean" and FLAGS[text] ~= nil then
        return FLAGS[text]
    end
    return text
end

-- The list of all texts under a name: { index or false, text } in the order of indexes.
local function list_of(field, found)
    table.sort(found, function(a, b)
        if a.index ~= b.index then
            return a.index < b.index
        end
        return a.order < b.order
    end)
    local list = {}
    for i, entry in ipairs(found) do
        list[i] = turn(field.elements, entry.text)
    end
    if #list == 1 and list[1] == cjson.null then
        return cjson.null
    end
    return list
end

-- "tags[]" -> "tags", math.huge; "tags[2]" -> "tags", 2; "tags" -> "tags", nil
local function split(name)
    local base, index = match(name, "^([^%[%]]+)%[(%d*)%]$")
    if not base then
        return name
    end
    return base, tonumber(index) or math.huge
end

local function texts_of(value)
    return type(value) == "table" and value or { value }
end

-- Gather one argument under its name without brackets.
local function gather(gathered, name, value)
    local base, index = split(name)
    local entry = gathered[base] or {}
    gathered[base] = entry
    for _, text in ipairs(texts_of(value)) do
        entry[#entry + 1] = { index = index or math.huge, order = #entry, text = text }
    end
    entry.listed = entry.listed or index ~= nil
end

local function value_of(field, entry)
    if field and (field.type == "array" or field.type == "set") then
        return list_of(field, entry)
    elseif #entry == 1 and not entry.listed then
        return turn(field, entry[1].text)
    end
    return list_of({}, entry) -- of what is no list: the check complains
end

-- The table that JSON would have given for `arguments`: name -> text, true (no "="), or a list of
-- these, as ngx.req.get_post_args has them.
function _M.read(arguments)
    local gathered, made = {}, {}
    for name, value in pairs(arguments) do
        gather(gathered, name, value)
    end
    local config = {}
    for name, entry in pairs(gathered) do
        local inner = match(name, "^config%.(.+)$")
        if inner then
            config[inner] = value_of(schema.ANY[inner], entry)
        else
            made[name] = value_of(fields.ENTITY[name], entry)
        end
    end
    if next(config) then
        made.config = config
    end
    return made
end

return _M
