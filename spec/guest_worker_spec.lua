-- guest_worker_spec - what a guest sets up in a worker that nobody starts for it, and whose fetch
-- others join.

local engine = require "spec.support.engine"
local guests = require "spec.support.guest"

local text = guests.text

describe("guest", function()
    local node, aws, world

    before_each(function()
        node = guests.new()
        aws, world = node.aws, node.world
    end)
    after_each(function()
        node:stop()
    end)

    local function worker(options)
        return node:worker(options)
    end

    -- Over vault.fetch, whose fetches end when the spec says so.
    describe("who asks while a fetch is under way", function()
        local workers

        before_each(function()
            workers = {}
        end)
        after_each(function()
            for i = #workers, 1, -1 do
                workers[i]:stop()
            end
        end)

        -- A worker: its engine, and guest over that.
        local function start(pid)
            local made = engine.new(world)
            setmetatable(made.core, { __index = require "vault.core" })
            function made.core.process() return pid, 1 end
            function made.core.is_alive() return true end
            workers[#workers + 1] = made
            local fetch = made:load()
            made.guest = node:load { ["vault.fetch"] = fetch, ["vault.core"] = made.core }
            made.guest.begin { trusted_certificate = function() end }
            return made
        end

        local function ask(asking, name)
            return world:spawn("access", function()
                return text(asking.guest, name)
            end)
        end

        local function finish(finishing, number, payload)
            finishing.core.finish(number, { payload = payload, binary = false,
                                            version_id = "v1", attempts = 1 })
        end

        it("joins it, on its own worker and on others", function()
            local one, other = start(100), start(101)
            local asking = { ask(one, "a"), ask(one, "a"), ask(other, "a"), ask(other, "a") }
            world:pass(3)
            assert.same({ 1, 0 }, { #one.core.submitted, #other.core.submitted })
            finish(one, 1, "late")
            world:pass(1.2)
            for _, thread in ipairs(asking) do
                assert.same({ "late" }, thread.results)
            end
            assert.equal(0, #other.core.submitted)
        end)

        it("does not join what was there before", function()
            local one, other = start(100), start(101)
            local first = ask(one, "a")
            finish(one, 1, "old")
            world:pass(0.1)
            assert.same({ "old" }, first.results)
            world:pass(2)
            local second, third = ask(one, "a"), ask(other, "a")
            world:pass(0.5)
            finish(one, 2, "new")
            world:pass(1.2)
            assert.same({ { "new" }, { "new" } }, { second.results, third.results })
        end)

        it("is told of its failure, by both", function()
            local one, other = start(100), start(101)
            local first, second = ask(one, "a"), ask(other, "a")
            one.core.finish(1, nil, "planted outage", "server_error")
            world:pass(1.2)
            assert.same({ nil, "planted outage", "server_error" }, first.results)
            assert.same({ nil, "planted outage", "server_error" }, second.results)
            assert.equal(0, #other.core.submitted)
        end)

        it("has no need of a dict on its own worker", function()
            world.ngx.shared.vault_secrets = nil
            local one = start(100)
            local first, second = ask(one, "a"), ask(one, "a")
            finish(one, 1, "v")
            world:pass(0.1)
            assert.same({ { "v" }, { "v" } }, { first.results, second.results })
            assert.equal(1, #one.core.submitted)
        end)
    end)

    describe("a worker", function()
        it("joins the others once, at its first secret that does not block", function()
            local asked_for = 0
            local guest = worker { load_by = "so", timer_at = "native",
                                   trusted_certificate = function()
                asked_for = asked_for + 1
                return asked_for > 1 and "/host/ca.pem" or nil
            end }
            assert.same({ load_by = "so", timer_at = "native" }, aws.settings)
            aws.blocking = true
            text(guest)
            assert.is_nil(aws.workers)
            assert.is_nil(aws.shared)
            aws.blocking = false
            world.phase = "exit_worker"
            text(guest)
            assert.is_nil(aws.workers)
            world.phase = "access"
            text(guest)
            text(guest)
            assert.same({ 1, 1, 2 }, { aws.workers, aws.checked, asked_for })
            assert.equal("/host/ca.pem", aws.settings.ca_file)
            local locks = aws.shared.locks
            local token = locks:take("x", 1)
            assert.equal(token, world.ngx.shared.vault_secrets:get("l:x"))
            aws.shared.failures.put("t", "m", "w")
            assert.same({ "m", "w" }, { aws.shared.failures.get("t") })
        end)

        it("has its locks in a dict of their own where there is one", function()
            world.ngx.shared.vault_locks = world:dict()
            text(worker())
            aws.shared.locks:take("x", 1)
            assert.is_truthy(world.ngx.shared.vault_locks:get("l:x"))
            assert.is_nil(world.ngx.shared.vault_secrets:get("l:x"))
        end)

        it("goes by the host's certificates, else by the environment's, else the system's",
            function()
                for _, row in ipairs { { "/host.pem", "/host.pem" }, { nil, "/bundle.pem" },
                                       { "system", nil } } do
                    node.variables.AWS_CA_BUNDLE = "/bundle.pem"
                    worker { trusted_certificate = function() return row[1] end }
                    node.variables.AWS_CA_BUNDLE = nil
                    assert.equal(row[2], aws.settings.ca_file)
                end
            end)

        it("looks for unreadable files where the master began", function()
            world.phase = "init"
            worker { trusted_certificate = function() return "/host.pem" end }
            assert.equal("/host.pem", aws.remembered)
            aws.remembered, world.phase = nil, "access"
            worker()
            assert.is_nil(aws.remembered)
        end)

        it("begins once", function()
            local guest = worker()
            local settings = aws.settings
            guest.begin { trusted_certificate = function() return "/other.pem" end }
            assert.equal(settings, aws.settings)
        end)

        it("says that there is no dict, once, where there are several workers", function()
            world.ngx.shared.vault_secrets = nil
            local guest = worker()
            text(guest)
            text(guest)
            assert.equal(1, node:logged("^warn: vault: no lua_shared_dict vault_secrets: "))
            world.ngx.worker.count = function() return 1 end
            worker()
            assert.equal(1, node:logged("no lua_shared_dict"))
        end)

        it("takes what lacks a shared dict's methods for none, as on Kong's command line",
            function()
                world.ngx.shared = setmetatable({}, { __index = function()
                    return { get = error, safe_set = error, safe_add = error, delete = error }
                end })
                assert.is_truthy(text(worker()))
                assert.is_nil(aws.shared)
            end)

        it("says that the dict is full, once a minute", function()
            world.ngx.shared.vault_secrets.full = true
            local guest = worker()
            for _ = 1, 61 do
                text(guest)
                world:pass(1)
            end
            assert.equal(1, node:logged("the shared dict vault_secrets is full"))
            text(guest)
            assert.equal(2, node:logged("the shared dict vault_secrets is full"))
        end)

        it("says at once that this nginx cannot share a process with libcurl", function()
            local core = setmetatable({ check = function()
                return nil, "planted reason", "unsupported"
            end }, { __index = require "vault.core" })
            node:load({ ["vault.core"] = core }).begin { trusted_certificate = function() end }
            assert.equal(1, node:logged("^error: vault: planted reason"))
        end)
    end)
end)
