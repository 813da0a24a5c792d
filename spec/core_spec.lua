-- core_spec - what C offers to Lua: arguments, results, words; the port is in port_spec.

local child = require "spec.support.child"
local core = require "vault.core"
local system = require "spec.support.system"

local CANARY = "canary-5ecret"

-- nil, message, word of a failure, whose message is printable and shows nothing.
local function fails(word, value, message, seen)
    assert.is_nil(value)
    assert.equal(word, seen)
    assert.truthy(#message > 0 and not message:find("[^ -~]"), message)
    assert.falsy(message:find("canary", 1, true), message)
end

describe("words", function()
    -- word -> { may_retry, may_cache, sentence } of status.h
    local function of_header()
        local words = {}
        for word, retry, keep, sentence in system.read("csrc/status.h"):gmatch(
            '\n%s*X%([%u_%d]+,%s*"([%l_%d]+)",%s*(%d),%s*(%d),%s*"([^"]*)"%)') do
            words[word] = { may_retry = retry == "1", may_cache = keep == "1",
                            sentence = sentence }
        end
        return words
    end

    local YES = { yes = true, no = false }

    local function of_readme()
        local errors = ("\n" .. system.read("README.md")):match("\n## Errors\n(.*)$")
        errors = (errors .. "\n## "):match("^(.-)\n## ")
        local words = {}
        for row in errors:gmatch("\n(| `[^\n]*)") do
            local word, retry, keep, sentence = row:match(
                "^| `([%l_%d]+)` | (%a+) | (%a+) | (.-) |$")
            assert(word, "not a row: " .. row)
            assert.is_nil(words[word])
            words[word] = { may_retry = YES[retry], may_cache = YES[keep], sentence = sentence }
        end
        return words
    end

    it("are those of status.h", function()
        local header = of_header()
        assert.equal("timeout", next({ timeout = header.timeout }))
        assert.same(header, core.words)
    end)

    it("are those of README", function()
        assert.same(of_readme(), core.words)
    end)

    it("are raised in no other spelling", function()
        for word in pairs(core.words) do
            assert.matches("^[a-z][a-z0-9_]*$", word)
        end
    end)
end)

describe("sign", function()
    local function read(case, file)
        return (assert(system.read(("spec/vectors/sigv4/%s/%s"):format(case, file))))
    end

    local function request_of(case)
        local request, headers = { body = read(case, "body") }, {}
        local number = 0
        for line in read(case, "request"):gmatch("([^\n]*)\n") do
            number = number + 1
            if number <= 3 then
                request[({ "method", "path", "query" })[number]] = line
            else
                headers[#headers + 1] = { line:match("^([^:]*):(.*)$") }
            end
        end
        request.headers = headers
        for name, value in read(case, "key"):gmatch("([%w_]+)=([^\n]*)\n") do
            request[name] = value
        end
        request.time, request.when = tonumber(request.when), nil
        return request
    end

    for _, case in ipairs { "get-vanilla", "get-vanilla-query-order-encoded", "post-vanilla-query",
                            "botocore-get-secret-value-arn", "botocore-body-binary" } do
        it("makes every stage of " .. case, function()
            assert.same({
                canonical_request = read(case, "canonical"), string_to_sign = read(case, "to-sign"),
                signature = read(case, "signature"), authorization = read(case, "authorization"),
            }, core.sign(request_of(case)))
        end)
    end

    local function good()
        return request_of("botocore-get-secret-value-arn")
    end

    it("raises for what is missing or of another type, naming it", function()
        for _, field in ipairs { "method", "path", "query", "body", "access_key_id",
                                 "secret_access_key", "region", "service" } do
            for _, wrong in ipairs { false, 7, {} } do
                local request = good()
                request[field] = wrong or nil
                local ok, message = pcall(core.sign, request)
                assert.is_false(ok)
                assert.matches(field, message)
                assert.is_nil(message:find(good().secret_access_key, 1, true))
            end
        end
        local request = good()
        request.session_token = 7
        assert.has_error(function() core.sign(request) end)
        request = good()
        request.time = "now"
        assert.has_error(function() core.sign(request) end)
        for _, wrong in ipairs { "text", 7 } do
            assert.has_error(function() core.sign(wrong) end)
        end
        assert.has_error(function() core.sign() end)
    end)

    it("raises for headers that are none", function()
        local many = {}
        for i = 1, 65 do
            many[i] = { "name" .. i, "value" }
        end
        for _, headers in ipairs { "text", { "text" }, { { "name" } }, { { 1, "v" } },
                                   { { "n", 1 } }, many } do
            local request = good()
            request.headers = headers
            assert.has_error(function() core.sign(request) end)
        end
    end)

    it("raises for a NUL byte in what goes to C as text", function()
        for _, field in ipairs { "access_key_id", "secret_access_key", "session_token", "region",
                                 "service" } do
            local request = good()
            request[field] = "a\0b"
            assert.has_error(function() core.sign(request) end)
        end
    end)

    it("refuses what cannot be signed", function()
        for field, values in pairs { region = { "", "a\nb" }, service = { "" },
                                     access_key_id = { "", CANARY .. "\r" },
                                     secret_access_key = { "", CANARY .. "\n" },
                                     time = { -1, 253402300800 } } do
            for _, value in ipairs(values) do
                local request = good()
                request[field] = value
                fails("bad_config", core.sign(request))
            end
        end
        local request = good()
        request.headers[1][2] = "a\r\nb: " .. CANARY
        fails("bad_config", core.sign(request))
        request = good()
        request.time = nil
        fails("bad_config", core.sign(request))
    end)

    it("is not disturbed by a failure before", function()
        local request = good()
        request.region = ""
        core.sign(request)
        assert.equal(read("botocore-get-secret-value-arn", "signature"),
            core.sign(good()).signature)
    end)
end)

describe("extract", function()
    local ROWS = {
        { '{"k":"v"}', "k", "v" }, { '{"k":""}', "k", "" }, { '{"":"v"}', "", "v" },
        { '{"k":"a\\u0000b"}', "k", "a\0b" }, { '{"a\\u0000":"v"}', "a\0", "v" },
        { '{"k":"\\ud83d\\ude00"}', "k", "\240\159\152\128" },
        { ' {"a":1,"k":"v","b":[{}]} ', "k", "v" },
        { ('{"k":"%s"}'):format(("x"):rep(65536)), "k", ("x"):rep(65536) },
    }
    for i, row in ipairs(ROWS) do
        it("finds the string, case " .. i, function()
            assert.same({ row[3] }, { core.extract(row[1], row[2]) })
        end)
    end

    local FAILURES = {
        { '{"canary":"v"}', "k", "key_not_found", "^the secret has no such key$" },
        { '{"k":17}', "k", "not_a_string", "a number$" },
        { '{"k":["canary"]}', "k", "not_a_string", "an array$" },
        { '{"k":{"canary":1}}', "k", "not_a_string", "an object$" },
        { '{"k":null}', "k", "not_a_string", "null$" },
        { '["canary"]', "k", "not_an_object", "at byte 1$" },
        { ' "canary"', "k", "not_an_object", "at byte 2$" },
        { '{"k":"canary"', "k", "json_syntax", "at byte 14$" },
        { '{"k":"canary\\q"}', "k", "json_escape", "at byte %d+$" },
        { '{"k":"canary\\ud800"}', "k", "json_surrogate", "at byte %d+$" },
        { '{"k":"canary\255"}', "k", "json_utf8", "at byte 13$" },
        { ('{"k":' .. ("["):rep(100)), "k", "json_depth", "at byte %d+$" },
        { '{"k":"canary","k":"v"}', "k", "json_duplicate", "at byte 15$" },
        { '{"k":"canary"}x', "k", "json_trailing", "at byte 15$" },
        { "", "k", "json_syntax", "at byte 1$" },
    }
    for _, row in ipairs(FAILURES) do
        it(("says %s of %q"):format(row[3], row[1]:sub(1, 24)), function()
            fails(row[3], core.extract(row[1], row[2]))
            assert.matches(row[4], (select(2, core.extract(row[1], row[2]))))
        end)
    end

    it("raises for what is no text", function()
        for _, call in ipairs { {}, { "{}" }, { nil, "k" }, { {}, "k" }, { "{}", {} },
                                { true, "k" } } do
            assert.has_error(function() core.extract(call[1], call[2]) end)
        end
    end)
end)

describe("base64_decode", function()
    it("gives the bytes", function()
        for text, bytes in pairs { [""] = "", ["YQ=="] = "a", ["YQBi"] = "a\0b",
                                   ["AP8="] = "\0\255", ["+/+/"] = "\251\255\191" } do
            assert.same({ bytes }, { core.base64_decode(text) })
        end
    end)

    it("fails for what is none", function()
        for _, text in ipairs { CANARY, "YQ", "YQ=", "Y===", "====", "YR==", "YQ==YQ==", "YQ==\n",
                                " YQ==", "-_-_", "YQ\0=" } do
            fails("bad_base64", core.base64_decode(text))
        end
    end)

    it("raises for what is no text", function()
        assert.has_error(function() core.base64_decode() end)
        assert.has_error(function() core.base64_decode({}) end)
    end)
end)

describe("sha256", function()
    -- FIPS 180-2, appendix B, and the empty message.
    local VECTORS = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { ("a"):rep(1000000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
    }
    for _, row in ipairs(VECTORS) do
        it(("of %d bytes"):format(#row[1]), function()
            assert.equal(row[2], core.sha256(row[1]))
            assert.equal(row[2], (core.sha256(row[1], true):gsub(".", function(byte)
                return ("%02x"):format(byte:byte())
            end)))
        end)
    end

    it("counts NUL bytes too", function()
        assert.not_equal(core.sha256("a"), core.sha256("a\0"))
    end)

    it("raises for what is no text", function()
        assert.has_error(function() core.sha256() end)
    end)
end)

describe("getenv", function()
    it("gives the variables as they were when the module was loaded", function()
        assert.equal("one|nil|", child.lua([[
            require("spec.support.system").setenv("ONE", "two")
            io.write(core.getenv("ONE"), "|", tostring((core.getenv("OTHER"))), "|",
                core.getenv("NOTHING"))
        ]], { ONE = "one", NOTHING = "" }))
    end)

    it("refuses the gateway's own credentials, set or not", function()
        for _, set in ipairs { true, false } do
            local env, names = {}, { "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "VAULTS_ADMIN_TOKEN" }
            for _, name in ipairs(set and names or {}) do
                env[name] = CANARY
            end
            local said = child.lua(([[
                for name in ("%s"):gmatch("%%S+") do
                    for _, text in ipairs { name, name .. "\0x" } do
                        local value, message, word = core.getenv(text)
                        print(value, message, word)
                    end
                end
            ]]):format(table.concat(names, " ")), env)
            assert.equal(2 * #names, select(2, said:gsub("nil\t[^\t\n]+\trefused\n", "")))
            assert.falsy(said:find("canary", 1, true))
        end
    end)

    it("gives the key's name, which is none of them", function()
        assert.equal("AKIDEXAMPLE", child.lua([[io.write(core.getenv("AWS_ACCESS_KEY_ID"))]],
            { AWS_ACCESS_KEY_ID = "AKIDEXAMPLE" }))
    end)

    it("raises for what is no text", function()
        assert.has_error(function() core.getenv() end)
        assert.has_error(function() core.getenv({}) end)
    end)
end)

describe("credential_files", function()
    it("lists what the environment leads to, and the user", function()
        local folder = system.folder()
        local ca_file = system.write(folder .. "/ca.pem", CANARY)
        assert.equal(([[
the AWS credentials file = %s/.aws/credentials false
the AWS config file = %s/.aws/config false
the trusted certificates = %s/ca.pem true
true]]):format(folder, folder, folder), child.lua(([[
            local files, user = core.credential_files(%q)
            for _, file in ipairs(files) do
                assert(#file.lost > 0 and file.of_profile == false)
                print(file.name .. " = " .. file.path .. " " .. tostring(file.readable))
            end
            io.write(tostring(user == io.popen("id -u"):read("*n")))
        ]]):format(ca_file), { HOME = folder }))
        assert.same({ true, false }, { core.readable(ca_file), core.readable(folder) })
        system.remove(folder)
    end)

    it("raises for what is no path", function()
        for _, wrong in ipairs { {}, true, "a\0b" } do
            assert.has_error(function() core.credential_files(wrong) end)
            assert.has_error(function() core.readable(wrong) end)
        end
        assert.has_error(function() core.readable() end)
        assert.is_true(#core.credential_files(nil) > 0)
    end)
end)

describe("the module", function()
    it("says what it is made of", function()
        assert.matches("^%d+%.%d+%.%d+$", core._VERSION)
        assert.matches("libcurl", core.about())
        assert.falsy(core.about():find("[^ -~]"))
        assert.is_true(core.check())
    end)

    it("knows which opening of it copied the environment", function()
        assert.equal("true false", child.lua([[
            package.loaded["vault.core"] = nil
            io.write(tostring(core.captured_here), " ",
                tostring(require("vault.core").captured_here))
        ]]))
    end)

    it("works with a collector that never rests", function()
        assert.equal("done", child.lua([[
            jit.off() -- a trace that collects at each step may never come to its end
            collectgarbage("setpause", 1)
            collectgarbage("setstepmul", 1e6)
            local request = { method = "GET", path = "/", query = "", body = ("b"):rep(1000),
                headers = { { "Host", "h" .. 1 } }, access_key_id = "a", region = "r",
                secret_access_key = "s", session_token = "t", service = "x", time = 1 }
            local signature = core.sign(request).signature
            local digest = core.sha256("abc")
            for i = 1, 300 do
                request.headers[1] = { "Host", "h" .. 1 }
                assert(core.sign(request).signature == signature)
                assert(core.extract('{"k":"' .. ("v"):rep(i) .. '"}', "k") == ("v"):rep(i))
                assert(not core.extract("{}", "k" .. i))
                assert(core.base64_decode("YQBi") == "a\0b")
                assert(core.sha256("a" .. "bc") == digest)
                assert(not pcall(core.sign, { method = "x" .. i }))
                assert(not core.getenv("NOT_SET_" .. i))
                assert(core.port:pending() == 0 and not core.port:take())
                assert(core.check() and core.about() and core.words.timeout.may_retry)
                assert(#core.credential_files("/ca" .. i) == 3)
                collectgarbage()
            end
            io.write("done")
        ]]))
    end)

    it("can be opened and collected again and again", function()
        assert.equal("done", child.lua([[
            for _ = 1, 50 do
                package.loaded["vault.core"] = nil
                local again = require("vault.core")
                assert(again ~= core and again.port ~= core.port)
                assert(again.extract('{"k":"v"}', "k") == "v")
                collectgarbage()
            end
            io.write("done")
        ]]))
    end)
end)
