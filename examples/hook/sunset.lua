-- A stage of an API that ends on a day: told in a header before, denied with 410 after.
--
-- Options: `stage`; `at`, seconds since 1970, and `date`, the same as HTTP writes it.

local function check(config)
    if type(config.stage) ~= "string" or type(config.at) ~= "number"
        or type(config.date) ~= "string" then
        return nil, "give `stage`, `at` and `date`"
    end
    return true
end


local function is_over(context, config)
    return context.stage == config.stage and context.now >= config.at
end


local function before(context, config)
    if is_over(context, config) then
        return { deny = ("the stage `%s` has ended on %s"):format(config.stage, config.date),
                 status = 410 }
    end
    return nil -- no opinion: the policies decide
end


local function after(context, decision, config)
    if decision.allowed and context.stage == config.stage then
        return { headers = { sunset = config.date }, obligations = { billing = "legacy" } }
    end
    return nil
end


local function log(context, decision, config, tools)
    if context.stage == config.stage and context.http then
        tools.log(("sunset: %s %s on `%s`: %s"):format(context.http.method, context.http.path,
                                                       context.stage, decision.decision))
    end
end


return {
    kind = "hooks",
    name = "sunset",
    api = 1,
    check = check,
    before = before,
    after = after,
    log = log,
}
