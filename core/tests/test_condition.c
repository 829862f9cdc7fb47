#include "condition.h"

#include "scenario.h"

static postern_span span(const char *text) {
    return (postern_span){text, strlen(text)};
}

/* ---- Names --------------------------------------------------------------- */

static void operator_names_parse(void) {
    static const struct {
        const char *name;
        uint32_t id;
        postern__quantifier quantifier;
        bool if_exists;
    } rows[] = {
        {"StringEquals", POSTERN__OP_STRING_EQUALS, POSTERN__PLAIN, false},
        {"STRINGequals", POSTERN__OP_STRING_EQUALS, POSTERN__PLAIN, false},
        {"StringEqualsIfExists", POSTERN__OP_STRING_EQUALS, POSTERN__PLAIN, true},
        {"stringequalsifexists", POSTERN__OP_STRING_EQUALS, POSTERN__PLAIN, true},
        {"ForAllValues:StringLike", POSTERN__OP_STRING_LIKE, POSTERN__FOR_ALL_VALUES, false},
        {"FORANYVALUE:ARNLIKE", POSTERN__OP_ARN_LIKE, POSTERN__FOR_ANY_VALUE, false},
        {"ForAnyValue:DateNotEqualsIfExists", POSTERN__OP_DATE_NOT_EQUALS,
         POSTERN__FOR_ANY_VALUE, true},
        {"Null", POSTERN__OP_NULL, POSTERN__PLAIN, false},
        {"ForAllValues:Null", POSTERN__OP_NULL, POSTERN__FOR_ALL_VALUES, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__operator_name name;
        CHECK_ROW(postern__operator_parse(span(rows[i].name), &name), rows[i].name);
        CHECK_ROW(name.operator_id == rows[i].id, rows[i].name);
        CHECK_ROW(name.quantifier == rows[i].quantifier, rows[i].name);
        CHECK_ROW(name.if_exists == rows[i].if_exists, rows[i].name);
    }
}

static void other_names_are_refused(void) {
    static const char *const rows[] = {
        "", "IfExists", "ForAllValues:", "ForAllValues:IfExists", "String", "StringEqual",
        "StringEqualss", "NullIfExists", "nullifexists", "ForAnyValue:NullIfExists",
        "StringEqualsIfExistsIfExists", "StringEquals:IfExists", "ForAllValues:ForAnyValue:Bool",
        "ForAllValues StringEquals", "ForSomeValues:StringEquals", "BoolNotEquals",
        "StringEqualsForAllValues:", " StringEquals", "StringEquals ", "BinaryNotEquals",
    };
    postern__operator_name name;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(!postern__operator_parse(span(rows[i]), &name), rows[i]);
    CHECK(!postern__operator_parse((postern_span){NULL, 0}, &name));
    CHECK(!postern__operator_parse((postern_span){"Bool\0", 5}, &name));
}

static void bases_are_found(void) {
    static const struct {
        const char *name, *base;
    } rows[] = {
        {"StringEquals", "StringEquals"},    {"ForAllValues:StringLikes", "StringLikes"},
        {"foranyvalue:XIFEXISTS", "X"},      {"NullIfExists", "Null"},
        {"", ""},                            {"IfExists", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(postern__span_equal(postern__operator_base(span(rows[i].name)),
                                      span(rows[i].base)),
                  rows[i].name);
}

/* Every name of the language, its negation and whether it may hold variables. */
static void every_operator_is_described(void) {
    static const struct {
        const char *spelling;
        bool negated, variables;
    } rows[] = {
        {"StringEquals", false, true},
        {"StringNotEquals", true, true},
        {"StringEqualsIgnoreCase", false, true},
        {"StringNotEqualsIgnoreCase", true, true},
        {"StringLike", false, true},
        {"StringNotLike", true, true},
        {"NumericEquals", false, false},
        {"NumericNotEquals", true, false},
        {"NumericLessThan", false, false},
        {"NumericLessThanEquals", false, false},
        {"NumericGreaterThan", false, false},
        {"NumericGreaterThanEquals", false, false},
        {"DateEquals", false, false},
        {"DateNotEquals", true, false},
        {"DateLessThan", false, false},
        {"DateLessThanEquals", false, false},
        {"DateGreaterThan", false, false},
        {"DateGreaterThanEquals", false, false},
        {"Bool", false, false},
        {"BinaryEquals", false, false},
        {"IpAddress", false, false},
        {"NotIpAddress", true, false},
        {"ArnEquals", false, true},
        {"ArnNotEquals", true, true},
        {"ArnLike", false, true},
        {"ArnNotLike", true, true},
        {"Null", false, false},
    };
    CHECK(sizeof rows / sizeof *rows == POSTERN__OPERATOR_COUNT);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__operator_name name;
        CHECK_ROW(postern__operator_parse(span(rows[i].spelling), &name), rows[i].spelling);
        const postern__operator_info *info = postern__operator_info_of(name.operator_id);
        CHECK_TEXT(info->spelling, rows[i].spelling);
        CHECK_ROW(info->negated == rows[i].negated, rows[i].spelling);
        CHECK_ROW(info->variables == rows[i].variables, rows[i].spelling);
    }
}

/* ---- One condition against cells ----------------------------------------- */

/* What a cell holds, as text: "-" absent, "?" unresolved, "=x" the one value x,
 * "[x;y;" the list of x and y, "[" the empty list, "[;" that of one empty text. */
static void put_cell(postern_request *request, const postern_set *set, const char *key,
                     const char *cell) {
    int32_t index = postern_set_find_key(set, key, strlen(key));
    if (index < 0) return;
    uint32_t symbol = (uint32_t)index;
    if (*cell == '?') {
        CHECK(postern_request_unresolved(request, symbol) == POSTERN_OK);
    } else if (*cell == '=') {
        CHECK(postern_request_put(request, symbol, cell + 1, strlen(cell + 1)) == POSTERN_OK);
    } else if (*cell == '[') {
        CHECK(postern_request_list(request, symbol) == POSTERN_OK);
        for (cell++; *cell != '\0'; cell += strcspn(cell, ";") + 1) {
            size_t length = strcspn(cell, ";");
            CHECK(postern_request_append(request, symbol, cell, length) == POSTERN_OK);
        }
    }
}

/* The set of one statement with one condition, on the key `k`; `values` is JSON
 * as scenario.h has it. */
static postern_set *condition_set(const char *operator_name, const char *values) {
    char text[2048];
    snprintf(text, sizeof text,
             "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':'*',"
             "'Condition':{'%s':{'k':%s}}}}",
             operator_name, values);
    return set_of_type(POSTERN_IDENTITY, POSTERN_STRUCTURAL, text);
}

/* Y, N or ?, with k and v as given. When it is ?, `key` gets the symbol. */
static char answer(const postern_set *set, postern_request *request, const char *k, const char *v,
                   int32_t *key) {
    postern_verdict verdict = {.result = -1};
    postern_request_reset(request);
    CHECK(postern_request_action(request, "a:b", 3) == POSTERN_OK);
    CHECK(postern_request_resource(request, "*", 1) == POSTERN_OK);
    put_cell(request, set, "k", k);
    put_cell(request, set, "v", v);
    CHECK(postern_explain_condition(set, request, 0, 0, &verdict) == POSTERN_OK);
    *key = verdict.key;
    CHECK((verdict.result == POSTERN_UNKNOWN) == (verdict.key >= 0));
    return verdict.result == POSTERN_YES ? 'Y' : verdict.result == POSTERN_NO ? 'N' : '?';
}

/* ---- The truth table (policy language 6) --------------------------------- */

static const char *const columns[] = {"-",  "[",   "=a",   "=c",     "=",   "[;",
                                      "[;;", "[a;", "[a;c;", "[c;", "?"};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void truth_table(void) {
    static const struct {
        const char *operator_name, *values, *v;
        const char *answers; /* one for each column */
    } rows[] = {
        /* clang-format off */
        /*                                                             absent
         *                                                             |[]
         *                                                             || a
         *                                                             || |c
         *                                                             || ||empty text
         *                                                             || ||| list of one empty text
         *                                                             || ||| |of two
         *                                                             || ||| || a in a list
         *                                                             || ||| || |a and c
         *                                                             || ||| || || c
         *                                                             || ||| || || |unresolved */
        {"StringEquals",                          "['a']",       "-", "NN" "YNN" "NN" "NNN" "?"},
        {"StringEqualsIfExists",                  "['a']",       "-", "YY" "YNN" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['a']",       "-", "YY" "NYY" "NN" "NNN" "?"},
        {"StringNotEqualsIfExists",               "['a']",       "-", "YY" "NYY" "NN" "NNN" "?"},
        {"ForAllValues:StringEquals",             "['a']",       "-", "YY" "YNY" "YY" "YNN" "?"},
        {"ForAllValues:StringEqualsIfExists",     "['a']",       "-", "YY" "YNY" "YY" "YNN" "?"},
        {"ForAllValues:StringNotEquals",          "['a']",       "-", "YY" "NYY" "YY" "NNY" "?"},
        {"ForAllValues:StringNotEqualsIfExists",  "['a']",       "-", "YY" "NYY" "YY" "NNY" "?"},
        {"ForAnyValue:StringEquals",              "['a']",       "-", "NN" "YNN" "NN" "YYN" "?"},
        {"ForAnyValue:StringEqualsIfExists",      "['a']",       "-", "YY" "YNN" "NN" "YYN" "?"},
        {"ForAnyValue:StringNotEquals",           "['a']",       "-", "NN" "NYN" "NN" "NYY" "?"},
        {"ForAnyValue:StringNotEqualsIfExists",   "['a']",       "-", "YY" "NYN" "NN" "NYY" "?"},
        /* Without brackets it is the same; several values are an or. */
        {"StringEquals",                          "'a'",         "-", "NN" "YNN" "NN" "NNN" "?"},
        {"StringEquals",                          "['b','a']",   "-", "NN" "YNN" "NN" "NNN" "?"},
        {"StringEquals",                          "['c','a']",   "-", "NN" "YYN" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['c','a']",   "-", "YY" "NNY" "NN" "NNN" "?"},
        {"StringEquals",                          "''",          "-", "NN" "NNY" "NN" "NNN" "?"},
        {"ForAllValues:StringEquals",             "['c','a']",   "-", "YY" "YYY" "YY" "YYY" "?"},
        {"ForAllValues:StringNotEquals",          "['c','a']",   "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAnyValue:StringNotEquals",           "['c','a']",   "-", "NN" "NNN" "NN" "NNN" "?"},
        {"ForAnyValue:StringEquals",              "''",          "-", "NN" "NNN" "NN" "NNN" "?"},
        /* No policy value at all; against empty texts alone the key is as good as missing. */
        {"StringEquals",                          "[]",          "-", "NN" "NNN" "NN" "NNN" "N"},
        {"StringEqualsIfExists",                  "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"StringNotEquals",                       "[]",          "-", "YY" "YYY" "YY" "NNN" "?"},
        {"StringNotEqualsIfExists",               "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAllValues:StringEquals",             "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAllValues:StringEqualsIfExists",     "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAllValues:StringNotEquals",          "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAllValues:StringNotEqualsIfExists",  "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAnyValue:StringEquals",              "[]",          "-", "NN" "NNN" "NN" "NNN" "N"},
        {"ForAnyValue:StringEqualsIfExists",      "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAnyValue:StringNotEquals",           "[]",          "-", "NN" "NNN" "NN" "NNN" "N"},
        {"ForAnyValue:StringNotEqualsIfExists",   "[]",          "-", "YY" "NNY" "YY" "NNN" "?"},
        {"NotIpAddress",                          "[]",          "-", "YY" "YYY" "YY" "NNN" "?"},
        {"IpAddress",                             "[]",          "-", "NN" "NNN" "NN" "NNN" "N"},
        /* A value that cannot be parsed: never matches, negated always. */
        {"NumericEquals",                         "['x']",       "-", "NN" "NNN" "NN" "NNN" "N"},
        {"NumericEqualsIfExists",                 "['x']",       "-", "YY" "NNN" "NN" "NNN" "?"},
        {"NumericNotEquals",                      "['x']",       "-", "YY" "YYY" "NN" "NNN" "?"},
        {"NumericNotEquals",                      "['1']",       "-", "YY" "YYY" "NN" "NNN" "?"},
        {"NotIpAddress",                          "['x']",       "-", "YY" "YYY" "NN" "NNN" "?"},
        {"ForAllValues:NumericLessThan",          "['x']",       "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAnyValue:DateNotEquals",             "['x']",       "-", "NN" "YYN" "NN" "YYY" "?"},
        {"Bool",                                  "['${v}']",    "=a", "NN" "NNN" "NN" "NNN" "N"},
        /* A variable without a value: its policy value matches nothing. */
        {"StringEquals",                          "['${v}']",    "-", "NN" "NNN" "NN" "NNN" "?"},
        {"StringEquals",                          "['${v}','a']", "=", "NN" "YNN" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['${v}']",    "-", "YY" "YYY" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['${v}','a']", "[a;", "YY" "NYY" "NN" "NNN" "?"},
        {"ForAllValues:StringEquals",             "['${v}']",    "-", "YY" "NNY" "YY" "NNN" "?"},
        {"ForAllValues:StringNotEquals",          "['${v}']",    "-", "YY" "YYY" "YY" "YYY" "?"},
        {"ForAnyValue:StringEquals",              "['${v}']",    "-", "NN" "NNN" "NN" "NNN" "?"},
        {"ForAnyValue:StringNotEquals",           "['${v}']",    "-", "NN" "YYN" "NN" "YYY" "?"},
        /* A variable that has one. */
        {"StringEquals",                          "['${v}']",    "=a", "NN" "YNN" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['${v}']",    "=a", "YY" "NYY" "NN" "NNN" "?"},
        {"ForAnyValue:StringNotEquals",           "['${v}']",    "=a", "NN" "NYN" "NN" "NYY" "?"},
        /* An unresolved one: unknown where it counts. */
        {"StringEquals",                          "['${v}']",    "?", "NN" "???" "NN" "NNN" "?"},
        {"StringEquals",                          "['${v}','a']", "?", "NN" "Y??" "NN" "NNN" "?"},
        {"StringEqualsIfExists",                  "['a','${v}']", "?", "YY" "Y??" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['${v}']",    "?", "YY" "???" "NN" "NNN" "?"},
        {"StringNotEquals",                       "['a','${v}']", "?", "YY" "N??" "NN" "NNN" "?"},
        {"ForAllValues:StringEquals",             "['${v}']",    "?", "YY" "??Y" "YY" "???" "?"},
        {"ForAllValues:StringEquals",             "['a','${v}']", "?", "YY" "Y?Y" "YY" "Y??" "?"},
        {"ForAllValues:StringNotEquals",          "['a','${v}']", "?", "YY" "N?Y" "YY" "NN?" "?"},
        {"ForAnyValue:StringEquals",              "['a','${v}']", "?", "NN" "Y?N" "NN" "YY?" "?"},
        {"ForAnyValue:StringNotEquals",           "['a','${v}']", "?", "NN" "N?N" "NN" "N??" "?"},
        {"StringLike",                            "['c*${v}']",  "?", "NN" "N?N" "NN" "NNN" "?"},
        /* Presence. */
        {"Null",                                  "'true'",      "-", "YY" "NNN" "NN" "NNN" "?"},
        {"Null",                                  "'false'",     "-", "NN" "YYY" "YY" "YYY" "?"},
        {"Null",                                  "true",        "-", "YY" "NNN" "NN" "NNN" "?"},
        {"Null",                                  "['FALSE']",   "-", "NN" "YYY" "YY" "YYY" "?"},
        {"ForAllValues:Null",                     "'false'",     "-", "NN" "YYY" "YY" "YYY" "?"},
        {"ForAnyValue:Null",                      "'true'",      "-", "YY" "NNN" "NN" "NNN" "?"},
        {"Null",                                  "[true,false]", "-", "YY" "YYY" "YY" "YYY" "Y"},
        {"Null",                                  "[]",          "-", "NN" "NNN" "NN" "NNN" "N"},
        {"Null",                                  "['x']",       "-", "NN" "NNN" "NN" "NNN" "N"},
        {"Null",                                  "['x',true]",  "-", "YY" "NNN" "NN" "NNN" "?"},
        {"Null",                                  "['${v}']",    "=true", "NN" "NNN" "NN" "NNN" "N"},
        /* clang-format on */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_set *set = condition_set(rows[i].operator_name, rows[i].values);
        if (set == NULL) continue;
        postern_request *request = postern_request_new(set, NULL, NULL);
        CHECK(request != NULL && strlen(rows[i].answers) == COLUMNS);
        for (size_t k = 0; k < COLUMNS; k++) {
            char row[160];
            int32_t key;
            snprintf(row, sizeof row, "%s %s, v is %s: k is %s", rows[i].operator_name,
                     rows[i].values, rows[i].v, columns[k]);
            CHECK_ROW(answer(set, request, columns[k], rows[i].v, &key) == rows[i].answers[k],
                      row);
        }
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* ---- Operators ----------------------------------------------------------- */

struct comparison {
    const char *operator_name, *values, *value;
    char answer;
};

static void check_comparisons(const struct comparison *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        postern_set *set = condition_set(rows[i].operator_name, rows[i].values);
        if (set == NULL) continue;
        postern_request *request = postern_request_new(set, NULL, NULL);
        CHECK(request != NULL);
        char row[256], cell[160];
        int32_t key;
        snprintf(row, sizeof row, "%s %s: %s", rows[i].operator_name, rows[i].values,
                 rows[i].value);
        snprintf(cell, sizeof cell, "=%s", rows[i].value);
        CHECK_ROW(answer(set, request, cell, "=a*:b", &key) == rows[i].answer, row);
        postern_request_free(request);
        postern_set_free(set);
    }
}

#define CHECK_COMPARISONS(rows) check_comparisons(rows, sizeof(rows) / sizeof *(rows))

static void texts_compare(void) {
    static const struct comparison rows[] = {
        {"StringEquals", "'a'", "a", 'Y'},
        {"StringEquals", "'a'", "A", 'N'},
        {"StringEquals", "'a'", "ab", 'N'},
        {"StringEquals", "'a*'", "ab", 'N'}, /* wildcards are literal */
        {"StringEquals", "'a*'", "a*", 'Y'},
        {"StringEquals", "'${*}'", "*", 'Y'},
        {"StringEquals", "'${*}'", "x", 'N'},
        {"StringEquals", "'é'", "é", 'Y'},
        {"StringEquals", "'é'", "e\xCC\x81", 'N'},
        {"StringEquals", "5", "5", 'Y'},
        {"StringEquals", "5.0", "5", 'Y'}, /* shortest decimal */
        {"StringEquals", "true", "true", 'Y'},
        {"StringEquals", "true", "True", 'N'},
        {"StringEquals", "'${v}'", "a*:b", 'Y'},
        {"StringEquals", "'${V}'", "a*:b", 'Y'},
        {"StringEquals", "'${w, `d`}'", "d", 'Y'},
        {"StringEquals", "'${w, ``}'", "", 'Y'},
        {"StringEquals", "'${w }'", "${w }", 'Y'},
        {"StringNotEquals", "'a'", "a", 'N'},
        {"StringNotEquals", "'a'", "A", 'Y'},
        {"StringNotEquals", "'${w}'", "a", 'Y'},
        {"StringEqualsIgnoreCase", "'aBc'", "AbC", 'Y'},
        {"StringEqualsIgnoreCase", "'a'", "b", 'N'},
        {"StringEqualsIgnoreCase", "'a'", "aa", 'N'},
        {"StringEqualsIgnoreCase", "'[a'", "{a", 'N'}, /* letters alone */
        {"StringEqualsIgnoreCase", "'A*'", "a*", 'Y'},
        {"StringEqualsIgnoreCase", "'A*'", "ab", 'N'},
        {"StringEqualsIgnoreCase", "'X${v}'", "xA*:B", 'Y'},
        {"StringNotEqualsIgnoreCase", "'aBc'", "AbC", 'N'},
        {"StringNotEqualsIgnoreCase", "'a'", "b", 'Y'},
        {"StringLike", "'a*'", "a:b/c", 'Y'},
        {"StringLike", "'a?'", "ab", 'Y'},
        {"StringLike", "'a?'", "aé", 'Y'},
        {"StringLike", "'a?'", "a", 'N'},
        {"StringLike", "'A*'", "ab", 'N'},
        {"StringLike", "'a'", "a", 'Y'},
        {"StringLike", "'a'", "ab", 'N'},
        {"StringLike", "'*'", "", 'Y'},
        {"StringLike", "'${*}'", "a", 'N'},
        {"StringLike", "'${?}${*}'", "?*", 'Y'},
        {"StringLike", "'${v}*'", "a*:bc", 'Y'},
        {"StringLike", "'${v}*'", "axx:bc", 'N'}, /* the `*` of v is literal */
        {"StringLike", "'${w, `*`}'", "a", 'N'},
        {"StringLike", "'${w, `*`}'", "*", 'Y'},
        {"StringNotLike", "'a*'", "ab", 'N'},
        {"StringNotLike", "'a*'", "b", 'Y'},
        {"StringNotLike", "'*${w}'", "b", 'Y'},
    };
    CHECK_COMPARISONS(rows);
}

static void arns_compare(void) {
    static const struct comparison rows[] = {
        {"ArnEquals", "'arn:aws:sns:*:*:t'", "arn:aws:sns:us-east-1:1:t", 'Y'},
        {"ArnLike", "'arn:aws:sns:*:*:t'", "arn:aws:sns:us-east-1:1:t", 'Y'},
        {"ArnLike", "'arn:aws:sns:*:*:t'", "arn:aws:sns:us-east-1:1:T", 'N'},
        /* Nothing crosses the first five colons; the sixth part may hold more. */
        {"ArnLike", "'arn:aws:sns:*:t'", "arn:aws:sns:us-east-1:1:t", 'N'},
        {"ArnLike", "'arn:aws:sns:*'", "arn:aws:sns:us-east-1:1:t", 'N'},
        {"ArnLike", "'*'", "arn:aws:sns:us-east-1:1:t", 'N'},
        {"ArnLike", "'*:*:*:*:*:*'", "arn:aws:sns:us-east-1:1:t:u:v", 'Y'},
        {"ArnLike", "'*:*:*:*:*:t'", "arn:aws:sns:us-east-1:1:t:u:t", 'N'},
        {"ArnLike", "'a:b:c:d:e:f:*'", "a:b:c:d:e:f:g:h", 'Y'},
        {"ArnLike", "'a:b:c:d:*:f'", "a:b:c:d:e:x:f", 'N'},
        {"ArnLike", "'a:b:c:d:?:f'", "a:b:c:d:e:f", 'Y'},
        {"ArnLike", "'a:b:c:d:?:f'", "a:b:c:d::f", 'N'},
        {"ArnLike", "'a:b:c:d:e:*'", "a:b:c:d:e", 'N'}, /* five parts */
        {"ArnLike", "'a:b:c:d:e:f'", "", 'N'},
        {"ArnNotLike", "'arn:aws:sns:*:*:t'", "arn:aws:sns:us-east-1:1:t", 'N'},
        {"ArnNotEquals", "'arn:aws:sns:*:*:t'", "arn:aws:sns:us-east-1:1:u", 'Y'},
        {"ArnNotEquals", "'arn:aws:sns:*:*:t'", "nonsense", 'Y'},
        {"ArnNotLike", "'arn:aws:sns'", "arn:aws:sns", 'Y'}, /* neither is an ARN */
        {"ArnEquals", "'arn:aws:sns'", "arn:aws:sns", 'N'},
        /* Variables in any part; what replaces them makes no new parts. */
        {"ArnLike", "'a:${w, `b`}:c:d:e:f'", "a:b:c:d:e:f", 'Y'},
        {"ArnLike", "'a:b:c:d:e:x/${v}'", "a:b:c:d:e:x/a*:b", 'Y'},
        {"ArnLike", "'a:b:c:d:e:x/${v}'", "a:b:c:d:e:x/axx:b", 'N'},
        {"ArnLike", "'x:${v}:c:d:e:f'", "x:a*:b:c:d:e:f", 'N'},
        {"ArnLike", "'x:${v}:c:d:f'", "x:a*:b:c:d:f", 'N'},
        {"ArnLike", "'x:${w, `b:c`}:d:e:f'", "x:b:c:d:e:f", 'N'},
        {"ArnNotLike", "'x:${v}:c:d:e:f'", "x:a*:b:c:d:e:f", 'Y'},
        {"ArnNotLike", "'a:b:c:d:e:${w}'", "a:b:c:d:e:f", 'Y'},
    };
    CHECK_COMPARISONS(rows);
}

static void numbers_compare(void) {
    static const struct comparison rows[] = {
        {"NumericEquals", "'10'", "10.0", 'Y'},
        {"NumericEquals", "10", "1e1", 'Y'},
        {"NumericEquals", "10", "11", 'N'},
        {"NumericEquals", "9007199254740993", "9007199254740992", 'N'},
        {"NumericEquals", "10", "0xA", 'N'},
        {"NumericEquals", "10", " 10", 'N'},
        {"NumericEquals", "10", "", 'N'},
        {"NumericEquals", "'ten'", "10", 'N'},
        {"NumericEquals", "['ten',10]", "10", 'Y'},
        {"NumericEquals", "'${v}'", "10", 'N'},
        {"NumericNotEquals", "10", "11", 'Y'},
        {"NumericNotEquals", "10", "10.0", 'N'},
        {"NumericNotEquals", "[1,10]", "10", 'N'},
        {"NumericNotEquals", "10", "ten", 'Y'},
        {"NumericNotEquals", "'ten'", "10", 'Y'},
        {"NumericLessThan", "10", "9.9", 'Y'},
        {"NumericLessThan", "10", "10", 'N'},
        {"NumericLessThan", "10", "-11", 'Y'},
        {"NumericLessThan", "10", "x", 'N'},
        {"NumericLessThan", "'x'", "9", 'N'},
        {"NumericLessThanEquals", "10", "10", 'Y'},
        {"NumericLessThanEquals", "10", "10.1", 'N'},
        {"NumericLessThanEquals", "10", "x", 'N'},
        {"NumericGreaterThan", "10", "10.1", 'Y'},
        {"NumericGreaterThan", "10", "10", 'N'},
        {"NumericGreaterThan", "10", "x", 'N'},
        {"NumericGreaterThan", "[100,10]", "11", 'Y'}, /* an or here too */
        {"NumericGreaterThanEquals", "10", "10", 'Y'},
        {"NumericGreaterThanEquals", "10", "9", 'N'},
        {"NumericGreaterThanEquals", "'x'", "x", 'N'},
    };
    CHECK_COMPARISONS(rows);
}

static void dates_compare(void) {
    static const struct comparison rows[] = {
        {"DateEquals", "'2026-01-01'", "2026-01-01T00:00:00Z", 'Y'},
        {"DateEquals", "'2026-01-01'", "1767225600", 'Y'},
        {"DateEquals", "1767225600", "2026-01-01T01:00:00+01:00", 'Y'},
        {"DateEquals", "'2026'", "2026-01", 'Y'},
        {"DateEquals", "'2026'", "2027", 'N'},
        {"DateEquals", "'2026-02-30'", "2026-02-30", 'N'},
        {"DateEquals", "'2026-*'", "2026-01", 'N'},
        {"DateEquals", "'2026'", "today", 'N'},
        {"DateNotEquals", "'2026'", "2026-01-01", 'N'},
        {"DateNotEquals", "'2026'", "2027", 'Y'},
        {"DateNotEquals", "'2026'", "today", 'Y'},
        {"DateNotEquals", "'today'", "2026", 'Y'},
        {"DateLessThan", "'2026'", "2025-12-31T23:59:59Z", 'Y'},
        {"DateLessThan", "'2026'", "2026", 'N'},
        {"DateLessThan", "'2026'", "x", 'N'},
        {"DateLessThan", "'x'", "2026", 'N'},
        {"DateLessThanEquals", "'2026'", "2026", 'Y'},
        {"DateLessThanEquals", "'2026'", "2026-01-01T00:00:00.1Z", 'N'},
        {"DateGreaterThan", "'2026'", "2026-01-01T00:00:00.1Z", 'Y'},
        {"DateGreaterThan", "'2026'", "2026", 'N'},
        {"DateGreaterThan", "'2026'", "", 'N'},
        {"DateGreaterThanEquals", "'2026'", "2026", 'Y'},
        {"DateGreaterThanEquals", "'2026'", "2025", 'N'},
    };
    CHECK_COMPARISONS(rows);
}

static void booleans_and_bytes_compare(void) {
    static const struct comparison rows[] = {
        {"Bool", "true", "true", 'Y'},
        {"Bool", "'TRUE'", "True", 'Y'},
        {"Bool", "false", "false", 'Y'},
        {"Bool", "true", "false", 'N'},
        {"Bool", "false", "true", 'N'},
        {"Bool", "[true,false]", "false", 'Y'},
        {"Bool", "true", "1", 'N'},
        {"Bool", "false", "0", 'N'},
        {"Bool", "false", "", 'N'},
        {"Bool", "'yes'", "yes", 'N'},
        {"Bool", "'no'", "false", 'N'}, /* what does not parse is not false */
        {"BoolIfExists", "true", "false", 'N'},
        {"BinaryEquals", "'QUJD'", "QUJD", 'Y'},
        {"BinaryEquals", "'QUI='", "QUI=", 'Y'},
        {"BinaryEquals", "'QUI='", "QUJ=", 'Y'}, /* the same bytes */
        {"BinaryEquals", "'QUJD'", "QUJE", 'N'},
        {"BinaryEquals", "'QUJD'", "qujd", 'N'},
        {"BinaryEquals", "''", "", 'Y'},
        {"BinaryEquals", "'QUI'", "QUI", 'N'}, /* neither is base64 */
        {"BinaryEquals", "'QUI='", "QUI", 'N'},
        {"BinaryEquals", "['x','QUI=']", "QUI=", 'Y'},
    };
    CHECK_COMPARISONS(rows);
}

static void addresses_compare(void) {
    static const struct comparison rows[] = {
        {"IpAddress", "'203.0.113.0/24'", "203.0.113.9", 'Y'},
        {"IpAddress", "'203.0.113.77/24'", "203.0.113.9", 'Y'},
        {"IpAddress", "'203.0.113.0/24'", "203.0.114.9", 'N'},
        {"IpAddress", "'203.0.113.9'", "203.0.113.9", 'Y'},
        {"IpAddress", "'203.0.113.9'", "203.0.113.8", 'N'},
        {"IpAddress", "['10.0.0.0/8','2001:db8::/32']", "2001:DB8::1", 'Y'},
        {"IpAddress", "'0.0.0.0/0'", "2001:db8::1", 'N'},
        {"IpAddress", "'::/0'", "203.0.113.9", 'N'},
        {"IpAddress", "'10.0.0.0/8'", "::ffff:10.1.2.3", 'Y'},
        {"IpAddress", "'::ffff:10.0.0.0/104'", "10.1.2.3", 'Y'},
        {"IpAddress", "'0.0.0.0/0'", "not an address", 'N'},
        {"IpAddress", "'0.0.0.0/0'", "203.0.113.9/32", 'N'},
        {"IpAddress", "['x','10.0.0.0/8']", "10.0.0.1", 'Y'},
        {"IpAddress", "'203.0.*'", "203.0.113.9", 'N'},
        {"NotIpAddress", "'203.0.113.0/24'", "203.0.113.9", 'N'},
        {"NotIpAddress", "'203.0.113.0/24'", "203.0.114.9", 'Y'},
        {"NotIpAddress", "['10.0.0.0/8','203.0.113.0/24']", "203.0.113.9", 'N'},
        {"NotIpAddress", "'0.0.0.0/0'", "2001:db8::1", 'Y'},
        {"NotIpAddress", "'0.0.0.0/0'", "not an address", 'Y'},
        {"NotIpAddress", "'x'", "203.0.113.9", 'Y'},
    };
    CHECK_COMPARISONS(rows);
}

/* ---- What an unknown answer asks for ------------------------------------- */

static void unknown_names_the_key(void) {
    static const struct {
        const char *operator_name, *values, *k, *v, *key;
    } rows[] = {
        {"StringEquals", "'a'", "?", "-", "k"},
        {"Null", "'true'", "?", "-", "k"},
        {"StringEquals", "['a','${v}']", "=b", "?", "v"},
        {"StringNotLike", "['a','${v}*']", "=b", "?", "v"},
        {"StringEqualsIgnoreCase", "'${v}'", "=b", "?", "v"},
        {"ForAnyValue:StringEquals", "'${v}'", "[b;c;", "?", "v"},
        {"ForAllValues:StringLike", "'${v}'", "[b;c;", "?", "v"},
        {"ArnLike", "'a:b:c:d:e:${v}'", "=a:b:c:d:e:f", "?", "v"},
        /* The condition key first: without it there may be nothing to compare. */
        {"StringEquals", "'${v}'", "?", "?", "k"},
        /* A variable may be the key itself. */
        {"StringEquals", "'${k}'", "?", "-", "k"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_set *set = condition_set(rows[i].operator_name, rows[i].values);
        if (set == NULL) continue;
        postern_request *request = postern_request_new(set, NULL, NULL);
        int32_t key;
        CHECK_ROW(answer(set, request, rows[i].k, rows[i].v, &key) == '?', rows[i].values);
        CHECK_ROW(key == postern_set_find_key(set, rows[i].key, strlen(rows[i].key)),
                  rows[i].values);
        postern_request_free(request);
        postern_set_free(set);
    }
    /* A part that does not match settles it, unresolved parts or not. */
    postern_set *set = condition_set("ArnLike", "'a:${v}:c:d:e:f'");
    postern_request *request = postern_request_new(set, NULL, NULL);
    int32_t key;
    CHECK(answer(set, request, "=a:b:c:d:e:g", "?", &key) == 'N');
    CHECK(answer(set, request, "=a:b:c:d:e:f", "?", &key) == '?');
    postern_request_free(request);
    postern_set_free(set);
}

/* What is known settles it, however much unknown stands before. */
static void known_values_decide_behind_unknown_ones(void) {
    static const struct {
        const char *operator_name, *values;
        char answer;
    } rows[] = {
        {"ForAnyValue:StringEquals", "['${v}','a']", 'Y'},
        {"ForAnyValue:StringNotEquals", "['${v}','a']", '?'},
        {"ForAllValues:StringEquals", "['${v}','a']", '?'},
        {"ForAllValues:StringNotEquals", "['${v}','a']", 'N'},
        {"ForAllValues:StringNotEqualsIfExists", "['a','${v}']", 'N'},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_set *set = condition_set(rows[i].operator_name, rows[i].values);
        if (set == NULL) continue;
        postern_request *request = postern_request_new(set, NULL, NULL);
        int32_t key;
        CHECK_ROW(answer(set, request, "[c;d;a;", "?", &key) == rows[i].answer,
                  rows[i].operator_name);
        CHECK_ROW(answer(set, request, "[a;c;d;", "?", &key) == rows[i].answer,
                  rows[i].operator_name);
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* ---- Three-valued -------------------------------------------------------- */

static const char *const domain[] = {
    "-", "[", "=", "=a", "=b", "=A*", "=5", "=true", "=2026", "=10.0.0.1", "=QUI=", "=a:b:c:d:e:f",
    "[;", "[a;", "[a;b;", "[5;true;", "[;b;",
};
enum { DOMAIN = sizeof domain / sizeof *domain };

static void write_random_condition(char name[80], char values[512]) {
    static const char *const quantifiers[] = {"", "", "ForAllValues:", "ForAnyValue:"};
    static const char *const pieces[] = {
        "'a'", "'b'", "''", "'*'", "'a*'", "5", "'6'", "true", "false", "'2026'", "'10.0.0.0/8'",
        "'QUI='", "'a:b:c:d:e:*'", "'${v}'", "'${v}'", "'${k}'", "'${v, `a`}'", "'${v}${k}'",
        "'a:b:c:${v}:e:f'", "'*:*:*:*:*:${k}'", "'${absent}'", "'${v}${absent}'", "'x*${v}?'",
    };
    uint32_t id = below(POSTERN__OPERATOR_COUNT);
    bool if_exists = id != POSTERN__OP_NULL && below(3) == 0;
    const char *quantifier = PICK(quantifiers);
    snprintf(name, 80, "%s%s%s", quantifier, postern__operator_info_of(id)->spelling,
             if_exists ? "IfExists" : "");
    writer w = {values, 512, 0};
    writef(&w, "[");
    for (uint32_t n = below(4), i = 0; i < n; i++)
        writef(&w, "%s%s", i > 0 ? "," : "", PICK(pieces));
    writef(&w, "]");
}

/* An answer that is given although cells are unresolved is the answer whatever
 * they turn out to hold. An unknown one asks for a cell that is unresolved. */
static void known_answers_hold_for_every_completion(void) {
    size_t known = 0, unknown = 0;
    seed(21);
    for (int round = 0; round < 3000; round++) {
        char name[80], values[512], row[640], whole[DOMAIN][DOMAIN];
        int32_t key;
        write_random_condition(name, values);
        postern_set *set = condition_set(name, values);
        if (set == NULL) return;
        postern_request *request = postern_request_new(set, NULL, NULL);
        snprintf(row, sizeof row, "%s %s", name, values);
        int32_t k_key = postern_set_find_key(set, "k", 1);
        int32_t v_key = postern_set_find_key(set, "v", 1);
        bool never_unknown = true;
        for (int k = 0; k < DOMAIN; k++) {
            for (int v = 0; v < DOMAIN; v++) {
                whole[k][v] = answer(set, request, domain[k], domain[v], &key);
                never_unknown = never_unknown && whole[k][v] != '?';
            }
        }
        CHECK_ROW(never_unknown, row);
        char neither = answer(set, request, "?", "?", &key);
        CHECK_ROW(neither != '?' || key == k_key || key == v_key, row);
        for (int i = 0; i < DOMAIN; i++) {
            char no_k = answer(set, request, "?", domain[i], &key);
            CHECK_ROW(no_k != '?' || key == k_key, row);
            char no_v = answer(set, request, domain[i], "?", &key);
            CHECK_ROW(no_v != '?' || key == v_key, row);
            bool holds = true;
            for (int j = 0; j < DOMAIN; j++) {
                holds = holds && (no_k == '?' || whole[j][i] == no_k);
                holds = holds && (no_v == '?' || whole[i][j] == no_v);
                holds = holds && (neither == '?' || whole[i][j] == neither);
            }
            CHECK_ROW(holds, row);
            unknown += (no_k == '?') + (no_v == '?');
            known += (no_k != '?') + (no_v != '?');
        }
        postern_request_free(request);
        postern_set_free(set);
    }
    CHECK(known > 10000 && unknown > 10000);
}

static void truths_negate(void) {
    CHECK(postern__truth_not(POSTERN_YES) == POSTERN_NO);
    CHECK(postern__truth_not(POSTERN_NO) == POSTERN_YES);
    CHECK(postern__truth_not(POSTERN_UNKNOWN) == POSTERN_UNKNOWN);
}

TEST_MAIN(
    RUN(operator_names_parse);
    RUN(other_names_are_refused);
    RUN(bases_are_found);
    RUN(every_operator_is_described);
    RUN(truth_table);
    RUN(texts_compare);
    RUN(arns_compare);
    RUN(numbers_compare);
    RUN(dates_compare);
    RUN(booleans_and_bytes_compare);
    RUN(addresses_compare);
    RUN(unknown_names_the_key);
    RUN(known_values_decide_behind_unknown_ones);
    RUN(known_answers_hold_for_every_completion);
    RUN(truths_negate)
)
