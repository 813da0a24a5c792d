package = "lua-resty-vaults-kong"
version = "0.1.0-1"
source = {
    url = "git+https://github.com/lua-resty-vaults/lua-resty-vaults.git",
    tag = "v0.1.0",
}
description = {
    summary = "AWS Secrets Manager for Kong's own vaults: {vault://aws/name/key}",
    license = "Apache-2.0",
}
dependencies = { "lua == 5.1", "lua-resty-vaults == 0.1.0" }
-- The target refuses to go over a file that this rock did not bring.
build = {
    type = "make",
    build_pass = false,
    install_target = "install-kong",
    install_variables = { LUA_MODULEDIR = "$(LUADIR)" },
}
