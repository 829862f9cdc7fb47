/* Postern, through its C interface: a request is filled from texts, as a host
 * has them, and evaluated. Lines on standard input ask; see ../README.md.
 *
 * The requests of a workload are read with the public document reader. */
#define _POSIX_C_SOURCE 200809L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "postern.h"

enum { MOST_REQUESTS = 256, LINE = 4096 };

/* Where the parts of a workload begin. */
#define POLICIES "\"policies\":[\n"
#define RULES "\"rules\":[\n"
#define REQUESTS "\n\"requests\":[\n"

typedef struct call {
    postern_span principal, action, resource, ip;
} call;

static struct {
    postern_document *document; /* holds the texts of the calls */
    postern_set *set;
    postern_request *request;
    postern_request *prepared[MOST_REQUESTS];
    call calls[MOST_REQUESTS];
    uint32_t count;
    int32_t key; /* of aws:SourceIp, or -1 */
} loaded;

static postern_error error;

static int fail(const char *what) {
    printf("error %s: %s\n", what, error.message);
    return 0;
}

/* ---- Reading a workload --------------------------------------------------- */

/* The value of an object's member, or 0, which is the root and never one. */
static uint32_t member(const postern_document *document, uint32_t object, const char *name) {
    uint32_t count;
    const postern_node *nodes = postern_document_nodes(document, &count);
    const char *texts = postern_document_texts(document);
    for (uint32_t at = object + 1; at < nodes[object].next;) {
        uint32_t value = nodes[at].next;
        if (nodes[at].length == strlen(name) &&
            memcmp(texts + nodes[at].text, name, nodes[at].length) == 0) {
            return value;
        }
        at = nodes[value].next;
    }
    return 0;
}

static postern_span text(const postern_document *document, uint32_t object, const char *name) {
    uint32_t count, at = member(document, object, name);
    const postern_node *node = postern_document_nodes(document, &count) + at;
    postern_span span = {postern_document_texts(document) + node->text, at != 0 ? node->length : 0};
    return span;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return NULL;
    *length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*length + 1);
    if (bytes != NULL) {
        *length = fread(bytes, 1, *length, file);
        bytes[*length] = '\0';
    }
    fclose(file);
    return bytes;
}

/* The set of the policies, a line each; a large workload has more text than one
 * document may have. */
static postern_set *compile(const char *bytes) {
    postern_options options = {.policy_type = POSTERN_ENDPOINT};
    postern_builder *builder = postern_builder_new(&options, &error);
    if (builder == NULL) return NULL;
    const char *line = strstr(bytes, POLICIES), *last = strstr(bytes, RULES);
    int status = line != NULL && last != NULL ? POSTERN_OK : POSTERN_VALUE;
    if (status == POSTERN_OK) line += sizeof POLICIES - 1;
    while (status == POSTERN_OK && line < last) {
        const char *end = strchr(line, '\n'), *brace = end;
        while (*brace != '}') brace--;
        status = postern_builder_add(builder, "policy", 6, line, (size_t)(brace + 1 - line), &error);
        line = end + 1;
    }
    postern_set *set = status == POSTERN_OK ? postern_builder_build(builder, &error) : NULL;
    postern_builder_free(builder);
    return set;
}

/* The document of the requests, which are the last member of the file. */
static postern_document *read_requests(char *bytes, size_t length) {
    char *from = strstr(bytes, REQUESTS);
    if (from == NULL) return NULL;
    *from = '{'; /* in place of the end of the line */
    return postern_document_new(from, length - (size_t)(from - bytes), NULL, &error);
}

static void fill(postern_request *request, const call *from) {
    postern_request_reset(request);
    postern_request_principal(request, from->principal.text, from->principal.length, 0);
    postern_request_action(request, from->action.text, from->action.length);
    postern_request_resource(request, from->resource.text, from->resource.length);
    if (loaded.key >= 0) {
        postern_request_put(request, (uint32_t)loaded.key, from->ip.text, from->ip.length);
    }
}

