/* Which statements of a set may match a request, without trying each.
 *
 * A statement is filed under one of its elements, whichever the fewest others
 * share: its resources, its principals, or its actions. What has none to be
 * filed under (NotAction with `*`, say) is tried always. What is found is a
 * candidate: the statement is then judged as it always is, all of it, so that
 * the directory decides nothing.
 *
 *    request  resource  --> index of resources --+
 *             action    --> index of actions   --+--> statements to judge
 *             caller    --> keys of principals --+
 *                                 always tried --+
 *
 *    +------+-----------+---------+------------------+-------+--------+
 *    | head | resources | actions | slots of keys    | named | always |
 *    +------+-----------+---------+------------------+-------+--------+
 *                                   key, first, count --^
 *
 * One run of bytes in the set's block, offsets within. A set that is small has
 * none, and neither has one that is built to be tried statement by statement. */
#ifndef POSTERN_DIRECTORY_H
#define POSTERN_DIRECTORY_H

#include "sharing.h"

enum {
    /* Statements from which on a set has one. Measured, a decision takes 0.8 of
     * the time of trying each at 2 statements, 0.4 to 0.6 at 6, 0.25 to 0.6 at 8
     * (`make bench`); below that it is not worth the bytes. */
    POSTERN__DIRECTORY_FROM = 8
};

/* Appends a directory to a vector of bytes, at an `offset` divisible by eight.
 * False: out of memory, or 4 GiB. */
bool postern__directory_build(postern__directory_tables *tables, postern__vector *out,
                              size_t *offset);

/* As if none were built: no statement has a mark, no condition a memo. */
void postern__directory_none(postern__directory_tables *tables);

/* What a request is looked up by. */
typedef struct postern__directory_question {
    postern_span action;
    postern_span resource;
    const postern__principal_list *list; /* for aws:PrincipalArn */
    postern__caller *caller;
} postern__directory_question;

/* Gets statements by their numbers. `known`: the element of all of them that
 * surely matches, or POSTERN_ELEMENT_NONE. */
typedef void postern__directory_visit(void *context, const uint32_t *rules, uint32_t count,
                                      postern_element known);

/* Visits every statement that may match, in no order. One that has a mark may
 * be visited again. `set` has a directory. */
void postern__directory_find(const postern_set *set, const postern__directory_question *question,
                             postern__directory_visit *visit, void *context);

/* What the statements came to. */
typedef struct postern__directory_figures {
    uint32_t by_resource, by_principal, by_action, never, always;
    postern__index_figures resources, actions;
} postern__directory_figures;

postern__directory_figures postern__directory_figures_of(const postern_set *set);

#endif
