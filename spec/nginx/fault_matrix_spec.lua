-- fault_matrix_spec - each fault of AWS in each situation in which a value may be wanted.
--
-- The faults are spec/support/faults.lua's. Each has a vault of its own; a few of them share an
-- nginx. Its first start finds all well; then they begin, and it reads its configuration again.

local cjson = require "cjson"
local command = require "spec.support.command"
local faults = require "spec.support.faults"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

-- Seconds that a machine with other things to do may take on top.
local MARGIN = 3
local PATIENCE = 1 -- seconds that anybody waits while an old value could serve

-- Each asks for a secret of its own, with the same key.
--
-- late     the value was had before the fault began; options: of the reference
-- value    whether there is one: then there is no word
-- calls    to AWS: function(row); within: seconds, of function(row)
-- yields   the worker does other things meanwhile; false: it need not wait; nil: it blocks
local function all_attempts(row) return row.calls end
local function one_attempt(row) return row.single end
local function none() return 0 end
local function its_timeout(row) return row.timeout end
local function patience(row) return math.min(row.timeout, PATIENCE) end

local SITUATIONS = {
    -- Nothing is at hand.
    { "cold", calls = all_attempts, within = its_timeout, yields = true },
    { "access", calls = all_attempts, within = its_timeout, yields = true },
    { "timer", calls = all_attempts, within = its_timeout, yields = true },
    { "init", calls = all_attempts, within = its_timeout },
    { "init_worker", calls = all_attempts, within = its_timeout },
    { "command", calls = all_attempts },
    -- A value is good.
    { "warm", late = true, options = "?ttl=3600", value = true, calls = none, within = none,
      yields = false },
    -- It is past its ttl, within its resurrect_ttl, or not.
    { "stale", late = true, options = "?ttl=1&resurrect_ttl=600", value = true,
      calls = one_attempt, within = patience, yields = true },
    { "outlived", late = true, options = "?ttl=1&resurrect_ttl=0", calls = all_attempts,
      within = its_timeout, yields = true },
}

-- ask_all(situation) in nginx: a result for each fault of its own, by name; all at the same time
-- where that can be. yielded: another light thread, ready to run when vault.get was called, had run
-- when it returned.
local ASK = [[
    local file = assert(io.open(%q))
    local texts = require("cjson").decode(file:read("*a"))
    file:close()
    local function ask(text, yielding)
        local bell, yielded = yielding and require("ngx.semaphore").new(), false
        if bell then
            ngx.thread.spawn(function() yielded = bell:wait(60) end)
            bell:post()
        end
        ngx.update_time()
        local began = ngx.now()
        local value, message, word = require("vault").get(text)
        ngx.update_time()
        return { value = value, message = message, word = word, seconds = ngx.now() - began,
                 yielded = yielded }
    end
    function ask_all(situation)
        local yielding = ngx.get_phase():sub(1, 4) ~= "init"
        local results = {}
        for fault, text in pairs(texts[situation]) do
            results[fault] = yielding and ngx.thread.spawn(ask, text, true) or ask(text)
        end
        for fault, result in pairs(yielding and results or {}) do
            local _, answer = ngx.thread.wait(result)
            results[fault] = answer
        end
        return require("cjson").encode(results)
    end
]]

-- The first start, when all is well, has what is had before.
local AFTER_INIT = [[
    if ngx.shared.seen:add("started", true) then
        for _, situation in ipairs { %s } do
            for _, result in pairs(require("cjson").decode(ask_all(situation))) do
                assert(result.value, result.message)
            end
        end
    else
        at_init = ask_all("init")
    end
]]

local SERVER = [[
    location = /started {
        content_by_lua_block {
            ngx.print('{ "init":', at_init, ', "init_worker":', at_init_worker, '}')
        }
    }
    location = /ask { content_by_lua_block { ngx.print(ask_all(ngx.var.arg_situation)) } }
    location = /access {
        access_by_lua_block { ngx.ctx.results = ask_all("access") }
        content_by_lua_block { ngx.print(ngx.ctx.results) }
    }
    location = /timer {
        content_by_lua_block {
            local done, results = require("ngx.semaphore").new(), nil
            ngx.timer.at(0, function()
                results = ask_all("timer")
                done:post()
            end)
            done:wait(60)
            ngx.print(results)
        }
    }
]]

local world, gateways = nil, {}
local results, calls, shown = {}, nil, {}

local function secret_of(row, situation)
    return faults.secret(row, situation[1], situation.late)
end

-- JSON: situation -> fault -> reference
local function texts(share)
    local by_situation = {}
    for _, situation in ipairs(SITUATIONS) do
        local by_fault = {}
        for _, number in ipairs(faults.SHARES[share]) do
            local row = faults.ROWS[number]
            by_fault[row[1]] = ("{vault://f%d/%s/name%s}"):format(number,
                secret_of(row, situation), situation.options or "")
        end
        by_situation[situation[1]] = by_fault
    end
    return cjson.encode(by_situation)
end

