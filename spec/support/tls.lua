-- tls - certificates for the specs, made by the openssl command when they are needed.
--
-- For:   a CA and its server certificate for localhost and 127.0.0.1, one for another host, and a
--        CA that signed neither; more certificates for localhost, as texts; what a server shows.
-- Never: certificates kept in the tree: they expire.

local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local KEY = "openssl ecparam -name prime256v1 -genkey -noout -out %s.key"
local RSA_KEY = "openssl genrsa -out %s.key 2048"
local CA = [[openssl req -x509 -new -key %s.key -days 2 -subj "/CN=%s" -out %s.pem]]
local REQUEST = [[openssl req -new -key %s.key -subj "/CN=%s" -out %s.csr]]
local SIGN = "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
    .. "-extfile %s.ext -out %s.pem"

local HOSTS = "DNS:localhost,IP:127.0.0.1"

local function must(folder, template, ...)
    system.must(("cd %s && " .. template):format(system.quote(folder), ...))
end

local function make_ca(folder, name)
    must(folder, KEY, name)
    must(folder, CA, name, "vault spec " .. name, name)
end

local function make_server(folder, name, hosts, key)
    must(folder, key or KEY, name)
    must(folder, REQUEST, name, name, name)
    system.write(("%s/%s.ext"):format(folder, name), "subjectAltName=" .. hosts .. "\n")
    must(folder, SIGN, name, name, name)
end

-- Paths: ca, other_ca; cert and key; wrong_cert and wrong_key (wrong.example). remove() ends it.
function _M.make()
    local folder = system.folder()
    make_ca(folder, "ca")
    make_ca(folder, "other")
    make_server(folder, "server", HOSTS)
    make_server(folder, "wrong", "DNS:wrong.example")
    return setmetatable({
        folder = folder, ca = folder .. "/ca.pem", other_ca = folder .. "/other.pem",
        cert = folder .. "/server.pem", key = folder .. "/server.key",
        wrong_cert = folder .. "/wrong.pem", wrong_key = folder .. "/wrong.key",
    }, metatable)
end

local function serial_of(path)
    return system.must("openssl x509 -noout -serial -in " .. system.quote(path)):match("=(%x+)")
end

-- Another certificate for localhost: { certificate (PEM, with the CA's behind it), key (PEM),
-- serial }. is_rsa: of that kind.
function methods:issue(is_rsa)
    self.issued = (self.issued or 0) + 1
    local name = "issued-" .. self.issued
    make_server(self.folder, name, HOSTS, is_rsa and RSA_KEY)
    local path = ("%s/%s"):format(self.folder, name)
    return {
        certificate = system.read(path .. ".pem") .. system.read(self.ca),
        key = system.read(path .. ".key"),
        serial = serial_of(path .. ".pem"),
    }
end

-- What the server on `port` shows to who trusts the CA: { serial, certificates: how many, verified
-- }, or nil where the handshake fails.
function methods:shown(port)
    local _, said = system.run(("openssl s_client -connect 127.0.0.1:%d -verify_hostname localhost "
        .. "-showcerts -CAfile %s </dev/null"):format(port, self.ca))
    local first = said:match("%-%-%-%-%-BEGIN CERTIFICATE.-END CERTIFICATE%-%-%-%-%-\n")
    if not first then
        return nil
    end
    local path = system.write(self.folder .. "/shown.pem", first)
    local _, many = said:gsub("BEGIN CERTIFICATE", "")
    return { serial = serial_of(path), certificates = many,
             verified = said:find("Verify return code: 0 (ok)", 1, true) ~= nil }
end

function methods:remove()
    system.remove(self.folder)
end

return _M
