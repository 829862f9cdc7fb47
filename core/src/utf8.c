#include "utf8.h"

size_t postern__point_at(const char *text, const char *end) {
    if (text == end) return 0;
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    size_t size = postern__point_size(lead);
    if ((size_t)(end - text) < size) return 0;
    /* What is overlong, a surrogate or too high shows in the second byte. */
    unsigned char second = (unsigned char)text[1];
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < low || second > high) return 0;
    for (size_t i = 2; i < size; i++) {
        if (!postern__point_continues(text[i])) return 0;
    }
    return size;
}

char *postern__point_put(char *to, uint32_t point) {
    if (point < 0x80) {
        *to++ = (char)point;
        return to;
    }
    if (point < 0x800) {
        *to++ = (char)(0xC0 | point >> 6);
    } else {
        if (point < 0x10000) {
            *to++ = (char)(0xE0 | point >> 12);
        } else {
            *to++ = (char)(0xF0 | point >> 18);
            *to++ = (char)(0x80 | (point >> 12 & 0x3F));
        }
        *to++ = (char)(0x80 | (point >> 6 & 0x3F));
    }
    *to++ = (char)(0x80 | (point & 0x3F));
    return to;
}

/* The bytes of a text of eight or more, all of them "or"ed together, some twice. */
static uint64_t joined(postern_span text) {
    uint64_t all = 0, word;
    for (size_t at = 0; at + 8 < text.length; at += 8) {
        memcpy(&word, text.text + at, sizeof word);
        all |= word;
    }
    memcpy(&word, text.text + text.length - 8, sizeof word);
    return all | word;
}

static bool is_ascii(postern_span text) {
    if (text.length >= 8) return (joined(text) & UINT64_C(0x8080808080808080)) == 0;
    unsigned all = 0;
    for (size_t at = 0; at < text.length; at++) all |= (unsigned char)text.text[at];
    return all < 0x80;
}

bool postern__utf8_valid(postern_span text) {
    if (is_ascii(text)) return true; /* nearly every text that is asked for */
    const char *at = text.text;
    const char *end = text.length > 0 ? at + text.length : at;
    while (at != end) {
        if (end - at >= POSTERN__WORD && postern__word_ascii(postern__word_at(at))) {
            at += POSTERN__WORD;
            continue;
        }
        size_t size = postern__point_at(at, end);
        if (size == 0) return false;
        at += size;
    }
    return true;
}

/* ---- Copying -------------------------------------------------------------
 *
 * By size, so that a text of any usual length takes one way, without loops: its
 * first bytes and its last, some of them twice.
 *
 *    execute-api:Invoke
 *    [    block     ]
 *      [    block     ]                                                       */

POSTERN__INLINE uint64_t word_of(const char *text) {
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

POSTERN__INLINE void put_word(char *to, uint64_t word, bool lower) {
    if (lower) word = postern__word_lower(word);
    memcpy(to, &word, sizeof word);
}

/* Less than a word: what stands between two names is often one byte. */
POSTERN__INLINE bool copy_few(char *to, postern_span text, bool lower) {
    const char *from = text.text;
    if (text.length >= 4) {
        size_t last = text.length - 4;
        uint32_t ends[2];
        memcpy(&ends[0], from, 4);
        memcpy(&ends[1], from + last, 4);
        uint64_t word = ends[0] | (uint64_t)ends[1] << 32, put = word;
        if (lower) put = postern__word_lower(word);
        ends[0] = (uint32_t)put;
        ends[1] = (uint32_t)(put >> 32);
        memcpy(to, &ends[0], 4);
        memcpy(to + last, &ends[1], 4);
        return postern__word_ascii(word);
    }
    unsigned all = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)from[i];
        all |= c;
        to[i] = (char)(lower ? postern__lower(c) : c);
    }
    return all < 0x80;
}

POSTERN__INLINE void put_block(char *to, postern__block block, bool lower) {
    postern__block_put(to, lower ? postern__block_lower(block) : block);
}

/* Two blocks; the bytes of both "or"ed together. */
POSTERN__INLINE postern__block copy_two(char *to, const char *from, size_t second, bool lower) {
    postern__block a = postern__block_at(from), b = postern__block_at(from + second);
    put_block(to, a, lower);
    put_block(to + second, b, lower);
    return postern__block_or(a, b);
}

POSTERN__INLINE postern__block copy_four(char *to, const char *from, bool lower) {
    return postern__block_or(
        copy_two(to, from, POSTERN__BLOCK, lower),
        copy_two(to + 2 * POSTERN__BLOCK, from + 2 * POSTERN__BLOCK, POSTERN__BLOCK, lower));
}

POSTERN__INLINE bool copy(char *to, postern_span text, bool lower) {
    enum { FOUR = 4 * POSTERN__BLOCK };
    const char *from = text.text;
    size_t length = text.length;
    if (length < POSTERN__WORD) return copy_few(to, text, lower);
    if (length < POSTERN__BLOCK) {
        size_t last = length - POSTERN__WORD;
        uint64_t a = word_of(from), b = word_of(from + last);
        put_word(to, a, lower);
        put_word(to + last, b, lower);
        return postern__word_ascii(a | b);
    }
    if (length <= 2 * POSTERN__BLOCK) {
        return postern__block_ascii(copy_two(to, from, length - POSTERN__BLOCK, lower));
    }
    if (length < FOUR) {
        size_t last = length - 2 * POSTERN__BLOCK;
        postern__block first = copy_two(to, from, POSTERN__BLOCK, lower);
        return postern__block_ascii(
            postern__block_or(first, copy_two(to + last, from + last, POSTERN__BLOCK, lower)));
    }
    postern__block all = copy_four(to, from, lower);
    for (size_t at = FOUR; length - at > FOUR; at += FOUR) {
        all = postern__block_or(all, copy_four(to + at, from + at, lower));
    }
    size_t last = length - FOUR;
    return postern__block_ascii(postern__block_or(all, copy_four(to + last, from + last, lower)));
}

bool postern__ascii_copy(char *to, postern_span text) { return copy(to, text, false); }

bool postern__ascii_copy_lower(char *to, postern_span text) { return copy(to, text, true); }
