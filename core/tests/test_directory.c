#include "directory.h"

#include "compile.h"
#include "evaluate.h"
#include "failing_alloc.h"
#include "scenario.h"

/* ---- Many statements, of few and of many kinds --------------------------- */

/* How much statements share: a pool has this many names of everything. */
static uint32_t pool;

static const char *random_name(void) {
    static char names[8][24];
    static uint32_t next;
    char *name = names[next++ % 8];
    uint32_t number = below(pool);
    snprintf(name, sizeof names[0], "%c%u-%u", (char)('a' + number % 7), number, number * 7919 % 1000);
    return name;
}

static void write_resource(writer *w, bool variables) {
    const char *name = random_name();
    switch (below(variables ? 12 : 9)) {
    case 0: writef(w, "'*'"); break;
    case 1: writef(w, "'arn:aws:execute-api:us-east-1:111122223333:%s/*'", name); break;
    case 2: writef(w, "'arn:aws:execute-api:*:*:%s/dev/GET/*'", name); break;
    case 3: writef(w, "'arn:aws:execute-api:*:%s/??T/pets'", name); break;
    case 4: writef(w, "'arn:aws:s3:::%s'", name); break;
    case 5: writef(w, "'arn:aws:s3:::%s/a?/*/%s'", name, random_name()); break;
    case 6: writef(w, "'*:%s'", name); break;
    case 7: writef(w, "'arn:aws:s?:::%s*%s'", name, random_name()); break;
    case 8: writef(w, "'arn:aws:s3:::*/%s/*'", name); break;
    case 9: writef(w, "'arn:aws:s3:::%s/${aws:username}'", name); break;
    case 10: writef(w, "'arn:aws:s3:::${aws:username}/%s'", name); break;
    default: writef(w, "'arn:aws:s3:::home/${aws:PrincipalTag/team, `dev`}/*'"); break;
    }
}

static void write_resources(writer *w) {
    uint32_t many = below(8) == 0 ? below(5) : 1;
    if (many == 1) {
        write_resource(w, true);
        return;
    }
    writef(w, "[");
    for (uint32_t i = 0; i < many; i++) {
        if (i > 0) writef(w, ",");
        write_resource(w, true);
    }
    writef(w, "]");
}

static void write_action(writer *w) {
    switch (below(6)) {
    case 0: writef(w, "'*'"); break;
    case 1: writef(w, "'execute-api:Invoke'"); break;
    case 2: writef(w, "['EXECUTE-API:inv*','s3:Get%s']", random_name()); break;
    case 3: writef(w, "'S3:Get%s'", random_name()); break;
    case 4: writef(w, "['s3:*','s3:Get?%s*','sqs:*']", random_name()); break;
    default: writef(w, "'*:Get%s'", random_name()); break;
    }
}

static void write_principal(writer *w) {
    const char *name = random_name();
    switch (below(9)) {
    case 0: writef(w, "'*'"); break;
    case 1: writef(w, "{'AWS':'111122223333'}"); break;
    case 2: writef(w, "{'AWS':'%012u'}", below(pool)); break;
    case 3: writef(w, "{'AWS':'arn:aws:iam::111122223333:user/%s'}", name); break;
    case 4: writef(w, "{'AWS':'arn:aws:iam::111122223333:role/path/%s'}", name); break;
    case 5:
        writef(w, "{'AWS':['arn:aws:iam::111122223333:role/%s','arn:aws:iam::111122223333:root']}",
               name);
        break;
    case 6:
        writef(w, "{'AWS':'arn:aws:sts::111122223333:assumed-role/%s/s1','Service':'%s.amazonaws.com'}",
               name, random_name());
        break;
    case 7: writef(w, "{'Service':['%s.amazonaws.com','sns.amazonaws.com']}", name); break;
    default: writef(w, "%s", PICK(scenario_principals)); break;
    }
}

