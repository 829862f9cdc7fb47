#include "request.h"

#include "failing_alloc.h"
#include "scenario.h"

/* Allows everything, whatever the cells hold: only a broken request is denied. */
static const char open_policy[] =
    "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Action':'*','Resource':'*'},"
    "{'Effect':'Deny','Action':'never:*','Resource':'arn:aws:s3:::${c}${c}','Condition':{"
    "'StringEquals':{'a':'x'},'IpAddress':{'b':'10.0.0.0/8'},'Null':{'c':true}}}]}";

static postern_set *open_set(void) {
    return set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, open_policy);
}

enum { A = 1, B = 2, C = 0 }; /* the keys: the Resource is read first */

static void keys_are_where_the_tests_think(void) {
    postern_set *set = open_set();
    CHECK(postern_set_find_key(set, "a", 1) == A && postern_set_find_key(set, "b", 1) == B);
    CHECK(postern_set_find_key(set, "c", 1) == C && postern_set_key_count(set) == 3);
    postern_set_free(set);
}

/* ---- What breaks a request ------------------------------------------------ */

static int put_text(postern_request *r, const char *text, size_t length) {
    return postern_request_put(r, A, text, length);
}

static int append_text(postern_request *r, const char *text, size_t length) {
    postern_request_list(r, A);
    return postern_request_append(r, A, text, length);
}

static int principal_text(postern_request *r, const char *text, size_t length) {
    return postern_request_principal(r, text, length, 0);
}

typedef struct field {
    const char *name;
    int (*set)(postern_request *, const char *, size_t);
} field;

static const field fields[] = {
    {"principal", principal_text},
    {"action", postern_request_action},
    {"resource", postern_request_resource},
    {"put", put_text},
    {"append", append_text},
};

/* Denied with `status`, by evaluate and by explain, until it is reset. */
static void check_broken(const postern_set *set, postern_request *request, int status,
                         const char *row) {
    postern_decision decision;
    postern_verdict verdict;
    postern_span text;
    CHECK_ROW(postern_evaluate(set, request, &decision) == POSTERN_IMPLICITLY_DENIED, row);
    CHECK_ROW(decision.outcome == POSTERN_IMPLICITLY_DENIED && decision.status == status, row);
    CHECK_ROW(decision.statement == -1 && decision.key == -1, row);
    CHECK_ROW(decision.match == POSTERN_MATCH_NONE, row);
    CHECK_ROW(postern_evaluate(set, request, NULL) == POSTERN_IMPLICITLY_DENIED, row);
    CHECK_ROW(postern_explain_statement(set, request, 0, &verdict) == status, row);
    CHECK_ROW(postern_explain_condition(set, request, 1, 0, &verdict) == status, row);
    CHECK_ROW(postern_explain_value(set, request, 1, 0, 0, &text) == status, row);
}

/* The good values that follow a bad one do not mend the request; reset does. */
static void check_stays_broken(const postern_set *set, postern_request *request, int status,
                               const char *row) {
    check_broken(set, request, status, row);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) fields[i].set(request, "x:y", 3);
    postern_request_unresolved(request, B);
    check_broken(set, request, status, row);
    postern_request_put(request, 99, "x", 1); /* the first failure stays */
    check_broken(set, request, status, row);
    postern_request_reset(request);
    check_broken(set, request, POSTERN_MISUSE, row); /* nothing is filled in yet */
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, "r", 1);
    CHECK_ROW(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED, row);
}

static void bad_text_breaks_any_field(void) {
    static const char *const texts[] = {
        "\xFF", "a\x80", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "*\xFE*",
    };
    postern_set *set = open_set();
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            postern_request *request = request_of(set, ALICE, "a:b", METHOD);
            CHECK_ROW(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED, fields[f].name);
            CHECK_ROW(fields[f].set(request, texts[i], strlen(texts[i])) == POSTERN_VALUE,
                      fields[f].name);
            check_stays_broken(set, request, POSTERN_VALUE, fields[f].name);
            postern_request_free(request);
        }
    }
    postern_set_free(set);
}

