/* libFuzzer: reads any bytes as a document and aborts when what was accepted
 * breaks a promise of postern.h, or a refusal has no message or place. */
#include <stdlib.h>

#include "reader.h"
#include "utf8.h"

#define REQUIRE(condition) \
    do {                   \
        if (!(condition)) abort(); \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The children of node `index` fill it exactly, in order, and count right. */
static void check_children(const postern_node *nodes, uint32_t index) {
    const postern_node *node = &nodes[index];
    uint32_t child = index + 1, count = 0, at = node->start + 1;
    while (child < node->next) {
        REQUIRE(nodes[child].start >= at && nodes[child].end < node->end);
        if (node->kind == POSTERN_OBJECT && count % 2 == 0)
            REQUIRE(nodes[child].kind == POSTERN_STRING && nodes[child].next < node->next);
        at = nodes[child].end + 1;
        child = nodes[child].next;
        count++;
    }
    REQUIRE(child == node->next);
    REQUIRE(count == (node->kind == POSTERN_OBJECT ? 2 * node->length : node->length));
}

static void check_node(const postern_document *document, const postern_node *nodes,
                       uint32_t count, uint32_t index) {
    size_t length;
    postern_document_source(document, &length);
    const postern_node *node = &nodes[index];
    REQUIRE(node->start < node->end && node->end <= length);
    REQUIRE(node->next > index && node->next <= count);
    uint32_t line, column;
    postern_document_place(document, node->start, &line, &column);
    REQUIRE(line >= 1 && column >= 1);
    if (node->kind == POSTERN_STRING) {
        REQUIRE(postern__utf8_valid(postern__document_text(document, node)));
        REQUIRE(postern__document_raw(document, node).text[0] == '"');
    }
    if (node->kind == POSTERN_ARRAY || node->kind == POSTERN_OBJECT) check_children(nodes, index);
    else REQUIRE(node->next == index + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    postern_error error = {0};
    postern_document *document = postern_document_new((const char *)data, size, NULL, &error);
    if (document == NULL) {
        postern_span message = {error.message, strlen(error.message)};
        REQUIRE(error.status != POSTERN_OK && message.length > 0);
        REQUIRE(error.status == POSTERN_LIMIT || (error.line >= 1 && error.column >= 1));
        REQUIRE(postern__utf8_valid(message));
        return 0;
    }
    REQUIRE(postern__utf8_valid((postern_span){(const char *)data, size}));
    uint32_t count;
    const postern_node *nodes = postern_document_nodes(document, &count);
    REQUIRE(count >= 1 && nodes[0].next == count);
    for (uint32_t i = 0; i < count; i++) check_node(document, nodes, count, i);
    postern_document_free(document);
    return 0;
}
