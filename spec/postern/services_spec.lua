local services = require("postern.services")
local rules = require("postern.rules")
local plain = require("postern.host.plain")


local function runner(resolve, check)
    return services.new({ kind = "services", name = "demo", api = 1, resolve = resolve,
                          check = check or function() return true end })
end


describe("a service", function()
    it("answers what its pack answers", function()
        local question = { action = "a:B", resource = "arn:x", also = { { action = "a:C",
                                                                          resource = "arn:x" } } }
        local service = assert(runner(function(context) return context.question end))
        assert.equal("demo", service.name)
        assert.equal(question, (service:resolve({ question = question })))
    end)

    it("gives the pack its configuration", function()
        local service = assert(services.new({
            name = "demo",
            check = function(config) return config.word ~= nil, "no word" end,
            resolve = function(_, config) return { action = config.word, resource = "arn:x" } end,
        }, { word = "a:B" }))
        assert.equal("a:B", service:resolve({}).action)
    end)

    it("is not made when the pack refuses the configuration", function()
        local none, err = runner(function() end, function() return nil, "unknown option" end)
        assert.is_nil(none)
        assert.equal("the services pack `demo`: unknown option", err)
    end)

    it("passes a refusal on, with its status", function()
        local service = assert(runner(function() return nil, "too long", 414 end))
        assert.same({ nil, "too long", 414 }, { service:resolve({}) })
        service = assert(runner(function() return nil, "no" end))
        assert.same({ nil, "no", 403 }, { service:resolve({}) })
    end)

    it("refuses when the pack raises or answers no question", function()
        local service = assert(runner(function() error("boom", 0) end))
        assert.same({ nil, "the services pack `demo` failed: boom", 500 }, { service:resolve({}) })
        for _, answer in ipairs({
            "a:B", true, {}, { action = "a:B" }, { resource = "arn:x" },
            { action = "", resource = "arn:x" }, { action = 1, resource = "arn:x" },
            { action = "a:B", resource = "arn:x", also = { { action = "a:C" } } },
            { action = "a:B", resource = "arn:x", also = { "a:C" } },
        }) do
            service = assert(runner(function() return answer end))
            assert.same({ nil, "the services pack `demo` answers no action and resource", 500 },
                        { service:resolve({}) })
        end
        service = assert(runner(function() end))
        assert.same({ nil, "the services pack `demo` answers no action and resource", 500 },
                    { service:resolve({}) })
    end)

    it("may be the shipped one", function()
        local service = assert(services.new(assert(rules.load("services", "execute_api",
                                                              plain.read))))
        local question = assert(service:resolve({
            api = { id = "abc123", account = "123456789012", region = "us-east-1" },
            http = { method = "GET", path = "/dev/pets" },
        }))
        assert.equal("arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/pets",
                     question.resource)
    end)
end)
