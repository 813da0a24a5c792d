-- longrun - a gateway under mixed load, rotations and faults for a long time.
--
-- For:   `luajit spec/support/longrun.lua SECONDS SEED [planted]`: that nothing wrong is served,
--        nothing grows and nothing crashes; the last line is "longrun: N passed, N failed". With
--        "planted" nginx serves wrong answers and loses memory, and both must be found.
-- Never: what is right (judge), what nginx does (longrun_node), the load itself (longrun_wrk).
--
-- In rounds. In the first part of them workers are killed and nginx reloads, in the rest no worker
-- ends, so that what one takes can be compared.

local breaks_of = require "spec.support.longrun_breaks"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local judge_of = require "spec.support.judge"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local system = require "spec.support.system"

local SECONDS, SEED, PLANTED = tonumber(arg[1]), tonumber(arg[2]), arg[3] == "planted"
local ROUND, ROUNDS_LEAST = PLANTED and 2 or 6, PLANTED and 6 or 8 -- seconds; for four samples
local WORKERS, SECRETS, CONNECTIONS = 2, 20, 16
local RESTLESS = 0.3 -- the part of the rounds in which workers end
local SETTLING = 0.25 -- of those after it: what a new worker has to fetch and to compile
local TTL, MARGIN = 3, 3 -- seconds: the longest ttl that is set; for a machine that others use too
local ROTATIONS = 3 -- in each round
local SHOWN = 10 -- failures of each round, and of the end

local HTTP = [[
    lua_shared_dict vault_locks 1m;
    lua_shared_dict database 1m;
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /ask { content_by_lua_block { longrun.ask() } }
        location = /database {
            content_by_lua_block {
                ngx.shared.database:set(ngx.var.arg_secret, tonumber(ngx.var.arg_version))
            }
        }
        location = /uncompiled {
            content_by_lua_block { ngx.print(ngx.shared.database:get("uncompiled")) }
        }
    }
]]
local ADMIN = "location / { content_by_lua_block { require('vault.admin').serve() } }"

local passed, failed, shown = 0, 0, 0
local judge = judge_of.new { ttl = TTL, margin = MARGIN }
local breaks, one, spread
local samples = {} -- pid -> { memory = {}, descriptors = {} }

local function check(problem)
    if problem then
        failed = failed + 1
        shown = shown + 1
        if shown <= SHOWN then
            print("longrun: FAILED: " .. problem:sub(1, 500))
        end
    else
        passed = passed + 1
    end
end

-- Starting ----------------------------------------------------------------------------------------

local function start()
    breaks = breaks_of.new { judge = judge, secrets = SECRETS }
    local port = system.free_port()
    spread = "http://127.0.0.1:" .. port
    one = gateway.start {
        workers = WORKERS, server = ADMIN, http = HTTP:gsub("%${spread}", tostring(port)),
        env = breaks.steady:env(), log_level = "notice",
        before_init = 'longrun = require "spec.support.longrun_node" longrun.planted = '
            .. tostring(PLANTED),
        init_worker = "longrun.begin()",
        init = ('state = "%s/state/vaults.json"'):format(breaks.folder),
    }
    breaks.gateway, breaks.spread = one, spread
    breaks:make_vaults()
end

-- A round -----------------------------------------------------------------------------------------

local function begin_load(round)
    return process.start {
        "wrk", "-t", "1", "-c", tostring(CONNECTIONS), "-d", ROUND .. "s", "--timeout", "10s",
        "-s", "spec/support/longrun_wrk.lua", spread, "--", tostring(SECRETS),
        tostring(SEED + round) }
end

