#include "arn.h"

#include <stdlib.h>

#include "inputs.h"
#include "test.h"

static bool is(postern_span actual, const char *expected) {
    return postern__span_equal(actual, span(expected));
}

static void arns_split_at_five_colons(void) {
    static const struct {
        const char *text;
        const char *part[POSTERN__ARN_PARTS];
    } rows[] = {
        {"arn:aws:sqs:us-east-1:111122223333:q",
         {"arn", "aws", "sqs", "us-east-1", "111122223333", "q"}},
        {"arn:aws:s3:::bucket/key", {"arn", "aws", "s3", "", "", "bucket/key"}},
        /* The sixth part keeps its colons. */
        {"arn:aws:logs:r:1:log-group:g:*", {"arn", "aws", "logs", "r", "1", "log-group:g:*"}},
        {":::::", {"", "", "", "", "", ""}},
        {"::::::", {"", "", "", "", "", ":"}},
        {"arn:aws:iam::1:", {"arn", "aws", "iam", "", "1", ""}},
        {"no:arn:at:all:but:six parts", {"no", "arn", "at", "all", "but", "six parts"}},
        {"${a:b}:c:d:e:f", {"${a", "b}", "c", "d", "e", "f"}}, /* nothing special here */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__arn arn;
        postern_span text = span(rows[i].text);
        CHECK_ROW(postern__arn_split(text, &arn), rows[i].text);
        for (int part = 0; part < POSTERN__ARN_PARTS; part++)
            CHECK_ROW(is(arn.part[part], rows[i].part[part]), rows[i].text);
        /* Parts point into the text and end where it ends. */
        CHECK_ROW(arn.part[0].text == text.text, rows[i].text);
        CHECK_ROW(arn.part[POSTERN__ARN_RESOURCE].text + arn.part[POSTERN__ARN_RESOURCE].length ==
                      text.text + text.length,
                  rows[i].text);
    }
}

/* Colon after colon. */
static bool plain_split(postern_span text, postern__arn *out) {
    size_t start = 0;
    for (int part = 0; part < POSTERN__ARN_RESOURCE; part++) {
        size_t colon = start;
        while (colon < text.length && text.text[colon] != ':') colon++;
        if (colon == text.length) return false;
        out->part[part] = (postern_span){text.text + start, colon - start};
        start = colon + 1;
    }
    out->part[POSTERN__ARN_RESOURCE] = (postern_span){text.text + start, text.length - start};
    return true;
}

/* Any text, of many colons and of bytes that differ from one in a bit, in a
 * block that ends where it does. */
static void splits_as_colon_after_colon(void) {
    static const char bytes[] = {':', ':', ':', 'a', ';', '9', '*', '\x3B', '\xBA', '\0', '\xFF'};
    size_t taken = 0, rounds = 100000;
    bool same = true;
    random_state = 20261126;
    for (size_t round = 0; round < rounds; round++) {
        size_t length = random_below(round % 4 == 0 ? 80 : 24), among = 3 + random_below(40);
        char *block = malloc(length + 1), *text = block + 1;
        for (size_t i = 0; i < length; i++) {
            size_t at = random_below(among);
            text[i] = at < sizeof bytes ? bytes[at] : (char)next_random();
        }
        postern__arn ours, plain;
        postern_span whole = {text, length};
        bool is_one = plain_split(whole, &plain);
        if (postern__arn_split(whole, &ours) != is_one) same = false;
        taken += is_one;
        for (int part = 0; is_one && part < POSTERN__ARN_PARTS; part++) {
            if (ours.part[part].text != plain.part[part].text ||
                ours.part[part].length != plain.part[part].length) {
                same = false;
            }
        }
        free(block);
    }
    CHECK(same);
    CHECK(taken > rounds / 10 && taken < rounds * 9 / 10);
}

static void less_than_five_colons_is_no_arn(void) {
    static const char *const rows[] = {"", ":", "*", "arn", "arn:aws", "arn:aws:sqs:us-east-1:1",
                                       "::::", "arn:aws:sqs:us-east-1/1/q"};
    postern__arn arn;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(!postern__arn_split(span(rows[i]), &arn), rows[i]);
    CHECK(!postern__arn_split((postern_span){NULL, 0}, &arn));
    /* The length decides, not what stands behind it; and NUL is a character. */
    CHECK(!postern__arn_split((postern_span){"a:b:c:d:e:f", 8}, &arn));
    CHECK(postern__arn_split((postern_span){"a:b:c:d:e:f", 10}, &arn));
    CHECK(arn.part[POSTERN__ARN_RESOURCE].length == 0);
    CHECK(postern__arn_split((postern_span){"a\0:b:c:d:e:f", 12}, &arn));
    CHECK(arn.part[0].length == 2);
}

static void accounts_are_twelve_digits(void) {
    static const char *const wrong[] = {"",
                                        "12341234123",
                                        "1234123412345",
                                        "12341234123a",
                                        "-23412341234",
                                        "1234 2341234",
                                        "12341234123*",
                                        "/23412341234",
                                        ":23412341234",
                                        "aws",
                                        "*"};
    CHECK(postern__is_account(span("123412341234")));
    CHECK(postern__is_account(span("000000000000")));
    CHECK(postern__is_account(span("999999999999")));
    CHECK(postern__is_account((postern_span){"1234123412345", 12}));
    CHECK(!postern__is_account((postern_span){"12341234123\0", 12}));
    CHECK(!postern__is_account((postern_span){NULL, 0}));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ROW(!postern__is_account(span(wrong[i])), wrong[i]);
}

static void last_path_parts(void) {
    static const struct {
        const char *text, *last;
    } rows[] = {
        {"", ""},          {"name", "name"}, {"path/name", "name"}, {"a/b/c/name", "name"},
        {"path/", ""},     {"/", ""},        {"/name", "name"},     {"a//b", "b"},
        {"a\\b", "a\\b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_ROW(is(postern__last_path_part(span(rows[i].text)), rows[i].last), rows[i].text);
    CHECK(postern__last_path_part((postern_span){NULL, 0}).length == 0);
}

TEST_MAIN(
    RUN(arns_split_at_five_colons);
    RUN(splits_as_colon_after_colon);
    RUN(less_than_five_colons_is_no_arn);
    RUN(accounts_are_twelve_digits);
    RUN(last_path_parts)
)
