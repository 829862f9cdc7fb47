#include "cidr.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* ---- Plain twins -------------------------------------------------------- */

static unsigned bit_at(const postern__address *address, unsigned bit) {
    uint64_t word = bit < 64 ? address->high : address->low;
    return word >> (63 - bit % 64) & 1;
}

static void set_bit(postern__address *address, unsigned bit, unsigned value) {
    uint64_t mask = UINT64_C(1) << (63 - bit % 64);
    uint64_t *word = bit < 64 ? &address->high : &address->low;
    *word = value ? *word | mask : *word & ~mask;
}

static unsigned family_bits(uint8_t family) {
    return family == 4 ? 32 : 128;
}

static bool holds(const postern__prefix *prefix, const postern__address *address) {
    if (prefix->address.family != address->family) return false;
    for (unsigned bit = 0; bit < prefix->length; bit++) {
        if (bit_at(&prefix->address, bit) != bit_at(address, bit)) return false;
    }
    return true;
}

static int32_t scan(const postern__prefix *prefixes, size_t count,
                    const postern__address *address) {
    int32_t best = -1;
    for (size_t i = 0; i < count; i++) {
        if (!holds(&prefixes[i], address)) continue;
        if (best < 0 || prefixes[i].length > prefixes[best].length) best = (int32_t)i;
    }
    return best;
}

/* ---- Sets --------------------------------------------------------------- */

static postern__prefix cut(postern__address address, unsigned length) {
    for (unsigned bit = length; bit < 128; bit++) set_bit(&address, bit, 0);
    return (postern__prefix){.address = address, .length = (uint8_t)length};
}

static postern__address random_address(uint8_t family) {
    postern__address address = {.high = next_random(), .low = next_random(), .family = family};
    return cut(address, family_bits(family)).address;
}

/* Hosts, short and long prefixes; often inside or around an earlier one, and
 * sometimes the same. */
static void fill_prefixes(postern__prefix *prefixes, size_t count, const char *families) {
    for (size_t i = 0; i < count; i++) {
        uint8_t family = (uint8_t)(families[random_below(strlen(families))] - '0');
        unsigned bits = family_bits(family);
        postern__address address = random_address(family);
        unsigned length = (unsigned)random_below(bits + 1);
        if (i > 0 && random_below(2) == 0) {
            const postern__prefix *earlier = &prefixes[random_below(i)];
            family = earlier->address.family;
            bits = family_bits(family);
            address = random_address(family);
            for (unsigned bit = 0; bit < earlier->length; bit++)
                set_bit(&address, bit, bit_at(&earlier->address, bit));
            length = (unsigned)random_below(bits + 1);
            if (random_below(8) == 0) length = earlier->length;
        }
        if (random_below(4) == 0) length = bits;
        if (random_below(200) == 0) length = 0;
        /* Short ones hide the rest: keep them rare in large sets. */
        if (count > 100 && length < 8 && random_below(50) != 0) length += 16;
        prefixes[i] = cut(address, length);
    }
}

/* The kinds of sets that each shape is made for: NET as routing tables are,
 * HOST as lists of blocked addresses, CROWDED in few corners of the address
 * space, CLOSE with many addresses in the same 64 bits of IPv6. */
enum mix { NESTED, NET, HOST, CROWDED, CLOSE, MIXES };

static unsigned draw_length(enum mix mix, unsigned bits) {
    unsigned typical = bits == 32 ? 24 : 48;
    size_t percent = random_below(100);
    if (mix == NET) return percent < 60 ? typical : typical - 8 + (unsigned)random_below(16);
    if (percent < 90) return bits;
    if (percent < 95) return bits == 32 ? 24 : 64;
    return bits == 32 ? 16 + (unsigned)random_below(16) : 32 + (unsigned)random_below(96);
}

static void fill_mix(enum mix mix, postern__prefix *prefixes, size_t count,
                     const char *families) {
    if (mix == NESTED) {
        fill_prefixes(prefixes, count, families);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t family = (uint8_t)(families[random_below(strlen(families))] - '0');
        postern__address address = random_address(family);
        unsigned length = draw_length(mix, family_bits(family));
        uint64_t corner = random_below(4) * UINT64_C(0x1357000000000000);
        if (mix == CROWDED) {
            address.high &= family == 4 ? UINT64_C(0x0007FFFF00000000) : UINT64_C(0x3FFFF);
            address.high |= corner;
            if (family == 6) length = 64 - (unsigned)random_below(3);
        } else if (mix == CLOSE) {
            address.high &= family == 4 ? UINT64_C(0x00003FFF00000000) : 3;
            address.high |= corner;
        } else if (family == 6) {
            address.high = address.high >> 3 | UINT64_C(0x2000000000000000);
        }
        prefixes[i] = cut(address, length);
    }
}

