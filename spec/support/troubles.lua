-- troubles - what the system may do to nginx while it runs.
--
-- For:   its clock set, threads refused (spec/support/troubles.c), descriptors that have run out.
-- Never: what nginx then does (nginx/process_faults_spec).

local ffi = require "ffi"
local preload = require "spec.support.preload"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

function methods:write()
    local file = assert(io.open(self.path, "r+b"))
    file:write(ffi.string(ffi.new("int64_t[2]", self.seconds, self.refuses and 1 or 0), 16))
    file:close()
end

-- In `folder`. .preload and .env are for nginx.start.
function _M.new(folder)
    local self = setmetatable({ path = folder .. "/troubles", seconds = 0, refuses = false,
                                preload = preload.build(folder, "troubles") }, metatable)
    system.write(self.path, ("\0"):rep(16))
    self.env = { VAULT_SPEC_TROUBLES = self.path }
    return self
end

-- Set nginx's clock to so many seconds after the right time, or, where negative, before it.
function methods:set_clock(seconds)
    self.seconds = seconds
    self:write()
end

-- Whether no thread can be started from now on.
function methods:refuse_threads(refuse)
    self.refuses = refuse
    self:write()
end

-- Leave the process `pid` no more than `count` further descriptors; nil: as many as it likes.
function _M.limit_descriptors(pid, count)
    local limit = 1024
    if count then
        local used, free = {}, -1
        for fd in system.must(("ls /proc/%d/fd"):format(pid)):gmatch("%d+") do
            used[tonumber(fd)] = true
        end
        for _ = 0, count do
            repeat
                free = free + 1
            until not used[free]
        end
        limit = free
    end
    system.must(("prlimit --pid %d --nofile=%d:"):format(pid, limit))
end

return _M
