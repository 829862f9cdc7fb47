#include "glob.h"

#include "utf8.h"

bool postern__glob_encode(postern_span pattern, postern__vector *code) {
    unsigned char *out = postern__vector_push(code, pattern.text, pattern.length);
    if (out == NULL) return false;
    if (postern__span_find(pattern, 0, '*') == pattern.length &&
        postern__span_find(pattern, 0, '?') == pattern.length) {
        return true;
    }
    for (size_t i = 0; i < pattern.length; i++) {
        if (out[i] == '*') out[i] = POSTERN__RUN;
        if (out[i] == '?') out[i] = POSTERN__ONE;
    }
    return true;
}

bool postern__glob_too_long(postern_span pattern) {
    return pattern.length > POSTERN__PATTERN_BYTES &&
           (postern__span_find(pattern, 0, '*') < pattern.length ||
            postern__span_find(pattern, 0, '?') < pattern.length);
}

unsigned char postern__glob_confine(unsigned char byte, unsigned colons, bool ends_segment) {
    if (colons >= 5) return byte;
    if (byte == POSTERN__ONE) return POSTERN__ONE_IN_SEGMENT;
    if (byte == POSTERN__RUN && !ends_segment) return POSTERN__RUN_IN_SEGMENT;
    return byte;
}

static void confine_all(unsigned char *code, size_t length) {
    unsigned colons = 0;
    for (size_t i = 0; i < length; i++) {
        if (code[i] == ':') colons++;
        code[i] = postern__glob_confine(code[i], colons, i + 1 == length || code[i + 1] == ':');
    }
}

postern__glob postern__glob_measure(const char *block, size_t offset, size_t length) {
    const unsigned char *code = (const unsigned char *)block + offset;
    postern__glob glob = {.code = (uint32_t)offset, .length = (uint32_t)length};
    while (length - glob.head >= POSTERN__WORD &&
           postern__word_ascii(postern__word_at(block + offset + glob.head))) {
        glob.head += POSTERN__WORD;
    }
    while (glob.head < length && code[glob.head] < POSTERN__FIRST_TOKEN) glob.head++;
    if (glob.head == length) return glob;
    while (code[length - 1 - glob.tail] < POSTERN__FIRST_TOKEN) glob.tail++;
    return glob;
}

static bool run_stops_at(unsigned char run, char c) {
    if (run == POSTERN__RUN_IN_SEGMENT) return c == ':';
    return run == POSTERN__RUN_IN_NAME && (c == ':' || c == '/');
}

/* The point after the one at `t`. Text that is not UTF-8 stays in bounds. */
static const char *next_point(const char *t, const char *end) {
    size_t size = postern__point_size((unsigned char)*t);
    return size < (size_t)(end - t) ? t + size : end;
}

/* Where a free run that stood at `t` and is followed by `code` may try next:
 * past one more point, and then straight to the next byte that fits. NULL when
 * there is no such place. */
static const char *widen(const char *t, const char *end, const unsigned char *code,
                         const unsigned char *code_end) {
    if (t == end) return NULL;
    t = next_point(t, end);
    if (code == code_end || *code >= POSTERN__FIRST_TOKEN) return t;
    return memchr(t, *code, (size_t)(end - t));
}

/* The classic walk with two fingers: on a mismatch the last run takes one more
 * character. Two runs are remembered, the last free one and the last confined
 * one behind it, since a confined run that meets its delimiter has to hand back
 * to the free one.
 *
 * Leftmost choices are safe. Behind a free run only the place where the next
 * piece ends matters, and leftmost ends first. Between two confined runs the
 * piece either holds no colon, and then an earlier place reaches whatever a
 * later one reaches, or it holds one, and then only one place can fit.
 *
 * Time: a free run in front of confined ones is followed by a colon, and there
 * are at most five of those; so a text character is looked at by at most six
 * alignments of a piece: O(text * code). */
static bool match_between(const unsigned char *p, const unsigned char *p_end, const char *t,
                          const char *t_end) {
    const unsigned char *free_p = NULL, *confined_p = NULL;
    const char *free_t = NULL, *confined_t = NULL;
    while (p < p_end || t < t_end) {
        if (p < p_end) {
            unsigned char c = *p;
            if (c == POSTERN__RUN) {
                free_p = ++p;
                free_t = t;
                confined_p = NULL;
                if (p == p_end) return true;
                continue;
            }
            if (c == POSTERN__RUN_IN_SEGMENT || c == POSTERN__RUN_IN_NAME) {
                confined_p = ++p;
                confined_t = t;
                continue;
            }
            /* Too little text is left, and widening leaves less. */
            if (t == t_end) return false;
            if (c == POSTERN__ONE || (c == POSTERN__ONE_IN_SEGMENT && *t != ':')) {
                p++;
                t = next_point(t, t_end);
                continue;
            }
            if (c == (unsigned char)*t) {
                p++;
                t++;
                continue;
            }
        }
        if (confined_p != NULL && confined_t < t_end && !run_stops_at(confined_p[-1], *confined_t)) {
            confined_t = next_point(confined_t, t_end);
            p = confined_p;
            t = confined_t;
        } else if (free_p != NULL && (free_t = widen(free_t, t_end, free_p, p_end)) != NULL) {
            confined_p = NULL;
            p = free_p;
            t = free_t;
        } else {
            return false;
        }
    }
    return true;
}

