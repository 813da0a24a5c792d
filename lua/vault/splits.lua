-- splits - where the name ends in APISIX's paths, which only AWS knows.
--
-- For:   the ways to split a path, tried one after the other; the one that worked is tried first
--        for the next path of its shape, on all workers; a missing key may be due to that alone.
-- Never: how a secret is read, what text is a path (vault.reference).
--
-- Dict: "split:" .. shape -> the number of the way that worked.

local bounded = require "vault.bounded"
local reference = require "vault.reference"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local MOST = 10000

-- The words on which the next way is tried; a vault's `allow` refuses names.
_M.NEXT = { not_found = true, access_denied = true, refused = true }

-- dict: the shared dict, or nil
function _M.new(dict)
    return setmetatable({ dict = dict, known = bounded.new(MOST) }, metatable)
end

-- `parts` with the resource and key of one way.
function _M.with(parts, candidate)
    return { name = parts.name, id = parts.id, config = parts.config, version = parts.version,
             resource = candidate.resource, key = candidate.key }
end

local function shape_of(parts, many)
    return ("%s/%s %d"):format(parts.name, parts.id, many)
end

local function find(self, shape)
    local known = self.known.items[shape]
    return known and known.which or self.dict and self.dict:get("split:" .. shape)
end

local function remember(self, shape, which)
    self.known:put(shape, { which = which })
    if self.dict then
        self.dict:safe_set("split:" .. shape, which)
    end
end

-- The numbers of `candidates` in the order in which to try them.
local function order_of(candidates, first)
    local order = { candidates[first] and first }
    for i = 1, #candidates do
        if i ~= first then
            order[#order + 1] = i
        end
    end
    return order
end

-- What came of the ways with the numbers `order`: of the first that is there, or by which it is not
-- known whether one is; else of the first: { number, value, message, word, found }
local function try(ways, order, lacking)
    local failed
    for _, i in ipairs(order) do
        local came = { number = i }
        came.value, came.message, came.word, came.found = ways.read(
            _M.with(ways.parts, ways.candidates[i]), lacking)
        if came.found or not _M.NEXT[came.word] then
            return came
        end
        failed = failed or came
    end
    return failed or {}
end

-- The remembered way came to a secret without the key, and may be another path's: `came`, or what
-- came of a longer name.
local function try_longer(ways, came)
    local order = {}
    for i = 1, came.number - 1 do
        order[i] = i
    end
    local longer = try(ways, order, true)
    if longer.found then
        return longer
    elseif longer.word and not _M.NEXT[longer.word] then
        came.message, came.word = longer.message, longer.word
    end
    return came
end

-- The value that `parts` (of vault.reference, with a path) means.
--
-- read  function(parts of one way, lacking) -> value | nil, message, word; as a fourth result
--       something true where the secret is there, whatever became of its key: then no other way is
--       tried, but for longer names than that of a remembered way. lacking: they are tried for that
--
-- what `read` returned of the way that worked | nil, message, word: of the first that was tried, or
-- of that by which it is not known; and the fourth result of the way that came to a secret
function methods:read(parts, read)
    local ways = { parts = parts, candidates = reference.splits(parts), read = read }
    local shape = shape_of(parts, #ways.candidates)
    local first = find(self, shape)
    local came = try(ways, order_of(ways.candidates, first))
    if came.found and not came.value and came.number == first then
        came = try_longer(ways, came)
    end
    if came.found and came.number ~= first then
        remember(self, shape, came.number)
    end
    return came.value, came.message, came.word, came.found
end

-- Forget what this worker holds.
function methods:forget()
    self.known:clear()
end

return _M
