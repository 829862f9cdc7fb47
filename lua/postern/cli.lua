--- The command line: `postern eval`, `explain`, `test`, `serve`, `store`, `version`, `help`.
--
-- Exit status: 0 allowed (or all cases as expected), 1 denied (or not as expected), 2 error.
--
-- *Dependencies*: argparse, dkjson, postern.host.plain, postern.context, postern.document,
-- postern.set, postern.rules, postern.flow, postern.estate, postern.cases, postern.ffi,
-- postern.cli.serve, postern.cli.store and postern.cli.test (when called)
--
-- @module postern.cli
local argparse = require("argparse")
local json = require("dkjson")
local core = require("postern.ffi")
local plain = require("postern.host.plain")
local context = require("postern.context")
local document = require("postern.document")
local sets = require("postern.set")
local rules = require("postern.rules")
local flow = require("postern.flow")
local estates = require("postern.estate")
local cases = require("postern.cases")


local _M = {}


local ALLOWED, DENIED, ERROR = 0, 1, 2

local LEVELS = { scp = true, rcp = true }
local LISTS = { identity = true }

-- The order of members in JSON output; the same for every run.
local KEY_ORDER = {
    "id", "expect", "decision", "reason", "status", "because", "error", "code", "message",
    "deciding",
    "policy_type", "policy_index", "statement_index", "index", "sid", "effect", "matched",
    "failed_at", "file", "line", "column", "gates", "scp", "rcp", "endpoint", "resource",
    "identity", "boundary", "session", "match_kind", "same_account",
    "cache_invalidation", "reachability", "hook", "headers", "obligations", "revision", "request",
    "principal", "action", "resourceAccount", "context", "statements", "condition", "operator",
    "key", "key_present", "request_values", "policy_values", "resolved_values", "result",
}


-- ---- Arguments -------------------------------------------------------------


local EVAL_EXAMPLES = [[
Examples:
  postern eval --policy api.json --action execute-api:Invoke \
      --resource arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets \
      --context aws:SourceIp=192.0.2.1
  postern eval --policy identity=alice.json --policy resource=api.json --request call.json
  postern eval --cases cases.jsonl --check
  postern eval --estate estate.lua --request call.json
  postern eval --estate estate.lua --cases calls.jsonl --table

A request file holds {"principal", "action", "resource", "resourceAccount", "context"}.
A policy without TYPE= is a resource policy when its first statement has a Principal,
otherwise an identity policy. Types: identity, resource, endpoint, boundary, session, scp, rcp;
each scp and rcp is one organisation level, root first.
With --estate a request holds {"api", "stage", "method", "path", "vpce", "client_ip", "peer",
"principal", "headers", ...}; docs/estate.md has all of it.
Exit status: 0 allowed, 1 denied, 2 error.]]

local EXPLAIN_EXAMPLES = [[
Example:
  postern explain --policy api.json --request call.json

Shows what decided, with the policy's own lines, every statement with what failed in it, and the
Allow that came nearest with what the request would have needed.
Exit status: as for `postern eval`.]]


-- argparse ends the process for help; a module must not. So the wish is noted in `wanted`, and an
-- error ends the parsing, since the rest of the line no longer matters.
local function add_help(parser, wanted)
    parser:add_help(false)
    parser:flag("-h --help", "Show this help."):action(function()
        wanted.help = parser:get_help()
        error("help is wanted", 0)
    end)
end


local STRICTNESS = { "attachable", "structural" }

local function add_question(command)
    command:option("--policy", "A policy to decide with; may be repeated.")
        :argname("[TYPE=]FILE"):count("*")
    command:option("--estate", "Decide with the gateway that an estate describes."):argname("FILE")
    command:option("--request", "The request as a JSON file, `-` for standard input.")
        :argname("FILE")
    command:option("--action", "The action, such as execute-api:Invoke.")
    command:option("--resource", "The ARN of what is asked for.")
    command:option("--principal", "Who asks: `*` (the default), an ARN or a service.")
    command:option("--resource-account", "The account that owns the resource.")
    command:option("--context", "A condition key; the same key twice makes a list.")
        :argname("KEY=VALUE"):count("*")
    command:option("--strictness", "attachable refuses what AWS refuses to attach; structural "
        .. "takes every policy that can be understood."):choices(STRICTNESS)
    command:option("--api-arn", "What execute-api:/ stands for in the resource policy: "
        .. "arn:aws:execute-api:REGION:ACCOUNT:API.")
    command:flag("--json", "Answer in JSON.")