/* At every place of a text of every size that is copied in another way, and in
 * a block that ends where the text does. */
static void a_bad_byte_is_found_anywhere(void) {
    static const size_t lengths[] = {1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300};
    postern_set *set = open_set();
    postern_request *request = postern_request_new(set, NULL, NULL);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        size_t length = lengths[l];
        char *text = malloc(length);
        for (size_t at = 0; at < length; at++) {
            memset(text, 'x', length);
            text[at] = '\xE9'; /* as Latin-1 has it */
            for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
                postern_request_reset(request);
                CHECK_ROW(fields[f].set(request, text, length) == POSTERN_VALUE, fields[f].name);
                postern_request_reset(request);
                memset(text, 'x', length);
                CHECK_ROW(fields[f].set(request, text, length) == POSTERN_OK, fields[f].name);
                if (at + 1 < length) memcpy(text + at, "\xC3\xA9", 2);
                CHECK_ROW(fields[f].set(request, text, length) == POSTERN_OK, fields[f].name);
                text[at] = '\xE9';
            }
        }
        free(text);
    }
    postern_request_free(request);
    postern_set_free(set);
}

static void long_text_breaks_any_field(void) {
    postern_set *set = open_set();
    char *text = malloc(POSTERN__VALUE_BYTES + 1);
    memset(text, 'x', POSTERN__VALUE_BYTES + 1);
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
        postern_request *request = request_of(set, ALICE, "a:b", METHOD);
        CHECK_ROW(fields[f].set(request, text, POSTERN__VALUE_BYTES) == POSTERN_OK, fields[f].name);
        CHECK_ROW(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED, fields[f].name);
        CHECK_ROW(fields[f].set(request, text, POSTERN__VALUE_BYTES + 1) == POSTERN_LIMIT,
                  fields[f].name);
        check_stays_broken(set, request, POSTERN_LIMIT, fields[f].name);
        postern_request_free(request);
    }
    free(text);
    postern_set_free(set);
}

static void too_many_values_break_it(void) {
    postern_set *set = open_set();
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    int status = postern_request_list(request, A);
    for (int i = 0; i < POSTERN__VALUE_COUNT && status == POSTERN_OK; i++) {
        status = postern_request_append(request, A, "x", 1);
    }
    CHECK(status == POSTERN_OK);
    CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
    CHECK(postern_request_append(request, A, "x", 1) == POSTERN_LIMIT);
    check_stays_broken(set, request, POSTERN_LIMIT, "append");
    postern_request_free(request);
    postern_set_free(set);
}

static int wrong_key_put(postern_request *r) { return postern_request_put(r, 3, "x", 1); }
static int wrong_key_list(postern_request *r) { return postern_request_list(r, 3); }
static int wrong_key_append(postern_request *r) {
    return postern_request_append(r, UINT32_MAX, "x", 1);
}
static int wrong_key_unresolved(postern_request *r) {
    return postern_request_unresolved(r, 1u << 31);
}
static int append_without_list(postern_request *r) { return postern_request_append(r, A, "x", 1); }
static int append_to_single(postern_request *r) {
    postern_request_list(r, A);
    postern_request_put(r, A, "x", 1);
    return postern_request_append(r, A, "y", 1);
}
static int append_after_put(postern_request *r) {
    postern_request_list(r, A);
    postern_request_append(r, A, "x", 1);
    postern_request_put(r, B, "x", 1);
    return postern_request_append(r, A, "y", 1);
}
static int append_after_list(postern_request *r) {
    postern_request_list(r, A);
    postern_request_list(r, B);
    return postern_request_append(r, A, "y", 1);
}
static int append_after_unresolved(postern_request *r) {
    postern_request_list(r, A);
    postern_request_unresolved(r, B);
    return postern_request_append(r, A, "y", 1);
}
static int append_after_reset(postern_request *r) {
    postern_request_list(r, A);
    postern_request_reset(r);
    return postern_request_append(r, A, "y", 1);
}
static int append_to_unresolved(postern_request *r) {
    postern_request_list(r, A);
    postern_request_unresolved(r, A);
    return postern_request_append(r, A, "y", 1);
}
static int empty_principal(postern_request *r) { return postern_request_principal(r, "", 0, 0); }
static int unknown_flags(postern_request *r) { return postern_request_principal(r, "*", 1, 2); }
static int negative_flags(postern_request *r) { return postern_request_principal(r, "*", 1, -1); }

