#include <stdlib.h>

#include "postern_http.h"
#include "test.h"

/* A text, so that a byte too many is noticed. */
static char *copy_of(const char *text) {
    size_t length = strlen(text);
    char *copy = malloc(length > 0 ? length : 1);
    memcpy(copy, text, length);
    return copy;
}

static int32_t read_call(const char *text, postern_http_call *call) {
    char *copy = copy_of(text), *room = copy_of(text);
    int32_t plain = postern_http_read_call(copy, strlen(text), room, call);
    free(copy);
    free(room);
    return plain;
}

static int is_text(postern_span span, const char *text) {
    return span.text != NULL && span.length == strlen(text) &&
        memcmp(span.text, text, span.length) == 0;
}

static void test_members(void) {
    static const char *const TEXT =
        "{\"api\":\"a1\",\"stage\":\"dev\",\"method\":\"GET\",\"path\":\"/dev/a long one\","
        "\"raw_path\":\"/r?q\",\"host\":\"h.example\",\"scheme\":\"https\",\"peer\":\"192.0.2.1\","
        "\"client_ip\":\"2001:db8::1\",\"vpce\":\"vpce-1\",\"principal\":\"*\","
        "\"headers\": {\"A\":\"1\", \"B\" : [\"2\",\"3\"] }}";
    postern_http_call call;
    CHECK(postern_http_read_call(TEXT, strlen(TEXT), NULL, &call) == 1);
    CHECK(is_text(call.api, "a1"));
    CHECK(is_text(call.stage, "dev"));
    CHECK(is_text(call.method, "GET"));
    CHECK(is_text(call.path, "/dev/a long one"));
    CHECK(is_text(call.raw_path, "/r?q"));
    CHECK(is_text(call.host, "h.example"));
    CHECK(is_text(call.scheme, "https"));
    CHECK(is_text(call.peer, "192.0.2.1"));
    CHECK(is_text(call.client_ip, "2001:db8::1"));
    CHECK(is_text(call.vpce, "vpce-1"));
    CHECK(is_text(call.principal, "*"));
    CHECK(is_text(call.headers, "{\"A\":\"1\", \"B\" : [\"2\",\"3\"] }"));
}

static void test_what_is_absent(void) {
    static const char *const TEXT = "\r\n\t {\t\"api\" : \"\" , \"headers\" : { } } ";
    postern_http_call call;
    CHECK(postern_http_read_call(TEXT, strlen(TEXT), NULL, &call) == 1);
    CHECK(is_text(call.api, ""));
    CHECK(is_text(call.headers, "{ }"));
    CHECK(call.stage.text == NULL && call.principal.text == NULL && call.vpce.text == NULL);
}

/* Right or wrong, none of it is plain. */
static const char *const OTHERS[] = {
    "", " ", "{", "{}", "[]", "null", "\"api\"", "{\"api\"}", "{\"api\":}", "{\"api\":\"a\"",
    "{\"api\":\"a\",}", "{\"api\":\"a\"}}", "{\"api\":\"a\"} x", "{\"api\":\"a\" \"stage\":\"b\"}",
    "{,\"api\":\"a\"}", "{api:\"a\"}", "{'api':'a'}", "{\"api\":\"a", "{\"api\":\"a\\",
    /* other members, and types */
    "{\"API\":\"a\"}", "{\"apj\":\"a\"}", "{\"patH\":\"a\"}", "{\"host_\":\"a\"}", "{\"\":\"a\"}",
    "{\"clientip1\":\"a\"}", "{\"context\":\"a\"}", "{\"query\":[]}", "{\"now\":1}",
    "{\"api\":1}", "{\"api\":null}", "{\"api\":true}", "{\"api\":[\"a\"]}", "{\"api\":{}}",
    /* twice */
    "{\"api\":\"a\",\"api\":\"a\"}", "{\"api\":\"\",\"stage\":\"b\",\"api\":\"\"}",
    "{\"headers\":{},\"headers\":{}}",
    /* escapes, and what is no printable ASCII */
    "{\"api\":\"a\\u0041\"}", "{\"api\":\"a\\\"}", "{\"a\\u0070i\":\"a\"}",
    "{\"api\":\"long enough for a word\\n\"}", "{\"api\":\"\xC3\xA9\"}",
    "{\"api\":\"long enough for a word \xC3\xA9\"}", "{\"api\":\"\xFF\"}", "{\"api\":\"a\nb\"}",
    "{\"api\":\"long enough for a word\x1F and more\"}", "{\"api\":\"\x01\"}",
    /* headers */
    "{\"headers\":\"a\"}", "{\"headers\":[]}", "{\"headers\":null}", "{\"headers\":{\"a\":1}}",
    "{\"headers\":{\"a\":null}}", "{\"headers\":{\"a\":[]}}", "{\"headers\":{\"a\":[1]}}",
    "{\"headers\":{\"a\":[\"b\",]}}", "{\"headers\":{\"a\":[\"b\" \"c\"]}}",
    "{\"headers\":{\"a\":[[\"b\"]]}}", "{\"headers\":{\"a\":{}}}", "{\"headers\":{\"a\":\"b\",}}",
    "{\"headers\":{\"a\"}}", "{\"headers\":{,}}", "{\"headers\":{\"a\":\"b\\n\"}}",
    "{\"headers\":{\"a\":\"b\",\"a\":\"b\"}}", "{\"headers\":{\"X-a\":\"b\",\"c\":\"\",\"x-A\":\"b\"}}",
    "{\"headers\":{\"a\":\"b\"}", "{\"headers\":{\"a\":\"b\"",
};

