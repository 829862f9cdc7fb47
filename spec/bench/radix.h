/* A plain radix tree over prefixes: what a program writes that has no library. */
#ifndef POSTERN_BENCH_RADIX_H
#define POSTERN_BENCH_RADIX_H

#include "lookups.h"

/* A binary tree with the bits between two branches skipped. */
struct node {
    pair key;
    uint32_t child[2]; /* 0: none */
    int32_t answer;
    uint8_t length;
};

struct radix {
    struct node *nodes;
    uint32_t count;
};

static unsigned bit_of(pair at, unsigned bit) {
    return (bit < 64 ? at.high >> (63 - bit) : at.low >> (127 - bit)) & 1;
}

static unsigned common_bits(pair a, pair b) {
    if (a.high != b.high) return (unsigned)__builtin_clzll(a.high ^ b.high);
    return a.low == b.low ? 128 : 64 + (unsigned)__builtin_clzll(a.low ^ b.low);
}

static uint32_t new_node(struct radix *radix, pair key, unsigned length, int32_t answer) {
    radix->nodes[radix->count] =
        (struct node){.key = key, .answer = answer, .length = (uint8_t)length};
    return radix->count++;
}

static void radix_add(struct radix *radix, const postern__prefix *prefix, int32_t answer) {
    pair key = {prefix->address.high, prefix->address.low};
    uint32_t *at = &radix->nodes[0].child[0];
    for (;;) {
        if (*at == 0) {
            *at = new_node(radix, key, prefix->length, answer);
            return;
        }
        struct node *node = &radix->nodes[*at];
        unsigned common = common_bits(node->key, key);
        if (common > prefix->length) common = prefix->length;
        if (common < node->length) {
            uint32_t old = *at;
            pair cut = {key.high & postern__high_mask(common), key.low & postern__low_mask(common)};
            bool ends = common == prefix->length;
            uint32_t fork = new_node(radix, cut, common, ends ? answer : -1);
            *at = fork;
            radix->nodes[fork].child[bit_of(node->key, common)] = old;
            if (!ends) {
                uint32_t leaf = new_node(radix, key, prefix->length, answer);
                radix->nodes[fork].child[bit_of(key, common)] = leaf;
            }
            return;
        }
        if (node->length == prefix->length) {
            node->answer = answer;
            return;
        }
        at = &node->child[bit_of(key, node->length)];
    }
}

static inline int32_t radix_find(const struct radix *radix, pair at) {
    int32_t best = -1;
    uint32_t place = radix->nodes[0].child[0];
    while (place != 0) {
        const struct node *node = &radix->nodes[place];
        if (((at.high ^ node->key.high) & postern__high_mask(node->length)) != 0 ||
            ((at.low ^ node->key.low) & postern__low_mask(node->length)) != 0)
            break;
        if (node->answer >= 0) best = node->answer;
        if (node->length == 128) break;
        place = node->child[bit_of(at, node->length)];
    }
    return best;
}

LOOPS(radix4, uint32_t, ipv4, at ^= turn, radix_find(self, (pair){(uint64_t)at << 32, 0}),
      radix_find(self, (pair){(uint64_t)at << 32, 0}))
LOOPS(radix6, pair, ipv6, (at.high ^= turn, at.low ^= turn), radix_find(self, at),
      radix_find(self, at))

static void build_radix(struct contestant *made, const postern__prefix *prefixes, size_t count) {
    struct radix *radix = must(calloc(1, sizeof *radix));
    double start = now();
    radix->nodes = must(calloc(2 * count + 2, sizeof *radix->nodes));
    radix->count = 1;
    for (size_t i = 0; i < count; i++) radix_add(radix, &prefixes[i], (int32_t)i);
    made->build = now() - start;
    made->memory = (double)radix->count * sizeof *radix->nodes / (1 << 20);
    made->self = radix;
}

static void free_radix(void *self) {
    free(((struct radix *)self)->nodes);
    free(self);
}

#endif
