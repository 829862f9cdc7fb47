#include "filing.h"

#include <stdlib.h>

enum {
    /* Patterns that may share a gram as if it were their own: one more place
     * costs about as much as trying one more of them. */
    RARE = 3,
    /* Looking everywhere costs about as much as trying this many patterns, and
     * looking behind delimiters as much as these. */
    WORTH_EVERYWHERE = 12,
    WORTH_DELIMITERS = 4,
    /* Grams are counted roughly, in no more than 16 MiB. */
    MOST_COUNTER_BITS = 23
};

#define NOTHING UINT32_MAX

/* A different pattern, while it is given its gram. */
struct draft {
    postern__glob glob;
    uint32_t variables;
    uint32_t first, last; /* links of its ids */
    uint32_t count;
    uint32_t width;       /* of its grams; 0: it has none */
    uint32_t least;       /* how often its rarest fixed gram occurs; NOTHING: none */
    uint32_t place;       /* NOTHING: not given yet; POSTERN__FLOATING */
    uint64_t good[POSTERN__FIXED / 64]; /* fixed places with a gram nearly as rare */
    uint64_t hash;        /* of the gram it is filed under */
    /* Its rarest floating gram, and its rarest that starts with a delimiter. */
    uint64_t floating, delimited;
    uint32_t floating_least, delimited_least;
};

struct link {
    uint32_t id;
    uint32_t next; /* NOTHING: the last */
};

struct building {
    const char *block;
    postern__vector drafts, links, table, counters;
    uint32_t counter_bits;
    postern__vector pending; /* drafts, by number, without a place so far */
    postern__vector sorted;
    postern__gram_head head;
};

static uint32_t bits_for(size_t count) {
    uint32_t bits = 0;
    while (((size_t)1 << bits) < count) bits++;
    return bits;
}

static struct draft *draft_at(const struct building *building, size_t index) {
    return POSTERN__AT(&building->drafts, struct draft, index);
}

static struct draft *pending_at(const struct building *building, size_t index) {
    return draft_at(building, *POSTERN__AT(&building->pending, uint32_t, index));
}

static bool same_code(const struct building *building, const struct draft *draft,
                      const postern__filing *filing) {
    return draft->variables == 0 && filing->variables == 0 &&
           draft->glob.length == filing->glob.length &&
           postern__bytes_equal(building->block + draft->glob.code,
                                building->block + filing->glob.code, filing->glob.length);
}

/* Files of the same code become one draft. */
static bool add_filing(struct building *building, const postern__filing *filing) {
    uint32_t *table = POSTERN__AT(&building->table, uint32_t, 0);
    size_t mask = building->table.count - 1;
    struct link link = {filing->id, NOTHING};
    uint32_t linked = (uint32_t)building->links.count;
    if (postern__vector_push(&building->links, &link, 1) == NULL) return false;
    size_t at = postern__text_hash(building->block + filing->glob.code, filing->glob.length, 0) & mask;
    for (; table[at] != 0; at = (at + 1) & mask) {
        struct draft *draft = draft_at(building, table[at] - 1);
        if (!same_code(building, draft, filing)) continue;
        POSTERN__AT(&building->links, struct link, draft->last)->next = linked;
        draft->last = linked;
        draft->count++;
        return true;
    }
    struct draft draft = {.glob = filing->glob, .variables = filing->variables, .first = linked,
                          .last = linked, .count = 1, .least = NOTHING, .place = NOTHING,
                          .floating_least = NOTHING, .delimited_least = NOTHING};
    if (postern__vector_push(&building->drafts, &draft, 1) == NULL) return false;
    table[at] = (uint32_t)building->drafts.count;
    return true;
}

/* Where the literal bytes from `at` on end. Nearly all of them are ASCII. */
static size_t run_end(const char *code, size_t length, size_t at) {
    for (; length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        if (!postern__word_ascii(postern__word_at(code + at))) break;
    }
    while (at < length && (unsigned char)code[at] < POSTERN__FIRST_TOKEN) at++;
    return at;
}

/* The next run of literal bytes at or after `*at`: its length, 0 at the end. */
static size_t next_run(const char *code, size_t length, size_t *at) {
    while (*at < length && (unsigned char)code[*at] >= POSTERN__FIRST_TOKEN) {
        *at += (unsigned char)code[*at] == POSTERN__VARIABLE ? 1 + sizeof(uint32_t) : 1;
    }
    return *at < length ? run_end(code, length, *at) - *at : 0;
}

/* Grams one behind the other: the first at `text`, its place, and what is added
 * to the place for each that follows. */
