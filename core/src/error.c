#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int postern__quote_length(postern_span span) {
    size_t length = span.length;
    if (length > POSTERN__QUOTE_SIZE) {
        length = POSTERN__QUOTE_SIZE;
        while (length > 0 && ((unsigned char)span.text[length] & 0xC0) == 0x80) length--;
    }
    return (int)length;
}

/* Drops what vsnprintf left of a code point at the end of a full message. */
static void drop_partial(char *message) {
    size_t length = strlen(message), start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0) return;
    unsigned char lead = (unsigned char)message[--start];
    size_t size = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length - start < size) message[start] = '\0';
}

/* Bytes of the code point at `c` if it would act on a terminal rather than
 * appear on it, or 0: the controls, and what changes the direction of text and
 * could make a message read as another. The end of the string ends any test. */
static size_t control_at(const unsigned char *c) {
    if (c[0] < 0x20 || c[0] == 0x7F) return 1;
    if (c[0] == 0xC2) return c[1] >= 0x80 && c[1] <= 0x9F ? 2 : 0; /* U+0080 to U+009F */
    if (c[0] != 0xE2) return 0;
    bool mark = c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F);     /* U+200E, U+200F */
    bool embedding = c[1] == 0x80 && c[2] >= 0xAA && c[2] <= 0xAE;  /* U+202A to U+202E */
    bool isolate = c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9;    /* U+2066 to U+2069 */
    return mark || embedding || isolate ? 3 : 0;
}

static void neutralize(char *message) {
    char *to = message;
    for (const char *from = message; *from != '\0';) {
        size_t size = control_at((const unsigned char *)from);
        *to++ = size > 0 ? '?' : *from;
        from += size > 0 ? size : 1;
    }
    *to = '\0';
}

int postern__fail(postern_error *error, int status, uint32_t line, uint32_t column,
                  const char *format, ...) {
    if (error == NULL) return status;
    error->status = status;
    error->line = line;
    error->column = column;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof error->message) drop_partial(error->message);
    neutralize(error->message);
    return status;
}

int postern__no_memory(postern_error *error) {
    return postern__fail(error, POSTERN_NO_MEMORY, 0, 0, "out of memory");
}

const char *postern_status_name(int32_t status) {
    switch ((postern_status)status) {
    case POSTERN_OK: return "ok";
    case POSTERN_NO_MEMORY: return "no_memory";
    case POSTERN_SYNTAX: return "syntax";
    case POSTERN_STRUCTURE: return "structure";
    case POSTERN_ATTACH: return "attach";
    case POSTERN_LIMIT: return "limit";
    case POSTERN_VALUE: return "value";
    case POSTERN_MISUSE: return "misuse";
    }
    return NULL;
}
