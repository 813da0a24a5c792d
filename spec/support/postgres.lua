-- postgres - a PostgreSQL of the spec's own, in a folder of its own.
--
-- For:   specs that connect to a real database: a role with a SCRAM password, which changes; the
--        server going away and coming back. On a Unix socket alone.
-- Never: the system's own cluster; root, as whom PostgreSQL refuses to run.

local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local OWNER, OWNER_PASSWORD = "owner", "owner's own"
local SETTINGS = {
    listen_addresses = "", fsync = "off", autovacuum = "off", shared_buffers = "4MB",
    max_connections = "40", password_encryption = "scram-sha-256",
}

-- Where Debian keeps the newest release's programs; elsewhere they are in the PATH.
local function program(name)
    local _, found = system.run(("ls /usr/lib/postgresql/*/bin/%s | sort -V | tail -n 1"):format(
        name))
    return found:match("^(/%S+)") or name
end

-- Root gives its rights away, and with them the signal by which a child ends with its parent.
local function as_nobody(folder, words)
    local whole = { "env", "-C", folder }
    if system.is_root() then
        whole = { "env", "-C", folder, "setpriv", "--reuid=nobody", "--regid=nogroup",
                  "--clear-groups", "--pdeathsig=INT", "--" }
    end
    for _, word in ipairs(words) do
        whole[#whole + 1] = word
    end
    return whole
end

local function run_as_nobody(folder, words)
    local quoted = {}
    for i, word in ipairs(as_nobody(folder, words)) do
        quoted[i] = system.quote(word)
    end
    system.must(table.concat(quoted, " "))
end

-- Make a cluster and start its server. remove() ends both.
function _M.start()
    local self = setmetatable({ folder = system.folder() }, metatable)
    system.write(self.folder .. "/password", OWNER_PASSWORD)
    if system.is_root() then
        system.must(("chown -R nobody:nogroup %s"):format(system.quote(self.folder)))
    end
    run_as_nobody(self.folder, {
        program("initdb"), "-D", self.folder .. "/data", "-U", OWNER, "--auth=scram-sha-256",
        "--pwfile=" .. self.folder .. "/password", "--no-sync", "--locale=C", "--encoding=UTF8" })
    self:begin()
    return self
end

-- Start the server where it does not run, and wait until it takes connections.
function methods:begin()
    if self.process and self.process:alive() then
        return
    end
    local words = { program("postgres"), "-D", self.folder .. "/data", "-k", self.folder }
    for name, value in pairs(SETTINGS) do
        words[#words + 1] = "-c"
        words[#words + 1] = name .. "=" .. value
    end
    self.process = process.start(as_nobody(self.folder, words))
    local ready = system.wait_for(function()
        return self.process:errors():find("ready to accept connections", 1, true)
            or not self.process:alive()
    end, 20)
    if not (ready and self.process:alive()) then
        error("PostgreSQL does not start: " .. self.process:errors(), 2)
    end
end

-- End the server; its data stays. begin() starts it again.
function methods:stop()
    self.process:kill("INT") -- SIGTERM would wait for clients to leave
    self.process:wait(5)
    return self.process:stop()
end

-- After stop(): a socket on which nobody listens, as a server that was killed leaves it. begin()
-- takes it away.
function methods:leave_socket()
    system.must(("python3 -c 'import socket, sys; "
        .. "socket.socket(socket.AF_UNIX).bind(sys.argv[1])' %s"):format(
        system.quote(self.folder .. "/.s.PGSQL.5432")))
end

-- Run SQL as the cluster's owner.
function methods:sql(text)
    return system.must(("PGPASSWORD=%s %s -X -q -A -t -v ON_ERROR_STOP=1 -h %s -U %s -d postgres "
        .. "-c %s"):format(system.quote(OWNER_PASSWORD), program("psql"),
        system.quote(self.folder), OWNER, system.quote(text)))
end

-- Give a role that may log in this password; the role is made where there is none.
function methods:set_password(role, password)
    self:sql(([[
        DO $$ BEGIN
            CREATE ROLE %s LOGIN;
        EXCEPTION WHEN duplicate_object THEN NULL;
        END $$;
        ALTER ROLE %s PASSWORD '%s';
    ]]):format(role, role, password))
end

-- How many log-ins it has refused since it was started last.
function methods:refused()
    local _, times = self.process:errors():gsub("FATAL:  password authentication failed", "")
    return times
end

-- End it and remove its folder.
function methods:remove()
    if self.process then
        self:stop()
    end
    system.remove(self.folder)
end

return _M
