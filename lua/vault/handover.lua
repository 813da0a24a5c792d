-- handover - the end of a fetch, given to whoever keeps what comes of it.
--
-- For:   what all who asked are given, whatever on_done does.
-- Never: who asked, locks (fetch).

local late = require "vault.late"

local _M = {}

-- Call on_done(result, message, word, about). It may refuse what came, with a message and a word of
-- its own; what it raises is "internal".
--
-- what it returned | nil, message, word
function _M.run(on_done, about, result, message, word)
    message = late.explain(message, word)
    local ok, kept, refusal, refused = pcall(on_done, result, message, word, about)
    if not ok then
        return nil, "the cache failed: " .. tostring(kept), "internal"
    end
    if refusal then
        return nil, refusal, refused
    end
    return kept, message, word
end

return _M