static void write_statement(char out[STATEMENT_SIZE], int32_t type, bool deny) {
    writer w = {out, STATEMENT_SIZE, 0};
    writef(&w, "{'Effect':'%s','%sAction':", deny ? "Deny" : "Allow", below(9) == 0 ? "Not" : "");
    if (below(6) == 0) writef(&w, "%s", PICK(scenario_action_patterns));
    else write_action(&w);
    if (type != POSTERN_TRUST || below(3) > 0) {
        writef(&w, ",'%sResource':", below(9) == 0 ? "Not" : "");
        if (below(6) == 0) writef(&w, "%s", PICK(scenario_resource_patterns));
        else write_resources(&w);
    }
    if (type != POSTERN_IDENTITY && type != POSTERN_SESSION) {
        writef(&w, ",'%sPrincipal':", deny && type == POSTERN_RESOURCE && below(5) == 0 ? "Not" : "");
        write_principal(&w);
    }
    if (below(2) == 0) {
        writef(&w, ",'Condition':{%s}",
               below(3) == 0 ? "'StringLike':{'aws:username':['${aws:PrincipalTag/team}','al*']}"
                             : PICK(scenario_conditions));
    }
    writef(&w, "}");
}

/* One policy for each statement, so that no limit of AWS is met. */
static void add_statement(postern_builder *builder, const char *statement) {
    char text[STATEMENT_SIZE + 64];
    postern_error error = {.message = ""};
    snprintf(text, sizeof text, "{'Version':'%s','Statement':[%s]}",
             below(12) == 0 ? "2008-10-17" : "2012-10-17", statement);
    CHECK_ROW(add_policy(builder, text, &error) == POSTERN_OK, error.message);
}

static postern_builder *builder_of(int32_t type, postern__indexing indexing) {
    postern_options options = {.policy_type = type, .strictness = POSTERN_STRUCTURAL};
    postern_builder *builder = postern_builder_new(&options, NULL);
    if (builder == NULL) abort();
    builder->indexing = indexing;
    return builder;
}

/* ---- Requests that may well match ----------------------------------------- */

static void ask(postern_request *request, const postern_set *set) {
    static char action[64], resource[128], caller[128];
    const char *name = random_name();
    situation s = random_situation();
    s.action = action;
    s.resource = resource;
    switch (below(5)) {
    case 0: snprintf(action, sizeof action, "execute-api:invoke"); break;
    case 1: snprintf(action, sizeof action, "sqs:Get%s", name); break;
    default: snprintf(action, sizeof action, "s3:Get%s%s", below(4) == 0 ? "x" : "", name); break;
    }
    name = random_name();
    switch (below(7)) {
    case 0: snprintf(resource, sizeof resource, METHOD); break;
    case 1:
        snprintf(resource, sizeof resource, "arn:aws:execute-api:us-east-1:111122223333:%s/dev/GET/pets",
                 name);
        break;
    case 2: snprintf(resource, sizeof resource, "arn:aws:s3:::%s", name); break;
    case 3: snprintf(resource, sizeof resource, "arn:aws:s3:::%s/ax/y/%s", name, random_name()); break;
    case 4: snprintf(resource, sizeof resource, "arn:aws:s3:::%s/alice", name); break;
    case 5: snprintf(resource, sizeof resource, "arn:aws:s3:::alice/%s", name); break;
    default: snprintf(resource, sizeof resource, "arn:aws:s3:::home/blue/%s/x", name); break;
    }
    name = random_name();
    if (below(3) > 0) {
        s.caller = caller;
        switch (below(5)) {
        case 0: snprintf(caller, sizeof caller, "arn:aws:iam::111122223333:user/%s", name); break;
        case 1:
            snprintf(caller, sizeof caller, "arn:aws:sts::111122223333:assumed-role/%s/s1", name);
            break;
        case 2: snprintf(caller, sizeof caller, "%s.amazonaws.com", name); break;
        case 3:
            snprintf(caller, sizeof caller, "arn:aws:sts::111122223333:federated-user/%s", name);
            break;
        default: snprintf(caller, sizeof caller, "arn:aws:iam::%012u:root", below(pool)); break;
        }
    }
    fill(request, set, &s, below(2) == 0 ? 0 : below(1u << CELLS));
    int32_t key = postern_set_find_key(set, "aws:PrincipalArn", 16);
    if (key >= 0 && below(4) == 0) {
        char role[128];
        snprintf(role, sizeof role, "arn:aws:iam::111122223333:role/path/%s", random_name());
        postern_request_put(request, (uint32_t)key, role, strlen(role));
    }
}

