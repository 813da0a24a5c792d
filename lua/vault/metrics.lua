-- metrics - counters of the whole node, and their Prometheus text.
--
-- For:   counting in this worker's memory, adding that to the shared dict now and then, the text
--        of the counters and of the gauges the caller brings.
-- Never: computing gauges, serving the text, putting others' entries out of the dict.
--
-- In the dict a label has a number, which is part of its counter's name: so all labels are found
-- without listing the dict's keys. They are words, at most 64 of them for each name.

local _M = {}
local methods = {}
local metatable = { __index = methods }

local LABELS_MOST, LABEL_LENGTH = 64, 64
local OTHER = "other"
local LEVELS = { "worker", "dict" }

-- The counters: name, help; label: its label's name, values: those shown from the start;
-- summary: the name of the summary it is part of.
_M.NAMES = {
    { name = "vault_hits_total", label = "level", values = LEVELS,
      help = "Values found without a call to AWS, by the level that had them." },
    { name = "vault_misses_total", help = "Values found on no level." },
    { name = "vault_fetches_total", label = "outcome",
      help = "Fetches that ended, by the word of their outcome." },
    { name = "vault_batches_total", help = "Batch calls." },
    { name = "vault_batch_secrets_total", help = "Secrets asked for in batch calls." },
    { name = "vault_retries_total", help = "Calls repeated after a failure." },
    { name = "vault_throttles_total", help = "Answers by which AWS asked for fewer calls." },
    { name = "vault_refresh_lag_seconds_sum", summary = "vault_refresh_lag_seconds",
      help = "Seconds from when a refresh was due to when it was done." },
    { name = "vault_refresh_lag_seconds_count", summary = "vault_refresh_lag_seconds",
      help = "Seconds from when a refresh was due to when it was done." },
    { name = "vault_dict_refusals_total", help = "Entries the shared dict had no room for." },
    { name = "vault_stale_total",
      help = "Times a value past its ttl was taken into service." },
    { name = "vault_changes_total", help = "New versions of secrets seen." },
}

local function new_pending(entry)
    local counts = {}
    for _, value in ipairs(entry.values or { not entry.label and "" or nil }) do
        counts[value] = 0
    end
    return counts
end

-- Metrics. dict: the shared dict, or nil: then each worker has its own.
function _M.new(options)
    local self = { dict = options.dict, pending = {}, entries = {}, sizes = {}, places = {} }
    for _, entry in ipairs(_M.NAMES) do
        self.entries[entry.name] = entry
        self.pending[entry.name] = new_pending(entry)
        self.sizes[entry.name], self.places[entry.name] = 0, {}
    end
    return setmetatable(self, metatable)
end

-- The label as which `label` is counted.
local function settle_label(self, name, label)
    if #label > LABEL_LENGTH or not label:find("^[%w_%-]+$") then
        return OTHER
    elseif label ~= OTHER and not self.pending[name][label] then
        if self.sizes[name] >= LABELS_MOST then
            return OTHER
        end
        self.sizes[name] = self.sizes[name] + 1
    end
    return label
end

local function count_first(self, name, label, n)
    local entry = self.entries[name]
    if not entry then
        error("no counter has the name " .. tostring(name), 3)
    elseif (entry.label ~= nil) ~= (type(label) == "string") then
        error(name .. (entry.label and " needs a label" or " has no label"), 3)
    elseif not (n >= 0 and n < math.huge) then
        error("counters only go up", 3)
    end
    local counts = self.pending[name]
    label = settle_label(self, name, label or "")
    counts[label] = (counts[label] or 0) + n
end

-- Add `n` (1) to a counter. label: for those that have one, a word of at most 64 bytes; anything
-- else, and the 65th different one, is counted as "other".
function methods:count(name, label, n)
    local counts = self.pending[name]
    local have = counts and counts[label or ""]
    n = n or 1
    if have and n >= 0 and n < math.huge then
        counts[label or ""] = have + n
        return
    end
    count_first(self, name, label, n)
end

local function label_key(name, place)
    return "m:l:" .. name .. ":" .. place
end

local function count_key(name, place)
    return "m:c:" .. name .. ":" .. place
end

-- The number of `label` in the dict, given now if it has none; 0 is that of "other" and of counters
-- without label. nil: the dict takes no more.
local function find_place(self, name, label)
    if label == "" or label == OTHER then
        return 0
    end
    local known = self.places[name][label]
    if known and self.dict:get(label_key(name, known)) == label then
        return known
    end
    for place = 1, LABELS_MOST do
        local ok, err = self.dict:safe_add(label_key(name, place), label)
        if ok or self.dict:get(label_key(name, place)) == label then
            self.places[name][label] = place
            return place
        elseif err ~= "exists" then
            return nil
        end
    end
    return 0
