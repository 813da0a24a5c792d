-- judge - whether what a gateway served over a long time was right, and what it took flat.
--
-- For:   versions of secrets and when they came, faults and when they were; which answers those
--        allow; samples of memory and descriptors.
-- Never: asking, breaking, measuring (longrun).

local _M = {}
local methods = {}
local metatable = { __index = methods }

local RECOVERY = 5 -- seconds after a fault in which the newest version is had again
local AGREE = 1 -- seconds in which workers follow each other
local COOL = 10 -- seconds in which vault.try leaves a secret alone that it found unchanged
-- Growth that is none, from the least in one half of a run to the least in the other: so many and
-- such a part. Of memory (KB) the collector's work and pages that malloc keeps; of a worker whose
-- Lua is compiled, which goes on for an hour as ever rarer ways become frequent enough; connections
-- to AWS that are kept. A leak grows with each request.
local ALLOWED = {
    ["memory"] = { 768, 0.02 },
    ["memory, compiled,"] = { 2048, 0.25 },
    ["descriptors"] = { 8, 0 },
}

-- ttl: seconds, the longest in use; margin: seconds that a busy machine takes.
function _M.new(options)
    return setmetatable({ ttl = options.ttl, margin = options.margin, faults = {}, versions = {} },
        metatable)
end

-- The secret has this version from now on: a number, one more than before.
function methods:put(secret, version, at)
    self.versions[secret] = self.versions[secret] or {}
    self.versions[secret][version] = at
end

-- AWS was not itself from `first` to `last`.
function methods:fault(first, last)
    table.insert(self.faults, { first = first, last = last })
end

-- Until when AWS's faults may have kept anybody from what came at `at`: its end where it is none.
local function excused_until(self, from, till)
    local over = from
    for _, fault in ipairs(self.faults) do
        if fault.first <= till and fault.last + RECOVERY + self.margin >= from then
            over = math.max(over, fault.last + RECOVERY)
        end
    end
    return over
end

-- A version was served, the last time at `last`: nil, or what is wrong with it.
function methods:served(secret, version, last)
    local versions = self.versions[secret] or {}
    local came, replaced = versions[version], versions[version + 1]
    if not came then
        return ("%s: version %d never was"):format(secret, version)
    elseif last < came - self.margin then
        return ("%s: version %d before it came"):format(secret, version)
    elseif not replaced then
        return nil
    end
    -- What was renewed just before the new one came, and faults since.
    local most = math.max(replaced + self.ttl + AGREE,
        excused_until(self, replaced - self.ttl, last) + AGREE) + self.margin
    if last > most then
        return ("%s: version %d still %.1f s after the next had come, %.1f s too late"):format(
            secret, version, last - replaced, last - most)
    end
    return nil
end

-- vault.try found no version that the database takes, at `at`: nil, or what is wrong with it.
function methods:gave_up(secret, at)
    for _, fault in ipairs(self.faults) do
        if at >= fault.first - self.margin and at <= fault.last + COOL + self.margin then
            return nil
        end
    end
    return secret .. ": vault.try gave up though AWS was there"
end

local function least(list, first, last)
    local found = math.huge
    for i = first, last do
        found = math.min(found, list[i])
    end
    return found
end

local function growth(list)
    local half = math.floor(#list / 2)
    local before, after = least(list, 1, half), least(list, #list - half + 1, #list)
    return before, after
end

-- Samples of one process over a time in which it did the same, oldest first: nil, or what is not
-- flat.
-- what: "memory", "memory, compiled," or "descriptors"; whose: words for what is said.
function _M.flat(what, whose, list)
    local name, allowed = what .. " " .. whose, ALLOWED[what]
    if #list < 4 then
        return name .. ": too few samples"
    end
    local before, after = growth(list)
    if after > before * (1 + allowed[2]) + allowed[1] then
        return ("%s: %d in the first half, %d in the second (%s)"):format(name, before, after,
            table.concat(list, " "))
    end
    return nil
end

return _M
