local crypto = require("postern.crypto")


local function unhex(text)
    return (text:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end))
end


describe("hashes", function()
    -- FIPS 180-2, appendix B, and the empty text.
    it("of SHA-256 are the standard's", function()
        for text, hash in pairs({
            [""] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq =
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        }) do
            assert.equal(hash, crypto.hex(crypto.sha256(text)))
        end
    end)

    -- RFC 4231, sections 4.2, 4.3, 4.4 and 4.7 (a key longer than a block).
    it("with a key are the standard's", function()
        for _, row in ipairs({
            { ("\11"):rep(20), "Hi There",
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
            { "Jefe", "what do ya want for nothing?",
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
            { ("\170"):rep(20), ("\221"):rep(50),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
            { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        }) do
            assert.equal(row[3], crypto.hex(crypto.hmac_sha256(row[1], row[2])))
        end
    end)

    it("take every byte", function()
        local bytes = {}
        for i = 0, 255 do
            bytes[#bytes + 1] = string.char(i)
        end
        assert.equal("40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880",
                     crypto.hex(crypto.sha256(table.concat(bytes))))
    end)
end)


describe("comparing", function()
    it("is equality", function()
        local texts = { "", "a", "b", "ab", "a\0", "\0", "\0\0", ("a"):rep(1000),
                        ("a"):rep(999) .. "b" }
        for i, a in ipairs(texts) do
            for j, b in ipairs(texts) do
                assert.equal(i == j, crypto.equal(a, b))
            end
        end
    end)

    it("sees only what a secret key makes of the texts", function()
        local asked, real = {}, crypto.hmac_sha256
        crypto.hmac_sha256 = function(key, text)
            asked[#asked + 1] = { key, text }
            return real(key, text)
        end
        local equal = crypto.equal("a", "b")
        crypto.hmac_sha256 = real
        assert.is_false(equal)
        assert.same({ "a", "b" }, { asked[1][2], asked[2][2] })
        assert.equal(asked[1][1], asked[2][1])
        assert.equal(32, #asked[1][1])
    end)
end)


describe("hexadecimal", function()
    it("has two lower-case digits a byte", function()
        assert.equal("", crypto.hex(""))
        assert.equal("000a7fff0a", crypto.hex("\0\n\127\255\n"))
        assert.equal("\0\n\127\255\n", unhex(crypto.hex("\0\n\127\255\n")))
    end)
end)


describe("base64", function()
    -- RFC 4648, section 10.
    local ROWS = { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==",
                   fooba = "Zm9vYmE=", foobar = "Zm9vYmFy", ["\251\255\191"] = "+/+/",
                   ["\0\0\0"] = "AAAA" }

    it("is written and read", function()
        for bytes, text in pairs(ROWS) do
            assert.equal(text, crypto.base64(bytes))
            assert.equal(bytes, crypto.base64_decode(text))
        end
    end)

    it("is read strictly", function()
        for _, text in ipairs({ "Z", "Zg", "Zg=", "Zg===", "=", "====", "Zh==", "Zm9=", "Zm9v\n",
                                "Zm-_", "Zg==Zg==", "Z===", "Zm 9v" }) do
            local bytes, err = crypto.base64_decode(text)
            assert.is_nil(bytes)
            assert.equal("not base64", err)
        end
    end)
end)


describe("random bytes", function()
    it("are as many as are asked for, and never the same", function()
        local seen = {}
        for _ = 1, 100 do
            local bytes = crypto.random(16)
            assert.equal(16, #bytes)
            assert.is_nil(seen[bytes])
            seen[bytes] = true
        end
        assert.equal(4096, #crypto.random(4096))
    end)
end)
