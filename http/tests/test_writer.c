#include "writer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "failing_alloc.h"
#include "test.h"

enum { CLOSE = POSTERN_HTTP_CLOSE, KEEP = POSTERN_HTTP_KEEP, HEAD = POSTERN_HTTP_NO_BODY };

static const char *bytes_of(const postern_http_writer *writer) {
    static char text[4096];
    postern_span span;
    postern_http_writer_bytes(writer, &span);
    snprintf(text, sizeof text, "%.*s", (int)span.length, span.text == NULL ? "" : span.text);
    return text;
}

static int32_t answer(postern_http_writer *writer, int32_t status, const char *lines,
                      const char *body, int32_t flags) {
    return postern_http_writer_answer(writer, status, lines, lines == NULL ? 0 : strlen(lines),
                                      body, body == NULL ? 0 : strlen(body), flags);
}

static void test_answers(void) {
    static const struct {
        int32_t status;
        const char *lines, *body;
        int32_t flags;
        const char *bytes;
    } rows[] = {
        {200, NULL, NULL, 0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        {204, NULL, NULL, 0, "HTTP/1.1 204 No Content\r\n\r\n"},
        {304, "ETag: \"a\"\r\n", NULL, 0, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"},
        {403, "A: b\r\nC: d\r\n", "{}", 0,
         "HTTP/1.1 403 Forbidden\r\nA: b\r\nC: d\r\nContent-Length: 2\r\n\r\n{}"},
        {200, NULL, "body", CLOSE,
         "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"},
        {200, NULL, "body", KEEP,
         "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nbody"},
        {200, NULL, "body", CLOSE | KEEP,
         "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"},
        {200, NULL, "body", HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"},
        {299, NULL, NULL, 0, "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"},
    };
    postern_http_writer *writer = postern_http_writer_new(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_http_writer_reset(writer);
        CHECK(answer(writer, rows[i].status, rows[i].lines, rows[i].body, rows[i].flags) == 0);
        CHECK_TEXT(bytes_of(writer), rows[i].bytes);
    }
    postern_http_writer_free(writer);
}

static void test_several(void) {
    postern_http_writer *writer = postern_http_writer_new(NULL, NULL);
    CHECK_TEXT(bytes_of(writer), "");
    CHECK(postern_http_writer_put(writer, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 0);
    CHECK(answer(writer, 204, NULL, NULL, 0) == 0);
    CHECK(answer(writer, 404, NULL, "x", 0) == 0);
    CHECK_TEXT(bytes_of(writer), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
                                 "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx");
    postern_http_writer_reset(writer);
    CHECK_TEXT(bytes_of(writer), "");
    postern_http_writer_free(writer);
    postern_http_writer_free(NULL);
}

static void test_misuse(void) {
    static const struct { int32_t status; const char *lines, *body; } rows[] = {
        {100, NULL, NULL}, {199, NULL, NULL}, {600, NULL, NULL}, {0, NULL, NULL},
        {-200, NULL, NULL}, {204, NULL, "x"}, {304, NULL, "x"}, {200, "A: b", NULL}, {200, "A: b\n", NULL},
        {200, "\r\n", NULL}, {200, "A: b\r\nC: d", NULL},
    };
    postern_http_writer *writer = postern_http_writer_new(NULL, NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(answer(writer, rows[i].status, rows[i].lines, rows[i].body, 0) == POSTERN_MISUSE);
        CHECK_TEXT(bytes_of(writer), "");
    }
    postern_http_writer_free(writer);
}

static const char *date_of(int64_t seconds) {
    static char text[POSTERN__DATE_SIZE + 1];
    postern__writer_date(text, seconds);
    return text;
}

/* Against the C library: every day's last second, and others. */
static void test_dates(void) {
    CHECK_TEXT(date_of(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK_TEXT(date_of(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK_TEXT(date_of(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
    CHECK_TEXT(date_of(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK_TEXT(date_of(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT");
    CHECK_TEXT(date_of(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT");
    for (int64_t day = -800; day < 60000; day++) {
        time_t seconds = (time_t)(day * 86400 + day % 86400);
        char expected[64];
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&seconds));
        CHECK_TEXT(date_of(seconds), expected);
    }
}

static void test_time(void) {
    postern_http_writer *writer = postern_http_writer_new(NULL, NULL);
    postern_http_writer_time(writer, 0);
    answer(writer, 204, "A: b\r\n", NULL, 0);
    CHECK_TEXT(bytes_of(writer), "HTTP/1.1 204 No Content\r\n"
                                 "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nA: b\r\n\r\n");
    postern_http_writer_reset(writer);
    postern_http_writer_time(writer, 784111777);
    postern_http_writer_time(writer, 784111777);
    answer(writer, 204, NULL, NULL, 0);
    CHECK_TEXT(bytes_of(writer), "HTTP/1.1 204 No Content\r\n"
                                 "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
    postern_http_writer_free(writer);
}

static void test_failing_allocator(void) {
    static char large[5000];
    memset(large, 'a', sizeof large - 1);
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern_http_writer *writer = postern_http_writer_new(&failing.allocator, &error);
        if (writer == NULL) {
            CHECK(error.status == POSTERN_NO_MEMORY);
            continue;
        }
        int32_t first = answer(writer, 204, NULL, NULL, 0);
        int32_t second = answer(writer, 200, "A: b\r\n", large, 0);
        int32_t third = postern_http_writer_put(writer, large, sizeof large);
        bool failed = failing.allocations >= n;
        bool all_well = first == POSTERN_OK && second == POSTERN_OK && third == POSTERN_OK;
        CHECK(all_well == !failed);
        postern_span span;
        postern_http_writer_bytes(writer, &span);
        /* An answer is there whole or not at all. */
        size_t expected = (first == 0 ? 27u : 0) + (second == 0 ? 47u + 4999u : 0) +
            (third == 0 ? 5000u : 0);
        CHECK(span.length == expected);
        postern_http_writer_free(writer);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

static void test_reset_gives_back(void) {
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 0);
    postern_http_writer *writer = postern_http_writer_new(&failing.allocator, NULL);
    static char large[POSTERN_HTTP_KEEP_BYTES + 1];
    postern_http_writer_put(writer, large, sizeof large);
    CHECK(failing.live > sizeof large);
    postern_http_writer_reset(writer);
    CHECK(failing.live < 1024);
    postern_http_writer_put(writer, large, 1000);
    size_t allocations = failing.allocations;
    postern_http_writer_reset(writer);
    postern_http_writer_put(writer, large, 1000);
    CHECK(failing.allocations == allocations);
    postern_http_writer_free(writer);
    CHECK(failing.live == 0);
}

TEST_MAIN(RUN(test_answers); RUN(test_several); RUN(test_misuse); RUN(test_dates); RUN(test_time);
          RUN(test_failing_allocator); RUN(test_reset_gives_back))
