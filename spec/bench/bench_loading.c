/* What it costs to read policies and to make sets of them.
 *
 *    bench_loading COUNT               a table, COUNT policies of about 1 KB a round
 *    bench_loading FORM HOW COUNT      COUNT policies and nothing else, for an
 *                                      instruction counter
 *    bench_loading files               the policies whose paths come in, one a line
 *
 * FORM: "compact", as programs write policies, or "indented", as people do.
 * HOW: "each" policy is a set of its own, or they are "together" in one; "read"
 * is the reader alone, and "write" only makes the texts, to be taken off. */
#define _POSIX_C_SOURCE 200809L

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "postern.h"

enum { TEXT = 8192, BATCH = 1000, FORMS = 2, HOWS = 4, ROUNDS = 5 };

static const char *const forms[FORMS] = {"compact", "indented"};

typedef enum bench_how { EACH, TOGETHER, READ, WRITE } bench_how;

static const char *const hows[HOWS] = {"each", "together", "read", "write"};

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_loading: %s: %s\n", what, why);
    exit(2);
}

/* ---- The policies --------------------------------------------------------*/

struct text {
    char bytes[TEXT];
    size_t length;
};

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void put(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text->length += (size_t)vsnprintf(text->bytes + text->length, TEXT - text->length, format,
                                      arguments);
    va_end(arguments);
    if (text->length >= TEXT) die("a policy", "is too long");
}

/* The same numbers in every run. */
static uint32_t draw(uint64_t *state, uint32_t below) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % below;
}

static void put_principal(struct text *out, uint64_t *state) {
    static const char *const kinds[] = {"role", "user", "user/robots"};
    if (draw(state, 2) == 0) {
        put(out, "\"Principal\":\"*\",");
        return;
    }
    put(out, "\"Principal\":{\"AWS\":[");
    uint32_t count = 1 + draw(state, 2);
    for (uint32_t i = 0; i < count; i++) {
        put(out, "%s\"arn:aws:iam::%012u:%s/team-%u\"", i > 0 ? "," : "", 100000000u + draw(state, 999),
            kinds[draw(state, 3)], draw(state, 5000));
    }
    put(out, "]},");
}

static void put_condition(struct text *out, uint64_t *state) {
    switch (draw(state, 4)) {
    case 0:
        put(out, ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":[\"10.%u.0.0/16\",\"192.0.2.%u/32\","
                 "\"2001:db8:%x::/48\"]}}",
            draw(state, 256), draw(state, 256), draw(state, 65536));
        break;
    case 1:
        put(out, ",\"Condition\":{\"StringEquals\":{\"aws:SourceVpce\":[\"vpce-%08x\",\"vpce-%08x\"]},"
                 "\"Bool\":{\"aws:SecureTransport\":\"true\"}}",
            draw(state, UINT32_MAX), draw(state, UINT32_MAX));
        break;
    case 2:
        put(out, ",\"Condition\":{\"StringLike\":{\"aws:PrincipalTag/project\":\"p%u-*\"},"
                 "\"DateLessThan\":{\"aws:CurrentTime\":\"2030-0%u-01T00:00:00Z\"}}",
            draw(state, 5000), 1 + draw(state, 9));
        break;
    default: break;
    }
}

static void put_statement(struct text *out, uint64_t *state, uint32_t number) {
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "*"};
    static const char *const words[] = {"orders", "invoices", "pets", "reports", "customers"};
    put(out, "%s{\"Sid\":\"%sAccess%u\",\"Effect\":\"%s\",", number > 0 ? "," : "",
        words[draw(state, 5)], number, draw(state, 4) == 0 ? "Deny" : "Allow");
    put_principal(out, state);
    if (draw(state, 3) == 0) put(out, "\"Action\":[\"execute-api:Invoke\",\"execute-api:InvalidateCache\"],");
    else put(out, "\"Action\":\"execute-api:Invoke\",");
    put(out, "\"Resource\":[");
    uint32_t count = 1 + draw(state, 3);
    for (uint32_t i = 0; i < count; i++) {
        put(out, "%s\"arn:aws:execute-api:eu-central-1:111122223333:a%09x/%s/%s/%s/%u%s\"",
            i > 0 ? "," : "", draw(state, UINT32_MAX), draw(state, 3) > 0 ? "live" : "*",
            methods[draw(state, 5)], words[draw(state, 5)], draw(state, 5000),
            draw(state, 2) > 0 ? "/*" : "");
    }
    put(out, "]");
    put_condition(out, state);
    put(out, "}");
}

