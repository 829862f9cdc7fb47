/* Prefixes of IPv4 by blocks of 256 addresses: for sets as large and as coarse
 * as routing tables are.
 *
 * 256 blocks have one record, found through a directory that says at which of
 * `bytes` it begins. It lists the prefixes within it, longest first: the first
 * that holds an address's block answers, and behind the last stands what is
 * answered around them all. So a prefix takes its place, its number and, if it is
 * more than a block, a mask, however often others interrupt it; and all that an
 * address asks for is side by side. A lookup waits for memory twice, and the
 * directory stays in a cache where the rest does not.
 *
 *    directory  [ ... | 4711 | 4726 | ... ]           10.0.x.x, 10.1.x.x
 *                         |
 *    bytes      ... [ 3 1 | 00 07 40 | c0 | 7 8 2 0 ] [ next record ] ...
 *                     |      |         |    +- numbers, packed: of 10.1.0/24,
 *                     |      |         |       of 10.1.7/24, of 10.1.64/18, else
 *                     |      |         +- masks of those that are more than a block
 *                     |      +- places within 10.1.x.x
 *                     +- how many, and how many of them have a mask
 *
 * A record of more than 32 prefixes says FF instead, and has a bit for each block
 * that an interval ends with, then the numbers of those intervals: how many bits
 * are set before a block is the place of its number. How many those are before
 * every 64 stands in front.
 *
 *    blocks                      | 10.1.0.x | 10.1.1.x | 10.1.2.x | ...
 *    bytes      ... [ FF | 0 20 41 60 | 010... | 7 | 8 | ... ]
 *
 * A number is an answer and one more. A block in which an interval ends before
 * its last address is deep: its number, counted from `deep`, says which of
 * `starts`: from there on `lows` has the last 8 bits of the ends in it. Of its
 * numbers in `within` there is one more.
 *
 *    starts     [ 0         | 2    | 3 ]
 *    lows       [ 0f     7f | 00   ]
 *    within     [ -0f | 10-7f | 80- | -00 | 01- ]
 */
#ifndef POSTERN_BLOCKS_H
#define POSTERN_BLOCKS_H

#include "interval.h"
#include "packed.h"

enum {
    POSTERN__RECORD_BLOCKS = 256,
    POSTERN__RECORD_WORDS = POSTERN__RECORD_BLOCKS / 64,
    POSTERN__RECORDS = (1 << 24) / POSTERN__RECORD_BLOCKS,
    POSTERN__CROWDED = 0xFF
};

typedef struct postern__blocks {
    uint32_t bits;                 /* of a number */
    uint32_t most;                 /* the greatest of so many */
    uint32_t deep;                 /* the first number of a deep block */
    uint32_t starts, lows, within; /* offsets */
    uint32_t unused[10];           /* the directory begins with a cache line */
    uint32_t directory[POSTERN__RECORDS];
    uint8_t bytes[];
} postern__blocks;

/* Whether they are the better shape for so many ends and such ones. */
bool postern__blocks_suit(const postern__end *ends, size_t count, postern__answer answer);

/* Appends them. False: out of memory. */
bool postern__blocks_append(const postern__site *site, const postern__intervals *intervals,
                            uint32_t *offset);

/* The answer within a deep block, that of `number`, for an address. */
int32_t postern__blocks_within(const void *start, const postern__blocks *blocks, uint32_t number,
                                uint32_t address);

/* That of an address's block. */
static inline const uint8_t *postern__blocks_record(const postern__blocks *blocks,
                                                    uint32_t address) {
    return blocks->bytes + blocks->directory[address >> 16];
}

static inline int32_t postern__blocks_answer(const void *start, const postern__blocks *blocks,
                                             const uint8_t *numbers, uint32_t place,
                                             uint32_t address) {
    uint32_t number = postern__packed_in(numbers, blocks->bits, blocks->most, place);
    if (number >= blocks->deep) return postern__blocks_within(start, blocks, number, address);
    return (int32_t)number - 1;
}

/* The answer for `address` by its record, one that lists and one that is crowded. */
POSTERN__FOR_EACH_PATH int32_t postern__blocks_listed(const postern__lanes *lanes,
                                                      const void *start,
                                                      const postern__blocks *blocks,
                                                      const uint8_t *record, uint32_t address) {
    uint32_t count = record[0], masked = record[1];
    const uint8_t *list = record + 2;
    uint32_t place = lanes->list4(list, count, masked, (uint8_t)(address >> 8));
    return postern__blocks_answer(start, blocks, list + count + masked, place, address);
}

POSTERN__FOR_EACH_PATH int32_t postern__blocks_crowded(const postern__lanes *lanes,
                                                       const void *start,
                                                       const postern__blocks *blocks,
                                                       const uint8_t *record, uint32_t address) {
    uint32_t word = address >> 14 & 3;
    const uint8_t *before = record + 1;
    const uint8_t *words = before + POSTERN__RECORD_WORDS;
    uint64_t bits = postern__word_at(words + (size_t)word * 8);
    uint32_t place = before[word] + lanes->ones(bits, address >> 8 & 63);
    return postern__blocks_answer(start, blocks, words + POSTERN__RECORD_BLOCKS / 8, place,
                                  address);
}

#endif
