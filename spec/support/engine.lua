-- engine - vault.fetch over an engine whose fetches end when the spec says so.
--
-- For:   specs of vault.fetch and vault.collector: vault.core's port and run as a table, in a world
--        of light threads. Several in one world are workers of one node.
-- Never: nginx, the C engine.

local failures_of = require "vault.failures"
local light = require "spec.support.light"
local locks_of = require "vault.locks"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local ROOMS = { "vault.collector", "vault.blocking", "vault.late", "vault.handover",
                "vault.semaphores", "vault.untold", "vault.watch", "vault.fetch" }
local REPLACED = { "vault.core", "ngx.semaphore", unpack(ROOMS) }

-- vault.core as vault.fetch sees it. finish(number, result | nil, message, word) ends a fetch.
local function stand_in()
    local core = { submitted = {}, finished = {}, taken = 0, listening = 0, hung_up = 0 }
    local port = {}
    core.port = port

    function port.submit(_, request, settings)
        if core.refuses then
            return nil, "planted " .. core.refuses, core.refuses
        end
        core.submitted[#core.submitted + 1] = { request = request, settings = settings }
        return #core.submitted
    end
    function port.take()
        core.takes = (core.takes or 0) + 1
        local one = table.remove(core.finished, 1)
        if not one then
            return nil
        end
        core.taken = core.taken + 1
        return unpack(one, 1, 4)
    end
    function port.pending()
        return #core.submitted - core.taken
    end
    function port.listen(_, ...)
        core.listening, core.folders = core.listening + 1, { ... }
        return core.path
    end
    function port.accept()
        return true
    end
    function port.hang_up()
        core.hung_up = core.hung_up + 1
        if core.socket then
            core.socket.ends()
        end
    end
    function core.finish(number, ...)
        core.finished[#core.finished + 1] = { number, ... }
        if core.socket then
            core.socket.rings()
        end
    end
    function core.getenv(name)
        return name == "TMPDIR" and core.tmpdir or nil
    end
    function core.run(request, settings)
        core.ran = { request = request, settings = settings }
        return unpack(core.outcome, 1, 3)
    end
    function core.explain(request, settings)
        core.explained = { request = request, settings = settings }
        return unpack(core.outcome, 1, 3)
    end
    return core
end

-- core, world (of light; a new one where none is given).
function _M.new(world)
    local self = setmetatable({ core = stand_in(), world = world or light.new(), loaded = {} },
        metatable)
    self.ngx = rawget(_G, "ngx")
    for _, name in ipairs(REPLACED) do
        self.loaded[name] = package.loaded[name]
    end
    return self
end

-- vault.fetch, first required in `phase` ("init" where nil; false: without nginx).
function methods:load(phase)
    rawset(_G, "ngx", phase ~= false and self.world.ngx or nil)
    package.loaded["vault.core"] = self.core
    package.loaded["ngx.semaphore"] = self.world.semaphore
    for _, name in ipairs(ROOMS) do
        package.loaded[name] = nil
    end
    self.world.phase = phase or "init"
    self.fetch = require "vault.fetch"
    self.collector, self.watch = require "vault.collector", require "vault.watch"
    self.world.phase = "content"
    return self.fetch
end

local function as_it_is(result)
    return result
end

-- A request of `phase` ("content") that asks for `key`: { done, results }. options: of fetch.get
function methods:ask(key, phase, on_done, timeout, options)
    return self.world:spawn(phase or "content", function()
        return self.fetch.get(key, { secret_id = key, timeout = timeout }, on_done or as_it_is,
            options)
    end)
end

-- Make this one worker `pid` of the node whose locks are in `dict`. Those in `dead` do not live.
function methods:join(dict, pid, dead)
    self.locks = locks_of.new { dict = dict, now = self.world.ngx.now, pid = pid, started = 1,
                                alive = function(asked) return not dead[asked] end }
    self.fetch.share { locks = self.locks, failures = failures_of.new(dict) }
end

-- A Unix socket between the stand-in and the collector; the collector's end of it.
function methods:with_socket()
    local core, world = self.core, self.world
    core.path = "/proc/self/fd/7"
    local socket, bells, over = { closed = false }, world.semaphore.new(), false
    function socket.rings()
        bells:post(1)
    end
    function socket.ends()
        over = true
        bells:post(1)
    end
    function socket.settimeouts(_, _, _, most)
        socket.most = most / 1000
    end
    function socket.connect(_, path)
        socket.path = path
        return true
    end
    function socket.receive()
        socket.receives = (socket.receives or 0) + 1
        if not bells:wait(socket.most) then
            return nil, "timeout"
        end
        if over then
            return nil, "closed"
        end
        return "x"
    end
    function socket.close()
        socket.closed = true
    end
    core.socket = socket
    world.ngx.socket = { tcp = function() return socket end }
    return socket
end

-- Put all modules back.
function methods:stop()
    rawset(_G, "ngx", self.ngx)
    for _, name in ipairs(REPLACED) do
        package.loaded[name] = self.loaded[name]
    end
end

return _M