end


-- What `require` answered for a command that needs more than the others do.
local function loaded(name, remedy, ok, command)
    if not ok and command:find("^module '[^']+' not found") then
        error({ failure = ("`postern %s` needs %s: install %s")
            :format(name, command:match("'([^']+)'"), remedy) }, 0)
    elseif not ok then
        error(command, 0)
    end
    return command
end


local function test_command()
    return loaded("test", "the package lua-busted", pcall(require, "postern.cli.test"))
end


local function serve_command()
    return loaded("serve", "what README.md lists", pcall(require, "postern.cli.serve"))
end


local function store_command()
    return loaded("store", "what README.md lists", pcall(require, "postern.cli.store"))
end


local function make_parser(wanted)
    local parser = argparse("postern", "Decides requests with AWS policy documents.")
        :epilog("Run `postern help eval` for options and examples.")
    add_help(parser, wanted)
    parser:command_target("command")

    local eval = parser:command("eval", "Decide one request, or a file of cases.")
        :epilog(EVAL_EXAMPLES)
    add_help(eval, wanted)
    add_question(eval)
    eval:option("--cases", "Decide a file of cases, one JSON object a line; `-` for "
        .. "standard input."):argname("FILE")
    eval:flag("--check", "With --cases: compare with `expect`; tell only what differs.")
    eval:flag("--table", "With --cases: answer as a table for people.")

    local explain = parser:command("explain", "Decide one request and show why.")
        :epilog(EXPLAIN_EXAMPLES)
    add_help(explain, wanted)
    add_question(explain)

    local test = parser:command("test", "Run specs and case files, and tell what they cover.")
    add_help(test, wanted)
    if wanted.test then
        test_command().add(test)
    end

    local serve = parser:command("serve", "Answer requests over HTTP.")
    add_help(serve, wanted)
    if wanted.serve then
        serve_command().add(serve)
    end

    local store = parser:command("store", "Make the store of an estate, or go over one.")
    add_help(store, wanted)
    if wanted.store then
        store_command().add(store)
    end

    add_help(parser:command("version", "Show the version."), wanted)
    local help = parser:command("help", "Show help for a command.")
    add_help(help, wanted)
    help:argument("topic", "The command."):args("?")
    return parser, {
        eval = eval, explain = explain, test = test, serve = serve, store = store, help = help,
    }
end


-- Wrong use of the command line, as one line.
local function misuse(message, ...)
    error({ misuse = message:format(...) }, 0)
end


-- ---- Errors ----------------------------------------------------------------


-- Something that is wrong with a file, as one line: where, what, what to do.
local function fail(message, ...)
    error({ failure = message:format(...) }, 0)
end


local function fail_at(name, err)
    local place = name
    if err.line and err.line > 0 then
        place = ("%s:%d:%d"):format(name, err.line, err.column)
    end
    -- The core says what to do about the policy; only here there is another way.
    fail("%s: %s%s", place, err.message,
         err.status == "attach" and ", or take it as it is with --strictness structural" or "")
end


local function shown(path)
    return path == "-" and "standard input" or path
end


local function read_file(host, path)
    local text, err = host.read(path)
    if not text then
        fail("%s: %s", shown(path), err)
    elseif text == "" then
        fail("%s:1:1: the file is empty: give a JSON document", shown(path))
    end
    return text
end


-- ---- One question ----------------------------------------------------------


-- Splits TYPE=FILE. A file whose name begins with a word and `=` is written `./word=...`.
local function split_policy(argument)
    local kind, path = argument:match("^(%l+)=(.+)$")
    if kind and sets.types[kind] then
        return kind, path
    elseif kind then
        misuse("no such policy type: `%s`; there are identity, resource, endpoint, boundary, "
            .. "session, scp, rcp", kind)
    end
    return nil, argument
end


local function compile(policies, kind, options)
    local set, err = sets.compile(policies, {
        type = kind,
        strictness = options.strictness,
        api_arn = kind == "resource" and options.api_arn or nil,
    })
    if not set then
        fail_at(err.name, err)
    end
    return set
end


