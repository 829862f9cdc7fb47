/* Text eight bytes at a time. All inline.
 *
 *    a r n : a w s :   ->   one number, `a` in its lowest byte on every machine
 *
 * Questions about each byte are answered in its top bit. */
#ifndef POSTERN_WORD_H
#define POSTERN_WORD_H

#include "span.h"

enum { POSTERN__WORD = 8 };

/* A byte in every place of a word. */
#define POSTERN__EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* The eight bytes at `text`; written out, so that compilers make one
 * load of it. */
static inline uint64_t postern__word_at(const void *text) {
    const unsigned char *b = text;
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

/* The first `length` bytes at `text`, less than eight, and zeros. */
static inline uint64_t postern__word_start(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++) word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static inline bool postern__word_ascii(uint64_t word) {
    return (word & POSTERN__EACH_BYTE(0x80)) == 0;
}

/* The top bit of each byte that is `c`, and no other bit. */
static inline uint64_t postern__word_finds(uint64_t word, unsigned char c) {
    const uint64_t low = POSTERN__EACH_BYTE(0x7F);
    uint64_t other = word ^ POSTERN__EACH_BYTE(c);
    return ~(((other & low) + low) | other | low);
}

/* Its letters from A to Z made small. */
static inline uint64_t postern__word_lower(uint64_t word) {
    uint64_t low = word & POSTERN__EACH_BYTE(0x7F);
    uint64_t from_a = low + POSTERN__EACH_BYTE(0x80 - 'A');
    uint64_t behind_z = low + POSTERN__EACH_BYTE(0x7F - 'Z');
    return word | (from_a & ~behind_z & ~word & POSTERN__EACH_BYTE(0x80)) >> 2;
}

/* The number of the lowest bit that is set; there has to be one. */
static inline unsigned postern__lowest_bit(uint64_t bits) {
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(bits);
#else
    unsigned at = 0;
    while ((bits >> at & 1) == 0) at++;
    return at;
#endif
}

/* The offset of the first `c` at or after `from`, or the length: for what is near;
 * further off a call of memchr is less. */
static inline size_t postern__word_search(postern_span text, size_t from, char c) {
    for (; text.length - from >= POSTERN__WORD; from += POSTERN__WORD) {
        uint64_t found = postern__word_finds(postern__word_at(text.text + from), (unsigned char)c);
        if (found != 0) return from + postern__lowest_bit(found) / 8;
    }
    while (from < text.length && text.text[from] != c) from++;
    return from;
}

/* Asks for memory that will be read soon. */
static inline void postern__fetch(const void *at) {
#if defined(__GNUC__)
    __builtin_prefetch(at);
#else
    (void)at;
#endif
}

/* How many bytes of a word have their top bit set. */
static inline unsigned postern__tops_count(uint64_t tops) {
    return (unsigned)((tops >> 7 & POSTERN__EACH_BYTE(1)) * POSTERN__EACH_BYTE(1) >> 56);
}

/* A number that texts hardly share; `seed` tells apart what is hashed. It is no
 * secret: whoever uses it has to bear texts that were chosen to share one. */
static inline uint64_t postern__text_hash(const char *text, size_t length, uint64_t seed) {
    uint64_t hash = seed ^ length * UINT64_C(0xCBF29CE484222325);
    size_t at = 0;
    for (; length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        hash = (hash ^ postern__word_at(text + at)) * UINT64_C(0x9FB21C651E98DF25);
        hash ^= hash >> 32;
    }
    if (at < length) hash ^= postern__word_start(text + at, length - at);
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

#endif
