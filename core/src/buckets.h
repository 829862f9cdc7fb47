/* Prefixes of IPv6 by their first bits: for large sets whose prefixes are spread,
 * and no longer than 64 bits.
 *
 * Behind the bits that all have in common some bits of an address find its
 * bucket, through a directory that says at which of `bytes` its record begins.
 * As in blocks.h it lists the prefixes within the bucket, longest first: the
 * first that holds the address answers, and behind the last stands what is
 * answered around them all. A prefix is a word: its bits behind those of the
 * bucket, then a one, then zeros.
 *
 *    an address  | 0010 | 1011 0000 | 0101 1100 ...
 *                 common   bucket     word
 *    directory   [ ... | 4711 | 4730 | ... ]
 *                          |
 *    bytes       ... [ 2 | 0101 11 1 0... | 01 1 0... | 7 8 2 ] [ next record ] ...
 *                      |         |              |         +- numbers, packed: an
 *                      |         |              |            answer and one more
 *                      |         |              +- of two bits
 *                      |         +- of six bits
 *                      +- how many
 */
#ifndef POSTERN_BUCKETS_H
#define POSTERN_BUCKETS_H

#include "interval.h"
#include "packed.h"

typedef struct postern__buckets {
    uint64_t common;      /* bits that all have in common, */
    uint64_t mask;        /* and where they are */
    uint32_t skip, bits;  /* how many, and how many that tell the bucket */
    uint32_t number_bits; /* of a number, */
    uint32_t most;        /* and the greatest of so many */
    uint32_t bytes;       /* offset */
    uint32_t unused[7];   /* the directory begins with a cache line */
    uint32_t directory[];
} postern__buckets;

/* Which bits tell the bucket. */
typedef struct postern__buckets_plan {
    uint32_t skip, bits;
} postern__buckets_plan;

/* Whether they are the better shape for such prefixes (postern__nested), and
 * then how: no record lists more than POSTERN__LIST6. */
bool postern__buckets_suit(const postern__vector *prefixes, postern__buckets_plan *plan);

/* Appends them. False: out of memory. */
bool postern__buckets_append(const postern__site *site, const postern__vector *prefixes,
                             postern__buckets_plan plan, uint32_t *offset);

/* The answer for an address, of which these are the first 64 bits. */
POSTERN__FOR_EACH_PATH int32_t postern__buckets_find(const postern__lanes *lanes,
                                                     const void *start,
                                                     const postern__buckets *buckets,
                                                     uint64_t high) {
    if (((high ^ buckets->common) & buckets->mask) != 0) return POSTERN_NO_MATCH;
    uint64_t behind = high << buckets->skip;
    const uint8_t *record = (const uint8_t *)postern__at_offset(start, buckets->bytes) +
                            buckets->directory[behind >> (64 - buckets->bits)];
    uint32_t count = record[0];
    const uint8_t *numbers = record + 1 + (size_t)count * 8;
    postern__fetch(numbers);
    uint32_t place = lanes->list6(record + 1, count, behind << buckets->bits);
    if (buckets->most == 1) { /* all answer alike, which need not wait for the place */
        uint32_t around = postern__packed_in(numbers, 1, 1, count);
        return (int32_t)(around | (place < count)) - 1;
    }
    return (int32_t)postern__packed_in(numbers, buckets->number_bits, buckets->most, place) - 1;
}

#endif