-- Reads every policy before any is compiled, so that a missing file is told first.
local function read_policies(host, arguments)
    local by_kind = {}
    for _, argument in ipairs(arguments) do
        local kind, path = split_policy(argument)
        local text = read_file(host, path)
        kind = kind or sets.detect(text)
        by_kind[kind] = by_kind[kind] or {}
        table.insert(by_kind[kind], { name = shown(path), text = text })
        if #by_kind[kind] > 1 and not LEVELS[kind] and not LISTS[kind] then
            misuse("a second %s policy: `%s`; there can be one", kind, path)
        end
    end
    return by_kind
end


local function gates_of(host, options)
    if #options.policy == 0 then
        misuse("give at least one --policy")
    end
    local gates = {}
    for kind, policies in pairs(read_policies(host, options.policy)) do
        if LEVELS[kind] then
            gates[kind] = {}
            for level, policy in ipairs(policies) do
                gates[kind][level] = compile({ policy }, kind, options)
            end
        else
            gates[kind] = compile(policies, kind, options)
        end
    end
    return gates
end


local function inline_context(arguments)
    local found, spelled = {}, {}
    for _, argument in ipairs(arguments) do
        local key, value = argument:match("^([^=]+)=(.*)$")
        if not key then
            misuse("--context `%s`: write KEY=VALUE", argument)
        end
        key = spelled[key:lower()] or key
        spelled[key:lower()] = key
        if found[key] == nil then
            found[key] = value
        elseif type(found[key]) == "table" then
            table.insert(found[key], value)
        else
            found[key] = { found[key], value }
        end
    end
    return found
end


local REQUIRED = { "action", "resource" }

local function inline_request(options)
    for _, name in ipairs(REQUIRED) do
        if not options[name] then
            misuse("give --request, or --action and --resource: --%s is missing", name)
        end
    end
    return {
        principal = options.principal or "*",
        action = options.action,
        resource = options.resource,
        resourceAccount = options.resource_account,
        context = inline_context(options.context),
    }
end


local ASKED = { "action", "resource", "principal", "resource_account" }

local function request_of(host, options)
    local path = options.request
    if not path then
        return inline_request(options)
    end
    for _, name in ipairs(ASKED) do
        if options[name] then
            misuse("give either --request or --%s", (name:gsub("_", "-")))
        end
    end
    if #options.context > 0 then
        misuse("give either --request or --context")
    end
    local doc, err = document.new(read_file(host, path), shown(path))
    if not doc then
        fail_at(shown(path), err)
    end
    local request
    request, err = context.read(doc, doc:root())
    if not request then
        fail_at(shown(path), err)
    end
    return request
end


local function load_pack(host)
    local pack, err = rules.load("flows", flow.DEFAULT, host.read)
    if not pack then
        fail("%s", err)
    end
    return pack
end


local function decide_one(host, options)
    local request = request_of(host, options)
    local combined, err = flow.new(load_pack(host), gates_of(host, options))
    if not combined then
        fail("%s", err)
    end
    local decision = combined:decide(request)
    if decision.reason == "error" then
        fail("%s: %s", options.request and shown(options.request) or "request", decision.error)
    end
    return decision
end


-- ---- The estate ------------------------------------------------------------


local function open_estate(host, path)
    local estate, problems = estates.open(path, {
        read = host.read, now = host.now or plain.now, log = host.err,
        host = plain.new({ log = host.err }),
    })
    if not estate then
        fail("%s", tostring(problems))
    end
    for line in tostring(estate.warnings):gmatch("[^\n]+") do
        host.err("warning: " .. line)
    end
    return estate
end


local OPTIONS_OF_A_REQUEST = { "action", "resource", "principal", "resource_account", "api_arn",
                  "strictness" }

