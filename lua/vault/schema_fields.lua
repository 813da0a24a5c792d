-- schema_fields - the one table of what a vaults entity and its config may hold.
--
-- For:   each field's type, unit, bounds, default and environment variables, whether it may be a
--        reference and whether it is ever shown; the check of one value. Pure.
-- Never: whole entities (vault.schema), which of several sources wins (vault.config). A complaint
--        never shows the value: it may be a secret that was put into the wrong field.

local reference = require "vault.reference"

local find, gsub, lower, match = string.find, string.gsub, string.lower, string.match

local _M = {}

-- Texts -------------------------------------------------------------------------------------------

local SEQUENCES = { -- UTF-8 as RFC 3629 has it: no overlong forms, no surrogates
    "^[%z\1-\127]+", "^[\194-\223][\128-\191]", "^\224[\160-\191][\128-\191]",
    "^[\225-\236\238\239][\128-\191][\128-\191]", "^\237[\128-\159][\128-\191]",
    "^\240[\144-\191][\128-\191][\128-\191]", "^[\241-\243][\128-\191][\128-\191][\128-\191]",
    "^\244[\128-\143][\128-\191][\128-\191]",
}

local function sequence_end(text, at)
    for i = 1, #SEQUENCES do
        local _, last = find(text, SEQUENCES[i], at)
        if last then
            return last
        end
    end
    return nil
end

function _M.is_utf8(text)
    local at = 1
    while at <= #text do
        local last = sequence_end(text, at)
        if not last then
            return false
        end
        at = last + 1
    end
    return true
end

-- A vault may take its own settings from the environment, and from nowhere else: a vault that needs
-- another vault could need itself.
local function check_reference(value)
    local parts, message = reference.parse(value)
    if not parts then
        return message
    elseif parts.name ~= "env" or parts.id then
        return "only references to the environment may stand here: {vault://env/..}, $env://.."
    end
    return require("vault.env").refusal(parts) -- which asks C; nothing else here needs it
end

-- Checks of what a string says; each returns a complaint or nil -----------------------------------

local function check_region(value)
    return not reference.is_region(value) and "expected an AWS region" or nil
end

-- Some clients fold such segments, AWS's signatures do not.
local function is_odd_path(path)
    return find(path, "//", 1, true) or find(gsub(path, "%%2e", ".") .. "/", "/%.%.?/")
end

local function is_port(text)
    local number = tonumber(match(text, "^:(%d%d?%d?%d?%d?)$"))
    return text == "" or number and number >= 1 and number <= 65535
end

local function check_authority(authority)
    if find(authority, "@", 1, true) then
        return "the URL must not hold a user or a password"
    end
    local host, port = match(authority, "^(%[[%x:.]+%])(.*)$")
    if not host then
        host, port = match(authority, "^([%w_.-]+)(.*)$")
    end
    if not host or #host > 253 or find("." .. host, "..", 1, true) then
        return "the URL has no valid host"
    end
    return not is_port(port) and "the URL's port is not 1 to 65535" or nil
end

-- As csrc/url.h has it; which numbers can be an IPv4 address is left to that.
local function check_url(value)
    local authority, path = match(lower(value), "^https?://([^/]*)(.*)$")
    if not authority then
        return "expected a URL that begins with http:// or https://"
    elseif find(value, "[^\33-\126]") then
        return "a URL holds printable ASCII only"
    elseif find(value, "[?#]") then
        return "the URL must not have a query or a fragment"
    elseif is_odd_path(path) then
        return "the URL's path must not have empty or dot segments"
    end
    return check_authority(authority)
end

