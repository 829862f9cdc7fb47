#define _POSIX_C_SOURCE 200809L /* setenv */
#include "builder.h"

#include "failing_alloc.h"
#include "request.h"
#include "scenario.h"

/* Every feature of the language in two policies of a resource. */
static const char *const rich[] = {
    "{'Version':'2012-10-17','Id':'rich','Statement':[{'Sid':'First','Effect':'Allow',"
    "'Principal':{'AWS':['" ROLE "','111122223333','" ALICE "'],'Service':'sns.amazonaws.com'},"
    "'Action':['execute-api:Invoke','s3:Get*'],"
    "'Resource':['execute-api:/dev/*','arn:aws:s3:::b/${aws:username}-${aws:PrincipalTag/team, `x`}'],"
    "'Condition':{'StringLike':{'aws:username':['a*','${aws:PrincipalTag/team}']},"
    "'StringEqualsIgnoreCase':{'aws:PrincipalTag/team':'Blue'},"
    "'ArnLike':{'aws:PrincipalArn':'arn:aws:iam::*:role/${aws:username}*'},"
    "'IpAddress':{'aws:SourceIp':['192.0.2.0/24','2001:db8::/32','10.0.0.0/8']},"
    "'NumericLessThanEquals':{'s3:max-keys':[10,'1e3']},"
    "'DateGreaterThan':{'aws:CurrentTime':'2024-01-01T00:00:00Z'},"
    "'Bool':{'aws:SecureTransport':true},'BinaryEquals':{'x:key':'QUJD'},"
    "'Null':{'aws:TokenIssueTime':false},'ForAnyValue:StringEqualsIfExists':{'aws:TagKeys':['a','b']}}}]}",
    "{'Version':'2012-10-17','Statement':[{'Effect':'Deny','NotPrincipal':{'AWS':['" ROLE "']},"
    "'NotAction':'s3:*','NotResource':'arn:aws:s3:::c/${aws:userid}'},"
    "{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*'}]}",
};

#define API "arn:aws:execute-api:us-east-1:111122223333:abc"

static postern_options resource_options(const postern_allocator *allocator) {
    return (postern_options){.allocator = allocator, .policy_type = POSTERN_RESOURCE,
                             .api_arn = API, .api_arn_length = strlen(API)};
}

/* Fails a check unless two sets are the same byte for byte, allocator aside. */
static void check_same_set(const postern_set *a, const postern_set *b, const char *row) {
    size_t size = postern_set_size(a), head = sizeof(postern_allocator);
    CHECK_ROW(postern_set_size(b) == size, row);
    if (postern_set_size(b) != size) return;
    CHECK_ROW(memcmp((const char *)a + head, (const char *)b + head, size - head) == 0, row);
}

/* ---- Options -------------------------------------------------------------- */

