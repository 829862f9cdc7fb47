-- Real policies, where the shared corpus is there: POSTERN_SHARED, or `../shared`. Every one loads,
-- or is refused for a reason that is right. `index.jsonl` says what each is attached as.
local json = require("dkjson")
local sets = require("postern.set")

local SHARED = os.getenv("POSTERN_SHARED") or "../shared"

-- What is refused, and why that is right.
local REFUSED = {
    -- Syntax templates, with a choice for the reader where the value belongs.
    ["apigateway/0002-api-gateway-control-access-using-iam-policies-to-invoke-api.json"] =
        "Effect is `Permission`",
    ["apigateway/0009-api-gateway-lambda-authorizer-output.json"] = "Effect is `Allow|Deny`",
    -- A fragment that shows a condition; no policy of a resource goes without Resource.
    ["iam/0249-reference-policies-variables.json"] = "neither Resource nor NotResource",
}


local function read(path)
    local file = io.open(path, "rb")
    local text = file and file:read("*a")
    if file then
        file:close()
    end
    return text
end


describe("the shared corpus", function()
    local index = read(SHARED .. "/corpus/index.jsonl")

    if not index then
        pending("is not there: set POSTERN_SHARED, or put it at ../shared")
        return
    end

    for _, strictness in ipairs({ "structural", "attachable" }) do
        it("loads, " .. strictness, function()
            local count, refused = 0, 0
            for line in index:gmatch("[^\n]+") do
                local entry = json.decode(line)
                local set, err = sets.compile(read(SHARED .. "/corpus/" .. entry.file),
                    { type = entry.kind, strictness = strictness, name = entry.file })
                local why = REFUSED[entry.file]
                count = count + 1
                if why then
                    refused = refused + 1
                    assert.is_nil(set, entry.file)
                    assert.truthy(tostring(err):find(why, 1, true), tostring(err))
                    assert.truthy(tostring(err):find("^[^:]+:%d+:%d+: "), tostring(err))
                else
                    assert.truthy(set, tostring(err))
                end
            end
            assert.is_true(count > 300)
            assert.equal(3, refused)
        end)
    end
end)
