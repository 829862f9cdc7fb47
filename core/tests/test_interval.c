#include "interval.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* The intervals as one text: the last address but one of each is written as
 * its 32 bits, with its answer in front. */
static void write_ipv4(const postern__intervals *intervals, char *to, size_t room) {
    size_t at = 0;
    for (size_t i = 0; i < intervals->answers.count; i++) {
        int32_t answer = *POSTERN__AT(&intervals->answers, int32_t, i);
        at += (size_t)snprintf(to + at, room - at, "%s%d", i > 0 ? " " : "", answer);
        if (i == intervals->ends.count) break;
        const postern__end *end = POSTERN__AT(&intervals->ends, postern__end, i);
        CHECK((uint32_t)end->high == UINT32_MAX && end->low == UINT64_MAX);
        at += (size_t)snprintf(to + at, room - at, " %08x", (unsigned)(end->high >> 32));
    }
}

static void prefixes_are_cut(void) {
    static const struct {
        const char *prefixes[5];
        const char *longest;
        const char *members;
    } rows[] = {
        {{NULL}, "-1", "-1"},
        {{"0.0.0.0/0"}, "0", "0"},
        {{"10.0.0.0/8"}, "-1 09ffffff 0 0affffff -1", "-1 09ffffff 0 0affffff -1"},
        {{"0.0.0.0/8"}, "0 00ffffff -1", "0 00ffffff -1"},
        {{"255.0.0.0/8"}, "-1 feffffff 0", "-1 feffffff 0"},
        {{"0.0.0.0"}, "0 00000000 -1", "0 00000000 -1"},
        {{"255.255.255.255"}, "-1 fffffffe 0", "-1 fffffffe 0"},
        /* nested: at the start, in the middle, at the end, and alike */
        {{"10.0.0.0/8", "10.0.0.0/16"}, "-1 09ffffff 1 0a00ffff 0 0affffff -1",
         "-1 09ffffff 0 0affffff -1"},
        {{"10.0.0.0/8", "10.1.0.0/16"}, "-1 09ffffff 0 0a00ffff 1 0a01ffff 0 0affffff -1",
         "-1 09ffffff 0 0affffff -1"},
        {{"10.255.0.0/16", "10.0.0.0/8"}, "-1 09ffffff 1 0afeffff 0 0affffff -1",
         "-1 09ffffff 0 0affffff -1"},
        {{"10.0.0.0/8", "11.0.0.0/8", "10.0.0.0/8"}, "-1 09ffffff 0 0affffff 1 0bffffff -1",
         "-1 09ffffff 0 0bffffff -1"},
        {{"0.0.0.0/0", "128.0.0.0/1", "255.255.255.255"}, "0 7fffffff 1 fffffffe 2", "0"},
        /* halves cover the whole, which then answers nothing */
        {{"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"}, "-1 09ffffff 1 0a7fffff 2 0affffff -1",
         "-1 09ffffff 0 0affffff -1"},
        {{"2001:db8::/32"}, "-1", "-1"}, /* another family */
    };
    postern_allocator allocator = postern__allocator(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__prefix prefixes[5];
        size_t count = 0;
        for (; rows[i].prefixes[count] != NULL; count++)
            CHECK(postern__prefix_parse(span(rows[i].prefixes[count]), &prefixes[count]));
        for (int answer = POSTERN__MEMBERSHIP; answer <= POSTERN__LONGEST; answer++) {
            postern__intervals intervals;
            char text[256] = "";
            CHECK(postern__intervals_build(prefixes, count, 4, (postern__answer)answer, &allocator,
                                           &intervals));
            write_ipv4(&intervals, text, sizeof text);
            CHECK_TEXT(text, answer == POSTERN__LONGEST ? rows[i].longest : rows[i].members);
            postern__intervals_free(&intervals);
        }
    }
}

/* In the order of their addresses, outer ones first; without those that change
 * nothing where they are. */
