/* Rows of results, for benchmarks in C: each is one line of JSON, appended to
 * the file that the environment names as POSTERN_BENCH_RESULTS; without it
 * nothing is written. `spec.bench.results` makes a file of results of the lines.
 *
 *    bench_result_append(&(bench_result){.name = "cidr", .family = "net hit",
 *        .size = 1000, .unit = "ns"}, times, rounds);                           */
#ifndef POSTERN_BENCH_RESULT_H
#define POSTERN_BENCH_RESULT_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct bench_result {
    const char *name;   /* of what was measured: a structure or an engine */
    const char *family; /* of the inputs; NULL: there is one */
    const char *form;   /* of the measurement: "dependent", "bulk"; or NULL */
    uint64_t size;
    const char *unit; /* "ns", "instructions", "MiB" */
} bench_result;

static inline int bench_result_ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void bench_result_text(FILE *file, const char *name, const char *text) {
    if (text == NULL) return;
    fprintf(file, "\"%s\":\"", name);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fprintf(file, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(file, "\\u%04x", c);
        } else {
            fputc(c, file);
        }
    }
    fputs("\",", file);
}

/* Appends the middle, the least and the most of `count` samples, at least one,
 * which it sorts. A program that cannot write what it was asked to ends. */
static inline void bench_result_append(const bench_result *row, double *samples, size_t count) {
    const char *path = getenv("POSTERN_BENCH_RESULTS");
    if (path == NULL || *path == '\0') return;
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    qsort(samples, count, sizeof *samples, bench_result_ascending);
    double median = count % 2 == 1 ? samples[count / 2]
                                   : (samples[count / 2 - 1] + samples[count / 2]) / 2;
    fputc('{', file);
    bench_result_text(file, "name", row->name);
    bench_result_text(file, "family", row->family);
    bench_result_text(file, "form", row->form);
    fprintf(file, "\"size\":%llu,", (unsigned long long)row->size);
    bench_result_text(file, "unit", row->unit);
    fprintf(file, "\"median\":%.3f,\"min\":%.3f,\"max\":%.3f}\n", median, samples[0],
            samples[count - 1]);
    if (fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

#endif