static void add_one(postern__address *address, unsigned bits, unsigned carry_when) {
    for (unsigned bit = bits; bit-- > 0;) {
        unsigned value = bit_at(address, bit);
        set_bit(address, bit, !value);
        if (value != carry_when) return;
    }
}

/* An address to look up: anywhere, inside a member, or at a member's edge,
 * just outside of it half of the time. */
static postern__address choose_probe(const postern__prefix *prefixes, size_t count) {
    size_t kind = random_below(6);
    if (count == 0 || kind == 0) return random_address(random_below(2) == 0 ? 4 : 6);
    const postern__prefix *prefix = &prefixes[random_below(count)];
    unsigned bits = family_bits(prefix->address.family);
    postern__address probe = prefix->address;
    unsigned last = kind == 3 || kind == 5;
    for (unsigned bit = prefix->length; bit < bits; bit++)
        set_bit(&probe, bit, kind == 1 ? (unsigned)(next_random() >> 63) : last);
    if (kind == 4) add_one(&probe, bits, 0); /* borrows: one below the first */
    if (kind == 5) add_one(&probe, bits, 1);
    return probe;
}

static bool build(const postern__prefix *prefixes, size_t count, postern__answer answer,
                  postern__vector *block, size_t *offset) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector_init(block, 1, &allocator);
    bool built = postern__cidr_build(prefixes, count, answer, block, offset);
    CHECK(built);
    return built;
}

/* Every path that this processor has, and both kinds of answers. */
static void check_find(const postern__vector *members, const postern__vector *longest,
                       const postern__address *probe, int32_t expected) {
    for (int simd = POSTERN__SCALAR; simd <= (int)postern__simd_best(); simd++) {
        const char *name = postern__simd_name((postern__simd)simd);
        int32_t index = postern__cidr_find(longest->items, (postern__simd)simd, probe);
        int32_t member = postern__cidr_find(members->items, (postern__simd)simd, probe);
        CHECK_ROW(index == expected, name);
        CHECK_ROW(member == (expected < 0 ? POSTERN_NO_MATCH : 0), name);
    }
}

static unsigned shapes_seen[2]; /* a bit for each, by family */

static void see_shapes(const char *set) {
    shapes_seen[0] |= 1u << postern__cidr_describe(set, 4).shape;
    shapes_seen[1] |= 1u << postern__cidr_describe(set, 6).shape;
}

static void compare_with_scan(const postern__prefix *prefixes, size_t count, size_t probes) {
    static const postern__address edges[] = {
        {.family = 4},
        {.high = UINT64_C(0xFFFFFFFF00000000), .family = 4},
        {.family = 6},
        {.high = UINT64_MAX, .low = UINT64_MAX, .family = 6},
    };
    enum { EDGES = sizeof edges / sizeof *edges };
    postern__vector members, longest;
    size_t offset;
    bool built = build(prefixes, count, POSTERN__MEMBERSHIP, &members, &offset);
    CHECK(offset == 0);
    if (build(prefixes, count, POSTERN__LONGEST, &longest, &offset) && built && offset == 0) {
        see_shapes(members.items);
        for (size_t i = 0; i < probes + EDGES; i++) {
            postern__address probe = i < EDGES ? edges[i] : choose_probe(prefixes, count);
            check_find(&members, &longest, &probe, scan(prefixes, count, &probe));
        }
    }
    postern__vector_free(&longest);
    postern__vector_free(&members);
}

static void finds_what_a_scan_finds(void) {
    static const size_t sizes[] = {0,  1,  2,   3,   5,   7,    8,    15,   16,  17,
                                   31, 32, 33,  40,  64,  100,  130,  300,  1000, 2500, 9000};
    static const char *const families[] = {"4", "6", "46"};
    random_state = 4711;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        postern__prefix *prefixes = malloc((sizes[i] + 1) * sizeof *prefixes);
        size_t rounds = sizes[i] <= 130 ? 8 : 1;
        if (prefixes == NULL) abort();
        for (size_t round = 0; round < rounds * 3; round++) {
            for (int mix = NESTED; mix < MIXES; mix++) {
                fill_mix((enum mix)mix, prefixes, sizes[i], families[round % 3]);
                compare_with_scan(prefixes, sizes[i], 300);
            }
        }
        free(prefixes);
    }
    CHECK(shapes_seen[0] == 7 && shapes_seen[1] == (7 | 1 << POSTERN__BUCKETS));
}

