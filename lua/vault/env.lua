-- env - the environment strategy: secrets that are environment variables.
--
-- For:   Kong's strategy contract (VERSION, init, get) over the process environment; a whole
--        reference to it.
-- Never: caching, which variables may not leave the library (C refuses them).

local core = require "vault.core"
local environment = require "vault.environment"
local quote = require("vault.reference").quote

local _M = { VERSION = "1.0.0" }

local function upper(text)
    return (text:upper():gsub("-", "_"))
end

-- What is amiss with what the variable of `parts` holds, for people.
local function say(parts, message)
    local key = parts.key and ('key "%s" of '):format(quote(parts.key)) or ""
    return ('%svariable "%s": %s'):format(key, quote(parts.resource), message)
end

-- The name of the variable that `resource` means: see get.
function _M.variable(conf, resource, version)
    local prefix = type(conf.prefix) == "string" and conf.prefix or "" -- or Kong's null
    local name = conf.raw and resource or upper(prefix .. resource)
    return version == 2 and name .. "_PREVIOUS" or name
end

-- What get() goes by for a reference's `parts`; config: its vault's.
function _M.conf(config, parts)
    local options = parts.config or {}
    return { prefix = options.prefix or config.prefix, raw = parts.grammar == "apisix" }
end

-- A strategy over getenv(name) -> string | nil, message, word.
function _M.new(getenv)
    local strategy = { VERSION = _M.VERSION, new = _M.new, conf = _M.conf,
                       variable = _M.variable }

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

    -- Why no reference may ask for the variable that `parts` mean; nil where one may. Its value is
    -- of no matter.
    function strategy.refusal(parts)
        local _, message, word = getenv(_M.variable(_M.conf({}, parts), parts.resource,
            parts.version))
        return word == "refused" and message or nil
    end

    -- The value of a reference's `parts` in a vault with `config`.
    -- string | nil, message, word: as get's, core.extract's, core.base64_decode's
    function strategy.read(config, parts)
        local conf, options = _M.conf(config, parts), parts.config or {}
        local value, message, word = strategy.get(conf, parts.resource, parts.version)
        if value and parts.key then
            value, message, word = core.extract(value, parts.key)
            message = message and say(parts, message)
        end
        if value and options.base64_decode then
            value, message, word = core.base64_decode(value)
            message = message and say(parts, message)
        end
        return value, message, word
    end

    return strategy
end

local process = _M.new(environment.get)
_M.init, _M.get, _M.read, _M.refusal = process.init, process.get, process.read, process.refusal

return _M
