/* The requests that http_load sends, and what their answers have to be: the form
 * of the file stands in http_load.c. */
#ifndef POSTERN_BENCH_REQUESTS_H
#define POSTERN_BENCH_REQUESTS_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUSES = 600, MOST_FILE = 64 * 1024 * 1024 };

typedef struct request {
    const char *bytes, *contains;
    size_t length, contains_length;
    bool expected[STATUSES], head;
    uint64_t answers[STATUSES];
} request;

typedef struct request_list {
    request *requests;
    uint32_t count;
} request_list;

static inline _Noreturn void die(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fputs("http_load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(2);
}

static inline void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) die("no memory");
    return memory;
}

static inline void requests_statuses(request *into, char *text) {
    for (char *each = strtok(text, ","); each; each = strtok(NULL, ",")) {
        int status = atoi(each);
        if (status < 100 || status >= STATUSES) die("`%s` is no status", each);
        into->expected[status] = true;
    }
}

static inline const char *requests_next(request *into, const char *at,
                                        const char *end) {
    char statuses[64];
    int used = 0;
    if (sscanf(at, "request %63[0-9,] %zu %zu%n", statuses, &into->length, &into->contains_length,
               &used) != 3 ||
        at[used] != '\n')
        die("not a line `request STATUS BYTES CONTAINS`: %.40s", at);
    at += used + 1;
    size_t left = (size_t)(end - at);
    if (into->length > left || into->contains_length >= left - into->length ||
        at[into->length + into->contains_length] != '\n')
        die("a request is not as long as its line says");
    requests_statuses(into, statuses);
    into->bytes = at;
    into->head = into->length >= 5 && !memcmp(at, "HEAD ", 5);
    into->contains = at + into->length;
    return into->contains + into->contains_length + 1;
}

/* Reads a file of requests. What is wrong with it ends the program. They stay,
 * and so does the text, which they point into, until the program ends. */
static inline request_list requests_read(const char *path) {
    request_list list = {0};
    FILE *file = fopen(path, "rb");
    if (!file) die("%s: %s", path, strerror(errno));
    char *text = allocate(MOST_FILE + 1, 1);
    size_t length = fread(text, 1, MOST_FILE, file);
    fclose(file);
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        list.requests = realloc(list.requests, (list.count + 1) * sizeof *list.requests);
        if (!list.requests) die("no memory");
        request *into = &list.requests[list.count++];
        memset(into, 0, sizeof *into);
        at = requests_next(into, at, end);
    }
    if (!list.count) die("%s: no request", path);
    return list;
}

#endif
