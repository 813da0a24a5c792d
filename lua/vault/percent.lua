-- percent - text as it stands in a part of a reference.
--
-- For:   percent-encoding (RFC 3986, section 2.1), undone and done; control bytes. Pure.
-- Never: which part it is, messages.

local byte, char, find, format, gsub = string.byte, string.char, string.find, string.format,
    string.gsub

local _M = {}

-- Whether a control byte is in `text`. A pattern takes ten times as long.
function _M.has_control(text)
    for i = 1, #text do
        local code = byte(text, i)
        if code < 32 or code == 127 then
            return true
        end
    end
    return false
end

local function decode_one(hex)
    return char(tonumber(hex, 16))
end

-- `text` decoded once; "+" stays "+".
-- string | nil, what is amiss, the text to show with it
function _M.decode(text)
    if not find(text, "%", 1, true) then
        return text
    end
    if find(gsub(text, "%%%x%x", ""), "%", 1, true) then
        return nil, 'has a "%" without two hex digits after it', text
    end
    local plain = gsub(text, "%%(%x%x)", decode_one)
    if _M.has_control(plain) then
        return nil, "holds a control byte", plain
    end
    return plain
end

-- decode() gives the same text back, where no control byte is in it.
function _M.encode(text)
    return (gsub(text, "[^%w%-%._~+=@:,]", function(c)
        return format("%%%02X", byte(c))
    end))
end

return _M
