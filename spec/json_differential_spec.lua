-- json_differential_spec - vault.core's extract beside lua-cjson on random documents.
--
-- For:   what both accept must mean the same; what cjson refuses ours must refuse as well. Where
--        ours refuses more, and why, is in docs/json.md ("Beside lua-cjson").
-- Never: the rules one by one (spec/vectors/json). SEED=number repeats a run.

local cjson = require("cjson")

local SEED = tonumber(os.getenv("SEED")) or os.time()
local DOCUMENTS = 3000
local MUTATIONS = 10

local MALFORMED = {
    json_syntax = true, json_escape = true, json_surrogate = true, json_utf8 = true,
    json_depth = true, json_duplicate = true, json_trailing = true,
}

local random = math.random

local function pick(list)
    return list[random(#list)]
end

local function times(most, make)
    local parts = {}

    for i = 1, random(0, most) do
        parts[i] = make()
    end
    return parts
end

-- Strings: a list of characters, each with the ways JSON can write it.

local function code_unit(number)
    return (random(2) == 1 and "\\u%04x" or "\\u%04X"):format(number)
end

local SHORT = {
    ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n",
    ["\r"] = "\\r", ["\t"] = "\\t",
}
local WIDE = {
    { "\194\128", 0x80 }, { "\195\169", 0xE9 }, { "\223\191", 0x7FF }, { "\224\160\128", 0x800 },
    { "\226\130\172", 0x20AC }, { "\237\159\191", 0xD7FF }, { "\238\128\128", 0xE000 },
    { "\239\187\191", 0xFEFF }, { "\239\191\191", 0xFFFF },
    { "\240\144\128\128", 0xD800, 0xDC00 }, { "\240\159\152\128", 0xD83D, 0xDE00 },
    { "\244\143\191\191", 0xDBFF, 0xDFFF },
}

local function wide_character()
    local bytes, high, low = unpack(pick(WIDE))

    if random(2) == 1 then
        return bytes
    end
    return code_unit(high) .. (low and code_unit(low) or "")
end

local function narrow_character()
    local byte = random(0, 127)
    local char = string.char(byte)
    local must = byte < 32 or char == '"' or char == "\\"

    if SHORT[char] and random(2) == 1 then
        return SHORT[char]
    end
    if must or random(8) == 1 then
        return code_unit(byte)
    end
    return char
end

local function character()
    return random(5) == 1 and wide_character() or narrow_character()
end

local function string_text()
    return '"' .. table.concat(times(pick({ 3, 12, 40 }), character)) .. '"'
end

-- What cjson itself makes of random bytes below 0x80.
local function string_of_cjson()
    local bytes = times(20, function()
        return string.char(random(0, 127))
    end)

    return cjson.encode(table.concat(bytes))
end

-- Documents.

local function space()
    return table.concat(times(random(4) == 1 and 3 or 0, function()
        return pick({ " ", "\t", "\r", "\n" })
    end))
end

local function spaced(...)
    local parts = { ... }

    for i = 1, #parts do
        parts[i] = space() .. parts[i]
    end
    return table.concat(parts) .. space()
end

local NUMBERS = {
    "0", "-0", "1", "-1", "1.5", "-0.25", "1e1", "1E+2", "1e-2", "0e0", "12345678901234567890",
}

local value -- value and the containers call each other

local function array(depth)
    local items = times(4, function()
        return value(depth + 1)
    end)

    return "[" .. spaced(table.concat(items, ",")) .. "]"
end

local KEYS = { '"a"', '"b"', '"ab"', '""', '"\\u0061"', '"A"', '"a.b"', '"\195\169"', '"\\u00e9"' }

local function object(depth)
    local members = times(6, function()
        local key = random(3) == 1 and string_text() or pick(KEYS)

        return spaced(key, ":", value(depth + 1))
    end)

    return "{" .. spaced(table.concat(members, ",")) .. "}"
end

function value(depth)
    local kind = random(depth > 4 and 7 or 10)

    if kind <= 4 then
        return string_text()
    elseif kind == 5 then
        return string_of_cjson()
    elseif kind == 6 then
        return pick(NUMBERS)
    elseif kind == 7 then
        return pick({ "true", "false", "null" })
    elseif kind == 8 then
        return array(depth)
    end
    return object(depth)
end

local function document()
    return spaced(object(1))
end

-- Comparing.

local function shown(text)
    return ("%q"):format(text):gsub("[^\32-\126]", function(char)
        return ("\\%03d"):format(char:byte())
    end)
end

local function complain(text, key, what)
    error(("%s; SEED=%d, text %s, key %s"):format(what, SEED, shown(text), shown(key)), 0)
end

-- The word ours must answer with for what cjson found.
local function expected_word(found)
    if found == nil then
        return "key_not_found"
    end
    return type(found) ~= "string" and "not_a_string" or nil
end

local function check_found(text, key, got, word)
    local found = cjson.decode(text)[key]

    if word ~= expected_word(found) or (not word and got ~= found) then
        complain(text, key, "cjson and ours differ: " .. tostring(word or "another value"))
    end
end

-- Returns ours' word, nil where it gave a value.
local function compare(extract, text, key)
    local got, message, word = extract(text, key)

    if got == nil and (type(message) ~= "string" or type(word) ~= "string") then
        complain(text, key, "no message or no word")
    end
    if MALFORMED[word] then
        return word
    end
    if not pcall(cjson.decode, text) then
        complain(text, key, "cjson refuses, ours says " .. tostring(word or "a value"))
    end
    if word ~= "not_an_object" then
        check_found(text, key, got, word)
    end
    return word
end

local function keys_of(text)
    local keys = { "a", "", "\195\169", "no such key" }

    for key in pairs(cjson.decode(text)) do
        keys[#keys + 1] = key
    end
    return keys
end

local TOKENS = { "{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", "e", " " }

local function mutate(text)
    local at = random(#text)
    local before, after = text:sub(1, at - 1), text:sub(at + 1)
    local kind = random(6)

    if kind == 1 then
        return before .. after
    elseif kind == 2 then
        return before
    elseif kind == 3 then
        return before .. string.char(random(0, 255)) .. after
    elseif kind == 4 then
        return before .. pick(TOKENS) .. after
    elseif kind == 5 then
        return before .. string.char(random(0, 255)) .. text:sub(at)
    end
    return before .. text:sub(random(#text))
end

local function count(tally, word)
    tally[word or "value"] = (tally[word or "value"] or 0) + 1
end

describe("extract beside cjson", function()
    local extract

    setup(function()
        local found, core = pcall(require, "vault.core")

        assert(found, "vault.core is not built or not on the path: " .. tostring(core))
        extract = assert(core.extract, "vault.core has no extract")
        math.randomseed(SEED)
    end)

    it("finds the same in well-formed documents", function()
        local tally = {}

        for _ = 1, DOCUMENTS do
            local text = document()

            for _, key in ipairs(keys_of(text)) do
                local word = compare(extract, text, key)

                if MALFORMED[word] and word ~= "json_duplicate" then
                    complain(text, key, "well-formed, ours says " .. word)
                end
                count(tally, word)
            end
        end
        for _, word in ipairs({ "value", "key_not_found", "not_a_string", "json_duplicate" }) do
            assert.is_truthy(tally[word], word .. " never came up, SEED=" .. SEED)
        end
    end)

    it("refuses what cjson refuses", function()
        local tally = {}

        for _ = 1, DOCUMENTS do
            local text = document()

            for _ = 1, MUTATIONS do
                count(tally, compare(extract, mutate(text), "a"))
            end
        end
        for _, word in ipairs({ "value", "json_syntax", "json_trailing", "json_utf8" }) do
            assert.is_truthy(tally[word], word .. " never came up, SEED=" .. SEED)
        end
    end)

    it("refuses on purpose what cjson accepts", function()
        local rows = {
            { '{"a":"1","a":"2"}', "json_duplicate" },
            { '{"a":"\255"}', "json_utf8" },
            { '{"a":"\237\160\128"}', "json_utf8" },
            { '{"a":"x\ny"}', "json_syntax" },
            { '{"a":"b","c":01}', "json_syntax" },
            { '{"a":"b","c":0x10}', "json_syntax" },
            { '{"a":"b","c":NaN}', "json_syntax" },
            { '{"a":"b","c":-Infinity}', "json_syntax" },
            { '{"n":' .. ("["):rep(64) .. ("]"):rep(64) .. ',"a":"b"}', "json_depth" },
            { '["a"]', "not_an_object" },
        }

        for _, row in ipairs(rows) do
            assert.is_true(pcall(cjson.decode, row[1]), row[1])
            assert.equal(row[2], select(3, extract(row[1], "a")), row[1])
        end
    end)
end)
