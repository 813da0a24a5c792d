-- vaults_property_spec - clients change vaults through the Admin API of a real nginx whose workers
-- are killed meanwhile: what is read back is what was acknowledged.
--
-- /known has a port of its own with reuseport: the kernel spreads its connections over the workers.
--
-- VAULT_TEST_SEQUENCES, VAULT_TEST_SEED: how many (1000), and which.

local cjson = require "cjson"
local declarative = require "vault.declarative"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local system = require "spec.support.system"

local SEQUENCES = os.getenv("VAULT_TEST_SEQUENCES") or "1000"
local SEED = os.getenv("VAULT_TEST_SEED") or tostring(os.time() % 100000)
local CLIENTS, WORKERS = 4, 2

local HTTP = [[
    lua_shared_dict vault_secrets 1m;
    lua_shared_dict vault_locks 1m;
    init_by_lua_block { require("vault").init { state = "state/vaults.json" } }
    init_worker_by_lua_block { require("vault").init_worker() }
    server {
        listen 127.0.0.1:${spread} reuseport;
        location = /known {
            content_by_lua_block {
                ngx.print(require("cjson").encode { worker = ngx.worker.pid(),
                                                    vaults = require("vault.vaults").list() })
            }
        }
    }
]]
local SERVER = "location / { content_by_lua_block { require('vault.admin').serve() } }"

-- prefix -> "description region ttl neg_ttl tags" of entities, however they came.
local function told(entities)
    local found = {}
    for prefix, entity in pairs(entities) do
        local config = entity.config
        found[entity.prefix or prefix] = table.concat({ entity.description, config.region,
            tostring(config.ttl), tostring(config.neg_ttl),
            type(entity.tags) == "table" and table.concat(entity.tags, ",") or "" }, " ")
    end
    return found
end

describe("vaults under clients, with workers that are killed", function()
    local server, spread

    local function start()
        local port = system.free_port()
        spread = "http://127.0.0.1:" .. port
        server = nginx.start { workers = WORKERS, http = HTTP:gsub("%${spread}", port),
                               server = SERVER, timeout = 20, log_level = "warn",
                               preload = os.getenv("VAULT_TEST_WORKER_PRELOAD") }
    end

    after_each(function()
        if server then
            server:stop()
        end
    end)

    -- What each of the workers holds, one after the other.
    local function assert_all_workers_have(wanted)
        local seen, count = {}, 0
        assert.truthy(system.wait_for(function()
            local answer = http.get(spread .. "/known")
            assert.equal(200, answer.status, ("curl said %s after %s s; the log ends: %s"):format(
                answer.code, answer.time, server:error_log():sub(-2000)))
            local known = cjson.decode(answer.body)
            assert.same(wanted, told(known.vaults))
            if not seen[known.worker] then
                seen[known.worker], count = true, count + 1
            end
            return count == WORKERS
        end, 20))
    end

    it("are what was acknowledged: 1,000 sequences of 4 clients on 2 workers", function()
        start()
        local clients = process.start { "python3", "spec/support/crud.py", server.url,
            tostring(server.process.pid), tostring(CLIENTS), SEQUENCES, "0.2", SEED }
        assert.equal(0, clients:wait(300), clients:errors())
        local outcome = cjson.decode(clients:output())
        clients:stop()
        assert.same({}, outcome.wrong, "seed " .. SEED)
        assert.is_true(outcome.kills > 5 and outcome.again > 0)
        local wanted = told(outcome.vaults)
        system.sleep(0.5)
        assert_all_workers_have(wanted)
        local folder = server.prefix .. "/state"
        assert.same(wanted, told(declarative.load(system.read(folder .. "/vaults.json"))))
        assert.equal("700\n600\n", system.must(("stat -c %%a %s %s/vaults.json"):format(folder,
            folder)))
        assert.truthy(next(wanted))
        for line in server:error_log():gmatch("[^\n]+") do
            -- nginx itself gives back the lock of a dict that a killed worker was in.
            assert.truthy(line:find("exited on signal 9", 1, true)
                or line:find("shared memory zone .* was locked by") or line:find("SIGCHLD", 1, true)
                or line:find("%[warn%]") or line:find("%[notice%]"), line)
        end
    end)
end)
