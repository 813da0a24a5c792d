-- longrun_breaks - what happens to a gateway in a long run: rotations, faults of AWS, workers that
-- end, changes of vaults; by chance.
--
-- For:   spec/support/longrun.lua: each kind of event, and the judge told of what matters to it.
-- Never: when they happen (longrun), what they may come to (judge).

local aws = require "spec.support.aws"
local cjson = require "cjson"
local http = require "spec.support.http"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local FAULT_LEAST, FAULT_MORE = 0.5, 2.5 -- seconds
local TTLS = { 1, 2, 3 }

-- What single calls and batches come to: aws.calls's plans.
local PLANS = {
    { words = "hang" }, { words = "reset-before" }, { words = "reset-headers" },
    { words = "reset-body" }, { words = "truncate" }, { words = "malformed" }, { words = "huge" },
    { words = "drip-20" }, { words = "shortlength" }, { words = "redirect" },
    { code = "ThrottlingException" }, { code = "InternalServiceError", status = 500 },
    { code = "AccessDeniedException" }, { code = "ResourceNotFoundException" },
    { code = "ExpiredTokenException" }, { delay = 800 },
}

-- judge: of spec.support.judge; secrets: how many. .gateway and .spread are set by the caller.
function _M.new(options)
    local self = setmetatable({
        judge = options.judge, versions = {}, open = nil, done = {}, killed = 0,
        folder = system.folder(), cold = aws.start(),
        steady = aws.start { args = { "--only-put" } },
    }, metatable)
    for i = 1, options.secrets do
        self.versions[i] = 0
        self:put(i)
    end
    return self
end

-- Rotations ---------------------------------------------------------------------------------------

local function put_again(self, number)
    local version = self.versions[number]
    self.steady:put("s" .. number, ('{"user":"u%d","password":"p%d"}'):format(version, version))
end

function methods:put(number)
    self.versions[number] = self.versions[number] + 1
    put_again(self, number)
    self.judge:put("s" .. number, self.versions[number], system.wall())
end

-- A secret's next version, which the database wants from then on. Not while AWS cannot be told.
function methods:rotate()
    if self.open and self.open.deaf then
        return
    end
    local number = math.random(#self.versions)
    self:put(number)
    http.get(("%s/database?secret=s%d&version=%d"):format(self.spread, number,
        self.versions[number]))
end

-- Faults ------------------------------------------------------------------------------------------

local function plan_fault(self)
    local plan = PLANS[math.random(#PLANS)]
    for _, server in ipairs { self.steady, self.cold } do
        server:calls(plan)
        server:batches(plan)
    end
    return { name = plan.words or plan.code or "slow", heal = function()
        for _, server in ipairs { self.steady, self.cold } do
            server:calls {}
            server:batches {}
        end
    end }
end

local function freeze(self)
    self.steady:freeze()
    return { name = "frozen", deaf = true, heal = function() self.steady:thaw() end }
end

-- It comes back as it was.
local function stop_server(self)
    local port = self.steady.port
    self.steady:stop()
    return { name = "gone", deaf = true, heal = function()
        self.steady = aws.start { port = port, args = { "--only-put" } }
        for number in ipairs(self.versions) do
            put_again(self, number)
        end
    end }
end

local FAULTS = { plan_fault, plan_fault, plan_fault, freeze, stop_server }

-- One fault at a time.
function methods:begin_fault()
    self:end_faults(true)
    local first = system.wall()
    self.open = FAULTS[math.random(#FAULTS)](self)
    self.open.first = first
    self.open.over = system.now() + FAULT_LEAST + math.random() * FAULT_MORE
    table.insert(self.done, self.open.name)
end

-- End the fault, if there is one, when its time has come; now: at once when it has.
function methods:end_faults(now)
    local fault = self.open
    if not fault or not now and system.now() < fault.over then
        return
    end
    system.sleep(math.max(fault.over - system.now(), 0))
    fault.heal()
    self.judge:fault(fault.first, system.wall())
    self.open = nil
end

-- Workers -----------------------------------------------------------------------------------------

-- One is killed, or all are followed by others.
function methods:end_workers()
    if math.random(2) == 1 then
        self.gateway.nginx:reload(20)
        table.insert(self.done, "reload")
        return
    end
    local pids = self.gateway.nginx:workers("^nginx: worker process$")
    system.must("python3 spec/support/kill_worker.py " .. pids[math.random(#pids)])
    self.killed = self.killed + 1
    table.insert(self.done, "kill")
end

-- Vaults ------------------------------------------------------------------------------------------

local function admin(self, method, path, body, expected)
    local answer = http.request(self.gateway.url .. path, {
        method = method, body = body and cjson.encode(body),
        headers = { ["Content-Type"] = "application/json" } })
    assert(expected[answer.status], ("%s %s answers %d: %s"):format(method, path, answer.status,
        answer.body .. answer.errors))
end

local function put_vault(self, prefix, server, ttl)
    admin(self, "PUT", "/vaults/" .. prefix, { name = "aws", config = {
        endpoint_url = server.url, ttl = ttl, resurrect_ttl = 3600, timeout = 2 } },
        { [200] = true })
end

-- Values are at hand before the load begins.
function methods:make_vaults()
    put_vault(self, "steady", self.steady, TTLS[#TTLS])
    put_vault(self, "cold", self.cold, 60)
    for number in ipairs(self.versions) do
        assert(system.wait_for(function()
            local url = ("%s/ask?way=get&secret=s%d"):format(self.spread, number)
            return http.get(url).body:find(" u1 p1\n", 1, true)
        end), "no value at the beginning")
    end
end

local CHANGES = {
    function(self) put_vault(self, "steady", self.steady, TTLS[math.random(#TTLS)]) end,
    function(self) put_vault(self, "cold", self.cold, 60) end,
    function(self)
        admin(self, "PUT", "/vaults/other", { name = "env" }, { [200] = true })
        admin(self, "DELETE", "/vaults/other", nil, { [204] = true })
    end,
    -- A secret that AWS cannot give is 502.
    function(self)
        admin(self, "POST", "/vaults/steady/refresh", nil, { [200] = true, [429] = true,
                                                             [502] = true })
    end,
}

function methods:administer()
    CHANGES[math.random(#CHANGES)](self)
end

function methods:stop()
    for _, server in ipairs { self.steady, self.cold } do
        server:thaw()
        server:stop()
    end
    system.remove(self.folder)
end

return _M
