#include "buckets.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

static unsigned buckets_seen; /* 1: none within, 2: some, 4: more than are compared at once */

#define FINDER(path, mark)                                                                  \
    mark static int32_t find_##path(const void *start, const postern__buckets *buckets,    \
                                    uint64_t high) {                                       \
        return postern__buckets_find(&postern__##path##_lanes, start, buckets, high);      \
    }

FINDER(scalar, )
#if POSTERN__X86_PATHS
FINDER(avx2, POSTERN__IN_AVX2)
FINDER(avx512, POSTERN__IN_AVX512)
#endif

static int32_t scan(const postern__prefix *prefixes, size_t count, uint64_t high) {
    int32_t best = -1;
    for (size_t i = 0; i < count; i++) {
        if (((prefixes[i].address.high ^ high) & postern__high_mask(prefixes[i].length)) != 0)
            continue;
        if (best < 0 || prefixes[i].length > prefixes[best].length) best = (int32_t)i;
    }
    return best;
}

static postern__prefix prefix_of(uint64_t high, unsigned length) {
    postern__address address = {.high = high & postern__high_mask(length), .family = 6};
    return (postern__prefix){.address = address, .length = (uint8_t)length};
}

/* Below 2001::/16 or anywhere; often the same as an earlier one, but for its length. */
static void draw_prefixes(postern__prefix *prefixes, size_t count, unsigned shortest, bool common) {
    for (size_t i = 0; i < count; i++) {
        uint64_t high = next_random();
        unsigned length = shortest + (unsigned)random_below(65 - shortest);
        if (count > 100 && length < 12 && random_below(100) > 0) length = 48;
        if (common) high = high >> 16 | UINT64_C(0x2001000000000000);
        if (i > 0 && random_below(count > 100 ? 6 : 3) == 0) high = prefixes[random_below(i)].address.high;
        prefixes[i] = prefix_of(high, length);
    }
}

static void build(const postern__prefix *prefixes, size_t count, postern__intervals *out) {
    postern_allocator allocator = postern__allocator(NULL);
    if (!postern__intervals_build(prefixes, count, 6, POSTERN__LONGEST, &allocator, out)) abort();
}

static void check_address(const postern__vector *block, uint32_t offset, uint64_t high,
                          int32_t expected) {
    const void *start = block->items;
    const postern__buckets *buckets = postern__at_offset(start, offset);
    if (((high ^ buckets->common) & buckets->mask) == 0) {
        const uint8_t *bytes = postern__at_offset(start, buckets->bytes);
        uint8_t count = bytes[buckets->directory[high << buckets->skip >> (64 - buckets->bits)]];
        buckets_seen |= count == 0 ? 1 : count > 8 ? 4 : 2;
    }
    CHECK(find_scalar(start, buckets, high) == expected);
#if POSTERN__X86_PATHS
    if (postern__simd_best() >= POSTERN__AVX2)
        CHECK(find_avx2(start, buckets, high) == expected);
    if (postern__simd_best() >= POSTERN__AVX512)
        CHECK(find_avx512(start, buckets, high) == expected);
#endif
}

/* The edges of each prefix, or of every fifth of many, around them, and within. */
static void check_prefixes(const postern__prefix *prefixes, size_t count,
                           const postern__intervals *intervals, postern__buckets_plan plan) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    uint32_t offset;
    postern__vector_init(&block, 1, &allocator);
    postern__site site = {.block = &block, .start = 0};
    if (!postern__buckets_append(&site, &intervals->prefixes, plan, &offset)) abort();
    check_address(&block, offset, 0, scan(prefixes, count, 0));
    check_address(&block, offset, UINT64_MAX, scan(prefixes, count, UINT64_MAX));
    for (size_t i = 0; i < count; i += count > 100 ? 5 : 1) {
        uint64_t first = prefixes[i].address.high;
        uint64_t last = first | ~postern__high_mask(prefixes[i].length);
        uint64_t any = next_random();
        uint64_t within = first | (any & ~postern__high_mask(prefixes[i].length));
        uint64_t probes[] = {first, first - 1, last, last + 1, within, any};
        for (size_t p = 0; p < sizeof probes / sizeof *probes; p++)
            check_address(&block, offset, probes[p], scan(prefixes, count, probes[p]));
    }
    postern__vector_free(&block);
}

