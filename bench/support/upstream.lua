-- upstream - runs a command beside a server that answers as AWS would, and at once.
--
-- For:   `luajit bench/support/upstream.lua COMMAND...`: an nginx on loopback with TLS that gives
--        every POST the same GetSecretValue answer. The command finds it in VAULT_BENCH_URL, its CA
--        in VAULT_BENCH_CA, its worker's process id in VAULT_BENCH_SERVER; its exit code is this
--        program's.
-- Never: signatures checked, secrets kept: the server must not be what is measured.

local nginx = require "spec.support.nginx"
local system = require "spec.support.system"
local tls = require "spec.support.tls"

local ANSWER = [[{"ARN":"arn:aws:secretsmanager:us-east-1:111122223333:secret:bench-a1b2c3",]]
    .. [["CreatedDate":1700000000.123,"Name":"bench","SecretString":]]
    .. [["{\\"username\\":\\"bench\\",\\"password\\":\\"correct horse battery staple\\"}",]]
    .. [["VersionId":"01234567-89ab-cdef-0123-456789abcdef","VersionStages":["AWSCURRENT"]}]]

local SERVER = [[
    keepalive_requests 1000000000;
    keepalive_time 1d;
    keepalive_timeout 1d;
    server {
        listen 127.0.0.1:%d ssl backlog=1024;
        ssl_certificate %s;
        ssl_certificate_key %s;
        ssl_protocols TLSv1.2 TLSv1.3;
        default_type application/x-amz-json-1.1;
        location / { return 200 '%s'; }
    }
]]

-- What os.execute returns differs between builds of LuaJIT.
local function exit_code(first, _, third)
    if type(first) == "number" then
        return first % 256 == 0 and first / 256 or 1
    end
    return third or 1
end

local function run(words)
    local certificates = tls.make()
    local port = system.free_port()
    local started, server = pcall(nginx.start, {
        http = SERVER:format(port, certificates.cert, certificates.key, ANSWER),
        log_level = "error",
    })
    local code = 1
    if started then
        system.setenv("VAULT_BENCH_URL", "https://127.0.0.1:" .. port)
        system.setenv("VAULT_BENCH_CA", certificates.ca)
        system.setenv("VAULT_BENCH_SERVER", tostring(server:worker()))
        code = exit_code(os.execute(table.concat(words, " ")))
        server:stop()
    else
        io.stderr:write("upstream: ", tostring(server), "\n")
    end
    certificates:remove()
    return code
end

local words = {}
for i, word in ipairs(arg) do
    words[i] = system.quote(word)
end
os.exit(run(words))