static void misuse_breaks_it(void) {
    static const struct {
        const char *name;
        int (*call)(postern_request *);
    } rows[] = {
        {"put", wrong_key_put},
        {"list", wrong_key_list},
        {"append", wrong_key_append},
        {"unresolved", wrong_key_unresolved},
        {"append without list", append_without_list},
        {"append to single", append_to_single},
        {"append after put", append_after_put},
        {"append after list", append_after_list},
        {"append after unresolved", append_after_unresolved},
        {"append after reset", append_after_reset},
        {"append to unresolved", append_to_unresolved},
        {"empty principal", empty_principal},
        {"unknown flags", unknown_flags},
        {"negative flags", negative_flags},
    };
    postern_set *set = open_set();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_request *request = request_of(set, ALICE, "a:b", METHOD);
        CHECK_ROW(rows[i].call(request) == POSTERN_MISUSE, rows[i].name);
        check_stays_broken(set, request, POSTERN_MISUSE, rows[i].name);
        postern_request_free(request);
    }
    postern_set_free(set);
}

/* Who calls is read when it is asked for, and then kept: a decision before must
 * not show in the next. */
static void the_caller_is_the_last_one_named(void) {
    static const char policy[] =
        "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':{'AWS':"
        "'arn:aws:iam::111122223333:user/anna'},'Action':'*','Resource':'*'},"
        "{'Effect':'Deny','NotPrincipal':{'AWS':['arn:aws:iam::111122223333:user/anna',"
        "'arn:aws:iam::111122223333:user/bert']},'Action':'*','Resource':'*'}]}";
    static const char anna[] = "arn:aws:iam::111122223333:user/anna";
    static const char bert[] = "arn:aws:iam::111122223333:user/bert";
    postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, policy);
    postern_request *request = postern_request_new(set, NULL, NULL);
    for (int round = 0; round < 2; round++) {
        postern_request_action(request, "a:b", 3);
        postern_request_resource(request, "r", 1);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_EXPLICITLY_DENIED); /* anonymous */
        postern_request_principal(request, anna, sizeof anna - 1, 0);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        postern_request_principal(request, bert, sizeof bert - 1, 0);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_IMPLICITLY_DENIED);
        postern_request_principal(request, anna, sizeof anna - 1, POSTERN_BOUNDED);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_EXPLICITLY_DENIED);
        postern_request_principal(request, anna, sizeof anna - 1, 0);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        if (round == 0) postern_request_reset(request);
        else CHECK(postern_request_bind(request, set) == POSTERN_OK);
    }
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, "r", 1);
    CHECK(postern_evaluate(set, request, NULL) == POSTERN_EXPLICITLY_DENIED);
    postern_request_free(request);
    postern_set_free(set);
}

/* A value of the call before is not there, for explanations neither. */
static void reset_takes_values_away(void) {
    postern_set *set = open_set();
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    postern_verdict verdict;
    postern_request_put(request, A, "x", 1);
    CHECK(postern_explain_match(set, request, 1, POSTERN_ELEMENT_CONDITION, 0, 0, &verdict) ==
          POSTERN_OK);
    CHECK(verdict.result == POSTERN_YES);
    postern_request_reset(request);
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, METHOD, strlen(METHOD));
    CHECK(postern_explain_match(set, request, 1, POSTERN_ELEMENT_CONDITION, 0, 0, &verdict) ==
          POSTERN_OK);
    CHECK(verdict.result == POSTERN_NO);
    postern_request_free(request);
    postern_set_free(set);
}

