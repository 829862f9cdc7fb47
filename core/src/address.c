#include "address.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = 96 };
enum { GROUPS = 8, QUAD_GROUPS = 2, NO_GAP = GROUPS + 1 };

/* The decimal at `at`, without sign or leading zero and at most `limit`.
 * Returns its end, or NULL. Stops at the first digit too many, so that it
 * cannot overflow. */
static const char *read_decimal(const char *at, const char *end, unsigned limit, unsigned *out) {
    const char *start = at;
    unsigned value = 0;
    for (; at < end; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (digit > 9) break;
        if (value == 0 && at > start) return NULL;
        value = value * 10 + digit;
        if (value > limit) return NULL;
    }
    *out = value;
    return at == start ? NULL : at;
}

enum { QUAD_LEAST = 7, QUAD_MOST = 15 }; /* bytes: 0.0.0.0, 255.255.255.255 */

/* One to three digits without a leading zero; returns where they end, or NULL. */
static inline const char *read_octet(const char *at, uint32_t *value) {
    unsigned number = (unsigned char)at[0] - (unsigned)'0', digit;
    if (number > 9) return NULL;
    digit = (unsigned char)at[1] - (unsigned)'0';
    if (digit > 9) {
        *value = *value << 8 | number;
        return at + 1;
    }
    if (number == 0) return NULL;
    number = number * 10 + digit;
    digit = (unsigned char)at[2] - (unsigned)'0';
    if (digit > 9) {
        *value = *value << 8 | number;
        return at + 2;
    }
    number = number * 10 + digit;
    *value = *value << 8 | number;
    return number > 255 ? NULL : at + 3;
}

static inline void copy_quad(char *to, const char *text, size_t length) {
    if (length == QUAD_LEAST) {
        memcpy(to, text, 4);
        memcpy(to + 3, text + 3, 4);
    } else {
        memcpy(to, text, 8);
        memcpy(to + length - 8, text + length - 8, 8);
    }
}

/* Digit by digit, without a loop over them: it is read for every request. What
 * it is read from is a copy with a zero behind it, so that nothing has to ask
 * where the end is: a zero is neither a digit nor a dot, and neither is a fourth
 * digit. */
static bool read_quad(const char *text, const char *end, uint32_t *out) {
    size_t length = (size_t)(end - text);
    char copy[QUAD_MOST + 1] = {0};
    if (length - QUAD_LEAST > QUAD_MOST - QUAD_LEAST) return false;
    copy_quad(copy, text, length);
    uint32_t value = 0;
    const char *at = read_octet(copy, &value);
    for (int octet = 1; octet < 4; octet++) {
        if (at == NULL || *at != '.') return false;
        at = read_octet(at + 1, &value);
    }
    *out = value;
    return at == copy + length;
}

/* Up to four hexadecimal digits; returns where they end. */
static const char *read_group(const char *at, const char *end, uint16_t *out) {
    unsigned value = 0;
    for (int digits = 0; digits < 4 && at < end; digits++, at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';
        if (digit > 9) {
            digit = ((unsigned)(unsigned char)*at | 0x20) - 'a';
            if (digit > 5) break;
            digit += 10;
        }
        value = value << 4 | digit;
    }
    *out = (uint16_t)value;
    return at;
}

/* The groups of an IPv6 address as they are written, a dotted quad as two of
 * them. `gap` is how many stand before the `::`, or NO_GAP. Returns how many there
 * are, or -1. */
static int read_groups(const char *at, const char *end, uint16_t groups[GROUPS], int *gap) {
    int count = 0;
    *gap = NO_GAP;
    if (end - at >= 2 && at[0] == ':' && at[1] == ':') {
        *gap = 0;
        at += 2;
    }
    while (at < end) {
        const char *start = at;
        if (count == GROUPS) return -1;
        at = read_group(at, end, &groups[count]);
        if (at < end && *at == '.') {
            uint32_t quad;
            if (count > GROUPS - QUAD_GROUPS || !read_quad(start, end, &quad)) return -1;
            groups[count++] = (uint16_t)(quad >> 16);
            groups[count++] = (uint16_t)quad;
            return count;
        }
        if (at == start) return -1;
        count++;
        if (at == end) break;
        if (*at++ != ':' || at == end) return -1;
        if (*at == ':') {
            if (*gap != NO_GAP) return -1;
            *gap = count;
            at++;
        }
    }
    return count;
}

