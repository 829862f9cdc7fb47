/* What a glob costs, alone and among many, beside the engines that people would
 * use instead: `make bench-structures`.
 *
 *    bench_glob            single patterns, then sets of 10 to 100,000
 *    bench_glob FEWER      sets up to that size only
 *
 * Answers of all engines are compared before anything is timed. Rounds of all
 * engines take turns; shown are medians of ns a text, with least and most. Texts
 * differ from one to the next, and each is changed by the answer to the one
 * before, so that none can begin before that is there. */
#define _POSIX_C_SOURCE 200809L

#include "bench_glob.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "filing.h"
#include "index.h"
#include "result.h"

enum { ROUNDS = 11, TEXTS = 4096, MOST_ENGINES = 8 };

static void die(const char *what) {
    fprintf(stderr, "bench_glob: %s\n", what);
    exit(2);
}

static void *allocate(size_t size) {
    void *block = calloc(1, size > 0 ? size : 1);
    if (block == NULL) die("no memory");
    return block;
}

/* Of the processor, so that what else the machine does is left out. */
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

char *bench_regex(const char *pattern) {
    char *out = allocate(2 * strlen(pattern) + 1), *to = out;
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '*') *to++ = '.';
        else if (*pattern == '?') { *to++ = '.'; continue; }
        else if (strchr(".+()[]{}|^$\\", *pattern) != NULL) *to++ = '\\';
        *to++ = *pattern;
    }
    return out;
}

/* ---- Postern, and the plainest matcher ----------------------------------- */

static void *glob_new(const char *pattern, size_t length) {
    postern_span span = {pattern, length};
    postern_glob *glob = postern_glob_new(&span, 1, POSTERN_GLOB_TEXT, NULL, NULL);
    if (glob == NULL) die(pattern);
    return glob;
}

static int glob_match(void *self, const char *text, size_t length) {
    return postern_glob_match(self, text, length) == 0;
}

static void glob_free(void *self) { postern_glob_free(self); }

struct shelf {
    postern__vector codes, filings, index;
    size_t offset;
};

static void *shelf_new(const char *const *patterns, size_t count) {
    struct shelf *shelf = allocate(sizeof *shelf);
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector_init(&shelf->codes, 1, &allocator);
    postern__vector_init(&shelf->filings, sizeof(postern__filing), &allocator);
    postern__vector_init(&shelf->index, 1, &allocator);
    for (size_t i = 0; i < count; i++) {
        size_t start = shelf->codes.count;
        postern_span pattern = {patterns[i], strlen(patterns[i])};
        postern__filing filing = {.id = (uint32_t)i};
        if (!postern__glob_encode(pattern, &shelf->codes)) die("no memory");
        filing.glob = postern__glob_measure(shelf->codes.items, start, pattern.length);
        filing.note = postern__code_note_of(shelf->codes.items, &filing.glob);
        if (postern__vector_push(&shelf->filings, &filing, 1) == NULL) die("no memory");
    }
    if (!postern__index_build(shelf->codes.items, POSTERN__AT(&shelf->filings, postern__filing, 0),
                              count, &shelf->index, &shelf->offset)) {
        die("no memory");
    }
    return shelf;
}

struct visitor {
    bench_visit *visit;
    void *context;
};

static void pass_on(void *context, const uint32_t *ids, uint32_t count, bool sure) {
    const struct visitor *visitor = context;
    (void)sure;
    for (uint32_t i = 0; i < count; i++) visitor->visit(visitor->context, ids[i]);
}

static void shelf_match(void *self, const char *text, size_t length, bench_visit *visit,
                        void *context) {
    const struct shelf *shelf = self;
    struct visitor visitor = {visit, context};
    postern__index_find(shelf->index.items + shelf->offset, shelf->codes.items,
                        (postern_span){text, length}, pass_on, &visitor);
}

/* Each compiled glob in turn. */
static void each_match(void *self, const char *text, size_t length, bench_visit *visit,
                       void *context) {
    const struct shelf *shelf = self;
    const postern__filing *filings = POSTERN__AT(&shelf->filings, postern__filing, 0);
    for (uint32_t i = 0; i < shelf->filings.count; i++) {
        if (postern__glob_match(&filings[i].glob, shelf->codes.items, (postern_span){text, length})) {
            visit(context, i);
        }
    }
}

static void shelf_free(void *self) {
    struct shelf *shelf = self;
    postern__vector_free(&shelf->codes);
    postern__vector_free(&shelf->filings);
    postern__vector_free(&shelf->index);
    free(shelf);
}

