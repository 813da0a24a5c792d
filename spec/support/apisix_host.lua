-- apisix_host - a stand-in for Apache APISIX around its secret managers, written from what APISIX
--               documents of them.
--
-- For:   loading a manager by name, checking a secret object against its JSON Schema, references in
--        a plugin's configuration, APISIX's cache. In nginx and without.
-- Never: APISIX's code; what a manager is.
--
-- apisix.apache.org: "Secret", "Admin API: Secret", "Plugin Develop: lua_module_hook".

local _M = {}
local methods = {}
local metatable = { __index = methods }

-- JSON Schema -------------------------------------------------------------------------------------

local TYPES = { object = "table", array = "table", string = "string", boolean = "boolean",
                number = "number", integer = "number" }
local checks = {}

function checks.properties(properties, value, schema)
    for name, inner in pairs(value) do
        local rules = properties[name]
        if not rules and schema.additionalProperties == false then
            return "additional properties forbidden, found " .. tostring(name)
        end
        local ok, complaint = true, nil
        if rules then
            ok, complaint = _M.check(rules, inner)
        end
        if not ok then
            return ('property "%s" validation failed: %s'):format(name, complaint)
        end
    end
end

function checks.items(items, value)
    for i, inner in ipairs(value) do
        local ok, complaint = _M.check(items, inner)
        if not ok then
            return ("item %d: %s"):format(i, complaint)
        end
    end
end

local function bound(is_right, complaint)
    return function(limit, value)
        return not is_right(value, limit) and complaint or nil
    end
end

local function at_least(value, limit) return value >= limit end
local function at_most(value, limit) return value <= limit end
local function length_least(value, limit) return #value >= limit end
local function length_most(value, limit) return #value <= limit end

checks.minimum, checks.maximum = bound(at_least, "too small"), bound(at_most, "too great")
checks.minLength = bound(length_least, "too short")
checks.maxLength = bound(length_most, "too long")
checks.minItems, checks.maxItems = checks.minLength, checks.maxLength

local PLAIN = { type = true, description = true, additionalProperties = true }

-- true | nil, complaint. Raises for a keyword that is not JSON Schema's.
function _M.check(schema, value)
    assert(TYPES[schema.type], "no type")
    for keyword in pairs(schema) do
        assert(PLAIN[keyword] or checks[keyword], "unknown keyword " .. keyword)
    end
    local is_right = type(value) == TYPES[schema.type]
        and not (schema.type == "integer" and value % 1 ~= 0)
    if not is_right then
        return nil, "wrong type: expected " .. schema.type
    end
    for keyword, check in pairs(checks) do
        local complaint = schema[keyword] ~= nil and check(schema[keyword], value, schema)
        if complaint then
            return nil, complaint
        end
    end
    return true
end

-- Secrets -----------------------------------------------------------------------------------------

-- objects  "manager/id" -> secret object, as in etcd
-- cache    false: without APISIX's cache; ttl, failure_ttl: seconds (300, 60)
-- now      function() -> seconds
-- log      function(message): APISIX's error log
function _M.new(options)
    return setmetatable({
        objects = {}, now = options.now, log = options.log, cached = {},
        with_cache = options.cache ~= false, ttl = options.ttl or 300,
        failure_ttl = options.failure_ttl or 60,
    }, metatable)
end

-- What the Admin API does with PUT /apisix/admin/secrets/{manager}/{id}: true | nil, complaint.
function methods:put(manager, id, object)
    local ok, loaded = pcall(require, "apisix.secret." .. manager)
    assert(ok, loaded)
    local stored = { id = manager .. "/" .. id, create_time = 1700000000, update_time = 1700000000 }
    for name, value in pairs(object) do
        stored[name] = value
    end
    local good, complaint = _M.check(loaded.schema, stored)
    if good then
        self.objects[stored.id] = stored
    end
    return good, complaint
end

local function check_results(...)
    local value, err = ...
    assert(value == nil or type(value) == "string", "a value that is no string")
    assert(value == nil or err == nil, "a value and an error")
    assert(value or type(err) == "string" and err ~= "", "a failure without a reason")
    return value, err
end

-- The value of a reference: from the first "/" after the object's id all is the manager's.
local function fetch(self, text)
    local manager, id, key = text:match("^%$secret://([^/]*)/([^/]*)/(.+)$")
    local object = manager and self.objects[manager .. "/" .. id]
    if not object then
        return nil, "no secret conf"
    end
    return check_results(require("apisix.secret." .. manager).get(object, key))
end

-- string | nil, err
function methods:get(text)
    local one = self.with_cache and self.cached[text]
    if one and one.expires > self.now() then
        return one.value, one.err
    end
    local value, err = fetch(self, text)
    self.cached[text] = { value = value, err = err,
                          expires = self.now() + (value and self.ttl or self.failure_ttl) }
    if err then
        self.log("failed to fetch secret value: " .. err)
    end
    return value, err
end

-- A copy of a plugin's configuration with its references' values; what has none stays as it is.
function methods:fetch_secrets(conf)
    local copy = {}
    for name, value in pairs(conf) do
        if type(value) == "table" then
            value = self:fetch_secrets(value)
        elseif type(value) == "string" and value:find("^%$secret://") then
            value = self:get(value) or value
        end
        copy[name] = value
    end
    return copy
end

-- In nginx ----------------------------------------------------------------------------------------

-- Call in init_by_lua. Makes the global `apisix`, this stand-in.
--
-- hook   what `lua_module_hook` names; nil: nothing
-- conf   what is in config.yaml
function _M.start(options)
    if options.hook then
        require(options.hook)
    end
    package.loaded["apisix.core.config_local"] = {
        local_conf = function() return options.conf or {} end,
    }
    options.now = ngx.now
    options.log = function(message) ngx.log(ngx.ERR, message) end
    rawset(_G, "apisix", _M.new(options))
end

return _M
