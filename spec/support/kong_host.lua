-- kong_host - a stand-in for Kong around its vaults, written from what Kong documents of them.
--
-- For:   loading a strategy and its schema by name, the config that it is called with, Kong's
--        caches, kong.vault.get, update and try, the rotation once a minute. In nginx and without.
-- Never: Kong's code; what a strategy is.
--
-- developer.konghq.com: "Create a custom vault backend", "Vaults", "Secret management", the PDK's
-- kong.vault, "schema.lua".

local schemas = require "spec.support.kong_schema"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local NOTHING = "\0" -- in a cache: it is known that there is no value

-- References --------------------------------------------------------------------------------------

local function unescape(text)
    return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The PDK's table: { name, resource, key?, config?, version? }.
function _M.parse_reference(text)
    local inside = text:match("^{vault://(.*)}$")
    assert(inside, "not a reference")
    local rest, version = inside:match("^([^#]*)#?(.*)$")
    local address, query = rest:match("^([^?]*)%??(.*)$")
    local name, path = address:match("^([^/]+)/(.+)$")
    local parts = { name = name, version = tonumber(version) }
    parts.resource, parts.key = path:match("^(.*)/([^/]*)$")
    parts.resource = unescape(parts.resource or path)
    parts.key = parts.key and parts.key ~= "" and unescape(parts.key) or nil
    for option, value in query:gmatch("([^&=]+)=([^&]*)") do
        parts.config = parts.config or {}
        parts.config[option] = unescape(value)
    end
    return parts
end

-- Loading -----------------------------------------------------------------------------------------

-- Kong, as it is once it has read its settings.
--
-- configuration  what kong.configuration holds; vaults: the names in its setting `vaults`
-- entities       prefix -> { name, config }
-- dict           the shared dict of Kong's cache; nil: a table
-- now            function() -> seconds
function _M.new(options)
    local self = setmetatable({
        configuration = options.configuration or {}, entities = options.entities or {},
        dict = options.dict, now = options.now, cached = {}, strategies = {}, schemas = {},
    }, metatable)
    for _, name in ipairs(options.vaults or { "aws" }) do
        self.strategies[name] = require("kong.vaults." .. name)
        self.schemas[name] = require(("kong.vaults.%s.schema"):format(name))
        schemas.check_schema(name, self.schemas[name])
    end
    return self
end

-- What Kong calls once, when it has loaded a strategy.
function methods:init()
    for _, strategy in pairs(self.strategies) do
        strategy.init()
    end
end

-- What the Admin API does with a vaults entity: { name, config }, or nil and complaints by field.
function methods:put(prefix, entity)
    local config, complaints = schemas.check(self.schemas[entity.name], entity.config or {})
    if not config then
        return nil, complaints
    end
    self.entities[prefix] = { name = entity.name, config = config }
    return self.entities[prefix]
end

-- Calling a strategy ------------------------------------------------------------------------------

-- name, and the settings before a reference's options are laid over them.
local function base_of(self, prefix)
    local entity = self.entities[prefix]
    if entity then
        return entity.name, entity.config
    end
    local config = {}
    for name in schemas.each(self.schemas[prefix]) do
        config[name] = self.configuration[("vault_%s_%s"):format(prefix, name)]
    end
    return prefix, config
end

-- A strategy sees the fields of its schema, inferred from text, those that are right.
local function config_of(self, parts)
    local name, base = base_of(self, parts.name)
    local config = {}
    for field, rules in schemas.each(self.schemas[name]) do
        local value = schemas.infer((parts.config or {})[field] or base[field], rules)
        if value ~= nil and schemas.check_field(rules, value) then
            assert(type(value) ~= "table", "Kong's cache keys are made of values as text")
            config[field] = value
        end
    end
    return self.strategies[name], config
end

-- The one member that a reference's key means.
local function cut(text, key)
    if not key then
        return text
    end
    local ok, object = pcall(require("cjson").decode, text)
    local value = ok and type(object) == "table" and object[key]
    if type(value) ~= "string" then
        return nil, "no such key, or no string"
    end
    return value
end

-- What a strategy returns: text | nil, err; a third result would be a ttl.
local function check_results(...)
    local count, text, err = select("#", ...), ...
    assert(text == nil or type(text) == "string", "a value that is no string")
    assert(count <= (text and 1 or 2), "a strategy of ours says nothing of a ttl")
    assert(text or type(err) == "string" and err ~= "", "a failure without a reason")
    return text, err