/* One star remembered, a byte at a time. */
static void *star_new(const char *pattern, size_t length) {
    (void)length;
    return strdup(pattern);
}

static int star_match(void *self, const char *text, size_t length) {
    const char *p = self, *t = text, *end = text + length, *star = NULL, *from = NULL;
    while (t < end) {
        if (*p == '*') {
            star = ++p;
            from = t;
        } else if (*p == '?' || (*p == *t && *p != '\0')) {
            p++;
            t++;
        } else if (star != NULL) {
            p = star;
            t = ++from;
        } else {
            return 0;
        }
    }
    while (*p == '*') p++;
    return *p == '\0';
}

static const bench_engine bench_postern = {"Postern", glob_new,    glob_match, glob_free,
                                           shelf_new, shelf_match, shelf_free};
static const bench_engine bench_each = {.name = "globs in turn", .many_new = shelf_new,
                                        .many_match = each_match, .many_free = shelf_free};
static const bench_engine bench_star = {
    .name = "one star", .one_new = star_new, .one_match = star_match, .one_free = free};

static const bench_engine *engines[MOST_ENGINES];
static size_t engine_count;

static void choose_engines(void) {
    engines[engine_count++] = &bench_postern;
    engines[engine_count++] = &bench_star;
    engines[engine_count++] = &bench_each;
#ifdef BENCH_PCRE2
    engines[engine_count++] = &bench_pcre2;
#else
    puts("PCRE2: not here; install libpcre2-dev");
#endif
#ifdef BENCH_RE2
    engines[engine_count++] = &bench_re2;
#else
    puts("RE2: not here; install g++ and libre2-dev");
#endif
#ifdef BENCH_HYPERSCAN
    engines[engine_count++] = &bench_hyperscan;
#else
    puts("Hyperscan: not here; install libhyperscan-dev");
#endif
}

static void print_row(const char *name, const char *family, size_t size, double ns[ROUNDS],
                      double first) {
    qsort(ns, ROUNDS, sizeof *ns, ascending);
    bench_result_append(
        &(bench_result){.name = name, .family = family, .size = size, .unit = "ns"}, ns, ROUNDS);
    double median = ns[ROUNDS / 2];
    printf("  %-14s %11.1f  (%.1f to %.1f)", name, median, ns[0], ns[ROUNDS - 1]);
    if (first > 0) printf("  %.2f times", median / first);
    putchar('\n');
}

/* ---- One pattern --------------------------------------------------------- */

#define ARN "arn:aws:execute-api:eu-central-1:111122223333:"

struct single {
    const char *name, *pattern, *text;
    int matches;
};

