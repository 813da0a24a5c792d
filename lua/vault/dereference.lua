-- dereference - configurations whose fields are references: their values, kept up to date in place.
--
-- For:   `$refs` beside the values, as Kong has them: dereference, update, warmup.
-- Never: fetching (resolve), when a value is good (cache), what is done with a value (attempt),
--        which fields may be references (referenceable).
--
-- A configuration is any table. A table in it with a field "$refs" = { field = reference } (or, for
-- an array or a map, a table of references) has references in these fields, at any depth.

local anew = require "vault.anew"
local held = require "vault.held"
local path_text = require("vault.violations").path_text
local reference = require "vault.reference"
local referenceable = require "vault.referenceable"
local resolve = require "vault.resolve"

local _M = {}

local REFS = "$refs"
local RETRY = 1 -- seconds until a configuration that lacks a value is looked at again
local READS_MOST = 3 -- of one configuration, where secrets change meanwhile

-- configuration -> what is known of it: { fields, generation, earliest, message, word }. Holds no
-- part of the configuration itself, or it would never be collected.
local states = setmetatable({}, { __mode = "k" })
-- A table of references -> { key -> the word last warned of, or false }, of optional fields alone.
local optional = setmetatable({}, { __mode = "k" })
local generation = 0
local now = os.time
local warn = function() end

-- Some value of this worker is not what it was.
function _M.changed()
    generation = generation + 1
end

-- now   function() -> seconds
-- warn  function(message)
function _M.configure(options)
    now, warn = options.now or now, options.warn or warn
    generation = generation + 1
end

-- Finding references ------------------------------------------------------------------------------

