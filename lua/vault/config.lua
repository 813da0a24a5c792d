-- config - what one fetch from AWS goes by: entity, reference, environment and defaults, settled.
--
-- For:   which of them wins for each field and where it came from; what selects the bytes, as
--        the text of a cache key. Pure: the environment comes in as getenv(name).
-- Never: clock, files, ngx; the profile's region and endpoints (C asks the profile).

local percent = require "vault.percent"
local reference = require "vault.reference"
local schema_fields = require "vault.schema_fields"

local quote = reference.quote
local AWS = schema_fields.CONFIG.aws

local _M = {}

-- Kinds -------------------------------------------------------------------------------------------
-- Each takes what was set and returns the field's value, or nil and what is wrong with it. The
-- complaint shows the text only where that cannot be a secret.

local function text(value)
    if type(value) ~= "string" then
        return nil, "is not a string"
    end
    if #value > 2048 or percent.has_control(value) then
        return nil, "is over 2048 bytes or holds a control byte"
    end
    if reference.is_reference(value) then
        return nil, "is a reference that was not resolved"
    end
    return value
end

local function secret(value)
    if type(value) ~= "string" or #value > 16384 or percent.has_control(value) then
        return nil, "is not a string of at most 16384 bytes without control bytes"
    end
    if reference.is_reference(value) then
        return nil, "is a reference that was not resolved"
    end
    return value
end

local function seconds(value)
    local number = value
    if type(value) == "string" then
        number = reference.seconds(value)
    end
    if type(number) ~= "number" or not (number >= 0 and number < math.huge) then
        return nil, ('is not a number of seconds, 0 or more: "%s"'):format(quote(tostring(value)))
    end
    return number
end

local function timeout(value)
    local number, complaint = seconds(value)
    local field = AWS.timeout
    if number and not schema_fields.check(field, number) then
        return nil, ("is not between %.14g and %.14g seconds"):format(field.min, field.max)
    end
    return number, complaint
end

local FLAGS = { [true] = true, [false] = false, ["true"] = true, ["false"] = false }

local function flag(value)
    if FLAGS[value] == nil then
        return nil, ('is not true or false: "%s"'):format(quote(tostring(value)))
    end
    return FLAGS[value]
end

-- What vault.schema_fields takes as the field's own text.
local function as_schema(name, complaint)
    return function(value)
        if reference.is_reference(value) or not schema_fields.check(AWS[name], value) then
            return nil, complaint:format(quote(tostring(value)))
        end
        return value
    end
end

-- Fields ------------------------------------------------------------------------------------------
-- The first that is set wins: reference option (of OPTIONS), entity, variables in order, default.
-- An empty text is not set. Names, variables and defaults are those of vault.schema_fields.

local KINDS = {
    region = as_schema("region", 'is not an AWS region: "%s"'),
    assume_role_arn = as_schema("assume_role_arn", 'is not the ARN of an IAM role: "%s"'),
    role_session_name = as_schema("role_session_name",
        "is not 2 to 64 letters, digits and _+=,.@-"),
    endpoint_url = text, sts_endpoint_url = text, external_id = text, access_key_id = secret,
    secret_access_key = secret, session_token = secret, ttl = seconds, neg_ttl = seconds,
    resurrect_ttl = seconds, base64_decode = flag, timeout = timeout,
}
local OPTIONS = { region = true, ttl = true, neg_ttl = true, resurrect_ttl = true,
                  base64_decode = true }

-- The names of all that is settled, in the order in which people are told of it.
_M.NAMES = {}

