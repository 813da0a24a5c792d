-- failures - how a fetch failed, for those on other workers who waited for it.
--
-- For:   a message and a word by the token of the lock under which the fetch ran, for a moment.
-- Never: locks, misses that are remembered for longer (vault.shelf).
--
-- Dict: "e:" .. token -> word and message.

local _M = {}

local KEPT = 2 -- seconds in which other workers can read it

-- What vault.fetch.share takes: put(token, message, word), get(token) -> message, word | nil.
--
-- dict  the shared dict
function _M.new(dict)
    local failures = {}

    function failures.put(token, message, word)
        dict:safe_set("e:" .. token, word .. " " .. message, KEPT)
    end

    function failures.get(token)
        local word, message = tostring(dict:get("e:" .. token)):match("^(%S+) (.*)$")
        return message, word
    end

    return failures
end

return _M
