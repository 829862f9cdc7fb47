/* Prefixes as intervals: all addresses of a family, cut where answers change.
 *
 *    prefixes     |---------- 0 ----------|            0: 10.0.0.0/8
 *                       |-- 1 --|                      1: 10.1.0.0/16
 *    answers    - |  0  |   1   |    0    |     -
 *    ends        ^     ^       ^         ^
 *
 * An interval is known by its last address; the last interval, which ends with
 * the last address there is, needs none. So an address lies in the interval
 * whose number is the count of ends below it, and no end is ever above every
 * address: whatever is greatest may fill up a table of ends.
 *
 * The prefixes that made them are kept as well, in the order of their addresses
 * and outer ones first, for shapes that look for prefixes and not for intervals:
 * above 0, 1. There each is once, however often others interrupt it. */
#ifndef POSTERN_INTERVAL_H
#define POSTERN_INTERVAL_H

#include "address.h"
#include "alloc.h"

/* As an address; in IPv4 all bits behind the top 32 are set. */
typedef struct postern__end {
    uint64_t high, low;
} postern__end;

typedef struct postern__nested {
    uint64_t high, low; /* the first address */
    int32_t answer;
    uint32_t length;
} postern__nested;

typedef struct postern__intervals {
    postern__vector ends;     /* postern__end, ascending; one less than answers */
    postern__vector answers;  /* int32_t; neighbours differ */
    postern__vector prefixes; /* postern__nested; none answers what the one around it does */
} postern__intervals;

/* What an interval answers. */
typedef enum postern__answer {
    POSTERN__MEMBERSHIP, /* 0 inside of any prefix */
    POSTERN__LONGEST     /* the index of the longest prefix, the earlier of equals */
} postern__answer;

/* From the prefixes of `family` among `prefixes`, at most INT32_MAX. Outside of
 * all the answer is POSTERN_NO_MATCH. False: out of memory, and `out` holds
 * nothing. The caller frees `out` with the next function. */
bool postern__intervals_build(const postern__prefix *prefixes, size_t count, uint8_t family,
                              postern__answer answer, const postern_allocator *allocator,
                              postern__intervals *out);

void postern__intervals_free(postern__intervals *intervals);

#endif