end

local function add_shared(self, key, n)
    if self.dict:incr(key, n) then
        return true
    end
    local ok, err = self.dict:safe_add(key, n)
    return ok or err == "exists" and self.dict:incr(key, n) ~= nil
end

-- Add what was counted here to the node's counters. What the dict refuses stays counted here.
function methods:flush()
    if not self.dict then
        return
    end
    for name, counts in pairs(self.pending) do
        for label, n in pairs(counts) do
            local place = n > 0 and find_place(self, name, label)
            if place and add_shared(self, count_key(name, place), n) then
                counts[label] = 0
            end
        end
    end
end

-- The label at `place` and its count in the dict; nil: nothing is there.
local function shared_count(self, entry, place)
    local label = entry.label and OTHER or ""
    if place > 0 then
        label = self.dict:get(label_key(entry.name, place))
    end
    local n = type(label) == "string" and self.dict:get(count_key(entry.name, place))
    if type(n) == "number" then
        return label, n
    end
    return nil
end

-- label -> count of the node, as far as this worker can know.
local function totals(self, entry)
    local sums = {}
    for label, n in pairs(self.pending[entry.name]) do
        sums[label] = n
    end
    if self.dict then
        for place = 0, entry.label and LABELS_MOST or 0 do
            local label, n = shared_count(self, entry, place)
            if label then
                sums[label] = (sums[label] or 0) + n
            end
        end
    end
    return sums
end

local function escape_byte(byte)
    return ("\\\\x%02x"):format(byte:byte())
end

-- Bytes that are not printable ASCII come as \xNN.
local function escape(text)
    text = tostring(text):gsub("\\", "\\\\"):gsub("\n", "\\n"):gsub('"', '\\"')
    return (text:gsub("[^\32-\126]", escape_byte))
end

local function escape_help(text)
    return (text:gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

local function show_number(value)
    if value ~= value then
        return "NaN"
    elseif value == math.huge or value == -math.huge then
        return value > 0 and "+Inf" or "-Inf"
    end
    return ("%.15g"):format(value)
end

-- Families by name: { type, help, samples = { name with label -> value } }. The first sample of a
-- name and label counts.
local function sample(families, family, name, label, value)
    if label then
        name = ('%s{%s="%s"}'):format(name, label[1], escape(label[2]))
    end
    local found = families[family.name] or family
    families[family.name] = found
    found.samples = found.samples or {}
    found.samples[name] = found.samples[name] or show_number(value)
end

local function sample_counters(self, families)
    for _, entry in ipairs(_M.NAMES) do
        for label, value in pairs(totals(self, entry)) do
            sample(families, { name = entry.summary or entry.name, help = entry.help,
                               type = entry.summary and "summary" or "counter" },
                entry.name, entry.label and { entry.label, label }, value)
        end
    end
end

local function is_gauge(self, families, gauge)
    local name, label = gauge.name, gauge.label
    if type(name) ~= "string" or not name:find("^[%a_:][%w_:]*$") or self.entries[name]
        or families[name] and families[name].type ~= "gauge" then
        return false
    end
    return type(gauge.value) == "number" and (not label or label[1]:find("^[%a_][%w_]*$") ~= nil)
end

local function sample_gauges(self, families, gauges)
    for _, gauge in ipairs(gauges or {}) do
        if not is_gauge(self, families, gauge) then
            error("not a gauge: " .. tostring(gauge.name), 3)
        end
        sample(families, { name = gauge.name, help = gauge.help or "", type = "gauge" },
            gauge.name, gauge.label, gauge.value)
    end
end

local function sorted_keys(map)
    local keys = {}
    for key in pairs(map) do
        keys[#keys + 1] = key
    end
    table.sort(keys)
    return keys
end

-- The text (Prometheus text exposition 0.0.4), sorted: the counters of all workers as far as they
-- are flushed and this one's, and the gauges given.
--
-- gauges  list of { name, help, label = { name, value } or nil, value }
function methods:text(gauges)
    local families, lines = {}, {}
    sample_counters(self, families)
    sample_gauges(self, families, gauges)
    for _, name in ipairs(sorted_keys(families)) do
        local family = families[name]
        lines[#lines + 1] = ("# HELP %s %s"):format(name, escape_help(family.help))
        lines[#lines + 1] = ("# TYPE %s %s"):format(name, family.type)
        for _, key in ipairs(sorted_keys(family.samples)) do
            lines[#lines + 1] = key .. " " .. family.samples[key]
        end
    end
    return table.concat(lines, "\n") .. "\n"
end

return _M
