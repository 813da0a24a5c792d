-- late_spec - what is said of failures where the library came too late for the environment.

local engine = require "spec.support.engine"

describe("a library first loaded in a worker", function()
    local EXPLAINED = { no_credentials = true, no_region = true, bad_profile = true,
                        not_found = false, timeout = false, credentials_refused = false }
    local rig

    before_each(function()
        rig = engine.new()
    end)
    after_each(function()
        rig:stop()
    end)

    -- What is said of `word` by one first loaded in `loaded_in`.
    local function said(loaded_in, captured_here, word, phase)
        rig.core.captured_here = captured_here
        rig:load(loaded_in)
        rig.core.outcome = { nil, "planted", word }
        local one = rig:ask("a", phase)
        if not one.done then
            rig.core.finish(#rig.core.submitted, nil, "planted", word)
            rig.world:pass(0.02)
        end
        assert.equal(word, one.results[3])
        return one.results[2]
    end

    for word, explained in pairs(EXPLAINED) do
        it((explained and "says so for " or "does not say so for ") .. word, function()
            for _, phase in ipairs { "content", "init_worker" } do
                local message = said("init_worker", true, word, phase)
                assert.equal(explained, message:find("init_by_lua", 1, true) ~= nil)
                assert.equal("planted", message:sub(1, 7))
            end
        end)
    end

    it("says so of a batch", function()
        rig.core.captured_here = true
        rig.core.outcome = { nil, "planted", "no_region" }
        local _, message = rig:load("content").run_batch { batch = { "a" } }
        assert.matches("^planted %(.*init_by_lua", message)
    end)

    it("says so in a host's words where it has its own", function()
        rig.core.captured_here = true
        rig:load("content").configure { load_by = "`a line` in the host's file" }
        local one = rig:ask("a")
        rig.core.finish(#rig.core.submitted, nil, "planted", "no_credentials")
        rig.world:pass(0.02)
        assert.matches("^planted %(.*: `a line` in the host's file%)$", one.results[2])
    end)

    it("is none where it came in init, or where another has captured it before", function()
        assert.equal("planted", said("init", true, "no_credentials"))
        assert.equal("planted", said("init", true, "no_credentials", "init"))
        assert.equal("planted", said("content", false, "no_credentials"))
    end)
end)
