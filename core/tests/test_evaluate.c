#include "evaluate.h"

#include "scenario.h"

/* ---- By hand -------------------------------------------------------------- */

#define RULE(effect, who) \
    "{'Effect':'" effect "','Principal':" who ",'Action':'*','Resource':'*'}"

static void deny_beats_allow_in_every_order(void) {
    static const char *const orders[] = {
        RULE("Allow", "'*'") "," RULE("Deny", "'*'"),
        RULE("Deny", "'*'") "," RULE("Allow", "'*'"),
        RULE("Allow", "'*'") "," RULE("Deny", "'*'") "," RULE("Allow", "{'AWS':'" ALICE "'}"),
        RULE("Deny", "{'AWS':'" STRANGER "'}") "," RULE("Allow", "'*'") "," RULE("Deny", "'*'"),
    };
    static const int32_t deciding[] = {1, 0, 1, 2};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{'Statement':[%s]}", orders[i]);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        postern_decision decision = decide_plain(set, ALICE, "a:b", METHOD);
        CHECK_ROW(decision.outcome == POSTERN_EXPLICITLY_DENIED, orders[i]);
        CHECK_ROW(decision.statement == deciding[i] && decision.key == -1, orders[i]);
        CHECK_ROW(decision.match == POSTERN_MATCH_NONE && decision.status == POSTERN_OK, orders[i]);
        postern_set_free(set);
    }
}

static void the_strongest_match_is_told(void) {
    static const struct {
        const char *who, *caller;
        int32_t match;
    } rows[] = {
        {"'*'", ALICE, POSTERN_MATCH_WILD},
        {"'*'", "*", POSTERN_MATCH_WILD},
        {"{'AWS':'" ALICE "'}", ALICE, POSTERN_MATCH_DIRECT},
        {"{'AWS':['*','" ALICE "']}", ALICE, POSTERN_MATCH_DIRECT},
        {"{'AWS':['111122223333','" ALICE "','*']}", ALICE, POSTERN_MATCH_DIRECT},
        {"{'AWS':'111122223333'}", ALICE, POSTERN_MATCH_ACCOUNT},
        {"{'AWS':'arn:aws:iam::111122223333:root'}", SESSION, POSTERN_MATCH_ACCOUNT},
        {"{'AWS':'111122223333'}", "*", POSTERN_MATCH_NONE},
        {"{'AWS':'111122223333'}", "sns.amazonaws.com", POSTERN_MATCH_NONE},
        {"{'AWS':'111122223333'}", STRANGER, POSTERN_MATCH_NONE},
        {"{'AWS':'" ROLE "'}", SESSION, POSTERN_MATCH_ROLE},
        {"{'AWS':['111122223333','" ROLE "']}", SESSION, POSTERN_MATCH_ROLE},
        {"{'AWS':['" ROLE "','" SESSION "']}", SESSION, POSTERN_MATCH_DIRECT},
        {"{'AWS':'" ALICE "'}", FEDERATED, POSTERN_MATCH_ROLE},
        {"{'AWS':'" FEDERATED "'}", FEDERATED, POSTERN_MATCH_DIRECT},
        {"{'Service':'sns.amazonaws.com'}", "sns.amazonaws.com", POSTERN_MATCH_DIRECT},
        {"{'Service':'" ALICE "'}", ALICE, POSTERN_MATCH_NONE},
        {"{'AWS':'sns.amazonaws.com'}", "sns.amazonaws.com", POSTERN_MATCH_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text, "{'Statement':[" RULE("Allow", "%s") "]}", rows[i].who);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        postern_decision decision = decide_plain(set, rows[i].caller, "a:b", METHOD);
        CHECK_ROW(decision.match == rows[i].match, rows[i].who);
        CHECK_ROW((decision.outcome == POSTERN_ALLOWED) == (rows[i].match != POSTERN_MATCH_NONE),
                  rows[i].who);
        CHECK_ROW((decision.statement == 0) == (rows[i].match != POSTERN_MATCH_NONE), rows[i].who);
        postern_set_free(set);
    }
}

