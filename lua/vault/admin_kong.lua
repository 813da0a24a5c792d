-- admin_kong - Kong's routes of the Admin API: /vaults and /schemas/vaults.
--
-- For:   what each of them does, and its answers with Kong's statuses and bodies.
-- Never: ngx, who may ask (admin_guard), what a field may hold (vault.schema); a secret field in an
--        answer.
--
-- A handler takes parts { vaults, now, uuid, renew } and a call { request, query, segments, mount }
-- and returns { status, body, headers }.

local cjson = require "cjson"
local entities = require "vault.admin_entities"
local is_uuid = require("vault.schema_fields").is_uuid
local json_text = require "vault.json_text"
local precedes = require("vault.entities").precedes
local quote = require("vault.reference").quote
local requests = require "vault.admin_request"
local schema = require "vault.schema"
local violations = require "vault.violations"

local is_null = schema.is_null

local _M = {}

local SIZE, SIZE_MAX = 100, 1000 -- entities on a page
local READ_ONLY = "GET, HEAD, OPTIONS"
local STATUS = { [2] = 400, [3] = 400, [5] = 409 } -- by the code of a violation

-- Answers -----------------------------------------------------------------------------------------

local function say(status, message)
    return { status = status, body = { message = message } }
end

local function not_found()
    return say(404, "Not found")
end

local function show(entity)
    local shown = schema.redact(entity, cjson.null)
    shown.declared = nil
    return shown
end

-- What was refused before any handler: { status, message }.
function _M.refuse(failure)
    return say(failure.status, failure.message)
end

local function fail(failure)
    if failure.missing then
        return not_found()
    elseif failure.declared then
        return { status = 405, headers = { Allow = READ_ONLY }, body = {
            code = 12, name = "operation unsupported",
            message = ("the vault '%s' is declared in the gateway's configuration and cannot be "
                .. "changed here"):format(quote(failure.declared)) } }
    elseif failure.violation then
        return { status = STATUS[failure.violation.code], body = failure.violation }
    end
    return _M.refuse(failure)
end

-- Lists -------------------------------------------------------------------------------------------

