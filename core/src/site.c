#include "site.h"

bool postern__site_append(const postern__site *site, size_t align, const void *bytes, size_t size,
                          uint32_t *offset) {
    postern__vector *block = site->block;
    size_t place = (block->count - site->start + align - 1) / align * align;
    size_t padding = place + site->start - block->count;
    if (place / 8 > UINT32_MAX || !postern__vector_reserve(block, padding + size + 1))
        return false;
    memset(postern__vector_push(block, NULL, padding), 0, padding);
    char *to = postern__vector_push(block, NULL, size);
    if (bytes != NULL && size > 0) {
        memcpy(to, bytes, size);
    } else if (size > 0) {
        memset(to, 0, size);
    }
    *offset = (uint32_t)(place / 8);
    return true;
}
