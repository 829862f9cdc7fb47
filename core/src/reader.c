#include "reader.h"

#include "utf8.h"

/* Indented policies have one node in 18 bytes, compact ones in 12. */
enum { BYTES_PER_NODE = 16 };

/* What the next character has to be. */
typedef enum want { WANT_VALUE, WANT_FIRST, WANT_NEXT, WANT_NOTHING } want;

struct reader {
    const char *json; /* the caller's: `texts` moves while it grows */
    uint32_t length;
    uint32_t at;
    want want;
    uint32_t depth;
    uint32_t open[POSTERN__DOCUMENT_DEPTH]; /* nodes not closed yet */
    postern_document *document;
    postern__vector names; /* scratch for sorting */
    postern_error *error;
    postern__place place; /* of the error */
};

/* ---- Refusals ----------------------------------------------------------- */

/* Walks from the start: the document keeps places only once it is whole. */
static postern__place place_of(const struct reader *reader, uint32_t offset) {
    return postern__place_after((postern__place){1, 1}, reader->json, offset);
}

#define REFUSE(reader, status, offset, ...)                                        \
    ((reader)->place = place_of((reader), (offset)),                               \
     postern__fail((reader)->error, (status), (reader)->place.line,                \
                   (reader)->place.column, __VA_ARGS__))

static int peek(const struct reader *reader) {
    return reader->at < reader->length ? (unsigned char)reader->json[reader->at] : -1;
}

