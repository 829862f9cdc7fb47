#include "postern_http.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "error.h"
#include "llhttp.h"
#include "target.h"
#include "word.h"

/* A head is kept until its last line is there and then parsed in one go, so
 * that every piece of it is one span of `head`:
 *
 *    HEAD: bytes -> head, until CR LF CR LF -> check_lines -> llhttp
 *    BODY: bytes -> llhttp -> body
 *
 * llhttp frames and validates; what it lets through is looked for before. */
typedef enum phase { PHASE_HEAD, PHASE_BODY, PHASE_COMPLETE, PHASE_REFUSED } phase;

/* Bytes besides the body that a byte of the body may come with. A chunk of one
 * byte has five; more is somebody who sends nothing for ever. */
enum { CHUNK_OVERHEAD = 8 };

/* Interim responses before the final one; nobody needs as many. */
enum { MOST_INTERIM = 16 };

struct postern_http {
    postern_allocator allocator;
    postern_http_options options;
    llhttp_settings_t settings;
    llhttp_t llhttp;
    phase phase;
    bool no_body;
    bool keep_alive;
    uint32_t interim;
    uint64_t overhead; /* bytes of the body's phase that are not the body, ... */
    const char *counted; /* ... up to here in the bytes being fed */
    postern__vector head;
    size_t line; /* where in `head` its last line begins */
    postern__vector headers; /* of postern_http_header */
    postern__vector body;
    postern_http_message message;
    /* Why it was refused, kept to be said again. A callback that refuses leaves
     * it here for the feed that called llhttp. */
    int32_t answer;
    int status;
    const char *source; /* put before the reason */
    const char *reason;
};

uint32_t postern_http_abi(void) {
    return POSTERN_HTTP_ABI;
}

static int32_t tell_refusal(postern_http *reader, postern_error *error) {
    reader->phase = PHASE_REFUSED;
    postern__fail(error, reader->status, 0, 0, "%s%s", reader->source, reader->reason);
    return POSTERN_HTTP_REFUSED;
}

/* For callbacks; what it returns makes llhttp return. */
static int object(postern_http *reader, int32_t answer, int status, const char *reason) {
    reader->answer = answer;
    reader->status = status;
    reader->source = "";
    reader->reason = reason;
    return HPE_USER;
}

static int object_memory(postern_http *reader) {
    return object(reader, 500, POSTERN_NO_MEMORY, "out of memory");
}

static int32_t refuse(postern_http *reader, int32_t answer, int status, const char *reason,
                      postern_error *error) {
    object(reader, answer, status, reason);
    return tell_refusal(reader, error);
}

/* ---- What llhttp calls --------------------------------------------------- */

static int on_url(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    reader->message.target = (postern_span){at, length};
    return 0;
}

static int on_method(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    reader->message.method = (postern_span){at, length};
    return 0;
}

static int on_status(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    reader->message.reason = (postern_span){at, length};
    return 0;
}

/* Trailers come after the head; they are passed over, as RFC 9110, section
 * 6.5.1 lets a recipient do. */
static int on_header_field(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    if (reader->phase != PHASE_HEAD) return 0;
    if (reader->headers.count == reader->options.max_headers)
        return object(reader, 431, POSTERN_LIMIT, "too many headers");
    postern_http_header header = {.name = {at, length}, .value = {at + length, 0}};
    return postern__vector_push(&reader->headers, &header, 1) == NULL ? object_memory(reader) : 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    if (reader->phase != PHASE_HEAD) return 0;
    while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t')) length--;
    POSTERN__AT(&reader->headers, postern_http_header, reader->headers.count - 1)->value =
        (postern_span){at, length};
    return 0;
}

/* Letters of either case against a text in lower case. */
static bool same_word(postern_span span, const char *word) {
    if (span.length != strlen(word)) return false;
    for (size_t i = 0; i < span.length; i++) {
        char c = span.text[i];
        if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i]) return false;
    }
    return true;
}

static void fold_name(const postern__vector *head, postern_span name) {
    char *text = head->items + (name.text - head->items);
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= name.length; at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        word = postern__word_lower(word);
        memcpy(text + at, &word, sizeof word);
    }
    for (; at < name.length; at++) text[at] = (char)postern__lower((unsigned char)text[at]);
}

