package = "lua-resty-vaults-apisix"
version = "0.1.0-1"
source = {
    url = "git+https://github.com/lua-resty-vaults/lua-resty-vaults.git",
    tag = "v0.1.0",
}
description = {
    summary = "AWS Secrets Manager for Apache APISIX's own secrets: $secret://awssm/id/name/key",
    license = "Apache-2.0",
}
dependencies = { "lua == 5.1", "lua-resty-vaults == 0.1.0" }
-- The target refuses to go over a file that this rock did not bring.
build = {
    type = "make",
    build_pass = false,
    install_target = "install-apisix",
    install_variables = { LUA_MODULEDIR = "$(LUADIR)" },
}
