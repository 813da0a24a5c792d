-- handover_spec - what all who asked are given at the end of a fetch.

local handover = require "vault.handover"

describe("a fetch's end", function()
    it("is what on_done makes of it, told about what it was told to be", function()
        local told
        local function on_done(...)
            told = { ... }
            return "kept"
        end
        assert.same({ "kept" }, { handover.run(on_done, "about", "result") })
        assert.same({ "result", nil, nil, "about" }, told)
    end)

    it("is the failure, where nothing was kept", function()
        assert.same({ nil, "planted", "timeout" }, { handover.run(function(_, message, word)
            assert.same({ "planted", "timeout" }, { message, word })
        end, nil, nil, "planted", "timeout") })
    end)

    it("is what on_done refuses it with, in the place of what came", function()
        assert.same({ nil, "of another secret", "refused" }, { handover.run(function()
            return "kept", "of another secret", "refused"
        end, nil, "result") })
    end)

    it("is a fault of this library where on_done raises", function()
        local kept, message, word = handover.run(function() error("planted") end, nil, "result")
        assert.is_nil(kept)
        assert.matches("planted", message)
        assert.equal("internal", word)
    end)
end)