static const struct single singles[] = {
    {"prefix, matches", ARN "a1b2c3d4e5/*", ARN "a1b2c3d4e5/stageName/GET/orders/42", 1},
    {"prefix, last byte differs", ARN "a1b2c3d4e6/*", ARN "a1b2c3d4e5/stageName/GET/orders/42", 0},
    {"method, matches", ARN "a1b2c3d4e5/stageName/GET/*", ARN "a1b2c3d4e5/stageName/GET/orders/42",
     1},
    {"method, POST", ARN "a1b2c3d4e5/stageName/GET/*", ARN "a1b2c3d4e5/stageName/POST/orders/42", 0},
    {"suffix, matches", "*/orders/42", ARN "a1b2c3d4e5/stageName/GET/orders/42", 1},
    {"suffix, differs", "*/orders/43", ARN "a1b2c3d4e5/stageName/GET/orders/42", 0},
    {"four stars, matches", "arn:*:execute-api:*:*:a1b2c3d4e5/*/orders",
     ARN "a1b2c3d4e5/stageName/GET/orders", 1},
    {"stars and ?, matches", "*:*/v?/users/*/orders", ARN "a1b2c3d4e5/v1/users/4711/orders", 1},
    {"stars and ?, misses at end", "*:*/v?/users/*/orders", ARN "a1b2c3d4e5/v1/users/4711/order", 0},
    {"stars and ?, misses inside", "*:*/v?/users/*/orders*", ARN "a1b2c3d4e5/v1/users/4711/order", 0},
    {"hostile", ARN "*/*/a*a*a*a*b", ARN "x/y/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
    {"hostile, open end", ARN "*/*/a*a*a*a*b*", ARN "x/y/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     0},
};

/* One byte behind the text is written between calls, by the answer before: the
 * compiler cannot hoist the call and the machine cannot run ahead of it. */
static double time_one(const bench_engine *engine, void *self, const char *text, size_t length,
                       long count) {
    char *copies[2];
    for (int i = 0; i < 2; i++) {
        copies[i] = allocate(length);
        memcpy(copies[i], text, length);
    }
    size_t answer = 0;
    double start = now();
    for (long i = 0; i < count; i++) {
        answer = (size_t)engine->one_match(self, copies[answer & 1], length);
    }
    double ns = (now() - start) / (double)count;
    free(copies[0]);
    free(copies[1]);
    return ns;
}

static void bench_single(const struct single *single) {
    static double ns[MOST_ENGINES][ROUNDS];
    void *selves[MOST_ENGINES];
    size_t length = strlen(single->text);
    long counts[MOST_ENGINES];
    for (size_t e = 0; e < engine_count; e++) {
        if (engines[e]->one_new == NULL) continue;
        selves[e] = engines[e]->one_new(single->pattern, strlen(single->pattern));
        if ((engines[e]->one_match(selves[e], single->text, length) != 0) != single->matches) {
            die(engines[e]->name);
        }
        double once = time_one(engines[e], selves[e], single->text, length, 20);
        counts[e] = (long)(4e6 / (once > 2 ? once : 2)) + 20;
        if (counts[e] > 1000000) counts[e] = 1000000;
    }
    for (int round = -1; round < ROUNDS; round++) {
        for (size_t e = 0; e < engine_count; e++) {
            if (engines[e]->one_new == NULL) continue;
            double time = time_one(engines[e], selves[e], single->text, length, counts[e]);
            if (round >= 0) ns[e][round] = time;
        }
    }
    printf("%s: %s\n", single->name, single->pattern);
    char family[48];
    snprintf(family, sizeof family, "glob: %s", single->name);
    double first = 0;
    for (size_t e = 0; e < engine_count; e++) {
        if (engines[e]->one_new == NULL) continue;
        print_row(engines[e]->name, family, 1, ns[e], first);
        if (e == 0) first = ns[0][ROUNDS / 2];
        engines[e]->one_free(selves[e]);
    }
}

/* ---- Many patterns ------------------------------------------------------- */

static uint64_t random_state = 42;

static uint32_t below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717) >> 33) % limit);
}

static const char *const regions[] = {"eu-central-1", "eu-west-1", "us-east-1", "ap-southeast-2"};
static const char *const stages[] = {"live", "test", "beta"};
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
static const char *const nouns[] = {"orders", "users", "invoices", "pets", "reports"};

#define PICK(list) ((list)[below(sizeof(list) / sizeof *(list))])

/* One API: where it is, and its id. */
struct api {
    const char *region;
    uint64_t account;
    char id[11];
};

