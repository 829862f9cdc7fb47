/* Counting: how many keys of a few, all at once, are below one. For each path
 * of simd.h the same functions; whoever looks something up is compiled
 * once for each, see POSTERN__FOR_EACH_PATH. */
#ifndef POSTERN_LANES_H
#define POSTERN_LANES_H

#include "simd.h"

#if POSTERN__X86_PATHS
#include <immintrin.h>
#endif

/* What is compared at once: a line of keys, or a window of the first bytes of
 * something longer. */
enum {
    POSTERN__LINE = 64, /* bytes */
    POSTERN__LINE4 = POSTERN__LINE / 4,
    POSTERN__LINE6 = POSTERN__LINE / 8,
    POSTERN__WINDOW4 = 32,
    POSTERN__WINDOW6 = 16
};

/* How many are below `key`: of a line, and of the first `count` of a window.
 * Windows are sorted, and may be read to their full size. And how many of the
 * first `count` of 64 bits are set, the least first. */
typedef struct postern__lanes {
    uint32_t (*line4)(const int32_t *line, int32_t key);
    uint32_t (*line6)(const int64_t *line, int64_t key);
    uint32_t (*window4)(const uint16_t *window, uint32_t count, uint16_t key);
    uint32_t (*window6)(const int64_t *window, uint32_t count, int64_t key);
    uint32_t (*ones)(uint64_t bits, uint32_t count);
} postern__lanes;

static inline uint32_t postern__line4_scalar(const int32_t *line, int32_t key) {
    uint32_t below = 0;
    for (int i = 0; i < POSTERN__LINE4; i++) below += line[i] < key;
    return below;
}

static inline uint32_t postern__line6_scalar(const int64_t *line, int64_t key) {
    uint32_t below = 0;
    for (int i = 0; i < POSTERN__LINE6; i++) below += line[i] < key;
    return below;
}

static inline uint32_t postern__window4_scalar(const uint16_t *window, uint32_t count,
                                              uint16_t key) {
    uint32_t below = 0;
    while (count > 0) {
        uint32_t half = (count + 1) / 2;
        below += window[below + half - 1] < key ? half : 0;
        count -= half;
    }
    return below;
}

static inline uint32_t postern__window6_scalar(const int64_t *window, uint32_t count,
                                              int64_t key) {
    uint32_t below = 0;
    while (count > 0) {
        uint32_t half = (count + 1) / 2;
        below += window[below + half - 1] < key ? half : 0;
        count -= half;
    }
    return below;
}

/* Adds up neighbours, then neighbours of those, then all bytes. */
static inline uint32_t postern__ones_scalar(uint64_t bits, uint32_t count) {
    if (count < 64) bits &= (UINT64_C(1) << count) - 1;
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (uint32_t)(bits * UINT64_C(0x0101010101010101) >> 56);
}

static const postern__lanes postern__scalar_lanes = {
    postern__line4_scalar, postern__line6_scalar, postern__window4_scalar, postern__window6_scalar,
    postern__ones_scalar};

#if POSTERN__X86_PATHS

#define POSTERN__LOAD256(from) _mm256_loadu_si256((const __m256i *)(const void *)(from))

POSTERN__IN_AVX2
static inline uint32_t postern__line4_avx2(const int32_t *line, int32_t key) {
    __m256i keys = _mm256_set1_epi32(key);
    __m256i first = _mm256_cmpgt_epi32(keys, POSTERN__LOAD256(line));
    __m256i second = _mm256_cmpgt_epi32(keys, POSTERN__LOAD256(line + 8));
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(first, second));
    return (uint32_t)_mm_popcnt_u32(bits) / 2;
}

POSTERN__IN_AVX2
static inline uint32_t postern__line6_avx2(const int64_t *line, int64_t key) {
    __m256i keys = _mm256_set1_epi64x(key);
    __m256i first = _mm256_cmpgt_epi64(keys, POSTERN__LOAD256(line));
    __m256i second = _mm256_cmpgt_epi64(keys, POSTERN__LOAD256(line + 4));
    uint32_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_packs_epi32(first, second));
    return (uint32_t)_mm_popcnt_u32(bits) / 4;
}

/* Two bits each. What is not below leaves nothing of the key when taken away
 * from it without wrapping. The second half is only read where it is needed:
 * else the first is read again, which costs no line of the cache and no branch. */
