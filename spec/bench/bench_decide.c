/* What a decision costs in C: the four policies of examples/private-api, each
 * with a request that it allows.
 *
 *    bench_decide FOLDER                       ns per decision, a table
 *    bench_decide FOLDER entry                 the same through postern_entry
 *    bench_decide FOLDER CASE FORM COUNT       COUNT decisions and nothing
 *                                              else, for an instruction counter
 *    bench_decide sizes MOST                   sets of 10 statements to MOST,
 *                                              with a directory and without
 *    bench_decide size KIND STATEMENTS COUNT   as above, COUNT decisions and
 *                                              nothing else
 *
 * FORM: "evaluate" a filled request; "all": reset, fill and evaluate; or "ask":
 * in one call, by a question, the set and that of the API behind it. Rounds of
 * all cases and forms take turns, so that a slow moment hits all alike. */
#define _POSIX_C_SOURCE 200809L

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "postern.h"

#define API "arn:aws:execute-api:eu-central-1:111122223333:orders7a1b"

typedef struct bench_case {
    const char *name;
    const char *file;
    int32_t type;
    const char *principal;
    const char *resource;
    const char *key; /* NULL: the policy asks for none */
    const char *value;
} bench_case;

static const bench_case cases[] = {
    {"two-apis", "endpoint-two-apis.json", POSTERN_ENDPOINT, "*", API "/live/POST/orders", NULL,
     NULL},
    {"get-only", "endpoint-get-only.json", POSTERN_ENDPOINT, "*", API "/live/GET/orders/42", NULL,
     NULL},
    {"one-user", "endpoint-one-user.json", POSTERN_ENDPOINT,
     "arn:aws:iam::111122223333:user/robots/billing", API "/live/POST/invoices", NULL, NULL},
    {"offices", "api-offices.json", POSTERN_RESOURCE, "*", API "/live/GET/orders",
     "aws:VpcSourceIp", "10.31.7.255"},
};

enum { CASES = sizeof cases / sizeof *cases, ROUNDS = 15, PER_ROUND = 200000 };

enum form { EVALUATE, ALL, ASK, FORMS };
static const char *const forms[FORMS] = {"evaluate", "all", "ask"};

#define FRONT "arn:aws:execute-api:eu-central-1:111122223333:"

struct subject {
    const bench_case *from;
    postern_set *set;
    postern_request *request;
    int32_t key;
    postern_question *question; /* to this set and, if it is not that itself, to the last */
    postern_request *scratch;   /* the question's */
};

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_decide: %s: %s\n", what, why);
    exit(2);
}

static char *read_file(const char *folder, const char *name, size_t *length) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    char *text = malloc(65536);
    if (file == NULL || text == NULL) die(path, "cannot be read");
    *length = fread(text, 1, 65536, file);
    fclose(file);
    return text;
}

static void fill(const struct subject *subject) {
    const bench_case *from = subject->from;
    postern_request *request = subject->request;
    postern_request_reset(request);
    postern_request_principal(request, from->principal, strlen(from->principal), 0);
    postern_request_action(request, "execute-api:Invoke", 18);
    postern_request_resource(request, from->resource, strlen(from->resource));
    if (from->key != NULL) {
        postern_request_put(request, (uint32_t)subject->key, from->value, strlen(from->value));
    }
}

static struct subject prepare(const char *folder, const bench_case *from) {
    postern_error error = {0};
    postern_options options = {.policy_type = from->type,
                               .api_arn = from->type == POSTERN_RESOURCE ? API : NULL,
                               .api_arn_length = sizeof API - 1};
    struct subject subject = {.from = from, .key = -1};
    size_t length;
    char *text = read_file(folder, from->file, &length);
    postern_builder *builder = postern_builder_new(&options, &error);
    if (builder == NULL || postern_builder_add(builder, from->file, strlen(from->file), text,
                                               length, &error) != POSTERN_OK) {
        die(from->file, error.message);
    }
    subject.set = postern_builder_build(builder, &error);
    if (subject.set != NULL) subject.request = postern_request_new(subject.set, NULL, &error);
    if (subject.request == NULL) die(from->file, error.message);
    if (from->key != NULL) {
        subject.key = postern_set_find_key(subject.set, from->key, strlen(from->key));
    }
    fill(&subject);
    if (postern_evaluate(subject.set, subject.request, NULL) != POSTERN_ALLOWED) {
        die(from->name, "is not allowed, so the figures would mean something else");
    }
    postern_builder_free(builder);
    free(text);
    return subject;
}

