#include "error.h"

#include <stdlib.h>

#include "test.h"

static postern_span span_of(const char *text) {
    return (postern_span){text, strlen(text)};
}

static void fail_fills_and_returns(void) {
    postern_error error;
    memset(&error, 0xAA, sizeof error);
    int status = postern__fail(&error, POSTERN_SYNTAX, 3, 7, "expected `%c`: close the %s", '}',
                               "object");
    CHECK(status == POSTERN_SYNTAX);
    CHECK(error.status == POSTERN_SYNTAX);
    CHECK(error.line == 3 && error.column == 7);
    CHECK_TEXT(error.message, "expected `}`: close the object");
}

static void fail_takes_null(void) {
    CHECK(postern__fail(NULL, POSTERN_VALUE, 1, 1, "%s", "unheard") == POSTERN_VALUE);
    CHECK(postern__no_memory(NULL) == POSTERN_NO_MEMORY);
}

static void no_memory_has_no_place(void) {
    postern_error error;
    memset(&error, 0xAA, sizeof error);
    CHECK(postern__no_memory(&error) == POSTERN_NO_MEMORY);
    CHECK(error.status == POSTERN_NO_MEMORY);
    CHECK(error.line == 0 && error.column == 0);
    CHECK_TEXT(error.message, "out of memory");
}

/* An error is one line, and cannot drive the operator's terminal. */
static void control_characters_become_marks(void) {
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"a\nb", "a?b"},
        {"\r\n", "??"},
        {"\x1b[2J", "?[2J"},
        {"\x7f", "?"},
        {"\t \x01", "? ?"},
        {"caf\xc3\xa9", "caf\xc3\xa9"}, /* UTF-8 passes */
        /* The controls of U+0080 to U+009F, and what stands on both sides. */
        {"\xc2\x80\xc2\x9b" "2J\xc2\x9f", "??2J?"},
        {"\xc2\xa0\xc3\x80\xdf\xbf", "\xc2\xa0\xc3\x80\xdf\xbf"},
        /* U+200E, U+200F: marks; U+202A to U+202E: embeddings and overrides;
         * U+2066 to U+2069: isolates. */
        {"\xe2\x80\x8e\xe2\x80\x8f", "??"},
        {"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae", "?????"},
        {"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9", "????"},
        {"Deny\xe2\x80\xaewollA", "Deny?wollA"},
        {"\xe2\x80\x8d|\xe2\x80\x90|\xe2\x80\xa9|\xe2\x80\xaf",
         "\xe2\x80\x8d|\xe2\x80\x90|\xe2\x80\xa9|\xe2\x80\xaf"},
        {"\xe2\x81\xa5|\xe2\x81\xaa|\xe2\x82\xa6|\xe1\x80\x8e|\xe3\x80\x8e",
         "\xe2\x81\xa5|\xe2\x81\xaa|\xe2\x82\xa6|\xe1\x80\x8e|\xe3\x80\x8e"},
        {"\xf0\x9f\x98\x80\xf1\x80\x80\x8e", "\xf0\x9f\x98\x80\xf1\x80\x80\x8e"},
        /* Not UTF-8: nothing is read beyond the end. */
        {"a\xc2", "a\xc2"},
        {"a\xe2", "a\xe2"},
        {"a\xe2\x80", "a\xe2\x80"},
        {"\xe2\n", "\xe2?"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_error error;
        postern__fail(&error, POSTERN_VALUE, 1, 1, "%s", rows[i].text);
        CHECK_TEXT(error.message, rows[i].message);
    }
}

static void long_messages_are_cut(void) {
    char text[2 * POSTERN_MESSAGE_SIZE];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    postern_error error;
    postern__fail(&error, POSTERN_VALUE, 1, 1, "%s", text);
    CHECK(strlen(error.message) == POSTERN_MESSAGE_SIZE - 1);
}

/* A code point that does not fit goes as a whole, wherever the end falls in it;
 * one that fits stays. */
