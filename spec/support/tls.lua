-- tls - certificates for the specs, made by the openssl command when they are needed.
--
-- For:   a CA and its server certificate for localhost and 127.0.0.1, one for another host, and a
--        CA that signed neither.
-- Never: certificates kept in the tree: they expire.

local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local KEY = "openssl ecparam -name prime256v1 -genkey -noout -out %s.key"
local CA = [[openssl req -x509 -new -key %s.key -days 2 -subj "/CN=%s" -out %s.pem]]
local REQUEST = [[openssl req -new -key %s.key -subj "/CN=%s" -out %s.csr]]
local SIGN = "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    .. "-extfile %s.ext -out %s.pem"

local function must(folder, template, ...)
    system.must(("cd %s && " .. template):format(system.quote(folder), ...))
end

local function make_ca(folder, name)
    must(folder, KEY, name)
    must(folder, CA, name, "vault spec " .. name, name)
end

local function make_server(folder, name, hosts)
    must(folder, KEY, name)
    must(folder, REQUEST, name, name, name)
    system.write(("%s/%s.ext"):format(folder, name), "subjectAltName=" .. hosts .. "\n")
    must(folder, SIGN, name, name, name)
end

-- Paths: ca, other_ca; cert and key; wrong_cert and wrong_key (wrong.example). remove() ends it.
function _M.make()
    local folder = system.folder()
    make_ca(folder, "ca")
    make_ca(folder, "other")
    make_server(folder, "server", "DNS:localhost,IP:127.0.0.1")
    make_server(folder, "wrong", "DNS:wrong.example")
    return setmetatable({
        folder = folder, ca = folder .. "/ca.pem", other_ca = folder .. "/other.pem",
        cert = folder .. "/server.pem", key = folder .. "/server.key",
        wrong_cert = folder .. "/wrong.pem", wrong_key = folder .. "/wrong.key",
    }, metatable)
end

function methods:remove()
    system.remove(self.folder)
end

return _M
