--- Metrics as text: the Prometheus text format 0.0.4, and OpenMetrics 1.0.
--
-- Both have a block a family: what it means, its type, its series. OpenMetrics leaves `_total` and
-- `_info` off the family's name, knows the type `info`, and has an end.
--
-- *Dependencies*: none
--
-- @module postern.metrics.exposition

local _M = {}


--- The content types of the two forms.
_M.TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_M.OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

-- Above this a number of Lua's is no longer every integer.
local MOST_EXACT = 2 ^ 53

local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"' }


--- The value of a label as it stands between quotes.
-- @tparam string value UTF-8
-- @treturn string
function _M.escape(value)
    return (value:gsub('[\\\n"]', ESCAPES))
end


--- A number as both forms have it.
-- @tparam number value
-- @treturn string
function _M.number(value)
    if value ~= value then
        return "NaN"
    elseif value == math.huge then
        return "+Inf"
    elseif value == -math.huge then
        return "-Inf"
    elseif value % 1 == 0 and math.abs(value) < MOST_EXACT then
        return ("%.0f"):format(value)
    end
    return ("%.15g"):format(value)
end


--- The upper bound of a bucket: both forms read the same text, so that a series keeps its name.
-- @tparam number bound
-- @treturn string
function _M.bound(bound)
    local text = ("%.15g"):format(bound)
    return text:find("[.e]") and text or text .. ".0"
end


local function braces(labels, more)
    if labels ~= "" and more then
        return "{" .. labels .. "," .. more .. "}"
    end
    labels = more or labels
    return labels == "" and "" or "{" .. labels .. "}"
end


local function histogram_lines(out, family, series)
    local below = 0
    for i, bound in ipairs(family.buckets) do
        below = below + (series.counts[i] or 0)
        out[#out + 1] = ("%s_bucket%s %s"):format(family.name,
            braces(series.labels, ('le="%s"'):format(_M.bound(bound))), _M.number(below))
    end
    local all = below + (series.counts[#family.buckets + 1] or 0)
    out[#out + 1] = ("%s_bucket%s %s"):format(family.name, braces(series.labels, 'le="+Inf"'),
                                              _M.number(all))
    out[#out + 1] = ("%s_sum%s %s"):format(family.name, braces(series.labels),
                                           _M.number(series.sum))
    out[#out + 1] = ("%s_count%s %s"):format(family.name, braces(series.labels), _M.number(all))
end


local function head(out, family, openmetrics)
    local name, kind, help = family.name, family.type, family.help
    if openmetrics then
        name = name:gsub("_total$", ""):gsub("_info$", "")
        help = _M.escape(help)
    else
        kind = kind == "info" and "gauge" or kind
        help = help:gsub("[\\\n]", ESCAPES)
    end
    out[#out + 1] = ("# HELP %s %s"):format(name, help)
    out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
end


--- Renders families.
-- @tparam {table,...} families in their order, each with `name`, `type` (`counter`, `gauge`,
-- `histogram` or `info`), `help`, for a histogram `buckets` (upper bounds, ascending), and
-- `series`, in their order: `labels` (text, as between braces) with `value`, or for a histogram
-- with `counts` (of each bucket alone, one behind the last for what is above) and `sum`
-- @tparam boolean openmetrics
-- @treturn string
function _M.render(families, openmetrics)
    local out = {}
    for _, family in ipairs(families) do
        if #family.series > 0 then
            head(out, family, openmetrics)
        end
        for _, series in ipairs(family.series) do
            if family.type == "histogram" then
                histogram_lines(out, family, series)
            else
                out[#out + 1] = ("%s%s %s"):format(family.name, braces(series.labels),
                                                   _M.number(series.value))
            end
        end
    end
    if openmetrics then
        out[#out + 1] = "# EOF"
    end
    return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end


return _M
