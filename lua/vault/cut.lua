-- cut - one value out of a whole secret.
--
-- For:   a reference's key, cut out of a secret's text, and base64 undone; what is said where that
--        fails.
-- Never: how the secret was had, splits of a path.

local core = require "vault.core"
local quote = require("vault.reference").quote

local _M = {}

-- What is amiss with the key of `parts`, or with the whole secret where there is none, for people.
function _M.say(parts, message)
    local key = parts.key and ('key "%s" of '):format(quote(parts.key)) or ""
    return ('%ssecret "%s": %s'):format(key, quote(parts.resource), message)
end

-- The value that `parts` means, out of a snapshot.
--
-- strategy  vault.aws, for its decode(settled, value, binary)
-- settled   what the snapshot was fetched by
-- snapshot  { payload, binary }
--
-- string | nil, message, word: vault.core.extract's, "bad_base64"
function _M.value(strategy, settled, snapshot, parts)
    local value, binary, message, word = snapshot.payload, snapshot.binary, nil, nil
    if parts.key then
        value, message, word = core.extract(value, parts.key)
        binary = false
    end
    if value then
        value, message, word = strategy.decode(settled, value, binary)
    end
    if not value then
        return nil, _M.say(parts, message), word
    end
    return value
end

return _M
