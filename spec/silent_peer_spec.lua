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

    local function submit()
        assert(core.port:submit({ secret_id = "n", endpoint_url = server.url, timeout = 10,
            region = "us-east-1", access_key_id = "A", secret_access_key = "B" }, {}))
    end
    -- The port of ours by which the server was asked.
    local function take()
        local _, result, message
        system.wait_for(function()
            _, result, message = core.port:take()
            return result or message
        end, 20)
        return assert(result, message).payload
    end
    local function fetch()
        submit()
        return take()
    end
    -- What is kept after so many fetches at a time.
    local function connections(fetches)
        local ports, count = {}, 0
        for _ = 1, fetches do
            submit()
        end
        for _ = 1, fetches do
            local port = take()
            ports[port], count = true, count + (ports[port] and 0 or 1)
        end
        return ports, count
    end

    local ports, count
    system.wait_for(function()
        ports, count = connections(16)
        return count > 3 -- as many as a fetch has attempts
    end, 20)
    assert(ports[fetch()], "the connections are not kept")
    for port in pairs(ports) do
        ip("rule add prio 10 ipproto tcp dport " .. port .. " blackhole")
    end
    io.write(ports[fetch()] and "on one that is dead" or "on another connection")
    server:stop()
]]

if system.run("unshare -n ip rule add prio 10 ipproto tcp dport 1 blackhole") == 0 then
    describe("kept connections whose other end is silent", function()
        it("cost a fetch a part of its time, and not the value", function()
            local ended = child.run { "unshare", "-n", "luajit", "-e", PROGRAM, timeout = 40 }
            assert.equal("on another connection", ended.out, ended.err)
        end)
    end)
end
