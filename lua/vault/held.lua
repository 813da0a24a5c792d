-- held - what this worker holds of references: their values, at the price of one look-up.
--
-- For:   the hot path; what serves where a new version, or a new config of the vault, comes to
--        nothing.
-- Never: how a value is had (resolve), when a snapshot is good (cache).
--
-- reference -> { value, snapshot, entry, last, policy, split, slot, used }: last is when the
-- snapshot stops to serve this reference, renewed or not; entry is the cache's, or as good as that;
-- split: the parts that one split of a path makes of the reference, or nothing true. spoilt: the
-- value is of a version before the snapshot's. outdated: its vault has another config since, and a
-- stand-in is in the place of the snapshot: this one, which all have that are outdated by the same
-- change, or after a refusal one of its own; failure: what the new config came to, { message, word
-- }. An environment variable has a prefix instead of policy.

local bounded = require "vault.bounded"
local core = require "vault.core"
local lifetime = require "vault.lifetime"

local _M = {}

-- LuaJIT's; the command line of a rock is run by any Lua 5.1.
local has_clear, clear = pcall(require, "table.clear")
if not has_clear then
    clear = function(list)
        for key in pairs(list) do
            list[key] = nil
        end
    end
end

local MOST = 10000
local HEAT = 1000 -- calls; LuaJIT finds 56 often, and tries again later where it gave up
local WINDOW = 0.1 -- seconds for which what is hot is not looked at again
-- Seconds until what did not come for a new config is tried again; what AWS refused.
local RETRY, RETRY_REFUSED = 0.25, 5
local NOT_YET = { pending = true, cancelled = true } -- and the words that may be tried again
local FORBIDDEN = "refused" -- by the new config itself: at once
-- The environment is what it was at start.
local FOR_EVER = { good_until = math.huge, version_id = "" }

local values = bounded.new(MOST)
-- reference -> value of those that were asked for a moment ago, all of them good for as long as the
-- moment lasts: one look-up and one look at the clock, whatever else is known of them.
local hot, hot_from, hot_until = {}, 0, 0
local hits = 0
local read_news -- of other workers, before each look: in a worker that leaves nothing else does
local now = os.time
local warn, on_change = function() end, function() end

-- In the place of a snapshot that is not the vault's any more.
local function stand_in(good_until)
    return { good_until = good_until, began = 0, fetched = 0, version_id = "" }
end

-- now: function() -> seconds; warn: function(message); on_change: function(), some value is not
-- what it was; max_entries. What was held is forgotten: it came of other vaults.
function _M.configure(options)
    now, warn, on_change = options.now, options.warn or warn, options.on_change or on_change
    values = bounded.new(options.max_entries or MOST)
    _M.cool()
end

-- Forget what this worker holds.
function _M.clear()
    values:clear()
    _M.cool()
end

-- Hot ---------------------------------------------------------------------------------------------

-- What is hot may not be what it was: it is looked at again.
function _M.cool()
    clear(hot)
    hot_until = 0
end

-- The value of `text` where it is held and good, or nil. It is hot from then on.
local function warm(text)
    local held = values.items[text]
    local moment = now()
    local good_until = held and math.min(held.snapshot.good_until, held.last) or 0
    if good_until <= moment then
        return nil
    end
    held.used, held.entry.used = true, true
    if moment >= hot_until or moment < hot_from then
        clear(hot)
        hot_from, hot_until = moment, moment + WINDOW
    end
    if good_until >= hot_until then
        hot[text] = held.value
    end
    hits = hits + 1
    return held.value
end

-- Have LuaJIT compile `get`, a function of before() or one that calls it, by the hot case. It
-- compiles a function as it finds it when it has been called often: by a cold case the trace would
-- end in reading, and each hot call would enter it and leave it again, for five times the price
-- (run). The calls come from C, so that it is this function that is compiled and not one around it.
function _M.heat(get)
    local text = "x"
    hot[text], hot_from, hot_until = text, 0, math.huge
    string.gsub(text:rep(HEAT), text, get)
    _M.cool()
    hits = 0
end

-- From now on this worker has no beats: read() is called where something is asked for, but for what
-- is hot.
function _M.leave(read)
    read_news = read
end

-- Learn what other workers changed, where nothing else sees to it.
function _M.catch_up()
    if read_news then
        read_news()
    end
end

-- function(text) -> the value of `text` where it is held and good; else what `read` returns for it.
function _M.before(read)
    return function(text)
        local value = hot[text]
        if value then
            local moment = now()
            if moment < hot_until and moment >= hot_from then -- clocks are set back, too
                hits = hits + 1
                return value
            end
        end
        _M.catch_up()
        value = warm(text)
        if value then
            return value
        end
        return read(text)
    end
end

-- How many answers came out of this worker's table since the last call.
function _M.take_hits()
    local count = hits
    hits = 0
    return count
end

-- Looking -----------------------------------------------------------------------------------------

-- What is held of `text`, or nil. What is outdated is not.
function _M.find(text)
    local held = values.items[text]
    return held and not held.outdated and held or nil
end

-- Until when `held`, a secret's value, may serve, renewed or not; it may have been renewed since it
-- was put.
local function last_of(held)
    if held.outdated or held.spoilt then
        return held.last
    end
    return lifetime.last_use(held.policy, held.snapshot)
