-- splits_spec - where the name ends in APISIX's references, which only AWS knows (vault.resolve).

local node = require "spec.support.node"

describe("APISIX's path", function()
    local one, aws

    before_each(function()
        one = node.new()
        aws = one.aws
        one:start_worker()
    end)
    after_each(function()
        one:stop()
    end)

    local function get(text)
        return one.resolve.get(text)
    end

    local function fails(...)
        return one:fails(...)
    end

    local function asked()
        return one:asked()
    end

    before_each(function()
        aws.secrets["a/b"] = { AWSCURRENT = '{"c":"v","c/d":"w"}' }
    end)

    it("is tried with the longest name first", function()
        assert.equal("v", get("$secret://aws/john/a/b/c"))
        assert.same({ "a/b/c", "a/b" }, asked())
    end)

    for _, word in ipairs { "not_found", "access_denied" } do
        it("is tried further after " .. word, function()
            aws.secrets["a/b/c"] = word
            assert.equal("v", get("$secret://aws/john/a/b/c"))
            assert.same({ "a/b/c", "a/b" }, asked())
        end)
    end

    it("is tried further where the vault does not allow a name", function()
        one.vaults.configure { entities = { { prefix = "john", name = "aws",
                                              config = { allow = { "a/b" } } } } }
        assert.equal("v", get("$secret://aws/john/a/b/c"))
        assert.same({ "a/b" }, asked())
        fails("refused", "$secret://aws/john/x/y", '"x/y"')
        assert.same({}, asked())
    end)

    for _, word in ipairs { "throttled", "timeout", "server_error", "no_credentials", "pending",
                            "credentials_refused", "decryption_failed", "invalid_request" } do
        it("is not tried further after " .. word, function()
            aws.secrets["a/b/c"] = word
            fails(word, "$secret://aws/john/a/b/c", '"a/b/c"')
            assert.same({ "a/b/c" }, asked())
        end)
    end

    it("fails with the first failure where no way of splitting works", function()
        aws.secrets["x/y/z"] = "access_denied"
        fails("access_denied", "$secret://aws/john/x/y/z", '"x/y/z"')
        assert.same({ "x/y/z", "x/y", "x" }, asked())
        fails("not_found", "$secret://aws/john/x/y", '"x/y"')
    end)

    it("is tried six times at most", function()
        fails("not_found", "$secret://aws/john/1/2/3/4/5/6/7/8/9")
        assert.equal(6, #asked())
    end)

    it("stops at the secret it found, whatever the key", function()
        fails("key_not_found", "$secret://aws/john/a/b/x", 'key "x" of secret "a/b"')
        assert.same({ "a/b/x", "a/b" }, asked()) -- each once
        aws.secrets.a = { AWSCURRENT = '{"b/x":"other"}' }
        fails("key_not_found", "$secret://aws/john/a/b/x")
    end)

    it("has slashes in the key where the name is short", function()
        aws.secrets["a/b"] = nil
        aws.secrets.a = { AWSCURRENT = '{"b/c":"deep"}' }
        assert.equal("deep", get("$secret://aws/john/a/b/c"))
    end)

    it("is split first as it was for the last reference of the shape", function()
        aws.secrets["e/f"] = { AWSCURRENT = '{"g":"v2"}' }
        get("$secret://aws/john/a/b/c")
        asked()
        assert.equal("v2", get("$secret://aws/john/e/f/g"))
        assert.same({ "e/f" }, asked())
        one:start_worker()
        aws.secrets["h/i"] = { AWSCURRENT = '{"j":"v3"}' }
        assert.equal("v3", get("$secret://aws/john/h/i/j"))
        assert.same({ "h/i" }, asked())
    end)

    it("remembers per vault and number of segments", function()
        get("$secret://aws/john/a/b/c")
        asked()
        get("$secret://aws/mary/a/b/c")
        assert.equal("a/b/c", asked()[1])
        get("$secret://aws/john/a/b/c/d")
        assert.equal("a/b/c/d", asked()[1])
    end)

    it("is tried in the other ways too where the remembered one fails", function()
        get("$secret://aws/john/a/b/c")
        asked()
        aws.secrets["k/l/m"] = { AWSCURRENT = "whole" }
        assert.equal("whole", get("$secret://aws/john/k/l/m"))
        assert.same({ "k/l", "k/l/m" }, asked())
        assert.equal("whole", get("$secret://aws/john/k/l/m"))
        assert.same({}, asked())
    end)

    describe("that was split as the last one, into a secret without the key,", function()
        local TEXT = "$secret://aws/john/a/b/x"

        before_each(function()
            get("$secret://aws/john/a/b/c")
            asked()
        end)

        it("is tried with longer names, and the one that is there is remembered", function()
            aws.secrets["a/b/x"] = { AWSCURRENT = "whole" }
            assert.equal("whole", get(TEXT))
            assert.same({ "a/b/x" }, asked())
            assert.equal("whole", get("$secret://aws/john/a/b/x"))
            assert.same({}, asked())
            aws.secrets["k/l/m"] = { AWSCURRENT = "other" }
            assert.equal("other", get("$secret://aws/john/k/l/m"))
            assert.same({ "k/l/m" }, asked())
        end)

        it("is tried with the longest name first, and with none that is shorter", function()
            aws.secrets["1/2"] = { AWSCURRENT = '{"3/4":"v"}' }
            assert.equal("v", get("$secret://aws/john/1/2/3/4"))
            asked()
            fails("key_not_found", "$secret://aws/john/1/2/3/5", 'of secret "1/2"')
            assert.same({ "1/2/3/5", "1/2/3" }, asked())
            aws.secrets["1/2/3"] = { AWSCURRENT = '{"4":"none"}' }
            fails("key_not_found", "$secret://aws/john/1/2/3/5", 'key "5" of secret "1/2/3"')
            assert.same({ "1/2/3/5", "1/2/3" }, asked())
        end)

        for _, word in ipairs { "not_found", "access_denied" } do
            it("fails as it did where no other is there: " .. word, function()
                aws.secrets["a/b/x"] = word
                fails("key_not_found", TEXT, 'key "x" of secret "a/b"')
                fails("key_not_found", "$secret://aws/john/a/b/y", 'key "y" of secret "a/b"')
                assert.same({ "a/b/x", "a/b/y" }, asked())
            end)
        end

        for _, word in ipairs { "timeout", "pending" } do
            it("fails with what leaves it unknown: " .. word, function()
                aws.secrets["a/b/x"] = word
                fails(word, TEXT, '"a/b/x"')
                aws.secrets["a/b/x"] = { AWSCURRENT = "whole" }
                assert.equal("whole", get(TEXT))
            end)
        end

        it("serves as it was before, and nobody waits for more than a second", function()
            local options, answer = {}, aws.get
            function aws.get(key, request, ...)
                local value, message, word = answer(key, request, ...)
                options[request.secret_id] = aws.options
                one.world:pass(0.7)
                return value, message, word
            end
            aws.secrets["a/b"], aws.secrets["a/b/c"] = { AWSCURRENT = "{}" }, "timeout"
            one.cache:flush()
            assert.equal("v", get("$secret://aws/john/a/b/c"))
            local patience = options["a/b/c"].patience
            assert.is_true(patience > 0.29 and patience < 0.31, patience)
            aws.secrets["a/b/y"] = "timeout"
            fails("timeout", "$secret://aws/john/a/b/y")
            assert.is_nil(options["a/b/y"].patience or nil)
        end)
    end)

    describe("in use that its vault allows no more", function()
        local USED = "$secret://aws/john/a/b/c"

        local function allow(globs)
            one.vaults.configure { entities = { { prefix = "john", name = "aws",
                                                  config = { allow = globs } } } }
            one.resolve.forget("john")
            asked()
        end

        before_each(function()
            assert.equal("v", get(USED))
        end)

        it("is refused at once where another way is tried first", function()
            aws.secrets["k/l/m"] = { AWSCURRENT = "whole" }
            get("$secret://aws/john/k/l/m")
            allow { "a/b/c" }
            fails("refused", USED, '"a/b"')
            assert.same({ "a/b/c" }, asked())
            fails("not_found", USED, '"a/b/c"')
        end)

        for _, word in ipairs { "timeout", "throttled", "no_credentials" } do
            it("is refused at once where the others fail: " .. word, function()
                aws.secrets["a/b/c"] = word
                allow { "a/b/c" }
                fails("refused", USED, '"a/b"')
                fails(word, USED, '"a/b/c"')
            end)
        end

        it("serves on where it is allowed", function()
            aws.secrets["a/b"], aws.secrets["a/b/c"] = "timeout", "timeout"
            one.cache:flush()
            allow { "a/*" }
            assert.equal("v", get(USED))
            one.world:pass(1)
            assert.equal("v", get(USED))
        end)
    end)

    for _, garbage in ipairs { 0, 99, -1, 1.5, "x", true } do
        it("is not led astray by what the dict holds: " .. tostring(garbage), function()
            one.dict:safe_set("split:aws/john 3", garbage)
            assert.equal("v", get("$secret://aws/john/a/b/c"))
            assert.same({ "a/b/c", "a/b" }, asked())
        end)
    end

    it("works where the dict is full, or there is none", function()
        one.dict.full = true
        assert.equal("v", get("$secret://aws/john/a/b/c"))
        one:start_worker { alone = true }
        asked()
        assert.equal("v", get("$secret://aws/john/a/b/c"))
        assert.equal("w", get("$secret://aws/john/a/b/c/d"))
    end)
end)