-- A page goes on behind the place of its last entity, whether that is still there or not.
local function offset_of(entity)
    return (("%d %s"):format(entity.created_at, entity.id):gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end

local function read_offset(text)
    local bytes = type(text) == "string" and #text <= 256 and not text:find("%X")
        and text:gsub("(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
    local moment, id = tostring(bytes):match("^(%d+) (%S+)$")
    if not moment then
        return nil
    end
    return { created_at = tonumber(moment), id = id }
end

local function read_size(text)
    if text == nil then
        return SIZE
    end
    local size = type(text) == "string" and text:find("^%d+$") and tonumber(text)
    if not size or size < 1 or size > SIZE_MAX then
        return nil
    end
    return size
end

-- "a,b": all of them; "a/b": any of them; nil: everything is wanted.
local function tag_filter(text)
    if type(text) ~= "string" or text == "" then
        return function() return text == nil end
    end
    local any = text:find("/", 1, true)
    return function(entity)
        local has = {}
        for _, tag in ipairs(entity.tags or {}) do
            has[tag] = true
        end
        for tag in text:gmatch("[^,/]+") do
            if (has[tag] or false) == (any ~= nil) then
                return any ~= nil
            end
        end
        return any == nil
    end
end

-- { entity, ... } of one page, and whether there are more.
local function page_of(list, place, size, is_wanted)
    local page = {}
    for _, entity in ipairs(list) do
        if (not place or precedes(place, entity)) and is_wanted(entity) then
            if #page == size then
                return page, true
            end
            page[#page + 1] = entity
        end
    end
    return page, false
end

local function next_link(call, offset)
    local link = { call.mount, "/vaults?offset=", offset }
    for _, name in ipairs { "tags", "size" } do
        local value = call.query[name]
        link[#link + 1] = value and ("&%s=%s"):format(name, requests.encode(value))
    end
    return table.concat(link)
end

local function bad_page(code, name, message)
    return { status = 400, body = { code = code, name = name, message = message } }
end

-- An offset that is given twice is a table.
local function say_bad_offset(offset)
    return type(offset) == "string" and ("'%s' is not a valid offset"):format(quote(offset))
        or "not a valid offset"
end

local function list(parts, call)
    local size, place = read_size(call.query.size), nil
    if not size then
        return bad_page(9, "invalid size",
            ("size must be an integer between 1 and %d"):format(SIZE_MAX))
    end
    if call.query.offset ~= nil then
        place = read_offset(call.query.offset)
        if not place then
            return bad_page(7, "invalid offset", say_bad_offset(call.query.offset))
        end
    end
    local page, more = page_of(parts.vaults.list(), place, size, tag_filter(call.query.tags))
    local offset = more and offset_of(page[#page]) or nil
    for i, entity in ipairs(page) do
        page[i] = show(entity)
    end
    return { status = 200, body = { data = json_text.list(page), offset = offset,
                                    next = offset and next_link(call, offset) or cjson.null } }
end

-- Entities ----------------------------------------------------------------------------------------

local function mismatch(name)
    local report = violations.new()
    report:add({ name }, "is another than that of the vault in the path")
    local violation, complaints = report:render()
    return nil, { violation = violation, complaints = complaints }
end

-- What the path says must be what `input` says, where that says anything.
local function agree(input, name, wanted)
    local given = input[name]
    if type(given) == "string" and name == "id" then
        given = given:lower()
    end
    if not is_null(given) and given ~= wanted then
        return mismatch(name)
    end
    input[name] = wanted
    return true
end

-- Put into `input` what the path says. A PATCH may give another prefix.
local function name_it(input, key, old, partial)
    local by_id = is_uuid(key) and (not old or old.id == key:lower())
    local id = old and old.id or by_id and key:lower()
    local renames = partial and not is_null(input.prefix)
    if not by_id and not renames then
        local ok, failure = agree(input, "prefix", key)
        if not ok then
            return nil, failure
        end
    end
    if id then
        return agree(input, "id", id)
    end
    return true
end

local function finder(key)
    return function(list_of_all)
        return entities.by_key(list_of_all, key)
    end
end

local function find(parts, key)
    local all = parts.vaults.list()
    return all[entities.by_key(all, key)]
end

local function check(merged, options)
    local entity, violation, complaints = schema.vault(merged, options)
    if not entity then
        return nil, { violation = violation, complaints = complaints }
    end
    return entity
end

local function done(result, failure, status)
    if not result then
        return fail(failure)
    end
    return { status = status, body = show(result.entity) }
end

local function nothing() end

local function create(parts, call)
    local input, refused = requests.read_fields(call.request)
    if not input then
        return _M.refuse(refused)
    end
    local result, failure = entities.put(parts, nothing, function(_, existing)
        return check(schema.merge(nil, input), { create = true, existing = existing })
    end)
    return done(result, failure, 201)
end

-- PUT and PATCH: the latter is of what is there.
local function change(parts, call, partial)
    local input, refused = requests.read_fields(call.request)
    if not input then
        return _M.refuse(refused)
    end
    local key = call.segments[2]
    local result, failure = entities.put(parts, finder(key), function(old, existing)
        if partial and not old then
            return nil, { missing = true }
        end
        local named, otherwise = name_it(input, key, old, partial)
        if not named then
            return nil, otherwise
        end
        return check(schema.merge(old, input, partial),
            { create = old == nil, existing = existing })
    end)
    return done(result, failure, 200)
end

local function get(parts, call)
    local entity = find(parts, call.segments[2])
    return entity and { status = 200, body = show(entity) } or not_found()
end

-- As in Kong: what is not there is gone.
local function remove(parts, call)
    local ok, failure = entities.remove(parts, finder(call.segments[2]))
    if not ok and not failure.missing then
        return fail(failure)
    end
    return { status = 204 }
end

-- The strategies' own names are vaults too, without an entity.
local function refresh(parts, call)
    local key = call.segments[2]
    local entity = find(parts, key)
    if not entity and not schema.describe(key) then
        return not_found()
    end
    local result = parts.renew(entity and entity.prefix or key)
    if not result then
        local refused = say(429, "this vault was refreshed less than a second ago")
        refused.headers = { ["Retry-After"] = 1 }
        return refused
    elseif result.failed > 0 then
        return { status = 502, body = { secrets = result.secrets, failed = result.failed,
            message = ("%d of %d secrets could not be fetched: %s"):format(result.failed,
                result.secrets, result.message) } }
    end
    return { status = 200, body = { secrets = result.secrets, failed = 0,
                                    message = "this worker's secrets of the vault were fetched; "
                                        .. "the others fetch theirs, and log what fails" } }
end

-- Schemas -----------------------------------------------------------------------------------------

local function describe(_, call)
    local name = call.segments[3]
    local described = schema.describe(name)
    if not described then
        return say(404, ("No vault named '%s'"):format(quote(name)))
    end
    return { status = 200, body = described }
end

local function validate(_, call)
    local input, refused = requests.read_fields(call.request)
    if not input then
        return _M.refuse(refused)
    end
    local entity, failure = check(schema.merge(nil, input))
    return entity and say(200, "schema validation successful") or fail(failure)
end

-- Routes: a path, "*" being any segment, and what is done there.
_M.ROUTES = {
    { "vaults", GET = list, POST = create },
    { "vaults", "*", GET = get, DELETE = remove, PUT = change,
      PATCH = function(parts, call) return change(parts, call, true) end },
    { "vaults", "*", "refresh", POST = refresh },
    { "schemas", "vaults", GET = describe },
    { "schemas", "vaults", "validate", POST = validate },
    { "schemas", "vaults", "*", GET = describe },
}

return _M
