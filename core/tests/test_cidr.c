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

static bool build(const postern__prefix *prefixes, size_t count, postern__vector *block,
                  size_t *offset) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector_init(block, 1, &allocator);
    bool built = postern__cidr_build(prefixes, count, block, offset);
    CHECK(built);
    return built;
}

static void compare_with_scan(const postern__prefix *prefixes, size_t count, size_t probes) {
    postern__vector block;
    size_t offset;
    if (build(prefixes, count, &block, &offset)) {
        for (size_t i = 0; i < probes; i++) {
            postern__address probe = choose_probe(prefixes, count);
            int32_t expected = scan(prefixes, count, &probe);
            CHECK(postern__cidr_find(block.items + offset, &probe) == expected);
        }
    }
    postern__vector_free(&block);
}

static void finds_what_a_scan_finds(void) {
    static const size_t sizes[] = {0, 1, 2, 5, 16, 17, 31, 32, 33, 34, 40, 64, 100, 1000, 50000};
    static const char *const families[] = {"4", "6", "46"};
    random_state = 4711;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        postern__prefix *prefixes = malloc((sizes[i] + 1) * sizeof *prefixes);
        size_t rounds = sizes[i] <= 100 ? 40 : 1;
        if (prefixes == NULL) abort();
        for (size_t round = 0; round < rounds * 3; round++) {
            fill_prefixes(prefixes, sizes[i], families[round % 3]);
            compare_with_scan(prefixes, sizes[i], sizes[i] == 50000 ? 1000 : 300);
        }
        free(prefixes);
    }
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

/* A root whose every slot has a child and none an answer of its own; then one
 * without a child. */
static void finds_in_full_nodes(void) {
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

/* Prefixes that part only after 64 or 127 common bits: several nodes with a
 * path and one slot in use. */
static void finds_behind_long_paths(void) {
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
        /* Leave the path at each of its bits. */
        postern__vector block;
        size_t offset;
        if (build(prefixes, 40, &block, &offset)) {
            for (unsigned bit = 0; bit < common[i]; bit++) {
                postern__address probe = prefixes[0].address;
                set_bit(&probe, bit, !bit_at(&probe, bit));
                CHECK(postern__cidr_find(block.items + offset, &probe) == POSTERN_NO_MATCH);
            }
        }
        postern__vector_free(&block);
    }
}

static void families_are_apart(void) {
    postern__vector block;
    size_t offset;
    postern__prefix prefixes[2];
    postern__address address;
    postern__prefix_parse(span("::/0"), &prefixes[0]);
    postern__prefix_parse(span("1.2.3.0/24"), &prefixes[1]);
    if (build(prefixes, 2, &block, &offset)) {
        postern__address_parse(span("1.2.3.4"), &address);
        CHECK(postern__cidr_find(block.items + offset, &address) == 1);
        postern__address_parse(span("9.9.9.9"), &address);
        CHECK(postern__cidr_find(block.items + offset, &address) == POSTERN_NO_MATCH);
        postern__address_parse(span("102:304::"), &address); /* the same leading bits */
        CHECK(postern__cidr_find(block.items + offset, &address) == 0);
    }
    postern__vector_free(&block);
}

/* Built behind other bytes, copied elsewhere, the original overwritten. */
static void sets_can_be_moved(void) {
    static const size_t sizes[] = {0, 3, 32, 200, 3000};
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
        CHECK(postern__cidr_build(prefixes, sizes[i], &alone, &alone_offset));
        CHECK(postern__cidr_build(prefixes, sizes[i], &behind, &behind_offset));
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
            CHECK(postern__cidr_find(moved + 8, &address) == scan(prefixes, sizes[i], &address));
        }
        free(moved);
        postern__vector_free(&behind);
        postern__vector_free(&alone);
        free(prefixes);
    }
}

