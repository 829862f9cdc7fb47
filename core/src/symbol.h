/* Condition-key names and the small numbers that stand for them.
 *
 * Names are kept in lower case (ASCII), since a key is the same key however it
 * is written. Ids count from 0 in the order of first mention; `sorted` holds
 * the ids in name order for lookup by binary search: no hash, so no name can be
 * chosen to make it slow. */
#ifndef POSTERN_SYMBOL_H
#define POSTERN_SYMBOL_H

#include "error.h"
#include "span.h"

enum {
    /* Distinct keys of one set. Real sets have tens; tag keys make thousands.
     * Beyond this, inserting in order would be felt. */
    POSTERN__KEYS = 65536
};

/* What the conditions of a set read from a key besides its text. A request
 * parses each value once, when it is put, into the forms that are used. */
enum {
    POSTERN__USE_ADDRESS = 1,
    POSTERN__USE_INSTANT = 2,
    POSTERN__USE_BOOL = 4
};

typedef struct postern__symbol {
    uint32_t name; /* offset in the texts */
    uint32_t length;
    uint32_t uses;
} postern__symbol;

typedef struct postern__symbols {
    postern__vector symbols; /* of postern__symbol */
    postern__vector sorted;  /* of uint32_t */
    postern__vector *texts;  /* of bytes, shared with what is built around it */
} postern__symbols;

void postern__symbols_init(postern__symbols *symbols, postern__vector *texts,
                           const postern_allocator *allocator);
void postern__symbols_free(postern__symbols *symbols);

/* The id of `name`, added if it is new, with `uses` noted. POSTERN_NO_MEMORY
 * or POSTERN_LIMIT. */
int postern__symbols_add(postern__symbols *symbols, postern_span name, uint32_t uses,
                         uint32_t *id);

/* Forgets every id from `count` on. */
void postern__symbols_cut(postern__symbols *symbols, size_t count);

/* The id of `name` in any letter case within finished tables, or -1. */
int32_t postern__symbol_find(const postern__symbol *symbols, const uint32_t *sorted, size_t count,
                             const char *texts, postern_span name);

#endif