static void options_are_checked(void) {
    static const struct {
        postern_options options;
        int status;
        const char *message;
    } rows[] = {
        {{.policy_type = -1}, POSTERN_MISUSE, "no such policy type: -1"},
        {{.policy_type = POSTERN_GATEWAY_ENDPOINT + 1}, POSTERN_MISUSE, "no such policy type: 9"},
        {{.strictness = 2}, POSTERN_MISUSE, "no such strictness: 2"},
        {{.api_arn = "abc", .api_arn_length = 3},
         POSTERN_VALUE,
         "`abc` is not the ARN of an API: write arn:partition:execute-api:region:account:api-id"},
        {{.api_arn = "", .api_arn_length = 0},
         POSTERN_VALUE,
         "`` is not the ARN of an API: write arn:partition:execute-api:region:account:api-id"},
        {{.api_arn = "a:b:c:d:e:", .api_arn_length = 10},
         POSTERN_VALUE,
         "`a:b:c:d:e:` is not the ARN of an API: write "
         "arn:partition:execute-api:region:account:api-id"},
        {{.api_arn = API "/", .api_arn_length = sizeof API},
         POSTERN_VALUE,
         "`" API "/` is not the ARN of an API: write "
         "arn:partition:execute-api:region:account:api-id"},
        {{.api_arn = "a:b:c:d:e:\xFF", .api_arn_length = 11},
         POSTERN_VALUE,
         "`a:b:c:d:e:\xFF` is not the ARN of an API: write "
         "arn:partition:execute-api:region:account:api-id"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_error error = {.message = ""};
        CHECK_ROW(postern_builder_new(&rows[i].options, &error) == NULL, rows[i].message);
        CHECK_ROW(error.status == rows[i].status && error.line == 0, rows[i].message);
        CHECK_TEXT(error.message, rows[i].message);
        CHECK_ROW(postern_builder_new(&rows[i].options, NULL) == NULL, rows[i].message);
    }
    postern_builder_free(NULL);
}

static void no_options_mean_identity_attachable(void) {
    postern_builder *builder = postern_builder_new(NULL, NULL);
    CHECK(add_policy(builder, "{'Statement':{'Effect':'Allow','Principal':'*','Action':'*',"
                              "'Resource':'*'}}", NULL) == POSTERN_STRUCTURE);
    CHECK(add_policy(builder, "{'Statement':{'Effect':'Allow','Action':'*','Resource':'execute-api:/*'}}",
                     NULL) == POSTERN_ATTACH);
    postern_set *set = postern_builder_build(builder, NULL);
    CHECK(postern_set_policy_type(set) == POSTERN_IDENTITY);
    CHECK(postern_set_policy_count(set) == 0 && postern_set_statement_count(set) == 0);
    CHECK(postern_set_key_count(set) == 0);
    CHECK(decide_plain(set, ALICE, "a:b", METHOD).outcome == POSTERN_IMPLICITLY_DENIED);
    postern_set_free(set);
    postern_builder_free(builder);
}

/* The ARN of the API is copied, and so is all of a policy and its name. */
static void nothing_is_borrowed(void) {
    char api[] = API, name[] = "name", *json = json_of(rich[0]);
    postern_options options = {.policy_type = POSTERN_RESOURCE, .api_arn = api,
                               .api_arn_length = strlen(api)};
    postern_builder *builder = postern_builder_new(&options, NULL);
    memset(api, 'x', sizeof api);
    CHECK(postern_builder_add(builder, name, 4, json, strlen(json), NULL) == POSTERN_OK);
    memset(json, 'x', strlen(json));
    memset(name, 'x', sizeof name);
    free(json);
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    builder = postern_builder_new(&(postern_options){.policy_type = POSTERN_RESOURCE,
                                                     .api_arn = API,
                                                     .api_arn_length = strlen(API)}, NULL);
    json = json_of(rich[0]);
    postern_builder_add(builder, "name", 4, json, strlen(json), NULL);
    free(json);
    postern_set *other = postern_builder_build(builder, NULL);
    check_same_set(set, other, "borrowed text");
    postern_set_free(set);
    postern_set_free(other);
    postern_builder_free(builder);
}

/* ---- Going back ----------------------------------------------------------- */

/* Refused at every stage, each after it has brought in new keys, variables,
 * names, ranges and templates. */
static const char *const refused[] = {
    "", "{", "[]", "{'Statement':[{}]}",
    "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Principal':{'AWS':'" ROLE "'},'Action':"
    "'new:*','Resource':'arn:aws:x:::${new:variable, `default`}${new:variable}${new:third}','Condition':"
    "{'IpAddress':{'new:Ip':['10.0.0.0/8','10.0.0.0/99']}}}]}",
    "{'Version':'2012-10-17','Statement':[{'Effect':'Deny','Principal':'*','Action':'*','Resource':'*',"
    "'Condition':{'ArnLike':{'aaa:Arn':'arn:${zzz:a}:${b}:${c}:${d}:${e, `long default text here`}'},"
    "'StringEquals':{'aws:username':'${new}'}}},{'Effect':'Allow','NotPrincipal':'*','Action':'*',"
    "'Resource':'*'}]}",
    "{'Statement':[{'Effect':'Deny','Principal':'*','Action':'*','Resource':'*'},{'Effect':'deny'}]}",
    "{'Statement':[{'Sid':'new','Effect':'Deny','Principal':{'AWS':['*','x*']},'Action':'*','Resource':'*'}]}",
};

static void a_refused_policy_leaves_no_trace(void) {
    enum { COUNT = sizeof refused / sizeof *refused };
    postern_options options = resource_options(NULL);
    /* Bit by bit: which of the two good policies stand before the bad one. */
    for (int stage = 0; stage <= 2; stage++) {
        for (size_t i = 0; i < COUNT; i++) {
            postern_builder *clean = postern_builder_new(&options, NULL);
            postern_builder *tried = postern_builder_new(&options, NULL);
            for (int good = 0; good <= 2; good++) {
                if (good == stage) {
                    postern_error error = {0};
                    CHECK_ROW(add_policy(tried, refused[i], &error) == error.status, refused[i]);
                    CHECK_ROW(error.status != POSTERN_OK, refused[i]);
                    CHECK_ROW(add_policy(tried, refused[i], NULL) == error.status, refused[i]);
                }
                if (good == 2) break;
                CHECK(add_policy(clean, rich[good], NULL) == POSTERN_OK);
                CHECK(add_policy(tried, rich[good], NULL) == POSTERN_OK);
            }
            postern_set *a = postern_builder_build(clean, NULL);
            postern_set *b = postern_builder_build(tried, NULL);
            check_same_set(a, b, refused[i]);
            postern_set_free(a);
            postern_set_free(b);
            postern_builder_free(clean);
            postern_builder_free(tried);
        }
    }
}

/* Building does not change what the builder holds. */
static void builders_live_on(void) {
    postern_options options = resource_options(NULL);
    postern_builder *builder = postern_builder_new(&options, NULL);
    postern_builder *straight = postern_builder_new(&options, NULL);
    postern_set *empty = postern_builder_build(builder, NULL);
    add_policy(builder, rich[0], NULL);
    postern_set *one = postern_builder_build(builder, NULL);
    postern_set *again = postern_builder_build(builder, NULL);
    add_policy(builder, refused[4], NULL);
    add_policy(builder, rich[1], NULL);
    postern_set *two = postern_builder_build(builder, NULL);
    add_policy(straight, rich[0], NULL);
    add_policy(straight, rich[1], NULL);
    postern_set *expected = postern_builder_build(straight, NULL);
    postern_builder_free(builder);
    postern_builder_free(straight);
    check_same_set(one, again, "built twice");
    check_same_set(two, expected, "built in between");
    CHECK(postern_set_policy_count(empty) == 0 && postern_set_policy_count(one) == 1);
    CHECK(decide_plain(one, ALICE, "x:y", METHOD).outcome == POSTERN_IMPLICITLY_DENIED);
    CHECK(decide_plain(two, SESSION, "x:y", METHOD).outcome == POSTERN_ALLOWED);
    CHECK(decide_plain(two, ALICE, "x:y", METHOD).outcome == POSTERN_EXPLICITLY_DENIED);
    postern_set_free(empty);
    postern_set_free(one);
    postern_set_free(again);
    postern_set_free(two);
    postern_set_free(expected);
}

/* ---- Memory --------------------------------------------------------------- */

/* One life of builder, set and request. POSTERN_NO_MEMORY where something
 * failed; whoever survives it has to be as good as new. */
static int live(const postern_allocator *allocator, size_t *failures) {
    postern_options options = resource_options(allocator);
    postern_error error = {0};
    postern_builder *builder = postern_builder_new(&options, &error);
    if (builder == NULL) {
        CHECK(error.status == POSTERN_NO_MEMORY);
        ++*failures;
        return error.status;
    }
    int status = POSTERN_OK;
    for (size_t i = 0; i < 2; i++) {
        char *json = json_of(rich[i]);
        for (int tries = 0; tries < 2; tries++) {
            status = postern_builder_add(builder, "test.json", 9, json, strlen(json), &error);
            if (status == POSTERN_OK) break;
            CHECK(status == POSTERN_NO_MEMORY && error.status == status);
            CHECK_TEXT(error.message, "out of memory");
            ++*failures;
        }
        free(json);
    }
    postern_set *set = postern_builder_build(builder, &error);
    if (set == NULL) {
        CHECK(error.status == POSTERN_NO_MEMORY);
        ++*failures;
        set = postern_builder_build(builder, &error);
    }
    postern_request *request = postern_request_new(set, allocator, &error);
    if (request == NULL) {
        CHECK(error.status == POSTERN_NO_MEMORY);
        ++*failures;
        request = postern_request_new(set, allocator, &error);
    }
    postern_options plain = resource_options(NULL);
    postern_builder *other = postern_builder_new(&plain, NULL);
    add_policy(other, rich[0], NULL);
    add_policy(other, rich[1], NULL);
    postern_set *expected = postern_builder_build(other, NULL);
    check_same_set(set, expected, "after a failed allocation");
    postern_set_free(expected);
    postern_builder_free(other);
    postern_request_free(request);
    postern_set_free(set);
    postern_builder_free(builder);
    return *failures > 0 ? POSTERN_NO_MEMORY : POSTERN_OK;
}

static void every_allocation_may_fail(void) {
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        size_t failures = 0;
        int status = live(&failing.allocator, &failures);
        failed = failing.allocations >= n;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        CHECK(failures == (failed ? 1 : 0));
        CHECK(failing.live == 0);
    }
    CHECK(n > 40); /* that many there are at least, or this tests nothing */
}

