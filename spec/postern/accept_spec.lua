local accept = require("postern.accept")


describe("the header Accept", function()
    local OFFERS = {
        { type = "application/json", parameters = { charset = "utf-8" } },
        { type = "text/plain", parameters = { charset = "utf-8", version = { ["1"] = true,
                                                                            ["2"] = true } } },
    }
    local JSON, TEXT = 1, 2

    it("is read as RFC 9110 has it", function()
        for _, row in ipairs({
            { nil, JSON },
            { "", JSON },
            { "*/*", JSON },
            { "application/json", JSON },
            { "text/plain", TEXT },
            { "TEXT/Plain", TEXT },
            { "text/*", TEXT },
            { "text/html", JSON },
            -- a browser's: neither is named, both are as good
            { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON },
            { "application/json, text/plain, */*", JSON },
            { "text/plain, application/json", JSON }, -- order means nothing
            { "text/plain, */*;q=0.1", TEXT },
            { "text/plain;q=0.5, application/json;q=0.4", TEXT },
            { "text/plain;q=0.4, application/json;q=0.5", JSON },
            { "text/plain;q=0.001, application/json;q=0", TEXT },
            { "text/plain;q=0, application/json;q=0", JSON },
            { "application/json;q=0", JSON },
            -- the more specific range counts, also when it is the lower one
            { "text/*;q=0.9, text/plain;q=0.1, application/json;q=0.5", JSON },
            { "*/*;q=1, application/json;q=0.5", TEXT },
            { "*/*, application/json;q=0", TEXT },
            { "application/*;q=0.3, text/plain;q=0.2", JSON },
            { "text/plain;q=0.2, text/plain;q=0.6, application/json;q=0.5", TEXT },
            -- parameters: the form has to have them
            { "text/plain;charset=utf-8", TEXT },
            { 'text/plain; charset="UTF-8"', TEXT },
            { "text/plain;charset=latin1, application/json;q=0.1", JSON },
            { "text/plain;format=flowed", JSON },
            { "text/plain;version=2;q=0.5, application/json;q=0.4", TEXT },
            { "text/plain;version=3;q=0.5, application/json;q=0.4", JSON },
            { "text/plain;q=0.1, text/plain;version=1;q=0.9, application/json;q=0.5", TEXT },
            -- white space and empty elements
            { " text/plain ; q=0.5 ,, application/json;q=0.4 ", TEXT },
            { ",, text/plain,", TEXT },
        }) do
            assert.equal(row[2], accept.choose(row[1], OFFERS), tostring(row[1]))
        end
    end)

    it("gets the first form when it is malformed, as a whole", function()
        for _, header in ipairs({
            "text/plain, nonsense", "text/plain, /", "text/plain;", "text/plain;q", "text",
            "text/plain;q=2", "text/plain;q=1.001", "text/plain;q=0.1234", "text/plain;q=-1",
            "text/plain;q=", "text/plain;q=.5", "text/plain;q= 1", "text/plain;q =1", "*/plain",
            "text/plain text/html", 'text/plain;charset="utf-8', "text/plain;q=0.5;",
            "text / plain", "text/plain\n", "text/plain\0", "text/pl\195\164in",
            "text/plain;q=nan", "text/plain;q=1e0", "text/plain;q=0x1",
        }) do
            assert.equal(JSON, accept.choose(header, OFFERS), header)
        end
    end)

    it("may be on several lines", function()
        assert.equal(TEXT, accept.choose({ "application/json;q=0.5", "text/plain" }, OFFERS))
        assert.equal(JSON, accept.choose({ "text/plain;q=0.5", "application/json" }, OFFERS))
        assert.equal(JSON, accept.choose({}, OFFERS))
    end)

    it("is not read when it is longer than anybody's", function()
        local long = ("text/html, "):rep(100) .. "text/plain"
        assert.is_true(#long > 1024)
        assert.equal(JSON, accept.choose(long, OFFERS))
        assert.equal(TEXT, accept.choose(long:sub(-1000):gsub("^[^,]*,", ""), OFFERS))
    end)
end)
