-- cut - one value out of a whole secret.
--
-- For:   a reference's key, cut out of a secret's text; what is said where that fails.
-- Never: how the secret was had, splits of a path.

local core = require "vault.core"
local quote = require("vault.reference").quote

local _M = {}

-- What is amiss with the key of `parts`, for people.
function _M.say_key(parts, message)
    return ('key "%s" of secret "%s": %s'):format(quote(parts.key), quote(parts.resource), message)
end

-- The value that `parts` means, out of a snapshot.
--
-- strategy  vault.aws, for its decode(settled, value, binary)
-- settled   what the snapshot was fetched by
-- snapshot  { payload, binary }
--
-- string | nil, message, word: vault.core.extract's, "bad_base64"
function _M.value(strategy, settled, snapshot, parts)
    if not parts.key then
        return strategy.decode(settled, snapshot.payload, snapshot.binary)
    end
    local value, message, word = core.extract(snapshot.payload, parts.key)
    if not value then
        return nil, _M.say_key(parts, message), word
    end
    return strategy.decode(settled, value)
end

return _M
