/* Numbers, booleans, instants and base64 as policies write them. */
#ifndef POSTERN_SCALAR_H
#define POSTERN_SCALAR_H

#include "span.h"

/* [+-]?digits[.digits][e[+-]digits], nothing else. Compared as exact decimals:
 * no width is lost, so 9007199254740993 and 9007199254740992 differ. Only an
 * exponent beyond 64 bits is taken as the largest or smallest that fits. */
typedef struct postern__number {
    int32_t sign;        /* -1, 0 or 1 */
    int64_t exponent;    /* power of ten of the first significant digit; of zero 0 */
    postern_span digits; /* first to last significant one, perhaps with `.`; of zero none */
} postern__number;

/* `out` points into `text`. False when it is not a number. */
bool postern__number_parse(postern_span text, postern__number *out);

/* Less than, equal to or greater than zero as a is to b. */
int postern__number_compare(const postern__number *a, const postern__number *b);

/* The canonical text of a JSON number, as it is compared with strings. Zero,
 * signed or not, is 0. An integer written without point and exponent keeps its
 * digits. Anything else becomes the decimal of 15, 16 or 17 digits, the first
 * that reads back as the same double, as printf's %g lays it out (1e2 is 100,
 * 1e21 is 1e+21), whatever the locale. What no double holds (1e400, 1e-400),
 * more than about a hundred digits, and what is not a number stay as they are.
 * The answer stands in `buffer`, in `text` or in static memory. */
enum { POSTERN__NUMBER_SIZE = 32 };
postern_span postern__number_text(postern_span text, char buffer[POSTERN__NUMBER_SIZE]);

/* true and false in any letter case; `out` is false when it is neither. */
bool postern__bool_parse(postern_span text, bool *out);

typedef struct postern__instant {
    int64_t seconds; /* since 1970-01-01T00:00:00Z */
    int32_t nanoseconds;
} postern__instant;

/* YYYY, YYYY-MM or YYYY-MM-DD; the last also with Thh:mm, Thh:mm:ss or
 * Thh:mm:ss.f+ behind it, and Z, +hh:mm or -hh:mm behind that. What is left out
 * is the first month or day, midnight, UTC. Or epoch seconds, all digits, where
 * exactly four are a year. IAM User Guide, "IAM JSON policy elements: Condition
 * operators", Date.
 *
 * T and Z are capitals, a zone is at most 23:59, a minute has 60 seconds, digits
 * past nanoseconds are dropped, years are 0000 to 9999 of the Gregorian calendar
 * carried backwards. A date that is not in it, and epoch seconds beyond 63 bits,
 * do not parse. */
bool postern__instant_parse(postern_span text, postern__instant *out);
int postern__instant_compare(const postern__instant *a, const postern__instant *b);

/* Padded, standard alphabet, no line breaks. Equal means both are valid and
 * the same bytes after decoding: the bits that a padded end leaves over do not
 * count. */
bool postern__base64_valid(postern_span text);
bool postern__base64_equal(postern_span a, postern_span b);

#endif