static void other_types_have_no_match_to_tell(void) {
    for (int32_t type = POSTERN_IDENTITY; type <= POSTERN_SCP; type++) {
        postern_set *set = set_of_type(
            type, POSTERN_ATTACHABLE, "{'Statement':{'Effect':'Allow','Action':'a:*','Resource':'*'}}");
        postern_decision decision = decide_plain(set, NULL, "A:B", METHOD);
        CHECK(decision.outcome == POSTERN_ALLOWED && decision.match == POSTERN_MATCH_NA);
        CHECK(decide_plain(set, NULL, "b:a", METHOD).outcome == POSTERN_IMPLICITLY_DENIED);
        postern_set_free(set);
    }
}

/* Among Allows the strongest decides; among equals the first. */
static void the_strongest_allow_decides(void) {
    postern_set *set = set_of_type(
        POSTERN_RESOURCE, POSTERN_ATTACHABLE,
        "{'Statement':[" RULE("Allow", "{'AWS':'111122223333'}") "," RULE("Allow", "'*'") ","
        RULE("Allow", "{'AWS':'" ALICE "'}") "," RULE("Allow", "{'AWS':'" ALICE "'}") ","
        RULE("Allow", "{'AWS':'" ROLE "'}") "]}");
    CHECK(decide_plain(set, ALICE, "a:b", METHOD).statement == 2);
    CHECK(decide_plain(set, SESSION, "a:b", METHOD).statement == 1);
    CHECK(decide_plain(set, NULL, "a:b", METHOD).statement == 1);
    postern_set_free(set);
}

/* ---- NotPrincipal --------------------------------------------------------- */

static void not_principal_exempts(void) {
    static const struct {
        const char *who, *caller;
        int32_t flags;
        bool exempt; /* in a resource policy; an endpoint's knows no boundary */
        bool exempt_at_endpoint;
    } rows[] = {
        {"{'AWS':'" ALICE "'}", ALICE, 0, true, true},
        {"{'AWS':'" ALICE "'}", STRANGER, 0, false, false},
        {"{'AWS':'" ALICE "'}", "*", 0, false, false},
        {"{'AWS':['" ALICE "','111122223333']}", ALICE, 0, true, true},
        /* An account beside others exempts nobody; alone it does. */
        {"{'AWS':['" ALICE "','111122223333']}", SESSION, 0, false, false},
        {"{'AWS':'111122223333'}", SESSION, 0, true, true},
        {"{'AWS':['111122223333','arn:aws:iam::444455556666:root']}", STRANGER, 0, true, true},
        {"{'AWS':'111122223333','Service':'sns.amazonaws.com'}", ALICE, 0, false, false},
        {"{'AWS':['111122223333','AIDAJQABLZS4A3QDU576Q']}", ALICE, 0, false, false},
        {"{'AWS':'" ROLE "'}", SESSION, 0, true, true},
        {"{'AWS':'" ALICE "'}", FEDERATED, 0, true, true},
        {"{'Service':'sns.amazonaws.com'}", "sns.amazonaws.com", 0, true, true},
        {"'*'", "*", 0, true, true},
        {"'*'", ALICE, 0, true, true},
        {"'*'", ALICE, POSTERN_BOUNDED, false, true},
        {"{'AWS':'" ALICE "'}", ALICE, POSTERN_BOUNDED, false, true},
        {"{'AWS':'111122223333'}", ALICE, POSTERN_BOUNDED, false, true},
    };
    static const int32_t types[] = {POSTERN_RESOURCE, POSTERN_ENDPOINT};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int t = 0; t < 2; t++) {
            char text[512];
            bool exempt = t == 0 ? rows[i].exempt : rows[i].exempt_at_endpoint;
            snprintf(text, sizeof text,
                     "{'Statement':[{'Effect':'Deny','NotPrincipal':%s,'Action':'*','Resource':'*'},"
                     RULE("Allow", "'*'") "]}", rows[i].who);
            postern_set *set = set_of_type(types[t], POSTERN_ATTACHABLE, text);
            postern_request *request = request_of(set, NULL, "a:b", METHOD);
            postern_request_principal(request, rows[i].caller, strlen(rows[i].caller), rows[i].flags);
            CHECK_ROW(postern_evaluate(set, request, NULL) ==
                          (exempt ? POSTERN_ALLOWED : POSTERN_EXPLICITLY_DENIED),
                      rows[i].who);
            postern_request_free(request);
            postern_set_free(set);
        }
    }
}