/* ---- Pieces --------------------------------------------------------------
 *
 * What stands between two free runs is a piece. It is searched for by its rarest
 * literal byte, and the rest of it is compared from there, both ways: `?` has no
 * fixed length in bytes, so nothing else has a fixed place.
 *
 *    RUN / v ONE / users / RUN
 *          ^ searched for: not many texts have one                             */

/* Bytes that ARNs, paths and the actions of AWS are full of. */
static bool is_common(unsigned char c) {
    static const bool common[256] = {
        ['a'] = true, ['c'] = true, ['d'] = true, ['e'] = true, ['i'] = true, ['l'] = true,
        ['n'] = true, ['o'] = true, ['p'] = true, ['r'] = true, ['s'] = true, ['t'] = true,
        ['u'] = true, ['w'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true,
        [':'] = true, ['/'] = true, ['-'] = true, ['.'] = true, ['_'] = true,
    };
    return common[c];
}

/* The three runs have the highest bytes. */
static bool is_run(unsigned char c) { return c >= POSTERN__RUN_IN_NAME; }

/* The place of a one-point wildcard or a literal at `t`: the text behind it, or
 * NULL. */
static const char *step(unsigned char c, const char *t, const char *end) {
    if (t == end) return NULL;
    if (c == POSTERN__ONE || (c == POSTERN__ONE_IN_SEGMENT && *t != ':')) return next_point(t, end);
    return c == (unsigned char)*t ? t + 1 : NULL;
}

/* The text behind code without runs that starts at `t`, or NULL. */
static const char *match_forward(const unsigned char *p, const unsigned char *p_end, const char *t,
                                 const char *end) {
    for (; p < p_end && t != NULL; p++) t = step(*p, t, end);
    return t;
}

/* Where code without runs starts that ends at `t`, not before `start`; or NULL. */
static const char *match_backward(const unsigned char *p, const unsigned char *p_end,
                                  const char *start, const char *t) {
    while (p_end > p) {
        unsigned char c = *--p_end;
        if (t == start) return NULL;
        if (c < POSTERN__FIRST_TOKEN) {
            if (c != (unsigned char)*--t) return NULL;
            continue;
        }
        const char *last = t;
        do t--;
        while (t > start && last - t < 4 && postern__point_continues(*t));
        if (c == POSTERN__ONE_IN_SEGMENT && *t == ':') return NULL;
    }
    return t;
}

/* A piece, and the byte it is searched for by. */
struct piece {
    const unsigned char *p, *end;
    const unsigned char *rarest; /* NULL: nothing but `?` */
    bool literal;
};

/* Reads the piece at `p`. False when a confined run is in the way. */
static bool read_piece(const unsigned char *p, const unsigned char *p_end, struct piece *out) {
    const unsigned char *start = p, *rarest = NULL;
    bool rare = false, literal = true;
    for (;; p++) {
        for (; !rare && p < p_end && *p < POSTERN__FIRST_TOKEN; p++) {
            rare = !is_common(*p);
            if (rare || rarest == NULL) rarest = p;
        }
        while (p < p_end && *p < POSTERN__FIRST_TOKEN) p++;
        if (p == p_end || *p == POSTERN__RUN) break;
        if (is_run(*p)) return false;
        literal = false;
    }
    *out = (struct piece){start, p, rarest, literal};
    return true;
}

/* The text behind the leftmost place of a piece, or NULL. */
static const char *find_piece(const struct piece *piece, const char *t, const char *end) {
    if (piece->rarest == NULL) {
        const char *behind = NULL;
        while ((behind = match_forward(piece->p, piece->end, t, end)) == NULL && t < end) {
            t = next_point(t, end);
        }
        return behind;
    }
    /* Each code byte takes one of text at least. */
    size_t before = (size_t)(piece->rarest - piece->p), after = (size_t)(piece->end - piece->rarest);
    if ((size_t)(end - t) < before + after) return NULL;
    const char *last = end - after + 1;
    for (const char *at = t + before; at < last; at++) {
        at = memchr(at, *piece->rarest, (size_t)(last - at));
        if (at == NULL) return NULL;
        if (piece->literal) {
            if (memcmp(at - before, piece->p, before + after) == 0) return at + after;
            continue;
        }
        if (match_backward(piece->p, piece->rarest, t, at) == NULL) continue;
        const char *behind = match_forward(piece->rarest, piece->end, at, end);
        if (behind != NULL) return behind;
    }
    return NULL;
}

/* Between the literal ends: the code starts and ends with a token. Leftmost
 * places are safe, as above; with a confined run the walk takes over. */
static bool match_pieces(const unsigned char *p, const unsigned char *p_end, const char *t,
                         const char *t_end) {
    struct piece piece;
    if (*p != POSTERN__RUN) {
        if (!read_piece(p, p_end, &piece)) return match_between(p, p_end, t, t_end);
        t = match_forward(p, piece.end, t, t_end);
        if (t == NULL || piece.end == p_end) return t == t_end;
        p = piece.end;
    }
    for (;;) { /* `p` is at a free run */
        while (p < p_end && *p == POSTERN__RUN) p++;
        if (p == p_end) return true;
        if (!read_piece(p, p_end, &piece)) return match_between(p - 1, p_end, t, t_end);
        if (piece.end == p_end) return match_backward(p, p_end, t, t_end) != NULL;
        t = find_piece(&piece, t, t_end);
        if (t == NULL) return false;
        p = piece.end;
    }
}

bool postern__glob_match_middle(const postern__glob *glob, const char *block, postern_span text) {
    const unsigned char *code = (const unsigned char *)block + glob->code;
    return match_pieces(code + glob->head, code + glob->length - glob->tail, text.text + glob->head,
                        text.text + text.length - glob->tail);
}

/* ---- The public list of patterns ----------------------------------------
 *
 *    [ postern_glob | glob 0 | glob 1 | ... | code bytes ]   one allocation  */

struct postern_glob {
    postern_allocator allocator;
    size_t size;
    size_t count;
    size_t code; /* offset of the code bytes from the start */
    postern__glob globs[];
};

static int encode_all(const postern_span *patterns, size_t count, int kind, postern__vector *globs,
                      postern__vector *code, postern_error *error) {
    for (size_t i = 0; i < count; i++) {
        size_t start = code->count;
        if (!postern__utf8_valid(patterns[i])) {
            return postern__fail(error, POSTERN_VALUE, 0, 0,
                                 "pattern %zu is not UTF-8: encode it as UTF-8", i + 1);
        }
        if (postern__glob_too_long(patterns[i])) {
            return postern__fail(error, POSTERN_LIMIT, 0, 0,
                                 "pattern %zu has %zu bytes: a pattern with wildcards has at most %d",
                                 i + 1, patterns[i].length, POSTERN__PATTERN_BYTES);
        }
        if (!postern__glob_encode(patterns[i], code)) return postern__no_memory(error);
        if (code->count > UINT32_MAX) {
            return postern__fail(error, POSTERN_LIMIT, 0, 0,
                                 "more than 4 GiB of patterns: split the list");
        }
        if (kind == POSTERN_GLOB_RESOURCE) {
            confine_all((unsigned char *)code->items + start, code->count - start);
        }
        postern__glob glob = postern__glob_measure(code->items, start, code->count - start);
        if (postern__vector_push(globs, &glob, 1) == NULL) return postern__no_memory(error);
    }
    return POSTERN_OK;
}

static postern_glob *lay_out(const postern__vector *globs, const postern__vector *code,
                             const postern_allocator *allocator, postern_error *error) {
    size_t table = sizeof(postern_glob) + globs->count * sizeof(postern__glob);
    postern_glob *glob = postern__alloc(allocator, table + code->count);
    if (glob == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    glob->allocator = *allocator;
    glob->size = table + code->count;
    glob->count = globs->count;
    glob->code = table;
    if (globs->count > 0) memcpy(glob->globs, globs->items, globs->count * sizeof(postern__glob));
    if (code->count > 0) memcpy((char *)glob + table, code->items, code->count);
    return glob;
}

postern_glob *postern_glob_new(const postern_span *patterns, size_t count, int kind,
                               const postern_allocator *allocator, postern_error *error) {
    if (kind != POSTERN_GLOB_TEXT && kind != POSTERN_GLOB_RESOURCE) {
        postern__fail(error, POSTERN_MISUSE, 0, 0, "no such kind of glob: %d", kind);
        return NULL;
    }
    if (patterns == NULL && count > 0) {
        postern__fail(error, POSTERN_MISUSE, 0, 0, "%zu patterns announced but none given", count);
        return NULL;
    }
    if (count > INT32_MAX) {
        postern__fail(error, POSTERN_LIMIT, 0, 0, "more than %d patterns: split the list",
                      INT32_MAX);
        return NULL;
    }
    postern_allocator own = postern__allocator(allocator);
    postern__vector globs, code;
    postern__vector_init(&globs, sizeof(postern__glob), &own);
    postern__vector_init(&code, 1, &own);
    postern_glob *glob = NULL;
    if (encode_all(patterns, count, kind, &globs, &code, error) == POSTERN_OK) {
        glob = lay_out(&globs, &code, &own, error);
    }
    postern__vector_free(&globs);
    postern__vector_free(&code);
    return glob;
}

int32_t postern_glob_match(const postern_glob *glob, const char *text, size_t length) {
    const char *code = (const char *)glob + glob->code;
    if (text == NULL) text = ""; /* nothing may be added to NULL, not even 0 */
    for (size_t i = 0; i < glob->count; i++) {
        if (postern__glob_match(&glob->globs[i], code, (postern_span){text, length})) {
            return (int32_t)i;
        }
    }
    return POSTERN_NO_MATCH;
}

void postern_glob_free(postern_glob *glob) {
    if (glob == NULL) return;
    postern_allocator allocator = glob->allocator;
    postern__free(&allocator, glob, glob->size);
}
