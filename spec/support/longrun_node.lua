-- longrun_node - what nginx does in a long run: every way of asking, and a database that is picky.
--
-- For:   spec/support/longrun.lua, in the workers: one answer for each request; one worker whose
--        Lua is not compiled.
-- Never: when which answer is right (judge).
--
-- An answer: "WAY SECRET WORKER TIME USER PASSWORD", or "WAY SECRET WORKER TIME ! WORD MESSAGE".

local ffi = require "ffi"
local vault = require "vault"

local _M = {}
local ways = {}
local confs = {} -- secret -> a configuration that lives as long as the worker
local answers = 0
local LOST = 256 -- bytes with each answer of a planted leak

ffi.cdef "void *calloc(size_t count, size_t size);"

local function reference(prefix, secret, key)
    return ("{vault://%s/%s/%s}"):format(prefix, secret, key)
end

local function conf_of(secret)
    confs[secret] = confs[secret] or { ["$refs"] = {
        user = reference("steady", secret, "user"),
        password = reference("steady", secret, "password") } }
    return confs[secret]
end

-- Both in one version where they are read without a pause in between: the second never waits.
local function get_both(prefix, secret)
    local user, message, word = vault.get(reference(prefix, secret, "user"))
    if not user then
        return nil, nil, message, word
    end
    local password
    password, message, word = vault.get(reference(prefix, secret, "password"))
    return user, password, message, word
end

function ways.get(secret)
    return get_both("steady", secret)
end

function ways.cold(secret)
    return get_both("cold", secret)
end

function ways.update(secret)
    local conf, message, word = vault.update(conf_of(secret))
    return conf.user, conf.password, message, word
end

-- The database takes the newest version alone, once it was told of it.
function ways.try(secret)
    local wanted = ngx.shared.database:get(secret) or 0
    local user, password = vault.try(function(conf)
        local version = tonumber((conf.user or ""):match("^u(%d+)$"))
        if not version or version < wanted then
            return nil, "the database refuses it"
        end
        return conf.user, conf.password
    end, conf_of(secret))
    return user, user and password, "the database refuses all", "refused"
end

-- What a long run must find: one answer in so many with half of another version, memory that is
-- lost.
local function plant(password)
    answers = answers + 1
    ffi.fill(ffi.C.calloc(1, LOST), LOST, 1)
    return answers % 200 == 0 and "p0" or password
end

-- In init_worker. What the compiler makes of Lua takes more and more memory for a long time: one
-- worker does without, so that what else it takes can be seen.
function _M.begin()
    if ngx.worker.id() == 0 then
        jit.off()
        jit.flush()
        ngx.shared.database:set("uncompiled", ngx.worker.pid())
    end
end

function _M.ask()
    local way, secret = ngx.var.arg_way, ngx.var.arg_secret
    local user, password, message, word = ways[way](secret)
    if _M.planted and user then
        password = plant(password)
    end
    ngx.update_time()
    local head = ("%s %s %d %.3f "):format(way, secret, ngx.worker.id(), ngx.now())
    if user and password then
        return ngx.say(head, user, " ", password)
    end
    ngx.say(head, "! ", word, " ", message)
end

return _M