/* How many lines have this name, which is in lower case as theirs are; the first
 * one's value. */
static int32_t find(const postern_http *reader, postern_span name, postern_span *value) {
    const postern_http_header *header = POSTERN__AT(&reader->headers, postern_http_header, 0);
    int32_t count = 0;
    for (size_t left = reader->headers.count; left > 0; left--, header++) {
        if (!postern__span_equal(header->name, name)) continue;
        if (count++ == 0) *value = header->value;
    }
    return count;
}

typedef struct framing {
    uint32_t hosts, lengths, codings;
    postern_span host, coding;
} framing;

static framing count_framing(postern_http *reader) {
    framing found = {0};
    const postern_http_header *header = POSTERN__AT(&reader->headers, postern_http_header, 0);
    for (size_t left = reader->headers.count; left > 0; left--, header++) {
        fold_name(&reader->head, header->name);
        if (postern__span_equal(header->name, POSTERN__SPAN("host"))) {
            found.hosts++;
            found.host = header->value;
        } else if (postern__span_equal(header->name, POSTERN__SPAN("content-length"))) {
            found.lengths++;
        } else if (postern__span_equal(header->name, POSTERN__SPAN("transfer-encoding"))) {
            found.codings++;
            found.coding = header->value;
        }
    }
    return found;
}

/* RFC 9112, sections 3.2 and 6: what decides where the message goes and where
 * it ends is there once, and says one thing. llhttp as it is today refuses two
 * lengths, and a length beside a coding, by itself. */
static int check_framing(postern_http *reader, framing found, int minor) {
    bool request = reader->options.kind == POSTERN_HTTP_REQUEST;
    if (request && found.hosts > 1)
        return object(reader, 400, POSTERN_SYNTAX, "`Host` is given twice");
    if (request && found.hosts == 0 && minor == 1)
        return object(reader, 400, POSTERN_SYNTAX, "no `Host`");
    if (request && !postern__target_is_host(found.host))
        return object(reader, 400, POSTERN_SYNTAX, "`Host` is no host");
    if (found.lengths > 1)
        return object(reader, 400, POSTERN_SYNTAX, "`Content-Length` is given twice");
    if (found.codings > 0 && found.lengths > 0)
        return object(reader, 400, POSTERN_SYNTAX,
                      "both `Content-Length` and `Transfer-Encoding` are given");
    if (found.codings > 1)
        return object(reader, 400, POSTERN_SYNTAX, "`Transfer-Encoding` is given twice");
    if (found.codings > 0 && minor == 0)
        return object(reader, 400, POSTERN_SYNTAX, "`Transfer-Encoding` in HTTP/1.0");
    if (found.codings > 0 && !same_word(found.coding, "chunked"))
        return object(reader, 501, POSTERN_VALUE,
                      "a `Transfer-Encoding` other than `chunked` is not taken");
    return 0;
}

/* RFC 9112, section 3.2.2: a target that names the host says what Host says.
 * Whoever believes the one and whoever believes the other then agree. */
static int check_target(postern_http *reader, framing found) {
    postern_http_message *message = &reader->message;
    const char *why = postern__target_split(message);
    if (why != NULL) return object(reader, 400, POSTERN_SYNTAX, why);
    if (message->authority.text == NULL) {
        message->authority = found.host;
    } else if (found.hosts > 0 && !postern__span_equal_folded(message->authority, found.host)) {
        return object(reader, 400, POSTERN_SYNTAX, "the target names another host than `Host`");
    }
    return 0;
}

/* RFC 9112, section 6.3: whatever the head says. */
static bool has_no_body(const postern_http *reader) {
    int32_t status = reader->message.status;
    return reader->no_body || (status >= 100 && status < 200) || status == 204 || status == 304;
}

