-- untold - failures of fetches for which nobody waited.
--
-- For:   the next who asks where nobody can wait: he would be told "pending" for ever.
-- Never: fetching; failures that somebody was told of.

local _M = {}

local MOST = 1000

local failures, count = {}, 0

-- The failure { message, word } that is left of `key`, once; or nil.
function _M.take(key)
    local failure = failures[key]
    if failure then
        failures[key], count = nil, count - 1
    end
    return failure
end

-- A fetch for `key` has ended. failure: { message, word } of which nobody was told, or nil.
function _M.ended(key, failure)
    _M.take(key)
    if not failure then
        return
    end
    if count >= MOST then
        failures, count = {}, 0
    end
    failures[key], count = failure, count + 1
end

return _M
