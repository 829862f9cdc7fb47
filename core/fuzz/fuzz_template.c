/* The first byte chooses mode and version, the second what the cells hold; two
 * lines are values of condition keys, the rest is the text of a template. */
#include <stdlib.h>

#include "template.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static postern_span take_line(postern_span *rest) {
    size_t end = postern__span_find(*rest, 0, '\n');
    postern_span line = {rest->text, end};
    *rest = postern__span_from(*rest, end < rest->length ? end + 1 : end);
    return line;
}

static size_t count_tokens(const char *code, size_t length) {
    size_t tokens = 0;
    for (size_t i = 0; i < length; i++)
        tokens += (unsigned char)code[i] >= POSTERN__FIRST_TOKEN;
    return tokens;
}

/* A reference lies within the text, and is text again without its end. */
static void try_references(postern_span text) {
    for (size_t i = 0; i < text.length; i++) {
        postern__reference reference;
        if (!postern__reference_scan(text, i, &reference)) continue;
        require(reference.length >= 4 && reference.length <= text.length - i);
        require(text.text[i + reference.length - 1] == '}');
        require((reference.escape == 0) == (reference.key.length > 0));
        postern_span cut = {text.text, i + reference.length - 1};
        require(!postern__reference_scan(cut, i, &reference));
    }
}

/* The parts and the colons between them are the text. */
static void try_split(postern_span text, bool live) {
    postern__arn arn;
    if (!postern__template_split(text, live, &arn)) return;
    size_t length = POSTERN__ARN_PARTS - 1;
    for (int part = 0; part < POSTERN__ARN_PARTS; part++) length += arn.part[part].length;
    require(length == text.length);
    for (int part = 1; part < POSTERN__ARN_PARTS; part++) {
        require(arn.part[part].text[-1] == ':');
        require(arn.part[part].text == arn.part[part - 1].text + arn.part[part - 1].length + 1);
    }
}

/* Two bits of `choice` for each symbol: absent, unresolved, or one of the two
 * values. */
static postern__cell *new_cells(size_t count, uint8_t choice) {
    postern__cell *cells = calloc(count + 1, sizeof *cells);
    require(cells != NULL);
    for (size_t i = 0; i < count; i++) {
        unsigned what = choice >> (2 * i % 8) & 3;
        if (what == 1) cells[i].state = POSTERN__UNRESOLVED;
        if (what >= 2) cells[i] = (postern__cell){POSTERN__SINGLE, what - 2, 1};
    }
    return cells;
}

/* Expansion fits what was promised and brings no wildcard with it. `wild` is how
 * many the code has. */
static void try_expansion(const postern__template_tables *tables,
                          const postern__template *template, const postern_span values[2],
                          uint8_t choice, size_t wild) {
    postern__value stored[2] = {{.text = 0, .length = (uint32_t)values[0].length},
                                {.text = (uint32_t)(values[1].text - values[0].text),
                                 .length = (uint32_t)values[1].length}};
    size_t longest = values[0].length > values[1].length ? values[0].length : values[1].length;
    size_t room = tables->room + tables->most * longest;
    postern__cell *cells = new_cells(tables->symbols->symbols.count, choice);
    char *scratch = malloc(room);
    require(scratch != NULL);
    postern__row row = {
        .cells = cells, .values = stored, .texts = values[0].text, .scratch = scratch};
    postern__template_pool pool = {
        .texts = tables->texts->items,
        .names = tables->symbols->texts->items,
        .variables = POSTERN__AT(tables->variables, postern__variable, 0)};
    size_t length = 0;
    int32_t key = -1;
    switch (postern__template_expand(template, &pool, &row, &length, &key)) {
    case POSTERN__EXPANDED:
        require(length <= room && count_tokens(scratch, length) == wild);
        break;
    case POSTERN__NEEDS_KEY:
        require(key >= 0 && (size_t)key < tables->symbols->symbols.count);
        require(cells[key].state == POSTERN__UNRESOLVED);
        break;
    case POSTERN__NO_VALUE: break;
    }
    free(scratch);
    free(cells);
}

static size_t count_wildcards(const char *code, size_t length) {
    size_t wild = 0;
    for (size_t i = 0; i < length;) {
        unsigned char byte = (unsigned char)code[i];
        wild += byte >= POSTERN__FIRST_TOKEN && byte != POSTERN__VARIABLE;
        i += byte == POSTERN__VARIABLE ? 1 + sizeof(uint32_t) : 1;
        require(i <= length);
    }
    return wild;
}

static void try_template(postern_span text, postern__template_mode mode, bool live,
                         const postern_span values[2], uint8_t choice) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector texts, names, variables;
    postern__symbols symbols;
    postern__vector_init(&texts, 1, &allocator);
    postern__vector_init(&names, 1, &allocator);
    postern__vector_init(&variables, sizeof(postern__variable), &allocator);
    postern__symbols_init(&symbols, &names, &allocator);
    postern__template_tables tables = {
        .texts = &texts, .variables = &variables, .symbols = &symbols};
    postern__template template;
    int status = postern__template_compile(&tables, text, mode, live, &template);
    require(status == POSTERN_OK || status == POSTERN_LIMIT);
    if (status == POSTERN_OK) {
        size_t wild = count_wildcards(texts.items, texts.count);
        require(template.glob.length == texts.count);
        require(template.variables <= POSTERN__VARIABLES);
        if (!live) require(template.variables == 0 && texts.count == text.length);
        if (mode == POSTERN__TEXT) require(wild == 0);
        if (mode != POSTERN__ARN && live)
            require((template.variables > 0) == postern__template_has_variable(text));
        if (template.variables > 0) try_expansion(&tables, &template, values, choice, wild);
    }
    postern__symbols_free(&symbols);
    postern__vector_free(&variables);
    postern__vector_free(&names);
    postern__vector_free(&texts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    postern_span rest = {(const char *)data + 2, size - 2};
    if (!postern__utf8_valid(rest)) return 0; /* as the document has made sure of */
    postern_span values[2];
    values[0] = take_line(&rest);
    values[1] = take_line(&rest);
    bool live = (data[0] & 4) == 0;
    try_references(rest);
    try_split(rest, live);
    try_template(rest, (postern__template_mode)((data[0] & 3) % 3), live, values, data[1]);
    return 0;
}
