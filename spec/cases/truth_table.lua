--- The truth table of conditions, written by hand from the policy language.
--
-- Nothing here is computed: every T and F was worked out from the rules of the IAM User Guide, "IAM
-- JSON policy elements: Condition operators", "Set operators for multivalued context keys" and
-- "Variables and tags", and from our choices where the guide is silent. T: the condition holds.
--
-- In `grid` a row is one operator and one state of the context key `app:key`, and its columns are
-- the values the policy gives:
--
--     a     "a"                                      a value that the request may have
--     z     "z"                                      another
--     z|a   ["z", "a"]                               a list of both
--     []    []                                       an empty list
--     v     "${app:none}"                            a variable that has no value
--     v|a   ["${app:none}", "a"]                     the same beside a value
--     ""    ""                                       the empty text
--
-- The other tables say at their head what their columns are.
--
-- A row is one line, however long.
-- luacheck: no max line length
--
-- Dependencies: spec.support.json.

local json = require "spec.support.json"

local A = json.array

local _M = {}

--- Stands for a context that does not have the key.
local NONE = setmetatable({}, { __tostring = function() return "no key" end })
_M.NONE = NONE


_M.grid_columns = { "a", "z", A { "z", "a" }, A {}, "${app:none}", A { "${app:none}", "a" }, "" }