static void action_and_resource_are_required(void) {
    postern_set *set = open_set();
    postern_request *request = postern_request_new(set, NULL, NULL);
    check_broken(set, request, POSTERN_MISUSE, "new");
    postern_request_action(request, "a:b", 3);
    check_broken(set, request, POSTERN_MISUSE, "no resource");
    postern_request_resource(request, "r", 1);
    CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
    postern_request_action(request, "", 0);
    check_broken(set, request, POSTERN_MISUSE, "empty action");
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, NULL, 0);
    check_broken(set, request, POSTERN_MISUSE, "empty resource");
    postern_request_free(request);
    postern_request_free(NULL);
    postern_set_free(set);
}

static void a_request_belongs_to_one_set(void) {
    postern_set *set = open_set(), *twin = open_set();
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
    check_broken(twin, request, POSTERN_MISUSE, "another set");
    CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
    postern_request_free(request);
    postern_set_free(set);
    postern_set_free(twin);
}

/* ---- Cells ---------------------------------------------------------------- */

static void cells_hold_what_was_put_last(void) {
    postern_set *set = open_set();
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    const postern__cell *cells = postern__request_row(request).cells;
    CHECK(cells[A].state == POSTERN__ABSENT && cells[B].state == POSTERN__ABSENT);
    CHECK(postern_request_put(request, A, "one", 3) == POSTERN_OK);
    CHECK(postern_request_put(request, A, "two", 3) == POSTERN_OK);
    postern__row row = postern__request_row(request);
    CHECK(row.cells[A].state == POSTERN__SINGLE && row.cells[A].count == 1);
    postern_span text = postern__value_text(&row, &row.values[row.cells[A].first]);
    CHECK(text.length == 3 && memcmp(text.text, "two", 3) == 0);
    CHECK(postern_request_list(request, A) == POSTERN_OK);
    CHECK(cells[A].state == POSTERN__LIST && cells[A].count == 0);
    CHECK(postern_request_append(request, A, "", 0) == POSTERN_OK);
    CHECK(postern_request_append(request, A, NULL, 0) == POSTERN_OK);
    CHECK(postern_request_append(request, A, "x", 1) == POSTERN_OK);
    row = postern__request_row(request);
    CHECK(row.cells[A].count == 3 && row.values[row.cells[A].first].length == 0);
    CHECK(row.values[row.cells[A].first + 2].length == 1);
    CHECK(postern_request_list(request, A) == POSTERN_OK && cells[A].count == 0);
    CHECK(postern_request_unresolved(request, A) == POSTERN_OK);
    CHECK(cells[A].state == POSTERN__UNRESOLVED);
    CHECK(postern_request_put(request, A, "", 0) == POSTERN_OK && cells[A].state == POSTERN__SINGLE);
    postern_request_free(request);
    postern_set_free(set);
}

/* Values are parsed into the forms the set asks for, no others. */
static void values_are_parsed_once(void) {
    postern_set *set = open_set();
    postern_request *request = request_of(set, ALICE, "a:b", METHOD);
    postern_request_put(request, A, "10.1.2.3", 8);
    postern_request_put(request, B, "10.1.2.3", 8);
    postern__row row = postern__request_row(request);
    CHECK(row.values[row.cells[A].first].parsed == 0);
    CHECK(row.values[row.cells[B].first].parsed == POSTERN__USE_ADDRESS);
    postern_request_put(request, B, "10.1.2.3 ", 9);
    row = postern__request_row(request);
    CHECK(row.values[row.cells[B].first].parsed == 0);
    postern_request_free(request);
    postern_set_free(set);
}

