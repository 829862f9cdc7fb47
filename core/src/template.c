#include "template.h"

#include <limits.h>

enum { ARN_COLONS = 5 }; /* before the sixth part */

/* ---- Syntax --------------------------------------------------------------*/

static bool is_key_character(char c) {
    return c != '\0' && memchr(" \t\n\v\f\r,'${}", c, 11) == NULL;
}

/* `, 'default'` behind a key, written exactly so. */
static bool scan_fallback(postern_span text, size_t *at, postern__reference *out) {
    if (!postern__span_starts(postern__span_from(text, *at), POSTERN__SPAN(", '"))) return false;
    size_t start = *at + 3;
    size_t quote = postern__span_find(text, start, '\'');
    if (quote == text.length) return false;
    out->has_fallback = true;
    out->fallback = (postern_span){text.text + start, quote - start};
    *at = quote + 1;
    return true;
}

bool postern__reference_scan(postern_span text, size_t at, postern__reference *out) {
    *out = (postern__reference){0};
    if (!postern__span_starts(postern__span_from(text, at), POSTERN__SPAN("${"))) return false;
    size_t i = at + 2;
    if (i + 1 < text.length && text.text[i + 1] == '}' && memchr("*?$", text.text[i], 3) != NULL) {
        out->escape = text.text[i];
        out->length = 4;
        return true;
    }
    while (i < text.length && is_key_character(text.text[i])) i++;
    out->key = (postern_span){text.text + at + 2, i - at - 2};
    if (out->key.length == 0 || i == text.length) return false;
    if (text.text[i] == ',' && !scan_fallback(text, &i, out)) return false;
    if (i == text.length || text.text[i] != '}') return false;
    out->length = i + 1 - at;
    return true;
}

/* Bytes of the reference at `at` when references are live, else 0. */
static size_t reference_length(postern_span text, size_t at, bool live) {
    postern__reference reference;
    if (!live || text.text[at] != '$' || !postern__reference_scan(text, at, &reference)) return 0;
    return reference.length;
}

bool postern__template_split(postern_span text, bool live, postern__arn *out) {
    if (!live || postern__span_find(text, 0, '$') == text.length) {
        return postern__arn_split(text, out);
    }
    size_t start = 0;
    int part = 0;
    for (size_t i = 0; i < text.length && part < POSTERN__ARN_RESOURCE;) {
        size_t skip = reference_length(text, i, live);
        if (skip == 0 && text.text[i] == ':') {
            out->part[part++] = (postern_span){text.text + start, i - start};
            start = i + 1;
        }
        i += skip > 0 ? skip : 1;
    }
    out->part[POSTERN__ARN_RESOURCE] = postern__span_from(text, start);
    return part == POSTERN__ARN_RESOURCE;
}

bool postern__template_has_variable(postern_span text) {
    postern__reference reference;
    for (size_t i = 0; (i = postern__span_find(text, i, '$')) < text.length; i++) {
        if (postern__reference_scan(text, i, &reference) && reference.escape == 0) return true;
    }
    return false;
}

/* ---- Compiling -----------------------------------------------------------*/

static int push_variable(postern__template_tables *tables, const postern__reference *reference,
                         unsigned char *out) {
    postern__variable variable = {.has_fallback = reference->has_fallback};
    int status = postern__symbols_add(tables->symbols, reference->key, 0, &variable.symbol);
    if (status != POSTERN_OK) return status;
    postern__vector *names = tables->symbols->texts;
    variable.fallback = (uint32_t)names->count;
    variable.fallback_length = (uint32_t)reference->fallback.length;
    uint32_t index = (uint32_t)tables->variables->count;
    if (postern__vector_push(names, reference->fallback.text, reference->fallback.length) == NULL ||
        postern__vector_push(tables->variables, &variable, 1) == NULL) {
        return POSTERN_NO_MEMORY;
    }
    out[0] = POSTERN__VARIABLE;
    memcpy(out + 1, &index, sizeof index);
    return POSTERN_OK;
}

