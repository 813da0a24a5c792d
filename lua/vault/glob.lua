-- glob - which names a vault may read: "*" is any run of bytes, "?" any one, all else is itself.
--
-- For:   a list of globs -> a function that tells whether a text matches one of them. "/" and ":"
--        are bytes like all others, as in IAM's policies. Pure.
-- Never: what is matched (a secret's name, its ARN): the caller says.

local find, gmatch, gsub, sub = string.find, string.gmatch, string.gsub, string.sub

local _M = {}

-- A Lua pattern for a piece between two stars: no quantifier, so it is tried once a position.
local function pattern_of(piece)
    return (gsub(gsub(piece, "[^%w?]", "%%%0"), "?", "."))
end

local function split(glob)
    local pieces = {}
    for piece in gmatch(glob .. "*", "([^*]*)%*") do
        pieces[#pieces + 1] = { length = #piece, pattern = pattern_of(piece) }
    end
    return pieces
end

-- Whether the pieces between the first and the last stand in `text` in this order, from `start`
-- to `last`. The leftmost place of each leaves the most room for the next: nothing is tried twice.
local function holds_middle(pieces, text, start, last)
    for i = 2, #pieces - 1 do
        local from, to = find(text, pieces[i].pattern, start)
        if not from or to > last then
            return false
        end
        start = to + 1
    end
    return true
end

local function matches(pieces, text)
    local first, final = pieces[1], pieces[#pieces]
    if #pieces == 1 then
        return #text == first.length and find(text, "^" .. first.pattern) ~= nil
    end
    local last = #text - final.length
    return last >= first.length
        and find(text, "^" .. first.pattern) ~= nil
        and find(sub(text, last + 1), "^" .. final.pattern) ~= nil
        and holds_middle(pieces, text, first.length + 1, last)
end

-- function(text) -> whether it matches one of `globs`, a list. At most the length of the text times
-- that of the globs in steps.
function _M.compile(globs)
    local compiled = {}
    for i, glob in ipairs(globs) do
        compiled[i] = split(glob)
    end
    return function(text)
        for i = 1, #compiled do
            if matches(compiled[i], text) then
                return true
            end
        end
        return false
    end
end

return _M
