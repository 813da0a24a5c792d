-- outage_spec - AWS goes away under load, in all the ways it has, and comes back.
--
-- One gateway has a vault for each way, and AWS goes away behind all of them at once: the ways must
-- not disturb each other either. The specs look at what was seen meanwhile.

local aws = require "spec.support.aws"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"
local wrk = require "spec.support.wrk"

local WORKERS = 2
local SECRETS = 12 -- of each way, under load
local TTL, SHORT = 1, 1 -- seconds: ttl of all, resurrect_ttl of those that AWS's absence outlasts
local AWAY = 3 -- seconds, or little more
local BACK_WITHIN = 5 -- seconds
local PATIENCE = 1 -- seconds that a request waits for AWS at most while an old value could serve
local LATE = 0.5 -- seconds that a machine that others use too may take for that

-- What a node may call: 10 failures in a row open the circuit, and those under way at that moment
-- go on to their end; then it is one fetch a second at most. AWS's own word on a secret is no
-- outage: it is asked for each of them once a second, and for all together.
local OPENS_AFTER, ATTEMPTS = 10, 3

local function plan(what)
    return function(fake)
        fake:calls(what)
        fake:batches(what)
    end
end

local back = plan {}

-- Of each way, those under load and the one that AWS's absence outlasts.
local names = { "short" }
for number = 1, SECRETS do
    names[number + 1] = "s" .. number
end
names = table.concat(names, ",")

-- AWS comes back in this order, and goes in the other one: the first is away no longer than AWAY,
-- and calls are under way then that nobody will ever answer.
--
-- ending, beginning  function(fake) -> nil, or the fake that takes its place
-- word               of a value that cannot be had
-- by_secret          calls are allowed, or counted, for each secret
local WAYS = {
    { name = "hanging", word = "timeout", ending = plan { words = "hang" }, beginning = back },
    { name = "frozen", word = "timeout", beginning = function(fake) fake:thaw() end,
      ending = function(fake) fake:freeze() end },
    { name = "refused", word = "connect_failed", by_secret = true,
      ending = function(fake) fake:stop() end,
      beginning = function(fake) return aws.start { port = fake.port } end },
    { name = "failing", word = "server_error", beginning = back,
      ending = plan { code = "InternalServiceError", status = 500 } },
    { name = "throttled", word = "throttled", beginning = back,
      ending = plan { code = "ThrottlingException" } },
    { name = "deleted", word = "not_found", by_secret = true, beginning = function() end,
      ending = function(fake) fake:delete(names) end },
    { name = "marked for deletion", word = "invalid_request", by_secret = true, beginning = back,
      ending = plan { words = "code-InvalidRequestException" } },
}

local HTTP = [[
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /load {
            content_by_lua_block {
                local vault = require "vault"
                local secret = ("{vault://%s/s%d/"):format(ngx.var.arg_vault,
                    math.random(${secrets}))
                local user, message, word = vault.get(secret .. "user}")
                local password, other, other_word = vault.get(secret .. "password}")
                ngx.update_time()
                if not (user and password) then
                    ngx.status = 500
                    return ngx.say(word or other_word, ": ", message or other)
                end
                ngx.say(ngx.worker.id(), " ", ("%.3f"):format(ngx.now()), " ", user, " ", password)
            }
        }
        location = /metrics {
            content_by_lua_block { ngx.print(require("vault").metrics()) }
        }
    }
]]

local one, spread, loads

local function start_all()
    local entities, entity = {}, '{ prefix = "%s", name = "aws", config = { endpoint_url = "%s", '
        .. "ttl = %d, resurrect_ttl = %d%s } },"
    for number, way in ipairs(WAYS) do
        way.fake, way.vault = aws.start(), "way" .. number
        entities[2 * number - 1] = entity:format(way.vault, way.fake.url, TTL, 600, "")
        entities[2 * number] = entity:format(way.vault .. "-short", way.fake.url, TTL, SHORT,
            ", timeout = 1")
    end
    local numbers = { spread = system.free_port(), secrets = SECRETS }
    spread = "http://127.0.0.1:" .. numbers.spread
    one = gateway.start {
        workers = WORKERS, init = "vaults = {" .. table.concat(entities) .. "}",
        env = { AWS_ACCESS_KEY_ID = aws.ACCESS_KEY, AWS_SECRET_ACCESS_KEY = aws.SECRET_KEY,
                AWS_REGION = "us-east-1" },
        http = HTTP:gsub("%${(%w+)}", numbers),
    }
end

local function stop_all()
    for _, load in pairs(loads) do
        load:drop()
    end
    for _, way in ipairs(WAYS) do
        if way.fake then
            way.fake:thaw()
            way.fake:stop()
        end
    end
    if one then
        one:stop()
        one = nil
    end
