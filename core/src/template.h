/* Policy variables: `${key}`, `${key, 'default'}`, and the escapes `${*}`,
 * `${?}` and `${$}` (IAM User Guide, "IAM policy elements: Variables and tags").
 *
 * A value is parsed once into code (see glob.h) in which a variable is a
 * token, and expanded late:
 *
 *    arn:aws:sqs:*:*:${aws:username}-q   ->   arn:aws:sqs: RUN : RUN : VARIABLE u32 -q
 *                                                                          |
 *                    variables: [ { symbol, fallback } ... ] <-------------'
 *
 * What replaces a variable is literal: a `*` or `:` in it is that character. */
#ifndef POSTERN_TEMPLATE_H
#define POSTERN_TEMPLATE_H

#include "arn.h"
#include "glob.h"
#include "symbol.h"
#include "value.h"

enum {
    /* In one value. More would let a policy multiply a long request value into
     * more scratch than anybody wants to give. */
    POSTERN__VARIABLES = 64
};

/* One `${...}` in a text. */
typedef struct postern__reference {
    size_t length; /* from `$` to `}` */
    char escape;   /* the character that an escape stands for, or 0 */
    bool has_fallback;
    postern_span key;
    postern_span fallback;
} postern__reference;

/* True when a well-formed reference starts at `at`. Anything else that begins
 * like one (a space in the name, no closing brace or quote, empty) is text. */
bool postern__reference_scan(postern_span text, size_t at, postern__reference *out);

/* Splits like postern__arn_split, but colons within references do not count
 * when `live`. */
bool postern__template_split(postern_span text, bool live, postern__arn *out);

/* True when some reference in `text` is a variable, not an escape. */
bool postern__template_has_variable(postern_span text);

typedef struct postern__variable {
    uint32_t symbol;
    uint32_t fallback; /* offset in the names */
    uint32_t fallback_length;
    uint32_t has_fallback;
} postern__variable;

typedef struct postern__template {
    postern__glob glob;
    uint32_t variables; /* how many; 0: glob is ready to match */
    uint32_t again;     /* 1: reads the value of the template before it in another way */
} postern__template;

typedef enum postern__template_mode {
    POSTERN__TEXT,    /* wildcards are text, variables live */
    POSTERN__PATTERN, /* wildcards and variables live */
    POSTERN__ARN      /* a Resource: the colon rule, variables in part six only */
} postern__template_mode;

/* What templates are built into, and how much scratch expanding them takes:
 * a row needs `room + most * longest value` bytes. */
typedef struct postern__template_tables {
    postern__vector *texts;
    postern__vector *variables;
    postern__symbols *symbols;
    uint32_t room;
    uint32_t most;
} postern__template_tables;

/* `live`: variables and escapes mean something (Version 2012-10-17).
 * POSTERN_NO_MEMORY, or POSTERN_LIMIT for too many variables or keys. */
int postern__template_compile(postern__template_tables *tables, postern_span text,
                              postern__template_mode mode, bool live, postern__template *out);

/* Notes that `count` templates, one behind the other with a byte between them,
 * may be expanded together. */
void postern__template_note(postern__template_tables *tables, const postern__template *templates,
                            size_t count);

typedef enum postern__expansion {
    POSTERN__EXPANDED,
    POSTERN__NO_VALUE, /* a variable has none: the template matches nothing */
    POSTERN__NEEDS_KEY /* a variable's cell is unresolved; it is written as `*` */
} postern__expansion;

/* The finished tables that a template points into. */
typedef struct postern__template_pool {
    const char *texts;
    const char *names;
    const postern__variable *variables;
} postern__template_pool;

/* Writes the code to the row's scratch; `length` is its bytes. `key` gets the
 * symbol when one is needed. */
postern__expansion postern__template_expand(const postern__template *template,
                                            const postern__template_pool *pool,
                                            const postern__row *row, size_t *length,
                                            int32_t *key);

#endif
