/* A request: the row of cells for one set, and who, what, on what. */
#ifndef POSTERN_REQUEST_H
#define POSTERN_REQUEST_H

#include "set.h"

enum {
    /* One value, an action, a principal or a resource: HTTP hosts cut requests
     * off below. Together with POSTERN__PATTERN_BYTES it bounds what one hostile
     * pattern can cost: the product, 256 Mi steps, a fraction of a second. */
    POSTERN__VALUE_BYTES = 64 * 1024,
    /* Values of all keys together. */
    POSTERN__VALUE_COUNT = 1024 * 1024
};

/* The answer to a condition that many statements share. */
typedef struct postern__memo {
    uint32_t time; /* of the evaluation that it was found in */
    int32_t key;
    postern_truth truth;
} postern__memo;

/* What one evaluation keeps. Everything in it bears the time it was written at,
 * so that nothing has to be cleared before the next. */
typedef struct postern__notes {
    uint32_t time;        /* which evaluation this is, from 1 */
    postern__vector marks; /* of uint32_t: when a statement was judged */
    postern__vector memos; /* of postern__memo */
} postern__notes;

struct postern_request {
    postern_allocator allocator;
    const postern_set *set;
    postern__vector cells;  /* one per symbol of the set, and those left of sets before it */
    postern__vector values; /* of postern__value */
    postern__vector texts;  /* what the values say */
    postern__vector principal;
    postern__vector action; /* lower case */
    postern__vector resource;
    postern__vector scratch; /* its count is the room there is */
    postern__notes notes;
    postern__caller caller; /* its text is the principal */
    size_t longest; /* bytes of the longest value so far, for this set */
    int32_t status; /* the first failure; a broken request is denied */
    int32_t list;   /* the key whose list may be appended to, or -1 */
};

/* One call asked of several sets, see question.h. Turns to a set: every cell is
 * absent; who, what, on what and the values stay. POSTERN_NO_MEMORY as of bind. */
int postern__request_turn(postern_request *request, const postern_set *set);

/* The values of the sets so far are forgotten. */
void postern__request_forget_values(postern_request *request);

/* Puts a value that other sets may have as well. `index` is where it is kept, -1
 * before the first time; it is parsed for what this set asks and those did not. */
int postern__request_put_shared(postern_request *request, uint32_t key, postern_span text,
                                int32_t *index);

/* The row as it is now; good until the next change of the request. */
static inline postern__row postern__request_row(postern_request *request) {
    return (postern__row){
        .cells = POSTERN__AT(&request->cells, postern__cell, 0),
        .values = POSTERN__AT(&request->values, postern__value, 0),
        .texts = request->texts.items,
        .scratch = request->scratch.items,
    };
}

/* Once in four billion times, when a note of so long ago would look new. */
void postern__notes_restart(postern__notes *notes);

/* A new evaluation begins: what was noted before is forgotten. */
static inline void postern__request_begin(postern_request *request) {
    if (++request->notes.time == 0) postern__notes_restart(&request->notes);
}

/* POSTERN_OK when the request can be evaluated with `set`: made for it, not
 * broken, action and resource there. */
static inline int postern__request_ready(const postern_request *request, const postern_set *set) {
    if (request->status != POSTERN_OK) return request->status;
    if (request->set != set) return POSTERN_MISUSE;
    return request->action.count > 0 && request->resource.count > 0 ? POSTERN_OK : POSTERN_MISUSE;
}

#endif
