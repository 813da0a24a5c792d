-- nginx - a real nginx with the Lua module, in a folder of its own.
--
-- For:   specs that need workers: configuration from snippets, start, reload, quit, logs, pids.
-- Never: what the gateway's Lua does (the spec's snippets), requests (http).
--
-- VAULT_TEST_NGINX names another nginx or openresty; VAULT_TEST_KEEP=1 keeps the folder.

local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}
local methods = {}
local metatable = { __index = methods }

local CONFIGURATION = [[
${modules}
${user}
worker_processes ${workers};
daemon off;
pid nginx.pid;
error_log error.log ${log_level};
${main}
events { worker_connections 1024; ${events} }
http {
    lua_package_path "${root}/lua/?.lua;${root}/lua/?/init.lua;;";
    lua_package_cpath "${build}/?.so;;";
    access_log off;
    client_body_temp_path tmp-body;
    proxy_temp_path tmp-proxy;
    fastcgi_temp_path tmp-fastcgi;
    uwsgi_temp_path tmp-uwsgi;
    scgi_temp_path tmp-scgi;
    ${http}
    server {
        listen 127.0.0.1:${port};
        ${server}
    }
}
]]

local function binary()
    local asked = os.getenv("VAULT_TEST_NGINX")
    if asked then
        return asked
    end
    local _, found = system.run("PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx")
    return (found:match("[^\n]+"))
end

-- Debian's modules are files of their own; OpenResty's are part of the program.
local function modules(nginx)
    local _, built = system.run(nginx .. " -V")
    local folder = built:match("%-%-modules%-path=(%S+)")
    local lines = {}
    for _, name in ipairs { "ndk_http_module", "ngx_http_lua_module" } do
        local path = folder and ("%s/%s.so"):format(folder, name)
        if path and system.read(path) then
            lines[#lines + 1] = ("load_module %s;"):format(path)
        end
    end
    return table.concat(lines, "\n")
end

local function fill(template, values)
    return (template:gsub("%${(%w+_?%w*)}", function(name)
        return tostring(values[name] or "")
    end))
end

local function write_configuration(self, options)
    if options.configure then
        self.file, self.globals = options.configure(self.prefix), "daemon off;"
        return
    end
    local user = options.user or (system.is_root() and "root")
    system.write(self.prefix .. "/nginx.conf", fill(CONFIGURATION, {
        modules = modules(self.binary), user = user and ("user %s;"):format(user),
        workers = self.workers_wanted, main = options.main, events = options.events,
        log_level = options.log_level or "info", root = options.tree or system.root(),
        build = options.tree and options.tree .. "/build" or system.build(),
        http = options.http, server = options.server, port = self.port,
    }))
end

local function environment(self, options)
    local env = { HOME = self.prefix, TMPDIR = self.tmp, LD_PRELOAD = options.preload,
                  ASAN_OPTIONS = os.getenv("ASAN_OPTIONS"),
                  LSAN_OPTIONS = os.getenv("LSAN_OPTIONS"),
                  LLVM_PROFILE_FILE = os.getenv("LLVM_PROFILE_FILE") }
    for name, value in pairs(options.env or {}) do
        env[name] = value
    end
    return env
end

-- The program and its arguments, with what is to run it in front (valgrind, say).
local function command(self, options)
    local words = { unpack(options.under or {}) }
    for _, word in ipairs { self.binary, "-p", self.prefix .. "/", "-c",
                            self.file, "-e", "error.log", "-g", self.globals } do
        words[#words + 1] = word
    end
    words.env, words.clear_env = environment(self, options), true
    return words
end

-- Start it and wait until it listens; raises with the log where it does not.
--
-- options  http      text inside http {}: dicts, init_by_lua_block, upstreams
--          server    text inside the server {}: locations
--          main      text outside: env lines, master_process off
--          events    text inside events {}
--          workers   how many (1); user  (root where the specs run as root)
--          env       the environment; it has no other variable but PATH, HOME and TMPDIR
--          tree      folder with lua/ and build/ (this one's)
--          preload   LD_PRELOAD; under = { "valgrind", ... } runs it under another program
--          log_level ("info"); timeout in seconds (10); port
--          may_fail  return where it ends at once, instead of raising
--          configure function(prefix) -> name: it writes the configuration itself, the main file
--                    of which has that name; with error.log, nginx.pid and a server on `port`
function _M.start(options)
    local self = setmetatable({
        prefix = system.folder(), port = options.port or system.free_port(), binary = binary(),
        workers_wanted = options.workers or 1, file = "nginx.conf", globals = "",
    }, metatable)
    self.tmp = self.prefix .. "/tmp"
    self.url = "http://127.0.0.1:" .. self.port
    system.must(("mkdir -m 1777 %s"):format(system.quote(self.tmp)))
    write_configuration(self, options)
    self.process = process.start(command(self, options))
    local ready = system.wait_for(function()
        return system.listens(self.port) or not self.process:alive()
    end, options.timeout or 10)
    if not (ready and self.process:alive()) and not options.may_fail then
        local said = self:error_log() .. self.process:errors()
        self:stop()
        error("nginx does not start: " .. said, 2)
    end
    return self
end

function methods:error_log()
    return self.log or system.read(self.prefix .. "/error.log") or ""
end

-- Process ids of the workers, those that are shutting down included, oldest first.
function methods:workers(pattern)
    local _, text = system.run(("pgrep -P %d -f '%s'"):format(self.process.pid,
        pattern or "^nginx: worker process"))
    local pids = {}
    for pid in text:gmatch("%d+") do
        pids[#pids + 1] = tonumber(pid)
    end
    return pids
end

-- The worker's process id, where there is one worker.
function methods:worker()
    local pids
    assert(system.wait_for(function() -- nginx listens a little before its worker has its name
        pids = self:workers()
        return #pids == 1
    end), "not one worker")
    return pids[1]
end

-- Whether the process with this id still is there (a zombie is not).
function _M.runs(pid)
    local stat = system.read(("/proc/%d/stat"):format(pid))
    return stat ~= nil and stat:match("%) (%a)") ~= "Z"
end

-- Read the configuration again; returns the old workers' pids once as many new ones run.
function methods:reload(timeout)
    local old = self:workers()
    local known = {}
    for _, pid in ipairs(old) do
        known[pid] = true
    end
    self.process:kill("HUP")
    local done = system.wait_for(function()
        local fresh = 0
        for _, pid in ipairs(self:workers("^nginx: worker process$")) do
            fresh = fresh + (known[pid] and 0 or 1)
        end
        return fresh >= self.workers_wanted
    end, timeout or 10)
    assert(done, "no new workers after a reload")
    return old
end

-- Leave gracefully; the exit code, or nil after `timeout` seconds (10).
function methods:quit(timeout)
    self.process:kill("QUIT")
    return self.process:wait(timeout or 10)
end

-- End it and remove its folder; the exit code. May be called again.
function methods:stop()
    local code = self.process and self.process:stop()
    if self.prefix then
        self.log = self:error_log()
        if not os.getenv("VAULT_TEST_KEEP") then
            system.remove(self.prefix)
        end
        self.prefix = nil
    end
    return code
end

return _M
