-- attempt - work with a configuration's values that is done again with newer ones where it fails.
--
-- For:   try: the newest version after a failure, then the stages of a rotation under way.
-- Never: keeping configurations up to date (dereference), fetching (anew).

local anew = require "vault.anew"
local dereference = require "vault.dereference"
local held = require "vault.held"

local _M = {}

local STAGES = { "AWSPENDING", "AWSPREVIOUS" } -- after the current one

-- configuration -> the stage that worked last time: { name, versions }
local stages = setmetatable({}, { __mode = "k" })

local function pack(...)
    return { n = select("#", ...), ... }
end

local function say(err)
    return type(err) == "string" and err or tostring(err or "it failed without a reason")
end

-- Versions ----------------------------------------------------------------------------------------

-- { reference -> version } of what is held.
local function versions_of(fields)
    local versions = {}
    for _, field in ipairs(fields) do
        versions[field.reference] = held.version(field.reference)
    end
    return versions
end

-- Whether anything is of another version than in `before`.
local function is_newer(fields, before)
    for _, field in ipairs(fields) do
        if held.version(field.reference) ~= before[field.reference] then
            return true
        end
    end
    return false
end

-- See whether AWS has other versions than `before`; whether anything is new.
local function look_for_newer(fields, before)
    for text, version in pairs(before) do
        if held.version(text) == version then
            anew.look(text)
        end
    end
    return is_newer(fields, before)
end

-- Stages ------------------------------------------------------------------------------------------

local function copy_of(value)
    local copy = {}
    for key, inner in next, value do
        copy[key] = inner
    end
    local metatable = getmetatable(value)
    return type(metatable) == "table" and setmetatable(copy, metatable) or copy
end

-- A copy of `conf` along the paths of its references; all else is shared.
local function copy_along(conf, fields)
    local copies = { [conf] = copy_of(conf) }
    for _, field in ipairs(fields) do
        local at = conf
        for _, key in ipairs(field.path) do
            local inner = at[key]
            if type(inner) ~= "table" then
                break
            end
            copies[inner] = copies[inner] or copy_of(inner)
            copies[at][key] = copies[inner]
            at = inner
        end
    end
    return copies[conf]
end

-- What `stage` has for `fields`: values by the number of the field; which secrets have not all of
-- it, or no more than what is current; why the first of these has not.
local function read_stage(fields, stage)
    local values, versions, lacking, why = {}, {}, {}, nil
    for i, field in ipairs(fields) do
        local secret, current = dereference.origin(field.reference)
        local value, version = anew.get_stage(field.reference, stage)
        if value then
            versions[secret] = versions[secret] or version
            lacking[secret] = lacking[secret] or version == current or version ~= versions[secret]
        else
            lacking[secret], why = true, why or version
        end
        values[i] = value
    end
    return values, lacking, why
end

-- A copy of `conf` in which the secrets that have a version of `stage` are of that one, whole.
-- copy | nil, message
local function at_stage(conf, fields, stage)
    local values, lacking, why = read_stage(fields, stage)
    local any = false
    for i, field in ipairs(fields) do
        if lacking[dereference.origin(field.reference)] then
            values[i] = nil
        end
        any = any or values[i] ~= nil
    end
    if not any then
        return nil, why or "it is the current version"
    end
    local copy = copy_along(conf, fields)
    dereference.write(copy, fields, values)
    return copy
end

-- results | nil, message
local function try_stage(callback, conf, fields, stage)
    local copy, message = at_stage(conf, fields, stage)
    if not copy then
        return nil, message
    end
    local results = pack(callback(copy))
    if not results[1] then
        return nil, say(results[2])
    end
    stages[conf] = { name = stage, versions = versions_of(fields) }
    return results
end

-- The stage that worked last time goes first, as long as no secret has changed since.
local function try_known_stage(callback, conf, fields, failures)
    local known = stages[conf]
    stages[conf] = nil
    if not known or is_newer(fields, known.versions) then
        return nil
    end
    local results
    results, failures[known.name] = try_stage(callback, conf, fields, known.name)
    return results
end

-- Trying ------------------------------------------------------------------------------------------

-- results, and whether there was something newer
local function try_current(callback, conf, fields)
    local before = versions_of(fields)
    local results = pack(callback(conf))
    if not results[1] and look_for_newer(fields, before) then
        dereference.update(conf)
        return pack(callback(conf)), true
    end
    return results, false
end

local function try_all(callback, conf, fields)
    local failures, newer = {}, false
    local results = try_known_stage(callback, conf, fields, failures)
    if not results then
        results, newer = try_current(callback, conf, fields)
    end
    if results[1] then
        return results
    end
    if newer then
        failures = {} -- the stage holds another version by now
    end
    local said = { "AWSCURRENT: " .. say(results[2]) }
    for _, stage in ipairs(STAGES) do
        if not failures[stage] then
            results, failures[stage] = try_stage(callback, conf, fields, stage)
            if results then
                return results
            end
        end
        said[#said + 1] = stage .. ": " .. failures[stage]
    end
    return pack(nil, table.concat(said, "; "))
end

-- What is wrong with `options`, or nil. A misspelt one must not go unnoticed.
local function mistake_in(options)
    if options == nil then
        return nil
    elseif type(options) ~= "table" then
        return "options must be a table"
    end
    for name, value in pairs(options) do
        if name ~= "stages" then
            return "vault.try has no option " .. tostring(name)
        elseif type(value) ~= "boolean" then
            return "options.stages must be a boolean"
        end
    end
    return nil
end

-- Call `callback` with `conf`, its values up to date; where it fails, fetch its secrets anew, and
-- call it once more where one has changed.
--
-- callback  function(conf) -> anything true, ... | nil, err
-- options   nil, or { stages = true }: where that fails too, it is called with a copy of conf that
--           has the values of AWSPENDING, and then of AWSPREVIOUS: a rotation sets the database's
--           password before it promotes the version. The stage that worked goes first next time.
--
-- One fetch per secret and node, however many fail at once. A secret that was found unchanged is
-- not fetched again for 1 s, then 2, 4, 8 and 10, nor is a stage, so that an outage of the database
-- does not become calls to AWS.
--
-- context: phases that can wait
-- what callback returned last | nil, err; with stages an err names each stage's own
function _M.try(callback, conf, options)
    if type(callback) ~= "function" then
        error("callback must be a function", 2)
    end
    if type(conf) ~= "table" then
        error("conf must be a table", 2)
    end
    local mistake = mistake_in(options)
    if mistake then
        error(mistake, 2)
    end
    dereference.update(conf)
    local fields = dereference.fields(conf)
    local with_stages = options and options.stages and #fields > 0
    local results = (with_stages and try_all or try_current)(callback, conf, fields)
    return unpack(results, 1, results.n)
end

return _M
