-- explain_aws - one fetch from AWS Secrets Manager, told to people.
--
-- For:   what was settled and where that came from, all that was tried for credentials, the
--        request, AWS's answer, the key, the smallest policies that would allow it.
-- Never: a value, a credential; fetching (it is given how the fetch went), which secret it is that
--        counts (vault.explain).

local config = require "vault.config"
local policy = require "vault.policy"
local reference = require "vault.reference"

local _M = {}

local SHOW = 4096
local SERVICE = "secretsmanager"

local function quote(text)
    return reference.quote(tostring(text), SHOW)
end

-- What is settled ---------------------------------------------------------------------------------

local SECRETS = { access_key_id = true, secret_access_key = true, session_token = true,
                  external_id = true }
local SECONDS = { ttl = true, neg_ttl = true, resurrect_ttl = true, timeout = true }
local ORIGINS = { option = "the reference", arn = "the ARN", entity = "the vault" }

-- Whoever put a password into a URL did not mean it to be shown.
local function show_url(url)
    return (quote(url):gsub("^.*@", "***@"):gsub("[?#].*$", "..."))
end

local function show_field(name, value)
    if value == nil then
        return "not set"
    end
    if SECRETS[name] then
        return "set"
    end
    if SECONDS[name] then
        return ("%.14g s"):format(value)
    end
    return name:find("_url$") and show_url(value) or quote(value)
end

