local cjson = require("cjson")
local metrics = require("postern.metrics")
local postern = require("postern")
local families = require("postern.metrics.family")
local files = require("spec.support.files")


describe("metrics", function()
    local function decided(members)
        local decision = { allowed = false, decision = "ImplicitlyDenied",
                           reason = "no_allow_resource", status = 403 }
        for name, value in pairs(members or {}) do
            decision[name] = value
        end
        return decision
    end

    -- The value of one series in the text.
    local function value_of(made, series, accepted)
        local text = "\n" .. made:render(accepted)
        local _, last = text:find("\n" .. series .. " ", 1, true)
        return last and tonumber(text:match("^[^\n]*", last + 1))
    end

    local function decisions_of(made, kind, result, reason)
        return value_of(made, ('postern_decisions_total{policy_kind="%s",result="%s",reason="%s"}')
            :format(kind, result, reason))
    end

    local function plain()
        return metrics.new(metrics.memory())
    end

    it("count decisions by kind of policy, result and reason", function()
        for i, row in ipairs({
            { { decision = "Allowed", reason = "allow", gate = "resource" },
              "resource", "Allowed", "allow" },
            { { decision = "Allowed", reason = "allow" }, "none", "Allowed", "allow" },
            { { decision = "ExplicitlyDenied", reason = "explicit_deny", gate = "scp" },
              "scp", "ExplicitlyDenied", "explicit_deny" },
            { {}, "resource", "ImplicitlyDenied", "no_allow_resource" },
            { { reason = "no_allow_endpoint" }, "endpoint", "ImplicitlyDenied",
              "no_allow_endpoint" },
            { { reason = "hook" }, "none", "ImplicitlyDenied", "hook" },
            -- what another flow pack may say
            { { reason = "no_allow_moon" }, "other", "ImplicitlyDenied", "other" },
            { { reason = "because I say so", gate = "moon" }, "other", "ImplicitlyDenied",
              "other" },
            { { reason = false, decision = 7 }, "none", "ImplicitlyDenied", "other" },
        }) do
            local made = plain()
            for _ = 1, 3 do
                made:decision(decided(row[1]))
            end
            assert.equal(3, decisions_of(made, row[2], row[3], row[4]), "row " .. i)
            assert.equal(0, value_of(made, "postern_decision_duration_seconds_count"))
        end
        local made = plain()
        made:decision({}) -- no decision at all, but something that is told as one
        assert.equal(1, decisions_of(made, "none", "ImplicitlyDenied", "other"))
    end)

    it("begin a histogram with empty buckets, which look as none", function()
        local made = plain()
        local before = made:render()
        made:begin_times(made.durations)
        assert.equal(before, made:render())
        for place = 1, #made.durations.bounds + 1 do
            assert.equal(0, made.store:get(made.durations[place]))
        end
        assert.equal(0, made.store:get(made.durations.sum))
        made:add_time(made.durations, 0)
        assert.equal(1, made.store:get(made.durations[1]))
    end)

    it("make no series of what others say", function()
        local made = plain()
        for i = 1, 2000 do
            made:decision({ decision = "out" .. i, reason = "r" .. i, gate = "g" .. i })
        end
        assert.equal(2000, decisions_of(made, "other", "ImplicitlyDenied", "other"))
        assert.equal(1, #made.store:keys())
        local kept = 0
        for _ in pairs(made.decided) do
            kept = kept + 1
        end
        assert.equal(0, kept)
    end)

    it("know every reason of the gateway's flows", function()
        local section = files.read("docs/gateway.md"):match("\n## Reasons\n(.-)\n## ")
        local count = 0
        for reason in section:gmatch("\n| `([%l_]+)` |") do
            local made = plain()
            made:decision(decided({ reason = reason }))
            assert.is_nil(made:render():find('reason="other"', 1, true), reason)
            assert.is_nil(made:render():find('policy_kind="other"', 1, true), reason)
            count = count + 1
        end
        assert.is_true(count >= 12)
    end)

    it("know the policy that decided on an estate", function()
        local estate = assert(postern.open("examples/private-api/estate.lua"))
        finally(function() estate:close() end)
        local made = plain()
        for line in io.lines("examples/private-api/estate-requests.jsonl") do
            local decision = estate:authorize(cjson.decode(line).request)
            made:decision(decision, 0)
            if decision.deciding then
                assert.is_truthy((decisions_of(made, decision.deciding.policy_type,
                    decision.decision, decision.reason) or 0) > 0, line)
            end
        end
        assert.is_nil(made:render():find('"other"', 1, true))
        assert.is_truthy(made:render():find('policy_kind="resource",result="Allowed"', 1, true))
    end)

    it("count failures by what failed", function()
        local made = plain()
        for kind, members in pairs({
            request = { status = 400 }, unknown = { status = 403 }, fault = { status = 500 },
            hook = { status = 500, hook = "hooks/x" },
        }) do
            members.reason = "error"
            made:decision(decided(members))
            assert.equal(1, value_of(made, ('postern_eval_errors_total{kind="%s"}'):format(kind)))
        end
        made:decision(nil, 0.5)
        made:decision(false, 0.5)
        assert.equal(2, value_of(made, 'postern_eval_errors_total{kind="host"}'))
        assert.equal(6, decisions_of(made, "none", "ImplicitlyDenied", "error"))
        assert.equal(2, value_of(made, "postern_decision_duration_seconds_count"))
        made:decision(decided())
        assert.is_nil(value_of(made, 'postern_eval_errors_total{kind=""}'))
    end)

    it("put times into cumulative buckets", function()
        local made = plain()
        for _, seconds in ipairs({ 0, 1e-6, 1.5e-6, 0.001, 0.0011, 7, -1, 0 / 0, 1 / 0 }) do
            made:decision(decided(), seconds)
        end
        local function bucket(bound)
            return value_of(made, ('postern_decision_duration_seconds_bucket{le="%s"}')
                :format(bound))
        end
        assert.equal(5, bucket("1e-06")) -- 0 and what cannot be; a bound belongs to its bucket
        assert.equal(6, bucket("2.5e-06"))
        assert.equal(6, bucket("0.0005"))
        assert.equal(7, bucket("0.001"))
        assert.equal(8, bucket("0.0025"))
        assert.equal(8, bucket("5.0"))
        assert.equal(9, bucket("+Inf"))
        assert.equal(9, value_of(made, "postern_decision_duration_seconds_count"))
        assert.equal(7.0021025, value_of(made, "postern_decision_duration_seconds_sum"))
    end)

    it("add times without losing small ones behind large ones", function()
        local made = plain()
        made:decision(decided(), 999999)
        for _ = 1, 1000 do
            made:decision(decided(), 1e-7)
        end
        assert.equal(999999.0001, value_of(made, "postern_decision_duration_seconds_sum"))
    end)

    it("take the bucket of a time from who knows it", function()
        local made = plain()
        made:add_time(made.durations, 0.5, 2)
        made:add_time(made.durations, -1, 5) -- no time: nobody knows its bucket
        made:decision(decided(), 0.5, 3, 2)
        assert.equal(3, decisions_of(made, "resource", "ImplicitlyDenied",
                                     "no_allow_resource"))
        local name = 'postern_decision_duration_seconds_bucket{le="%s"}'
        assert.equal(1, value_of(made, name:format("1e-06")))
        assert.equal(3, value_of(made, name:format("2.5e-06")))
        assert.equal(1, value_of(made, "postern_decision_duration_seconds_sum"))
    end)

    it("count, set and observe every family", function()
        local made = plain()
        made:declare("postern_plugin_calls_total", "plugin", { "hooks/x" })
        made:declare("postern_plugin_duration_seconds", "plugin", { "hooks/x" })
        made:declare("postern_source_connected", "source", { "bundle" })
        made:count("postern_plugin_calls_total", { plugin = "hooks/x", outcome = "ok" })
        made:count("postern_plugin_calls_total", { plugin = "hooks/x", outcome = "ok" }, 4)
        made:observe("postern_plugin_duration_seconds", { plugin = "hooks/x" }, 0.003)
        made:set("postern_source_connected", { source = "bundle" }, 1)
        made:set("postern_source_connected", { source = "bundle" }, 0)
        made:set("postern_policy_last_success_timestamp_seconds", nil, 1700000000.5)
        made:count("postern_policy_reload_total", { outcome = "success" })
        made:set("postern_policy_revision_info", { source = "estate" }, "old")
        made:set("postern_policy_revision_info", { source = "estate" }, 'n"w')
        for series, value in pairs({
            ['postern_plugin_calls_total{plugin="hooks/x",outcome="ok"}'] = 5,
            ['postern_plugin_duration_seconds_bucket{plugin="hooks/x",le="0.0025"}'] = 0,
            ['postern_plugin_duration_seconds_bucket{plugin="hooks/x",le="0.005"}'] = 1,
            ['postern_plugin_duration_seconds_sum{plugin="hooks/x"}'] = 0.003,
            ['postern_source_connected{source="bundle"}'] = 0,
            ["postern_policy_last_success_timestamp_seconds"] = 1700000000.5,
            ['postern_policy_reload_total{outcome="success"}'] = 1,
            ['postern_policy_revision_info{source="estate",revision="n\\"w"}'] = 1,
            ["postern_decision_log_dropped_total"] = 0,
            [('postern_build_info{version="%s",lua="%s"}'):format(postern.version, jit.version)]
                = 1,
        }) do
            assert.equal(value, value_of(made, series), series)
        end
        assert.is_nil(made:render():find('revision="old"', 1, true))
    end)

    it("take over the counts of others", function()
        local made = plain()
        local function dropped(total)
            made:total("postern_decision_log_dropped_total", nil, total)
            return value_of(made, "postern_decision_log_dropped_total")
        end
        assert.equal(3, dropped(3))
        assert.equal(3, dropped(3))
        assert.equal(5, dropped(5))
        assert.equal(6, dropped(1)) -- it began anew
    end)

    it("refuse what no family has", function()
        local made = plain()
        for _, row in ipairs({
            { "count", { "postern_no_total" }, "there is no family `postern_no_total`" },
            { "count", { "postern_policy_reload_total", { outcome = "odd" } },
              "has no value `odd`" },
            { "count", { "postern_policy_reload_total" }, "the label `outcome` is missing" },
            { "count", { "postern_policy_reload_total", { outcome = "success", path = "/" } },
              "has no label `path`" },
            { "count", { "postern_source_connected", {} }, "is a gauge, not a counter" },
            { "count", { "postern_decision_log_dropped_total", nil, -1 }, "counts up" },
            { "count", { "postern_decision_log_dropped_total", nil, 0 / 0 }, "counts up" },
            { "count", { "postern_decision_log_dropped_total", nil, "1" }, "counts up" },
            { "total", { "postern_decision_log_dropped_total", nil, -1 }, "counts up" },
            { "observe", { "postern_decisions_total", nil, 1 }, "not a histogram" },
            { "set", { "postern_no" }, "there is no family" },
            { "set", { "postern_decisions_total", nil, 1 }, "is no gauge" },
            { "set", { "postern_build_info", nil, 1 }, "is no gauge" },
            { "set", { "postern_policy_last_success_timestamp_seconds", nil, "x" },
              "give a number" },
            { "set", { "postern_policy_revision_info", { source = "estate" }, "" }, "no text" },
            { "set", { "postern_policy_revision_info", { source = "moon" }, "1" }, "no value" },
            { "declare", { "postern_no", "x", {} }, "there is no family" },
            { "declare", { "postern_source_connected", "x", {} }, "has no label `x`" },
            { "cell", { "postern_no" }, "there is no family" },
            { "cell", { "postern_policy_reload_total", {} }, "is missing" },
        }) do
            local ok, err = pcall(function()
                made[row[1]](made, unpack(row[2], 1, 3))
                return nil
            end)
            assert.is_false(ok, row[3])
            assert.is_truthy(err:find(row[3], 1, true), err)
            assert.matches("^[^:]*metrics_spec.lua:", err)
        end
        assert.equal(0, #made.store:keys())
        for _, options in ipairs({ { batch = true }, { families = { { name = "x" } } },
                                   { families = { families.ALL[2] } } }) do
            local ok, err = pcall(function() return (metrics.new(metrics.memory(), options)) end)
            assert.is_false(ok)
            assert.matches("metrics_spec.lua:", err)
        end
        assert.has_error(function() metrics.new({}) end)
    end)

    it("take families of a host's own", function()
        local made = metrics.new(metrics.memory(), { families = {
            { name = "postern_dry_run_total", type = "counter", help = "Let pass all the same.",
              labels = { { "result", { "denied" } } } },
        } })
        made:count("postern_dry_run_total", { result = "denied" })
        assert.equal(1, value_of(made, 'postern_dry_run_total{result="denied"}'))
    end)

    it("tell and count on when the store is full", function()
        local store = metrics.memory()
        local made = metrics.new(store)
        made:decision(decided(), 1)
        local incr = store.incr
        store.incr = function() return nil, "no memory" end
        store.set = function() return nil, "no memory" end
        made:decision(decided(), 1)
        made:set("postern_policy_last_success_timestamp_seconds", nil, 1)
        assert.equal(4, made.lost)
        store.incr = incr
        made:decision(decided(), 1)
        assert.equal(2, decisions_of(made, "resource", "ImplicitlyDenied", "no_allow_resource"))
    end)

    it("keep what is counted in the process where that is wanted", function()
        local store = metrics.memory()
        local made = metrics.new(store, { batched = true })
        made:decision(decided(), 0.5)
        made:decision(decided(), 0.5)
        assert.same({}, store:keys())
        local incr = store.incr
        store.incr = function() return nil, "no memory" end
        made:flush()
        store.incr = incr -- nothing was lost
        made:flush()
        made:flush()
        assert.equal(1e9, store:get("h|postern_decision_duration_seconds|sum"))
        made:decision(decided(), 0.5)
        assert.equal(3, decisions_of(made, "resource", "ImplicitlyDenied", "no_allow_resource"))
        assert.equal(3, value_of(made, "postern_decision_duration_seconds_count"))
        assert.equal(1.5, value_of(made, "postern_decision_duration_seconds_sum"))
    end)

    it("come as the form that is asked for", function()
        local made = plain()
        made:decision(decided(), 0.5)
        -- what Prometheus 2 and 3 send
        for _, accepted in ipairs({
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                .. "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                .. "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
                .. "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        }) do
            local text, kind = made:render(accepted)
            assert.equal("application/openmetrics-text; version=1.0.0; charset=utf-8", kind)
            assert.equal("\n# EOF\n", text:sub(-7))
            assert.is_truthy(text:find("# TYPE postern_decisions counter\n", 1, true))
            assert.is_truthy(text:find("\npostern_decisions_total{", 1, true))
        end
        for _, accepted in ipairs({ false, "*/*", "text/plain", "text/html", "nonsense",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=0.1,text/plain;q=0.2" }) do
            local text, kind = made:render(accepted or nil)
            assert.equal("text/plain; version=0.0.4; charset=utf-8", kind)
            assert.is_nil(text:find("# EOF", 1, true))
        end
    end)

    it("have one block a family, in one order", function()
        local made = plain()
        made:decision(decided({ reason = "no_allow_scp" }), 1)
        made:decision(decided(), 1)
        local text, seen, last = made:render(), {}, nil
        for line in text:gmatch("[^\n]+") do
            local family = line:match("^# %u+ (%S+)") or line:match("^[%l%d_]+")
            family = family:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
            assert.is_true(family == last or not seen[family], line)
            seen[family], last = true, family
        end
        assert.equal(text, (made:render()))
    end)

    it("of several processes come together", function()
        local snapshots = {}
        for i = 1, 3 do
            local made = metrics.new(metrics.memory(), { batched = true })
            made:decision(decided(), i)
            made:set("postern_policy_last_success_timestamp_seconds", nil, 100 + i)
            made:set("postern_policy_revision_info", { source = "estate" }, "same")
            snapshots[i] = cjson.decode(cjson.encode(made:snapshot())) -- over a pipe
        end
        local all = metrics.new(metrics.memory(metrics.merge(snapshots).values))
        assert.equal(3, decisions_of(all, "resource", "ImplicitlyDenied", "no_allow_resource"))
        assert.equal(2, value_of(all, 'postern_decision_duration_seconds_bucket{le="2.5"}'))
        assert.equal(6, value_of(all, "postern_decision_duration_seconds_sum"))
        assert.equal(102,
            value_of(all, 'postern_policy_last_success_timestamp_seconds{worker="2"}'))
        assert.equal(1, value_of(all,
            'postern_policy_revision_info{source="estate",revision="same"}'))
    end)

    it("carry the worker's name on gauges of a store that several share", function()
        local store = metrics.memory()
        local made = metrics.new(store, { worker = 3 })
        made:set("postern_policy_last_success_timestamp_seconds", nil, 5)
        made:decision(decided())
        assert.equal(5, value_of(made, 'postern_policy_last_success_timestamp_seconds{worker="3"}'))
        assert.equal(1, decisions_of(made, "resource", "ImplicitlyDenied", "no_allow_resource"))
    end)

    it("cost no garbage once a kind of decision has been seen", function()
        local made = plain()
        local decision = decided()
        local function run(count)
            for i = 1, count do
                made:decision(decision, i * 1e-8)
            end
        end
        run(1000)
        collectgarbage()
        collectgarbage("stop")
        local before = collectgarbage("count")
        run(20000)
        local grown = (collectgarbage("count") - before) * 1024
        collectgarbage("restart")
        -- compiling traces takes some; a table for each would be a megabyte
        assert.is_true(grown < 200000, grown .. " bytes")
    end)

    it("are found good by promtool, where it is installed", function()
        if os.execute("command -v promtool >/dev/null 2>&1") ~= 0 then
            pending("promtool is not installed (Debian: prometheus)")
            return
        end
        local made = plain()
        made:declare("postern_plugin_calls_total", "plugin", { 'a"b\\c\nd' })
        made:count("postern_plugin_calls_total", { plugin = 'a"b\\c\nd', outcome = "ok" })
        made:declare("postern_source_connected", "source", { "bundle" })
        made:set("postern_source_connected", { source = "bundle" }, 1)
        made:set("postern_policy_revision_info", { source = "estate" }, "1")
        made:set("postern_policy_last_success_timestamp_seconds", nil, 5)
        for reason in pairs(made.families.postern_decisions_total.labels.reason.values) do
            made:decision(decided({ reason = reason }), 0.1)
        end
        local path = os.tmpname()
        local file = assert(io.open(path, "w"))
        file:write((made:render()))
        file:close()
        local pipe = io.popen(("promtool check metrics <%s 2>&1; echo status $?"):format(path))
        local said = pipe:read("*a")
        pipe:close()
        os.remove(path)
        assert.equal("status 0\n", said)
    end)
end)
