/* Hyperscan, block mode, for bench_glob. */
#include <hs/hs.h>
#include <stdlib.h>

#include "bench_glob.h"

struct many {
    hs_database_t *database;
    hs_scratch_t *scratch;
};

/* SINGLEMATCH: whether a pattern matches is asked, not where. */
static void *many_new(const char *const *patterns, size_t count) {
    struct many *self = calloc(1, sizeof *self);
    char **regexes = malloc(count * sizeof *regexes);
    unsigned *flags = malloc(count * sizeof *flags), *ids = malloc(count * sizeof *ids);
    hs_compile_error_t *error = NULL;
    if (self == NULL || regexes == NULL || flags == NULL || ids == NULL) abort();
    for (size_t i = 0; i < count; i++) {
        regexes[i] = bench_regex(patterns[i]);
        flags[i] = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_UTF8;
        ids[i] = (unsigned)i;
    }
    if (hs_compile_multi((const char *const *)regexes, flags, ids, (unsigned)count, HS_MODE_BLOCK,
                         NULL, &self->database, &error) != HS_SUCCESS ||
        hs_alloc_scratch(self->database, &self->scratch) != HS_SUCCESS) {
        abort();
    }
    for (size_t i = 0; i < count; i++) free(regexes[i]);
    free(regexes);
    free(flags);
    free(ids);
    return self;
}

struct visitor {
    bench_visit *visit;
    void *context;
};

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context) {
    struct visitor *visitor = context;
    (void)from, (void)to, (void)flags;
    visitor->visit(visitor->context, id);
    return 0;
}

static void many_match(void *handle, const char *text, size_t length, bench_visit *visit,
                       void *context) {
    struct many *self = handle;
    struct visitor visitor = {visit, context};
    hs_scan(self->database, text, (unsigned)length, 0, self->scratch, on_match, &visitor);
}

static void many_free(void *handle) {
    struct many *self = handle;
    hs_free_scratch(self->scratch);
    hs_free_database(self->database);
    free(self);
}

const bench_engine bench_hyperscan = {
    .name = "Hyperscan", .many_new = many_new, .many_match = many_match, .many_free = many_free};
