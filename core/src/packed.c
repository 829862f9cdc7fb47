#include "packed.h"

unsigned postern__packed_bits(uint32_t most) {
    unsigned bits = 1;
    for (; most > 1; most >>= 1) bits++;
    return bits;
}

/* Two words are read at once, from the one where a number begins. */
static size_t words_of(size_t count, unsigned bits) {
    return ((uint64_t)count * bits) / 32 + 2;
}

bool postern__packed_append(const postern__site *site, size_t count, unsigned bits,
                            uint32_t *offset) {
    return postern__site_append(site, POSTERN__LINE, NULL,
                                words_of(count, bits) * sizeof(uint32_t), offset);
}

void postern__packed_put(uint32_t *words, unsigned bits, size_t index, uint32_t number) {
    size_t bit = index * bits;
    uint64_t both = (uint64_t)number << bit % 32;
    words[bit / 32] |= (uint32_t)both;
    words[bit / 32 + 1] |= (uint32_t)(both >> 32);
}

void postern__packed_put_in(uint8_t *bytes, unsigned bits, size_t index, uint32_t number) {
    size_t bit = index * bits;
    uint64_t shifted = (uint64_t)number << bit % 8;
    for (size_t i = bit / 8; shifted > 0; i++, shifted >>= 8) bytes[i] |= (uint8_t)shifted;
}

bool postern__ranks_append(const postern__site *site, size_t count, uint32_t *offset) {
    return postern__site_append(site, POSTERN__LINE, NULL,
                                postern__ranks_room(count) * sizeof(postern__rank), offset);
}

void postern__ranks_count(postern__rank *ranks, size_t count) {
    uint32_t before = 0;
    for (size_t i = 0; i < (count + 31) / 32; i++) {
        ranks[i].before = before;
        before += postern__ones_scalar(ranks[i].taken, 32);
    }
}
