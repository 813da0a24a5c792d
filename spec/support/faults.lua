-- faults - the ways in which AWS can fail a fetch, and a world in which each of them can begin.
--
-- For:   one table of faults: what fails, and the word, the message and the calls it comes to; and
--        servers that do well until break_all().
-- Never: who asks, when, and what becomes of values at hand (nginx/fault_matrix_spec).

local aws = require "spec.support.aws"
local network = require "spec.support.network"
local preload = require "spec.support.preload"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- Whatever may never be shown holds this word.
_M.CANARY = "CANARY"
_M.KEYS = {
    AWS_ACCESS_KEY_ID = "AKIACANARYKEYID", AWS_SECRET_ACCESS_KEY = "CANARY/secret+key/0123456789",
    AWS_SESSION_TOKEN = ("CANARY/session+token=="):rep(20),
}

-- A fault:
--
-- how      the behaviour word of fake_aws.py; at: or else the place below that breaks
-- word     what the fetch fails with; says: a part of its message
-- calls    that reach AWS (1); tries: attempts that the message speaks of (nil: it does not)
-- single   calls where no more than one attempt is allowed (1, or none where calls is 0)
-- resent   libcurl may send a call once more: a connection that was kept ends without an answer
-- timeout  seconds, of its vault (3)
_M.ROWS = {
    { "a refused connection", at = "refused", word = "connect_failed", calls = 0, tries = 3,
      says = "Failed to connect to 127.0.0.1 port" },
    { "a host that is not there", at = "silent", word = "connect_failed", calls = 0,
      timeout = 1, says = "timed out after" },
    { "a name that is not known", at = "unresolved", word = "resolve_failed", calls = 0,
      tries = 3, says = "Could not resolve host: leaving.test" },
    { "a proxy that is not there", at = "proxied", word = "proxy_failed", calls = 0, tries = 3,
      says = "(a proxy is configured)" },
    { "a certificate nobody trusts", at = "untrusted", word = "tls_failed", calls = 0,
      says = "SSL certificate problem" },
    { "a certificate of another host", at = "wrong_host", word = "tls_failed", calls = 0,
      says = "subject name" },
    { "a reset in the handshake", at = "broken_off", word = "connection_lost", calls = 0,
      tries = 3, says = "Connection reset by peer" },

    { "a reset before the answer", how = "reset-before", word = "connection_lost", calls = 3,
      tries = 3, resent = true, says = "reset" },
    { "a reset in the headers", how = "reset-headers", word = "connection_lost", calls = 3,
      tries = 3, says = "reset" },
    { "a reset in the body", how = "reset-body", word = "connection_lost", calls = 3, tries = 3,
      says = "reset" },
    { "a truncated body", how = "truncate", word = "connection_lost", calls = 3, tries = 3,
      says = "1000 bytes" },
    { "no answer in time", how = "hang", word = "timeout", timeout = 1,
      says = "timed out after" },
    { "an answer too slow", how = "drip-100", word = "timeout", timeout = 1,
      says = "timed out after" },

    { "a length that is too small", how = "shortlength", word = "bad_response",
      says = "HTTP 200: the text is not JSON, at byte" },
    { "a length that is no number", how = "badlength", word = "bad_response",
      says = "Content-Length" },
    { "a body over its limit", how = "huge", word = "too_large",
      says = "the answer is over its limit of 524288 bytes" },
    { "a secret over 64 KiB", how = "big65537", word = "too_large",
      says = "HTTP 200: the secret is over 65536 bytes" },
    { "malformed JSON", how = "malformed", word = "bad_response",
      says = "HTTP 200: the text is not JSON, at byte 41" },
    { "neither string nor binary", how = "novalue", word = "bad_response",
      says = "HTTP 200: SecretString and SecretBinary are both absent" },
    { "a redirect", how = "redirect", word = "bad_response", says = "HTTP 302" },

    { "no such secret", how = "missing", word = "not_found",
      says = "ResourceNotFoundException: Secrets Manager can't find the specified secret." },
    { "access denied", how = "denied", word = "access_denied",
      says = "AccessDeniedException: User is not authorized to perform" },
    { "an invalid parameter", how = "code-InvalidParameterException", word = "invalid_request",
      says = "InvalidParameterException: planted" },
    { "an invalid request", how = "code-InvalidRequestException", word = "invalid_request",
      says = "InvalidRequestException: planted" },
    { "KMS that cannot decrypt", how = "code-DecryptionFailure", word = "decryption_failed",
      says = "DecryptionFailure: planted" },
    { "an error code nobody knows", how = "code-BrandNewException", word = "rejected",
      says = "BrandNewException: planted" },
    { "a 404 with an unknown code", how = "status-404", word = "rejected",
      says = "UnknownError: planted" },
    -- The providers are read once more: the keys may have been rotated.
    { "an expired token", how = "expired", word = "expired_token", calls = 2, tries = 2,
      single = 2, says = "ExpiredTokenException: The security token included in the request is "
      .. "expired" },
    { "an unknown key", how = "code-UnrecognizedClientException", word = "credentials_refused",
      calls = 2, tries = 2, single = 2, says = "UnrecognizedClientException: planted" },
    { "a refused signature, the request shown back", how = "leak", word = "credentials_refused",
      calls = 2, tries = 2, single = 2,
      says = "InvalidSignatureException: The Canonical String should have been" },

    -- Pauses of up to a second, then of up to two.
    { "throttling, as HTTP 400", how = "code-ThrottlingException", word = "throttled", calls = 3,
      tries = 3, timeout = 5, says = "ThrottlingException: planted" },
    { "throttling, as HTTP 429", how = "html-429", word = "throttled", calls = 3, tries = 3,
      timeout = 5, says = "HTTP 429" },
    { "an internal error, as HTTP 400", how = "code-InternalServiceError", word = "server_error",
      calls = 3, tries = 3, says = "InternalServiceError: planted" },
    { "a clock too skewed", how = "code-RequestTimeTooSkewed", word = "clock_skew", calls = 3,
      tries = 3, says = "RequestTimeTooSkewed: planted" },
    { "a 500", how = "status-500", word = "server_error", calls = 3, tries = 3,
      says = "InternalServiceError: planted" },
    { "a 503", how = "status-503", word = "server_error", calls = 3, tries = 3,
      says = "ServiceUnavailableException: planted" },
    { "a 502 that is not AWS's", how = "html-502", word = "server_error", calls = 3, tries = 3,
      says = "HTTP 502" },
}

