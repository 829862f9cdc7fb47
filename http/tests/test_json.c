#include "json.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "failing_alloc.h"
#include "test.h"

/* The text, or the error in brackets. */
static const char *text_of(const postern_json *writer) {
    static char text[4096];
    postern_span span;
    postern_error error;
    if (postern_json_text(writer, &span, &error) == POSTERN_OK) {
        snprintf(text, sizeof text, "%.*s", (int)span.length, span.text);
    } else {
        CHECK(span.text == NULL && span.length == 0);
        snprintf(text, sizeof text, "[%s: %s]", postern_status_name(error.status), error.message);
    }
    return text;
}

/* Follows a program of one letter a call: { [ ) are object, array, close; k a
 * key `k`; s n t f 0 r values. */
static void run(postern_json *writer, const char *program) {
    for (; *program != '\0'; program++) {
        switch (*program) {
        case '{': postern_json_object(writer); break;
        case '[': postern_json_array(writer); break;
        case ')': postern_json_close(writer); break;
        case 'k': postern_json_key(writer, "k", 1); break;
        case 's': postern_json_string(writer, "s", 1); break;
        case 'n': postern_json_number(writer, 7); break;
        case 't': postern_json_boolean(writer, 1); break;
        case 'f': postern_json_boolean(writer, 0); break;
        case '0': postern_json_null(writer); break;
        case 'r': postern_json_raw(writer, "[1,2]", 5); break;
        case 'e': postern_json_raw(writer, "", 0); break;
        case 'N': postern_json_number(writer, (double)NAN); break;
        default: abort();
        }
    }
}

static void test_nesting(void) {
    static const char *const rows[][2] = {
        {"s", "\"s\""},
        {"n", "7"},
        {"r", "[1,2]"},
        {"{)", "{}"},
        {"[)", "[]"},
        {"[{)[))", "[{},[]]"},
        {"[sntf0r)", "[\"s\",7,true,false,null,[1,2]]"},
        {"{kskn)", "{\"k\":\"s\",\"k\":7}"},
        {"{k{k[tf)kn)k0)", "{\"k\":{\"k\":[true,false],\"k\":7},\"k\":null}"},
        {"[[[)n)n)", "[[[],7],7]"},
        {"{krk[r))", "{\"k\":[1,2],\"k\":[[1,2]]}"},
        {"[{k{))n)", "[{\"k\":{}},7]"},
    };
    postern_json *writer = postern_json_new(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        postern_json_reset(writer);
        run(writer, rows[i][0]);
        CHECK_TEXT(text_of(writer), rows[i][1]);
    }
    postern_json_free(writer);
}

static void test_misuse(void) {
    static const char *const rows[][2] = {
        {"", "[misuse: nothing is written]"},
        {"[", "[misuse: a container is still open]"},
        {"{kn", "[misuse: a container is still open]"},
        {"{n)", "[misuse: a value without a key in an object]"},
        {"{{))", "[misuse: a value without a key in an object]"},
        {"{r)", "[misuse: a value without a key in an object]"},
        {"{knn)", "[misuse: a value without a key in an object]"},
        {"[k)", "[misuse: a key outside an object]"},
        {"k", "[misuse: a key outside an object]"},
        {"{k[kn))", "[misuse: a key outside an object]"},
        {"{kkn)", "[misuse: a key after a key]"},
        {"{k)", "[misuse: a key without a value]"},
        {")", "[misuse: a close without an open]"},
        {"[))", "[misuse: a close without an open]"},
        {"nn", "[misuse: a second value after the text has ended]"},
        {"[)[)", "[misuse: a second value after the text has ended]"},
        {"{)k", "[misuse: a key outside an object]"},
        {"[e)", "[misuse: an empty text is no value]"},
        {"N", "[value: a number that JSON cannot write]"},
        {"[N)", "[value: a number that JSON cannot write]"},
        {"[Nk)", "[value: a number that JSON cannot write]"}, /* the first stays */
        {"{kkN", "[misuse: a key after a key]"},
    };
    postern_json *writer = postern_json_new(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        postern_json_reset(writer);
        run(writer, rows[i][0]);
        CHECK_TEXT(text_of(writer), rows[i][1]);
    }
    postern_json_free(writer);
}

static void test_failure_stays(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    CHECK(postern_json_object(writer) == POSTERN_OK);
    CHECK(postern_json_null(writer) == POSTERN_MISUSE);
    CHECK(postern_json_key(writer, "k", 1) == POSTERN_MISUSE);
    CHECK(postern_json_string(writer, "k", 1) == POSTERN_MISUSE);
    CHECK(postern_json_number(writer, 1) == POSTERN_MISUSE);
    CHECK(postern_json_boolean(writer, 1) == POSTERN_MISUSE);
    CHECK(postern_json_raw(writer, "1", 1) == POSTERN_MISUSE);
    CHECK(postern_json_raw(writer, "", 0) == POSTERN_MISUSE);
    CHECK(postern_json_object(writer) == POSTERN_MISUSE);
    CHECK(postern_json_array(writer) == POSTERN_MISUSE);
    CHECK(postern_json_close(writer) == POSTERN_MISUSE);
    CHECK_TEXT(text_of(writer), "[misuse: a value without a key in an object]");
    postern_json_reset(writer);
    run(writer, "[n)");
    CHECK_TEXT(text_of(writer), "[7]");
    postern_json_free(writer);
}

