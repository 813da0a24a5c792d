-- check - what is wrong with a declarative file, told to people.
--
-- For:   `vaults check`: a file -> one line for each error, as compilers have it.
-- Never: a value of the file; what may be in it (declarative, schema).

local declarative = require "vault.declarative"
local quote = require("vault.reference").quote

local _M = {}

local READ_MOST = 2 * 1024 * 1024 -- bytes, above what declarative takes
local SHOW = 4096

-- text | nil, why
local function read(path)
    local file, why = io.open(path, "rb")
    if not file then
        return nil, why:sub(#path + 3) -- "path: reason"
    end
    local text
    text, why = file:read(READ_MOST)
    file:close()
    return text or not why and "" or nil, why
end

local function lines_of(shown, errors)
    local lines = {}
    for i, entry in ipairs(errors) do
        lines[i] = table.concat({ shown, entry.line and ":" .. entry.line or "", ": ",
            entry.path ~= "" and entry.path .. ": " or "", entry.message, "\n" })
    end
    return table.concat(lines)
end

-- Errors without a line go first; else as they came.
local function by_line(errors)
    local order = {}
    for i, entry in ipairs(errors) do
        order[entry] = i
    end
    table.sort(errors, function(a, b)
        local left, right = a.line or 0, b.line or 0
        return left < right or left == right and order[a] < order[b]
    end)
    return errors
end

-- What there is to say of the file at `path`, in whole lines; and, where not all is right, message,
-- "bad_config".
function _M.check(path)
    local shown = quote(path, SHOW)
    local text, why = read(path)
    if not text then
        return "", ("cannot read %s: %s"):format(shown, quote(why, SHOW)), "bad_config"
    end
    local entities, errors = declarative.load(text)
    if entities then
        return ("%s: %d vault%s, all right\n"):format(shown, #entities,
            #entities == 1 and "" or "s")
    end
    return lines_of(shown, by_line(errors)), ("%s: %d error%s"):format(shown, #errors,
        #errors == 1 and "" or "s"), "bad_config"
end

return _M
