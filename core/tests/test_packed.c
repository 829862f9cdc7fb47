#include "packed.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

enum { NUMBERS = 200 };

static void bits_hold_the_most(void) {
    static const struct {
        uint32_t most;
        unsigned bits;
    } rows[] = {{0, 1}, {1, 1}, {2, 2}, {3, 2}, {4, 3}, {255, 8}, {256, 9}, {UINT32_MAX, 32}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(postern__packed_bits(rows[i].most) == rows[i].bits);
}

/* Every width, at every place within a word, in a block as short as it may be. */
static void numbers_are_kept(void) {
    random_state = 3;
    for (unsigned bits = 1; bits <= 32; bits++) {
        postern_allocator allocator = postern__allocator(NULL);
        postern__vector block;
        uint32_t numbers[NUMBERS], offset;
        postern__vector_init(&block, 1, &allocator);
        postern__site site = {.block = &block, .start = 0};
        if (!postern__packed_append(&site, NUMBERS, bits, &offset)) abort();
        uint32_t *words = malloc(block.count);
        if (words == NULL) abort();
        memcpy(words, postern__site_at(&site, offset), block.count);
        for (size_t i = 0; i < NUMBERS; i++) {
            numbers[i] = (uint32_t)next_random() >> (32 - bits);
            if (i % 8 == 0) numbers[i] = UINT32_MAX >> (32 - bits);
            postern__packed_put(words, bits, i, numbers[i]);
        }
        for (size_t i = 0; i < NUMBERS; i++)
            CHECK(postern__packed_at(words, bits, i) == numbers[i]);
        (void)postern__packed_at(words, bits, NUMBERS); /* within the block */
        free(words);
        postern__vector_free(&block);
    }
}

/* The same from any byte on, in memory that holds seven bytes more and no others. */
static void numbers_are_kept_at_any_byte(void) {
    random_state = 4;
    for (unsigned bits = 1; bits <= 32; bits++) {
        uint32_t numbers[NUMBERS], most = UINT32_MAX >> (32 - bits);
        size_t size = (NUMBERS * bits + 7) / 8 + 7;
        uint8_t *bytes = calloc(1, size);
        if (bytes == NULL) abort();
        for (size_t i = 0; i < NUMBERS; i++) {
            numbers[i] = i % 8 == 0 ? most : (uint32_t)next_random() & most;
            postern__packed_put_in(bytes, bits, i, numbers[i]);
        }
        for (uint32_t i = 0; i < NUMBERS; i++)
            CHECK(postern__packed_in(bytes, bits, most, i) == numbers[i]);
        free(bytes);
    }
}

static void check_ranks(const postern__lanes *lanes, const postern__rank *ranks, const bool *taken,
                        size_t count) {
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(postern__ranks_taken(ranks, i) == taken[i]);
        CHECK(postern__ranks_before(lanes, ranks, i) == before);
        before += taken[i];
    }
}

static void ranks_count_what_is_taken(void) {
    static const size_t counts[] = {1, 31, 32, 33, 64, NUMBERS};
    random_state = 8;
    for (size_t row = 0; row < sizeof counts / sizeof *counts; row++) {
        postern_allocator allocator = postern__allocator(NULL);
        postern__vector block;
        bool taken[NUMBERS];
        uint32_t offset;
        postern__vector_init(&block, 1, &allocator);
        postern__site site = {.block = &block, .start = 0};
        if (!postern__ranks_append(&site, counts[row], &offset)) abort();
        postern__rank *ranks = postern__site_at(&site, offset);
        CHECK((char *)postern__ranks_end(ranks, counts[row]) == block.items + block.count);
        CHECK(block.count % POSTERN__LINE == 0);
        for (size_t i = 0; i < counts[row]; i++) {
            taken[i] = random_below(3) > 0;
            if (taken[i]) postern__ranks_take(ranks, i);
        }
        postern__ranks_count(ranks, counts[row]);
        check_ranks(&postern__scalar_lanes, ranks, taken, counts[row]);
        postern__vector_free(&block);
    }
}

static void failing_memory_is_told(void) {
    postern__failing_alloc failing;
    postern__vector block;
    uint32_t offset;
    postern__failing_alloc_init(&failing, 1);
    postern__vector_init(&block, 1, &failing.allocator);
    postern__site site = {.block = &block, .start = 0};
    CHECK(!postern__packed_append(&site, 10, 3, &offset));
    postern__failing_alloc_init(&failing, 1);
    CHECK(!postern__ranks_append(&site, 10, &offset));
    postern__vector_free(&block);
}

TEST_MAIN(
    RUN(bits_hold_the_most);
    RUN(numbers_are_kept);
    RUN(numbers_are_kept_at_any_byte);
    RUN(ranks_count_what_is_taken);
    RUN(failing_memory_is_told)
)
