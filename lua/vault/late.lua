-- late - a library that was first loaded in a worker, where nginx has emptied the environment.
--
-- For:   saying so where a failure may come of it.
-- Never: reading the environment (environment).

local core = require "vault.core"

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}

local WORDS = { no_credentials = true, no_region = true, bad_profile = true }

local late = core.captured_here and ngx and ngx.get_phase and ngx.get_phase() ~= "init" or false
local load_by = "load it in init_by_lua"

-- load_by: for people, how this library is loaded in init; nil: as before
function _M.configure(options)
    load_by = options.load_by or load_by
end

-- `message`, of a failure with `word`, or nil; and why it may be.
function _M.explain(message, word)
    if message and late and WORDS[word] then
        return ("%s (this module was first loaded in an nginx worker, where nginx has emptied the "
            .. "environment: %s)"):format(message, load_by)
    end
    return message
end

return _M
