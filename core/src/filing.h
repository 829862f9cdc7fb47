/* Filing patterns: their index is built.
 *
 *    filings -> different patterns -> a place for each (see places.h) -> tables */
#ifndef POSTERN_FILING_H
#define POSTERN_FILING_H

#include "index.h"

/* What is asked of a code more than once. */
typedef struct postern__code_note {
    uint32_t hash;  /* of its bytes; no secret, see word.h */
    uint32_t width; /* of the grams it may be filed under; 0: it has none */
} postern__code_note;

postern__code_note postern__code_note_of(const char *block, const postern__glob *glob);

/* A pattern to file, and the number it is found by. A code with variables (see
 * template.h) is found whenever it may match. */
typedef struct postern__filing {
    postern__glob glob;
    postern__code_note note; /* of that code */
    uint32_t id;
    uint32_t variables;
} postern__filing;

/* Appends an index of `count` patterns, whose codes are in `block`, to a vector
 * of bytes, at an `offset` divisible by eight. The codes have to stay where they
 * are within the block. False: out of memory. */
bool postern__index_build(const char *block, const postern__filing *filings, size_t count,
                          postern__vector *out, size_t *offset);

#endif
