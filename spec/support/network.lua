-- network - ports of 127.0.0.1 where no server is, in the ways in which none can be.
--
-- For:   connections that are refused at once, or that nobody ever answers. All on loopback.
-- Never: anything that serves (aws, moto).

local ffi = require "ffi"
require "spec.support.system"

ffi.cdef [[
int listen(int fd, int backlog);
int setsockopt(int fd, int level, int name, const int *value, unsigned int length);
]]

local C = ffi.C
local AF_INET, SOCK_STREAM, SOCK_NONBLOCK = 2, 1, 2048
local SOL_SOCKET, SO_REUSEADDR = 1, 2
local SOCK_CLOEXEC = 0x80000 -- programs that specs start must not keep the port

local _M = {}
local methods = {}
local metatable = { __index = methods }

local function socket(flags)
    local fd = C.socket(AF_INET, SOCK_STREAM + SOCK_CLOEXEC + (flags or 0), 0)
    assert(fd >= 0, "no socket")
    return fd
end

local function bound(port)
    local address = ffi.new("struct vault_spec_address")
    local self = setmetatable({ address = address, sockets = { socket() } }, metatable)
    address.family, address.ip = AF_INET, { 127, 0, 0, 1 }
    address.port = math.floor((port or 0) / 256) + (port or 0) % 256 * 256
    C.setsockopt(self.sockets[1], SOL_SOCKET, SO_REUSEADDR, ffi.new("int[1]", 1), 4)
    assert(C.bind(self.sockets[1], address, ffi.sizeof(address)) == 0, "no free port")
    C.getsockname(self.sockets[1], address, ffi.new("unsigned int[1]", ffi.sizeof(address)))
    self.port = address.port % 256 * 256 + math.floor(address.port / 256)
    self.url = "http://127.0.0.1:" .. self.port
    return self
end

-- A port that refuses: it is taken, so no other program can begin to listen there. port: where a
-- server was; any where nil.
function _M.refusing(port)
    return bound(port)
end

-- A port whose queue of connections is full: a further one gets no answer of any kind, as from a
-- host that is not there. port: as above.
function _M.silent(port)
    local self = bound(port)
    assert(C.listen(self.sockets[1], 0) == 0)
    for i = 2, 4 do
        self.sockets[i] = socket(SOCK_NONBLOCK)
        C.connect(self.sockets[i], self.address, ffi.sizeof(self.address))
    end
    return self
end

function methods:close()
    for _, fd in ipairs(self.sockets) do
        C.close(fd)
    end
    self.sockets = {}
end

return _M
