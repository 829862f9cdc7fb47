/* A document, checked to be a policy: every element is one the language has,
 * of the right type and in a legal combination. What is only not attachable is
 * left to the compiler. Grammar: IAM User Guide, "Grammar of the IAM JSON
 * policy language". */
#ifndef POSTERN_POLICY_H
#define POSTERN_POLICY_H

#include "condition.h"
#include "document.h"
#include "principal.h"

/* A statement as node indexes of the document; 0, the root, means absent. */
typedef struct postern__draft {
    uint32_t node;
    uint32_t sid;
    uint32_t principal;
    uint32_t action;
    uint32_t resource;
    uint32_t condition;
    int32_t effect;
    bool not_principal;
    bool not_action;
    bool not_resource;
} postern__draft;

typedef struct postern__policy {
    const postern_document *document;
    int32_t type;
    bool variables;         /* Version 2012-10-17: ${...} means something */
    postern__vector drafts; /* of postern__draft */
} postern__policy;

/* Checks `document`, which has to outlive the policy. On failure the first
 * problem is in `error` and `out` needs no free. */
int postern__policy_read(postern__policy *out, const postern_document *document, int32_t type,
                         const postern_allocator *allocator, postern_error *error);
void postern__policy_free(postern__policy *policy);

/* Walks a value that may be written single or as a list: the first item, or 0
 * when it is an empty list, and the item after `item`, or 0. */
uint32_t postern__policy_first(const postern__policy *policy, uint32_t node);
uint32_t postern__policy_next(const postern__policy *policy, uint32_t node, uint32_t item);

/* Fills `error` with the place of `node`, and the statement's Sid or number in
 * front of the message; returns `status`. */
int postern__policy_fail(const postern__policy *policy, const postern__draft *draft,
                         uint32_t node, int status, postern_error *error, const char *format, ...)
    POSTERN__PRINTF(6, 7);

#endif
