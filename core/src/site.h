/* A place in a block where something is made that can be found from its own
 * start alone: it holds no pointers, but offsets from there. */
#ifndef POSTERN_SITE_H
#define POSTERN_SITE_H

#include "alloc.h"
#include "span.h"

/*    block ->  [ what was there | padding to 8 | start ... | padding | ... ]
 *                                                ^ offset 0            ^ offset n: n * 8 bytes on
 */
typedef struct postern__site {
    postern__vector *block; /* of bytes */
    size_t start;
} postern__site;

/* Appends `size` bytes at the next multiple of `align` (of 8), seen from the
 * start; copied from `bytes`, or zeros when that is NULL. Where they stand goes
 * to `offset`. False: out of memory, or too far from the start. */
bool postern__site_append(const postern__site *site, size_t align, const void *bytes, size_t size,
                          uint32_t *offset);

/* What is at an offset, until the block grows. */
static inline void *postern__site_at(const postern__site *site, uint32_t offset) {
    return site->block->items + site->start + (size_t)offset * 8;
}

/* The same once it is made, seen from its start. */
static inline const void *postern__at_offset(const void *start, uint32_t offset) {
    return (const char *)start + (size_t)offset * 8;
}

#endif
