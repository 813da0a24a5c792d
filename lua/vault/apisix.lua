-- apisix - what is set up inside Apache APISIX, by being loaded.
--
-- For:   `lua_module_hook: vault.apisix` in config.yaml, by which APISIX loads this in init, while
--        the environment is there; APISIX's certificates.
-- Never: the secret manager itself (apisix.secret.awssm, which loads this too).

local guest = require "vault.guest"

local _M = {}

-- What is loaded already, and no more: APISIX has an order of its own.
local function local_conf()
    local config_local = package.loaded["apisix.core.config_local"]
    local conf = type(config_local) == "table" and config_local.local_conf()
    return type(conf) == "table" and conf or nil
end

-- apisix.ssl.ssl_trusted_certificate: a path, in newer versions one file with all that was listed,
-- "system" among it. A path that is relative is so to nginx's configuration, as nginx has it.
local function trusted_certificate()
    local conf = local_conf()
    local ssl = conf and conf.apisix and conf.apisix.ssl
    local path = ssl and ssl.ssl_trusted_certificate
    if type(path) ~= "string" then
        return nil
    elseif path:find("^%s*system%s*$") or path:find("^%s*system%s*,") then
        return "system"
    end
    return path:sub(1, 1) == "/" and path or ngx.config.prefix() .. "conf/" .. path
end

guest.begin {
    trusted_certificate = trusted_certificate,
    load_by = "`lua_module_hook: vault.apisix` under `apisix:` in config.yaml loads it in time",
}

return _M
