/* A JSON document as a flat array of nodes. The public half is in postern.h. */
#ifndef POSTERN_DOCUMENT_H
#define POSTERN_DOCUMENT_H

#include "alloc.h"
#include "word.h"

enum {
    /* The largest document AWS takes is 20,480 characters; block lists and
     * generated policies are larger. Offsets of 32 bits hold well beyond. */
    POSTERN__DOCUMENT_BYTES = 16 * 1024 * 1024,
    /* A policy is 7 deep. */
    POSTERN__DOCUMENT_DEPTH = 64,
    /* The shortest address in a block list takes 10 bytes, so no honest
     * document has more nodes; 16 MiB of `[0,0,...` would have four times as
     * many, each twelve times the size of its text. */
    POSTERN__DOCUMENT_NODES = 2 * 1024 * 1024
};

/* Both count from 1, columns in code points. */
typedef struct postern__place {
    uint32_t line, column;
} postern__place;

/* The texts begin with a copy of the source, so that a string without escapes
 * needs no copy of its own:
 *
 *    texts  [ {"Sid":"plain","Id":"a\tb"} | a<tab>b | ... ]
 *                     ^ text of "plain"      ^ text of "a\tb", at `length`
 *
 * Open to the reader alone, which fills nodes and texts. */
struct postern_document {
    postern_allocator allocator;
    postern__vector nodes;
    postern__vector texts;
    uint32_t length;        /* of the source */
    uint32_t plain;         /* so many bytes of it are ASCII and one line */
    postern__place *places; /* see document.c */
    size_t places_size;
};

/* A document with a source, at most POSTERN__DOCUMENT_BYTES of it, and no nodes
 * yet. NULL: out of memory. */
postern_document *postern__document_begin(postern_span source, const postern_allocator *allocator);

/* To be called when the last node is in; before that the document has no
 * places to give. False: out of memory. */
bool postern__document_end(postern_document *document);

/* Finds the first member of `object`, in document order, whose name stood in it
 * before; 0, the root, when there is none. `scratch` is a vector of uint32_t.
 * False: out of memory. */
bool postern__document_repeated(const postern_document *document, uint32_t object,
                                postern__vector *scratch, uint32_t *repeated);

/* The place `length` bytes after `from`, which is the place of `text`. */
postern__place postern__place_after(postern__place from, const char *text, size_t length);

static inline const postern_node *postern__document_node(const postern_document *document,
                                                         uint32_t node) {
    return POSTERN__AT(&document->nodes, postern_node, node);
}

/* A string node's unescaped text. */
static inline postern_span postern__document_text(const postern_document *document,
                                                  const postern_node *node) {
    return (postern_span){document->texts.items + node->text, node->length};
}

/* The node's text in the source, as written. */
postern_span postern__document_raw(const postern_document *document, const postern_node *node);

#endif
