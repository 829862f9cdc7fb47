--- Case files: a request, its policies and what is expected, one JSON object a line.
--
-- Every line is read by the strict reader, and its policies are compiled from their source as it
-- stands, so an error inside a policy has its place in the case file.
--
-- *Dependencies*: postern.document, postern.set, postern.context, postern.flow
--
-- @module postern.cases
local document = require("postern.document")
local sets = require("postern.set")
local context = require("postern.context")
local flow = require("postern.flow")


local _M = {}
local Cases = {}
Cases.__index = Cases


local OUTCOMES = { Allowed = true, ExplicitlyDenied = true, ImplicitlyDenied = true }

-- How many documents a gate takes: one, several that work as one, or one or several a level.
local GATES = {
    resource = "one", endpoint = "one", boundary = "one", session = "one",
    identity = "several", scp = "levels", rcp = "levels",
}


--- Makes a runner for the lines of one case file.
-- @tparam table options `name` (the file), `pack` (a flow pack), `read` (a host's reader; names of
-- policy files are relative to the case file), and if wanted `swap`, a function that is shown every
-- policy as `{name, text}` and may answer the text to take instead
-- @treturn Cases
function _M.new(options)
    return setmetatable({
        name = options.name,
        folder = options.name:match("^(.*/)") or "",
        pack = options.pack,
        read = options.read,
        swap = options.swap,
        files = {}, -- policy files by name, and the sets made of nothing but files
        shared = {},
    }, Cases)
end


-- Errors travel as tables {code, message}; raising them keeps the reading code straight, and
-- `decide` below is the only one to catch them.
local function refuse(code, message, ...)
    error({ code = code, message = message:format(...) }, 0)
end


-- The place in the file of a place in the case's text, which begins on `line`.
local function file_place(line, doc, node)
    local inside, column = doc:place(node)
    return line + inside - 1, column
end


local function refuse_at(self, line, doc, node, code, message, ...)
    local at, column = file_place(line, doc, node)
    refuse(code, "%s:%d:%d: %s", self.name, at, column, message:format(...))
end


local function read_file(self, line, doc, node)
    local file = doc:text(node)
    local path = file:sub(1, 1) == "/" and file or self.folder .. file
    if not self.files[path] then
        local text, err = self.read(path)
        if not text then
            refuse_at(self, line, doc, node, "file", "policy file `%s`: %s", path, err)
        end
        self.files[path] = text
    end
    return { name = path, text = self.files[path] }
end


-- A policy of a case: the object itself, or the name of a file.
local function policy_of(self, line, doc, node)
    if doc:kind(node) == "string" then
        local policy = read_file(self, line, doc, node)
        policy.is_file = true
        return policy
    end
    local at, column = file_place(line, doc, node)
    return { name = self.name, text = doc:raw(node), line = at, column = column }
end


local function policies_of(self, line, doc, node)
    if doc:kind(node) ~= "array" then
        return { policy_of(self, line, doc, node) }
    end
    local policies = {}
    for i, item in doc:items(node) do
        policies[i] = policy_of(self, line, doc, item)
    end
    return policies
end


local function compile(self, policies, gate, api_arn)
    for _, policy in ipairs(self.swap and policies or {}) do
        policy.text = self.swap(policy) or policy.text
    end
    local set, err = sets.compile(policies, {
        type = gate, strictness = "structural", api_arn = api_arn, name = gate,
    })
    if not set then
        refuse(err.status, "%s", tostring(err))
    end
    return set
end


-- Sets of files alone are the same for every case that names them.
local function set_of(self, policies, gate, api_arn)
    local names = { gate, api_arn or "" }
    for i, policy in ipairs(policies) do
        if not policy.is_file then
            return compile(self, policies, gate, api_arn)
        end
        names[i + 2] = policy.name
    end
    local key = table.concat(names, "\0")
    self.shared[key] = self.shared[key] or compile(self, policies, gate, api_arn)
    return self.shared[key]
end


-- The API a method belongs to: what `execute-api:/` stands for in its resource policy.
local function api_arn_of(resource)
    return resource:match("^(arn:[^:*?$]*:execute%-api:[^:*?$]*:[^:*?$]*:[^:/*?$]+)/")
end


