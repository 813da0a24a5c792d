-- check_spec - "vaults check": what it says of a file, and what it does not show.

local check = require "vault.check"
local child = require "spec.support.child"
local system = require "spec.support.system"

local CANARY = "canary-5ecret"

describe("vaults check", function()
    local folder, path

    setup(function()
        folder = system.folder()
    end)
    teardown(function()
        system.remove(folder)
    end)
    before_each(function()
        path = folder .. "/vaults.yaml"
    end)

    local function run(text, name)
        if text then
            system.write(path, text)
        end
        return child.run { system.root() .. "/bin/vaults", "check", name or path }
    end

    -- All lines of what is wrong, without the name of the file; standard error says how many.
    local function finds(lines, text)
        local ended = run(text)
        local shown = path:gsub("%p", "%%%0")
        assert.equal(1, ended.code)
        assert.same(lines, (ended.out:gsub(shown .. ":", "")))
        local _, count = lines:gsub("\n", "")
        assert.equal(("vaults: %s: %d error%s [bad_config]\n"):format(path, count,
            count == 1 and "" or "s"), ended.err)
    end

    it("says that all is right, and how many there are", function()
        local rows = {
            { "0 vaults", '_format_version: "3.0"\nvaults: []\n' },
            { "1 vault", '_format_version: "3.0"\nvaults:\n- name: aws\n  prefix: my-vault\n'
              .. "  config:\n    region: us-east-1\nservices:\n- anything: goes\n" },
            { "1 vault", "secrets:\n- id: aws/john\n  region: us-east-1\n  access_key_id: a\n"
              .. "  secret_access_key: $env://KEY\n#END\n" },
            { "2 vaults", '{"_format_version": "3.0", "vaults": [{"name": "env", "prefix": "one"},'
              .. ' {"name": "env", "prefix": "two"}]}' },
        }
        for _, row in ipairs(rows) do
            local ended = run(row[2])
            assert.equal("", ended.err)
            assert.equal(path .. ": " .. row[1] .. ", all right\n", ended.out)
            assert.equal(0, ended.code)
        end
    end)

    it("says what is wrong by line, in the order of lines", function()
        finds("1: _format_version: required field missing\n"
            .. "4: vaults[1].prefix: expected two or more of lower-case letters, digits and '-', a "
            .. "letter first, no '-' last\n"
            .. "6: vaults[1].config.ttl: expected a number\n"
            .. "7: vaults[2].name: required field missing\n",
            "vaults:\n- name: aws\n  description: d\n  prefix: \"-\"\n  config:\n    ttl: soon\n"
            .. "- prefix: other\n")
    end)

    it("gives no line where the whole file is meant", function()
        finds(" the file has neither vaults nor secrets\n", "  []  ")
        finds(" the file is over 1 MB\n", "#" .. ("x"):rep(1024 * 1024))
        finds(" the file is over 1 MB\n", "#" .. ("x"):rep(3 * 1024 * 1024))
    end)

    it("knows what is neither YAML nor JSON", function()
        local yaml = run("a: 1\nb: [\n")
        assert.matches("^[^:]+:%d+: not YAML: [^\n]+\n$", yaml.out)
        local json = run('{\n"a": }\n')
        assert.matches("^[^:]+:2: not JSON: [^\n]+\n$", json.out)
        local bytes = run("a: 1\nb: \255\n")
        assert.matches("^[^:]+:2: the file is not UTF%-8[^\n]+\n$", bytes.out)
        assert.same({ 1, 1, 1 }, { yaml.code, json.code, bytes.code })
    end)

    it("never shows a value", function()
        for _, text in ipairs {
            '_format_version: "3.0"\nvaults:\n- name: aws\n  prefix: my-vault\n  config:\n'
                .. "    secret_access_key: " .. CANARY .. "\n    ttl: " .. CANARY .. "\n",
            'vaults: "' .. CANARY .. '"\n', "secrets:\n- id: " .. CANARY .. "\n#END\n",
            '{"vaults": "' .. CANARY, "a: [" .. CANARY .. "\n", CANARY,
        } do
            local ended = run(text)
            assert.equal(1, ended.code)
            assert.falsy((ended.out .. ended.err):find("canary", 1, true), ended.out)
        end
    end)

    it("says that it cannot be read", function()
        for name, reason in pairs {
            [folder .. "/nothing"] = "No such file or directory", [folder] = "Is a directory",
            [folder .. "/a\nb"] = "No such file or directory",
        } do
            local ended = run(nil, name)
            assert.same({ "", 1 }, { ended.out, ended.code })
            assert.equal(("vaults: cannot read %s: %s [bad_config]\n"):format(
                name:gsub("\n", "\\x0a"), reason), ended.err)
        end
    end)

    it("takes an empty file for what it is", function()
        finds("1: the file is empty\n", "# nothing\n")
        finds("1: the file is empty\n", "")
    end)

    it("needs neither AWS nor the engine", function()
        system.write(path, '_format_version: "3.0"\nvaults: []\n')
        assert.same({ path .. ": 0 vaults, all right\n" }, { check.check(path) })
    end)
end)
