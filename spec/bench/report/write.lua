-- Writes docs/performance.md and its plots: `make bench-report`.
--
--     luajit spec/bench/report/write.lua BUILD
--
-- Results in BUILD/bench become those of docs/performance/results; the page is made of the latter,
-- so that without fresh results it comes out as it was.
package.path = "./?.lua;" .. package.path

local page = require("spec.bench.report.page")
local results = require("spec.bench.results")

local build = assert(arg[1], "usage: luajit spec/bench/report/write.lua BUILD")
local DOCS, TEMPLATE = "docs/performance", "spec/bench/report/performance.md.in"


local function write(path, text)
    local file = assert(io.open(path, "wb"))
    assert(file:write(text))
    file:close()
    print("wrote " .. path)
end


local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end


assert(os.execute(("mkdir -p %s/results"):format(DOCS)) == 0)
for _, kind in ipairs(page.KINDS) do
    local fresh = results.read(("%s/bench/%s.json"):format(build, kind))
    if fresh then
        write(("%s/results/%s.json"):format(DOCS, kind), results.encode(fresh))
    end
end
local text, plots = page.make(read(TEMPLATE), page.read(DOCS .. "/results"))
write(DOCS .. ".md", text)
for name, plot in pairs(plots) do
    write(("%s/%s.svg"):format(DOCS, name), plot)
end
