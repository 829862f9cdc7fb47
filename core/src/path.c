#include "path.h"

#include <stdint.h>

#include "utf8.h"

enum { LONGEST = INT32_MAX };

/* The value of a hexadecimal digit, or -1. */
static int digit(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that `%XX` at `at` stands for, or -1. */
static int decoded(const char *at, const char *end) {
    if (end - at < 3) return -1;
    int high = digit((unsigned char)at[1]), low = digit((unsigned char)at[2]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool is_odd(int byte) {
    return byte < 0x20 || byte == 0x7F || byte == '%' || byte == '\\' || byte == ';' ||
           byte == '#';
}

/* A segment that ends after `length` bytes, `dots` of which are dots and the
 * others none: empty ones only stand at the end of a path. */
static bool is_bad_segment(size_t length, size_t dots, bool last) {
    return (length == 0 && !last) || (length > 0 && length <= 2 && dots == length);
}

/* Takes the next byte of the routed path, which has to be that one. */
static bool takes(postern_span *routed, int byte) {
    if (routed->text == NULL) return true;
    if (routed->length == 0 || (unsigned char)routed->text[0] != byte) return false;
    *routed = postern__span_from(*routed, 1);
    return true;
}

/* One pass: decodes, compares with the routed path, which shrinks, and counts
 * the dots of each segment, which begins behind a slash. */
static bool is_plain(postern_span path, postern_span *routed, bool *high) {
    const char *end = path.text + path.length;
    size_t length = 0, dots = 0;
    for (const char *at = path.text; at < end; at++) {
        int byte = (unsigned char)*at;
        if (byte == '%') {
            byte = routed->text != NULL ? decoded(at, end) : -1;
            if (byte < 0 || byte == '/') return false;
            at += 2;
        } else if (byte == '/') {
            if (at != path.text && is_bad_segment(length, dots, false)) return false;
            if (!takes(routed, byte)) return false;
            length = dots = 0;
            continue;
        }
        if (is_odd(byte) || !takes(routed, byte)) return false;
        if (byte == '.') dots++;
        if (byte >= 0x80) *high = true;
        length++;
    }
    return routed->length == 0 && !is_bad_segment(length, dots, true);
}

int32_t postern_path_plain(const char *target, size_t target_length, const char *routed,
                           size_t routed_length) {
    postern_span whole = {target, target_length};
    if (target_length == 0 || target_length > LONGEST || target[0] != '/') return -1;
    postern_span path = {target, postern__span_find(whole, 0, '?')};
    /* A fragment counts wherever it is, even behind the query. */
    if (postern__span_find(whole, path.length, '#') < whole.length) return -1;
    postern_span read = {routed, routed != NULL ? routed_length : 0}, left = read;
    bool high = false;
    if (!is_plain(path, &left, &high)) return -1;
    if (high && !postern__utf8_valid(routed != NULL ? read : path)) return -1;
    return (int32_t)path.length;
}
