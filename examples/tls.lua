-- tls - the certificate and the key of a server, which are references.
--
-- For:   tls.conf: the newest pair that is good, parsed once in each worker and version.
-- Never: half of a pair, a key that is another certificate's; what is secret in a log.

local ffi = require "ffi"
local ssl = require "ngx.ssl"
local vault = require "vault"

local _M = {}

-- ngx.ssl does not tell whether a key belongs to a certificate; OpenSSL does, which nginx brings.
-- The names are our own, since other Lua modules may declare the same functions in their way.
ffi.cdef [[
void *tls_lua_element(const void *stack, int i) __asm__("OPENSSL_sk_value");
int tls_lua_belongs(const void *certificate, const void *key) __asm__("X509_check_private_key");
void tls_lua_forget_errors(void) __asm__("ERR_clear_error");
]]

local C = ffi.C
local all = {} -- both references -> { conf, certificate, key: as looked at last; pair, why }

local function belongs(key, chain)
    local yes = C.tls_lua_belongs(C.tls_lua_element(chain, 0), key) == 1
    C.tls_lua_forget_errors() -- or this connection would take them for its own
    return yes
end

-- { chain, key } | nil, what is wrong with it
local function parse(certificate, key)
    if key:find("ENCRYPTED", 1, true) then -- OpenSSL would ask the terminal for the passphrase
        return nil, "the key is encrypted"
    end
    local chain, err = ssl.parse_pem_cert(certificate)
    if not chain then
        return nil, "the certificate cannot be read: " .. err
    end
    local parsed
    parsed, err = ssl.parse_pem_priv_key(key)
    if not parsed then
        return nil, "the key cannot be read: " .. err
    end
    if not belongs(parsed, chain) then
        return nil, "the key is not the certificate's"
    end
    return { chain = chain, key = parsed }
end

-- Both texts change in one step, so a pair is never made of two versions. One that is not good is
-- logged once, and the pair before it stays.
local function bring_up_to_date(kept)
    local conf, message = vault.update(kept.conf)
    local certificate, key = conf.certificate, conf.key
    if not (certificate and key) then
        kept.why = message
        return
    end
    if certificate == kept.certificate and key == kept.key then
        return
    end
    kept.certificate, kept.key = certificate, key
    local pair, why = parse(certificate, key)
    kept.pair, kept.why = pair or kept.pair, why
    if not pair then
        ngx.log(ngx.ERR, "tls: a new version of the secret is not used: ", why)
    end
end

local function present(pair)
    local ok, err = ssl.clear_certs()
    if ok then
        ok, err = ssl.set_cert(pair.chain)
    end
    if ok then
        ok, err = ssl.set_priv_key(pair.key)
    end
    return ok, err
end

-- Answer the handshake with the pair that two references of one secret mean; fail it where there
-- never was a good one.
--
-- certificate, key  references to PEM texts
-- context: ssl_certificate
function _M.serve(certificate, key)
    local name = certificate .. " " .. key
    local kept = all[name]
    if not kept then
        kept = { conf = { ["$refs"] = { certificate = certificate, key = key } } }
        all[name] = kept
    end
    bring_up_to_date(kept)
    local ok, err = nil, kept.why
    if kept.pair then
        ok, err = present(kept.pair)
    end
    if not ok then
        ngx.log(ngx.ERR, "tls: no certificate for this connection: ", err)
        return ngx.exit(ngx.ERROR)
    end
end

return _M