-- The row of the empty text (`""` alone) against no policy values reads "as if the key were
-- missing" wherever it says so below; that is a choice of ours, and so is each row marked [C].
_M.grid = {
    --                                                a z z|a [] v v|a ""
    { "StringEquals", NONE,                          "F F  F  F  F  F  F", "missing: a positive operator is false" },
    { "StringEquals", A {},                          "F F  F  F  F  F  F", "an empty list is a missing key" },
    { "StringEquals", "",                            "F F  F  F  F  F  T", "empty text is a value like others" },
    { "StringEquals", A { "" },                      "F F  F  F  F  F  F", "multivalued without a set operator [C]" },
    { "StringEquals", A { "", "" },                  "F F  F  F  F  F  F", "multivalued without a set operator [C]" },
    { "StringEquals", "a",                           "T F  T  F  F  T  F", "any of the values; v matches nothing" },
    { "StringEquals", "b",                           "F F  F  F  F  F  F", "none of the values" },
    { "StringEquals", A { "a" },                     "F F  F  F  F  F  F", "multivalued, though of one value [C]" },
    { "StringEquals", A { "a", "b" },                "F F  F  F  F  F  F", "multivalued without a set operator [C]" },
    { "StringEquals", A { "a", "z" },                "F F  F  F  F  F  F", "multivalued without a set operator [C]" },
    { "StringEquals", A { "b", "c" },                "F F  F  F  F  F  F", "multivalued without a set operator [C]" },
    { "StringEquals", A { "a", "" },                 "F F  F  F  F  F  F", "multivalued without a set operator [C]" },

    --                                                a z z|a [] v v|a ""
    { "StringNotEquals", NONE,                       "T T  T  T  T  T  T", "missing: a negated operator is true" },
    { "StringNotEquals", A {},                       "T T  T  T  T  T  T", "absent comes before multivalued [C]" },
    { "StringNotEquals", "",                         "T T  T  T  T  T  F", "empty text differs from all but itself" },
    { "StringNotEquals", A { "" },                   "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringNotEquals", A { "", "" },               "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringNotEquals", "a",                        "F T  F  T  T  F  T", "none may match; v matches nothing" },
    { "StringNotEquals", "b",                        "T T  T  T  T  T  T", "none of the values matches" },
    { "StringNotEquals", A { "a" },                  "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEquals", A { "a", "b" },             "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEquals", A { "a", "z" },             "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEquals", A { "b", "c" },             "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEquals", A { "a", "" },              "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },

    --                                                a z z|a [] v v|a ""
    { "StringEqualsIfExists", NONE,                  "T T  T  T  T  T  T", "missing: IfExists is true" },
    { "StringEqualsIfExists", A {},                  "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "StringEqualsIfExists", "",                    "F F  F  T  F  F  T", "present; against [] as if missing [C]" },
    { "StringEqualsIfExists", A { "" },              "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringEqualsIfExists", A { "", "" },          "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringEqualsIfExists", "a",                   "T F  T  F  F  T  F", "present: as without IfExists" },
    { "StringEqualsIfExists", "b",                   "F F  F  F  F  F  F", "present: as without IfExists" },
    { "StringEqualsIfExists", A { "a" },             "F F  F  F  F  F  F", "IfExists does not help a multivalued key" },
    { "StringEqualsIfExists", A { "a", "b" },        "F F  F  F  F  F  F", "IfExists does not help a multivalued key" },
    { "StringEqualsIfExists", A { "a", "z" },        "F F  F  F  F  F  F", "IfExists does not help a multivalued key" },
    { "StringEqualsIfExists", A { "b", "c" },        "F F  F  F  F  F  F", "IfExists does not help a multivalued key" },
    { "StringEqualsIfExists", A { "a", "" },         "F F  F  F  F  F  F", "IfExists does not help a multivalued key" },

    --                                                a z z|a [] v v|a ""
    { "StringNotEqualsIfExists", NONE,               "T T  T  T  T  T  T", "missing: IfExists is true" },
    { "StringNotEqualsIfExists", A {},               "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "StringNotEqualsIfExists", "",                 "T T  T  T  T  T  F", "present; against [] as if missing [C]" },
    { "StringNotEqualsIfExists", A { "" },           "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringNotEqualsIfExists", A { "", "" },       "F F  F  T  F  F  F", "multivalued; against [] as if missing [C]" },
    { "StringNotEqualsIfExists", "a",                "F T  F  F  T  F  T", "IfExists with [] needs a missing key" },
    { "StringNotEqualsIfExists", "b",                "T T  T  F  T  T  T", "IfExists with [] needs a missing key" },
    { "StringNotEqualsIfExists", A { "a" },          "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEqualsIfExists", A { "a", "b" },     "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEqualsIfExists", A { "a", "z" },     "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEqualsIfExists", A { "b", "c" },     "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },
    { "StringNotEqualsIfExists", A { "a", "" },      "F F  F  F  F  F  F", "multivalued: false for negated too [C]" },

    --                                                a z z|a [] v v|a ""
    { "ForAllValues:StringEquals", NONE,             "T T  T  T  T  T  T", "missing: ForAllValues is true" },
    { "ForAllValues:StringEquals", A {},             "T T  T  T  T  T  T", "no values: all of them match" },
    { "ForAllValues:StringEquals", "",               "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEquals", A { "" },         "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEquals", A { "", "" },     "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEquals", "a",              "T F  T  F  F  T  F", "a single value is a list of one [C]" },
    { "ForAllValues:StringEquals", "b",              "F F  F  F  F  F  F", "a single value is a list of one [C]" },
    { "ForAllValues:StringEquals", A { "a" },        "T F  T  F  F  T  F", "its one value is listed" },
    { "ForAllValues:StringEquals", A { "a", "b" },   "F F  F  F  F  F  F", "b is listed nowhere" },
    { "ForAllValues:StringEquals", A { "a", "z" },   "F F  T  F  F  F  F", "both values must be listed" },
    { "ForAllValues:StringEquals", A { "b", "c" },   "F F  F  F  F  F  F", "neither is listed" },
    { "ForAllValues:StringEquals", A { "a", "" },    "F F  F  F  F  F  F", "beside others an empty text is a value" },

    --                                                a z z|a [] v v|a ""
    { "ForAllValues:StringNotEquals", NONE,          "T T  T  T  T  T  T", "missing: ForAllValues is true" },
    { "ForAllValues:StringNotEquals", A {},          "T T  T  T  T  T  T", "no values: none is listed" },
    { "ForAllValues:StringNotEquals", "",            "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEquals", A { "" },      "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEquals", A { "", "" },  "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEquals", "a",           "F T  F  F  T  F  T", "with [] only a missing key is true" },
    { "ForAllValues:StringNotEquals", "b",           "T T  T  F  T  T  T", "with [] only a missing key is true" },
    { "ForAllValues:StringNotEquals", A { "a" },     "F T  F  F  T  F  T", "no value may be listed" },
    { "ForAllValues:StringNotEquals", A { "a", "b" }, "F T  F  F  T  F  T", "no value may be listed" },
    { "ForAllValues:StringNotEquals", A { "a", "z" }, "F F  F  F  T  F  T", "no value may be listed" },
    { "ForAllValues:StringNotEquals", A { "b", "c" }, "T T  T  F  T  T  T", "no value is listed" },
    { "ForAllValues:StringNotEquals", A { "a", "" }, "F T  F  F  T  F  F", "the empty text is listed too" },

    --                                                      a z z|a [] v v|a ""
    { "ForAllValues:StringEqualsIfExists", NONE,           "T T  T  T  T  T  T", "missing: true twice over" },
    { "ForAllValues:StringEqualsIfExists", A {},           "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "ForAllValues:StringEqualsIfExists", "",             "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEqualsIfExists", A { "" },       "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEqualsIfExists", A { "", "" },   "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringEqualsIfExists", "a",            "T F  T  F  F  T  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", "b",            "F F  F  F  F  F  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", A { "a" },      "T F  T  F  F  T  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", A { "a", "b" }, "F F  F  F  F  F  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", A { "a", "z" }, "F F  T  F  F  F  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", A { "b", "c" }, "F F  F  F  F  F  F", "present: as without IfExists" },
    { "ForAllValues:StringEqualsIfExists", A { "a", "" },  "F F  F  F  F  F  F", "present: as without IfExists" },

    --                                                         a z z|a [] v v|a ""
    { "ForAllValues:StringNotEqualsIfExists", NONE,           "T T  T  T  T  T  T", "missing: true twice over" },
    { "ForAllValues:StringNotEqualsIfExists", A {},           "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "ForAllValues:StringNotEqualsIfExists", "",             "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEqualsIfExists", A { "" },       "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEqualsIfExists", A { "", "" },   "T T  T  T  T  T  T", "only empty texts: as no values" },
    { "ForAllValues:StringNotEqualsIfExists", "a",            "F T  F  F  T  F  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", "b",            "T T  T  F  T  T  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", A { "a" },      "F T  F  F  T  F  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", A { "a", "b" }, "F T  F  F  T  F  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", A { "a", "z" }, "F F  F  F  T  F  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", A { "b", "c" }, "T T  T  F  T  T  T", "present: as without IfExists" },
    { "ForAllValues:StringNotEqualsIfExists", A { "a", "" },  "F T  F  F  T  F  F", "present: as without IfExists" },

    --                                                a z z|a [] v v|a ""
    { "ForAnyValue:StringEquals", NONE,              "F F  F  F  F  F  F", "missing: ForAnyValue is false" },
    { "ForAnyValue:StringEquals", A {},              "F F  F  F  F  F  F", "no value: none that matches" },
    { "ForAnyValue:StringEquals", "",                "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringEquals", A { "" },          "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringEquals", A { "", "" },      "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringEquals", "a",               "T F  T  F  F  T  F", "a single value is a list of one [C]" },
    { "ForAnyValue:StringEquals", "b",               "F F  F  F  F  F  F", "a single value is a list of one [C]" },
    { "ForAnyValue:StringEquals", A { "a" },         "T F  T  F  F  T  F", "its one value is listed" },
    { "ForAnyValue:StringEquals", A { "a", "b" },    "T F  T  F  F  T  F", "a is enough" },
    { "ForAnyValue:StringEquals", A { "a", "z" },    "T T  T  F  F  T  F", "either is enough" },
    { "ForAnyValue:StringEquals", A { "b", "c" },    "F F  F  F  F  F  F", "neither is listed" },
    { "ForAnyValue:StringEquals", A { "a", "" },     "T F  T  F  F  T  T", "beside others an empty text is a value" },

    --                                                a z z|a [] v v|a ""
    { "ForAnyValue:StringNotEquals", NONE,           "F F  F  F  F  F  F", "missing: false, so a Deny does not bite" },
    { "ForAnyValue:StringNotEquals", A {},           "F F  F  F  F  F  F", "no value: none that differs" },
    { "ForAnyValue:StringNotEquals", "",             "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringNotEquals", A { "" },       "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringNotEquals", A { "", "" },   "F F  F  F  F  F  F", "only empty texts: as no values [C]" },
    { "ForAnyValue:StringNotEquals", "a",            "F T  F  F  T  F  T", "ForAnyValue with [] is false" },
    { "ForAnyValue:StringNotEquals", "b",            "T T  T  F  T  T  T", "ForAnyValue with [] is false" },
    { "ForAnyValue:StringNotEquals", A { "a" },      "F T  F  F  T  F  T", "a is not listed" },
    { "ForAnyValue:StringNotEquals", A { "a", "b" }, "T T  T  F  T  T  T", "b is never listed" },
    { "ForAnyValue:StringNotEquals", A { "a", "z" }, "T T  F  F  T  T  T", "false only when both are listed" },
    { "ForAnyValue:StringNotEquals", A { "b", "c" }, "T T  T  F  T  T  T", "neither is listed" },
    { "ForAnyValue:StringNotEquals", A { "a", "" },  "T T  T  F  T  T  T", "one of the two is not listed" },

    --                                                     a z z|a [] v v|a ""
    { "ForAnyValue:StringEqualsIfExists", NONE,           "T T  T  T  T  T  T", "missing: IfExists is true [C]" },
    { "ForAnyValue:StringEqualsIfExists", A {},           "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "ForAnyValue:StringEqualsIfExists", "",             "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringEqualsIfExists", A { "" },       "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringEqualsIfExists", A { "", "" },   "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringEqualsIfExists", "a",            "T F  T  F  F  T  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", "b",            "F F  F  F  F  F  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", A { "a" },      "T F  T  F  F  T  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", A { "a", "b" }, "T F  T  F  F  T  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", A { "a", "z" }, "T T  T  F  F  T  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", A { "b", "c" }, "F F  F  F  F  F  F", "present: as without IfExists" },
    { "ForAnyValue:StringEqualsIfExists", A { "a", "" },  "T F  T  F  F  T  T", "present: as without IfExists" },

    --                                                        a z z|a [] v v|a ""
    { "ForAnyValue:StringNotEqualsIfExists", NONE,           "T T  T  T  T  T  T", "missing: IfExists is true [C]" },
    { "ForAnyValue:StringNotEqualsIfExists", A {},           "T T  T  T  T  T  T", "an empty list is a missing key" },
    { "ForAnyValue:StringNotEqualsIfExists", "",             "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "" },       "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "", "" },   "F F  F  T  F  F  F", "present; against [] as if missing [C]" },
    { "ForAnyValue:StringNotEqualsIfExists", "a",            "F T  F  F  T  F  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", "b",            "T T  T  F  T  T  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "a" },      "F T  F  F  T  F  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "a", "b" }, "T T  T  F  T  T  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "a", "z" }, "T T  F  F  T  T  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "b", "c" }, "T T  T  F  T  T  T", "present: as without IfExists" },
    { "ForAnyValue:StringNotEqualsIfExists", A { "a", "" },  "T T  T  F  T  T  T", "present: as without IfExists" },
}


--- A missing key, and an empty list in its place, under every operator. Columns: the operator as it
-- is, with IfExists, with ForAllValues, with both, with ForAnyValue, with both.
_M.missing_columns = { "%s", "%sIfExists", "ForAllValues:%s", "ForAllValues:%sIfExists",
                       "ForAnyValue:%s", "ForAnyValue:%sIfExists" }

_M.missing = {
    --                                                     -  If All +If Any +If
    { "StringEquals", "red",                              "F  T  T   T   F   T", "positive" },
    { "StringNotEquals", "red",                           "T  T  T   T   F   T", "negated" },
    { "StringEqualsIgnoreCase", "red",                    "F  T  T   T   F   T", "positive" },
    { "StringNotEqualsIgnoreCase", "red",                 "T  T  T   T   F   T", "negated" },
    { "StringLike", "*",                                  "F  T  T   T   F   T", "even `*` wants a value" },
    { "StringNotLike", "*",                               "T  T  T   T   F   T", "negated" },
    { "NumericEquals", "5",                               "F  T  T   T   F   T", "positive" },
    { "NumericNotEquals", "5",                            "T  T  T   T   F   T", "negated" },
    { "NumericLessThan", "5",                             "F  T  T   T   F   T", "an ordering is positive" },
    { "NumericLessThanEquals", "5",                       "F  T  T   T   F   T", "an ordering is positive" },
    { "NumericGreaterThan", "5",                          "F  T  T   T   F   T", "an ordering is positive" },
    { "NumericGreaterThanEquals", "5",                    "F  T  T   T   F   T", "an ordering is positive" },
    { "DateEquals", "2026-01-01T00:00:00Z",               "F  T  T   T   F   T", "positive" },
    { "DateNotEquals", "2026-01-01T00:00:00Z",            "T  T  T   T   F   T", "negated" },
    { "DateLessThan", "2026-01-01T00:00:00Z",             "F  T  T   T   F   T", "an ordering is positive" },
    { "DateLessThanEquals", "2026-01-01T00:00:00Z",       "F  T  T   T   F   T", "an ordering is positive" },
    { "DateGreaterThan", "2026-01-01T00:00:00Z",          "F  T  T   T   F   T", "an ordering is positive" },
    { "DateGreaterThanEquals", "2026-01-01T00:00:00Z",    "F  T  T   T   F   T", "an ordering is positive" },
    { "Bool", "false",                                    "F  T  T   T   F   T", "a missing key is not false" },
    { "BinaryEquals", "QUJD",                             "F  T  T   T   F   T", "positive" },
    { "IpAddress", "0.0.0.0/0",                           "F  T  T   T   F   T", "even /0 wants an address" },
    { "NotIpAddress", "10.0.0.0/8",                       "T  T  T   T   F   T", "negated" },
    { "ArnEquals", "arn:aws:sns:us-east-1:111122223333:t", "F  T  T   T   F   T", "positive" },
    { "ArnNotEquals", "arn:aws:sns:us-east-1:111122223333:t", "T  T  T   T   F   T", "negated" },
    { "ArnLike", "arn:*:*:*:*:*",                         "F  T  T   T   F   T", "positive" },
    { "ArnNotLike", "arn:*:*:*:*:*",                      "T  T  T   T   F   T", "negated" },
}


--- Null. Columns: what the policy gives.
_M.null_columns = { "true", "false", true, "FALSE", A { "true", "false" }, A {}, "yes",
                    A { "yes", "true" } }

_M.null = {
    --                              true false true FALSE both [] yes yes|true
    { "Null", NONE,                "T    F     T    F     T    F  F   T", "the key is absent" },
    { "Null", A {},                "T    F     T    F     T    F  F   T", "an empty list is a missing key" },
    { "Null", "",                  "F    T     F    T     T    F  F   F", "a key of empty text is present [C]" },
    { "Null", A { "" },            "F    T     F    T     T    F  F   F", "a key of empty text is present [C]" },
    { "Null", "a",                 "F    T     F    T     T    F  F   F", "the key is present" },
    { "Null", A { "a" },           "F    T     F    T     T    F  F   F", "a multivalued key is present" },
    { "ForAllValues:Null", NONE,   "T    F     T    F     T    F  F   T", "set operators are ignored [C]" },
    { "ForAllValues:Null", A {},   "T    F     T    F     T    F  F   T", "set operators are ignored [C]" },
    { "ForAllValues:Null", "",     "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
    { "ForAllValues:Null", A { "" }, "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
    { "ForAllValues:Null", A { "a" }, "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
    { "ForAnyValue:Null", NONE,    "T    F     T    F     T    F  F   T", "set operators are ignored [C]" },
    { "ForAnyValue:Null", A {},    "T    F     T    F     T    F  F   T", "set operators are ignored [C]" },
    { "ForAnyValue:Null", "",      "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
    { "ForAnyValue:Null", A { "" }, "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
    { "ForAnyValue:Null", A { "a" }, "F    T     F    T     T    F  F   F", "set operators are ignored [C]" },
}


--- Values that cannot be read, and operators that do not replace variables. Columns: the operator,
-- what the policy gives, what the request has, whether it holds. `app:var` holds what each operator
-- would match, were it replaced.
_M.unreadable = {
    { "NumericEquals", "five", "5", false, "does not parse, does not match" },
    { "NumericNotEquals", "five", "5", true, "negation is exact" },
    { "NumericEquals", "5", "five", false, "does not parse, does not match" },
    { "NumericNotEquals", "5", "five", true, "negation is exact" },
    { "NumericLessThan", "5", "five", false, "does not parse, does not match" },
    { "NumericGreaterThan", "5", "five", false, "does not parse, does not match" },
    { "NumericEquals", "0x10", "16", false, "no hexadecimal" },
    { "NumericEquals", "10.0", "10", true, "numbers, not texts" },
    { "NumericEquals", "1e1", "10", true, "an exponent without a sign [C]" },
    { "NumericEquals", 10, "1.0e+1", true, "a JSON number is read as text first" },
    { "DateEquals", "2026-02-30", "2026-02-30", false, "there is no such day" },
    { "DateNotEquals", "2026-02-30", "2026-02-30", true, "negation is exact" },
    { "DateEquals", "2026", "2026-01-01T00:00:00Z", true, "four digits are a year" },
    { "DateEquals", "0", "1970-01-01", true, "other digits are epoch seconds" },
    { "DateLessThan", "2026-01-01", "soon", false, "does not parse, does not match" },
    { "Bool", "yes", "yes", false, "only true and false" },
    { "Bool", "TRUE", "true", true, "in any letter case" },
    { "Bool", true, "True", true, "a JSON Boolean is read as text first" },
    { "BinaryEquals", "QQ", "QQ==", false, "base64 is padded" },
    { "BinaryEquals", "QQ==", "QQ==", true, "equal bytes" },
    { "IpAddress", "10.0.0.0/33", "10.0.0.0", false, "no such range" },
    { "NotIpAddress", "10.0.0.0/33", "10.0.0.0", true, "negation is exact" },
    { "IpAddress", "10.0.0.0/8", "10.0.0.0/8", false, "a request has an address, not a range" },
    { "NotIpAddress", "10.0.0.0/8", "ten", true, "what is no address is in no range" },
    { "IpAddress", "0.0.0.0/0", "2001:db8::1", false, "families never match" },
    { "NotIpAddress", "0.0.0.0/0", "2001:db8::1", true, "families never match" },
    { "IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", true, "IPv4-mapped is IPv4 [C]" },
    { "ArnEquals", "arn:aws:sns", "arn:aws:sns", false, "fewer than six parts [C]" },
    { "ArnNotEquals", "arn:aws:sns", "arn:aws:sns", true, "negation is exact" },
    { "ArnLike", "arn:*", "arn:aws:sns:us-east-1:1:t", false, "nothing crosses the first five colons" },
    { "ArnEquals", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b", true, "the sixth part may hold colons" },
    { "NumericEquals", "${app:var}", "5", false, "variables stay text" },
    { "NumericNotEquals", "${app:var}", "5", true, "variables stay text" },
    { "DateEquals", "${app:var}", "5", false, "variables stay text" },
    { "DateNotEquals", "${app:var}", "5", true, "variables stay text" },
    { "Bool", "${app:bool}", "true", false, "variables stay text [C]" },
    { "BinaryEquals", "${app:bytes}", "QUJD", false, "variables stay text" },
    { "IpAddress", "${app:address}", "10.0.0.1", false, "variables stay text" },
    { "NotIpAddress", "${app:address}", "10.0.0.1", true, "variables stay text" },
    { "Null", "${app:bool}", "a", false, "variables stay text" },
}

_M.unreadable_context = { ["app:var"] = "5", ["app:bool"] = "true", ["app:bytes"] = "QUJD",
                          ["app:address"] = "10.0.0.1" }


--- Variables in every state. Columns: the operator, what the policy gives, what `app:var` is, what
-- the request has, whether it holds in a policy of 2012, whether in one of 2008.
_M.variables = {
    { "StringEquals", "${app:var}", "x", "x", true, false, "replaced" },
    { "StringEquals", "${APP:Var}", "x", "x", true, false, "key names have no letter case" },
    { "StringEquals", "${app:var}", "x", "${app:var}", false, true, "plain text in 2008" },
    { "StringNotEquals", "${app:var}", "x", "x", false, true, "replaced" },
    { "StringEquals", "${app:var}", NONE, "", false, false, "no value matches nothing" },
    { "StringNotEquals", "${app:var}", NONE, "x", true, true, "no value matches nothing" },
    { "StringEquals", "${app:var}", "", "", false, false, "empty text is no value" },
    { "StringNotEquals", "${app:var}", "", "", true, true, "empty text is no value" },
    { "StringEquals", "${app:var}", A {}, "", false, false, "an empty list is no value" },
    { "StringEquals", "${app:var}", A { "x" }, "x", false, false, "a multivalued key is no value [C]" },
    { "StringNotEquals", "${app:var}", A { "x" }, "x", true, true, "a multivalued key is no value [C]" },
    { "StringEquals", "${app:var, 'd'}", NONE, "d", true, false, "the default" },
    { "StringEquals", "${app:var, 'd'}", "", "d", true, false, "the default, for empty text too" },
    { "StringEquals", "${app:var, 'd'}", A { "x" }, "d", true, false, "the default, for a list too [C]" },
    { "StringEquals", "${app:var, 'd'}", "x", "d", false, false, "there is a value" },
    { "StringNotEquals", "${app:var, 'd'}", NONE, "d", false, true, "the default" },
    { "StringEquals", "${app:var, 'D'}", NONE, "d", false, false, "defaults have a letter case [C]" },
    { "StringEquals", "${app:var, ''}", NONE, "", true, false, "an empty default is a text [C]" },
    { "StringNotEquals", "${app:var, ''}", NONE, "", false, true, "an empty default is a text [C]" },
    { "StringEquals", "${app:var,'d'}", NONE, "${app:var,'d'}", true, true, "not a default: plain text [C]" },
    { "StringEquals", "${app:var,'d'}", NONE, "d", false, false, "not a default: plain text [C]" },
    { "StringEquals", "${ app:var}", "x", "${ app:var}", true, true, "spaces make it plain text [C]" },
    { "StringEquals", "${app:var", "x", "${app:var", true, true, "without the brace it is plain text [C]" },
    { "StringEquals", "${}", "x", "${}", true, true, "without a key it is plain text [C]" },
    { "StringLike", "a${app:var}", "*", "ab", false, false, "what is put in is literal [C]" },
    { "StringLike", "a${app:var}", "*", "a*", true, false, "what is put in is literal [C]" },
    { "StringNotLike", "a${app:var}", "*", "ab", true, true, "what is put in is literal [C]" },
    { "StringLike", "a${app:var}*", "b", "abc", true, false, "wildcards outside are live" },
    { "StringLike", "a${app:var}", NONE, "a", false, false, "no value: the whole pattern matches nothing" },
    { "StringNotLike", "a${app:var}", NONE, "a", true, true, "no value: the whole pattern matches nothing" },
    { "StringLike", "${*}", "x", "*", true, false, "an escape; in 2008 `*` is a wildcard between braces" },
    { "StringLike", "${*}", "x", "xyz", false, false, "an escape is literal" },
    { "StringLike", "${*}", "x", "${xyz}", false, true, "an escape; in 2008 `*` is a wildcard between braces" },
    { "StringLike", "${?}${$}", "x", "?$", true, false, "escapes" },
    { "StringEquals", "${*}", "x", "*", true, false, "escapes are replaced without wildcards too" },
    { "StringEqualsIgnoreCase", "${app:var}", "X", "x", true, false, "replaced, then folded" },
    { "StringNotEqualsIgnoreCase", "${app:var}", "X", "x", false, true, "replaced, then folded" },
    { "ArnLike", "arn:aws:sns:*:*:${app:var}", "t", "arn:aws:sns:us-east-1:1:t", true, false, "replaced" },
    { "ArnNotLike", "arn:aws:sns:*:*:${app:var}", "t", "arn:aws:sns:us-east-1:1:t", false, true, "replaced" },
    { "ArnLike", "arn:aws:sns:*:*:${app:var}", NONE, "arn:aws:sns:us-east-1:1:t", false, false, "no value matches nothing" },
    { "ArnNotLike", "arn:aws:sns:*:*:${app:var}", NONE, "arn:aws:sns:us-east-1:1:t", true, true, "no value matches nothing" },
    { "ArnEquals", "arn:aws:sns:*:${app:var}", "1:t", "arn:aws:sns:us-east-1:1:t", false, false, "what is put in makes no parts [C]" },
    { "ArnEquals", "arn:aws:sns:*:${app:var}:t", "1", "arn:aws:sns:us-east-1:1:t", true, false, "in any part of an ARN [C]" },
    { "ForAllValues:StringEquals", "${app:var}", NONE, A { "x" }, false, false, "no value matches nothing" },
    { "ForAllValues:StringNotEquals", "${app:var}", NONE, A { "x" }, true, true, "no value matches nothing" },
    { "ForAnyValue:StringNotEquals", "${app:var}", "x", A { "x", "y" }, true, true, "y is not listed" },
    { "StringEqualsIfExists", "${app:var}", NONE, NONE, true, true, "IfExists asks for the key, not the variable" },
    { "StringEqualsIfExists", "${app:var}", NONE, "x", false, false, "the key is there, the variable is not" },
}


--- Variables in Resource and NotResource. Columns: the element, its value, what `app:var` is, the
-- resource of the request, whether the statement matches.
_M.elements = {
    { "Resource", "arn:aws:s3:::b/${app:var}", "x", "arn:aws:s3:::b/x", true, "replaced" },
    { "Resource", "arn:aws:s3:::b/${app:var}", "*", "arn:aws:s3:::b/x", false, "what is put in is literal [C]" },
    { "Resource", "arn:aws:s3:::b/${app:var}", NONE, "arn:aws:s3:::b/", false, "no value matches no resource" },
    { "Resource", "arn:aws:s3:::b/${app:var}", "", "arn:aws:s3:::b/", false, "empty text is no value" },
    { "Resource", "arn:aws:s3:::b/${app:var}", A { "x" }, "arn:aws:s3:::b/x", false, "a multivalued key is no value [C]" },
    { "Resource", "arn:aws:s3:::b/${app:var, 'd'}", NONE, "arn:aws:s3:::b/d", true, "the default" },
    { "Resource", A { "arn:aws:s3:::b/${app:var}", "arn:aws:s3:::b/y" }, NONE, "arn:aws:s3:::b/y", true, "the others still match" },
    { "Resource", "arn:aws:${app:var}:::b", "s3", "arn:aws:s3:::b", false, "before the fifth colon it stays text [C]" },
    { "Resource", "arn:aws:${app:var}:::b", "s3", "arn:aws:${app:var}:::b", true, "before the fifth colon it stays text [C]" },
    { "Resource", A {}, NONE, "arn:aws:s3:::b", false, "an empty list matches nothing" },
    { "NotResource", "arn:aws:s3:::b/${app:var}", "x", "arn:aws:s3:::b/x", false, "replaced, then exempt" },
    { "NotResource", "arn:aws:s3:::b/${app:var}", NONE, "arn:aws:s3:::b/x", true, "no value exempts nothing [C]" },
    { "NotResource", "arn:aws:s3:::b/${app:var}", "", "arn:aws:s3:::b/", true, "no value exempts nothing [C]" },
    { "NotResource", A { "arn:aws:s3:::b/${app:var}", "arn:aws:s3:::b/y" }, NONE, "arn:aws:s3:::b/y", false, "the others still exempt" },
    { "NotResource", A {}, NONE, "arn:aws:s3:::b", true, "an empty list exempts nothing" },
}


return _M
