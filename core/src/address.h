/* Addresses, prefixes, and the texts of both (RFC 4291, RFC 4632).
 *
 * An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is an IPv4 address, and a
 * mapped prefix of length 96 or more is an IPv4 prefix 96 bits shorter. */
#ifndef POSTERN_ADDRESS_H
#define POSTERN_ADDRESS_H

#include "span.h"

typedef struct postern__address {
    uint64_t high; /* network order read as a number; an IPv4 address stands */
    uint64_t low;  /* in the top 32 bits of high, the rest is 0 */
    uint8_t family; /* 4 or 6 */
} postern__address;

typedef struct postern__prefix {
    postern__address address; /* host bits are zero */
    uint8_t length;           /* bits, 0 to 32 or 128 */
} postern__prefix;

/* One address: dotted quad without leading zeros, or any RFC 4291 text, where
 * the last two groups may be a dotted quad. No spaces, no zone, no length. */
bool postern__address_parse(postern_span text, postern__address *out);

/* `address` or `address/length`, the length in digits without sign or leading
 * zero; host bits are cleared. A mapped address with a length below 96 reaches
 * past the mapped range and stays IPv6, where no IPv4 address matches it. */
bool postern__prefix_parse(postern_span text, postern__prefix *out);

/* The longest length that may follow the slash of `text`, 32 or 128 by the
 * family it is written in; 0 when no address stands before the slash. */
unsigned postern__prefix_limit(postern_span text);

/* The first `length` of 64 bits. Shifting by 64 is undefined, hence the case. */
static inline uint64_t postern__leading_bits(unsigned length) {
    return length == 0 ? 0 : UINT64_MAX << (64 - length);
}

/* The two halves of the mask of a prefix of `length` bits. */
static inline uint64_t postern__high_mask(unsigned length) {
    return postern__leading_bits(length < 64 ? length : 64);
}

static inline uint64_t postern__low_mask(unsigned length) {
    return postern__leading_bits(length < 64 ? 0 : length - 64);
}

#endif
