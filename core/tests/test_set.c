#include "set.h"

#include "scenario.h"

static bool span_is(postern_span span, const char *text) {
    return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static const char first[] =
    "{'Version':'2012-10-17',\n"
    " 'Statement':[\n"
    "  {'Sid':'Office hours','Effect':'Allow',\n"
    "   'Principal':{'AWS':'" ROLE "'},\n"
    "   'Action':'*',\n"
    "   'Resource':\n"
    "     'arn:aws:s3:::b/${aws:UserName}',\n"
    "   'Condition':{\n"
    "     'foranyvalue:stringlikeIFEXISTS':{'aws:TagKeys':['a','b*',''],\n"
    "                                       'AWS:Zone':[]},\n"
    "     'NumericEquals':{'s3:max-keys':[1e2,true,'07',-0]}}},\n"
    "  {'Effect':'Deny','NotAction':[],'NotResource':[],'NotPrincipal':{'AWS':'111122223333'}}]}";

static const char second[] =
    "{'Statement':{'Effect':'Allow','Principal':'*','Action':'a','Resource':'b',"
    "'Condition':{'Bool':{'aws:zone':false}}}}";

static postern_set *example(void) {
    postern_options options = {.policy_type = POSTERN_RESOURCE, .strictness = POSTERN_STRUCTURAL};
    postern_builder *builder = postern_builder_new(&options, NULL);
    char *json = json_of(first);
    CHECK(postern_builder_add(builder, "first.json", 10, json, strlen(json), NULL) == POSTERN_OK);
    free(json);
    json = json_of(second);
    CHECK(postern_builder_add(builder, NULL, 0, json, strlen(json), NULL) == POSTERN_OK);
    free(json);
    postern_set *set = postern_builder_build(builder, NULL);
    postern_builder_free(builder);
    return set;
}

static void counts(void) {
    postern_set *set = example();
    CHECK(postern_set_policy_type(set) == POSTERN_RESOURCE);
    CHECK(postern_set_policy_count(set) == 2);
    CHECK(postern_set_statement_count(set) == 3);
    CHECK(postern_set_key_count(set) == 5);
    CHECK(postern_set_size(set) > sizeof *set && postern_set_size(set) < 16384);
    postern_set_free(set);
    postern_set_free(NULL);
}

static void policy_names(void) {
    postern_set *set = example();
    postern_span name = {NULL, 77};
    CHECK(postern_set_policy_name(set, 0, &name) == POSTERN_OK && span_is(name, "first.json"));
    CHECK(postern_set_policy_name(set, 1, &name) == POSTERN_OK && span_is(name, ""));
    CHECK(name.text != NULL);
    name.length = 77;
    CHECK(postern_set_policy_name(set, 2, &name) == POSTERN_MISUSE && name.length == 77);
    CHECK(postern_set_policy_name(set, UINT32_MAX, &name) == POSTERN_MISUSE && name.length == 77);
    postern_set_free(set);
}

static void statements(void) {
    postern_set *set = example();
    postern_statement s;
    CHECK(postern_set_statement(set, 0, &s) == POSTERN_OK);
    CHECK(s.policy == 0 && s.index == 0 && s.effect == POSTERN_ALLOW);
    CHECK(s.line == 3 && s.column == 3);
    CHECK(s.principal_line == 4 && s.action_line == 5 && s.resource_line == 7);
    CHECK(s.condition_count == 3 && span_is(s.sid, "Office hours"));
    CHECK(postern_set_statement(set, 1, &s) == POSTERN_OK);
    CHECK(s.policy == 0 && s.index == 1 && s.effect == POSTERN_DENY);
    CHECK(s.line == 12 && s.column == 3 && s.principal_line == 12 && s.resource_line == 12);
    CHECK(s.condition_count == 0 && s.sid.length == 0);
    CHECK(postern_set_statement(set, 2, &s) == POSTERN_OK);
    CHECK(s.policy == 1 && s.index == 0 && s.line == 1 && s.column == 14);
    s.line = 4711;
    CHECK(postern_set_statement(set, 3, &s) == POSTERN_MISUSE && s.line == 4711);
    CHECK(postern_set_statement(set, UINT32_MAX, &s) == POSTERN_MISUSE && s.line == 4711);
    postern_set_free(set);
    /* An identity policy has no Principal, a trust policy perhaps no Resource. */
    set = set_of_type(POSTERN_IDENTITY, POSTERN_ATTACHABLE,
                      "{'Statement':{'Effect':'Allow','Action':'a','Resource':'*'}}");
    CHECK(postern_set_statement(set, 0, &s) == POSTERN_OK && s.principal_line == 0);
    postern_set_free(set);
    set = set_of_type(POSTERN_TRUST, POSTERN_ATTACHABLE,
                      "{'Statement':{'Effect':'Allow','Principal':'*','Action':'sts:AssumeRole'}}");
    CHECK(postern_set_statement(set, 0, &s) == POSTERN_OK && s.resource_line == 0);
    CHECK(s.principal_line == 1 && s.action_line == 1);
    postern_set_free(set);
}

static void conditions(void) {
    static const struct {
        uint32_t statement, condition;
        const char *operator_name, *key;
        uint32_t line, values;
    } rows[] = {
        {0, 0, "ForAnyValue:StringLikeIfExists", "aws:tagkeys", 9, 3},
        {0, 1, "ForAnyValue:StringLikeIfExists", "aws:zone", 10, 0},
        {0, 2, "NumericEquals", "s3:max-keys", 11, 4},
        {2, 0, "Bool", "aws:zone", 1, 1},
    };
    postern_set *set = example();
    postern_condition c;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_span key;
        CHECK(postern_set_condition(set, rows[i].statement, rows[i].condition, &c) == POSTERN_OK);
        CHECK_ROW(span_is(c.operator_name, rows[i].operator_name), rows[i].operator_name);
        CHECK(postern_set_key(set, c.key, &key) == POSTERN_OK);
        CHECK_ROW(span_is(key, rows[i].key), rows[i].key);
        CHECK_ROW(c.line == rows[i].line && c.column > 0, rows[i].key);
        CHECK_ROW(c.value_count == rows[i].values, rows[i].key);
    }
    c.line = 4711;
    CHECK(postern_set_condition(set, 0, 3, &c) == POSTERN_MISUSE);
    CHECK(postern_set_condition(set, 1, 0, &c) == POSTERN_MISUSE);
    CHECK(postern_set_condition(set, 3, 0, &c) == POSTERN_MISUSE);
    CHECK(postern_set_condition(set, UINT32_MAX, UINT32_MAX, &c) == POSTERN_MISUSE);
    CHECK(postern_set_condition(set, 0, UINT32_MAX, &c) == POSTERN_MISUSE && c.line == 4711);
    postern_set_free(set);
}

