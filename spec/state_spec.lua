-- state_spec - the steps by which a state of the entities is written, and what the dict holds.
-- What each step leaves where it is the last one is in vaults_change_spec.

local dicts = require "spec.support.dict"
local state_of = require "vault.state"

describe("state", function()
    local dict, disk, state, order

    before_each(function()
        dict = dicts.new { now = function() return 1 end }
        disk, order = {}, {}
        state = state_of.new {
            dict = dict, path = "/file", now = function() return 1700000000.5 end,
            read_file = function(path) return disk[path] end,
            replace_file = function(path, text)
                order[#order + 1] = dict:get("vaults")
                disk[path] = text
                return true
            end,
        }
    end)

    it("has nothing at first", function()
        assert.is_nil(state:number())
        assert.is_nil(state:read())
        assert.is_false(state:is_unfinished())
        assert.same({ nil, "the shared dict has lost the vaults" }, { state:write("text", {}) })
    end)

    it("begins once, whoever comes first, at a number that none before can have had", function()
        assert.is_true(state:begin("one"))
        assert.is_true(state:begin("two"))
        local number, text, gone = state:read()
        assert.same({ 1700000000500 * 1024, "one", {} }, { number, text, gone })
        assert.is_nil(disk["/file"])
    end)

    it("cannot begin in a full dict", function()
        dict.full = true
        assert.is_false(state:begin("one"))
    end)

    it("puts the file before the number, and leaves one entry", function()
        state:begin("one")
        local before = state:number()
        assert.equal(before + 1, state:write("two\nlines", { "a", "b.c" }))
        assert.same({ before }, order)
        assert.equal("two\nlines", disk["/file"])
        assert.same({ before + 1, "two\nlines", { "a", "b.c" } }, { state:read() })
        local keys = {}
        for key in pairs(dict.entries) do
            keys[#keys + 1] = key
        end
        assert.equal(2, #keys)
    end)

    it("does not write what the file has already", function()
        state:begin("one")
        state:write("two", {}, true)
        assert.is_nil(disk["/file"])
        assert.equal("two", select(2, state:read()))
    end)

    it("is what it was where the number cannot be written", function()
        state:begin("one")
        disk["/file"] = "one"
        local number = state:number()
        local real = dict.safe_set
        function dict.safe_set(self, key, ...)
            if key == "vaults" then
                return false, "no memory"
            end
            return real(self, key, ...)
        end
        assert.same({ nil, "the shared dict has no room" }, { state:write("two", {}) })
        dict.safe_set = real
        assert.same({ number, "one", {} }, { state:read() })
        assert.equal("one", disk["/file"])
        assert.is_false(state:is_unfinished())
    end)

    for _, at in ipairs { "two", "one" } do
        it("finishes by the file, which is at " .. at, function()
            state:begin("one")
            local number = state:number()
            dict:safe_set("vaults:next", number + 1)
            dict:safe_set(("vaults:%.0f"):format(number + 1), "\ntwo")
            disk["/file"] = at
            assert.is_true(state:is_unfinished())
            state:finish()
            assert.is_false(state:is_unfinished())
            assert.same({ at == "two" and number + 1 or number, at, {} }, { state:read() })
            state:finish()
            assert.equal(at, (select(2, state:read())))
        end)
    end

    it("outlives a flush, but not where another has begun meanwhile", function()
        state:begin("one")
        state:keep_declared("declared")
        local number = state:number()
        state:survive(function() dict:flush_all() end)
        assert.same({ number, "one", {} }, { state:read() })
        assert.equal("declared", state:declared())
        state:survive(function()
            dict:flush_all()
            dict:safe_set("vaults", 7)
            dict:safe_set("vaults:7", "\nseven")
        end)
        assert.same({ 7, "seven", {} }, { state:read() })
        dict:flush_all()
        state:survive(function() end)
        assert.is_nil(state:number())
    end)

    it("that is being written outlives a flush", function()
        state:begin("one")
        local unfinished
        local writing = state_of.new { dict = dict, path = "/file", now = function() return 1 end,
            replace_file = function()
                state:survive(function() dict:flush_all() end)
                unfinished = state:is_unfinished()
                return true
            end }
        local number = writing:write("two", {})
        assert.same({ number, "two", {} }, { state:read() })
        assert.same({ true, false }, { unfinished, state:is_unfinished() })
    end)

    it("forgets a declared text that it cannot replace", function()
        state:keep_declared("one")
        assert.equal("one", state:declared())
        dict.full = true
        state:keep_declared("longer one")
        assert.is_nil(state:declared())
    end)

    it("is asked for the first warning once", function()
        assert.is_true(state:is_first_warning())
        assert.is_false(state:is_first_warning())
    end)
end)
