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

#include "gram.h"

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
