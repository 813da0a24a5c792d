-- process_faults_spec - what the system may do to a running nginx: what its clients see meanwhile,
-- and that all is well again afterwards.
--
-- Workers that are killed: once_spec, vaults_spec, vaults_property_spec; reloads: reload_spec.

local asker = require "spec.support.asker"
local cjson = require "cjson"
local http = require "spec.support.http"
local preload = require "spec.support.preload"
local process = require "spec.support.process"
local system = require "spec.support.system"
local troubles_of = require "spec.support.troubles"

local TTL = 2 -- seconds
local LATE = 4 -- seconds that a machine that others use too may take for a renewal
local CLIENTS = 4

local HTTP = [[
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /secret {
            content_by_lua_block {
                local value, message, word = require("vault").get(("{vault://%s/%s/user}"):format(
                    ngx.var.arg_vault or "mine", ngx.var.arg_name))
                if not value then
                    ngx.status = 500
                end
                ngx.print(require("cjson").encode { worker = ngx.worker.id(), value = value,
                                                    message = message, word = word })
            }
        }
    }
]]

local world, troubles, one, spread, clients

local function open()
    world = asker.start()
    troubles = troubles_of.new(world.folder)
    for i = 1, 9 do
        world.aws:put("s" .. i, ('{"user":"s%d"}'):format(i))
    end
end

local function close()
    world:stop()
end

local function start(options)
    local port = system.free_port()
    spread = "http://127.0.0.1:" .. port
    options.preload = troubles.preload .. ":" .. preload.build(world.folder, "resolver")
    options.env = asker.merge(world:linked("environment"), troubles.env, options.env)
    options.init = options.init or ([[vaults = {
        { prefix = "mine", name = "aws", config = { ttl = %d } },
        { prefix = "by-name", name = "aws", config = { endpoint_url = "http://fast.test:%d" } },
    }]]):format(TTL, world.aws.port)
    options.http = (options.http or "") .. HTTP:gsub("%${spread}", tostring(port))
    one = world:gateway(options)
end

local function ask(name, more)
    local answer = http.get(("%s/secret?name=%s%s"):format(spread, name, more or ""))
    assert(answer.status ~= 0, answer.errors)
    return cjson.decode(answer.body)
end

local function begin_load(name)
    clients = process.start { "python3", "spec/support/load.py",
        ("%s/secret?name=%s"):format(spread, name), tostring(CLIENTS), ready = "ready 0\n" }
end

-- What became of the requests but for those that had a value.
local function end_load()
    clients:kill("TERM")
    clients:wait(30)
    local said = clients:output():gsub("ready 0\n", "")
    clients:stop()
    local count, failures = said:match("^(%d+) ok\n(.*)$")
    assert(tonumber(count) > 20, said)
    return failures
end

-- Both workers have `value` for `name` within its ttl and a little more.
local function assert_all_have(value, name, seconds)
    local have
    assert.is_truthy(system.wait_for(function()
        have = {}
        for _ = 1, 12 do
            local answer = ask(name)
            if answer.value ~= value then
                return false
            end
            have[answer.worker] = true
        end
        return have[0] and have[1]
    end, seconds or TTL + LATE), "not all have " .. value)
end

describe("a clock that is set", function()
    before_each(open)
    after_each(close)

    for what, seconds in pairs { ["an hour ahead"] = 3600, ["an hour back"] = -3600 } do
        it(what .. " fails no request, and renews values as before", function()
            world.aws:put("db", '{"user":"u1"}')
            start { workers = 2, env = { KONG_VAULT_AWS_ASSUME_ROLE_ARN = asker.ROLE .. "one" } }
            assert_all_have("u1", "db")
            begin_load("db")
            for step = 1, 2 do
                troubles:set_clock(step == 1 and seconds or 0)
                world.aws:put("db", ('{"user":"after%d"}'):format(step))
                assert_all_have("after" .. step, "db")
                assert.equal("u1", ask("cold" .. step).value)
            end
            assert.equal("", end_load())
        end)
    end
end)

-- What fails has this word, and this in its message.
local function assert_fails(word, says, answer)
    assert.is_nil(answer.value)
    assert.equal(word, answer.word, answer.message)
    assert.is_truthy(answer.message:find(says, 1, true), answer.message)
end

describe("a worker that may start no thread", function()
    before_each(open)
    after_each(close)

    it("answers each request that needs one with an error, and the next when it may", function()
        start {}
        troubles:refuse_threads(true)
        for _ = 1, 3 do
            assert_fails("internal", "thread", ask("s1"))
        end
        assert.equal(0, world.aws:stats().calls)
        troubles:refuse_threads(false)
        assert.equal("s1", ask("s1").value)
    end)

    it("goes on with the one it has, but for names that must be looked up", function()
        start {}
        assert.equal("s1", ask("s1").value)
        troubles:refuse_threads(true)
        assert.equal("s1", ask("s1").value)
        assert.equal("s2", ask("s2").value)
        assert_fails("resolve_failed", "thread failed to start", ask("s3", "&vault=by-name"))
        troubles:refuse_threads(false)
        assert.equal("s3", ask("s3", "&vault=by-name").value)
    end)
end)

