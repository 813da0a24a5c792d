-- environment - the process environment, as it was before nginx emptied it.
--
-- For:   the one place in Lua that reads variables. C keeps the copy, made when vault.core was
--        first loaded (in the init phase, where init_by_lua requires this).
-- Never: defaults, what a variable means, os.getenv.

local core = require "vault.core"

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}

-- name -> value, or false where it is not set. Settling a reference reads a dozen variables.
local known = {}

-- Whether a variable stays what it is: after init the process is another one, with variables of its
-- own over the copy.
function _M.is_settled()
    return not ngx or ngx.get_phase() ~= "init"
end

-- string                   the variable's value, which may be ""
-- nil                      it is not set
-- nil, message, "refused"  it is one that may not leave C: AWS's own secrets, the admin token
function _M.get(name)
    if type(name) ~= "string" then
        error("the variable's name must be a string", 2)
    end
    local before = known[name]
    if before ~= nil then
        return before or nil
    end
    local value, message, word = core.getenv(name)
    if not message and _M.is_settled() then
        known[name] = value or false
    end
    return value, message, word
end

return _M
