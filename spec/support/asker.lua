-- asker - who asks Secrets Manager when the world is as the spec says.
--
-- For:   variables and files for every place that credentials come from; one secret asked for with
--        them by bin/vaults, or many by a gateway; whose keys it was read with; that nobody was
--        shown any of them.
-- Never: what the servers do (aws, identity).

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local cjson = require "cjson"
local expect = require "luassert"
local gateway = require "spec.support.gateway"
local identity = require "spec.support.identity"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

_M.ROLE = "arn:aws:iam::123456789012:role/"

-- Both servers and a folder; stop() ends them, and the gateways. The links of the chain are in
-- .links, in order.
function _M.start()
    local self = setmetatable({ folder = system.folder(), gateways = {} }, metatable)
    self.aws = aws.start()
    self.server = identity.start(self.aws)
    return self
end

-- A gateway (gateway.start), which close() or stop() ends.
function methods:gateway(options)
    local one = gateway.start(options)
    table.insert(self.gateways, one)
    return one
end

local function stop_gateways(self)
    local gateways = self.gateways
    self.gateways = {}
    for _, one in ipairs(gateways) do
        one:stop()
    end
    return gateways
end

-- No secret is in their logs, and no worker of theirs crashed.
local function check_logs(gateways)
    for _, one in ipairs(gateways) do
        local log = one:error_log()
        _M.assert_hidden(log)
        expect.is_nil(log:find("exited on signal", 1, true))
    end
end

function methods:close()
    check_logs(stop_gateways(self))
end

function methods:stop()
    local gateways = stop_gateways(self)
    for _, one in ipairs { self.server or false, self.aws or false } do
        if one then
            one:stop()
        end
    end
    system.remove(self.folder)
    check_logs(gateways)
end

function methods:reset()
    self.aws:reset()
    self.server:reset()
end

function methods:write(name, text)
    return system.write(self.folder .. "/" .. name, text)
end

-- The tables of `...` in one, the later over the earlier; false takes a name away.
function _M.merge(...)
    local merged = {}
    for i = 1, select("#", ...) do
        for name, value in pairs((select(i, ...)) or {}) do
            merged[name] = value or nil
        end
    end
    return merged
end

-- What sends the library to the servers; nobody's keys are in it, and no metadata service.
function methods:env(...)
    return _M.merge({
        HOME = self.folder, AWS_REGION = "us-east-1", AWS_EC2_METADATA_DISABLED = "true",
        AWS_ENDPOINT_URL_SECRETS_MANAGER = self.aws.url, AWS_ENDPOINT_URL_STS = self.server.url,
    }, ...)
end

-- The links of the chain: each gives the variables with which it, and no other, has something.
-- What they are called is who asks then.

_M.LINKS = { "environment", "profile", "container", "web", "imds" }
_M.links = {}

function _M.links.environment(self)
    local keys = self.server:issue("environment")
    return { AWS_ACCESS_KEY_ID = keys.access_key, AWS_SECRET_ACCESS_KEY = keys.secret_key,
             AWS_SESSION_TOKEN = keys.token }
end

-- Static keys as a profile's properties; who has them is called `name`.
function methods:keys(name)
    local keys = self.server:issue(name)
    return { aws_access_key_id = keys.access_key, aws_secret_access_key = keys.secret_key,
             aws_session_token = keys.token }
end

function methods:config(sections)
    return { AWS_CONFIG_FILE = self:write("config", identity.config(sections)) }
end

function _M.links.profile(self)
    return self:config { default = self:keys("profile") }
end

function _M.links.container(self)
    return { AWS_CONTAINER_CREDENTIALS_FULL_URI = self.server.url .. "/container" }
end

function _M.links.web(self)
    return { AWS_ROLE_ARN = _M.ROLE .. "web", AWS_WEB_IDENTITY_TOKEN_FILE =
             self:write("web-token", "CANARY.web.identity-token") }
end

function _M.links.imds(self)
    return { AWS_EC2_METADATA_DISABLED = false, AWS_EC2_METADATA_SERVICE_ENDPOINT =
             self.server.url }
end

-- The variables of some links together.
function methods:linked(...)
    local envs = {}
    for i, name in ipairs { ... } do
        envs[i] = _M.links[name](self)
    end
    return self:env(unpack(envs))
end

