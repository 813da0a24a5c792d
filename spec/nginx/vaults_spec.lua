-- vaults_spec - vaults that change while a real nginx with two workers serves their values; workers
-- that are killed, files that are broken at start and at a reload.

local aws = require "spec.support.aws"
local cjson = require "cjson"
local crowd = require "spec.support.crowd"
local gateway = require "spec.support.gateway"
local http = require "spec.support.http"
local system = require "spec.support.system"

local RATE, SECONDS = 200, 4 -- of requests while a vault changes
local LATEST = 1 -- seconds after a change in which every worker goes by it

-- reuseport: the kernel spreads the connections over the workers.
local HTTP = [[
    lua_shared_dict vault_locks 1m;
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /value {
            content_by_lua_block {
                local value, message, word = require("vault").get(
                    ngx.var.arg_of and ngx.unescape_uri(ngx.var.arg_of)
                        or "{vault://my-aws/db/name}")
                ngx.update_time()
                local conf, why = require("vault").update(plugin_conf)
                ngx.print(require("cjson").encode {
                    worker = ngx.worker.id(), at = ngx.now(), value = value, message = message,
                    word = word, conf = conf.password, why = why })
            }
        }
        location = /change {
            content_by_lua_block {
                ngx.req.read_body()
                local change = loadstring("local entities = ... " .. ngx.req.get_body_data()
                    .. " return entities, 'done'")
                local result, failure = require("vault.vaults").change(change)
                ngx.update_time()
                ngx.print(require("cjson").encode { result = result, failure = failure,
                                                    at = ngx.now() })
            }
        }
    }
]]
local WORKER = [[
    plugin_conf = { ["$refs"] = { password = "{vault://my-aws/db/name}" } }
    require("vault").update(plugin_conf)
]]
local PUT = [[entities[1] = { prefix = "my-aws", name = "aws",
                              config = { endpoint_url = "%s", ttl = 60 } }]]
local DECLARED = '_format_version: "3.0"\nvaults:\n- {name: aws, prefix: %s}\n'

