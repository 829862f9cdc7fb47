/* The first byte chooses the kind; a pattern up to the line end, then a text.
 * Short ones are compared with a table over code points, filled from the rule. */
#include <stdlib.h>

#include "glob.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

enum { MOST = 64 };

static size_t read_points(postern_span text, uint32_t *out) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; count++) {
        out[count] = 0;
        for (size_t n = postern__point_size((unsigned char)text.text[i]); n > 0; n--)
            out[count] = out[count] << 8 | (unsigned char)text.text[i++];
    }
    return count;
}

/* Entry [i][j]: the rest of the pattern from i matches the rest of the text from
 * j. Wildcards that are confined do not match `:`. */
static bool table_matches(postern_span pattern, postern_span text, int kind) {
    static bool rest[MOST + 1][MOST + 1];
    uint32_t p[MOST], t[MOST];
    unsigned colons_before[MOST + 1] = {0};
    size_t m = read_points(pattern, p), n = read_points(text, t);
    for (size_t i = 0; i < m; i++) colons_before[i + 1] = colons_before[i] + (p[i] == ':');
    for (size_t j = 0; j <= n; j++) rest[m][j] = j == n;
    for (size_t i = m; i-- > 0;) {
        bool ends_segment = i + 1 == m || p[i + 1] == ':';
        bool confined = kind == POSTERN_GLOB_RESOURCE && colons_before[i] < 5 &&
                        !(p[i] == '*' && ends_segment);
        for (size_t j = n + 1; j-- > 0;) {
            bool wild = p[i] == '*' || p[i] == '?';
            bool fits = j < n && (wild ? !(confined && t[j] == ':') : p[i] == t[j]);
            if (p[i] == '*') rest[i][j] = rest[i + 1][j] || (fits && rest[i][j + 1]);
            else rest[i][j] = fits && rest[i + 1][j + 1];
        }
    }
    return rest[0][0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    int kind = data[0] & 1 ? POSTERN_GLOB_RESOURCE : POSTERN_GLOB_TEXT;
    postern_span all = {(const char *)data + 1, size - 1};
    size_t end = postern__span_find(all, 0, '\n');
    postern_span pattern = {all.text, end};
    postern_span text = postern__span_from(all, end < all.length ? end + 1 : end);

    postern_error error;
    postern_glob *glob = postern_glob_new(&pattern, 1, kind, NULL, &error);
    if (glob == NULL) {
        require(error.status == POSTERN_VALUE && !postern__utf8_valid(pattern));
        return 0;
    }
    /* Text that is not UTF-8 has some answer and stays in bounds. */
    bool matches = postern_glob_match(glob, text.text, text.length) == 0;
    postern_glob_free(glob);
    if (!postern__utf8_valid(text)) return 0;
    if (pattern.length <= MOST && text.length <= MOST)
        require(matches == table_matches(pattern, text, kind));
    /* What stays in its segment matches less. */
    if (kind == POSTERN_GLOB_RESOURCE && matches) {
        glob = postern_glob_new(&pattern, 1, POSTERN_GLOB_TEXT, NULL, NULL);
        require(glob != NULL && postern_glob_match(glob, text.text, text.length) == 0);
        postern_glob_free(glob);
    }
    return 0;
}
