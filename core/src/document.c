#include "document.h"

#include "utf8.h"

/* The place of every byte at a multiple of this is kept, so that asking for a
 * place walks no further, even in a file of one line:
 *
 *    places  [ of PLACE_STEP | of 2 * PLACE_STEP | ... ]  */
enum { PLACE_STEP = 128 };

/* Names are compared each with each up to here, and sorted beyond. */
enum { FEW_NAMES = 16 };

/* ---- The object --------------------------------------------------------- */

postern_document *postern__document_begin(postern_span source, const postern_allocator *allocator) {
    postern_document *document = postern__alloc(allocator, sizeof *document);
    if (document == NULL) return NULL;
    *document = (postern_document){.allocator = *allocator, .length = (uint32_t)source.length};
    postern__vector_init(&document->nodes, sizeof(postern_node), allocator);
    postern__vector_init(&document->texts, 1, allocator);
    if (postern__vector_push(&document->texts, source.text, source.length) != NULL) return document;
    postern_document_free(document);
    return NULL;
}

void postern_document_free(postern_document *document) {
    if (document == NULL) return;
    postern_allocator memory = document->allocator;
    postern__vector_free(&document->nodes);
    postern__vector_free(&document->texts);
    postern__free(&memory, document->places, document->places_size);
    postern__free(&memory, document, sizeof *document);
}

const postern_node *postern_document_nodes(const postern_document *document, uint32_t *count) {
    if (count != NULL) *count = (uint32_t)document->nodes.count;
    return POSTERN__AT(&document->nodes, postern_node, 0);
}

const char *postern_document_texts(const postern_document *document) {
    return document->texts.items;
}

const char *postern_document_source(const postern_document *document, size_t *length) {
    if (length != NULL) *length = document->length;
    return document->texts.items;
}

postern_span postern__document_raw(const postern_document *document, const postern_node *node) {
    return (postern_span){document->texts.items + node->start, node->end - node->start};
}

/* ---- Places ------------------------------------------------------------- */

/* Only `\n` ends a line: the `\r` of `\r\n` is the last column of its line. */
postern__place postern__place_after(postern__place from, const char *text, size_t length) {
    const char *end = text + length;
    const char *newline;
    while ((newline = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        from = (postern__place){from.line + 1, 1};
        text = newline + 1;
    }
    for (; end - text >= POSTERN__WORD; text += POSTERN__WORD) {
        uint64_t word = postern__word_at(text);
        from.column += POSTERN__WORD - postern__tops_count(word & ~(word << 1));
    }
    for (; text < end; text++) from.column += !postern__point_continues(*text);
    return from;
}

/* How many bytes from the start are ASCII and no newline. */
static uint32_t count_plain(const char *source, uint32_t length) {
    const uint64_t tops = POSTERN__EACH_BYTE(0x80);
    uint32_t at = 0;
    for (; length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        uint64_t word = postern__word_at(source + at);
        /* Of ASCII only one below what is taken from it gets a top bit here. */
        uint64_t other = (word ^ POSTERN__EACH_BYTE('\n')) - POSTERN__EACH_BYTE(1);
        if (((word | other) & tops) != 0) break;
    }
    while (at < length && source[at] != '\n' && ((unsigned char)source[at] & 0x80) == 0) at++;
    return at;
}

bool postern__document_end(postern_document *document) {
    size_t count = document->length / PLACE_STEP;
    document->plain = count_plain(document->texts.items, document->length);
    if (count == 0 || document->plain == document->length) return true;
    document->places_size = count * sizeof *document->places;
    document->places = postern__alloc(&document->allocator, document->places_size);
    if (document->places == NULL) return false;
    const char *source = document->texts.items;
    size_t plain = document->plain / PLACE_STEP;
    for (size_t i = 0; i < plain; i++) {
        document->places[i] = (postern__place){1, (uint32_t)(i + 1) * PLACE_STEP + 1};
    }
    postern__place at = {1, (uint32_t)plain * PLACE_STEP + 1};
    for (size_t i = plain; i < count; i++) {
        at = postern__place_after(at, source + i * PLACE_STEP, PLACE_STEP);
        document->places[i] = at;
    }
    return true;
}

void postern_document_place(const postern_document *document, uint32_t offset, uint32_t *line,
                            uint32_t *column) {
    const char *source = document->texts.items;
    if (offset > document->length) offset = document->length;
    if (offset <= document->plain) {
        *line = 1;
        *column = offset + 1;
        return;
    }
    while (offset < document->length && postern__point_continues(source[offset])) offset--;
    uint32_t step = offset / PLACE_STEP;
    postern__place at = step == 0 ? (postern__place){1, 1} : document->places[step - 1];
    at = postern__place_after(at, source + (size_t)step * PLACE_STEP, offset % PLACE_STEP);
    *line = at.line;
    *column = at.column;
}

/* ---- Repeated names ----------------------------------------------------- */

static postern_span name_text(const postern_document *document, uint32_t name) {
    return postern__document_text(document, postern_document_nodes(document, NULL) + name);
}

/* A total order that puts equal names side by side, the earlier one first. */
static bool name_before(const postern_document *document, uint32_t a, uint32_t b) {
    postern_span left = name_text(document, a), right = name_text(document, b);
    if (left.length != right.length) return left.length < right.length;
    int order = memcmp(left.text, right.text, left.length);
    return order != 0 ? order < 0 : a < b;
}

static void sift_name(const postern_document *document, uint32_t *names, uint32_t root,
                      uint32_t count) {
    uint32_t name = names[root], child;
    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && name_before(document, names[child], names[child + 1])) child++;
        if (!name_before(document, name, names[child])) break;
        names[root] = names[child];
        root = child;
    }
    names[root] = name;
}

/* Heapsort: in place, and n log n whatever the names are. The C library's
 * qsort promises neither, and may call malloc. */
static void sort_names(const postern_document *document, uint32_t *names, uint32_t count) {
    for (uint32_t i = count / 2; i-- > 0;) sift_name(document, names, i, count);
    for (uint32_t last = count; last-- > 1;) {
        uint32_t name = names[last];
        names[last] = names[0];
        names[0] = name;
        sift_name(document, names, 0, last);
    }
}

/* Both give the first name, in document order, that stood before; or 0, which
 * is the root and never a name. */
static uint32_t repeated_of_few(const postern_document *document, const uint32_t *names,
                                uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (postern__span_equal(name_text(document, names[i]), name_text(document, names[k])))
                return names[i];
        }
    }
    return 0;
}

static uint32_t repeated_of_many(const postern_document *document, uint32_t *names,
                                 uint32_t count) {
    sort_names(document, names, count);
    uint32_t first = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (first != 0 && names[i] >= first) continue;
        if (postern__span_equal(name_text(document, names[i]), name_text(document, names[i - 1])))
            first = names[i];
    }
    return first;
}

bool postern__document_repeated(const postern_document *document, uint32_t object,
                                postern__vector *scratch, uint32_t *repeated) {
    const postern_node *nodes = postern_document_nodes(document, NULL);
    uint32_t few[FEW_NAMES], *names = few;
    uint32_t count = nodes[object].length;
    if (count > FEW_NAMES) {
        scratch->count = 0;
        names = (uint32_t *)postern__vector_push(scratch, NULL, count);
        if (names == NULL) return false;
    }
    uint32_t name = object + 1;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = name;
        name = nodes[name + 1].next;
    }
    *repeated = count > FEW_NAMES ? repeated_of_many(document, names, count)
                                  : repeated_of_few(document, names, count);
    return true;
}
