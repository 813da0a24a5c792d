-- command - `vaults get` as a person calls it, many at a time.
--
-- For:   what came of a reference on the command line: value, message, word, all that was printed.
-- Never: the other commands (child), what is asked.

local process = require "spec.support.process"

local _M = {}

local MOST = 8 -- at a time: this machine has other things to do

local function finish(asked)
    local code = asked:wait(60)
    asked:stop()
    local made = { code = code, output = asked:output(), errors = asked:errors() }
    if code == 0 then
        made.value = made.output
    else
        made.message, made.word = made.errors:match("^vaults: ([^\n]*) %[([%l_]+)%]\n$")
    end
    return made
end

-- Get `references`, each { reference, env = the whole environment }: a list in the same order of
-- { code, output, errors, value } or { code, output, errors, message, word }.
function _M.get(references)
    local answers = {}
    for first = 1, #references, MOST do
        local asked = {}
        for i = first, math.min(first + MOST - 1, #references) do
            asked[i] = process.start { "bin/vaults", "get", references[i][1],
                                       env = references[i].env, clear_env = true }
        end
        for i, one in pairs(asked) do
            answers[i] = finish(one)
        end
    end
    return answers
end

return _M
