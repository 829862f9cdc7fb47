/* Pointer and length: comparing, cutting, folding. All inline. */
#ifndef POSTERN_SPAN_H
#define POSTERN_SPAN_H

#include <stdbool.h>
#include <string.h>

#include "postern.h"

/* A function whose constant arguments decide what is left of it. */
#if defined(__GNUC__)
#define POSTERN__INLINE static inline __attribute__((always_inline))
#else
#define POSTERN__INLINE static inline
#endif

#define POSTERN__SPAN(literal) ((postern_span){(literal), sizeof(literal) - 1})

/* memcmp does not take NULL, and empty text may be that. */
static inline bool postern__bytes_equal(const void *a, const void *b, size_t length) {
    return length == 0 || memcmp(a, b, length) == 0;
}

static inline uint64_t postern__word_difference(const char *a, const char *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x ^ y;
}

/* The same in place, from behind: ARNs that differ share what they start with. */
static inline bool postern__ends_equal(const char *a, const char *b, size_t length) {
    if (length < 8) {
        while (length > 0 && a[length - 1] == b[length - 1]) length--;
        return length == 0;
    }
    for (; length > 16; length -= 16) {
        const char *x = a + length - 16, *y = b + length - 16;
        if ((postern__word_difference(x, y) | postern__word_difference(x + 8, y + 8)) != 0) {
            return false;
        }
    }
    size_t last = length > 8 ? length - 8 : 0; /* overlaps the first, where they are not 16 */
    return (postern__word_difference(a, b) | postern__word_difference(a + last, b + last)) == 0;
}

static inline bool postern__span_equal(postern_span a, postern_span b) {
    return a.length == b.length && postern__bytes_equal(a.text, b.text, a.length);
}

static inline bool postern__span_starts(postern_span text, postern_span head) {
    return text.length >= head.length && postern__bytes_equal(text.text, head.text, head.length);
}

static inline postern_span postern__span_from(postern_span text, size_t offset) {
    if (offset == 0) return text; /* nothing may be added to NULL, not even 0 */
    return (postern_span){text.text + offset, text.length - offset};
}

/* The offset of the first `c` at or after `from`, or the length. */
static inline size_t postern__span_find(postern_span text, size_t from, char c) {
    if (from >= text.length) return text.length;
    const char *at = memchr(text.text + from, c, text.length - from);
    return at == NULL ? text.length : (size_t)(at - text.text);
}

/* ASCII only: action and key names are ASCII, and folding more would make two
 * different names one. */
static inline unsigned char postern__lower(unsigned char c) {
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static inline bool postern__span_equal_folded(postern_span a, postern_span b) {
    if (a.length != b.length) return false;
    for (size_t i = 0; i < a.length; i++) {
        if (postern__lower((unsigned char)a.text[i]) != postern__lower((unsigned char)b.text[i]))
            return false;
    }
    return true;
}

#endif
