#include "symbol.h"

void postern__symbols_init(postern__symbols *symbols, postern__vector *texts,
                           const postern_allocator *allocator) {
    postern__vector_init(&symbols->symbols, sizeof(postern__symbol), allocator);
    postern__vector_init(&symbols->sorted, sizeof(uint32_t), allocator);
    symbols->texts = texts;
}

void postern__symbols_free(postern__symbols *symbols) {
    postern__vector_free(&symbols->symbols);
    postern__vector_free(&symbols->sorted);
}

/* Less than, equal to or greater than zero as `name`, folded, is to `symbol`. */
static int compare(postern_span name, const postern__symbol *symbol, const char *texts) {
    const unsigned char *known = (const unsigned char *)texts + symbol->name;
    size_t shorter = name.length < symbol->length ? name.length : symbol->length;
    for (size_t i = 0; i < shorter; i++) {
        int difference = postern__lower((unsigned char)name.text[i]) - known[i];
        if (difference != 0) return difference;
    }
    return (name.length > symbol->length) - (name.length < symbol->length);
}

/* Where `name` stands in sorted order, or would stand. */
static size_t place_of(const postern__symbol *symbols, const uint32_t *sorted, size_t count,
                       const char *texts, postern_span name, bool *found) {
    size_t low = 0, high = count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(name, &symbols[sorted[middle]], texts);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return low;
}

int32_t postern__symbol_find(const postern__symbol *symbols, const uint32_t *sorted, size_t count,
                             const char *texts, postern_span name) {
    bool found;
    size_t place = place_of(symbols, sorted, count, texts, name, &found);
    return found ? (int32_t)sorted[place] : -1;
}

static int add_new(postern__symbols *symbols, postern_span name, uint32_t uses, size_t place,
                   uint32_t *id) {
    size_t count = symbols->symbols.count;
    if (count == POSTERN__KEYS) return POSTERN_LIMIT;
    if (!postern__vector_reserve(&symbols->symbols, 1) ||
        !postern__vector_reserve(&symbols->sorted, 1)) {
        return POSTERN_NO_MEMORY;
    }
    size_t start = symbols->texts->count;
    char *text = postern__vector_push(symbols->texts, name.text, name.length);
    if (text == NULL) return POSTERN_NO_MEMORY;
    for (size_t i = 0; i < name.length; i++) {
        text[i] = (char)postern__lower((unsigned char)text[i]);
    }
    postern__symbol symbol = {(uint32_t)start, (uint32_t)name.length, uses};
    postern__vector_push(&symbols->symbols, &symbol, 1);
    postern__vector_push(&symbols->sorted, NULL, 1);
    uint32_t *sorted = POSTERN__AT(&symbols->sorted, uint32_t, 0);
    memmove(sorted + place + 1, sorted + place, (count - place) * sizeof *sorted);
    sorted[place] = *id = (uint32_t)count;
    return POSTERN_OK;
}

int postern__symbols_add(postern__symbols *symbols, postern_span name, uint32_t uses,
                         uint32_t *id) {
    bool found;
    const uint32_t *sorted = POSTERN__AT(&symbols->sorted, uint32_t, 0);
    size_t place = place_of(POSTERN__AT(&symbols->symbols, postern__symbol, 0), sorted,
                            symbols->symbols.count, symbols->texts->items, name, &found);
    if (!found) return add_new(symbols, name, uses, place, id);
    *id = sorted[place];
    POSTERN__AT(&symbols->symbols, postern__symbol, *id)->uses |= uses;
    return POSTERN_OK;
}

void postern__symbols_cut(postern__symbols *symbols, size_t count) {
    uint32_t *sorted = POSTERN__AT(&symbols->sorted, uint32_t, 0);
    size_t kept = 0;
    for (size_t i = 0; i < symbols->sorted.count; i++) {
        if (sorted[i] < count) sorted[kept++] = sorted[i];
    }
    symbols->sorted.count = kept;
    symbols->symbols.count = count;
}
