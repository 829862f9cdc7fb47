#define _POSIX_C_SOURCE 200809L

#include "simd.h"

#include <stdlib.h>

#include "inputs.h"
#include "lanes.h"
#include "test.h"

static const char *const names[] = {"scalar", "avx2", "avx512"};

static void paths_have_names(void) {
    for (int simd = POSTERN__SCALAR; simd <= POSTERN__AVX512; simd++) {
        CHECK_TEXT(postern__simd_name((postern__simd)simd), names[simd]);
    }
}

static void limits_only_lower(void) {
    postern__simd best = postern__simd_best();
    CHECK(postern__simd_limit(NULL) == best);
    CHECK(postern__simd_limit("") == best);
    CHECK(postern__simd_limit("AVX2") == best);
    CHECK(postern__simd_limit("avx1024") == best);
    CHECK(postern__simd_limit("scalar") == POSTERN__SCALAR);
    for (int simd = POSTERN__SCALAR; simd <= POSTERN__AVX512; simd++) {
        postern__simd got = postern__simd_limit(names[simd]);
        CHECK_ROW((int)got == (simd < (int)best ? simd : (int)best), names[simd]);
    }
}

static void environment_limits(void) {
    const char *kept = getenv("POSTERN_SIMD");
    char *again = kept != NULL ? strdup(kept) : NULL;
    setenv("POSTERN_SIMD", "scalar", 1);
    CHECK(postern__simd_choose() == POSTERN__SCALAR);
    unsetenv("POSTERN_SIMD");
    CHECK(postern__simd_choose() == postern__simd_best());
    if (again != NULL) setenv("POSTERN_SIMD", again, 1);
    free(again);
}

/* ---- Lanes ---------------------------------------------------------------- */

struct keys {
    int32_t line4[POSTERN__LINE4];
    int64_t line6[POSTERN__LINE6];
    uint16_t window4[POSTERN__WINDOW4];
    int64_t window6[POSTERN__WINDOW6];
};

/* The extremes of a type, and small numbers that meet often. */
static int64_t draw(int64_t least, int64_t most) {
    size_t kind = random_below(8);
    if (kind == 0) return least;
    if (kind == 1) return most;
    if (kind < 5) return (int64_t)random_below(8) + (least < 0 ? -4 : 0);
    uint64_t size = (uint64_t)most - (uint64_t)least;
    uint64_t more = size == UINT64_MAX ? next_random() : next_random() % (size + 1);
    return (int64_t)((uint64_t)least + more);
}

/* Windows are sorted in their first `count`; behind stands anything. */
static void draw_keys(struct keys *keys, uint32_t count4, uint32_t count6) {
    for (int i = 0; i < POSTERN__LINE4; i++) keys->line4[i] = (int32_t)draw(INT32_MIN, INT32_MAX);
    for (int i = 0; i < POSTERN__LINE6; i++) keys->line6[i] = draw(INT64_MIN, INT64_MAX);
    for (uint32_t i = 0; i < POSTERN__WINDOW4; i++) {
        uint16_t key = (uint16_t)draw(0, UINT16_MAX);
        uint32_t to = i;
        for (; i < count4 && to > 0 && keys->window4[to - 1] > key; to--)
            keys->window4[to] = keys->window4[to - 1];
        keys->window4[to] = key;
    }
    for (uint32_t i = 0; i < POSTERN__WINDOW6; i++) {
        int64_t key = draw(INT64_MIN, INT64_MAX);
        uint32_t to = i;
        for (; i < count6 && to > 0 && keys->window6[to - 1] > key; to--)
            keys->window6[to] = keys->window6[to - 1];
        keys->window6[to] = key;
    }
}

struct counts {
    uint32_t line4, line6, window4, window6;
};

static struct counts count_plainly(const struct keys *keys, uint32_t count4, uint32_t count6,
                                   int32_t key4, int64_t key6, uint16_t key16) {
    struct counts below = {0};
    for (int i = 0; i < POSTERN__LINE4; i++) below.line4 += keys->line4[i] < key4;
    for (int i = 0; i < POSTERN__LINE6; i++) below.line6 += keys->line6[i] < key6;
    for (uint32_t i = 0; i < count4; i++) below.window4 += keys->window4[i] < key16;
    for (uint32_t i = 0; i < count6; i++) below.window6 += keys->window6[i] < key6;
    return below;
}

#define COUNT_WITH(lanes)                                                              \
    (struct counts){(lanes).line4(keys->line4, key4), (lanes).line6(keys->line6, key6), \
                    (lanes).window4(keys->window4, count4, key16),                     \
                    (lanes).window6(keys->window6, count6, key6)}

#define COUNTER(name, mark, lanes)                                                         \
    mark static struct counts name(const struct keys *keys, uint32_t count4, uint32_t count6, \
                                   int32_t key4, int64_t key6, uint16_t key16) {           \
        return COUNT_WITH(lanes);                                                          \
    }

COUNTER(count_scalar, , postern__scalar_lanes)
#if POSTERN__X86_PATHS
COUNTER(count_avx2, POSTERN__IN_AVX2, postern__avx2_lanes)
COUNTER(count_avx512, POSTERN__IN_AVX512, postern__avx512_lanes)
#endif

static struct counts count_by(postern__simd simd, const struct keys *keys, uint32_t count4,
                              uint32_t count6, int32_t key4, int64_t key6, uint16_t key16) {
#if POSTERN__X86_PATHS
    if (simd == POSTERN__AVX2) return count_avx2(keys, count4, count6, key4, key6, key16);
    if (simd == POSTERN__AVX512) return count_avx512(keys, count4, count6, key4, key6, key16);
#endif
    (void)simd;
    return count_scalar(keys, count4, count6, key4, key6, key16);
}