end

-- What each way's short-lived secret is now, as its field `name`.
local function ask_short(name)
    for _, way in ipairs(WAYS) do
        way[name] = one:ask(("{vault://%s-short/short/user}"):format(way.vault))
    end
    for _, way in ipairs(WAYS) do
        way[name] = gateway.read(way[name])
    end
end

local function begin_load(way)
    local url = ("%s/load?vault=%s"):format(spread, way.vault)
    assert.equal(200, http.get(url).status)
    loads[way] = wrk.start(url, { connections = 8, pause = 10 })
end

-- Calls so far: as the server counts them; where none is, secrets that were not had there.
local function count_calls(way)
    if way.name == "refused" then
        local fetches = http.get(spread .. "/metrics").body:match(
            'vault_fetches_total{outcome="connect_failed"} (%d+)')
        return tonumber(fetches or 0)
    end
    local stats = way.fake:stats()
    return stats.calls + stats.batches
end

local function go_away(way)
    way.calls, way.left = count_calls(way), system.wall()
    way.ending(way.fake)
end

-- Another version is what AWS has when it is back.
local function come_back(way)
    way.returned = system.wall()
    if way.name == "refused" then
        way.calls = count_calls(way) - way.calls
    end
    way.fake = way.beginning(way.fake) or way.fake
    if way.name ~= "refused" then
        way.calls = count_calls(way) - way.calls
    end
    way.fake:put(names, '{"user":"u2","password":"p2"}')
end

local function measure()
    loads = {}
    start_all()
    for _, way in ipairs(WAYS) do
        begin_load(way)
    end
    ask_short "before"
    system.sleep(TTL)
    for number = #WAYS, 1, -1 do
        go_away(WAYS[number])
    end
    system.sleep(AWAY)
    ask_short "gone"
    for _, way in ipairs(WAYS) do
        come_back(way)
    end
    system.sleep(BACK_WITHIN)
    for _, way in ipairs(WAYS) do
        way.load = loads[way]:stop()
    end
    ask_short "again"
end

-- Seconds after AWS's return in which some worker served a value of before, math.huge where one
-- never served another.
local function time_to_recover(way)
    local longest, recovered = 0, 0
    for _, seen in ipairs(way.load.seen) do
        if seen.version == 1 then
            longest = math.max(longest, seen.last - way.returned)
        else
            recovered = recovered + 1
        end
    end
    return recovered == WORKERS and longest or math.huge
end

local function is_late()
    for _, way in ipairs(WAYS) do
        if time_to_recover(way) > BACK_WITHIN or way.load.slowest > PATIENCE + LATE then
            return true
        end
    end
    return false
end

describe("AWS away under load", function()
    -- A second time where something was late, since other users of the machine may have had it.
    setup(function()
        measure()
        if is_late() then
            stop_all()
            measure()
        end
    end)
    teardown(stop_all)

    it("is told to people: its beginning, its end, and each secret that AWS refuses", function()
        local log = one:error_log()
        local function count(text)
            return select(2, log:gsub(text, ""))
        end
        local began = count("ten calls of AWS in a row came to nothing: [^\n]*; the last one: ")
        assert.is_true(began >= 1 and began <= #WAYS, began)
        assert.is_true(count("AWS is asked as usual again") >= began)
        local refused = count('secret "s1" [^\n]*; its old value stays in use') -- in two ways
        assert.is_true(refused >= 2 and refused <= 2 * WORKERS, refused)
    end)

    for _, way in ipairs(WAYS) do
        local function most_calls()
            local seconds = math.ceil(way.returned - way.left) + 1
            if way.by_secret then
                return (SECRETS + 2) * seconds
            end
            return ATTEMPTS * (OPENS_AFTER + SECRETS + 1 + seconds)
        end

        describe("(" .. way.name .. ")", function()
            it("fails no request while resurrect_ttl lasts, nor keeps one waiting", function()
                assert.same({}, way.load.faults)
                assert.is_true(way.load.answers > 1000, way.load.answers)
                assert.is_true(way.load.slowest <= PATIENCE + LATE, way.load.slowest)
            end)

            it("is called no more often than it makes sense", function()
                assert.is_true(way.calls <= most_calls(),
                    ("%d calls, at most %d"):format(way.calls, most_calls()))
            end)

            it("is an error with its word after resurrect_ttl", function()
                assert.equal("u1", way.before.value)
                assert.is_nil(way.gone.value)
                assert.equal(way.word, way.gone.word)
            end)

            it("has its new values on all workers within 5 s of its return", function()
                assert.is_true(time_to_recover(way) <= BACK_WITHIN, time_to_recover(way))
                assert.equal("u2", way.again.value)
            end)
        end)
    end
end)
