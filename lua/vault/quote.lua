-- quote - text from outside, as messages may show it.
--
-- For:   names and references in errors and logs. Pure.
-- Never: which text may be shown at all: its owner decides.

local byte, format, gsub, sub = string.byte, string.format, string.gsub, string.sub

local _M = {}

local QUOTE_MAX = 64

-- At most `most` bytes of outside text for a message: printable ASCII as it is, backslash and all
-- else as \\ or \xNN, "..." where bytes were left out. As vault_message_quote does in C.
function _M.text(text, most)
    most = most or QUOTE_MAX
    local shown = gsub(sub(text, 1, most), "[%z\1-\31\\\127-\255]", function(c)
        return c == "\\" and "\\\\" or format("\\x%02x", byte(c))
    end)
    return #text > most and shown .. "..." or shown
end

return _M
