-- semaphores - nginx's, used again.
--
-- For:   whoever waits. Each of nginx's has a finalizer, which Lua's collector of garbage runs one
--        by one: that is a tenth and more of what a fetch costs the worker (docs/bench.md).
-- Never: who waits, and for what.

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}

-- Now: a worker that has run out of descriptors cannot load it any more.
local _, semaphore = pcall(require, ngx and "ngx.semaphore" or "")
local MOST = 256 -- kept

local kept, count = {}, 0

-- One without resources, on which nobody waits.
function _M.take()
    if count == 0 then
        return semaphore.new()
    end
    local one = kept[count]
    kept[count], count = nil, count - 1
    return one
end

-- `one` is nobody's any more. One that was posted to more often than waited on is not used again.
function _M.give(one)
    if count < MOST and one:count() == 0 then
        count = count + 1
        kept[count] = one
    end
end

-- Wake all who wait on `one` at this moment.
function _M.wake(one)
    local waiting = -one:count()
    if waiting > 0 then
        one:post(waiting)
    end
end

return _M
