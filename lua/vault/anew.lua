-- anew - what AWS says of references now, whatever is at hand.
--
-- For:   fetching a secret again, its other stages, many secrets at start.
-- Never: when a value is good (cache), finding references in configurations (dereference).

local cut = require "vault.cut"
local fetch = require "vault.fetch"
local held = require "vault.held"
local reference_of = require "vault.reference"
local resolve = require "vault.resolve"
local vaults = require "vault.vaults"

local _M = {}

local COOL, LOOKS = "t:", "n:" -- of numbers: a pause, and how many looks found nothing
-- Seconds in which what was looked at in vain is not looked at again: twice as many each time.
local COOL_LEAST, COOL_MOST = 1, 10
local LOOKS_MOST = 6 -- that are told apart, the last two by turns: each has its stages
local STAGE_FOR = 10 -- seconds for which a stage is kept at most
local BATCH_MOST = 20

local cache, numbers -- nil: nothing is cached (command line)

-- cache: as vault.resolve's; numbers: of vault.numbers
function _M.configure(options)
    cache, numbers = options.cache, options.numbers
end

-- Fetch the secret of `text` again, and give its value as it is then.
-- string | nil, message, word
function _M.refresh(text)
    held.doubt(text)
    local value, message, word = resolve.fresh(text)
    local failure, failure_word = held.failure(text)
    if failure then
        return nil, failure, failure_word
    elseif value then
        return value
    end
    return nil, message, word
end

-- The parts and the vault of what is held of `text`; nil where that is of none.
local function origin_of(text, found)
    local parts = found and found.policy and (found.split or reference_of.parse(text))
    return parts, parts and vaults.find(parts)
end

-- What numbers know this version of a secret by.
local function name_of(found)
    return ("%s %s"):format(found.entry.key, found.snapshot.version_id)
end

-- A look found nothing newer than `name`. Once for all who waited for that look.
local function cool_down(name)
    local looks = numbers:get(LOOKS .. name) or 0
    local pause = math.min(COOL_LEAST * 2 ^ looks, COOL_MOST)
    if numbers:claim(COOL .. name, pause) > 0 then
        return
    end
    numbers:set(LOOKS .. name, looks < LOOKS_MOST and looks + 1 or looks - 1, pause + COOL_MOST)
end

-- `load`, which marks what it finds unchanged before others can see that it was fetched.
local function marking(load, before, name)
    local function mark(on_done)
        return function(result, message, word, policy)
            if not result or result.version_id == before then
                cool_down(name)
            end
            return on_done(result, message, word, policy)
        end
    end
    return function(on_done, patience, policy)
        return load(mark(on_done), patience, policy)
    end
end

-- See whether there is a newer version than what is held of `text`; but not where a look found none
-- a moment ago. A failure is nobody's: what is at hand stays.
function _M.look(text)
    local found = held.find(text)
    local _, vault = origin_of(text, found)
    if not vault then
        return
    end
    local policy, before = found.entry.policy, found.snapshot.version_id
    local name = name_of(found)
    -- Another caller may have seen it, or another worker, and this one not have heard the news.
    local load, snapshot = resolve.reloading(vault, policy)
    if not snapshot or snapshot.version_id == before then
        if numbers:is_claimed(COOL .. name) then
            return
        end
        snapshot = cache:fetch(policy, marking(load, before, name))
    end
    if not snapshot or snapshot.version_id == before then
        cool_down(name)
    end
    resolve.get(text)
end

-- What the cache knows `stage` of the secret by: apart from what a reference to that stage has,
-- since this one expires soon and is not renewed; and from what was there before the last look, or
-- while another version was current. policy | nil, message
local function policy_of(vault, parts, found, stage)
    local other = setmetatable({ stage = stage }, { __index = parts })
    local settled, message = vault.strategy.settle(other, vault.config)
    if not settled then
        return nil, message
    end
    local name = name_of(found)
    local key = ("%s%s %s %d"):format(COOL, settled.key, name, numbers:get(LOOKS .. name) or 0)
    return setmetatable({ key = key, ttl = STAGE_FOR, neg_ttl = STAGE_FOR, resurrect_ttl = 0,
                          once = true }, { __index = settled })
end

-- The value of `text` in another stage of its secret, as it was at the last look at the earliest.
-- string, VersionId | nil, message
function _M.get_stage(text, stage)
    local found = held.find(text)
    local parts, vault = origin_of(text, found)
    if not vault or (parts.version or 1) ~= 1 then
        return nil, "the reference has no stages"
    end
    local policy, message = policy_of(vault, parts, found, stage)
    if not policy then
        return nil, message
    end
    local snapshot
    snapshot, message = cache:get(policy, (resolve.reloading(vault, policy)))
    local entry = cache.entries.items[policy.key]
    if entry then
        entry.idle = true -- it serves this one try: gauges of what is in use are not about it
    end
    if not snapshot then
        return nil, message
    end
    local value
    value, message = cut.value(vault.strategy, policy, snapshot, parts)
    return value, value and snapshot.version_id or message
end

-- Warming up --------------------------------------------------------------------------------------

-- What a batch can fetch of `texts`, group by group: { policies, vault }.
local function groups_of(texts)
    local groups, order, seen = {}, {}, {}
    for _, text in ipairs(texts) do
        local parts = reference_of.parse(text)
        local vault = parts and vaults.find(parts)
        local settled = vault and vault.name ~= "env" and not parts.id
            and vault.strategy.settle(parts, vault.config)
        if settled and settled.batchable and not seen[settled.key] then
            seen[settled.key], settled.vault = true, parts.name
            if not groups[settled.group] then
                groups[settled.group] = { policies = {}, vault = vault }
                order[#order + 1] = groups[settled.group]
            end
            table.insert(groups[settled.group].policies, settled)
        end
    end
    return order
end

-- What is good already is not fetched.
local function missing(policies)
    local left = {}
    for _, policy in ipairs(policies) do
        local _, good = cache:peek(policy)
        if not good then
            left[#left + 1] = policy
        end
    end
    return left
end

-- Whether there was an answer.
local function fetch_batch(vault, policies)
    local result = fetch.run_batch(vault.strategy.batch(policies))
    for i, entry in ipairs(result and result.entries or {}) do
        if not entry.word then
            cache:store(policies[i], entry)
        end
    end
    return result ~= nil
end

-- Whatever does not come by batch comes, or fails with its reason, by itself afterwards.
local function fetch_groups(texts)
    for _, group in ipairs(groups_of(texts)) do
        local policies, first = missing(group.policies), 1
        local answered = #policies > 1
        while answered and first <= #policies do
            answered = fetch_batch(group.vault,
                { unpack(policies, first, math.min(first + BATCH_MOST - 1, #policies)) })
            first = first + BATCH_MOST
        end
    end
end

-- Where it blocks, have what can come by batch of the secrets of `texts`.
function _M.prefetch(texts)
    if cache and fetch.blocks() then
        fetch_groups(texts)
    end
end

-- Have the values of all `texts`: in init twenty secrets at a time.
-- true | nil, message, word: of the first that has none
function _M.warmup(texts)
    _M.prefetch(texts)
    local first_message, first_word
    for _, text in ipairs(texts) do
        local value, message, word = resolve.get(text)
        if not value and not first_word then
            first_message, first_word = message, word
        end
    end
    return not first_word or nil, first_message, first_word
end

return _M