static void long_messages_are_cut_between_code_points(void) {
    static const char *const points[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\xaa",
                                         "\xe2\x80\xae", "\xc2\x9b"};
    char text[POSTERN_MESSAGE_SIZE + 8];
    enum { ROOM = POSTERN_MESSAGE_SIZE - 1 };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        size_t size = strlen(points[i]);
        for (size_t before = 0; before <= size; before++) {
            size_t start = ROOM - before;
            memset(text, 'x', sizeof text);
            memcpy(text + start, points[i], size);
            text[sizeof text - 1] = '\0';
            postern_error error;
            postern__fail(&error, POSTERN_VALUE, 1, 1, "%s", text);
            bool fits = before == size, control = i >= 3;
            CHECK_ROW(strlen(error.message) == start + (!fits ? 0 : control ? 1 : size), points[i]);
            CHECK_ROW(strspn(error.message, "x") == start, points[i]);
            CHECK_ROW(!fits || strcmp(error.message + start, control ? "?" : points[i]) == 0,
                      points[i]);
        }
    }
    /* A message that just fits is not cut, even if it is not UTF-8. */
    text[ROOM] = '\0';
    text[ROOM - 1] = '\xe2';
    postern_error error;
    postern__fail(&error, POSTERN_VALUE, 1, 1, "%s", text);
    CHECK(strcmp(error.message, text) == 0);
    /* Nothing but the inside of code points: there is no lead byte to find. */
    memset(text, 0x80, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    postern__fail(&error, POSTERN_VALUE, 1, 1, "%s", text);
    CHECK(strlen(error.message) == ROOM);
}

static void quoting_short_and_long(void) {
    char text[POSTERN__QUOTE_SIZE + 2];
    memset(text, 'x', sizeof text);
    postern_span exact = {text, POSTERN__QUOTE_SIZE};
    postern_span longer = {text, POSTERN__QUOTE_SIZE + 1};
    postern_error error;

    postern__fail(&error, POSTERN_VALUE, 1, 1, "`%.*s%s`", POSTERN__QUOTE(span_of("Sid")));
    CHECK_TEXT(error.message, "`Sid`");
    postern__fail(&error, POSTERN_VALUE, 1, 1, "`%.*s%s`", POSTERN__QUOTE(exact));
    CHECK(strlen(error.message) == POSTERN__QUOTE_SIZE + 2);
    CHECK(strstr(error.message, "...") == NULL);
    postern__fail(&error, POSTERN_VALUE, 1, 1, "`%.*s%s`", POSTERN__QUOTE(longer));
    CHECK(strlen(error.message) == POSTERN__QUOTE_SIZE + 5);
    CHECK_TEXT(error.message + POSTERN__QUOTE_SIZE + 1, "...`");
}

/* No text at all: what an absent element's span looks like. */
static void quoting_an_empty_span(void) {
    postern_error error;
    postern_span nothing = {NULL, 0};
    postern__fail(&error, POSTERN_VALUE, 1, 1, "`%.*s%s`", POSTERN__QUOTE(nothing));
    CHECK_TEXT(error.message, "``");
}

/* A code point of two, three or four bytes on the edge goes wholly or not at
 * all, wherever the edge falls in it. */
static void quoting_cuts_between_code_points(void) {
    static const char *const points[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\xaa"};
    char text[POSTERN__QUOTE_SIZE + 8];
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        size_t size = strlen(points[i]);
        for (size_t before = 0; before <= size; before++) {
            size_t start = POSTERN__QUOTE_SIZE - before;
            memset(text, 'x', sizeof text);
            memcpy(text + start, points[i], size);
            postern_span span = {text, sizeof text};
            size_t kept = (size_t)postern__quote_length(span);
            CHECK_ROW(kept == (before == size ? POSTERN__QUOTE_SIZE : start), points[i]);
        }
    }
}

/* Text that ends exactly at the limit is not looked at beyond its end; the
 * block is as long as the text, so that a sanitizer sees a step too far. */
static void quoting_stays_inside(void) {
    char *text = malloc(POSTERN__QUOTE_SIZE);
    CHECK(text != NULL);
    if (text == NULL) return;
    memset(text, 'x', POSTERN__QUOTE_SIZE);
    postern_span span = {text, POSTERN__QUOTE_SIZE};
    CHECK(postern__quote_length(span) == POSTERN__QUOTE_SIZE);
    free(text);
}

static void every_status_has_a_name(void) {
    for (int32_t status = POSTERN_OK; status <= POSTERN_MISUSE; status++) {
        const char *name = postern_status_name(status);
        CHECK(name != NULL && name[0] != '\0');
        for (int32_t other = POSTERN_OK; name != NULL && other < status; other++) {
            CHECK_ROW(strcmp(name, postern_status_name(other)) != 0, name);
        }
    }
    CHECK_TEXT(postern_status_name(POSTERN_STRUCTURE), "structure");
    CHECK(postern_status_name(-1) == NULL);
    CHECK(postern_status_name(POSTERN_MISUSE + 1) == NULL);
}

TEST_MAIN(RUN(fail_fills_and_returns); RUN(fail_takes_null); RUN(no_memory_has_no_place);
          RUN(control_characters_become_marks); RUN(long_messages_are_cut);
          RUN(long_messages_are_cut_between_code_points);
          RUN(quoting_short_and_long); RUN(quoting_an_empty_span);
          RUN(quoting_cuts_between_code_points); RUN(quoting_stays_inside);
          RUN(every_status_has_a_name))
