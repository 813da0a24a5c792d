-- crowd - crowd.py: clients that ask at the same moment, or at a steady rate.
--
-- For:   more requests at a time than curl makes, and when each was answered.
-- Never: what is asked for, what the answers mean (the spec).

local cjson = require "cjson"
local process = require "spec.support.process"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- Ask; returns when the first request has been sent. Every "%d" in `url` becomes the number of the
-- request.
--
-- count  requests: all at once, each on a connection of its own
-- rate   requests a second; then connections are kept
function _M.start(url, count, rate)
    local running = process.start { "python3", "spec/support/crowd.py", url, tostring(count),
                                    rate and tostring(rate), ready = "^(asked)\n", timeout = 20 }
    return setmetatable({ process = running }, metatable)
end

-- A list of { status, body, at: seconds of spec.support.system's clock }, by the requests'
-- numbers; status 0 where no answer came.
function methods:finish()
    local code = self.process:wait(60)
    local output = self.process:output()
    self.process:stop()
    assert(code == 0, "crowd.py failed: " .. self.process:errors())
    return cjson.decode(output:match("\n(.*)"))
end

function methods:stop()
    self.process:stop()
end

-- start() and finish() in one.
function _M.ask(url, count, rate)
    return _M.start(url, count, rate):finish()
end

return _M
