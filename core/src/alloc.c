#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a vector has room for at least, once it holds anything. */
enum { LEAST_ITEMS = 16, LEAST_BYTES = 256 };

static void *resize_with_malloc(void *user, void *block, size_t old_size, size_t new_size) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_size);
}

postern_allocator postern__allocator(const postern_allocator *allocator) {
    if (allocator != NULL) return *allocator;
    return (postern_allocator){.resize = resize_with_malloc, .user = NULL};
}

void *postern__alloc(const postern_allocator *allocator, size_t size) {
    return allocator->resize(allocator->user, NULL, 0, size);
}

void postern__free(const postern_allocator *allocator, void *block, size_t size) {
    if (block != NULL) allocator->resize(allocator->user, block, size, 0);
}

void postern__vector_init(postern__vector *vector, size_t item_size,
                          const postern_allocator *allocator) {
    memset(vector, 0, sizeof *vector);
    vector->item_size = item_size;
    vector->allocator = *allocator;
}

void postern__vector_free(postern__vector *vector) {
    postern__free(&vector->allocator, vector->items, vector->capacity * vector->item_size);
    vector->items = NULL;
    vector->count = vector->capacity = 0;
}

bool postern__vector_grow(postern__vector *vector, size_t more) {
    size_t limit = PTRDIFF_MAX / vector->item_size;
    if (more > limit - vector->count) return false;
    size_t least = vector->item_size < LEAST_BYTES / LEAST_ITEMS ? LEAST_BYTES / vector->item_size
                                                                 : LEAST_ITEMS;
    size_t capacity = vector->capacity < least ? least : vector->capacity;
    while (capacity < vector->count + more) capacity = capacity > limit / 2 ? limit : capacity * 2;
    void *items = vector->allocator.resize(vector->allocator.user, vector->items,
                                           vector->capacity * vector->item_size,
                                           capacity * vector->item_size);
    if (items == NULL) return false;
    vector->items = items;
    vector->capacity = capacity;
    return true;
}

void *postern__vector_take(postern__vector *vector) {
    size_t size = vector->count * vector->item_size;
    void *items = vector->items;
    if (vector->count < vector->capacity) {
        items = vector->allocator.resize(vector->allocator.user, items,
                                         vector->capacity * vector->item_size, size);
        if (items == NULL) return NULL;
    }
    vector->items = NULL;
    vector->count = vector->capacity = 0;
    return items;
}
