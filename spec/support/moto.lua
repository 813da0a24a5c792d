-- moto - moto's server from the tests' Python environment (`make venv`), started and filled.
--
-- For:   specs against somebody else's idea of Secrets Manager and STS.
-- Never: failures on demand (aws).

local cjson = require "cjson"
local http = require "spec.support.http"
local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

function _M.start()
    local port = system.free_port()
    local self = setmetatable({
        port = port, url = "http://127.0.0.1:" .. port,
        process = process.start { system.venv("moto_server"), "-H", "127.0.0.1",
                                  "-p", tostring(port) },
    }, metatable)
    local ready = system.wait_for(function()
        return system.listens(port) or not self.process:alive()
    end, 30)
    if not ready or not self.process:alive() then
        local said = self.process:errors()
        self:stop()
        error("moto does not start (make venv?): " .. said, 2)
    end
    return self
end

-- Environment that makes the library use it.
function methods:env(more)
    local env = {
        AWS_ACCESS_KEY_ID = "AKIAMOTO", AWS_SECRET_ACCESS_KEY = "moto", AWS_REGION = "us-east-1",
        AWS_ENDPOINT_URL = self.url,
    }
    for name, value in pairs(more or {}) do
        env[name] = value
    end
    return env
end

-- Call an operation of Secrets Manager: the decoded answer. moto reads the Region and service out
-- of the Authorization header and checks nothing else.
function methods:call(operation, input)
    local answer = http.post(self.url .. "/", cjson.encode(input), { headers = {
        ["Content-Type"] = "application/x-amz-json-1.1",
        ["X-Amz-Target"] = "secretsmanager." .. operation,
        Authorization = "AWS4-HMAC-SHA256 Credential=AKIAMOTO/20200101/us-east-1/secretsmanager"
            .. "/aws4_request, SignedHeaders=host, Signature=0",
    } })
    assert(answer.status == 200, operation .. ": " .. answer.body .. answer.errors)
    return cjson.decode(answer.body)
end

-- A VersionId of the caller's: without one moto takes an update for a repetition.
local function token()
    return (("xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx"):gsub("x", function()
        return ("%x"):format(math.random(0, 15))
    end))
end

function methods:create(name, text)
    return self:call("CreateSecret", { Name = name, SecretString = text })
end

-- stage: AWSCURRENT where nil
function methods:put(name, text, stage)
    return self:call("PutSecretValue", { SecretId = name, SecretString = text,
        VersionStages = { stage or "AWSCURRENT" }, ClientRequestToken = token() })
end

-- Make what is AWSPENDING the current version, as a rotation does at its end. From then on moto has
-- two things wrong: batches bring the old one, and put() leaves two versions current.
function methods:promote(name)
    local current, pending
    for id, stages in pairs(self:call("DescribeSecret", { SecretId = name }).VersionIdsToStages) do
        local labels = " " .. table.concat(stages, " ") .. " "
        current = labels:find(" AWSCURRENT ", 1, true) and id or current
        pending = labels:find(" AWSPENDING ", 1, true) and id or pending
    end
    return self:call("UpdateSecretVersionStage", {
        SecretId = name, VersionStage = "AWSCURRENT", MoveToVersionId = pending,
        RemoveFromVersionId = current })
end

function methods:update(name, text)
    return self:call("UpdateSecret", {
        SecretId = name, SecretString = text, ClientRequestToken = token() })
end

function methods:delete(name)
    return self:call("DeleteSecret", { SecretId = name, ForceDeleteWithoutRecovery = true })
end

-- Forget all there is, in all Regions.
function methods:reset()
    assert(http.post(self.url .. "/moto-api/reset", "").status == 200, "moto is not reset")
end

-- How many calls there were, the spec's own among them.
function methods:calls()
    local _, times = self.process:errors():gsub("POST / HTTP", "")
    return times
end

function methods:stop()
    return self.process:stop()
end

return _M