POSTERN__IN_AVX2
static inline uint32_t postern__window4_avx2(const uint16_t *window, uint32_t count, uint16_t key) {
    __m256i keys = _mm256_set1_epi16((int16_t)key);
    __m256i none = _mm256_setzero_si256();
    const uint16_t *half = window + (count > 16 ? 16 : 0);
    __m256i first = _mm256_cmpeq_epi16(_mm256_subs_epu16(keys, POSTERN__LOAD256(window)), none);
    __m256i second = _mm256_cmpeq_epi16(_mm256_subs_epu16(keys, POSTERN__LOAD256(half)), none);
    uint64_t not_below = (uint32_t)_mm256_movemask_epi8(first) |
                         (uint64_t)(uint32_t)_mm256_movemask_epi8(second) << 32;
    return (uint32_t)_mm_popcnt_u64(_bzhi_u64(~not_below, 2 * count)) / 2;
}

POSTERN__IN_AVX2
static inline uint32_t postern__below_four(const int64_t *from, __m256i keys) {
    __m256i below = _mm256_cmpgt_epi64(keys, POSTERN__LOAD256(from));
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(below));
}

POSTERN__IN_AVX2
static inline uint32_t postern__window6_avx2(const int64_t *window, uint32_t count, int64_t key) {
    __m256i keys = _mm256_set1_epi64x(key);
    uint32_t bits = postern__below_four(window, keys) |
                    postern__below_four(window + 4, keys) << 4 |
                    postern__below_four(window + 8, keys) << 8 |
                    postern__below_four(window + 12, keys) << 12;
    return (uint32_t)_mm_popcnt_u32(_bzhi_u32(bits, count));
}

POSTERN__IN_AVX2
static inline uint32_t postern__ones_avx2(uint64_t bits, uint32_t count) {
    return (uint32_t)_mm_popcnt_u64(_bzhi_u64(bits, count));
}

static const postern__lanes postern__avx2_lanes = {
    postern__line4_avx2, postern__line6_avx2, postern__window4_avx2, postern__window6_avx2,
    postern__ones_avx2};

POSTERN__IN_AVX512
static inline uint32_t postern__line4_avx512(const int32_t *line, int32_t key) {
    __mmask16 below = _mm512_cmplt_epi32_mask(_mm512_loadu_si512(line), _mm512_set1_epi32(key));
    return (uint32_t)_mm_popcnt_u32(below);
}

POSTERN__IN_AVX512
static inline uint32_t postern__line6_avx512(const int64_t *line, int64_t key) {
    __mmask8 below = _mm512_cmplt_epi64_mask(_mm512_loadu_si512(line), _mm512_set1_epi64(key));
    return (uint32_t)_mm_popcnt_u32(below);
}

POSTERN__IN_AVX512
static inline uint32_t postern__window4_avx512(const uint16_t *window, uint32_t count,
                                              uint16_t key) {
    __mmask32 below =
        _mm512_cmplt_epu16_mask(_mm512_loadu_si512(window), _mm512_set1_epi16((int16_t)key));
    return (uint32_t)_mm_popcnt_u32(_bzhi_u32(below, count));
}

POSTERN__IN_AVX512
static inline uint32_t postern__window6_avx512(const int64_t *window, uint32_t count, int64_t key) {
    __m512i keys = _mm512_set1_epi64(key);
    uint32_t first = _mm512_cmplt_epi64_mask(_mm512_loadu_si512(window), keys);
    uint32_t second = _mm512_cmplt_epi64_mask(_mm512_loadu_si512(window + 8), keys);
    return (uint32_t)_mm_popcnt_u32(_bzhi_u32(first | second << 8, count));
}

POSTERN__IN_AVX512
static inline uint32_t postern__ones_avx512(uint64_t bits, uint32_t count) {
    return (uint32_t)_mm_popcnt_u64(_bzhi_u64(bits, count));
}

static const postern__lanes postern__avx512_lanes = {
    postern__line4_avx512, postern__line6_avx512, postern__window4_avx512, postern__window6_avx512,
    postern__ones_avx512};

#endif

/* A function that takes the lanes first. Called with one of the constants above
 * by a function marked for that path, it becomes a part of that function, with
 * its instructions all the way down. */
#if defined(__GNUC__)
#define POSTERN__FOR_EACH_PATH static inline __attribute__((always_inline))
#define POSTERN__APART static __attribute__((noinline))
#define POSTERN__PREFETCH(at) __builtin_prefetch(at)
#else
#define POSTERN__FOR_EACH_PATH static inline
#define POSTERN__APART static
#define POSTERN__PREFETCH(at) ((void)(at))
#endif

#endif