struct stretch {
    const char *text;
    size_t count;
    unsigned number;
    int step;
};

/* The next grams of a draft that there are places for, from `*at` of its code on.
 * `all_float`: as if none were fixed. */
static bool next_stretch(const struct building *building, const struct draft *draft,
                         bool all_float, size_t *at, struct stretch *out) {
    const char *code = building->block + draft->glob.code;
    size_t length = draft->glob.length, width = draft->width, run;
    if (width == 0) return false;
    while ((run = next_run(code, length, at)) > 0) {
        size_t from = *at, skipped = 0;
        *at += run;
        if (run < width) continue;
        *out = (struct stretch){code + from, run - width + 1, POSTERN__FLOATING, 0};
        if (all_float) return true;
        if (from == 0) {
            out->number = 0;
            out->step = 1;
            if (out->count > POSTERN__STARTS) out->count = POSTERN__STARTS;
        } else if (from + run == length) {
            if (out->count > POSTERN__ENDS) skipped = out->count - POSTERN__ENDS;
            out->text += skipped;
            out->count -= skipped;
            out->number = POSTERN__STARTS + (unsigned)out->count - 1;
            out->step = -1;
        }
        return true;
    }
    return false;
}

/* How often grams occur, nearly: some share a counter. */
struct counters {
    uint16_t *items;
    uint32_t bits;
};

static struct counters counters_of(const struct building *building) {
    return (struct counters){POSTERN__AT(&building->counters, uint16_t, 0), building->counter_bits};
}

static void count_grams(const struct building *building, const struct draft *draft) {
    struct counters counters = counters_of(building);
    struct stretch grams;
    for (size_t at = 0; next_stretch(building, draft, false, &at, &grams);) {
        unsigned number = grams.number;
        for (size_t i = 0; i < grams.count; i++, number += (unsigned)grams.step) {
            uint64_t hash = postern__gram_hash(grams.text + i, draft->width, number);
            uint16_t *counter = &counters.items[postern__gram_top(hash, counters.bits)];
            *counter += *counter < UINT16_MAX;
        }
    }
}

static void find_rarest_floating(const struct building *building, struct draft *draft,
                                 const struct stretch *grams) {
    struct counters counters = counters_of(building);
    for (size_t i = 0; i < grams->count; i++) {
        uint64_t hash = postern__gram_hash(grams->text + i, draft->width, POSTERN__FLOATING);
        uint32_t count = counters.items[postern__gram_top(hash, counters.bits)];
        if (count < draft->floating_least) {
            draft->floating_least = count;
            draft->floating = hash;
        }
        if (postern__gram_delimiter(grams->text[i]) && count < draft->delimited_least) {
            draft->delimited_least = count;
            draft->delimited = hash;
        }
    }
}

/* Finds the rarest of each kind. Of the fixed ones `counts` are by place: those
 * from the start first, `starts` of them, and those from the end. */
struct counts {
    uint16_t items[POSTERN__FIXED];
    size_t starts, ends;
};

static void find_rarest(const struct building *building, struct draft *draft,
                        struct counts *counts) {
    struct counters counters = counters_of(building);
    struct stretch grams;
    uint32_t least = NOTHING;
    counts->starts = counts->ends = 0;
    for (size_t at = 0; next_stretch(building, draft, false, &at, &grams);) {
        unsigned number = grams.number;
        if (number == POSTERN__FLOATING) {
            find_rarest_floating(building, draft, &grams);
            continue;
        }
        *(number == 0 ? &counts->starts : &counts->ends) = grams.count;
        for (size_t i = 0; i < grams.count; i++, number += (unsigned)grams.step) {
            uint64_t hash = postern__gram_hash(grams.text + i, draft->width, number);
            uint16_t count = counters.items[postern__gram_top(hash, counters.bits)];
            counts->items[number] = count;
            least = count < least ? count : least;
        }
    }
    draft->least = least;
}

static void mark_good_from(struct draft *draft, const struct counts *counts, unsigned first,
                           size_t count) {
    uint32_t enough = draft->least + draft->least / 2;
    if (enough < RARE) enough = RARE;
    for (unsigned number = first; number < first + count; number++) {
        draft->good[number / 64] |= (uint64_t)(counts->items[number] <= enough) << (number % 64);
    }
}

/* Of the fixed places those whose gram is nearly as rare as the rarest. */
static void mark_good(struct draft *draft, const struct counts *counts) {
    mark_good_from(draft, counts, 0, counts->starts);
    mark_good_from(draft, counts, POSTERN__STARTS, counts->ends);
}

