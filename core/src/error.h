/* Statuses, their names, and filling a postern_error. */
#ifndef POSTERN_ERROR_H
#define POSTERN_ERROR_H

#include "alloc.h"

#if defined(__GNUC__)
#define POSTERN__PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define POSTERN__PRINTF(at, first)
#endif

/* How many bytes of the user's own text a message quotes; the rest becomes
 * "...". Use as "`%.*s%s`" with POSTERN__QUOTE(span). */
enum { POSTERN__QUOTE_SIZE = 80 };
#define POSTERN__QUOTE(span)                                             \
    postern__quote_length(span), (span).text == NULL ? "" : (span).text, \
        (span).length > POSTERN__QUOTE_SIZE ? "..." : ""

/* Bytes of `span` to quote: at most POSTERN__QUOTE_SIZE, never cutting a code
 * point in two. */
int postern__quote_length(postern_span span);

/* Fills `error`, if not NULL, and returns `status`, so that a failing function
 * can end in `return postern__fail(...)`. Each control character in the message
 * and each that changes the direction of text becomes one `?`: an error is one
 * line, and reads as it was written, whatever the input was. A message that is
 * too long ends with its last whole code point. */
int postern__fail(postern_error *error, int status, uint32_t line, uint32_t column,
                  const char *format, ...) POSTERN__PRINTF(5, 6);

/* The same for memory, which is all there is to say about it. */
int postern__no_memory(postern_error *error);

#endif
