/* Patterns on a shelf, for tests: they are filed, their index is built, and what
 * a text finds is counted. */
#ifndef POSTERN_SHELF_H
#define POSTERN_SHELF_H

#include <stdlib.h>

#include "filing.h"
#include "inputs.h"
#include "test.h"

struct shelf {
    postern__vector codes, filings, index;
    size_t offset;
};

static inline void shelf_init(struct shelf *shelf, const postern_allocator *allocator) {
    postern_allocator own = postern__allocator(allocator);
    postern__vector_init(&shelf->codes, 1, &own);
    postern__vector_init(&shelf->filings, sizeof(postern__filing), &own);
    postern__vector_init(&shelf->index, 1, &own);
    /* Codes are offsets in a block, and an index is not its first bytes. */
    if (postern__vector_push(&shelf->codes, "*zz", 3) == NULL ||
        postern__vector_push(&shelf->index, "abc", 3) == NULL) {
        abort();
    }
}

static inline void shelf_free(struct shelf *shelf) {
    postern__vector_free(&shelf->codes);
    postern__vector_free(&shelf->filings);
    postern__vector_free(&shelf->index);
}

static inline void file_code(struct shelf *shelf, size_t start, uint32_t id, uint32_t variables) {
    postern__filing filing = {.id = id, .variables = variables};
    filing.glob = postern__glob_measure(shelf->codes.items, start, shelf->codes.count - start);
    filing.note = postern__code_note_of(shelf->codes.items, &filing.glob);
    if (postern__vector_push(&shelf->filings, &filing, 1) == NULL) abort();
}

static inline void file(struct shelf *shelf, postern_span pattern, uint32_t id) {
    size_t start = shelf->codes.count;
    if (!postern__glob_encode(pattern, &shelf->codes)) abort();
    file_code(shelf, start, id, 0);
}

static inline bool build(struct shelf *shelf) {
    return postern__index_build(shelf->codes.items,
                                POSTERN__AT(&shelf->filings, postern__filing, 0),
                                shelf->filings.count, &shelf->index, &shelf->offset);
}

static inline const char *index_of(const struct shelf *shelf) {
    return shelf->index.items + shelf->offset;
}

/* How often each id was found; those that are only possible count 100. */
enum { MOST_IDS = 24000 };

static inline void note(void *context, const uint32_t *ids, uint32_t count, bool sure) {
    uint32_t *found = context;
    for (uint32_t i = 0; i < count; i++) found[ids[i]] += sure ? 1 : 100;
}

static inline const uint32_t *find(const struct shelf *shelf, postern_span text) {
    static uint32_t found[MOST_IDS];
    memset(found, 0, sizeof found);
    /* Nothing behind the text, so that a byte read too far is noticed. */
    char *copy = malloc(text.length > 0 ? text.length : 1);
    if (copy == NULL) abort();
    if (text.length > 0) memcpy(copy, text.text, text.length);
    postern__index_find(index_of(shelf), shelf->codes.items, (postern_span){copy, text.length},
                        note, found);
    free(copy);
    return found;
}

/* ---- Against trying each ------------------------------------------------- */

struct text_buffer {
    char text[256];
    size_t length;
};

static inline void append(struct text_buffer *out, const char *piece) {
    size_t length = strlen(piece);
    if (out->length + length > sizeof out->text) return;
    memcpy(out->text + out->length, piece, length);
    out->length += length;
}

/* Every pattern is found exactly as often as it is there, and no other. */
static inline size_t compare(const struct shelf *shelf, postern_span text) {
    const uint32_t *found = find(shelf, text);
    static uint32_t expected[MOST_IDS];
    size_t matched = 0;
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < shelf->filings.count; i++) {
        const postern__filing *filing = POSTERN__AT(&shelf->filings, postern__filing, i);
        bool matches = postern__glob_match(&filing->glob, shelf->codes.items, text);
        expected[filing->id] += matches;
        matched += matches;
    }
    bool same = memcmp(found, expected, sizeof expected) == 0;
    CHECK(same);
    for (uint32_t i = 0; i < MOST_IDS && !same; i++) {
        if (found[i] == expected[i]) continue;
        fprintf(stderr, "    %u: %u, not %u, in `%.*s`\n", i, found[i], expected[i],
                (int)text.length, text.text);
        break;
    }
    return matched;
}

#endif