/* Four spaces a level, a line for each member and item. No string of ours has a
 * bracket in it, or an escape. */
static void indent(struct text *text) {
    static struct text out;
    unsigned depth = 0;
    bool in_string = false;
    out.length = 0;
    for (size_t i = 0; i < text->length; i++) {
        char c = text->bytes[i];
        if (c == '"') in_string = !in_string;
        bool opens = !in_string && (c == '{' || c == '['), closes = !in_string && (c == '}' || c == ']');
        if (closes) put(&out, "\n%*s", (int)(4 * --depth), "");
        put(&out, "%c", c);
        if (opens) depth++;
        if (opens || (!in_string && c == ',')) put(&out, "\n%*s", (int)(4 * depth), "");
        if (!in_string && c == ':') put(&out, " ");
    }
    *text = out;
}

/* Policy `number`; about 1 KB of it without the white space. */
static void write_policy(struct text *out, int form, uint32_t number) {
    uint64_t state = number;
    out->length = 0;
    put(out, "{\"Version\":\"2012-10-17\",\"Id\":\"policy-%u\",\"Statement\":[", number);
    for (uint32_t i = 0; out->length < 850; i++) put_statement(out, &state, i);
    put(out, "]}");
    if (form == 1) indent(out);
}

/* ---- Loading -------------------------------------------------------------*/

/* An allocator that counts, over malloc. */
static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
    (void)old_size;
    if (new_size == 0) {
        free(block);
        return NULL;
    }
    ++*(uint64_t *)user;
    return realloc(block, new_size);
}

struct total {
    double ns;
    uint64_t allocations;
    long faults; /* pages of memory that were touched for the first time */
    size_t text, compiled;
    uint32_t policies;
};

