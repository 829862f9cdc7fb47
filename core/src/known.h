/* A table of what was seen before, by its hash: open addressing, and the hash
 * beside the number, so that what differs is hardly ever looked at.
 *
 *    hash --> [ hash, number | hash, number |   | hash, number | ... ]  */
#ifndef POSTERN_KNOWN_H
#define POSTERN_KNOWN_H

#include "alloc.h"
#include "word.h"

typedef struct postern__known {
    uint32_t hash;
    uint32_t number; /* one more than it is; 0: empty */
} postern__known;

/* Makes an empty table for `count` of a vector of postern__known; it holds at
 * least twice as many. NULL: out of memory. */
static inline postern__known *postern__known_init(postern__vector *table, size_t count) {
    size_t room = 16;
    while (room < 2 * count) room *= 2;
    table->count = 0;
    postern__known *items = postern__vector_push(table, NULL, room);
    if (items != NULL) memset(items, 0, room * sizeof *items);
    return items;
}

/* What is looked up soon. */
static inline void postern__known_fetch(const postern__vector *table, uint32_t hash) {
    postern__fetch(POSTERN__AT(table, postern__known, hash & (table->count - 1)));
}

/* Goes on to the next of this hash, from `*at` on: false at the end, where
 * there is room for one more. To begin with `*at` is the hash. */
static inline bool postern__known_next(const postern__vector *table, uint32_t hash, size_t *at) {
    const postern__known *items = POSTERN__AT(table, postern__known, 0);
    size_t mask = table->count - 1;
    for (*at &= mask; items[*at].number != 0; *at = (*at + 1) & mask) {
        if (items[*at].hash == hash) return true;
    }
    return false;
}

#endif
