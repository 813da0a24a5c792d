-- install_adapter_spec - the adapters are installed apart, and over nobody else's file.

local system = require "spec.support.system"

local MODULES = "/usr/share/lua/5.1"
local KONG = { "kong/vaults/aws/init.lua", "kong/vaults/aws/schema.lua" }

describe("make", function()
    local folder

    before_each(function()
        folder = system.folder()
    end)
    after_each(function()
        system.remove(folder)
    end)

    -- settings: variables of make, as text
    local function make(target, settings)
        return system.run(("make -s %s %s"):format(target, settings or
            ("DESTDIR=%s LUA_MODULEDIR=%s"):format(folder, MODULES)))
    end

    local function put(path, text)
        system.must(("mkdir -p %s/%s"):format(folder, path:match("^(.*)/")))
        return system.write(folder .. "/" .. path, text)
    end

    local function files()
        return system.must(("cd %s && find . -type f | sort"):format(folder))
    end

    it("installs neither with the library, each by its own target", function()
        assert.is_nil(system.must("make -n install DESTDIR=/x"):find("lua/kong", 1, true))
        assert.equal(0, (make("install-kong")))
        assert.equal(("./usr/share/lua/5.1/%s\n./usr/share/lua/5.1/%s\n"):format(unpack(KONG)),
            files())
        assert.equal(0, (make("install-apisix")))
        assert.matches("/apisix/secret/awssm%.lua\n", files())
        for _, path in ipairs(KONG) do
            assert.equal(system.read("lua/" .. path),
                system.read(folder .. MODULES .. "/" .. path))
        end
    end)

    it("installs over its own", function()
        put(MODULES .. "/" .. KONG[1], "-- an older one. Part of lua-resty-vaults.\n")
        assert.equal(0, (make("install-kong")))
        assert.equal(system.read("lua/" .. KONG[1]),
            system.read(folder .. MODULES .. "/" .. KONG[1]))
    end)

    for _, name in ipairs { KONG[1], KONG[2], "kong/vaults/aws.lua",
                            "kong/vaults/aws/schema/init.lua" } do
        it("installs nothing where somebody else's is there: " .. name, function()
            local path = put(MODULES .. "/" .. name, "return {}\n")
            local before = files()
            local code, said = make("install-kong")
            assert.is_true(code ~= 0)
            assert.matches(name .. " is not of lua-resty-vaults: nothing is installed", said, 1,
                true)
            assert.same({ before, "return {}\n" }, { files(), system.read(path) })
        end)
    end

    it("looks into LuaRocks's own folder of modules, and into those of LUA_PATH", function()
        put("share/lua/5.1/" .. KONG[1], "return {}\n")
        local gathered = folder .. "/lib/luarocks/rocks-5.1/x/1-1/lua"
        for _, settings in ipairs {
            "LUA_MODULEDIR=" .. gathered,
            ("LUA_MODULEDIR=%s/empty LUA_PATH='/nowhere/?.lua;%s/share/lua/5.1/?.lua;;'"):format(
                folder, folder),
        } do
            local code, said = make("install-kong", settings)
            assert.is_true(code ~= 0)
            assert.matches("share/lua/5.1/kong/vaults/aws/init.lua is not", said, 1, true)
            assert.is_nil(system.read(gathered .. "/" .. KONG[2]))
        end
        assert.equal(0, (make("install-kong", "LUA_MODULEDIR=" .. folder .. "/empty")))
    end)
end)