end

-- Whether what is held of `text` may serve where nothing better comes of its secret.
function _M.may_serve(text)
    local held = values.items[text]
    return held ~= nil and held.policy ~= nil and last_of(held) > now()
end

function _M.is_outdated(text)
    local held = values.items[text]
    return held ~= nil and held.outdated ~= nil
end

-- Which split of a path what is outdated of `text` came by: its parts, or nothing true.
function _M.outdated_split(text)
    local held = values.items[text]
    return held and held.outdated and held.split
end

-- Have what is outdated of `text` tried again when it is wanted next.
function _M.doubt(text)
    local held = values.items[text]
    if held and held.outdated then
        held.snapshot = stand_in(0)
        hot[text] = nil
    end
end

-- What the new config came to, where what is held of `text` is of the one before.
-- message, word | nil
function _M.failure(text)
    local held = values.items[text]
    if held and held.outdated and held.failure then
        return held.failure.message, held.failure.word
    end
    return nil
end

-- A list of { vault (its prefix), reference, began (its fetch) }, one for each secret of a vault.
function _M.secrets()
    local list, seen = {}, {}
    for text, held in pairs(values.items) do
        local key = held.policy and held.policy.vault .. " " .. tostring(held.entry.key)
        if key and not seen[key] then
            seen[key] = true
            local snapshot = held.entry.snapshot or held.snapshot -- the value may be of one before
            list[#list + 1] = { vault = held.policy.vault, reference = text,
                                began = snapshot.began }
        end
    end
    return list
end

-- Until when what is held of `text` is good.
function _M.good_until(text)
    local held = values.items[text]
    return held and math.min(held.snapshot.good_until, held.last) or now()
end

-- The VersionId of what is held of `text`, or nil.
function _M.version(text)
    local held = values.items[text]
    return held and held.snapshot.version_id
end

-- Something that lives needs `text`, though nobody asks for it.
function _M.mark_used(text)
    local held = values.items[text]
    if held then
        held.used, held.entry.used = true, true
    end
end

-- Keeping -----------------------------------------------------------------------------------------

-- `held`, as above, is what there is of `text`. Where it is the first of a new config others of
-- that vault are tried at once, or those of one secret would be of two configs.
function _M.put(text, held)
    local old = values.items[text]
    values:put(text, held)
    if old and old.outdated then
        old.outdated.good_until = 0
        for refused, own in pairs(old.outdated.refused) do
            own.good_until, old.outdated.refused[refused] = 0, nil
        end
        _M.cool()
        on_change()
    end
end

function _M.put_variable(text, value, prefix)
    values:put(text, { value = value, snapshot = FOR_EVER, entry = {}, last = math.huge,
                       prefix = prefix })
end

function _M.remove(text)
    values:remove(text)
    hot[text] = nil
end

-- The vault `prefix` is gone, and with it all that is held of it, of whichever config.
function _M.forget(prefix)
    for text, held in pairs(values.items) do
        if held.prefix == prefix or held.policy and held.policy.vault == prefix then
            values:remove(text)
        end
    end
    _M.cool()
end

-- The vault `prefix` has another config: its values are to be read anew when they are wanted next.
-- Until that comes to something they serve, so that a change is no moment without values.
function _M.outdate(prefix)
    local common = stand_in(0)
    common.refused = {} -- reference -> its own stand-in
    for text, held in pairs(values.items) do
        if held.prefix == prefix then
            values:remove(text)
        elseif held.policy and held.policy.vault == prefix then
            held.last = last_of(held)
            held.snapshot, held.outdated, held.failure, held.warned = common, common, nil, nil
        end
    end
    _M.cool()
end

local function is_passing(word)
    local row = core.words[word]
    return NOT_YET[word] or row ~= nil and row.may_retry
end

-- Nothing came for `text`, for the reason `word`: the value of the config before, until it would
-- have been too old anyway. A config that is wrong is no reason to be without values.
function _M.serve_outdated(text, message, word)
    local old = values.items[text]
    if not (old and old.outdated) then
        return nil
    elseif word == FORBIDDEN or old.last <= now() then
        _M.remove(text)
        return nil
    end
    old.failure = { message = message, word = word }
    if not (NOT_YET[word] or old.warned) then
        old.warned = true
        warn(message .. "; what it was before its vault changed stays in use")
    end
    if is_passing(word) then
        old.snapshot.good_until = now() + RETRY
        return old.value
    end
    old.snapshot = stand_in(now() + RETRY_REFUSED) -- others of that vault may be luckier
    old.outdated.refused[text] = old.snapshot
    return old.value
end

-- What came for `text` is `held` without a value: a new version that cannot be used, for what
-- `message` says, does not take the place of a good value. That value, or nil.
function _M.keep_old(text, held, message)
    local old = values.items[text]
    if not old or not old.policy then
        return nil
    elseif old.outdated then
        _M.remove(text)
        return nil
    end
    old.last = last_of(old)
    if old.last <= now() then
        return nil
    end
    if not old.spoilt then
        warn(message .. "; what it was before stays in use")
    end
    old.snapshot, old.entry, old.spoilt = held.snapshot, held.entry, true
    return old.value
end

return _M
