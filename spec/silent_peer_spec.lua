-- silent_peer_spec - kept connections whose other end is gone without a word.
--
-- For:   a NAT or a firewall that forgot a connection, a host that lost its power: packets vanish,
--        and no reset comes. In a network namespace of its own, where that can be had.
-- Never: servers that confirm what they are sent and then do not answer (fault_matrix).

local child = require "spec.support.child"
local system = require "spec.support.system"

-- What the server sends to a port of ours vanishes from then on, as if it had sent nothing.
local PROGRAM = [[
    local core = require "vault.core"
    local nginx = require "spec.support.nginx"
    local system = require "spec.support.system"
    local function ip(words)
        system.must("LD_PRELOAD= ip " .. words) -- it is no program of ours to be watched
    end

    ip "link set lo up"
    ip "rule add prio 100 lookup local"
    ip "rule del prio 0"
    local server = nginx.start { server = "location / { return 200 '"
        .. '{"ARN":"a","Name":"n","VersionId":"v","SecretString":"$remote_port"}' .. "'; }" }

    local function fetch()
        assert(core.port:submit({ secret_id = "n", endpoint_url = server.url, timeout = 10,
            region = "us-east-1", access_key_id = "A", secret_access_key = "B" }, {}))
        local _, result, message
        system.wait_for(function()
            _, result, message = core.port:take()
            return result or message
        end, 20)
        return assert(result, message).payload
    end

    local port = fetch()
    assert(fetch() == port, "the connection is not kept")
    ip("rule add prio 10 ipproto tcp dport " .. port .. " blackhole")
    local other = fetch()
    io.write(other ~= port and fetch() == other and "on another connection")
    server:stop()
]]

if system.run("unshare -n ip rule add prio 10 ipproto tcp dport 1 blackhole") == 0 then
    describe("a kept connection whose other end is silent", function()
        it("costs a fetch a part of its time, and not the value", function()
            local ended = child.run { "unshare", "-n", "luajit", "-e", PROGRAM, timeout = 40 }
            assert.equal("on another connection", ended.out, ended.err)
        end)
    end)
end