/* The width of the grams a code has: the longest run decides. */
static uint32_t width_of(const char *block, const postern__glob *glob) {
    const char *code = block + glob->code;
    size_t longest = 0, run;
    for (size_t at = 0; (run = next_run(code, glob->length, &at)) > 0; at += run) {
        if (run > longest) longest = run;
    }
    return longest >= POSTERN__WIDE ? POSTERN__WIDE : longest >= POSTERN__NARROW ? POSTERN__NARROW : 0;
}

bool postern__index_has_gram(const char *block, const postern__glob *glob) {
    return width_of(block, glob) > 0;
}

static bool has_place(const struct draft *draft, unsigned number) {
    return (draft->good[number / 64] >> (number % 64) & 1) != 0;
}

static uint64_t hash_at(const struct building *building, const struct draft *draft,
                        unsigned number) {
    const char *code = building->block + draft->glob.code;
    size_t offset = number < POSTERN__STARTS ? number : draft->glob.length - (number - POSTERN__STARTS) - draft->width;
    return postern__gram_hash(code + offset, draft->width, number);
}

/* Which of the places gives a gram to the most of `pending`. POSTERN__FLOATING: no place
 * gives one to any. */
static unsigned best_place(const struct building *building) {
    uint32_t tally[POSTERN__FIXED] = {0};
    for (size_t i = 0; i < building->pending.count; i++) {
        const struct draft *draft = pending_at(building, i);
        for (unsigned k = 0; k < POSTERN__FIXED / 64; k++) {
            for (uint64_t bits = draft->good[k]; bits != 0; bits &= bits - 1) {
                tally[64 * k + postern__lowest_bit(bits)]++;
            }
        }
    }
    unsigned best = 0;
    for (unsigned number = 1; number < POSTERN__FIXED; number++) {
        if (tally[number] > tally[best]) best = number;
    }
    return tally[best] > 0 ? best : POSTERN__FLOATING;
}

/* Files what has a gram at a place there; the others stay pending. */
static void use_place(struct building *building, unsigned number) {
    uint32_t *pending = POSTERN__AT(&building->pending, uint32_t, 0);
    size_t left = 0;
    for (size_t i = 0; i < building->pending.count; i++) {
        struct draft *draft = pending_at(building, i);
        if (!has_place(draft, number)) {
            pending[left++] = pending[i];
            continue;
        }
        draft->place = number;
        draft->hash = hash_at(building, draft, number);
    }
    building->pending.count = left;
}

static bool choose_places(struct building *building, uint32_t width) {
    postern__gram_head *head = &building->head;
    uint32_t most = width == POSTERN__WIDE ? POSTERN__MOST_PLACES - POSTERN__MOST_PLACES / 3 : POSTERN__MOST_PLACES;
    building->pending.count = 0;
    for (uint32_t i = 0; i < building->drafts.count; i++) {
        if (draft_at(building, i)->width != width) continue;
        if (postern__vector_push(&building->pending, &i, 1) == NULL) return false;
    }
    while (head->figures.places < most) {
        unsigned number = best_place(building);
        if (number == POSTERN__FLOATING) break;
        head->places[head->figures.places++] = (postern__gram_place){(uint16_t)number, (uint16_t)width};
        use_place(building, number);
    }
    return true;
}

/* A fixed gram is preferred when it is rare, or as rare as a floating one. */
static void weigh(struct building *building) {
    struct counts counts;
    for (size_t i = 0; i < building->drafts.count; i++) {
        struct draft *draft = draft_at(building, i);
        find_rarest(building, draft, &counts);
        if (draft->least != NOTHING &&
            (draft->least <= RARE || draft->least <= draft->floating_least)) {
            mark_good(draft, &counts);
        }
    }
}

/* Whether a gram that starts with a delimiter will do. */
static bool is_delimited(const struct draft *draft) {
    uint32_t enough = draft->floating_least + draft->floating_least / 2;
    return draft->delimited_least <= (enough > RARE ? enough : RARE);
}

static void let_float(struct building *building, struct draft *draft, bool delimited) {
    postern__gram_head *head = &building->head;
    draft->place = POSTERN__FLOATING;
    draft->hash = delimited ? draft->delimited : draft->floating;
    head->figures.floating++;
    if (delimited) {
        head->delimited |= (uint16_t)draft->width;
    } else {
        head->figures.everywhere++;
        head->everywhere |= (uint16_t)draft->width;
    }
}

