-- wrk - a load of requests without pause, by the wrk command, over connections that stay open.
--
-- For:   which versions of a secret each worker served, and from when to when (wrk_values).
-- Never: one request (http), a new connection for each (load.py).

local process = require "spec.support.process"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local LONGEST = "120s"

-- Start asking for `url`; stop() ends it.
--
-- options  connections (16); pause: milliseconds before each request of a connection
function _M.start(url, options)
    options = options or {}
    return setmetatable({ process = process.start {
        "wrk", "-t", "1", "-c", tostring(options.connections or 16), "-d", LONGEST,
        "--timeout", "10s", "-s", "spec/support/wrk_values.lua", url, "--",
        options.pause and tostring(options.pause) } }, metatable)
end

local function read(output)
    local made = { answers = tonumber(output:match("\nanswers (%d+)")), seen = {}, faults = {},
                   slowest = tonumber(output:match("\nslowest ([%d.]+)")) }
    for worker, version, count, first, last in
        output:gmatch("\nseen (%d+) (%d+) (%d+) ([%d.]+) ([%d.]+)") do
        table.insert(made.seen, { worker = tonumber(worker), version = tonumber(version),
                                  count = tonumber(count), first = tonumber(first),
                                  last = tonumber(last) })
    end
    for text in output:gmatch("\nfault ([^\n]+)") do
        table.insert(made.faults, text)
    end
    table.sort(made.seen, function(left, right)
        return left.worker < right.worker
            or left.worker == right.worker and left.version < right.version
    end)
    return made
end

-- { answers, slowest (seconds), seen = { { worker, version, count, first, last }, .. },
-- faults = { "COUNT TEXT", .. } }: seen by worker and version; requests under way are dropped.
function methods:stop()
    self.process:kill("INT")
    self.process:wait(15)
    local output = self.process:output()
    self.process:stop()
    local made = read(output)
    assert(made.answers, "wrk failed: " .. output .. self.process:errors())
    return made
end

-- Whatever became of it. May be called again.
function methods:drop()
    self.process:stop()
end

return _M
