-- reference_rules - what holds of every text that is given to vault.reference.
--
-- For:   the property spec and the fuzz target of the grammar.
-- Never: which texts (they), what a good reference means (reference_spec).

local reference = require "vault.reference"

local _M = {}

local WORDS = { bad_reference = true, not_a_reference = true }

local function same(left, right)
    if type(left) ~= "table" or type(right) ~= "table" then
        return left == right
    end
    for name, value in pairs(left) do
        if not same(value, right[name]) then
            return false
        end
    end
    for name in pairs(right) do
        if left[name] == nil then
            return false
        end
    end
    return true
end

-- What came of `text`: its parts, or nil and the message. Raises where a rule is broken.
function _M.check(text)
    local parts, message, word = reference.parse(text)
    if not parts then
        assert(WORDS[word], "another word: " .. tostring(word))
        assert(not message:find("[^ -~]"), "the message is not printable")
        assert(#message < 2000, "the message is long")
        assert(word == "not_a_reference" or reference.is_reference(text), "words disagree")
        return nil, message
    end
    assert(reference.is_reference(text), "parts of what is no reference")
    assert(not (parts.resource .. (parts.key or "")):find("[%z\1-\31\127]"), "control bytes")
    assert(same(parts, (reference.parse(reference.format(parts)))), "another one when written")
    if parts.id then
        local ways = reference.splits(parts)
        assert(#ways >= 1 and #ways <= 6, "no split, or too many")
        for _, way in ipairs(ways) do
            assert(way.resource:find("[^/]") and way.key ~= "", "a split of nothing")
        end
    end
    return parts
end

return _M