/* All text is copied: what the caller does with his own does not count. */
static void text_is_copied(void) {
    postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE,
                                   "{'Statement':{'Effect':'Allow','Principal':{'AWS':'" ALICE
                                   "'},'Action':'a:B','Resource':'r','Condition':{'StringEquals':"
                                   "{'k':'v'}}}}");
    char caller[] = ALICE, action[] = "A:b", resource[] = "r", value[] = "v";
    postern_request *request = request_of(set, caller, action, resource);
    postern_request_put(request, 0, value, 1);
    memset(caller, 'x', sizeof caller - 1);
    action[0] = resource[0] = value[0] = 'x';
    postern_decision decision;
    CHECK(postern_evaluate(set, request, &decision) == POSTERN_ALLOWED);
    CHECK(decision.match == POSTERN_MATCH_DIRECT);
    postern_request_free(request);
    postern_set_free(set);
}

/* ---- Reset and memory ----------------------------------------------------- */

static void reset_makes_it_new(void) {
    char statements[STATEMENTS][STATEMENT_SIZE], text[POLICY_SIZE];
    uint32_t order[STATEMENTS];
    for (uint64_t round = 1; round <= 60; round++) {
        seed(round);
        for (uint32_t i = 0; i < STATEMENTS; i++) {
            random_statement(statements[i], POSTERN_RESOURCE, i % 2 == 0 ? "Allow" : "Deny");
            order[i] = i;
        }
        policy_of(text, statements, order, STATEMENTS);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        postern_request *old = postern_request_new(set, NULL, NULL);
        for (int i = 0; i < 20; i++) {
            situation game = random_situation();
            uint32_t hidden = below(1u << CELLS);
            postern_decision a, b;
            /* Dirty it in every way first. */
            fill(old, set, &game, below(1u << CELLS));
            if (i % 3 == 0) postern_request_put(old, 99, "x", 1);
            fill(old, set, &game, hidden);
            postern_request *fresh = postern_request_new(set, NULL, NULL);
            fill(fresh, set, &game, hidden);
            postern_evaluate(set, old, &a);
            postern_evaluate(set, fresh, &b);
            CHECK(memcmp(&a, &b, sizeof a) == 0);
            postern_request_free(fresh);
        }
        /* Nobody called since the reset: anonymous, without a boundary. */
        postern_request_principal(old, ALICE, strlen(ALICE), POSTERN_BOUNDED);
        postern_request_reset(old);
        postern__caller_read(&old->caller);
        CHECK(old->caller.kind == POSTERN__ANONYMOUS && !old->caller.bounded);
        postern_request_free(old);
        postern_set_free(set);
    }
}

static void fill_fully(postern_request *request) {
    postern_request_reset(request);
    postern_request_principal(request, ALICE, strlen(ALICE), POSTERN_BOUNDED);
    postern_request_action(request, "never:Mind", 10);
    postern_request_resource(request, METHOD, strlen(METHOD));
    postern_request_list(request, A);
    for (int i = 0; i < 50; i++) postern_request_append(request, A, "some value or other", 19);
    postern_request_put(request, B, "2001:db8::1", 11);
    postern_request_put(request, C, METHOD METHOD METHOD, 3 * strlen(METHOD));
}

static void the_second_request_allocates_nothing(void) {
    postern_set *set = open_set();
    postern__failing_alloc counting;
    postern__failing_alloc_init(&counting, 0);
    postern_request *request = postern_request_new(set, &counting.allocator, NULL);
    fill_fully(request);
    size_t allocations = counting.allocations;
    CHECK(allocations > 0);
    for (int round = 0; round < 3; round++) {
        postern_verdict verdict;
        postern_span text;
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        CHECK(postern_explain_statement(set, request, 1, &verdict) == POSTERN_OK);
        CHECK(postern_explain_condition(set, request, 1, 1, &verdict) == POSTERN_OK);
        CHECK(postern_explain_value(set, request, 1, 1, 0, &text) == POSTERN_OK);
        CHECK(counting.allocations == allocations);
        fill_fully(request);
        CHECK(counting.allocations == allocations);
    }
    postern_request_free(request);
    CHECK(counting.live == 0);
    postern_set_free(set);
}

