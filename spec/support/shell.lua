-- shell - commands as somebody types them who follows a document.
--
-- For:   a text of one or more commands, in an sh with an environment of its own, in which `aws` is
--        the tests' own: what it prints, and the environment that it leaves.
-- Never: the machine's proxies, curl's and AWS's files of whoever runs the specs.

local system = require "spec.support.system"

local _M = {}

local function environment(env, home)
    local values = { HOME = home, no_proxy = "*",
                     PATH = system.venv("") .. ":" .. os.getenv("PATH") }
    for name, value in pairs(env) do
        values[name] = value
    end
    local words = {}
    for name, value in pairs(values) do
        words[#words + 1] = system.quote(name .. "=" .. value)
    end
    return table.concat(words, " ")
end

-- What `text` prints to standard output. Raises, with what it printed to the other, where it fails.
-- env: its variables; PATH, HOME and no_proxy are set.
function _M.run(text, env)
    local folder = system.folder()
    local code, printed = system.run(("env -i %s sh -c %s 2>%s/err"):format(
        environment(env, folder), system.quote(text), folder))
    local errors = system.read(folder .. "/err")
    system.remove(folder)
    if code ~= 0 then
        error(("%s\nexit %s: %s%s"):format(text, code, printed, errors), 2)
    end
    return printed
end

-- The variables that `text` (exports) leaves behind, those of `env` among them.
function _M.environment(text, env)
    local names, variables = {}, {}
    for name in pairs(env) do
        names[name] = true
    end
    for name in text:gmatch("export ([%w_]+)=") do
        names[name] = true
    end
    for name, value in _M.run(text .. "\nenv", env):gmatch("([%w_]+)=([^\n]*)") do
        if names[name] then
            variables[name] = value
        end
    end
    return variables
end

return _M
