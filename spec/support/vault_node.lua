-- vault_node - workers of one node that have vaults: vault.vaults over a shared dict and a disk
--              that are tables.
--
-- For:   specs of changes: a worker can be killed at each step it makes, and each can fail.
-- Never: nginx, HTTP.

local core = require "vault.core"
local dicts = require "spec.support.dict"
local locks = require "vault.locks"
local rooms = require "spec.support.rooms"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local KILLED = "the worker is killed"
local CHANGES = { safe_set = true, safe_add = true, delete = true, expire = true }
local ROOMS = { "vault.entities", "vault.state", "vault.sources", "vault.vaults" }

-- disk: path -> text; disk.broken = message: nothing can be written; warned: what workers warned of
function _M.new()
    local self = setmetatable({ clock = 1700000000, disk = {}, workers = {}, warned = {},
                                put_back = {} }, metatable)
    self:restart()
    return self
end

-- All of nginx ends: the dict is gone.
function methods:restart()
    for _, worker in ipairs(self.workers) do
        worker.dead = true
    end
    self.dict = dicts.new { now = function() return self.clock end }
end

-- One step of `worker`, at which it may be killed, before or after; or fail.
local function step(worker, action, fail)
    if worker.dead then
        error(KILLED, 0)
    end
    worker.steps = worker.steps + 1
    if worker.fail_at == worker.steps then
        return fail()
    elseif worker.kill_at == worker.steps then
        worker.dead = true
        error(KILLED, 0)
    end
    return action()
end

local function dict_of(self, worker)
    return setmetatable({}, { __index = function(_, name)
        return function(_, ...)
            local arguments = { ... }
            local function call()
                return self.dict[name](self.dict, unpack(arguments, 1, 4))
            end
            if not CHANGES[name] then
                assert(not worker.dead, KILLED)
                return call()
            end
            return step(worker, call, function()
                if name:find("^safe") then
                    return false, "no memory"
                end
                return call()
            end)
        end
    end })
end

local function read_file(self, path)
    local text = self.disk[path]
    if type(text) == "table" then
        return nil, "cannot open " .. path .. ": planted", text.word
    elseif not text then
        return nil, "cannot open " .. path .. ": No such file", "not_found"
    end
    return text
end

-- Two steps: nothing is written yet; all is, but the folder may not be on the disk.
local function replace_file(self, worker, path, text)
    local function fail()
        return nil, "cannot write " .. path .. ": planted", "internal"
    end
    if self.disk.broken then
        return fail()
    end
    local ok, message = step(worker, function() return true end, fail)
    if not ok then
        return nil, message
    end
    self.disk[path] = text
    return step(worker, function() return true end, fail)
end

-- A worker more, or the master: configured, but not started. Further options are configure's.
-- worker.vaults; worker.changed: list of prefixes; worker.gone: prefix -> what on_change said last;
-- kill_at, fail_at: number of a step from now on
function methods:load(options)
    local worker = { steps = 0, changed = {}, gone = {}, pid = 100 + #self.workers }
    local loaded = { rooms.load(ROOMS, { ["vault.core"] = setmetatable({
        read_file = function(path) return read_file(self, path) end,
        replace_file = function(...) return replace_file(self, worker, ...) end,
    }, { __index = core }) }) }
    worker.vaults = loaded[#ROOMS]
    table.insert(self.put_back, 1, loaded[#ROOMS + 1])
    self.workers[#self.workers + 1] = worker
    worker.locks = locks.new {
        dict = dict_of(self, worker), now = function() return self.clock end, pid = worker.pid,
        started = 1, alive = function(pid) return not self.workers[pid - 99].dead end,
    }
    local settings = {
        dict = dict_of(self, worker), now = function() return self.clock end,
        locks = worker.locks, warn = function(text) table.insert(self.warned, text) end,
        on_change = function(prefix, gone)
            table.insert(worker.changed, prefix)
            worker.gone[prefix] = gone
        end,
    }
    for name, value in pairs(options or {}) do
        settings[name] = value or nil
    end
    worker.result = { worker.vaults.configure(settings) }
    return worker
end

-- The same, and it serves.
function methods:start_worker(options)
    local worker = self:load(options)
    worker.vaults.start { locks = worker.locks, wait = function(seconds)
        self.clock = self.clock + seconds
        if self.on_wait then
            self.on_wait()
        end
    end }
    return worker
end

-- Some beats of all that live.
function methods:beat()
    for _ = 1, 3 do
        self.clock = self.clock + 0.1
        for _, worker in ipairs(self.workers) do
            if not worker.dead then
                worker.vaults.read_news()
            end
        end
    end
end

-- A change that puts a vault there; description: "" takes it away.
function methods.put(worker, prefix, description)
    return worker.vaults.change(function(entities)
        for i = #entities, 1, -1 do
            if entities[i].prefix == prefix then
                table.remove(entities, i)
            end
        end
        if description ~= "" then
            entities[#entities + 1] = { prefix = prefix, name = "aws", description = description,
                                        config = { region = "eu-west-1" } }
        end
        return entities, "done"
    end)
end

-- "prefix=description ..", in order.
function methods.shown(worker)
    local words = {}
    for i, entity in ipairs(worker.vaults.list()) do
        words[i] = entity.prefix .. "=" .. tostring(entity.description)
    end
    table.sort(words)
    return table.concat(words, " ")
end

-- Put all modules back.
function methods:stop()
    for _, put_back in ipairs(self.put_back) do
        put_back()
    end
end

return _M
