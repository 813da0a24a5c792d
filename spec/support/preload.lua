-- preload - libraries that are put before a program by LD_PRELOAD, built when they are needed.
--
-- For:   the C files beside this one that stand in for parts of the C library.
-- Never: what they do.

local system = require "spec.support.system"

local _M = {}

-- Build spec/support/NAME.c into `folder`; the library's path. flags: for the compiler.
function _M.build(folder, name, flags)
    local library = ("%s/%s.so"):format(folder, name)
    system.must(("%s -shared -fPIC -D_GNU_SOURCE %s -o %s spec/support/%s.c -ldl"):format(
        os.getenv("CC") or "cc", flags or "", system.quote(library), name))
    return library
end

return _M