static void test_what_is_not_plain(void) {
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        postern_http_call call;
        CHECK_ROW(read_call(OTHERS[i], &call) == 0, OTHERS[i]);
    }
    char zero[] = "{\"api\":\"a b\"}";
    zero[9] = '\0';
    postern_http_call call;
    CHECK(postern_http_read_call(zero, sizeof zero - 1, NULL, &call) == 0);
}

static void test_escapes(void) {
    static const char *const TEXT =
        "{\"api\":\"\\/\",\"path\":\"\\/dev\\/a-long-segment\\\\x\\\"\",\"stage\":\"b\","
        "\"ho\\/st\":\"\"}";
    char text[160], room[160];
    postern_http_call call;
    strcpy(text, TEXT);
    CHECK(postern_http_read_call(text, strlen(text), room, &call) == 0); /* `ho/st` */
    *strstr(text, ",\"ho") = '}';
    *(strchr(text, '}') + 1) = '\0';
    CHECK(postern_http_read_call(text, strlen(text), room, &call) == 1);
    CHECK(is_text(call.api, "/"));
    CHECK(is_text(call.path, "/dev/a-long-segment\\x\""));
    CHECK(is_text(call.stage, "b"));
    CHECK(read_call("{\"headers\":{\"a\\/\":\"\\\"\",\"b\":\"\\\\\"}}", &call) == 1);
    CHECK(read_call("{\"headers\":{\"a\\/\":\"\",\"A/\":\"\"}}", &call) == 0);
    CHECK(read_call("{\"headers\":{\"a\":\"\\\"}}", &call) == 0);
    CHECK(read_call("{\"headers\":{\"a\":\"\\t\"}}", &call) == 0);
    CHECK(read_call("{\"api\":\"\\/\\t\"}", &call) == 0);
    CHECK(read_call("{\"api\":\"\\/", &call) == 0);
    CHECK(read_call("{\"api\":\"\\", &call) == 0);
}

/* A text of headers with so many of them. */
static void put_headers(char *text, int count) {
    strcpy(text, "{\"headers\":{");
    for (int i = 0; i < count; i++)
        sprintf(text + strlen(text), "%s\"h%d\":\"\"", i > 0 ? "," : "", i);
    strcat(text, "}}");
}

static void test_many_headers(void) {
    char text[1024];
    postern_http_call call;
    put_headers(text, 32);
    CHECK(read_call(text, &call) == 1);
    put_headers(text, 33);
    CHECK(read_call(text, &call) == 0);
}

/* Two headers, the second with so many values. */
static void put_values(char *text, int count) {
    strcpy(text, "{\"headers\":{\"a\":\"\",\"b\":[\"\"");
    for (int i = 1; i < count; i++) strcat(text, ",\"\"");
    strcat(text, "]}}");
}

/* More are refused by whoever decides, who is not asked. */
static void test_many_values(void) {
    char text[1024];
    postern_http_call call;
    put_values(text, 63);
    CHECK(read_call(text, &call) == 1);
    put_values(text, 64);
    CHECK(read_call(text, &call) == 0);
    strcpy(strstr(text, "\"b\""), "\"b\":\"\"}}");
    CHECK(read_call(text, &call) == 1);
    put_values(text, 63);
    strcpy(strrchr(text, ']') + 1, ",\"c\":\"\"}}");
    CHECK(read_call(text, &call) == 0);
}

/* Each byte of a text, at every distance from the end of the words it is looked
 * at by. */
static void test_every_byte(void) {
    for (int byte = 0; byte < 256; byte++) {
        for (int at = 0; at < 17; at++) {
            char text[] = "{\"api\":\"-----------------\"}", room[sizeof text];
            postern_http_call call;
            text[8 + at] = (char)byte;
            int plain = byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
            CHECK(postern_http_read_call(text, sizeof text - 1, room, &call) == plain);
        }
    }
}

static int32_t read_calls(const char *text, postern_http_call *calls, uint32_t most) {
    char *copy = copy_of(text), *room = copy_of(text);
    int32_t count = postern_http_read_calls(copy, strlen(text), room, calls, most);
    free(copy);
    free(room);
    return count;
}

static void test_lists(void) {
    static const char *const TWO = " [ {\"api\":\"a\"} ,{\"api\":\"b\",\"stage\":\"c\"} ] ";
    postern_http_call calls[3];
    CHECK(postern_http_read_calls(TWO, strlen(TWO), NULL, calls, 3) == 2);
    CHECK(is_text(calls[0].api, "a") && is_text(calls[1].api, "b"));
    CHECK(calls[0].stage.text == NULL && is_text(calls[1].stage, "c"));
    CHECK(read_calls(TWO, calls, 2) == 2);
    CHECK(read_calls(TWO, calls, 1) == -1);
    CHECK(read_calls("[{\"api\":\"a\"}]", calls, 3) == 1);
    static const char *const WRONG[] = {
        "", "[]", "[", "{\"api\":\"a\"}", "[{\"api\":\"a\"}", "[{\"api\":\"a\"},]",
        "[{\"api\":\"a\"} {\"api\":\"a\"}]", "[{\"api\":\"a\"}]]", "[{\"api\":\"a\"}]x",
        "[{\"api\":\"a\"},{}]", "[{\"api\":\"a\"},null]", "[{\"api\":\"a\"},{\"x\":\"a\"}]",
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++)
        CHECK_ROW(read_calls(WRONG[i], calls, 3) == -1, WRONG[i]);
}

TEST_MAIN(RUN(test_members); RUN(test_what_is_absent); RUN(test_what_is_not_plain);
          RUN(test_escapes); RUN(test_many_headers); RUN(test_many_values); RUN(test_every_byte);
          RUN(test_lists))
