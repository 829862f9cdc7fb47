#include "symbol.h"

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* Symbols with the texts they share. */
struct table {
    postern__vector texts;
    postern__symbols symbols;
};

static void table_init(struct table *table, const postern_allocator *allocator) {
    postern_allocator own = postern__allocator(allocator);
    postern__vector_init(&table->texts, 1, &own);
    postern__symbols_init(&table->symbols, &table->texts, &own);
}

static void table_free(struct table *table) {
    postern__symbols_free(&table->symbols);
    postern__vector_free(&table->texts);
}

static int64_t add(struct table *table, const char *name, uint32_t uses) {
    uint32_t id = UINT32_MAX;
    int status = postern__symbols_add(&table->symbols, span(name), uses, &id);
    CHECK_ROW(status == POSTERN_OK, name);
    return id;
}

static int32_t find(const struct table *table, postern_span name) {
    const postern__symbols *symbols = &table->symbols;
    return postern__symbol_find(POSTERN__AT(&symbols->symbols, postern__symbol, 0),
                                POSTERN__AT(&symbols->sorted, uint32_t, 0), symbols->symbols.count,
                                table->texts.items, name);
}

static const postern__symbol *at(const struct table *table, size_t id) {
    return POSTERN__AT(&table->symbols.symbols, postern__symbol, id);
}

static postern_span name_at(const struct table *table, size_t id) {
    return (postern_span){table->texts.items + at(table, id)->name, at(table, id)->length};
}

/* The sorted ids: each id once, names strictly ascending as bytes. */
static void check_order(const struct table *table) {
    size_t count = table->symbols.symbols.count;
    const uint32_t *sorted = POSTERN__AT(&table->symbols.sorted, uint32_t, 0);
    bool ascending = table->symbols.sorted.count == count;
    for (size_t i = 1; ascending && i < count; i++) {
        postern_span a = name_at(table, sorted[i - 1]), b = name_at(table, sorted[i]);
        size_t shorter = a.length < b.length ? a.length : b.length;
        int order = shorter == 0 ? 0 : memcmp(a.text, b.text, shorter);
        ascending = order < 0 || (order == 0 && a.length < b.length);
    }
    CHECK(ascending);
}

/* ---- Ids ----------------------------------------------------------------- */

static void ids_count_in_order_of_mention(void) {
    static const char *const names[] = {"b",   "a",  "aws:SourceIp", "ab", "aa", "",
                                        "abc", "zz", "é",            "a/b"};
    enum { COUNT = sizeof names / sizeof *names };
    struct table table;
    table_init(&table, NULL);
    for (int i = 0; i < COUNT; i++) CHECK_ROW(add(&table, names[i], 0) == i, names[i]);
    check_order(&table);
    for (int i = 0; i < COUNT; i++) {
        CHECK_ROW(add(&table, names[i], 0) == i, names[i]);
        CHECK_ROW(find(&table, span(names[i])) == i, names[i]);
    }
    CHECK(table.symbols.symbols.count == COUNT);
    table_free(&table);
}

static void letter_case_does_not_count(void) {
    struct table table;
    table_init(&table, NULL);
    CHECK(add(&table, "aws:PrincipalTag/Team", 0) == 0);
    CHECK(add(&table, "AWS:PRINCIPALTAG/TEAM", 0) == 0);
    CHECK(find(&table, span("aws:principaltag/team")) == 0);
    CHECK(find(&table, span("aWs:pRINCIPALtAG/tEAM")) == 0);
    CHECK(postern__span_equal(name_at(&table, 0), span("aws:principaltag/team")));
    /* ASCII letters alone are folded: not `[` to `{`, not accents. */
    CHECK(add(&table, "[@É", 0) == 1);
    CHECK(find(&table, span("{`É")) == -1);
    CHECK(find(&table, span("[@é")) == -1);
    CHECK(find(&table, span("[@É")) == 1);
    table_free(&table);
}

static void what_is_not_there_is_not_found(void) {
    struct table table;
    table_init(&table, NULL);
    CHECK(find(&table, span("a")) == -1);
    CHECK(find(&table, span("")) == -1);
    add(&table, "aws:sourceip", 0);
    CHECK(find(&table, span("aws:sourcei")) == -1); /* a prefix, an extension */
    CHECK(find(&table, span("aws:sourceipx")) == -1);
    CHECK(find(&table, span("")) == -1);
    CHECK(find(&table, (postern_span){NULL, 0}) == -1);
    CHECK(find(&table, (postern_span){"aws:sourceip\0", 13}) == -1);
    uint32_t id;
    CHECK(postern__symbols_add(&table.symbols, (postern_span){NULL, 0}, 0, &id) == POSTERN_OK);
    CHECK(id == 1 && find(&table, span("")) == 1);
    table_free(&table);
}

