-- docs/nginx.md: an operator who follows it comes to what it says. Its files and commands are those
-- of a whole machine, so they are tried with a root of their own: the folders that it names are
-- below a temporary one, its ports are free ones, and Debian's own nginx.conf reads its files.
local commands = require("spec.support.commands")
local documents = require("spec.support.documents")
local files = require("spec.support.files")
local lint = require("postern.resty.lint")
local options = require("postern.resty.options")
local ports = require("spec.support.ports")
local uv = require("luv")

local PATH = "docs/nginx.md"
local TEXT = files.read(PATH)

local FOLDERS = { "/etc/postern", "/etc/nginx", "/var/log/nginx", "/usr/local" }

-- Stands for a second of waiting of the page's, which is for a machine at leisure and defaults.
local HASTE = 'init("%1", { poll = 0.05, follow = 0.02, report = 0.01 })'


local function quoted(text)
    return (text:gsub("%p", "%%%0"))
end


local function free_ports()
    return { ["8080"] = ports.free(), ["8081"] = ports.free() }
end


-- ---- A machine of its own -----------------------------------------------------------


local Machine = {}
Machine.__index = Machine


-- A text of the page, as it is on this machine.
function Machine:here(text)
    for _, folder in ipairs(FOLDERS) do
        text = text:gsub(quoted(folder) .. "%f[/%s]", self.root .. folder)
    end
    for port, free in pairs(self.ports) do
        text = text:gsub("127%.0%.0%.1:" .. port, "127.0.0.1:" .. free)
    end
    return text
end


