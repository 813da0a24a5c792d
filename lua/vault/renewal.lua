-- renewal - the secrets of a vault fetched anew because somebody says that they have changed.
--
-- For:   at most one such call per vault and second on the node; the other workers, which are told,
--        and fetch what they hold and nobody has fetched since.
-- Never: how a secret is fetched (anew), what is due by its ttl (refresh).

local _M = {}
local methods = {}
local metatable = { __index = methods }

local EVERY = 1 -- seconds
local TOLD_FOR = 60 -- seconds in which all workers hear of it

-- dict     the shared dict, or nil: a worker alone
-- now      function() -> seconds
-- numbers  of vault.numbers
-- secrets  function() -> list of { vault (its prefix), reference, began }, one for each secret
--          that this worker holds
-- refresh  function(reference) -> value | nil, message
-- each     function(list, run): calls run(item) for all, some at the same time
-- warn     function(message): for people
function _M.new(options)
    return setmetatable({
        dict = options.dict, now = options.now, numbers = options.numbers,
        secrets = options.secrets, refresh = options.refresh, each = options.each,
        warn = options.warn,
        heard = options.dict and options.dict:get("renew") or 0,
    }, metatable)
end

local function tell(self, vault, moment)
    local dict = self.dict
    if dict and dict:safe_set("renew:" .. vault, moment, TOLD_FOR)
        and not dict:incr("renew", 1) then
        dict:safe_add("renew", math.floor(moment * 1000)) -- never one that was heard of before
    end
end

-- { secrets, failed, message = of the first that failed }
local function renew(self, list)
    local result = { secrets = #list, failed = 0 }
    self.each(list, function(secret)
        local value, message = self.refresh(secret.reference)
        if not value then
            result.failed, result.message = result.failed + 1, result.message or message
        end
    end)
    return result
end

-- Fetch what this worker holds of the vault with this prefix, and let the others do the same.
--
-- { secrets, failed, message } | nil: it was asked for less than a second ago
function methods:ask(vault)
    if self.numbers:claim("renew-limit:" .. vault, EVERY) > 0 then
        return nil
    end
    tell(self, vault, self.now())
    local list = {}
    for _, secret in ipairs(self.secrets()) do
        if secret.vault == vault then
            list[#list + 1] = secret
        end
    end
    return renew(self, list)
end

local function told(self)
    return self.dict and self.dict:get("renew") or self.heard
end

-- Whether some worker was asked since the last read(). Cheap.
function methods:is_told()
    return told(self) ~= self.heard
end

-- Do what other workers were asked to; a warning says what failed.
function methods:read()
    self.heard = told(self)
    local list = {}
    for _, secret in ipairs(self.secrets()) do
        local moment = self.dict:get("renew:" .. secret.vault)
        if moment and secret.began < moment then
            list[#list + 1] = secret
        end
    end
    local result = renew(self, list)
    if result.failed > 0 then
        self.warn(("%d of %d secrets whose refresh was asked for could not be fetched: %s"):format(
            result.failed, result.secrets, result.message))
    end
end

return _M
