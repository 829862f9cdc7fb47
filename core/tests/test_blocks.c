#include "blocks.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* Below 11.0.0.0 or anywhere, so that blocks are crowded or records empty. */
static uint32_t draw_address(bool crowded) {
    uint32_t address = (uint32_t)next_random();
    return crowded ? UINT32_C(0x0AFF0000) | (address & 0x1FFFF) : address;
}

static postern__prefix draw_prefix(bool crowded, bool coarse) {
    unsigned length = coarse ? 14 + (unsigned)random_below(11) : 18 + (unsigned)random_below(15);
    postern__address address = {.high = (uint64_t)draw_address(crowded) << 32, .family = 4};
    address.high &= postern__high_mask(length);
    return (postern__prefix){.address = address, .length = (uint8_t)length};
}

static int32_t answer_of(const postern__intervals *intervals, uint32_t address) {
    size_t below = 0;
    while (below < intervals->ends.count &&
           POSTERN__AT(&intervals->ends, postern__end, below)->high >> 32 < address)
        below++;
    return *POSTERN__AT(&intervals->answers, int32_t, below);
}

static bool append(const postern__intervals *intervals, const postern__site *site,
                   uint32_t *offset) {
    return postern__blocks_append(site, POSTERN__AT(&intervals->ends, postern__end, 0),
                                  POSTERN__AT(&intervals->answers, int32_t, 0),
                                  intervals->ends.count, offset);
}

static void check_address(const postern__intervals *intervals, const postern__site *site,
                          uint32_t offset, uint32_t address) {
    int32_t found = postern__blocks_find(&postern__scalar_lanes, postern__site_at(site, 0),
                                         postern__site_at(site, offset), address);
    CHECK(found == answer_of(intervals, address));
}

/* Around every end and at the edges of everything. */
static void check_intervals(const postern__intervals *intervals) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    uint32_t offset;
    postern__vector_init(&block, 1, &allocator);
    postern__site site = {.block = &block, .start = 0};
    if (!append(intervals, &site, &offset)) abort();
    check_address(intervals, &site, offset, 0);
    check_address(intervals, &site, offset, UINT32_MAX);
    for (size_t i = 0; i < intervals->ends.count; i++) {
        uint64_t end = POSTERN__AT(&intervals->ends, postern__end, i)->high >> 32;
        check_address(intervals, &site, offset, (uint32_t)end);
        check_address(intervals, &site, offset, (uint32_t)end + 1);
        check_address(intervals, &site, offset, (uint32_t)end | 0xFF);
        check_address(intervals, &site, offset, ((uint32_t)end | 0xFF) + 1);
        check_address(intervals, &site, offset, (uint32_t)end & ~UINT32_C(0xFF));
        check_address(intervals, &site, offset, draw_address(i % 2));
    }
    postern__vector_free(&block);
}

static void build(const postern__prefix *prefixes, size_t count, postern__answer answer,
                  postern__intervals *out) {
    postern_allocator allocator = postern__allocator(NULL);
    if (!postern__intervals_build(prefixes, count, 4, answer, &allocator, out)) abort();
}

static void finds_what_counting_finds(void) {
    static const size_t sizes[] = {0, 1, 2, 5, 50, 400};
    random_state = 21;
    for (size_t row = 0; row < sizeof sizes / sizeof *sizes; row++) {
        for (unsigned mix = 0; mix < 8; mix++) {
            postern__prefix prefixes[400];
            postern__intervals intervals;
            for (size_t i = 0; i < sizes[row]; i++)
                prefixes[i] = draw_prefix(mix & 1, mix & 2);
            build(prefixes, sizes[row], mix & 4 ? POSTERN__LONGEST : POSTERN__MEMBERSHIP,
                  &intervals);
            check_intervals(&intervals);
            postern__intervals_free(&intervals);
        }
    }
}

/* The first and the last block of everything and of a record, each of them
 * whole, deep, and side by side. */
static void finds_at_edges(void) {
    static const char *const sets[][5] = {
        {"0.0.0.0/24", "255.255.255.0/24"},
        {"0.0.0.0/32", "0.0.0.255/32", "255.255.255.0/32", "255.255.255.255/32"},
        {"0.0.127.0/24", "0.0.128.0/24", "0.0.255.0/24", "0.1.0.0/24"},
        {"0.0.127.128/25", "0.0.128.0/25", "0.0.63.255/32", "0.0.64.0/32"},
        {"0.0.0.0/0", "0.0.0.0/17", "0.0.0.0/18", "0.0.0.0/25"},
    };
    for (size_t row = 0; row < sizeof sets / sizeof *sets; row++) {
        postern__prefix prefixes[5];
        postern__intervals intervals;
        size_t count = 0;
        for (; sets[row][count] != NULL; count++)
            CHECK(postern__prefix_parse(span(sets[row][count]), &prefixes[count]));
        build(prefixes, count, POSTERN__LONGEST, &intervals);
        check_intervals(&intervals);
        postern__intervals_free(&intervals);
    }
}

/* Many ends, few of them within a block. */
static void large_coarse_sets_suit(void) {
    enum { MANY = 1 << 20 };
    postern__end *ends = calloc(MANY, sizeof *ends);
    if (ends == NULL) abort();
    for (uint64_t i = 0; i < MANY; i++) ends[i].high = (i * 512 + 255) << 32 | UINT32_MAX;
    CHECK(postern__blocks_suit(ends, MANY));
    CHECK(!postern__blocks_suit(ends, MANY - 1));
    for (size_t i = 0; i < MANY / 16; i++) ends[i].high -= UINT64_C(1) << 32;
    CHECK(postern__blocks_suit(ends, MANY));
    ends[MANY - 1].high -= UINT64_C(1) << 32;
    CHECK(!postern__blocks_suit(ends, MANY));
    free(ends);
}

static void build_survives_failing_memory(void) {
    postern__prefix prefixes[300];
    postern__intervals intervals;
    random_state = 5;
    for (size_t i = 0; i < 300; i++) prefixes[i] = draw_prefix(i % 2, i % 4 < 2);
    build(prefixes, 300, POSTERN__LONGEST, &intervals);
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__vector block;
        uint32_t offset;
        postern__failing_alloc_init(&failing, n);
        postern__vector_init(&block, 1, &failing.allocator);
        postern__site site = {.block = &block, .start = 0};
        bool built = append(&intervals, &site, &offset);
        bool failed = failing.allocations >= n;
        CHECK(built == !failed);
        postern__vector_free(&block);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern__intervals_free(&intervals);
}

TEST_MAIN(
    RUN(finds_what_counting_finds);
    RUN(finds_at_edges);
    RUN(large_coarse_sets_suit);
    RUN(build_survives_failing_memory)
)
