/* Intervals of IPv4 by blocks of 256 addresses: for sets as large and as coarse
 * as routing tables are.
 *
 * 128 blocks have one record, found through a directory that says at which of
 * `words` it begins: a bit for each block that an interval ends with, then the
 * numbers of those intervals that are in these blocks, packed. How many bits are
 * set before an address's block is the place of its number. What is behind the
 * directory is side by side, so a lookup waits for memory twice, and the
 * directory stays in a cache where the rest does not.
 *
 *    blocks      | 10.0.0.x | 10.0.1.x | 10.0.2.x | ...
 *    directory   [ ... | 4711 | 4726 | ... ]
 *                         |
 *    words       ... [ 010...  | 7 | 8 | ... ] [ next record ] ...
 *
 * A number is an answer and one more. A block in which an interval ends before
 * its last address is deep: it is an interval of its own, and its number,
 * counted from `deep`, says which of `starts`: from there on `lows` has the last
 * 8 bits of the ends in it. Of its numbers in `within` there is one more.
 *
 *    starts      [ 0         | 2    | 3 ]
 *    lows        [ 0f     7f | 00   ]
 *    within      [ -0f | 10-7f | 80- | -00 | 01- ]
 */
#ifndef POSTERN_BLOCKS_H
#define POSTERN_BLOCKS_H

#include "interval.h"
#include "packed.h"

enum {
    POSTERN__RECORD_BLOCKS = 128,
    POSTERN__RECORD_BITS = POSTERN__RECORD_BLOCKS / 32, /* words */
    POSTERN__RECORDS = (1 << 24) / POSTERN__RECORD_BLOCKS
};

typedef struct postern__blocks {
    uint32_t bits;                 /* of a number */
    uint32_t deep;                 /* the first number of a deep block */
    uint32_t starts, lows, within; /* offsets */
    uint32_t unused[11];           /* the directory begins with a cache line */
    uint32_t directory[POSTERN__RECORDS];
    uint32_t words[];
} postern__blocks;

/* Whether they are the better shape for so many ends and such ones. */
bool postern__blocks_suit(const postern__end *ends, size_t count);

/* Appends them; `answers` are one more than `ends`. False: out of memory. */
bool postern__blocks_append(const postern__site *site, const postern__end *ends,
                            const int32_t *answers, size_t count, uint32_t *offset);

/* The answer within a deep block, that of `number`, for an address. */
int32_t postern__blocks_within(const void *start, const postern__blocks *blocks, uint32_t number,
                                uint32_t address);

/* The answer for `address`. */
POSTERN__FOR_EACH_PATH int32_t postern__blocks_find(const postern__lanes *lanes, const void *start,
                                                    const postern__blocks *blocks,
                                                    uint32_t address) {
    uint32_t block = address >> 8;
    const uint32_t *record = blocks->words + blocks->directory[block / POSTERN__RECORD_BLOCKS];
    POSTERN__PREFETCH(record + 3 * POSTERN__RECORD_BITS);
    uint64_t first = record[0] | (uint64_t)record[1] << 32;
    uint64_t second = record[2] | (uint64_t)record[3] << 32;
    uint32_t in_second = block / 64 % 2;
    uint64_t bits = in_second != 0 ? second : first;
    uint32_t place = (lanes->ones(first, 64) & (0 - in_second)) + lanes->ones(bits, block % 64);
    uint32_t number = postern__packed_at(record + POSTERN__RECORD_BITS, blocks->bits, place);
    if (number >= blocks->deep) return postern__blocks_within(start, blocks, number, address);
    return (int32_t)number - 1;
}

#endif
