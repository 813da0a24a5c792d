-- http - requests as a client of the gateway sends them, by the curl command.
--
-- For:   one request, one in the background, many at the same time.
-- Never: the library under test: no request here goes through it.

local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- Proxies of the machine are not for these requests.
local BASE = { "curl", "-q", "-s", "-S", "--noproxy", "*" }

-- A table as a query, without the "?".
function _M.query(values)
    local words = {}
    for name, value in pairs(values) do
        words[#words + 1] = name .. "=" .. tostring(value):gsub("[^%w._~-]", function(c)
            return ("%%%02X"):format(c:byte())
        end)
    end
    return table.concat(words, "&")
end

local function arguments(url, options, folder)
    local words = { unpack(BASE) }
    local function add(...)
        for _, word in ipairs { ... } do
            words[#words + 1] = word
        end
    end
    add("-m", tostring(options.timeout or 20), "-o", folder .. "/body", "-D", folder .. "/head",
        "-w", "%{http_code} %{time_total} %{exitcode}\n")
    if options.method then
        add("-X", options.method)
    end
    if options.body then
        add("--data-binary", "@" .. system.write(folder .. "/data", options.body))
    end
    if options.cacert then
        add("--cacert", options.cacert)
    end
    for name, value in pairs(options.headers or {}) do
        add("-H", name .. ": " .. value)
    end
    add(unpack(options.curl or {}))
    add(url)
    return words
end

local function read_headers(folder)
    local headers = {}
    for name, value in (system.read(folder .. "/head") or ""):gmatch("([%w%-]+):%s*([^\r\n]*)") do
        headers[name:lower()] = value
    end
    return headers
end

local function result(summary, folder, body)
    local status, time, code = summary:match("(%d+) ([%d.]+) (%d+)%s*$")
    return {
        status = tonumber(status), -- 0 where there was no answer
        time = tonumber(time),     -- seconds
        code = tonumber(code),     -- curl's exit code, 0 where all is well
        body = system.read(folder .. "/" .. body) or "",
        headers = body == "body" and read_headers(folder) or nil,
    }
end

-- Start a request; finish() waits for its end, leave() goes away as a client does.
--
-- options  method, body, headers = {}, timeout (s), cacert, curl = { further arguments }
function _M.start(url, options)
    local folder = system.folder()
    local words = arguments(url, options or {}, folder)
    return setmetatable({ folder = folder, process = process.start(words) }, metatable)
end

-- { status, time, code, body, headers }; status 0 and curl's code where there was no answer.
function methods:finish()
    self.process:wait(120)
    local made = result(self.process:output(), self.folder, "body")
    made.errors = self.process:errors()
    self.process:stop()
    system.remove(self.folder)
    return made
end

function methods:leave()
    self.process:kill("KILL")
    self.process:stop()
    system.remove(self.folder)
end

function _M.request(url, options)
    return _M.start(url, options):finish()
end

_M.get = _M.request

function _M.post(url, body, options)
    local copy = { method = "POST", body = body }
    for name, value in pairs(options or {}) do
        copy[name] = value
    end
    return _M.request(url, copy)
end

-- GET all `urls` at the same time, at most options.max (100) in flight: a list of
-- { status, time, code, body } in the order of the urls.
function _M.parallel(urls, options)
    options = options or {}
    local folder = system.folder()
    local lines = {}
    for i, url in ipairs(urls) do
        lines[#lines + 1] = ('url = "%s"\noutput = "%s/%d"'):format(url, folder, i)
    end
    system.write(folder .. "/config", table.concat(lines, "\n"))
    local words = { unpack(BASE) }
    for _, word in ipairs {
        "-Z", "--parallel-immediate", "--parallel-max", tostring(options.max or 100), "-m",
        tostring(options.timeout or 20), "-w", "%{urlnum} %{http_code} %{time_total} %{exitcode}\n",
        "-K", folder .. "/config" } do
        words[#words + 1] = word
    end
    local running = process.start(words)
    running:wait(120)
    local results = {}
    for number, summary in running:output():gmatch("(%d+) ([^\n]+)") do
        local i = tonumber(number) + 1
        results[i] = result(summary, folder, tostring(i))
    end
    running:stop()
    system.remove(folder)
    assert(#results == #urls, "curl lost a request")
    return results
end

return _M