local function names(late)
    local list = {}
    for _, situation in ipairs(SITUATIONS) do
        if not late or situation.late then
            list[#list + 1] = late and ("%q"):format(situation[1]) or situation[1]
        end
    end
    return table.concat(list, late and ", " or ",")
end

local function start(share)
    local file = system.write(("%s/texts%d"):format(world.folder, share), texts(share))
    return gateway.start {
        env = world:env(share), preload = world.resolver, timeout = 60, server = SERVER,
        init = "init_timeout = 120, " .. world:entities(), http = "lua_shared_dict seen 1m;",
        before_init = ASK:format(file), after_init = AFTER_INIT:format(names(true)),
        init_worker = [[
            if at_init then
                at_init_worker = ask_all("init_worker")
            end
        ]],
    }
end

local function run_commands()
    local references, by_fault = {}, {}
    for number, row in ipairs(faults.ROWS) do
        references[number] = { "aws/" .. secret_of(row, { "command" }) .. "/name",
            env = world:env(row.share, {
                LD_PRELOAD = world.resolver, KONG_VAULT_AWS_TIMEOUT = tostring(row.timeout),
                AWS_ENDPOINT_URL_SECRETS_MANAGER = world.urls[number] }) }
    end
    for number, answer in ipairs(command.get(references)) do
        by_fault[faults.ROWS[number][1]] = answer
        shown[#shown + 1] = answer.errors .. answer.output
    end
    return by_fault
end

-- The old workers hold what they fetched: the new ones know but what the node kept.
local function reload_all()
    local old = {}
    for i, one in ipairs(gateways) do
        old[i] = one:worker()
        one.nginx.process:kill("HUP")
    end
    for i, one in ipairs(gateways) do
        assert(system.wait_for(function()
            local now = one.nginx:workers()
            return #now == 1 and now[1] ~= old[i]
        end, 60), "no new worker")
    end
end

local function keep(situation, answer)
    results[situation] = results[situation] or {}
    for fault, result in pairs(answer) do
        results[situation][fault] = result
    end
end

local function ask_workers()
    local asked = {}
    for _, one in ipairs(gateways) do
        for _, situation in ipairs(SITUATIONS) do
            local name = situation[1]
            local path = (name == "access" or name == "timer") and name or "ask?situation=" .. name
            if situation.yields ~= nil then
                asked[http.start(one.url .. "/" .. path, { timeout = 60 })] = name
            end
        end
    end
    for request, name in pairs(asked) do
        local answer = request:finish()
        assert(answer.status == 200, name .. ": " .. answer.body .. answer.errors)
        keep(name, cjson.decode(answer.body))
    end
end

local function measure()
    world = faults.start(names())
    for share = 1, #faults.SHARES do
        gateways[share] = start(share)
    end
    world:break_all()
    reload_all()
    for _, one in ipairs(gateways) do
        local at_start = cjson.decode(one:show("/started", { timeout = 60 }))
        keep("init", at_start.init)
        keep("init_worker", at_start.init_worker)
    end
    ask_workers()
    results.command = run_commands()
    calls = world:calls()
    for _, one in ipairs(gateways) do
        one:stop()
        shown[#shown + 1] = one:error_log()
    end
end

local function assert_hidden(text)
    assert.is_nil(text:find(faults.CANARY, 1, true), text)
end

local function assert_failed(row, result)
    assert.is_nil(result.value)
    assert.equal(row.word, result.word, result.errors)
    assert.is_truthy(result.message:find(row.says, 1, true), result.message)
    assert.equal(row.tries, tonumber(result.message:match(" %((%d+) attempts%)$")))
    assert_hidden(result.message)
end

local function assert_served(result)
    assert.same({ faults.CANARY }, { result.value, result.message })
end

local function assert_calls(row, least, made)
    local most = least * (row.resent and 2 or 1)
    assert.is_true(made >= least and made <= most, ("%d calls, not %d"):format(made, least))
end

describe("a fault", function()
    setup(measure)
    teardown(function()
        for _, one in ipairs(gateways) do
            one:stop()
        end
        if world then
            world:stop()
        end
    end)

    for _, situation in ipairs(SITUATIONS) do
        describe("(" .. situation[1] .. "):", function()
            for number, row in ipairs(faults.ROWS) do
                it(row[1], function()
                    local result = results[situation[1]][row[1]]
                    if situation.value then
                        assert_served(result)
                    else
                        assert_failed(row, result)
                    end
                    assert_calls(row, situation.calls(row),
                        calls[number][secret_of(row, situation)])
                    if situation.within then
                        assert.is_true(result.seconds <= situation.within(row) + MARGIN,
                            result.seconds)
                    end
                    if situation.yields ~= nil then
                        assert.equal(situation.yields, result.yielded)
                    end
                end)
            end
        end)
    end

    it("shows no secret and no credential, in no message and no log", function()
        assert.is_true(#shown > #faults.ROWS)
        for _, text in ipairs(shown) do
            assert_hidden(text)
        end
    end)
end)
