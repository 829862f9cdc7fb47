#if defined(__linux__)
#define _DEFAULT_SOURCE /* madvise */
#endif

#include "pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { CACHE_LINE = 64 };

bool postern__pages_huge(void) {
    const char *wanted = getenv("POSTERN_PAGES");
    return wanted == NULL || strcmp(wanted, "small") != 0;
}

/* How many huge pages: the last one is worth it if it is used by half. */
static size_t pages_of(size_t size, bool huge) {
    return huge && size >= POSTERN__HUGE_PAGE
               ? (size + POSTERN__HUGE_PAGE / 2) / POSTERN__HUGE_PAGE
               : 0;
}

static size_t room_of_table(size_t size, size_t pages) {
    size_t whole = pages * POSTERN__HUGE_PAGE;
    return size > whole ? size : whole;
}

static size_t align_of(size_t pages) { return pages > 0 ? POSTERN__HUGE_PAGE : CACHE_LINE; }

size_t postern__pages_room(size_t head, size_t size, bool huge) {
    size_t pages = pages_of(size, huge);
    return head + align_of(pages) + room_of_table(size, pages);
}

void *postern__pages_place(void *block, size_t head, size_t size, bool huge) {
    size_t pages = pages_of(size, huge);
    size_t align = align_of(pages);
    char *table = (char *)block + head;
    table += (align - (uintptr_t)table % align) % align;
#if defined(MADV_HUGEPAGE)
    /* It is advice: whether it is taken changes nothing but time. */
    if (pages > 0) (void)madvise(table, pages * POSTERN__HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return table;
}
