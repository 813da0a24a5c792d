-- vault - references to secrets become their values: the facade.
--
-- For:   require "vault": init, init_worker, environment, get, dereference, update, try, warmup,
--        refresh, flush, metrics, status, is_reference, parse_reference.
-- Never: logic; each function is a line or two on the rooms behind it.

local anew = require "vault.anew"
local attempt = require "vault.attempt"
local config = require "vault.config"
local core = require "vault.core"
local dereference = require "vault.dereference"
local entities = require "vault.entities"
local environment = require "vault.environment"
local fetch = require "vault.fetch"
local files = require "vault.files"
local held = require "vault.held"
local node = require "vault.node"
local reference = require "vault.reference"
local resolve = require "vault.resolve"
local settings = require "vault.settings"
local vaults = require "vault.vaults"

local _M = { _VERSION = core._VERSION }

local OPTIONS = { vaults = "table or string", state = "string", dict = "string",
                  trusted_certificate = "string", max_entries = "number", init_timeout = "number",
                  refresh_rate = "number" }

-- nginx sets it for the new binary, which has only the variables that `env` lines name.
local UPGRADED = "NGINX"

local function check_number(name, value)
    local is_rate = name == "refresh_rate"
    local good = value > 0 and value < math.huge
    if is_rate then
        good = value == 0 or good and value >= 1
    end
    if not good then
        error(("vault.init: %s must be %s"):format(name,
            is_rate and "0, or 1 and more" or "greater than 0"), 4)
    end
end

local function check_options(options)
    if type(options) ~= "table" then
        error("vault.init takes a table of options", 3)
    end
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error("vault.init has no option " .. tostring(name), 3)
        end
        if not OPTIONS[name]:find(type(value), 1, true) then
            error(("vault.init: %s must be a %s"):format(name, OPTIONS[name]), 3)
        end
        if value == "" then
            error(("vault.init: %s must not be empty"):format(name), 3)
        end
        if OPTIONS[name] == "number" then
            check_number(name, value)
        end
        if name == "vaults" and type(value) == "table" then
            entities.check(value)
        end
    end
end

-- Call in init_by_lua. `vault.init()` alone works; every option has a default.
--
-- vaults               list of entities { prefix, name = "aws" | "env", config }, or the path of a
--                      declarative file of them (Kong's or APISIX's, YAML or JSON)
-- state                path of the file that keeps the entities made through the Admin API; without
--                      one they are gone after a restart. Relative paths: to nginx's prefix
-- dict                 name of the lua_shared_dict ("vault_secrets")
-- trusted_certificate  file of CA certificates, or "system"; else AWS_CA_BUNDLE, SSL_CERT_FILE, the
--                      system's trust store
-- max_entries          secrets, and values, kept on each worker (10000)
-- init_timeout         seconds for all fetches of init together (10)
-- refresh_rate         calls of BatchGetSecretValue a second with which this node renews secrets
--                      (10); 0: as many as it takes
--
-- context: init_by_lua*, or the command line
-- true | nil, message, word (also logged): "unsupported", this nginx and libcurl cannot share a
-- process; "bad_config", a file of vaults cannot be read or is not right, which at a reload is a
-- warning only: what was good before stays. Raises for a malformed option.
function _M.init(options)
    options = options or {}
    check_options(options)
    local ca_file = config.trusted_certificate(options.trusted_certificate, environment.get)
    fetch.configure { ca_file = ca_file, init_timeout = options.init_timeout }
    if ngx and ngx.shared then
        node.configure { dict = options.dict, max_entries = options.max_entries,
                         rate = options.refresh_rate }
        ngx.log(ngx.INFO, core.about())
        if environment.get(UPGRADED) then
            ngx.log(ngx.WARN, "vault: this nginx began as an upgrade of another's binary, and has ",
                "of the environment only what env lines name: what else credentials, a region or ",
                "references came from is missing until a restart")
        end
    end
    local vault_settings = node.vault_settings(options)
    if ngx and ngx.shared then
        files.remember(ca_file, vault_settings.state)
        held.heat(resolve.get)
        held.heat(_M.get)
    end
    local ok, message, word = vaults.configure(vault_settings)
    if ok then
        ok, message, word = core.check()
    end
    if not ok and ngx then
        ngx.log(ngx.ERR, "vault: ", message)
    end
    return ok, message, word
