--- Questions: one call asked of several sets in one go.
--
-- For whoever asks the same sets again and again. What stays the same is written down once, in the
-- core's own form; of each call only what differs is put in its place, and one call of the core
-- asks every set. It compiles and makes no garbage.
--
-- *Dependencies*: postern.ffi, postern.request
--
-- @module postern.question
local ffi = require("ffi")
local bit = require("bit")
local core = require("postern.ffi")
local requests = require("postern.request")

local lib = core.lib


local _M = {}
local Question = {}
Question.__index = Question


--- How many sets a question has at most, keys a set, and values all of them.
_M.ASKS = lib.POSTERN_QUESTION_ASKS
_M.KEYS = lib.POSTERN_QUESTION_KEYS
_M.VALUES = lib.POSTERN_QUESTION_VALUES

-- The places of the values that differ; the others are written down once.
local PEER, CLIENT_IP, SECURE, TIME, EPOCH = 0, 1, 2, 3, 4

--- What differs from call to call, to its place among the values.
_M.SOURCES = { peer = PEER, client_ip = CLIENT_IP, secure = SECURE, time = TIME, epoch = EPOCH }

--- The first place for a value that stays.
_M.FIRST_CONSTANT = 5

-- Pieces of the resource.
local BEFORE, ID, AFTER, METHOD, PATH = 0, 1, 2, 3, 4

local BITS, MATCH_BITS = 5, 3 -- of one answer: see `postern_question_ask`


local scratch -- made for the first question; it is filled and read in one go


-- A text that somebody else keeps.
local function put(span, text)
    span.text, span.length = text, #text
end


--- Makes a question.
-- @tparam table known `action`; `before` and `after`, what stands in the resource before the id and
-- behind it; `values`, a list of places with their texts, `{place, text}`; and `asks`, a list of
-- `{set, own, principal, bounded, places}`: `own` says that the set differs and is handed in with
-- each call, `places` has for each key of the set the place of its value, or false for none
-- @treturn Question|nil
-- @treturn table why not: out of memory
function _M.new(known)
    local failed
    if not scratch then
        scratch, failed = requests.new(known.asks[1].set)
        if not scratch then
            return nil, failed
        end
    end
    local call = ffi.new("postern_question")
    put(call.action, known.action)
    put(call.resource[BEFORE], known.before)
    put(call.resource[AFTER], known.after)
    for _, value in ipairs(known.values) do
        put(call.values[value.place], value.text)
    end
    call.ask_count = #known.asks
    local self = setmetatable({ call = call, own = nil, known = known }, Question)
    for i, asked in ipairs(known.asks) do
        local ask = call.asks[i - 1]
        ask.set = asked.set.handle
        put(ask.principal, asked.principal)
        ask.flags = asked.bounded and lib.POSTERN_BOUNDED or 0
        for key = 0, _M.KEYS - 1 do
            ask.values[key] = asked.places[key + 1] or -1
        end
        self.own = asked.own and i - 1 or self.own
    end
    return self
end


--- Says where the call comes from and how; what is nil is absent.
-- @tparam string|nil peer
-- @tparam string|nil client_ip
-- @tparam string|nil secure `true` or `false`
function Question:from(peer, client_ip, secure)
    local values = self.call.values
    values[PEER].text = peer
    values[PEER].length = peer and #peer or 0
    values[CLIENT_IP].text = client_ip
    values[CLIENT_IP].length = client_ip and #client_ip or 0
    values[SECURE].text = secure
    values[SECURE].length = secure and #secure or 0
end


--- Says when the call is made.
-- @tparam string time
-- @tparam string epoch
function Question:at(time, epoch)
    local values = self.call.values
    values[TIME].text, values[TIME].length = time, #time
    values[EPOCH].text, values[EPOCH].length = epoch, #epoch
end


--- Asks every set. The texts that `from` and `at` were handed have to be kept until here.
-- @tparam Set|nil set the one that differs, where there is one
-- @tparam string id
-- @tparam string method
-- @tparam string path
-- @tparam number skip bytes at the beginning of the path that are no part of the resource
-- @treturn number what they say, for `answers`; below 0 there is no decision, and whoever asks has
-- to ask in another way
function Question:ask(set, id, method, path, skip)
    local call = self.call
    if self.own then
        call.asks[self.own].set = set.handle
    end
    local resource = call.resource
    resource[ID].text, resource[ID].length = id, #id
    resource[METHOD].text, resource[METHOD].length = method, #method
    resource[PATH].text, resource[PATH].length = path, #path
    call.skip = skip
    return (lib.postern_question_ask(call, scratch.handle))
end


--- The statement that decided in a set, of the last call.
-- @tparam number ask which of the asks, from 1
-- @treturn number its index, or -1
function Question:statement(ask)
    return self.call.decisions[ask - 1].statement
end


--- Reads what `ask` answered.
-- @tparam number answers not below 0
-- @tparam number count of the asks
-- @treturn {table,...} `{outcome, match}` for each ask, by name
function _M.answers(answers, count)
    local list = {}
    for i = 1, count do
        local one = bit.band(bit.rshift(answers, BITS * (i - 1)), 2 ^ BITS - 1)
        list[i] = {
            outcome = requests.outcomes[bit.rshift(one, MATCH_BITS)],
            match = requests.matches[bit.band(one, 2 ^ MATCH_BITS - 1)],
        }
    end
    return list
end


return _M