static int on_headers_complete(llhttp_t *llhttp) {
    postern_http *reader = llhttp->data;
    if (llhttp->http_major != 1 || llhttp->http_minor > 1)
        return object(reader, 505, POSTERN_VALUE, "a version other than HTTP/1.0 and HTTP/1.1");
    framing found = count_framing(reader);
    int failed = check_framing(reader, found, llhttp->http_minor);
    if (failed != 0) return failed;
    if (reader->options.kind == POSTERN_HTTP_REQUEST) {
        if (llhttp->method == HTTP_CONNECT)
            return object(reader, 501, POSTERN_VALUE, "the method `CONNECT` is not taken");
        failed = check_target(reader, found);
        if (failed != 0) return failed;
        /* Only an offer, which is not accepted: the request stays HTTP. */
        llhttp->upgrade = 0;
    } else if (llhttp->status_code == 101) {
        return object(reader, 400, POSTERN_VALUE, "the server changes the protocol");
    }
    reader->message.status = llhttp->status_code;
    reader->message.minor = llhttp->http_minor;
    if (has_no_body(reader)) llhttp->flags |= F_SKIPBODY;
    /* Asked before trailers could change llhttp's mind. */
    reader->keep_alive = llhttp_should_keep_alive(llhttp) != 0;
    if (has_no_body(reader)) return 1;
    if (llhttp->flags & F_CONTENT_LENGTH && llhttp->content_length > reader->options.max_body)
        return object(reader, 413, POSTERN_LIMIT, "the body is too large");
    return 0;
}

/* Counts up to `at`. Asked for at the end of each feed, and before each piece of
 * the body, which allows for more: so the answer does not depend on how the bytes
 * were cut. */
static bool is_overloaded(postern_http *reader, const char *at) {
    reader->overhead += (uint64_t)(at - reader->counted);
    reader->counted = at;
    return reader->overhead >
        reader->options.max_head + CHUNK_OVERHEAD * (uint64_t)reader->body.count;
}

static int object_overload(postern_http *reader) {
    return object(reader, 413, POSTERN_LIMIT, "too much besides the body");
}

static int on_body(llhttp_t *llhttp, const char *at, size_t length) {
    postern_http *reader = llhttp->data;
    if (is_overloaded(reader, at)) return object_overload(reader);
    reader->counted = at + length;
    if (length > reader->options.max_body - reader->body.count)
        return object(reader, 413, POSTERN_LIMIT, "the body is too large");
    return postern__vector_push(&reader->body, at, length) == NULL ? object_memory(reader) : 0;
}

static int on_message_complete(llhttp_t *llhttp) {
    (void)llhttp;
    return HPE_PAUSED; /* the next message is not ours to read */
}

/* ---- Life ---------------------------------------------------------------- */

static void begin_message(postern_http *reader) {
    llhttp_init(&reader->llhttp,
                reader->options.kind == POSTERN_HTTP_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
                &reader->settings);
    reader->llhttp.data = reader;
    reader->phase = PHASE_HEAD;
    reader->head.count = reader->headers.count = reader->body.count = 0;
    reader->line = 0;
    reader->overhead = 0;
    reader->message = (postern_http_message){0};
}

static void give_back(postern__vector *vector) {
    if (vector->capacity > POSTERN_HTTP_KEEP_BYTES) postern__vector_free(vector);
}

void postern_http_reset(postern_http *reader, int32_t no_body) {
    give_back(&reader->head);
    give_back(&reader->body);
    begin_message(reader);
    reader->no_body = no_body != 0;
    reader->answer = 0;
    reader->reason = NULL;
    reader->interim = 0;
}

static void set_callbacks(llhttp_settings_t *settings) {
    llhttp_settings_init(settings);
    settings->on_method = on_method;
    settings->on_url = on_url;
    settings->on_status = on_status;
    settings->on_header_field = on_header_field;
    settings->on_header_value = on_header_value;
    settings->on_headers_complete = on_headers_complete;
    settings->on_body = on_body;
    settings->on_message_complete = on_message_complete;
}

