#include "postern_http.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "test.h"

enum { REQUEST = POSTERN_HTTP_REQUEST, RESPONSE = POSTERN_HTTP_RESPONSE };

#define HOST "Host: a\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

static postern_http *reader_of(int32_t kind) {
    postern_http_options options = {.kind = kind};
    return postern_http_new(&options, NULL);
}

/* Feeds in pieces of `step` bytes and then, if asked to, tells the end. What is
 * left of `length` is told by `taken`. */
static int32_t feed_in_steps(postern_http *reader, const char *bytes, size_t length, size_t step,
                             size_t *taken, postern_error *error) {
    int32_t state = POSTERN_HTTP_MORE;
    *taken = 0;
    while (*taken < length && state == POSTERN_HTTP_MORE) {
        size_t left = length - *taken, used = 0;
        /* A copy that ends where the bytes do: a byte too many is noticed. */
        size_t size = step < left ? step : left;
        char *piece = malloc(size);
        memcpy(piece, bytes + *taken, size);
        state = postern_http_feed(reader, piece, size, &used, error);
        free(piece);
        *taken += used;
        if (used < size && state == POSTERN_HTTP_MORE) break; /* a failure the caller sees */
    }
    return state;
}

/* "method target minor keep|close" or "status minor keep|close reason", then
 * each header, then the body, in brackets. */
static const char *describe(const postern_http *reader) {
    static char text[4096];
    const postern_http_message *message = postern_http_read(reader);
    if (message == NULL) return "(none)";
    int used = 0;
    if (message->status == 0) {
        used = snprintf(text, sizeof text, "%.*s %.*s", (int)message->method.length,
                        message->method.text, (int)message->target.length, message->target.text);
    } else {
        used = snprintf(text, sizeof text, "%d", message->status);
    }
    used += snprintf(text + used, sizeof text - (size_t)used, " %d %s", message->minor,
                     message->keep_alive ? "keep" : "close");
    if (message->status != 0)
        used += snprintf(text + used, sizeof text - (size_t)used, " %.*s",
                         (int)message->reason.length,
                         message->reason.text == NULL ? "" : message->reason.text);
    for (uint32_t i = 0; i < message->header_count; i++) {
        const postern_http_header *header = &message->headers[i];
        used += snprintf(text + used, sizeof text - (size_t)used, " %.*s=[%.*s]",
                         (int)header->name.length, header->name.text, (int)header->value.length,
                         header->value.text);
    }
    snprintf(text + used, sizeof text - (size_t)used, " [%.*s]", (int)message->body.length,
             message->body.text == NULL ? "" : message->body.text);
    return text;
}

typedef struct good_case {
    int32_t kind;
    const char *bytes;
    const char *expected;
    size_t left; /* bytes that belong to the next message */
} good_case;