static void prefixes_are_kept(void) {
    static const struct {
        const char *prefixes[5];
        const char *longest;
        const char *members;
    } rows[] = {
        {{NULL}, "", ""},
        {{"10.1.0.0/16", "10.0.0.0/8"}, "0a000000/8=1 0a010000/16=0 ", "0a000000/8=0 "},
        {{"10.0.0.0/8", "10.0.0.0/16", "9.0.0.0/8"},
         "09000000/8=2 0a000000/8=0 0a000000/16=1 ", "09000000/8=0 0a000000/8=0 "},
        {{"10.0.0.0/8", "10.0.0.0/8"}, "0a000000/8=0 ", "0a000000/8=0 "},
        /* halves hide the whole, which is kept */
        {{"10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9"},
         "0a000000/8=0 0a000000/9=1 0a800000/9=2 ", "0a000000/8=0 "},
        {{"2001:db8::/32", "10.0.0.1"}, "0a000001/32=1 ", "0a000001/32=0 "},
    };
    postern_allocator allocator = postern__allocator(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__prefix prefixes[5];
        size_t count = 0;
        for (; rows[i].prefixes[count] != NULL; count++)
            CHECK(postern__prefix_parse(span(rows[i].prefixes[count]), &prefixes[count]));
        for (int answer = POSTERN__MEMBERSHIP; answer <= POSTERN__LONGEST; answer++) {
            postern__intervals intervals;
            char text[256] = "";
            size_t at = 0;
            CHECK(postern__intervals_build(prefixes, count, 4, (postern__answer)answer, &allocator,
                                           &intervals));
            for (size_t p = 0; p < intervals.prefixes.count; p++) {
                const postern__nested *one = POSTERN__AT(&intervals.prefixes, postern__nested, p);
                at += (size_t)snprintf(text + at, sizeof text - at, "%08x/%u=%d ",
                                       (unsigned)(one->high >> 32), (unsigned)one->length,
                                       (int)one->answer);
            }
            CHECK_TEXT(text, answer == POSTERN__LONGEST ? rows[i].longest : rows[i].members);
            postern__intervals_free(&intervals);
        }
    }
}

static bool precedes(const postern__end *a, const postern__end *b) {
    return a->high != b->high ? a->high < b->high : a->low < b->low;
}

/* For sets of all sizes about where sorting changes its way. */
static void ends_ascend_and_answers_differ(void) {
    static postern__prefix prefixes[600];
    postern_allocator allocator = postern__allocator(NULL);
    random_state = 3;
    for (size_t count = 0; count < 600; count += count < 60 ? 1 : 90) {
        for (size_t i = 0; i < count; i++) {
            unsigned length = (unsigned)random_below(129);
            postern__address address = {.high = next_random() & postern__high_mask(length),
                                        .low = next_random() & postern__low_mask(length),
                                        .family = 6};
            prefixes[i] = (postern__prefix){.address = address, .length = (uint8_t)length};
        }
        postern__intervals intervals;
        CHECK(postern__intervals_build(prefixes, count, 6, POSTERN__LONGEST, &allocator,
                                       &intervals));
        CHECK(intervals.answers.count == intervals.ends.count + 1);
        for (size_t i = 1; i < intervals.ends.count; i++)
            CHECK(precedes(POSTERN__AT(&intervals.ends, postern__end, i - 1),
                           POSTERN__AT(&intervals.ends, postern__end, i)));
        for (size_t i = 1; i < intervals.answers.count; i++)
            CHECK(*POSTERN__AT(&intervals.answers, int32_t, i - 1) !=
                  *POSTERN__AT(&intervals.answers, int32_t, i));
        postern__intervals_free(&intervals);
    }
}

static void build_survives_failing_memory(void) {
    postern__prefix prefixes[3];
    CHECK(postern__prefix_parse(span("10.0.0.0/8"), &prefixes[0]));
    CHECK(postern__prefix_parse(span("10.0.0.0/16"), &prefixes[1]));
    CHECK(postern__prefix_parse(span("::/16"), &prefixes[2]));
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__intervals intervals;
        postern__failing_alloc_init(&failing, n);
        bool built = postern__intervals_build(prefixes, 3, 4, POSTERN__LONGEST,
                                              &failing.allocator, &intervals);
        bool failed = failing.allocations >= n;
        CHECK(built == !failed);
        if (built) postern__intervals_free(&intervals);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(
    RUN(prefixes_are_cut);
    RUN(prefixes_are_kept);
    RUN(ends_ascend_and_answers_differ);
    RUN(build_survives_failing_memory)
)