local function check_role_arn(value)
    local account = match(value, "^arn:aws[%l-]*:iam::(%d+):role/[%w_+=,.@/-]+$")
    return not (account and #account == 12) and "expected the ARN of an IAM role" or nil
end

local function only(set, wants)
    return function(value)
        return find(value, set) and "expected " .. wants or nil
    end
end

-- What looks like a reference and is none would be sent to AWS as a key.
local function check_secret(value)
    if find(value, "://", 1, true) then
        return "a reference is written {vault://env/..} or $env://.., with nothing around it"
    elseif find(value, "[^\33-\126]") then
        return "expected printable ASCII without blanks"
    end
    return nil
end

local function check_env_prefix(value)
    return not find(value, "^[%a_-][%w_-]*$")
        and 'expected letters, digits, "_" and "-", no digit first' or nil
end

local HEX4 = "%x%x%x%x"
local UUID = "^" .. HEX4 .. HEX4 .. ("%-" .. HEX4):rep(3) .. "%-" .. HEX4:rep(3) .. "$"

function _M.is_uuid(text)
    return find(text, UUID) ~= nil
end

local function check_uuid(value)
    return not _M.is_uuid(value) and "expected a valid UUID" or nil
end

local function check_tag(value)
    return find(value, "[,/]") and 'a tag holds no "," and no "/"' or nil
end

-- Fields ------------------------------------------------------------------------------------------
-- type           "string", "number", "integer", "boolean", "array", "set", "record"
-- min, max       of a number's value, of a string's bytes (1 where nothing is said), of a list's
--                elements
-- elements       a list's: a field
-- check          function(text) -> complaint or nil
-- referenceable  may be a reference to the environment
-- write_only     goes in, and out only as a mask
-- default        taken where nothing is set; not stored
-- variables      of the environment, asked in this order where the entity has nothing

local function aws_variable(name)
    return { "KONG_VAULT_AWS_" .. name }
end

local AWS = {
    { name = "region", type = "string", max = 32, check = check_region, referenceable = true,
      variables = { "KONG_VAULT_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION" },
      about = "The AWS region of the secrets; else the profile's or the machine's own." },
    { name = "endpoint_url", type = "string", max = 2048, check = check_url, referenceable = true,
      variables = { "KONG_VAULT_AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER",
                    "AWS_ENDPOINT_URL" },
      about = "Where Secrets Manager is reached, http or https; else AWS's host of the region." },
    { name = "sts_endpoint_url", type = "string", max = 2048, check = check_url,
      referenceable = true, variables = { "KONG_VAULT_AWS_STS_ENDPOINT_URL",
                                          "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL" },
      about = "Where STS is reached, http or https; else AWS's host of the region." },
    { name = "assume_role_arn", type = "string", max = 2048, check = check_role_arn,
      referenceable = true, variables = aws_variable("ASSUME_ROLE_ARN"),
      about = "The IAM role to assume before secrets are read." },
    { name = "role_session_name", type = "string", min = 2, max = 64, referenceable = true,
      check = only("[^%w_+=,.@-]", "letters, digits and _+=,.@-"), default = "KongVault",
      variables = aws_variable("ROLE_SESSION_NAME"),
      about = "The session's name where a role is assumed." },
    { name = "external_id", type = "string", min = 2, max = 1224, referenceable = true,
      check = only("[^%w_+=,.@:/-]", "letters, digits and _+=,.@:/-"),
      variables = aws_variable("EXTERNAL_ID"),
      about = "The external id that the assumed role asks for." },
    { name = "access_key_id", type = "string", max = 128, check = check_secret,
      referenceable = true, write_only = true, variables = {},
      about = "A static key's id, beside secret_access_key." },
    { name = "secret_access_key", type = "string", max = 16384, check = check_secret,
      referenceable = true, write_only = true, variables = {}, about = "A static key." },
    { name = "session_token", type = "string", max = 16384, check = check_secret,
      referenceable = true, write_only = true, variables = {},
      about = "The session token of a temporary key." },
    { name = "ttl", type = "number", unit = "seconds", min = 0, default = 0,
      variables = aws_variable("TTL"),
      about = "How old a secret may become before it is fetched again; 0: no rotation." },
    { name = "neg_ttl", type = "number", unit = "seconds", min = 0, default = 0,
      variables = aws_variable("NEG_TTL"),
      about = "How long a secret that is not there is not asked for again." },
    { name = "resurrect_ttl", type = "number", unit = "seconds", min = 0, default = 1e8,
      variables = aws_variable("RESURRECT_TTL"),
      about = "How long past its ttl a secret stays in use that cannot be fetched." },
    { name = "base64_decode", type = "boolean", default = false,
      variables = { "KONG_VAULT_AWS_BASE64_DECODE", "KONG_VAULT_AWS_DECODE_BASE64" },
      about = "Whether what is stored is base64 of the secret." },
    { name = "timeout", type = "number", unit = "seconds", min = 0.001, max = 3600, default = 10,
      variables = aws_variable("TIMEOUT"), about = "For a whole fetch, retries included." },
    { name = "allow", type = "array", min = 1, max = 100, variables = {},
      elements = { type = "string", max = 2048,
                   check = only("[^%w/_+=.@!:*?-]", "a name or an ARN, with * and ?") },
      about = "What may be read, globs on name or ARN; else all that the role can read." },
}

local ENV = {
    { name = "prefix", type = "string", max = 128, check = check_env_prefix, variables = {},
      about = "Put in front of each variable's name." },
}

local ENTITY = {
    { name = "id", type = "string", max = 36, check = check_uuid, fold = lower, unique = true,
      about = "UUID." },
    { name = "name", type = "string", required = true, max = 64,
      about = "The strategy: aws or env." },
    { name = "prefix", type = "string", required = true, max = 64, unique = true,
      about = "The vault's name in references." },
    { name = "description", type = "string", max = 1024, lines = true, about = "For people." },
    { name = "tags", type = "set", min = 0, max = 64, about = "For people.",
      elements = { type = "string", max = 128, check = check_tag } },
    { name = "config", type = "record", about = "The strategy's settings." },
    { name = "created_at", type = "integer", unit = "seconds", min = 0, max = 2 ^ 53,
      about = "Since 1970." },
    { name = "updated_at", type = "integer", unit = "seconds", min = 0, max = 2 ^ 53,
      about = "Since 1970." },
}

-- What APISIX's secret object has beside the config of aws.
local SECRET = {
    { name = "id", type = "string", max = 128 },
    { name = "create_time", type = "integer", min = 0, max = 2 ^ 53 },
    { name = "update_time", type = "integer", min = 0, max = 2 ^ 53 },
}

local function index(list)
    for _, field in ipairs(list) do
        list[field.name] = field
    end
    return list
end

-- Lists of fields, in the order in which people are told of them; fields are found by name too.
_M.ENTITY = index(ENTITY)
_M.CONFIG = { aws = index(AWS), env = index(ENV) }
_M.SECRET = index(SECRET)
_M.STRATEGIES = { "aws", "env" }

-- Values ------------------------------------------------------------------------------------------

local function check_length(field, length)
    local least = field.min or 1
    if length < least then
        return "length must be at least " .. least
    elseif field.max and length > field.max then
        return "length must be at most " .. field.max
    end
    return nil
end

local function check_bytes(field, value)
    if not _M.is_utf8(value) then
        return "expected valid UTF-8"
    elseif find(value, field.lines and "[%z\1-\8\11\12\14-\31\127]" or "[%z\1-\31\127]") then
        return "must not hold control characters"
    end
    return nil
end

local kinds = {}

function kinds.string(field, value)
    if type(value) ~= "string" then
        return nil, "expected a string"
    end
    local complaint
    if field.referenceable and reference.is_reference(value) then
        complaint = check_bytes(field, value) or check_reference(value)
    else
        complaint = check_length(field, #value) or check_bytes(field, value)
            or field.check and field.check(value)
    end
    if complaint then
        return nil, complaint
    end
    return field.fold and field.fold(value) or value
end

function kinds.number(field, value)
    if type(value) ~= "number" or value ~= value or value == math.huge then
        return nil, "expected a number"
    end
    if field.max and (value < field.min or value > field.max) then
        return nil, ("value should be between %.16g and %.16g"):format(field.min, field.max)
    elseif value < field.min then
        return nil, ("value must be %.16g or more"):format(field.min)
    end
    return value
end

function kinds.integer(field, value)
    if type(value) ~= "number" or value % 1 ~= 0 then
        return nil, "expected an integer"
    end
    return kinds.number(field, value)
end

function kinds.boolean(_, value)
    if type(value) ~= "boolean" then
        return nil, "expected a boolean"
    end
    return value
end

function kinds.record(_, value)
    if type(value) ~= "table" then
        return nil, "expected a record"
    end
    return value
end

local function is_list(value)
    local count = 0
    for _ in pairs(value) do
        count = count + 1
    end
    return count == #value
end

local function check_elements(field, value)
    local made, complaints, seen = {}, {}, {}
    for i, given in ipairs(value) do
        local element, complaint = kinds[field.elements.type](field.elements, given)
        complaints[i] = complaint
        if not complaint and not (field.type == "set" and seen[element]) then
            seen[element] = true
            made[#made + 1] = element
        end
    end
    if next(complaints) then
        return nil, complaints
    end
    return made
end

function kinds.array(field, value)
    if type(value) ~= "table" or not is_list(value) then
        return nil, field.type == "set" and "expected a set" or "expected an array"
    end
    local complaint = check_length(field, #value)
    if complaint then
        return nil, complaint
    end
    return check_elements(field, value)
end

kinds.set = kinds.array

-- The value as it is kept, or nil and a complaint; a list's may be a table, index -> complaint.
function _M.check(field, value)
    return kinds[field.type](field, value)
end

-- Prefixes ----------------------------------------------------------------------------------------

local function check_free(value)
    for _, strategy in ipairs(_M.STRATEGIES) do
        if value == strategy then
            return "must not be one of: " .. table.concat(_M.STRATEGIES, ", ")
        end
    end
    return nil
end

-- A complaint about what is to be Kong's prefix, or nil.
function _M.check_prefix(value)
    if not find(value, "^%l[%l%d-]*[%l%d]$") then
        return "expected two or more of lower-case letters, digits and '-', a letter first, "
            .. "no '-' last"
    end
    return check_free(value)
end

-- A complaint about what is to be the id of one of APISIX's secrets, or nil.
function _M.check_secret_id(value)
    if type(value) ~= "string" or #value > 64 or not find(value, "^[%w_.-]+$") then
        return "expected 1 to 64 letters, digits, '-', '_' and '.'"
    elseif value == "." or value == ".." then
        return "must not be a dot segment"
    end
    return check_free(value)
end

return _M
