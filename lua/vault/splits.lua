-- splits - where the name ends in APISIX's paths, which only AWS knows.
--
-- For:   the ways to split a path, tried one after the other; the one that worked is tried first
--        for the next path of its shape, on all workers.
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

-- The value that `parts` (of vault.reference, with a path) means.
--
-- read  function(parts of one way) -> value | nil, message, word; as a fourth result something true
--       where the secret is there, whatever became of its key: then no other way is tried
--
-- what `read` returned of the way that worked | nil, message, word: of the first that was tried
function methods:read(parts, read)
    local candidates = reference.splits(parts)
    local shape = shape_of(parts, #candidates)
    local first = find(self, shape)
    local value, message, word, found, first_message, first_word
    for _, i in ipairs(order_of(candidates, first)) do
        value, message, word, found = read(_M.with(parts, candidates[i]))
        if found then
            if i ~= first then
                remember(self, shape, i)
            end
            return value, message, word, found
        end
        if not _M.NEXT[word] then
            return nil, message, word
        end
        first_message, first_word = first_message or message, first_word or word
    end
    return nil, first_message, first_word
end

-- Forget what this worker holds.
function methods:forget()
    self.known:clear()
end

return _M
