-- environment_spec - one look-up in the copy that C keeps; C is a stand-in here.

describe("environment", function()
    local asked, environment

    setup(function()
        package.loaded["vault.core"] = {
            getenv = function(name)
                asked[#asked + 1] = name
                if name == "AWS_SECRET_ACCESS_KEY" then
                    return nil, "AWS_SECRET_ACCESS_KEY may not leave the library", "refused"
                end
                return ({ HOME = "/root", EMPTY = "" })[name]
            end,
        }
    end)

    local function load()
        package.loaded["vault.environment"] = nil
        environment = require "vault.environment"
    end

    before_each(function()
        asked = {}
        load()
    end)

    it("gives the variable, the empty one too", function()
        assert.equal("/root", environment.get("HOME"))
        assert.equal("", environment.get("EMPTY"))
        assert.same({ "HOME", "EMPTY" }, asked)
    end)

    it("gives nil alone for one that is not set", function()
        assert.same({ nil, nil, nil }, { environment.get("NOT_SET") })
    end)

    it("hands on C's refusal", function()
        local value, message, word = environment.get("AWS_SECRET_ACCESS_KEY")
        assert.is_nil(value)
        assert.truthy(message)
        assert.equal("refused", word)
    end)

    it("asks C once for each, set or not", function()
        for _ = 1, 2 do
            assert.equal("", environment.get("EMPTY"))
            assert.is_nil(environment.get("NOT_SET"))
        end
        assert.same({ "EMPTY", "NOT_SET" }, asked)
    end)

    it("asks each time in init, whose process is not the workers'", function()
        local phase, before = "init", _G.ngx
        _G.ngx = { get_phase = function() return phase end }
        load()
        environment.get("HOME")
        environment.get("HOME")
        phase = "init_worker"
        environment.get("HOME")
        environment.get("HOME")
        _G.ngx = before
        assert.same({ "HOME", "HOME", "HOME" }, asked)
    end)

    it("never asks the system itself", function()
        local before = os.getenv
        os.getenv = function() error("os.getenv was called") end -- luacheck: ignore 122
        assert.equal("/root", environment.get("HOME"))
        os.getenv = before -- luacheck: ignore 122
    end)

    it("raises for a name that is no string, at the caller's line", function()
        for _, name in ipairs({ 7, true, {} }) do
            local ok, message = pcall(function() environment.get(name) end)
            assert.is_false(ok)
            assert.truthy(message:find("environment_spec.*string"), message)
        end
    end)
end)
