--- Test results in the XML that build servers read: JUnit's.
--
-- *Dependencies*: none
--
-- @module postern.testing.junit

local _M = {}


local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
                   ["\n"] = "&#10;", ["\t"] = "&#9;" }

-- XML has no way to say most control characters.
local function escape(text)
    return (tostring(text):gsub("[%z\1-\8\11-\31\127]", "?"):gsub('[&<>"\n\t]', ENTITIES))
end


local ELEMENTS = { failed = "failure", error = "error", pending = "skipped" }

local function add_case(lines, result)
    local head = ('    <testcase classname="%s" name="%s" file="%s" line="%d" time="%.3f"')
        :format(escape(result.file), escape(result.name), escape(result.file), result.line or 0,
                result.seconds or 0)
    local element = ELEMENTS[result.result]
    if not element then
        lines[#lines + 1] = head .. "/>"
        return
    end
    lines[#lines + 1] = head .. ">"
    lines[#lines + 1] = ('      <%s message="%s"/>'):format(element, escape(result.message or ""))
    lines[#lines + 1] = "    </testcase>"
end


local RESULTS = { "passed", "failed", "error", "pending" }

local function suites_of(results)
    local suites, by_file = {}, {}
    for _, result in ipairs(results) do
        local suite = by_file[result.file]
        if not suite then
            suite = {}
            suite.file, suite.tests = result.file, 0
            for _, kind in ipairs(RESULTS) do
                suite[kind] = 0
            end
            by_file[result.file] = suite
            suites[#suites + 1] = suite
        end
        suite.tests = suite.tests + 1
        suite[result.result] = suite[result.result] + 1
        suite[#suite + 1] = result
    end
    return suites
end


--- Writes results as XML.
-- @tparam {table,...} results `{file, line, name, result, message, seconds}`
-- @treturn string a document with a `testsuite` for each file
function _M.encode(results)
    local lines = {}
    lines[1], lines[2] = '<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="postern">'
    for _, suite in ipairs(suites_of(results)) do
        lines[#lines + 1] = ('  <testsuite name="%s" tests="%d" failures="%d" errors="%d" '
            .. 'skipped="%d">'):format(escape(suite.file), suite.tests, suite.failed, suite.error,
                                       suite.pending)
        for _, result in ipairs(suite) do
            add_case(lines, result)
        end
        lines[#lines + 1] = "  </testsuite>"
    end
    lines[#lines + 1] = "</testsuites>"
    return table.concat(lines, "\n") .. "\n"
end


return _M
