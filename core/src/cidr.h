/* Sets of prefixes, and the public matcher over one. */
#ifndef POSTERN_CIDR_H
#define POSTERN_CIDR_H

#include "error.h"
#include "interval.h"
#include "simd.h"

/* A set, in one block: for each family its ends (see interval.h) in a shape
 * that counts those below an address, and an answer for every count.
 *
 *    part IPv4 | part IPv6 | what IPv4 needs | what IPv6 needs
 *
 * The answers of membership alternate: whether the count is odd is the answer,
 * and there is no table. Others are packed into as few bits as they need; where
 * there are very many and a quarter is none, only the rest, see packed.h.
 *
 * Few: a line or some (64 bytes: 16 keys of IPv4, 8 of IPv6), all compared.
 *
 *    [ e0 e1 ... e15 ] [ e16 ... and what is never below an address ]
 *
 * Tree: lines of the ends; above, lines of the last key of each line below;
 * and so on up to few. In every line the count of keys below the address is
 * the place of the line to go on with. Shown with three keys a line:
 *
 *                [ 30 90 ## ]
 *            /        |       \
 *    [ 10 20 30 ] [ 40 80 90 ] [ 95 ## ## ]
 *
 * Directory of IPv4: the first bits of an address, 16 or some more, find its
 * bucket, whose ends are known by their last 16 bits. A window of a bucket, 32
 * ends, is compared at once; a larger bucket is first halved down to a window.
 *
 *    directory  [ 0 | 2 | 2 | 5 | ... ]     of 2^16 buckets, and the end
 *                 |   |________|
 *    ends       [ 00ff fffe | 1000 10ff ffff | ... ]
 *
 * Blocks: a hundred thousand ends of IPv4 and more, of membership a million, that
 * hardly ever part 256 addresses, see blocks.h. Buckets: thousands of prefixes of IPv6 and more, none longer than
 * 64 bits, that are spread, see buckets.h.
 *
 * IPv6 decides by the first 64 bits: its keys are those of the ends, each kept
 * once. Where an end is not the last address of its 64 bits, `starts` says
 * which of `lows` belong to a key; they are asked when the key is that of the
 * address itself. Its directory takes a few bits behind those that all keys
 * have in common, as many as give a bucket few keys; it stands above a tree, to
 * which crowded buckets are left. Where most keys are in such there is only the
 * tree.
 *
 *    keys    [ 20010db8'00000000 | 20010db8'00000007 | ... ]
 *    starts  [ 0                 | 2                 | ... ]
 *    lows    [ 0000..00fe  ffff..ffff | 0000..000f | ... ]
 */
typedef enum postern__shape {
    POSTERN__FEW,
    POSTERN__TREE,
    POSTERN__DIRECTORY,
    POSTERN__BLOCKS,
    POSTERN__BUCKETS
} postern__shape;

/* Appends to `block` (a vector of bytes) a set of prefixes that can be found
 * from its own start alone: it holds offsets, so it may be copied or mapped
 * anywhere that is aligned to 8; lookups are quickest where it is aligned to
 * 64. The start of the set within the block goes to `offset`, a multiple of 8.
 * The bytes depend on the arguments alone, not on the processor. False: out of
 * memory, or more than INT32_MAX prefixes; the block is as it was. */
bool postern__cidr_build(const postern__prefix *prefixes, size_t count, postern__answer answer,
                         postern__vector *block, size_t *offset);

/* What the set answers for `address`: 0 or an index, or POSTERN_NO_MATCH.
 * `set` is the start that build gave; `simd`, no more than the processor has.
 * Allocates nothing. Its time is bounded: at most a dozen lines, or as many halvings
 * of a bucket and a window, and then at most 28 halvings of lows. */
int32_t postern__cidr_find(const void *set, postern__simd simd, const postern__address *address);

/* What was chosen for a family, for tests, benchmarks and reports. */
typedef struct postern__cidr_report {
    postern__shape shape;
    size_t ends;
} postern__cidr_report;

/* "few", "tree", "directory", "blocks" or "buckets". */
const char *postern__shape_name(postern__shape shape);

postern__cidr_report postern__cidr_describe(const void *set, uint8_t family);

#endif
