-- sources_spec - what a start, a reload and a flush make of the entities: files that are broken,
-- other ones than before, or away.

local nodes = require "spec.support.vault_node"

local STATE, FILE = "/folder/vaults.json", "/folder/kong.yaml"
local KONG = '_format_version: "3.0"\nvaults:\n- name: aws\n  prefix: %s\n  config:\n    ttl: %s\n'

describe("the vaults of a node", function()
    local node

    before_each(function()
        node = nodes.new()
    end)
    after_each(function()
        node:stop()
    end)

    local function refused(worker, needle)
        local ok, message, word = unpack(worker.result, 1, 3)
        assert.is_nil(ok)
        assert.truthy(message:find(needle, 1, true), message)
        assert.falsy(message:find("canary", 1, true), message)
        assert.equal("bad_config", word)
        assert.equal("", node.shown(worker))
    end

    describe("at start", function()
        it("are none where there is no file yet; the first change makes it", function()
            local worker = node:start_worker { state = STATE }
            assert.same({ true }, worker.result)
            assert.is_nil(node.disk[STATE])
            node.put(worker, "my-aws", "d")
            assert.truthy(node.disk[STATE]:find('"my-aws"', 1, true))
        end)

        it("are those of the declarative file", function()
            node.disk[FILE] = KONG:format("my-aws", "60")
            local worker = node:load { file = FILE }
            assert.same({ true }, worker.result)
            assert.equal(60, worker.vaults.find({ name = "my-aws" }).config.ttl)
        end)

        local BROKEN = {
            { "nonsense", "expected a mapping" }, { "{", "not JSON" },
            { KONG:format("my-aws", "canary"), "line 6: vaults[1].config.ttl: expected a number" },
            { KONG:format("aws", 1), "line 4: vaults[1].prefix: must not be one of: aws, env" },
            { KONG:format("aws", "[]"), " (and 1 more)" },
            { { word = "access_denied" }, ": planted" },
        }
        for i, row in ipairs(BROKEN) do
            for option, path in pairs { state = STATE, file = FILE } do
                it(("are an error where the %s is broken: %d"):format(option, i), function()
                    node.disk[path] = row[1]
                    local worker = node:start_worker { [option] = path }
                    refused(worker, row[2])
                    assert.truthy(worker.result[2]:find(path, 1, true))
                    node:beat()
                    assert.same(row[1], node.disk[path])
                    local _, failure = node.put(worker, "new-one", "d")
                    assert.equal(500, failure.status)
                    refused(node:load { [option] = path }, row[2])
                end)
            end
        end

        it("are an error where the declarative file is not there", function()
            refused(node:load { file = FILE }, "No such file")
        end)

        it("have the ids and times of the file, on all workers", function()
            node.disk[STATE] = '{"_format_version": "3.0", "_stored": true, "vaults": ['
                .. '{"name": "aws", "prefix": "john_1", "config": {}}]}'
            local one = node:start_worker { state = STATE }
            node.clock = node.clock + 50
            local two = node:start_worker { state = STATE }
            assert.equal(1700000000, one.vaults.list()[1].created_at)
            assert.same(one.vaults.list(), two.vaults.list())
        end)

        it("are not more than can be kept", function()
            local large = {}
            for i = 1, 1000 do
                large[i] = ('{"name": "aws", "prefix": "v%d", "description": "%s"}'):format(i,
                    ("x"):rep(980))
            end
            node.disk[STATE] = '{"_format_version": "3.0", "vaults": [' .. table.concat(large, ",")
                .. "]}"
            refused(node:load { state = STATE }, "over 1 MB")
            local text = node.disk[STATE]
            node.disk[STATE] = nil
            node:start_worker { state = STATE }
            node.disk[STATE] = text
            local worker = node:start_worker { state = STATE }
            assert.same({}, worker.vaults.list())
            assert.matches("over 1 MB; the vaults of before stay", node.warned[#node.warned])
        end)

        it("are there where the dict is full, but stay as they are", function()
            local before = node:start_worker { state = STATE }
            node.put(before, "my-aws", "d")
            node:restart()
            node.dict.full = true
            local worker = node:start_worker { state = STATE }
            assert.same({ true }, worker.result)
            assert.equal("my-aws=d", node.shown(worker))
            assert.matches("no room for the vaults", node.warned[1])
            node:beat()
            local _, failure = node.put(worker, "new-one", "d")
            assert.equal(500, failure.status)
            node.dict.full = false
            node.clock = node.clock + 2
            assert.equal("done", node.put(worker, "new-one", "d"))
            assert.equal("my-aws=d new-one=d", node.shown(worker))
        end)
    end)

    describe("at a reload", function()
        it("are what they were, with other declared ones", function()
            node.disk[FILE] = KONG:format("one-one", 1)
            local old = node:start_worker { state = STATE, file = FILE }
            node.put(old, "my-aws", "d")
            node.disk[FILE] = KONG:format("two-two", 2)
            node:load { state = STATE, file = FILE }
            local new = node:start_worker { state = STATE, file = FILE }
            assert.equal("my-aws=d one-one=nil", node.shown(old))
            assert.equal("my-aws=d two-two=nil", node.shown(new))
            node.put(old, "your-aws", "d")
            node:beat()
            assert.equal("my-aws=d two-two=nil your-aws=d", node.shown(new))
            assert.same({}, node.warned)
        end)

        for _, broken in ipairs { "nonsense", { word = "access_denied" },
                                  { word = "not_found" } } do
            it("stay where a file is broken: " .. (broken.word or broken), function()
                node.disk[FILE] = KONG:format("one-one", 1)
                local old = node:start_worker { state = STATE, file = FILE }
                node.put(old, "my-aws", "d")
                node.disk[FILE], node.disk[STATE] = broken, broken
                local master = node:load { state = STATE, file = FILE }
                assert.same({ true }, master.result)
                assert.equal(2, #node.warned)
                for i, path in ipairs { FILE, STATE } do
                    assert.truthy(node.warned[i]:find(path, 1, true))
                    assert.matches("; the vaults of before stay in use$", node.warned[i])
                end
                assert.equal("my-aws=d one-one=nil", node.shown(master))
                assert.equal(1, master.vaults.find({ name = "one-one" }).config.ttl)
                node.disk[STATE] = nil
                node.put(old, "my-aws", "e")
                assert.equal("my-aws=e one-one=nil", node.shown(
                    node:start_worker { state = STATE, file = FILE }))
            end)
        end

        it("are those of the file where somebody put another in its place", function()
            local old = node:start_worker { state = STATE }
            node.put(old, "my-aws", "d")
            local text = node.disk[STATE]
            node.put(old, "your-aws", "d")
            node.disk[STATE] = text
            old.changed = {}
            local master = node:load { state = STATE }
            assert.equal("my-aws=d", node.shown(master))
            node:beat()
            assert.equal("my-aws=d", node.shown(old))
            assert.same({ "your-aws" }, old.changed)
            local _, message = old.vaults.find { name = "your-aws" }
            assert.matches("was removed", message)
        end)

        it("are not looked at in the file while a worker changes them", function()
            local old = node:start_worker { state = STATE }
            node.put(old, "my-aws", "d")
            node.disk[STATE] = "half"
            local token = old.locks:take("vaults", 60)
            local master = node:load { state = STATE }
            assert.same({ true }, master.result)
            assert.equal("my-aws=d", node.shown(master))
            assert.same({}, node.warned)
            old.locks:release("vaults", token)
        end)

        it("end what a killed worker left", function()
            for number = 1, 12 do
                node:stop()
                node = nodes.new()
                local old = node:start_worker { state = STATE }
                node.put(old, "my-aws", "d")
                old.steps, old.kill_at = 0, number
                pcall(node.put, old, "my-aws", "e")
                local text = node.disk[STATE]
                local master = node:load { state = STATE }
                local shown = node.shown(master)
                assert.equal(text:match('"description":"(.)"'), shown:match("=(.)"))
                assert.is_nil(node.dict:get("vaults:next"))
            end
        end)
    end)

    it("that are declared stand in front of those made while it ran, which come back", function()
        local old = node:start_worker { state = STATE }
        node.put(old, "my-aws", "stored")
        node.put(old, "your-aws", "d")
        local declared = { { prefix = "my-aws", name = "env" } }
        local new = node:start_worker { state = STATE, entities = declared }
        assert.matches('the vault "my%-aws" was made while', node.warned[1])
        assert.equal("my-aws=nil your-aws=d", node.shown(new))
        assert.equal("env", new.vaults.find({ name = "my-aws" }).name)
        node.put(new, "your-aws", "e")
        assert.equal("my-aws=stored your-aws=e", node.shown(node:start_worker { state = STATE }))
    end)

    describe("when the dict is emptied", function()
        for _, path in ipairs { STATE, false } do
            it("stay, as does what was declared, " .. (path or "without a file"), function()
                node.disk[FILE] = KONG:format("one-one", 1)
                local one = node:start_worker { state = path, file = FILE }
                local two = node:start_worker { state = path, file = FILE }
                node.put(one, "my-aws", "d")
                one.vaults.keep_while(function() node.dict:flush_all() end)
                node:beat()
                assert.equal("done", node.put(two, "your-aws", "d"))
                node:beat()
                assert.equal("my-aws=d one-one=nil your-aws=d", node.shown(one))
                node.disk[FILE] = "nonsense"
                assert.equal("my-aws=d one-one=nil your-aws=d", node.shown(
                    node:start_worker { state = path, file = FILE }))
            end)

            it("by somebody else, stay, " .. (path or "without a file"), function()
                local one, two = node:start_worker { state = path },
                    node:start_worker { state = path }
                node.put(one, "my-aws", "d")
                node:beat()
                node.dict:flush_all()
                node:beat()
                assert.equal("done", node.put(two, "your-aws", "d"))
                node:beat()
                two.changed = {}
                assert.equal("my-aws=d your-aws=d", node.shown(one))
                node.dict:flush_all()
                assert.equal("done", node.put(two, "your-aws", "e"))
                node:beat()
                assert.equal("my-aws=d your-aws=e", node.shown(one))
                assert.equal(0, #two.changed)
            end)
        end
    end)

    it("stay as they are where the dict holds what nobody can read", function()
        local worker = node:start_worker()
        node.put(worker, "my-aws", "d")
        local number = node.dict:get("vaults")
        node.dict:set(("vaults:%.0f"):format(number + 1), "\nnonsense")
        node.dict:set("vaults", number + 1)
        node:beat()
        assert.equal("my-aws=d", node.shown(worker))
        assert.matches("the vaults in the shared dict cannot be read: ", node.warned[2])
        assert.equal(2, #node.warned)
    end)
end)
