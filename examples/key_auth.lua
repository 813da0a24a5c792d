-- key_auth - whose request this is, by the key in its header `apikey`; the keys are references.
--
-- For:   key-auth.conf: the consumers, written as APISIX's Admin API takes them, and the check.
-- Never: a key in a log or an answer; somebody let in by a reference that has no value.

local cjson = require "cjson"
local core = require "vault.core"
local vault = require "vault"

local _M = {}

-- More than a few hundred should be found by a digest of their keys, instead of one by one.
local consumers = {
    {
        username = "john",
        credentials = { {
            id = "cred-john-key-auth",
            plugins = { ["key-auth"] = {
                key = "$secret://aws/john/apisix-secrets/john-key-auth",
            } },
        } },
    },
    {
        username = "jane",
        credentials = { {
            id = "cred-jane-key-auth",
            plugins = { ["key-auth"] = { key = "$env://JANE_KEY_AUTH" } },
        } },
    },
}

-- Call use(conf, credential, consumer) for each credential of the plugin.
local function each(use)
    for _, consumer in ipairs(consumers) do
        for _, credential in ipairs(consumer.credentials) do
            use(credential.plugins["key-auth"], credential, consumer)
        end
    end
end

-- A reference goes to where vault.update looks for it, and `key` is nil until there is a value: the
-- text of a reference is nobody's key.
each(function(conf)
    if vault.is_reference(conf.key) then
        conf["$refs"], conf.key = { key = conf.key }, nil
    end
end)

-- The key of a credential now, or nil where there is none: one that cannot be had any more, and the
-- empty one, are none. Each reason is logged once.
local function key_of(conf, credential)
    local _, message, word = vault.update(conf)
    if word and word ~= credential.failed then
        ngx.log(ngx.WARN, "key-auth: ", credential.id, " has no key: ", message)
    end
    credential.failed = word
    return not word and conf.key ~= "" and conf.key or nil
end

-- All are looked at, whoever it is, and none in a time that depends on more than the key's length.
local function find(sent)
    local found, found_by
    each(function(conf, credential, consumer)
        local key = key_of(conf, credential)
        if key and core.equal(sent, key) then
            found, found_by = consumer, credential
        end
    end)
    return found, found_by
end

local function refuse(message)
    ngx.status = ngx.HTTP_UNAUTHORIZED
    ngx.header["Content-Type"] = "application/json"
    ngx.say(cjson.encode { message = message })
    return ngx.exit(ngx.HTTP_UNAUTHORIZED)
end

-- Let the request on, with its consumer's name and without the key, or answer 401.
-- context: rewrite, access
function _M.check()
    local sent = ngx.var.http_apikey
    if not sent then
        return refuse("Missing API key found in request")
    end
    local consumer, credential = find(sent)
    if not consumer then
        return refuse("Invalid API key in request")
    end
    ngx.req.clear_header("apikey")
    ngx.req.set_header("X-Consumer-Username", consumer.username)
    ngx.req.set_header("X-Credential-Identifier", credential.id)
end

-- Have the keys before the first request, twenty secrets in a call. Where AWS is away the gateway
-- starts all the same.
-- context: init, after vault.init
function _M.warm_up()
    local ok, message = vault.warmup(consumers)
    if not ok then
        ngx.log(ngx.WARN, "key-auth: ", message)
    end
end

return _M
