-- untold_spec - failures that are kept for whoever asks next.

local rooms = require "spec.support.rooms"

describe("a failure of which nobody was told", function()
    local untold, restore
    local FAILURE = { message = "planted", word = "not_found" }

    before_each(function()
        untold, restore = rooms.load({ "vault.untold" }, {})
    end)
    after_each(function()
        restore()
    end)

    it("is for the next who asks, once", function()
        untold.ended("a", FAILURE)
        assert.is_nil(untold.take("b"))
        assert.equal(FAILURE, untold.take("a"))
        assert.is_nil(untold.take("a"))
    end)

    it("is over once a fetch of the same came to something, or somebody was told", function()
        untold.ended("a", FAILURE)
        untold.ended("a", nil)
        assert.is_nil(untold.take("a"))
    end)

    it("is one of a thousand at most", function()
        for i = 1, 2500 do
            untold.ended("k" .. i, FAILURE)
        end
        local kept = 0
        for i = 1, 2500 do
            kept = kept + (untold.take("k" .. i) and 1 or 0)
        end
        assert.is_true(kept > 0 and kept <= 1000)
        assert.is_nil(untold.take("k1"))
    end)
end)
