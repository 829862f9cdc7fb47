#include "entry.h"

#include "failing_alloc.h"
#include "scenario.h"

static const char policy[] =
    "{'Statement':[{'Effect':'Allow','Principal':'*','Action':'execute-api:Invoke',"
    "'Resource':'arn:aws:execute-api:r:1:a/live/GET/*',"
    "'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/8'}}},"
    "{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111122223333:user/alice'},"
    "'Action':'*','Resource':'arn:aws:execute-api:r:1:a'},"
    "{'Effect':'Deny','Principal':'*','Action':'*','Resource':'arn:aws:execute-api:r:1:a/*/secret',"
    "'Condition':{'Null':{'aws:SourceVpce':true}}}]}";

enum { IP, VPCE }; /* places of values */

/* A call as a row of texts; NULL is not there. */
typedef struct call {
    const char *principal, *action;
    const char *pieces[POSTERN_ENTRY_PIECES];
    const char *values[POSTERN_ENTRY_VALUES];
} call;

static const call good = {NULL, "execute-api:Invoke", {"a", "live", "GET", "/pets"}, {"10.1.2.3"}};

static size_t length_of(const char *text) { return text != NULL ? strlen(text) : 0; }

#define TEXT(text) (text), length_of(text)

static postern_decision decide(postern_entry *entry, const call *c) {
    int32_t outcome = postern_entry_decide(
        entry, TEXT(c->principal), TEXT(c->action), TEXT(c->pieces[0]), TEXT(c->pieces[1]),
        TEXT(c->pieces[2]), TEXT(c->pieces[3]), TEXT(c->values[0]), TEXT(c->values[1]),
        TEXT(c->values[2]), TEXT(c->values[3]));
    postern_decision decision = *postern_entry_decision(entry);
    CHECK(decision.outcome == outcome);
    return decision;
}

static int32_t key_of(const postern_set *set, const char *name) {
    return postern_set_find_key(set, name, strlen(name));
}

/* False when memory ran out. */
static bool set_up(postern_entry *entry, const postern_set *set) {
    static const char *const between[] = {"arn:aws:execute-api:r:1:", "/", "/", ""};
    for (uint32_t i = 0; i < POSTERN_ENTRY_PIECES; i++) {
        int status = postern_entry_between(entry, i, TEXT(between[i]));
        if (status == POSTERN_NO_MEMORY) return false;
        CHECK(status == POSTERN_OK);
    }
    CHECK(postern_entry_key(entry, IP, key_of(set, "aws:SourceIp")) == POSTERN_OK);
    CHECK(postern_entry_key(entry, VPCE, key_of(set, "aws:SourceVpce")) == POSTERN_OK);
    return true;
}

typedef struct fixture {
    postern_set *set;
    postern_entry *entry;
} fixture;

static fixture new_fixture(void) {
    fixture f;
    f.set = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, policy);
    f.entry = postern_entry_new(f.set, NULL, NULL);
    CHECK(set_up(f.entry, f.set));
    return f;
}

static void free_fixture(fixture *f) {
    postern_entry_free(f->entry);
    postern_set_free(f->set);
}

