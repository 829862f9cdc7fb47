/* Times in nanoseconds, counted in buckets that are at most 1/64 of the time
 * wide: a bucket for each value below 128, and 64 for every doubling above.
 *
 *    value 5    -> bucket 5
 *    value 300  =  1 0010 1100b: 2 bits below the 7 that count
 *               -> bucket 2 * 64 + 300 / 4 = 203, which stands for 300..303 */
#ifndef POSTERN_BENCH_HISTOGRAM_H
#define POSTERN_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 59 };

typedef struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t total, most;
} histogram;

static inline uint32_t histogram_bucket(uint64_t value) {
    uint32_t shift = 0;
    if (value >= 128) shift = 57 - (uint32_t)__builtin_clzll(value);
    return shift * 64 + (uint32_t)(value >> shift);
}

/* The highest value of a bucket. */
static inline uint64_t histogram_value(uint32_t bucket) {
    if (bucket < 128) return bucket;
    uint32_t shift = bucket / 64 - 1;
    return (((uint64_t)(bucket - shift * 64) + 1) << shift) - 1;
}

static inline void histogram_add(histogram *from, uint64_t value) {
    from->counts[histogram_bucket(value)]++;
    from->total++;
    if (value > from->most) from->most = value;
}

/* The least value that a share of all, 0.99 for instance, does not exceed, as
 * precisely as buckets are wide; 0 when there is none. */
static inline uint64_t histogram_quantile(const histogram *from, double share) {
    uint64_t seen = 0;
    double wanted = share * (double)from->total;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += from->counts[i];
        if (seen && (double)seen >= wanted) {
            uint64_t value = histogram_value(i);
            return value < from->most ? value : from->most;
        }
    }
    return from->most;
}

#endif
