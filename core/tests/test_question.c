#include "question.h"

#include "failing_alloc.h"
#include "scenario.h"

static const char addresses[] =
    "{'Statement':[{'Effect':'Allow','Principal':'*','Action':'execute-api:Invoke',"
    "'Resource':'arn:aws:execute-api:r:1:a/live/GET/*',"
    "'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}},"
    "{'Effect':'Deny','Principal':'*','Action':'*','Resource':'arn:aws:execute-api:r:1:a/*/secret',"
    "'Condition':{'Null':{'aws:SourceVpce':true}}}]}";

static const char alice_only[] =
    "{'Statement':[{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111122223333:user/alice'},"
    "'Action':'*','Resource':'*'}]}";

static postern_span span(const char *text) {
    return (postern_span){text, text != NULL ? strlen(text) : 0};
}

enum { PEER, VPCE };

/* Two asks of one call: everybody facing `first`, Alice facing `second`. */
static postern_question question_of(const postern_set *first, const postern_set *second) {
    postern_question question;
    memset(&question, 0, sizeof question);
    question.action = span("execute-api:Invoke");
    static const char *const pieces[] = {"arn:aws:execute-api:r:1:", "a", "/live/", "GET", "/pets"};
    for (int i = 0; i < POSTERN_QUESTION_PIECES; i++) question.resource[i] = span(pieces[i]);
    question.ask_count = 2;
    question.asks[0].set = first;
    question.asks[1].set = second;
    question.asks[0].principal = span("*");
    question.asks[1].principal = span("arn:aws:iam::111122223333:user/alice");
    for (int i = 0; i < 2; i++) {
        memset(question.asks[i].values, -1, sizeof question.asks[i].values);
    }
    question.asks[0].values[postern_set_find_key(first, "aws:SourceIp", 12)] = PEER;
    question.asks[0].values[postern_set_find_key(first, "aws:SourceVpce", 14)] = VPCE;
    question.values[PEER] = span("10.1.2.3");
    return question;
}

static int32_t answer(int32_t outcome, int32_t match) { return outcome << 3 | match; }

typedef struct fixture {
    postern_set *first, *second;
    postern_request *request;
    postern_question question;
} fixture;

static fixture new_fixture(void) {
    fixture f;
    f.first = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, addresses);
    f.second = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, alice_only);
    f.request = postern_request_new(f.second, NULL, NULL);
    f.question = question_of(f.first, f.second);
    return f;
}

static void free_fixture(fixture *f) {
    postern_request_free(f->request);
    postern_set_free(f->first);
    postern_set_free(f->second);
}

static void every_set_answers(void) {
    fixture f = new_fixture();
    int32_t wild = answer(POSTERN_ALLOWED, POSTERN_MATCH_WILD);
    int32_t direct = answer(POSTERN_ALLOWED, POSTERN_MATCH_DIRECT);
    CHECK(postern_question_ask(&f.question, f.request) == (wild | direct << 5));
    CHECK(f.question.decisions[0].statement == 0 && f.question.decisions[1].statement == 0);
    f.question.values[PEER] = span("192.0.2.1");
    CHECK(postern_question_ask(&f.question, f.request) == direct << 5);
    f.question.values[PEER] = span(NULL);
    CHECK(postern_question_ask(&f.question, f.request) == direct << 5);
    f.question.values[PEER] = span("10.1.2.3");
    f.question.asks[1].principal = span("arn:aws:iam::111122223333:user/bob");
    CHECK(postern_question_ask(&f.question, f.request) == wild);
    free_fixture(&f);
}

static void the_pieces_are_one_resource(void) {
    fixture f = new_fixture();
    int32_t direct = answer(POSTERN_ALLOWED, POSTERN_MATCH_DIRECT) << 5;
    int32_t both = answer(POSTERN_ALLOWED, POSTERN_MATCH_WILD) | direct;
    f.question.resource[4] = span("/live/pets");
    f.question.skip = 5;
    CHECK(postern_question_ask(&f.question, f.request) == both);
    f.question.skip = 10; /* nothing is left: the statement wants the slash */
    CHECK(postern_question_ask(&f.question, f.request) == direct);
    f.question.skip = 11;
    CHECK(postern_question_ask(&f.question, f.request) == -1);
    f.question.skip = 0;
    f.question.resource[4] = span("/secret");
    CHECK(postern_question_ask(&f.question, f.request) ==
          (answer(POSTERN_EXPLICITLY_DENIED, 0) | direct));
    CHECK(f.question.decisions[0].statement == 1);
    f.question.values[VPCE] = span("vpce-1");
    CHECK(postern_question_ask(&f.question, f.request) == both);
    /* A character may go over from one piece to the next. */
    f.question.resource[3] = span("GET/\xC3");
    f.question.resource[4] = span("\xBC");
    CHECK(postern_question_ask(&f.question, f.request) == both);
    free_fixture(&f);
}

/* A value that two sets have is kept once, and read for each as that set asks. */
static void sets_share_values(void) {
    static const char same_text[] =
        "{'Statement':[{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*',"
        "'Condition':{'StringEquals':{'aws:SourceIp':'10.1.2.3'}}}]}";
    fixture f = new_fixture();
    postern_set *text = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, same_text);
    int32_t wild = answer(POSTERN_ALLOWED, POSTERN_MATCH_WILD);
    f.question.ask_count = 3;
    f.question.asks[2] = f.question.asks[0]; /* addresses, behind the text and before it */
    f.question.asks[1] = f.question.asks[0];
    f.question.asks[1].set = text;
    memset(f.question.asks[1].values, -1, sizeof f.question.asks[1].values);
    f.question.asks[1].values[0] = PEER;
    CHECK(postern_question_ask(&f.question, f.request) == (wild | wild << 5 | wild << 10));
    f.question.asks[0] = f.question.asks[1];
    CHECK(postern_question_ask(&f.question, f.request) == (wild | wild << 5 | wild << 10));
    f.question.values[PEER] = span("10.1.2.4");
    CHECK(postern_question_ask(&f.question, f.request) == wild << 10);
    f.question.values[PEER] = span("nowhere");
    CHECK(postern_question_ask(&f.question, f.request) == 0);
    postern_set_free(text);
    free_fixture(&f);
}

