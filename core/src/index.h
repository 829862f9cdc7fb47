/* Many patterns at once: all of them that match a text, without trying each.
 *
 * A pattern is filed under one gram: eight bytes of its literal text (four
 * where it has no eight), those that the fewest other patterns have. Most grams
 * have a fixed place from the start or the end of a text; those between two
 * wildcards float, and are looked for everywhere. What is found is a candidate,
 * and is then matched as it always is, so nothing here assumes what an ARN
 * looks like.
 *
 *    arn:aws:execute-api:*:*:a1b2c3d4e5-*           floats:  a1b2c3d4
 *    arn:aws:s3:::photos-eu*                        at 13:   photos-e
 *    *:user/robots/billing                          at -11:  /billing
 *    *                                              none: the rest, tried always
 *
 *    text --gram--> bloom --maybe--> slots ---> entries ---> match ---> ids
 *                                               [ e | e | E ][ E ]
 *                                                 one gram     E: its last
 *
 *    +------+-------+-------+-------------+-------+-----+
 *    | head | bloom | bloom of floating   | slots | entries, the rest first | ids |
 *    +------+-------+-------+-------------+-------+-----+
 *
 * All of it is one run of bytes, offsets within. The same pattern filed twice
 * is one entry with two ids.
 *
 * Time of a search: a probe for each place in use and, where grams float, for
 * each byte of the text; then the candidates. Whatever the patterns are, no
 * more than trying each of them once, and a look at each byte for each gram. */
#ifndef POSTERN_INDEX_H
#define POSTERN_INDEX_H

#include "glob.h"

/* A pattern to file, and the number it is found by. A code with variables (see
 * template.h) is found whenever it may match. */
typedef struct postern__filing {
    postern__glob glob;
    uint32_t id;
    uint32_t variables;
} postern__filing;

/* What the patterns came to. `rest` and `floating` are what a search pays for
 * whatever the text is. */
typedef struct postern__index_figures {
    uint32_t patterns; /* different ones */
    uint32_t places;   /* fixed ones, each probed once */
    uint32_t floating; /* patterns whose gram floats, */
    uint32_t everywhere; /* of those, the ones with one that begins with no `:` or `/` */
    uint32_t rest;     /* patterns without a gram: tried always */
} postern__index_figures;

/* Whether a code has a gram to be filed under. */
bool postern__index_has_gram(const char *block, const postern__glob *glob);

/* Appends an index of `count` patterns, whose codes are in `block`, to a vector
 * of bytes, at an `offset` divisible by eight. The codes have to stay where they
 * are within the block. False: out of memory. */
bool postern__index_build(const char *block, const postern__filing *filings, size_t count,
                          postern__vector *out, size_t *offset);

/* Gets the ids of one pattern. `sure`: it matches; else it may, and only its
 * variables will tell. */
typedef void postern__index_visit(void *context, const uint32_t *ids, uint32_t count, bool sure);

/* Visits every pattern that matches `text`, in no order; one that two grams of
 * the same hash lead to, which is possible and no more, twice. `index` is where
 * the build put it, moved or not, and `block` has the codes. */
void postern__index_find(const char *index, const char *block, postern_span text,
                         postern__index_visit *visit, void *context);

postern__index_figures postern__index_figures_of(const char *index);

#endif
