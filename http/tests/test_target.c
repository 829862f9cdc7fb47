#include "target.h"

#include <stdlib.h>

#include "test.h"

typedef struct target_case {
    const char *target;
    const char *expected; /* authority|path|query, or why not */
} target_case;

static const target_case GET[] = {
    {"/", "-|/|-"},
    {"/a/b", "-|/a/b|-"},
    {"/a?b=c&d", "-|/a|b=c&d"},
    {"/?", "-|/|"},
    {"/a?b?c", "-|/a|b?c"},
    {"//a/b", "-|//a/b|-"}, /* a path, not an authority */
    {"/a%3Fb%23?%23", "-|/a%3Fb%23|%23"},
    {"/http://a/", "-|/http://a/|-"},
    {"http://a/b?c", "a|/b|c"},
    {"https://a:8443/b", "a:8443|/b|-"},
    {"HtTpS://A", "A|/|-"},
    {"http://a?b", "a|/|b"},
    {"http://[::1]:80/", "[::1]:80|/|-"},
    {"http:///b", "a target whose authority is no host"},
    {"http://?b", "a target whose authority is no host"},
    {"http://", "a target whose authority is no host"},
    {"http://u@a/", "a target whose authority is no host"},
    {"http://a\\b/", "a target whose authority is no host"},
    {"http://a,b/", "a target whose authority is no host"},
    {"http:/a", "a target that is none"},
    {"http", "a target that is none"},
    {"httpss://a/", "a target that is none"},
    {"ttp://a/", "a target that is none"},
    {"ftp://a/", "a target that is none"},
    {"a:80", "a target that is none"},
    {"a", "a target that is none"},
    {"?a", "a target that is none"},
    {"", "a target that is none"},
    {"**", "a target that is none"},
    {"*", "the target `*` is for `OPTIONS`"},
    {"/a#b", "a target with a fragment"},
    {"http://a#b/", "a target with a fragment"},
};

static void append(char *text, postern_span span) {
    size_t length = strlen(text);
    if (span.text == NULL) span = POSTERN__SPAN("-");
    memcpy(text + length, span.text, span.length);
    text[length + span.length] = '\0';
}

static const char *split(const char *method, const char *target) {
    static char text[256];
    size_t length = strlen(target);
    char *copy = malloc(length > 0 ? length : 1); /* a byte too many is noticed */
    memcpy(copy, target, length);
    postern_http_message message = {.method = {method, strlen(method)}, .target = {copy, length},
                                    .query = POSTERN__SPAN("of the message before")};
    const char *why = postern__target_split(&message);
    text[0] = '\0';
    append(text, message.authority);
    strcat(text, "|");
    append(text, message.path);
    strcat(text, "|");
    append(text, message.query);
    free(copy);
    return why != NULL ? why : text;
}

static void test_split(void) {
    for (size_t i = 0; i < sizeof GET / sizeof *GET; i++)
        CHECK_TEXT(split("GET", GET[i].target), GET[i].expected);
    CHECK_TEXT(split("OPTIONS", "*"), "-|*|-");
    CHECK_TEXT(split("OPTIONS", "/a"), "-|/a|-");
    CHECK_TEXT(split("OPTION", "*"), "the target `*` is for `OPTIONS`");
}

static void test_hosts(void) {
    static const char *const good[] = {"", "a", "a.example:80", "[::1]:80", "10.0.0.1"};
    static const char *const bad[] = {"a b", "a/b", "a?b", "a#b", "a@b", "a\\b", "a,b", "\xC3\xA4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK_ROW(postern__target_is_host((postern_span){good[i], strlen(good[i])}), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ROW(!postern__target_is_host((postern_span){bad[i], strlen(bad[i])}), bad[i]);
    for (int c = 0; c < 256; c++) {
        char host[] = {'a', (char)c, 'b'};
        bool plain = c > ' ' && c < 0x7F && strchr("/?#@\\,", c) == NULL;
        CHECK(postern__target_is_host((postern_span){host, 3}) == plain);
    }
    CHECK(postern__target_is_host((postern_span){NULL, 0}));
}

TEST_MAIN(RUN(test_split); RUN(test_hosts))