local function path_with(path, key)
    local longer = { unpack(path) }
    longer[#longer + 1] = key
    return longer
end

-- The references in `refs`, which lies beside the fields at `path`; the first `depth` steps lead to
-- the table in which it is "$refs". seen: the tables around it, for a circle would have no end.
local function add_refs(found, seen, refs, path, depth)
    seen[refs] = true
    local warned = optional[refs]
    for key, text in pairs(refs) do
        if type(text) == "table" and not seen[text] then
            add_refs(found, seen, text, path_with(path, key), depth)
        elseif reference.is_reference(text) then
            found[#found + 1] = { path = path, key = key, reference = text, depth = depth,
                                  warned = warned and warned[key] ~= nil and warned or nil }
        end
    end
    seen[refs] = nil
end

local function find(found, seen, conf, path)
    seen[conf] = true
    local refs = rawget(conf, REFS)
    if type(refs) == "table" then
        add_refs(found, { [conf] = true }, refs, path, #path)
    end
    for key, value in pairs(conf) do
        if key ~= REFS and type(value) == "table" and not seen[value] then
            find(found, seen, value, path_with(path, key))
        end
    end
end

-- The references of `conf` as it is now: it may have been rearranged.
local function fields_of(conf)
    local fields = {}
    find(fields, {}, conf, {})
    return fields
end

-- Reading and writing -----------------------------------------------------------------------------
-- What was read: { values, secrets, versions, failed, generation, earliest }; the first four by the
-- number of the field; of what failed { message, word }. A secret is what origin() knew it by then:
-- it may have made room for another before all are read.

local function fail(read, i, message, word)
    read.values[i] = nil
    read.failed[i] = read.failed[i] or { message = message, word = word }
end

-- What the secret of `text` is known by; and the version that its value is of.
function _M.origin(text)
    local found = held.find(text)
    if not found then
        return text
    end
    return found.entry.key or text, found.spoilt and "before" or found.snapshot.version_id
end

-- Whoever has failed once is not asked again.
local function read_fields(fields, read)
    for i, field in ipairs(fields) do
        if not read.failed[i] then
            local value, message, word = resolve.get(field.reference)
            read.values[i] = value
            if value then
                read.secrets[i], read.versions[i] = _M.origin(field.reference)
            else
                fail(read, i, message, word)
            end
        end
    end
end

-- Where values of one secret are of different versions (it changes all the time, or what is new of
-- it cannot be used), none of them is taken.
local function drop_torn(fields, read)
    local versions, torn = {}, {}
    for i, secret in pairs(read.secrets) do
        if read.values[i] then
            versions[secret] = versions[secret] or read.versions[i]
            torn[secret] = torn[secret] or versions[secret] ~= read.versions[i]
        end
    end
    for i in ipairs(fields) do
        if torn[read.secrets[i]] then
            fail(read, i, "the values of one secret are of different versions", "key_not_found")
        end
    end
end

-- Read all as it is between two changes.
local function read_all(fields)
    local read = { values = {}, secrets = {}, versions = {}, failed = {}, earliest = math.huge }
    for _ = 1, READS_MOST do
        read.generation = generation
        read_fields(fields, read)
        if read.generation == generation then
            break
        end
    end
    drop_torn(fields, read)
    for i, field in ipairs(fields) do
        read.earliest = math.min(read.earliest,
            read.values[i] and held.good_until(field.reference) or now() + RETRY)
    end
    return read
end

-- The table to which the steps `first` to `last` of `path` lead from `from`, or nil.
local function follow(from, path, first, last)
    for i = first, last do
        from = type(from) == "table" and rawget(from, path[i]) or nil
    end
    return type(from) == "table" and from or nil
end

-- The table in which `field` of `conf` lies, or nil where somebody took it out.
local function table_of(conf, field)
    return follow(conf, field.path, 1, #field.path)
end

-- Whether `conf` has the reference still where it was found: another record may have its place.
local function is_there(conf, field)
    local record = follow(conf, field.path, 1, field.depth)
    local refs = record and follow(rawget(record, REFS), field.path, field.depth + 1, #field.path)
    return refs ~= nil and rawget(refs, field.key) == field.reference
end

local function name_of(field)
    return path_text(path_with(field.path, field.key))
end

-- Warn once for each way in which an optional field comes to have no value. One that is only
-- waited for says nothing.
local function note(field, failure)
    local word = failure and failure.word or false
    if word == "pending" then
        return
    end
    if word and field.warned[field.key] ~= word then
        warn(("the optional field %s has no value: %s"):format(name_of(field), failure.message))
    end
    field.warned[field.key] = word
end

local function note_all(fields, read)
    for i, field in ipairs(fields) do
        if field.warned then
            note(field, read.failed[i])
        end
    end
end

-- The number of the first field that should have a value and has none.
local function first_failed(fields, read)
    for i, field in ipairs(fields) do
        if read.failed[i] and not field.warned then
            return i
        end
    end
end

-- The fields of `conf` that are references, as update found them last: a list of { path, key,
-- reference, depth, warned }; the last, for optional ones, is a table of `optional`.
function _M.fields(conf)
    local state = states[conf]
    return state and state.fields or fields_of(conf)
end

-- Put `values` (by the number of the field) into `conf`; a field without one stays as it was. Does
-- not yield: nobody sees half of it.
function _M.write(conf, fields, values)
    for i, field in ipairs(fields) do
        local target = values[i] ~= nil and is_there(conf, field) and table_of(conf, field)
        if target then
            target[field.key] = values[i]
        end
    end
end

local function bring_up_to_date(conf)
    local fields = fields_of(conf)
    local read = read_all(fields)
    _M.write(conf, fields, read.values)
    note_all(fields, read)
    local failure = read.failed[first_failed(fields, read)] or {}
    states[conf] = { fields = fields, generation = read.generation, earliest = read.earliest,
                     message = failure.message, word = failure.word }
    return conf, failure.message, failure.word
end

-- Bring the values of `conf` up to date, in place.
--
-- context: any; where a value has to be fetched, as vault.get
-- conf; also message, word of the first reference that has no value: its field is left as it is. An
-- optional one is warned of instead.
function _M.update(conf)
    if type(conf) ~= "table" then
        error("conf must be a table", 2)
    end
    held.catch_up()
    local state = states[conf]
    if state and state.generation == generation and state.earliest > now() then
        return conf, state.message, state.word
    end
    return bring_up_to_date(conf)
end

-- What living configurations hold is in use.
function _M.mark_used()
    for _, state in pairs(states) do
        for _, field in ipairs(state.fields) do
            held.mark_used(field.reference)
        end
    end
end

-- Dereferencing -----------------------------------------------------------------------------------

-- What of `conf` has references already: { [table] = { [key] = true } }. What stands there is a
-- value, whatever it looks like.
local function taken_of(conf)
    local taken = {}
    for _, field in ipairs(fields_of(conf)) do
        local container = table_of(conf, field)
        if container then
            taken[container] = taken[container] or {}
            taken[container][field.key] = true
        end
    end
    return taken
end

local function table_in(container, key)
    local inner = rawget(container, key)
    if type(inner) ~= "table" then
        inner = {}
        rawset(container, key, inner)
    end
    return inner
end

-- Write the reference of `field` into the `$refs` of the record around it.
local function keep_reference(conf, field)
    local record = conf
    for i = 1, field.depth do
        record = rawget(record, field.path[i])
    end
    local refs = table_in(record, REFS)
    for i = field.depth + 1, #field.path do
        refs = table_in(refs, field.path[i])
    end
    refs[field.key] = field.reference
    if field.optional then
        optional[refs] = optional[refs] or {}
        optional[refs][field.key] = field.warned[field.key]
    end
end

-- Does not yield. What somebody else changed meanwhile stays.
local function put_values(conf, fields, values)
    for i, field in ipairs(fields) do
        local container = table_of(conf, field)
        if container and rawget(container, field.key) == field.reference then
            keep_reference(conf, field)
            container[field.key] = values[i]
        end
    end
    states[conf] = { fields = fields_of(conf), generation = -1, earliest = 0 }
end

local function texts_of(fields)
    local texts = {}
    for i, field in ipairs(fields) do
        field.warned = field.optional and { [field.key] = false } or nil
        texts[i] = field.reference
    end
    return texts
end

-- Change the fields of `conf` whose text is a reference to their values, in place, and write the
-- references to `$refs`, for update. What is in `$refs` already is left alone.
--
-- schema  as vault.referenceable's
--
-- context: any; in init twenty secrets at a time; else, where one has to be fetched, as vault.get
-- conf; where the schema calls a field optional and it has no value, it is nil, and warned of
-- nil, message, word   of the first without a value, its path in front: conf is as it was
-- Raises for a malformed schema.
function _M.dereference(conf, schema)
    if type(conf) ~= "table" then
        error("conf must be a table", 2)
    elseif schema ~= nil and (type(schema) ~= "table" or type(schema.fields) ~= "table") then
        error("schema must be a table with fields, or nil", 2)
    end
    local fields = referenceable.find(conf, schema, taken_of(conf))
    if #fields == 0 then
        return conf
    end
    anew.prefetch(texts_of(fields))
    local read = read_all(fields)
    local first = first_failed(fields, read)
    if first then
        local failure = read.failed[first]
        return nil, name_of(fields[first]) .. ": " .. failure.message, failure.word
    end
    note_all(fields, read)
    put_values(conf, fields, read.values)
    return conf
end

-- Warming up --------------------------------------------------------------------------------------

-- `found`: list of references; with each, and each table that was seen, as a key too.
local function find_strings(found, value)
    if found[value] then
        return
    end
    if type(value) == "table" then
        found[value] = true
        for _, inner in pairs(value) do
            find_strings(found, inner)
        end
    elseif reference.is_reference(value) then
        found[value], found[#found + 1] = true, value
    end
end

-- Fetch whatever `conf` refers to, in `$refs` or as a field's own text.
--
-- context: made for init, where it blocks and fetches twenty secrets at a time; elsewhere one after
-- the other, as vault.get
-- true | nil, message, word: of the first that has no value; all others have theirs
function _M.warmup(conf)
    if type(conf) ~= "table" then
        error("conf must be a table", 2)
    end
    local found = {}
    find_strings(found, conf)
    return anew.warmup(found)
end

return _M
