/* Documents: what can be asked of one that was read, against plain twins, and
 * what the reader asks while it makes one, on nodes made by hand. */
#include "document.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "test.h"

static postern_span text_of(const char *text) {
    return (postern_span){text, strlen(text)};
}

static uint32_t random_state;

static uint32_t random_below(uint32_t bound) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % bound;
}

/* ---- Nodes and texts ---------------------------------------------------- */

static void shape(void) {
    static const char json[] = "{\"a\": [1, {\"b\\n\": null}, []],\n\"c\": \"d\\u00e9\"}";
    static const postern_node expected[] = {
        {POSTERN_OBJECT, 10, 0, 45, 0, 2},
        {POSTERN_STRING, 2, 1, 4, 2, 1},
        {POSTERN_ARRAY, 8, 6, 28, 0, 3},
        {POSTERN_NUMBER, 4, 7, 8, 0, 0},
        {POSTERN_OBJECT, 7, 10, 23, 0, 1},
        {POSTERN_STRING, 6, 11, 16, 45, 2}, /* the first text behind the source */
        {POSTERN_NULL, 7, 18, 22, 0, 0},
        {POSTERN_ARRAY, 8, 25, 27, 0, 0},
        {POSTERN_STRING, 9, 30, 33, 31, 1},
        {POSTERN_STRING, 10, 35, 44, 47, 3},
    };
    postern_document *document = postern_document_new(json, strlen(json), NULL, NULL);
    CHECK(document != NULL);
    if (document == NULL) return;
    uint32_t count, line, column;
    const postern_node *nodes = postern_document_nodes(document, &count);
    CHECK(count == sizeof expected / sizeof expected[0]);
    CHECK(postern_document_nodes(document, NULL) == nodes); /* nobody has to count */
    CHECK(postern_document_source(document, NULL) == postern_document_texts(document));
    for (uint32_t i = 0; i < count; i++) {
        char row[16];
        snprintf(row, sizeof row, "node %u", (unsigned)i);
        CHECK_ROW(memcmp(&nodes[i], &expected[i], sizeof nodes[i]) == 0, row);
    }
    const char *texts = postern_document_texts(document);
    CHECK(memcmp(texts + nodes[1].text, "a", 1) == 0);
    CHECK(memcmp(texts + nodes[5].text, "b\n", 2) == 0);
    CHECK(memcmp(texts + nodes[9].text, "d\xC3\xA9", 3) == 0);
    CHECK(postern__span_equal(postern__document_raw(document, &nodes[9]), text_of("\"d\\u00e9\"")));
    postern_document_place(document, nodes[8].start, &line, &column);
    CHECK(line == 2 && column == 1);
    postern_document_free(document);
    postern_document_free(NULL);
}

/* ---- Places ------------------------------------------------------------- */

static void plain_place(postern_span text, size_t offset, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text.text[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if (i + 1 >= text.length || ((unsigned char)text.text[i + 1] & 0xC0) != 0x80) {
            (*column)++; /* at the last byte of each code point */
        }
    }
}

/* A long string of all widths, and line ends between values, so that kept
 * places fall on every kind of byte. */
static void places(void) {
    static const char *const parts[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                                        "\",\n\"", "\",\r\n\"", "\",\r\"", "some more text"};
    enum { SIZE = 9000 };
    char *json = malloc(SIZE + 64);
    random_state = 20;
    for (int round = 0; round < 8; round++) { /* in the last nothing else comes */
        size_t length = 2;
        memcpy(json, "[\"", 2);
        for (size_t plain = 97 * (size_t)round; plain > 0; plain--) json[length++] = 'a';
        while (length < SIZE && round < 7) { /* the last rounds are one line */
            const char *part = parts[random_below(round < 4 ? 8 : 4)];
            memcpy(json + length, part, strlen(part));
            length += strlen(part);
        }
        memcpy(json + length, "\"]", 2);
        postern_document *document = postern_document_new(json, length + 2, NULL, NULL);
        CHECK(document != NULL);
        if (document == NULL) break;
        bool same = true;
        for (uint32_t offset = 0; offset <= length + 2; offset++) {
            uint32_t line, column, plain_line, plain_column;
            postern_document_place(document, offset, &line, &column);
            plain_place((postern_span){json, length + 2}, offset, &plain_line, &plain_column);
            if (line != plain_line || column != plain_column) same = false;
        }
        CHECK(same);
        uint32_t line, column, end_line, end_column;
        postern_document_place(document, (uint32_t)length + 2, &end_line, &end_column);
        postern_document_place(document, UINT32_MAX, &line, &column);
        CHECK(line == end_line && column == end_column);
        postern_document_free(document);
    }
    free(json);
}

/* ---- Repeated names ----------------------------------------------------- */

