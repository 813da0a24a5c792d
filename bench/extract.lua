-- extract - vault.core's extract beside cjson.decode(text)[key], in the same run.
--
-- For:   documents of 100 bytes, 4 KiB and 64 KiB in all: an object of ten members, the wanted key
--        in the middle. Prints one JSON line each: medians of five runs, taken in turns, and their
--        ratio. Run with luajit; the first argument, if any, is the build folder.
-- Never: a pass or a fail.

local build = (arg or {})[1]
if build then
    package.cpath = build .. "/?.so;" .. package.cpath
end

local cjson = require("cjson")
local core = require("vault.core")
local median = require("bench.support.rounds").median

local MEMBERS = 10
local RUNS = 5
local RUN_SECONDS = 0.2
local KEY = "k4"

local function document(size)
    local frame = MEMBERS * #'"k0":"",' + 1
    local room = math.max(size - frame, 0)
    local parts = {}

    for i = 0, MEMBERS - 1 do
        local length = math.floor(room / MEMBERS) + (i == 0 and room % MEMBERS or 0)

        parts[#parts + 1] = ('"k%d":"%s"'):format(i, ("v"):rep(length))
    end
    return "{" .. table.concat(parts, ",") .. "}"
end

local function with_core(text)
    return core.extract(text, KEY)
end

local function with_cjson(text)
    return cjson.decode(text)[KEY]
end

local function rate(run, text)
    local start = os.clock()
    local done, spent = 0, 0

    while spent < RUN_SECONDS do
        for _ = 1, 100 do
            run(text)
        end
        done = done + 100
        spent = os.clock() - start
    end
    return done / spent
end

local function measure(size)
    local text = document(size)
    local ours, theirs = {}, {}

    assert(with_core(text) == with_cjson(text), "the two differ")
    for run = 1, RUNS do
        ours[run] = rate(with_core, text)
        theirs[run] = rate(with_cjson, text)
    end

    local line = '{"bench":"extract_lua","bytes":%d,"runs":%d,"extract_per_second":%.0f,'
        .. '"cjson_per_second":%.0f,"ratio":%.2f}'
    local core_rate, cjson_rate = median(ours), median(theirs)
    print(line:format(#text, RUNS, core_rate, cjson_rate, core_rate / cjson_rate))
end

for _, size in ipairs({ 100, 4096, 65536 }) do
    measure(size)
end
