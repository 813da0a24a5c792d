-- vaults_change_spec - changes of the entities by several workers, each step of which may be the
-- last one or fail; and what a start, a reload and a flush make of them.

local nodes = require "spec.support.vault_node"

local PATH = "/folder/vaults.json"
local STEPS_MOST = 60

describe("a change of vaults", function()
    local node

    before_each(function()
        node = nodes.new()
    end)
    after_each(function()
        node:stop()
    end)

    local function all_show(wanted)
        for i, worker in ipairs(node.workers) do
            if not worker.dead then
                assert.equal(wanted, node.shown(worker), "worker " .. i)
            end
        end
    end

    local function start_two(path)
        return node:start_worker { state = path }, node:start_worker { state = path }
    end

    -- What a start would find; after that the node is another one.
    local function kept()
        node:restart()
        return node.shown(node:start_worker { state = PATH })
    end

    it("is known to all workers at their next beat, and in the file", function()
        local one, two = start_two(PATH)
        assert.equal("done", node.put(one, "my-aws", "first"))
        assert.equal("my-aws=first", node.shown(one))
        assert.equal("", node.shown(two))
        two.vaults.read_news()
        all_show("my-aws=first")
        node.put(two, "your-aws", "second")
        node.put(two, "my-aws", "third")
        node:beat()
        all_show("my-aws=third your-aws=second")
        node.put(one, "my-aws", "")
        node:beat()
        all_show("your-aws=second")
        assert.same({}, node.warned)
        assert.equal("your-aws=second", kept())
    end)

    it("loses nothing where another worker has not heard the news", function()
        local workers = {}
        for i = 1, 4 do
            workers[i] = node:start_worker { state = PATH }
        end
        local wanted = {}
        for i = 1, 40 do
            assert.equal("done", node.put(workers[i % 4 + 1], "p" .. i, "d"))
            wanted[i] = "p" .. i .. "=d"
        end
        table.sort(wanted)
        assert.equal(table.concat(wanted, " "), kept())
    end)

    it("tells which vaults are others now, and no more", function()
        local one, two = node:start_worker(), node:start_worker()
        node.put(one, "my-aws", "d")
        node.put(one, "your-aws", "d")
        node:beat()
        table.sort(two.changed)
        assert.same({ "my-aws", "your-aws" }, two.changed)
        one.changed, two.changed = {}, {}
        local before = two.vaults.find { name = "my-aws" }
        one.vaults.change(function(entities)
            entities[1].description, entities[1].tags = "new", { "t" }
            return entities
        end)
        node:beat()
        assert.same({}, two.changed)
        assert.equal(before, two.vaults.find { name = "my-aws" })
        assert.equal("new", two.vaults.find({ name = "my-aws" }).entity.description)
        one.vaults.change(function(entities)
            entities[1].config.ttl = 5
            return entities
        end)
        node:beat()
        assert.same({ { "my-aws" }, { "my-aws" } }, { one.changed, two.changed })
        assert.equal(5, two.vaults.find({ name = "my-aws" }).config.ttl)
        node.put(two, "your-aws", "")
        node:beat()
        assert.same({ "my-aws", "your-aws" }, one.changed)
    end)

    it("tells whether the vault of before is gone, also where there is one again", function()
        local one, two = node:start_worker(), node:start_worker()
        local IDS = { "2911e119-ee1f-42af-a114-67061c3831e5",
                      "2911e119-ee1f-42af-a114-67061c3831e6" }
        local function put(id, ttl)
            one.vaults.change(function()
                return { id and { id = id, prefix = "my-aws", name = "aws",
                                  config = { ttl = ttl } } }, 1
            end)
        end
        local ROWS = { { IDS[1], 1, false }, { IDS[1], 2, false }, { IDS[2], 2, true },
                       { IDS[1], 3, true }, { nil, nil, true }, { IDS[1], 3, false } }
        for i, row in ipairs(ROWS) do
            one.gone, two.gone = {}, {}
            put(row[1], row[2])
            node:beat()
            assert.equal(row[3], one.gone["my-aws"], i)
            assert.equal(row[3], two.gone["my-aws"], i)
        end
        put(nil)
        put(IDS[2], 3)
        node:beat()
        assert.is_true(two.gone["my-aws"])
    end)

    it("is not made where edit says no, or raises, or does something odd", function()
        local one = node:start_worker { entities = { { prefix = "fixed", name = "aws",
                                                       config = { ttl = 1 } } }, state = PATH }
        node.put(one, "my-aws", "d")
        local failure = {}
        assert.same({ nil, failure }, { one.vaults.change(function(entities)
            entities[1].config.ttl = 7
            return nil, failure
        end) })
        local ok, message = pcall(one.vaults.change, function() error("planted", 0) end)
        assert.same({ false, "planted" }, { ok, message })
        local ODD = {
            [405] = {
                function(entities) entities[1].config.ttl = 2 end,
                function(entities) table.remove(entities, 1) end,
                function(entities) entities[1].description = "x" end,
            },
            [400] = { function(entities) entities[2].description = ("x"):rep(2 ^ 20) end },
            [500] = {
                function(entities) entities[2].config.ttl = "canary" end,
                function(entities) entities[3] = entities[2] end,
            },
        }
        for status, edits in pairs(ODD) do
            for _, edit in ipairs(edits) do
                local result, failed = one.vaults.change(function(entities)
                    edit(entities)
                    return entities, "done"
                end)
                assert.is_nil(result)
                assert.equal(status, failed.status)
                assert.falsy(failed.message:find("canary", 1, true))
            end
        end
        all_show("fixed=nil my-aws=d")
        assert.equal("done", node.put(one, "my-aws", "e"))
        assert.equal("my-aws=e", kept())
    end)

    it("is asked with a copy of all, which says which are declared", function()
        local one = node:start_worker { entities = { { prefix = "fixed", name = "aws" } } }
        node.put(one, "my-aws", "d")
        one.vaults.change(function(entities)
            assert.same({ true, "fixed" }, { entities[1].declared, entities[1].prefix })
            assert.same({ nil, "my-aws" }, { entities[2].declared, entities[2].prefix })
            return entities
        end)
        assert.is_nil(one.vaults.list()[1].declared)
    end)

    it("waits for whoever else makes one, and not for ever", function()
        local one, two = node:start_worker(), node:start_worker()
        local token = two.locks:take("vaults", 600)
        local waited = 0
        node.on_wait = function()
            waited = waited + 1
            if waited == 3 then
                two.locks:release("vaults", token)
            end
        end
        assert.equal("done", node.put(one, "my-aws", "d"))
        assert.equal(3, waited)
        node.on_wait = nil
        token = two.locks:take("vaults", 600)
        local before = node.clock
        local result, failure = node.put(one, "my-aws", "e")
        assert.is_nil(result)
        assert.equal(503, failure.status)
        assert.is_true(node.clock - before < 11)
        two.locks:release("vaults", token)
    end)

    it("warns once where no file keeps it", function()
        local one, two = node:start_worker(), node:start_worker()
        node.put(one, "my-aws", "d")
        node.put(one, "my-aws", "e")
        node.put(two, "my-aws", "f")
        assert.equal(1, #node.warned)
        assert.matches("no file keeps the vaults", node.warned[1])
    end)

    for _, path in ipairs { PATH, false } do
        local where = path and "with a file" or "without a file"

        it("leaves the old or the new state where its worker is killed, " .. where, function()
            local seen, number = {}, 0
            repeat
                number = number + 1
                node:stop()
                node = nodes.new()
                local one, two = start_two(path)
                node.put(one, "my-aws", "old")
                node:beat()
                one.steps, one.kill_at = 0, number
                local ok = pcall(node.put, one, "my-aws", "new")
                node:beat()
                local shown = node.shown(two)
                assert.is_true(shown == "my-aws=old" or shown == "my-aws=new", shown)
                assert.is_true(not ok or shown == "my-aws=new")
                seen[shown] = true
                all_show(shown)
                node:beat()
                all_show(shown)
                assert.equal(shown, node.shown(node:start_worker { state = path }))
                assert.equal("done", node.put(two, "your-aws", "d"))
                assert.equal("done", node.put(two, "your-aws", ""))
                node:beat()
                all_show(shown)
                local left = {}
                for key in pairs(node.dict.entries) do
                    left[#left + 1] = key:match("^vaults:%d+$") or key:match("^vaults:next$")
                end
                assert.equal(1, #left)
                assert.equal(path and shown or "", kept())
            until ok or number > STEPS_MOST
            assert.same({ ["my-aws=old"] = true, ["my-aws=new"] = true }, seen)
            assert.is_true(number > 8 and number < STEPS_MOST)
        end)

        it("is there where its worker is killed after it said so, " .. where, function()
            local one, two = start_two(path)
            assert.equal("done", node.put(one, "my-aws", "new"))
            one.dead = true
            node:beat()
            assert.equal("my-aws=new", node.shown(two))
        end)

        it("changes nothing where a step fails, " .. where, function()
            local failures, number = 0, 0
            repeat
                number = number + 1
                node:stop()
                node = nodes.new()
                local one, two = start_two(path)
                node.put(one, "my-aws", "old")
                node:beat()
                one.steps, one.fail_at = 0, number
                local result, failure = node.put(one, "my-aws", "new")
                local wanted = result and "my-aws=new" or "my-aws=old"
                if not result then
                    failures = failures + 1
                    assert.equal(500, failure.status)
                    assert.is_string(failure.message)
                end
                local last = one.steps < number
                one.fail_at = nil
                node:beat()
                all_show(wanted)
                assert.equal("done", node.put(two, "your-aws", "d"))
                assert.equal("done", node.put(one, "your-aws", ""))
                node:beat()
                all_show(wanted)
                assert.equal(path and wanted or "", kept())
            until last or number > STEPS_MOST
            assert.equal(path and 6 or 4, failures)
            assert.is_true(number < STEPS_MOST)
        end)
    end

    it("changes nothing where the disk takes nothing, whatever is tried", function()
        local one = node:start_worker { state = PATH }
        node.put(one, "my-aws", "old")
        node.disk.broken = true
        local _, failure = node.put(one, "my-aws", "new")
        assert.same({ status = 500, message = "cannot write " .. PATH .. ": planted" }, failure)
        node:beat()
        all_show("my-aws=old")
        node.disk.broken = nil
        assert.equal("my-aws=old", kept())
    end)

    it("fails where the dict is full, and works again where it is not", function()
        local one = node:start_worker { state = PATH }
        node.put(one, "my-aws", "old")
        node.dict.full = true
        local _, failure = node.put(one, "my-aws", "new")
        assert.equal(500, failure.status)
        assert.matches("cannot be locked: no memory", failure.message)
        node.dict.full = false
        assert.equal("done", node.put(one, "my-aws", "new"))
    end)
end)