/* Appends a string node whose text is `length` bytes of the source from `at`. */
static void push_name(postern_document *document, uint32_t at, uint32_t length) {
    uint32_t index = (uint32_t)document->nodes.count;
    postern_node node = {.kind = POSTERN_STRING, .next = index + 1, .text = at, .length = length};
    CHECK(postern__vector_push(&document->nodes, &node, 1) != NULL);
}

/* Appends an array with so many numbers in it. */
static void push_value(postern_document *document, uint32_t count) {
    uint32_t index = (uint32_t)document->nodes.count;
    postern_node array = {.kind = POSTERN_ARRAY, .next = index + 1 + count, .length = count};
    CHECK(postern__vector_push(&document->nodes, &array, 1) != NULL);
    for (uint32_t i = 1; i <= count; i++) {
        postern_node number = {.kind = POSTERN_NUMBER, .next = index + i + 1};
        CHECK(postern__vector_push(&document->nodes, &number, 1) != NULL);
    }
}

/* An object of `count` members, each named by one to three bytes of a source of
 * `spread` letters: few letters repeat early, many rarely. */
static postern_document *random_object(uint32_t count, uint32_t spread,
                                       const postern_allocator *allocator) {
    char source[128];
    for (size_t i = 0; i < sizeof source; i++) source[i] = (char)('A' + random_below(spread));
    postern_document *document =
        postern__document_begin((postern_span){source, sizeof source}, allocator);
    if (document == NULL) return NULL;
    postern_node object = {.kind = POSTERN_OBJECT, .length = count};
    CHECK(postern__vector_push(&document->nodes, &object, 1) != NULL);
    for (uint32_t i = 0; i < count; i++) {
        push_name(document, random_below(sizeof source - 3), random_below(4));
        push_value(document, random_below(3));
    }
    POSTERN__AT(&document->nodes, postern_node, 0)->next = (uint32_t)document->nodes.count;
    return document;
}

/* Asks of each member, in order, whether one before it has its name. */
static uint32_t plain_repeated(const postern_document *document) {
    const postern_node *nodes = postern_document_nodes(document, NULL);
    for (uint32_t i = 1; i < nodes[0].next; i = nodes[i + 1].next) {
        for (uint32_t k = 1; k < i; k = nodes[k + 1].next) {
            if (postern__span_equal(postern__document_text(document, &nodes[i]),
                                    postern__document_text(document, &nodes[k])))
                return i;
        }
    }
    return 0;
}

static void repeated_names_are_found(void) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector scratch;
    postern__vector_init(&scratch, sizeof(uint32_t), &allocator);
    uint32_t alike = 0, found = 0, rounds = 0;
    random_state = 16;
    for (uint32_t count = 0; count <= 40; count++) {
        for (uint32_t spread = 1; spread <= 50; spread += 7) {
            postern_document *document = random_object(count, spread, &allocator);
            CHECK(document != NULL);
            if (document == NULL) continue;
            uint32_t repeated = UINT32_MAX;
            CHECK(postern__document_repeated(document, 0, &scratch, &repeated));
            alike += repeated == plain_repeated(document);
            found += repeated != 0;
            rounds++;
            postern_document_free(document);
        }
    }
    postern__vector_free(&scratch);
    CHECK(alike == rounds);
    CHECK(found > rounds / 4 && found < rounds); /* both answers were tried */
}

/* ---- Memory ------------------------------------------------------------- */

/* Every allocation fails once: the struct, the source, the names to sort, the
 * places. Nodes are left to the reader and its test. */
static void no_memory(void) {
    char source[2048];
    memset(source, ' ', sizeof source);
    source[500] = '\n'; /* of one line there are no places to keep */
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_document *document =
            postern__document_begin((postern_span){source, sizeof source}, &failing.allocator);
        bool done = document != NULL && postern__document_end(document);
        failed = failing.allocations >= n;
        CHECK(done == !failed);
        if (done) {
            uint32_t line, column;
            postern_document_place(document, sizeof source, &line, &column);
            CHECK(line == 2 && column == sizeof source - 500);
        }
        postern_document_free(document);
        CHECK(failing.live == 0);
    }
    CHECK(n > 4);

    postern_allocator allocator = postern__allocator(NULL);
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 1);
    postern__vector scratch;
    postern__vector_init(&scratch, sizeof(uint32_t), &failing.allocator);
    postern_document *document = random_object(17, 26, &allocator);
    uint32_t repeated;
    CHECK(document != NULL && !postern__document_repeated(document, 0, &scratch, &repeated));
    postern_document_free(document);
    postern__vector_free(&scratch);
}

TEST_MAIN(
    RUN(shape);
    RUN(places);
    RUN(repeated_names_are_found);
    RUN(no_memory)
)
