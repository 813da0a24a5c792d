-- declarative - files of vaults: Kong's, APISIX's, and the one that the vaults themselves keep.
--
-- For:   text, YAML or JSON -> entities, or all that is wrong with it, by line; entities -> text.
--        Pure.
-- Never: paths and files, what a field may hold (vault.schema), ids and times.

local cjson = require "cjson"
local is_utf8 = require("vault.schema_fields").is_utf8
local json_text = require "vault.json_text"
local path_text = require("vault.violations").path_text
local quote = require("vault.reference").quote
local schema = require "vault.schema"
local yaml = require "vault.yaml"

local find, match, sub = string.find, string.match, string.sub
local is_null = schema.is_null

local _M = {}

local SIZE_MAX = 1024 * 1024
local ERRORS_MAX = 100
local CONTROL = "[%z\1-\8\11\12\14-\31\127]"
local VERSIONS = { ["1.1"] = true, ["2.1"] = true, ["3.0"] = true }
local KNOWN = { "_format_version", "_stored", "vaults", "secrets" } -- all else is not ours

local json = cjson.new()
json.decode_max_depth(32)
json.decode_invalid_numbers(false)

-- Reading -----------------------------------------------------------------------------------------

local function one(message, line)
    return nil, { { line = line, path = "", message = message } }
end

-- The first line of `text` that no YAML and no JSON can hold.
local function bad_line(text)
    local number = 0
    for line in text:gmatch("([^\n]*)\n?") do
        number = number + 1
        if not is_utf8(line) or find(line, CONTROL) then
            return number
        end
    end
end

local function line_of(text, at)
    local _, count = sub(text, 1, at - 1):gsub("\n", "")
    return count + 1
end

-- The members of a JSON text that are KNOWN.
local function read_json(text)
    local ok, result = pcall(json.decode, text)
    if not ok then
        local what, at = match(result, "^(.-) at character (%d+)")
        return one("not JSON: " .. quote(what or "it cannot be read", 128),
            at and line_of(text, tonumber(at)))
    end
    return { value = result }
end

-- The members of a YAML text that are KNOWN, and their lines. The rest of a gateway's file is not
-- even turned into values.
local function read_yaml(text)
    local root, message, line = yaml.compose(text)
    if not root then
        return one(message, line)
    elseif root.kind ~= "map" then
        return one("expected a mapping with vaults or secrets", root.line)
    end
    local value, lines = {}, { line = root.line, inside = {} }
    for _, name in ipairs(KNOWN) do
        local node, at, twice = yaml.member(root, name)
        if twice then
            return one(at, twice)
        elseif node then
            local read, where, bad = yaml.read(node)
            if read == nil then
                return one(where, bad)
            end
            where.line = at
            value[name], lines.inside[name] = read, where
        end
    end
    return { value = value, lines = lines }
end

-- Lines for what JSON says, where its YAML can be read too.
local function json_lines(text)
    local read = read_yaml(text)
    return read and read.lines
end

-- The line of the deepest part of `path` that has one.
local function find_line(lines, path)
    local line = lines and lines.line
    for _, name in ipairs(path) do
        lines = lines and lines.inside[name]
        line = lines and lines.line or line
    end
    return line
end

-- Checking ----------------------------------------------------------------------------------------

local function complain(state, path, message)
    if #state.errors < ERRORS_MAX then
        state.errors[#state.errors + 1] = { where = path, path = path_text(path),
                                            message = message }
    end
end