static void lanes_count_as_a_loop_does(void) {
    random_state = 8;
    for (int i = 0; i < 20000; i++) {
        struct keys keys;
        uint32_t count4 = (uint32_t)random_below(POSTERN__WINDOW4 + 1);
        uint32_t count6 = (uint32_t)random_below(POSTERN__WINDOW6 + 1);
        draw_keys(&keys, count4, count6);
        int32_t key4 = (int32_t)draw(INT32_MIN, INT32_MAX);
        int64_t key6 = draw(INT64_MIN, INT64_MAX);
        uint16_t key16 = (uint16_t)draw(0, UINT16_MAX);
        struct counts want = count_plainly(&keys, count4, count6, key4, key6, key16);
        for (int simd = POSTERN__SCALAR; simd <= (int)postern__simd_best(); simd++) {
            struct counts got =
                count_by((postern__simd)simd, &keys, count4, count6, key4, key6, key16);
            CHECK_ROW(got.line4 == want.line4, names[simd]);
            CHECK_ROW(got.line6 == want.line6, names[simd]);
            CHECK_ROW(got.window4 == want.window4, names[simd]);
            CHECK_ROW(got.window6 == want.window6, names[simd]);
        }
    }
}

/* ---- Lists ------------------------------------------------------------------- */

struct lists {
    uint8_t bytes[2 * POSTERN__LIST4];
    uint8_t words[8 * POSTERN__LIST6];
};

#define LISTER(name, mark, lanes)                                                             \
    mark static uint32_t name(const struct lists *lists, uint32_t count, uint32_t masked,    \
                              uint8_t byte, uint64_t word, uint32_t *in_words) {             \
        *in_words = (lanes).list6(lists->words, count, word);                                \
        return (lanes).list4(lists->bytes, count, masked, byte);                             \
    }

LISTER(list_scalar, , postern__scalar_lanes)
#if POSTERN__X86_PATHS
LISTER(list_avx2, POSTERN__IN_AVX2, postern__avx2_lanes)
LISTER(list_avx512, POSTERN__IN_AVX512, postern__avx512_lanes)
#endif

static uint32_t list_by(postern__simd simd, const struct lists *lists, uint32_t count,
                        uint32_t masked, uint8_t byte, uint64_t word, uint32_t *in_words) {
#if POSTERN__X86_PATHS
    if (simd == POSTERN__AVX2) return list_avx2(lists, count, masked, byte, word, in_words);
    if (simd == POSTERN__AVX512) return list_avx512(lists, count, masked, byte, word, in_words);
#endif
    (void)simd;
    return list_scalar(lists, count, masked, byte, word, in_words);
}

/* Bit by bit: a byte or a word holds one of that many leading bits. */
static bool same_start(uint64_t a, uint64_t b, unsigned bits, unsigned width) {
    for (unsigned bit = width - bits; bit < width; bit++) {
        if ((a >> bit & 1) != (b >> bit & 1)) return false;
    }
    return true;
}

/* Few different ones, so that some are equal; behind the list anything, what is
 * looked for as well. */
static void lists_are_searched_as_by_a_loop(void) {
    random_state = 12;
    for (int i = 0; i < 20000; i++) {
        struct lists lists;
        unsigned lengths[POSTERN__LIST6];
        uint32_t count = (uint32_t)random_below(POSTERN__LIST4 + 1);
        uint32_t masked = (uint32_t)random_below(count + 1);
        uint8_t byte = (uint8_t)random_below(8);
        uint64_t word = random_below(8) << 60 | next_random() >> 4;
        for (size_t at = 0; at < sizeof lists.bytes; at++)
            lists.bytes[at] = (uint8_t)random_below(i % 2 ? 8 : 64);
        uint32_t want = 0, want_in_words = 0;
        for (uint32_t at = 0; at < POSTERN__LIST6; at++) {
            uint64_t one = random_below(3) == 0 ? word : random_below(8) << 60 | next_random() >> 4;
            lengths[at] = (unsigned)random_below(64);
            uint64_t below = UINT64_C(1) << (63 - lengths[at]);
            one = (one & ~(below - 1)) | below;
            for (unsigned b = 0; b < 8; b++) lists.words[at * 8 + b] = (uint8_t)(one >> 8 * b);
            if (at == want_in_words && at < count && !same_start(one, word, lengths[at], 64))
                want_in_words++;
        }
        for (uint32_t at = 0; at < count; at++) {
            unsigned bits = at < count - masked ? 8 : (unsigned)random_below(9);
            if (at >= count - masked) lists.bytes[at + masked] = (uint8_t)(0xFF00 >> bits);
        }
        for (uint32_t at = 0; at < count; at++) {
            uint8_t mask = at < count - masked ? 0xFF : lists.bytes[at + masked];
            if (at >= count - masked && i % 4 < 3) lists.bytes[at] &= mask;
            if (at == want && lists.bytes[at] != (byte & mask)) want++;
        }
        for (int simd = POSTERN__SCALAR; simd <= (int)postern__simd_best(); simd++) {
            uint32_t in_words;
            uint32_t in_bytes =
                list_by((postern__simd)simd, &lists, count, masked, byte, word, &in_words);
            CHECK_ROW(in_bytes == want, names[simd]);
            CHECK_ROW(in_words == want_in_words, names[simd]);
        }
    }
}

TEST_MAIN(
    RUN(paths_have_names);
    RUN(limits_only_lower);
    RUN(environment_limits);
    RUN(lanes_count_as_a_loop_does);
    RUN(lists_are_searched_as_by_a_loop)
)
