/* Code points in UTF-8 (RFC 3629): no surrogates, nothing overlong, nothing
 * above U+10FFFF. */
#ifndef POSTERN_UTF8_H
#define POSTERN_UTF8_H

#include "block.h"

/* How many bytes the code point that starts with `lead` has, in valid UTF-8. */
static inline size_t postern__point_size(unsigned char lead) {
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* True for every byte of a code point but its first. */
static inline bool postern__point_continues(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Bytes of the well-formed code point at `text`, or 0. */
size_t postern__point_at(const char *text, const char *end);

/* Writes `point`, which has to be one, and returns where it ends: at most four
 * bytes on. */
char *postern__point_put(char *to, uint32_t point);

/* True when all of `text` is well-formed code points. */
bool postern__utf8_valid(postern_span text);

/* Copy a text to where there is room for it, the second with letters from A to Z
 * made small, and say whether it is ASCII, as nearly every text is. Nothing but
 * the text is read, nothing but its copy is written. */
bool postern__ascii_copy(char *to, postern_span text);
bool postern__ascii_copy_lower(char *to, postern_span text);

#endif
