-- process_spec - processes as Lua sees them: core.process and core.is_alive.

local core = require "vault.core"
local child = require "spec.support.child"
local process = require "spec.support.process"

-- Field 22 of /proc/PID/stat, for names without brackets.
local function started_of(pid)
    local file = assert(io.open("/proc/" .. pid .. "/stat"))
    local rest = file:read("*a"):match("%) (.*)")
    file:close()
    local fields = {}
    for field in rest:gmatch("%S+") do
        fields[#fields + 1] = field
    end
    return tonumber(fields[20])
end

describe("process", function()
    it("is this one, and when it began", function()
        local pid, started = core.process()
        assert.equal(assert(io.open("/proc/self/stat")):read("*n"), pid)
        assert.equal(started_of("self"), started)
        assert.same({ pid, started }, { core.process() })
    end)

    it("is another in another process", function()
        local pid, started = child.lua("io.write(('%d %.0f'):format(core.process()))")
            :match("^(%d+) (%d+)$")
        local own, own_started = core.process()
        assert.is_true(tonumber(pid) ~= own)
        assert.is_true(tonumber(started) >= own_started)
    end)
end)

describe("is_alive", function()
    it("knows a process by its number and its beginning", function()
        local pid, started = core.process()
        assert.is_true(core.is_alive(pid, started))
        assert.is_true(core.is_alive(pid, 0))
        assert.is_false(core.is_alive(pid, started + 1))
        assert.is_true(core.is_alive(1, 0))
    end)

    it("sees another process come and go", function()
        local other = process.start { "sleep", "60" }
        local started = started_of(other.pid)
        assert.is_true(core.is_alive(other.pid, started))
        other:stop()
        assert.is_false(core.is_alive(other.pid, started))
    end)

    it("is false for numbers that no process has", function()
        for _, pid in ipairs { 0, -1, 0.5, 2 ^ 31, 2 ^ 31 - 1, 1e300, -1e300, 1 / 0, 0 / 0 } do
            assert.is_false(core.is_alive(pid, 0))
        end
    end)

    it("raises for what is no number", function()
        for _, bad in ipairs { "x", {}, true } do
            assert.has_error(function() core.is_alive(bad, 0) end)
            assert.has_error(function() core.is_alive(1, bad) end)
        end
        for _, bad in ipairs { -1, 2 ^ 54, 1 / 0, 0 / 0 } do
            assert.has_error(function() core.is_alive(1, bad) end)
        end
        assert.has_error(function() core.is_alive(1) end)
        assert.has_error(function() core.is_alive() end)
    end)
end)