local function check_estate_options(options)
    for _, name in ipairs(OPTIONS_OF_A_REQUEST) do
        if options[name] then
            misuse("--estate brings its own policies and wants --request or --cases: give no --%s",
                   (name:gsub("_", "-")))
        end
    end
    if #options.policy > 0 or #options.context > 0 then
        misuse("--estate brings its own policies and wants --request or --cases: give no --%s",
               #options.policy > 0 and "policy" or "context")
    elseif not options.request and not options.cases then
        misuse("--estate wants --request or --cases")
    end
end


-- The engine refuses what is no request, so any object goes.
local function estate_request(doc, node, name)
    if doc:kind(node) ~= "object" then
        local line, column = doc:place(node)
        fail("%s:%d:%d: the request is %s: give an object", name, line, column,
             doc:describe(node))
    end
    return doc:value(node)
end


local function decide_on_estate(host, options)
    check_estate_options(options)
    local name = shown(options.request)
    local estate = open_estate(host, options.estate)
    local doc, err = document.new(read_file(host, options.request), name)
    if not doc then
        fail_at(name, err)
    end
    return estate:authorize(estate_request(doc, doc:root(), name))
end


local TEXTS_OF_A_CASE = { "id", "why", "expect" }

-- A runner like that of `postern.cases`, for cases without policies of their own.
local function estate_runner(estate, name)
    local function read_case(text, line, case)
        local doc, err = document.new(text, name)
        if not doc then
            fail("%s:%d:%d: %s", name, line + math.max(err.line, 1) - 1, err.column, err.message)
        end
        local record = doc:kind(doc:root()) == "object" and doc:value(doc:root())
        if not record or type(record.request) ~= "table" then
            fail('%s:%d:1: not a case: write {"id", "request", "expect"}', name, line)
        end
        for _, member in ipairs(TEXTS_OF_A_CASE) do
            case[member] = type(record[member]) == "string" and record[member] or case[member]
        end
        case.decision = estate:authorize(record.request)
    end
    return {
        decide = function(_, text, line)
            local case = { id = tostring(line) }
            local ok, err = pcall(read_case, text, line, case)
            if not ok then
                case.error = { code = "case", message = err.failure or tostring(err) }
            end
            return case
        end,
    }
end


-- ---- Answers ---------------------------------------------------------------


local function encode(value)
    return json.encode(value, { keyorder = KEY_ORDER })
end


local function deciding_record(deciding)
    if not deciding then
        return json.null
    end
    local record = { sid = json.null }
    for name, value in pairs(deciding) do
        record[name] = value
    end
    return record
end


local function record_of(decision)
    return {
        error = decision.error,
        status = decision.revision and decision.status,
        because = decision.because,
        code = decision.code,
        cache_invalidation = decision.cache_invalidation,
        reachability = decision.reachability,
        revision = decision.revision,
        hook = decision.hook, headers = decision.headers, obligations = decision.obligations,
        decision = decision.decision,
        reason = decision.reason,
        deciding = deciding_record(decision.deciding),
        gates = decision.gates,
        match_kind = decision.match_kind or json.null,
        same_account = decision.same_account,
    }
end


local DECIDING = { "policy_type", "policy_index", "index", "sid", "effect", "matched",
                  "failed_at", "condition", "file", "line", "column" }

local function statement_record(statement)
    local record = {}
    for _, name in ipairs(DECIDING) do
        record[name] = statement[name]
    end
    record.sid = record.sid or json.null
    record.failed_at = record.failed_at or json.null
    return record
end


local OF_A_CALL = { "api", "stage", "method", "path", "principal", "action", "resource",
                  "resourceAccount", "context" }

-- Of a call on an estate there is more than can be written down.
local function request_record(request)
    local record = {}
    for _, name in ipairs(OF_A_CALL) do
        record[name] = request[name]
    end
    return record
end


local function explanation_record(decision)
    local explanation = decision:explain()
    local record = record_of(decision)
    record.request = request_record(explanation.request)
    record.statements = setmetatable({}, { __jsontype = "array" })
    for i, statement in ipairs(explanation.statements) do
        record.statements[i] = statement_record(statement)
    end
    return record
end


-- A statement in short: the file as seen from `folder`, line, and Sid or number.
local function statement_text(statement, index, folder)
    local file = statement.file
    if file:sub(1, #folder) == folder then
        file = file:sub(#folder + 1)
    end
    return ("%s:%d %s"):format(file, statement.line, statement.sid or ("#" .. index + 1))
end


-- What decided; where no statement did, the one that came nearest and the elements it failed in.
local function by_text(decision, folder)
    if decision.deciding then
        return statement_text(decision.deciding, decision.deciding.statement_index, folder)
    end
    local nearest = decision:explain().nearest
    if not nearest then
        return decision.because or decision.error or "-"
    end
    local elements, seen = {}, {}
    for _, miss in ipairs(nearest.misses) do
        if not seen[miss.element] then
            seen[miss.element] = true
            elements[#elements + 1] = miss.element
        end
    end
    return ("%s, but %s"):format(statement_text(nearest.statement, nearest.statement.index, folder),
                                 table.concat(elements, ", "))
end


-- What hooks want added to the answer, in the order of the names.
local function print_added(host, what, added)
    local names = {}
    for name in pairs(added or {}) do
        names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
        host.out(("  %s %s: %s"):format(what, name, added[name]))
    end
end


local function answer_one(host, options, explain)
    local decision = (options.estate and decide_on_estate or decide_one)(host, options)
    if options.json then
        host.out(encode(explain and explanation_record(decision) or record_of(decision)))
    elseif explain then
        host.out(tostring(decision:explain()))
    else
        host.out(decision:summary())
        if decision.deciding then
            host.out("  by " .. decision:by())
        elseif not decision.allowed and decision:explain().nearest then
            host.out("  nearest " .. by_text(decision, ""))
        end
        if decision.unreachable then
            host.out("  network " .. decision.unreachable)
        end
        if decision.hook then
            host.out("  by the hook " .. decision.hook)
        end
        print_added(host, "header", decision.headers)
        print_added(host, "obligation", decision.obligations)
    end
    return decision.allowed and ALLOWED or DENIED
end


-- ---- Cases -----------------------------------------------------------------


local function case_record(case)
    if case.error then
        return { id = case.id, line = case.line, error = case.error }
    end
    local record = record_of(case.decision)
    record.id, record.expect = case.id, case.expect
    return record
end


-- Names the group of a case: its id up to the second dash.
local function group_of(id)
    return id:match("^([^-]+%-[^-]+)%-") or id
end


local function mark_of(case)
    if case.error then
        return "!"
    end
    local as_expected = cases.as_expected(case)
    if as_expected == nil then
        return " "
    end
    return as_expected and "✓" or "✗"
end


local function print_table(host, decided, folder)
    local rows, widths = {}, {}
    for column = 1, 3 do
        widths[column] = 0
    end
    for i, case in ipairs(decided) do
        local row = { case.id, "error", "-", case.error and case.error.message }
        if case.decision then
            local decision = case.decision
            row = { case.id, decision.decision, by_text(decision, folder), decision.reason }
        end
        for column = 1, 3 do
            widths[column] = math.max(widths[column], #row[column])
        end
        rows[i] = row
    end
    local shape = ("%%s %%-%ds  %%-%ds  %%-%ds  %%s"):format(widths[1], widths[2], widths[3])
    for i, row in ipairs(rows) do
        host.out(shape:format(mark_of(decided[i]), unpack(row)))
    end
end


-- Two lines for a mismatch: what was expected and what came, and why.
local function print_mismatch(host, case)
    if case.error then
        host.out(("%s: error: %s"):format(case.id, case.error.message))
        return
    end
    host.out(("%s: expected %s, got %s"):format(case.id, case.expect, case.decision:summary()))
    if case.decision.deciding then
        host.out("  by " .. case.decision:by())
    end
    if case.why then
        host.out("  case: " .. case.why)
    end
end


local function count_group(score, case, good)
    local name = group_of(case.id)
    if not score.groups[name] then
        score.groups[name] = { name = name, failed = 0, all = 0 }
        table.insert(score.groups, score.groups[name])
    end
    local group = score.groups[name]
    group.all, score.all = group.all + 1, score.all + 1
    if good then
        score.good = score.good + 1
    else
        group.failed = group.failed + 1
    end
end


-- Counts a case; answers whether it went wrong. A case that expects nothing does not count.
local function add_score(score, case)
    local as_expected = cases.as_expected(case)
    if case.error or as_expected ~= nil then
        count_group(score, case, as_expected == true)
    end
    score.errors = score.errors + (case.error and 1 or 0)
    score.mismatches = score.mismatches + (as_expected == false and 1 or 0)
    return case.error or as_expected == false
end


local function print_score(host, score)
    for _, group in ipairs(score.groups) do
        if group.failed > 0 then
            host.out(("%s: %d of %d not as expected"):format(group.name, group.failed, group.all))
        end
    end
    host.out(("%d of %d cases as expected"):format(score.good, score.all))
end


-- Calls `take` with every case of the file and answers how many there were.
local function each_case(host, options, take)
    local path = options.cases
    local lines, err = host.lines(path)
    if not lines then
        fail("%s: %s", shown(path), err)
    end
    local name = path == "-" and "stdin" or path
    local runner
    if options.estate then
        runner = estate_runner(open_estate(host, options.estate), name)
    else
        runner = cases.new({ name = name, pack = load_pack(host), read = host.read })
    end
    local number, count = 0, 0
    local text
    text, err = lines()
    while text do
        number = number + 1
        if text:find("%S") then
            count = count + 1
            local case = runner:decide(text, number)
            case.line = number
            take(case)
        end
        text, err = lines()
    end
    if err then
        local place = number > 0 and ("%s:%d"):format(shown(path), number + 1) or shown(path)
        fail("%s: %s", place, err)
    elseif count == 0 then
        fail("%s:1:1: no case in the file: write one JSON object a line", shown(path))
    end
end


local function check_case_options(options)
    if options.estate then
        check_estate_options(options)
    end
    if #options.policy > 0 or options.request or options.action or options.resource
        or options.principal or options.resource_account or #options.context > 0
        or options.strictness or options.api_arn then
        misuse("--cases brings its own policies and requests: give no others")
    elseif options.json and (options.check or options.table) then
        misuse("--json goes with neither --check nor --table")
    end
end


local function answer_cases(host, options)
    check_case_options(options)
    local score = { good = 0, all = 0, errors = 0, mismatches = 0, groups = {} }
    local decided = {}
    each_case(host, options, function(case)
        local wrong = add_score(score, case)
        if options.table then
            decided[#decided + 1] = case
        elseif not options.check then
            host.out(encode(case_record(case)))
        elseif wrong then
            print_mismatch(host, case)
        end
    end)
    if options.table then
        print_table(host, decided, options.cases:match("^(.*/)") or "")
    end
    if options.check or (options.table and score.all > 0) then
        print_score(host, score)
    end
    if score.errors > 0 then
        return ERROR
    end
    return options.check and score.mismatches > 0 and DENIED or ALLOWED
end


-- ---- Commands --------------------------------------------------------------


local COMMANDS = {}

function COMMANDS.eval(host, options)
    if options.cases then
        return answer_cases(host, options)
    elseif options.check or options.table then
        misuse("--check and --table go with --cases")
    end
    return answer_one(host, options, false)
end

function COMMANDS.explain(host, options)
    return answer_one(host, options, true)
end

function COMMANDS.test(host, options)
    return test_command().run(host, options)
end

function COMMANDS.serve(host, options)
    return serve_command().run(host, options)
end

function COMMANDS.store(host, options)
    return store_command().run(host, options)
end

function COMMANDS.version(host)
    host.out(("postern %s (ABI %d)"):format(core.version, core.abi))
    return ALLOWED
end

function COMMANDS.help(host, options, parser, commands)
    local command = parser
    if options.topic then
        command = commands[options.topic]
            or misuse("no help for `%s`: there is help for eval, explain, test, serve and store",
                      options.topic)
    end
    host.out(command:get_help())
    return ALLOWED
end


local LOADED_WHEN_NAMED = { "test", "serve", "store" }

local function run(host, argv)
    local wanted = {}
    for _, name in ipairs(LOADED_WHEN_NAMED) do
        wanted[name] = argv[1] == name or argv[2] == name
    end
    local parser, commands = make_parser(wanted)
    if #argv == 0 then
        misuse("give a command: eval, explain, test, serve, store, version or help")
    end
    local ran, ok, options = pcall(parser.pparse, parser, argv)
    if wanted.help then
        host.out(wanted.help)
        return ALLOWED
    elseif not ran then
        error(ok, 0)
    elseif not ok then
        misuse("%s", (options:gsub("\n", ": ")))
    end
    return COMMANDS[options.command](host, options, parser, commands)
end


local function standard_host()
    return {
        read = plain.read,
        lines = plain.lines,
        now = plain.now,
        out = function(line) io.stdout:write(line, "\n") end,
        err = function(line) io.stderr:write(line, "\n") end,
        -- One line that the next one takes the place of; only where somebody may be watching.
        progress = function(line) io.stderr:write("\r\27[K", line) end,
        watched = function() return os.execute("test -t 2") == 0 end,
    }
end


--- Runs one command.
-- @tparam {string,...} argv without the program's name
-- @tparam[opt] table host `read`, `lines` and `now` (as in `postern.host.plain`), `out` and `err`
-- (each takes one line); the process's own by default
-- @treturn number exit status: 0 allowed, 1 denied, 2 error
function _M.main(argv, host)
    host = host or standard_host()
    local ok, result = pcall(run, host, argv)
    if ok then
        return result
    elseif type(result) ~= "table" then
        host.err("postern: internal error: " .. tostring(result))
    elseif result.misuse then
        host.err(("postern: %s: see `postern --help`"):format(result.misuse))
    else
        host.err(result.failure)
    end
    return ERROR
end


return _M
