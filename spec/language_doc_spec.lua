-- docs/language.md: every proof it names exists, and nothing of the language is missing from it.
local FOLDERS = { c = "core/tests/", lua = "spec/" }

-- Lists the members of a statement, in `names`.
local MEMBERS_SOURCE = "core/src/policy.c"


local function read(path)
    local file = assert(io.open(path))
    local text = file:read("*a")
    file:close()
    return text
end


-- The rows of all tables: what each speaks of, its rule and its proofs.
local function rows_of(text)
    local rows = {}
    for line in text:gmatch("[^\n]+") do
        local subject, rule, proofs = line:match("^| (.-) | (.+) | (.-) |$")
        if subject and proofs ~= "Proof" then
            rows[#rows + 1] = { subject = subject, rule = rule, proofs = proofs }
        end
    end
    return rows
end


-- Whether a test of that name stands in the file: a C function that is run, or the name of an `it`,
-- a `describe` or a row of a table of specs.
local function has_test(path, name)
    local text = read(path)
    if path:find("%.c$") then
        return text:find("void " .. name .. "(void)", 1, true)
            and text:find("RUN(" .. name .. ")", 1, true)
    end
    return text:find('it("' .. name .. '"', 1, true)
        or text:find('describe("' .. name .. '"', 1, true)
        or text:find('{ name = "' .. name .. '"', 1, true)
end


describe("docs/language.md", function()
    local rows = rows_of(read("docs/language.md"))
    local subjects = {}
    for _, row in ipairs(rows) do
        for name in row.subject:gmatch("`([^`]+)`") do
            subjects[name] = true
        end
    end

    it("names a proof in every row, and each of them exists", function()
        for _, row in ipairs(rows) do
            local count = 0
            for proof in row.proofs:gmatch("`([^`]+)`") do
                count = count + 1
                local file, name = proof:match("^(%S+%.%l+): (.+)$")
                assert.truthy(file, "not `file: test`: " .. proof)
                local path = FOLDERS[file:match("%l+$")] .. file
                assert.truthy(has_test(path, name), "no such test: " .. proof)
            end
            assert.is_true(count > 0, "no proof: " .. row.subject)
        end
        assert.is_true(#rows > 60)
    end)

    it("would miss a test that is not there", function()
        assert.falsy(has_test("core/tests/test_condition.c", "texts_compare_not"))
        assert.falsy(has_test("spec/language_doc_spec.lua", "would miss a test"))
    end)

    it("has every operator", function()
        local count = 0
        for name in read("core/src/operators.h"):gmatch('XX%([%u_]+,%s*"(%a+)"') do
            count = count + 1
            assert.is_true(subjects[name] or false, "no row for " .. name)
        end
        assert.equal(27, count)
    end)

    it("has every member of a policy, of a statement and of a principal", function()
        local members = read(MEMBERS_SOURCE):match('names%[%] = {("Sid".-)}')
        local count = 0
        for name in members:gmatch('"(%a+)"') do
            count = count + 1
            assert.is_true(subjects[name] or false, "no row for " .. name)
        end
        assert.equal(9, count)
        for _, name in ipairs { "Version", "Id", "Statement", "AWS", "Service", "Federated",
            "CanonicalUser", "...IfExists", "ForAllValues:", "ForAnyValue:" } do
            assert.is_true(subjects[name] or false, "no row for " .. name)
        end
    end)
end)
