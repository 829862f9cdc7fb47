/* The other engines that bench_glob times, each behind the same few functions.
 *
 * They take patterns as the language writes them, `*` and `?`, and match whole
 * texts of UTF-8. Those whose library was not there when the bench was built
 * are NULL in `bench_engines`, and the bench says so. */
#ifndef POSTERN_BENCH_GLOB_H
#define POSTERN_BENCH_GLOB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Called with the index of a pattern that matches; the order is open. */
typedef void bench_visit(void *context, uint32_t pattern);

typedef struct bench_engine {
    const char *name;
    /* One pattern; NULL functions: it has no form for one. */
    void *(*one_new)(const char *pattern, size_t length);
    int (*one_match)(void *self, const char *text, size_t length);
    void (*one_free)(void *self);
    /* All patterns that match; NULL functions: it has no form for many. */
    void *(*many_new)(const char *const *patterns, size_t count);
    void (*many_match)(void *self, const char *text, size_t length, bench_visit *visit,
                       void *context);
    void (*many_free)(void *self);
} bench_engine;

extern const bench_engine bench_pcre2, bench_re2, bench_hyperscan;

/* A regular expression of the pattern, as all three read it; the caller frees
 * it. `*` becomes `.*` where a dot is any character. */
char *bench_regex(const char *pattern);

#ifdef __cplusplus
}
#endif

#endif