-- The actions of a round, by time: { at = seconds, run = function }.
local function plan(restless)
    local actions = {}
    local function add(latest, run)
        actions[#actions + 1] = { at = math.random() * latest, run = run }
    end
    for _ = 1, ROTATIONS do
        add(ROUND - 1, function() breaks:rotate() end)
    end
    add(ROUND / 2, function() return breaks:begin_fault() end)
    add(ROUND - 1, function() breaks:administer() end)
    if restless then
        add(ROUND - 2, function() breaks:end_workers() end)
    end
    table.sort(actions, function(left, right) return left.at < right.at end)
    return actions
end

local function sleep_until(moment)
    system.sleep(math.max(moment - system.now(), 0))
end

local function disturb(restless)
    local began = system.now()
    for _, action in ipairs(plan(restless)) do
        sleep_until(began + action.at)
        action.run()
        breaks:end_faults(false)
    end
    breaks:end_faults(true)
end

-- One check for all lines of a kind: problem_of(line) -> nil, or what is wrong.
local function check_lines(output, kind, problem_of)
    local good = true
    for line in output:gmatch("\n" .. kind .. " ([^\n]+)") do
        local problem = problem_of(line)
        if problem then
            good = false
            check(problem)
        end
    end
    if good then
        check(nil)
    end
end

local function judge_round(output, restless)
    check_lines(output, "seen", function(line)
        local way, secret, version, _, last = line:match("^(%l+) (%w+) (%d+) (%d+) ([%d.]+)$")
        if way ~= "cold" then
            return judge:served(secret, tonumber(version), tonumber(last))
        end
        return version ~= "1" and secret .. ": another version than the only one" or nil
    end)
    check_lines(output, "gave_up", function(line)
        local secret, at = line:match("^(%w+) ([%d.]+)$")
        return judge:gave_up(secret, tonumber(at))
    end)
    check_lines(output, "fault", function(line) return "an answer: " .. line end)
    check_lines(output, "broken", function(line)
        return not restless and line ~= "0" and line .. " connections ended" or nil
    end)
    check((tonumber(output:match("\nanswers (%d+)")) or 0) < 100 and "hardly an answer" or nil)
end

-- Measuring ---------------------------------------------------------------------------------------

-- What is a process's own, in KB: pages of the shared dicts come one after the other as they are
-- written first.
local function memory_of(pid)
    return tonumber(system.read(("/proc/%d/status"):format(pid)):match("RssAnon:%s*(%d+)"))
end

local function descriptors_of(pid)
    return select(2, system.must(("ls /proc/%d/fd"):format(pid)):gsub("\n", "\n"))
end

local function sample()
    local pids = one.nginx:workers()
    pids[#pids + 1] = one.nginx.process.pid
    for _, pid in ipairs(pids) do
        samples[pid] = samples[pid] or { memory = {}, descriptors = {} }
        table.insert(samples[pid].memory, memory_of(pid))
        table.insert(samples[pid].descriptors, descriptors_of(pid))
    end
end

local function check_flat(what, whose, list)
    print(("longrun: %s %s: %s"):format(what, whose, table.concat(list, " ")))
    check(judge_of.flat(what, whose, list))
end

-- The master and one of the workers compile nothing.
local function check_growth()
    local master, uncompiled = one.nginx.process.pid, tonumber(http.get(spread
        .. "/uncompiled").body)
    check(not samples[uncompiled] and "no worker without the compiler" or nil)
    for pid, one_of in pairs(samples) do
        local whose = pid == master and "of the master" or "of worker " .. pid
        check_flat(pid ~= master and pid ~= uncompiled and "memory, compiled," or "memory", whose,
            one_of.memory)
        check_flat("descriptors", whose, one_of.descriptors)
    end
end

-- What was done to nginx; AWS's faults are warnings.
local KILLED = "%[alert%] .* worker process %d+ exited on signal 9$"
local GRAVE = { error = true, crit = true, alert = true, emerg = true }

local function check_log()
    local log, killed = one:error_log(), 0
    for line in log:gmatch("[^\n]+") do
        if line:find(KILLED) then
            killed = killed + 1
        elseif GRAVE[line:match("%[(%l+)%]")] or line:find("exited on signal", 1, true) then
            check("in the log: " .. line)
        end
    end
    check(killed ~= breaks.killed and ("%d workers ended by a signal, %d were killed"):format(
        killed, breaks.killed) or nil)
end

local function settle_workers()
    assert(system.wait_for(function() return #one.nginx:workers() == WORKERS end, 20),
        "old workers stay")
end

local function run_round(round, restless)
    local load, began, done = begin_load(round), system.now(), #breaks.done
    shown = 0
    disturb(restless)
    load:wait(ROUND + 20)
    local output = "\n" .. load:output()
    check(load.code ~= 0 and "wrk failed: " .. load:errors() or nil)
    load:stop()
    judge_round(output, restless)
    settle_workers()
    print(("longrun: round %d: %s answers in %.0f s; %s"):format(round,
        output:match("\nanswers (%d+)"), system.now() - began,
        table.concat({ unpack(breaks.done, done + 1) }, ", ")))
    io.stdout:flush()
end

local function run()
    local rounds = math.max(math.floor(SECONDS / (ROUND + 1)), ROUNDS_LEAST)
    local restless = PLANTED and 0 or math.floor(rounds * RESTLESS)
    local settled = restless + math.ceil((rounds - restless) * SETTLING)
    for round = 1, rounds do
        run_round(round, round <= restless)
        if round > settled then
            sample()
        end
    end
end

local function finish()
    shown = 0
    check_growth()
    local pids = one.nginx:workers()
    check(one.nginx:quit(20) ~= 0 and "nginx does not quit" or nil)
    for _, pid in ipairs(pids) do
        check(nginx.runs(pid) and "a worker stays" or nil)
    end
    check_log()
    one:stop()
    breaks:stop()
end

math.randomseed(SEED)
print(("longrun: %d s, seed %d"):format(SECONDS, SEED))
start()
local ok, problem = xpcall(run, debug.traceback)
check(not ok and problem or nil)
finish()
print(("longrun: %d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
