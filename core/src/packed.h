/* Tables of numbers, each in as many bits as the largest of them needs.
 *
 *    words   [ number 0 | number 1 | num|ber 2 | ... ]      of 20 bits, say
 *
 * Where many places of a table are empty, ranks say which: for 32 places how
 * many are taken before them, and a bit for each that is. The numbers then
 * stand one behind the other without gaps.
 *
 *    ranks   [ 0 : 1011... | 21 : 0110... | ... ]
 */
#ifndef POSTERN_PACKED_H
#define POSTERN_PACKED_H

#include "lanes.h"
#include "site.h"

/* How many bits hold every number up to `most`; 1 to 32. */
unsigned postern__packed_bits(uint32_t most);

/* Appends a table of `count` zeros of `bits` bits. False: out of memory. */
bool postern__packed_append(const postern__site *site, size_t count, unsigned bits,
                            uint32_t *offset);

/* Puts a number where a zero is. */
void postern__packed_put(uint32_t *words, unsigned bits, size_t index, uint32_t number);

/* Number `index`, or that of the place right behind the table, whatever it is. */
static inline uint32_t postern__packed_at(const uint32_t *words, unsigned bits, size_t index) {
    size_t bit = index * bits;
    const uint32_t *first = words + bit / 32;
    uint64_t both = first[0] | (uint64_t)first[1] << 32;
    return (uint32_t)(both >> bit % 32 & ((UINT64_C(1) << bits) - 1));
}

/* The same in a table that begins at any byte: the first number is in the least
 * bits of the first. Eight bytes are read at once, from the one where a number
 * begins. `most` is the greatest number of so many bits. */
static inline uint32_t postern__packed_in(const uint8_t *bytes, uint32_t bits, uint32_t most,
                                          uint32_t index) {
    uint32_t bit = index * bits;
    return (uint32_t)(postern__word_at(bytes + bit / 8) >> bit % 8) & most;
}

/* Puts a number where a zero is. */
void postern__packed_put_in(uint8_t *bytes, unsigned bits, size_t index, uint32_t number);

/* 32 places. */
typedef struct postern__rank {
    uint32_t before;
    uint32_t taken;
} postern__rank;

/* Appends ranks of `count` places, all of them empty, to the end of a cache
 * line. False: out of memory. */
bool postern__ranks_append(const postern__site *site, size_t count, uint32_t *offset);

/* How many ranks that are, and the end. */
static inline size_t postern__ranks_room(size_t count) {
    enum { IN_LINE = POSTERN__LINE / sizeof(postern__rank), PLACES = 32 * IN_LINE };
    return (count + PLACES - 1) / PLACES * IN_LINE;
}

static inline void *postern__ranks_end(const postern__rank *ranks, size_t count) {
    return (void *)(uintptr_t)(ranks + postern__ranks_room(count));
}

/* Takes `place`, then counts once all are taken. */
static inline void postern__ranks_take(postern__rank *ranks, size_t place) {
    ranks[place / 32].taken |= UINT32_C(1) << place % 32;
}

void postern__ranks_count(postern__rank *ranks, size_t count);

static inline bool postern__ranks_taken(const postern__rank *ranks, size_t place) {
    return ranks[place / 32].taken >> place % 32 & 1;
}

/* How many are taken before `place`. */
POSTERN__FOR_EACH_PATH uint32_t postern__ranks_before(const postern__lanes *lanes,
                                                      const postern__rank *ranks, size_t place) {
    const postern__rank *rank = &ranks[place / 32];
    return rank->before + lanes->ones(rank->taken, place % 32);
}

#endif