/* ---- Many policies -------------------------------------------------------- */

static void many_policies_are_one_set(void) {
    enum { POLICIES = 1500 };
    postern_builder *builder = postern_builder_new(NULL, NULL);
    for (uint32_t i = 0; i < POLICIES; i++) {
        char text[256], name[32];
        snprintf(name, sizeof name, "policy-%u", i);
        snprintf(text, sizeof text,
                 "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s:%u\","
                 "\"Resource\":\"*\"},{\"Sid\":\"d\",\"Effect\":\"Deny\",\"Action\":\"s:%u\","
                 "\"Resource\":\"*\",\"Condition\":{\"Null\":{\"key:%u\":false}}}]}",
                 i, i, i % 97);
        CHECK(postern_builder_add(builder, name, strlen(name), text, strlen(text), NULL) ==
              POSTERN_OK);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    CHECK(postern_set_policy_count(set) == POLICIES);
    CHECK(postern_set_statement_count(set) == 2 * POLICIES);
    CHECK(postern_set_key_count(set) == 97);
    for (uint32_t i = 0; i < POLICIES; i += 37) {
        char action[32], key[32];
        snprintf(action, sizeof action, "S:%u", i);
        snprintf(key, sizeof key, "KEY:%u", i % 97);
        postern_request *request = request_of(set, ALICE, action, METHOD);
        postern_decision decision;
        CHECK(postern_evaluate(set, request, &decision) == POSTERN_ALLOWED);
        CHECK(decision.statement == (int32_t)(2 * i));
        put_key(request, set, key, "");
        CHECK(postern_evaluate(set, request, &decision) == POSTERN_EXPLICITLY_DENIED);
        CHECK(decision.statement == (int32_t)(2 * i + 1));
        postern_statement statement;
        postern_span name;
        char expected[32];
        snprintf(expected, sizeof expected, "policy-%u", i);
        CHECK(postern_set_statement(set, 2 * i + 1, &statement) == POSTERN_OK);
        CHECK(statement.policy == i && statement.index == 1);
        CHECK(postern_set_policy_name(set, statement.policy, &name) == POSTERN_OK);
        CHECK(name.length == strlen(expected) && memcmp(name.text, expected, name.length) == 0);
        postern_request_free(request);
    }
    postern_set_free(set);
}

/* ---- One block ------------------------------------------------------------ */

/* What moved elsewhere decides the same: the block has no pointer into itself. */
static void a_set_may_move(void) {
    for (uint64_t round = 1; round <= 100; round++) {
        char statements[STATEMENTS][STATEMENT_SIZE], text[POLICY_SIZE];
        uint32_t order[STATEMENTS];
        seed(round);
        for (uint32_t i = 0; i < STATEMENTS; i++) {
            random_statement(statements[i], POSTERN_RESOURCE, below(2) == 0 ? "Allow" : "Deny");
            order[i] = i;
        }
        policy_of(text, statements, order, STATEMENTS);
        postern_set *set = set_of_type(POSTERN_RESOURCE, POSTERN_ATTACHABLE, text);
        size_t size = postern_set_size(set);
        char *block = malloc(size + 8);
        postern_set *moved = (postern_set *)(void *)(block + 8); /* aligned to 8, not to 16 */
        memcpy(moved, set, size);
        postern_request *here = postern_request_new(set, NULL, NULL);
        postern_request *there = postern_request_new(moved, NULL, NULL);
        situation games[20];
        int32_t answers[20][4];
        for (int i = 0; i < 20; i++) {
            postern_decision d;
            games[i] = random_situation();
            fill(here, set, &games[i], i % 4 == 0 ? 5 : 0);
            postern_evaluate(set, here, &d);
            memcpy(answers[i], (int32_t[]){d.outcome, d.match, d.statement, d.key}, sizeof answers[i]);
        }
        postern_request_free(here);
        memset(set, 0xA5, size);
        /* What is left of the first block is garbage now. */
        for (int i = 0; i < 20; i++) {
            postern_decision d;
            fill(there, moved, &games[i], i % 4 == 0 ? 5 : 0);
            postern_evaluate(moved, there, &d);
            CHECK(memcmp(answers[i], (int32_t[]){d.outcome, d.match, d.statement, d.key},
                         sizeof answers[i]) == 0);
        }
        postern_request_free(there);
        memcpy(set, moved, size); /* so that its own free finds the allocator */
        postern_set_free(set);
        free(block);
    }
}

/* POSTERN_INDEX, read when a builder is made. */
static void the_environment_chooses_the_search(void) {
    static const struct {
        const char *value; /* NULL: unset */
        bool small, large; /* has the set a directory? */
    } rows[] = {{NULL, false, true}, {"", false, true}, {"linear", false, false}, {"indexed", true, true}};
    const char *outer = getenv("POSTERN_INDEX");
    char kept[16] = "";
    if (outer != NULL) snprintf(kept, sizeof kept, "%s", outer);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].value == NULL) unsetenv("POSTERN_INDEX");
        else setenv("POSTERN_INDEX", rows[i].value, 1);
        postern_builder *builder = postern_builder_new(NULL, NULL);
        unsetenv("POSTERN_INDEX");
        for (int k = 0; k < POSTERN__DIRECTORY_FROM; k++) {
            CHECK(add_policy(builder, "{'Statement':{'Effect':'Allow','Action':'a:b','Resource':'*'}}",
                             NULL) == POSTERN_OK);
            postern_set *set = postern_builder_build(builder, NULL);
            bool large = k + 1 == POSTERN__DIRECTORY_FROM;
            CHECK((set->directory.count > 0) == (large ? rows[i].large : rows[i].small));
            CHECK(decide_plain(set, ALICE, "A:B", METHOD).outcome == POSTERN_ALLOWED);
            postern_set_free(set);
        }
        postern_builder_free(builder);
    }
    postern_error error;
    setenv("POSTERN_INDEX", "fast", 1);
    CHECK(postern_builder_new(NULL, &error) == NULL && error.status == POSTERN_VALUE);
    CHECK_TEXT(error.message, "POSTERN_INDEX is `fast`: it may be `linear` or `indexed`");
    if (outer == NULL) unsetenv("POSTERN_INDEX");
    else setenv("POSTERN_INDEX", kept, 1);
}

TEST_MAIN(RUN(options_are_checked); RUN(no_options_mean_identity_attachable);
          RUN(nothing_is_borrowed); RUN(a_refused_policy_leaves_no_trace); RUN(builders_live_on);
          RUN(every_allocation_may_fail); RUN(many_policies_are_one_set); RUN(a_set_may_move);
          RUN(the_environment_chooses_the_search))