/* ---- The comparison ------------------------------------------------------- */

static uint32_t outcomes[4];

static bool same_decision(const postern_decision *a, const postern_decision *b) {
    return a->outcome == b->outcome && a->match == b->match && a->statement == b->statement &&
           a->key == b->key && a->status == b->status;
}

/* The set with its directory, each statement of that set in turn, and the set
 * that was built without one: three ways, one decision. */
static bool compare(const postern_set *indexed, postern_request *request, const postern_set *linear,
                    postern_request *other) {
    postern_decision fast, plain, each = {.statement = -1, .key = -1};
    uint64_t state = scenario_state;
    ask(request, indexed);
    scenario_state = state;
    ask(other, linear);
    postern_evaluate(indexed, request, &fast);
    postern_evaluate(linear, other, &plain);
    postern__scene scene;
    postern__scene_init(&scene, indexed, request);
    postern__evaluate_each(&scene, &each);
    outcomes[plain.outcome]++;
    bool same = same_decision(&fast, &plain) && same_decision(&each, &plain);
    CHECK(same);
    if (!same) {
        fprintf(stderr, "    directory %d (%d, match %d, key %d), in turn %d (%d, match %d, key %d): "
                        "%.*s on %.*s\n",
                fast.outcome, fast.statement, fast.match, fast.key, plain.outcome, plain.statement,
                plain.match, plain.key, (int)request->action.count, request->action.items,
                (int)request->resource.count, request->resource.items);
    }
    return same;
}

static void compare_sets(int32_t type, uint32_t count, uint32_t denies, uint32_t games) {
    char statement[STATEMENT_SIZE];
    postern_builder *fast = builder_of(type, POSTERN__INDEX_ALWAYS);
    postern_builder *plain = builder_of(type, POSTERN__INDEX_NEVER);
    for (uint32_t i = 0; i < count; i++) {
        write_statement(statement, type, below(100) < denies);
        uint64_t state = scenario_state;
        add_statement(fast, statement);
        scenario_state = state;
        add_statement(plain, statement);
    }
    postern_set *indexed = postern_builder_build(fast, NULL);
    postern_set *linear = postern_builder_build(plain, NULL);
    CHECK(indexed != NULL && indexed->directory.count > 0);
    CHECK(linear != NULL && linear->directory.count == 0);
    postern_builder_free(fast);
    postern_builder_free(plain);
    postern_request *request = postern_request_new(indexed, NULL, NULL);
    postern_request *other = postern_request_new(linear, NULL, NULL);
    bool same = true;
    for (uint32_t i = 0; i < games && same; i++) same = compare(indexed, request, linear, other);
    postern_request_free(request);
    postern_request_free(other);
    postern_set_free(indexed);
    postern_set_free(linear);
}

static const int32_t types[] = {POSTERN_IDENTITY, POSTERN_RESOURCE, POSTERN_ENDPOINT,
                                POSTERN_SESSION,  POSTERN_TRUST,    POSTERN_GATEWAY_ENDPOINT};

static void decides_as_trying_each(void) {
    static const struct {
        uint32_t count, rounds, games;
    } rows[] = {{1, 300, 30}, {3, 300, 30}, {12, 120, 60}, {60, 60, 100}, {400, 12, 200},
                {2000, 3, 200}, {5000, 1, 200}};
    seed(5);
    memset(outcomes, 0, sizeof outcomes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint32_t round = 0; round < rows[i].rounds; round++) {
            for (size_t type = 0; type < sizeof types / sizeof *types; type++) {
                /* Names that all share, names that few share; few Denies, or
                 * one of them decides every time. */
                pool = below(3) == 0 ? 4 : 4 + rows[i].count * 2;
                compare_sets(types[type], rows[i].count, rows[i].count < 60 ? 30 : below(3),
                             rows[i].games);
            }
        }
    }
    for (int i = 0; i < 4; i++) CHECK(outcomes[i] > 1000);
}

