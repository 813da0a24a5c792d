-- node - a gateway that is measured: nginx with the library in it, set up as a user would.
--
-- For:   programs of bench/ that measure inside a worker.
-- Never: figures; what is measured.

local gateway = require "spec.support.gateway"
local system = require "spec.support.system"

local _M = {}

-- Start one, have `measure`(one) measure, end it. Raises what measure raises, and shows the log.
--
-- server   { url, ca }: whom it asks; nil: the one of bench/support/upstream.lua
-- options  gateway's; secrets: size of vault_secrets; dicts: further ones; env: further variables
function _M.run(server, options, measure)
    local env = {
        AWS_ACCESS_KEY_ID = "AKIDEXAMPLE", AWS_SECRET_ACCESS_KEY = "EXAMPLEKEY",
        AWS_REGION = "us-east-1",
        AWS_ENDPOINT_URL_SECRETS_MANAGER = server and server.url
            or assert(os.getenv("VAULT_BENCH_URL"), "VAULT_BENCH_URL names no server"),
        AWS_CA_BUNDLE = server and server.ca
            or assert(os.getenv("VAULT_BENCH_CA"), "VAULT_BENCH_CA names no file"),
    }
    for name, value in pairs(options.env or {}) do
        env[name] = value
    end
    local one = gateway.start {
        dict = false, http = ("lua_shared_dict vault_secrets %s; %s"):format(options.secrets,
            options.dicts or ""),
        before_init = ('package.path = "%s/?.lua;" .. package.path %s'):format(system.root(),
            options.before_init or ""),
        init = options.init, after_init = options.after_init, server = options.server,
        log_level = "warn", timeout = options.timeout, env = env,
    }
    local ok, err = pcall(measure, one)
    if not ok then
        io.stderr:write(one:error_log():sub(1, 2000))
    end
    one:stop()
    assert(ok, err)
end

return _M
