-- yaml - YAML text as a tree whose nodes know their line, and such a tree as plain values.
--
-- For:   what lyaml.load cannot: lines for later complaints, bounds on depth and size, aliases that
--        do not multiply, a key that is there twice is an error. Pure.
-- Never: what the values mean; texts of the file in a message.
--
-- Plain scalars are YAML 1.2's null, booleans and decimal numbers, and YAML 1.1's yes, no, on, off;
-- what 1.1 would read as octal, hexadecimal, sexagesimal or with "_" stays text.

local cjson = require "cjson"
local quote = require("vault.reference").quote

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match,
    string.sub

local _M = {}

local DEPTH_MAX = 32
local NODES_MAX = 100000 -- of the text, and again of the values that aliases make of them
local STRING_TAG, CORE_TAG = "tag:yaml.org,2002:str", "^tag:yaml%.org,2002:[a-z]+$"

local function fail(line, message)
    error({ line = line, message = message }, 0)
end

-- The tree ----------------------------------------------------------------------------------------
-- { kind = "scalar" | "list" | "map", line, tag, ... }: value and plain; or items; or pairs, a list
-- of { key, value }. An alias is its anchor's node itself.

-- libyaml's complaints are short and say nothing of the text. The end it finds a line too late.
local function complain(message, last_line)
    local what = gsub(match(message, "^[^\n]*"), " at document.*$", "")
    local line = tonumber(match(message, "line: (%d+)"))
    fail(line and math.min(line, last_line), "not YAML: " .. quote(what, 128))
end

local function next_event(state)
    local ok, event = pcall(state.next)
    if not ok then
        complain(tostring(event), state.last_line)
    end
    state.line = event.start_mark.line + 1
    state.count = state.count + 1
    if state.count > NODES_MAX * 2 then
        fail(state.line, "too many values")
    end
    return event
end

local compose

local function new_node(state, event, kind)
    local node = { kind = kind, line = state.line, tag = event.tag, flow = event.style == "FLOW" }
    if event.anchor then
        state.anchors[event.anchor] = node
    end
    return node
end

local makers = {}

function makers.SCALAR(state, event)
    local node = new_node(state, event, "scalar")
    node.value, node.plain = event.value, event.style == "PLAIN"
    return node
end

function makers.ALIAS(state, event)
    local node = state.anchors[event.anchor]
    if not node or node.open then
        fail(state.line, "an alias without an anchor before it")
    end
    return node
end

-- Compose nodes up to the event `last`; the first belongs to `event`.
local function compose_until(state, last, depth, take)
    if depth >= DEPTH_MAX then
        fail(state.line, "nested too deeply")
    end
    local event = next_event(state)
    while event.type ~= last do
        take(event, depth + 1)
        event = next_event(state)
    end
end

