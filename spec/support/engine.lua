-- engine - vault.fetch over an engine whose fetches end when the spec says so.
--
-- For:   specs of vault.fetch: vault.core's port and run as a table, in a world of light threads.
-- Never: nginx, the C engine.

local light = require "spec.support.light"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local REPLACED = { "vault.core", "vault.fetch", "ngx.semaphore" }

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
    return core
end

-- core, world (of light).
function _M.new()
    local self = setmetatable({ core = stand_in(), world = light.new(), loaded = {} }, metatable)
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
    package.loaded["vault.fetch"] = nil
    self.world.phase = phase or "init"
    self.fetch = require "vault.fetch"
    self.world.phase = "content"
    return self.fetch
end

-- A request of `phase` ("content") that asks for `key`: { done, results }.
function methods:ask(key, phase, on_done, timeout)
    return self.world:spawn(phase or "content", function()
        return self.fetch.get(key, { secret_id = key, timeout = timeout }, on_done
            or function(result) return result end)
    end)
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
