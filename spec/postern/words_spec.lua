local words = require("postern.words")
local config = require("postern.config")


describe("the words of an estate", function()
    local function read(text)
        local entries, problems = config.read("estate.lua", {
            words = words, read = function() return text end,
        })
        return entries, tostring(problems)
    end

    it("take what the reference says, and nothing else", function()
        for text, message in pairs({
            ['account "111122223333"'] = "",
            ['account "1111"'] = "`account` is `1111`: give an account id of 12 digits",
            ['account "111122223333" account "111122223333"'] = "account is given again",
            ['api "a" { endpoint_type = "EDGE", authorization = "NONE", stages = "live" }'] = "",
            ['api "a" { endpoint_type = "LOCAL", authorization = "NONE", stages = "live" }'] =
                "api `a`: `endpoint_type` is `LOCAL`: there are `EDGE`, `PRIVATE`, `REGIONAL`",
            ['api "a" { authorization = "NONE", stages = "live" }'] =
                "api `a`: `endpoint_type` is missing",
            ['resource "arn:aws:s3:::b" { policy = "b.json", policy_limit = "many" }'] =
                "`policy_limit` is `many`: give a whole number",
            ['route_table "r" { vpc = "v", routes = { { target = "local" } } }'] =
                "`destination` is missing",
            ['organization "o" { root = "r", units = { { id = "u", units = { { id = "w" } } } }}'] =
                "",
            ['organization "o" { root = "r", units = { { id = "u", units = { { x = "w" } } } }}'] =
                "unknown member `x`",
            ['rules "x.lua" { whatever = { 1 } }'] = "",
        }) do
            local _, problems = read(text)
            if message == "" then
                assert.equal("", problems)
            else
                assert.matches(message, problems, 1, true)
            end
        end
    end)

    it("are a value or members each, never both", function()
        for word, spec in pairs(words) do
            assert.is_true((spec.value == nil) ~= (spec.members == nil), word)
        end
    end)
end)