-- A gateway's answer is the secret's value, which is its name.
function _M.assert_value(name, answer)
    expect.same({ name }, { answer.value, answer.message })
end

-- The same for one that is asked for now, while the worker serves others.
function _M.assert_gets(one, name)
    local answer = one:get("{vault://aws/" .. name .. "/name}")
    _M.assert_value(name, answer)
    expect.is_true(answer.others)
end

-- Nobody may ever be shown what is in `text`.
function _M.assert_hidden(text)
    assert(not text:find(identity.CANARY, 1, true), "a secret is shown: " .. text)
end

-- bin/vaults takes the tree's build; under a sanitizer it is the one that child names.
local function command(reference)
    if not os.getenv("VAULT_PRELOAD") then
        return { system.root() .. "/bin/vaults", "get", reference }
    end
    return { "luajit", "-e", ([[os.exit(require("vault.cli").run({ "get", %q },
        io.stdout, io.stderr), true)]]):format(reference) }
end

-- "vaults get" of a secret's value: { value, message, word, time, caller: whose keys it was read
-- with, calls: what the identity server was asked since the last reset }.
function methods:get(env, reference)
    self.number = (self.number or 0) + 1
    local began = system.now()
    local words = command(reference or "aws/s" .. self.number .. "/name")
    words.env = env
    local ended = child.run(words)
    local answer = { time = system.now() - began, calls = self.server:calls(),
                     caller = next(self.aws:stats().by_caller) }
    _M.assert_hidden(ended.err)
    if ended.code == 0 then
        answer.value = ended.out
    else
        answer.message, answer.word = ended.err:match("^vaults: ([ -~]+) %[([%l_%d]+)%]\n$")
        answer.message = answer.message or ended.err
    end
    return answer
end

-- The secret comes, and it was read with this caller's keys; the calls that this took, the answer.
function methods:reads_as(caller, env)
    local answer = self:get(env)
    expect.is_nil(answer.message)
    expect.equal("s" .. self.number, answer.value)
    expect.equal(caller, answer.caller)
    return answer.calls, answer
end

-- It does not come, for this word, and what all of `says` is in the message of; Secrets Manager was
-- not asked. The calls that this took, the answer.
function methods:fails(word, says, env)
    local answer = self:get(env)
    expect.is_nil(answer.value)
    expect.equal(word, answer.word, answer.message)
    for _, part in ipairs(says) do
        expect.is_truthy(answer.message:find(part, 1, true), answer.message)
    end
    expect.equal(0, self.aws:stats().calls)
    return answer.calls, answer
end

-- The one call of this kind.
function methods:only_record(kind)
    local records = self.server:records(kind)
    expect.equal(1, #records)
    return records[1]
end

-- Sections in which the profile "two" is a role that "one" assumes, which is one that `base`, a
-- profile's properties, assumes.
function _M.chain(base)
    return { ["profile base"] = base,
             ["profile one"] = { role_arn = _M.ROLE .. "one", source_profile = "base" },
             ["profile two"] = { role_arn = _M.ROLE .. "two", source_profile = "one" } }
end

-- Each role of chain() was assumed by the one before it, the first by `caller`.
function methods:assert_chain(caller)
    local seen = {}
    for i, record in ipairs(self.server:records("assume_role")) do
        seen[i] = { record.caller, record.RoleArn:match("[^/]+$") }
    end
    expect.same({ { caller, "one" }, { "one", "two" } }, seen)
end

-- A program of this name that prints `text`, after the shell commands `first`.
function methods:program(name, text, first)
    local path = self:write(name, "#!/bin/sh\n" .. (first or "") .. "\ncat <<'END'\n" .. text
        .. "\nEND\n")
    system.must("chmod 755 " .. system.quote(path))
    return path
end

-- What a program prints of keys for `name`; `members` over them, false takes one away.
function methods:printed(name, members)
    local keys = self.server:issue(name)
    return cjson.encode(_M.merge({
        Version = 1, AccessKeyId = keys.access_key, SecretAccessKey = keys.secret_key,
        SessionToken = keys.token, Expiration = os.date("!%Y-%m-%dT%H:%M:%SZ", keys.expires),
    }, members))
end

-- The variables for a default profile with this program.
function methods:process(program, more)
    return self:env(self:config { default = { credential_process = program } }, more)
end

return _M