/* The rarest floating gram of a draft all of whose grams are fixed. */
static void let_all_float(struct building *building, struct draft *draft) {
    struct stretch grams;
    for (size_t at = 0; next_stretch(building, draft, true, &at, &grams);) {
        find_rarest_floating(building, draft, &grams);
    }
}

/* Those that no place was found for float, or are tried always. */
static void settle(struct building *building) {
    uint32_t everywhere = 0, delimited = 0;
    for (size_t i = 0; i < building->drafts.count; i++) {
        struct draft *draft = draft_at(building, i);
        if (draft->place != NOTHING || draft->width == 0) continue;
        if (draft->floating_least == NOTHING) let_all_float(building, draft);
        if (is_delimited(draft)) delimited++;
        else everywhere++;
    }
    for (size_t i = 0; i < building->drafts.count; i++) {
        struct draft *draft = draft_at(building, i);
        if (draft->place != NOTHING) continue;
        /* Few that want to be looked for everywhere are better found with some
         * others behind a delimiter. */
        bool few = everywhere <= WORTH_EVERYWHERE;
        bool behind = draft->width > 0 &&
                      (is_delimited(draft) || (few && draft->delimited_least <= WORTH_EVERYWHERE));
        bool worth = behind ? !few || delimited > WORTH_DELIMITERS : !few;
        if (draft->width > 0 && worth) let_float(building, draft, behind);
        else building->head.figures.rest++;
    }
}

static bool collect(struct building *building, const postern__filing *filings, size_t count) {
    size_t table = (size_t)1 << bits_for(2 * count + 1);
    uint32_t bits = bits_for(64 * count + 1);
    building->counter_bits = bits < MOST_COUNTER_BITS ? bits : MOST_COUNTER_BITS;
    size_t counters = (size_t)1 << building->counter_bits;
    if (postern__vector_push(&building->table, NULL, table) == NULL ||
        postern__vector_push(&building->counters, NULL, counters) == NULL) {
        return false;
    }
    memset(building->table.items, 0, table * sizeof(uint32_t));
    memset(building->counters.items, 0, counters * sizeof(uint16_t));
    for (size_t i = 0; i < count; i++) {
        if (!add_filing(building, &filings[i])) return false;
    }
    for (size_t i = 0; i < building->drafts.count; i++) {
        struct draft *draft = draft_at(building, i);
        draft->width = width_of(building->block, &draft->glob);
        count_grams(building, draft);
    }
    return true;
}

/* ---- Laying out ----------------------------------------------------------*/

/* A draft by what it is sorted by. */
struct sorted {
    uint64_t hash;
    uint32_t first;
    uint32_t draft;
};

