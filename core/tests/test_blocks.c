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
    return postern__blocks_append(site, intervals, offset);
}

static unsigned records_seen; /* 1: one that lists, 2: one that is crowded */

#define FINDER(path, mark)                                                                   \
    mark static int32_t find_##path(const void *start, const postern__blocks *blocks,       \
                                    uint32_t address) {                                     \
        const uint8_t *record = postern__blocks_record(blocks, address);                    \
        const postern__lanes *lanes = &postern__##path##_lanes;                             \
        records_seen |= *record == POSTERN__CROWDED ? 2 : 1;                                \
        return *record == POSTERN__CROWDED                                                  \
                   ? postern__blocks_crowded(lanes, start, blocks, record, address)         \
                   : postern__blocks_listed(lanes, start, blocks, record, address);         \
    }

FINDER(scalar, )
#if POSTERN__X86_PATHS
FINDER(avx2, POSTERN__IN_AVX2)
FINDER(avx512, POSTERN__IN_AVX512)
#endif

static void check_address(const postern__intervals *intervals, const postern__site *site,
                          uint32_t offset, uint32_t address) {
    const void *start = postern__site_at(site, 0), *blocks = postern__site_at(site, offset);
    int32_t expected = answer_of(intervals, address);
    CHECK(find_scalar(start, blocks, address) == expected);
#if POSTERN__X86_PATHS
    if (postern__simd_best() >= POSTERN__AVX2) CHECK(find_avx2(start, blocks, address) == expected);
    if (postern__simd_best() >= POSTERN__AVX512)
        CHECK(find_avx512(start, blocks, address) == expected);
#endif
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
    CHECK(records_seen == 3);
}

/* As many prefixes in one record as a list may have, and one more; with others
 * around them, which begin before the record or with it, or with none. */
static void finds_where_lists_end(void) {
    static const unsigned around[] = {0, 8, 15, 16, 0};
    postern__prefix prefixes[POSTERN__LIST4 + 2];
    random_state = 31;
    for (size_t row = 0; row < sizeof around / sizeof *around; row++) {
        for (size_t count = POSTERN__LIST4 - 1; count <= POSTERN__LIST4 + 1; count++) {
            postern__intervals intervals;
            size_t made = 0;
            records_seen = 0;
            for (; made < count; made++) {
                uint64_t address = UINT64_C(0x0B010000) | made << 11 >> (made >= 32 ? 5 : 0);
                prefixes[made] = (postern__prefix){
                    .address = {.high = address << 32, .family = 4},
                    .length = (uint8_t)(made % 2 ? 24 : 22)};
            }
            if (row < 4) {
                postern__address address = {.high = UINT64_C(0x0B010000) << 32, .family = 4};
                address.high &= postern__high_mask(around[row]);
                prefixes[made++] =
                    (postern__prefix){.address = address, .length = (uint8_t)around[row]};
            }
            build(prefixes, made, POSTERN__LONGEST, &intervals);
            check_intervals(&intervals);
            postern__intervals_free(&intervals);
            CHECK(records_seen == (count > POSTERN__LIST4 ? 3 : 1));
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
        {"0.1.1.0/24", "0.1.1.128/25", "0.1.0.0/16"}, /* a prefix that is a deep block */
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
    static const struct {
        postern__answer answer;
        size_t many;
    } rows[] = {{POSTERN__MEMBERSHIP, 1 << 20}, {POSTERN__LONGEST, 1 << 17}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        postern__answer answer = rows[row].answer;
        size_t many = rows[row].many;
        postern__end *ends = calloc(many, sizeof *ends);
        if (ends == NULL) abort();
        for (uint64_t i = 0; i < many; i++) ends[i].high = (i * 512 + 255) << 32 | UINT32_MAX;
        CHECK(postern__blocks_suit(ends, many, answer));
        CHECK(!postern__blocks_suit(ends, many - 1, answer));
        for (size_t i = 0; i < many / 16; i++) ends[i].high -= UINT64_C(1) << 32;
        CHECK(postern__blocks_suit(ends, many, answer));
        ends[many - 1].high -= UINT64_C(1) << 32;
        CHECK(!postern__blocks_suit(ends, many, answer));
        free(ends);
    }
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
    RUN(finds_where_lists_end);
    RUN(finds_at_edges);
    RUN(large_coarse_sets_suit);
    RUN(build_survives_failing_memory)
)