static void unload(void) {
    postern_request_free(loaded.request);
    for (uint32_t i = 0; i < loaded.count; i++) postern_request_free(loaded.prepared[i]);
    postern_set_free(loaded.set);
    postern_document_free(loaded.document);
    memset(&loaded, 0, sizeof loaded);
}

static int prepare(void) {
    const postern_document *document = loaded.document;
    uint32_t nodes_count, list = member(document, 0, "requests");
    const postern_node *nodes = postern_document_nodes(document, &nodes_count);
    loaded.key = postern_set_find_key(loaded.set, "aws:SourceIp", 12);
    loaded.request = postern_request_new(loaded.set, NULL, &error);
    if (loaded.request == NULL) return fail("request");
    for (uint32_t at = list + 1; at < nodes[list].next; at = nodes[at].next) {
        if (loaded.count == MOST_REQUESTS) return fail("too many requests");
        call *into = &loaded.calls[loaded.count];
        into->principal = text(document, at, "principal");
        into->action = text(document, at, "action");
        into->resource = text(document, at, "resource");
        into->ip = text(document, at, "ip");
        postern_request *request = postern_request_new(loaded.set, NULL, &error);
        if (request == NULL) return fail("request");
        loaded.prepared[loaded.count++] = request;
        fill(request, into);
    }
    return 1;
}

static void load(const char *path) {
    size_t length;
    unload();
    char *bytes = read_file(path, &length);
    if (bytes == NULL) {
        printf("error cannot read %s\n", path);
        return;
    }
    loaded.set = compile(bytes);
    loaded.document = read_requests(bytes, length);
    free(bytes);
    if (loaded.set == NULL || loaded.document == NULL) {
        fail(path);
    } else if (prepare()) {
        printf("ok\n");
    }
}

/* ---- Deciding --------------------------------------------------------------- */

static int decide_texts(uint32_t i) {
    postern_decision decision;
    fill(loaded.request, &loaded.calls[i]);
    return postern_evaluate(loaded.set, loaded.request, &decision) == POSTERN_ALLOWED;
}

static int decide_prepared(uint32_t i) {
    postern_decision decision;
    return postern_evaluate(loaded.set, loaded.prepared[i], &decision) == POSTERN_ALLOWED;
}

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void answers(const char *form) {
    char bits[MOST_REQUESTS + 1] = {0};
    int prepared = strcmp(form, "prepared") == 0;
    for (uint32_t i = 0; i < loaded.count; i++) {
        bits[i] = (prepared ? decide_prepared(i) : decide_texts(i)) ? '1' : '0';
    }
    printf("answers %s\n", bits);
}

/* Never inlined: instructions are counted while it runs. */
__attribute__((noinline)) static void round_of(const char *form, long count) {
    long allowed = 0;
    uint32_t at = 0;
    int prepared = strcmp(form, "prepared") == 0;
    double spent = now(CLOCK_PROCESS_CPUTIME_ID), start = now(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) {
        allowed += prepared ? decide_prepared(at) : decide_texts(at);
        if (++at == loaded.count) at = 0;
    }
    double wall = now(CLOCK_MONOTONIC) - start;
    printf("round %.0f %.0f %ld\n", now(CLOCK_PROCESS_CPUTIME_ID) - spent, wall, allowed);
}

int main(void) {
    char line[LINE], first[LINE], second[LINE];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("hello {\"engine\":\"Postern, from C\",\"version\":\"%s\",\"runtime\":\"%s\"}\n",
           postern_version(),
#if defined(__clang__)
           "clang " __clang_version__
#else
           "gcc " __VERSION__
#endif
    );
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "load %s", first) == 1) {
            load(first);
        } else if (sscanf(line, "answers %s", first) == 1 && loaded.count > 0) {
            answers(first);
        } else if (sscanf(line, "round %s %s", first, second) == 2 && loaded.count > 0) {
            round_of(first, atol(second));
        } else {
            printf("error cannot do %s", line);
        }
    }
    unload();
    return 0;
}
