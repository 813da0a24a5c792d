-- fuzz_reference - texts made out of texts, until vault.reference breaks one of its rules.
--
-- For:   `luajit spec/support/fuzz_reference.lua SECONDS FOUND CORPUS`: the target "reference" of
--        .ci/fuzz.sh. What comes to a new outcome is made use of again. A text that breaks a rule
--        is written to the file FOUND, exit 1. With FUZZ_PLANTED set, "key" breaks one.
-- Never: the rules (reference_rules).

local rules = require "spec.support.reference_rules"
local system = require "spec.support.system"

local SECONDS, FOUND, CORPUS = tonumber(arg[1]), arg[2], arg[3]
local PLANTED = os.getenv("FUZZ_PLANTED")
local LONGEST = 4096 -- bytes
local POOL_MOST = 2000
local TOKENS = { "{vault://", "$secret://", "$env://", "}", "/", "#", "?", "&", "=", "%2F", "%00",
                 "ttl=", "neg_ttl=", "resurrect_ttl=", "region=", "base64_decode=true", "1e9",
                 "arn:aws:secretsmanager:eu-west-1:123456789012:secret:", "#2", "\0", "\255",
                 "key" }

local random = math.random
local pool, known = {}, {}

local function keep(text)
    if #pool < POOL_MOST then
        pool[#pool + 1] = text
    else
        pool[random(POOL_MOST)] = text
    end
end

local function cut(text)
    local first = random(0, #text)
    return text:sub(1, first), text:sub(first + 1)
end

local MUTATIONS = {
    function(text) -- a byte
        local before, after = cut(text)
        return before .. string.char(random(0, 255)) .. after:sub(2)
    end,
    function(text) -- some bytes less
        local before, after = cut(text)
        return before .. after:sub(random(1, 8))
    end,
    function(text) -- a token
        local before, after = cut(text)
        return before .. TOKENS[random(#TOKENS)] .. after
    end,
    function(text) -- a part again
        local before, after = cut(text)
        return before .. after:sub(1, random(1, 32)):rep(random(1, 4)) .. after
    end,
    function(text) -- a part of another
        local before = cut(text)
        local _, after = cut(pool[random(#pool)])
        return before .. after
    end,
}

local function mutated()
    local text = pool[random(#pool)]
    for _ = 1, random(1, 6) do
        text = MUTATIONS[random(#MUTATIONS)](text)
    end
    return text:sub(1, LONGEST)
end

-- The outcome without what is only of this text.
local function shape_of(parts, message)
    if message then
        return (message:gsub('"[^"]*"', '""'):gsub("%d+", "0"):sub(1, 80))
    end
    local names = { parts.grammar or "kong", parts.version or 0, parts.key and "key" or "" }
    for name in pairs(parts.config or {}) do
        names[#names + 1] = name
    end
    table.sort(names, function(left, right) return tostring(left) < tostring(right) end)
    return table.concat(names, " ")
end

local function try(text)
    local ok, parts, message = pcall(rules.check, text)
    if ok and PLANTED and text:find("key", 1, true) then
        ok, parts = false, "planted"
    end
    if not ok then
        system.write(FOUND, text)
        print("fuzz_reference: " .. tostring(parts) .. "; the text is in " .. FOUND)
        os.exit(1)
    end
    local shape = shape_of(parts, message)
    if not known[shape] then
        known[shape] = true
        keep(text)
    end
end

math.randomseed(tonumber(os.getenv("FUZZ_SEED")) or os.time())
for name in system.must("ls " .. system.quote(CORPUS)):gmatch("[^\n]+") do
    keep(assert(system.read(CORPUS .. "/" .. name)))
end
for _, text in ipairs(pool) do
    try(text)
end
local over, runs = system.now() + SECONDS, 0
repeat
    for _ = 1, 1000 do
        try(mutated())
    end
    runs = runs + 1000
until system.now() > over
print("stat::number_of_executed_units: " .. runs)
