#include "json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "utf8.h"

/* What may come next follows from three things: whether the innermost container
 * is an object (a bit per level), whether it is still empty, and whether a key
 * waits for its value.
 *
 *    {"a":[1,2     depth 2, objects 01, empty no, keyed no: next `,3` or `]` */
struct postern_json {
    postern_allocator allocator;
    postern__vector text;
    uint64_t objects; /* bit i: the container at depth i + 1 is an object */
    uint32_t depth;
    bool empty;
    bool keyed;
    int status; /* the first failure, and why; both stay until reset */
    const char *reason;
};

postern_json *postern_json_new(const postern_allocator *allocator, postern_error *error) {
    postern_allocator own = postern__allocator(allocator);
    postern_json *writer = postern__alloc(&own, sizeof *writer);
    if (writer == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(writer, 0, sizeof *writer);
    writer->allocator = own;
    postern__vector_init(&writer->text, 1, &own);
    return writer;
}

void postern_json_free(postern_json *writer) {
    if (writer == NULL) return;
    postern_allocator allocator = writer->allocator;
    postern__vector_free(&writer->text);
    postern__free(&allocator, writer, sizeof *writer);
}

void postern_json_reset(postern_json *writer) {
    if (writer->text.capacity > POSTERN_JSON_KEEP) postern__vector_free(&writer->text);
    writer->text.count = 0;
    writer->objects = 0;
    writer->depth = 0;
    writer->empty = writer->keyed = false;
    writer->status = POSTERN_OK;
    writer->reason = NULL;
}

static int32_t fail(postern_json *writer, int status, const char *reason) {
    if (writer->status == POSTERN_OK) {
        writer->status = status;
        writer->reason = reason;
    }
    return writer->status;
}

/* ---- Bytes --------------------------------------------------------------- */

static inline bool make_room(postern_json *writer, size_t size) {
    if (size <= writer->text.capacity - writer->text.count) return true;
    if (postern__vector_reserve(&writer->text, size)) return true;
    fail(writer, POSTERN_NO_MEMORY, "out of memory");
    return false;
}

static void put(postern_json *writer, const char *text, size_t length) {
    memcpy(writer->text.items + writer->text.count, text, length);
    writer->text.count += length;
}

static void put_byte(postern_json *writer, char byte) {
    writer->text.items[writer->text.count++] = byte;
}

/* ---- What may come next -------------------------------------------------- */

static bool in_object(const postern_json *writer) {
    return writer->depth > 0 && (writer->objects >> (writer->depth - 1) & 1) != 0;
}

/* Room for `size` bytes of a value, and the comma before it. */
static bool begin_value(postern_json *writer, size_t size) {
    if (writer->status != POSTERN_OK || !make_room(writer, size + 1)) return false;
    if (in_object(writer)) {
        if (!writer->keyed) {
            fail(writer, POSTERN_MISUSE, "a value without a key in an object");
            return false;
        }
        writer->keyed = false;
    } else if (writer->depth > 0) {
        if (!writer->empty) put_byte(writer, ',');
        writer->empty = false;
    } else if (writer->text.count > 0) {
        fail(writer, POSTERN_MISUSE, "a second value after the text has ended");
        return false;
    }
    return true;
}

static int32_t put_value(postern_json *writer, const char *text, size_t length) {
    if (begin_value(writer, length)) put(writer, text, length);
    return writer->status;
}

static int32_t open(postern_json *writer, bool object) {
    if (writer->status == POSTERN_OK && writer->depth == POSTERN_JSON_DEPTH)
        return fail(writer, POSTERN_LIMIT, "nested too deep");
    if (!begin_value(writer, 1)) return writer->status;
    uint64_t bit = UINT64_C(1) << writer->depth;
    writer->objects = object ? writer->objects | bit : writer->objects & ~bit;
    writer->depth++;
    writer->empty = true;
    put_byte(writer, object ? '{' : '[');
    return POSTERN_OK;
}

int32_t postern_json_object(postern_json *writer) {
    return open(writer, true);
}

int32_t postern_json_array(postern_json *writer) {
    return open(writer, false);
}

int32_t postern_json_close(postern_json *writer) {
    if (writer->status != POSTERN_OK) return writer->status;
    if (writer->depth == 0) return fail(writer, POSTERN_MISUSE, "a close without an open");
    if (writer->keyed) return fail(writer, POSTERN_MISUSE, "a key without a value");
    if (!make_room(writer, 1)) return writer->status;
    put_byte(writer, in_object(writer) ? '}' : ']');
    writer->depth--;
    writer->empty = false;
    return POSTERN_OK;
}

/* ---- Strings ------------------------------------------------------------- */

/* Whether eight bytes are ASCII that is written as it is. */
static bool is_plain(const char *text) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t word;
    memcpy(&word, text, sizeof word);
    uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t special = (word - ones * 0x20) & ~word; /* below 0x20 */
    special |= (quote - ones) & ~quote;
    special |= (backslash - ones) & ~backslash;
    return ((special | word) & high) == 0;
}

/* Bytes of the character at `at` if it is written as it is, else 0. */
static size_t plain_size(const char *at, const char *end) {
    unsigned char c = (unsigned char)*at;
    if (c >= 0x80) return postern__point_at(at, end);
    return c >= 0x20 && c != '"' && c != '\\';
}

/* The end of what is written as it is, from `at`. The last bytes are looked at
 * as part of a word that begins before them. */
