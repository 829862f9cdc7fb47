#include "filing.h"

#include <stdlib.h>

#include "known.h"
#include "places.h"

#define NOTHING UINT32_MAX

/* So many steps before something is read that is anywhere, it is asked for. */
enum { AHEAD = 8 };

/* An id of a pattern that has others before it. */
struct link {
    uint32_t id;
    uint32_t next; /* NOTHING: the last */
};

struct building {
    const char *block;
    postern__vector patterns, links, table, sorted;
    size_t many; /* patterns with several ids */
    postern__gram_head head;
};

static uint32_t bits_for(size_t count) {
    uint32_t bits = 0;
    while (((size_t)1 << bits) < count) bits++;
    return bits;
}

static postern__pattern *pattern_at(const struct building *building, size_t index) {
    return POSTERN__AT(&building->patterns, postern__pattern, index);
}

postern__code_note postern__code_note_of(const char *block, const postern__glob *glob) {
    uint64_t hash = postern__text_hash(block + glob->code, glob->length, 0);
    return (postern__code_note){(uint32_t)hash, postern__places_width(block, glob)};
}

/* ---- Different patterns --------------------------------------------------*/

static bool same_code(const struct building *building, const postern__pattern *pattern,
                      const postern__filing *filing) {
    return pattern->variables == 0 && filing->variables == 0 &&
           pattern->glob.length == filing->glob.length &&
           postern__bytes_equal(building->block + pattern->glob.code,
                                building->block + filing->glob.code, filing->glob.length);
}

static bool add_id(struct building *building, postern__pattern *pattern, uint32_t id) {
    struct link link = {id, NOTHING};
    uint32_t linked = (uint32_t)building->links.count;
    if (postern__vector_push(&building->links, &link, 1) == NULL) return false;
    if (pattern->count++ == 1) {
        pattern->more = linked;
        building->many++;
    } else {
        POSTERN__AT(&building->links, struct link, pattern->last)->next = linked;
    }
    pattern->last = linked;
    return true;
}

/* Filings of the same code become one pattern. */
static bool add_filing(struct building *building, const postern__filing *filing) {
    postern__known *known = POSTERN__AT(&building->table, postern__known, 0);
    size_t at = filing->note.hash;
    for (; postern__known_next(&building->table, filing->note.hash, &at); at++) {
        postern__pattern *pattern = pattern_at(building, known[at].number - 1);
        if (same_code(building, pattern, filing)) return add_id(building, pattern, filing->id);
    }
    postern__pattern pattern = {.glob = filing->glob, .variables = filing->variables,
                                .id = filing->id, .more = NOTHING, .last = NOTHING, .count = 1,
                                .width = (uint16_t)filing->note.width};
    if (postern__vector_push(&building->patterns, &pattern, 1) == NULL) return false;
    known[at] = (postern__known){filing->note.hash, (uint32_t)building->patterns.count};
    return true;
}

static bool collect(struct building *building, const postern__filing *filings, size_t count) {
    if (postern__known_init(&building->table, count) == NULL) return false;
    for (size_t i = 0; i < count; i++) {
        if (count - i > AHEAD) postern__known_fetch(&building->table, filings[i + AHEAD].note.hash);
        if (!add_filing(building, &filings[i])) return false;
    }
    return true;
}

/* ---- By gram -------------------------------------------------------------*/

/* A pattern by what it is sorted by. */
struct sorted {
    uint64_t hash;
    uint32_t pattern;
    uint32_t unused;
};

/* By gram; the pattern's number makes the same bytes on every machine. */
static int by_gram(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->pattern > y->pattern) - (x->pattern < y->pattern);
}

static bool in_order(const struct sorted *sorted, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (by_gram(&sorted[i - 1], &sorted[i]) > 0) return false;
    }
    return true;
}

/* Sorts what `ends` parted by the first bits of the hash: each part is one or two
 * patterns, unless grams are chosen to be alike. */
static void sort_parts(struct sorted *sorted, const uint32_t *ends, size_t parts) {
    for (size_t part = 0, from = 0; part < parts; from = ends[part++]) {
        size_t count = ends[part] - from;
        if (!in_order(sorted + from, count)) qsort(sorted + from, count, sizeof *sorted, by_gram);
    }
}

/* Those without a gram first, as they came; the others by their hash. */
static bool sort_patterns(struct building *building) {
    size_t patterns = building->patterns.count;
    uint32_t bits = bits_for(patterns + 1);
    size_t parts = (size_t)1 << bits;
    building->table.count = 0; /* its memory is used again: each part's place, then its end */
    struct sorted *sorted = postern__vector_push(&building->sorted, NULL, patterns);
    uint32_t *places = postern__vector_push(&building->table, NULL, parts);
    if (sorted == NULL || places == NULL) return false;
    memset(places, 0, parts * sizeof *places);
    for (size_t i = 0; i < patterns; i++) {
        const postern__pattern *pattern = pattern_at(building, i);
        if (pattern->place != POSTERN__NO_PLACE) places[postern__gram_top(pattern->hash, bits)]++;
    }
    uint32_t at = 0, rest = 0;
    for (size_t part = 0; part < parts; part++) {
        uint32_t count = places[part];
        places[part] = at;
        at += count;
    }
    struct sorted *filed = sorted + building->head.figures.rest;
    for (uint32_t i = 0; i < patterns; i++) {
        const postern__pattern *pattern = pattern_at(building, i);
        struct sorted one = {pattern->hash, i, 0};
        if (pattern->place == POSTERN__NO_PLACE) sorted[rest++] = one;
        else filed[places[postern__gram_top(pattern->hash, bits)]++] = one;
    }
    sort_parts(filed, places, parts);
    return true;
}