describe("vaults of two workers", function()
    local old, new, one, folder, spread

    before_each(function()
        folder = system.folder()
        old, new = aws.start { args = { "--only-put" } }, aws.start { args = { "--only-put" } }
        old:put("db", '{"name":"old"}')
        new:put("db", '{"name":"new"}')
    end)
    after_each(function()
        if one then
            one:stop()
            one = nil
        end
        old:stop()
        new:stop()
        system.remove(folder)
    end)

    local function start(options)
        local settings = { workers = 2, http = HTTP, init_worker = WORKER, env = old:env(),
                           timeout = 20 }
        for name, value in pairs(options) do
            settings[name] = value
        end
        spread = system.free_port()
        settings.http = settings.http:gsub("%${spread}", tostring(spread))
        one = gateway.start(settings)
        spread = "http://127.0.0.1:" .. spread
        return one
    end

    local function state_option()
        return ('state = "%s/state/vaults.json"'):format(folder)
    end

    local function change(code)
        local answer = http.post(spread .. "/change", code)
        assert(answer.status == 200, answer.body .. answer.errors)
        return cjson.decode(answer.body)
    end

    local function changed(code)
        local answer = change(code)
        assert.equal("done", answer.result)
        return answer.at
    end

    -- What each worker has: { value, message, word, conf } by its number.
    local function all_have(reference)
        local seen = {}
        local url = spread .. "/value" .. (reference and "?" .. http.query { of = reference } or "")
        for _ = 1, 300 do
            local answer = http.get(url)
            local body = answer.status == 200 and cjson.decode(answer.body) or {}
            if body.worker then
                seen[body.worker + 1] = body
            end
            if seen[1] and seen[2] then
                return seen
            end
        end
        error("a worker never answers")
    end

    local function both(value)
        return system.wait_for(function()
            local seen = all_have()
            for _, body in ipairs(seen) do
                if body.value ~= value or body.conf ~= value then
                    return false
                end
            end
            return true
        end, LATEST)
    end

    -- Requests at a steady rate while the vault changes: the answers, and when it was changed.
    local function under_load(code)
        local asking = crowd.start(spread .. "/value", RATE * SECONDS, RATE)
        system.sleep(SECONDS / 3)
        local at = changed(code)
        local answers = {}
        for i, answer in ipairs(asking:finish(30)) do
            assert.equal(200, answer.status)
            answers[i] = cjson.decode(answer.body)
        end
        assert.equal(RATE * SECONDS, #answers)
        return answers, at
    end

    it("go by a new config within 1 s, with no moment without a value", function()
        start { init = state_option() }
        changed(PUT:format(old.url))
        assert.truthy(both("old"))
        local answers, at = under_load(PUT:format(new.url))
        local count = { old = 0, new = 0 }
        for _, answer in ipairs(answers) do
            assert.is_nil(answer.message)
            assert.is_nil(answer.why)
            count[answer.value] = count[answer.value] + 1
            assert.is_true(answer.at <= at + LATEST or answer.value == "new")
            assert.is_true(answer.at <= at + LATEST or answer.conf == "new")
            assert.is_true(answer.conf == "old" or answer.conf == "new")
        end
        assert.is_true(count.old > 0 and count.new > 0)
        assert.equal(1, old:stats().calls)
        assert.equal(1, new:stats().calls)
    end)

    it("serve the old values while the new config gets no answer, and do not wait long", function()
        start { init = state_option() }
        changed(PUT:format(old.url))
        assert.truthy(both("old"))
        new:freeze()
        local answers = under_load(PUT:format(new.url))
        new:thaw()
        for _, answer in ipairs(answers) do
            assert.equal("old", answer.value)
            assert.equal("old", answer.conf)
        end
        assert.truthy(system.wait_for(function() return both("new") end, 5))
    end)

    it("say which there never was, which is gone, and that there are none", function()
        start { init = state_option() }
        for _, body in ipairs(all_have()) do
            assert.equal("unknown_vault", body.word)
            assert.equal("no vault has the prefix my-aws: there are no vaults yet", body.message)
        end
        changed(PUT:format(old.url))
        assert.truthy(both("old"))
        changed('entities[1].prefix = "your-aws"')
        system.sleep(LATEST)
        for _, body in ipairs(all_have()) do
            assert.equal("unknown_vault", body.word)
            assert.equal("the vault with the prefix my-aws was removed", body.message)
        end
        for _, body in ipairs(all_have("{vault://other/x}")) do
            assert.equal("no vault has the prefix other", body.message)
        end
        for _, body in ipairs(all_have("{vault://your-aws/db/name}")) do
            assert.equal("old", body.value)
        end
    end)

    it("outlive their workers, and nginx", function()
        local server = start { init = state_option() }.nginx
        for i = 1, 5 do
            changed(PUT:format(i % 2 == 1 and old.url or new.url))
            system.must("kill -9 " .. table.concat(server:workers(), " "))
            assert.truthy(system.wait_for(function()
                local answer = http.get(spread .. "/value")
                return answer.status == 200 and cjson.decode(answer.body).value
                    == (i % 2 == 1 and "old" or "new")
            end, 5))
        end
        one:stop()
        start { init = state_option() }
        assert.truthy(both("old"))
        assert.equal("600\n", system.must("stat -c %a " .. folder .. "/state/vaults.json"))
        assert.equal("vaults.json\n", system.must("ls -A " .. folder .. "/state"))
    end)

    it("stay as they are over a reload with broken files", function()
        local file, state = folder .. "/kong.yaml", folder .. "/state/vaults.json"
        system.write(file, DECLARED:format("first-one"))
        start { init = ('vaults = "%s", %s'):format(file, state_option()) }
        changed(PUT:gsub("%[1%]", "[2]"):format(old.url))
        assert.truthy(both("old"))
        system.write(file, "nonsense")
        system.write(state, "nonsense")
        one.nginx:reload()
        assert.truthy(both("old"))
        for _, body in ipairs(all_have("{vault://first-one/db/name}")) do
            assert.equal("old", body.value)
        end
        for _, path in ipairs { file, state } do
            assert.truthy(one:error_log():find("%[warn%] .*vault: " .. path:gsub("%p", "%%%0")
                .. ": .*; the vaults of before stay in use"))
        end
        changed("entities[2].config.endpoint_url = '" .. new.url .. "'")
        system.write(file, DECLARED:format("second-one"))
        one.nginx:reload()
        assert.truthy(both("new"))
        assert.truthy(system.wait_for(function() -- the old workers are leaving
            local first, second = all_have("{vault://first-one/db/name}"),
                all_have("{vault://second-one/db/name}")
            return first[1].word == "unknown_vault" and first[2].word == "unknown_vault"
                and second[1].value == "old" and second[2].value == "old"
        end, 5))
    end)

    for _, row in ipairs { { 'vaults = "%s"', "nonsense" }, { 'state = "%s"', "nonsense" },
                           { 'vaults = "%s"' } } do
        it("are an error at start, which is logged: " .. row[1] .. (row[2] or ", gone"), function()
            local path = folder .. "/vaults.json"
            if row[2] then
                system.write(path, row[2])
            end
            start { before_init = "result = {", init = row[1]:format(path), after_init = "}",
                    server = [[ location = /result { content_by_lua_block {
                        ngx.print(require("cjson").encode(result)) } } ]] }
            local result = cjson.decode(one:show("/result"))
            assert.equal(cjson.null, result[1])
            assert.truthy(result[2]:find(path, 1, true))
            assert.equal("bad_config", result[3])
            assert.truthy(one:error_log():find("%[error%] .*vault: "
                .. result[2]:gsub("%p", "%%%0")))
            for _, body in ipairs(all_have()) do
                assert.equal("no vault has the prefix my-aws: the vaults could not be read at "
                    .. "start", body.message)
            end
            assert.equal(500, change(PUT).failure.status)
            assert.equal(row[2], system.read(path))
        end)
    end

    if system.is_root() then
        it("are changed by workers of another user, where the folder is theirs", function()
            system.must("chmod 755 " .. folder)
            start { init = state_option(), user = "nobody nogroup" }
            local failure = change(PUT:format(old.url)).failure
            assert.equal(500, failure.status)
            assert.equal(("cannot make the folder %s/state: Permission denied"):format(folder),
                failure.message)
            for _, body in ipairs(all_have()) do
                assert.equal("unknown_vault", body.word)
            end
            system.must(("install -d -m 700 -o nobody %s/state"):format(folder))
            changed(PUT:format(old.url))
            assert.truthy(both("old"))
            assert.equal("600 nobody\n", system.must("stat -c '%a %U' " .. folder
                .. "/state/vaults.json"))
            one.nginx:reload()
            assert.truthy(both("old"))
        end)
    end

    it("are in the dict alone without a file, and outlive a reload and a flush", function()
        start { init = "", server = [[ location = /flush { content_by_lua_block {
                    require("vault").flush() } } ]] }
        changed(PUT:format(old.url))
        assert.matches("no file keeps the vaults", one:error_log())
        one.nginx:reload()
        assert.truthy(both("old"))
        one:show("/flush")
        assert.truthy(both("old"))
        assert.is_true(old:stats().calls > 1)
    end)
end)
