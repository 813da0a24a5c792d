-- files_spec - what the master remembers and worker 0 says; which files there are, and whether they
-- can be read, the spec says. Real users and files are in nginx/files_spec.

local rooms = require "spec.support.rooms"

local function file(name, path, options)
    options = options or {}
    return { name = "the " .. name, path = path, lost = name .. " lost", of_profile =
             options.of_profile or false, readable = options.readable ~= false }
end

describe("files", function()
    local files, found, denied, asked, logged, worker, outside, restore

    before_each(function()
        outside, found, denied, asked, logged, worker = rawget(_G, "ngx"), {}, {}, {}, {}, 0
        rawset(_G, "ngx", {
            WARN = "warn", worker = { id = function() return worker end },
            log = function(level, ...)
                logged[#logged + 1] = level .. ": " .. table.concat({ ... })
            end,
        })
        files, restore = rooms.load({ "vault.files" }, { ["vault.core"] = {
            credential_files = function(ca_file)
                asked[#asked + 1] = ca_file or "none"
                return found.list, found.list and 65534 or "planted"
            end,
            readable = function(path) return not denied[path] end,
            replaceable = function(path) return not denied[path] end,
        } })
    end)
    after_each(function()
        rawset(_G, "ngx", outside)
        restore()
    end)

    -- The master finds `first`, worker 0 finds `then_found` and may not read the paths of `...`.
    local function go(first, then_found, ...)
        found.list = first
        files.remember("/ca.pem")
        found.list = then_found
        for _, path in ipairs { ... } do
            denied[path] = true
        end
        files.check()
    end

    local function said(name, path)
        return ("warn: vault: the worker (user 65534) cannot read %s (the %s), which the master "
            .. "could: %s lost"):format(path, name, name)
    end

    it("names what the master could read and the worker cannot", function()
        local list = { file("one", "/1"), file("two", "/2"), file("three", "/3") }
        go(list, list, "/1", "/3")
        assert.same({ said("one", "/1"), said("three", "/3") }, logged)
        assert.same({ "/ca.pem", "/ca.pem" }, asked)
    end)

    it("does not name what the master could not read either", function()
        local list = { file("one", "/1", { readable = false }) }
        go(list, list, "/1")
        assert.same({}, logged)
    end)

    it("names a file once", function()
        local list = { file("one", "/1"), file("two", "/1") }
        go(list, list, "/1")
        assert.same({ said("one", "/1") }, logged)
    end)

    it("escapes and bounds the path", function()
        local list = { file("one", "/a\n2026 [alert] \\"), file("two", "/" .. ("x"):rep(300)) }
        go(list, list, list[1].path, list[2].path)
        assert.same({ said("one", "/a\\x0a2026 [alert] \\\\"),
                      said("two", "/" .. ("x"):rep(255) .. "...") }, logged)
    end)

    it("does not name what the worker's own environment has elsewhere", function()
        go({ file("one", "/1"), file("two", "/2"), file("gone", "/3") },
            { file("one", "/other"), file("two", "/2") }, "/1", "/2", "/3", "/other")
        assert.same({ said("two", "/2") }, logged)
    end)

    it("names what a profile names that the worker cannot read", function()
        local token = file("token", "/t", { of_profile = true })
        go({ file("one", "/1"), token }, { file("one", "/1", { readable = false }) }, "/1", "/t")
        assert.same({ said("one", "/1"), said("token", "/t") }, logged)
    end)

    it("does not name what a profile names that lies elsewhere", function()
        local token = file("token", "/t", { of_profile = true })
        go({ file("one", "/1"), token }, { file("one", "/2") }, "/1", "/t")
        go({ token }, { file("token", "/u", { of_profile = true }) })
        assert.same({}, logged)
    end)

    it("says nothing in other workers, and where there is no number", function()
        local list = { file("one", "/1") }
        for _, id in ipairs { 1, 7, false } do
            worker = id or nil
            go(list, list, "/1")
        end
        assert.same({}, logged)
    end)

    it("says that the worker cannot keep vaults", function()
        found.list = {}
        files.remember(nil, "/folder/st\nate")
        files.check()
        assert.same({}, logged)
        denied["/folder/st\nate"] = true
        files.check()
        assert.same({ "warn: vault: the worker (user 65534) cannot write /folder/st\\x0aate "
            .. "(init's state): the vaults cannot be changed while nginx runs" }, logged)
        files.remember()
        files.check()
        assert.equal(1, #logged)
    end)

    it("does nothing where init was not called", function()
        files.check()
        assert.same({ {}, {} }, { asked, logged })
    end)

    it("goes by what the last init found", function()
        go({ file("one", "/1") }, {})
        go({ file("two", "/2") }, { file("one", "/1"), file("two", "/2") }, "/1", "/2")
        assert.same({ said("two", "/2") }, logged)
    end)

    it("says nothing without memory", function()
        go(nil, { file("one", "/1") }, "/1")
        go({ file("one", "/1"), file("token", "/t", { of_profile = true }) }, nil, "/1")
        assert.same({}, logged)
    end)
end)
