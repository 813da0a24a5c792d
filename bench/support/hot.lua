-- hot - what costs a worker nothing but its own processor: values that are in its table.
--
-- For:   content locations of cached.lua: nanoseconds of vault.get, of a bare look-up, of
--        lua-resty-lrucache's get, of vault.update, each the median of rounds that take turns.
-- Never: fetches: all values are there before the first round.

local clock = require "bench.support.clock"
local lrucache = require "resty.lrucache"
local median = require("bench.support.rounds").median
local vault = require "vault"

local ROUNDS = 15
local ROUND_CALLS = 300000

local _M = {}
local now = ngx.now
local sum = 0 -- of lengths: what is read must be wanted

local function reference(i)
    return ("{vault://aws/bench-%09d/password?ttl=86400}"):format(i)
end

-- Nanoseconds a call of `run`(times), in which `count` calls are made.
local function nanoseconds(run, times, count)
    local began = clock.milliseconds()
    run(times)
    return (clock.milliseconds() - began) * 1e6 / count
end

-- The medians of `runs` (name -> function(times)), of rounds in turn, each of `per` calls a time.
local function measure(runs, per)
    local times, spent, medians = math.ceil(ROUND_CALLS / per), {}, {}
    for name in pairs(runs) do
        spent[name] = {}
    end
    for round = 0, ROUNDS do
        for name, run in pairs(runs) do
            local each = nanoseconds(run, times, times * per)
            spent[name][round] = each -- round 0 is for the compiler
        end
    end
    for name, list in pairs(spent) do
        medians[name] = median(list)
    end
    return medians
end

-- Each is a function of its own, so that each has a trace of its own.
local function bare_run(list, values)
    return function(times)
        for _ = 1, times do
            for i = 1, #list do
                if now() > 0 then
                    sum = sum + #values[list[i]]
                end
            end
        end
    end
end

local function lrucache_run(list, cache)
    return function(times)
        for _ = 1, times do
            for i = 1, #list do
                sum = sum + #cache:get(list[i])
            end
        end
    end
end

local function vault_run(list)
    local get = vault.get
    return function(times)
        for _ = 1, times do
            for i = 1, #list do
                sum = sum + #get(list[i])
            end
        end
    end
end

-- `count` references in turn: { vault, bare, lrucache }, nanoseconds a look-up; nil, message
function _M.get(count)
    local list, values, cache = {}, {}, lrucache.new(count)
    for i = 1, count do
        local value, message = vault.get(reference(i))
        if not value then
            return nil, message
        end
        list[i], values[reference(i)] = reference(i), value
        cache:set(reference(i), value, 86400)
    end
    return measure({ bare = bare_run(list, values), lrucache = lrucache_run(list, cache),
                     vault = vault_run(list) }, count)
end

-- A configuration with `count` references, one record for each four of them.
local function configuration(count)
    local conf = {}
    for i = 1, count do
        local record = math.ceil(i / 4)
        conf[record] = conf[record] or { host = "db.internal" }
        conf[record]["field" .. i] = reference(i)
    end
    return conf
end

local function update_run(conf)
    local update = vault.update
    return function(times)
        for _ = 1, times do
            update(conf)
        end
    end
end

local function dereference_run(count)
    return function(times)
        for _ = 1, times do
            assert(vault.dereference(configuration(count)))
        end
    end
end

-- update of a configuration in which nothing has changed; one cached get beside it.
-- { update, get }, nanoseconds a call
function _M.update(count)
    local conf = assert(vault.dereference(configuration(count)))
    return measure({ update = update_run(conf), get = vault_run { reference(1) } }, 1)
end

-- Microseconds of a dereference of `count` references with their values at hand.
function _M.dereference(count)
    local run = dereference_run(count)
    run(10)
    local spent = {}
    for i = 1, ROUNDS do
        spent[i] = nanoseconds(run, 50, 50) / 1e3
    end
    return median(spent)
end

return _M