end

-- Call in init_worker_by_lua: from then on this worker renews what it uses before it expires,
-- shares its fetches with the other workers and learns of theirs. A warning names each file of the
-- credential chain that the master could read and the worker cannot.
--
-- context: init_worker_by_lua*
function _M.init_worker()
    node.init_worker()
    files.check()
    fetch.init_worker(node.leave)
end

-- Settings with their references resolved, for what needs them before anything else runs.
--
-- wanted  a table: names of environment variables, as a list, and settings, name -> text, number or
--         boolean. A variable's or a setting's whole text may be a reference
--
-- context: init_by_lua*, where it blocks and fetches twenty secrets at a time; elsewhere as get
-- table, name -> value: a new one; a variable that is not set is absent
-- nil, message, word: of the first by name without a value. Raises for a malformed table.
function _M.environment(wanted)
    return settings.read(wanted)
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

-- Change the references that are fields of a configuration to their values, in place; they go to
-- "$refs" beside them, and update keeps the values up to date.
--
-- schema  nil: any string may be a reference (as APISIX has it); or a record in Kong's schema
--         language, { fields = { { name = { type = "string", referenceable = true } }, .. } }
--
-- context: init_by_lua*, where it blocks and fetches twenty secrets at a time; elsewhere as get
-- conf | nil, message, word: of the first reference without a value; then conf is as it was. A
-- field for which the schema says required = false is nil instead, with a warning.
function _M.dereference(conf, schema)
    return dereference.dereference(conf, schema)
end

-- Bring the values of a configuration up to date, in place. A table in `conf`, or conf itself, with
-- a field "$refs" = { field = reference } has references in these fields; the same for an array or
-- a map, with a table of references. Costs a comparison where nothing has changed.
--
-- context: any; where a value has to be fetched, as get
-- conf; also message, word of the first reference without a value: its field stays as it is
function _M.update(conf)
    return dereference.update(conf)
end

-- Call `callback(conf)` with conf's values up to date; where it fails, look whether AWS has other
-- values, and call it once more with them. See vault.attempt.
--
-- callback  function(conf) -> anything true, ... | nil, err
-- options   nil, or { stages = true }: then with the values of AWSPENDING, and of AWSPREVIOUS
--
-- context: phases that can wait
-- what the callback returned last
function _M.try(callback, conf, options)
    return attempt.try(callback, conf, options)
end

-- Have all that `conf` refers to, in "$refs" or as a field's own text, before it is needed.
--
-- context: init_by_lua*, where it blocks and fetches twenty secrets at a time; elsewhere as get
-- true | nil, message, word: of the first reference without a value; all others have theirs
function _M.warmup(conf)
    return dereference.warmup(conf)
end

-- Fetch the secret of a reference now, for all workers.
--
-- context: as get
-- string | nil, message, word; where it fails, get goes on with what it had
function _M.refresh(text)
    if type(text) ~= "string" then
        error("the reference must be a string", 2)
    end
    return anew.refresh(text)
end

-- Forget all secrets on this node. Each is fetched again when it is wanted; until then there is
-- nothing to fall back on. context: any
function _M.flush()
    node.flush()
end

-- Counters of the node and gauges of this worker, in Prometheus's text format. context: any
function _M.metrics()
    return node.metrics()
end

-- What is there, in numbers, and nothing secret: { version, worker = { pid, id }, vaults, secrets
-- (on this worker), dict = { capacity, free_space } (bytes), credentials = { { source, expires } }
-- }. context: any but init
function _M.status()
    return node.status()
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
