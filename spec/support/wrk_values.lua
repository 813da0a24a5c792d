-- wrk_values - for wrk, not for busted: which versions of a secret a gateway's workers served.
--
-- For:   `wrk -s`: reads "worker time u<version> p<version>" off each answer, and prints at the end
--        "answers COUNT", "slowest SECONDS", "seen WORKER VERSION COUNT FIRST LAST", "fault COUNT
--        TEXT" (one line each; times are the workers'; a fault is any other answer, or none). An
--        argument: the milliseconds that each connection waits before a request.
-- Never: when which version should have been there (the specs).

-- luacheck: globals setup init delay response done, ignore 111 112 113
local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(arguments)
    local pause = tonumber(arguments[1])
    delay = pause and function()
        return pause
    end
end

-- Globals: wrk hands these of each thread over to done().
answers, faults, counts, firsts, lasts = 0, {}, {}, {}, {}

local function fault(text)
    faults[text] = (faults[text] or 0) + 1
end

function response(status, _, body)
    answers = answers + 1
    local worker, time, user, password = body:match("^(%d+) ([%d.]+) u(%d+) p(%d+)\n$")
    if status ~= 200 or not user or user ~= password then
        return fault(("%d %s"):format(status, body:sub(1, 300):gsub("%c", " ")))
    end
    local what = worker .. " " .. user
    counts[what] = (counts[what] or 0) + 1
    firsts[what] = firsts[what] or time
    lasts[what] = time
end

function done(summary, latency)
    print("slowest " .. latency.max / 1e6)
    for _, thread in ipairs(threads) do
        print("answers " .. thread:get("answers"))
        local first, last = thread:get("firsts"), thread:get("lasts")
        for what, count in pairs(thread:get("counts")) do
            print(("seen %s %d %s %s"):format(what, count, first[what], last[what]))
        end
        for text, count in pairs(thread:get("faults")) do
            print(("fault %d %s"):format(count, text))
        end
    end
    for what, count in pairs(summary.errors) do
        if what ~= "status" and count > 0 then -- an answer with a status is counted above
            print(("fault %d %s"):format(count, what))
        end
    end
end