static void not_principal_never_allows(void) {
    static const char *const who[] = {"'*'", "{'AWS':'" STRANGER "'}", "{'AWS':'111122223333'}"};
    for (size_t i = 0; i < sizeof who / sizeof *who; i++) {
        char text[256];
        snprintf(text, sizeof text, "{'Statement':{'Effect':'Allow','NotPrincipal':%s,'Action':'*',"
                                    "'Resource':'*'}}", who[i]);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_STRUCTURAL, text);
        for (size_t c = 0; c < sizeof scenario_callers / sizeof *scenario_callers; c++) {
            CHECK(decide_plain(set, scenario_callers[c], "a:b", METHOD).outcome ==
                  POSTERN_IMPLICITLY_DENIED);
        }
        postern_set_free(set);
    }
}

/* ---- NotAction, NotResource ----------------------------------------------- */

static void complements(void) {
    static const struct {
        const char *elements;
        bool matches; /* a:Read on arn:aws:s3:::b/x; aws:username absent */
    } rows[] = {
        {"'Action':'a:read','Resource':'*'", true},
        {"'NotAction':'a:read','Resource':'*'", false},
        {"'NotAction':['b:*','a:R??d'],'Resource':'*'", false},
        {"'NotAction':'b:*','Resource':'*'", true},
        {"'NotAction':[],'Resource':'*'", true},
        {"'Action':[],'Resource':'*'", false},
        {"'Action':'*','Resource':[]", false},
        {"'Action':'*','NotResource':[]", true},
        {"'Action':'*','NotResource':'*'", false},
        {"'Action':'*','NotResource':'arn:aws:s3:::b/*'", false},
        {"'Action':'*','NotResource':'arn:aws:s3:::c/*'", true},
        {"'NotAction':'a:write','NotResource':'arn:aws:s3:::c/*'", true},
        /* A variable without a value matches nothing, hence exempts nothing. */
        {"'Action':'*','Resource':'arn:aws:s3:::b/x${aws:username}'", false},
        {"'Action':'*','NotResource':'arn:aws:s3:::b/x${aws:username}'", true},
        {"'Action':'*','NotResource':'arn:aws:s3:::b/${aws:username, `x`}'", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int effect = POSTERN_ALLOW; effect <= POSTERN_DENY; effect++) {
            char text[256];
            snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':{'Effect':'%s',%s}}",
                     effect == POSTERN_ALLOW ? "Allow" : "Deny", rows[i].elements);
            postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, text);
            int32_t matched = effect == POSTERN_ALLOW ? POSTERN_ALLOWED : POSTERN_EXPLICITLY_DENIED;
            CHECK_ROW(decide_plain(set, ALICE, "A:Read", "arn:aws:s3:::b/x").outcome ==
                          (rows[i].matches ? matched : POSTERN_IMPLICITLY_DENIED),
                      rows[i].elements);
            postern_set_free(set);
        }
    }
}

/* ---- Undecided ------------------------------------------------------------ */

