-- cli - the command line.
--
-- For:   bin/vaults: words in, one line and an exit status out.
-- Never: how a reference is resolved.

local environment = require "vault.environment"
local explain = require "vault.explain"
local fetch = require "vault.fetch"
local reference = require "vault.reference"
local vault = require "vault"
local vaults = require "vault.vaults"

local _M = {}

local USAGE = [[
usage: vaults get REFERENCE
       vaults explain REFERENCE

  get      print the value of a reference: "{vault://aws/name/key}", "$secret://aws/id/name/key",
           or the short form aws/name/key
  explain  print how that value is found, or why it is not, step by step; never the value

The exit status is 0 where the value is had, or it is 1 and one line on standard error says why.
]]

local commands = {}

-- Say in one line why there is no value; the exit status.
local function fail(err, message, word)
    err:write("vaults: ", message, " [", word, "]\n")
    return 1
end

-- Print what was asked for, `what`; the exit status.
local function print_out(out, err, what, text)
    local written, why = out:write(text)
    if written then
        written, why = out:flush()
    end
    if not written then
        return fail(err, ("the %s could not be written: %s"):format(what, why), "internal")
    end
    return 0
end

function commands.get(text, out, err)
    local value, message, word = vault.get(text)
    if not value then
        return fail(err, message, word)
    end
    return print_out(out, err, "value", value)
end

function commands.explain(text, out, err)
    local told, message, word = explain.explain(text, {
        find = vaults.find, getenv = environment.get, get = vault.get, run = fetch.explain,
    })
    local status = print_out(out, err, "explanation", told)
    return message and status == 0 and fail(err, message, word) or status
end

-- Run the command in `arguments`; out, err: files. Returns the exit status.
function _M.run(arguments, out, err)
    local command = commands[arguments[1]]
    local text = arguments[2]
    if not command or not text or arguments[3] then
        err:write(USAGE)
        return 1
    end
    local ok, message, word = vault.init()
    if not ok then
        return fail(err, message, word)
    end
    return command(reference.short(text), out, err)
end

return _M
