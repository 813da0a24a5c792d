-- child - Lua programs run to their end in a process of their own.
--
-- For:   what is one per process: the environment copy, the engine's thread, exit codes, streams.
-- Never: programs that go on running (process).

local process = require "spec.support.process"
local system = require "spec.support.system"

local _M = {}

-- Run { "program", "argument", ..., env = {}, timeout = 20 }: { code, out, err }. The environment
-- has what `env` says, and what finds the tree and the build, sanitizer and all.
function _M.run(options)
    local root = system.root()
    local words = { unpack(options) }
    words.clear_env = true
    words.env = {
        HOME = "/nonexistent", TMPDIR = os.getenv("TMPDIR"),
        LUA_PATH = ("%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;;"):format(root, root, root),
        LUA_CPATH = system.build() .. "/?.so;;",
        LD_PRELOAD = os.getenv("VAULT_PRELOAD"), ASAN_OPTIONS = os.getenv("ASAN_OPTIONS"),
        UBSAN_OPTIONS = os.getenv("UBSAN_OPTIONS"), LSAN_OPTIONS = os.getenv("LSAN_OPTIONS"),
        LLVM_PROFILE_FILE = os.getenv("LLVM_PROFILE_FILE"),
    }
    for name, value in pairs(options.env or {}) do
        words.env[name] = value
    end
    local child = process.start(words)
    child:wait(options.timeout or 20)
    local code = child:stop()
    return { code = code, out = child:output(), err = child:errors() }
end

-- Run a Lua text; `core` is vault.core in it. Where it fails, so does the spec.
function _M.lua(text, env)
    local ended = _M.run { "luajit", "-e", 'local core = require "vault.core" ' .. text, env = env }
    if ended.code ~= 0 then
        error(("exit %s: %s"):format(ended.code, ended.err), 2)
    end
    return ended.out
end

return _M