static void condition_values(void) {
    static const struct {
        uint32_t condition, value;
        const char *text;
    } rows[] = {
        {0, 0, "a"},   {0, 1, "b*"},   {0, 2, ""},   {2, 0, "100"},
        {2, 1, "true"}, {2, 2, "07"}, {2, 3, "0"},
    };
    postern_set *set = example();
    postern_span text = {NULL, 77};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(postern_set_condition_value(set, 0, rows[i].condition, rows[i].value, &text) ==
              POSTERN_OK);
        CHECK_ROW(span_is(text, rows[i].text), rows[i].text);
    }
    text.length = 77;
    CHECK(postern_set_condition_value(set, 0, 0, 3, &text) == POSTERN_MISUSE);
    CHECK(postern_set_condition_value(set, 0, 1, 0, &text) == POSTERN_MISUSE);
    CHECK(postern_set_condition_value(set, 0, 3, 0, &text) == POSTERN_MISUSE);
    CHECK(postern_set_condition_value(set, 1, 0, 0, &text) == POSTERN_MISUSE);
    CHECK(postern_set_condition_value(set, 9, 9, 9, &text) == POSTERN_MISUSE);
    CHECK(postern_set_condition_value(set, 0, 0, UINT32_MAX, &text) == POSTERN_MISUSE);
    CHECK(text.length == 77);
    postern_set_free(set);
}