static postern_span span(const char *text, size_t length) { return (postern_span){text, length}; }

/* The resource in pieces, as a host has them. */
static void cut_resource(postern_question *question, const char *resource) {
    const char *id = strrchr(resource, ':') + 1, *after = strchr(id, '/');
    const char *method = strchr(after + 1, '/') + 1, *path = strchr(method, '/');
    question->resource[0] = span(resource, (size_t)(id - resource));
    question->resource[1] = span(id, (size_t)(after - id));
    question->resource[2] = span(after, (size_t)(method - after));
    question->resource[3] = span(method, (size_t)(path - method));
    question->resource[4] = span(path, strlen(path));
}

static void add_ask(postern_question *question, const struct subject *of, const char *principal) {
    postern_ask *ask = &question->asks[question->ask_count++];
    ask->set = of->set;
    ask->principal = span(principal, strlen(principal));
    memset(ask->values, -1, sizeof ask->values);
    if (of->from->key == NULL) return;
    ask->values[of->key] = 0;
    question->values[0] = span(of->from->value, strlen(of->from->value));
}

static void prepare_question(struct subject *subject, const struct subject *api) {
    postern_question *question = subject->question = calloc(1, sizeof *question);
    subject->scratch = postern_request_new(api->set, NULL, NULL);
    if (question == NULL || subject->scratch == NULL) die("question", "no memory");
    question->action = span("execute-api:Invoke", 18);
    cut_resource(question, subject->from->resource);
    add_ask(question, subject, subject->from->principal);
    if (api != subject) add_ask(question, api, subject->from->principal);
}

static uint32_t run_question(const struct subject *subject, long count) {
    postern_question *question = subject->question;
    uint32_t allowed = 0;
    for (long i = 0; i < count; i++) {
        if (postern_question_ask(question, subject->scratch) < 0) return 0;
        uint32_t asks = 0;
        while (asks < question->ask_count && question->decisions[asks].outcome == POSTERN_ALLOWED) {
            asks++;
        }
        allowed += asks == question->ask_count;
    }
    return allowed;
}

