-- worker - whole workers of a node: require "vault" and all its rooms, over an AWS that is a table.
--
-- For:   specs of what the rooms do together, in a world of light threads by the spec's clock.
-- Never: nginx, the C engine's fetches.

local core = require "vault.core"
local engine = require "spec.support.engine"
local env = require "vault.env"
local light = require "spec.support.light"
local rooms = require "spec.support.rooms"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local WANTED = { "vault.cache", "vault.aws", "vault.vaults", "vault.held", "vault.resolve",
                 "vault.anew",
                 "vault.dereference", "vault.attempt", "vault.settings", "vault.node",
                 "vault" }

local function every(world)
    return function(delay, action)
        local function again()
            return world.ngx.timer.at(delay, function(premature)
                action(premature)
                if not premature then
                    again()
                end
            end)
        end
        return again()
    end
end

-- A node without workers. Its aws: secrets: name -> { stage = text } or the word it fails with;
-- asked: what was asked for, { names, stage, batch }; delay: seconds; word: function(request) ->
-- what the whole call fails with. dead: pid -> true.
function _M.new()
    local world = light.new()
    local ngx = world.ngx
    ngx.timer.every = every(world)
    ngx.worker.id, ngx.worker.count = function() return 0 end, function() return 2 end
    return setmetatable({
        world = world, workers = {}, dead = {}, versions = {}, version_count = 0,
        aws = { secrets = {}, asked = {}, delay = 0.05, word = function() end },
    }, metatable)
end

-- AWS ---------------------------------------------------------------------------------------------

local function version_of(self, text)
    if not self.versions[text] then
        self.version_count = self.version_count + 1
        self.versions[text] = "v" .. self.version_count
    end
    return self.versions[text]
end

local function entry_of(self, name, stage)
    local secret = self.aws.secrets[name] or "not_found"
    local text = type(secret) == "table" and secret[stage]
    if text then
        return { payload = text, binary = false, version_id = version_of(self, text) }
    end
    local word = type(secret) == "string" and secret or "not_found"
    return { word = word, message = ("planted %s of %s"):format(word, name) }
end

local function answer(self, request)
    local word = self.aws.word(request)
    if word then
        return nil, "planted " .. word, word
    end
    if request.batch then
        local entries = {}
        for i, name in ipairs(request.batch) do
            entries[i] = entry_of(self, name, "AWSCURRENT")
        end
        return { entries = entries }
    end
    local entry = entry_of(self, request.secret_id, request.terms.stage)
    if entry.word then
        return nil, entry.message, entry.word
    end
    return entry
end

local function ask(self, request)
    table.insert(self.aws.asked, { names = request.batch or { request.secret_id },
                                   stage = request.terms.stage, batch = request.batch ~= nil })
end

-- vault.core with an engine that asks `self`.
local function connect(self, rig, pid)
    local stand_in, submit = rig.core, rig.core.port.submit
    setmetatable(stand_in, { __index = core })
    function stand_in.port.submit(...)
        local number, message, word = submit(...)
        if number then
            local request = stand_in.submitted[number].request
            ask(self, request)
            local outcome = { answer(self, request) } -- as it is when AWS is asked
            self.world.ngx.timer.at(self.aws.delay, function()
                if not self.dead[pid] then
                    stand_in.finish(number, unpack(outcome, 1, 3))
                end
            end)
        end
        return number, message, word
    end
    function stand_in.run(request)
        ask(self, request)
        self.world.clock = self.world.clock + self.aws.delay
        return answer(self, request)
    end
    function stand_in.process()
        return pid, 1
    end
    function stand_in.is_alive(asked)
        return not self.dead[asked]
    end
    function stand_in.check()
        return true
    end
end

-- How often AWS was asked since the last call; and for what first.
function methods:calls()
    local asked = self.aws.asked
    self.aws.asked = {}
    return #asked, asked[1]
end

-- Give a secret a new current version; the one before becomes AWSPREVIOUS.
function methods:rotate(name, text)
    local secret = self.aws.secrets[name]
    secret.AWSPREVIOUS, secret.AWSCURRENT = secret.AWSCURRENT, text
end

-- Workers -----------------------------------------------------------------------------------------

-- A worker more, before its init: vault, and its rooms by name. variables: of its environment.
function methods:load(variables)
    local pid = 100 + #self.workers
    local rig = engine.new(self.world)
    connect(self, rig, pid)
    rig:load("init")
    local environment = rooms.environment(variables or { AWS_REGION = "us-east-1",
                                                         MY_SECRET = "s" })
    local worker = { pid = pid, rig = rig }
    local loaded = { rooms.load(WANTED, {
        ["vault.environment"] = environment, ["vault.env"] = env.new(environment.get),
        ["vault.files"] = { remember = function() end, check = function() end },
    }) }
    for i, name in ipairs(WANTED) do
        worker[name:match("%.(.*)$") or name] = loaded[i]
    end
    worker.put_back = loaded[#loaded]
    self.workers[#self.workers + 1] = worker
    return worker
end

-- A worker more that serves. options: vault.init's
function methods:start_worker(options)
    local worker = self:load()
    self.world:call("init", function() worker.vault.init(options) end)
    self.world:call("init_worker", worker.vault.init_worker)
    return worker
end

-- What `action` returns as a light thread of `phase` ("content"), after `seconds` (1) at most.
function methods:run(action, phase, seconds)
    local thread = self.world:spawn(phase or "content", action)
    local left = seconds or 1
    while not thread.done and left > 0 do
        self.world:pass(0.01)
        left = left - 0.01
    end
    assert(thread.done, "it still waits")
    return unpack(thread.results, 1, 8)
end

-- Put all modules back.
function methods:stop()
    for i = #self.workers, 1, -1 do
        self.workers[i].put_back()
        self.workers[i].rig:stop()
    end
end

return _M