local function sets_of_gate(self, line, doc, node, gate, api_arn)
    local arity = GATES[gate]
    if arity == "one" and doc:kind(node) == "array" then
        refuse_at(self, line, doc, node, "structure", "`%s` is a list: give one policy", gate)
    elseif arity ~= "levels" then
        local policies = policies_of(self, line, doc, node)
        return #policies > 0 and set_of(self, policies, gate, api_arn) or nil
    end
    local levels = {}
    if doc:kind(node) ~= "array" then
        levels[1] = set_of(self, policies_of(self, line, doc, node), gate)
    end
    for i, item in doc:items(node) do
        levels[i] = set_of(self, policies_of(self, line, doc, item), gate)
    end
    return levels
end


local function gates_of(self, line, doc, node, resource)
    local gates = {}
    if doc:kind(node) ~= "object" then
        refuse_at(self, line, doc, node, "case", "`policies` is %s: give an object of gates",
                  doc:describe(node))
    end
    for gate, value, name_node in doc:members(node) do
        if not GATES[gate] then
            refuse_at(self, line, doc, name_node, "case", "no such gate: `%s`: there are scp, rcp, "
                .. "endpoint, resource, identity, boundary and session", gate)
        end
        local api_arn = gate == "resource" and api_arn_of(resource) or nil
        gates[gate] = sets_of_gate(self, line, doc, value, gate, api_arn)
    end
    return gates
end


local function text_member(self, line, doc, name)
    local node = doc:get(doc:root(), name)
    if node and doc:kind(node) ~= "string" then
        refuse_at(self, line, doc, node, "case", "`%s` is %s: give a string", name,
                  doc:describe(node))
    end
    return node and doc:text(node), node
end


local function member_of(self, line, doc, name)
    local node = doc:get(doc:root(), name)
    if not node then
        refuse("case", "%s:%d:1: `%s` is missing: add it", self.name, line, name)
    end
    return node
end


local function read_document(self, text, line)
    local doc, err = document.new(text, self.name)
    if not doc then
        refuse(err.status, "%s:%d:%d: %s", self.name, line + math.max(err.line, 1) - 1,
               err.column, err.message)
    elseif doc:kind(doc:root()) ~= "object" then
        refuse("case", "%s:%d:1: the case is %s: give an object", self.name, line,
               doc:describe(doc:root()))
    end
    return doc
end


local function read_case(self, text, line, case)
    local doc = read_document(self, text, line)
    case.id = text_member(self, line, doc, "id") or case.id
    case.why = text_member(self, line, doc, "why")
    local expect, node = text_member(self, line, doc, "expect")
    if expect and not OUTCOMES[expect] then
        refuse_at(self, line, doc, node, "case", "`expect` is `%s`: give Allowed, "
            .. "ExplicitlyDenied or ImplicitlyDenied", expect)
    end
    case.expect = expect

    local request, err = context.read(doc, member_of(self, line, doc, "request"),
                                      { lenient = true })
    if not request then
        refuse(err.status, "%s:%d:%d: %s", self.name, line + err.line - 1, err.column,
               err.message)
    end
    local gates = gates_of(self, line, doc, member_of(self, line, doc, "policies"),
                           request.resource)
    local combined, failed = flow.new(self.pack, gates)
    if not combined then
        refuse("flow", "%s:%d:1: %s", self.name, line, failed)
    end
    case.gates = gates
    case.decision = combined:decide(request)
    if case.decision.reason == "error" then
        refuse("request", "%s:%d:1: %s", self.name, line, case.decision.error)
    end
end


--- Decides one case.
-- @tparam string text the case's line, or lines
-- @tparam number line the number of its first line in the file
-- @treturn table `{id, why, expect, decision, gates}`, `gates` being its sets (levels: lists of
-- them), or `{id, error}` with `error` as `{code, message}` when the case is bad; `id` is the
-- line's number where the case has none
function Cases:decide(text, line)
    local case = { id = tostring(line) }
    local ok, err = pcall(read_case, self, text, line, case)
    if not ok then
        if type(err) ~= "table" then
            err = { code = "internal", message = ("%s:%d:1: %s"):format(self.name, line, err) }
        end
        case.error, case.decision = err, nil
    end
    return case
end


--- Whether a decided case went as its file says; nil when the file does not say.
-- @tparam table case of `decide`
-- @treturn boolean|nil
function _M.as_expected(case)
    if not case.decision or not case.expect then
        return nil
    end
    return case.decision.decision == case.expect
end


return _M
