/* The compiled, immutable set: one block that holds offsets, never pointers.
 *
 *    +-----------+---------+--------+------------+-----+-------+--------+
 *    | header    | symbols | sorted | statements | ... | names | texts  |
 *    +-----------+---------+--------+------------+-----+-------+--------+
 *      tables: { offset, count } each ----^ aligned to 8
 *
 * Only the allocator, in front of everything, is a pointer: the rest may be
 * copied, shared between threads, and one day written to a file and mapped. */
#ifndef POSTERN_SET_H
#define POSTERN_SET_H

#include "condition.h"
#include "principal.h"

/* Items first .. first+count-1 of a table. */
typedef struct postern__range {
    uint32_t first;
    uint32_t count;
} postern__range;

typedef struct postern__stored_policy {
    uint32_t name; /* in the names */
    uint32_t name_length;
} postern__stored_policy;

typedef struct postern__rule {
    postern__range actions;    /* templates without variables, lower case */
    postern__range resources;  /* templates */
    postern__range principals; /* principals */
    postern__range conditions; /* conditions */
    uint8_t effect;
    bool not_action;
    bool not_resource;
    bool not_principal;
    bool has_principal; /* Principal or NotPrincipal is there */
    bool has_resource;  /* so is Resource or NotResource */
    uint32_t tests; /* the first of its conditions, or of equal ones of another */
    uint32_t mark;  /* from 1, where the directory may lead to it twice; else 0 */
    /* What is below is for explaining only. */
    uint32_t policy;
    uint32_t index;
    uint32_t sid; /* in the names */
    uint32_t sid_length;
    uint32_t line, column;
    uint32_t principal_line, action_line, resource_line;
} postern__rule;

/* Every table of a set: name and type of its items. */
#define POSTERN__TABLES(XX)                   \
    XX(symbols, postern__symbol)              \
    XX(sorted, uint32_t) /* symbols by name */ \
    XX(policies, postern__stored_policy)      \
    XX(rules, postern__rule)                  \
    XX(order, uint32_t) /* rules, every Deny first */ \
    XX(principals, postern__principal)        \
    XX(templates, postern__template)          \
    XX(variables, postern__variable)          \
    XX(conditions, postern__condition)        \
    XX(operands, postern__operand)            \
    XX(ranges, char) /* CIDR sets */          \
    XX(directory, char) /* see directory.h; empty in small sets */ \
    XX(names, char)                           \
    XX(texts, char) /* codes and policy values */

typedef struct postern__table {
    uint32_t offset; /* from the start of the set */
    uint32_t count;
} postern__table;

struct postern_set {
    postern_allocator allocator;
    uint64_t size; /* of the whole block */
    int32_t policy_type;
    uint32_t denies; /* how many of `order` are Deny */
    postern__simd simd; /* what lookups use */
    int32_t principal_arn; /* symbol of aws:PrincipalArn, or -1 */
    uint32_t room, most; /* scratch for expanding, see template.h */
    uint32_t marks, memos; /* scratch for evaluating, see request.h */
#define POSTERN__TABLE_MEMBER(name, type) postern__table name;
    POSTERN__TABLES(POSTERN__TABLE_MEMBER)
#undef POSTERN__TABLE_MEMBER
};

/* The items of a table. */
#define POSTERN__ITEMS(set, name, type) \
    ((const type *)(const void *)((const char *)(set) + (set)->name.offset))

static inline const postern__rule *postern__set_rule(const postern_set *set, uint32_t index) {
    return POSTERN__ITEMS(set, rules, postern__rule) + index;
}

#endif
