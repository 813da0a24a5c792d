-- guest - vault.guest as the workers of one node have it, over an AWS that is a table.
--
-- For:   specs of what a host inside of which the library runs gets, by the spec's clock.
-- Never: nginx, the engine, a host (kong_host, apisix_host).

local light = require "spec.support.light"
local rooms = require "spec.support.rooms"

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- aws (of rooms), world (of light, with a dict and two workers), variables (the environment).
function _M.new()
    local self = setmetatable({
        aws = rooms.aws(), world = light.new(), put_back = {}, before = rawget(_G, "ngx"),
        variables = { AWS_REGION = "us-east-1" },
    }, metatable)
    self.aws.secrets["db/main"] = { AWSCURRENT = '{"user":"u2","password":"p2"}',
                                    AWSPREVIOUS = '{"user":"u1","password":"p1"}' }
    self.world.ngx.worker.count = function() return 2 end
    self.world.ngx.shared.vault_secrets = self.world:dict()
    rawset(_G, "ngx", self.world.ngx)
    return self
end

-- vault.guest as one worker has it, and standing_in: name -> module, in the place of others.
-- aws.remembered: what was to be looked for in workers; aws.checked: how often it was.
function methods:load(standing_in)
    local aws = self.aws
    local stand_in = {
        ["vault.fetch"] = aws, ["vault.environment"] = rooms.environment(self.variables),
        ["vault.files"] = {
            remember = function(path) aws.remembered = path or "nothing" end,
            check = function() aws.checked = (aws.checked or 0) + 1 end,
        },
    }
    for name, module in pairs(standing_in or {}) do
        stand_in[name] = module
    end
    local _, guest, put_back = rooms.load({ "vault.aws", "vault.guest" }, stand_in)
    table.insert(self.put_back, 1, put_back)
    return guest
end

-- The same, and it has begun. options: of vault.guest.begin
function methods:worker(options)
    local guest = self:load()
    options = options or {}
    options.trusted_certificate = options.trusted_certificate or function() end
    guest.begin(options)
    return guest
end

-- What guest.text returns; name: "db/main" where nil.
function _M.text(guest, name, conf, version)
    return guest.text({ resource = name or "db/main", version = version },
        guest.entity(conf or {}))
end

-- The names that AWS was asked for since the last call.
function methods:asked()
    local names = {}
    for i, request in ipairs(self.aws.asked) do
        names[i] = request.secret_id
    end
    self.aws.asked = {}
    return names
end

-- How many lines of the log match.
function methods:logged(pattern)
    local count = 0
    for _, line in ipairs(self.world.logged) do
        count = count + (line:find(pattern) and 1 or 0)
    end
    return count
end

-- Put all modules back.
function methods:stop()
    for _, put_back in ipairs(self.put_back) do
        put_back()
    end
    rawset(_G, "ngx", self.before)
end

return _M