static void calls_are_decided(void) {
    fixture f = new_fixture();
    CHECK(postern_entry_decision(f.entry)->outcome == POSTERN_IMPLICITLY_DENIED);
    static const struct {
        call call;
        int32_t outcome, statement;
    } rows[] = {
        {{NULL, "execute-api:Invoke", {"a", "live", "GET", "/pets"}, {"10.1.2.3"}}, POSTERN_ALLOWED, 0},
        {{NULL, "execute-api:Invoke", {"a", "live", "GET", "/pets"}, {"192.0.2.1"}}, POSTERN_IMPLICITLY_DENIED, -1},
        {{NULL, "execute-api:Invoke", {"a", "live", "GET", "/pets"}, {NULL}}, POSTERN_IMPLICITLY_DENIED, -1},
        {{NULL, "execute-api:Invoke", {"a", "live", "PUT", "/pets"}, {"10.1.2.3"}}, POSTERN_IMPLICITLY_DENIED, -1},
        {{NULL, "execute-api:Invoke", {"a", "live", "GET", "/secret"}, {"10.1.2.3"}}, POSTERN_EXPLICITLY_DENIED, 2},
        {{NULL, "execute-api:Invoke", {"a", "live", "GET", "/secret"}, {"10.1.2.3", "vpce-1"}}, POSTERN_ALLOWED, 0},
        {{NULL, "other:Action", {"a", "live", "GET", "/pets"}, {"10.1.2.3"}}, POSTERN_IMPLICITLY_DENIED, -1},
        /* Pieces that are not there take what is in front of them along. */
        {{"arn:aws:iam::111122223333:user/alice", "x:Y", {"a"}, {NULL}}, POSTERN_ALLOWED, 1},
        {{"arn:aws:iam::111122223333:user/bob", "x:Y", {"a"}, {NULL}}, POSTERN_IMPLICITLY_DENIED, -1},
        {{NULL, "x:Y", {"a"}, {NULL}}, POSTERN_IMPLICITLY_DENIED, -1},
        {{"arn:aws:iam::111122223333:user/alice", "x:Y", {"a", ""}, {NULL}}, POSTERN_IMPLICITLY_DENIED, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char row[16];
        snprintf(row, sizeof row, "row %zu", i);
        postern_decision decision = decide(f.entry, &rows[i].call);
        CHECK_ROW(decision.outcome == rows[i].outcome, row);
        CHECK_ROW(decision.statement == rows[i].statement, row);
        CHECK_ROW(decision.status == POSTERN_OK, row);
    }
    free_fixture(&f);
}

static void values_are_kept(void) {
    fixture f = new_fixture();
    uint32_t ip = (uint32_t)key_of(f.set, "aws:SourceIp"), vpce = (uint32_t)key_of(f.set, "aws:SourceVpce");
    call c = good;
    c.values[IP] = NULL;
    CHECK(decide(f.entry, &c).outcome == POSTERN_IMPLICITLY_DENIED);
    CHECK(postern_entry_keep(f.entry, ip, "10.1.2.3", 8) == POSTERN_OK);
    CHECK(decide(f.entry, &c).outcome == POSTERN_ALLOWED);
    c.values[IP] = "192.0.2.1"; /* what a call gives counts */
    CHECK(decide(f.entry, &c).outcome == POSTERN_IMPLICITLY_DENIED);
    c.values[IP] = NULL;
    c.pieces[3] = "/secret";
    CHECK(decide(f.entry, &c).outcome == POSTERN_EXPLICITLY_DENIED);
    CHECK(postern_entry_keep(f.entry, vpce, "vpce-1", 6) == POSTERN_OK);
    CHECK(decide(f.entry, &c).outcome == POSTERN_ALLOWED);
    CHECK(postern_entry_keep(f.entry, ip, "192.0.2.1", 9) == POSTERN_OK);
    CHECK(decide(f.entry, &c).outcome == POSTERN_IMPLICITLY_DENIED);
    CHECK(postern_entry_keep(f.entry, ip, NULL, 0) == POSTERN_OK);
    c.values[IP] = "10.1.2.3";
    CHECK(decide(f.entry, &c).outcome == POSTERN_ALLOWED); /* the other is still kept */
    CHECK(postern_entry_keep(f.entry, vpce, NULL, 0) == POSTERN_OK);
    CHECK(postern_entry_keep(f.entry, vpce, NULL, 0) == POSTERN_OK);
    CHECK(decide(f.entry, &c).outcome == POSTERN_EXPLICITLY_DENIED);
    /* What cannot be kept leaves what was. */
    CHECK(postern_entry_keep(f.entry, ip, "10.1.2.3", 8) == POSTERN_OK);
    CHECK(postern_entry_keep(f.entry, ip, "\xFF", 1) == POSTERN_VALUE);
    CHECK(postern_entry_keep(f.entry, vpce, "\xFF", 1) == POSTERN_VALUE);
    CHECK(postern_entry_keep(f.entry, 2, "x", 1) == POSTERN_MISUSE);
    c = good;
    c.values[IP] = NULL;
    CHECK(decide(f.entry, &c).outcome == POSTERN_ALLOWED);
    free_fixture(&f);
}

/* Each of them would be allowed if what is wrong were left out. */
static void what_cannot_be_taken_is_denied(void) {
    static char longest[POSTERN__VALUE_BYTES + 2];
    memset(longest, 'a', sizeof longest - 1);
    fixture f = new_fixture();
    static const int32_t statuses[] = {
        POSTERN_MISUSE, POSTERN_VALUE, POSTERN_MISUSE, POSTERN_VALUE,  POSTERN_LIMIT, POSTERN_MISUSE,
        POSTERN_MISUSE, POSTERN_VALUE, POSTERN_LIMIT,  POSTERN_MISUSE, POSTERN_LIMIT, POSTERN_VALUE,
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        call c = good;
        switch (i) {
        case 0: c.action = NULL; break;
        case 1: c.action = "execute-api:Invoke\xFF"; break;
        case 2: c.action = ""; break;
        case 3: c.pieces[3] = "/pets\xFF"; break;
        case 4: c.pieces[3] = longest; break;
        case 5: c.pieces[2] = NULL; break;
        case 6: memset(c.pieces, 0, sizeof c.pieces); break;
        case 7: c.values[VPCE] = "\xFF"; break;
        case 8: c.values[VPCE] = longest; break;
        case 9: c.values[2] = "a value of no key"; break;
        case 10: c.principal = longest; break;
        case 11: c.principal = "\xFF"; break;
        }
        char row[16];
        snprintf(row, sizeof row, "row %zu", i);
        postern_decision decision = decide(f.entry, &c);
        CHECK_ROW(decision.outcome == POSTERN_IMPLICITLY_DENIED, row);
        CHECK_ROW(decision.statement == -1 && decision.status == statuses[i], row);
        CHECK_ROW(decide(f.entry, &good).outcome == POSTERN_ALLOWED, row);
    }
    free_fixture(&f);
}

static void set_up_is_checked(void) {
    fixture f = new_fixture();
    CHECK(postern_entry_between(f.entry, POSTERN_ENTRY_PIECES, "", 0) == POSTERN_MISUSE);
    CHECK(postern_entry_between(f.entry, 1, "\xFF", 1) == POSTERN_VALUE);
    CHECK(postern_entry_key(f.entry, POSTERN_ENTRY_VALUES, 0) == POSTERN_MISUSE);
    CHECK(postern_entry_key(f.entry, 0, 2) == POSTERN_MISUSE);
    CHECK(postern_entry_key(f.entry, 0, -2) == POSTERN_MISUSE);
    CHECK(decide(f.entry, &good).outcome == POSTERN_ALLOWED); /* nothing has changed */
    /* A value whose key the set has not is left out. */
    call c = good;
    c.values[2] = "x";
    CHECK(postern_entry_key(f.entry, 2, -1) == POSTERN_OK);
    CHECK(decide(f.entry, &c).outcome == POSTERN_ALLOWED);
    /* Joined, a code point may begin in one piece and end in the next. */
    CHECK(postern_entry_between(f.entry, 3, "/", 1) == POSTERN_OK);
    c.pieces[2] = "GET/\xC3";
    c.pieces[3] = "\xBC";
    CHECK(decide(f.entry, &c).status == POSTERN_VALUE);
    postern_entry_free(NULL);
    free_fixture(&f);
}

/* The same as a request of the same texts. */
static void entries_and_requests_agree(void) {
    static const char *const ips[] = {NULL, "10.1.2.3", "192.0.2.1", "10.1.2"};
    static const char *const vpces[] = {NULL, "vpce-1"};
    static const char *const paths[] = {"/pets", "/secret", "", "/pets/secret"};
    static const char *const callers[] = {NULL, "*", "arn:aws:iam::111122223333:user/alice"};
    fixture f = new_fixture();
    for (uint32_t i = 0; i < 4 * 2 * 4 * 3; i++) {
        call c = good;
        c.values[IP] = ips[i % 4];
        c.values[VPCE] = vpces[i / 4 % 2];
        c.pieces[3] = paths[i / 8 % 4];
        c.principal = callers[i / 32];
        char resource[128];
        snprintf(resource, sizeof resource, "arn:aws:execute-api:r:1:a/live/GET%s", c.pieces[3]);
        postern_request *request = request_of(f.set, c.principal, c.action, resource);
        if (c.values[IP] != NULL) put_key(request, f.set, "aws:SourceIp", c.values[IP]);
        if (c.values[VPCE] != NULL) put_key(request, f.set, "aws:SourceVpce", c.values[VPCE]);
        postern_decision expected, decision = decide(f.entry, &c);
        postern_evaluate(f.set, request, &expected);
        CHECK(memcmp(&decision, &expected, sizeof decision) == 0);
        postern_request_free(request);
    }
    free_fixture(&f);
}

/* Whatever allocation fails, nothing is allowed by it, and what was set stays. */
static void no_memory_denies(void) {
    postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, policy);
    uint32_t ip = (uint32_t)key_of(set, "aws:SourceIp");
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern_error error;
        postern__failing_alloc_init(&failing, n);
        postern_entry *entry = postern_entry_new(set, &failing.allocator, &error);
        if (entry == NULL) CHECK(error.status == POSTERN_NO_MEMORY);
        if (entry != NULL && set_up(entry, set)) {
            call c = good;
            c.values[IP] = NULL;
            int kept = postern_entry_keep(entry, ip, "10.1.2.3", 8);
            CHECK(kept == POSTERN_OK || kept == POSTERN_NO_MEMORY);
            size_t before = failing.allocations;
            postern_decision decision = decide(entry, &c);
            bool failed = failing.allocations >= n && before < n;
            CHECK(decision.status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
            CHECK((decision.outcome == POSTERN_ALLOWED) == (kept == POSTERN_OK && !failed));
            CHECK(decide(entry, &good).outcome == POSTERN_ALLOWED);
        }
        postern_entry_free(entry);
        CHECK(failing.live == 0);
        if (failing.allocations < n) break;
    }
    postern_set_free(set);
}

TEST_MAIN(RUN(calls_are_decided); RUN(values_are_kept); RUN(what_cannot_be_taken_is_denied);
          RUN(set_up_is_checked); RUN(entries_and_requests_agree); RUN(no_memory_denies))