/* The shape of a size, and of a distribution. */
static void shapes_are_chosen(void) {
    static const struct {
        const char *name;
        enum mix mix;
        const char *family;
        size_t count;
        postern__shape shape;
    } rows[] = {
        {"few IPv4", HOST, "4", 20, POSTERN__FEW},
        {"some IPv4", HOST, "4", 500, POSTERN__TREE},
        {"many IPv4", HOST, "4", 5000, POSTERN__DIRECTORY},
        {"many IPv4 nets", NET, "4", 9000, POSTERN__DIRECTORY},
        {"no IPv4", HOST, "6", 5000, POSTERN__FEW},
        {"few IPv6", NET, "6", 10, POSTERN__FEW},
        {"few networks of IPv6", CLOSE, "6", 3000, POSTERN__FEW},
        {"some IPv6", NET, "6", 60, POSTERN__TREE},
        {"many IPv6", HOST, "6", 2000, POSTERN__DIRECTORY},
        {"many IPv6 in few corners", CROWDED, "6", 2000, POSTERN__TREE},
    };
    static postern__prefix prefixes[9000];
    random_state = 12;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__vector block;
        size_t offset;
        bool no_ipv4 = strcmp(rows[i].name, "no IPv4") == 0;
        fill_mix(rows[i].mix, prefixes, rows[i].count, rows[i].family);
        if (build(prefixes, rows[i].count, POSTERN__MEMBERSHIP, &block, &offset)) {
            uint8_t family = no_ipv4 || rows[i].family[0] == '4' ? 4 : 6;
            postern__cidr_report report = postern__cidr_describe(block.items, family);
            CHECK_ROW(report.shape == rows[i].shape, rows[i].name);
            CHECK_ROW((report.ends == 0) == no_ipv4, rows[i].name);
        }
        postern__vector_free(&block);
    }
}

/* The sets that most policies have stay within two cache lines. */
static void small_sets_are_small(void) {
    postern__prefix prefixes[7];
    postern__vector block;
    size_t offset;
    for (uint64_t i = 0; i < 7; i++) {
        postern__address address = {.high = i << 57, .family = 4};
        prefixes[i] = cut(address, 24);
    }
    if (build(prefixes, 7, POSTERN__MEMBERSHIP, &block, &offset)) CHECK(block.count <= 96);
    postern__vector_free(&block);
}

/* What both answers know as one range: its inner ends are gone. */
static void neighbours_are_joined(void) {
    postern__prefix prefixes[256];
    postern__vector block;
    size_t offset;
    for (uint64_t i = 0; i < 256; i++) {
        postern__address address = {.high = UINT64_C(10) << 56 | i << 48, .family = 4};
        prefixes[i] = cut(address, 16);
    }
    if (build(prefixes, 256, POSTERN__MEMBERSHIP, &block, &offset))
        CHECK(postern__cidr_describe(block.items, 4).ends == 2);
    postern__vector_free(&block);
    if (build(prefixes, 256, POSTERN__LONGEST, &block, &offset))
        CHECK(postern__cidr_describe(block.items, 4).ends == 257);
    postern__vector_free(&block);
    compare_with_scan(prefixes, 256, 1000);
}

/* Every length of one address: each node has entries that end in it. */
static void finds_in_nested_prefixes(void) {
    random_state = 99;
    for (uint8_t family = 4; family <= 6; family += 2) {
        postern__prefix prefixes[129];
        size_t count = family_bits(family) + 1;
        postern__address address = random_address(family);
        for (unsigned length = 0; length < count; length++)
            prefixes[length] = cut(address, length);
        compare_with_scan(prefixes, count, 2000);
    }
}

/* The same few leading bits everywhere, and nothing between them. */
static void finds_in_even_sets(void) {
    static const unsigned lengths[] = {6, 7, 12, 32};
    random_state = 5;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        postern__prefix prefixes[64];
        for (uint64_t slot = 0; slot < 64; slot++) {
            postern__address address = {.high = slot << 58, .family = 4};
            prefixes[slot] = cut(address, lengths[i]);
        }
        compare_with_scan(prefixes, 64, 2000);
    }
}