/* ---- What is filed where -------------------------------------------------- */

static postern_set *set_of_statements(int32_t type, const char *const *statements, uint32_t count) {
    postern_builder *builder = builder_of(type, POSTERN__INDEX_ALWAYS);
    for (uint32_t i = 0; i < count; i++) {
        char text[STATEMENT_SIZE];
        postern_error error = {.message = ""};
        snprintf(text, sizeof text, "{'Version':'2012-10-17','Statement':[%s]}", statements[i]);
        CHECK_ROW(add_policy(builder, text, &error) == POSTERN_OK, error.message);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    if (set == NULL) abort();
    return set;
}

#define S(principal, action, resource) \
    "{'Effect':'Allow'," principal "'" action ",'" resource "}"
#define EVERYBODY "'Principal':'*',"
#define USER(name) "'Principal':{'AWS':'arn:aws:iam::111122223333:user/" name "'},"
#define SAME "Resource':'arn:aws:s3:::shared-bucket/*'"

static void the_rarest_element_is_filed_under(void) {
    static const char *const statements[] = {
        S(EVERYBODY, "Action':'s3:GetObject'", "Resource':'arn:aws:s3:::photos-1/*'"),
        S(EVERYBODY, "Action':'s3:GetObject'", "Resource':'arn:aws:s3:::photos-2/*'"),
        S(USER("anna"), "Action':'s3:GetObject'", SAME),
        S(USER("otto"), "Action':'s3:GetObject'", SAME),
        S(EVERYBODY, "Action':'sqs:SendMessage'", "Resource':'*'"),
        S(EVERYBODY, "NotAction':'sqs:SendMessage'", "Resource':'*'"),
        S(EVERYBODY, "Action':'*'", "NotResource':'arn:aws:s3:::photos-1/*'"),
        S(EVERYBODY, "Action':[]", "Resource':'*'"),
        S("'Principal':{'AWS':'AIDAEXAMPLE'},", "Action':'*'", "Resource':'*'"),
    };
    postern_set *set = set_of_statements(POSTERN_RESOURCE, statements, 9);
    postern__directory_figures figures = postern__directory_figures_of(set);
    CHECK(figures.by_resource == 2 && figures.by_principal == 2 && figures.by_action == 1);
    CHECK(figures.always == 2 && figures.never == 2);
    CHECK(figures.resources.patterns == 2 && figures.actions.patterns == 1);
    postern_set_free(set);
}

/* A list that holds `*` is found by nothing else of it. */
static void a_star_in_a_list_is_tried_always(void) {
    static const char *const statements[] = {
        S("", "Action':['s3:GetObject','*']", "Resource':['arn:aws:s3:::photos-1/*','*']"),
        S("", "Action':'s3:GetObject'", "Resource':'arn:aws:s3:::photos-2/*'"),
    };
    postern_set *set = set_of_statements(POSTERN_IDENTITY, statements, 2);
    CHECK(postern__directory_figures_of(set).always == 1);
    CHECK(decide_plain(set, ALICE, "sqs:SendMessage", METHOD).statement == 0);
    CHECK(decide_plain(set, ALICE, "s3:GetObject", "arn:aws:s3:::photos-2/x").statement == 0);
    postern_set_free(set);
}

/* ---- Once a request ------------------------------------------------------- */

struct visits {
    uint32_t of[64];
};

static void count_visit(void *context, const uint32_t *rules, uint32_t count,
                        postern_element known) {
    (void)known;
    for (uint32_t i = 0; i < count; i++) ((struct visits *)context)->of[rules[i]]++;
}

/* Each statement that may be found twice has a mark of its own. */
static void what_is_found_twice_has_a_mark(void) {
    static const char *const statements[] = {
        S("", "Action':'*'", "Resource':['arn:aws:s3:::photos-1/*','arn:aws:s3:::photos-1/2024*']"),
        S("", "Action':'*'", "Resource':'arn:aws:s3:::photos-1/*'"),
        S("", "Action':'*'", "Resource':['arn:aws:s3:::photos-1/2*','arn:aws:s3:::*-1/2024/a.jpg']"),
    };
    postern_set *set = set_of_statements(POSTERN_IDENTITY, statements, 3);
    const postern__rule *rules = POSTERN__ITEMS(set, rules, postern__rule);
    postern__caller caller = postern__caller_parse(POSTERN__SPAN("*"), false);
    postern__principal_list list = {.count = 0};
    postern__directory_question question = {POSTERN__SPAN("s3:getobject"),
                                            POSTERN__SPAN("arn:aws:s3:::photos-1/2024/a.jpg"),
                                            &list, &caller};
    struct visits visits = {{0}};
    postern__directory_find(set, &question, count_visit, &visits);
    CHECK(visits.of[0] == 2 && visits.of[1] == 1 && visits.of[2] == 2);
    CHECK(set->marks == 2 && rules[1].mark == 0);
    CHECK(rules[0].mark > 0 && rules[2].mark > 0 && rules[0].mark != rules[2].mark);
    postern_set_free(set);
}

#define IF(condition) \
    "{'Effect':'Allow','Action':'s3:*','Resource':'*','Condition':{" condition "}}"

/* An answer is kept for one evaluation, through every change of the request. */
static void answers_are_forgotten(void) {
    const char *statements[8];
    for (int i = 0; i < 8; i++) statements[i] = IF("'StringEquals':{'aws:username':'anna'}");
    postern_set *set = set_of_statements(POSTERN_IDENTITY, statements, 8);
    postern_request *request = request_of(set, ALICE, "s3:GetObject", "arn:aws:s3:::b/x");
    int32_t key = postern_set_find_key(set, "aws:username", 12);
    CHECK(set->memos == 1 && key >= 0);
    for (int round = 0; round < 3; round++) {
        /* The time goes round once: what was noted at 1 is not of now. */
        if (round == 1) request->notes.time = UINT32_MAX - 1;
        postern_request_put(request, (uint32_t)key, "anna", 4);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_ALLOWED);
        postern_request_put(request, (uint32_t)key, "otto", 4);
        CHECK(postern_evaluate(set, request, NULL) == POSTERN_IMPLICITLY_DENIED);
        postern_request_unresolved(request, (uint32_t)key);
        postern_decision decision;
        CHECK(postern_evaluate(set, request, &decision) == POSTERN_UNDECIDED);
        CHECK(decision.key == key);
    }
    CHECK(request->notes.time > 0 && request->notes.time < 10);
    postern_request_free(request);
    postern_set_free(set);
}

