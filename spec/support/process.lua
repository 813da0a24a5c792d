-- process - programs that go on running while a spec talks to them.
--
-- For:   start with an environment, wait until ready, signal, wait for the end, what it printed.
-- Never: what the program is. Children get SIGTERM when the test runner dies.

local ffi = require "ffi"
local system = require "spec.support.system"

ffi.cdef [[
int fork(void);
int execv(const char *path, const char *const *argv);
int setpgid(int pid, int group);
int prctl(int option, unsigned long value, ...);
int kill(int pid, int signal);
int waitpid(int pid, int *status, int options);
void _exit(int code);
]]

local C = ffi.C
local PR_SET_PDEATHSIG, WNOHANG = 1, 1
local SIGNALS = { HUP = 1, INT = 2, QUIT = 3, KILL = 9, USR1 = 10, USR2 = 12, TERM = 15, STOP = 19,
                  CONT = 18 }

local _M = {}
local methods = {}
local metatable = { __index = methods }

_M.SIGNALS = SIGNALS

local function spawn(command)
    local argv = ffi.new("const char *[4]", { "sh", "-c", command })
    local pid = C.fork()
    assert(pid >= 0, "fork failed")
    if pid == 0 then
        C.setpgid(0, 0)
        C.prctl(PR_SET_PDEATHSIG, SIGNALS.TERM)
        C.execv("/bin/sh", argv)
        C._exit(127)
    end
    return pid
end

local function environment(options)
    local words = { "env" }
    if options.clear_env then
        words[2] = "-i"
        words[3] = "PATH=" .. system.quote(os.getenv("PATH") or "/usr/bin:/bin")
    end
    for name, value in pairs(options.env or {}) do
        words[#words + 1] = system.quote(name .. "=" .. value)
    end
    return table.concat(words, " ")
end

local function command_line(options, folder)
    local words = {}
    for i, word in ipairs(options) do
        words[i] = system.quote(word)
    end
    return ("exec %s %s >%s/out 2>%s/err </dev/null"):format(
        environment(options), table.concat(words, " "), folder, folder)
end

-- Start { "program", "argument", ..., env = {}, clear_env = false, ready = pattern, timeout = 10 }.
--
-- With `ready`, a Lua pattern with at most one capture, waits for it on the program's standard
-- output and keeps the capture as `.ready`. Raises where the program ends or is late.
function _M.start(options)
    local self = setmetatable({ folder = system.folder() }, metatable)
    self.pid = spawn(command_line(options, self.folder))
    if options.ready then
        self.ready = system.wait_for(function()
            return self:output():match(options.ready) or not self:alive() and "gone"
        end, options.timeout or 10)
        if not self.ready or self.ready == "gone" then
            local said = self:output() .. self:errors()
            self:stop()
            error(("%s is not ready: %s"):format(options[1], said), 2)
        end
    end
    return self
end

-- Whether it still runs; where not, `.code` is its exit code, or 128 and the signal's number.
function methods:alive()
    if self.code then
        return false
    end
    local status = ffi.new("int[1]")
    if C.waitpid(self.pid, status, WNOHANG) == 0 then
        return true
    end
    local signal = status[0] % 128
    self.code = signal > 0 and 128 + signal or math.floor(status[0] / 256) % 256
    return false
end

-- signal: a name of SIGNALS, TERM where nil.
function methods:kill(signal)
    return self:alive() and C.kill(self.pid, assert(SIGNALS[signal or "TERM"])) == 0
end

-- Its exit code, or nil after `timeout` seconds.
function methods:wait(timeout)
    system.wait_for(function()
        return not self:alive()
    end, timeout or 10)
    return self.code
end

local function printed(self, stream)
    return self[stream] or system.read(self.folder .. "/" .. stream) or ""
end

function methods:output()
    return printed(self, "out")
end

function methods:errors()
    return printed(self, "err")
end

-- End it, by force after 5 s; its exit code. May be called again.
function methods:stop()
    if self:kill("TERM") and not self:wait(5) then
        self:kill("KILL")
        self:wait(5)
    end
    if self.folder then
        self.out, self.err = self:output(), self:errors()
        system.remove(self.folder)
        self.folder = nil
    end
    return self.code
end

return _M