/* Where memory runs out while filling, the request is broken but whole. */
static void every_allocation_may_fail(void) {
    postern_set *set = open_set();
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern_request *request = postern_request_new(set, &failing.allocator, &error);
        if (request == NULL) {
            CHECK(error.status == POSTERN_NO_MEMORY && failing.live == 0);
            continue;
        }
        fill_fully(request);
        bool failed = failing.allocations >= n;
        postern_decision decision;
        postern_evaluate(set, request, &decision);
        CHECK(decision.outcome == (failed ? POSTERN_IMPLICITLY_DENIED : POSTERN_ALLOWED));
        CHECK(decision.status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        fill_fully(request);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        postern_request_free(request);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern_set_free(set);
}

/* Room for expanding grows with the longest value, put before or after others. */
static void scratch_has_room_for_the_longest_value(void) {
    postern_set *set = set_of_type(
        POSTERN_IDENTITY, POSTERN_ATTACHABLE,
        "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':"
        "'arn:aws:s3:::${c}${c}${c, `a default of some length`}','Condition':{'StringNotLike':{"
        "'c':'${c}${c}${c}${c}?*'},'ArnNotLike':{'c':'${c}:${c}:${c}:${c}:${c}:${c}'}}}}");
    char *text = malloc(20000);
    memset(text, 'v', 20000);
    for (size_t length = 0; length <= 20000; length = length * 3 + 1) {
        postern_request *request = request_of(set, NULL, "a:b", "arn:aws:s3:::x");
        CHECK(postern_request_put(request, 0, text, length) == POSTERN_OK);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_IMPLICITLY_DENIED);
        char *resource = malloc(3 * length + 64);
        size_t n = (size_t)snprintf(resource, 64, "arn:aws:s3:::");
        memset(resource + n, 'v', 3 * length);
        CHECK(postern_request_resource(request, resource, n + 3 * length) == POSTERN_OK);
        CHECK(postern_evaluate(set, request, NULL) ==
              (length > 0 ? POSTERN_ALLOWED : POSTERN_IMPLICITLY_DENIED));
        free(resource);
        postern_request_free(request);
    }
    free(text);
    postern_set_free(set);
}

/* A set with other keys, so that cells of one must not be taken for the other's. */
static postern_set *closed_set(void) {
    return set_of_type(
        POSTERN_IDENTITY, POSTERN_ATTACHABLE,
        "{'Version':'2012-10-17','Statement':{'Effect':'Allow','Action':'*','Resource':"
        "'arn:aws:s3:::${d}${e}${f}${g}','Condition':{'Null':{'h':true,'i':true}}}}");
}

