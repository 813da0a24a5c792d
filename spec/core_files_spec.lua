-- core_files_spec - core.read_file and core.replace_file, as Lua sees them.

local core = require "vault.core"
local system = require "spec.support.system"

describe("files of core", function()
    local folder

    before_each(function()
        folder = system.folder()
    end)
    after_each(function()
        system.remove(folder)
    end)

    it("are written whole and read whole, whatever bytes they hold", function()
        local path = folder .. "/below/file"
        for _, text in ipairs { "text\n", "", "a\0b\255", ("x"):rep(100000) } do
            assert.is_true(core.replace_file(path, text))
            assert.equal(text, core.read_file(path))
            assert.equal(text, system.read(path))
        end
        assert.equal("600\n", system.must("stat -c %a " .. path))
        assert.equal("700\n", system.must("stat -c %a " .. folder .. "/below"))
    end)

    it("that cannot be had are a message and a word, without a byte of them", function()
        system.write(folder .. "/large", ("canary"):rep(2 ^ 18))
        for path, word in pairs { ["/none"] = "not_found", ["/"] = "bad_config",
                                  ["/large"] = "too_large" } do
            local text, message, seen = core.read_file(folder .. path)
            assert.is_nil(text)
            assert.equal(word, seen)
            assert.truthy(message:find(folder, 1, true), message)
            assert.falsy(message:find("canary", 1, true))
        end
        for path, word in pairs { ["/no/no/file"] = "not_found", ["/large/file"] = "bad_config",
                                  ["/"] = "bad_config" } do
            local ok, message, seen = core.replace_file(folder .. path, "canary")
            assert.is_nil(ok)
            assert.equal(word, seen)
            assert.matches("^cannot ", message)
            assert.falsy(message:find("canary", 1, true))
        end
    end)

    it("raise for what is no path or no text", function()
        for _, wrong in ipairs { "a\0b", false, {} } do
            assert.has_error(function() core.read_file(wrong) end)
            assert.has_error(function() core.replace_file(wrong, "") end)
        end
        assert.has_error(function() core.replace_file(folder .. "/file") end)
        assert.has_error(function() core.replace_file(folder .. "/file", {}) end)
    end)

    it("leave nothing behind, however often they are asked for", function()
        local path = folder .. "/file"
        for _ = 1, 2000 do
            core.replace_file(path, "text")
            core.read_file(path)
            core.read_file(folder)
        end
        collectgarbage()
        local pid = core.process()
        local _, count = system.run(("ls /proc/%d/fd | wc -l"):format(pid))
        assert.is_true(tonumber(count) < 100)
        assert.equal("file\n", system.must("ls -A " .. folder))
    end)
end)
