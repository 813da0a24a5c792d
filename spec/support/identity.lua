-- identity - fake_identity.py, started and spoken to; and the files and variables that send the
--            library there.
--
-- For:   specs of who asks: fake_identity.py lists what can be set.
-- Never: Secrets Manager (aws).

local cjson = require "cjson"
local http = require "spec.support.http"
local preload = require "spec.support.preload"
local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

_M.CANARY = "CANARY" -- is in every secret, token and key id that is issued

-- Start it; stop() ends it. What it issues, `aws` (of spec.support.aws) accepts.
--
-- options  cert, key (PEM files: HTTPS, as localhost)
function _M.start(aws, options)
    local words = { system.venv("python"), "spec/support/fake_identity.py", "--aws",
                    tostring(aws and aws.port or 0), ready = "ready (%d+)\n" }
    if options then
        for _, word in ipairs { "--cert", options.cert, "--key", options.key } do
            words[#words + 1] = word
        end
    end
    local self = setmetatable({ process = process.start(words) }, metatable)
    self.port = tonumber(self.process.ready)
    self.curl = options and { "-k" } or nil
    self.url = (options and "https://localhost:" or "http://127.0.0.1:") .. self.port
    return self
end

local function ask(self, path, body)
    local answer = http.request(self.url .. "/_/" .. path,
        { method = body and "POST" or "GET", body = body, curl = self.curl })
    assert(answer.status == 200, "fake_identity.py does not answer: " .. answer.errors)
    return cjson.decode(answer.body)
end

-- { imds = {}, container = {}, sts = {}, sso = {} }, over what is set; false takes a setting away.
function methods:set(settings)
    ask(self, "set", cjson.encode(settings))
end

-- { calls = { kind = n }, max_in_flight = { kind = n }, in_flight, records, by_caller }
function methods:stats()
    return ask(self, "stats")
end

-- How many calls there were of each kind.
function methods:calls()
    return self:stats().calls
end

-- The records of a kind, in order: { kind, at, method, path, headers, proxied }, STS's with
-- `caller` and the call's parameters.
function methods:records(kind)
    local found = {}
    for _, record in ipairs(self:stats().records) do
        if record.kind == kind then
            found[#found + 1] = record
        end
    end
    return found
end

-- Keys for `name`: { access_key, secret_key, token, expires }.
function methods:issue(name, life)
    return ask(self, "issue?" .. http.query { name = name, life = life or 3600 }, "")
end

-- Tell STS of keys from elsewhere: access_key, secret_key, token, name.
function methods:accept(caller)
    ask(self, "accept?" .. http.query(caller), "")
end

-- STS does not know what has this name any more.
function methods:refuse(name, code)
    ask(self, "refuse?" .. http.query { name = name, code = code }, "")
end

-- Forget all settings, counts and keys.
function methods:reset()
    ask(self, "reset", "")
end

function methods:stop()
    return self.process:stop()
end

-- Files -------------------------------------------------------------------------------------------

-- The AWS config file of the sections: { ["profile x"] = { name = value } }.
function _M.config(sections)
    local lines = {}
    for name, properties in pairs(sections) do
        lines[#lines + 1] = "[" .. name .. "]"
        for property, value in pairs(properties) do
            lines[#lines + 1] = property .. " = " .. value
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

-- What `aws sso login` leaves below the folder `home` for a session's name, or for a start URL;
-- its path. `members` go over accessToken and expiresAt.
function _M.login(home, name, members)
    local folder = home .. "/.aws/sso/cache"
    local hash = system.must("printf %s " .. system.quote(name) .. " | sha1sum"):match("^%x+")
    local said = { startUrl = "https://start.test", accessToken = "CANARY.sso.token",
                   expiresAt = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + 3600) }
    for member, value in pairs(members or {}) do
        said[member] = value
    end
    system.must("mkdir -p " .. system.quote(folder))
    return system.write(folder .. "/" .. hash .. ".json", cjson.encode(said))
end

-- Build spec/support/elsewhere.c into `folder`; what LD_PRELOAD is to be: a sanitizer goes first.
function _M.elsewhere(folder)
    local library = preload.build(folder, "elsewhere")
    local sanitizer = os.getenv("VAULT_PRELOAD")
    return sanitizer and sanitizer .. ":" .. library or library
end

return _M
