-- Compares the core with the reference on generated cases: `make differential SEED=n COUNT=n`.
--
--     luajit spec/differential.lua BUILD SEED COUNT
--
-- Prints every difference shrunk to its least, the spread of outcomes, and how many of the
-- generator's features were met. Exit status 1 when anything differs.
local build, seed, count = arg[1], tonumber(arg[2]), tonumber(arg[3])
if not (build and seed and count) then
    io.stderr:write("usage: luajit spec/differential.lua BUILD SEED COUNT\n")
    os.exit(2)
end
package.path = "./lua/?.lua;./lua/?/init.lua;./?.lua;" .. package.path
package.cpath = build .. "/?.so;" .. package.cpath

local differential = require("spec.support.differential")
local generate = require("spec.support.generate")

local start = os.time()
local result = differential.run({
    seed = seed,
    count = count,
    print = print,
    progress = function(done)
        if done % 20000 == 0 then
            io.stderr:write(("%d of %d cases, %d s\n"):format(done, count, os.time() - start))
        end
    end,
})

local met, rarest, least = 0, nil, math.huge
for _, feature in ipairs(generate.FEATURES) do
    local times = result.features[feature] or 0
    if times > 0 then
        met = met + 1
    end
    if times < least then
        rarest, least = feature, times
    end
end
print(("seed %d, %d cases, %d differ"):format(seed, count, result.differences))
for _, way in ipairs(differential.ways()) do
    print("  asked by " .. way.name)
end
for _, outcome in ipairs({ "Allowed", "ExplicitlyDenied", "ImplicitlyDenied" }) do
    local times = result.outcomes[outcome] or 0
    print(("  %-16s %9d  %4.1f %%"):format(outcome, times, 100 * times / count))
end
print(("  %d of %d features met; rarest: %s, %d times")
    :format(met, #generate.FEATURES, rarest, least))
os.exit(result.differences == 0 and 0 or 1)