static bool is_space(char c) {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(int c) {
    return c >= '0' && c <= '9';
}

static bool is_word(int c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool starts_value(int c) {
    return is_word(c) || c == '"' || c == '-' || c == '{' || c == '[';
}

static bool is_number_part(int c) {
    return is_word(c) || c == '.' || c == '+' || c == '-';
}

static postern_node *node_at(const struct reader *reader, uint32_t index) {
    return POSTERN__AT(&reader->document->nodes, postern_node, index);
}

static bool in_object(const struct reader *reader) {
    return node_at(reader, reader->open[reader->depth - 1])->kind == POSTERN_OBJECT;
}

static postern_span span_of(const char *text) {
    return (postern_span){text, strlen(text)};
}

/* The run of characters from here that `belongs` accepts. */
static postern_span run_of(const struct reader *reader, bool (*belongs)(int c)) {
    uint32_t end = reader->at;
    while (end < reader->length && belongs((unsigned char)reader->json[end])) end++;
    return (postern_span){reader->json + reader->at, end - reader->at};
}

/* What to name when the text from here is unexpected: the whole word, or one
 * code point; empty when that is not UTF-8. */
static postern_span token_at(const struct reader *reader) {
    postern_span token = run_of(reader, is_word);
    const char *end = reader->json + reader->length;
    if (token.length == 0) token.length = postern__point_at(token.text, end);
    return token;
}

static int refuse_utf8(struct reader *reader, uint32_t offset) {
    return REFUSE(reader, POSTERN_SYNTAX, offset, "invalid UTF-8: save the file as UTF-8");
}

static int refuse_end(struct reader *reader) {
    if (reader->depth == 0)
        return REFUSE(reader, POSTERN_SYNTAX, reader->length,
                      "empty document: write a JSON object");
    uint32_t start = node_at(reader, reader->open[reader->depth - 1])->start;
    postern__place opened = place_of(reader, start);
    return REFUSE(reader, POSTERN_SYNTAX, reader->length,
                  "document ends too early: close the `%c` at %u:%u", reader->json[start],
                  (unsigned)opened.line, (unsigned)opened.column);
}

/* What people write or paste where JSON has none of it. */
static const struct {
    const char *text;
    const char *message;
} not_json[] = {
    {"//", "comment: remove it, JSON has none"},
    {"/*", "comment: remove it, JSON has none"},
    {"#", "comment: remove it, JSON has none"},
    {"'", "single quote: write `\"`"},
    {"\xE2\x80\x98", "curly quote: write `\"`"},
    {"\xE2\x80\x99", "curly quote: write `\"`"},
    {"\xE2\x80\x9C", "curly quote: write `\"`"},
    {"\xE2\x80\x9D", "curly quote: write `\"`"},
    {"\xC2\xA0", "no-break space: write a plain one"},
    {"\xE2\x80\x8B", "zero-width space: remove it"},
    {"\xEF\xBB\xBF", "byte order mark: remove it"},
};

/* Says that what stands here does not belong `where` it is. */
static int refuse_here(struct reader *reader, const char *where, const char *advice) {
    if (reader->at == reader->length) return refuse_end(reader);
    postern_span token = token_at(reader);
    if (token.length == 0) return refuse_utf8(reader, reader->at);
    unsigned char c = (unsigned char)token.text[0];
    if (c < 0x20 || c == 0x7F)
        return REFUSE(reader, POSTERN_SYNTAX, reader->at,
                      "control character U+%04X outside a string: remove it", c);
    postern_span rest = {token.text, reader->length - reader->at};
    for (size_t i = 0; i < sizeof not_json / sizeof not_json[0]; i++) {
        if (postern__span_starts(rest, span_of(not_json[i].text)))
            return REFUSE(reader, POSTERN_SYNTAX, reader->at, "%s", not_json[i].message);
    }
    return REFUSE(reader, POSTERN_SYNTAX, reader->at, "unexpected `%.*s%s` %s: %s",
                  POSTERN__QUOTE(token), where, advice);
}

/* For a place that needs a name or a value. What precedes it is a structural
 * character or nothing, so looking back over space finds it. */
static int refuse_slot(struct reader *reader, const char *advice) {
    uint32_t at = reader->at;
    while (at > 0 && is_space(reader->json[at - 1])) at--;
    int c = peek(reader);
    switch (at == 0 ? '\0' : reader->json[at - 1]) {
    case ',':
        if (c == '}' || c == ']') advice = "remove the comma";
        if (c == ',') advice = "remove one of them";
        return refuse_here(reader, "after a comma", advice);
    case ':': return refuse_here(reader, "after a colon", advice);
    case '[': return refuse_here(reader, "after `[`", advice);
    case '{': return refuse_here(reader, "after `{`", advice);
    default: return refuse_here(reader, "at the start", advice);
    }
}

/* For a place that needs a comma or the end of the array or object. */
static int refuse_next(struct reader *reader) {
    bool object = in_object(reader);
    int c = peek(reader);
    if (c == '}' || c == ']') {
        uint32_t start = node_at(reader, reader->open[reader->depth - 1])->start;
        postern__place opened = place_of(reader, start);
        return REFUSE(reader, POSTERN_SYNTAX, reader->at,
                      "unexpected `%c`: close the `%c` at %u:%u with `%c`", c, object ? '{' : '[',
                      (unsigned)opened.line, (unsigned)opened.column, object ? '}' : ']');
    }
    const char *where = object ? "after a member" : "after an item";
    if (c == ':' && !object) return refuse_here(reader, where, "write members between `{` and `}`");
    if (starts_value(c)) return refuse_here(reader, where, "write a comma before it");
    return refuse_here(reader, where, object ? "write `,` or `}`" : "write `,` or `]`");
}

/* ---- Scalars ------------------------------------------------------------ */

static int add_node(struct reader *reader, postern_node node) {
    postern__vector *nodes = &reader->document->nodes;
    if (nodes->count == POSTERN__DOCUMENT_NODES)
        return REFUSE(reader, POSTERN_LIMIT, node.start,
                      "more than %d values and names: split the document",
                      (int)POSTERN__DOCUMENT_NODES);
    node.next = (uint32_t)nodes->count + 1;
    if (!postern__vector_reserve(nodes, 1)) return postern__no_memory(reader->error);
    *POSTERN__AT(nodes, postern_node, nodes->count++) = node;
    reader->at = node.end;
    return POSTERN_OK;
}

/* The value of four hexadecimal digits, or more than 0xFFFF. */
static uint32_t hex4(const char *text, const char *end) {
    if (end - text < 4) return UINT32_MAX;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = postern__lower((unsigned char)text[i]);
        if (!is_digit(c) && (c < 'a' || c > 'f')) return UINT32_MAX;
        value = value << 4 | (uint32_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* Bytes of the escape at `text`, a surrogate pair being one; 0 when it is none. */
static size_t escape_at(const char *text, const char *end, uint32_t *point) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (end - text < 2) return 0;
    if (text[1] != 'u') {
        const char *letter = memchr(letters, text[1], sizeof letters - 1);
        if (letter == NULL) return 0;
        *point = (unsigned char)meanings[letter - letters];
        return 2;
    }
    *point = hex4(text + 2, end);
    if (*point < 0xD800 || (*point > 0xDFFF && *point <= 0xFFFF)) return 6;
    if (*point > 0xDBFF || end - text < 8 || text[6] != '\\' || text[7] != 'u') return 0;
    uint32_t low = hex4(text + 8, end);
    if (low < 0xDC00 || low > 0xDFFF) return 0;
    *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
    return 12;
}

static int refuse_control(struct reader *reader, uint32_t at) {
    unsigned char c = (unsigned char)reader->json[at];
    const char *escape = c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : NULL;
    if (escape != NULL)
        return REFUSE(reader, POSTERN_SYNTAX, at,
                      "control character U+%04X in a string: write it as %s%s", c, escape,
                      c == '\t' ? "" : ", or close the string before it");
    return REFUSE(reader, POSTERN_SYNTAX, at,
                  "control character U+%04X in a string: write it as \\u%04X", c, c);
}

static int refuse_open_string(struct reader *reader, uint32_t start) {
    return REFUSE(reader, POSTERN_SYNTAX, start, "string is not closed: add `\"` at its end");
}

/* `at` is the backslash of something that is not an escape. */
static int refuse_escape(struct reader *reader, uint32_t start, uint32_t at) {
    const char *text = reader->json + at, *end = reader->json + reader->length;
    if (end - text < 2) return refuse_open_string(reader, start);
    if (text[1] != 'u') {
        size_t size = postern__point_at(text + 1, end);
        if (size == 0) return refuse_utf8(reader, at + 1);
        if ((unsigned char)text[1] < 0x20) return refuse_control(reader, at + 1);
        return REFUSE(reader, POSTERN_SYNTAX, at,
                      "unknown escape `%.*s`: write a backslash as \\\\", (int)size + 1, text);
    }
    if (hex4(text + 2, end) > 0xFFFF)
        return REFUSE(reader, POSTERN_SYNTAX, at,
                      "incomplete escape `\\u`: write four hexadecimal digits after it");
    return REFUSE(reader, POSTERN_SYNTAX, at,
                  "lone surrogate `%.6s`: write the character itself, or both halves", text);
}

/* Which of eight bytes is the first quote, backslash, control character or byte
 * that is not ASCII: its top bit is the lowest in the result, and 0 means none. Of
 * ASCII bytes only one below what is taken from it makes a difference with its
 * top bit set, or borrows from those above it; the last term has the others. */
static uint64_t specials_of(uint64_t word) {
    uint64_t quote = (word ^ POSTERN__EACH_BYTE('"')) - POSTERN__EACH_BYTE(1);
    uint64_t backslash = (word ^ POSTERN__EACH_BYTE('\\')) - POSTERN__EACH_BYTE(1);
    uint64_t control = word - POSTERN__EACH_BYTE(0x20);
    return (quote | backslash | control | word) & POSTERN__EACH_BYTE(0x80);
}

static uint32_t skip_plain(const struct reader *reader, uint32_t at) {
    for (; reader->length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        uint64_t specials = specials_of(postern__word_at(reader->json + at));
        if (specials != 0) return at + postern__lowest_bit(specials) / 8;
    }
    for (; at < reader->length; at++) {
        unsigned char c = (unsigned char)reader->json[at];
        if (c < 0x20 || c > 0x7F || c == '"' || c == '\\') break;
    }
    return at;
}

/* Appends what a checked string means to the texts; it is never longer than
 * what was written. */
static bool unescape(struct reader *reader, postern_node *node) {
    postern__vector *texts = &reader->document->texts;
    const char *from = reader->json + node->start + 1;
    const char *end = reader->json + node->end - 1;
    if (!postern__vector_reserve(texts, (size_t)(end - from))) return false;
    char *to = texts->items + texts->count;
    while (from < end) {
        const char *backslash = memchr(from, '\\', (size_t)(end - from));
        size_t run = (size_t)((backslash == NULL ? end : backslash) - from);
        memcpy(to, from, run);
        to += run;
        from += run;
        if (from == end) break;
        uint32_t point;
        from += escape_at(from, end, &point);
        to = postern__point_put(to, point);
    }
    node->text = (uint32_t)texts->count;
    texts->count = (size_t)(to - texts->items);
    node->length = (uint32_t)texts->count - node->text;
    return true;
}

static int read_string(struct reader *reader) {
    uint32_t start = reader->at, at = start + 1;
    const char *json = reader->json, *end = json + reader->length;
    bool escaped = false;
    for (;;) {
        at = skip_plain(reader, at);
        if (at == reader->length) return refuse_open_string(reader, start);
        unsigned char c = (unsigned char)json[at];
        if (c == '"') break;
        if (c < 0x20) return refuse_control(reader, at);
        uint32_t point;
        size_t size = c == '\\' ? escape_at(json + at, end, &point)
                                : postern__point_at(json + at, end);
        if (size == 0)
            return c == '\\' ? refuse_escape(reader, start, at) : refuse_utf8(reader, at);
        if (c == '\\') escaped = true;
        at += (uint32_t)size;
    }
    postern_node node = {.kind = POSTERN_STRING, .start = start, .end = at + 1,
                         .text = start + 1, .length = at - start - 1};
    if (escaped && !unescape(reader, &node)) return postern__no_memory(reader->error);
    return add_node(reader, node);
}

static bool skip_digits(const char **at, const char *end) {
    const char *first = *at;
    while (*at < end && is_digit(**at)) (*at)++;
    return *at > first;
}

/* RFC 8259, section 6. */
static bool is_number(postern_span text) {
    const char *at = text.text, *end = at + text.length;
    if (at < end && *at == '-') at++;
    if (at < end && *at == '0') at++;
    else if (!skip_digits(&at, end)) return false;
    if (at < end && *at == '.') {
        at++;
        if (!skip_digits(&at, end)) return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        if (!skip_digits(&at, end)) return false;
    }
    return at == end;
}

static const char *number_advice(postern_span text) {
    if (text.text[0] == '+') return "remove the `+`";
    if (text.text[0] == '.') return "write a digit before the point";
    if (strchr(".eE+-", text.text[text.length - 1]) != NULL) return "write a digit at the end";
    size_t zeros = text.text[0] == '-' ? 1 : 0;
    if (text.text[zeros] == '0') {
        while (zeros + 1 < text.length && text.text[zeros] == '0') zeros++;
        if (is_number(postern__span_from(text, zeros))) return "remove the zeros in front";
    }
    return "write text in double quotes";
}

/* Numbers are kept as written and never converted here. */
static int read_number(struct reader *reader) {
    postern_span text = run_of(reader, is_number_part);
    if (!is_number(text))
        return REFUSE(reader, POSTERN_SYNTAX, reader->at, "`%.*s%s` is not a number: %s",
                      POSTERN__QUOTE(text), number_advice(text));
    return add_node(reader, (postern_node){.kind = POSTERN_NUMBER, .start = reader->at,
                                           .end = reader->at + (uint32_t)text.length});
}

static int read_word(struct reader *reader) {
    static const struct {
        const char *text;
        int32_t kind;
        const char *advice;
    } words[] = {
        {"null", POSTERN_NULL, "write `null`"},
        {"false", POSTERN_FALSE, "write `false`"},
        {"true", POSTERN_TRUE, "write `true`"},
    };
    postern_span text = run_of(reader, is_word);
    const char *advice = "write text in double quotes";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (postern__span_equal(text, span_of(words[i].text)))
            return add_node(reader, (postern_node){.kind = words[i].kind, .start = reader->at,
                                                   .end = reader->at + (uint32_t)text.length});
        if (postern__span_equal_folded(text, span_of(words[i].text))) advice = words[i].advice;
    }
    return refuse_slot(reader, advice);
}

/* ---- Structure ---------------------------------------------------------- */

/* Where lines are indented most of it is runs of spaces. */
static void skip_space(struct reader *reader) {
    const char *at = reader->json + reader->at, *end = reader->json + reader->length;
    while (at < end && is_space(*at)) {
        at++;
        while (end - at >= POSTERN__WORD && postern__word_at(at) == POSTERN__EACH_BYTE(' ')) {
            at += POSTERN__WORD;
        }
    }
    reader->at = (uint32_t)(at - reader->json);
}

static int open_node(struct reader *reader, int32_t kind) {
    if (reader->depth == POSTERN__DOCUMENT_DEPTH)
        return REFUSE(reader, POSTERN_LIMIT, reader->at,
                      "nested deeper than %d levels: remove the inner ones",
                      (int)POSTERN__DOCUMENT_DEPTH);
    reader->open[reader->depth++] = (uint32_t)reader->document->nodes.count;
    reader->want = WANT_FIRST;
    return add_node(reader, (postern_node){.kind = kind, .start = reader->at,
                                           .end = reader->at + 1});
}

static int check_names(struct reader *reader, uint32_t object) {
    uint32_t repeated;
    if (!postern__document_repeated(reader->document, object, &reader->names, &repeated))
        return postern__no_memory(reader->error);
    if (repeated == 0) return POSTERN_OK;
    const postern_node *name = node_at(reader, repeated);
    return REFUSE(reader, POSTERN_SYNTAX, name->start,
                  "member `%.*s%s` appears twice: keep one of them",
                  POSTERN__QUOTE(postern__document_text(reader->document, name)));
}

static int close_node(struct reader *reader) {
    uint32_t index = reader->open[--reader->depth];
    postern_node *node = node_at(reader, index);
    node->next = (uint32_t)reader->document->nodes.count;
    node->end = ++reader->at;
    reader->want = WANT_NEXT;
    return node->kind == POSTERN_OBJECT ? check_names(reader, index) : POSTERN_OK;
}

static int read_value(struct reader *reader) {
    reader->want = WANT_NEXT;
    int c = peek(reader);
    switch (c) {
    case '{': return open_node(reader, POSTERN_OBJECT);
    case '[': return open_node(reader, POSTERN_ARRAY);
    case '"': return read_string(reader);
    default: break;
    }
    if (is_digit(c) || c == '-' || c == '+' || c == '.') return read_number(reader);
    if (is_word(c)) return read_word(reader);
    return refuse_slot(reader, "write a value");
}

/* What a `,` or an opening bracket is followed by, up to the value. */
static int read_item(struct reader *reader) {
    reader->want = WANT_VALUE;
    bool object = in_object(reader);
    node_at(reader, reader->open[reader->depth - 1])->length++;
    if (!object) return POSTERN_OK;
    skip_space(reader);
    if (peek(reader) != '"')
        return refuse_slot(reader, "write a member name in double quotes");
    int status = read_string(reader);
    if (status != POSTERN_OK) return status;
    skip_space(reader);
    if (peek(reader) != ':')
        return refuse_here(reader, "after a member name",
                           starts_value(peek(reader)) ? "write a colon before it"
                                                      : "write a colon and a value");
    reader->at++;
    return POSTERN_OK;
}

static int read_next(struct reader *reader) {
    int c = peek(reader);
    if (reader->depth == 0) {
        if (c != -1) return refuse_here(reader, "after the end of the document", "remove it");
        reader->want = WANT_NOTHING;
        return POSTERN_OK;
    }
    if (c == (in_object(reader) ? '}' : ']')) return close_node(reader);
    if (reader->want == WANT_FIRST) return read_item(reader);
    if (c != ',') return refuse_next(reader);
    reader->at++;
    return read_item(reader);
}

static int check_encoding(struct reader *reader) {
    postern_span text = {reader->json, reader->length};
    if (postern__span_starts(text, POSTERN__SPAN("\xEF\xBB\xBF")))
        return REFUSE(reader, POSTERN_SYNTAX, 0,
                      "byte order mark: save the file as UTF-8 without one");
    if (postern__span_starts(text, POSTERN__SPAN("\xFF\xFE")) ||
        postern__span_starts(text, POSTERN__SPAN("\xFE\xFF")) ||
        (text.length >= 2 && (text.text[0] == '\0') != (text.text[1] == '\0')))
        return REFUSE(reader, POSTERN_SYNTAX, 0, "text is UTF-16: save the file as UTF-8");
    return POSTERN_OK;
}

static int read_document(struct reader *reader) {
    postern_document *document = reader->document;
    if (!postern__vector_reserve(&document->nodes, reader->length / BYTES_PER_NODE + 1))
        return postern__no_memory(reader->error);
    int status = check_encoding(reader);
    while (status == POSTERN_OK && reader->want != WANT_NOTHING) {
        skip_space(reader);
        status = reader->want == WANT_VALUE ? read_value(reader) : read_next(reader);
    }
    if (status == POSTERN_OK && !postern__document_end(document))
        return postern__no_memory(reader->error);
    return status;
}

postern_document *postern_document_new(const char *json, size_t length,
                                       const postern_allocator *allocator, postern_error *error) {
    if (length > POSTERN__DOCUMENT_BYTES) {
        postern__fail(error, POSTERN_LIMIT, 0, 0, "document of %zu bytes: split it, %d is the most",
                      length, (int)POSTERN__DOCUMENT_BYTES);
        return NULL;
    }
    if (length == 0) {
        postern__fail(error, POSTERN_SYNTAX, 1, 1, "empty document: write a JSON object");
        return NULL;
    }
    postern_allocator memory = postern__allocator(allocator);
    postern_document *document = postern__document_begin((postern_span){json, length}, &memory);
    if (document == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    struct reader reader = {.json = json, .length = (uint32_t)length, .document = document,
                            .error = error};
    postern__vector_init(&reader.names, sizeof(uint32_t), &memory);
    int status = read_document(&reader);
    postern__vector_free(&reader.names);
    if (status == POSTERN_OK) return document;
    postern_document_free(document);
    return NULL;
}
