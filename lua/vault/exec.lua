-- exec - this process becomes a program that finds values where its environment held references.
--
-- For:   `vaults exec`: which variables are references, and the program's environment.
-- Never: values in arguments or on disk; how a reference is resolved (settings); nginx.

local anew = require "vault.anew"
local cache_of = require "vault.cache"
local core = require "vault.core"
local reference = require "vault.reference"
local resolve = require "vault.resolve"
local settings = require "vault.settings"
local shelf_of = require "vault.shelf"

local _M = {}

local OURS = "AWS_" -- what the names of variables begin with that say who we are
local NOT_RUN, MISSING, UNFIT = 1, 127, 126 -- exit statuses, the last two a shell's

-- The variables that are references as a whole: name -> reference. Those that go are left out.
local function references(keep_aws)
    local found = {}
    for _, variable in ipairs(core.variables(reference.STARTS)) do
        local name, text = variable[1], variable[2]
        local goes = not keep_aws and name:sub(1, #OURS) == OURS
        if not goes and reference.is_reference(text) then
            found[name] = found[name] or text -- of two of one name the first holds
        end
    end
    return found
end

-- With a cache the command line too fetches a secret once, whatever refers to it, and many at once.
local function keep_secrets()
    local options = { now = os.time,
                      cache = cache_of.new { shelf = shelf_of.new {}, now = os.time } }
    resolve.configure(options)
    anew.configure(options)
end

-- { "NAME=value", .. } | nil, message, word
local function entries_of(values)
    local entries = {}
    for name, value in pairs(values) do
        if value:find("\0", 1, true) then
            return nil, reference.quote(name) .. ": the value holds a NUL byte, which no variable "
                .. "can", "bad_config"
        end
        entries[#entries + 1] = name .. "=" .. value
    end
    return entries
end

-- Become the program `words[1]`, with `words` as its arguments and this process's environment, in
-- which references are values and nothing begins with AWS_, unless `keep_aws`.
--
-- context: the command line
-- Returns only where nothing was run: exit status, message, word
function _M.exec(words, keep_aws)
    keep_secrets()
    local values, entries, message, word
    values, message, word = settings.resolve(references(keep_aws))
    if values then
        entries, message, word = entries_of(values)
    end
    if not entries then
        return NOT_RUN, message, word
    end
    message, word = select(2, core.exec(words, entries, not keep_aws and OURS or nil))
    return word == "not_found" and MISSING or UNFIT, message, word
end

return _M
