#include "places.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* More than a sample is asked for, see places.c. */
enum { MANY = 20000 };

struct table {
    postern__vector codes, patterns;
    postern__gram_head head;
};

static void table_init(struct table *table) {
    postern_allocator allocator = postern__allocator(NULL);
    *table = (struct table){.head = {.figures = {.patterns = 0}}};
    postern__vector_init(&table->codes, 1, &allocator);
    postern__vector_init(&table->patterns, sizeof(postern__pattern), &allocator);
}

static void table_free(struct table *table) {
    postern__vector_free(&table->codes);
    postern__vector_free(&table->patterns);
}

static void add_code(struct table *table, size_t start, uint32_t variables) {
    postern__pattern pattern = {.variables = variables};
    pattern.glob = postern__glob_measure(table->codes.items, start, table->codes.count - start);
    pattern.width = (uint16_t)postern__places_width(table->codes.items, &pattern.glob);
    if (postern__vector_push(&table->patterns, &pattern, 1) == NULL) abort();
}

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void add(struct table *table, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t start = table->codes.count;
    if (!postern__glob_encode(span(text), &table->codes)) abort();
    add_code(table, start, 0);
}

static bool choose(struct table *table) {
    return postern__places_choose(table->codes.items, &table->patterns, &table->head);
}

static postern__pattern *pattern_at(const struct table *table, size_t index) {
    return POSTERN__AT(&table->patterns, postern__pattern, index);
}

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The most patterns that one gram was given to. */
static size_t most_of_a_gram(const struct table *table) {
    size_t count = 0, most = 0, run = 0;
    uint64_t *hashes = malloc(table->patterns.count * sizeof *hashes);
    if (hashes == NULL) abort();
    for (size_t i = 0; i < table->patterns.count; i++) {
        const postern__pattern *pattern = pattern_at(table, i);
        if (pattern->place != POSTERN__NO_PLACE) hashes[count++] = pattern->hash;
    }
    qsort(hashes, count, sizeof *hashes, ascending);
    for (size_t i = 0; i < count; i++) {
        run = i > 0 && hashes[i] == hashes[i - 1] ? run + 1 : 1;
        if (run > most) most = run;
    }
    free(hashes);
    return most;
}

/* What a search relies on: a fixed place that is in use, once, has the gram that
 * the hash is of; the figures are right. */
static void check_all(const struct table *table) {
    const postern__gram_head *head = &table->head;
    uint32_t floating = 0, rest = 0;
    CHECK(head->figures.places <= POSTERN__MOST_PLACES);
    for (uint32_t i = 0; i < head->figures.places; i++) {
        for (uint32_t k = 0; k < i; k++) {
            CHECK(head->places[i].number != head->places[k].number ||
                  head->places[i].width != head->places[k].width);
        }
    }
    for (size_t i = 0; i < table->patterns.count; i++) {
        const postern__pattern *pattern = pattern_at(table, i);
        const postern__glob *glob = &pattern->glob;
        floating += pattern->place == POSTERN__FLOATING;
        rest += pattern->place == POSTERN__NO_PLACE;
        if (pattern->place >= POSTERN__FIXED) continue;
        bool used = false;
        for (uint32_t k = 0; k < head->figures.places; k++) {
            used = used || (head->places[k].number == pattern->place &&
                            head->places[k].width == pattern->width);
        }
        bool ends = pattern->place >= POSTERN__STARTS;
        size_t from = ends ? pattern->place - POSTERN__STARTS : pattern->place;
        CHECK(used && from + pattern->width <= (ends ? glob->tail : glob->head));
        size_t at = glob->code + (ends ? glob->length - from - pattern->width : from);
        CHECK(pattern->hash == postern__gram_hash(table->codes.items + at, pattern->width,
                                                  pattern->place));
    }
    CHECK(head->figures.floating == floating && head->figures.rest == rest);
}

static void the_longest_run_decides_the_width(void) {
    static const struct {
        const char *pattern;
        uint32_t width;
    } rows[] = {{"arn:aws:s3", 8}, {"arn:aws", 4}, {"arn", 0},         {"", 0},
                {"*", 0},          {"abc*def", 0}, {"abc*defg?h", 4}, {"abc*defghijk*", 8}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table table;
        table_init(&table);
        add(&table, "%s", rows[i].pattern);
        CHECK_ROW(pattern_at(&table, 0)->width == rows[i].width, rows[i].pattern);
        table_free(&table);
    }
}

