-- blocking - fetches on this thread, for phases in which nothing can wait.
--
-- For:   init, init_worker and the command line; init's time, which all of its fetches share.
-- Never: which phases these are, caching.

local collector = require "vault.collector"

local ngx = ngx -- luacheck: ignore 431; nil on the command line

local _M = {}

local LEAST = 0.005 -- seconds; what is left in less comes to nothing
local init_timeout, spent = 10, 0

-- init_timeout: seconds for all fetches of one init or init_worker together, or nil
function _M.configure(options)
    init_timeout = options.init_timeout or init_timeout
end

-- init_worker has as much time as init had.
function _M.init_worker()
    spent = 0
end

local function moment()
    if not ngx then
        return 0
    end
    ngx.update_time()
    return ngx.now()
end

-- What the engine makes of `request`: result | nil, message, word
function _M.run(request)
    local left = init_timeout - spent
    if ngx and left <= LEAST then
        return nil, ("the init_timeout of %s s is used up"):format(init_timeout), "timeout"
    end
    local began = moment()
    if ngx and left < (request.timeout or 10) then
        request.timeout = math.max(left, 0.001)
    end
    local result, message, word = collector.run(request)
    spent = spent + moment() - began
    return result, message, word
end

return _M
