/* What many statements of a set say alike is found, while it is built: lists
 * become one list, and the answer to a condition is kept for its equals. */
#ifndef POSTERN_SHARING_H
#define POSTERN_SHARING_H

#include "filing.h"
#include "set.h"

enum {
    /* Equal conditions from which on their answer is kept for a request. */
    POSTERN__SHARED_FROM = 4
};

/* Hashes of a statement's lists: equal ones have the same. */
typedef struct postern__list_hashes {
    uint32_t actions, principals;
} postern__list_hashes;

/* The tables of a set that is being built. Numbers that its directory needs are
 * written into rules and conditions. */
typedef struct postern__directory_tables {
    postern__rule *rules;
    const postern__list_hashes *list_hashes; /* of each rule */
    size_t rule_count;
    postern__condition *conditions;
    const uint32_t *condition_hashes;
    size_t condition_count;
    const postern__template *templates;
    size_t template_count;
    const postern__principal *principals;
    size_t principal_count;
    const postern__operand *operands;
    const char *texts;
    uint32_t marks, memos; /* out: how many there are */
} postern__directory_tables;

/* Numbers that equal ones share: of lists, and of a condition whose values are
 * `operands`. They are found while what is hashed is at hand. */
uint32_t postern__sharing_hash_actions(const postern__template *actions, uint32_t count,
                                       const char *texts);
uint32_t postern__sharing_hash_principals(const postern__principal *principals, uint32_t count,
                                          const char *texts);
uint32_t postern__sharing_hash_condition(const postern__condition *condition,
                                         const postern__operand *operands, const char *texts);

/* Lists of actions that are equal become one, and so do those of principals, so
 * that they stay in the caches. `table` is a vector of postern__known. False: out
 * of memory. */
bool postern__sharing_lists(postern__directory_tables *tables, postern__vector *table);

/* Conditions that many are equal to get a memo, and a list of conditions that
 * equals another is tested in its place. False: out of memory. */
bool postern__sharing_conditions(postern__directory_tables *tables, postern__vector *table);

#endif
