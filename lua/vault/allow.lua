-- allow - which secrets a vault lets its references read: globs on name or ARN.
--
-- For:   a vault's `allow` and what a reference names -> whether it may be asked for. Pure.
-- Never: what a glob matches (vault.glob), reading.
--
-- A name and an ARN are two ways to write one secret, so a glob of either kind is tried on both.
-- Of a name two things are not known: the six characters that AWS adds, which match anything, and
-- the account. That is the glob's own where all of it is written there; else it is twelve zeros,
-- which "*" matches, and "12*" does not.

local compile = require("vault.glob").compile

local find, gsub, match = string.find, string.gsub, string.match

local _M = {}

local ANY_SUFFIX = "-??????"
local SUFFIX = "%-" .. ("%w"):rep(6) .. "$"

local compiled = setmetatable({}, { __mode = "k" })

local function compile_each(globs)
    local each = {}
    for i, glob in ipairs(globs) do
        each[i] = { text = glob, matches = compile({ glob }), is_arn = find(glob, "^arn:") ~= nil }
    end
    return each
end

local function globs_of(allow)
    local globs = compiled[allow]
    if not globs then
        globs = compile_each(allow)
        compiled[allow] = globs
    end
    return globs
end

-- An ARN as `glob` would have it where it says, for what is not known of a secret.
local function arn_for(glob, region, name)
    local partition, of_region, account = match(glob,
        "^arn:([^:]*):secretsmanager:([^:]*):([^:]*):secret:")
    local function known(text, pattern, otherwise)
        return text and find(text, pattern) and text or otherwise
    end
    return ("arn:%s:secretsmanager:%s:%s:secret:%s"):format(
        known(partition, "^aws[%w-]*$", "aws"), region or known(of_region, "^[%w-]+$", "any"),
        known(account, "^%d+$", "000000000000"), name)
end

-- Whether the secret with `arn`, which lacks the six characters, matches. A glob may lack them too.
local function allows_partial_arn(glob, arn)
    local suffix = match(glob.text, "%-[%w?][%w?][%w?][%w?][%w?][%w?]$")
    return glob.matches(arn .. (suffix or ANY_SUFFIX)) or not suffix and glob.matches(arn)
end

local function allows_name(glob, region, name)
    if not glob.is_arn then
        return glob.matches(name)
    end
    return allows_partial_arn(glob, arn_for(glob.text, region, name))
end

local function name_of(arn)
    return match(arn, "^arn:[^:]*:[^:]*:[^:]*:[^:]*:secret:(.*)$") or ""
end

local function allows_complete(glob, arn)
    return glob.matches(glob.is_arn and arn or (gsub(name_of(arn), SUFFIX, "")))
end

local function allows_partial(glob, arn)
    if glob.is_arn then
        return allows_partial_arn(glob, arn)
    end
    return glob.matches(name_of(arn))
end

local function any(globs, test, ...)
    for _, glob in ipairs(globs) do
        if test(glob, ...) then
            return true
        end
    end
    return false
end

-- Whether `allow`, a list of globs, lets `resource` be read: a name or an ARN.
--
-- region  the region that a name is looked up in; nil: not known
--
-- false | true | true, true: AWS's answer must be of this very ARN. One that ends in six characters
-- may be meant as complete, or as that of a longer name ("app-master"), which is not allowed then.
function _M.check(allow, resource, region)
    local globs = globs_of(allow)
    if not find(resource, "^arn:") then
        return any(globs, allows_name, region, resource)
    end
    local complete = any(globs, allows_complete, resource)
    local partial = any(globs, allows_partial, resource)
    local is_odd = complete and not partial and find(resource, SUFFIX) ~= nil
    return complete or partial, is_odd or nil
end

return _M