typedef struct string_case {
    const char *text;
    size_t length;
    const char *expected;
} string_case;

#define TEXT(literal) (literal), sizeof(literal) - 1
#define LOST "\xEF\xBF\xBD"

static const string_case STRINGS[] = {
    {TEXT(""), "\"\""},
    {TEXT("plain text of more than eight bytes"), "\"plain text of more than eight bytes\""},
    {TEXT("/a/b"), "\"/a/b\""},
    {TEXT("\"\\"), "\"\\\"\\\\\""},
    {TEXT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
    {TEXT("\0\1\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
    {TEXT("1234567\"89abcdef"), "\"1234567\\\"89abcdef\""},
    {TEXT("é ☃ 😀"), "\"é ☃ 😀\""},
    {TEXT("12345678é"), "\"12345678é\""},
    {TEXT("a\xFF" "b"), "\"a" LOST "b\""},
    {TEXT("\xC3"), "\"" LOST "\""},                             /* cut off */
    {TEXT("\xE2\x98"), "\"" LOST LOST "\""},
    {TEXT("\xC0\xAF"), "\"" LOST LOST "\""},                    /* overlong */
    {TEXT("\xED\xA0\x80"), "\"" LOST LOST LOST "\""},           /* a surrogate */
    {TEXT("\xF4\x90\x80\x80"), "\"" LOST LOST LOST LOST "\""},  /* above U+10FFFF */
    {TEXT("\x80\"\x80"), "\"" LOST "\\\"" LOST "\""},
    {NULL, 0, "\"\""},
};

static void test_strings(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    for (size_t i = 0; i < sizeof STRINGS / sizeof STRINGS[0]; i++) {
        const string_case *row = &STRINGS[i];
        /* A copy that ends where the text does: a byte too many is noticed. */
        char *copy = row->length == 0 ? NULL : malloc(row->length);
        if (copy != NULL) memcpy(copy, row->text, row->length);
        postern_json_reset(writer);
        postern_json_string(writer, copy, row->length);
        CHECK_TEXT(text_of(writer), row->expected);
        char expected[256];
        snprintf(expected, sizeof expected, "{%s:%s}", row->expected, row->expected);
        postern_json_reset(writer);
        postern_json_object(writer);
        postern_json_key(writer, copy, row->length);
        postern_json_string(writer, copy, row->length);
        postern_json_close(writer);
        CHECK_TEXT(text_of(writer), expected);
        free(copy);
    }
    postern_json_free(writer);
}

/* Every byte at every place of a word, against the document reader: what is
 * written reads back as what it was, or as U+FFFD. */
static void test_every_byte_reads_back(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    for (int byte = 0; byte < 256; byte++) {
        for (int at = 0; at < 9; at++) {
            char text[10] = "abcdefghi", expected[16];
            text[at] = (char)byte;
            int length = byte < 0x80 ? 9 : 11;
            memcpy(expected, text, 9);
            if (byte >= 0x80) {
                memcpy(expected + at, LOST, 3);
                memcpy(expected + at + 3, text + at + 1, (size_t)(8 - at));
            }
            postern_json_reset(writer);
            postern_json_string(writer, text, 9);
            postern_span json;
            CHECK(postern_json_text(writer, &json, NULL) == POSTERN_OK);
            postern_document *document =
                postern_document_new(json.text, json.length, NULL, NULL);
            CHECK(document != NULL);
            if (document == NULL) continue;
            const postern_node *node = postern_document_nodes(document, NULL);
            CHECK(node->length == (uint32_t)length &&
                  memcmp(postern_document_texts(document) + node->text, expected,
                         (size_t)length) == 0);
            postern_document_free(document);
        }
    }
    postern_json_free(writer);
}

typedef struct number_case {
    double number;
    const char *expected;
} number_case;

static const number_case NUMBERS[] = {
    {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-1, "-1"}, {42, "42"}, {1e6, "1000000"},
    {111122223333, "111122223333"}, {9007199254740991, "9007199254740991"},
    {-9007199254740992, "-9007199254740992"}, {1e18, "1000000000000000000"},
    {-9.1e18, "-9100000000000000000"}, {1e19, "1e+19"}, {1e300, "1e+300"}, {0.1, "0.1"},
    {-0.25, "-0.25"}, {1.5, "1.5"}, {0.0123, "0.0123"}, {1.0 / 3, "0.3333333333333333"},
    {0.1 + 0.2, "0.30000000000000004"}, {1e-7, "1e-07"}, {123456.789, "123456.789"},
    {5e-324, "5e-324"}, {DBL_MIN, "2.2250738585072014e-308"},
    {DBL_MAX, "1.7976931348623157e+308"}, {-DBL_MAX, "-1.7976931348623157e+308"},
    {9223372036854775808.0, "9.223372036854776e+18"},
};

static void test_numbers(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        postern_json_reset(writer);
        postern_json_number(writer, NUMBERS[i].number);
        CHECK_TEXT(text_of(writer), NUMBERS[i].expected);
        CHECK(strtod(text_of(writer), NULL) == NUMBERS[i].number);
    }
    static const double refused[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        postern_json_reset(writer);
        CHECK(postern_json_number(writer, refused[i]) == POSTERN_VALUE);
    }
    postern_json_free(writer);
}

/* Doubles of any bits: the text reads back as the same, and one digit fewer
 * does not. */
static void test_numbers_are_shortest(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 20000; i++) {
        double number;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&number, &state, sizeof number);
        bool whole = fabs(number) < 9e18 && (double)(int64_t)number == number;
        if (!isfinite(number) || fabs(number) < DBL_MIN || whole) continue;
        postern_json_reset(writer);
        postern_json_number(writer, number);
        const char *text = text_of(writer);
        CHECK(strtod(text, NULL) == number);
        int digits = 0;
        for (const char *at = text; *at != '\0' && *at != 'e'; at++)
            digits += *at >= '1' && *at <= '9' ? 1 : *at == '0' && digits > 0;
        char shorter[512];
        snprintf(shorter, sizeof shorter, "%.*g", digits - 1, number);
        CHECK_ROW(strtod(shorter, NULL) != number, text);
    }
    postern_json_free(writer);
}

