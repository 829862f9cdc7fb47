#include "matcher.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

static int32_t match(const postern_cidr *cidr, const char *address) {
    return postern_cidr_match(cidr, address, strlen(address));
}

static void matcher_matches(void) {
    const postern_span ranges[] = {span("10.0.0.0/8"),      span("10.1.0.0/16"),
                                   span("10.1.0.0/16"),     span("2001:db8::/32"),
                                   span("::ffff:9.9.9.9"),  span("192.0.2.7"),
                                   span("::ffff:0:0/90")};
    postern_error error = {0};
    postern_cidr *cidr = postern_cidr_new(ranges, 7, NULL, &error);
    CHECK(cidr != NULL);
    if (cidr == NULL) return;
    CHECK(match(cidr, "10.2.0.1") == 0);
    CHECK(match(cidr, "10.1.2.3") == 1); /* most specific, the earlier of equals */
    CHECK(match(cidr, "2001:db8::1") == 3);
    CHECK(match(cidr, "9.9.9.9") == 4);
    CHECK(match(cidr, "::ffff:192.0.2.7") == 5);
    CHECK(match(cidr, "192.0.2.8") == POSTERN_NO_MATCH); /* 6 holds no IPv4 */
    CHECK(match(cidr, "::fffe:0:1") == 6);
    CHECK(match(cidr, "2001:db9::1") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "10.0.0.1/32") == POSTERN_NOT_AN_ADDRESS);
    CHECK(match(cidr, "") == POSTERN_NOT_AN_ADDRESS);
    CHECK(postern_cidr_match(cidr, NULL, 0) == POSTERN_NOT_AN_ADDRESS);
    postern_cidr_free(cidr);
}

/* The path that the environment names, and the longest of many. */
static void matcher_uses_what_is_there(void) {
    enum { COUNT = 3000 };
    static char texts[COUNT][32];
    static postern_span ranges[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "10.%d.%d.0/24", i / 256, i % 256 / 2 * 2);
        ranges[i] = span(texts[i]);
    }
    postern_cidr *cidr = postern_cidr_new(ranges, COUNT, NULL, NULL);
    CHECK(cidr != NULL);
    if (cidr == NULL) return;
    postern_cidr_report report;
    postern_cidr_describe(cidr, &report);
    CHECK_TEXT(report.simd, postern__simd_name(postern__simd_choose()));
    CHECK_TEXT(report.ipv4, "directory");
    CHECK_TEXT(report.ipv6, "few");
    CHECK(report.bytes > 256 * 1024 && report.bytes < 300 * 1024);
    CHECK(match(cidr, "10.3.4.9") == 3 * 256 + 4);
    CHECK(match(cidr, "10.3.5.9") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "::ffff:10.3.4.9") == 3 * 256 + 4);
    postern_cidr_free(cidr);
}

static void empty_matcher_matches_nothing(void) {
    postern_cidr *cidr = postern_cidr_new(NULL, 0, NULL, NULL);
    CHECK(cidr != NULL);
    if (cidr == NULL) return;
    CHECK(match(cidr, "10.2.0.1") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "::") == POSTERN_NO_MATCH);
    CHECK(match(cidr, "x") == POSTERN_NOT_AN_ADDRESS);
    postern_cidr_free(cidr);
    postern_cidr_free(NULL);
}

static void bad_ranges_are_named(void) {
    static const struct {
        const char *range;
        const char *message;
    } rows[] = {
        {"10.0.0.0/33", "range 1: `10.0.0.0/33`: bad prefix length; write 0 to 32 after the slash, "
                        "without leading zeros, or leave both out for one address"},
        {"::/", "range 1: `::/`: bad prefix length; write 0 to 128 after the slash, without "
                "leading zeros, or leave both out for one address"},
        {"10.0.0/8", "range 1: `10.0.0/8`: not an IPv4 or IPv6 address; write it like 10.0.0.0/8 "
                     "or 2001:db8::/32, without spaces, leading zeros or zone"},
        {"", "range 1: ``: not an IPv4 or IPv6 address; write it like 10.0.0.0/8 or "
             "2001:db8::/32, without spaces, leading zeros or zone"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const postern_span ranges[] = {span("10.0.0.0/8"), span(rows[i].range), span("bad")};
        postern_error error = {0};
        CHECK_ROW(postern_cidr_new(ranges, 3, NULL, &error) == NULL, rows[i].range);
        CHECK_ROW(error.status == POSTERN_VALUE, rows[i].range);
        CHECK_ROW(error.line == 0 && error.column == 0, rows[i].range);
        CHECK_TEXT(error.message, rows[i].message);
    }
    const postern_span nothing = {NULL, 0};
    CHECK(postern_cidr_new(&nothing, 1, NULL, NULL) == NULL);
}

static void wrong_counts_are_refused(void) {
    const postern_span range = span("10.0.0.0/8");
    postern_error error = {0};
    CHECK(postern_cidr_new(NULL, 1, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_cidr_new(&range, (size_t)INT32_MAX + 1, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_LIMIT);
}

static void matcher_survives_failing_memory(void) {
    enum { COUNT = 120 };
    char texts[COUNT][32];
    postern_span ranges[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 == 0 ? "10.%d.0.0/16" : "2001:db8:%d::/48", i);
        ranges[i] = span(texts[i]);
    }
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern_error error = {0};
        postern__failing_alloc_init(&failing, n);
        postern_cidr *cidr = postern_cidr_new(ranges, COUNT, &failing.allocator, &error);
        bool failed = failing.allocations >= n;
        CHECK((cidr == NULL) == failed);
        CHECK(error.status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        if (cidr != NULL) CHECK(match(cidr, "10.44.1.1") == 44);
        postern_cidr_free(cidr);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(
    RUN(matcher_matches);
    RUN(matcher_uses_what_is_there);
    RUN(empty_matcher_matches_nothing);
    RUN(bad_ranges_are_named);
    RUN(wrong_counts_are_refused);
    RUN(matcher_survives_failing_memory)
)