/* Of the processor, so that what else the machine does is left out. */
static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static long count_faults(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static postern_builder *new_builder(const postern_options *options) {
    postern_error error;
    postern_builder *builder = postern_builder_new(options, &error);
    if (builder == NULL) die("a builder", error.message);
    return builder;
}

static void add(postern_builder *builder, const struct text *text) {
    postern_error error;
    if (postern_builder_add(builder, "policy", 6, text->bytes, text->length, &error) != POSTERN_OK) {
        die("a policy", error.message);
    }
}

static void build(postern_builder *builder, struct total *total) {
    postern_error error;
    postern_set *set = postern_builder_build(builder, &error);
    if (set == NULL) die("a set", error.message);
    total->compiled += postern_set_size(set);
    postern_set_free(set);
}

/* This and `finish` are never inlined: instructions are counted while they run. */
__attribute__((noinline)) static void load_one(const postern_options *options, bench_how how,
                                               postern_builder *together, const struct text *text,
                                               struct total *total) {
    switch (how) {
    case EACH: {
        postern_builder *builder = new_builder(options);
        add(builder, text);
        build(builder, total);
        postern_builder_free(builder);
        break;
    }
    case TOGETHER: add(together, text); break;
    case READ:
        postern_document_free(postern_document_new(text->bytes, text->length, options->allocator,
                                                   NULL));
        break;
    case WRITE: break;
    }
}

__attribute__((noinline)) static void finish(bench_how how, postern_builder *together,
                                             struct total *total) {
    if (how == TOGETHER) build(together, total);
    postern_builder_free(together);
}

/* Texts are written in batches, whose writing is not timed. */
static struct total load(int form, bench_how how, uint32_t count) {
    static struct text batch[BATCH];
    struct total total = {.policies = count};
    long faults = count_faults();
    postern_allocator allocator = {resize, &total.allocations};
    postern_options options = {.allocator = &allocator, .policy_type = POSTERN_RESOURCE};
    postern_builder *together = new_builder(&options);
    for (uint32_t first = 0; first < count; first += BATCH) {
        uint32_t size = count - first < BATCH ? count - first : BATCH;
        for (uint32_t i = 0; i < size; i++) {
            write_policy(&batch[i], form, first + i);
            total.text += batch[i].length;
        }
        double start = now();
        for (uint32_t i = 0; i < size; i++) load_one(&options, how, together, &batch[i], &total);
        total.ns += now() - start;
    }
    double start = now();
    finish(how, together, &total);
    total.ns += now() - start;
    total.faults = count_faults() - faults;
    return total;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rounds of all forms take turns, so that a slow moment hits all alike. */
static void time_all(uint32_t count) {
    static double speed[FORMS][WRITE][ROUNDS];
    struct total totals[FORMS][WRITE];
    for (int round = 0; round < ROUNDS; round++) {
        for (int form = 0; form < FORMS; form++) {
            for (int how = 0; how < WRITE; how++) {
                struct total total = totals[form][how] = load(form, (bench_how)how, count);
                speed[form][how][round] = (double)total.text * 1e3 / total.ns;
            }
        }
    }
    for (int form = 0; form < FORMS; form++) {
        for (int how = 0; how < WRITE; how++) {
            double *sorted = speed[form][how];
            const struct total *total = &totals[form][how];
            qsort(sorted, ROUNDS, sizeof *sorted, ascending);
            printf("%s %s %u %.0f %.1f %.1f %.1f %.2f %.2f %.2f\n", forms[form], hows[how], count,
                   (double)total->text / count, sorted[ROUNDS / 2], sorted[0], sorted[ROUNDS - 1],
                   (double)total->allocations / count, (double)total->faults / count,
                   (double)total->compiled / (double)total->text);
        }
    }
}

/* ---- Files ---------------------------------------------------------------*/

static bool read_file(const char *path, struct text *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) die(path, "cannot be read");
    out->length = fread(out->bytes, 1, TEXT, file);
    fclose(file);
    return out->length < TEXT;
}

/* A set of one file under the first type that takes it; false when none does. */
static bool load_file(const struct text *text, bool keep, postern_builder *const builders[],
                      int types, const postern_allocator *allocator, struct total *total) {
    for (int32_t type = 0; type < types; type++) {
        postern_options options = {.allocator = allocator, .policy_type = type,
                                   .strictness = POSTERN_STRUCTURAL};
        postern_builder *builder = new_builder(&options);
        bool added = postern_builder_add(builder, NULL, 0, text->bytes, text->length, NULL) == POSTERN_OK;
        if (added) build(builder, total);
        if (added && keep) add(builders[type], text);
        postern_builder_free(builder);
        if (added) return true;
    }
    return false;
}

/* Their compiled bytes: each a set of its own, and together in one set for each
 * type of policy. */
static void measure_files(void) {
    enum { TYPES = POSTERN_GATEWAY_ENDPOINT + 1 };
    static struct text text;
    char path[4096];
    struct total each = {0}, together = {0};
    uint32_t skipped = 0;
    postern_allocator allocator = {resize, &each.allocations};
    postern_builder *builders[TYPES];
    for (int32_t type = 0; type < TYPES; type++) {
        builders[type] = new_builder(&(postern_options){.policy_type = type,
                                                        .strictness = POSTERN_STRUCTURAL});
    }
    while (fgets(path, sizeof path, stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        if (!read_file(path, &text) || !load_file(&text, true, builders, TYPES, &allocator, &each)) {
            skipped++;
            continue;
        }
        each.text += text.length;
        each.policies++;
    }
    for (int32_t type = 0; type < TYPES; type++) {
        build(builders[type], &together);
        postern_builder_free(builders[type]);
    }
    printf("%u %u %zu %zu %zu\n", each.policies, skipped, each.text, each.compiled,
           together.compiled);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "files") == 0) {
        measure_files();
        return 0;
    }
    if (argc == 2) {
        time_all((uint32_t)atol(argv[1]));
        return 0;
    }
    if (argc != 4) die("usage", "bench_loading COUNT, FORM HOW COUNT, or files");
    for (int how = 0; how < HOWS; how++) {
        if (strcmp(argv[2], hows[how]) != 0) continue;
        struct total total = load(strcmp(argv[1], forms[1]) == 0, (bench_how)how,
                                  (uint32_t)atol(argv[3]));
        printf("%zu\n", total.text);
    }
    return 0;
}
