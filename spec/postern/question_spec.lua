local questions = require("postern.question")
local requests = require("postern.request")
local sets = require("postern.set")


local POLICY = [[{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke",
     "Resource":"arn:aws:execute-api:r:1:*/live/GET/*","Condition":{
        "IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"StringEquals":{"aws:SourceVpce":"vpce-1"}}},
    {"Effect":"Deny","Principal":"*","Action":"*","Resource":"*",
     "Condition":{"Bool":{"aws:SecureTransport":"false"},"NumericLessThan":{"aws:EpochTime":"5"},
        "DateLessThan":{"aws:CurrentTime":"1970-01-01T00:00:09Z"},
        "IpAddress":{"aws:VpcSourceIp":"10.9.0.0/16"}}}]}]]

local ALICE = [[{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*",
    "Principal":{"AWS":"arn:aws:iam::111122223333:user/alice"}}]}]]

local PLACES = {
    ["aws:sourceip"] = questions.SOURCES.peer, ["aws:vpcsourceip"] = questions.SOURCES.client_ip,
    ["aws:securetransport"] = questions.SOURCES.secure,
    ["aws:currenttime"] = questions.SOURCES.time,
    ["aws:epochtime"] = questions.SOURCES.epoch,
    ["aws:sourcevpce"] = questions.FIRST_CONSTANT,
}

local function compiled(text)
    return assert(sets.compile(text, { type = "resource", strictness = "structural" }))
end


local function asked(set, principal, own)
    local places = {}
    for i, name in ipairs(set.names) do
        places[i] = PLACES[name] or false
    end
    return { set = set, own = own, principal = principal, bounded = false, places = places }
end


local function made(asks)
    return assert(questions.new({
        action = "execute-api:Invoke", before = "arn:aws:execute-api:r:1:", after = "/live/",
        values = { { place = questions.FIRST_CONSTANT, text = "vpce-1" } }, asks = asks,
    }))
end


describe("a question", function()
    local set, alice = compiled(POLICY), compiled(ALICE)

    local function answers(question, ...)
        return questions.answers(question:ask(...), 2)
    end

    it("is answered by every set", function()
        local question = made({
            asked(set, "*"), asked(alice, "arn:aws:iam::111122223333:user/alice"),
        })
        question:from("10.1.2.3", nil, "true")
        assert.same({ { outcome = "Allowed", match = "wild" },
                      { outcome = "Allowed", match = "direct" } },
                    answers(question, nil, "a", "GET", "/pets", 0))
        assert.equal(0, question:statement(1))
        assert.equal(0, question:statement(2))
        assert.equal("ImplicitlyDenied", answers(question, nil, "a", "PUT", "/pets", 0)[1].outcome)
        assert.equal(-1, question:statement(1))
        -- Bytes of the path that are no part of the resource.
        assert.equal("Allowed", answers(question, nil, "a", "GET", "/live/pets", 5)[1].outcome)
        question:from(nil, nil, "true")
        assert.equal("ImplicitlyDenied", answers(question, nil, "a", "GET", "/pets", 0)[1].outcome)
    end)

    it("puts each value in its place", function()
        local question = made({ asked(set, "*"), asked(alice, "*") })
        local function outcome(client_ip, secure, time, epoch)
            question:from("10.1.2.3", client_ip, secure)
            question:at(time, epoch)
            return answers(question, nil, "a", "GET", "/pets", 0)[1].outcome
        end
        local early = "1970-01-01T00:00:04Z"
        assert.equal("ExplicitlyDenied", outcome("10.9.0.1", "false", early, "4"))
        assert.equal("Allowed", outcome("10.8.0.1", "false", early, "4"))
        assert.equal("Allowed", outcome("10.9.0.1", "true", early, "4"))
        assert.equal("Allowed", outcome("10.9.0.1", "false", "1970-01-01T00:00:09Z", "4"))
        assert.equal("Allowed", outcome("10.9.0.1", "false", early, "5"))
        assert.equal("Allowed", outcome(nil, "false", early, "4"))
        assert.equal("Allowed", outcome("10.9.0.1", nil, early, "4"))
    end)

    it("is asked of the set it is handed where one differs", function()
        local question = made({ asked(alice, "*"), asked(set, "*", true) })
        local other = compiled((POLICY:gsub("live/GET", "live/PUT")))
        question:from("10.1.2.3", nil, nil)
        assert.equal("Allowed", answers(question, set, "a", "GET", "/pets", 0)[2].outcome)
        assert.equal("ImplicitlyDenied",
                     answers(question, other, "a", "GET", "/pets", 0)[2].outcome)
        assert.equal("Allowed", answers(question, other, "a", "PUT", "/pets", 0)[2].outcome)
        assert.equal(0, question:statement(2))
    end)

    it("has no answer where the core takes a text for none", function()
        local question = made({ asked(set, "*"), asked(alice, "*") })
        question:from("10.1.2.3", nil, nil)
        assert.is_true(question:ask(nil, "a", "GET", "/\255", 0) < 0)
        assert.is_true(question:ask(nil, "a", "GET", ("/"):rep(70000), 0) < 0)
        assert.is_true(question:ask(nil, "a", "GET", "/a", 3) < 0)
        question:from("\255", nil, nil)
        assert.is_true(question:ask(nil, "a", "GET", "/a", 0) < 0)
        question:from("10.1.2.3", nil, nil)
        assert.is_true(question:ask(nil, "a", "GET", "/a", 0) > 0)
    end)

    it("says what requests say", function()
        local question = made({ asked(set, "*"), asked(alice, "*") })
        local request = assert(requests.new(set))
        for _, peer in ipairs({ "10.1.2.3", "8.8.8.8", "2001:db8::1" }) do
            for _, method in ipairs({ "GET", "PUT" }) do
                request:fill({ action = "execute-api:Invoke", context = {
                    ["aws:SourceIp"] = peer, ["aws:SourceVpce"] = "vpce-1" },
                    resource = "arn:aws:execute-api:r:1:a/live/" .. method .. "/pets" })
                local outcome, match, statement = request:evaluate()
                question:from(peer, nil, nil)
                local one = answers(question, nil, "a", method, "/pets", 0)[1]
                assert.equal(requests.outcomes[outcome], one.outcome)
                assert.equal(requests.matches[match], one.match)
                assert.equal(statement, question:statement(1))
            end
        end
    end)
end)
