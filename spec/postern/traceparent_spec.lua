local traceparent = require("postern.traceparent")


describe("the header traceparent", function()
    local TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    local GOOD = ("00-%s-%s-01"):format(TRACE, SPAN)

    it("is read", function()
        assert.same({ TRACE, SPAN, "01" }, { traceparent.read(GOOD) })
        assert.same({ TRACE, SPAN, "01" }, { traceparent.read({ GOOD }) })
        -- a later version: its first four fields
        for _, more in ipairs({ "", "-", "-what the future will bring" }) do
            assert.same({ TRACE, SPAN, "00" },
                        { traceparent.read(("cc-%s-%s-00%s"):format(TRACE, SPAN, more)) })
        end
    end)

    it("is none when it is not valid", function()
        for _, wrong in ipairs({
            "", "00", GOOD:upper(), GOOD .. "-", GOOD .. "-x", GOOD .. "0", GOOD .. " ",
            " " .. GOOD, GOOD:sub(1, -2), GOOD:gsub("^00", "ff"), GOOD:gsub("^00", "0g"),
            GOOD:gsub(TRACE, ("0"):rep(32)), GOOD:gsub(SPAN, ("0"):rep(16)),
            GOOD:gsub(TRACE, TRACE .. "0"), GOOD:gsub(TRACE, TRACE:sub(2)),
            GOOD:gsub(SPAN, SPAN .. "0"), GOOD:gsub("-", "_"), GOOD:gsub("4bf9", "4Bf9"),
            ("cc-%s-%s-00x"):format(TRACE, SPAN), ("cc-%s-%s-00-"):format(TRACE, SPAN)
                .. ("x"):rep(512), GOOD .. "\n",
        }) do
            assert.is_nil(traceparent.read(wrong), wrong)
        end
        assert.is_nil(traceparent.read(nil))
        assert.is_nil(traceparent.read({ GOOD, GOOD }))
        assert.is_nil(traceparent.read({}))
        assert.is_nil(traceparent.read(7))
    end)
end)