static uint32_t run(const struct subject *subject, enum form form, long count) {
    uint32_t allowed = 0;
    postern_decision decision;
    if (form == ASK) return run_question(subject, count);
    for (long i = 0; i < count; i++) {
        if (form == ALL) fill(subject);
        allowed += postern_evaluate(subject->set, subject->request, &decision) == POSTERN_ALLOWED;
    }
    return allowed;
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

static void time_all(const struct subject *subjects) {
    static double ns[CASES][FORMS][ROUNDS];
    for (int round = -1; round < ROUNDS; round++) { /* the first one warms up */
        for (int c = 0; c < CASES; c++) {
            for (int form = 0; form < FORMS; form++) {
                double start = now();
                if (run(&subjects[c], (enum form)form, PER_ROUND) != PER_ROUND) die("run", "not all allowed");
                if (round >= 0) ns[c][form][round] = (now() - start) / PER_ROUND;
            }
        }
    }
    for (int c = 0; c < CASES; c++) {
        for (int form = 0; form < FORMS; form++) {
            double *sorted = ns[c][form];
            qsort(sorted, ROUNDS, sizeof *sorted, ascending);
            printf("%s %s %.1f %.1f %.1f\n", cases[c].name, forms[form], sorted[ROUNDS / 2],
                   sorted[0], sorted[ROUNDS - 1]);
        }
    }
}

/* ---- Entries -------------------------------------------------------------
 *
 * As plain arguments, the pieces of the resource apart, for spec/bench/entry.lua. */

static postern_entry *new_entry(const struct subject *subject) {
    static const char *const between[] = {FRONT, "/", "/", ""};
    postern_entry *entry = postern_entry_new(subject->set, NULL, NULL);
    if (entry == NULL) die("entry", "no memory");
    for (uint32_t i = 0; i < 4; i++) postern_entry_between(entry, i, between[i], strlen(between[i]));
    postern_entry_key(entry, 0, subject->key);
    return entry;
}

static uint32_t run_entry(postern_entry *entry, const struct subject *subject, long count) {
    const bench_case *from = subject->from;
    const char *method = from->resource + strlen(API "/live/");
    size_t method_length = strcspn(method, "/");
    const char *path = method + method_length;
    size_t principal_length = strlen(from->principal), path_length = strlen(path);
    size_t value_length = from->value == NULL ? 0 : strlen(from->value);
    uint32_t allowed = 0;
    for (long i = 0; i < count; i++) {
        allowed += postern_entry_decide(entry, from->principal, principal_length,
                                        "execute-api:Invoke", 18, "orders7a1b", 10, "live", 4, method,
                                        method_length, path, path_length, from->value, value_length,
                                        NULL, 0, NULL, 0, NULL, 0) == POSTERN_ALLOWED;
    }
    return allowed;
}

static void time_entries(const struct subject *subjects) {
    static double ns[CASES][ROUNDS];
    postern_entry *entries[CASES];
    for (int c = 0; c < CASES; c++) entries[c] = new_entry(&subjects[c]);
    for (int round = -1; round < ROUNDS; round++) {
        for (int c = 0; c < CASES; c++) {
            double start = now();
            if (run_entry(entries[c], &subjects[c], PER_ROUND) != PER_ROUND) {
                die("entry", "not all allowed");
            }
            if (round >= 0) ns[c][round] = (now() - start) / PER_ROUND;
        }
    }
    for (int c = 0; c < CASES; c++) {
        qsort(ns[c], ROUNDS, sizeof(double), ascending);
        printf("%s entry %.1f %.1f %.1f\n", cases[c].name, ns[c][ROUNDS / 2], ns[c][0],
               ns[c][ROUNDS - 1]);
        postern_entry_free(entries[c]);
    }
}

/* ---- Sizes ---------------------------------------------------------------
 *
 * Sets whose statements differ in one thing, and requests each of which one
 * statement allows, another each time. What does not differ is the same for all
 * sizes. Each decision waits for the one before.                              */

enum { REQUESTS = 256, DECISIONS = 4096 };

typedef struct bench_kind {
    const char *name;
    int32_t type;
    /* Statement `i`, and the resource and principal that it allows. */
    const char *statement, *resource, *principal;
} bench_kind;

#define PLACE "arn:aws:execute-api:eu-central-1:111122223333:"
#define OFFICES "\"IpAddress\":{\"aws:SourceIp\":[\"10.31.0.0/16\",\"192.0.2.0/24\"]}"

/* %1$05u is the number of the statement. */
static const bench_kind kinds[] = {
    {"apis", POSTERN_ENDPOINT,
     "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"execute-api:Invoke\","
     "\"Resource\":\"" PLACE "a%1$05ubcde/*\",\"Condition\":{" OFFICES "}}",
     PLACE "a%1$05ubcde/live/GET/orders/42", "*"},
    {"any-region", POSTERN_ENDPOINT,
     "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"execute-api:*\","
     "\"Resource\":\"arn:aws:execute-api:*:*:a%1$05ubcde/*/GET/*\",\"Condition\":{" OFFICES "}}",
     PLACE "a%1$05ubcde/live/GET/orders/42", "*"},
    {"users", POSTERN_RESOURCE,
     "{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::111122223333:user/u%1$05u\"},"
     "\"Action\":\"execute-api:Invoke\",\"Resource\":\"" PLACE "orders7a1b/*\",\"Condition\":{" OFFICES
     "}}",
     PLACE "orders7a1b/live/GET/orders/42", "arn:aws:iam::111122223333:user/u%1$05u"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

struct sized {
    postern_set *set;
    postern_request *requests[REQUESTS];
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void write_number(char *out, size_t size, const char *format, uint32_t number) {
    snprintf(out, size, format, number);
}
#pragma GCC diagnostic pop

static void prepare_size(struct sized *out, const bench_kind *kind, uint32_t count, const char *how) {
    postern_error error = {0};
    postern_options options = {.policy_type = kind->type};
    setenv("POSTERN_INDEX", how, 1);
    postern_builder *builder = postern_builder_new(&options, &error);
    if (builder == NULL) die(kind->name, error.message);
    for (uint32_t i = 0; i < count; i++) {
        char statement[768], policy[1024];
        write_number(statement, sizeof statement, kind->statement, i);
        int length = snprintf(policy, sizeof policy,
                              "{\"Version\":\"2012-10-17\",\"Statement\":[%s]}", statement);
        if (postern_builder_add(builder, NULL, 0, policy, (size_t)length, &error) != POSTERN_OK) {
            die(kind->name, error.message);
        }
    }
    out->set = postern_builder_build(builder, &error);
    postern_builder_free(builder);
    if (out->set == NULL) die(kind->name, error.message);
    int32_t key = postern_set_find_key(out->set, "aws:SourceIp", 12);
    for (uint32_t i = 0; i < REQUESTS; i++) {
        char resource[256], principal[256];
        uint32_t number = (uint32_t)((uint64_t)i * 2654435761u % count);
        write_number(resource, sizeof resource, kind->resource, number);
        write_number(principal, sizeof principal, kind->principal, number);
        postern_request *request = out->requests[i] = postern_request_new(out->set, NULL, &error);
        if (request == NULL) die(kind->name, error.message);
        postern_request_principal(request, principal, strlen(principal), 0);
        postern_request_action(request, "execute-api:Invoke", 18);
        postern_request_resource(request, resource, strlen(resource));
        postern_request_put(request, (uint32_t)key, "10.31.7.255", 11);
        postern_decision decision;
        postern_evaluate(out->set, request, &decision);
        if (decision.outcome != POSTERN_ALLOWED || decision.statement != (int32_t)number) {
            die(kind->name, "decides with another statement");
        }
    }
}

static double time_size(const struct sized *sized, uint32_t decisions) {
    uint32_t at = 0;
    postern_decision decision;
    double start = now();
    for (uint32_t i = 0; i < decisions; i++) {
        postern_evaluate(sized->set, sized->requests[at], &decision);
        at = (i * 37 + (uint32_t)decision.match) % REQUESTS;
    }
    return (now() - start) / decisions;
}

static void free_size(struct sized *sized) {
    for (int i = 0; i < REQUESTS; i++) postern_request_free(sized->requests[i]);
    postern_set_free(sized->set);
}

static void run_size(const char *name, uint32_t statements, uint32_t count) {
    for (int k = 0; k < KINDS; k++) {
        if (strcmp(kinds[k].name, name) != 0) continue;
        struct sized sized;
        prepare_size(&sized, &kinds[k], statements, "indexed");
        time_size(&sized, count);
        free_size(&sized);
    }
}

static void time_sizes(uint32_t most) {
    static const uint32_t sizes[] = {2,  4,   6,   8,    10,   12,    16,    20,
                                     30, 100, 300, 1000, 3000, 10000, 30000, 100000};
    for (int k = 0; k < KINDS; k++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes && sizes[s] <= most; s++) {
            struct sized indexed, linear;
            double ns[2][ROUNDS];
            uint32_t few = DECISIONS / sizes[s] + 16; /* as many as are worth waiting for */
            prepare_size(&indexed, &kinds[k], sizes[s], "indexed");
            prepare_size(&linear, &kinds[k], sizes[s], "linear");
            for (int round = -1; round < ROUNDS; round++) {
                double fast = time_size(&indexed, 16 * DECISIONS), plain = time_size(&linear, few);
                if (round < 0) continue;
                ns[0][round] = fast;
                ns[1][round] = plain;
            }
            qsort(ns[0], ROUNDS, sizeof(double), ascending);
            qsort(ns[1], ROUNDS, sizeof(double), ascending);
            printf("%s %u %.1f %.1f %.1f %.1f %zu\n", kinds[k].name, sizes[s], ns[0][ROUNDS / 2],
                   ns[0][0], ns[0][ROUNDS - 1], ns[1][ROUNDS / 2], postern_set_size(indexed.set));
            fflush(stdout);
            free_size(&indexed);
            free_size(&linear);
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "sizes") == 0) {
        time_sizes((uint32_t)atol(argv[2]));
        return 0;
    }
    if (argc == 5 && strcmp(argv[1], "size") == 0) {
        run_size(argv[2], (uint32_t)atol(argv[3]), (uint32_t)atol(argv[4]));
        return 0;
    }
    bool entries = argc == 3 && strcmp(argv[2], "entry") == 0;
    if (argc != 2 && argc != 5 && !entries) {
        die("usage", "bench_decide FOLDER [entry | CASE FORM COUNT], sizes MOST, or size KIND STATEMENTS COUNT");
    }
    struct subject subjects[CASES];
    for (int c = 0; c < CASES; c++) subjects[c] = prepare(argv[1], &cases[c]);
    for (int c = 0; c < CASES; c++) prepare_question(&subjects[c], &subjects[CASES - 1]);
    if (argc == 2) time_all(subjects);
    if (entries) time_entries(subjects);
    for (int c = 0; c < CASES && argc == 5; c++) {
        enum form form = EVALUATE;
        while (form < ASK && strcmp(argv[3], forms[form]) != 0) form++;
        if (strcmp(cases[c].name, argv[2]) == 0) run(&subjects[c], form, atol(argv[4]));
    }
    for (int c = 0; c < CASES; c++) {
        free(subjects[c].question);
        postern_request_free(subjects[c].scratch);
        postern_request_free(subjects[c].request);
        postern_set_free(subjects[c].set);
    }
    return 0;
}