/* Prefixes that part only after 57 to 122 common bits. */
static void finds_behind_common_bits(void) {
    static const unsigned common[] = {57, 58, 63, 64, 65, 70, 100, 121, 122};
    random_state = 6;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        postern__prefix prefixes[40];
        postern__address base = random_address(6);
        for (unsigned j = 0; j < 40; j++) {
            postern__address address = base;
            for (unsigned bit = 0; bit < 6; bit++)
                set_bit(&address, common[i] + bit, j >> (5 - bit) & 1);
            prefixes[j] = cut(address, random_below(2) == 0 ? 128 : common[i] + 6);
        }
        compare_with_scan(prefixes, 40, 1000);
        /* Leave what they share at each of its bits. */
        postern__vector block;
        size_t offset;
        if (build(prefixes, 40, POSTERN__LONGEST, &block, &offset)) {
            for (unsigned bit = 0; bit < common[i]; bit++) {
                postern__address probe = prefixes[0].address;
                set_bit(&probe, bit, !bit_at(&probe, bit));
                CHECK(postern__cidr_find(block.items, postern__simd_best(), &probe) ==
                      POSTERN_NO_MATCH);
            }
        }
        postern__vector_free(&block);
    }
}

static int32_t find_by_best(const postern__vector *block, const postern__address *address) {
    return postern__cidr_find(block->items, postern__simd_best(), address);
}

static void families_are_apart(void) {
    postern__vector block;
    size_t offset;
    postern__prefix prefixes[2];
    postern__address address;
    postern__prefix_parse(span("::/0"), &prefixes[0]);
    postern__prefix_parse(span("1.2.3.0/24"), &prefixes[1]);
    if (build(prefixes, 2, POSTERN__LONGEST, &block, &offset)) {
        postern__address_parse(span("1.2.3.4"), &address);
        CHECK(find_by_best(&block, &address) == 1);
        postern__address_parse(span("9.9.9.9"), &address);
        CHECK(find_by_best(&block, &address) == POSTERN_NO_MATCH);
        postern__address_parse(span("102:304::"), &address); /* the same leading bits */
        CHECK(find_by_best(&block, &address) == 0);
    }
    postern__vector_free(&block);
}

/* Built behind other bytes, copied elsewhere, the original overwritten. */
static void sets_can_be_moved(void) {
    static const size_t sizes[] = {0, 3, 32, 200, 3000, 9000};
    random_state = 77;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        postern__prefix *prefixes = malloc((sizes[i] + 1) * sizeof *prefixes);
        postern_allocator allocator = postern__allocator(NULL);
        postern__vector alone, behind;
        size_t alone_offset, behind_offset;
        if (prefixes == NULL) abort();
        fill_prefixes(prefixes, sizes[i], "46");
        postern__vector_init(&alone, 1, &allocator);
        postern__vector_init(&behind, 1, &allocator);
        CHECK(postern__vector_push(&behind, "three", 3) != NULL);
        CHECK(postern__cidr_build(prefixes, sizes[i], POSTERN__LONGEST, &alone, &alone_offset));
        CHECK(postern__cidr_build(prefixes, sizes[i], POSTERN__LONGEST, &behind,
                                  &behind_offset));
        CHECK(alone_offset == 0 && behind_offset == 8);
        CHECK(memcmp(behind.items, "thr\0\0\0\0\0", 8) == 0);
        CHECK(alone.count == behind.count - behind_offset);
        CHECK(memcmp(alone.items, behind.items + behind_offset, alone.count) == 0);
        char *moved = malloc(alone.count + 8);
        if (moved == NULL) abort();
        memcpy(moved + 8, alone.items, alone.count);
        memset(alone.items, 0xAA, alone.count);
        for (int probe = 0; probe < 500; probe++) {
            postern__address address = choose_probe(prefixes, sizes[i]);
            CHECK(postern__cidr_find(moved + 8, postern__simd_best(), &address) ==
                  scan(prefixes, sizes[i], &address));
        }
        free(moved);
        postern__vector_free(&behind);
        postern__vector_free(&alone);
        free(prefixes);
    }
}

