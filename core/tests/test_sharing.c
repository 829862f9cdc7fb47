#include "sharing.h"

#include "compile.h"
#include "failing_alloc.h"
#include "known.h"
#include "scenario.h"

static postern_builder *builder_of(int32_t type, postern__indexing indexing) {
    postern_options options = {.policy_type = type, .strictness = POSTERN_STRUCTURAL};
    postern_builder *builder = postern_builder_new(&options, NULL);
    if (builder == NULL) abort();
    builder->indexing = indexing;
    return builder;
}

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

#define IF(condition) \
    "{'Effect':'Allow','Action':'s3:*','Resource':'*','Condition':{" condition "}}"

#define FOR(who, condition)                                                        \
    "{'Effect':'Allow','Principal':{'AWS':'arn:aws:iam::111122223333:user/" who "'}," \
    "'Action':'s3:*','Resource':'*','Condition':{" condition "}}"

/* Equal in all that is asked, whatever the place and the order of keys. */
static void equal_conditions_share_an_answer(void) {
    static const char *const statements[] = {
        IF("'StringEquals':{'aws:username':'anna'}"),
        IF("'stringequals':{'AWS:UserName':['anna']}"),
        IF("'StringEquals':{'aws:username':'anna'}"),
        IF("'StringEquals':{'aws:username':'anna'},'Bool':{'aws:SecureTransport':true}"),
        IF("'StringEquals':{'aws:username':'otto'}"),
        IF("'StringNotEquals':{'aws:username':'anna'}"),
        IF("'StringEqualsIfExists':{'aws:username':'anna'}"),
        IF("'ForAnyValue:StringEquals':{'aws:username':'anna'}"),
        IF("'StringEquals':{'aws:userid':'anna'}"),
        IF("'StringEquals':{'aws:username':['anna','otto']}"),
        IF("'StringLike':{'aws:username':'${aws:userid}'}"),
        IF("'StringLike':{'aws:username':'${aws:userid}'}"),
        IF("'StringLike':{'aws:username':'${aws:userid}'}"),
        IF("'StringLike':{'aws:username':'${aws:userid}'}"),
        IF("'StringLike':{'aws:username':'${aws:userid2}'}"),
    };
    static const uint32_t memos[] = {1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 0};
    postern_set *set = set_of_statements(POSTERN_IDENTITY, statements, 15);
    const postern__condition *conditions = POSTERN__ITEMS(set, conditions, postern__condition);
    CHECK(set->conditions.count == 16 && set->memos == 2);
    for (uint32_t i = 0; i < 16; i++) CHECK(conditions[i].memo == memos[i]);
    postern_set_free(set);
}

/* Equal lists are one; conditions still say where each stands. */
static void equal_lists_are_one(void) {
    static const char *const statements[] = {
        FOR("anna", "'Null':{'aws:username':true},'StringEquals':{'aws:userid':'x'}"),
        FOR("otto", "'StringEquals':{'aws:userid':'x'}"),
        FOR("anna", "'Null':{'aws:username':true},'StringEquals':{'aws:userid':'x'}"),
        FOR("anna", "'StringEquals':{'aws:userid':'x'},'Null':{'aws:username':true}"),
        FOR("otto", "'Null':{'aws:username':true},'StringEquals':{'aws:userid':'y'}"),
    };
    postern_set *set = set_of_statements(POSTERN_RESOURCE, statements, 5);
    const postern__rule *rules = POSTERN__ITEMS(set, rules, postern__rule);
    CHECK(rules[2].principals.first == rules[0].principals.first);
    CHECK(rules[4].principals.first == rules[1].principals.first);
    CHECK(rules[1].principals.first != rules[0].principals.first);
    CHECK(rules[4].actions.first == rules[0].actions.first);
    CHECK(rules[2].tests == rules[0].tests && rules[2].conditions.first == 3);
    CHECK(rules[1].tests == rules[0].tests + 1);
    CHECK(rules[3].tests == rules[3].conditions.first); /* in another order */
    CHECK(rules[4].tests == rules[4].conditions.first); /* one is its own */
    postern_set_free(set);
}

/* In a policy without policy variables `${x}` is text: not the same condition. */
static void versions_do_not_share_an_answer(void) {
    postern_builder *builder = builder_of(POSTERN_IDENTITY, POSTERN__INDEX_ALWAYS);
    for (int i = 0; i < 8; i++) {
        char text[STATEMENT_SIZE];
        snprintf(text, sizeof text,
                 "{'Version':'%s','Statement':[" IF("'StringEquals':{'aws:username':'${*}'}") "]}",
                 i < 4 ? "2012-10-17" : "2008-10-17");
        CHECK(add_policy(builder, text, NULL) == POSTERN_OK);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    const postern__condition *conditions = POSTERN__ITEMS(set, conditions, postern__condition);
    CHECK(set->memos == 2);
    CHECK(conditions[0].memo == conditions[3].memo && conditions[4].memo == conditions[7].memo);
    CHECK(conditions[0].memo != conditions[4].memo);
    postern_set_free(set);
}

/* The lists that a builder does not recognise by itself: too long ago. */
static void lists_of_long_ago_are_one(void) {
    enum { KINDS = 3 * POSTERN__RECENT };
    postern_builder *builder = builder_of(POSTERN_RESOURCE, POSTERN__INDEX_ALWAYS);
    for (int i = 0; i < 2 * KINDS; i++) {
        char text[STATEMENT_SIZE];
        snprintf(text, sizeof text,
                 "{'Version':'2012-10-17','Statement':[{'Effect':'Allow','Resource':'*',"
                 "'Principal':{'AWS':'arn:aws:iam::111122223333:user/u%d'},"
                 "'Action':['s3:Get%d','s3:Put%d']}]}",
                 i % KINDS, i % KINDS, i % KINDS);
        CHECK(add_policy(builder, text, NULL) == POSTERN_OK);
    }
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    const postern__rule *rules = POSTERN__ITEMS(set, rules, postern__rule);
    for (uint32_t i = 0; i < KINDS; i++) {
        CHECK(rules[i].actions.first == rules[KINDS + i].actions.first);
        CHECK(rules[i].principals.first == rules[KINDS + i].principals.first);
        CHECK(i == 0 || rules[i].actions.first != rules[i - 1].actions.first);
        CHECK(i == 0 || rules[i].principals.first != rules[i - 1].principals.first);
    }
    postern_set_free(set);
}

static void survives_failing_memory(void) {
    postern__rule rule = {.actions = {0, 0}};
    postern__condition condition = {.operator_id = 0};
    postern__list_hashes lists_hash = {1, 2};
    uint32_t hash = 3;
    for (size_t n = 1; n <= 4; n++) {
        postern__directory_tables tables = {.rules = &rule, .list_hashes = &lists_hash,
                                            .rule_count = 1, .conditions = &condition,
                                            .condition_hashes = &hash, .condition_count = 1};
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern__vector table;
        postern__vector_init(&table, sizeof(postern__known), &failing.allocator);
        bool lists = postern__sharing_lists(&tables, &table);
        CHECK(lists == (n > 1));
        bool conditions = lists && postern__sharing_conditions(&tables, &table);
        CHECK(conditions == (failing.allocations < n));
        postern__vector_free(&table);
        CHECK(failing.live == 0);
    }
}

TEST_MAIN(
    RUN(equal_conditions_share_an_answer);
    RUN(equal_lists_are_one);
    RUN(versions_do_not_share_an_answer);
    RUN(lists_of_long_ago_are_one);
    RUN(survives_failing_memory)
)