static const good_case GOOD[] = {
    {REQUEST, "GET /x?y HTTP/1.1\r\n" HOST "\r\n", "GET /x?y 1 keep host=[a] []", 0},
    {REQUEST, "GET / HTTP/1.0\r\n\r\n", "GET / 0 close []", 0},
    {REQUEST, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "GET / 0 keep connection=[keep-alive] []", 0},
    {REQUEST, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n",
     "GET / 1 close host=[a] connection=[close] []", 0},
    {REQUEST, "GET HTTP://A/ HTTP/1.1\r\n" HOST "\r\n", "GET HTTP://A/ 1 keep host=[a] []", 0},
    {REQUEST, "GET http://b/ HTTP/1.0\r\n\r\n", "GET http://b/ 0 close []", 0},
    {REQUEST, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * 1 keep host=[a] []", 0},
    {REQUEST, "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / 1 keep host=[] []", 0},
    {REQUEST, "GET / HTTP/1.1\r\nhOsT:\t[::1]:80 \t\r\nX-A_b: \xE4 c\t d \r\nx-a_B:2\r\n\r\n",
     "GET / 1 keep host=[[::1]:80] x-a_b=[\xE4 c\t d] x-a_b=[2] []", 0},
    {REQUEST, "POST / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcGET",
     "POST / 1 keep host=[a] content-length=[3] [abc]", 3},
    {REQUEST, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\nG",
     "POST / 1 keep host=[a] content-length=[0] []", 1},
    {REQUEST, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n2;x=\"y\"\r\nab\r\n"
              "1\r\nc\r\n0\r\nX: y\r\n\r\nG",
     "POST / 1 keep host=[a] transfer-encoding=[Chunked] [abc]", 1},
    {REQUEST, "GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: upgrade\r\n\r\nG",
     "GET / 1 keep host=[a] upgrade=[h2c] connection=[upgrade] []", 1},
    {RESPONSE, OK "Content-Length: 2\r\n\r\nabc", "200 1 keep OK content-length=[2] [ab]", 1},
    {RESPONSE, "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "404 1 keep  content-length=[0] []", 0},
    {RESPONSE, "HTTP/1.0 200 Very well\r\nContent-Length: 1\r\n\r\na",
     "200 0 close Very well content-length=[1] [a]", 0},
    {RESPONSE, CHUNKED "a\r\n0123456789\r\n0\r\n\r\n",
     "200 1 keep OK transfer-encoding=[chunked] [0123456789]", 0},
    {RESPONSE, CHUNKED "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\nH",
     "200 1 keep OK transfer-encoding=[chunked] []", 1},
    {RESPONSE, "HTTP/1.1 204 No Content\r\n\r\nH", "204 1 keep No Content []", 1},
    {RESPONSE, "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\nH",
     "304 1 keep Not Modified content-length=[7] []", 1},
    {RESPONSE, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK
               "Content-Length: 1\r\n\r\na",
     "200 1 keep OK content-length=[1] [a]", 0},
};

static void test_messages(void) {
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        const good_case *row = &GOOD[i];
        size_t length = strlen(row->bytes);
        for (size_t step = 1; step <= length; step++) {
            postern_http *reader = reader_of(row->kind);
            size_t taken;
            int32_t state = feed_in_steps(reader, row->bytes, length, step, &taken, NULL);
            CHECK_ROW(state == POSTERN_HTTP_COMPLETE, row->bytes);
            CHECK_ROW(taken == length - row->left, row->bytes);
            if (step == 1 || step == length) CHECK_TEXT(describe(reader), row->expected);
            CHECK(postern_http_answer(reader) == 0);
            postern_http_free(reader);
        }
    }
}

static const char *quoted(postern_span span) {
    static char text[4][128];
    static int next;
    next = (next + 1) % 4;
    if (span.text == NULL) return "(none)";
    snprintf(text[next], sizeof text[next], "%.*s", (int)span.length, span.text);
    return text[next];
}

static void test_parts_of_the_target(void) {
    static const struct { const char *bytes, *authority, *path, *query; } rows[] = {
        {"GET /a?b HTTP/1.1\r\n" HOST "\r\n", "a", "/a", "b"},
        {"GET http://A/b HTTP/1.1\r\n" HOST "\r\n", "A", "/b", "(none)"},
        {"GET / HTTP/1.0\r\n\r\n", "(none)", "/", "(none)"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", "/", "(none)"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "a", "*", "(none)"},
    };
    postern_http *reader = reader_of(REQUEST);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t used;
        postern_http_reset(reader, 0);
        CHECK(postern_http_feed(reader, rows[i].bytes, strlen(rows[i].bytes), &used, NULL) ==
              POSTERN_HTTP_COMPLETE);
        const postern_http_message *message = postern_http_read(reader);
        CHECK_TEXT(quoted(message->authority), rows[i].authority);
        CHECK_TEXT(quoted(message->path), rows[i].path);
        CHECK_TEXT(quoted(message->query), rows[i].query);
    }
    postern_http_free(reader);
}

static int32_t count_of(const postern_http *reader, const char *name, postern_span *value) {
    return postern_http_find(reader, name, strlen(name), value);
}

static void test_find(void) {
    static const char bytes[] =
        "GET / HTTP/1.1\r\nHost: a\r\nX-Y: 1\r\nEmpty:\r\nx-y: 2\r\n\r\n";
    postern_http *reader = reader_of(REQUEST);
    postern_span value = {"x", 1};
    size_t used;
    CHECK(count_of(reader, "host", &value) == 0 && value.text == NULL);
    postern_http_feed(reader, bytes, 40, &used, NULL);
    CHECK(count_of(reader, "host", &value) == 0); /* the head is not whole */
    postern_http_feed(reader, bytes + 40, sizeof bytes - 41, &used, NULL);
    CHECK(count_of(reader, "host", &value) == 1);
    CHECK_TEXT(quoted(value), "a");
    CHECK(count_of(reader, "x-y", &value) == 2);
    CHECK_TEXT(quoted(value), "1");
    CHECK(count_of(reader, "empty", &value) == 1 && value.length == 0);
    CHECK(count_of(reader, "x-", &value) == 0 && value.text == NULL);
    CHECK(count_of(reader, "x-yz", &value) == 0);
    CHECK(postern_http_find(reader, NULL, 0, &value) == 0);
    postern_http_reset(reader, 0);
    CHECK(count_of(reader, "host", &value) == 0);
    postern_http_free(reader);
}

static void test_find_single(void) {
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Y: 1\r\nEmpty:\r\nx-y: 2\r\n"
                                "Tab: a\tb\r\nLong: 12345678\r\n\r\n";
    postern_http *reader = reader_of(REQUEST);
    postern_span value;
    size_t used;
    CHECK(postern_http_find_single(reader, "host", 4, 8, &value) == 0);
    CHECK(postern_http_feed(reader, bytes, sizeof bytes - 1, &used, NULL) ==
          POSTERN_HTTP_COMPLETE);
    CHECK(postern_http_find_single(reader, "host", 4, 8, &value) == 1);
    CHECK_TEXT(quoted(value), "a");
    CHECK(postern_http_find_single(reader, "long", 4, 8, &value) == 1);
    CHECK(postern_http_find_single(reader, "long", 4, 7, &value) == 0);
    CHECK(postern_http_find_single(reader, "x-y", 3, 8, &value) == 0);
    CHECK(postern_http_find_single(reader, "empty", 5, 8, &value) == 0);
    CHECK(postern_http_find_single(reader, "tab", 3, 8, &value) == 0);
    CHECK(postern_http_find_single(reader, "none", 4, 8, &value) == 0);
    postern_http_free(reader);
}

/* A connection that waits for its next request keeps little. */
static void test_reset_gives_back(void) {
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 0);
    postern_http_options options = {.allocator = &failing.allocator};
    postern_http *reader = postern_http_new(&options, NULL);
    static const char head[] = "PUT / HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n";
    static char body[200000];
    size_t used;
    postern_http_feed(reader, head, sizeof head - 1, &used, NULL);
    CHECK(postern_http_feed(reader, body, sizeof body, &used, NULL) == POSTERN_HTTP_COMPLETE);
    CHECK(failing.live > sizeof body);
    postern_http_reset(reader, 0);
    CHECK(failing.live < 16384);
    postern_http_free(reader);
    CHECK(failing.live == 0);
}

