-- env - the environment strategy: secrets that are environment variables.
--
-- For:   Kong's strategy contract (VERSION, init, get) over the process environment.
-- Never: caching, keys inside a value (the caller cuts them out), which variables may not leave
--        the library (C refuses them).

local environment = require "vault.environment"
local quote = require("vault.reference").quote

local _M = { VERSION = "1.0.0" }

local function upper(text)
    return (text:upper():gsub("-", "_"))
end

-- The name of the variable that `resource` means: see get.
function _M.variable(conf, resource, version)
    local prefix = type(conf.prefix) == "string" and conf.prefix or "" -- or Kong's null
    local name = conf.raw and resource or upper(prefix .. resource)
    return version == 2 and name .. "_PREVIOUS" or name
end

-- A strategy over getenv(name) -> string | nil, message, word.
function _M.new(getenv)
    local strategy = { VERSION = _M.VERSION }

    -- Kong's contract has it. Nothing is left to do: loading this made the copy.
    function strategy.init()
    end

    -- conf      { prefix?, raw? }; raw: the name as written, for "$env://NAME"
    -- resource  "my-secret" is MY_SECRET, behind the prefix, which is changed in the same way
    -- version   nil or 1; 2 is <NAME>_PREVIOUS
    --
    -- string | nil, message, word: "not_found" (not set, or empty: nothing is no secret),
    -- "refused", "bad_reference" (another version)
    function strategy.get(conf, resource, version)
        if type(resource) ~= "string" then
            error("resource must be a string", 2)
        end
        if version and version ~= 1 and version ~= 2 then
            return nil, "environment variables have the versions #1 and #2 only", "bad_reference"
        end
        local name = _M.variable(conf or {}, resource, version)
        local value, message, word = getenv(name)
        if message then
            return nil, message, word
        end
        if value and value ~= "" then
            return value
        end
        return nil, ("the environment variable %s is %s"):format(quote(name),
            value and "empty" or "not set"), "not_found"
    end

    return strategy
end

local process = _M.new(environment.get)
_M.init, _M.get = process.init, process.get

return _M
