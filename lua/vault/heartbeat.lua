-- heartbeat - what each worker does from time to time.
--
-- For:   one timer per worker for all of it; a fault in one kind of work stops no other.
-- Never: what the work is.

local _M = {}

local BEAT = 0.1 -- seconds
local SHORTEST = 0.001 -- seconds

-- What `run` returns, where that is a number; a fault is logged.
local function guarded(run, warn)
    local ok, result = pcall(run)
    if not ok then
        warn("a worker's regular work failed: " .. tostring(result))
    end
    return ok and type(result) == "number" and result or math.huge
end

-- One beat. Work that asks to be called again before the next beat is. context: a timer
--
-- heart  { warn = function(message), work, ... }, a work being { every = beats, run = function() ->
--        nil | seconds until it may be called again }
-- count  how many beats there were before
function _M.beat(heart, count)
    for _, work in ipairs(heart) do
        if count % work.every == work.every - 1 then
            local left = BEAT
            local wait = math.max(guarded(work.run, heart.warn), SHORTEST)
            while wait < left do
                ngx.sleep(wait)
                left = left - wait
                wait = math.max(guarded(work.run, heart.warn), SHORTEST)
            end
        end
    end
end

-- Start it. heart.last = function(): called when the worker leaves.
--
-- context: init_worker_by_lua*. true | nil, message (no timer)
function _M.start(heart)
    local count = 0
    return ngx.timer.every(BEAT, function(premature)
        if premature then
            guarded(heart.last, heart.warn)
            return
        end
        count = count + 1
        _M.beat(heart, count - 1)
    end)
end

return _M
