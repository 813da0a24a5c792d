-- flush_spec - what a flush leaves alone: who changes the vaults at that moment (vault.node with
--              one dict, and with two).

local workers = require "spec.support.worker"

describe("a flush", function()
    local node, one

    local function start(names)
        node = workers.new()
        for _, name in ipairs(names) do
            node.world.ngx.shared[name] = node.world:dict()
        end
        one = node:start_worker()
    end
    after_each(function()
        node:stop()
    end)

    -- Flush, and give the lock of `dict` back when the secrets are just gone.
    local function flush_while(dict)
        local secrets = node.world.ngx.shared.vault_secrets
        local flush_all = secrets.flush_all
        function secrets.flush_all(self)
            flush_all(self)
            dict:delete("l:vaults")
        end
        one.vault.flush()
    end

    local TOKEN = "100 1 1.1"

    it("brings back no lock that was given back, where locks have a dict of their own", function()
        start { "vault_secrets", "vault_locks" }
        local locks = node.world.ngx.shared.vault_locks
        locks:safe_add("l:vaults", TOKEN, 600)
        one.vault.flush()
        assert.is_true(locks:ttl("l:vaults") > 500)
        flush_while(locks)
        assert.is_nil(locks:get("l:vaults"))
    end)

    it("keeps a lock that may have been given back for seconds, where they have not", function()
        start { "vault_secrets" }
        local dict = node.world.ngx.shared.vault_secrets
        dict:safe_add("l:vaults", TOKEN, 600)
        flush_while(dict)
        assert.equal(TOKEN, dict:get("l:vaults"))
        node.world:pass(5.1)
        assert.is_nil(dict:get("l:vaults"))
    end)
end)
