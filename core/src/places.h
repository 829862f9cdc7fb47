/* Where many patterns differ: each is given the gram it is filed under.
 *
 *    patterns -> how often each gram occurs -> the few places that tell most
 *    apart -> a hash for each pattern; the others float, or are tried always
 *
 * Of many patterns a sample says which place may do; whether it does is then
 * counted, there and nowhere else. What is left is weighed gram by gram. */
#ifndef POSTERN_PLACES_H
#define POSTERN_PLACES_H

#include "gram.h"

#define POSTERN__NO_PLACE UINT16_MAX

/* A pattern, different from all others of its index. */
typedef struct postern__pattern {
    postern__glob glob;
    uint32_t variables;
    uint32_t id;         /* the first */
    uint32_t more, last; /* links of the others, see filing.c */
    uint32_t count;      /* of ids */
    uint16_t width;      /* of its grams; 0: it has none */
    uint16_t place;      /* POSTERN__FLOATING; POSTERN__NO_PLACE: tried always */
    uint64_t hash;       /* of the gram it is filed under, if it has a place */
} postern__pattern;

/* The width of the grams a code has, 0 for none: the longest run decides. */
uint32_t postern__places_width(const char *block, const postern__glob *glob);

/* Fills in `place` and `hash` of all patterns, a vector of them, whose width is
 * known; of the head its places, the figures of what floats and what is tried
 * always, and the widths that are looked for. False: out of memory. */
bool postern__places_choose(const char *block, postern__vector *patterns,
                            postern__gram_head *head);

#endif
