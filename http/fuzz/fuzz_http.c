/* The first byte chooses kind, `no_body` and a second way to cut the input. Two
 * readers, one fed the whole, the other piece by piece, have to agree. */
#include <stdlib.h>
#include <string.h>

#include "postern_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
    if (!condition) abort();
}

typedef struct result {
    int32_t state, answer;
    size_t taken;
} result;

static result read_in_steps(postern_http *reader, const char *bytes, size_t size, size_t step) {
    result result = {.state = POSTERN_HTTP_MORE};
    while (result.taken < size && result.state == POSTERN_HTTP_MORE) {
        size_t left = size - result.taken, piece = step < left ? step : left, used;
        /* A copy: reading past the piece is found. */
        char *copy = malloc(piece);
        memcpy(copy, bytes + result.taken, piece);
        result.state = postern_http_feed(reader, copy, piece, &used, NULL);
        free(copy);
        require(used <= piece);
        require(used == piece || result.state != POSTERN_HTTP_MORE);
        result.taken += used;
    }
    if (result.state == POSTERN_HTTP_MORE) result.state = postern_http_finish(reader, NULL);
    result.answer = postern_http_answer(reader);
    return result;
}

static int same(postern_span a, postern_span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.text, b.text, a.length) == 0);
}

static void require_same(const postern_http_message *a, const postern_http_message *b) {
    require(a->status == b->status && a->minor == b->minor && a->keep_alive == b->keep_alive);
    require(same(a->method, b->method) && same(a->target, b->target));
    require(same(a->reason, b->reason) && same(a->body, b->body));
    require(same(a->authority, b->authority) && same(a->path, b->path));
    require(same(a->query, b->query) && (a->query.text == NULL) == (b->query.text == NULL));
    require(a->header_count == b->header_count);
    for (uint32_t i = 0; i < a->header_count; i++) {
        require(same(a->headers[i].name, b->headers[i].name));
        require(same(a->headers[i].value, b->headers[i].value));
    }
}

static void require_sound(const postern_http_message *message, int32_t kind) {
    uint32_t hosts = 0;
    for (uint32_t i = 0; i < message->header_count; i++) {
        postern_span name = message->headers[i].name, value = message->headers[i].value;
        require(name.length > 0);
        for (size_t k = 0; k < name.length; k++)
            require(name.text[k] > ' ' && !(name.text[k] >= 'A' && name.text[k] <= 'Z'));
        for (size_t k = 0; k < value.length; k++)
            require(value.text[k] != '\r' && value.text[k] != '\n' && value.text[k] != '\0');
        hosts += name.length == 4 && memcmp(name.text, "host", 4) == 0;
    }
    if (kind == POSTERN_HTTP_REQUEST) {
        require(message->method.length > 0 && message->target.length > 0);
        require(message->path.length > 0 &&
                (message->path.text[0] == '/' || same(message->path, message->target)));
        require(message->path.length + message->query.length <= message->target.length + 1);
        require(hosts == 1 || (hosts == 0 && message->minor == 0));
    } else {
        require(message->status >= 200 && message->status <= 999);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    postern_http_options options = {
        .kind = data[0] & 1, .max_head = 512, .max_headers = 8, .max_body = 256};
    size_t step = 1 + (data[0] >> 2) % 16;
    const char *bytes = (const char *)data + 1;
    postern_http *whole = postern_http_new(&options, NULL);
    postern_http *pieces = postern_http_new(&options, NULL);
    require(whole != NULL && pieces != NULL);
    postern_http_reset(whole, data[0] & 2);
    postern_http_reset(pieces, data[0] & 2);
    result a = read_in_steps(whole, bytes, size - 1, size);
    result b = read_in_steps(pieces, bytes, size - 1, step);
    /* Of two reasons to refuse, the pieces may decide which is seen first. */
    require(a.state == b.state && (a.answer == 0) == (b.answer == 0));
    if (a.state == POSTERN_HTTP_COMPLETE) {
        require(a.taken == b.taken);
        require_same(postern_http_read(whole), postern_http_read(pieces));
        require_sound(postern_http_read(whole), options.kind);
    } else {
        require(postern_http_read(whole) == NULL && a.answer != 0);
    }
    postern_http_free(whole);
    postern_http_free(pieces);
    return 0;
}