local function complain_all(state, path, list)
    for _, entry in ipairs(list) do
        local deeper = { unpack(path) }
        for _, name in ipairs(entry.path) do
            deeper[#deeper + 1] = name == "manager" and "id" or name -- "aws/john" is both
        end
        complain(state, deeper, entry.message)
    end
end

local function check_version(state, top)
    local version = top._format_version
    if is_null(version) then
        if not is_null(top.vaults) then
            complain(state, { "_format_version" }, "required field missing")
        end
        return
    end
    if type(version) == "number" then
        version = ("%.1f"):format(version)
    end
    if not VERSIONS[version] then
        complain(state, { "_format_version" }, 'expected "1.1", "2.1" or "3.0"')
    end
end

-- Call check(item, path) for each item of the list `name`.
local function each(state, top, name, check)
    local list = top[name]
    if is_null(list) then
        return
    elseif type(list) ~= "table" or (next(list) ~= nil and #list == 0) then
        complain(state, { name }, "expected a list")
        return
    end
    for i, item in ipairs(list) do
        local path = { name, i }
        local entity, _, complaints = check(item, path)
        if entity then
            state.entities[#state.entities + 1] = entity
            state.by_prefix[entity.prefix] = entity
            if entity.id then
                state.by_id[entity.id] = entity
            end
        elseif complaints then
            complain_all(state, path, complaints)
        end
    end
end

local function check_vaults(state, top)
    local options = { create = true, existing = state.existing, stored = top._stored == true }
    each(state, top, "vaults", function(item)
        return schema.vault(item, options)
    end)
end

local function check_secrets(state, top)
    local options = { create = true, existing = state.existing }
    each(state, top, "secrets", function(item, path)
        local id = type(item) == "table" and item.id
        local manager, name = match(type(id) == "string" and id or "", "^([^/]*)/(.*)$")
        if not manager then
            path[3] = type(item) == "table" and "id" or nil
            complain(state, path, 'expected an id "aws/<id>"')
            return nil
        end
        return schema.secret(manager, name, item, options)
    end)
end

-- APISIX takes a file that does not end so for one that is still being written.
local function check_end(state, top, text)
    if not is_null(top.secrets) and not find(sub(text, -10), "#END%s*$") then
        complain(state, { "secrets" }, "the file's last line is not #END, which APISIX wants there")
    end
end

local function new_state()
    local state = { entities = {}, errors = {}, by_prefix = {}, by_id = {} }
    function state.existing(prefix, id)
        return prefix and state.by_prefix[prefix] or id and state.by_id[id] or nil
    end
    return state
end

local function check(read, text, is_json)
    local state, top = new_state(), read.value
    check_version(state, top)
    check_vaults(state, top)
    check_secrets(state, top)
    if is_null(top._format_version) and is_null(top.vaults) and is_null(top.secrets) then
        complain(state, {}, "the file has neither vaults nor secrets")
    elseif not is_json then
        check_end(state, top, text)
    end
    return state
end

-- The entities that `text` describes, in its order.
--
-- YAML or JSON (a text that begins with "{"), at most 1 MB, 32 deep; names at the top that are not
-- of vaults are left alone: a gateway's whole file may be given.
--
-- list of entities (of vault.schema)
-- nil, errors   the first hundred: { line?, path, message }; path as "vaults[2].config.ttl", "" for
--               the whole; no message shows a value
function _M.load(text)
    if #text > SIZE_MAX then
        return one("the file is over 1 MB")
    elseif find(text, CONTROL) or not is_utf8(text) then
        return one("the file is not UTF-8, or holds control characters", bad_line(text))
    end
    text = text:gsub("^\239\187\191", "") -- a byte order mark
    local is_json = find(text, "^%s*[{%[]") ~= nil
    local read, errors = (is_json and read_json or read_yaml)(text)
    if not read then
        return nil, errors
    elseif type(read.value) ~= "table" then
        return one("expected an object with vaults or secrets")
    end
    local state = check(read, text, is_json)
    if #state.errors == 0 then
        return state.entities
    end
    local lines = read.lines or json_lines(text)
    for _, entry in ipairs(state.errors) do
        entry.line, entry.where = find_line(lines, entry.where), nil
    end
    return nil, state.errors
end

-- Writing -----------------------------------------------------------------------------------------
-- Text from which load() makes the same entities again: JSON, one entity a line. Secrets are in it.
-- nil, message: it would be more than load() takes
function _M.dump(entities)
    local parts = {}
    for i, entity in ipairs(entities) do
        parts[i] = "\n  " .. json_text.encode(entity)
    end
    local text = '{"_format_version": "3.0", "_stored": true, "vaults": ['
        .. table.concat(parts, ",") .. "\n]}\n"
    if #text > SIZE_MAX then
        return nil, "all vaults together are over 1 MB"
    end
    return text
end

return _M
