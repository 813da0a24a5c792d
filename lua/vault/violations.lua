-- violations - what is wrong with an entity, in the words and the shape of Kong's Admin API.
--
-- For:   complaints gathered by field -> { message, name, code, fields }, ready for JSON.
-- Never: what a field may hold (vault.schema_fields); values in a message.

local quote = require("vault.reference").quote

local _M = {}
local methods = {}
local metatable = { __index = methods }

local MOST = 20 -- complaints kept; who sent more has enough to do

function _M.new()
    return setmetatable({ fields = {}, list = {} }, metatable)
end

-- A step of a path, shown: names come from outside.
local function step(name)
    return quote(tostring(name))
end

local function put(fields, path, complaint)
    for i = 1, #path - 1 do
        local name = step(path[i])
        if type(fields[name]) ~= "table" then
            fields[name] = {}
        end
        fields = fields[name]
    end
    fields[step(path[#path])] = complaint
end

-- Add a complaint about what lies at `path`, a list of names and indexes; {} is the whole. A
-- complaint may be a table, index -> complaint.
function methods:add(path, complaint)
    if type(complaint) == "table" then
        for i, each in pairs(complaint) do
            local deeper = { unpack(path) }
            deeper[#deeper + 1] = i
            self:add(deeper, each)
        end
    elseif #self.list < MOST then
        self.list[#self.list + 1] = { path = path, message = complaint }
        if #path > 0 then
            put(self.fields, path, complaint)
        else
            self.fields["@entity"] = { complaint }
        end
    end
end

-- "config.ttl", "tags[2]", "" for the whole.
function _M.path_text(path)
    local text = ""
    for _, name in ipairs(path) do
        if type(name) == "number" then
            text = ("%s[%d]"):format(text, name)
        else
            text = text .. (text ~= "" and "." or "") .. step(name)
        end
    end
    return text
end

local function line(entry)
    local where = _M.path_text(entry.path)
    return (where ~= "" and where .. ": " or "") .. entry.message
end

-- nil where nothing was added; else Kong's schema violation, and the list of what it is made of:
-- { path, message }, in the order of paths.
function methods:render()
    if #self.list == 0 then
        return nil
    end
    local lines = {}
    table.sort(self.list, function(a, b)
        return _M.path_text(a.path) < _M.path_text(b.path)
    end)
    for i, entry in ipairs(self.list) do
        lines[i] = line(entry)
    end
    local count = #lines == 1 and "schema violation" or #lines .. " schema violations"
    return {
        code = 2, name = "schema violation", fields = self.fields,
        message = ("%s (%s)"):format(count, table.concat(lines, "; ")),
    }, self.list
end

-- Another entity has the same `value` in the unique `field`.
function _M.unique(field, value)
    return {
        code = 5, name = "unique constraint violation", fields = { [field] = value },
        message = ("UNIQUE violation detected on '{%s=\"%s\"}'"):format(field, quote(value)),
    }, { { path = { field }, message = "another vault has this " .. field } }
end

-- Another entity has the same id.
function _M.primary(id)
    return {
        code = 3, name = "primary key violation", fields = { id = id },
        message = ("primary key violation on key '{id=\"%s\"}'"):format(quote(id)),
    }, { { path = { "id" }, message = "another vault has this id" } }
end

return _M
