/* One value of a condition key, and the row of cells that a request is.
 *
 *    cells:   [ absent | one: 0 | list: 1..3 | unresolved | ... ]   one per key
 *    values:  [ v0 | v1 | v2 | v3 | ... ]
 *    texts:   "203.0.113.9admindev..."
 *
 * Everything is an offset, so that the row may grow while it is filled. */
#ifndef POSTERN_VALUE_H
#define POSTERN_VALUE_H

#include "address.h"
#include "scalar.h"

typedef struct postern__value {
    postern__address address; /* each form holds only if its use bit is set */
    postern__instant instant; /* in `parsed`: the text may be no address */
    uint32_t text;            /* offset in the texts */
    uint32_t length;
    uint16_t parsed;
    uint16_t asked; /* the uses it was parsed for, whatever came of it */
    bool boolean;
} postern__value;

typedef enum postern__cell_state {
    POSTERN__ABSENT = 0,
    POSTERN__SINGLE,
    POSTERN__LIST,
    POSTERN__UNRESOLVED
} postern__cell_state;

typedef struct postern__cell {
    uint32_t state;
    uint32_t first; /* index of the first value */
    uint32_t count; /* SINGLE: 1; LIST: perhaps 0, and then as good as absent */
} postern__cell;

typedef struct postern__row {
    const postern__cell *cells;
    const postern__value *values;
    const char *texts;
    char *scratch; /* room for the longest expansion of the set's templates */
} postern__row;


/* Parses `text` into the forms named by `uses` (POSTERN__USE_*). */
void postern__value_read(postern__value *value, postern_span text, uint32_t uses);

/* The same, but not again into those that it was parsed for before. */
static inline void postern__value_parse_more(postern__value *value, postern_span text,
                                             uint32_t uses) {
    uses &= ~(uint32_t)value->asked;
    if (uses != 0) postern__value_read(value, text, uses);
}

static inline void postern__value_parse(postern__value *value, postern_span text, uint32_t uses) {
    value->parsed = value->asked = 0;
    postern__value_parse_more(value, text, uses);
}

static inline postern_span postern__value_text(const postern__row *row,
                                               const postern__value *value) {
    return (postern_span){row->texts + value->text, value->length};
}

/* Present without a value counts as absent everywhere but in lists of empty
 * text, which the set operators judge themselves. */
static inline bool postern__cell_absent(const postern__cell *cell) {
    return cell->state == POSTERN__ABSENT || (cell->state == POSTERN__LIST && cell->count == 0);
}

#endif
