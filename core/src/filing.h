/* Filing patterns: their index is built.
 *
 *    filings -> different patterns -> how often each gram occurs -> the few
 *    places that tell most apart -> a hash for each pattern -> tables */
#ifndef POSTERN_FILING_H
#define POSTERN_FILING_H

#include "index.h"

/* A pattern to file, and the number it is found by. A code with variables (see
 * template.h) is found whenever it may match. */
typedef struct postern__filing {
    postern__glob glob;
    uint32_t id;
    uint32_t variables;
} postern__filing;

/* Whether a code has a gram to be filed under. */
bool postern__index_has_gram(const char *block, const postern__glob *glob);

/* Appends an index of `count` patterns, whose codes are in `block`, to a vector
 * of bytes, at an `offset` divisible by eight. The codes have to stay where they
 * are within the block. False: out of memory. */
bool postern__index_build(const char *block, const postern__filing *filings, size_t count,
                          postern__vector *out, size_t *offset);

#endif