static void uses_add_up(void) {
    struct table table;
    table_init(&table, NULL);
    add(&table, "a", POSTERN__USE_ADDRESS);
    add(&table, "b", 0);
    add(&table, "A", POSTERN__USE_BOOL);
    add(&table, "a", 0);
    CHECK(at(&table, 0)->uses == (POSTERN__USE_ADDRESS | POSTERN__USE_BOOL));
    CHECK(at(&table, 1)->uses == 0);
    table_free(&table);
}

/* ---- Many ---------------------------------------------------------------- */

/* Multiplying by an odd number goes through all of them in no useful order. */
static void write_name(char name[32], size_t i) {
    snprintf(name, 32, "Key/%04zx", i * 40503 % 65536);
}

static void many_are_found(void) {
    enum { COUNT = 3000 };
    struct table table;
    char name[32];
    table_init(&table, NULL);
    for (int i = 0; i < COUNT; i++) {
        write_name(name, (size_t)i);
        CHECK_ROW(add(&table, name, 0) == i, name);
    }
    check_order(&table);
    for (int i = 0; i < COUNT; i++) {
        write_name(name, (size_t)i);
        CHECK_ROW(find(&table, span(name)) == i, name);
    }
    write_name(name, COUNT);
    CHECK(find(&table, span(name)) == -1);
    table_free(&table);
}

static void cut_forgets_the_last(void) {
    static const char *const names[] = {"m", "c", "x", "a", "z", "b"};
    for (size_t count = 0; count <= 6; count++) {
        struct table table;
        table_init(&table, NULL);
        for (int i = 0; i < 6; i++) add(&table, names[i], 0);
        postern__symbols_cut(&table.symbols, count);
        CHECK(table.symbols.symbols.count == count);
        check_order(&table);
        for (size_t i = 0; i < 6; i++)
            CHECK(find(&table, span(names[i])) == (i < count ? (int32_t)i : -1));
        /* What is added next takes the next id. */
        CHECK(add(&table, "new", 0) == (int64_t)count);
        CHECK(find(&table, span("NEW")) == (int32_t)count);
        check_order(&table);
        table_free(&table);
    }
}

static void too_many_are_refused(void) {
    struct table table;
    char name[32];
    int failed = 0;
    uint32_t id;
    table_init(&table, NULL);
    for (size_t i = 0; i < POSTERN__KEYS; i++) {
        snprintf(name, sizeof name, "key/%06zu", i);
        failed += postern__symbols_add(&table.symbols, span(name), 0, &id) != POSTERN_OK;
    }
    CHECK(failed == 0);
    CHECK(postern__symbols_add(&table.symbols, span("one more"), 0, &id) == POSTERN_LIMIT);
    CHECK(table.symbols.symbols.count == POSTERN__KEYS);
    CHECK(find(&table, span("one more")) == -1);
    CHECK(add(&table, "KEY/000042", 0) == 42); /* known ones are still taken */
    table_free(&table);
}

static void survives_failing_memory(void) {
    enum { COUNT = 100 };
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        struct table table;
        char name[32];
        bool known[COUNT];
        postern__failing_alloc_init(&failing, n);
        table_init(&table, &failing.allocator);
        size_t added = 0;
        for (size_t i = 0; i < COUNT; i++) {
            uint32_t id;
            write_name(name, i);
            int status = postern__symbols_add(&table.symbols, span(name), 0, &id);
            known[i] = status == POSTERN_OK;
            CHECK(known[i] ? id == added : status == POSTERN_NO_MEMORY);
            added += known[i];
        }
        /* One was refused, and it left nothing behind. */
        CHECK(added == (failing.allocations >= n ? COUNT - 1 : COUNT));
        CHECK(table.symbols.symbols.count == added);
        check_order(&table);
        for (size_t i = 0; i < COUNT; i++) {
            write_name(name, i);
            CHECK((find(&table, span(name)) >= 0) == known[i]);
        }
        table_free(&table);
        CHECK(failing.live == 0);
        if (failing.allocations < n) break;
    }
}

TEST_MAIN(
    RUN(ids_count_in_order_of_mention);
    RUN(letter_case_does_not_count);
    RUN(what_is_not_there_is_not_found);
    RUN(uses_add_up);
    RUN(many_are_found);
    RUN(cut_forgets_the_last);
    RUN(too_many_are_refused);
    RUN(survives_failing_memory)
)
