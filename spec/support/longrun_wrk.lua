-- longrun_wrk - for wrk, not for busted: the mixed load of a long run, and what came of it.
--
-- For:   `wrk -s ... -- SECRETS SEED`: random ways of asking for random secrets. Prints at the end
--        "answers COUNT", "seen WAY SECRET VERSION COUNT LAST", "gave_up SECRET TIME", "failed WORD
--        COUNT" (of cold secrets alone), "broken COUNT" (connections that ended), "fault COUNT
--        TEXT" for any other answer.
-- Never: which version should have been there (judge).

-- luacheck: globals setup init request response done wrk, ignore 111 112 113
local threads = {}
local WAYS = { "get", "get", "get", "get", "update", "update", "update", "try", "try", "cold" }
local COLD = 300 -- secrets that nobody has asked for, until all of them were

function setup(thread)
    threads[#threads + 1] = thread
end

-- Globals: wrk hands these of each thread over to done().
answers, counts, lasts, gave_up, failed, faults = 0, {}, {}, {}, {}, {}

local secrets

function init(arguments)
    secrets = tonumber(arguments[1])
    math.randomseed(tonumber(arguments[2]))
end

function request()
    local way = WAYS[math.random(#WAYS)]
    local secret = way == "cold" and "c" .. math.random(COLD) or "s" .. math.random(secrets)
    return wrk.format("GET", ("/ask?way=%s&secret=%s"):format(way, secret))
end

local function count(list, what)
    list[what] = (list[what] or 0) + 1
end

-- Whether it is an answer of longrun_node's, one that may be.
local function read(body)
    local way, secret, time, rest = body:match("^(%l+) (%w+) %d+ ([%d.]+) ([^\n]+)\n$")
    local user, password = (rest or ""):match("^u(%d+) p(%d+)$")
    local word = (rest or ""):match("^! ([%l_]+) ")
    if user and user == password then
        local what = ("%s %s %s"):format(way, secret, user)
        count(counts, what)
        lasts[what] = math.max(lasts[what] or 0, tonumber(time))
    elseif way == "try" and word == "refused" then
        gave_up[#gave_up + 1] = secret .. " " .. time
    elseif way == "cold" and word then
        count(failed, word)
    else
        return false
    end
    return true
end

function response(status, _, body)
    answers = answers + 1
    if status ~= 200 or not read(body) then
        count(faults, ("%d %s"):format(status, body:sub(1, 300):gsub("%c", " ")))
    end
end

local function print_thread(thread)
    print("answers " .. thread:get("answers"))
    local last = thread:get("lasts")
    for what, number in pairs(thread:get("counts")) do
        print(("seen %s %d %.3f"):format(what, number, last[what]))
    end
    for _, what in ipairs(thread:get("gave_up")) do
        print("gave_up " .. what)
    end
    for word, number in pairs(thread:get("failed")) do
        print(("failed %s %d"):format(word, number))
    end
    for text, number in pairs(thread:get("faults")) do
        print(("fault %d %s"):format(number, text))
    end
end

function done(summary)
    for _, thread in ipairs(threads) do
        print_thread(thread)
    end
    local errors = summary.errors
    print("broken " .. errors.connect + errors.read + errors.write)
    if errors.timeout > 0 then
        print(("fault %d timeout"):format(errors.timeout))
    end
end