-- AWS's own host, plain, FIPS or dual-stack.
local function is_own(endpoint, region)
    for _, label in ipairs { SERVICE, SERVICE .. "-fips" } do
        local host = ("https://%s.%s."):format(label, region)
        if endpoint:sub(1, #host) == host then
            return true
        end
    end
    return false
end

-- What the engine found for a field that nobody had set: value, where.
local function found_later(name, result)
    if name == "region" and result.region then
        return result.region, result.region_from
    end
    local endpoint = name == "endpoint_url" and result.endpoint
    if endpoint and not is_own(endpoint, result.region) then
        return endpoint, "profile"
    end
end

local function tell_settings(sheet, settled, result)
    sheet:section("settings")
    for _, name in ipairs(config.NAMES) do
        local origin = settled.origin[name]
        local value, note = show_field(name, settled[name]), ORIGINS[origin] or origin
        if settled[name] == nil then
            local later, from = found_later(name, result)
            value, note = later or value, from
        end
        sheet:row(name, value, note)
    end
end

-- Credentials and roles ---------------------------------------------------------------------------

local function outcome(step, done)
    if step.word == "ok" then
        return done
    end
    if step.word == "not_configured" then
        return "passed over: " .. (step.why or "")
    end
    return ("failed [%s]: %s"):format(step.word, step.why or "")
end

-- The role of a step: ARN, whether by a web identity.
local function role_of(step)
    local arn = step.what:match("^assuming the role (.+)$")
    if arn then
        return arn, false
    end
    return step.what:match("^web identity for the role (.+)$"), true
end

local function tell_step(sheet, step)
    local role, web = role_of(step)
    if role then
        sheet:row(web and "web identity" or "role", role .. " " .. outcome(step, "assumed"))
    else
        sheet:row(step.what, outcome(step, "used"))
    end
end

local function tell_credentials(sheet, settled, result, tried)
    sheet:section("credentials")
    if #tried == 0 then
        sheet:line("not looked for")
        return
    end
    if not settled.access_key_id then
        sheet:row("the vault's own keys", "passed over: none are set")
    end
    for _, step in ipairs(tried) do
        tell_step(sheet, step)
    end
    sheet:row("source", result.source)
    if result.source then
        sheet:row("expires", result.expires and os.date("!%Y-%m-%dT%H:%M:%SZ", result.expires)
            or "never, as far as is known")
    end
end

-- The request and the answer ----------------------------------------------------------------------

local function tell_request(sheet, attempt)
    local result = attempt.result
    sheet:section("request")
    if not result.endpoint then
        sheet:line("not made: where to is not settled")
        return
    end
    sheet:row("endpoint", result.endpoint)
    sheet:row("service", SERVICE)
    sheet:row("secret", quote(attempt.parts.resource), attempt.settled.stage)
    sheet:row("signed scope", result.region .. "/" .. SERVICE)
    if math.abs(result.skew) >= 0.5 then
        sheet:row("clock", ("corrected: AWS's is %.0f s %s this machine's"):format(
            math.abs(result.skew), result.skew > 0 and "ahead of" or "behind"))
    end
end

-- AWS's code and message, or nil and the whole message, without what it is about.
local function read_message(result)
    local message, about = result.message, ('" in %s: '):format(result.region or "")
    local _, last = message:find(about, 1, true)
    local said = last and message:sub(last + 1) or message
    if (result.http_status or 200) ~= 200 then
        local code, text = said:match("^(%a%w+): (.*)$")
        return code, text or said
    end
    return nil, said
end

local function tell_answer(sheet, result)
    sheet:section("answer")
    if result.attempts == 0 then
        sheet:line("not asked")
        return
    end
    sheet:row("status", result.http_status and "HTTP " .. result.http_status or "none came")
    if not result.ok then
        local code, message = read_message(result)
        sheet:row("code", code)
        sheet:row("message", message)
    end
    sheet:row("request id", result.request_id)
    sheet:row("attempts", result.attempts)
    sheet:row("version id", result.version_id)
    sheet:row("ARN", result.arn)
    sheet:row("payload", result.payload_type)
end

local function tell_key(sheet, attempt)
    local result, key = attempt.result, attempt.parts.key
    sheet:section("key")
    local label = key and quote(key) or "the whole secret"
    if not result.ok then
        sheet:row(label, "not looked for")
    elseif result.value_word == "ok" then
        sheet:row(label, key and "found" or "had")
    else
        sheet:row(label, result.value_message, result.value_word)
    end
end

-- The policy --------------------------------------------------------------------------------------

-- Of an ARN that is too long C shows the first bytes; the vault's own role is known whole.
local function whole(arn, own)
    local start = arn and arn:match("^(.*)%.%.%.$")
    return start and own and own:sub(1, #start) == start and own or arn
end

-- Each role once, in the order in which they are assumed: { arn, web }.
local function roles_of(settled, tried)
    local roles, seen = {}, {}
    local function add(arn, web)
        arn = whole(arn, settled.assume_role_arn)
        if arn and not seen[arn] then
            seen[arn] = true
            roles[#roles + 1] = { arn = arn, web = web }
        end
    end
    for _, step in ipairs(tried) do
        add(role_of(step))
    end
    add(settled.assume_role_arn, false)
    return roles
end

local function tell_policy_of(sheet, who, action, resource)
    sheet:line(who .. ":")
    for _, text in ipairs(policy.lines(action, resource)) do
        sheet:line(text)
    end
end

local function tell_roles(sheet, roles)
    local who = "whoever the first credentials belong to"
    for _, role in ipairs(roles) do
        if role.web then
            sheet:line(("the trust policy of %s must allow sts:AssumeRoleWithWebIdentity to the "
                .. "token's issuer and subject"):format(role.arn))
        else
            tell_policy_of(sheet, ("for %s, whom the trust policy of %s must name"):format(who,
                role.arn), "sts:AssumeRole", (role.arn:gsub("%.%.%.$", "*")))
        end
        who = role.arn
    end
end

local function mentions_key(result)
    return result.word == "decryption_failed"
        or result.word == "access_denied" and (result.message or ""):lower():find("kms", 1, true)
end

local function tell_policy(sheet, attempt, tried)
    local result, roles = attempt.result, roles_of(attempt.settled, tried)
    local last = roles[#roles]
    local resource = policy.secret {
        arn = result.arn, resource = attempt.meant or attempt.parts.resource,
        region = result.region,
        partition = result.partition, account = last and policy.account(last.arn),
    }
    if not resource then
        return
    end
    sheet:section("policy")
    tell_policy_of(sheet, "for " .. (last and last.arn or "whoever the credentials belong to")
        .. (attempt.meant and (', if the secret is "%s"'):format(quote(attempt.meant)) or ""),
        SERVICE .. ":GetSecretValue", resource)
    tell_roles(sheet, roles)
    if mentions_key(result) then
        sheet:line("kms:Decrypt on the secret's KMS key is needed too: in this policy, and in the "
            .. "key's own")
    end
end

-- Interface ---------------------------------------------------------------------------------------

-- Tell of an attempt.
--
-- sheet    of vault.sheet
-- attempt  { parts (vault.reference's), settled (vault.config's), result (vault.fetch.explain's),
--          meant? (the name to allow, where nobody knows which of several it is) }
-- tried    the result's; that of another where the credentials are those that it came to
function _M.tell(sheet, attempt, tried)
    tell_settings(sheet, attempt.settled, attempt.result)
    tell_credentials(sheet, attempt.settled, attempt.result, tried)
    tell_request(sheet, attempt)
    tell_answer(sheet, attempt.result)
    tell_key(sheet, attempt)
    tell_policy(sheet, attempt, tried)
end

return _M
