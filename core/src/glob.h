/* Patterns with `*` and `?`, matched in bounded time without recursion.
 *
 * A pattern is kept as code: the bytes of its literal text, with wildcards as
 * byte values that UTF-8 never uses. So a literal `*` (from `${*}`, or from
 * the value of a variable) and a wildcard cannot be taken for each other.
 *
 *    arn:aws:s3:::logs-?.*.gz   ->   arn:aws:s3:::logs- ONE . RUN .gz
 *                                    '----- head -----'           tail
 *
 * head and tail are the literal bytes before the first and after the last
 * wildcard: two compares settle most texts before any searching. Between them,
 * what stands between two runs is a piece, searched for by its rarest byte.
 *
 * What ignores letter case is folded when it is compiled, and so is its text.
 *
 * The colon rule of Resource patterns (IAM User Guide, "IAM JSON policy
 * elements: Resource") gives `*` and `?` forms that stay within a segment. */
#ifndef POSTERN_GLOB_H
#define POSTERN_GLOB_H

#include "error.h"
#include "word.h"

enum {
    POSTERN__RUN = 0xFF,            /* `*`: any characters, or none */
    POSTERN__RUN_IN_SEGMENT = 0xFE, /* `*` that stops at `:` */
    POSTERN__RUN_IN_NAME = 0xFD,    /* `*` that stops at `:` and `/` */
    POSTERN__ONE = 0xFC,            /* `?`: one code point */
    POSTERN__ONE_IN_SEGMENT = 0xFB, /* `?`, but not `:` */
    POSTERN__VARIABLE = 0xFA,       /* see template.h; never seen by a match */
    POSTERN__FIRST_TOKEN = 0xFA
};

enum {
    /* The longest text with wildcards. A method ARN has at most 1,600 bytes, a
     * whole policy of AWS at most 20,480; see request.h for what it bounds. */
    POSTERN__PATTERN_BYTES = 4096
};

/* True when `pattern` has a wildcard and is longer than that. */
bool postern__glob_too_long(postern_span pattern);

/* A code within a block of bytes, with its literal ends measured. */
typedef struct postern__glob {
    uint32_t code;   /* offset in the block */
    uint32_t length; /* bytes of code; head == length: no wildcard at all */
    uint32_t head;
    uint32_t tail;
} postern__glob;

/* Appends the code of `pattern`, its wildcards live, to a vector of bytes. The
 * pattern has to be UTF-8: other bytes could be taken for tokens. False: out of
 * memory. */
bool postern__glob_encode(postern_span pattern, postern__vector *code);

/* The colon rule for one byte of code: before the fifth colon a wildcard stays
 * within its segment, unless it is a `*` that ends the segment, or the pattern.
 * `colons` is how many stand before it. */
unsigned char postern__glob_confine(unsigned char byte, unsigned colons, bool ends_segment);

/* Measures `length` bytes of code at `offset` of `block`. */
postern__glob postern__glob_measure(const char *block, size_t offset, size_t length);

/* The same for what is between the literal ends, which are known to match. */
bool postern__glob_match_middle(const postern__glob *glob, const char *block, postern_span text);

/* True when the whole text matches. `block` is what it was measured in. In place,
 * since for most patterns a call costs as much as the comparing. */
static inline bool postern__glob_match(const postern__glob *glob, const char *block,
                                       postern_span text) {
    const char *code = block + glob->code;
    size_t head = glob->head, tail = glob->tail, length = glob->length;
    if (head == length) return text.length == head && postern__ends_equal(text.text, code, head);
    if (text.length < head + tail || !postern__ends_equal(text.text, code, head) ||
        !postern__ends_equal(text.text + text.length - tail, code + length - tail, tail)) {
        return false;
    }
    if (head + tail + 1 == length && (unsigned char)code[head] == POSTERN__RUN) return true;
    return postern__glob_match_middle(glob, block, text);
}

#endif
