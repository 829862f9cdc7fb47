/* One checked policy into the tables that a set is built from. */
#ifndef POSTERN_COMPILE_H
#define POSTERN_COMPILE_H

#include "directory.h"
#include "policy.h"

enum {
    /* A set has 32-bit offsets. */
    POSTERN__SET_BYTES = 0x7FFFFFFF
};

/* Whether a set gets a directory. */
typedef enum postern__indexing {
    POSTERN__INDEX_BY_SIZE,
    POSTERN__INDEX_ALWAYS,
    POSTERN__INDEX_NEVER
} postern__indexing;

/* An operator's name in the names; of no length until a policy uses it. */
typedef struct postern__named {
    uint32_t name;
    uint32_t length;
} postern__named;

/* Lists of which the same may soon come again, by their hash: it is then the one
 * that is there. */
enum { POSTERN__RECENT = 32 };

typedef struct postern__recent {
    uint32_t hash;
    postern__range list; /* of nothing: none */
} postern__recent;

/* The tables of a set while they grow. `symbols` and `sorted` are filled last,
 * from `keys`. */
struct postern_builder {
    postern_allocator allocator;
    int32_t policy_type;
    int32_t strictness;
    postern__indexing indexing;
    postern__symbols keys; /* its own symbols and sorted vectors */
    postern__template_tables template_tables;
    postern__named operators[POSTERN__OPERATOR_COUNT][POSTERN__FOR_ANY_VALUE + 1][2];
    postern__recent actions[POSTERN__RECENT], callers[POSTERN__RECENT];
    postern__vector list_hashes, condition_hashes; /* of rules and conditions, see sharing.h */
    postern__vector api_arn; /* bytes, with a final slash; empty: any API */
#define VECTOR(name, type) postern__vector name;
    POSTERN__TABLES(VECTOR)
#undef VECTOR
};

/* Appends `policy` to the tables of `builder`, called `name` from then on. When
 * it fails the tables hold a part of it: the caller takes them back. */
int postern__compile_policy(postern_builder *builder, const postern__policy *policy,
                            postern_span name, postern_error *error);

#endif