function makers.SEQUENCE_START(state, event, depth)
    local node = new_node(state, event, "list")
    node.items, node.open = {}, true
    compose_until(state, "SEQUENCE_END", depth, function(first, deeper)
        node.items[#node.items + 1] = compose(state, first, deeper)
    end)
    node.open = nil
    return node
end

function makers.MAPPING_START(state, event, depth)
    local node = new_node(state, event, "map")
    node.pairs, node.open = {}, true
    compose_until(state, "MAPPING_END", depth, function(first, deeper)
        local key = compose(state, first, deeper)
        node.pairs[#node.pairs + 1] = { key, compose(state, next_event(state), deeper) }
    end)
    node.open = nil
    return node
end

function compose(state, event, depth)
    local maker = makers[event.type]
    if not maker then
        fail(state.line, "a value is missing")
    end
    return maker(state, event, depth)
end

local function compose_text(parser, text)
    local _, newlines = gsub(text, "\n", "")
    local state = { next = parser(text), anchors = {}, line = 1, last_line = newlines + 1,
                    count = 0 }
    next_event(state) -- STREAM_START
    if next_event(state).type == "STREAM_END" then
        fail(1, "the file is empty")
    end
    local root = compose(state, next_event(state), 0)
    next_event(state) -- DOCUMENT_END
    if next_event(state).type ~= "STREAM_END" then
        fail(state.line, "more than one document")
    end
    return root
end

local function caught(ok, result)
    if ok then
        return result
    elseif type(result) ~= "table" then
        error(result, 0)
    end
    return nil, result.message, result.line
end

-- The tree of `text`.
-- nil, message, line (nil where none is known)
function _M.compose(text)
    local found, yaml = pcall(require, "yaml") -- lyaml's own parser, with its marks
    if not found or type(yaml) ~= "table" or not yaml.parser then
        return nil, "reading YAML needs lyaml (Debian: lua-yaml); JSON needs nothing"
    end
    return caught(pcall(compose_text, yaml.parser, text))
end

-- Plain values ------------------------------------------------------------------------------------

local WORDS = { [""] = cjson.null, ["~"] = cjson.null, null = cjson.null,
                ["true"] = true, yes = true, on = true, ["false"] = false, no = false, off = false }

local function plain_value(text)
    local word = WORDS[lower(text)]
    if word ~= nil then
        return word
    end
    local digits = gsub(gsub(text, "^[-+]", ""), "[eE][-+]?%d+$", "")
    if find(digits, "^%.?%d") and find(digits, "^%d*%.?%d*$") and not find(digits, "^0%d") then
        return tonumber(text)
    end
    return text
end

local function scalar_value(node)
    local tag = node.tag
    if tag == "!" or tag == STRING_TAG then
        return node.value
    elseif tag and not find(tag, CORE_TAG) then
        fail(node.line, "a tag that is not of YAML itself")
    elseif tag or node.plain then
        return plain_value(node.value)
    end
    return node.value
end

local function say_twice(key)
    return ('the key "%s" is there twice'):format(quote(key))
end

local function key_of(node)
    if node.kind ~= "scalar" then
        fail(node.line, "a key that is not a text")
    end
    return node.value
end

local read

-- "{vault://..}" without quotes is a mapping in YAML, and so would never be a reference.
local function refuse_bare_reference(node)
    local first = node.flow and node.pairs[1]
    if first and first[1].kind == "scalar" and sub(first[1].value, 1, 8) == "vault://" then
        fail(node.line, 'a reference must stand in quotes: "{vault://..}"')
    end
end

-- "<<": what the map or the list of maps has, where the map itself has not.
local function merge(made, lines, source, state)
    local maps = source.kind == "list" and source.items or { source }
    for _, map in ipairs(maps) do
        if map.kind ~= "map" then
            fail(map.line, '"<<" wants a mapping')
        end
        local values, their_lines = read(map, state)
        for key, value in pairs(values) do
            if made[key] == nil then
                made[key], lines.inside[key] = value, their_lines.inside[key]
            end
        end
    end
end

local readers = {}

function readers.scalar(node)
    return scalar_value(node), { line = node.line, inside = {} }
end

function readers.list(node, state)
    local made, lines = {}, { line = node.line, inside = {} }
    for i, item in ipairs(node.items) do
        made[i], lines.inside[i] = read(item, state)
    end
    return made, lines
end

function readers.map(node, state)
    refuse_bare_reference(node)
    local made, lines, sources = {}, { line = node.line, inside = {} }, {}
    for _, pair in ipairs(node.pairs) do
        local key = key_of(pair[1])
        if key == "<<" and pair[1].plain then
            sources[#sources + 1] = pair[2]
        elseif made[key] ~= nil then
            fail(pair[1].line, say_twice(key))
        else
            made[key], lines.inside[key] = read(pair[2], state)
            lines.inside[key].line = pair[1].line
        end
    end
    for _, source in ipairs(sources) do
        merge(made, lines, source, state)
    end
    return made, lines
end

function read(node, state)
    state.count = state.count + 1
    if state.count > NODES_MAX then
        fail(node.line, "too many values")
    end
    return readers[node.kind](node, state)
end

-- The value of `node`: texts, numbers, booleans, tables, cjson.null; and its lines: { line,
-- inside }, where inside has such a table for each element or member.
-- nil, message, line
function _M.read(node)
    local result, message, line = caught(pcall(function()
        local value, lines = read(node, { count = 0 })
        return { value = value, lines = lines }
    end))
    if not result then
        return nil, message, line
    end
    return result.value, result.lines
end

-- The node at `name` in the map `node`, and the line of its key.
-- nil | nil, message, line: it is there twice
function _M.member(node, name)
    local found, line
    for _, pair in ipairs(node.kind == "map" and node.pairs or {}) do
        if pair[1].kind == "scalar" and pair[1].value == name then
            if found then
                return nil, say_twice(name), pair[1].line
            end
            found, line = pair[2], pair[1].line
        end
    end
    return found, line
end

return _M