-- A process has a quota of retries for all it fetches, which no more than two of the faults that
-- are tried three times leave alone: those that share a process have one number. The first process
-- has a proxy for http://.
local SHARES = 7
local TLS = { untrusted = true, wrong_host = true, broken_off = true } -- https://
_M.SHARES = {}
for share = 1, SHARES do
    _M.SHARES[share] = {}
end

local function settle(number, row, dealt)
    row.calls, row.timeout = row.calls or 1, row.timeout or 3
    row.single = row.single or math.min(row.calls, 1)
    local share, retried = 1, row.tries == 3
    if row.at ~= "proxied" and not TLS[row.at] then
        dealt[retried] = (dealt[retried] or 0) + 1
        share = 2 + dealt[retried] % (SHARES - 1)
    end
    row.share = share
    table.insert(_M.SHARES[share], number)
end

local dealt = {}
for number, row in ipairs(_M.ROWS) do
    settle(number, row, dealt)
end

-- The world ---------------------------------------------------------------------------------------

-- What takes the place of a server when it breaks: function(world, port) -> server
local BROKEN = {
    refused = function(_, port) return network.refusing(port) end,
    silent = function(_, port) return network.silent(port) end,
    proxied = function(_, port) return network.refusing(port) end,
    untrusted = function(world, port)
        local made = world.certificates
        return world:serve { port = port, cert = made.other_ca, key = made.folder .. "/other.key" }
    end,
    wrong_host = function(world, port)
        local made = world.certificates
        return world:serve { port = port, cert = made.wrong_cert, key = made.wrong_key }
    end,
    broken_off = function(world, port)
        return world:serve { port = port, args = { "--break-off" } }
    end,
}

