/* Allocator calls and the growable array that everything is built in. */
#ifndef POSTERN_ALLOC_H
#define POSTERN_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "postern.h"

/* The caller's allocator, or malloc's when `allocator` is NULL. */
postern_allocator postern__allocator(const postern_allocator *allocator);

/* NULL when memory ran out; nothing is zeroed. `size` is never 0. */
void *postern__alloc(const postern_allocator *allocator, size_t size);
void postern__free(const postern_allocator *allocator, void *block, size_t size);

/* A growable array of items of one size.
 *
 *    items ---> [ item 0 | item 1 | ... | item count-1 | room up to capacity ]
 *
 * Pointers into it end with the next push. After a failed push the vector
 * holds what it held before. */
typedef struct postern__vector {
    char *items;
    size_t count;
    size_t capacity;
    size_t item_size;
    postern_allocator allocator;
} postern__vector;

void postern__vector_init(postern__vector *vector, size_t item_size,
                          const postern_allocator *allocator);
void postern__vector_free(postern__vector *vector);

/* What reserve does where there is no room: larger, by half as much again at least. */
bool postern__vector_grow(postern__vector *vector, size_t more);

/* Room for `more` items after the last; false when memory ran out. */
static inline bool postern__vector_reserve(postern__vector *vector, size_t more) {
    return more <= vector->capacity - vector->count || postern__vector_grow(vector, more);
}

/* Appends `count` items, copied from `items`, or uninitialised when that is
 * NULL. The first of them, or NULL when memory ran out. */
static inline void *postern__vector_push(postern__vector *vector, const void *items,
                                         size_t count) {
    /* Room for one even when count is 0: the result is then not NULL. */
    if (!postern__vector_reserve(vector, count > 0 ? count : 1)) return NULL;
    char *first = vector->items + vector->count * vector->item_size;
    if (items != NULL && count > 0) memcpy(first, items, count * vector->item_size);
    vector->count += count;
    return first;
}

/* Gives up the items to the caller, in a block of their size and no more. NULL:
 * out of memory, and the vector is as it was. It holds at least one byte. */
void *postern__vector_take(postern__vector *vector);

/* Item `index` as a pointer to `type`; NULL in a vector that never held any,
 * since C has no NULL + 0. */
#define POSTERN__AT(vector, type, index) ((type *)postern__vector_at(vector, index))

static inline void *postern__vector_at(const postern__vector *vector, size_t index) {
    return vector->items == NULL ? NULL : vector->items + index * vector->item_size;
}

#endif
