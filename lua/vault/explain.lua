-- explain - how a reference becomes its value, or why it does not, told to people.
--
-- For:   one reference -> a text: how it parses, its vault, each split of a path, the environment's
--        variable, what came of it.
-- Never: a value, a credential; the network, the environment, files: who does that is given; what
--        a fetch is told with (vault.explain_aws).

local aws = require "vault.aws"
local cut = require "vault.cut"
local env = require "vault.env"
local explain_aws = require "vault.explain_aws"
local reference = require "vault.reference"
local sheet_of = require "vault.sheet"
local splits = require "vault.splits"

local _M = {}

local SHOW = 4096
local VERSIONS = { "#1, the current one", "#2, the previous one" }

local function quote(text)
    return reference.quote(tostring(text), SHOW)
end

-- The reference and its vault ---------------------------------------------------------------------

local function tell_options(sheet, options)
    local names = {}
    for name in pairs(options or {}) do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local value = options[name]
        sheet:row("option " .. name, quote(type(value) == "number" and ("%.14g"):format(value)
            or value))
    end
end

local function tell_text(sheet, text, word)
    sheet:section("reference")
    sheet:row("text", word == "not_a_reference" and "not shown, for it may be a secret"
        or quote(text))
end

local function tell_parts(sheet, parts)
    sheet:row("grammar", parts.grammar == "apisix" and "Apache APISIX's" or "Kong's")
    sheet:row(parts.id and "manager" or "vault", quote(parts.name))
    sheet:row("id", parts.id and quote(parts.id))
    sheet:row("resource", quote(parts.resource))
    sheet:row("key", parts.key and quote(parts.key) or "none: the whole value")
    tell_options(sheet, parts.config)
    sheet:row("version", VERSIONS[parts.version or 1])
end

local function tell_vault(sheet, parts, vault)
    sheet:section("vault")
    sheet:row("strategy", vault.name)
    local prefix = parts.id or parts.name
    sheet:row("config", prefix == vault.name and not parts.id and "none: the strategy itself"
        or ('that of the vault "%s"'):format(quote(prefix)))
end

-- One secret, and the splits of a path ------------------------------------------------------------

local function failure_of(result, settled, parts)
    if not result.ok then
        return result.message, result.word
    end
    local why, refused = aws.refusal(settled, result)
    if why then
        return why, refused
    end
    if result.value_word == "ok" then
        return nil
    end
    return cut.say(parts, result.value_message), result.value_word
end

-- One try: { parts, settled?, result?, message?, word? }; without a message the value would be had.
local function try(parts, vault, tools)
    local attempt = { parts = parts }
    attempt.settled, attempt.message, attempt.word = aws.settle(parts, vault.config, tools.getenv)
    if not attempt.settled then
        return attempt
    end
    local request = aws.request(attempt.settled)
    request.key, request.base64_decode = parts.key, attempt.settled.base64_decode
    local result, message, word = tools.run(request)
    attempt.result = result or { ok = false, message = message, word = word, attempts = 0,
                                 skew = 0, tried = {} }
    attempt.message, attempt.word = failure_of(attempt.result, attempt.settled, parts)
    return attempt
end

local function is_final(attempt)
    return not attempt.word or not splits.NEXT[attempt.word]
end

-- As vault.splits does: the first split that is there, else the first of all. Returns the one that
-- counts, and all.
local function try_splits(parts, vault, tools)
    local attempts = {}
    for i, candidate in ipairs(reference.splits(parts)) do
        attempts[i] = try(splits.with(parts, candidate), vault, tools)
        if is_final(attempts[i]) then
            return attempts[i], attempts
        end
    end
    return attempts[1], attempts
end

local function tell_splits(sheet, chosen, attempts)
    sheet:section("splits")
    for i, attempt in ipairs(attempts) do
        local key = attempt.parts.key
        sheet:row(tostring(i), ('secret "%s"%s: %s%s'):format(quote(attempt.parts.resource),
            key and (', key "%s"'):format(quote(key)) or "", attempt.word or "ok",
            attempt == chosen and ", explained below" or ""))
    end
end

-- Later tries are made with the credentials, or the refusal, that the first came to.
local function tried_by(attempts)
    for _, attempt in ipairs(attempts) do
        if attempt.result and #attempt.result.tried > 0 then
            return attempt.result.tried
        end
    end
    return {}
end

local function tell_secret(sheet, parts, vault, tools)
    local chosen, attempts = try_splits(parts, vault, tools)
    local tried = tried_by(attempts)
    if #reference.splits(parts) > 1 then
        tell_splits(sheet, chosen, attempts)
    end
    if chosen.result then
        chosen.meant = #attempts > 1 and not chosen.result.ok and parts.resource or nil
        explain_aws.tell(sheet, chosen, tried)
    end
    return chosen.message, chosen.word
end

-- The environment ---------------------------------------------------------------------------------

local function tell_prefix(sheet, parts, conf)
    local prefix = type(conf.prefix) == "string" and conf.prefix ~= "" and conf.prefix
    sheet:section("settings")
    sheet:row("prefix", prefix and quote(prefix) or "not set",
        prefix and (parts.config and parts.config.prefix and "the reference" or "the vault"))
end

local function state_of(value, word)
    if word then
        return word
    end
    return value == "" and "empty" or value and "set" or "not set"
end

local function tell_variable(sheet, parts, vault, tools, text)
    local conf = env.conf(vault.config, parts)
    local name = env.variable(conf, parts.resource, parts.version)
    local value, _, refused = tools.getenv(name)
    local state = state_of(value, refused)
    tell_prefix(sheet, parts, conf)
    sheet:section("environment")
    sheet:row("variable", quote(name))
    sheet:row("state", state)
    local had, message, word = tools.get(text)
    if parts.key then
        sheet:section("key")
        sheet:row(quote(parts.key), had and "found" or state == "set" and word or "not looked for")
    end
    return message, word
end

-- Interface ---------------------------------------------------------------------------------------

local function tell(sheet, text, tools)
    local parts, vault, message, word
    parts, message, word = reference.parse(text)
    tell_text(sheet, text, word)
    if not parts then
        return message, word
    end
    tell_parts(sheet, parts)
    vault, message, word = tools.find(parts)
    if not vault then
        return message, word
    end
    tell_vault(sheet, parts, vault)
    if vault.name == "env" then
        return tell_variable(sheet, parts, vault, tools, text)
    end
    return tell_secret(sheet, parts, vault, tools)
end

-- Explain the reference `text`.
--
-- tools  { find (vault.vaults.find), getenv (vault.environment.get), get (vault.get; asked for
--        variables only), run (vault.fetch.explain) }
--
-- the explanation, lines of printable ASCII; and where the value would not be had, message, word
function _M.explain(text, tools)
    local sheet = sheet_of.new()
    local message, word = tell(sheet, text, tools)
    sheet:section("value")
    sheet:line(message and ("not to be had: %s [%s]"):format(message, word) or "to be had")
    return sheet:text(), message, word
end

return _M