/* Fails every allocation of one build in turn. */
static void fail_build(const postern__prefix *prefixes, size_t count, postern__answer answer) {
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__vector block;
        size_t offset = 12345;
        postern__failing_alloc_init(&failing, n);
        postern__vector_init(&block, 1, &failing.allocator);
        bool pushed = postern__vector_push(&block, "before", 6) != NULL;
        bool built = postern__cidr_build(prefixes, count, answer, &block, &offset);
        bool failed = failing.allocations >= n;
        CHECK(built == (!failed || !pushed));
        if (pushed) CHECK(memcmp(block.items, "before", 6) == 0);
        if (!built) CHECK(block.count == (pushed ? 6 : 0) && offset == 12345);
        postern__vector_free(&block);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

static void build_survives_failing_memory(void) {
    static const size_t sizes[] = {0, 20, 500, 6000};
    static postern__prefix prefixes[6000];
    random_state = 31;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int mix = NESTED; mix < MIXES; mix++) {
            fill_mix((enum mix)mix, prefixes, sizes[i], "46");
            fail_build(prefixes, sizes[i], POSTERN__MEMBERSHIP);
            fail_build(prefixes, sizes[i], POSTERN__LONGEST);
        }
    }
}

static void too_many_prefixes_are_refused(void) {
    if (SIZE_MAX <= INT32_MAX) return;
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    postern__prefix prefix;
    size_t offset;
    postern__vector_init(&block, 1, &allocator);
    CHECK(!postern__cidr_build(&prefix, (size_t)INT32_MAX + 1, POSTERN__LONGEST, &block,
                               &offset));
    CHECK(block.count == 0);
    postern__vector_free(&block);
}

/* Sets too large for a scan, whose answers can be told by arithmetic: members at
 * equal distances, and two within members, the last of them deeper. */
static void finds_in_large_sets(void) {
    enum { MANY = 600000 };
    static const struct {
        const char *name;
        unsigned length;
        uint64_t distance;
        postern__shape longest;
    } rows[] = {
        {"networks", 24, 3 * 256, POSTERN__BLOCKS},
        {"hosts", 32, 7000, POSTERN__DIRECTORY}, /* with ranks, and 2^17 buckets */
    };
    postern__prefix *prefixes = malloc((MANY + 2) * sizeof *prefixes);
    if (prefixes == NULL) abort();
    random_state = 44;
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        postern__vector members, longest;
        size_t offset;
        for (uint64_t i = 0; i < MANY; i++) {
            postern__address address = {.high = i * rows[row].distance << 32, .family = 4};
            prefixes[i] = cut(address, rows[row].length);
        }
        prefixes[MANY] = cut(prefixes[1000].address, 32);
        prefixes[MANY + 1] = cut(prefixes[2000].address, 30);
        bool built = build(prefixes, MANY + 2, POSTERN__MEMBERSHIP, &members, &offset);
        if (build(prefixes, MANY + 2, POSTERN__LONGEST, &longest, &offset) && built) {
            CHECK(postern__cidr_describe(longest.items, 4).shape == rows[row].longest);
            CHECK_ROW(longest.count <= 6 << 20, rows[row].name);
            for (uint64_t i = 0; i < 30000; i++) {
                uint64_t at = next_random() >> 32;
                if (i % 2) at = random_below(MANY) * rows[row].distance + random_below(3) - 1;
                if (i < 600) at = 1000 * (i % 2 + 1) * rows[row].distance + i / 2;
                at &= UINT32_MAX;
                postern__address probe = {.high = at << 32, .family = 4};
                uint64_t index = at / rows[row].distance;
                uint64_t inside = at % rows[row].distance >> (32 - rows[row].length);
                int32_t expected = index < MANY && inside == 0 ? (int32_t)index : -1;
                if (rows[row].length == 24 && at == 1000 * rows[row].distance) expected = MANY;
                if (at - 2000 * rows[row].distance < 4 && (rows[row].length == 24 ||
                    at > 2000 * rows[row].distance)) expected = MANY + 1;
                check_find(&members, &longest, &probe, expected);
            }
        }
        postern__vector_free(&longest);
        postern__vector_free(&members);
    }
    free(prefixes);
}

TEST_MAIN(
    RUN(finds_what_a_scan_finds);
    RUN(finds_in_large_sets);
    RUN(shapes_are_chosen);
    RUN(small_sets_are_small);
    RUN(neighbours_are_joined);
    RUN(finds_in_nested_prefixes);
    RUN(finds_in_even_sets);
    RUN(finds_behind_common_bits);
    RUN(families_are_apart);
    RUN(sets_can_be_moved);
    RUN(build_survives_failing_memory);
    RUN(too_many_prefixes_are_refused)
)
