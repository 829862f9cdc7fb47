#include "path.h"

#include <stdlib.h>

#include "test.h"

/* In blocks of their own size, so that a sanitizer sees a byte too many. */
static int32_t plain(const char *target, const char *routed) {
    size_t length = strlen(target), routed_length = routed != NULL ? strlen(routed) : 0;
    char *one = malloc(length + 1), *other = malloc(routed_length + 1);
    if (one == NULL || other == NULL) abort();
    memcpy(one, target, length);
    if (routed != NULL) memcpy(other, routed, routed_length);
    char *first = realloc(one, length > 0 ? length : 1);
    char *second = realloc(other, routed_length > 0 ? routed_length : 1);
    int32_t found = postern_path_plain(first, length, routed != NULL ? second : NULL, routed_length);
    free(first);
    free(second);
    return found;
}

static void plain_paths_have_their_length(void) {
    static const struct {
        const char *target, *routed;
        int32_t length;
    } rows[] = {
        {"/", NULL, 1},
        {"/", "/", 1},
        {"/pets/42", NULL, 8},
        {"/pets/", "/pets/", 6},
        {"/pets?a=//..%2f;", NULL, 5}, /* the query is nobody's path */
        {"/pets?a=b", "/pets", 5},
        {"/a.b/...", "/a.b/...", 8},
        {"/.a", "/.a", 3},
        {"/a%20b", "/a b", 6},
        {"/%61%3F", "/a?", 7},
        {"/gr\xC3\xBC\xC3\x9F", NULL, 7},
        {"/gr%C3%BC", "/gr\xC3\xBC", 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(plain(rows[i].target, rows[i].routed) == rows[i].length, rows[i].target);
    }
}

static void others_have_none(void) {
    static const struct {
        const char *target, *routed;
    } rows[] = {
        {"", NULL},          {"", ""},          {"pets", NULL},       {"*", NULL},
        {"http://a/b", "/b"}, {"?a", NULL},
        {"//", NULL},        {"/a//b", NULL},   {"/a//", "/a//"},     {"/.", NULL},
        {"/..", NULL},       {"/a/./b", NULL},  {"/a/../b", "/b"},    {"/a/..", "/a/.."},
        {"/a/..?b", NULL},   {"/%2e", "/."},    {"/.%2E/b", "/../b"}, {"/a;b", NULL},
        {"/a%3bb", "/a;b"},  {"/a\\b", NULL},   {"/a%5cb", "/a\\b"},  {"/a#b", NULL},
        {"/a?b#c", NULL},    {"/a%23", "/a#"},  {"/a\x01", NULL},     {"/a\x7F", NULL},
        {"/a%00", "/a"},     {"/a%1f", "/a\x1F"},
        {"/a%2fb", "/a/b"},  {"/a%2Fb", "/a%2Fb"},
        {"/a%20b", NULL},    {"/a%", "/a%"},    {"/a%2", "/a%2"},     {"/a%zz", "/a%zz"},
        {"/a%25", "/a%"},    {"/a%2541", "/a%41"},
        {"/abcd%%", "/ab"},  {"/%%%", ""}, /* more is encoded than there is room for */
        {"/a", "/b"},        {"/a", "/ab"},     {"/ab", "/a"},        {"/a/", "/a"},
        {"/a", ""},          {"/A", "/a"},
        {"/\xC3", NULL},     {"/\xC3\x28", NULL}, {"/%C3", "/\xC3"},  {"/\xED\xA0\x80", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_ROW(plain(rows[i].target, rows[i].routed) == -1, rows[i].target);
    }
    CHECK(postern_path_plain("/a\0b", 4, NULL, 0) == -1);
    CHECK(postern_path_plain("/a", 2, "/a\0b", 4) == -1);
}

TEST_MAIN(RUN(plain_paths_have_their_length); RUN(others_have_none))
