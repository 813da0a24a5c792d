-- vault - references to secrets become their values: the facade.
--
-- For:   require "vault": init, init_worker, get, is_reference, parse_reference.
-- Never: logic; each function is a line or two on the rooms behind it.

local cache = require "vault.cache"
local config = require "vault.config"
local core = require "vault.core"
local environment = require "vault.environment"
local fetch = require "vault.fetch"
local reference = require "vault.reference"
local resolve = require "vault.resolve"
local vaults = require "vault.vaults"

local _M = { _VERSION = core._VERSION }

local DICT = "vault_secrets"
local OPTIONS = { vaults = "table", dict = "string", trusted_certificate = "string",
                  max_entries = "number", init_timeout = "number" }

local function check_options(options)
    if type(options) ~= "table" then
        error("vault.init takes a table of options", 3)
    end
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error("vault.init has no option " .. tostring(name), 3)
        end
        if type(value) ~= OPTIONS[name] then
            error(("vault.init: %s must be a %s"):format(name, OPTIONS[name]), 3)
        end
        if OPTIONS[name] == "number" and not (value > 0 and value < math.huge) then
            error(("vault.init: %s must be greater than 0"):format(name), 3)
        end
    end
end

local function warn(message)
    ngx.log(ngx.WARN, "vault: ", message)
end

local function set_up_cache(options)
    local name = options.dict or DICT
    local dict = ngx.shared[name]
    if not dict then
        warn("no lua_shared_dict " .. name .. ": each worker caches for itself")
    end
    resolve.configure {
        now = ngx.now, dict = dict, max_entries = options.max_entries,
        cache = cache.new { dict = dict, now = ngx.now, warn = warn,
                            max_entries = options.max_entries },
    }
end

-- Call in init_by_lua. `vault.init()` alone works; every option has a default.
--
-- vaults               list of entities { prefix, name = "aws" | "env", config }
-- dict                 name of the lua_shared_dict ("vault_secrets")
-- trusted_certificate  file of CA certificates, or "system"; else AWS_CA_BUNDLE, SSL_CERT_FILE, the
--                      system's trust store
-- max_entries          values kept on each worker (10000)
-- init_timeout         seconds for all fetches of init together (10)
--
-- context: init_by_lua*, or the command line
-- true | nil, message, "unsupported": this nginx and libcurl cannot share a process (also logged).
-- Raises for a malformed option.
function _M.init(options)
    options = options or {}
    check_options(options)
    vaults.set(options.vaults or {})
    fetch.configure {
        ca_file = config.trusted_certificate(options.trusted_certificate, environment.get),
        init_timeout = options.init_timeout,
    }
    if ngx and ngx.shared then
        set_up_cache(options)
        ngx.log(ngx.INFO, core.about())
    end
    local ok, message, word = core.check()
    if not ok and ngx then
        ngx.log(ngx.ERR, "vault: ", message)
    end
    return ok, message, word
end

-- Call in init_worker_by_lua: fetches of this worker are collected the moment they finish, and what
-- the master read at start is looked up anew.
--
-- context: init_worker_by_lua*
function _M.init_worker()
    resolve.drop()
    fetch.init_worker()
end

-- The value of a reference in either grammar.
--
-- context: any. init, init_worker: blocks. server_rewrite, rewrite, access, content, preread,
-- timers, ssl_certificate, and on OpenResty's nginx ssl_client_hello and ssl_session_fetch: waits
-- without blocking the worker.
-- All others: answers from the cache, and on a miss starts the fetch and returns nil, message,
-- "pending", or what the fetch before it failed with where nobody waited for that.
--
-- string | nil, message, word: any word of README's table
function _M.get(text)
    if type(text) ~= "string" then
        error("the reference must be a string", 2)
    end
    return resolve.get(text)
end

-- Whether `text` has the outer shape of a reference. Never raises; context: any.
function _M.is_reference(text)
    return reference.is_reference(text)
end

-- A reference taken apart, as Kong's parse_reference: { name, resource, key, config, version }; for
-- APISIX's grammar also grammar = "apisix" and id. context: any.
-- parts | nil, message, word: "not_a_reference", "bad_reference"
function _M.parse_reference(text)
    return reference.parse(text)
end

return _M
