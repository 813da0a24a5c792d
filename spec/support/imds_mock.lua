-- imds_mock - Amazon's own mock of EC2 instance metadata (`make imds-mock`), started and watched.
--
-- For:   specs against somebody else's idea of instance metadata; what it was asked.
-- Never: failures on demand (identity).

local cjson = require "cjson"
local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- What it hands out, as spec.support.aws wants to know of it.
_M.CALLER = { name = "mock", access_key = "ASIACANARYMOCK", token = "CANARY/token+of/the==mock",
              secret_key = "CANARY/secret+of/the=mock" }
_M.ROLE = "mock-role"

-- The names that the mock's configuration has for the parts of instance metadata.
local function values(options)
    return {
        ["placement-region"] = options.region, ["iam-security-credentials-role"] = _M.ROLE,
        ["iam-security-credentials"] = {
            Code = options.code or "Success", LastUpdated = "2020-04-02T18:50:40Z",
            Type = "AWS-HMAC", AccessKeyId = _M.CALLER.access_key,
            SecretAccessKey = _M.CALLER.secret_key, Token = _M.CALLER.token,
            Expiration = options.expiration
                or os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + (options.life or 3600)),
        },
    }
end

-- Start it; stop() ends it.
--
-- options  imdsv2 (version 2 and no other), region, life (seconds) or expiration (as it is said),
--          code (what Code says), paths = { [name] = path }: "" takes one away
function _M.start(options)
    local folder, port = system.folder(), system.free_port()
    local configuration = system.write(folder .. "/mock.json", cjson.encode {
        imdsv2 = options.imdsv2 or false,
        metadata = { values = values(options), paths = options.paths } })
    local self = setmetatable({ folder = folder, port = port, url = "http://127.0.0.1:" .. port,
        process = process.start { os.getenv("VAULT_IMDS_MOCK") or
            "build/imds_mock/ec2-metadata-mock", "-c", configuration, "-n", "127.0.0.1",
            "-p", tostring(port) } }, metatable)
    local ready = system.wait_for(function()
        return system.listens(port) or not self.process:alive()
    end, 10)
    if not ready or not self.process:alive() then
        local said = self.process:errors()
        self:stop()
        error("the mock of instance metadata does not start (make imds-mock?): " .. said, 2)
    end
    return self
end

-- What it was asked, in order: "token", and the paths below /latest/meta-data; a number is the
-- status with which it refused the one before.
function methods:asked()
    local asked = {}
    for line in self.process:errors():gmatch("[^\n]+") do
        local path = line:match("mock static metadata: /latest/meta%-data/(%S+)")
            or line:match("to CatchAllHandler: +/latest/meta%-data/(%S+)")
        asked[#asked + 1] = path or line:find("GenerateToken Received", 1, true) and "token"
            or line:find("No token provided", 1, true) and 401 or nil
    end
    return asked
end

-- Whether it saw a good token, so far.
function methods:validated()
    return self.process:errors():find("Token validated!", 1, true) ~= nil
end

function methods:stop()
    local code = self.process:stop()
    if self.folder then
        system.remove(self.folder)
        self.folder = nil
    end
    return code
end

return _M
