#include "condition.h"

#include "cidr.h"

static const postern__operator_info infos[] = {
#define INFO(id, spelling, negated, test, operand, variables) \
    {spelling, negated, variables, POSTERN__OPERAND_##operand},
    POSTERN__OPERATORS(INFO)
#undef INFO
};

const postern__operator_info *postern__operator_info_of(uint32_t operator_id) {
    return &infos[operator_id];
}

/* ---- Names ---------------------------------------------------------------*/

static bool strip_prefix(postern_span *name, postern_span prefix) {
    postern_span head = {name->text, prefix.length};
    if (name->length < prefix.length || !postern__span_equal_folded(head, prefix)) return false;
    *name = postern__span_from(*name, prefix.length);
    return true;
}

static bool strip_suffix(postern_span *name, postern_span suffix) {
    if (name->length < suffix.length) return false;
    postern_span tail = postern__span_from(*name, name->length - suffix.length);
    if (!postern__span_equal_folded(tail, suffix)) return false;
    name->length -= suffix.length;
    return true;
}

/* Of the spellings. */
static const uint8_t lengths[] = {
#define POSTERN__OPERATOR_LENGTH(id, spelling, negated, test, operand, variables) \
    sizeof(spelling) - 1,
    POSTERN__OPERATORS(POSTERN__OPERATOR_LENGTH)
#undef POSTERN__OPERATOR_LENGTH
};

bool postern__operator_parse(postern_span name, postern__operator_name *out) {
    out->quantifier = POSTERN__PLAIN;
    if (strip_prefix(&name, POSTERN__SPAN("ForAllValues:"))) {
        out->quantifier = POSTERN__FOR_ALL_VALUES;
    } else if (strip_prefix(&name, POSTERN__SPAN("ForAnyValue:"))) {
        out->quantifier = POSTERN__FOR_ANY_VALUE;
    }
    out->if_exists = strip_suffix(&name, POSTERN__SPAN("IfExists"));
    for (uint32_t i = 0; i < POSTERN__OPERATOR_COUNT; i++) {
        if (name.length != lengths[i]) continue;
        postern_span spelling = {infos[i].spelling, lengths[i]};
        if (postern__span_equal(name, spelling) || postern__span_equal_folded(name, spelling)) {
            out->operator_id = i;
            return !(out->if_exists && i == POSTERN__OP_NULL);
        }
    }
    return false;
}

postern_span postern__operator_base(postern_span name) {
    if (!strip_prefix(&name, POSTERN__SPAN("ForAllValues:"))) {
        strip_prefix(&name, POSTERN__SPAN("ForAnyValue:"));
    }
    strip_suffix(&name, POSTERN__SPAN("IfExists"));
    return name;
}

/* ---- One policy value against one request value ---------------------------*/

/* The code of a template, expanded if it has variables. */
static postern_truth code_of(const postern__template *template, const postern__bench *bench,
                             postern_span *code, int32_t *key) {
    if (template->variables == 0) {
        *code = (postern_span){bench->pool.texts + template->glob.code, template->glob.length};
        return POSTERN_YES;
    }
    code->text = bench->row->scratch;
    switch (postern__template_expand(template, &bench->pool, bench->row, &code->length, key)) {
    case POSTERN__EXPANDED: return POSTERN_YES;
    case POSTERN__NO_VALUE: return POSTERN_NO;
    case POSTERN__NEEDS_KEY: return POSTERN_UNKNOWN;
    }
    return POSTERN_NO;
}

postern_truth postern__template_match(const postern__template *template,
                                      const postern__bench *bench, postern_span text,
                                      int32_t *key) {
    if (template->variables == 0) {
        return postern__glob_match(&template->glob, bench->pool.texts, text) ? POSTERN_YES
                                                                            : POSTERN_NO;
    }
    postern_span code = {NULL, 0};
    int32_t needed = -1;
    postern_truth truth = code_of(template, bench, &code, &needed);
    if (truth == POSTERN_NO) return truth;
    /* What does not match whatever an unresolved variable is, does not match. */
    postern__glob glob = postern__glob_measure(code.text, 0, code.length);
    if (!postern__glob_match(&glob, code.text, text)) return POSTERN_NO;
    if (truth == POSTERN_UNKNOWN) *key = needed;
    return truth;
}

#define TEST(name)                                                                      \
    static postern_truth name(const postern__operand *operand, const postern__value *value, \
                              const postern__bench *bench, int32_t *key)

#define TRUTH(condition) ((condition) ? POSTERN_YES : POSTERN_NO)

TEST(string_equals) {
    postern_span code = {NULL, 0};
    postern_truth truth = code_of(&operand->as.template, bench, &code, key);
    if (truth != POSTERN_YES) return truth;
    return TRUTH(postern__span_equal(code, postern__value_text(bench->row, value)));
}

TEST(string_equals_folded) {
    postern_span code = {NULL, 0};
    postern_truth truth = code_of(&operand->as.template, bench, &code, key);
    if (truth != POSTERN_YES) return truth;
    return TRUTH(postern__span_equal_folded(code, postern__value_text(bench->row, value)));
}

TEST(string_like) {
    return postern__template_match(&operand->as.template, bench,
                                   postern__value_text(bench->row, value), key);
}

/* Part by part: nothing crosses the first five colons, and what replaces a
 * variable makes no new parts. */
TEST(arn_like) {
    postern__arn arn;
    if (!postern__arn_split(postern__value_text(bench->row, value), &arn)) return POSTERN_NO;
    postern_truth all = POSTERN_YES;
    for (int part = 0; part < POSTERN__ARN_PARTS; part++) {
        const postern__template *template = &bench->parts[operand->as.parts + (uint32_t)part];
        int32_t needed = -1;
        postern_truth one = postern__template_match(template, bench, arn.part[part], &needed);
        if (one == POSTERN_NO) return one;
        if (one == POSTERN_UNKNOWN && all == POSTERN_YES) {
            all = one;
            *key = needed;
        }
    }
    return all;
}

/* Numbers are parsed here, digits in place: it costs less than keeping them. */
static bool compare_numbers(const postern__operand *operand, const postern__value *value,
                            const postern__bench *bench, int *order) {
    postern__number left, right;
    postern_span text = {bench->pool.texts + operand->text, operand->length};
    if (!postern__number_parse(postern__value_text(bench->row, value), &left) ||
        !postern__number_parse(text, &right)) {
        return false;
    }
    *order = postern__number_compare(&left, &right);
    return true;
}

static bool compare_dates(const postern__operand *operand, const postern__value *value,
                          int *order) {
    if ((value->parsed & POSTERN__USE_INSTANT) == 0) return false;
    *order = postern__instant_compare(&value->instant, &operand->as.instant);
    return true;
}

#define ORDER_TEST(name, compare, ...)                  \
    TEST(name) {                                        \
        int order = 0;                                  \
        (void)bench, (void)key;                         \
        return TRUTH(compare && (order __VA_ARGS__));   \
    }

ORDER_TEST(number_equals, compare_numbers(operand, value, bench, &order), == 0)
ORDER_TEST(number_less, compare_numbers(operand, value, bench, &order), < 0)
ORDER_TEST(number_less_equals, compare_numbers(operand, value, bench, &order), <= 0)
ORDER_TEST(number_greater, compare_numbers(operand, value, bench, &order), > 0)
ORDER_TEST(number_greater_equals, compare_numbers(operand, value, bench, &order), >= 0)
ORDER_TEST(date_equals, compare_dates(operand, value, &order), == 0)
ORDER_TEST(date_less, compare_dates(operand, value, &order), < 0)
ORDER_TEST(date_less_equals, compare_dates(operand, value, &order), <= 0)
ORDER_TEST(date_greater, compare_dates(operand, value, &order), > 0)
ORDER_TEST(date_greater_equals, compare_dates(operand, value, &order), >= 0)

TEST(bool_equals) {
    (void)bench, (void)key;
    return TRUTH((value->parsed & POSTERN__USE_BOOL) != 0 &&
                 value->boolean == (operand->as.boolean != 0));
}

TEST(binary_equals) {
    (void)key;
    postern_span text = {bench->pool.texts + operand->text, operand->length};
    return TRUTH(postern__base64_equal(text, postern__value_text(bench->row, value)));
}

/* Ranges are asked together, see match_any; presence has no values to ask. */
#define ip_address NULL
#define none NULL

typedef postern_truth (*test_function)(const postern__operand *, const postern__value *,
                                       const postern__bench *, int32_t *);

static const test_function tests[] = {
#define TEST_OF(id, spelling, negated, test, operand, variables) test,
    POSTERN__OPERATORS(TEST_OF)
#undef TEST_OF
};

/* ---- All policy values against one request value --------------------------*/

/* "or" over the policy values, before any negation. */
static postern_truth match_any(const postern__condition *condition, const postern__value *value,
                               const postern__bench *bench, int32_t *key) {
    if (infos[condition->operator_id].operand == POSTERN__OPERAND_CIDR) {
        return TRUTH((value->parsed & POSTERN__USE_ADDRESS) != 0 &&
                     postern__cidr_find(bench->ranges + condition->cidr, bench->simd,
                                        &value->address) >= 0);
    }
    test_function test = tests[condition->operator_id];
    postern_truth any = POSTERN_NO;
    for (uint32_t i = 0; i < condition->count; i++) {
        const postern__operand *operand = &bench->operands[condition->first + i];
        if (!operand->usable) continue;
        int32_t needed = -1;
        postern_truth one = test(operand, value, bench, &needed);
        if (one == POSTERN_YES) return one;
        if (one == POSTERN_UNKNOWN && any == POSTERN_NO) {
            any = one;
            *key = needed;
        }
    }
    return any;
}

/* A negated operator is the negation of all its values: none may match. */
static postern_truth match_value(const postern__condition *condition, const postern__value *value,
                                 const postern__bench *bench, int32_t *key) {
    postern_truth any = match_any(condition, value, bench, key);
    return infos[condition->operator_id].negated ? postern__truth_not(any) : any;
}

/* "and" (for all) or "or" (for any) over the request values. */
static postern_truth match_values(const postern__condition *condition, const postern__cell *cell,
                                  const postern__bench *bench, int32_t *key) {
    postern_truth decides =
        condition->quantifier == POSTERN__FOR_ALL_VALUES ? POSTERN_NO : POSTERN_YES;
    postern_truth all = postern__truth_not(decides);
    for (uint32_t i = 0; i < cell->count; i++) {
        int32_t needed = -1;
        const postern__value *value = &bench->row->values[cell->first + i];
        postern_truth one = match_value(condition, value, bench, &needed);
        if (one == decides) return one;
        if (one == POSTERN_UNKNOWN && all != POSTERN_UNKNOWN) {
            all = one;
            *key = needed;
        }
    }
    return all;
}

/* ---- The rules around the values ------------------------------------------*/

static bool only_empty_texts(const postern__cell *cell, const postern__row *row) {
    for (uint32_t i = 0; i < cell->count; i++) {
        if (row->values[cell->first + i].length > 0) return false;
    }
    return true;
}

static bool some_usable(const postern__condition *condition, const postern__bench *bench) {
    for (uint32_t i = 0; i < condition->count; i++) {
        if (bench->operands[condition->first + i].usable) return true;
    }
    return false;
}

/* What a missing key gives, IfExists aside (policy language 6.2). */
static postern_truth missing_key(const postern__condition *condition) {
    if (condition->quantifier == POSTERN__FOR_ALL_VALUES) return POSTERN_YES;
    if (condition->quantifier == POSTERN__FOR_ANY_VALUE) return POSTERN_NO;
    return TRUTH(infos[condition->operator_id].negated);
}

/* Null asks whether the key is there, set operators ignored. */
static postern_truth test_presence(const postern__condition *condition,
                                   const postern__bench *bench, const postern__cell *cell,
                                   int32_t *key) {
    bool asks[2] = {false, false}; /* for "false" and for "true" */
    for (uint32_t i = 0; i < condition->count; i++) {
        const postern__operand *operand = &bench->operands[condition->first + i];
        if (operand->usable) asks[operand->as.boolean != 0] = true;
    }
    if (asks[0] == asks[1]) return TRUTH(asks[0]);
    if (cell->state == POSTERN__UNRESOLVED) {
        *key = (int32_t)condition->symbol;
        return POSTERN_UNKNOWN;
    }
    return TRUTH(asks[postern__cell_absent(cell)]);
}

/* Unknown, unless neither presence nor value can make it true: an operator
 * that is not negated and has nothing to match with, or ForAnyValue without
 * policy values, negated or not. */
static postern_truth test_unresolved(const postern__condition *condition,
                                     const postern__bench *bench, int32_t *key) {
    bool negated = infos[condition->operator_id].negated &&
                   (condition->count > 0 || condition->quantifier == POSTERN__PLAIN);
    bool could_match = condition->if_exists || negated ||
                       condition->quantifier == POSTERN__FOR_ALL_VALUES ||
                       some_usable(condition, bench);
    if (!could_match) return POSTERN_NO;
    *key = (int32_t)condition->symbol;
    return POSTERN_UNKNOWN;
}

/* An empty list of policy values: with IfExists and with set operators only
 * the missing key is true. */
static postern_truth test_no_operands(const postern__condition *condition) {
    if (condition->if_exists || condition->quantifier != POSTERN__PLAIN) return POSTERN_NO;
    return TRUTH(infos[condition->operator_id].negated);
}

postern_truth postern__condition_test(const postern__condition *condition,
                                      const postern__bench *bench, int32_t *key) {
    const postern__cell *cell = &bench->row->cells[condition->symbol];
    if (condition->operator_id == POSTERN__OP_NULL) {
        return test_presence(condition, bench, cell, key);
    }
    if (cell->state == POSTERN__UNRESOLVED) return test_unresolved(condition, bench, key);
    /* No policy values against nothing but empty text: as if the key were
     * missing (our choice). */
    if (postern__cell_absent(cell) ||
        (condition->count == 0 && only_empty_texts(cell, bench->row))) {
        return condition->if_exists ? POSTERN_YES : missing_key(condition);
    }
    if (condition->quantifier == POSTERN__PLAIN) {
        /* A multivalued key wants a set operator; without one nothing is true,
         * negated or not. */
        if (cell->state == POSTERN__LIST) return POSTERN_NO;
        if (condition->count == 0) return test_no_operands(condition);
        return match_value(condition, &bench->row->values[cell->first], bench, key);
    }
    if (only_empty_texts(cell, bench->row)) return missing_key(condition);
    if (condition->count == 0) return test_no_operands(condition);
    return match_values(condition, cell, bench, key);
}

/* ---- One policy value, for explaining --------------------------------------*/

/* A range alone, parsed again: the set of ranges only says which is longest. */
static bool in_range(postern_span text, const postern__value *value) {
    postern__prefix prefix;
    if ((value->parsed & POSTERN__USE_ADDRESS) == 0 || !postern__prefix_parse(text, &prefix)) {
        return false;
    }
    unsigned length = prefix.length;
    return value->address.family == prefix.address.family &&
           (value->address.high & postern__high_mask(length)) == prefix.address.high &&
           (value->address.low & postern__low_mask(length)) == prefix.address.low;
}

static postern_truth operand_meets(const postern__condition *condition,
                                   const postern__operand *operand, const postern__value *value,
                                   const postern__bench *bench, int32_t *key) {
    if (infos[condition->operator_id].operand == POSTERN__OPERAND_CIDR) {
        postern_span text = {bench->pool.texts + operand->text, operand->length};
        return TRUTH(in_range(text, value));
    }
    return tests[condition->operator_id](operand, value, bench, key);
}

postern_truth postern__operand_test(const postern__condition *condition, uint32_t index,
                                    const postern__bench *bench, int32_t *key) {
    const postern__cell *cell = &bench->row->cells[condition->symbol];
    const postern__operand *operand = &bench->operands[condition->first + index];
    bool presence = condition->operator_id == POSTERN__OP_NULL;
    if (!operand->usable) return POSTERN_NO;
    if (cell->state == POSTERN__UNRESOLVED) {
        *key = (int32_t)condition->symbol;
        return POSTERN_UNKNOWN;
    }
    if (presence) return TRUTH((operand->as.boolean != 0) == postern__cell_absent(cell));
    if (condition->quantifier == POSTERN__PLAIN && cell->state == POSTERN__LIST) return POSTERN_NO;
    postern_truth any = POSTERN_NO;
    for (uint32_t i = 0; i < cell->count && any != POSTERN_YES; i++) {
        int32_t needed = -1;
        const postern__value *value = &bench->row->values[cell->first + i];
        postern_truth one = operand_meets(condition, operand, value, bench, &needed);
        if (one == POSTERN_NO) continue;
        any = one;
        *key = one == POSTERN_UNKNOWN ? needed : -1;
    }
    return any;
}