static void build_survives_failing_memory(void) {
    static const size_t sizes[] = {0, 20, 500};
    random_state = 31;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        postern__prefix prefixes[500];
        fill_prefixes(prefixes, sizes[i], "46");
        for (size_t n = 1;; n++) {
            postern__failing_alloc failing;
            postern__vector block;
            size_t offset = 12345;
            postern__failing_alloc_init(&failing, n);
            postern__vector_init(&block, 1, &failing.allocator);
            bool pushed = postern__vector_push(&block, "before", 6) != NULL;
            bool built = postern__cidr_build(prefixes, sizes[i], &block, &offset);
            bool failed = failing.allocations >= n;
            CHECK(built == (!failed || !pushed));
            if (pushed) CHECK(memcmp(block.items, "before", 6) == 0);
            if (!built) CHECK(block.count == 6 && offset == 12345);
            postern__vector_free(&block);
            CHECK(failing.live == 0);
            if (!failed) break;
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
    CHECK(!postern__cidr_build(&prefix, (size_t)INT32_MAX + 1, &block, &offset));
    CHECK(block.count == 0);
    postern__vector_free(&block);
}

/* ---- The public matcher ------------------------------------------------- */

static int32_t match(const postern_cidr *cidr, const char *address) {
    return postern_cidr_match(cidr, address, strlen(address));
}

static void matcher_matches(void) {
    const postern_span ranges[] = {span("10.0.0.0/8"),      span("10.1.0.0/16"),
                                   span("10.1.0.0/16"),     span("2001:db8::/32"),
                                   span("::ffff:9.9.9.9"),  span("192.0.2.7"),
                                   span("::ffff:0:0/90")};
    postern_error error = {0};
    postern_cidr *cidr = postern_cidr_new(ranges, 7, NULL, &error);
    CHECK(cidr != NULL);
    if (cidr == NULL) return;
    CHECK(match(cidr, "10.2.0.1") == 0);
    CHECK(match(cidr, "10.1.2.3") == 1); /* most specific, the earlier of equals */
    CHECK(match(cidr, "2001:db8::1") == 3);
    CHECK(match(cidr, "9.9.9.9") == 4);
    CHECK(match(cidr, "::ffff:192.0.2.7") == 5);
    CHECK(match(cidr, "192.0.2.8") == POSTERN_NO_MATCH); /* 6 holds no IPv4 */
    CHECK(match(cidr, "::fffe:0:1") == 6);
    CHECK(match(cidr, "2001:db9::1") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "10.0.0.1/32") == POSTERN_NOT_AN_ADDRESS);
    CHECK(match(cidr, "") == POSTERN_NOT_AN_ADDRESS);
    CHECK(postern_cidr_match(cidr, NULL, 0) == POSTERN_NOT_AN_ADDRESS);
    postern_cidr_free(cidr);
}

static void empty_matcher_matches_nothing(void) {
    postern_cidr *cidr = postern_cidr_new(NULL, 0, NULL, NULL);
    CHECK(cidr != NULL);
    if (cidr == NULL) return;
    CHECK(match(cidr, "10.2.0.1") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "::") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "x") == POSTERN_NOT_AN_ADDRESS);
    postern_cidr_free(cidr);
    postern_cidr_free(NULL);
}

static void bad_ranges_are_named(void) {
    static const struct {
        const char *range;
        const char *message;
    } rows[] = {
        {"10.0.0.0/33", "range 1: `10.0.0.0/33`: bad prefix length; write 0 to 32 after the slash, "
                        "without leading zeros, or leave both out for one address"},
        {"::/", "range 1: `::/`: bad prefix length; write 0 to 128 after the slash, without "
                "leading zeros, or leave both out for one address"},
        {"10.0.0/8", "range 1: `10.0.0/8`: not an IPv4 or IPv6 address; write it like 10.0.0.0/8 "
                     "or 2001:db8::/32, without spaces, leading zeros or zone"},
        {"", "range 1: ``: not an IPv4 or IPv6 address; write it like 10.0.0.0/8 or "
             "2001:db8::/32, without spaces, leading zeros or zone"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const postern_span ranges[] = {span("10.0.0.0/8"), span(rows[i].range), span("bad")};
        postern_error error = {0};
        CHECK_ROW(postern_cidr_new(ranges, 3, NULL, &error) == NULL, rows[i].range);
        CHECK_ROW(error.status == POSTERN_VALUE, rows[i].range);
        CHECK_ROW(error.line == 0 && error.column == 0, rows[i].range);
        CHECK_TEXT(error.message, rows[i].message);
    }
    const postern_span nothing = {NULL, 0};
    CHECK(postern_cidr_new(&nothing, 1, NULL, NULL) == NULL);
}

static void wrong_counts_are_refused(void) {
    const postern_span range = span("10.0.0.0/8");
    postern_error error = {0};
    CHECK(postern_cidr_new(NULL, 1, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_cidr_new(&range, (size_t)INT32_MAX + 1, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_LIMIT);
}

static void matcher_survives_failing_memory(void) {
    enum { COUNT = 120 };
    char texts[COUNT][32];
    postern_span ranges[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 == 0 ? "10.%d.0.0/16" : "2001:db8:%d::/48", i);
        ranges[i] = span(texts[i]);
    }
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern_error error = {0};
        postern__failing_alloc_init(&failing, n);
        postern_cidr *cidr = postern_cidr_new(ranges, COUNT, &failing.allocator, &error);
        bool failed = failing.allocations >= n;
        CHECK((cidr == NULL) == failed);
        CHECK(error.status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        if (cidr != NULL) CHECK(match(cidr, "10.44.1.1") == 44);
        postern_cidr_free(cidr);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(
    RUN(finds_what_a_scan_finds);
    RUN(finds_in_nested_prefixes);
    RUN(finds_in_full_nodes);
    RUN(finds_behind_long_paths);
    RUN(families_are_apart);
    RUN(sets_can_be_moved);
    RUN(build_survives_failing_memory);
    RUN(too_many_prefixes_are_refused);
    RUN(matcher_matches);
    RUN(empty_matcher_matches_nothing);
    RUN(bad_ranges_are_named);
    RUN(wrong_counts_are_refused);
    RUN(matcher_survives_failing_memory)
)