-- Secrets with a name of `names` hold the canary, as their key "name".
function methods:serve(options)
    options.args = { "--access-key", _M.KEYS.AWS_ACCESS_KEY_ID, "--secret-key",
                     _M.KEYS.AWS_SECRET_ACCESS_KEY, "--session-token", _M.KEYS.AWS_SESSION_TOKEN,
                     unpack(options.args or {}) }
    local server = aws.start(options)
    server:put(self.names, ('{"name":"%s"}'):format(_M.CANARY))
    return server
end

-- Calls to one address share a circuit: each fault gets an address of its own.
local function url_of(self, number, row)
    local port = self.servers.fake.port
    if not row.at then
        return ("http://127.0.1.%d:%d"):format(number, port)
    elseif row.at == "unresolved" then
        return "http://leaving.test:" .. port
    elseif row.at == "proxied" then
        return "http://127.0.2.1:" .. port
    end
    return self.servers[row.at].url
end

local function make_resolver(self)
    self.left = self.folder .. "/left"
    self.resolver = preload.build(self.folder, "resolver", ([['-DLEFT="%s"']]):format(self.left))
end

-- A world in which all is well. names: "one,two", the secrets that are asked for.
function _M.start(names)
    local self = setmetatable({ names = names, servers = {}, urls = {}, folder = system.folder(),
                                certificates = tls.make() }, metatable)
    make_resolver(self)
    self.servers.fake = self:serve { args = { "--host", "0.0.0.0" } }
    for place in pairs(BROKEN) do
        self.servers[place] = self:serve { cert = TLS[place] and self.certificates.cert,
                                           key = TLS[place] and self.certificates.key }
    end
    for number, row in ipairs(_M.ROWS) do
        self.urls[number] = url_of(self, number, row)
    end
    return self
end

local function counts(self)
    local by_place = {}
    for place, server in pairs(self.servers) do
        by_place[place] = server.stats and server:stats().by_name or {}
    end
    return by_place
end

-- Each fault begins. That of a behaviour word has begun for every secret but for those whose name
-- says "after1-".
function methods:break_all()
    self.before = { fake = counts(self).fake }
    for place, broken in pairs(BROKEN) do
        local server = self.servers[place]
        server:stop()
        self.servers[place] = broken(self, server.port)
    end
    system.write(self.left, "")
    -- What is renewed ahead of time is not what is asked for here.
    self.servers.fake:batches { code = "InternalServiceError", status = 500 }
end

-- The environment of a process.
function methods:env(share, more)
    local proxy = "http://user:CANARY@127.0.0.1:" .. self.servers.proxied.port
    local env = {
        AWS_REGION = "us-east-1", AWS_CA_BUNDLE = self.certificates.ca,
        AWS_EC2_METADATA_DISABLED = "true", -- nothing leaves this machine
        http_proxy = share == 1 and proxy or nil,
    }
    for _, values in ipairs { _M.KEYS, more or {} } do
        for name, value in pairs(values) do
            env[name] = value
        end
    end
    return env
end

-- The vaults "f1" and so on, one for each fault, as vault.init's `vaults`.
function methods:entities()
    local list = {}
    for number, row in ipairs(_M.ROWS) do
        list[number] = ('{ prefix = "f%d", name = "aws", config = { endpoint_url = %q, '
            .. "timeout = %s } }"):format(number, self.urls[number], row.timeout)
    end
    return "vaults = { " .. table.concat(list, ", ") .. " }"
end

-- The secret that stands for `name` in the fault's vault. late: it is well before break_all().
function _M.secret(row, name, late)
    if not row.how then
        return name
    end
    return ("%s%s.%s"):format(late and "after1-" or "", row.how, name)
end

-- Calls since break_all(), by the fault's number and the secret.
function methods:calls()
    local now, calls = counts(self), {}
    for number, row in ipairs(_M.ROWS) do
        local place = now[row.at] and row.at ~= "proxied" and row.at or "fake"
        calls[number] = setmetatable({}, { __index = function(_, secret)
            return (now[place][secret] or 0) - ((self.before[place] or {})[secret] or 0)
        end })
    end
    return calls
end

function methods:stop()
    for _, server in pairs(self.servers) do
        (server.stop or server.close)(server)
    end
    self.certificates:remove()
    system.remove(self.folder)
end

return _M