/* ---- Laying out ----------------------------------------------------------*/

/* Gives `size` bytes their place in the index; `total` counts on. */
static uint32_t claim(size_t *total, size_t size) {
    size_t at = *total;
    *total = (at + size + 7) & ~(size_t)7;
    return (uint32_t)at;
}

static void fill_ids(const struct building *building, const postern__pattern *pattern,
                     uint32_t *ids) {
    *ids++ = pattern->id;
    for (uint32_t at = pattern->more; at != NOTHING;) {
        const struct link *link = POSTERN__AT(&building->links, struct link, at);
        *ids++ = link->id;
        at = link->next;
    }
}

/* An entry's gram into bloom and slots. */
static void file_gram(char *base, const postern__gram_head *head, const postern__pattern *pattern,
                      uint32_t entry) {
    bool floats = pattern->place == POSTERN__FLOATING;
    uint64_t *bloom = (uint64_t *)(void *)(base + (floats ? head->floating_bloom : head->bloom));
    bloom[postern__gram_top(pattern->hash, floats ? head->floating_bits : head->bloom_bits)] |=
        postern__gram_bloom(pattern->hash);
    postern__gram_slot *slots = (postern__gram_slot *)(void *)(base + head->slots);
    size_t mask = ((size_t)1 << head->slot_bits) - 1;
    size_t at = postern__gram_top(pattern->hash, head->slot_bits);
    while (slots[at].entry != 0) at = (at + 1) & mask;
    slots[at] = (postern__gram_slot){(uint32_t)pattern->hash, entry + 1};
}

static void fill(const struct building *building, char *base) {
    const postern__gram_head *head = &building->head;
    postern__gram_entry *entries = (postern__gram_entry *)(void *)(base + head->entries);
    uint32_t *ids = (uint32_t *)(void *)(base + head->ids), used = 0;
    size_t count = building->patterns.count;
    const struct sorted *sorted = POSTERN__AT(&building->sorted, struct sorted, 0);
    const struct sorted *before = NULL;
    memcpy(base, head, sizeof *head);
    for (size_t i = 0; i < count; i++) {
        const postern__pattern *pattern = pattern_at(building, sorted[i].pattern);
        if (count - i > AHEAD) postern__fetch(pattern_at(building, sorted[i + AHEAD].pattern));
        bool rests = i < head->figures.rest, many = pattern->count > 1;
        bool first = !rests && (before == NULL || before->hash != sorted[i].hash);
        bool last = i + 1 == count || rests || sorted[i + 1].hash != sorted[i].hash;
        entries[i] = (postern__gram_entry){.glob = pattern->glob,
                                           .ids = many ? used : pattern->id,
                                           .count = pattern->count,
                                           .high = (uint32_t)(pattern->hash >> 32),
                                           .has_variables = pattern->variables > 0,
                                           .last = last};
        if (many) {
            fill_ids(building, pattern, ids + used);
            used += pattern->count;
        }
        if (first) file_gram(base, head, pattern, (uint32_t)i);
        before = rests ? NULL : &sorted[i];
    }
}

static bool lay_out(struct building *building, postern__vector *out, size_t *offset) {
    postern__gram_head *head = &building->head;
    size_t total = 0, patterns = building->patterns.count;
    size_t fixed = patterns - head->figures.floating - head->figures.rest;
    head->figures.patterns = (uint32_t)patterns;
    /* Sixteen bits of bloom for a gram: two of a hundred others get past it. */
    head->bloom_bits = bits_for(fixed / 4 + 1);
    head->floating_bits = bits_for(head->figures.floating / 4 + 1);
    head->slot_bits = bits_for(2 * patterns + 1);
    claim(&total, sizeof *head);
    head->bloom = claim(&total, sizeof(uint64_t) << head->bloom_bits);
    head->floating_bloom = claim(&total, sizeof(uint64_t) << head->floating_bits);
    head->slots = claim(&total, sizeof(postern__gram_slot) << head->slot_bits);
    head->entries = claim(&total, patterns * sizeof(postern__gram_entry));
    head->ids = claim(&total, (building->links.count + building->many) * sizeof(uint32_t));
    size_t padding = (8 - out->count % 8) % 8;
    char *bytes = postern__vector_push(out, NULL, padding + total);
    if (bytes == NULL) return false;
    memset(bytes, 0, padding + head->entries); /* entries have no gaps */
    memset(bytes + padding + head->ids, 0, total - head->ids);
    *offset = out->count - total;
    fill(building, bytes + padding);
    return true;
}

bool postern__index_build(const char *block, const postern__filing *filings, size_t count,
                          postern__vector *out, size_t *offset) {
    struct building building = {.block = block};
    postern__vector_init(&building.patterns, sizeof(postern__pattern), &out->allocator);
    postern__vector_init(&building.links, sizeof(struct link), &out->allocator);
    postern__vector_init(&building.table, sizeof(postern__known), &out->allocator);
    postern__vector_init(&building.sorted, sizeof(struct sorted), &out->allocator);
    bool built = collect(&building, filings, count) &&
                 postern__places_choose(block, &building.patterns, &building.head) &&
                 sort_patterns(&building) && lay_out(&building, out, offset);
    postern__vector_free(&building.patterns);
    postern__vector_free(&building.links);
    postern__vector_free(&building.table);
    postern__vector_free(&building.sorted);
    return built;
}