/* Which of the keys k and l are needed, and when none is. Both are unresolved. */
static void undecided_only_where_it_matters(void) {
#define ON(effect, action, condition) \
    "{'Effect':'" effect "','Action':'" action "','Resource':'*','Condition':{" condition "}}"
#define K "'StringEquals':{'k':'1'}"
#define L "'StringEquals':{'l':'1'}"
#define ABSENT "'StringEquals':{'m':'1'}"
    static const struct {
        const char *statements;
        int32_t outcome;
        const char *key;
    } rows[] = {
        {ON("Allow", "*", K), POSTERN_UNDECIDED, "k"},
        {ON("Deny", "*", K), POSTERN_UNDECIDED, "k"},
        {ON("Allow", "b:*", K), POSTERN_IMPLICITLY_DENIED, NULL},
        {ON("Allow", "*", K "," "'StringLike':{'m':'*'}"), POSTERN_IMPLICITLY_DENIED, NULL},
        {ON("Deny", "*", K) "," ON("Allow", "*", ""), POSTERN_UNDECIDED, "k"},
        {ON("Allow", "*", K) "," ON("Deny", "*", ""), POSTERN_EXPLICITLY_DENIED, NULL},
        {ON("Deny", "*", K) "," ON("Deny", "*", ""), POSTERN_EXPLICITLY_DENIED, NULL},
        {ON("Allow", "*", K) "," ON("Allow", "*", ""), POSTERN_ALLOWED, NULL},
        {ON("Allow", "*", L) "," ON("Deny", "*", K), POSTERN_UNDECIDED, "k"},
        {ON("Deny", "b:*", K) "," ON("Allow", "*", L), POSTERN_UNDECIDED, "l"},
        {ON("Deny", "*", K "," "'Bool':{'m':true}") "," ON("Allow", "*", ""), POSTERN_ALLOWED, NULL},
        {ON("Allow", "*", "'StringEquals':{'k':[]}"), POSTERN_IMPLICITLY_DENIED, NULL},
        {ON("Allow", "*", "'StringNotLike':{'m':'${k}'}"), POSTERN_ALLOWED, NULL},
        {ON("Allow", "*", "'Null':{'k':[true,false]}"), POSTERN_ALLOWED, NULL},
        /* m has no value, so the text matches nothing whatever k is. */
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::${k}${m}'}",
         POSTERN_IMPLICITLY_DENIED, NULL},
        /* The rest of the text matches or does not, whatever k is. */
        {"{'Effect':'Allow','Action':'*','Resource':'arn:aws:s3:::${k}/x'}",
         POSTERN_IMPLICITLY_DENIED, NULL},
        {"{'Effect':'Deny','Action':'*','Resource':'arn:aws:s3:::a${k}'}," ON("Allow", "*", ""),
         POSTERN_ALLOWED, NULL},
        {"{'Effect':'Allow','Action':'*','Resource':'arn:*:*:*:*:*${k}/pets'}", POSTERN_UNDECIDED,
         "k"},
        /* The one that may match is asked for, not the one behind it. */
        {"{'Effect':'Allow','Action':'*','Resource':['arn:*:*:*:*:*${l}','arn:*:*:*:*:${k}z']}",
         POSTERN_UNDECIDED, "l"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':[%s]}", rows[i].statements);
        postern_set *set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE, text);
        postern_request *request = request_of(set, ALICE, "a:b", METHOD);
        int32_t k = postern_set_find_key(set, "k", 1), l = postern_set_find_key(set, "l", 1);
        if (k >= 0) postern_request_unresolved(request, (uint32_t)k);
        if (l >= 0) postern_request_unresolved(request, (uint32_t)l);
        postern_decision decision;
        CHECK_ROW(postern_evaluate(set, request, &decision) == rows[i].outcome, rows[i].statements);
        int32_t key = rows[i].key == NULL ? -1 : postern_set_find_key(set, rows[i].key, 1);
        CHECK_ROW(decision.key == key, rows[i].statements);
        CHECK_ROW(rows[i].outcome != POSTERN_UNDECIDED || decision.statement == -1,
                  rows[i].statements);
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* A role is only possible while aws:PrincipalArn is unresolved; what is sure
 * and at least as strong makes that unimportant. */
static void an_unresolved_role_is_possible(void) {
    static const struct {
        const char *who;
        int32_t outcome, match;
    } rows[] = {
        {"{'AWS':'" ROLE "'}", POSTERN_UNDECIDED, POSTERN_MATCH_NONE},
        {"{'AWS':['" ROLE "','111122223333']}", POSTERN_UNDECIDED, POSTERN_MATCH_NONE},
        {"{'AWS':['" ROLE "','*']}", POSTERN_ALLOWED, POSTERN_MATCH_WILD},
        {"{'AWS':['" ROLE "','" SESSION "']}", POSTERN_ALLOWED, POSTERN_MATCH_DIRECT},
        {"{'AWS':['arn:aws:iam::444455556666:role/Reader','111122223333']}", POSTERN_ALLOWED,
         POSTERN_MATCH_ACCOUNT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        snprintf(text, sizeof text, "{'Statement':[" RULE("Allow", "%s") "]}", rows[i].who);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        postern_request *request = request_of(set, SESSION, "a:b", METHOD);
        int32_t key = postern_set_find_key(set, "aws:PrincipalArn", 16);
        CHECK_ROW(key >= 0, rows[i].who);
        postern_request_unresolved(request, (uint32_t)key);
        postern_decision decision;
        CHECK_ROW(postern_evaluate(set, request, &decision) == rows[i].outcome, rows[i].who);
        CHECK_ROW(decision.match == rows[i].match, rows[i].who);
        CHECK_ROW(decision.key == (rows[i].outcome == POSTERN_UNDECIDED ? key : -1), rows[i].who);
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* ---- By chance ------------------------------------------------------------ */

/* Statements in some order, divided among some policies. */
typedef struct estate {
    char statements[STATEMENTS + 1][STATEMENT_SIZE];
    int32_t type;
    uint32_t count;
} estate;

static void random_estate(estate *out, uint64_t round) {
    seed(round);
    out->type = below(2) == 0 ? POSTERN_RESOURCE : POSTERN_IDENTITY;
    out->count = 1 + below(STATEMENTS);
    for (uint32_t i = 0; i < STATEMENTS + 1; i++) {
        random_statement(out->statements[i], out->type, below(3) == 0 ? "Deny" : "Allow");
    }
}

static void shuffle(uint32_t *order, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = below(i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

/* The set of the statements in `order`, cut into two policies at `cut`. */
static postern_set *build(estate *e, const uint32_t *order, uint32_t count, uint32_t cut) {
    char text[POLICY_SIZE + STATEMENT_SIZE];
    postern_error error = {.message = ""};
    postern_options options = {.policy_type = e->type};
    postern_builder *builder = postern_builder_new(&options, NULL);
    policy_of(text, e->statements, order, cut);
    if (cut > 0) CHECK_ROW(add_policy(builder, text, &error) == POSTERN_OK, error.message);
    policy_of(text, e->statements, order + cut, count - cut);
    CHECK_ROW(add_policy(builder, text, &error) == POSTERN_OK, error.message);
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    return set;
}

static postern_decision decide(const postern_set *set, const situation *s, uint32_t hidden) {
    postern_decision decision;
    postern_request *request = postern_request_new(set, NULL, NULL);
    fill(request, set, s, hidden);
    postern_evaluate(set, request, &decision);
    postern_request_free(request);
    return decision;
}

enum { ROUNDS = 600, GAMES = 12 };

static void order_does_not_matter(void) {
    static estate e;
    int seen[4] = {0};
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_estate(&e, round);
        uint32_t order[STATEMENTS + 1], plain[STATEMENTS + 1];
        for (uint32_t i = 0; i <= STATEMENTS; i++) plain[i] = i;
        postern_set *one = build(&e, plain, e.count, 0);
        shuffle(order, e.count);
        postern_set *other = build(&e, order, e.count, below(e.count + 1));
        for (int game = 0; game < GAMES; game++) {
            situation s = random_situation();
            uint32_t hidden = game % 2 == 0 ? 0 : below(1u << CELLS);
            postern_decision a = decide(one, &s, hidden), b = decide(other, &s, hidden);
            CHECK(a.outcome == b.outcome && a.match == b.match && a.status == POSTERN_OK);
            CHECK((a.statement == -1) == (b.statement == -1));
            seen[a.outcome]++;
        }
        postern_set_free(one);
        postern_set_free(other);
    }
    /* Chance has met every outcome, or it tests nothing. */
    for (int i = 0; i < 4; i++) CHECK(seen[i] > ROUNDS / 10);
}

static void a_statement_more_moves_one_way(void) {
    static estate e;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_estate(&e, round + 10000);
        uint32_t order[STATEMENTS + 1];
        for (uint32_t i = 0; i <= STATEMENTS; i++) order[i] = i;
        bool denies = below(2) == 0;
        random_statement(e.statements[e.count], e.type, denies ? "Deny" : "Allow");
        postern_set *fewer = build(&e, order, e.count, 0);
        postern_set *more = build(&e, order, e.count + 1, 0);
        for (int game = 0; game < GAMES; game++) {
            situation s = random_situation();
            postern_decision before = decide(fewer, &s, 0), after = decide(more, &s, 0);
            if (denies) CHECK(after.outcome != POSTERN_ALLOWED || before.outcome == POSTERN_ALLOWED);
            else CHECK(before.outcome != POSTERN_ALLOWED || after.outcome == POSTERN_ALLOWED);
            if (before.outcome == POSTERN_EXPLICITLY_DENIED) {
                CHECK(after.outcome == POSTERN_EXPLICITLY_DENIED);
            }
            /* Not everything known: an Allow still needs every Deny to be out. */
            uint32_t hidden = below(1u << CELLS);
            postern_decision dim = decide(more, &s, hidden);
            if (dim.outcome == POSTERN_ALLOWED) CHECK(after.outcome == POSTERN_ALLOWED);
        }
        postern_set_free(fewer);
        postern_set_free(more);
    }
}

/* What a match is worth: everybody named is as good as the caller named. */
static int worth(int32_t match) {
    return match == POSTERN_MATCH_WILD ? POSTERN_MATCH_DIRECT : match;
}

/* Every way to fill the hidden cells, counted like an odometer. */
static bool next_completion(situation *s, uint32_t hidden) {
    for (uint32_t i = 0; i < CELLS; i++) {
        if ((hidden >> i & 1) == 0) continue;
        if (++s->choice[i] < CHOICES) return true;
        s->choice[i] = 0;
    }
    return false;
}

/* Whether the set mentions a hidden key at all; others need no trying. */
static uint32_t mentioned(const postern_set *set, uint32_t hidden) {
    for (uint32_t i = 0; i < CELLS; i++) {
        const char *name = scenario_keys[i];
        if (postern_set_find_key(set, name, strlen(name)) < 0) hidden &= ~(1u << i);
    }
    return hidden;
}

/* Which of the games' cells a key of the set is, as a bit. */
static uint32_t cell_bit(const postern_set *set, int32_t key) {
    for (uint32_t i = 0; i < CELLS; i++) {
        const char *name = scenario_keys[i];
        if (postern_set_find_key(set, name, strlen(name)) == key) return 1u << i;
    }
    return 0;
}

static void what_is_decided_stays_so(void) {
    static estate e;
    int decided = 0, undecided = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_estate(&e, round + 20000);
        uint32_t order[STATEMENTS + 1];
        for (uint32_t i = 0; i <= STATEMENTS; i++) order[i] = i;
        postern_set *set = build(&e, order, e.count, 0);
        for (int game = 0; game < 4; game++) {
            situation s = random_situation();
            uint32_t hidden = mentioned(set, 1u << below(CELLS) | 1u << below(CELLS) | 1u << below(CELLS));
            postern_decision dim = decide(set, &s, hidden);
            if (dim.outcome == POSTERN_UNDECIDED) {
                undecided++;
                CHECK(dim.key >= 0 && dim.match == POSTERN_MATCH_NONE && dim.statement == -1);
                CHECK((cell_bit(set, dim.key) & hidden) != 0);
                continue;
            }
            decided += hidden != 0;
            CHECK(dim.key == -1);
            for (uint32_t i = 0; i < CELLS; i++) {
                if ((hidden >> i & 1) != 0) s.choice[i] = 0;
            }
            do {
                postern_decision clear = decide(set, &s, 0);
                CHECK(clear.outcome == dim.outcome && worth(clear.match) == worth(dim.match));
            } while (next_completion(&s, hidden));
        }
        postern_set_free(set);
    }
    CHECK(decided > ROUNDS / 10 && undecided > ROUNDS / 10);
}

/* Asking for the key that is named, over and over, ends in the full answer. */
static void asking_ends_in_the_answer(void) {
    static estate e;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_estate(&e, round + 30000);
        uint32_t order[STATEMENTS + 1];
        for (uint32_t i = 0; i <= STATEMENTS; i++) order[i] = i;
        postern_set *set = build(&e, order, e.count, 0);
        for (int game = 0; game < GAMES; game++) {
            situation s = random_situation();
            postern_decision clear = decide(set, &s, 0), dim;
            uint32_t hidden = (1u << CELLS) - 1;
            for (dim = decide(set, &s, hidden); dim.outcome == POSTERN_UNDECIDED;
                 dim = decide(set, &s, hidden)) {
                uint32_t bit = cell_bit(set, dim.key);
                CHECK((bit & hidden) != 0);
                if ((bit & hidden) == 0) break;
                hidden &= ~bit;
            }
            CHECK(dim.outcome == clear.outcome && worth(dim.match) == worth(clear.match));
        }
        postern_set_free(set);
    }
}

/* The decision is what the findings of all statements make, tried in turn. */
static void the_sweep_agrees_with_trying_each(void) {
    static estate e;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        random_estate(&e, round + 40000);
        uint32_t order[STATEMENTS + 1];
        for (uint32_t i = 0; i <= STATEMENTS; i++) order[i] = i;
        postern_set *set = build(&e, order, e.count, 0);
        postern_request *request = postern_request_new(set, NULL, NULL);
        for (int game = 0; game < GAMES; game++) {
            situation s = random_situation();
            postern_decision decision;
            fill(request, set, &s, 0);
            postern_evaluate(set, request, &decision);
            postern__scene scene;
            postern__scene_init(&scene, set, request);
            bool denied = false;
            int32_t best = POSTERN_MATCH_NONE;
            for (uint32_t i = 0; i < set->rules.count; i++) {
                const postern__rule *rule = postern__set_rule(set, i);
                postern__finding finding = postern__rule_finding(&scene, rule);
                CHECK(finding.possible == POSTERN_MATCH_NONE && finding.key == -1);
                if (rule->effect == POSTERN_DENY) denied |= finding.sure != POSTERN_MATCH_NONE;
                else if ((int32_t)finding.sure > best) best = (int32_t)finding.sure;
            }
            CHECK(decision.outcome == (denied ? POSTERN_EXPLICITLY_DENIED
                                       : best ? POSTERN_ALLOWED
                                              : POSTERN_IMPLICITLY_DENIED));
            CHECK(decision.match == (denied ? POSTERN_MATCH_NONE : best));
        }
        postern_request_free(request);
        postern_set_free(set);
    }
}

/* ---- Trust policies ------------------------------------------------------- */

static void a_trust_policy_speaks_of_its_role(void) {
    postern_set *set = set_of_type(
        POSTERN_TRUST, POSTERN_ATTACHABLE,
        "{'Statement':[{'Effect':'Allow','Principal':{'Service':'sns.amazonaws.com'},'Action':'sts:*'},"
        "{'Effect':'Deny','Principal':'*','Action':'sts:TagSession'}]}");
    CHECK(decide_plain(set, "sns.amazonaws.com", "sts:AssumeRole", ROLE).outcome == POSTERN_ALLOWED);
    CHECK(decide_plain(set, ALICE, "sts:AssumeRole", ROLE).outcome == POSTERN_IMPLICITLY_DENIED);
    CHECK(decide_plain(set, ALICE, "sts:TagSession", "x").outcome == POSTERN_EXPLICITLY_DENIED);
    postern_set_free(set);
}

/* ---- Endpoint policies ---------------------------------------------------- */

/* An account in the policy of a gateway endpoint is its root user; anywhere else
 * it is everybody in it. */
static void accounts_at_endpoints(void) {
    static const char root[] = "arn:aws:iam::111122223333:root";
    static const struct {
        const char *who, *caller;
        bool gateway, interface;
    } rows[] = {
        {"{'AWS':'111122223333'}", ALICE, false, true},
        {"{'AWS':'111122223333'}", SESSION, false, true},
        {"{'AWS':'111122223333'}", FEDERATED, false, true},
        {"{'AWS':'111122223333'}", root, true, true},
        {"{'AWS':'111122223333'}", STRANGER, false, false},
        {"{'AWS':'111122223333'}", "*", false, false},
        {"{'AWS':'arn:aws:iam::111122223333:root'}", ALICE, false, true},
        {"{'AWS':'arn:aws:iam::111122223333:root'}", SESSION, false, true},
        {"{'AWS':'arn:aws:iam::111122223333:root'}", root, true, true},
        {"{'AWS':'arn:aws:iam::111122223333:root'}", "*", false, false},
        {"'*'", ALICE, true, true},
        {"'*'", "*", true, true},
        {"{'AWS':'" ALICE "'}", ALICE, true, true},
        {"{'AWS':'" ALICE "'}", STRANGER, false, false},
        {"{'AWS':'" ALICE "'}", "*", false, false},
        {"{'AWS':'" ROLE "'}", SESSION, true, true},
        {"{'AWS':'" ROLE "'}", ALICE, false, false},
        {"{'AWS':['111122223333','" ALICE "']}", ALICE, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int g = 0; g < 2; g++) {
            char text[256];
            snprintf(text, sizeof text, "{'Statement':" RULE("Allow", "%s") "}", rows[i].who);
            postern_set *set = set_of_type(g == 1 ? POSTERN_GATEWAY_ENDPOINT : POSTERN_ENDPOINT,
                                           POSTERN_ATTACHABLE, text);
            CHECK_ROW((decide_plain(set, rows[i].caller, "s3:GetObject", "arn:aws:s3:::b/k")
                           .outcome == POSTERN_ALLOWED) ==
                          (g == 1 ? rows[i].gateway : rows[i].interface),
                      rows[i].who);
            postern_set_free(set);
        }
    }
}

/* A Deny with NotPrincipal: an exempt account is its root user there as well. */
static void exempt_accounts_at_gateway_endpoints(void) {
    postern_set *set = set_of_type(
        POSTERN_GATEWAY_ENDPOINT, POSTERN_ATTACHABLE,
        "{'Statement':[{'Effect':'Deny','NotPrincipal':{'AWS':'111122223333'},'Action':'*',"
        "'Resource':'*'}," RULE("Allow", "'*'") "]}");
    CHECK(decide_plain(set, "arn:aws:iam::111122223333:root", "a:b", METHOD).outcome ==
          POSTERN_ALLOWED);
    CHECK(decide_plain(set, ALICE, "a:b", METHOD).outcome == POSTERN_EXPLICITLY_DENIED);
    CHECK(decide_plain(set, "*", "a:b", METHOD).outcome == POSTERN_EXPLICITLY_DENIED);
    postern_set_free(set);
}

TEST_MAIN(RUN(deny_beats_allow_in_every_order); RUN(the_strongest_match_is_told);
          RUN(other_types_have_no_match_to_tell); RUN(the_strongest_allow_decides);
          RUN(not_principal_exempts); RUN(not_principal_never_allows); RUN(complements);
          RUN(undecided_only_where_it_matters); RUN(an_unresolved_role_is_possible);
          RUN(order_does_not_matter); RUN(a_statement_more_moves_one_way);
          RUN(what_is_decided_stays_so); RUN(asking_ends_in_the_answer);
          RUN(the_sweep_agrees_with_trying_each); RUN(a_trust_policy_speaks_of_its_role);
          RUN(accounts_at_endpoints); RUN(exempt_accounts_at_gateway_endpoints))
