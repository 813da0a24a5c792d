-- database - a database whose password is a secret's, and what connects to it by vault.try.
--
-- For:   specs of vault.try over the workers of spec.support.worker; the secret is "db".
-- Never: what vault.try makes of a failure.

local workers = require "spec.support.worker"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- A node, two workers of it, and the database: password: what it takes; connects: the passwords it
-- was tried with.
function _M.start()
    local node = workers.new()
    node.world.ngx.shared.vault_secrets = node.world:dict()
    node.aws.secrets.db = { AWSCURRENT = _M.secret("p1") }
    node.aws.secrets.plain = { AWSCURRENT = "text" }
    return node, node:start_worker(), node:start_worker(),
        setmetatable({ node = node, password = "p1", connects = {} }, metatable)
end

-- The text of the secret.
function _M.secret(password)
    return ('{"user":"u","password":"%s"}'):format(password)
end

-- A configuration with its references.
function _M.conf()
    return { db = { ["$refs"] = { user = "{vault://aws/db/user?ttl=3600}",
                                  password = "{vault://aws/db/password?ttl=3600}" } } }
end

-- Give the secret a new current version.
function methods:rotate(password)
    self.node:rotate("db", _M.secret(password))
end

-- Connects after a while; fails as a database does, without saying why.
function methods:connect(conf)
    table.insert(self.connects, conf.db.password or "none")
    self.node.world.ngx.sleep(0.005)
    if conf.db.password == self.password and conf.db.user == "u" then
        return "connection"
    end
    return nil, "refused " .. tostring(conf.db.password)
end

-- What vault.try of `worker` returns for `conf`.
function methods:try(worker, conf, options)
    return self.node:run(function()
        return worker.vault.try(function(given) return self:connect(given) end, conf, options)
    end)
end

return _M