describe("a worker without descriptors", function()
    before_each(open)
    after_each(close)

    -- The client's connection has the last one.
    local function leave(count)
        troubles_of.limit_descriptors(one:worker(), count)
    end

    it("says so where it needs one for its first fetch, and has the secret when there are some",
        function()
            start {}
            leave(1)
            assert_fails("internal", "descriptors", ask("s1"))
            assert.equal(0, world.aws:stats().calls)
            leave(nil)
            assert.equal("s1", ask("s1").value)
        end)

    it("serves what it holds, and says so where it needs one for a connection", function()
        start {}
        assert.equal("s1", ask("close.s1").value)
        leave(1)
        assert.equal("s1", ask("close.s1").value)
        assert_fails("connect_failed", "connect to server", ask("s2"))
        leave(nil)
        assert.equal("s2", ask("s2").value)
    end)
end)

describe("a shared dict that is full", function()
    local SECRETS, CROWD = 300, 20

    before_each(open)
    after_each(close)

    local function calls()
        return world.aws:stats().calls
    end

    it("fails no request under load; workers fetch for themselves till there is room", function()
        start { workers = 2, init = 'dict = "tight", vaults = {{ prefix = "mine", name = "aws" }}',
                http = "lua_shared_dict tight 64k;", server = [[
                    location = /flush { content_by_lua_block { require("vault").flush() } }
                ]] }
        local load = process.start { "python3", "spec/support/load.py",
            spread .. "/secret?name=many%d", tostring(CROWD), tostring(SECRETS) }
        assert.equal(0, load:wait(60))
        assert.equal("ready 0\n" .. SECRETS .. " ok\n", load:output())
        load:stop()
        assert.is_truthy(one:error_log():find("the shared dict is full", 1, true))
        local before = calls()
        assert.is_true(before <= 2 * SECRETS, before)
        assert_all_have("u1", "late", 10)
        assert.equal(before + 2, calls())
        assert.equal(200, http.get(one.url .. "/flush").status)
        before = calls()
        system.wait_for(function() -- the other worker has heard of it
            ask("many1")
            return calls() > before
        end)
        before = calls()
        assert_all_have("u1", "later", 10)
        assert.equal(before + 1, calls())
    end)
end)

-- A disk of 64 KB in a mount namespace that only nginx has, where that can be had.
if system.run("unshare -m mount -t tmpfs none /mnt") == 0 then
    describe("a disk", function()
        local folder, disk

        before_each(function()
            open()
            folder = world.folder .. "/disk"
            system.must("mkdir " .. folder)
            start {
                server = "location / { content_by_lua_block { require('vault.admin').serve() } }",
                init = ('state = "%s/state/vaults.json"'):format(folder),
                under = { "unshare", "-m", "sh", "-c", ("mount -t tmpfs -o size=64k none %s"
                    .. ' && exec "$@"'):format(folder), "sh" },
            }
            disk = ("/proc/%d/root%s"):format(one.nginx.process.pid, folder)
        end)
        after_each(close)

        local function put(ttl)
            return http.request(one.url .. "/vaults/mine", {
                method = "PUT", body = ('{"name":"aws","config":{"ttl":%d}}'):format(ttl),
                headers = { ["Content-Type"] = "application/json" } })
        end

        local function ttl()
            return cjson.decode(http.get(one.url .. "/vaults/mine").body).config.ttl
        end

        local function at_rest()
            return cjson.decode(system.read(disk .. "/state/vaults.json")).vaults[1].config.ttl
        end

        -- What a change comes to while the disk takes none, and when it does again.
        local function assert_changes_nothing_until(recover)
            local answer = put(20)
            assert.equal(500, answer.status)
            assert.is_truthy(cjson.decode(answer.body).message)
            assert.same({ 10, 10 }, { ttl(), at_rest() })
            assert.equal("s1", ask("s1").value)
            recover()
            assert.equal(200, put(30).status)
            assert.same({ 30, 30 }, { ttl(), at_rest() })
            assert.equal("s1", ask("s1").value)
        end

        it("that is full refuses a change, and loses nothing", function()
            assert.equal(200, put(10).status)
            assert.equal("s1", ask("s1").value)
            system.run(("dd if=/dev/zero of=%s/filler bs=4k"):format(disk))
            assert_changes_nothing_until(function()
                system.must("rm " .. disk .. "/filler")
            end)
        end)

        it("that becomes read-only refuses a change, and loses nothing", function()
            local remount = "nsenter -m -t %d mount -o remount,%s %s"
            assert.equal(200, put(10).status)
            assert.equal("s1", ask("s1").value)
            system.must(remount:format(one.nginx.process.pid, "ro", folder))
            assert_changes_nothing_until(function()
                system.must(remount:format(one.nginx.process.pid, "rw", folder))
            end)
        end)
    end)
end
