#include "matcher.h"

#include "pages.h"

/* The set stands behind this head, in the same allocation, see pages.h. */
struct postern_cidr {
    postern_allocator allocator;
    uint64_t size; /* of the whole, for the allocator */
    uint64_t used; /* of that */
    const void *set;
    postern__simd simd;
};

static int fail_range(postern_span text, size_t index, postern_error *error) {
    unsigned limit = postern__prefix_limit(text);
    if (limit == 0)
        return postern__fail(error, POSTERN_VALUE, 0, 0,
                             "range %zu: `%.*s%s`: not an IPv4 or IPv6 address; write it like "
                             "10.0.0.0/8 or 2001:db8::/32, without spaces, leading zeros or zone",
                             index, POSTERN__QUOTE(text));
    return postern__fail(error, POSTERN_VALUE, 0, 0,
                         "range %zu: `%.*s%s`: bad prefix length; write 0 to %u after the slash, "
                         "without leading zeros, or leave both out for one address",
                         index, POSTERN__QUOTE(text), limit);
}

/* Appends the parsed ranges to `prefixes`. */
static int parse_ranges(const postern_span *ranges, size_t count, postern__vector *prefixes,
                        postern_error *error) {
    if (!postern__vector_reserve(prefixes, count)) return postern__no_memory(error);
    for (size_t i = 0; i < count; i++) {
        postern__prefix prefix;
        if (!postern__prefix_parse(ranges[i], &prefix)) return fail_range(ranges[i], i, error);
        postern__vector_push(prefixes, &prefix, 1);
    }
    return POSTERN_OK;
}

static postern_cidr *new_matcher(const postern__vector *prefixes, postern__vector *block) {
    size_t offset;
    if (!postern__cidr_build((const void *)prefixes->items, prefixes->count, POSTERN__LONGEST,
                             block, &offset))
        return NULL;
    bool huge = postern__pages_huge();
    size_t size = postern__pages_room(sizeof(postern_cidr), block->count, huge);
    postern_cidr *cidr = postern__alloc(&block->allocator, size);
    if (cidr == NULL) return NULL;
    char *set = postern__pages_place(cidr, sizeof(postern_cidr), block->count, huge);
    memcpy(set, block->items, block->count);
    *cidr = (postern_cidr){.allocator = block->allocator,
                           .size = size,
                           .used = sizeof(postern_cidr) + block->count,
                           .set = set,
                           .simd = postern__simd_choose()};
    return cidr;
}

postern_cidr *postern_cidr_new(const postern_span *ranges, size_t count,
                               const postern_allocator *allocator, postern_error *error) {
    if (count > INT32_MAX) {
        postern__fail(error, POSTERN_LIMIT, 0, 0, "%zu ranges in one set; at most %d are possible",
                      count, INT32_MAX);
        return NULL;
    }
    if (ranges == NULL && count > 0) {
        postern__fail(error, POSTERN_MISUSE, 0, 0, "%zu ranges announced but none given", count);
        return NULL;
    }
    postern_allocator own = postern__allocator(allocator);
    postern__vector prefixes, block;
    postern__vector_init(&prefixes, sizeof(postern__prefix), &own);
    postern__vector_init(&block, 1, &own);
    postern_cidr *cidr = NULL;
    if (parse_ranges(ranges, count, &prefixes, error) == POSTERN_OK) {
        cidr = new_matcher(&prefixes, &block);
        if (cidr == NULL) postern__no_memory(error);
    }
    postern__vector_free(&block);
    postern__vector_free(&prefixes);
    return cidr;
}

int32_t postern_cidr_match(const postern_cidr *cidr, const char *address, size_t length) {
    postern__address parsed;
    if (!postern__address_parse((postern_span){address, length}, &parsed))
        return POSTERN_NOT_AN_ADDRESS;
    return postern__cidr_find(cidr->set, cidr->simd, &parsed);
}

void postern_cidr_describe(const postern_cidr *cidr, postern_cidr_report *out) {
    *out = (postern_cidr_report){
        .simd = postern__simd_name(cidr->simd),
        .ipv4 = postern__shape_name(postern__cidr_describe(cidr->set, 4).shape),
        .ipv6 = postern__shape_name(postern__cidr_describe(cidr->set, 6).shape),
        .bytes = (size_t)cidr->used,
    };
}

void postern_cidr_free(postern_cidr *cidr) {
    if (cidr == NULL) return;
    postern_allocator allocator = cidr->allocator;
    postern__free(&allocator, cidr, (size_t)cidr->size);
}