static bool read_ipv6(const char *at, const char *end, postern__address *out) {
    uint16_t groups[GROUPS];
    int gap;
    int count = read_groups(at, end, groups, &gap);
    /* A `::` stands for one group of zeros at least. */
    if (count < 0 || (count == GROUPS) != (gap == NO_GAP)) return false;
    uint64_t halves[2] = {0, 0};
    for (int i = 0; i < count; i++) {
        int place = i < gap ? i : i + GROUPS - count;
        halves[place / 4] |= (uint64_t)groups[i] << (48 - 16 * (place % 4));
    }
    *out = (postern__address){.high = halves[0], .low = halves[1], .family = 6};
    return true;
}

/* The address in the family it is written in. */
static bool read_address(postern_span text, postern__address *out) {
    if (text.length == 0) return false;
    const char *end = text.text + text.length;
    uint32_t quad;
    if (read_quad(text.text, end, &quad)) {
        *out = (postern__address){.high = (uint64_t)quad << 32, .low = 0, .family = 4};
        return true;
    }
    return read_ipv6(text.text, end, out);
}

static bool is_mapped(const postern__address *address) {
    return address->family == 6 && address->high == 0 && address->low >> 32 == 0xFFFF;
}

static void unmap(postern__address *address) {
    *address = (postern__address){.high = address->low << 32, .low = 0, .family = 4};
}

bool postern__address_parse(postern_span text, postern__address *out) {
    if (!read_address(text, out)) return false;
    if (is_mapped(out)) unmap(out);
    return true;
}

static unsigned bits_of(const postern__address *address) {
    return address->family == 4 ? IPV4_BITS : IPV6_BITS;
}

bool postern__prefix_parse(postern_span text, postern__prefix *out) {
    size_t slash = postern__span_find(text, 0, '/');
    postern__address address;
    if (!read_address((postern_span){text.text, slash}, &address)) return false;
    unsigned bits = bits_of(&address);
    unsigned length = bits;
    if (slash < text.length) {
        const char *end = text.text + text.length;
        if (read_decimal(text.text + slash + 1, end, bits, &length) != end) return false;
    }
    if (is_mapped(&address) && length >= MAPPED_BITS) {
        unmap(&address);
        length -= MAPPED_BITS;
    }
    address.high &= postern__high_mask(length);
    address.low &= postern__low_mask(length);
    *out = (postern__prefix){.address = address, .length = (uint8_t)length};
    return true;
}

unsigned postern__prefix_limit(postern_span text) {
    postern__address address;
    postern_span before_slash = {text.text, postern__span_find(text, 0, '/')};
    return read_address(before_slash, &address) ? bits_of(&address) : 0;
}

/* ---- The one spelling ----------------------------------------------------*/

enum { SPELLED = 40 }; /* eight groups, the colons between them, and one byte more */

/* The first of the longest runs of two or more zero groups, or none: from 8. */
static int longest_zeros(const uint16_t groups[GROUPS], int *count) {
    int from = GROUPS;
    *count = 1; /* a single zero group is written */
    for (int i = 0; i < GROUPS;) {
        int end = i;
        while (end < GROUPS && groups[end] == 0) end++;
        if (end - i > *count) {
            from = i;
            *count = end - i;
        }
        i = end + 1;
    }
    return from;
}

static char *write_group(char *to, unsigned group) {
    static const char digits[] = "0123456789abcdef";
    for (int shift = 12; shift > 0; shift -= 4) {
        if (group >> shift != 0) *to++ = digits[group >> shift & 0xF];
    }
    *to++ = digits[group & 0xF];
    return to;
}

/* IPv6 as RFC 5952, section 4, writes it; returns the length. */
static size_t write_ipv6(char out[SPELLED], const postern__address *address) {
    uint16_t groups[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        uint64_t half = i < 4 ? address->high : address->low;
        groups[i] = (uint16_t)(half >> (48 - 16 * (i % 4)));
    }
    int count, from = longest_zeros(groups, &count);
    char *to = out;
    for (int i = 0; i < GROUPS; i++) {
        if (i == from) {
            *to++ = ':';
            i += count - 1;
            if (i == GROUPS - 1) *to++ = ':';
            continue;
        }
        if (i > 0) *to++ = ':';
        to = write_group(to, groups[i]);
    }
    return (size_t)(to - out);
}

int32_t postern_address_plain(const char *text, size_t length) {
    postern__address address;
    postern_span given = {text, length};
    /* What is read as a dotted quad has no leading zeros: it has one spelling. */
    if (!read_address(given, &address)) return 0;
    if (address.family == 4) return 1;
    char out[SPELLED];
    return !is_mapped(&address) &&
           postern__span_equal(given, (postern_span){out, write_ipv6(out, &address)});
}
