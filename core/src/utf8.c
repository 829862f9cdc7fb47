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
