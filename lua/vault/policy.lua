-- policy - the smallest IAM policies with which a secret can be read.
--
-- For:   the secret's ARN, as narrow as it is known; a policy's JSON as lines. Pure.
-- Never: what was tried and how it went (vault.explain).

local reference = require "vault.reference"

local _M = {}

local format, gsub = string.format, string.gsub
local ANY_SUFFIX = "-??????" -- Secrets Manager ends each ARN in "-" and six characters of its own

-- In IAM's patterns "*", "?" and "$" stand for themselves as "${*}".
local function literal(text)
    return (gsub(text, "[*?$]", "${%0}"))
end

-- The ARN of the secret, or the narrowest pattern for it; nil where not even the region is known.
--
-- known  { arn? (as AWS answered), resource (name or ARN), region?, partition?, account? }
function _M.secret(known)
    if known.arn then
        return literal(known.arn)
    end
    if reference.arn_region(known.resource) then
        local whole = known.resource:find("%-%w%w%w%w%w%w$")
        return literal(known.resource) .. (whole and "" or ANY_SUFFIX)
    end
    if not (known.region and known.partition) then
        return nil
    end
    return format("arn:%s:secretsmanager:%s:%s:secret:%s%s", known.partition, known.region,
        known.account or "*", literal(known.resource), ANY_SUFFIX)
end

-- The account of an IAM role's ARN, or nil.
function _M.account(role)
    return role:match("^arn:[^:]*:iam::(%d+):")
end

-- No name that AWS takes has a byte beyond ASCII: "?" is IAM's for any one.
local function json(text)
    return '"' .. gsub(gsub(text, "[^ -~]", "?"), '["\\]', "\\%0") .. '"'
end

-- The lines of a policy that allows `action` on `resource` and nothing else.
function _M.lines(action, resource)
    return {
        "{",
        '  "Version": "2012-10-17",',
        '  "Statement": [',
        "    {",
        '      "Effect": "Allow",',
        '      "Action": ' .. json(action) .. ",",
        '      "Resource": ' .. json(resource),
        "    }",
        "  ]",
        "}",
    }
end

return _M
