/* The first byte chooses: text as one address and one range, or bytes as a set
 * of prefixes that is compared with a linear scan. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static bool same_address(const postern__address *a, const postern__address *b) {
    return a->family == b->family && a->high == b->high && a->low == b->low;
}

/* In full, so that writing it again shares nothing with reading it. */
static int write_address(const postern__address *address, char *text, size_t size) {
    uint64_t high = address->high;
    if (address->family == 4)
        return snprintf(text, size, "%d.%d.%d.%d", (int)(high >> 56), (int)(high >> 48 & 255),
                        (int)(high >> 40 & 255), (int)(high >> 32 & 255));
    int used = 0;
    for (int i = 0; i < 8; i++) {
        uint64_t half = i < 4 ? high : address->low;
        used += snprintf(text + used, size - (size_t)used, "%s%x", i == 0 ? "" : ":",
                         (unsigned)(half >> (48 - 16 * (i % 4)) & 0xFFFF));
    }
    return used;
}

static void try_text(postern_span text) {
    postern__address address, again;
    postern__prefix prefix, prefix_again;
    char written[64];
    bool is_address = postern__address_parse(text, &address);
    if (is_address) {
        int length = write_address(&address, written, sizeof written);
        require(postern__address_parse((postern_span){written, (size_t)length}, &again));
        require(same_address(&address, &again));
    }
    bool is_prefix = postern__prefix_parse(text, &prefix);
    require(is_prefix || !is_address);
    if (is_prefix) {
        int length = write_address(&prefix.address, written, sizeof written);
        length += snprintf(written + length, sizeof written - (size_t)length, "/%d",
                           prefix.length);
        require(postern__prefix_parse((postern_span){written, (size_t)length}, &prefix_again));
        require(prefix.length == prefix_again.length);
        require(same_address(&prefix.address, &prefix_again.address));
    }
    postern_cidr *cidr = postern_cidr_new(&text, 1, NULL, NULL);
    require((cidr != NULL) == is_prefix);
    if (is_address) require(postern_cidr_match(cidr, text.text, text.length) == 0);
    postern_cidr_free(cidr);
}

static void clear_from(postern__address *address, unsigned bit) {
    if (bit < 64) address->high &= ~(UINT64_MAX >> bit);
    if (bit <= 64) address->low = 0;
    else if (bit < 128) address->low &= ~(UINT64_MAX >> (bit - 64));
}

static bool holds(const postern__prefix *prefix, postern__address address) {
    clear_from(&address, prefix->length);
    return same_address(&prefix->address, &address);
}

static int32_t scan(const postern__prefix *prefixes, size_t count,
                    const postern__address *address) {
    int32_t best = -1;
    for (size_t i = 0; i < count; i++) {
        if (!holds(&prefixes[i], *address)) continue;
        if (best < 0 || prefixes[i].length > prefixes[best].length) best = (int32_t)i;
    }
    return best;
}

enum { MOST_PREFIXES = 100, RECORD = 5 };

/* Five bytes each: family and length, then two bytes of value at a place that
 * makes prefixes share leading bits. */
static postern__prefix read_prefix(const uint8_t *record) {
    postern__address address = {.family = record[0] & 1 ? 6 : 4};
    uint64_t value = (uint64_t)record[2] << 8 | record[3];
    unsigned place = record[4] % (address.family == 4 ? 17 : 113);
    address.high = place <= 48 ? value << (48 - place) : place < 64 ? value >> (place - 48) : 0;
    address.low = place > 48 ? value << (112 - place) : 0;
    unsigned length = record[1] % (address.family == 4 ? 33 : 129);
    postern__prefix prefix = {.address = address, .length = (uint8_t)length};
    clear_from(&prefix.address, length);
    return prefix;
}

/* The answer, which has to be the same by every path there is. */
static int32_t find_on_all(const void *set, const postern__address *probe) {
    int32_t found = postern__cidr_find(set, POSTERN__SCALAR, probe);
    for (int simd = POSTERN__AVX2; simd <= (int)postern__simd_best(); simd++)
        require(postern__cidr_find(set, (postern__simd)simd, probe) == found);
    return found;
}

static void try_set(const uint8_t *data, size_t size) {
    postern__prefix prefixes[MOST_PREFIXES];
    size_t count = 0;
    for (; size >= RECORD && count < MOST_PREFIXES; data += RECORD, size -= RECORD)
        prefixes[count++] = read_prefix(data);
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    size_t offset;
    postern__vector_init(&block, 1, &allocator);
    require(postern__cidr_build(prefixes, count, POSTERN__LONGEST, &block, &offset));
    for (size_t i = 0; i < count; i++) {
        postern__address probe = prefixes[i].address;
        uint64_t last_bit = probe.family == 4 ? UINT64_C(1) << 32 : 1;
        const void *set = block.items + offset;
        require(find_on_all(set, &probe) == scan(prefixes, count, &probe));
        if (probe.family == 4) probe.high ^= last_bit;
        else probe.low ^= last_bit;
        require(find_on_all(set, &probe) == scan(prefixes, count, &probe));
        probe.high ^= UINT64_C(1) << (32 + i % 32);
        require(find_on_all(set, &probe) == scan(prefixes, count, &probe));
    }
    postern__vector_free(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    if (data[0] & 1) try_set(data + 1, size - 1);
    else try_text((postern_span){(const char *)data + 1, size - 1});
    return 0;
}
