-- cli - the command line.
--
-- For:   bin/vaults: words in, one line and an exit status out.
-- Never: how a reference is resolved, what may be in a file.

local check = require "vault.check"
local core = require "vault.core"
local environment = require "vault.environment"
local exec = require "vault.exec"
local explain = require "vault.explain"
local fetch = require "vault.fetch"
local reference = require "vault.reference"
local vault = require "vault"
local vaults = require "vault.vaults"

local _M = {}

local USAGE = [[
usage: vaults get [--vaults FILE] REFERENCE
       vaults exec [--vaults FILE] [--keep-aws] -- PROGRAM [ARGUMENT...]
       vaults check FILE
       vaults explain [--vaults FILE] REFERENCE
       vaults --help | --version

  get      print the value of a reference: '{vault://aws/name/key}', '$secret://aws/id/name/key'
           (in single quotes: a shell expands what is in double ones), or the short form
           aws/name/key
  exec     become PROGRAM, with each variable of the environment that is a reference changed to its
           value, and without AWS_*, unless --keep-aws
  check    print what is wrong with a declarative file of vaults, by line
  explain  print how a reference's value is found, or why it is not, step by step; never the value

With --vaults a reference may name the vaults of that file, a declarative one or a gateway's state.
The exit status is 0 where all is well, or it is 1 and one line on standard error says why. With
exec it is PROGRAM's; 127 where there is no such program, 126 where it cannot be executed.
]]

local HELP = { ["--help"] = true, ["-h"] = true }

-- Say in one line what is amiss; the exit status.
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

-- The words from the `first` on; unpack takes some thousands only.
local function from(words, first)
    local rest = {}
    for i = first, #words do
        rest[#rest + 1] = words[i]
    end
    return rest
end

-- What `words` begin with of `known` (name -> how many words follow it: 0 or 1), and the rest of
-- them; nil, what is wrong with the call.
local function options_of(words, known)
    local options, at = {}, 1
    while known[words[at]] do
        local name = words[at]
        at = at + known[name]
        options[name] = words[at]
        if not words[at] or words[at] == "" then
            return nil, ("the file is missing after %s"):format(name)
        end
        at = at + 1
    end
    if words[at] and words[at] ~= "--" and words[at]:sub(1, 1) == "-" then
        return nil, ('there is no option "%s"'):format(reference.quote(words[at]))
    end
    return options, from(words, at)
end

-- What is wrong where `words` should be one `what`.
local function say_not_one(words, what)
    return #words == 0 and ("the %s is missing"):format(what)
        or ("one %s is wanted, not %d"):format(what, #words)
end

-- Each takes the words after its name, out and err, and returns the exit status; nil, what is wrong
-- with the call.
local commands = {}

-- Make a command of `run`(text, out, err), which takes a reference and needs the engine.
local function of_reference(run)
    return function(words, out, err)
        local options, rest = options_of(words, { ["--vaults"] = 1 })
        if not options then
            return nil, rest
        elseif #rest ~= 1 then
            return nil, say_not_one(rest, "reference")
        elseif rest[1]:find("^vault://") then
            return fail(err, "a reference stands in braces: {vault://..}", "bad_reference")
        end
        local ok, message, word = vault.init { vaults = options["--vaults"] }
        if not ok then
            return fail(err, message, word)
        end
        return run(reference.short(rest[1]), out, err)
    end
end

commands.get = of_reference(function(text, out, err)
    local value, message, word = vault.get(text)
    if not value then
        return fail(err, message, word)
    end
    return print_out(out, err, "value", value)
end)

commands.explain = of_reference(function(text, out, err)
    local told, message, word = explain.explain(text, {
        find = vaults.find, getenv = environment.get, get = vault.get, run = fetch.explain,
    })
    local status = print_out(out, err, "explanation", told)
    return message and status == 0 and fail(err, message, word) or status
end)

function commands.check(words, out, err)
    if #words ~= 1 then
        return nil, say_not_one(words, "file")
    end
    local told, message, word = check.check(words[1])
    local status = print_out(out, err, "report", told)
    return message and status == 0 and fail(err, message, word) or status
end

function commands.exec(words, _, err)
    local options, rest = options_of(words, { ["--vaults"] = 1, ["--keep-aws"] = 0 })
    if not options then
        return nil, rest
    elseif rest[1] ~= "--" then
        return nil, 'a "--" is missing before the program'
    elseif not rest[2] then
        return nil, 'the program is missing after the "--"'
    end
    local ok, message, word = vault.init { vaults = options["--vaults"] }
    if not ok then
        return fail(err, message, word)
    end
    local status
    status, message, word = exec.exec(from(rest, 2), options["--keep-aws"] ~= nil)
    fail(err, message, word)
    return status
end

-- Print what is asked for in the place of a command, or of its words; nil: nothing is.
local function print_about(name, words, out, err)
    if HELP[name] or name == "help" or commands[name] and HELP[words[1]] then
        return print_out(out, err, "usage", USAGE)
    elseif name == "--version" then
        return print_out(out, err, "version", ("vaults %s\n"):format(core._VERSION))
    end
    return nil
end

local function run_command(name, words, out, err)
    if not name then
        return nil, "a command is missing"
    elseif not commands[name] then
        return nil, ('there is no command "%s"'):format(reference.quote(name))
    end
    return commands[name](words, out, err)
end

-- Run the command in `arguments`; out, err: files. Returns the exit status.
function _M.run(arguments, out, err)
    local name, words = arguments[1], from(arguments, 2)
    local status = print_about(name, words, out, err)
    if status then
        return status
    end
    local mistake
    status, mistake = run_command(name, words, out, err)
    if not status then
        err:write("vaults: ", mistake, "\n", USAGE)
        return 1
    end
    return status
end

return _M
