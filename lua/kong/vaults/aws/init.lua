-- aws - Kong's vault strategy for AWS Secrets Manager. Part of lua-resty-vaults.
--
-- For:   what Kong's vaults ask of a strategy (name, VERSION, init, get) over vault.guest; Kong's
--        certificates, timers and spellings.
-- Never: caching, cutting out a key (both are Kong's), how a secret is fetched.

local core = require "vault.core"
local guest = require "vault.guest"

local _M = { name = "aws", VERSION = core._VERSION }

-- A field of Kong's configuration, where there is one: its command line has none.
local function setting(name)
    local kong = _G.kong
    local configuration = type(kong) == "table" and kong.configuration
    return type(configuration) == "table" and configuration[name] or nil
end

-- Kong writes all of lua_ssl_trusted_certificate into one file, "system" among them.
local function trusted_certificate()
    local combined, list = setting("lua_ssl_trusted_certificate_combined"),
        setting("lua_ssl_trusted_certificate")
    if type(combined) == "string" and core.readable(combined) then
        return combined
    end
    return type(list) == "table" and #list == 1 and list[1] or nil
end

-- Called by Kong once it has loaded this, with its own conf or with nothing.
--
-- context: init_by_lua*, or Kong's command line
function _M.init()
    guest.begin {
        trusted_certificate = trusted_certificate,
        timer_at = _G.native_timer_at, -- nginx's own: Kong's ngx.timer.at is for short jobs
    }
end

local allow_text, allow_list

-- vault_aws_allow of kong.conf, as a list. It holds for all vaults of this kind.
local function allow()
    local text = setting("vault_aws_allow")
    if type(text) ~= "string" then
        return nil
    elseif text ~= allow_text then
        allow_text, allow_list = text, {}
        for glob in text:gmatch("[^,%s]+") do
            allow_list[#allow_list + 1] = glob
        end
    end
    return allow_list
end

-- A reference's options go over all fields, and whoever writes it must not widen what is allowed.
-- Kong's documents have another spelling of base64_decode, which Kong hands to no strategy.
local function entity_of(conf)
    local entity = guest.entity(conf)
    entity.allow = allow()
    if entity.base64_decode == nil then
        entity.base64_decode = setting("vault_aws_decode_base64")
    end
    return entity
end

-- Called by Kong where none of its caches has the secret.
--
-- conf      an entity's config, or the settings vault_aws_*, with a reference's options over it
-- resource  the secret's name or complete ARN
-- version   nil, 1 (AWSCURRENT) or 2 (AWSPREVIOUS)
--
-- context: any. Blocks in init and init_worker; in log and other phases that cannot wait the fetch
-- is only started
-- the whole secret's text | nil, message: and nothing more, Kong takes a third result for a ttl
function _M.get(conf, resource, version)
    _M.init()
    local text, message = guest.text({ resource = resource, version = version },
        entity_of(conf or {}))
    if not text then
        return nil, message
    end
    return text
end

return _M
