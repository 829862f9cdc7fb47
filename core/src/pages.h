/* Where a table stands in memory: at a cache line, and if it is large in huge pages.
 *
 * A lookup in a table of megabytes waits for the place of its page as well as for
 * what is there: the processor remembers a few hundred places. One huge page is
 * 512 small ones. In a guest, where finding a place takes several reads, that is
 * a tenth to a third of a lookup (spec/bench/bench_cidr.c).
 *
 *    block ->  [ head | unused | table ............ | unused ]
 *                              ^ a multiple of 64, or of 2 MiB
 *
 * Nobody writes to what is unused, so in large allocations it takes no memory. */
#ifndef POSTERN_PAGES_H
#define POSTERN_PAGES_H

#include <stdbool.h>
#include <stddef.h>

enum { POSTERN__HUGE_PAGE = 2 << 20 };

/* Whether to ask for huge pages: what POSTERN_PAGES in the environment names,
 * "huge" or "small"; huge, if it names nothing or something else. */
bool postern__pages_huge(void);

/* How much to allocate for a head of `head` bytes and a table of `size` behind it. */
size_t postern__pages_room(size_t head, size_t size, bool huge);

/* Where the table begins in `block`, which has that room. From there on nothing may
 * have been written yet. Where the system has no huge pages, pages are small. */
void *postern__pages_place(void *block, size_t head, size_t size, bool huge);

#endif
