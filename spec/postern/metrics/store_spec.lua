local hosts = require("postern.host.uv")
local nginx = require("spec.support.nginx")
local stores = require("postern.metrics.store")


-- nginx's dictionary as its documentation has it, with room for so many keys.
local function dictionary(room)
    local dict = { values = {}, count = 0, calls = 0 }
    function dict:incr(key, by)
        self.calls = self.calls + 1
        if not self.values[key] then
            return nil, "not found"
        end
        self.values[key] = self.values[key] + by
        return self.values[key]
    end
    function dict:safe_set(key, value)
        if self.values[key] == nil then
            if self.count >= (room or math.huge) then
                return nil, "no memory"
            end
            self.count = self.count + 1
        end
        self.values[key] = value
        return true
    end
    function dict:safe_add(key, value)
        if self.values[key] ~= nil then
            return false, "exists"
        end
        return self:safe_set(key, value)
    end
    function dict:get(key)
        return self.values[key]
    end
    function dict:get_keys(most)
        assert.equal(0, most) -- all of them
        local keys = {}
        for key in pairs(self.values) do
            keys[#keys + 1] = key
        end
        return keys
    end
    return dict
end


describe("a store of metrics", function()
    for name, make in pairs({ memory = stores.memory,
                              shared = function() return stores.shared(dictionary()) end }) do
        it("counts, sets and lists: " .. name, function()
            local store = make()
            assert.is_nil(store:get("a"))
            assert.equal(2, store:incr("a", 2, 0))
            assert.equal(5, store:incr("a", 3, 0))
            assert.equal(11, store:incr("b", 1, 10))
            assert.is_true(store:set("c", "text"))
            assert.equal("text", store:get("c"))
            assert.equal(5, store:get("a"))
            local keys = store:keys()
            table.sort(keys)
            assert.same({ "a", "b", "c" }, keys)
        end)
    end

    it("begins with the values of a snapshot, which it does not change", function()
        local values = { a = 7 }
        local store = stores.memory(values)
        assert.equal(8, store:incr("a", 1, 0))
        assert.same({ a = 7 }, values)
    end)

    it("takes one visit to count in a shared dictionary", function()
        local dict = dictionary()
        local store = stores.shared(dict)
        store:incr("a", 1, 0)
        dict.calls = 0
        store:incr("a", 1, 0)
        assert.equal(1, dict.calls)
    end)

    it("pushes nothing out of a full dictionary", function()
        local dict = dictionary(1)
        local store = stores.shared(dict)
        assert.equal(1, store:incr("a", 1, 0))
        assert.same({ nil, "no memory" }, { store:incr("b", 1, 0) })
        assert.same({ nil, "no memory" }, { store:set("c", 1) })
        assert.same({ a = 1 }, dict.values)
        assert.equal(2, store:incr("a", 1, 0))
    end)

    it("adds to what another worker began meanwhile", function()
        local dict = dictionary()
        local store = stores.shared(dict)
        local add = dict.safe_add
        function dict:safe_add(key, value)
            self.values[key] = 5
            return add(self, key, value)
        end
        assert.equal(6, store:incr("a", 1, 0))
    end)

    it("passes on what else is wrong", function()
        local dict = dictionary()
        dict.values.a = "text"
        function dict.incr()
            return nil, "not a number"
        end
        assert.same({ nil, "not a number" }, { stores.shared(dict):incr("a", 1, 0) })
    end)

    it("works in nginx", function()
        local host = hosts.new()
        local server = nginx.start({
            directives = "lua_shared_dict counts 64k;",
            locations = { ["/count"] = [[
                local metrics = require("postern.metrics")
                local made = metrics.new(metrics.shared(ngx.shared.counts))
                made:decision({ decision = "Allowed", reason = "allow", gate = "resource" }, 0.002)
                ngx.shared.counts:set("others", "c|postern_decisions_total")
                ngx.print((made:render()))
            ]] },
        }, host)
        finally(function()
            server:stop()
            host:close()
        end)
        server:get(host, "/count")
        local text = server:get(host, "/count")
        local series = 'postern_decisions_total{policy_kind="resource",result="Allowed",'
            .. 'reason="allow"} 2\n'
        assert.is_truthy(text:find(series, 1, true), text)
        assert.is_truthy(text:find('bucket{le="0.0025"} 2\n', 1, true), text)
        assert.is_truthy(text:find("postern_decision_duration_seconds_sum 0.004\n", 1, true))
        assert.is_nil(text:find("others", 1, true))
    end)
end)