static void bind_moves_it_to_another_set(void) {
    postern_set *open = open_set(), *closed = closed_set();
    postern_request *request = request_of(open, ALICE, "a:b", METHOD);
    for (uint32_t key = 0; key < 3; key++) postern_request_put(request, key, "x", 1);
    CHECK(postern_evaluate(open, request, NULL) == POSTERN_ALLOWED);
    CHECK(postern_request_bind(request, closed) == POSTERN_OK);
    check_broken(closed, request, POSTERN_MISUSE, "nothing is filled in yet");
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, "arn:aws:s3:::defg", 17);
    CHECK(postern_evaluate(closed, request, NULL) == POSTERN_IMPLICITLY_DENIED);
    for (uint32_t key = 0; key < 4; key++) postern_request_put(request, key, &"defg"[key], 1);
    CHECK(postern_evaluate(closed, request, NULL) == POSTERN_ALLOWED);
    check_broken(open, request, POSTERN_MISUSE, "it is the other set's now");
    CHECK(postern_request_put(request, 5, "x", 1) == POSTERN_OK);
    CHECK(postern_evaluate(closed, request, NULL) == POSTERN_IMPLICITLY_DENIED);
    /* Back again: the cells of the larger set are none of the smaller one's. */
    CHECK(postern_request_bind(request, open) == POSTERN_OK);
    CHECK(postern_request_put(request, 3, "x", 1) == POSTERN_MISUSE);
    CHECK(postern_request_bind(request, open) == POSTERN_OK);
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, "r", 1);
    CHECK(postern_evaluate(open, request, NULL) == POSTERN_ALLOWED);
    postern_request_free(request);
    postern_set_free(open);
    postern_set_free(closed);
}

/* A long value before the bind must not be taken for room made after it. */
static void bind_makes_room_anew(void) {
    postern_set *open = open_set(), *closed = closed_set();
    char text[3000];
    memset(text, 'v', sizeof text);
    postern_request *request = request_of(open, ALICE, "a:b", METHOD);
    postern_request_put(request, C, text, sizeof text);
    CHECK(postern_evaluate(open, request, NULL) == POSTERN_ALLOWED);
    CHECK(postern_request_bind(request, closed) == POSTERN_OK);
    postern_request_action(request, "a:b", 3);
    postern_request_resource(request, "arn:aws:s3:::v", 14);
    for (uint32_t key = 0; key < 4; key++) postern_request_put(request, key, text, sizeof text);
    CHECK(postern_evaluate(closed, request, NULL) == POSTERN_IMPLICITLY_DENIED);
    postern_request_free(request);
    postern_set_free(open);
    postern_set_free(closed);
}

static void bind_keeps_its_set_without_memory(void) {
    postern_set *open = open_set(), *closed = closed_set();
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, 0);
        postern_request *request = postern_request_new(open, &failing.allocator, NULL);
        failing.fail_at = failing.allocations + n;
        int status = postern_request_bind(request, closed);
        bool failed = failing.allocations >= failing.fail_at;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        if (failed) {
            check_broken(open, request, POSTERN_NO_MEMORY, "broken until it is reset");
            CHECK(postern_request_put(request, 5, "x", 1) == POSTERN_MISUSE);
            failing.fail_at = 0;
            postern_request_reset(request);
            postern_request_action(request, "a:b", 3);
            postern_request_resource(request, "r", 1);
            CHECK(postern_evaluate(open, request, NULL) == POSTERN_ALLOWED);
        } else {
            size_t before = failing.allocations;
            CHECK(postern_request_bind(request, open) == POSTERN_OK);
            CHECK(postern_request_bind(request, closed) == POSTERN_OK);
            CHECK(failing.allocations == before); /* the second time it has the room */
        }
        postern_request_free(request);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern_set_free(open);
    postern_set_free(closed);
}

TEST_MAIN(RUN(keys_are_where_the_tests_think); RUN(bad_text_breaks_any_field);
          RUN(a_bad_byte_is_found_anywhere); RUN(long_text_breaks_any_field);
          RUN(too_many_values_break_it); RUN(misuse_breaks_it);
          RUN(the_caller_is_the_last_one_named); RUN(reset_takes_values_away);
          RUN(action_and_resource_are_required); RUN(a_request_belongs_to_one_set);
          RUN(cells_hold_what_was_put_last); RUN(values_are_parsed_once); RUN(text_is_copied);
          RUN(reset_makes_it_new); RUN(the_second_request_allocates_nothing);
          RUN(every_allocation_may_fail); RUN(scratch_has_room_for_the_longest_value);
          RUN(bind_moves_it_to_another_set); RUN(bind_makes_room_anew);
          RUN(bind_keeps_its_set_without_memory))