static struct api random_api(void) {
    struct api api = {.region = PICK(regions), .account = 111122220000 + below(10000)};
    for (int i = 0; i < 10; i++) api.id[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[below(36)];
    return api;
}

/* 70 % literal up to a last star, 10 % with a star for the region, 15 % with
 * stars inside or `??`, 5 % that begin with one. */
static void write_pattern(char *out, size_t size, const struct api *api) {
    uint32_t kind = below(100);
    unsigned long long account = api->account;
    if (kind < 70) {
        snprintf(out, size, "arn:aws:execute-api:%s:%llu:%s/%s/%s/*", api->region, account, api->id,
                 PICK(stages), PICK(methods));
    } else if (kind < 80) {
        snprintf(out, size, "arn:aws:execute-api:*:%llu:%s/%s/*", account, api->id, PICK(stages));
    } else if (kind < 88) {
        snprintf(out, size, "arn:aws:execute-api:%s:*:%s/*/%s/%s/*", api->region, api->id,
                 PICK(methods), PICK(nouns));
    } else if (kind < 95) {
        snprintf(out, size, "arn:aws:execute-api:%s:%llu:%s/*/%s/?" "?/items", api->region, account,
                 api->id, PICK(methods));
    } else {
        snprintf(out, size, "*:%s/%s/%s/%s/*", api->id, PICK(stages), PICK(methods), PICK(nouns));
    }
}

struct found {
    uint64_t sum;
    uint32_t count;
};

static void add_found(void *context, uint32_t pattern) {
    struct found *found = context;
    found->sum += (pattern + UINT64_C(1)) * UINT64_C(0x9E3779B97F4A7C15);
    found->count++;
}

static double time_many(const bench_engine *engine, void *self, char *const *texts,
                        const size_t *lengths, size_t count) {
    struct found found = {0};
    double start = now();
    for (size_t i = 0; i < count; i++) {
        size_t at = (i + (found.sum & 1)) % TEXTS; /* waits for the answer before */
        engine->many_match(self, texts[at], lengths[at], add_found, &found);
    }
    return (now() - start) / (double)count;
}

static size_t most_patterns(const bench_engine *engine) {
    /* Beyond, these take minutes or gigabytes to build. */
    if (strcmp(engine->name, "Hyperscan") == 0 || strcmp(engine->name, "RE2") == 0) return 10000;
    return SIZE_MAX;
}

static void compare_answers(void *const *selves, char *const *texts, const size_t *lengths) {
    uint64_t matches = 0;
    for (size_t i = 0; i < 400; i++) {
        struct found expected = {0};
        each_match(selves[0], texts[i], lengths[i], add_found, &expected);
        matches += expected.count;
        for (size_t e = 0; e < engine_count; e++) {
            struct found found = {0};
            if (selves[e] == NULL) continue;
            engines[e]->many_match(selves[e], texts[i], lengths[i], add_found, &found);
            if (found.sum != expected.sum || found.count != expected.count) die(engines[e]->name);
        }
    }
    printf("  answers equal; %.2f matches a text\n", (double)matches / 400);
}

static void bench_many(size_t count) {
    static double ns[MOST_ENGINES][ROUNDS];
    static char *texts[TEXTS];
    static size_t lengths[TEXTS];
    void *selves[MOST_ENGINES] = {NULL};
    char **patterns = allocate(count * sizeof *patterns);
    struct api *apis = allocate(count * sizeof *apis);
    for (size_t i = 0; i < count; i++) {
        apis[i] = random_api();
        patterns[i] = allocate(160);
        write_pattern(patterns[i], 160, &apis[i]);
    }
    for (size_t i = 0; i < TEXTS; i++) {
        const struct api *api = &apis[below((uint32_t)count)];
        texts[i] = allocate(160);
        snprintf(texts[i], 160, "arn:aws:execute-api:%s:%llu:%s/%s/%s/%s/%u%s", api->region,
                 (unsigned long long)api->account, api->id, PICK(stages), PICK(methods), PICK(nouns),
                 below(1000), below(2) == 0 ? "/items" : "");
        lengths[i] = strlen(texts[i]);
    }
    printf("%zu patterns\n", count);
    for (size_t e = 0; e < engine_count; e++) {
        if (engines[e]->many_new == NULL || count > most_patterns(engines[e])) continue;
        double start = now();
        selves[e] = engines[e]->many_new((const char *const *)patterns, count);
        printf("  %-14s built in %.1f ms\n", engines[e]->name, (now() - start) / 1e6);
    }
    const struct shelf *shelf = selves[0];
    postern__index_figures figures =
        postern__index_figures_of(shelf->index.items + shelf->offset);
    printf("  Postern: %.2f MiB; %u places, %u floating, %u tried always\n",
           (double)(shelf->index.count - shelf->offset) / 1048576, figures.places, figures.floating,
           figures.rest);
    compare_answers(selves, texts, lengths);
    for (int round = -1; round < ROUNDS; round++) {
        for (size_t e = 0; e < engine_count; e++) {
            if (selves[e] == NULL) continue;
            bool slow = engines[e] == &bench_each && count > 1000;
            double time = time_many(engines[e], selves[e], texts, lengths, slow ? 40 : 20000);
            if (round >= 0) ns[e][round] = time;
        }
    }
    double first = 0;
    for (size_t e = 0; e < engine_count; e++) {
        if (selves[e] == NULL) continue;
        print_row(engines[e]->name, "globs", count, ns[e], first);
        if (e == 0) first = ns[0][ROUNDS / 2];
        engines[e]->many_free(selves[e]);
    }
    for (size_t i = 0; i < count; i++) free(patterns[i]);
    for (size_t i = 0; i < TEXTS; i++) free(texts[i]);
    free(patterns);
    free(apis);
}

int main(int argc, char **argv) {
    size_t most = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    choose_engines();
    puts("One pattern, ns a text: median (least to most)\n");
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) bench_single(&singles[i]);
    puts("\nAll patterns that match, ns a text: median (least to most)\n");
    for (size_t count = 10; count <= most; count *= 10) bench_many(count);
    return 0;
}
