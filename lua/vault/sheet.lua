-- sheet - a text in sections of aligned rows.
--
-- For:   what the command line tells at length. Pure.
-- Never: what is told; escaping: whoever adds a row answers for its bytes.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local LABEL_MOST, VALUE_MOST = 24, 48 -- columns; what is longer is not aligned

function _M.new()
    return setmetatable({ sections = {} }, metatable)
end

function methods:section(title)
    self.sections[#self.sections + 1] = { title = title }
end

-- A row of the last section. label nil: a line of its own; value nil: no row; note: may be nil.
function methods:row(label, value, note)
    if value ~= nil then
        local rows = self.sections[#self.sections]
        rows[#rows + 1] = { label = label, value = tostring(value), note = note }
    end
end

function methods:line(text)
    self:row(nil, text)
end

-- The width of a column, of what is followed by another one.
local function width_of(rows, field, follower, most)
    local width = 0
    for _, row in ipairs(rows) do
        local length = row[follower] and row[field] and #row[field] or 0
        width = length > width and length <= most and length or width
    end
    return width
end

local function pad(text, width)
    return text .. (" "):rep(width - #text)
end

local function render(row, label_width, value_width)
    local label = row.label and pad(row.label, label_width) .. "  " or ""
    if not row.note then
        return "  " .. label .. row.value
    end
    return ("  %s%s  (%s)"):format(label, pad(row.value, value_width), row.note)
end

function methods:text()
    local lines = {}
    for _, section in ipairs(self.sections) do
        local label = width_of(section, "label", "value", LABEL_MOST)
        local value = width_of(section, "value", "note", VALUE_MOST)
        lines[#lines + 1] = section.title
        for _, row in ipairs(section) do
            lines[#lines + 1] = render(row, label, value)
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

return _M
