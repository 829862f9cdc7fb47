#include "index.h"

enum { FOLLOWED = 8 };

struct search {
    const postern__gram_head *head;
    const char *base, *block;
    postern_span text;
    postern__index_visit *visit;
    void *context;
    uint64_t followed[FOLLOWED]; /* hashes of floating grams */
    uint32_t followed_count;
};

/* With variables only what is literal in front is known to be there. */
static void try_entry(const struct search *search, const postern__gram_entry *entry) {
    bool sure = !entry->has_variables;
    if (sure) {
        if (!postern__glob_match(&entry->glob, search->block, search->text)) return;
    } else {
        postern_span start = {search->block + entry->glob.code, entry->glob.head};
        if (!postern__span_starts(search->text, start)) return;
    }
    const uint32_t *ids = (const uint32_t *)(const void *)(search->base + search->head->ids);
    const uint32_t *own = entry->count == 1 ? &entry->ids : ids + entry->ids;
    search->visit(search->context, own, entry->count, sure);
}

static const postern__gram_entry *entries_of(const struct search *search) {
    return (const postern__gram_entry *)(const void *)(search->base + search->head->entries);
}

static bool in_bloom(const char *words, uint32_t bits, uint64_t hash) {
    uint64_t mask = postern__gram_bloom(hash);
    return (((const uint64_t *)(const void *)words)[postern__gram_top(hash, bits)] & mask) == mask;
}

static const postern__gram_slot *next_slot(const struct search *search, uint64_t hash, size_t *at) {
    const postern__gram_slot *slots =
        (const postern__gram_slot *)(const void *)(search->base + search->head->slots);
    size_t mask = ((size_t)1 << search->head->slot_bits) - 1;
    for (; slots[*at].entry != 0; *at = (*at + 1) & mask) {
        const postern__gram_slot *found = &slots[*at];
        if (found->low != (uint32_t)hash ||
            entries_of(search)[found->entry - 1].high != (uint32_t)(hash >> 32)) {
            continue;
        }
        *at = (*at + 1) & mask;
        return found;
    }
    return NULL;
}

static void try_gram(const struct search *search, uint64_t hash) {
    size_t at = postern__gram_top(hash, search->head->slot_bits);
    for (const postern__gram_slot *slot; (slot = next_slot(search, hash, &at)) != NULL;) {
        const postern__gram_entry *entry = entries_of(search) + slot->entry - 1;
        do try_entry(search, entry);
        while (!entry++->last);
    }
}

_Static_assert(sizeof(postern__gram_slot) == 8, "slots and words of the bloom are as large");

static void search_places(const struct search *search) {
    const postern__gram_head *head = search->head;
    size_t length = search->text.length;
    uint64_t hashes[POSTERN__MOST_PLACES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < head->figures.places; i++) {
        unsigned number = head->places[i].number, width = head->places[i].width;
        bool starts = number < POSTERN__STARTS;
        size_t from = starts ? number : number - POSTERN__STARTS; /* or to the end */
        if (from + width > length) continue;
        const char *at = search->text.text + (starts ? from : length - from - width);
        uint64_t hash = hashes[count++] = postern__gram_hash(at, width, number);
        /* The waits of all places are one. */
        postern__fetch(search->base + head->bloom + 8 * postern__gram_top(hash, head->bloom_bits));
        postern__fetch(search->base + head->slots + 8 * postern__gram_top(hash, head->slot_bits));
    }
    for (uint32_t i = 0; i < count; i++) {
        if (in_bloom(search->base + head->bloom, head->bloom_bits, hashes[i])) {
            try_gram(search, hashes[i]);
        }
    }
}

/* Whether the bytes at `at` stood in the text before: what they lead to was
 * found there. The first few are remembered, which is all that most texts have. */
static bool was_before(struct search *search, uint64_t hash, const char *at, unsigned width) {
    for (uint32_t i = 0; i < search->followed_count; i++) {
        if (search->followed[i] == hash) return true;
    }
    if (search->followed_count < FOLLOWED) {
        search->followed[search->followed_count++] = hash;
        return false;
    }
    for (const char *before = at; before > search->text.text;) {
        if (memcmp(--before, at, width) == 0) return true;
    }
    return false;
}

static inline void search_floating(struct search *search, const char *at, unsigned width) {
    const postern__gram_head *head = search->head;
    uint64_t hash = postern__gram_hash(at, width, POSTERN__FLOATING);
    if (!in_bloom(search->base + head->floating_bloom, head->floating_bits, hash)) return;
    size_t slot = postern__gram_top(hash, head->slot_bits);
    if (next_slot(search, hash, &slot) != NULL && !was_before(search, hash, at, width)) {
        try_gram(search, hash);
    }
}

static inline void search_everywhere(struct search *search, unsigned width) {
    if (search->text.length < width) return;
    const char *last = search->text.text + search->text.length - width;
    for (const char *at = search->text.text; at <= last; at++) search_floating(search, at, width);
}

/* A bit for each delimiter among the first 64 bytes, the lowest for the first. */
static uint64_t delimiters_of(const char *text, size_t length) {
    uint64_t bits = 0;
    size_t at = 0;
    for (; at + 8 <= length && at < 64; at += 8) {
        uint64_t word = postern__word_at(text + at);
        uint64_t tops = postern__word_finds(word, ':') | postern__word_finds(word, '/');
        bits |= (tops >> 7) * UINT64_C(0x0102040810204080) >> 56 << at;
    }
    for (; at < length && at < 64; at++) bits |= (uint64_t)postern__gram_delimiter(text[at]) << at;
    return bits;
}

/* Grams that start with a delimiter: a tenth of the places of an ARN. */
static inline void search_delimited(struct search *search, unsigned width) {
    size_t length = search->text.length;
    for (size_t start = 0; start + width <= length; start += 64) {
        const char *chunk = search->text.text + start;
        uint64_t bits = delimiters_of(chunk, length - start - width + 1);
        for (; bits != 0; bits &= bits - 1) search_floating(search, chunk + postern__lowest_bit(bits), width);
    }
}

void postern__index_find(const char *index, const char *block, postern_span text,
                         postern__index_visit *visit, void *context) {
    struct search search;
    search.head = (const postern__gram_head *)(const void *)index;
    search.base = index;
    search.block = block;
    search.text = text;
    search.visit = visit;
    search.context = context;
    search.followed_count = 0;
    const postern__gram_entry *entries = entries_of(&search);
    for (uint32_t i = 0; i < search.head->figures.rest; i++) try_entry(&search, &entries[i]);
    search_places(&search);
    unsigned everywhere = search.head->everywhere, delimited = search.head->delimited;
    if ((everywhere & POSTERN__WIDE) != 0) search_everywhere(&search, POSTERN__WIDE);
    else if ((delimited & POSTERN__WIDE) != 0) search_delimited(&search, POSTERN__WIDE);
    if ((everywhere & POSTERN__NARROW) != 0) search_everywhere(&search, POSTERN__NARROW);
    else if ((delimited & POSTERN__NARROW) != 0) search_delimited(&search, POSTERN__NARROW);
}

postern__index_figures postern__index_figures_of(const char *index) {
    return ((const postern__gram_head *)(const void *)index)->figures;
}