/* Where they differ: in front, at the end, in a few bytes. */
static void many_get_a_place_where_they_differ(void) {
    struct table table;
    table_init(&table);
    for (uint32_t i = 0; i < MANY; i++) {
        add(&table, "arn:aws:execute-api:eu-central-1:111122223333:a%05x/live/GET/*", i * 7);
    }
    CHECK(choose(&table));
    check_all(&table);
    CHECK(table.head.figures.places <= 2 && table.head.figures.floating == 0);
    CHECK(table.head.figures.rest == 0 && most_of_a_gram(&table) <= 3);
    table_free(&table);
}

/* Each kind wants a place of its own; some float, some have too few letters. What
 * shares its gram with many at the place of the others is filed elsewhere. */
static void many_kinds_get_places(void) {
    struct table table;
    table_init(&table);
    for (uint32_t i = 0; i < MANY; i++) {
        switch (i % 8) {
        case 0:
        case 1: add(&table, "arn:aws:s3:::bucket-%06u/*", i * 7); break;
        case 2: add(&table, "*:user/robots/%06u", i * 7); break;
        case 3: add(&table, "*/team/%06u/*", i * 7); break;
        case 4: add(&table, "arn:aws:s3:::bucket-000042/%06u/*", i * 7); break;
        case 5: add(&table, "%05u*", i * 3); break; /* narrow */
        case 6: add(&table, "arn:aws:s3:::bucket-%06u/always-the-same", i * 11); break;
        default: add(&table, "*?%02u*", i % 100); break; /* without a gram */
        }
    }
    CHECK(choose(&table));
    check_all(&table);
    /* A few that would be looked for everywhere are tried always instead. */
    CHECK(table.head.figures.rest + table.head.figures.floating == MANY / 4);
    CHECK(table.head.figures.rest >= MANY / 8 && table.head.figures.rest <= MANY / 8 + 12);
    CHECK(most_of_a_gram(&table) <= 8);
    table_free(&table);
}

/* What is alike everywhere but in a few bytes that many share still has its grams
 * weighed: no sample finds a place for it. */
static void many_that_share_are_weighed(void) {
    struct table table;
    table_init(&table);
    for (uint32_t i = 0; i < MANY; i++) add(&table, "arn:aws:s3:::%03u*%02u*", i % 200, i / 200);
    CHECK(choose(&table));
    check_all(&table);
    CHECK(table.head.figures.rest == 0 && table.head.figures.places > 0);
    CHECK(most_of_a_gram(&table) <= MANY / 200);
    table_free(&table);
}

/* The number of a variable may look like text, and is none. */
static void numbers_of_variables_are_no_grams(void) {
    struct table table;
    table_init(&table);
    for (uint32_t i = 0; i < MANY; i++) {
        size_t start = table.codes.count;
        unsigned char variable = POSTERN__VARIABLE;
        uint32_t number = 0x61616161 + i * 0x101; /* letters, all different */
        if (!postern__glob_encode(span("arn:aws:s3:::home/"), &table.codes) ||
            postern__vector_push(&table.codes, &variable, 1) == NULL ||
            postern__vector_push(&table.codes, &number, sizeof number) == NULL ||
            !postern__glob_encode(span("/abcd"), &table.codes)) {
            abort();
        }
        add_code(&table, start, 1);
    }
    CHECK(choose(&table));
    for (size_t i = 0; i < MANY; i++) {
        const postern__pattern *pattern = pattern_at(&table, i);
        CHECK(pattern->place < POSTERN__STARTS || pattern->place >= POSTERN__FIXED);
    }
    table_free(&table);
}

static void survives_failing_memory(void) {
    struct table table;
    table_init(&table);
    for (uint32_t i = 0; i < MANY; i++) {
        if (i % 2 == 0) add(&table, "arn:aws:s3:::bucket-%06u/*", i * 7);
        else add(&table, "*/team/%06u/*", i * 7);
    }
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern__gram_head head = {.figures = {.patterns = 0}};
        table.patterns.allocator = failing.allocator; /* it grows no more */
        bool chosen = postern__places_choose(table.codes.items, &table.patterns, &head);
        bool failed = failing.allocations >= n;
        CHECK(chosen == !failed && failing.live == 0);
        if (!failed) break;
    }
    table.patterns.allocator = table.codes.allocator;
    table_free(&table);
}

TEST_MAIN(
    RUN(the_longest_run_decides_the_width);
    RUN(many_get_a_place_where_they_differ);
    RUN(many_kinds_get_places);
    RUN(many_that_share_are_weighed);
    RUN(numbers_of_variables_are_no_grams);
    RUN(survives_failing_memory)
)
