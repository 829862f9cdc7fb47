/* PCRE2 with its JIT for bench_glob. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "bench_glob.h"

struct one {
    pcre2_code *code;
    pcre2_match_data *data;
};

static void *one_new(const char *pattern, size_t length) {
    int error;
    PCRE2_SIZE at;
    char *regex = bench_regex(pattern);
    struct one *self = malloc(sizeof *self);
    (void)length;
    if (self == NULL) abort();
    self->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
                               PCRE2_DOTALL | PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED |
                                   PCRE2_ENDANCHORED,
                               &error, &at, NULL);
    if (self->code == NULL || pcre2_jit_compile(self->code, PCRE2_JIT_COMPLETE) != 0) abort();
    self->data = pcre2_match_data_create(1, NULL);
    free(regex);
    return self;
}

static int one_match(void *handle, const char *text, size_t length) {
    struct one *self = handle;
    return pcre2_jit_match(self->code, (PCRE2_SPTR)text, length, 0, 0, self->data, NULL) >= 0;
}

static void one_free(void *handle) {
    struct one *self = handle;
    pcre2_match_data_free(self->data);
    pcre2_code_free(self->code);
    free(self);
}

const bench_engine bench_pcre2 = {
    .name = "PCRE2 JIT", .one_new = one_new, .one_match = one_match, .one_free = one_free};