end

-- The value of a reference from its vault, past all caches. `seen`: what else was read in the same
-- round of a rotation, so that the keys of one secret are of one version.
local function fetch(self, text, seen)
    local parts = _M.parse_reference(text)
    local strategy, config = config_of(self, parts)
    local id = ("%s %s %s"):format(parts.name, parts.resource, tostring(parts.version))
    local one = seen and seen[id]
    if not one then
        one = { check_results(strategy.get(config, parts.resource, parts.version)) }
        if seen then
            seen[id] = one
        end
    end
    local value, err = one[1], one[2]
    if value then
        value, err = cut(value, parts.key)
    end
    return value, err, config.ttl
end

-- Caches ------------------------------------------------------------------------------------------

-- Keep what came of `text` for the node and for this worker.
local function keep(self, text, value, ttl)
    local now = self.now()
    local one = { value = value or NOTHING, expires = ttl and ttl > 0 and now + ttl or math.huge }
    self.cached[text] = one
    if self.dict then
        self.dict:safe_set(text, ("%.3f %s"):format(math.min(one.expires, 1e12), one.value))
    end
end

local function cached(self, text)
    local shared = self.dict and self.dict:get(text)
    if not shared then
        return self.cached[text]
    end
    local expires, value = shared:match("^(%S+) (.*)$")
    return { value = value, expires = tonumber(expires) }
end

local function fetch_and_keep(self, text, seen)
    local value, err, ttl = fetch(self, text, seen)
    keep(self, text, value, ttl)
    return value, err
end

-- kong.vault.get
function methods:get(text)
    local one = cached(self, text)
    if one then
        return one.value ~= NOTHING and one.value or nil
    end
    return fetch_and_keep(self, text)
end

-- The references of a configuration, in order, each once.
local function references_of(conf)
    local list, seen = {}, {}
    for _, text in pairs(conf["$refs"] or {}) do
        if not seen[text] then
            seen[text], list[#list + 1] = true, text
        end
    end
    table.sort(list)
    return list
end

-- kong.vault.update: from the caches alone.
function methods:update(conf)
    for field, text in pairs(conf["$refs"] or {}) do
        local one = cached(self, text)
        conf[field] = one and one.value ~= NOTHING and one.value or ""
    end
    return conf
end

-- kong.vault.try: where the callback fails its references are rotated, and it is called once more.
function methods:try(callback, conf)
    self:update(conf)
    local result = callback(conf)
    if result then
        return result
    end
    local seen = {}
    for _, text in ipairs(references_of(conf)) do
        fetch_and_keep(self, text, seen)
    end
    self:update(conf)
    return callback(conf)
end

-- Once a minute, on one worker: what is past its ttl, or has no value.
function methods:rotate()
    local seen = {}
    for text, one in pairs(self.cached) do
        one = cached(self, text) or one
        if one.value == NOTHING or one.expires <= self.now() then
            fetch_and_keep(self, text, seen)
        end
    end
end

-- In nginx ----------------------------------------------------------------------------------------

-- What Kong puts in the place of nginx's timers: jobs for a pool of light threads, which is not
-- there before a worker runs. A timer below a tenth of a second or beyond a day is nginx's.
local function replace_timers()
    local native = ngx.timer.at
    rawset(_G, "native_timer_at", native)
    local pool = { jobs = 0 }
    ngx.timer.at = function(delay, job, ...) -- luacheck: ignore 122
        assert(ngx.get_phase() ~= "init", "the timer module is not started")
        if delay > 0 and delay < 0.1 or delay > 86398 then
            return native(delay, job, ...)
        end
        pool.jobs = pool.jobs + 1
        local arguments = { ... }
        return native(delay, function() job(false, unpack(arguments, 1, 4)) end)
    end
    return pool
end

-- Call in init_by_lua. Makes the global `kong`: { configuration, vault, timers }; vault: this
-- stand-in. Options as new()'s, and ready: function(), called before a strategy is loaded.
function _M.start(options)
    local kong = { configuration = options.configuration or {}, timers = replace_timers(),
                   vault = {} }
    rawset(_G, "kong", kong)
    options.dict, options.now = ngx.shared.kong_secrets, ngx.now
    if options.ready then
        options.ready()
    end
    for name, value in pairs(_M.new(options)) do
        kong.vault[name] = value
    end
    setmetatable(kong.vault, metatable):init()
end

return _M
