#include "simd.h"

#include <stdlib.h>

enum { PATHS = POSTERN__AVX512 + 1 };

static const char *const names[PATHS] = {"scalar", "avx2", "avx512"};

postern__simd postern__simd_best(void) {
#if POSTERN__X86_PATHS
    /* These ask the operating system too: it has to keep the wide registers. */
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("popcnt"))
        return POSTERN__SCALAR;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl"))
        return POSTERN__AVX2;
    return POSTERN__AVX512;
#else
    return POSTERN__SCALAR;
#endif
}

postern__simd postern__simd_limit(const char *wanted) {
    postern__simd best = postern__simd_best();
    for (int path = 0; wanted != NULL && path < PATHS; path++) {
        if (strcmp(names[path], wanted) == 0 && path < (int)best) return (postern__simd)path;
    }
    return best;
}

postern__simd postern__simd_choose(void) { return postern__simd_limit(getenv("POSTERN_SIMD")); }

const char *postern__simd_name(postern__simd simd) { return names[simd]; }
