-- percent_spec - text as it stands in a part of a reference.
--
-- For:   what is decoded, what is refused, that encoding is undone.
-- Never: references.

local percent = require "vault.percent"

describe("percent", function()
    it("decodes once, and leaves all else as it is", function()
        assert.equal("", percent.decode(""))
        assert.equal("a+b", percent.decode("a+b"))
        assert.equal("a/b c%20", percent.decode("a%2Fb%20c%2520"))
        assert.equal("é\255", percent.decode("%C3%a9%fF"))
    end)

    it("refuses a % that encodes nothing", function()
        for _, text in ipairs { "%", "a%2", "%2G", "%%20", "%20%" } do
            assert.same({ nil, 'has a "%" without two hex digits after it', text, n = 3 },
                { n = select("#", percent.decode(text)), percent.decode(text) })
        end
    end)

    it("finds each control byte, encoded or not, and no other", function()
        for code = 0, 255 do
            local is_control = code < 32 or code == 127
            local text = "a" .. string.char(code)
            assert.equal(is_control, percent.has_control(text))
            assert.equal(is_control, percent.has_control(text .. "b"))
            local plain, problem, shown = percent.decode(("a%%%02x"):format(code))
            if is_control then
                assert.same({ nil, "holds a control byte", text }, { plain, problem, shown })
            else
                assert.equal(text, plain)
            end
        end
        assert.is_false(percent.has_control(""))
    end)

    it("encodes what decoding undoes, with nothing in it that a reference could take for its own",
        function()
            for code = 0, 255 do
                local one = string.char(code)
                local encoded = percent.encode(one)
                assert.is_truthy(encoded:match("^[%w%-%._~+=@:,]$") or encoded:match("^%%%x%x$"))
                if not percent.has_control(one) then
                    assert.equal(one, percent.decode(encoded))
                end
            end
            assert.equal("a%2Fb%7D%23%3F%25", percent.encode("a/b}#?%"))
        end)
end)
