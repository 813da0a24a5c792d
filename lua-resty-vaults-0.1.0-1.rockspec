package = "lua-resty-vaults"
version = "0.1.0-1"
source = {
    url = "git+https://github.com/lua-resty-vaults/lua-resty-vaults.git",
    tag = "v0.1.0",
}
description = {
    summary = "Secrets for OpenResty-style gateways: a reference in nginx becomes a fresh value",
    license = "Apache-2.0",
}
-- lua-cjson is needed too, but OpenResty and Debian bring it without luarocks knowing: listed here,
-- luarocks would fetch and build another one. YAML files alone need lyaml (Debian: lua-yaml).
dependencies = { "lua == 5.1" }
-- The Makefile asks pkg-config for LuaJIT's headers, and for libcurl's, OpenSSL's and expat's:
-- luarocks's own LUA_INCDIR may be another Lua's, and does not know the folders of Debian's
-- architectures.
build = {
    type = "make",
    build_pass = true,
    build_target = "all",
    install_target = "install",
    install_variables = {
        PREFIX = "$(PREFIX)",
        LUA_LIBDIR = "$(LIBDIR)",
        LUA_MODULEDIR = "$(LUADIR)",
        BINDIR = "$(BINDIR)",
    },
}