/* ---- Which sets have one -------------------------------------------------- */

static size_t directory_of(uint32_t count, postern__indexing indexing) {
    postern_builder *builder = builder_of(POSTERN_IDENTITY, indexing);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(add_policy(builder, "{'Statement':" S("", "Action':'s3:Get'", "Resource':'*'") "}",
                         NULL) == POSTERN_OK);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    size_t size = set->directory.count;
    postern_builder_free(builder);
    postern_set_free(set);
    return size;
}

static void large_sets_have_one(void) {
    CHECK(directory_of(POSTERN__DIRECTORY_FROM - 1, POSTERN__INDEX_BY_SIZE) == 0);
    CHECK(directory_of(POSTERN__DIRECTORY_FROM, POSTERN__INDEX_BY_SIZE) > 0);
    CHECK(directory_of(1, POSTERN__INDEX_ALWAYS) > 0);
    CHECK(directory_of(0, POSTERN__INDEX_ALWAYS) > 0);
    CHECK(directory_of(100, POSTERN__INDEX_NEVER) == 0);
}

/* Built, grown and built again: the second set knows nothing of the first. */
static void a_builder_builds_again(void) {
    postern_builder *builder = builder_of(POSTERN_IDENTITY, POSTERN__INDEX_ALWAYS);
    char text[STATEMENT_SIZE];
    postern_set *sets[3];
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 5; k++) {
            snprintf(text, sizeof text,
                     "{'Statement':{'Effect':'Allow','Action':'*','Resource':['arn:aws:s3:::set-%d/%d',"
                     "'*-%d'],'Condition':{'Null':{'aws:username':true}}}}", i, k, k);
            CHECK(add_policy(builder, text, NULL) == POSTERN_OK);
        }
        sets[i] = postern_builder_build(builder, NULL);
    }
    postern_builder_free(builder);
    for (int i = 0; i < 3; i++) {
        CHECK(sets[i]->rules.count == 5 * (uint32_t)(i + 1));
        CHECK(sets[i]->memos == 1 && sets[i]->marks <= sets[i]->rules.count);
        for (int k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "arn:aws:s3:::set-%d/3", k);
            CHECK(decide_plain(sets[i], ALICE, "s3:GetObject", text).statement ==
                  (k <= i ? 5 * k + 3 : -1));
        }
        postern_set_free(sets[i]);
    }
}

