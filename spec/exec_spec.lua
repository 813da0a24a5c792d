-- exec_spec - "vaults exec": a real program finds values in its environment, and nowhere else.

local aws = require "spec.support.aws"
local child = require "spec.support.child"
local core = require "vault.core"
local process = require "spec.support.process"
local system = require "spec.support.system"

local CANARY = "canary-5ecret"

describe("vaults exec", function()
    local fake, folder, vaults

    setup(function()
        fake = aws.start()
        folder = system.folder()
        vaults = system.root() .. "/bin/vaults"
    end)
    teardown(function()
        fake:stop()
        system.remove(folder)
    end)
    before_each(function()
        fake:reset()
        fake:put("db", '{"user":"u","password":"' .. CANARY .. '"}')
        fake:put("other", "two\nlines\n")
    end)

    local USER, PASSWORD = "{vault://aws/db/user}", "{vault://aws/db/password}"

    local function run(words, more)
        local line = { vaults, "exec", unpack(words) }
        line.env = fake:env(more)
        return child.run(line)
    end

    -- The environment that the program finds.
    local function environment(options, more)
        local words = { unpack(options) }
        words[#words + 1], words[#words + 2], words[#words + 3] = "--", "/usr/bin/env", "-0"
        local ended = run(words, more)
        assert.equal("", ended.err)
        assert.equal(0, ended.code)
        local found = {}
        for name, value in ended.out:gmatch("([^=%z]+)=([^%z]*)%z") do
            assert.is_nil(found[name])
            found[name] = value
        end
        return found
    end

    -- Nothing was run; the message.
    local function fails(word, more, code, words)
        local ended = run(words or { "--", "sh", "-c", "echo ran" }, more)
        assert.equal("", ended.out)
        assert.equal(code or 1, ended.code)
        local message, seen = ended.err:match("^vaults: ([ -~]+) %[([%l_%d]+)%]\n$")
        assert.truthy(message, ended.err)
        assert.equal(word, seen)
        assert.falsy(ended.err:find("canary", 1, true))
        return message
    end

    describe("gives the program", function()
        it("values for references, and all else as it is", function()
            local found = environment({}, {
                PG_USER = USER, PG_PASSWORD = PASSWORD, WHOLE = " $secret://aws/john/none/x",
                OTHER = "{vault://aws/other}", INSIDE = "x" .. PASSWORD, AFTER = PASSWORD .. "\n",
                EMPTY = "", PLAIN = "$x {y}", OPEN = "{vault://aws/db/user",
            })
            assert.same({ "u", CANARY, "two\nlines\n" },
                { found.PG_USER, found.PG_PASSWORD, found.OTHER })
            assert.same({ "x" .. PASSWORD, PASSWORD .. "\n", "", "$x {y}", "{vault://aws/db/user" },
                { found.INSIDE, found.AFTER, found.EMPTY, found.PLAIN, found.OPEN })
            assert.equal(" $secret://aws/john/none/x", found.WHOLE)
            assert.equal("/nonexistent", found.HOME)
        end)

        it("no AWS_*, unless it is to keep them", function()
            local more = { AWS_OWN = "{vault://env/nothing}", XAWS_ = "1", KONG_VAULT_AWS_TTL = "5",
                           AWS = "2" }
            local found = environment({}, more)
            for name in pairs(found) do
                assert.is_nil(name:find("^AWS_"), name)
            end
            assert.same({ "1", "5", "2" }, { found.XAWS_, found.KONG_VAULT_AWS_TTL, found.AWS })
            more.AWS_OWN = USER
            found = environment({ "--keep-aws" }, more)
            assert.equal("u", found.AWS_OWN)
            for name, value in pairs(fake:env()) do
                assert.equal(value, found[name])
            end
        end)

        it("variables by reference, and the admin token", function()
            local found = environment({}, { ONE = "{vault://env/my-two}", MY_TWO = "2",
                                            THREE = "$ENV://JSON/k", JSON = '{"k":"3"}',
                                            VAULTS_ADMIN_TOKEN = PASSWORD })
            assert.same({ "2", "3", CANARY }, { found.ONE, found.THREE, found.VAULTS_ADMIN_TOKEN })
        end)

        it("an empty value as such, and a large one", function()
            fake:put("edges", '{"empty":""}')
            fake:put("large", ("x"):rep(65536))
            local found = environment({}, { EMPTY = "{vault://aws/edges/empty}",
                                            LARGE = "{vault://aws/large}" })
            assert.equal("", found.EMPTY)
            assert.equal(65536, #found.LARGE)
        end)

        it("its words as they are, however many", function()
            local words = { "--", "printf", "[%s]", "", "a  b", "--", "--keep-aws", "$X", PASSWORD }
            assert.equal("[][a  b][--][--keep-aws][$X][" .. PASSWORD .. "]", run(words).out)
            local ended = child.run { "sh", "-c", '"$0" exec -- printf "%s" $(seq 20000)', vaults,
                                      env = fake:env() }
            assert.equal("", ended.err)
            assert.equal(88894, #ended.out) -- digits
        end)

        it("our input, our folder and our signals", function()
            local script = "cat; pwd; grep ^Sig /proc/self/status | grep -v SigQ"
            local function said(prefix)
                return child.run { "sh", "-c", ("cd / && echo in | %s sh -c '%s'"):format(prefix,
                    script), vaults, env = fake:env { A = USER } }.out
            end
            local plain = said("")
            assert.matches("^in\n/\nSigPnd", plain)
            assert.equal(plain, said('"$0" exec --'))
        end)

        it("no descriptor of ours, and those that were there", function()
            local ended = child.run { "sh", "-c", 'exec 7</dev/null; "$0" exec -- '
                .. 'sh -c "ls /proc/\\$\\$/fd"', vaults, env = fake:env { A = USER } }
            local numbers = {}
            for number in ended.out:gmatch("%d+") do
                numbers[#numbers + 1] = tonumber(number)
            end
            local before = child.run { "sh", "-c", 'exec 7</dev/null; sh -c "ls /proc/\\$\\$/fd"',
                                       env = fake:env() }
            assert.equal(before.out, ended.out)
            assert.is_true(#numbers >= 4)
        end)
    end)

    it("asks for each secret once, and for several in one call", function()
        local more = {}
        for i = 1, 25 do
            fake:put("s" .. i, '{"a":"a' .. i .. '","b":"b' .. i .. '"}')
            more["A" .. i], more["B" .. i] = "{vault://aws/s" .. i .. "/a}",
                "{vault://aws/s" .. i .. "/b}"
        end
        local found = environment({}, more)
        for i = 1, 25 do
            assert.same({ "a" .. i, "b" .. i }, { found["A" .. i], found["B" .. i] })
        end
        local stats = fake:stats()
        assert.equal(0, stats.calls)
        table.sort(stats.batch_sizes)
        assert.same({ 5, 20 }, stats.batch_sizes)
        environment({}, { PG_USER = USER, PG_PASSWORD = PASSWORD })
        assert.equal(1, fake:stats().calls)
    end)

    it("ends as the program does", function()
        assert.equal(42, run({ "--", "sh", "-c", "exit 42" }).code)
        assert.equal(137, run({ "--", "sh", "-c", "kill -9 $$" }).code)
        assert.equal(0, run({ "--", "true" }).code)
    end)

    describe("runs nothing", function()
        it("where a reference has no value: the first by name, and how many", function()
            assert.equal('PG_PASSWORD: key "none" of secret "db": the secret has no such key',
                fails("key_not_found", { PG_PASSWORD = "{vault://aws/db/none}" }))
            local message = fails("access_denied", {
                B = "{vault://aws/denied.x/k}", C = USER, D = "{vault://env/not-set}", A = USER })
            assert.matches("^B: .*; 2 of 4 references have no value$", message)
            assert.matches("^A: ", fails("unknown_vault", { A = "{vault://none/x}" }))
            assert.matches("^A: ", fails("bad_reference", { A = "{vault://aws/x#3}" }))
            assert.matches("^A: ", fails("refused", { A = "$env://AWS_SECRET_ACCESS_KEY" }))
            assert.matches("^A\\x0ab: ", fails("not_found", { ["A\nb"] = "$env://NOTHING" }))
        end)

        it("and asks no further where AWS is away", function()
            local message = fails("connect_failed", {
                AWS_ENDPOINT_URL_SECRETS_MANAGER = "http://127.0.0.1:" .. system.free_port(),
                AWS_MAX_ATTEMPTS = "1", A = "{vault://aws/a}", B = "{vault://aws/b}", C = USER })
            assert.matches("^A: .*; the 2 after it were not asked for$", message)
        end)

        it("where a value cannot be a variable's", function()
            fake:put("nul", '{"k":"a\\u0000b"}')
            assert.equal("A: the value holds a NUL byte, which no variable can",
                fails("bad_config", { A = "{vault://aws/nul/k}" }))
        end)

        it("where there is no such program, or it cannot be executed", function()
            local plain = folder .. "/plain"
            system.write(plain, "echo ran")
            local rows = {
                { 127, "not_found", "no-program", "there is no program no-program in PATH" },
                { 127, "not_found", "/nonexistent/x",
                  "cannot execute /nonexistent/x: No such file or directory" },
                { 126, "access_denied", plain,
                  "cannot execute " .. plain .. ": Permission denied" },
                { 126, "access_denied", folder,
                  "cannot execute " .. folder .. ": Permission denied" },
                { 127, "not_found", "", "no program is named" },
            }
            for _, row in ipairs(rows) do
                assert.equal(row[4], fails(row[2], { A = USER }, row[1], { "--", row[3] }))
            end
            os.execute("chmod 755 " .. plain)
            assert.matches("Exec format error", fails("internal", {}, 126, { "--", plain }))
        end)

        it("for a script without its interpreter", function()
            local lost = folder .. "/lost"
            system.write(lost, "#!/nonexistent/sh\n")
            os.execute("chmod 755 " .. lost)
            fails("not_found", {}, 127, { "--", lost })
        end)
    end)

    describe("leaves a value", function()
        local function read_proc(pid, name)
            return system.read(("/proc/%d/%s"):format(pid, name))
        end

        it("in the program's environment, and nowhere else", function()
            local own = folder .. "/own"
            assert(os.execute("mkdir -p " .. own) == 0)
            local env = fake:env { PG_PASSWORD = PASSWORD, HOME = own, TMPDIR = own,
                                   LUA_CPATH = system.build() .. "/?.so;;" }
            local running = process.start {
                "sh", "-c", "cd " .. own .. ' && exec "$0" exec -- sh -c "echo ready; sleep 60"',
                vaults, clear_env = true, env = env, ready = "ready\n",
            }
            local pid = running.pid
            assert.matches("sleep.60", read_proc(pid, "cmdline"))
            assert.falsy(read_proc(pid, "cmdline"):find(CANARY, 1, true))
            assert.truthy(read_proc(pid, "environ"):find("PG_PASSWORD=" .. CANARY, 1, true))
            assert.falsy(read_proc(pid, "environ"):find(aws.SECRET_KEY, 1, true))
            assert.equal("", child.run({ "ls", "-A", own }).out)
            local grep = child.run { "grep", "-rl", CANARY, running.folder, folder }
            assert.same({ "", 1 }, { grep.out, grep.code })
            running:stop()
        end)
    end)

    describe("core.variables", function()
        local function variables(starts, env)
            return child.lua(([[
                local lines = {}
                for _, variable in ipairs(core.variables(%s)) do
                    lines[#lines + 1] = ("%%s=%%s;"):format(variable[1], variable[2])
                end
                table.sort(lines)
                io.write(table.concat(lines))
            ]]):format(starts), env)
        end

        it("gives those whose values begin so, and no other", function()
            local env = { A = "ab", B = "AB=c", C = "xab", D = "", AWS_SECRET_ACCESS_KEY = "abc",
                          E = "q" }
            assert.equal("A=ab;AWS_SECRET_ACCESS_KEY=abc;B=AB=c;", variables('{ "ab" }', env))
            assert.equal("A=ab;AWS_SECRET_ACCESS_KEY=abc;B=AB=c;E=q;",
                variables('{ "zz", "aB", "Q" }', env))
            assert.equal("", variables("{}", env))
        end)
    end)

    it("raises for what are no lists of texts", function()
        for _, bad in ipairs { "x", { 1 }, { {} }, { "a\0b" }, { true } } do
            assert.has_error(function() core.variables(bad) end)
            assert.has_error(function() core.exec(bad, {}) end)
            assert.has_error(function() core.exec({ "true" }, bad) end)
        end
        assert.has_error(function() core.variables() end)
        assert.has_error(function() core.exec({ "true" }) end)
        assert.has_error(function() core.exec({ "true" }, {}, {}) end)
        assert.same({ nil, "no program is named", "not_found" }, { core.exec({}, {}) })
        assert.equal("not_found", (select(3, core.exec({ "/nonexistent/x" }, { "A=1" }, "B"))))
        for _ = 1, 200 do
            core.exec({ "/nonexistent/x", ("y"):rep(1000) }, { "A=" .. ("z"):rep(1000) })
        end
        collectgarbage()
    end)
end)
