-- cli - the command line.
--
-- For:   bin/vaults: words in, one line and an exit status out.
-- Never: how a reference is resolved.

local reference = require "vault.reference"
local vault = require "vault"

local _M = {}

local USAGE = [[
usage: vaults get REFERENCE

  get    print the value of a reference: "{vault://aws/name/key}", "$secret://aws/id/name/key",
         or the short form aws/name/key

The exit status is 0 and the value is on standard output, or it is 1 and one line on standard error
says why.
]]

local commands = {}

function commands.get(arguments, out, err)
    local text = arguments[1]
    if not text or arguments[2] then
        err:write(USAGE)
        return 1
    end
    if not reference.is_reference(text) then
        text = reference.short(text)
    end
    local value, message, word = vault.get(text)
    if not value then
        err:write("vaults: ", message, " [", word, "]\n")
        return 1
    end
    local written, why = out:write(value)
    if written then
        written, why = out:flush()
    end
    if not written then
        err:write("vaults: the value could not be written: ", why, " [internal]\n")
        return 1
    end
    return 0
end

-- Run the command in `arguments`; out, err: files. Returns the exit status.
function _M.run(arguments, out, err)
    local command = commands[arguments[1]]
    if not command then
        err:write(USAGE)
        return 1
    end
    local ok, message, word = vault.init()
    if not ok then
        err:write("vaults: ", message, " [", word, "]\n")
        return 1
    end
    return command({ unpack(arguments, 2) }, out, err)
end

return _M
