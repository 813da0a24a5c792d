-- admin_apisix - APISIX's routes of the Admin API: /apisix/admin/secrets.
--
-- For:   what each of them does, and its answers with APISIX's statuses and bodies.
-- Never: ngx, who may ask (admin_guard), what a field may hold (vault.schema); a secret field in an
--        answer.
--
-- Handlers and parts are as those of admin_kong.

local entities = require "vault.admin_entities"
local json_text = require "vault.json_text"
local path_text = require("vault.violations").path_text
local quote = require("vault.reference").quote
local requests = require "vault.admin_request"
local schema = require "vault.schema"

local _M = {}

local READ_ONLY = "GET, HEAD, OPTIONS"
local MANAGER = "aws"

-- Answers -----------------------------------------------------------------------------------------

local function say(status, message)
    return { status = status, body = { error_msg = message } }
end

local function not_found()
    return { status = 404, body = { message = "Key not found" } }
end

-- What was refused before any handler: { status, message }.
function _M.refuse(failure)
    if failure.status == 401 then
        return { status = 401, body = { error_msg = "failed to check token",
                                        description = "wrong apikey" } }
    end
    return say(failure.status, failure.message)
end

-- APISIX's fields lie flat, and its id is our prefix.
local function field_name(path)
    local names = { unpack(path) }
    if names[1] == "config" then
        table.remove(names, 1)
    elseif names[1] == "prefix" then
        names[1] = "id"
    end
    return path_text(names)
end

local function say_complaints(complaints)
    local lines = {}
    for i, complaint in ipairs(complaints) do
        local name = field_name(complaint.path)
        lines[i] = (name ~= "" and ('property "%s": '):format(name) or "") .. complaint.message
    end
    return "invalid configuration: " .. table.concat(lines, "; ")
end

local function fail(failure)
    if failure.missing then
        return not_found()
    elseif failure.declared then
        local refused = say(405, ("%s is declared in the gateway's configuration and cannot be "
            .. "changed here"):format(quote(failure.declared)))
        refused.headers = { Allow = READ_ONLY }
        return refused
    elseif failure.violation then
        return say(failure.violation.code == 5 and 409 or 400, say_complaints(failure.complaints))
    end
    return _M.refuse(failure)
end

local function key_of(id)
    return ("/apisix/secrets/%s/%s"):format(MANAGER, id)
end

local function show(entity)
    local shown = schema.redact(entity)
    return { key = key_of(entity.prefix), value = schema.to_secret(shown) }
end

-- Secrets -----------------------------------------------------------------------------------------

local function is_ours(entity)
    return entity.name == MANAGER
end

-- The place of the one that APISIX knows by this id.
local function finder(id)
    return function(all)
        local place = entities.by_prefix(all, id)
        return place and is_ours(all[place]) and place or nil
    end
end

local function list(parts)
    local shown = {}
    for _, entity in ipairs(parts.vaults.list()) do
        if is_ours(entity) then
            shown[#shown + 1] = show(entity)
        end
    end
    return { status = 200, body = { total = #shown, list = json_text.list(shown) } }
end

local function get(parts, call)
    local all = parts.vaults.list()
    local entity = all[finder(call.segments[5])(all)]
    return entity and { status = 200, body = show(entity) } or not_found()
end

local function remove(parts, call)
    local id = call.segments[5]
    local ok, failure = entities.remove(parts, finder(id))
    if not ok then
        return fail(failure)
    end
    return { status = 200, body = { key = key_of(id), deleted = "1" } }
end

local function violated(violation, complaints)
    return nil, { violation = violation, complaints = complaints }
end

-- What APISIX does not know of a vault stays as it is.
local function keep_rest(entity, old)
    for _, name in ipairs { "id", "description", "tags" } do
        entity[name] = old and old[name]
    end
end

-- `input` over what is stored, checked.
local function make(id, input, partial)
    return function(old, existing)
        if partial and not old then
            return nil, { missing = true }
        end
        local given, violation, complaints = schema.secret(MANAGER, id, input,
            { partial = true, existing = existing })
        if not given then
            return violated(violation, complaints)
        end
        keep_rest(given, old)
        local entity
        entity, violation, complaints = schema.vault(schema.merge(old, given, partial),
            { existing = existing, stored = true })
        if not entity then
            return violated(violation, complaints)
        end
        return entity
    end
end

local function put_in(parts, id, input, partial)
    local result, failure = entities.put(parts, finder(id), make(id, input, partial))
    if not result then
        return fail(failure)
    end
    return { status = result.created and 201 or 200, body = show(result.entity) }
end

local function put(parts, call)
    local input, refused = requests.read_json(call.request)
    if not input then
        return _M.refuse(refused)
    end
    return put_in(parts, call.segments[5], input)
end

-- The input that a bare value at a sub-path means, or nil.
local function at_path(segments, value)
    local name, deeper = segments[6], segments[7]
    if deeper then
        return nil
    end
    return { [name] = value }
end

local function patch(parts, call)
    local bare = call.segments[6] ~= nil
    local input, refused = requests.read_json(call.request, bare)
    if refused then
        return _M.refuse(refused)
    end
    if bare then
        input = at_path(call.segments, input)
        if not input then
            return say(400, "invalid configuration: the sub-path names no property")
        end
    end
    return put_in(parts, call.segments[5], input, true)
end

-- Other managers are APISIX's, and not ours.
local function of_manager(handler)
    return function(parts, call)
        if call.segments[4] ~= MANAGER then
            return say(400, ("invalid secret manager: %s; this gateway has %s only"):format(
                quote(call.segments[4]), MANAGER))
        end
        return handler(parts, call)
    end
end

local ONE = { "apisix", "admin", "secrets", "*", "*", GET = of_manager(get), PUT = of_manager(put),
              PATCH = of_manager(patch), DELETE = of_manager(remove) }

_M.ROUTES = {
    { "apisix", "admin", "secrets", GET = list },
    ONE,
    { "apisix", "admin", "secrets", "*", "*", "*", PATCH = of_manager(patch) },
    { "apisix", "admin", "secrets", "*", "*", "*", "*", PATCH = of_manager(patch) },
}

return _M
