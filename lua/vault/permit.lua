-- permit - whether AWS may be asked for a secret now.
--
-- For:   misses that are remembered (neg_ttl), and what the node's brake says, put together.
-- Never: values, making calls, the brake's own rules.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local MISS_KEPT = 60 -- seconds in which a reference that failed draws on the budget
local TRANSIENT_KEPT = 2 -- the same of a failure that passes; while it does not, the circuit opens
-- Seconds between two renewals of the node that fail: a tenth of the ttl, within these.
local AGAIN_LEAST, AGAIN_MOST = 1, 4

local LOOK_LEAST = 1 -- seconds since a secret was fetched in which it is not looked at again

local AWAY = { word = "timeout", message = "AWS could not be reached of late; it is not asked for "
    .. "anything new for a few seconds" }

-- shelf  of vault.shelf
-- now    function() -> seconds
-- brake  of vault.brake; nil: nothing is held back
function _M.new(options)
    return setmetatable({ shelf = options.shelf, now = options.now, brake = options.brake },
        metatable)
end

-- The last failure; how old it is, whichever way the clock was set since; and whether it is young
-- enough to be the answer.
local function last_miss(self, policy)
    local miss = self.shelf:get_miss(policy.key)
    if not miss then
        return nil, 0, false
    end
    local age = math.abs(self.now() - miss.at)
    return miss, age, age < policy.neg_ttl
end

-- Another call for what failed a moment ago, and any call while the circuit is open, draws on the
-- node's budget.
local function must_draw(self, policy, miss, age)
    local kept = miss and (policy.may_retry(miss.word) and TRANSIENT_KEPT or MISS_KEPT)
    return miss and age < kept or self.brake:is_open(policy.group)
end

-- Nothing is at hand for `policy`: nil, or the failure { word, message } that is the answer.
function methods:refusal(policy)
    local miss, age, young = last_miss(self, policy)
    if young then
        return miss
    end
    if self.brake and must_draw(self, policy, miss, age)
        and not self.brake:may_repeat(policy.group) then
        return miss or AWAY
    end
    return nil
end

-- An old value is at hand: may it be renewed now? Not where another worker has just found that it
-- cannot: a secret that is gone costs one call, however many workers ask.
function methods:may_renew(policy)
    local miss, age, young = last_miss(self, policy)
    local again = math.min(math.max(policy.ttl / 10, AGAIN_LEAST), AGAIN_MOST)
    if young or miss and age < again then
        return false
    end
    return not self.brake or self.brake:may_probe(policy.group)
end

-- What was fetched at the moment `fetched` lacks what is wanted of it, which is a miss, too: may it
-- be fetched again?
function methods:may_look_again(policy, fetched)
    if math.abs(self.now() - fetched) < math.max(policy.neg_ttl, LOOK_LEAST) then
        return false
    end
    return not self.brake or not self.brake:is_open(policy.group)
        and self.brake:may_repeat(policy.group)
end

-- A fetch came to its end: `word` nil where it brought a value.
function methods:ended(policy, message, word)
    if not word then
        self.shelf:drop_miss(policy.key)
    elseif policy.may_cache(word) then
        self.shelf:put_miss(policy.key, self.now(), { word = word, message = message },
            math.max(policy.neg_ttl, MISS_KEPT))
    end
    if not self.brake then
        return
    end
    if not word then
        self.brake:succeeded(policy.group)
    elseif word ~= "cancelled" then
        self.brake:failed(policy.group, policy.may_retry(word), message)
    end
end

return _M