-- What is the same on every machine: the page's folders and ports, and words for what nobody can
-- foretell, one for each value.
local function plain(self, text)
    text = text:gsub(quoted(self.root), "")
    for port, free in pairs(self.ports) do
        text = text:gsub("127%.0%.0%.1:" .. free, "127.0.0.1:" .. port)
    end
    local names, count = {}, 0
    local function name(id)
        if (#id == 32 or #id == 64) and not names[id] then
            count = count + 1
            names[id] = ("<id %d>"):format(count)
        end
        return names[id] or id
    end
    return (text:gsub('"us":"%d+"', '"us":"1"'):gsub("%f[%x]%x+%f[%X]", name))
end


function Machine:write(path, text)
    local full = self.root .. path
    os.execute("mkdir -p " .. full:match("^(.*)/"))
    local file = assert(io.open(full, "wb"))
    file:write(text)
    file:close()
end


-- Debian's configuration, but for what belongs to the machine.
local function frame(self)
    local user = uv.os_get_passwd().username
    local temporary = ""
    for _, what in ipairs({ "client_body", "proxy", "fastcgi", "uwsgi", "scgi" }) do
        temporary = temporary .. ("%s_temp_path %s/tmp/%s; "):format(what, self.root, what)
    end
    return (files.read("/etc/nginx/nginx.conf")
        :gsub("user www%-data;", "user " .. user .. ";")
        :gsub("worker_processes auto;", "worker_processes 2;")
        :gsub("/run/nginx.pid", self.root .. "/nginx.pid")
        :gsub("/var/log/nginx", self.root .. "/var/log/nginx")
        :gsub("/etc/nginx/(conf%.d)", self.root .. "/etc/nginx/%1")
        :gsub("/etc/nginx/(sites%-enabled)", self.root .. "/etc/nginx/%1")
        :gsub("http {", "%0 " .. temporary, 1))
end


local function machine(root)
    local self = setmetatable({ root = root, ports = free_ports() }, Machine)
    self:write("/etc/nginx/nginx.conf", frame(self))
    self:write("/var/log/nginx/error.log", "")
    os.execute("mkdir " .. root .. "/tmp")
    self:write("/bin/nginx", ([[#!/bin/sh
        exec /usr/sbin/nginx -e %s/var/log/nginx/error.log -c %s/etc/nginx/nginx.conf "$@"
    ]]):format(root, root))
    os.execute("chmod +x " .. root .. "/bin/nginx")
    return self
end


-- Types a block of the page.
function Machine:type(command)
    local lua = self.root .. "/usr/local/share/lua/5.1"
    local environment = ('export PATH="%s/bin:%s/usr/local/bin:$PATH" '
        .. 'LUA_PATH="%s/?.lua;%s/?/init.lua;;" LUA_CPATH="%s/usr/local/lib/lua/5.1/?.so;;"\n')
        :format(self.root, self.root, lua, lua, self.root)
    command = self:here(command):gsub("sleep 5", "sleep 2")
    return plain(self, (commands.sh(environment .. command, self.root .. "/tmp")))
end


function Machine:file(path, text)
    self:write(path, (self:here(text):gsub('init%("([^"]+)"%)', HASTE)))
end


-- Only what follows `make`: the packages are those that the tests have needed already.
function Machine:install(block)
    local targets = assert(block.text:match("\nmake ([%l -]+)\n"), block.place)
    for target in targets:gmatch("%S+") do
        assert.truthy(files.read("Makefile"):find("\n" .. target:gsub("%-", "%%-") .. ":"), target)
    end
    local said, status = commands.sh(("make install BUILD=%s PREFIX=%s/usr/local")
        :format(commands.build(), self.root), commands.here())
    assert.equal(0, status, said)
end


-- ---- The page -----------------------------------------------------------------------


-- Follows the page from top to bottom; hands each block of commands to `check` with what it prints.
local function follow(self, blocks, check)
    local count = 0
    for i, block in ipairs(blocks) do
        local path = block.info:match("^%l+ (/%S+)$")
        if path then
            self:file(path, block.text)
        elseif block.info == "sh root" then
            self:install(block)
        elseif block.info == "sh" then
            count = count + 1
            check(block, blocks[i + 1], self:type(block.text))
        end
    end
    return count
end


-- The first cells of the table below a heading of that cell.
local function rows(heading)
    local found = {}
    local body = assert(TEXT:match("\n| " .. quoted(heading) .. " |[^\n]*\n|[-|]+\n(.-)\n\n"),
                        heading)
    for row in (body .. "\n"):gmatch("| (.-) |[^\n]*\n") do
        for name in row:gmatch("`([^`]+)`") do
            found[name] = true
        end
    end
    return found
end


local function same_names(expected, found)
    for name in pairs(expected) do
        assert.is_true(found[name], "no " .. name)
    end
    for name in pairs(found) do
        assert.is_true(expected[name] ~= nil, name .. " is on the page alone")
    end
end


describe(PATH, function()
    it("comes from nothing to a policy that is enforced, and prints what it says", function()
        commands.with_files({}, function(root)
            local self = machine(root)
            local ok, err = pcall(follow, self, documents.blocks(PATH),
                function(block, after, printed)
                    assert.equal("output", after and after.info, block.place)
                    assert.equal(plain(self, after.text), printed, block.place)
                end)
            self:type("nginx -s stop; while [ -e ../nginx.pid ]; do sleep 0.05; done")
            assert(ok, err)
        end)
    end)

    it("has every variable, and no other", function()
        local settings, told = rows("Variable | `access{...}`"), rows("Variable | Holds")
        local found = {}
        for name in files.read("nginx/postern.conf"):gmatch("map %$host (%$postern_[%l_]+)") do
            found[name] = true
            assert.is_true(settings[name] or told[name], "no " .. name)
        end
        for _, names in ipairs({ settings, told }) do
            for name in pairs(names) do
                assert.is_true(not name:find("^%$postern_%l") or found[name], name)
            end
        end
    end)

    it("has every option of `init` with its default, and no other", function()
        same_names(options.fill(), rows("Option"))
        for name, default in pairs(options.fill()) do
            local said = TEXT:match("\n| `" .. name .. "` | `?([^|`]-)`? |")
            assert.equal(type(default) == "table" and "none" or tostring(default), said, name)
        end
    end)

    it("has every function, and no other", function()
        local functions = {}
        for name, value in pairs(require("postern.resty")) do
            functions[name] = type(value) == "function" or nil
        end
        local found = {}
        for name in pairs(rows("Function")) do
            found[name:match("^[%l_]+")] = true
        end
        same_names(functions, found)
    end)

    it("has messages that somebody writes", function()
        local sources = files.read("lua/postern/engine.lua") .. files.read("lua/postern/resty.lua")
        for _, path in ipairs(files.list("lua/postern/resty", "%.lua$")) do
            sources = sources .. files.read(path)
        end
        -- As one text: what stands on two lines is joined, and quotes are as the log has them.
        sources = sources:gsub('"%s*%.%. "', "")
        local count = 0
        for message in TEXT:match("\n## Messages\n(.*)$"):gmatch("\n| ``? ?(.-) ?``? | ") do
            count = count + 1
            assert.truthy(sources:find(message, 1, true), message)
        end
        assert.is_true(count > 10)
    end)

    it("names proofs that exist", function()
        local count = 0
        for proof in TEXT:gmatch("\nProof: (.-)\n\n") do
            for path, name in proof:gsub("\n", " ")
                :gmatch("``? ?(%S+_spec%.lua): (.-) ?``?%f[,%z]") do
                count = count + 1
                assert.truthy(files.read("spec/" .. path):find('it("' .. name .. '"', 1, true),
                              path .. ": " .. name)
            end
        end
        assert.is_true(count > 20, count .. " proofs")
    end)

    it("is announced by a synopsis in the README that works", function()
        local synopsis
        for _, block in ipairs(documents.blocks("README.md")) do
            synopsis = synopsis or block.info == "nginx" and block.text
        end
        commands.with_files({}, function(root)
            local self = machine(root)
            for _, block in ipairs(documents.blocks(PATH)) do
                local path = block.info:match("^%l+ (/etc/postern/%w+%.%w+)$")
                if path then
                    self:file(path, block.text)
                elseif block.info == "sh root" then
                    self:install(block)
                end
            end
            self:file("/etc/nginx/conf.d/gateway.conf", synopsis
                .. "server { listen 127.0.0.1:8081; return 200 behind; }")
            local ASK = "nginx && curl -s http://127.0.0.1:8080/orders; "
                .. "curl -s -o /dev/null -w ' %{http_code}' http://127.0.0.1:8080/other"
            local ok, said = pcall(self.type, self, ASK)
            self:type("nginx -s stop; while [ -e ../nginx.pid ]; do sleep 0.05; done")
            assert(ok, said)
            assert.equal("behind 403", said)
        end)
    end)

    it("has pieces of configuration that nginx's linter can read", function()
        for _, block in ipairs(documents.blocks(PATH)) do
            if block.info:find("^nginx") then
                assert.is_true(#lint.read(block.text).inner > 0, block.place)
            end
        end
    end)
end)