/* Keys are numbered as they are first met, and found in any letter case. */
static void keys(void) {
    static const char *const names[] = {"aws:principalarn", "aws:username", "aws:tagkeys",
                                        "aws:zone", "s3:max-keys"};
    static const struct {
        const char *name;
        int32_t key;
    } rows[] = {
        {"AWS:PRINCIPALARN", 0}, {"aws:UserName", 1}, {"Aws:TagKeys", 2}, {"aws:ZONE", 3},
        {"S3:Max-Keys", 4},      {"", -1},            {"aws:zon", -1},    {"aws:zonee", -1},
        {"zone", -1},            {"aws:zone ", -1},   {"\xC3\x84", -1},
        {"aws\x1Azone", -1}, /* `:` with the bit that folds a letter taken off */
    };
    postern_set *set = example();
    postern_span name = {NULL, 77};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK(postern_set_key(set, i, &name) == POSTERN_OK);
        CHECK_ROW(span_is(name, names[i]), names[i]);
        CHECK(postern_set_find_key(set, name.text, name.length) == (int32_t)i);
    }
    name.length = 77;
    CHECK(postern_set_key(set, 5, &name) == POSTERN_MISUSE);
    CHECK(postern_set_key(set, UINT32_MAX, &name) == POSTERN_MISUSE && name.length == 77);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(postern_set_find_key(set, rows[i].name, strlen(rows[i].name)) == rows[i].key,
                  rows[i].name);
    }
    CHECK(postern_set_find_key(set, "aws:zone\0", 9) == -1);
    CHECK(postern_set_find_key(set, NULL, 0) == -1);
    postern_set_free(set);
}

/* Only ASCII letters have two cases: `K` and the Kelvin sign are two keys. */
static void keys_fold_ascii_only(void) {
    postern_set *set = set_of_type(
        POSTERN_IDENTITY, POSTERN_ATTACHABLE,
        "{'Statement':{'Effect':'Allow','Action':'*','Resource':'*','Condition':{'Null':{'k':true,"
        "'\xE2\x84\xAA':true,'\xC3\x84':true,'\xC3\xA4':true}}}}");
    CHECK(postern_set_key_count(set) == 4);
    CHECK(postern_set_find_key(set, "K", 1) == 0);
    CHECK(postern_set_find_key(set, "\xE2\x84\xAA", 3) == 1);
    CHECK(postern_set_find_key(set, "\xC3\xA4", 2) == 3);
    postern_set_free(set);
}

/* Every Deny before every Allow, each in the order of the documents. */
static void denies_stand_first(void) {
    postern_set *set = set_of_type(
        POSTERN_IDENTITY, POSTERN_ATTACHABLE,
        "{'Statement':[{'Effect':'Allow','Action':'a','Resource':'*'},"
        "{'Effect':'Deny','Action':'b','Resource':'*'},{'Effect':'Allow','Action':'c','Resource':'*'},"
        "{'Effect':'Deny','Action':'d','Resource':'*'}]}");
    static const uint32_t expected[] = {1, 3, 0, 2};
    CHECK(set->denies == 2 && set->order.count == 4);
    CHECK(memcmp(POSTERN__ITEMS(set, order, uint32_t), expected, sizeof expected) == 0);
    postern_set_free(set);
}

/* Tables follow one another, aligned, within the block. */
static void tables_fill_the_block(void) {
    postern_set *set = example();
    uint64_t end = sizeof *set;
#define TABLE(name, type)                                                       \
    CHECK(set->name.offset % 8 == 0 && set->name.offset >= end);                \
    CHECK(set->name.offset < end + 8);                                          \
    end = set->name.offset + (uint64_t)set->name.count * sizeof(type);
    POSTERN__TABLES(TABLE)
#undef TABLE
    CHECK(end == set->size && set->size == postern_set_size(set));
    postern_set_free(set);
}

TEST_MAIN(RUN(counts); RUN(policy_names); RUN(statements); RUN(conditions); RUN(condition_values);
          RUN(keys); RUN(keys_fold_ascii_only); RUN(denies_stand_first); RUN(tables_fill_the_block))