/* The caller of an ask is its own, whoever asked before. */
static void callers_take_turns(void) {
    fixture f = new_fixture();
    int32_t direct = answer(POSTERN_ALLOWED, POSTERN_MATCH_DIRECT);
    const char *alice = "arn:aws:iam::111122223333:user/alice";
    f.question.ask_count = 4;
    for (int i = 0; i < 4; i++) {
        f.question.asks[i] = f.question.asks[1];
        f.question.asks[i].set = f.second;
        f.question.asks[i].principal = span(alice);
    }
    f.question.asks[1].principal.length--; /* the same text, but for its end */
    int32_t others = direct | direct << 10 | direct << 15;
    CHECK(postern_question_ask(&f.question, f.request) == others);
    f.question.asks[1].principal = span("*");
    CHECK(postern_question_ask(&f.question, f.request) == others);
    free_fixture(&f);
}

/* NotPrincipal exempts nobody who has a boundary: what one ask says of that is
 * not what the next does. */
static void boundaries_take_turns(void) {
    static const char all_but_alice[] =
        "{'Statement':[{'Effect':'Deny','NotPrincipal':{'AWS':["
        "'arn:aws:iam::111122223333:user/alice','111122223333']},'Action':'*','Resource':'*'},"
        "{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}]}";
    fixture f = new_fixture();
    postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, all_but_alice);
    int32_t wild = answer(POSTERN_ALLOWED, POSTERN_MATCH_WILD);
    int32_t denied = answer(POSTERN_EXPLICITLY_DENIED, 0);
    f.question.asks[0] = f.question.asks[1];
    f.question.asks[0].set = f.question.asks[1].set = set;
    f.question.asks[1].flags = POSTERN_BOUNDED;
    CHECK(postern_question_ask(&f.question, f.request) == (wild | denied << 5));
    postern_set_free(set);
    free_fixture(&f);
}

/* Each change of the question makes it one that nobody answers. */
static void what_cannot_be_asked_is_no_answer(void) {
    fixture f = new_fixture();
    const postern_question good = f.question;
    static char longest[POSTERN__VALUE_BYTES + 1];
    memset(longest, 'a', sizeof longest);
    for (int i = 0; i < 12; i++) {
        f.question = good;
        switch (i) {
        case 0: f.question.ask_count = 0; break;
        case 1: f.question.ask_count = POSTERN_QUESTION_ASKS + 1; break;
        case 2: f.question.asks[1].set = NULL; break;
        case 3: f.question.resource[4] = span("/\xFF"); break;
        case 4: f.question.resource[0] = (postern_span){longest, sizeof longest}; break;
        case 5: f.question.action = span("\xFF"); break;
        case 6: f.question.asks[1].principal = span(""); break;
        case 7: f.question.asks[1].flags = 4; break;
        case 8: f.question.values[PEER] = span("\xFF"); break;
        case 9: f.question.values[PEER] = (postern_span){longest, sizeof longest}; break;
        case 10: f.question.asks[0].values[0] = POSTERN_QUESTION_VALUES; break;
        case 11: f.question.action = span(""); break;
        }
        char row[16];
        snprintf(row, sizeof row, "row %d", i);
        CHECK_ROW(postern_question_ask(&f.question, f.request) == -1, row);
        f.question = good;
        CHECK_ROW(postern_question_ask(&f.question, f.request) > 0, row);
    }
    free_fixture(&f);
}

static void a_set_of_many_keys_is_not_asked(void) {
    char text[4096] = "{'Statement':[{'Effect':'Allow','Action':'*','Resource':'*','Condition':{"
                      "'Null':{'key0':true";
    for (int i = 1; i <= POSTERN_QUESTION_KEYS; i++) {
        char key[32];
        snprintf(key, sizeof key, ",'key%d':true", i);
        strcat(text, key);
    }
    strcat(text, "}}}]}");
    fixture f = new_fixture();
    postern_set *many = set_of_type(POSTERN_IDENTITY, POSTERN_STRUCTURAL, text);
    CHECK(postern_set_key_count(many) == POSTERN_QUESTION_KEYS + 1);
    f.question.asks[1].set = many;
    CHECK(postern_question_ask(&f.question, f.request) == -1);
    postern_set_free(many);
    free_fixture(&f);
}

/* Whatever allocation fails, there is no answer; the next call has one. */
static void no_memory_is_no_answer(void) {
    fixture f = new_fixture();
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_request *request = postern_request_new(f.second, &failing.allocator, NULL);
        if (request != NULL) {
            size_t made = failing.allocations;
            int32_t answers = postern_question_ask(&f.question, request);
            bool failed = failing.allocations >= n && made < n;
            CHECK((answers == -1) == failed);
            CHECK(postern_question_ask(&f.question, request) > 0);
            postern_request_free(request);
        }
        CHECK(failing.live == 0);
        if (failing.allocations < n) break;
    }
    free_fixture(&f);
}

TEST_MAIN(RUN(every_set_answers); RUN(the_pieces_are_one_resource);
          RUN(sets_share_values); RUN(callers_take_turns); RUN(boundaries_take_turns);
          RUN(what_cannot_be_asked_is_no_answer); RUN(a_set_of_many_keys_is_not_asked);
          RUN(no_memory_is_no_answer))