static void evaluating_allocates_nothing(void) {
    postern__failing_alloc counted;
    postern__failing_alloc_init(&counted, 0);
    postern_builder *builder = builder_of(POSTERN_RESOURCE, POSTERN__INDEX_ALWAYS);
    seed(8);
    pool = 20;
    for (uint32_t i = 0; i < 200; i++) {
        char statement[STATEMENT_SIZE];
        write_statement(statement, POSTERN_RESOURCE, below(30) == 0);
        add_statement(builder, statement);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    CHECK(set->marks > 0 && set->memos > 0);
    postern_request *request = postern_request_new(set, &counted.allocator, NULL);
    for (int i = 0; i < 100; i++) {
        ask(request, set);
        size_t before = counted.allocations;
        postern_evaluate(set, request, NULL);
        CHECK(counted.allocations == before);
    }
    postern_request_free(request);
    CHECK(counted.live == 0);
    postern_set_free(set);
}

static void survives_failing_memory(void) {
    char statements[20][STATEMENT_SIZE];
    seed(9);
    pool = 40;
    for (int i = 0; i < 20; i++) write_statement(statements[i], POSTERN_RESOURCE, false);
    postern_builder *builder = builder_of(POSTERN_RESOURCE, POSTERN__INDEX_ALWAYS);
    for (int i = 0; i < 20; i++) add_statement(builder, statements[i]);
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern__directory_tables tables = {
            .rules = POSTERN__AT(&builder->rules, postern__rule, 0),
            .list_hashes = POSTERN__AT(&builder->list_hashes, postern__list_hashes, 0),
            .rule_count = builder->rules.count,
            .conditions = POSTERN__AT(&builder->conditions, postern__condition, 0),
            .condition_hashes = POSTERN__AT(&builder->condition_hashes, uint32_t, 0),
            .condition_count = builder->conditions.count,
            .templates = POSTERN__AT(&builder->templates, postern__template, 0),
            .template_count = builder->templates.count,
            .principals = POSTERN__AT(&builder->principals, postern__principal, 0),
            .principal_count = builder->principals.count,
            .operands = POSTERN__AT(&builder->operands, postern__operand, 0),
            .texts = builder->texts.items,
        };
        postern__vector out;
        postern__vector_init(&out, 1, &failing.allocator);
        size_t offset;
        bool built = postern__directory_build(&tables, &out, &offset);
        bool failed = failing.allocations >= n;
        CHECK(built == !failed);
        postern__vector_free(&out);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern_builder_free(builder);
}

TEST_MAIN(
    RUN(decides_as_trying_each);
    RUN(the_rarest_element_is_filed_under);
    RUN(a_star_in_a_list_is_tried_always);
    RUN(what_is_found_twice_has_a_mark);
    RUN(answers_are_forgotten);
    RUN(large_sets_have_one);
    RUN(a_builder_builds_again);
    RUN(evaluating_allocates_nothing);
    RUN(survives_failing_memory)
)
