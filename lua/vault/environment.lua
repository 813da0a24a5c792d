-- environment - the process environment, as it was before nginx emptied it.
--
-- For:   the one place in Lua that reads variables. C keeps the copy, made when vault.core was
--        first loaded (in the init phase, where init_by_lua requires this).
-- Never: defaults, what a variable means, os.getenv.

local core = require "vault.core"

local _M = {}

-- string                   the variable's value, which may be ""
-- nil                      it is not set
-- nil, message, "refused"  it is one that may not leave C: AWS's own secrets, the admin token
function _M.get(name)
    if type(name) ~= "string" then
        error("the variable's name must be a string", 2)
    end
    local value, message, word = core.getenv(name)
    return value, message, word
end

return _M
