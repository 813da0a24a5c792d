-- settings - what is needed before anything else runs: variables and settings, references resolved.
--
-- For:   a table of references to a table of values, all or none.
-- Never: keeping them up to date (dereference), where variables come from (vault.environment).

local anew = require "vault.anew"
local core = require "vault.core"
local environment = require "vault.environment"
local reference = require "vault.reference"
local resolve = require "vault.resolve"

local quote = reference.quote

local _M = {}

local PLAIN = { string = true, number = true, boolean = true }

-- The names of `texts` in order, and the texts in that order.
local function in_order(texts)
    local names, list = {}, {}
    for name in pairs(texts) do
        names[#names + 1] = name
    end
    table.sort(names)
    for i, name in ipairs(names) do
        list[i] = texts[name]
    end
    return names, list
end

-- Where AWS is away, each of the others would take as long to find that out.
local function is_away(word)
    local row = core.words[word]
    return row ~= nil and row.may_retry
end

local function how_many(names, i, failures)
    if #names == 1 then
        return ""
    elseif i < #names then
        return ("; the %d after it were not asked for"):format(#names - i)
    end
    return ("; %d of %d references have no value"):format(failures, #names)
end

-- The values of `texts`, name -> reference. Where that blocks, twenty secrets at a time.
--
-- values, by name
-- nil, message, word   of the first by name without a value; the message has the name in front, and
--                      says how many there are
function _M.resolve(texts)
    local names, list = in_order(texts)
    local values, failures, first, last = {}, 0, nil, #names
    anew.prefetch(list)
    for i, name in ipairs(names) do
        local value, message, word = resolve.get(list[i])
        values[name] = value
        if not value then
            failures = failures + 1
            first = first or { message = quote(name) .. ": " .. message, word = word }
            if is_away(word) then
                last = i
                break
            end
        end
    end
    if first then
        return nil, first.message .. how_many(names, last, failures), first.word
    end
    return values
end

-- What is asked for, by name: of a list the variables of these names, all else as it is.
-- texts | nil, message, word
local function gather(wanted)
    local texts = {}
    for key, value in pairs(wanted) do
        local is_variable = type(key) == "number"
        local name = is_variable and value or key
        if type(name) ~= "string" or not PLAIN[type(value)] then
            error("vault.environment takes names of variables, and settings that are text, "
                .. "numbers or booleans", 3)
        elseif texts[name] ~= nil or is_variable and wanted[name] ~= nil then
            error(("vault.environment: %s is there twice"):format(quote(name)), 3)
        end
        if is_variable then
            local message, word
            value, message, word = environment.get(name)
            if message then
                return nil, quote(name) .. ": " .. message, word
            end
        end
        texts[name] = value
    end
    return texts
end

-- See vault.environment.
function _M.read(wanted)
    if type(wanted) ~= "table" then
        error("vault.environment takes a table", 2)
    end
    local found, message, word = gather(wanted)
    if not found then
        return nil, message, word
    end
    local references, values = {}
    for name, text in pairs(found) do
        references[name] = reference.is_reference(text) and text or nil
    end
    values, message, word = _M.resolve(references)
    if not values then
        return nil, message, word
    end
    for name in pairs(references) do
        found[name] = values[name]
    end
    return found
end

return _M
