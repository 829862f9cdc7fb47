-- Processes that put policies are killed, at random and at every operation on files. After each
-- kill all that was acknowledged is there, and nobody was ever served anything else.
local uv = require("luv")
local faulty = require("spec.support.faulty_files")
local fixtures = require("spec.support.stores")
local stores = require("postern.store")


-- `make store-kills KILLS=200`; a few in every run of the suite.
local COUNT = tonumber(os.getenv("POSTERN_KILLS")) or 8

-- The longest a writer lives, seconds.
local LIFE = 0.4


describe("killing writers of the store", function()
    local fixture, writers

    before_each(function()
        fixture, writers = fixtures.new(), {}
    end)

    after_each(function()
        for writer in pairs(writers) do
            writer.process:kill("sigkill")
        end
        fixture:close()
    end)

    local function read_line(writer, line)
        local word, number = line:match("^(%l+) ?(%d*)")
        writer[word] = tonumber(number) or true
        writer.operations = tonumber(line:match("^ack %d+ (%d+)")) or writer.operations
    end

    -- Starts a writer; `finish` is called when it has ended and all it said is read.
    local function start(kind, id, first, at, half)
        local writer = { text = "" }
        local out, err = uv.new_pipe(false), uv.new_pipe(false)
        local left, said = 3, ""
        local function ended()
            left = left - 1
            writer.ended = left == 0
        end
        writer.process = assert(uv.spawn("luajit", {
            args = { "spec/support/store_writer.lua", fixture.folder, kind, id, tostring(first),
                     tostring(at or ""), half and "half" or "" },
            stdio = { nil, out, err },
        }, function(code, signal)
            writer.process:close()
            writers[writer] = nil
            writer.code, writer.signal = code, signal
            ended()
        end))
        writers[writer] = true
        out:read_start(function(_, chunk)
            writer.text = writer.text .. (chunk or "")
            writer.text = writer.text:gsub("([^\n]*)\n", function(line)
                read_line(writer, line)
                return ""
            end)
            if not chunk then
                out:close(ended)
            end
        end)
        err:read_start(function(_, chunk)
            said = said .. (chunk or "")
            writer.said = said
            if not chunk then
                err:close(ended)
            end
        end)
        return writer
    end

    local function wait_for(condition)
        while not condition() do
            fixture.host:sleep(0.002)
        end
    end

    local function check_killed(writer)
        assert.equal("", writer.said)
        assert.equal(9, writer.signal)
    end

    -- The number of the policy that decides.
    local function in_use(kind)
        local estate = fixture.reload.estate
        local set = kind == "api" and estate.apis.a1.policy or estate.endpoints["vpce-1"].policy
        return tonumber(set:statement(0).sid:match("^W(%d+)$") or 0)
    end

    -- What was acknowledged is there, or the one after it that was being put.
    local function check(store, kind, id, writer, last)
        local acknowledged = writer.ack or last
        fixture.reload:reload()
        -- One that began earlier runs once more instead.
        wait_for(function() return not fixture.reload.running end)
        local number = in_use(kind)
        local what = ("%s: tried %s, acknowledged %s, found %d"):format(kind,
            tostring(writer.try), acknowledged, number)
        assert.is_true(number >= acknowledged, what)
        assert.is_true(number <= math.max(writer.try or 0, acknowledged), what)
        local text = assert(store:text(kind, id))
        assert.is_truthy(number == 0 or text:find(('"W%d"'):format(number), 1, true), what)
        return number
    end

    it("at random moments, two at once", function()
        local kills, acknowledged = 0, 0
        fixture:within(function()
            assert(fixture:open({ keep = 10 }))
            local last, seen = { api = 0, endpoint = 0 }, { api = 0, endpoint = 0 }
            local following = true
            -- Somebody who only reads: what is served never goes back.
            local reader = fixture.host:spawn(function()
                while following do
                    for kind, before in pairs(seen) do
                        seen[kind] = in_use(kind)
                        assert(seen[kind] >= before, "an older policy is served again")
                    end
                    fixture.host:sleep(0.001)
                end
                return true
            end)
            while kills < COUNT do
                local api = start("api", "a1", last.api + 1)
                local endpoint = start("endpoint", "vpce-1", last.endpoint + 1)
                wait_for(function()
                    return api.open and endpoint.open or api.ended or endpoint.ended
                end)
                for _, writer in ipairs(math.random(2) == 1 and { api, endpoint }
                                        or { endpoint, api }) do
                    fixture.host:sleep(math.random() * LIFE)
                    writer.process:kill("sigkill")
                    kills = kills + 1
                end
                wait_for(function() return api.ended and endpoint.ended end)
                check_killed(api)
                check_killed(endpoint)
                local store = assert(stores.open({
                    reload = fixture.reload, host = fixture.host, files = fixture.files, keep = 10,
                }))
                acknowledged = acknowledged + (api.ack or last.api) - last.api
                    + (endpoint.ack or last.endpoint) - last.endpoint
                last.api = check(store, "api", "a1", api, last.api)
                last.endpoint = check(store, "endpoint", "vpce-1", endpoint, last.endpoint)
            end
            following = false
            assert(reader:wait())
        end, 60 + COUNT * 3)
        assert.equal(0, fixture.reload.failures)
        assert.is_true(acknowledged > 0)
        print(("%d kills, %d policies acknowledged, none lost"):format(kills, acknowledged))
    end)

    it("at an operation on files, before it and in the middle of a write", function()
        local points = 0
        fixture:within(function()
            local store = assert(fixture:open({ keep = 10 }))
            -- So many it takes to put and deploy one, as the writer does; opening takes a few more.
            local files = faulty.new(fixture.files, {})
            store.files = files
            local last = 0
            for number = 1, 12 do -- the oldest of the history go as well
                assert(store:put("api", "a1", fixtures.policy("W" .. number), {
                    if_match = store:get("api", "a1").revision,
                }))
                files.count = number < 12 and 0 or files.count
                assert(store:deploy("api", "a1", { if_match = "*" }))
                last = number
            end
            store.files = fixture.files
            local most = files.count + 20
            local every = COUNT >= 100 and 1 or 9
            for at = 1, most, every do
                for _, half in ipairs({ false, true }) do
                    local writer = start("api", "a1", last + 1, at, half)
                    wait_for(function() return writer.ended end)
                    check_killed(writer)
                    store = assert(stores.open({
                        reload = fixture.reload, host = fixture.host, files = fixture.files,
                    }))
                    last = check(store, "api", "a1", writer, last)
                    points = points + 1
                end
            end
        end, 60 + COUNT * 3)
        assert.equal(0, fixture.reload.failures)
        print(("%d kills at operations on files"):format(points))
    end)
end)
