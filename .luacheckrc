-- luacheckrc - LuaJIT inside nginx; busted in the specs.
std = "ngx_lua"
max_line_length = 100
max_cyclomatic_complexity = 12
exclude_files = { "build" }
files["spec"] = { std = "+busted" }
files["*.rockspec"] = { std = "rockspec", max_line_length = false }
files[".luacheckrc"] = { std = "luacheckrc" }
files[".busted"] = { std = "max" }
files["bench"] = { std = "ngx_lua" }