static void test_flags(void) {
    static const struct { const char *bytes; int32_t flags; } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"HEAD / HTTP/1.1\r\n" HOST "\r\n", POSTERN_HTTP_NO_BODY},
        {"HEAD / HTTP/1.0\r\n\r\n", POSTERN_HTTP_NO_BODY | POSTERN_HTTP_CLOSE},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", POSTERN_HTTP_CLOSE},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", POSTERN_HTTP_KEEP},
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n", 0}, /* the body is on its way */
        {"GET / HTTP/1.1\r\n", POSTERN_HTTP_CLOSE},
        {"GET / HTTP/1.1\r\n\r\n", POSTERN_HTTP_CLOSE}, /* refused */
    };
    postern_http *reader = reader_of(REQUEST);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t used;
        postern_http_reset(reader, 0);
        postern_http_feed(reader, rows[i].bytes, strlen(rows[i].bytes), &used, NULL);
        CHECK_ROW(postern_http_flags(reader) == rows[i].flags, rows[i].bytes);
    }
    postern_http_free(reader);
}

typedef struct bad_case {
    int32_t kind;
    const char *bytes;
    int answer;
    int status;
    const char *message; /* a part of it */
} bad_case;

#define GET_A "GET / HTTP/1.1\r\n" HOST

static const bad_case BAD[] = {
    /* Lines. */
    {REQUEST, "GET / HTTP/1.1\n" HOST "\r\n", 400, POSTERN_SYNTAX, "other than CR LF"},
    {REQUEST, "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, POSTERN_SYNTAX, "other than CR LF"},
    {REQUEST, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400, POSTERN_SYNTAX, "other than CR LF"},
    {REQUEST, "\r\n" GET_A "\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {REQUEST, " " GET_A "\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {RESPONSE, "\r\n" OK "\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {REQUEST, "\x16\x03\x01", 400, POSTERN_SYNTAX, "control character"},
    {REQUEST, GET_A "X: a\x01\r\n\r\n", 400, POSTERN_SYNTAX, "control character"},
    {REQUEST, GET_A "X: a\x7F\r\n\r\n", 400, POSTERN_SYNTAX, "control character"},
    {REQUEST, GET_A " X: a\r\n\r\n", 400, POSTERN_SYNTAX, "a folded header line"},
    {REQUEST, "GET / HTTP/1.1\r\nX: a\r\n\tb\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "folded"},
    {REQUEST, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, POSTERN_SYNTAX, "before the colon"},
    {REQUEST, GET_A "X\t: a\r\n\r\n", 400, POSTERN_SYNTAX, "before the colon"},
    {REQUEST, GET_A "X\r\n\r\n", 400, POSTERN_SYNTAX, "without a colon"},
    {REQUEST, GET_A ": x\r\n\r\n", 400, POSTERN_SYNTAX, "without a name"},
    {REQUEST, GET_A "a b: x\r\n\r\n", 400, POSTERN_SYNTAX, "not HTTP: Invalid header token"},
    {REQUEST, GET_A "a(b: x\r\n\r\n", 400, POSTERN_SYNTAX, "not HTTP: Invalid header token"},
    {REQUEST, GET_A "\xC3\xA4: x\r\n\r\n", 400, POSTERN_SYNTAX, "not HTTP: "},
    /* Start lines. */
    {REQUEST, "GET /\r\n\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {REQUEST, "GET\r\n\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {REQUEST, "GET / RTSP/1.0\r\n\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {REQUEST, "SOURCE / ICE/1.0\r\n\r\n", 400, POSTERN_SYNTAX, "a request line that is none"},
    {REQUEST, "GET  / HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "a request line"},
    {REQUEST, "GET /  HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "a request line"},
    {REQUEST, "GET / x HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "a request line"},
    {REQUEST, "GET /\xC3\xA4 HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "not HTTP: "},
    {REQUEST, "get / HTTP/1.1\r\n" HOST "\r\n", 501, POSTERN_SYNTAX, "Invalid method"},
    {REQUEST, "FETCH / HTTP/1.1\r\n" HOST "\r\n", 501, POSTERN_SYNTAX, "Invalid method"},
    {REQUEST, "GET / HTTP/1.9\r\n" HOST "\r\n", 505, POSTERN_SYNTAX, "version"},
    {REQUEST, "GET / HTTP/0.9\r\n" HOST "\r\n", 505, POSTERN_VALUE, "a version other than"},
    {REQUEST, "GET / HTTP/2.0\r\n" HOST "\r\n", 505, POSTERN_VALUE, "a version other than"},
    {REQUEST, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, POSTERN_SYNTAX, ""},
    {REQUEST, "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 501, POSTERN_VALUE, "`CONNECT`"},
    {RESPONSE, "HTTP/1.1 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1 20 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1 050 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1 2000 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1  200 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1 2x0 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/1.1 2 0 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "ICY 200 OK\r\n\r\n", 400, POSTERN_SYNTAX, "a status line that is none"},
    {RESPONSE, "HTTP/2.0 200 OK\r\n\r\n", 505, POSTERN_VALUE, "a version other than"},
    {RESPONSE, "HTTP/1.1 101 x\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n", 400, POSTERN_VALUE,
     "the server changes the protocol"},
    /* Where it goes, and where it ends. */
    {REQUEST, "GET / HTTP/1.1\r\n\r\n", 400, POSTERN_SYNTAX, "no `Host`"},
    {REQUEST, GET_A HOST "\r\n", 400, POSTERN_SYNTAX, "`Host` is given twice"},
    {REQUEST, GET_A "HOST: b\r\n\r\n", 400, POSTERN_SYNTAX, "`Host` is given twice"},
    {REQUEST, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, POSTERN_SYNTAX, "`Host` is no host"},
    {REQUEST, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, POSTERN_SYNTAX, "`Host` is no host"},
    {REQUEST, "GET http://b/ HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX,
     "the target names another host than `Host`"},
    {REQUEST, "GET http://a:80/ HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "another host"},
    {REQUEST, "GET http://u@a/ HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "is no host"},
    {REQUEST, "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "a target that is"},
    {REQUEST, "GET /#a HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "with a fragment"},
    {REQUEST, "GET * HTTP/1.1\r\n" HOST "\r\n", 400, POSTERN_SYNTAX, "is for `OPTIONS`"},
    {REQUEST, GET_A "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, POSTERN_SYNTAX,
     "Content-Length"},
    {REQUEST, GET_A "Content-Length: 1, 1\r\n\r\na", 400, POSTERN_SYNTAX, "Content-Length"},
    {REQUEST, GET_A "Content-Length: +1\r\n\r\na", 400, POSTERN_SYNTAX, "Content-Length"},
    {REQUEST, GET_A "Content-Length:\r\n\r\n", 400, POSTERN_SYNTAX, "Content-Length"},
    {REQUEST, GET_A "Content-Length: 99999999999999999999\r\n\r\n", 400, POSTERN_SYNTAX,
     "Content-Length overflow"},
    {REQUEST, GET_A "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, POSTERN_SYNTAX,
     "Transfer-Encoding"},
    {RESPONSE, OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, POSTERN_SYNTAX,
     "Content-Length"},
    {REQUEST, GET_A "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     POSTERN_SYNTAX, "`Transfer-Encoding`"},
    {REQUEST, GET_A "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
     POSTERN_SYNTAX, "`Transfer-Encoding` is given twice"},
    {REQUEST, GET_A "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, POSTERN_VALUE,
     "other than `chunked`"},
    {RESPONSE, OK "Transfer-Encoding: gzip\r\n\r\n", 501, POSTERN_VALUE, "other than `chunked`"},
    {RESPONSE, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 400, POSTERN_SYNTAX,
     "in HTTP/1.0"},
    {RESPONSE, CHUNKED "x\r\n", 400, POSTERN_SYNTAX, "not HTTP: Invalid character in chunk size"},
    {RESPONSE, CHUNKED "-1\r\n", 400, POSTERN_SYNTAX, "not HTTP: Invalid character in chunk size"},
    {RESPONSE, CHUNKED "1\nab", 400, POSTERN_SYNTAX, "not HTTP: "},
    {RESPONSE, CHUNKED "1\r\nab\r\n", 400, POSTERN_SYNTAX, "not HTTP: "},
    {RESPONSE, CHUNKED "1\r\na\n0\r\n\r\n", 400, POSTERN_SYNTAX, "not HTTP: "},
    {RESPONSE, CHUNKED "11111111111111111\r\n", 400, POSTERN_SYNTAX, "Chunk size overflow"},
    /* Limits. */
    {REQUEST, GET_A "Content-Length: 1048577\r\n\r\n", 413, POSTERN_LIMIT, "body is too large"},
};

static void test_refusals(void) {
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        const bad_case *row = &BAD[i];
        size_t length = strlen(row->bytes);
        for (size_t step = 1; step <= length; step++) {
            postern_http *reader = reader_of(row->kind);
            postern_error error = {0};
            size_t taken;
            int32_t state = feed_in_steps(reader, row->bytes, length, step, &taken, &error);
            CHECK_ROW(state == POSTERN_HTTP_REFUSED, row->bytes);
            CHECK_ROW(error.status == row->status, row->bytes);
            CHECK_ROW(postern_http_answer(reader) == row->answer, row->bytes);
            CHECK_ROW(postern_http_read(reader) == NULL, row->bytes);
            if (strstr(error.message, row->message) == NULL) CHECK_TEXT(error.message, row->message);
            /* It goes on refusing, for the same reason. */
            postern_error again = {0};
            size_t used = 1;
            CHECK(postern_http_feed(reader, "x", 1, &used, &again) == POSTERN_HTTP_REFUSED);
            CHECK(used == 0);
            CHECK_TEXT(again.message, error.message);
            CHECK(postern_http_finish(reader, NULL) == POSTERN_HTTP_REFUSED);
            postern_http_free(reader);
        }
    }
}

static int32_t feed_text(postern_http *reader, const char *text, postern_error *error) {
    size_t used;
    return postern_http_feed(reader, text, strlen(text), &used, error);
}

static void check_refused(postern_http *reader, const char *text, int answer,
                          const char *message) {
    postern_error error = {0};
    CHECK_ROW(feed_text(reader, text, &error) == POSTERN_HTTP_REFUSED, text);
    CHECK_TEXT(error.message, message);
    CHECK(postern_http_answer(reader) == answer);
}

static void test_limits(void) {
    postern_http_options options = {.max_head = 40, .max_headers = 2, .max_body = 3};
    postern_http *reader = postern_http_new(&options, NULL);
    /* Exactly at each limit, and one more. */
    CHECK(feed_text(reader, "GET /3456789 HTTP/1.1\r\n" HOST "a:78\r\n\r\n", NULL) ==
          POSTERN_HTTP_COMPLETE);
    postern_http_reset(reader, 0);
    check_refused(reader, "GET /3456789 HTTP/1.1\r\n" HOST "a:789\r\n\r\n", 431,
                  "the head is too large");
    postern_http_reset(reader, 0);
    CHECK(feed_text(reader, "GET / HTTP/1.1\r\n" HOST "b:\r\n\r\n", NULL) == POSTERN_HTTP_COMPLETE);
    postern_http_reset(reader, 0);
    check_refused(reader, "GET / HTTP/1.1\r\n" HOST "b:\r\nc:\r\n\r\n", 431, "too many headers");
    postern_http_free(reader);

    options = (postern_http_options){.kind = RESPONSE, .max_head = 60, .max_body = 3};
    reader = postern_http_new(&options, NULL);
    CHECK(feed_text(reader, CHUNKED "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", NULL) ==
          POSTERN_HTTP_COMPLETE);
    postern_http_reset(reader, 0);
    check_refused(reader, CHUNKED "1\r\na\r\n3\r\nbcd\r\n", 413, "the body is too large");
    postern_http_reset(reader, 0);
    check_refused(reader, OK "\r\nabcd", 413, "the body is too large");
    postern_http_reset(reader, 0);
    check_refused(reader, OK "Content-Length: 4\r\n\r\n", 413, "the body is too large");
    postern_http_reset(reader, 1);
    CHECK(feed_text(reader, OK "Content-Length: 4\r\n\r\n", NULL) == POSTERN_HTTP_COMPLETE);
    postern_http_free(reader);
}

/* What a body may bring along: chunk extensions, zeros, trailers. */
static void test_overhead(void) {
    static const char *const ENDLESS[] = {"00000000", "1;xxxxxx", "0\r\nX: yyyyyy"};
    for (size_t i = 0; i < sizeof ENDLESS / sizeof *ENDLESS; i++) {
        postern_http_options options = {.kind = RESPONSE, .max_head = 100};
        postern_http *reader = postern_http_new(&options, NULL);
        postern_error error = {0};
        CHECK(feed_text(reader, CHUNKED, NULL) == POSTERN_HTTP_MORE);
        int32_t state = feed_text(reader, ENDLESS[i], &error);
        size_t fed = strlen(ENDLESS[i]), start = fed;
        while (state == POSTERN_HTTP_MORE && fed < 1000) {
            state = feed_text(reader, ENDLESS[i] + start - 1, &error);
            fed++;
        }
        CHECK_ROW(state == POSTERN_HTTP_REFUSED, ENDLESS[i]);
        CHECK(fed == 101);
        CHECK_TEXT(error.message, "too much besides the body");
        postern_http_free(reader);
    }
    /* Chunks of one byte are many, and fine. */
    postern_http *reader = reader_of(RESPONSE);
    CHECK(feed_text(reader, CHUNKED, NULL) == POSTERN_HTTP_MORE);
    int32_t state = POSTERN_HTTP_MORE;
    for (size_t i = 0; i < 50000; i++) state |= feed_text(reader, "1\r\nx\r\n", NULL);
    CHECK(state == POSTERN_HTTP_MORE);
    CHECK(feed_text(reader, "0\r\n\r\n", NULL) == POSTERN_HTTP_COMPLETE);
    CHECK(postern_http_read(reader)->body.length == 50000);
    postern_http_free(reader);
}

static void test_interim(void) {
    postern_http *reader = reader_of(RESPONSE);
    for (size_t i = 0; i < 16; i++)
        CHECK(feed_text(reader, "HTTP/1.1 102 x\r\n\r\n", NULL) == POSTERN_HTTP_MORE);
    CHECK(postern_http_read(reader) == NULL);
    check_refused(reader, "HTTP/1.1 102 x\r\n\r\n", 400, "too many interim responses");
    postern_http_free(reader);
}

static void test_finish(void) {
    postern_http *reader = reader_of(RESPONSE);
    CHECK(feed_text(reader, OK "\r\nabc", NULL) == POSTERN_HTTP_MORE);
    CHECK(postern_http_read(reader)->body.length == 0);
    CHECK(postern_http_finish(reader, NULL) == POSTERN_HTTP_COMPLETE);
    CHECK_TEXT(describe(reader), "200 1 close OK [abc]");
    CHECK(postern_http_finish(reader, NULL) == POSTERN_HTTP_COMPLETE);
    size_t used = 1;
    CHECK(postern_http_feed(reader, "x", 1, &used, NULL) == POSTERN_HTTP_COMPLETE && used == 0);
    static const char *const EARLY[] = {"", "HTTP", OK, OK "Content-Length: 2\r\n\r\na", CHUNKED,
                                        CHUNKED "2\r\na", CHUNKED "0\r\n", CHUNKED "1\r\na\r\n"};
    for (size_t i = 0; i < sizeof EARLY / sizeof *EARLY; i++) {
        postern_error error = {0};
        postern_http_reset(reader, 0);
        CHECK_ROW(feed_text(reader, EARLY[i], NULL) == POSTERN_HTTP_MORE, EARLY[i]);
        CHECK_ROW(postern_http_finish(reader, &error) == POSTERN_HTTP_REFUSED, EARLY[i]);
        CHECK_TEXT(error.message, "the message ends early");
    }
    postern_http_free(reader);
}

static void test_head_alone(void) {
    postern_http *reader = reader_of(RESPONSE);
    postern_http_reset(reader, 1);
    CHECK(feed_text(reader, CHUNKED, NULL) == POSTERN_HTTP_COMPLETE);
    CHECK_TEXT(describe(reader), "200 1 keep OK transfer-encoding=[chunked] []");
    postern_http_reset(reader, 1);
    CHECK(feed_text(reader, OK "\r\n", NULL) == POSTERN_HTTP_COMPLETE);
    postern_http_reset(reader, 0);
    CHECK(feed_text(reader, CHUNKED, NULL) == POSTERN_HTTP_MORE);
    CHECK_TEXT(describe(reader), "200 1 close OK transfer-encoding=[chunked] []");
    postern_http_free(reader);
}

static void test_pipelining(void) {
    static const char BYTES[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
                                "GET /2 HTTP/1.1\r\n" HOST "\r\n"
                                "POST /3 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                                "1\r\nc\r\n0\r\n\r\n";
    static const char *const EXPECTED[] = {
        "POST /1 1 keep host=[a] content-length=[2] [ab]", "GET /2 1 keep host=[a] []",
        "POST /3 1 keep host=[a] transfer-encoding=[chunked] [c]"};
    postern_http *reader = reader_of(REQUEST);
    size_t at = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t used;
        CHECK(postern_http_feed(reader, BYTES + at, sizeof BYTES - 1 - at, &used, NULL) ==
              POSTERN_HTTP_COMPLETE);
        CHECK_TEXT(describe(reader), EXPECTED[i]);
        at += used;
        postern_http_reset(reader, 0);
    }
    CHECK(at == sizeof BYTES - 1);
    postern_http_free(reader);
}

/* An exchange that makes every vector grow, with request n failing. */
static int32_t run_with(postern__failing_alloc *failing, int32_t kind, const char *bytes) {
    postern_http_options options = {.kind = kind, .allocator = &failing->allocator};
    postern_error error = {0};
    postern_http *reader = postern_http_new(&options, &error);
    int32_t state = POSTERN_HTTP_REFUSED;
    if (reader != NULL) {
        size_t taken;
        state = feed_in_steps(reader, bytes, strlen(bytes), 7, &taken, &error);
        if (state == POSTERN_HTTP_REFUSED) CHECK(postern_http_answer(reader) == 500);
        /* It is whole again after a reset. */
        postern_http_reset(reader, 0);
        failing->fail_at = 0;
        CHECK(feed_in_steps(reader, bytes, strlen(bytes), 7, &taken, NULL) ==
              POSTERN_HTTP_COMPLETE);
    }
    if (state == POSTERN_HTTP_REFUSED) {
        CHECK(error.status == POSTERN_NO_MEMORY);
        CHECK_TEXT(error.message, "out of memory");
    }
    postern_http_free(reader);
    return state;
}

static void test_failing_allocations(void) {
    static const char REQUEST_BYTES[] =
        "POST /123456789 HTTP/1.1\r\n" HOST "a:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\n"
        "h:1\r\ni:1\r\nj:1\r\nk:1\r\nl:1\r\nm:1\r\nn:1\r\no:1\r\np:1\r\nq:1\r\n"
        "Content-Length: 40\r\n\r\n0123456789012345678901234567890123456789";
    static const char RESPONSE_BYTES[] = CHUNKED "14\r\n01234567890123456789\r\n0\r\n\r\n";
    const char *const bytes[] = {REQUEST_BYTES, RESPONSE_BYTES};
    for (int32_t kind = REQUEST; kind <= RESPONSE; kind++) {
        size_t tried = 0;
        for (size_t n = 1;; n++) {
            postern__failing_alloc failing;
            postern__failing_alloc_init(&failing, n);
            int32_t state = run_with(&failing, kind, bytes[kind]);
            CHECK(failing.live == 0);
            if (state == POSTERN_HTTP_COMPLETE) break;
            tried++;
        }
        CHECK(tried >= 4);
    }
}

static void test_misuse(void) {
    postern_error error = {0};
    postern_http_options options = {.kind = 2};
    CHECK(postern_http_new(&options, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    postern_http_free(NULL);
    CHECK(postern_http_abi() == POSTERN_HTTP_ABI);
}

TEST_MAIN(RUN(test_messages); RUN(test_parts_of_the_target); RUN(test_find); RUN(test_find_single);
          RUN(test_flags); RUN(test_reset_gives_back); RUN(test_refusals); RUN(test_limits); RUN(test_overhead);
          RUN(test_interim); RUN(test_finish); RUN(test_head_alone); RUN(test_pipelining);
          RUN(test_failing_allocations); RUN(test_misuse))