/* What a byte may be besides text. */
enum { MAY_BE_WILDCARD = 1, MAY_BE_REFERENCE = 2 };

static const unsigned char may_be[UCHAR_MAX + 1] = {
    ['*'] = MAY_BE_WILDCARD, ['?'] = MAY_BE_WILDCARD, ['$'] = MAY_BE_REFERENCE};

/* Not 0 where a word has a `*`, `?` or `$`, or a byte that is not ASCII. Of ASCII
 * bytes only one below what is taken from it gets its top bit set, or borrows. */
static uint64_t specials_of(uint64_t word) {
    uint64_t run = (word ^ POSTERN__EACH_BYTE('*')) - POSTERN__EACH_BYTE(1);
    uint64_t one = (word ^ POSTERN__EACH_BYTE('?')) - POSTERN__EACH_BYTE(1);
    uint64_t reference = (word ^ POSTERN__EACH_BYTE('$')) - POSTERN__EACH_BYTE(1);
    return (run | one | reference | word) & POSTERN__EACH_BYTE(0x80);
}

/* Where text and nothing else ends that starts at `at`. */
static size_t plain_end(postern_span text, size_t at, unsigned looked_for) {
    while (text.length - at >= POSTERN__WORD &&
           specials_of(postern__word_at(text.text + at)) == 0) {
        at += POSTERN__WORD;
    }
    while (at < text.length && (may_be[(unsigned char)text.text[at]] & looked_for) == 0) at++;
    return at;
}

/* The same before the sixth part of an ARN: also behind the fifth colon. */
static size_t plain_end_of_part(postern_span text, size_t at, unsigned looked_for,
                                unsigned *colons) {
    for (; text.length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        uint64_t word = postern__word_at(text.text + at);
        unsigned more = postern__tops_count(postern__word_finds(word, ':'));
        if (specials_of(word) != 0 || *colons + more >= ARN_COLONS) break;
        *colons += more;
    }
    for (; at < text.length && *colons < ARN_COLONS; at++) {
        if ((may_be[(unsigned char)text.text[at]] & looked_for) != 0) break;
        *colons += text.text[at] == ':';
    }
    return at;
}

static unsigned char encode_byte(char c, postern__template_mode mode, unsigned colons,
                                 bool ends_segment) {
    unsigned char code = (unsigned char)c;
    if (mode == POSTERN__TEXT) return code;
    if (code == '*') code = POSTERN__RUN;
    if (code == '?') code = POSTERN__ONE;
    return mode == POSTERN__ARN ? postern__glob_confine(code, colons, ends_segment) : code;
}

/* Writes the code of `text` to `out`, which has room for 2 bytes a byte. */
static int encode(postern__template_tables *tables, postern_span text, postern__template_mode mode,
                  bool live, unsigned char *out, size_t *length, uint32_t *variables) {
    unsigned colons = mode == POSTERN__ARN ? 0 : ARN_COLONS;
    size_t n = 0, text_until = 0; /* a reference that stays text ends there */
    unsigned looked_for =
        (mode == POSTERN__TEXT ? 0 : MAY_BE_WILDCARD) | (live ? MAY_BE_REFERENCE : 0);
    for (size_t i = 0; i < text.length;) {
        /* The colons of a reference do not count. */
        postern_span here = {text.text, i < text_until ? text_until : text.length};
        bool counts = colons < ARN_COLONS && i >= text_until;
        size_t end = counts ? plain_end_of_part(here, i, looked_for, &colons)
                            : plain_end(here, i, looked_for);
        memcpy(out + n, text.text + i, end - i);
        n += end - i;
        i = end;
        if (i == here.length || (counts && colons == ARN_COLONS)) continue;
        postern__reference reference;
        if (live && i >= text_until && text.text[i] == '$' &&
            postern__reference_scan(text, i, &reference)) {
            if (reference.escape != 0 || colons == ARN_COLONS) {
                if (reference.escape != 0) {
                    out[n++] = (unsigned char)reference.escape;
                } else {
                    if (++*variables > POSTERN__VARIABLES) return POSTERN_LIMIT;
                    int status = push_variable(tables, &reference, out + n);
                    if (status != POSTERN_OK) return status;
                    n += 1 + sizeof(uint32_t);
                }
                i += reference.length;
                continue;
            }
            text_until = i + reference.length;
        }
        bool ends_segment = i + 1 == text.length || text.text[i + 1] == ':';
        out[n++] = encode_byte(text.text[i++], mode, colons, ends_segment);
    }
    *length = n;
    return POSTERN_OK;
}

