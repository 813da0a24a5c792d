-- load - cold fetches by a worker, as fast as it can, at a fixed concurrency.
--
-- For:   content locations of gateway.lua and memory.lua: light threads that each ask vault.get for
--        one reference after the other that nobody asked for since the caches were emptied.
-- Never: the library's inside; HTTP between the load and the worker, which would be measured too.

local clock = require "bench.support.clock"
local vault = require "vault"

local milliseconds = clock.milliseconds
local texts = {} -- a gateway's references are there before they are asked for
local asked = 0 -- of them

local _M = {}

local function next_text()
    asked = asked + 1
    if not texts[asked] then
        texts[asked] = ("{vault://aws/bench-%09d}"):format(asked)
    end
    return texts[asked]
end

local function ask_until(over, spent)
    local now = milliseconds()
    while now < over do
        local value, message = vault.get(next_text())
        if not value then
            return message
        end
        local before = now
        now = milliseconds()
        spent[#spent + 1] = now - before
    end
    return nil
end

-- Fetch for `seconds` with `concurrency` light threads: { fetches, seconds, p50_ms, p99_ms }, or
-- nil and the first failure. The caches are emptied first, so that the dict has no more secrets in
-- it than a node would.
function _M.run(concurrency, seconds)
    local spent, threads, failure = {}, {}, nil
    vault.flush()
    asked = 0
    local began = milliseconds()
    for i = 1, concurrency do
        threads[i] = ngx.thread.spawn(ask_until, began + seconds * 1e3, spent)
    end
    for i = 1, concurrency do
        local _, message = ngx.thread.wait(threads[i])
        failure = failure or message
    end
    if failure then
        return nil, failure
    end
    local took = milliseconds() - began
    table.sort(spent)
    return {
        fetches = #spent, seconds = took / 1e3,
        p50_ms = spent[math.ceil(#spent * 0.50)], p99_ms = spent[math.ceil(#spent * 0.99)],
    }
end

-- Bytes of this process's memory that it shares with nobody: the dict is not in it.
local function own_memory()
    local file = io.open("/proc/self/status")
    local kilobytes = file:read("*a"):match("RssAnon:%s*(%d+)")
    file:close()
    return tonumber(kilobytes) * 1024
end

local function memory()
    local dict = ngx.shared.vault_secrets
    collectgarbage()
    collectgarbage() -- what the first one finalized
    return { lua = collectgarbage("count") * 1024, worker = own_memory(),
             dict = dict:capacity() - dict:free_space() }
end

local FILLERS = 16

local function ask_until_there(last, failure)
    while asked < last and not failure.message do
        asked = asked + 1
        local value, message = vault.get(
            ("{vault://aws/bench-%09d/password?ttl=86400}"):format(asked))
        failure.message = failure.message or not value and message or nil
    end
end

-- Have so many more secrets in the cache: bytes in use then { lua, worker, dict }, and those of one
-- secret { secret_bytes }; or nil and the first failure.
function _M.fill(secrets)
    local threads, failure, last = {}, {}, asked + secrets
    for i = 1, FILLERS do
        threads[i] = ngx.thread.spawn(ask_until_there, last, failure)
    end
    for i = 1, FILLERS do
        ngx.thread.wait(threads[i])
    end
    if failure.message then
        return nil, failure.message
    end
    local used = memory()
    used.secret_bytes = #vault.get(("{vault://aws/bench-%09d?ttl=86400}"):format(asked))
    return used
end

return _M
