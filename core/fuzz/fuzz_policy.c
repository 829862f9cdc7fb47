/* libFuzzer: takes any bytes as a policy of every type, attachable and
 * structural, asks the sets that come of it a few requests, and aborts when a
 * refusal says nothing, when evaluate and explain disagree, or when something
 * is allowed that no statement allows. */
#include <stdlib.h>

#include "utf8.h"

#define REQUIRE(condition) \
    do {                   \
        if (!(condition)) abort(); \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char method[] = "arn:aws:execute-api:us-east-1:111122223333:abc/dev/GET/pets";

/* ---- Building -------------------------------------------------------------- */

static void check_refusal(int status, const postern_error *error) {
    postern_span message = {error->message, strlen(error->message)};
    REQUIRE(error->status == status && message.length > 0);
    REQUIRE(postern__utf8_valid(message));
    for (size_t i = 0; i < message.length; i++) {
        REQUIRE((unsigned char)message.text[i] >= 0x20 && message.text[i] != 0x7F);
    }
    REQUIRE(status == POSTERN_LIMIT || (error->line >= 1 && error->column >= 1));
}

/* The set of `data`, or NULL. A refused policy leaves its builder empty. */
static postern_set *build(int32_t type, int32_t strictness, const uint8_t *data, size_t size) {
    postern_options options = {.policy_type = type, .strictness = strictness};
    if (size % 2 == 0) {
        options.api_arn = method;
        options.api_arn_length = strcspn(method, "/");
    }
    postern_error error = {0};
    postern_builder *builder = postern_builder_new(&options, NULL);
    REQUIRE(builder != NULL);
    int status = postern_builder_add(builder, "fuzz", 4, (const char *)data, size, &error);
    if (status != POSTERN_OK) check_refusal(status, &error);
    postern_set *set = postern_builder_build(builder, NULL);
    REQUIRE(set != NULL);
    postern_builder_free(builder);
    if (status == POSTERN_OK) return set;
    REQUIRE(postern_set_policy_count(set) == 0 && postern_set_statement_count(set) == 0);
    REQUIRE(postern_set_key_count(set) == 0);
    postern_set_free(set);
    return NULL;
}

/* ---- Asking ----------------------------------------------------------------- */

typedef enum row { ABSENT, OWN_VALUES, LISTS, UNRESOLVED, ROWS } row;

/* Cells made of the policy's own values: so conditions often hold. */
static void fill_cells(const postern_set *set, postern_request *request, row kind) {
    uint32_t keys = postern_set_key_count(set);
    for (uint32_t key = 0; key < keys && kind == UNRESOLVED; key++) {
        REQUIRE(postern_request_unresolved(request, key) == POSTERN_OK);
    }
    for (uint32_t key = 0; key < keys && kind == OWN_VALUES; key++) {
        REQUIRE(postern_request_put(request, key, method, 3 + key % 20) == POSTERN_OK);
    }
    if (kind != OWN_VALUES && kind != LISTS) return;
    for (uint32_t i = 0; i < postern_set_statement_count(set) && i < 50; i++) {
        postern_condition condition;
        for (uint32_t c = 0; postern_set_condition(set, i, c, &condition) == POSTERN_OK; c++) {
            postern_span text = {"x", 1};
            uint32_t value = condition.value_count > 0 ? i % condition.value_count : 0;
            postern_set_condition_value(set, i, c, value, &text);
            if (kind == OWN_VALUES) {
                postern_request_put(request, condition.key, text.text, text.length);
                continue;
            }
            REQUIRE(postern_request_list(request, condition.key) == POSTERN_OK);
            REQUIRE(postern_request_append(request, condition.key, text.text, text.length) ==
                    POSTERN_OK);
            if (i % 2 == 0) postern_request_append(request, condition.key, "", 0);
        }
    }
}

/* Explains every condition and value; true if one of the conditions fails. */
static bool explain_conditions(const postern_set *set, postern_request *request, uint32_t index) {
    bool fails = false;
    postern_condition condition;
    for (uint32_t c = 0; postern_set_condition(set, index, c, &condition) == POSTERN_OK; c++) {
        postern_verdict verdict;
        REQUIRE(postern_explain_condition(set, request, index, c, &verdict) == POSTERN_OK);
        REQUIRE((verdict.result == POSTERN_UNKNOWN) == (verdict.key >= 0));
        fails |= verdict.result == POSTERN_NO;
        for (uint32_t v = 0; v < condition.value_count; v++) {
            postern_span text;
            REQUIRE(postern_explain_value(set, request, index, c, v, &text) == POSTERN_OK);
            REQUIRE(text.text == NULL || postern__utf8_valid(text));
        }
    }
    return fails;
}

/* Evaluates, and holds the answer against the verdict on every statement. */
static int32_t ask(const postern_set *set, postern_request *request) {
    postern_decision decision;
    int32_t outcome = postern_evaluate(set, request, &decision);
    bool denies = false, allows = false, unknown = false;
    REQUIRE(decision.status == POSTERN_OK && decision.outcome == outcome);
    for (uint32_t i = 0; i < postern_set_statement_count(set); i++) {
        postern_statement statement;
        postern_verdict verdict;
        postern_set_statement(set, i, &statement);
        REQUIRE(postern_explain_statement(set, request, i, &verdict) == POSTERN_OK);
        bool fails = explain_conditions(set, request, i);
        REQUIRE(fails == ((verdict.failed >> POSTERN_ELEMENT_CONDITION & 1) != 0));
        REQUIRE((verdict.result == POSTERN_NO) == (verdict.failed != 0));
        if (verdict.result == POSTERN_UNKNOWN) unknown = true;
        if (verdict.result != POSTERN_YES) continue;
        if (statement.effect == POSTERN_DENY) denies = true;
        else allows = true;
    }
    REQUIRE(denies == (outcome == POSTERN_EXPLICITLY_DENIED));
    REQUIRE(outcome != POSTERN_ALLOWED || allows);
    REQUIRE(outcome != POSTERN_IMPLICITLY_DENIED || (!allows && !unknown));
    REQUIRE(outcome != POSTERN_UNDECIDED || (decision.key >= 0 && (unknown || allows)));
    return outcome;
}

/* What is decided while nothing is known holds whatever becomes known. */
static void ask_all(const postern_set *set, const char *caller, int32_t outcomes[ROWS]) {
    postern_request *request = postern_request_new(set, NULL, NULL);
    REQUIRE(request != NULL);
    for (int kind = ABSENT; kind < ROWS; kind++) {
        postern_request_reset(request);
        postern_request_principal(request, caller, strlen(caller), 0);
        postern_request_action(request, "execute-api:Invoke", 18);
        postern_request_resource(request, method, sizeof method - 1);
        fill_cells(set, request, (row)kind);
        outcomes[kind] = ask(set, request);
    }
    for (int kind = ABSENT; kind < UNRESOLVED; kind++) {
        REQUIRE(outcomes[kind] != POSTERN_UNDECIDED);
        REQUIRE(outcomes[UNRESOLVED] == POSTERN_UNDECIDED ||
                outcomes[UNRESOLVED] == outcomes[kind]);
    }
    postern_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const callers[] = {"*", "arn:aws:sts::111122223333:assumed-role/R/s"};
    for (int32_t type = POSTERN_IDENTITY; postern_policy_type_name(type) != NULL; type++) {
        postern_set *attachable = build(type, POSTERN_ATTACHABLE, data, size);
        postern_set *structural = build(type, POSTERN_STRUCTURAL, data, size);
        REQUIRE(attachable == NULL || structural != NULL);
        for (int i = 0; i < 2 && structural != NULL; i++) {
            int32_t strict[ROWS], lax[ROWS];
            ask_all(structural, callers[i], lax);
            if (attachable == NULL) continue;
            REQUIRE(postern_set_size(attachable) == postern_set_size(structural));
            ask_all(attachable, callers[i], strict);
            REQUIRE(memcmp(strict, lax, sizeof lax) == 0);
        }
        postern_set_free(attachable);
        postern_set_free(structural);
    }
    return 0;
}
