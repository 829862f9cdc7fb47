--- A document that goes from an empty folder on, followed step by step.
--
-- A block with a file's name behind its language (`lua estate.lua`) is written there. `sh server`
-- starts a server in place of the one before, `sh` is run. An `output` block behind it is what that
-- prints, a `log` block what the server has to have written. Commands of `make` and of `systemctl`
-- are for a whole machine: these are not run.

local commands = require("spec.support.commands")
local documents = require("spec.support.documents")
local ports = require("spec.support.ports")
local served = require("spec.support.served")

local _M = {}
local Walk = {}
Walk.__index = Walk


--- Begins one.
-- @tparam string path of the document
-- @tparam {number,...} numbers the ports that it names; free ones are taken in their place
-- @treturn Walk `steps`, the blocks
function _M.new(path, numbers)
    local self = setmetatable({ steps = documents.blocks(path), ports = {} }, Walk)
    for _, number in ipairs(numbers) do
        self.ports[tostring(number)] = tostring(ports.free())
    end
    self.folder = os.tmpname()
    os.remove(self.folder)
    assert(os.execute(("mkdir -m 700 %s && echo no-progress-meter > %s/.curlrc"):format(
        self.folder, self.folder)) == 0)
    return self
end


-- The document's ports for those that are taken, and back.
local function exchange(self, text, back)
    for told, taken in pairs(self.ports) do
        local from, to = back and taken or told, back and told or taken
        text = text:gsub("%f[%d]" .. from .. "%f[%D]", to)
    end
    return text
end


--- What nobody can foretell, made alike: revisions and other hashes, ids.
-- @tparam string text
-- @treturn string
function _M.plain(text)
    return (text:gsub("%x+", function(word)
        return #word == 64 and "<hash>" or nil
    end):gsub("%f[%x]" .. ("%x"):rep(16) .. "%-%x+", "<id>"))
end


local function stop(self)
    if self.server then
        self.server:stop()
        self.server:close()
        self.server = nil
    end
end


local DO = {}

function DO.server(self, block)
    stop(self)
    local line = exchange(self, block.text):gsub("\n$", "")
    self.server = served.start(line:find("exec ", 1, true) and line or "exec " .. line,
                               { folder = self.folder })
    self.server:ready()
end


function DO.run(self, block)
    -- curl tells how far it is when nobody looks at what it prints.
    local output, status = commands.sh("export CURL_HOME=.\n" .. exchange(self, block.text),
                                       self.folder)
    return exchange(self, output, true), status
end


function DO.write(self, block, name)
    local file = assert(io.open(self.folder .. "/" .. name, "w"))
    file:write((exchange(self, block.text)))
    file:close()
end


-- Waits until the server has written each line.
function DO.log(self, block)
    local missing
    self.server:until_true(function()
        missing = nil
        local said = exchange(self, self.server.said, true)
        for _, line in ipairs(block.lines) do
            if not said:find(line, 1, true) then
                missing = line
            end
        end
        return not missing
    end)
    return missing
end


--- What a block is.
-- @treturn string|nil `server`, `run`, `write` or `log`; nil: nothing is done with it
-- @treturn string|nil the file that is written
function _M.kind(block)
    local name = block.info:match("^%l+ ([%w_.-]+)$")
    if block.info == "sh server" then
        return "server"
    elseif block.info == "sh" then
        local whole = block.text:find("^make ") or block.text:find("\nsystemctl ")
        return not whole and "run" or nil
    elseif block.info == "log" then
        return "log"
    elseif name then
        return "write", name
    end
end


--- Does what a block says.
-- @tparam table block
-- @return of `run` the output and the exit status, of `log` a line that is missing
function Walk:follow(block)
    local kind, name = _M.kind(block)
    return DO[kind](self, block, name)
end


--- Stops the server, and removes the folder.
function Walk:close()
    stop(self)
    assert(os.execute("rm -r " .. self.folder) == 0)
end




return _M
