-- loads - what specs of vault.cache ask it for, and with which loaders.
--
-- For:   policies and loaders, and the payload that comes of both.
-- Never: how the cache keeps it.

local _M = {}

-- A policy: ttl 10, neg_ttl 0, resurrect_ttl 0 where `changes` does not say otherwise.
function _M.policy(changes)
    local made = { key = "k", group = "g", resource = "name", ttl = 10, neg_ttl = 0,
                   resurrect_ttl = 0, may_cache = function(word) return word ~= "internal" end,
                   may_retry = function(word) return word == "timeout" end }
    for field, value in pairs(changes or {}) do
        made[field] = value
    end
    return made
end

local versions, known = {}, 0

local function version_of(payload)
    if not versions[payload] then
        known = known + 1
        versions[payload] = "v" .. known
    end
    return versions[payload]
end

-- A loader that ends at once: with the payload, or with message and word. Counts its calls; each
-- payload has a VersionId of its own.
function _M.loader(payload, message, word)
    local self = { calls = 0 }
    function self.load(on_done, patience, policy)
        self.calls, self.patience = self.calls + 1, patience
        local result = payload and { payload = payload, binary = self.binary or false,
                                     version_id = self.version_id or version_of(payload) }
        return on_done(result, message, word, policy), message, word
    end
    return self
end

function _M.failing(word)
    return _M.loader(nil, "planted " .. word, word)
end

-- payload | nil, message, word
function _M.payload(from, asked, source)
    local snapshot, message, word = from:get(asked, source.load)
    return snapshot and snapshot.payload, message, word
end

return _M