/* What C libraries write elsewhere: a comma, and U+066B. */
static void test_points_of_locales(void) {
    static const char *const rows[][2] = {
        {"0,25", "0.25"}, {"-1,5e-07", "-1.5e-07"}, {"2\xD9\xAB" "5e+20", "2.5e+20"}, {"7", "7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", rows[i][0]);
        text[postern__json_set_point(text)] = '\0';
        CHECK_TEXT(text, rows[i][1]);
    }
}

static void test_depth(void) {
    postern_json *writer = postern_json_new(NULL, NULL);
    for (int round = 0; round < 2; round++) {
        int depth = POSTERN_JSON_DEPTH + round;
        postern_json_reset(writer);
        for (int i = 0; i < depth; i++) postern_json_array(writer);
        for (int i = 0; i < depth; i++) postern_json_close(writer);
        postern_span json;
        int status = postern_json_text(writer, &json, NULL);
        CHECK(status == (round == 0 ? POSTERN_OK : POSTERN_LIMIT));
        if (status != POSTERN_OK) continue;
        postern_document *document = postern_document_new(json.text, json.length, NULL, NULL);
        CHECK(document != NULL);
        postern_document_free(document);
    }
    postern_json_free(writer);
}

static void write_something(postern_json *writer) {
    static const char quotes[] = "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"";
    postern_json_object(writer);
    for (int i = 0; i < 12; i++) {
        postern_json_key(writer, quotes, sizeof quotes - 1);
        postern_json_array(writer);
        postern_json_string(writer, quotes, sizeof quotes - 1);
        postern_json_number(writer, 0.5 + i);
        postern_json_raw(writer, "{}", 2);
        postern_json_close(writer);
    }
    postern_json_close(writer);
}

static void test_failing_allocator(void) {
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern_json *writer = postern_json_new(&failing.allocator, &error);
        if (writer == NULL) {
            CHECK(error.status == POSTERN_NO_MEMORY);
            CHECK(failing.live == 0);
            continue;
        }
        postern_span json;
        write_something(writer);
        int status = postern_json_text(writer, &json, &error);
        bool failed = failing.allocations >= n;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        postern_json_reset(writer); /* and it is of use again */
        write_something(writer);
        CHECK(postern_json_text(writer, &json, NULL) == POSTERN_OK);
        postern_json_free(writer);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

/* One large answer does not stay in memory for ever; an ordinary one does. */
static void test_reset_gives_back(void) {
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 0);
    postern_json *writer = postern_json_new(&failing.allocator, NULL);
    static char large[POSTERN_JSON_KEEP + 1];
    memset(large, 'a', sizeof large);
    postern_json_string(writer, large, sizeof large);
    CHECK(failing.live > sizeof large);
    postern_json_reset(writer);
    CHECK(failing.live < 1024);
    postern_json_string(writer, large, 1000);
    size_t allocations = failing.allocations;
    postern_json_reset(writer);
    postern_json_string(writer, large, 1000);
    CHECK(failing.allocations == allocations);
    postern_json_free(writer);
    postern_json_free(NULL);
    CHECK(failing.live == 0);
}

TEST_MAIN(RUN(test_nesting); RUN(test_misuse); RUN(test_failure_stays); RUN(test_strings);
          RUN(test_every_byte_reads_back); RUN(test_numbers); RUN(test_numbers_are_shortest);
          RUN(test_points_of_locales); RUN(test_depth); RUN(test_failing_allocator);
          RUN(test_reset_gives_back))