postern_http *postern_http_new(const postern_http_options *options, postern_error *error) {
    if (options->kind != POSTERN_HTTP_REQUEST && options->kind != POSTERN_HTTP_RESPONSE) {
        postern__fail(error, POSTERN_MISUSE, 0, 0, "no such kind of message");
        return NULL;
    }
    postern_allocator allocator = postern__allocator(options->allocator);
    postern_http *reader = postern__alloc(&allocator, sizeof *reader);
    if (reader == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(reader, 0, sizeof *reader);
    reader->allocator = allocator;
    reader->options = *options;
    if (options->max_head == 0) reader->options.max_head = POSTERN_HTTP_MAX_HEAD;
    if (options->max_headers == 0) reader->options.max_headers = POSTERN_HTTP_MAX_HEADERS;
    if (options->max_body == 0) reader->options.max_body = POSTERN_HTTP_MAX_BODY;
    postern__vector_init(&reader->head, 1, &allocator);
    postern__vector_init(&reader->headers, sizeof(postern_http_header), &allocator);
    postern__vector_init(&reader->body, 1, &allocator);
    set_callbacks(&reader->settings);
    postern_http_reset(reader, 0);
    return reader;
}

void postern_http_free(postern_http *reader) {
    if (reader == NULL) return;
    postern_allocator allocator = reader->allocator;
    postern__vector_free(&reader->head);
    postern__vector_free(&reader->headers);
    postern__vector_free(&reader->body);
    postern__free(&allocator, reader, sizeof *reader);
}

/* ---- The head ------------------------------------------------------------ */

/* Why a control character cannot be in the head where it is, or NULL. */
static const char *objection(bool after_cr, char c) {
    if (after_cr != (c == '\n')) return "a line end other than CR LF";
    bool known = c == '\t' || c == '\r' || c == '\n';
    return known ? NULL : "a control character in the head";
}

/* How many bytes there are before the next control character. */
static size_t plain_run(const char *bytes, size_t length) {
    size_t at = 0;
#if defined(__SSE2__)
    const __m128i last = _mm_set1_epi8(' ' - 1), delete = _mm_set1_epi8(0x7F);
    for (; length - at >= 16; at += 16) {
        __m128i word = _mm_loadu_si128((const __m128i *)(const void *)(bytes + at));
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(word, last), word);
        int places = _mm_movemask_epi8(_mm_or_si128(low, _mm_cmpeq_epi8(word, delete)));
        if (places != 0) return at + (size_t)__builtin_ctz((unsigned)places);
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    for (; length - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        uint64_t delete = word ^ ones * 0x7F;
        if ((((word - ones * ' ') & ~word) | ((delete - ones) & ~delete)) & high) break;
    }
#endif
    while (at < length && (unsigned char)bytes[at] >= ' ' && bytes[at] != 0x7F) at++;
    return at;
}

/* Takes note of the LF at `at` in the head; the CR before it is there. Whether it
 * ends an empty line: the head's last, or the first, which is no start line. */
static bool end_line(postern_http *reader, size_t at) {
    bool empty = reader->line + 1 == at;
    reader->line = at + 1;
    return empty;
}

/* How many of the bytes belong to the head, which `*whole` says they complete;
 * or why they cannot. */
static size_t scan_head(postern_http *reader, const char *bytes, size_t length, bool *whole,
                        const char **why) {
    const postern__vector *head = &reader->head;
    bool after_cr = head->count > 0 && head->items[head->count - 1] == '\r';
    for (size_t at = 0;; at++) {
        /* Nothing is wrong with what follows a byte other than CR. */
        if (!after_cr) at += plain_run(bytes + at, length - at);
        if (at >= length) return length;
        *why = objection(after_cr, bytes[at]);
        *whole = bytes[at] == '\n' && end_line(reader, head->count + at);
        if (*why != NULL || *whole) return at + 1;
        after_cr = bytes[at] == '\r';
    }
}

/* Moves bytes into the head up to its end. MORE, COMPLETE (the head is whole)
 * or REFUSED. */
static int32_t gather_head(postern_http *reader, const char *bytes, size_t length,
                           size_t *consumed, postern_error *error) {
    postern__vector *head = &reader->head;
    size_t room = reader->options.max_head - head->count;
    size_t most = length < room ? length : room;
    const char *why = NULL;
    bool whole = false;
    size_t taken = scan_head(reader, bytes, most, &whole, &why);
    if (why != NULL) return refuse(reader, 400, POSTERN_SYNTAX, why, error);
    if (postern__vector_push(head, bytes, taken) == NULL) {
        object_memory(reader);
        return tell_refusal(reader, error);
    }
    *consumed = taken;
    if (whole) return POSTERN_HTTP_COMPLETE;
    if (head->count == reader->options.max_head)
        return refuse(reader, 431, POSTERN_LIMIT, "the head is too large", error);
    return POSTERN_HTTP_MORE;
}

/* The line of `head` at `*at`, without its end; `*at` moves to the next. */
static postern_span next_line(const postern__vector *head, size_t *at) {
    const char *start = head->items + *at;
    const char *end = memchr(start, '\r', head->count - *at);
    *at += (size_t)(end - start) + 2;
    return (postern_span){start, (size_t)(end - start)};
}

static bool is_version(const char *text) {
    return memcmp(text, "HTTP/", 5) == 0 && text[6] == '.';
}

static bool is_status(const char *text) {
    return text[0] >= '1' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9' &&
        text[2] >= '0' && text[2] <= '9';
}

/* RFC 9112, sections 3 and 4, without the white space it lets a recipient
 * forgive: one space between the parts. llhttp also takes other protocols, and
 * status codes of fewer digits. */
static const char *check_start_line(const postern_http *reader, postern_span line) {
    const char *text = line.text, *end = text + line.length;
    if (reader->options.kind == POSTERN_HTTP_RESPONSE) {
        bool good = line.length >= 12 && is_version(text) && text[8] == ' ' &&
            is_status(text + 9) && (line.length == 12 || text[12] == ' ');
        return good ? NULL : "a status line that is none";
    }
    uint32_t spaces = 0;
    for (const char *c = text; c < end; c++) spaces += *c == ' ' || *c == '\t';
    bool good = line.length >= 12 && spaces == 2 && text[0] != ' ' && end[-10] != ' ' &&
        end[-9] == ' ' && is_version(end - 8);
    return good ? NULL : "a request line that is none";
}

/* RFC 9112, sections 5.1 and 5.2. */
static const char *check_header_line(postern_span line) {
    if (line.text[0] == ' ' || line.text[0] == '\t') return "a folded header line";
    const char *colon = memchr(line.text, ':', line.length);
    if (colon == NULL) return "a header line without a colon";
    if (colon == line.text) return "a header without a name";
    if (colon[-1] == ' ' || colon[-1] == '\t') return "white space before the colon of a header";
    return NULL;
}

static const char *check_lines(const postern_http *reader) {
    size_t at = 0;
    const char *why = check_start_line(reader, next_line(&reader->head, &at));
    while (why == NULL && at < reader->head.count) {
        postern_span line = next_line(&reader->head, &at);
        if (line.length == 0) break;
        why = check_header_line(line);
    }
    return why;
}

/* ---- Feeding ------------------------------------------------------------- */

/* A callback that refused has said why; else llhttp has found something. */
static int32_t refuse_as_llhttp(postern_http *reader, llhttp_errno_t failed,
                                postern_error *error) {
    if (reader->reason == NULL) {
        int32_t answer = failed == HPE_INVALID_METHOD ? 501 : 400;
        if (failed == HPE_INVALID_VERSION) answer = 505;
        const char *reason = llhttp_get_error_reason(&reader->llhttp);
        object(reader, answer, POSTERN_SYNTAX, reason == NULL ? "the message" : reason);
        reader->source = "not HTTP: ";
    }
    return tell_refusal(reader, error);
}

static void fill_message(postern_http *reader) {
    reader->message.headers = POSTERN__AT(&reader->headers, postern_http_header, 0);
    reader->message.header_count = (uint32_t)reader->headers.count;
}

static int32_t complete(postern_http *reader) {
    reader->phase = PHASE_COMPLETE;
    reader->message.keep_alive = reader->keep_alive;
    if (reader->body.count > 0)
        reader->message.body = (postern_span){reader->body.items, reader->body.count};
    return POSTERN_HTTP_COMPLETE;
}

/* An interim response makes way for the next one. */
static int32_t complete_or_skip(postern_http *reader, postern_error *error) {
    bool interim = reader->options.kind == POSTERN_HTTP_RESPONSE && reader->message.status < 200;
    if (!interim) return complete(reader);
    if (++reader->interim > MOST_INTERIM)
        return refuse(reader, 400, POSTERN_LIMIT, "too many interim responses", error);
    begin_message(reader);
    return POSTERN_HTTP_MORE;
}

static int32_t parse_head(postern_http *reader, postern_error *error) {
    const char *why = check_lines(reader);
    if (why != NULL) return refuse(reader, 400, POSTERN_SYNTAX, why, error);
    llhttp_errno_t failed =
        llhttp_execute(&reader->llhttp, reader->head.items, reader->head.count);
    if (failed != HPE_OK && failed != HPE_PAUSED) return refuse_as_llhttp(reader, failed, error);
    fill_message(reader);
    if (failed == HPE_PAUSED) return complete_or_skip(reader, error);
    reader->phase = PHASE_BODY;
    return POSTERN_HTTP_MORE;
}

static int32_t feed_body(postern_http *reader, const char *bytes, size_t length,
                         size_t *consumed, postern_error *error) {
    reader->counted = bytes;
    llhttp_errno_t failed = llhttp_execute(&reader->llhttp, bytes, length);
    if (failed != HPE_OK && failed != HPE_PAUSED) return refuse_as_llhttp(reader, failed, error);
    *consumed = failed == HPE_OK
        ? length : (size_t)(llhttp_get_error_pos(&reader->llhttp) - bytes);
    if (is_overloaded(reader, bytes + *consumed)) {
        object_overload(reader);
        return tell_refusal(reader, error);
    }
    return failed == HPE_PAUSED ? complete(reader) : POSTERN_HTTP_MORE;
}

int32_t postern_http_feed(postern_http *reader, const char *bytes, size_t length,
                          size_t *consumed, postern_error *error) {
    size_t used = 0;
    int32_t state = POSTERN_HTTP_MORE;
    *consumed = 0;
    if (reader->phase == PHASE_REFUSED) return tell_refusal(reader, error);
    if (reader->phase == PHASE_COMPLETE) return POSTERN_HTTP_COMPLETE;
    while (*consumed < length && state == POSTERN_HTTP_MORE) {
        used = 0;
        if (reader->phase == PHASE_HEAD) {
            state = gather_head(reader, bytes + *consumed, length - *consumed, &used, error);
            if (state == POSTERN_HTTP_COMPLETE) state = parse_head(reader, error);
        } else {
            state = feed_body(reader, bytes + *consumed, length - *consumed, &used, error);
        }
        *consumed += used;
    }
    return state;
}

int32_t postern_http_finish(postern_http *reader, postern_error *error) {
    if (reader->phase == PHASE_REFUSED) return tell_refusal(reader, error);
    if (reader->phase == PHASE_COMPLETE) return POSTERN_HTTP_COMPLETE;
    bool until_end = reader->phase == PHASE_BODY &&
        llhttp_message_needs_eof(&reader->llhttp) && llhttp_finish(&reader->llhttp) == HPE_PAUSED;
    if (!until_end)
        return refuse(reader, 400, POSTERN_SYNTAX, "the message ends early", error);
    reader->keep_alive = false;
    return complete(reader);
}

const postern_http_message *postern_http_read(const postern_http *reader) {
    bool known = reader->phase == PHASE_BODY || reader->phase == PHASE_COMPLETE;
    return known ? &reader->message : NULL;
}

int32_t postern_http_find(const postern_http *reader, const char *name, size_t length,
                          postern_span *value) {
    *value = (postern_span){NULL, 0};
    if (postern_http_read(reader) == NULL) return 0;
    return find(reader, (postern_span){name, length}, value);
}

int32_t postern_http_flags(const postern_http *reader) {
    const postern_http_message *message = postern_http_read(reader);
    if (message == NULL) return POSTERN_HTTP_CLOSE;
    int32_t flags = postern__span_equal(message->method, POSTERN__SPAN("HEAD")) ? POSTERN_HTTP_NO_BODY : 0;
    if (!reader->keep_alive) return flags | POSTERN_HTTP_CLOSE;
    return message->minor == 0 ? flags | POSTERN_HTTP_KEEP : flags;
}

int32_t postern_http_find_single(const postern_http *reader, const char *name, size_t length,
                                 size_t most, postern_span *value) {
    return postern_http_find(reader, name, length, value) == 1 && value->length > 0 &&
        value->length <= most && memchr(value->text, '\t', value->length) == NULL;
}

int32_t postern_http_answer(const postern_http *reader) {
    return reader->answer;
}
