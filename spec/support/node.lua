-- node - workers of one node that resolve references: vault.resolve over a table of secrets.
--
-- For:   specs of vault.resolve; the clock is the spec's, the shared dict one for all workers.
-- Never: nginx, the engine.

local env = require "vault.env"
local light = require "spec.support.light"
local news = require "vault.news"
local reference = require "vault.reference"
local rooms = require "spec.support.rooms"
local shelf = require "vault.shelf"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local VAULTS = {
    { prefix = "john", name = "aws" }, { prefix = "mary", name = "aws" },
    { prefix = "b64", name = "aws", config = { base64_decode = true } },
    { prefix = "app", name = "env", config = { prefix = "APP_" } },
}
local VARIABLES = {
    MY_JSON = '{"user":"u","n":1}', PLAIN = "value", SIXTY_FOUR = "YQBi", JSON_64 = '{"k":"YQBi"}',
    APP_ONE = "prefixed",
}

-- A node: aws (of rooms), world (of light), dict, warned, parses (how many references were parsed).
-- Of the worker that was started last: resolve, vaults, cache, changes (how often on_change was
-- called), counts (metrics: name, or name and label -> number).
function _M.new()
    local world = light.new()
    return setmetatable({ aws = rooms.aws(), world = world, dict = world:dict(), parses = 0,
                          warned = {}, put_back = {} }, metatable)
end

-- Start a worker; its vault.resolve.
--
-- options  cached = false: without any cache; alone: without the dict; news: with it; max_entries
function methods:start_worker(options)
    options = options or {}
    local counted = setmetatable({
        parse = function(text)
            self.parses = self.parses + 1
            return reference.parse(text)
        end,
    }, { __index = reference })
    local cache, _, vaults, held, resolve, put_back = rooms.load(
        { "vault.cache", "vault.aws", "vault.vaults", "vault.held", "vault.resolve" }, {
            ["vault.fetch"] = self.aws, ["vault.reference"] = counted,
            ["vault.env"] = env.new(rooms.environment(VARIABLES).get),
            ["vault.environment"] = rooms.environment({ AWS_REGION = "us-east-1" }),
        })
    table.insert(self.put_back, 1, put_back)
    vaults.configure { entities = VAULTS }
    self.resolve, self.held, self.vaults = resolve, held, vaults
    self.configure = function()
        local dict, now = not options.alone and self.dict or nil, self.world.ngx.now
        self.changes, self.counts = 0, {}
        self.cache = cache.new {
            shelf = shelf.new { dict = dict }, now = now, max_entries = options.max_entries,
            news = options.news and news.new { dict = dict, now = now },
            on_change = function()
                held.cool()
                self.changes = self.changes + 1
            end,
            count = function(name, label)
                name = label and name .. " " .. label or name
                self.counts[name] = (self.counts[name] or 0) + 1
            end,
        }
        resolve.configure { dict = dict, now = now, max_entries = options.max_entries,
                            cache = self.cache,
                            warn = function(message) self.warned[#self.warned + 1] = message end }
    end
    if options.cached ~= false then
        self.configure()
    end
    return resolve
end

-- Give a secret a new current version.
function methods:rotate(name, text)
    local secret = self.aws.secrets[name]
    secret.AWSPREVIOUS, secret.AWSCURRENT = secret.AWSCURRENT, text
end

-- The value fails with `word`; what the message must hold follows. It is printable and shows no
-- canary.
function methods:fails(word, text, ...)
    local value, message, seen = self.resolve.get(text)
    assert(value == nil, "it has a value")
    assert(seen == word, tostring(seen))
    for _, needle in ipairs { ... } do
        assert(message:find(needle, 1, true), message)
    end
    assert(not message:find("canary", 1, true), message)
    assert(not message:find("[^ -~]"), message)
end

-- The names that were asked for since the last call.
function methods:asked()
    local names = {}
    for i, request in ipairs(self.aws.asked) do
        names[i] = request.secret_id
    end
    self.aws.asked = {}
    return names
end

-- Put all modules back.
function methods:stop()
    for _, put_back in ipairs(self.put_back) do
        put_back()
    end
end

return _M
