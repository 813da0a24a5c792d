-- system - what plain Lua lacks and the specs need of the machine.
--
-- For:   time, files, temporary folders, free ports, environment, commands run to their end.
-- Never: processes that go on running (process), HTTP (http), nginx (nginx).

local ffi = require "ffi"

ffi.cdef [[
struct vault_spec_timespec { long seconds; long nanoseconds; };
struct vault_spec_address { uint16_t family; uint16_t port; uint8_t ip[4]; uint8_t zero[8]; };
int clock_gettime(int clock, struct vault_spec_timespec *out);
int usleep(unsigned int microseconds);
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
unsigned int geteuid(void);
char *mkdtemp(char *template);
char *realpath(const char *path, char *resolved);
int socket(int domain, int type, int protocol);
int bind(int fd, const struct vault_spec_address *address, unsigned int length);
int connect(int fd, const struct vault_spec_address *address, unsigned int length);
int getsockname(int fd, struct vault_spec_address *address, unsigned int *length);
int close(int fd);
]]

local C = ffi.C
local AF_INET, SOCK_STREAM, CLOCK_REALTIME, CLOCK_MONOTONIC = 2, 1, 0, 1

local _M = {}

local function read_clock(clock)
    local time = ffi.new("struct vault_spec_timespec")
    C.clock_gettime(clock, time)
    return tonumber(time.seconds) + tonumber(time.nanoseconds) / 1e9
end

-- Seconds on a clock that only goes forward.
function _M.now()
    return read_clock(CLOCK_MONOTONIC)
end

-- Seconds since 1970.
function _M.wall()
    return read_clock(CLOCK_REALTIME)
end

function _M.sleep(seconds)
    C.usleep(seconds * 1e6)
end

-- Call `probe` until it answers other than nil or false, and return that; nil after `timeout` s.
function _M.wait_for(probe, timeout, step)
    local over = _M.now() + (timeout or 5)
    repeat
        local answer = probe()
        if answer then
            return answer
        end
        _M.sleep(step or 0.02)
    until _M.now() > over
    return nil
end

-- value nil takes the variable away.
function _M.setenv(name, value)
    if value == nil then
        return C.unsetenv(name)
    end
    return C.setenv(name, value, 1)
end

function _M.is_root()
    return C.geteuid() == 0
end

-- `text` as one word for sh.
function _M.quote(text)
    return "'" .. tostring(text):gsub("'", [['\'']]) .. "'"
end

-- Run a shell command to its end: its exit code, and what it printed to either stream.
function _M.run(command)
    local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; printf '\\n%d' $?"))
    local text = pipe:read("*a")
    pipe:close()
    local output, code = text:match("^(.*)\n(%d+)$")
    return tonumber(code), output
end

-- The same, but a failure is the spec's failure.
function _M.must(command)
    local code, output = _M.run(command)
    if code ~= 0 then
        error(("%s\nexit %s: %s"):format(command, code, output), 2)
    end
    return output
end

function _M.read(path)
    local file = io.open(path, "rb")
    if not file then
        return nil
    end
    local text = file:read("*a")
    file:close()
    return text
end

function _M.write(path, text)
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    return path
end

-- A new folder for this spec; give it back to remove.
function _M.folder()
    local template = (os.getenv("TMPDIR") or "/tmp") .. "/vault-spec-XXXXXX"
    local name = ffi.new("char[?]", #template + 1, template)
    assert(C.mkdtemp(name) ~= nil, "no temporary folder")
    local made = ffi.string(name)
    -- An unprivileged worker must get in too.
    _M.must("chmod 755 " .. _M.quote(made))
    return made
end

-- Only what folder() made.
function _M.remove(folder)
    assert(folder:match("/vault%-spec%-%w+$"), "not a folder of a spec")
    _M.must("rm -rf " .. _M.quote(folder))
end

-- The folder of the tree, absolute; specs run from it.
function _M.root()
    local resolved = ffi.new("char[4097]")
    assert(C.realpath(".", resolved) ~= nil)
    return ffi.string(resolved)
end

-- A program of the tests' Python environment (`make venv`).
function _M.venv(program)
    return (os.getenv("VAULT_VENV") or "build/venv") .. "/bin/" .. program
end

-- Where the build put vault/core.so; VAULT_BUILD tells (a sanitizer's build has its own folder).
function _M.build()
    local build = os.getenv("VAULT_BUILD") or "build"
    return build:sub(1, 1) == "/" and build or _M.root() .. "/" .. build
end

local function loopback(port)
    local address = ffi.new("struct vault_spec_address")
    address.family = AF_INET
    address.port = math.floor(port / 256) + port % 256 * 256
    address.ip = { 127, 0, 0, 1 }
    return address
end

local given = {} -- ports that free_port has given out

-- A TCP port on 127.0.0.1 that nobody listens on at this moment.
function _M.free_port()
    local fd = C.socket(AF_INET, SOCK_STREAM, 0)
    local address = loopback(0)
    assert(C.bind(fd, address, ffi.sizeof(address)) == 0, "no free port")
    C.getsockname(fd, address, ffi.new("unsigned int[1]", ffi.sizeof(address)))
    C.close(fd)
    local port = address.port % 256 * 256 + math.floor(address.port / 256)
    if given[port] then -- whoever has it from here may not listen yet
        return _M.free_port()
    end
    given[port] = true
    return port
end

-- Whether somebody listens on `port` of 127.0.0.1.
function _M.listens(port)
    local fd = C.socket(AF_INET, SOCK_STREAM, 0)
    local address = loopback(port)
    local code = C.connect(fd, address, ffi.sizeof(address))
    C.close(fd)
    return code == 0
end

return _M