static const char *plain_end(const char *at, const char *end) {
    const char *start = at;
    while (at != end) {
        if (end - at >= 8 && is_plain(at)) {
            at += 8;
        } else if (end - at < 8 && end - start >= 8 && is_plain(end - 8)) {
            return end;
        } else {
            size_t size = plain_size(at, end);
            if (size == 0) break;
            at += size;
        }
    }
    return at;
}

enum { ESCAPE_SIZE = 6 };

/* RFC 8259, section 7; and U+FFFD for what is no code point. */
static void put_escape(postern_json *writer, unsigned char c) {
    static const char digits[] = "0123456789abcdef";
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *name = names; *name != '\0'; name += 2) {
        if ((unsigned char)*name != c) continue;
        put_byte(writer, '\\');
        put_byte(writer, name[1]);
        return;
    }
    if (c >= 0x20) {
        put(writer, "\xEF\xBF\xBD", 3);
        return;
    }
    put(writer, "\\u00", 4);
    put_byte(writer, digits[c >> 4]);
    put_byte(writer, digits[c & 0xF]);
}

/* Room for the string as it is, and two quotes, is there. */
static bool put_string(postern_json *writer, const char *text, size_t length) {
    const char *at = text, *end = length > 0 ? text + length : text;
    put_byte(writer, '"');
    while (at != end) {
        const char *stop = plain_end(at, end);
        if (stop != at) put(writer, at, (size_t)(stop - at));
        at = stop;
        if (at == end) break;
        /* The escape, and what is left with the closing quote. */
        if (!make_room(writer, ESCAPE_SIZE + (size_t)(end - at))) return false;
        put_escape(writer, (unsigned char)*at++);
    }
    put_byte(writer, '"');
    return true;
}

int32_t postern_json_key(postern_json *writer, const char *text, size_t length) {
    if (writer->status != POSTERN_OK) return writer->status;
    if (!in_object(writer)) return fail(writer, POSTERN_MISUSE, "a key outside an object");
    if (writer->keyed) return fail(writer, POSTERN_MISUSE, "a key after a key");
    if (!make_room(writer, length + 3)) return writer->status;
    if (!writer->empty) put_byte(writer, ',');
    writer->empty = false;
    if (put_string(writer, text, length) && make_room(writer, 1)) put_byte(writer, ':');
    writer->keyed = true;
    return writer->status;
}

int32_t postern_json_string(postern_json *writer, const char *text, size_t length) {
    if (begin_value(writer, length + 2)) put_string(writer, text, length);
    return writer->status;
}

/* ---- Numbers and the rest ------------------------------------------------ */

enum { NUMBER_SIZE = 40 }; /* -1.2345678901234567e-308 has 24, a locale may need more */

/* The integers that int64_t and double share, short of both their ends. */
static const double MOST_INTEGER = 9.2e18;

static size_t write_integer(char *to, int64_t number) {
    char digits[NUMBER_SIZE], *first = digits + sizeof digits;
    uint64_t left = number < 0 ? (uint64_t)-number : (uint64_t)number;
    do {
        *--first = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) *--first = '-';
    size_t length = (size_t)(digits + sizeof digits - first);
    memcpy(to, first, length);
    return length;
}

size_t postern__json_set_point(char *text) {
    size_t length = 0;
    bool point = false;
    for (const char *from = text; *from != '\0'; from++) {
        if (strchr("0123456789+-e", *from) != NULL) {
            text[length++] = *from;
        } else if (!point) {
            text[length++] = '.';
            point = true;
        }
    }
    return length;
}

/* Fifteen digits survive any double that is not subnormal, so if a number has
 * that few they are found at once; seventeen tell every two doubles apart. */
static size_t write_fraction(char *to, double number) {
    for (int digits = fabs(number) < DBL_MIN ? 1 : 15;; digits++) {
        snprintf(to, NUMBER_SIZE, "%.*g", digits, number);
        if (digits == 17 || strtod(to, NULL) == number) return postern__json_set_point(to);
    }
}

int32_t postern_json_number(postern_json *writer, double number) {
    char text[NUMBER_SIZE];
    if (writer->status != POSTERN_OK) return writer->status;
    if (!isfinite(number)) return fail(writer, POSTERN_VALUE, "a number that JSON cannot write");
    bool whole = fabs(number) < MOST_INTEGER && (double)(int64_t)number == number;
    bool minus_zero = number == 0 && signbit(number);
    size_t length = whole && !minus_zero ? write_integer(text, (int64_t)number)
                                         : write_fraction(text, number);
    return put_value(writer, text, length);
}

int32_t postern_json_boolean(postern_json *writer, int32_t truth) {
    return truth ? put_value(writer, "true", 4) : put_value(writer, "false", 5);
}

int32_t postern_json_null(postern_json *writer) {
    return put_value(writer, "null", 4);
}

int32_t postern_json_raw(postern_json *writer, const char *json, size_t length) {
    if (length == 0) return fail(writer, POSTERN_MISUSE, "an empty text is no value");
    return put_value(writer, json, length);
}

int32_t postern_json_text(const postern_json *writer, postern_span *out, postern_error *error) {
    *out = (postern_span){NULL, 0};
    if (writer->status != POSTERN_OK)
        return postern__fail(error, writer->status, 0, 0, "%s", writer->reason);
    if (writer->depth > 0)
        return postern__fail(error, POSTERN_MISUSE, 0, 0, "a container is still open");
    if (writer->text.count == 0)
        return postern__fail(error, POSTERN_MISUSE, 0, 0, "nothing is written");
    *out = (postern_span){writer->text.items, writer->text.count};
    return POSTERN_OK;
}
