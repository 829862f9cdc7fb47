#include "explain.h"

#include "failing_alloc.h"
#include "scenario.h"

/* ---- Statements ----------------------------------------------------------- */

enum {
    ACTION = 1 << POSTERN_ELEMENT_ACTION,
    RESOURCE = 1 << POSTERN_ELEMENT_RESOURCE,
    PRINCIPAL = 1 << POSTERN_ELEMENT_PRINCIPAL,
    CONDITION = 1 << POSTERN_ELEMENT_CONDITION
};

/* Every element is judged, also behind the first that failed. */
static void verdicts_name_what_failed(void) {
    static const struct {
        const char *statement;
        int32_t result, match, failed_at;
        uint32_t failed;
        const char *key; /* k is unresolved, a is 1, b is absent */
    } rows[] = {
#define SAYS(who, what, on, when) \
    "{'Effect':'Allow','Principal':" who ",'Action':'" what "','Resource':'" on "','Condition':{" when "}}"
        {SAYS("'*'", "*", "*", ""), POSTERN_YES, POSTERN_MATCH_WILD, 0, 0, NULL},
        {SAYS("{'AWS':'" ALICE "'}", "x:*", "*", "'StringEquals':{'a':'1'}"), POSTERN_YES,
         POSTERN_MATCH_DIRECT, 0, 0, NULL},
        {SAYS("'*'", "y:*", "*", ""), POSTERN_NO, POSTERN_MATCH_WILD, POSTERN_ELEMENT_ACTION, ACTION,
         NULL},
        {SAYS("'*'", "*", "r", ""), POSTERN_NO, POSTERN_MATCH_WILD, POSTERN_ELEMENT_RESOURCE,
         RESOURCE, NULL},
        {SAYS("{'AWS':'444455556666'}", "*", "*", ""), POSTERN_NO, POSTERN_MATCH_NONE,
         POSTERN_ELEMENT_PRINCIPAL, PRINCIPAL, NULL},
        {SAYS("'*'", "*", "*", "'StringEquals':{'a':'2'}"), POSTERN_NO, POSTERN_MATCH_WILD,
         POSTERN_ELEMENT_CONDITION, CONDITION, NULL},
        {SAYS("{'AWS':'444455556666'}", "y:*", "r", "'StringEquals':{'a':'2','b':'1'}"), POSTERN_NO,
         POSTERN_MATCH_NONE, POSTERN_ELEMENT_ACTION, ACTION | RESOURCE | PRINCIPAL | CONDITION, NULL},
        {SAYS("'*'", "*", "r", "'StringEquals':{'b':'1'}"), POSTERN_NO, POSTERN_MATCH_WILD,
         POSTERN_ELEMENT_RESOURCE, RESOURCE | CONDITION, NULL},
        {SAYS("'*'", "*", "*", "'StringEquals':{'k':'1'}"), POSTERN_UNKNOWN, POSTERN_MATCH_WILD, 0, 0,
         "k"},
        {SAYS("'*'", "*", "*", "'StringEquals':{'a':'1'},'StringLike':{'k':'1','l':'1'}"),
         POSTERN_UNKNOWN, POSTERN_MATCH_WILD, 0, 0, "k"},
        /* What is unknown does not matter beside what failed. */
        {SAYS("'*'", "*", "*", "'StringEquals':{'k':'1','a':'2'}"), POSTERN_NO, POSTERN_MATCH_WILD,
         POSTERN_ELEMENT_CONDITION, CONDITION, NULL},
        {SAYS("'*'", "*", "arn:aws:s3:::${k}", ""), POSTERN_UNKNOWN, POSTERN_MATCH_WILD, 0, 0, "k"},
        {SAYS("'*'", "*", "arn:aws:s3:::${k}", "'StringEquals':{'l':'1'}"), POSTERN_UNKNOWN,
         POSTERN_MATCH_WILD, 0, 0, "k"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':[%s]}", rows[i].statement);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        postern_request *request = request_of(set, ALICE, "x:y", "arn:aws:s3:::b");
        put_key(request, set, "a", "1");
        int32_t k = postern_set_find_key(set, "k", 1), l = postern_set_find_key(set, "l", 1);
        if (k >= 0) postern_request_unresolved(request, (uint32_t)k);
        if (l >= 0) postern_request_unresolved(request, (uint32_t)l);
        postern_verdict verdict;
        CHECK(postern_explain_statement(set, request, 0, &verdict) == POSTERN_OK);
        CHECK_ROW(verdict.result == rows[i].result && verdict.match == rows[i].match, text);
        CHECK_ROW(verdict.failed_at == rows[i].failed_at && verdict.failed == rows[i].failed, text);
        CHECK_ROW(verdict.key == (rows[i].key == NULL ? -1 : k), text);
        postern_request_free(request);
        postern_set_free(set);
    }
}

static void out_of_range_is_misuse(void) {
    postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE,
                                   "{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*',"
                                   "'Condition':{'Null':{'k':true}}},"
                                   "{'Effect':'Allow','Action':'*','Resource':'*'}]}");
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    postern_verdict v = {.key = 4711};
    postern_span text = {NULL, 77};
    CHECK(postern_explain_statement(set, request, 2, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_statement(set, request, UINT32_MAX, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_condition(set, request, 0, 1, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_condition(set, request, 1, 0, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_condition(set, request, 2, 0, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_condition(set, request, UINT32_MAX, UINT32_MAX, &v) == POSTERN_MISUSE);
    CHECK(postern_explain_value(set, request, 0, 0, 1, &text) == POSTERN_MISUSE);
    CHECK(postern_explain_value(set, request, 0, 1, 0, &text) == POSTERN_MISUSE);
    CHECK(postern_explain_value(set, request, 9, 0, 0, &text) == POSTERN_MISUSE);
    CHECK(v.key == 4711 && text.length == 77);
    CHECK(postern_explain_condition(set, request, 0, 0, &v) == POSTERN_OK);
    CHECK(v.result == POSTERN_YES && v.failed == 0 && v.key == -1);
    postern_request_free(request);
    postern_set_free(set);
}

/* ---- One value ------------------------------------------------------------ */

static int32_t value_of(const postern_set *set, postern_request *request, int32_t element,
                        uint32_t condition, uint32_t value) {
    postern_verdict verdict = {.result = 99};
    int status = postern_explain_match(set, request, 0, element, condition, value, &verdict);
    CHECK((status == POSTERN_OK) == (verdict.result != 99));
    CHECK(status == POSTERN_OK || status == POSTERN_MISUSE);
    if (verdict.result == POSTERN_NO) CHECK(verdict.failed == 1u << element);
    return status == POSTERN_OK ? verdict.result : -1;
}

/* `y`, `n`, `u` for unknown and `-` (no such value) for the values of one element. */
static void check_values(const char *statement, int32_t type, int32_t element, const char *expected) {
    char text[1024];
    snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':[{'Effect':'Deny',%s}]}",
             statement);
    postern_set *set = set_of_type(type, POSTERN_STRUCTURAL, text);
    postern_request *request = request_of(set, ALICE, "x:y", METHOD);
    put_key(request, set, "a", "1");
    put_key(request, set, "ip", "10.1.2.3");
    put_key(request, set, "ip6", "2001:db8::1");
    int32_t k = postern_set_find_key(set, "k", 1), m = postern_set_find_key(set, "m", 1);
    if (k >= 0) postern_request_unresolved(request, (uint32_t)k);
    if (m >= 0) {
        postern_request_list(request, (uint32_t)m);
        postern_request_append(request, (uint32_t)m, "p", 1);
        postern_request_append(request, (uint32_t)m, "q", 1);
    }
    for (uint32_t i = 0; expected[i] != '\0'; i++) {
        int32_t one = value_of(set, request, element, 0, i);
        CHECK_ROW(one == (expected[i] == '-' ? -1 : expected[i] == 'n' ? POSTERN_NO
                          : expected[i] == 'y' ? POSTERN_YES : POSTERN_UNKNOWN), text);
    }
    CHECK(value_of(set, request, POSTERN_ELEMENT_NONE, 0, 0) == -1);
    CHECK(value_of(set, request, 5, 0, 0) == -1);
    CHECK(value_of(set, request, POSTERN_ELEMENT_CONDITION, 99, 0) == -1);
    CHECK(value_of(set, request, element, 0, UINT32_MAX) == -1);
    postern_request_free(request);
    postern_set_free(set);
}

static void each_value_stands_alone(void) {
#define ON(what) "'Principal':'*','Action':'*','Resource':'*','Condition':{" what "}"
    static const struct {
        const char *statement;
        int32_t element;
        const char *expected;
    } rows[] = {
        {"'Principal':'*','Action':['a:b','X:Y','x:*'],'Resource':'*'", POSTERN_ELEMENT_ACTION, "nyy-"},
        {"'Principal':'*','NotAction':['x:y','a:b'],'Resource':'*'", POSTERN_ELEMENT_ACTION, "yn-"},
        {"'Principal':'*','Action':'*','Resource':['arn:aws:s3:::b','" METHOD "','*']",
         POSTERN_ELEMENT_RESOURCE, "nyy-"},
        {"'Principal':'*','Action':'*','NotResource':['arn:aws:execute-api:*:*:*/${k}','arn']",
         POSTERN_ELEMENT_RESOURCE, "un-"},
        {"'Principal':{'Service':'s.amazonaws.com','AWS':['111122223333','" ALICE "','444455556666']},"
         "'Action':'*','Resource':'*'", POSTERN_ELEMENT_PRINCIPAL, "nyyn-"},
        {"'NotPrincipal':{'AWS':['444455556666','" ALICE "']},'Action':'*','Resource':'*'",
         POSTERN_ELEMENT_PRINCIPAL, "ny-"},
        {ON("'StringEquals':{'a':['2','1','${k}']}"), POSTERN_ELEMENT_CONDITION, "nyu-"},
        {ON("'StringNotLike':{'a':['1*','2']}"), POSTERN_ELEMENT_CONDITION, "yn-"},
        {ON("'IpAddress':{'ip':['10.0.0.0/8','10.1.2.3','10.2.0.0/16','::/0','::ffff:10.1.2.0/120']}"),
         POSTERN_ELEMENT_CONDITION, "yynny-"},
        {ON("'NotIpAddress':{'ip6':['2001:db8::/33','0.0.0.0/0','2001:db8::/126','2001:db8:1::/48']}"),
         POSTERN_ELEMENT_CONDITION, "ynyn-"},
        {ON("'IpAddress':{'a':['0.0.0.0/0','no range']}"), POSTERN_ELEMENT_CONDITION, "nn-"},
        {ON("'StringEquals':{'k':['1','2']}"), POSTERN_ELEMENT_CONDITION, "uu-"},
        {ON("'NumericEquals':{'k':['1','x']}"), POSTERN_ELEMENT_CONDITION, "un-"},
        {ON("'StringEqualsIfExists':{'absent':['1']}"), POSTERN_ELEMENT_CONDITION, "n-"},
        {ON("'Null':{'absent':['true','false']}"), POSTERN_ELEMENT_CONDITION, "yn-"},
        {ON("'Null':{'a':['true','false']}"), POSTERN_ELEMENT_CONDITION, "ny-"},
        {ON("'StringEquals':{'m':['p','q']}"), POSTERN_ELEMENT_CONDITION, "nn-"},
        {ON("'ForAllValues:StringEquals':{'m':['p','x','q']}"), POSTERN_ELEMENT_CONDITION, "yny-"},
        {ON("'StringEquals':{'a':[]}"), POSTERN_ELEMENT_CONDITION, "-"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_values(rows[i].statement, POSTERN_RESOURCE, rows[i].element, rows[i].expected);
    }
    /* An incomplete ARN has two readings and stays one value. */
    check_values("'Action':'*','Resource':['arn:aws:s3','arn:aws:execute-api','*']", POSTERN_IDENTITY,
                 POSTERN_ELEMENT_RESOURCE, "nyy-");
    check_values("'Action':'*','Resource':'*'", POSTERN_IDENTITY, POSTERN_ELEMENT_PRINCIPAL, "-");
}

/* ---- By chance ------------------------------------------------------------ */

/* The values of an element one by one, joined by "or", are the element before
 * its negation. */
static void check_element(const postern_set *set, postern_request *request, uint32_t statement,
                          int32_t element, bool negated) {
    postern_verdict whole, one;
    postern_explain_statement(set, request, statement, &whole);
    bool some = false, perhaps = false;
    for (uint32_t value = 0; postern_explain_match(set, request, statement, element, 0, value, &one) ==
                             POSTERN_OK; value++) {
        some = some || one.result == POSTERN_YES;
        perhaps = perhaps || one.result == POSTERN_UNKNOWN;
    }
    bool failed = (whole.failed & 1u << element) != 0;
    if (some) CHECK(failed == negated);
    if (!some && !perhaps) CHECK(failed != negated);
}

/* The verdicts of all statements, against the elements and the decision. */
static void check_verdicts(const postern_set *set, postern_request *request) {
    postern_decision decision;
    postern_evaluate(set, request, &decision);
    bool found[2][3] = {{false}}; /* effect, truth */
    for (uint32_t i = 0; i < postern_set_statement_count(set); i++) {
        postern_statement statement;
        postern_verdict whole, one;
        postern_set_statement(set, i, &statement);
        CHECK(postern_explain_statement(set, request, i, &whole) == POSTERN_OK);
        uint32_t failed = whole.failed & (uint32_t)~CONDITION;
        for (uint32_t c = 0; c < statement.condition_count; c++) {
            CHECK(postern_explain_condition(set, request, i, c, &one) == POSTERN_OK);
            CHECK((one.result == POSTERN_NO) == (one.failed == CONDITION));
            CHECK((one.result == POSTERN_UNKNOWN) == (one.key >= 0));
            if (one.result == POSTERN_NO) failed |= CONDITION;
            if (one.result == POSTERN_UNKNOWN) CHECK(whole.result != POSTERN_YES);
        }
        CHECK(whole.failed == failed);
        CHECK((whole.result == POSTERN_NO) == (failed != 0));
        CHECK((whole.result == POSTERN_UNKNOWN) == (whole.key >= 0));
        CHECK(failed == 0 ? whole.failed_at == POSTERN_ELEMENT_NONE
                          : (failed & ((2u << whole.failed_at) - 1)) == 1u << whole.failed_at);
        const postern__rule *rule = postern__set_rule(set, i);
        check_element(set, request, i, POSTERN_ELEMENT_ACTION, rule->not_action);
        check_element(set, request, i, POSTERN_ELEMENT_RESOURCE, rule->not_resource);
        if (rule->has_principal && !rule->not_principal) {
            check_element(set, request, i, POSTERN_ELEMENT_PRINCIPAL, false);
        }
        postern__scene scene;
        postern__scene_init(&scene, set, request);
        postern__finding finding = postern__rule_finding(&scene, postern__set_rule(set, i));
        CHECK(whole.result == (finding.sure != POSTERN_MATCH_NONE       ? POSTERN_YES
                               : finding.possible != POSTERN_MATCH_NONE ? POSTERN_UNKNOWN
                                                                        : POSTERN_NO));
        if (whole.result == POSTERN_YES) CHECK(whole.match == (int32_t)finding.sure);
        found[statement.effect][whole.result] = true;
        if ((int32_t)i == decision.statement) {
            CHECK(whole.result == POSTERN_YES);
            CHECK((statement.effect == POSTERN_DENY) ==
                  (decision.outcome == POSTERN_EXPLICITLY_DENIED));
            if (statement.effect == POSTERN_ALLOW) CHECK(whole.match == decision.match);
        }
    }
    const bool *deny = found[POSTERN_DENY], *allow = found[POSTERN_ALLOW];
    CHECK(deny[POSTERN_YES] == (decision.outcome == POSTERN_EXPLICITLY_DENIED));
    if (decision.outcome == POSTERN_ALLOWED) CHECK(allow[POSTERN_YES] && !deny[POSTERN_UNKNOWN]);
    if (decision.outcome == POSTERN_IMPLICITLY_DENIED) {
        CHECK(!allow[POSTERN_YES] && !allow[POSTERN_UNKNOWN] && !deny[POSTERN_UNKNOWN]);
    }
    if (decision.outcome == POSTERN_UNDECIDED) {
        /* One that matches by its account may match by its role as well. */
        CHECK(deny[POSTERN_UNKNOWN] || allow[POSTERN_UNKNOWN] ||
              (allow[POSTERN_YES] && decision.key == set->principal_arn));
    }
}

static void explain_agrees_with_evaluate(void) {
    char statements[STATEMENTS][STATEMENT_SIZE], text[POLICY_SIZE];
    for (uint64_t round = 1; round <= 400; round++) {
        uint32_t order[STATEMENTS];
        seed(round);
        int32_t type = below(2) == 0 ? POSTERN_RESOURCE : POSTERN_IDENTITY;
        for (uint32_t i = 0; i < STATEMENTS; i++) {
            random_statement(statements[i], type, below(3) == 0 ? "Deny" : "Allow");
            order[i] = i;
        }
        policy_of(text, statements, order, 1 + below(STATEMENTS));
        postern_set *set = set_of_type(type, POSTERN_ATTACHABLE, text);
        postern_request *request = postern_request_new(set, NULL, NULL);
        for (int game = 0; game < 10; game++) {
            situation s = random_situation();
            fill(request, set, &s, game % 2 == 0 ? 0 : below(1u << CELLS));
            check_verdicts(set, request);
        }
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* ---- Values --------------------------------------------------------------- */

/* aws:username is `al*ce`, e is empty, k is unresolved, m a list, n absent. */
static void values_are_told_as_compared(void) {
    static const struct {
        const char *operator_name, *value, *expected; /* NULL: no value */
    } rows[] = {
        /* Without a variable: the text as the policy has it. */
        {"StringEquals", "a*?b", "a*?b"},
        {"StringEquals", "", ""},
        {"StringLike", "a*?b", "a*?b"},
        {"StringLike", "${*}", "${*}"},
        {"StringEqualsIgnoreCase", "ABC", "ABC"},
        {"ArnLike", "arn:aws:iam::*:user/?", "arn:aws:iam::*:user/?"},
        {"ArnLike", "no arn ${aws:username}", "no arn ${aws:username}"},
        {"NumericEquals", "007", "007"},
        {"NumericEquals", "${aws:username}", "${aws:username}"},
        {"DateEquals", "2024-01-01", "2024-01-01"},
        {"Bool", "TRUE", "TRUE"},
        {"Bool", "${aws:username}", "${aws:username}"},
        {"BinaryEquals", "QUJD", "QUJD"},
        {"IpAddress", "10.0.0.0/8", "10.0.0.0/8"},
        {"Null", "false", "false"},
        {"StringEquals", "${aws:username", "${aws:username"},
        {"StringEquals", "${ aws:username}", "${ aws:username}"},
        /* With one: as it was compared. */
        {"StringEquals", "${aws:username}", "al*ce"},
        {"StringNotEqualsIgnoreCase", "<${AWS:USERNAME}>", "<al*ce>"},
        {"ForAnyValue:StringLikeIfExists", "${aws:username}-*?", "al*ce-*?"},
        {"StringLike", "${*}${?}${$}${aws:username}", "*?$al*ce"},
        {"StringLike", "${aws:username}${aws:username}${aws:username}", "al*ceal*ceal*ce"},
        {"StringEquals", "${n, `some default`}/x", "some default/x"},
        {"StringEquals", "${e, `d`}", "d"},
        {"StringEquals", "${m, `d`}", "d"},
        {"StringEquals", "${n, ``}", ""},
        {"StringEquals", "${n}", NULL},
        {"StringEquals", "${e}", NULL},
        {"StringEquals", "${m}", NULL},
        {"StringEquals", "${k}", NULL},
        {"StringEquals", "${aws:username}${k, `d`}", NULL},
        {"ArnEquals", "${aws:username}:${n, `a longer default`}:x:*:?:${aws:username}:${aws:username}",
         "al*ce:a longer default:x:*:?:al*ce:al*ce"},
        {"ArnNotLike", "a:b:c:d:e:${n, `x:y`}", "a:b:c:d:e:x:y"},
        {"ArnLike", "arn:aws:iam::1:${n}", NULL},
        {"ArnLike", "${k}:aws:iam::1:x", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':'*',"
                 "'Condition':{'%s':{'x':['first','%s']}}}}",
                 rows[i].operator_name, rows[i].value);
        postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_STRUCTURAL, text);
        postern_request *request = request_of(set, ALICE, "a:b", METHOD);
        put_key(request, set, "aws:username", "al*ce");
        put_key(request, set, "e", "");
        put_choice(request, set, "m", "one|two");
        int32_t k = postern_set_find_key(set, "k", 1);
        if (k >= 0) postern_request_unresolved(request, (uint32_t)k);
        postern_span out = {NULL, 0};
        CHECK_ROW(postern_explain_value(set, request, 0, 0, 1, &out) == POSTERN_OK, text);
        if (rows[i].expected == NULL) {
            CHECK_ROW(out.text == NULL && out.length == 0, text);
        } else {
            CHECK_ROW(out.text != NULL && out.length == strlen(rows[i].expected) &&
                          memcmp(out.text, rows[i].expected, out.length) == 0,
                      text);
        }
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* A vector grows in steps, which would hide that scratch is a byte short: here
 * it is swapped for a block of what template.h promises to be enough. */
static void the_longest_expansion_fits_exactly(void) {
    static const char *const values[] = {
        "'StringEquals':{'x':'${v}'}",
        "'StringLike':{'x':'${v}${v}*${v, `default`}'}",
        "'ArnLike':{'x':'${v}:${v}:${v}:${v}:${v}:${v}'}",
        "'ArnLike':{'x':'a:b:c:d:e:${n, `a default that is longer than its reference, by far`}'}",
        "'ArnLike':{'x':'${n, `1`}:${n, `22`}:${n, `333`}:${n, `4444`}:${n, `55555`}:${v}'}",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t length = 1; length < 70; length += 17) {
            char text[512], value[70];
            memset(value, 'v', sizeof value);
            snprintf(text, sizeof text,
                     "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*',"
                     "'Resource':'*','Condition':{%s}}}", values[i]);
            postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, text);
            postern_request *request = request_of(set, ALICE, "a:b", METHOD);
            int32_t v = postern_set_find_key(set, "v", 1);
            if (v >= 0) postern_request_put(request, (uint32_t)v, value, length);
            put_key(request, set, "x", "a:b:c:d:e:f");
            /* Swap scratch for a block with nothing behind it. */
            size_t room = set->room + (v >= 0 ? set->most * strlen("a:b:c:d:e:f") : 0);
            if (v >= 0 && length > strlen("a:b:c:d:e:f")) room = set->room + set->most * length;
            CHECK(room <= request->scratch.count);
            char *kept = request->scratch.items, *exact = malloc(room);
            request->scratch.items = exact;
            postern_span out;
            CHECK(postern_explain_value(set, request, 0, 0, 0, &out) == POSTERN_OK);
            CHECK_ROW(out.text == exact && out.length <= room, values[i]);
            CHECK(postern_evaluate(set, request, NULL) == POSTERN_IMPLICITLY_DENIED);
            request->scratch.items = kept;
            free(exact);
            postern_request_free(request);
            postern_set_free(set);
        }
    }
}

/* ---- Names ---------------------------------------------------------------- */

static void names(void) {
    CHECK_TEXT(postern_outcome_name(POSTERN_IMPLICITLY_DENIED), "ImplicitlyDenied");
    CHECK_TEXT(postern_outcome_name(POSTERN_EXPLICITLY_DENIED), "ExplicitlyDenied");
    CHECK_TEXT(postern_outcome_name(POSTERN_ALLOWED), "Allowed");
    CHECK_TEXT(postern_outcome_name(POSTERN_UNDECIDED), "Undecided");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_NONE), "none");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_ACCOUNT), "account");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_ROLE), "role");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_WILD), "wild");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_DIRECT), "direct");
    CHECK_TEXT(postern_match_name(POSTERN_MATCH_NA), "na");
    CHECK_TEXT(postern_element_name(POSTERN_ELEMENT_NONE), "none");
    CHECK_TEXT(postern_element_name(POSTERN_ELEMENT_ACTION), "action");
    CHECK_TEXT(postern_element_name(POSTERN_ELEMENT_RESOURCE), "resource");
    CHECK_TEXT(postern_element_name(POSTERN_ELEMENT_PRINCIPAL), "principal");
    CHECK_TEXT(postern_element_name(POSTERN_ELEMENT_CONDITION), "condition");
    CHECK(postern_outcome_name(4) == NULL && postern_outcome_name(-1) == NULL);
    CHECK(postern_match_name(6) == NULL && postern_match_name(-1) == NULL);
    CHECK(postern_element_name(5) == NULL && postern_element_name(-1) == NULL);
    CHECK_TEXT(postern_version(), POSTERN_VERSION);
    CHECK(postern_abi() == POSTERN_ABI);
}

TEST_MAIN(RUN(verdicts_name_what_failed); RUN(out_of_range_is_misuse);
          RUN(each_value_stands_alone);
          RUN(explain_agrees_with_evaluate); RUN(values_are_told_as_compared);
          RUN(the_longest_expansion_fits_exactly); RUN(names))
