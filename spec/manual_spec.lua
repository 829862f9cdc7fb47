-- The manual pages have the flags of the command, no others, and are proper pages.
local commands = require("spec.support.commands")
local files = require("spec.support.files")
local served = require("spec.support.served")


local PAGES = {
    { path = "docs/postern.1", commands = { "eval", "explain", "test", "store" } },
    { path = "docs/postern-serve.1", commands = { "serve" } },
}


local function sorted(set)
    local list = {}
    for name in pairs(set) do
        list[#list + 1] = name
    end
    table.sort(list)
    return list
end


-- Flags of the section of options; examples may show those of others.
local function flags_of_help(names)
    local found = {}
    for _, name in ipairs(names) do
        local text, status = commands.sh("postern help " .. name)
        assert.equal(0, status)
        for line in (text:match("\nOptions:\n(.-)\n\n") or text:match("\nOptions:\n(.*)"))
            :gmatch("[^\n]+") do
            local flag = line:match("^   (%-%-[%l-]+)") or line:match("^   %-%l, (%-%-[%l-]+)")
            if flag then
                found[flag] = true
            end
        end
    end
    return found
end


-- Those that a paragraph of the page is about.
local function flags_of_page(text)
    local found = {}
    for line in text:gsub("\\%-", "-"):gmatch("\n%.TP\n([^\n]*)") do
        for flag in line:gmatch("%-%-[%l-]+") do
            found[flag] = true
        end
    end
    return found
end


local function has(program)
    return select(2, commands.sh("command -v " .. program)) == 0
end


for _, page in ipairs(PAGES) do
    describe(page.path, function()
        local text = files.read(page.path)

        it("has every flag, and no other", function()
            local expected, told = flags_of_help(page.commands), flags_of_page(text)
            expected["--help"], told["--help"] = nil, nil
            assert.same(sorted(expected), sorted(told))
            assert.is_true(#sorted(told) >= 5)
        end)

        it("is shown without a warning", function()
            if not (has("mandoc") or has("groff")) then
                pending("neither mandoc nor groff is there")
                return
            end
            for program, line in pairs({
                mandoc = "mandoc -T lint -W warning ", groff = "groff -man -ww -z ",
            }) do
                if has(program) then
                    local said, status = commands.sh("LD_PRELOAD= " .. line .. page.path)
                    assert.equal("", said)
                    assert.equal(0, status)
                end
            end
        end)

        it("is installed", function()
            assert.matches(page.path, files.read("CMakeLists.txt"):match(
                "install%(FILES ([^)]*) DESTINATION share/man/man1%)"), 1, true)
        end)
    end)
end


describe("postern serve --help", function()
    it("shows a call that is answered", function()
        local call = commands.sh("postern help serve"):match("\n  (curl %-%-json .-)\n\n")
        assert.matches(call:match("'(.-)'"), files.read("docs/postern-serve.1"), 1, true)
        commands.with_files({
            ["estate.lua"] = 'account "111122223333" region "eu-central-1" api "a1b2c3d4e5" { '
                .. 'endpoint_type = "REGIONAL", authorization = "NONE", stages = "dev" }',
        }, function(folder)
            local server = served.start("exec postern serve --listen 127.0.0.1:0",
                                        { folder = folder })
            local ok, err = pcall(function()
                local said = commands.sh((call:gsub("127%.0%.0%.1:8180", server:ready())))
                assert.matches('"decision":"Allowed"', said, 1, true)
            end)
            server:close()
            assert(ok, err)
        end)
    end)
end)
