-- schema - the vaults entity and APISIX's secret object: what may come in, what is shown.
--
-- For:   input -> an entity, or what is wrong with it by field in Kong's shape; the mask over what
--        is written and never shown; what /schemas says. Pure.
-- Never: ngx, storage, ids and times of new entities; which source of a setting wins
--        (vault.config): the defaults are not filled in, so that the environment is heard.

local fields = require "vault.schema_fields"
local quote = require("vault.reference").quote
local violations = require "vault.violations"

local _M = {}

-- Stands in the place of what is write-only; put back, it keeps what is stored.
local MASK = "******"

-- The null of cjson and ngx. nil and null are both "not set".
function _M.is_null(value)
    return value == nil or type(value) == "userdata"
end

-- A copy of a value, tables all the way down.
function _M.copy(value)
    if type(value) ~= "table" then
        return value
    end
    local made = {}
    for name, each in pairs(value) do
        made[name] = _M.copy(each)
    end
    return made
end

local copy, is_null = _M.copy, _M.is_null

local function extend(path, name)
    local made = { unpack(path) }
    made[#made + 1] = name
    return made
end

-- Records -----------------------------------------------------------------------------------------

local function refuse_unknown(list, given, path, report)
    for name in pairs(given) do
        if type(name) ~= "string" or not list[name] then
            report:add(extend(path, name), "unknown field")
        end
    end
end

-- nil or null, as given: neither is kept of a whole.
local function check_missing(field, given, path, state)
    if state.partial then
        return given
    elseif field.required then
        state.report:add(path, "required field missing")
    end
    return nil
end

-- The value to keep, or nil; complaints go to the report.
local function check_value(field, given, path, state)
    if is_null(given) then
        return check_missing(field, given, path, state)
    elseif field.write_only and given == MASK then
        if not state.partial then
            state.report:add(path, "this is the mask of a value, and no value is stored")
        end
        return given
    end
    local value, complaint = fields.check(field, given)
    if value == nil then
        state.report:add(path, complaint)
    elseif field.type == "set" and #value == 0 and not state.partial then
        return nil -- no tags
    end
    return value
end

-- A table of the fields in `list` that are set.
local function check_record(list, given, path, state)
    local made = {}
    refuse_unknown(list, given, path, state.report)
    for _, field in ipairs(list) do
        made[field.name] = check_value(field, given[field.name], extend(path, field.name), state)
    end
    return made
end

-- Half a static key must not fall back to the machine's own credentials.
local function check_keys(config, path, state)
    local id, key = not is_null(config.access_key_id), not is_null(config.secret_access_key)
    if state.partial then
        return
    end
    if id ~= key then
        state.report:add(extend(path, id and "secret_access_key" or "access_key_id"),
            "required beside the other half of the key")
    elseif not id and not is_null(config.session_token) then
        state.report:add(extend(path, "session_token"), "stands beside access_key_id only")
    end
end

local function check_config(list, given, path, state)
    local made = check_record(list, given, path, state)
    check_keys(given, path, state)
    return made
end

-- The vaults entity -------------------------------------------------------------------------------

-- Any strategy's fields of config. A name means the same type in all strategies that have it.
local ANY = {}
for _, strategy in ipairs(fields.STRATEGIES) do
    for _, field in ipairs(fields.CONFIG[strategy]) do
        ANY[#ANY + 1], ANY[field.name] = field, field
    end
end
_M.ANY = ANY

local function config_fields(entity, options, report)
    local strategy = entity.name
    if is_null(strategy) then
        strategy = options.strategy
    end
    if strategy == nil then
        return options.partial and ANY or nil -- a PATCH that does not say whose config
    end
    if not fields.CONFIG[strategy] then
        report:add({ "name" }, ("vault '%s' is not installed"):format(quote(strategy)))
    end
    return fields.CONFIG[strategy]
end

-- Functions by prefix and by id over what `existing` is.
local function finder(existing)
    if type(existing) == "function" then
        return existing
    end
    return function(prefix, id)
        for _, entity in ipairs(existing or {}) do
            if prefix and entity.prefix == prefix or id and entity.id == id then
                return entity
            end
        end
        return nil
    end
end

local function id_of(entity)
    return not is_null(entity.id) and entity.id or nil
end

-- A prefix that the entity has already may be of APISIX's grammar.
local function check_prefix(entity, options, find, report)
    local prefix, id = entity.prefix, id_of(entity)
    if is_null(prefix) then
        return
    end
    local old = id and find(nil, id)
    local apisix = options.stored or old and old.prefix == prefix
    local complaint = (apisix and fields.check_secret_id or fields.check_prefix)(prefix)
    if complaint then
        report:add({ "prefix" }, complaint)
    end
end

local function check_unique(entity, options, find)
    local id = id_of(entity)
    local other = not is_null(entity.prefix) and find(entity.prefix, nil)
    if other and not (id and other.id == id and not options.create) then
        return violations.unique("prefix", entity.prefix)
    end
    if options.create and id and find(nil, id) then
        return violations.primary(id)
    end
    return nil
end

-- Check an entity.
--
-- input    a table; nil and null are not set
-- options  partial: whether fields may be missing and nulls and masks are kept (a PATCH before it
--          is merged; one that was merged is checked as a whole, and then for uniqueness)
--          strategy: where input has no name
--          existing: the entities that are there: a list, or function(prefix, id), of which one is
--          nil, -> entity or nil. The one with input's id is the one that is being changed
--          create: whether input's id must not be there yet
--          stored: whether prefixes of APISIX's grammar are taken: they were checked before
--
-- entity                a new table of what is set; config is always there unless partial
-- nil, violation, list  { message, name, code, fields } in Kong's shape (code 2: schema, 3: id
--                       taken, 5: prefix taken), and { path, message } for each complaint
function _M.vault(input, options)
    options = options or {}
    local report = violations.new()
    if type(input) ~= "table" then
        report:add({}, "expected a record")
        return nil, report:render()
    end
    local state = { partial = options.partial, report = report }
    local find = finder(options.existing)
    local entity = check_record(fields.ENTITY, input, {}, state)
    local list = config_fields(entity, options, report)
    if list and type(entity.config) == "table" then
        entity.config = check_config(list, entity.config, { "config" }, state)
    elseif not options.partial then
        entity.config = {}
    end
    check_prefix(entity, options, find, report)
    if #report.list > 0 then
        return nil, report:render()
    end
    if not options.partial then
        local taken, complaints = check_unique(entity, options, find)
        if taken then
            return nil, taken, complaints
        end
    end
    return entity
end

-- APISIX's secret object --------------------------------------------------------------------------

local SECRET = {}
for _, list in ipairs({ fields.CONFIG.aws, fields.SECRET }) do
    for _, field in ipairs(list) do
        SECRET[#SECRET + 1], SECRET[field.name] = field, field
    end
end

local function check_address(manager, id, input, report)
    if manager ~= "aws" then
        report:add({ "manager" }, ("secret manager '%s' is not supported"):format(
            quote(tostring(manager))))
    end
    local complaint = fields.check_secret_id(id)
    if complaint then
        report:add({ "id" }, complaint)
    elseif not is_null(input.id) and input.id ~= id and input.id ~= manager .. "/" .. id then
        report:add({ "id" }, "is another than the one in the path")
    end
end

-- An entity from what belongs at /apisix/admin/secrets/{manager}/{id}: its prefix is the id.
-- input, options and answers as of vault(), but that fields lie flat as APISIX has them.
function _M.secret(manager, id, input, options)
    options = options or {}
    local report = violations.new()
    if type(input) ~= "table" then
        report:add({}, "expected an object")
        return nil, report:render()
    end
    check_address(manager, id, input, report)
    local state = { partial = options.partial, report = report }
    local config = check_config(SECRET, input, {}, state)
    if #report.list > 0 then
        return nil, report:render()
    end
    local other = finder(options.existing)(id, nil)
    if other and (options.create or other.name ~= manager) then
        local taken, complaints = violations.unique("id", id)
        return nil, taken, complaints
    end
    local entity = { name = manager, prefix = id, config = config,
                     created_at = config.create_time, updated_at = config.update_time }
    config.id, config.create_time, config.update_time = nil, nil, nil
    return entity
end

-- The entity as APISIX shows it; for one that was redacted before.
function _M.to_secret(entity)
    local object = copy(entity.config)
    object.id = entity.name .. "/" .. entity.prefix
    object.create_time, object.update_time = entity.created_at, entity.updated_at
    return object
end

-- What is shown and put back ----------------------------------------------------------------------

-- A copy with the mask over what is write-only.
--
-- null  stands for a description and tags that are not set, as Kong shows them; nil: they stay away
function _M.redact(entity, null)
    local shown = copy(entity)
    for _, field in ipairs(fields.CONFIG[entity.name] or ANY) do
        if field.write_only and not is_null(shown.config[field.name]) then
            shown.config[field.name] = MASK
        end
    end
    for _, name in ipairs({ "description", "tags" }) do
        if shown[name] == nil then
            shown[name] = null
        end
    end
    return shown
end

local function merge_config(old, new, partial)
    local made = partial and copy(old) or {}
    for name, value in pairs(new) do
        local field = ANY[name]
        if field and field.write_only and value == MASK then
            made[name] = old[name] or MASK
        elseif is_null(value) then
            made[name] = nil
        else
            made[name] = copy(value)
        end
    end
    return made
end

-- `new`, which need not be right, over the stored `old`, to be checked by vault() as a whole. A
-- mask keeps what is stored; created_at stays, and the id where `new` has none.
--
-- old      nil: nothing is stored
-- partial  true: what `new` does not have stays, and null takes away (PATCH); else it goes (PUT)
function _M.merge(old, new, partial)
    old = old or { config = {} }
    local made = partial and copy(old) or {}
    for name, value in pairs(new) do
        if name == "config" and type(value) == "table" then
            made.config = merge_config(old.config, value, partial)
        elseif not is_null(value) then
            made[name] = copy(value)
        elseif partial then
            made[name] = nil
        end
    end
    made.id, made.created_at = made.id or old.id, old.created_at or made.created_at
    return made
end

-- What /schemas says ------------------------------------------------------------------------------

local function describe_field(field)
    local told = {
        type = field.type, required = field.required, unique = field.unique,
        referenceable = field.referenceable, encrypted = field.write_only,
        default = field.default, unit = field.unit, description = field.about,
        elements = field.elements and describe_field(field.elements),
    }
    if field.type == "number" or field.type == "integer" then
        told.between = field.max and { field.min, field.max }
        told.min = not field.max and field.min or nil
    else
        told.len_min, told.len_max = field.min, field.max
    end
    return told
end

local function describe_list(list)
    local told = {}
    for i, field in ipairs(list) do
        told[i] = { [field.name] = describe_field(field) }
    end
    return told
end

-- What GET /schemas/vaults/{name} answers, or nil for an unknown strategy; without a name the
-- fields of the entity itself.
function _M.describe(name)
    if name == nil then
        return { fields = describe_list(fields.ENTITY) }
    elseif not fields.CONFIG[name] then
        return nil
    end
    return { name = name, fields = { { config = {
        type = "record", required = true, fields = describe_list(fields.CONFIG[name]),
    } } } }
end

return _M
