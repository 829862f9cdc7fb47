/* Which instructions a lookup may use.
 *
 * Chosen when an object is made and kept in it: there is no global to change,
 * and two objects may differ. Every path gives the same answers. */
#ifndef POSTERN_SIMD_H
#define POSTERN_SIMD_H

#include "span.h"

/* Each includes those before it. */
typedef enum postern__simd {
    POSTERN__SCALAR,
    POSTERN__AVX2,  /* with BMI, BMI2 and POPCNT */
    POSTERN__AVX512 /* F, BW and VL */
} postern__simd;

/* The most this processor and its operating system know, as cpuid tells it:
 * under valgrind that is what valgrind can run. */
postern__simd postern__simd_best(void);

/* The most of these that `wanted` lets through: the name of a path. A path that
 * the processor lacks gives the next below; NULL, or a name nobody knows, lets
 * everything through. */
postern__simd postern__simd_limit(const char *wanted);

/* For a new object: postern__simd_limit of the variable POSTERN_SIMD in the
 * environment. */
postern__simd postern__simd_choose(void);

/* The name of a path, as POSTERN_SIMD has it: "scalar", "avx2", "avx512". */
const char *postern__simd_name(postern__simd simd);

/* For code that has paths: whether this compiler can make them, and the mark of
 * a function that is one. */
#if defined(__x86_64__) && defined(__GNUC__)
#define POSTERN__X86_PATHS 1
#define POSTERN__IN_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define POSTERN__IN_AVX512 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx2,bmi,bmi2,popcnt")))
#else
#define POSTERN__X86_PATHS 0
#endif

#endif
