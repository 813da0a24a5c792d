-- aws - fake_aws.py, started and spoken to.
--
-- For:   specs that need an AWS that fails on demand and counts; fake_secrets.py lists the words.
-- Never: what moto does as well (moto).

local cjson = require "cjson"
local http = require "spec.support.http"
local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

_M.ACCESS_KEY = "AKIDEXAMPLE"
_M.SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

-- Start it; stop() ends it.
--
-- options  cert, key (PEM files: HTTPS), cacert (for the control calls), port, host name in .url,
--          args = { further arguments of fake_aws.py }
function _M.start(options)
    options = options or {}
    local words = { system.venv("python"), "spec/support/fake_aws.py", "--port",
                    tostring(options.port or 0), ready = "ready (%d+)\n" }
    if options.cert then
        for _, word in ipairs { "--cert", options.cert, "--key", options.key } do
            words[#words + 1] = word
        end
    end
    for _, word in ipairs(options.args or {}) do
        words[#words + 1] = word
    end
    local self = setmetatable({ process = process.start(words) }, metatable)
    self.port = tonumber(self.process.ready)
    self.url = ("%s://%s:%d"):format(options.cert and "https" or "http",
        options.host or "127.0.0.1", self.port)
    self.control = { cacert = options.cacert, curl = options.cert and { "-k" } or nil }
    return self
end

-- Environment that makes the library use it.
function methods:env(more)
    local env = {
        AWS_ACCESS_KEY_ID = _M.ACCESS_KEY, AWS_SECRET_ACCESS_KEY = _M.SECRET_KEY,
        AWS_REGION = "us-east-1", AWS_ENDPOINT_URL_SECRETS_MANAGER = self.url,
    }
    for name, value in pairs(more or {}) do
        env[name] = value
    end
    return env
end

local function ask(self, path, body)
    local options = { method = body and "POST" or "GET", body = body, cacert = self.control.cacert,
                      curl = self.control.curl }
    local answer = http.request(self.url .. "/_/" .. path, options)
    assert(answer.status == 200, "fake_aws.py does not answer: " .. answer.errors)
    return cjson.decode(answer.body)
end

-- { calls, by_name, connections, open, in_flight, max_in_flight, proxied }; the connections are
-- those that made a call, by_name goes by the whole SecretId, behaviour words and all. Batches are
-- counted apart: { batches, batch_sizes, by_name_in_batches, batches_in_flight,
-- max_batches_in_flight }. { answered }: VersionId -> when it was answered first, seconds since
-- 1970.
function methods:stats()
    return ask(self, "stats")
end

-- { calls = {}, batches = {} }: when each came, in seconds of spec.support.system's clock.
function methods:arrivals()
    return ask(self, "arrivals")
end

-- { headers, path } of the last call.
function methods:last()
    return ask(self, "last")
end

-- Forget all secrets and counts.
function methods:reset()
    ask(self, "reset", "")
end

-- Let it answer nobody, or all who asked meanwhile too. It cannot be spoken to while it is frozen.
function methods:freeze()
    self.process:kill("STOP")
end

function methods:thaw()
    self.process:kill("CONT")
end

-- Give the secret, or each of "one,two", a new version; its VersionId, or the last one's. stage:
-- AWSCURRENT where nil.
function methods:put(name, text, stage)
    local query = http.query { name = name, stage = stage or "AWSCURRENT" }
    return ask(self, "put?" .. query, text).VersionId
end

-- What becomes of batches as a whole from now on: code (the error; none: they succeed), status
-- (HTTP, 400 where nil), times (how many are refused; all where nil), delay (ms).
function methods:batches(plan)
    ask(self, "batches?" .. http.query(plan), "")
end

-- The same of single calls; words: put before each secret's name, in single calls and in batches.
function methods:calls(plan)
    ask(self, "calls?" .. http.query(plan), "")
end

-- The secret, or each of "one,two", is gone until it is put again.
function methods:delete(name)
    ask(self, "delete?" .. http.query { name = name }, "")
end

-- Take what these keys sign: access_key, secret_key, token, name.
function methods:accept(caller)
    ask(self, "accept?" .. http.query(caller), "")
end

function methods:stop()
    return self.process:stop()
end

return _M
