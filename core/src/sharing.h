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

/* The tables of a set that is being built. Numbers that its directory needs are
 * written into rules and conditions. */
typedef struct postern__directory_tables {
    postern__rule *rules;
    size_t rule_count;
    postern__condition *conditions;
    size_t condition_count;
    const postern__template *templates;
    size_t template_count;
    const postern__principal *principals;
    size_t principal_count;
    const postern__operand *operands;
    const char *texts;
    uint32_t marks, memos; /* out: how many there are */
} postern__directory_tables;

/* Lists of actions that are equal become one, and so do those of principals, so
 * that they stay in the caches. `notes` has that of each template. `table` is
 * a vector of postern__known. False: out of memory. */
bool postern__sharing_lists(postern__directory_tables *tables, const postern__code_note *notes,
                            postern__vector *table);

/* Conditions that many are equal to get a memo, and a list of conditions that
 * equals another is tested in its place. False: out of memory. */
bool postern__sharing_conditions(postern__directory_tables *tables, postern__vector *table);

#endif