/* By a plan of its own, and by fewer and more bits than it would take. */
static void finds_what_a_scan_finds(void) {
    static const unsigned shortest[] = {0, 3, 16, 20, 40, 64};
    enum { LARGE = 6000 };
    static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 16, 17, 31, 32};
    static postern__prefix prefixes[LARGE];
    random_state = 46;
    buckets_seen = 0;
    for (size_t row = 0; row < sizeof shortest / sizeof *shortest; row++) {
        for (int common = 0; common < 2; common++) {
            postern__intervals intervals;
            postern__buckets_plan plan;
            if (common && shortest[row] < 16) continue;
            draw_prefixes(prefixes, LARGE, shortest[row], common);
            build(prefixes, LARGE, &intervals);
            bool suit = postern__buckets_suit(&intervals.prefixes, &plan);
            CHECK(suit);
            if (suit) check_prefixes(prefixes, LARGE, &intervals, plan);
            postern__intervals_free(&intervals);
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                draw_prefixes(prefixes, sizes[i], shortest[row], common);
                build(prefixes, sizes[i], &intervals);
                for (uint32_t bits = 1; bits <= 9; bits += 4) {
                    plan = (postern__buckets_plan){common ? 16 : 0, bits};
                    check_prefixes(prefixes, sizes[i], &intervals, plan);
                }
                postern__intervals_free(&intervals);
            }
        }
    }
    CHECK(buckets_seen == 7);
}

/* What a prefix is made of: as many as suit, not too long, spread. */
static void large_spread_sets_suit(void) {
    enum { SOME = 4096, MANY = 8000 };
    static postern__prefix prefixes[MANY];
    static const struct {
        const char *name;
        size_t count;
        unsigned first, length; /* a number's last bit is that of the prefix */
        bool suit;
    } rows[] = {
        {"too few", SOME - 1, 48, 48, false},
        {"some", SOME, 48, 48, true},
        {"of 64 bits", SOME, 64, 64, true},
        {"longer", SOME, 64, 65, false},
        {"many", MANY, 48, 48, true},
    };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        postern__intervals intervals;
        postern__buckets_plan plan;
        for (uint64_t i = 0; i < rows[row].count; i++)
            prefixes[i] = prefix_of(UINT64_C(0x2001) << 48 | i << (64 - rows[row].first),
                                    rows[row].length);
        build(prefixes, rows[row].count, &intervals);
        CHECK_ROW(postern__buckets_suit(&intervals.prefixes, &plan) == rows[row].suit,
                  rows[row].name);
        postern__intervals_free(&intervals);
    }
    /* As many as a bucket may list, and one more, that part behind its bits. */
    for (uint64_t i = 0; i < MANY; i++) prefixes[i] = prefix_of(i << 51, 64);
    for (uint64_t i = 0; i <= POSTERN__LIST6; i++) {
        postern__intervals intervals;
        postern__buckets_plan plan;
        prefixes[i + 1] = prefix_of(i << 2, 64);
        build(prefixes, MANY, &intervals);
        bool suit = postern__buckets_suit(&intervals.prefixes, &plan);
        CHECK(suit == (i < POSTERN__LIST6));
        if (suit) check_prefixes(prefixes, MANY, &intervals, plan);
        postern__intervals_free(&intervals);
    }
}

static void build_survives_failing_memory(void) {
    static postern__prefix prefixes[600];
    postern__intervals intervals;
    postern__buckets_plan plan;
    random_state = 5;
    draw_prefixes(prefixes, 600, 20, false);
    build(prefixes, 600, &intervals);
    plan = (postern__buckets_plan){.skip = 0, .bits = 9};
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__vector block;
        uint32_t offset;
        postern__failing_alloc_init(&failing, n);
        postern__vector_init(&block, 1, &failing.allocator);
        postern__site site = {.block = &block, .start = 0};
        bool built = postern__buckets_append(&site, &intervals.prefixes, plan, &offset);
        bool failed = failing.allocations >= n;
        CHECK(built == !failed);
        postern__vector_free(&block);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern__intervals_free(&intervals);
}

TEST_MAIN(
    RUN(finds_what_a_scan_finds);
    RUN(large_spread_sets_suit);
    RUN(build_survives_failing_memory)
)