local FIELDS = {}
for _, field in ipairs(AWS) do
    local kind = KINDS[field.name]
    if kind then
        _M.NAMES[#_M.NAMES + 1] = field.name
        FIELDS[#FIELDS + 1] = { name = field.name, kind = kind, option = OPTIONS[field.name],
                                variables = field.variables, default = field.default }
    end
end
local REGION = table.remove(FIELDS, 1) -- settled last: an ARN has one too
assert(REGION.name == "region")

-- nil, "" and the null of cjson and ngx are not set.
function _M.is_set(value)
    return value ~= nil and value ~= "" and type(value) ~= "userdata"
end

-- What is set for `field`, and where: "option", "entity", a variable's name, "default".
local function find(field, sources)
    local value = field.option and sources.options[field.name]
    if field.option and _M.is_set(value) then
        return value, "option"
    end
    value = sources.entity[field.name]
    if _M.is_set(value) then
        return value, "entity"
    end
    for _, name in ipairs(field.variables) do
        value = sources.getenv(name)
        if _M.is_set(value) then
            return value, name
        end
    end
    return field.default, field.default ~= nil and "default" or nil
end

local PLACES = {
    option = { "the reference's option %s", "bad_reference" },
    entity = { "the vault's field %s", "bad_config" },
}

-- value, nil, nil, origin | nil, message, word
local function pick(field, sources)
    local found, origin = find(field, sources)
    if not origin then
        return nil
    end
    local value, complaint = field.kind(found)
    if not complaint then
        return value, nil, nil, origin
    end
    if origin == "entity" and sources.hidden[field.name] then
        complaint = complaint:gsub(': ".*', "")
    end
    local place = PLACES[origin] or { "the environment variable " .. origin, "bad_config" }
    return nil, place[1]:format(field.name) .. " " .. complaint, place[2]
end

-- AWS_IGNORE_CONFIGURED_ENDPOINT_URLS turns AWS's own variables off, not Kong's.
local function without_endpoints(getenv)
    if (getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or ""):lower() ~= "true" then
        return getenv
    end
    return function(name)
        if name:find("^AWS_ENDPOINT_URL") then
            return nil
        end
        return getenv(name)
    end
end

-- Region: option, ARN, entity, variables. Where an endpoint is set it belongs to one region, so
-- an ARN of another one is refused: its request would be signed for a place it does not go to.
local function settle_region(settled, sources, resource)
    local value, message, word, origin = pick(REGION, sources)
    if message then
        return nil, message, word
    end
    local arn_region = reference.arn_region(resource)
    if arn_region and settled.endpoint_url and value and value ~= arn_region then
        return nil, ("the ARN is of the region %s, but the region is %s (%s) and an endpoint is "
            .. "set (%s)"):format(arn_region, value, origin, settled.origin.endpoint_url), "refused"
    end
    if arn_region and origin ~= "option" then
        value, origin = arn_region, "arn"
    end
    settled.region, settled.origin.region = value, origin
    return true
end

local STAGES = { "AWSCURRENT", "AWSPREVIOUS" }

local function stage_of(parts)
    return parts.stage or STAGES[parts.version or 1]
end

-- Static keys come as a pair; half of one must not fall back to the machine's own credentials.
local function check_keys(settled)
    local id, key = settled.access_key_id, settled.secret_access_key
    if (id == nil) ~= (key == nil) then
        return nil, "the vault's field " .. (id and "secret_access_key" or "access_key_id")
            .. " is missing beside the other half of the key", "bad_config"
    end
    if settled.session_token and not id then
        return nil, "the vault's field session_token is there without a key", "bad_config"
    end
    return true
end

local function settle_fields(settled, sources)
    for _, field in ipairs(FIELDS) do
        local value, message, word, origin = pick(field, sources)
        if message then
            return nil, message, word
        end
        settled[field.name], settled.origin[field.name] = value, origin
    end
    return true
end

-- Interface ---------------------------------------------------------------------------------------

-- Settle what `parts` (of vault.reference: resource, config?, version?) asks of an aws vault; a
-- `stage` in it goes before its version.
--
-- entity  the config of its vaults entity; nil for the strategy itself ("{vault://aws/...}")
-- getenv  name -> string or nil
-- hidden  nil, or field -> true: what the entity has there is not shown, it may be anything
--
-- settled { region?, endpoint_url?, sts_endpoint_url?, assume_role_arn?, role_session_name,
--           external_id?, access_key_id?, secret_access_key?, session_token?, ttl, neg_ttl,
--           resurrect_ttl, timeout (all seconds), base64_decode, stage, origin }
--         region nil: none is set but perhaps the profile's. origin[field]: "option", "arn",
--         "entity", a variable's name or "default"
-- nil, message, word   "bad_reference", "bad_config", "refused"
function _M.settle(parts, entity, getenv, hidden)
    if type(parts) ~= "table" or type(parts.resource) ~= "string" then
        error("parts must be a reference's parts", 2)
    end
    if entity ~= nil and type(entity) ~= "table" then
        error("entity must be a table or nil", 2)
    end
    local options = parts.config or {}
    if options.prefix ~= nil then
        return nil, "the reference's option prefix is for env vaults only", "bad_reference"
    end
    local settled = { origin = {}, stage = stage_of(parts) }
    if not settled.stage then
        return nil, "the version is not #1 (AWSCURRENT) or #2 (AWSPREVIOUS)", "bad_reference"
    end
    local sources = {
        options = options, entity = entity or {}, getenv = without_endpoints(getenv),
        hidden = hidden or {},
    }
    for _, step in ipairs({ settle_fields, settle_region, check_keys }) do
        local ok, message, word = step(settled, sources, parts.resource)
        if not ok then
            return nil, message, word
        end
    end
    return settled
end

-- Each value with its length in front, so that no two lists look alike; "-" for none.
local function pack(values, count)
    local packed = {}
    for i = 1, count do
        local value = values[i]
        packed[i] = value and #value .. ":" .. value or "-"
    end
    return table.concat(packed, ";")
end

local ASKS = 9

-- Who asks, and where: what one call has in common for many secrets.
local function who_asks(settled)
    local role = settled.assume_role_arn
    return {
        settled.access_key_id, settled.secret_access_key, settled.session_token,
        role, role and settled.role_session_name, role and settled.external_id,
        role and settled.sts_endpoint_url, settled.endpoint_url, settled.region,
    }
end

-- The text of who asks, and where: whose credentials, role, endpoint and region. The static keys
-- are in it, both halves: whoever knows only another's key id must not meet his secrets in the
-- cache. So it is for hashing, never for showing. Secrets of which it is the same are a group: they
-- can come by one call.
function _M.asker(settled)
    return pack(who_asks(settled), ASKS)
end

-- The file of trusted certificates, or nil for the system's trust store. `option` is init's
-- trusted_certificate: a path or "system"; without one AWS_CA_BUNDLE, then SSL_CERT_FILE.
function _M.trusted_certificate(option, getenv)
    if option == "system" then
        return nil
    end
    for _, path in ipairs({ option or "", getenv("AWS_CA_BUNDLE") or "",
                            getenv("SSL_CERT_FILE") or "" }) do
        if path ~= "" then
            return path
        end
    end
    return nil
end

return _M
