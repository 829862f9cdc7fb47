#include "value.h"

#include "symbol.h"
#include "inputs.h"
#include "test.h"

enum {
    ADDRESS = POSTERN__USE_ADDRESS,
    INSTANT = POSTERN__USE_INSTANT,
    BOOL = POSTERN__USE_BOOL,
    ALL = ADDRESS | INSTANT | BOOL
};

static void only_what_is_used_is_parsed(void) {
    static const struct {
        const char *text;
        uint32_t forms; /* those the text has */
    } rows[] = {
        {"203.0.113.9", ADDRESS},
        {"2001:db8::1", ADDRESS},
        {"203.0.113.9/32", 0}, /* a range is no address */
        {"2026-11-05", INSTANT},
        {"1767225600", INSTANT},
        {"2026", INSTANT},
        {"true", BOOL},
        {"FALSE", BOOL},
        {"", 0},
        {"text", 0},
        {" true", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (uint32_t uses = 0; uses <= ALL; uses++) {
            postern__value value = {.parsed = ALL}; /* what was there before goes */
            postern__value_parse(&value, span(rows[i].text), uses);
            CHECK_ROW(value.parsed == (rows[i].forms & uses), rows[i].text);
        }
    }
}

static void what_another_asks_is_parsed_later(void) {
    postern__value value;
    postern__value_parse(&value, span("2026"), ADDRESS);
    CHECK(value.parsed == 0 && value.asked == ADDRESS);
    postern__value_parse_more(&value, span("2026"), INSTANT);
    CHECK(value.parsed == INSTANT && value.asked == (ADDRESS | INSTANT));
    /* Not again: the text is the same every time. */
    postern__value_parse_more(&value, span("true"), ADDRESS | INSTANT | BOOL);
    CHECK(value.parsed == (INSTANT | BOOL));
}

static void forms_hold_what_the_text_says(void) {
    postern__value value;
    postern__value_parse(&value, span("::ffff:10.0.3.4"), ALL);
    CHECK(value.parsed == ADDRESS && value.address.family == 4);
    CHECK(value.address.high == UINT64_C(0x0A00030400000000));
    postern__value_parse(&value, span("1970-01-02T00:00:00.5Z"), ALL);
    CHECK(value.parsed == INSTANT);
    CHECK(value.instant.seconds == 86400 && value.instant.nanoseconds == 500000000);
    postern__value_parse(&value, span("True"), ALL);
    CHECK(value.parsed == BOOL && value.boolean);
    postern__value_parse(&value, span("false"), ALL);
    CHECK(value.parsed == BOOL && !value.boolean);
    /* A bit that means nothing is not taken over. */
    postern__value_parse(&value, span("true"), 0x80000000u | BOOL);
    CHECK(value.parsed == BOOL);
    postern__value_parse(&value, (postern_span){NULL, 0}, ALL);
    CHECK(value.parsed == 0);
}

static void text_is_found_by_its_offset(void) {
    const postern__row row = {.texts = "203.0.113.9admindev"};
    const postern__value admin = {.text = 11, .length = 5}, empty = {.text = 16, .length = 0};
    CHECK(postern__span_equal(postern__value_text(&row, &admin), span("admin")));
    CHECK(postern__value_text(&row, &empty).length == 0);
}

static void empty_lists_are_absent(void) {
    static const struct {
        postern__cell cell;
        bool absent;
    } rows[] = {
        {{POSTERN__ABSENT, 0, 0}, true},  {{POSTERN__SINGLE, 0, 1}, false},
        {{POSTERN__LIST, 0, 0}, true},    {{POSTERN__LIST, 0, 1}, false},
        {{POSTERN__LIST, 3, 2}, false},   {{POSTERN__UNRESOLVED, 0, 0}, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK(postern__cell_absent(&rows[i].cell) == rows[i].absent);
}

TEST_MAIN(
    RUN(only_what_is_used_is_parsed);
    RUN(what_another_asks_is_parsed_later);
    RUN(forms_hold_what_the_text_says);
    RUN(text_is_found_by_its_offset);
    RUN(empty_lists_are_absent)
)
