-- helper - what a run of the specs needs before the first of them.
--
-- For:   .ci/busted.sh: programs that specs start must not inherit what was preloaded for Lua.
-- Never: anything a spec depends on: `busted FILE` does without it.

require("spec.support.system").setenv("LD_PRELOAD", nil)
