/* Counting: how many keys of a few, all at once, are below one. For each path
 * of simd.h the same functions; whoever looks something up is compiled
 * once for each, see POSTERN__FOR_EACH_PATH. */
#ifndef POSTERN_LANES_H
#define POSTERN_LANES_H

#include "simd.h"
#include "word.h"

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
    POSTERN__WINDOW6 = 16,
    POSTERN__LIST4 = 32, /* bytes */
    POSTERN__LIST6 = 32  /* words of eight bytes */
};

/* How many are below `key`: of a line, and of the first `count` of a window.
 * Windows are sorted, and may be read to their full size. And how many of the
 * first `count` of 64 bits are set, the least first.
 *
 * Of a list: which is the first of `count` bytes that is equal to `byte`, in the
 * last `masked` of them after masking; `count` when none is. Their masks stand
 * behind the list. Bytes are read to the full size of a list, twice.
 *
 * Of a list of words that begins at any byte, the least byte first: which is the
 * first of `count` that is equal to `word` above the lowest bit that is set in it.
 * Words are read eight at once. */
typedef struct postern__lanes {
    uint32_t (*line4)(const int32_t *line, int32_t key);
    uint32_t (*line6)(const int64_t *line, int64_t key);
    uint32_t (*window4)(const uint16_t *window, uint32_t count, uint16_t key);
    uint32_t (*window6)(const int64_t *window, uint32_t count, int64_t key);
    uint32_t (*ones)(uint64_t bits, uint32_t count);
    uint32_t (*list4)(const uint8_t *list, uint32_t count, uint32_t masked, uint8_t byte);
    uint32_t (*list6)(const uint8_t *list, uint32_t count, uint64_t word);
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

/* Eight bytes at once. Taking one away from each borrows at the first that is
 * zero; what that makes of those behind it does not matter. */
static inline uint32_t postern__list4_scalar(const uint8_t *list, uint32_t count, uint32_t masked,
                                             uint8_t byte) {
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint32_t whole = count - masked;
    for (uint32_t at = 0; at < count; at += 8) {
        uint64_t masks = postern__word_at(list + at + masked);
        if (at < whole) masks |= whole - at < 8 ? (UINT64_C(1) << (whole - at) * 8) - 1 : UINT64_MAX;
        uint64_t differ = postern__word_at(list + at) ^ (byte * each & masks);
        uint64_t zeros = (differ - each) & ~differ & each << 7;
        if (zeros == 0) continue;
        uint32_t first = at + postern__ones_scalar((zeros - 1) & ~zeros, 64) / 8;
        return first < count ? first : count;
    }
    return count;
}

static inline uint32_t postern__list6_scalar(const uint8_t *list, uint32_t count, uint64_t word) {
    uint32_t at = 0;
    for (; at < count; at++) {
        uint64_t one = postern__word_at(list + (size_t)at * 8);
        if (((one ^ word) & ~(one ^ (one - 1))) == 0) break;
    }
    return at;
}

static const postern__lanes postern__scalar_lanes = {
    postern__line4_scalar, postern__line6_scalar, postern__window4_scalar, postern__window6_scalar,
    postern__ones_scalar,  postern__list4_scalar, postern__list6_scalar};

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

/* Masks are read from where that of the first byte would be. Those that are
 * whole get all bits set, and where none is equal the bit behind the last stays. */
POSTERN__IN_AVX2
static inline uint32_t postern__list4_avx2(const uint8_t *list, uint32_t count, uint32_t masked,
                                           uint8_t byte) {
    __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
                                      18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    __m256i whole = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)(count - masked)), places);
    __m256i masks = _mm256_or_si256(POSTERN__LOAD256(list + masked), whole);
    __m256i wanted = _mm256_and_si256(_mm256_set1_epi8((char)byte), masks);
    __m256i equal = _mm256_cmpeq_epi8(POSTERN__LOAD256(list), wanted);
    uint64_t bits = (uint32_t)_mm256_movemask_epi8(equal) | UINT64_C(1) << count;
    return (uint32_t)_tzcnt_u64(bits);
}

POSTERN__IN_AVX2
static inline uint64_t postern__equal_four(const uint8_t *from, __m256i words) {
    __m256i list = POSTERN__LOAD256(from);
    __m256i behind = _mm256_xor_si256(list, _mm256_add_epi64(list, _mm256_set1_epi64x(-1)));
    __m256i differ = _mm256_andnot_si256(behind, _mm256_xor_si256(list, words));
    __m256i equal = _mm256_cmpeq_epi64(differ, _mm256_setzero_si256());
    return (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal));
}

POSTERN__IN_AVX2
static inline uint32_t postern__list6_avx2(const uint8_t *list, uint32_t count, uint64_t word) {
    __m256i words = _mm256_set1_epi64x((int64_t)word);
    uint64_t bits = UINT64_C(1) << count;
    uint32_t at = 0;
    do { /* once, nearly always */
        const uint8_t *from = list + (size_t)at * 8;
        uint64_t eight = postern__equal_four(from, words) | postern__equal_four(from + 32, words) << 4;
        bits |= eight << at;
        at += 8;
    } while (at < count);
    return (uint32_t)_tzcnt_u64(bits);
}

static const postern__lanes postern__avx2_lanes = {
    postern__line4_avx2, postern__line6_avx2, postern__window4_avx2, postern__window6_avx2,
    postern__ones_avx2,  postern__list4_avx2, postern__list6_avx2};

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

POSTERN__IN_AVX512
static inline uint32_t postern__list4_avx512(const uint8_t *list, uint32_t count, uint32_t masked,
                                             uint8_t byte) {
    __m256i masks = _mm256_mask_loadu_epi8(_mm256_set1_epi8(-1),
                                           ~_bzhi_u32(UINT32_MAX, count - masked), list + masked);
    __m256i wanted = _mm256_and_si256(_mm256_set1_epi8((char)byte), masks);
    uint64_t equal = _mm256_cmpeq_epi8_mask(POSTERN__LOAD256(list), wanted);
    return (uint32_t)_tzcnt_u64(equal | UINT64_C(1) << count);
}

POSTERN__IN_AVX512
static inline uint32_t postern__list6_avx512(const uint8_t *list, uint32_t count, uint64_t word) {
    __m512i words = _mm512_set1_epi64((int64_t)word);
    uint64_t bits = UINT64_C(1) << count;
    uint32_t at = 0;
    do {
        __m512i eight = _mm512_loadu_si512(list + (size_t)at * 8);
        __m512i behind = _mm512_xor_si512(eight, _mm512_add_epi64(eight, _mm512_set1_epi64(-1)));
        __m512i differ = _mm512_andnot_si512(behind, _mm512_xor_si512(eight, words));
        bits |= (uint64_t)_mm512_testn_epi64_mask(differ, differ) << at;
        at += 8;
    } while (at < count);
    return (uint32_t)_tzcnt_u64(bits);
}

static const postern__lanes postern__avx512_lanes = {
    postern__line4_avx512, postern__line6_avx512, postern__window4_avx512, postern__window6_avx512,
    postern__ones_avx512,  postern__list4_avx512, postern__list6_avx512};

#endif

/* A function that takes the lanes first. Called with one of the constants above
 * by a function marked for that path, it becomes a part of that function, with
 * its instructions all the way down. */
#if defined(__GNUC__)
#define POSTERN__FOR_EACH_PATH static inline __attribute__((always_inline))
#define POSTERN__APART static __attribute__((noinline))
#else
#define POSTERN__FOR_EACH_PATH static inline
#define POSTERN__APART static
#endif

#endif
