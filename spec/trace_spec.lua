-- The hot path from Lua: compiled without an abort, no garbage in Lua, no allocation in C.
local ffi = require("ffi")
local jit = require("jit")
local vmdef = require("jit.vmdef")
local core = require("postern.ffi")
local sets = require("postern.set")
local requests = require("postern.request")
local estates = require("postern.estate")
local plain = require("postern.host.plain")


local lib = core.lib

local ROUNDS = 100000
local METHODS = {
    "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets",
    "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/PUT/pets",
}
local ADDRESSES = { "10.1.2.3", "10.200.0.1", "8.8.8.8", "2001:db8::1" }

local POLICY = [[{
  "Version": "2012-10-17",
  "Statement": [
    { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/*" },
    { "Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "*",
      "Condition": { "NotIpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"] },
                     "StringLike": { "aws:username": "${aws:PrincipalTag/team}*" } } },
    { "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*",
      "Condition": { "ForAnyValue:StringEquals": { "aws:TagKeys": ["x", "y"] } } }
  ]
}]]


local ESTATE = [[
account "111122223333" region "eu-central-1"
api "a" { endpoint_type = "REGIONAL", authorization = "NONE", stages = { "live" },
          policy = "api.json" }
]]

local API_POLICY = [[{ "Version": "2012-10-17", "Statement": [
    { "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke",
      "Resource": "execute-api:/live/GET/*", "Condition": {
        "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"] },
        "Bool": { "aws:SecureTransport": "true" },
        "DateGreaterThan": { "aws:CurrentTime": "2020-01-01T00:00:00Z" } } } ] }]]


-- Plain loops, so that what is compiled is the loop with everything in it.
local function cell_by_cell(request, rounds)
    local set = request.set
    local ip, user = set:find_key("aws:SourceIp"), set:find_key("aws:username")
    local team, tags = set:find_key("aws:PrincipalTag/team"), set:find_key("aws:TagKeys")
    local allowed = 0
    for i = 1, rounds do
        request:reset()
        request:principal("*")
        request:action("execute-api:Invoke")
        request:resource(METHODS[i % 2 + 1])
        request:put(ip, ADDRESSES[i % 4 + 1])
        request:put(user, "team-alice")
        request:put(team, "team")
        request:list(tags)
        request:append(tags, "a")
        request:append(tags, "b")
        if request:evaluate() == requests.ALLOWED then
            allowed = allowed + 1
        end
    end
    return allowed
end

-- The same through `fill`; the tables are made once, as by a caller that reuses its own.
local function filled(request, rounds)
    local context = { ["aws:SourceIp"] = "", ["aws:username"] = "team-alice",
                      ["aws:PrincipalTag/team"] = "team", ["aws:TagKeys"] = { "a", "b" } }
    local source = { principal = "*", action = "execute-api:Invoke", context = context }
    local allowed = 0
    for i = 1, rounds do
        source.resource = METHODS[i % 2 + 1]
        context["aws:SourceIp"] = ADDRESSES[i % 4 + 1]
        request:fill(source)
        if request:evaluate() == requests.ALLOWED then
            allowed = allowed + 1
        end
    end
    return allowed
end


local function new_request()
    return assert(requests.new(assert(sets.compile(POLICY))))
end


-- Aborts that are no obstacle: the compiler chose a bad place to begin, such as a small function or
-- a loop of two rounds that got hot before the loop around it, or what is left of a small function
-- whose caller it cannot go on to, and begins again elsewhere. Which of them occur differs from run
-- to run. Anything else is code it cannot compile.
local FALSE_STARTS = {
    ["leaving loop in root trace"] = true,
    ["inner loop in root trace"] = true,
    ["loop unroll limit reached"] = true,
    ["NYI: return to lower frame"] = true,
}


-- What the compiler did while `loop` ran.
local function watch(loop, request, rounds)
    local seen = { stop = 0, abort = 0, exits = 0 }
    local function on_trace(what, _, _, _, code)
        if what ~= "abort" or not FALSE_STARTS[vmdef.traceerr[code]] then
            seen[what] = (seen[what] or 0) + 1
        end
    end
    local function on_exit()
        seen.exits = seen.exits + 1
    end
    jit.off(on_trace)
    jit.off(on_exit)
    jit.attach(on_trace, "trace")
    jit.attach(on_exit, "texit")
    local allowed = loop(request, rounds)
    jit.attach(on_trace)
    jit.attach(on_exit)
    return seen, allowed
end


-- The share of the bytecode that is still interpreted: hooks do not see compiled code.
local function interpreted(loop, request, rounds)
    local count = 0
    local function on_count()
        count = count + 1
    end
    jit.off(on_count)
    debug.sethook(on_count, "", 100)
    loop(request, rounds)
    debug.sethook()
    return count * 100 / rounds
end


describe("a decision from Lua", function()
    -- Of four rounds one has both the method and the address allowed.
    local SHARE = 4

    local LOOPS = { ["cell by cell"] = cell_by_cell, ["filled from a table"] = filled }

    for name, loop in pairs(LOOPS) do
        it(("%s is compiled without an abort"):format(name), function()
            local request = new_request()
            jit.flush()
            local warming = watch(loop, request, ROUNDS / 10)
            assert.equal(0, warming.abort)
            assert.is_true(warming.stop > 0, "nothing was compiled")

            local seen, allowed = watch(loop, request, ROUNDS)
            assert.equal(ROUNDS / SHARE, allowed)
            assert.equal(0, seen.abort)
            assert.is_true(seen.exits < ROUNDS / 100, seen.exits .. " exits")
            local left = interpreted(loop, request, ROUNDS)
            assert.is_true(left < 1, left .. " instructions a round are interpreted")
        end)

        it(("%s makes no garbage"):format(name), function()
            local request = new_request()
            loop(request, 1000)
            collectgarbage()
            collectgarbage("stop")
            local before = collectgarbage("count")
            loop(request, ROUNDS)
            local grown = collectgarbage("count") - before
            collectgarbage("restart")
            -- The traces themselves live in the same heap; a byte a round is 98 KiB.
            assert.is_true(grown < 64, grown .. " KiB for " .. ROUNDS .. " rounds")
        end)
    end

    it("is counted by a watch that sees aborts", function()
        -- The counter-example: a closure made in the loop cannot be compiled.
        local function closures(_, rounds)
            local f
            for i = 1, rounds do
                f = function() return i end
            end
            return f()
        end
        jit.flush()
        assert.is_true(watch(closures, nil, ROUNDS).abort > 0)
        assert.is_true(interpreted(closures, nil, 1000) > 1)
    end)

    it("allocates nothing in C, from the second request on", function()
        -- The allocator is a callback, which compiled code may not reach: interpreted from here.
        jit.off()
        local calls = 0
        local resize = ffi.cast("void *(*)(void *, void *, size_t, size_t)",
            function(_, block, _, size)
                calls = calls + 1
                if size == 0 then
                    ffi.C.free(block)
                    return nil
                end
                return ffi.C.realloc(block, size)
            end)
        local allocator = ffi.new("postern_allocator", { resize = resize })
        local request = new_request()
        request.handle = ffi.gc(lib.postern_request_new(request.set.handle, allocator, nil), nil)
        assert.is_true(request.handle ~= nil)
        local made = calls
        assert.is_true(made > 0)
        cell_by_cell(request, 4)
        filled(request, 4)
        local warm = calls
        assert.equal(1000 / SHARE, cell_by_cell(request, 1000))
        assert.equal(1000 / SHARE, filled(request, 1000))
        assert.equal(warm, calls)
        lib.postern_request_free(request.handle)
        assert.is_true(calls > warm)
        resize:free()
        jit.on()
    end)

    it("through an estate is compiled without an abort, and makes one table", function()
        local estate = assert(estates.open("estate.lua", {
            read = function(path)
                return path == "estate.lua" and ESTATE or path == "api.json" and API_POLICY
                    or plain.read(path)
            end,
            now = function() return 1700000000 end,
        }))
        local asked = {}
        for i, address in ipairs({ "10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1" }) do
            asked[i] = { api = "a", stage = "live", method = "GET", path = "/pets/" .. i,
                         raw_path = "/pets/" .. i .. "?a=b", peer = address, scheme = "https" }
        end
        local function authorized(_, rounds)
            local allowed = 0
            for i = 1, rounds do
                if estate:authorize(asked[i % 4 + 1]).allowed then
                    allowed = allowed + 1
                end
            end
            return allowed
        end
        authorized(nil, 8) -- the plans are made
        jit.flush()
        local warming = watch(authorized, nil, ROUNDS / 10)
        assert.equal(0, warming.abort)
        local seen, allowed = watch(authorized, nil, ROUNDS)
        assert.equal(ROUNDS * 3 / 4, allowed)
        assert.equal(0, seen.abort)
        assert.is_true(seen.exits < ROUNDS / 100, seen.exits .. " exits")
        local left = interpreted(authorized, nil, ROUNDS)
        assert.is_true(left < 1, left .. " instructions a round are interpreted")
        assert.is_not_nil(rawget(estate:authorize(asked[1]), 1))
    end)

    setup(function()
        pcall(ffi.cdef, "void free(void *); void *realloc(void *, size_t);")
    end)
end)
