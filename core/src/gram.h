/* Grams, and how an index of patterns lies in memory: see index.h. */
#ifndef POSTERN_GRAM_H
#define POSTERN_GRAM_H

#include "glob.h"

enum {
    POSTERN__WIDE = 8,
    POSTERN__NARROW = 4,
    /* Offsets from the start and from the end that a gram may be anchored at.
     * ARNs differ within their first hundred bytes or their last fifty. */
    POSTERN__STARTS = 128,
    POSTERN__ENDS = 64,
    POSTERN__FIXED = POSTERN__STARTS + POSTERN__ENDS,
    POSTERN__FLOATING = POSTERN__FIXED, /* the number of no fixed place */
    /* Places in use: each costs a search about 2 ns. */
    POSTERN__MOST_PLACES = 24
};

/* What the patterns came to. `rest` and `floating` are what a search pays for
 * whatever the text is. */
typedef struct postern__index_figures {
    uint32_t patterns; /* different ones */
    uint32_t places;   /* fixed ones, each probed once */
    uint32_t floating; /* patterns whose gram floats, */
    uint32_t everywhere; /* of those, the ones with one that begins with no `:` or `/` */
    uint32_t rest;     /* patterns without a gram: tried always */
} postern__index_figures;

typedef struct postern__gram_place {
    uint16_t number; /* below STARTS: an offset; else STARTS + distance of its end */
    uint16_t width;
} postern__gram_place;

typedef struct postern__gram_entry {
    postern__glob glob;
    uint32_t ids; /* the first of them; of one, itself */
    uint32_t count;
    uint32_t high; /* half of its gram's hash: the slot has the other */
    uint16_t has_variables;
    uint16_t last; /* of its gram */
} postern__gram_entry;

typedef struct postern__gram_slot {
    uint32_t low; /* half of the hash */
    uint32_t entry; /* one more than it is; 0: empty */
} postern__gram_slot;

typedef struct postern__gram_head {
    postern__index_figures figures;
    uint32_t bloom, floating_bloom, slots, entries, ids; /* where they start */
    uint32_t bloom_bits, floating_bits, slot_bits;       /* logarithms of words and slots */
    uint16_t everywhere, delimited; /* the widths that are looked for, added up */
    uint32_t unused;
    postern__gram_place places[POSTERN__MOST_PLACES];
} postern__gram_head;

/* The bytes at `at` as a number, told apart by width and place. Different grams of
 * one place never have the same: nobody can write a text of false hits. */
static inline uint64_t postern__gram_hash(const char *at, unsigned width, unsigned number) {
    uint64_t gram = 0;
    if (width == POSTERN__WIDE) {
        memcpy(&gram, at, POSTERN__WIDE);
    } else {
        uint32_t half;
        memcpy(&half, at, POSTERN__NARROW);
        gram = half ^ UINT64_C(0xA24BAED4963EE407);
    }
    gram ^= (number + UINT64_C(1)) * UINT64_C(0x9FB21C651E98DF25);
    gram *= UINT64_C(0xD6E8FEB86659FD93);
    gram ^= gram >> 32;
    return gram * UINT64_C(0xD6E8FEB86659FD93);
}

/* Two bits of one word. The lowest bits of a hash do not know the last bytes of
 * its gram: these stand high enough, and below those that find the word. */
static inline uint64_t postern__gram_bloom(uint64_t hash) {
    return UINT64_C(1) << (hash >> 26 & 63) | UINT64_C(1) << (hash >> 32 & 63);
}

static inline size_t postern__gram_top(uint64_t hash, uint32_t bits) {
    return bits == 0 ? 0 : (size_t)(hash >> (64 - bits));
}

static inline bool postern__gram_delimiter(char c) { return c == ':' || c == '/'; }

#endif
