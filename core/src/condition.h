/* Condition: operator, key and policy values against a cell.
 *
 * Tests are three-valued. Where a cell is unresolved the answer is unknown,
 * unless it is the same for everything the cell could hold; "and" and "or"
 * over unknown are Kleene's. See architecture: undecided names the key. */
#ifndef POSTERN_CONDITION_H
#define POSTERN_CONDITION_H

#include "operators.h"
#include "simd.h"
#include "template.h"

typedef enum postern__operator {
#define POSTERN__OPERATOR_ID(id, spelling, negated, test, operand, variables) POSTERN__OP_##id,
    POSTERN__OPERATORS(POSTERN__OPERATOR_ID)
#undef POSTERN__OPERATOR_ID
        POSTERN__OPERATOR_COUNT
} postern__operator;

typedef enum postern__operand_kind {
    POSTERN__OPERAND_TEXT,
    POSTERN__OPERAND_FOLDED,
    POSTERN__OPERAND_PATTERN,
    POSTERN__OPERAND_NUMBER,
    POSTERN__OPERAND_DATE,
    POSTERN__OPERAND_BOOLEAN,
    POSTERN__OPERAND_BYTES,
    POSTERN__OPERAND_CIDR,
    POSTERN__OPERAND_ARNS,
    POSTERN__OPERAND_PRESENCE
} postern__operand_kind;

typedef struct postern__operator_info {
    const char *spelling;
    bool negated;
    bool variables; /* may its values hold policy variables? */
    postern__operand_kind operand;
} postern__operator_info;

const postern__operator_info *postern__operator_info_of(uint32_t operator_id);

typedef enum postern__quantifier {
    POSTERN__PLAIN,
    POSTERN__FOR_ALL_VALUES,
    POSTERN__FOR_ANY_VALUE
} postern__quantifier;

/* A full operator name: [ForAllValues:|ForAnyValue:] base [IfExists]. */
typedef struct postern__operator_name {
    uint32_t operator_id;
    postern__quantifier quantifier;
    bool if_exists;
} postern__operator_name;

/* Any letter case. False for a name the language does not have. */
bool postern__operator_parse(postern_span name, postern__operator_name *out);

/* The base in a name, known or not: without set operator and IfExists. */
postern_span postern__operator_base(postern_span name);

/* One policy value. */
typedef struct postern__operand {
    uint32_t text; /* as the policy has it, in the texts */
    uint32_t length;
    uint32_t usable; /* 0: its operator cannot parse it, so it never matches */
    union {
        postern__template template; /* TEXT, FOLDED, PATTERN */
        postern__instant instant;   /* DATE */
        uint32_t boolean;           /* BOOLEAN, PRESENCE */
        uint32_t parts;             /* ARNS: index of the first of six templates */
    } as;
} postern__operand;

typedef struct postern__condition {
    uint32_t name; /* the operator as the language spells it, in the names */
    uint32_t name_length;
    uint16_t operator_id;
    uint8_t quantifier;
    uint8_t if_exists;
    uint32_t symbol;
    uint32_t line;
    uint32_t column;
    uint32_t first; /* operand */
    uint32_t count;
    uint32_t cidr; /* CIDR: offset of the set of ranges */
    uint32_t memo; /* of its answer, shared by equal conditions, from 1; 0: none */
} postern__condition;

/* The finished tables that conditions point into, and the row they judge. */
typedef struct postern__bench {
    postern__template_pool pool;
    const postern__operand *operands;
    const postern__template *parts;
    const char *ranges;
    postern__simd simd;
    const postern__row *row;
} postern__bench;

/* Three-valued and, or, not over postern_truth. */
static inline postern_truth postern__truth_not(postern_truth a) {
    return a == POSTERN_UNKNOWN ? a : a == POSTERN_YES ? POSTERN_NO : POSTERN_YES;
}

/* `key`, when the answer is unknown, gets the symbol that is needed. */
postern_truth postern__condition_test(const postern__condition *condition,
                                      const postern__bench *bench, int32_t *key);

/* Whether one policy value, the one at `index`, meets the cell: any of its
 * values, before a negation, whatever IfExists and set operators say of a
 * missing key. A list under an operator without a set operator meets nothing. */
postern_truth postern__operand_test(const postern__condition *condition, uint32_t index,
                                    const postern__bench *bench, int32_t *key);

/* A code-with-variables against a text: unknown when a variable is. */
postern_truth postern__template_match(const postern__template *template,
                                      const postern__bench *bench, postern_span text,
                                      int32_t *key);

#endif