void postern__template_note(postern__template_tables *tables, const postern__template *templates,
                            size_t count) {
    size_t room = count;
    uint32_t variables = 0;
    for (size_t i = 0; i < count; i++) {
        room += templates[i].glob.length;
        variables += templates[i].variables;
    }
    /* Those compiled last are at the end of the table. */
    for (size_t i = tables->variables->count - variables; i < tables->variables->count; i++) {
        room += POSTERN__AT(tables->variables, postern__variable, i)->fallback_length;
    }
    if (variables == 0) return;
    if (room > tables->room) tables->room = (uint32_t)room;
    if (variables > tables->most) tables->most = variables;
}

int postern__template_compile(postern__template_tables *tables, postern_span text,
                              postern__template_mode mode, bool live, postern__template *out) {
    postern__vector *texts = tables->texts;
    size_t start = texts->count, length = 0;
    if (!postern__vector_reserve(texts, 2 * text.length + 1)) return POSTERN_NO_MEMORY;
    out->variables = 0;
    out->again = 0;
    int status = encode(tables, text, mode, live, (unsigned char *)texts->items + start, &length,
                        &out->variables);
    if (status != POSTERN_OK) return status;
    texts->count += length;
    out->glob = postern__glob_measure(texts->items, start, length);
    postern__template_note(tables, out, 1);
    return POSTERN_OK;
}

/* ---- Expanding -----------------------------------------------------------*/

/* The text that replaces a variable. Empty text counts as no value; so does a
 * multivalued key. An empty default is a value: it was written down. */
static postern__expansion resolve(const postern__variable *variable,
                                  const postern__template_pool *pool, const postern__row *row,
                                  postern_span *out) {
    const postern__cell *cell = &row->cells[variable->symbol];
    if (cell->state == POSTERN__UNRESOLVED) return POSTERN__NEEDS_KEY;
    if (cell->state == POSTERN__SINGLE) {
        *out = postern__value_text(row, &row->values[cell->first]);
        if (out->length > 0) return POSTERN__EXPANDED;
    }
    if (!variable->has_fallback) return POSTERN__NO_VALUE;
    *out = (postern_span){pool->names + variable->fallback, variable->fallback_length};
    return POSTERN__EXPANDED;
}

postern__expansion postern__template_expand(const postern__template *template,
                                            const postern__template_pool *pool,
                                            const postern__row *row, size_t *length,
                                            int32_t *key) {
    const unsigned char *code = (const unsigned char *)pool->texts + template->glob.code;
    postern__expansion result = POSTERN__EXPANDED;
    size_t n = 0;
    for (size_t i = 0; i < template->glob.length;) {
        if (code[i] != POSTERN__VARIABLE) {
            row->scratch[n++] = (char)code[i++];
            continue;
        }
        uint32_t index;
        memcpy(&index, code + i + 1, sizeof index);
        postern_span text = {NULL, 0};
        const postern__variable *variable = &pool->variables[index];
        postern__expansion one = resolve(variable, pool, row, &text);
        /* No value settles the matter whatever the other variables hold. */
        if (one == POSTERN__NO_VALUE) return one;
        if (one == POSTERN__NEEDS_KEY) {
            if (result == POSTERN__EXPANDED) *key = (int32_t)variable->symbol;
            result = one;
            row->scratch[n++] = (char)POSTERN__RUN; /* fewer bytes than the reference has */
        }
        if (text.length > 0) memcpy(row->scratch + n, text.text, text.length);
        n += text.length;
        i += 1 + sizeof index;
    }
    *length = n;
    return result;
}
