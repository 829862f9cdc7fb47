/* What is timed by bench_cidr: a contestant, the addresses it is asked for, and
 * its loops. */
#ifndef POSTERN_BENCH_LOOKUPS_H
#define POSTERN_BENCH_LOOKUPS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cidr.h"

enum { STREAM = 1 << 18 }; /* addresses */

/* As many as there are countries, or providers, about. */
enum { VALUES = 256 };

typedef struct pair {
    uint64_t high, low;
} pair;

struct bytes {
    uint8_t of[16];
};

/* The same addresses, as each contestant wants them. */
struct stream {
    uint32_t *ipv4;
    pair *ipv6;
    struct bytes *bytes;
};

typedef uint64_t (*runner)(const void *self, const struct stream *stream);

struct contestant {
    const char *name;
    void *self; /* NULL: could not be built, see `why` */
    const char *why;
    bool members; /* answers only whether */
    bool kinds;   /* answers by what stands in a table of few values for each answer */
    runner answers; /* into `found` */
    runner throughput;
    runner dependent;
    double build; /* s */
    double memory; /* MiB */
};

static int32_t found[STREAM];
static volatile uint32_t zero; /* nobody knows that it stays so */

static void die(const char *what) {
    fprintf(stderr, "bench_cidr: %s\n", what);
    exit(2);
}

static void *must(void *memory) {
    if (memory == NULL) die("out of memory");
    return memory;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* what others run is not counted */
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(2685821657736338717);
}

static uint64_t below(uint64_t limit) { return (next_random() >> 20) % limit; }

/* The three loops of a contestant from an expression, the answer for `at`, and
 * one that has it without a branch. */
#define LOOPS(name, type, member, mix, lookup, chain)                               \
    static uint64_t name##_answers(const void *self, const struct stream *stream) { \
        for (size_t i = 0; i < STREAM; i++) {                                       \
            type at = stream->member[i];                                            \
            found[i] = (int32_t)(lookup);                                           \
        }                                                                           \
        return 0;                                                                   \
    }                                                                               \
    static uint64_t name##_throughput(const void *self, const struct stream *stream) { \
        uint64_t sum = 0;                                                           \
        for (size_t i = 0; i < STREAM; i++) {                                       \
            type at = stream->member[i];                                            \
            sum += (uint32_t)(lookup);                                              \
        }                                                                           \
        return sum;                                                                 \
    }                                                                               \
    static uint64_t name##_dependent(const void *self, const struct stream *stream) { \
        uint64_t sum = 0;                                                           \
        uint32_t nothing = zero, last = 0;                                          \
        for (size_t i = 0; i < STREAM; i++) {                                       \
            type at = stream->member[i];                                            \
            uint32_t turn = last & nothing;                                         \
            mix;                                                                    \
            last = (uint32_t)(chain);                                               \
            sum += last;                                                            \
        }                                                                           \
        return sum;                                                                 \
    }

#endif