/* By gram; `first` makes the same bytes on every machine. */
static int by_gram(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Those without a gram first, as they came. */
static bool sort_drafts(struct building *building) {
    size_t rest = 0, drafts = building->drafts.count;
    building->sorted.count = 0;
    struct sorted *sorted = postern__vector_push(&building->sorted, NULL, drafts);
    if (sorted == NULL) return false;
    for (uint32_t i = 0; i < drafts; i++) {
        const struct draft *draft = draft_at(building, i);
        if (draft->place == NOTHING) sorted[rest++].draft = i;
    }
    size_t at = rest;
    for (uint32_t i = 0; i < drafts; i++) {
        const struct draft *draft = draft_at(building, i);
        if (draft->place != NOTHING) sorted[at++] = (struct sorted){draft->hash, draft->first, i};
    }
    if (drafts - rest > 1) qsort(sorted + rest, drafts - rest, sizeof *sorted, by_gram);
    return true;
}

static const struct draft *sorted_at(const struct building *building, size_t index) {
    return draft_at(building, POSTERN__AT(&building->sorted, struct sorted, index)->draft);
}

/* Gives `size` bytes their place in the index; `total` counts on. */
static uint32_t claim(size_t *total, size_t size) {
    size_t at = *total;
    *total = (at + size + 7) & ~(size_t)7;
    return (uint32_t)at;
}

static uint32_t only_id(const struct building *building, const struct draft *draft) {
    return POSTERN__AT(&building->links, struct link, draft->first)->id;
}

static void fill_ids(const struct building *building, const struct draft *draft, uint32_t *ids) {
    for (uint32_t at = draft->first; at != NOTHING;) {
        const struct link *link = POSTERN__AT(&building->links, struct link, at);
        *ids++ = link->id;
        at = link->next;
    }
}

/* An entry's gram into bloom and slots. */
static void file_gram(char *base, const postern__gram_head *head, const struct draft *draft,
                      uint32_t entry) {
    bool floats = draft->place == POSTERN__FLOATING;
    uint64_t *bloom = (uint64_t *)(void *)(base + (floats ? head->floating_bloom : head->bloom));
    bloom[postern__gram_top(draft->hash, floats ? head->floating_bits : head->bloom_bits)] |=
        postern__gram_bloom(draft->hash);
    postern__gram_slot *slots = (postern__gram_slot *)(void *)(base + head->slots);
    size_t mask = ((size_t)1 << head->slot_bits) - 1, at = postern__gram_top(draft->hash, head->slot_bits);
    while (slots[at].entry != 0) at = (at + 1) & mask;
    slots[at] = (postern__gram_slot){(uint32_t)draft->hash, entry + 1};
}

static void fill(const struct building *building, char *base) {
    const postern__gram_head *head = &building->head;
    postern__gram_entry *entries = (postern__gram_entry *)(void *)(base + head->entries);
    uint32_t *ids = (uint32_t *)(void *)(base + head->ids), used = 0;
    const struct draft *before = NULL;
    memcpy(base, head, sizeof *head);
    for (size_t i = 0; i < building->drafts.count; i++) {
        const struct draft *draft = sorted_at(building, i);
        const struct draft *next = i + 1 < building->drafts.count ? sorted_at(building, i + 1) : NULL;
        bool rests = draft->place == NOTHING;
        bool first = !rests && (before == NULL || before->hash != draft->hash);
        bool many = draft->count > 1;
        entries[i] = (postern__gram_entry){.glob = draft->glob,
                                    .ids = many ? used : only_id(building, draft),
                                    .count = draft->count,
                                    .high = (uint32_t)(draft->hash >> 32),
                                    .has_variables = draft->variables > 0,
                                    .last = next == NULL || rests || next->hash != draft->hash};
        if (many) {
            fill_ids(building, draft, ids + used);
            used += draft->count;
        }
        if (first) file_gram(base, head, draft, (uint32_t)i);
        before = rests ? NULL : draft;
    }
}

static bool lay_out(struct building *building, postern__vector *out, size_t *offset) {
    postern__gram_head *head = &building->head;
    size_t total = 0, drafts = building->drafts.count;
    size_t fixed = drafts - head->figures.floating - head->figures.rest;
    head->figures.patterns = (uint32_t)drafts;
    /* Sixteen bits of bloom for a gram: two of a hundred others get past it. */
    head->bloom_bits = bits_for(fixed / 4 + 1);
    head->floating_bits = bits_for(head->figures.floating / 4 + 1);
    head->slot_bits = bits_for(2 * drafts + 1);
    claim(&total, sizeof *head);
    head->bloom = claim(&total, sizeof(uint64_t) << head->bloom_bits);
    head->floating_bloom = claim(&total, sizeof(uint64_t) << head->floating_bits);
    head->slots = claim(&total, sizeof(postern__gram_slot) << head->slot_bits);
    head->entries = claim(&total, drafts * sizeof(postern__gram_entry));
    head->ids = claim(&total, building->links.count * sizeof(uint32_t));
    size_t padding = (8 - out->count % 8) % 8;
    char *bytes = postern__vector_push(out, NULL, padding + total);
    if (bytes == NULL) return false;
    memset(bytes, 0, padding + total);
    *offset = out->count - total;
    fill(building, bytes + padding);
    return true;
}

bool postern__index_build(const char *block, const postern__filing *filings, size_t count,
                          postern__vector *out, size_t *offset) {
    struct building building = {.block = block};
    postern__vector_init(&building.drafts, sizeof(struct draft), &out->allocator);
    postern__vector_init(&building.links, sizeof(struct link), &out->allocator);
    postern__vector_init(&building.table, sizeof(uint32_t), &out->allocator);
    postern__vector_init(&building.counters, sizeof(uint16_t), &out->allocator);
    postern__vector_init(&building.pending, sizeof(uint32_t), &out->allocator);
    postern__vector_init(&building.sorted, sizeof(struct sorted), &out->allocator);
    bool built = collect(&building, filings, count);
    if (built) {
        weigh(&building);
        built = choose_places(&building, POSTERN__WIDE) && choose_places(&building, POSTERN__NARROW);
    }
    if (built) {
        settle(&building);
        built = sort_drafts(&building) && lay_out(&building, out, offset);
    }
    postern__vector_free(&building.sorted);
    postern__vector_free(&building.drafts);
    postern__vector_free(&building.links);
    postern__vector_free(&building.table);
    postern__vector_free(&building.counters);
    postern__vector_free(&building.pending);
    return built;
}
