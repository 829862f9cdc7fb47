#include "places.h"

enum {
    /* Patterns that may share a gram as if it were their own: one more place
     * costs about as much as trying one more of them. */
    RARE = 3,
    /* Looking everywhere costs about as much as trying this many patterns, and
     * looking behind delimiters as much as these. */
    WORTH_EVERYWHERE = 12,
    WORTH_DELIMITERS = 4,
    /* Grams are counted roughly, in no more than 16 MiB. */
    MOST_COUNTER_BITS = 23,
    /* Places for wide grams, when those of few patterns are chosen; narrow ones
     * may use what is left. */
    MOST_WIDE = POSTERN__MOST_PLACES - POSTERN__MOST_PLACES / 3,
    /* Patterns from which on a sample is asked first, and its size: places where
     * half a million texts differ seldom have two alike in it. */
    MANY = 8192,
    SAMPLE = 2048,
    SAMPLE_BITS = 15, /* counters of a sample */
    /* A place that a sample found has to do for one pattern of so many. */
    WORTH_OF_MANY = 8,
    /* Places that may be found by samples, and how many may be found in vain. */
    MOST_WIDE_OF_MANY = MOST_WIDE / 2,
    MOST_OF_MANY = MOST_WIDE - 4,
    MOST_IN_VAIN = 4
};

#define NOTHING UINT32_MAX

/* What a pattern could be filed under, while that is weighed. */
struct weight {
    uint32_t pattern;
    uint32_t least; /* how often its rarest fixed gram occurs; NOTHING: none */
    uint64_t good[POSTERN__FIXED / 64]; /* fixed places with a gram nearly as rare */
    /* Its rarest floating gram, and its rarest that starts with a delimiter. */
    uint64_t floating, delimited;
    uint32_t floating_least, delimited_least;
};

struct choosing {
    const char *block;
    postern__vector *patterns;
    postern__gram_head *head;
    postern__vector counters; /* of uint16_t: how often grams occur, nearly */
    uint32_t counter_bits;
    postern__vector weights;
    /* Numbers of weights, or of patterns, without a place so far; and of each
     * the hash it has at the place that is looked at. */
    postern__vector pending, hashes;
};

static uint32_t bits_for(size_t count) {
    uint32_t bits = 0;
    while (((size_t)1 << bits) < count) bits++;
    return bits;
}

static postern__pattern *pattern_at(const struct choosing *choosing, size_t index) {
    return POSTERN__AT(choosing->patterns, postern__pattern, index);
}

static postern__pattern *pattern_of(const struct choosing *choosing, const struct weight *weight) {
    return pattern_at(choosing, weight->pattern);
}

/* Counters for `count` grams, all of them zero. */
static bool clear_counters(struct choosing *choosing, uint32_t bits) {
    size_t count = (size_t)1 << bits;
    choosing->counter_bits = bits;
    choosing->counters.count = 0;
    uint16_t *items = postern__vector_push(&choosing->counters, NULL, count);
    if (items != NULL) memset(items, 0, count * sizeof *items);
    return items != NULL;
}

static uint16_t *counter_of(const struct choosing *choosing, uint64_t hash) {
    return POSTERN__AT(&choosing->counters, uint16_t,
                       postern__gram_top(hash, choosing->counter_bits));
}

static void count_up(const struct choosing *choosing, uint64_t hash) {
    uint16_t *counter = counter_of(choosing, hash);
    *counter += *counter < UINT16_MAX;
}

/* ---- Grams of a pattern --------------------------------------------------*/

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

uint32_t postern__places_width(const char *block, const postern__glob *glob) {
    const char *code = block + glob->code;
    size_t longest = 0, run;
    for (size_t at = 0; (run = next_run(code, glob->length, &at)) > 0; at += run) {
        if (run > longest) longest = run;
    }
    if (longest >= POSTERN__WIDE) return POSTERN__WIDE;
    return longest >= POSTERN__NARROW ? POSTERN__NARROW : 0;
}

/* Whether a fixed place has a gram of the pattern. What a code with variables ends
 * with may be the number of one. */
static bool has_gram_at(const postern__pattern *pattern, unsigned number) {
    const postern__glob *glob = &pattern->glob;
    if (number < POSTERN__STARTS) return number + pattern->width <= glob->head;
    return pattern->variables == 0 && number - POSTERN__STARTS + pattern->width <= glob->tail;
}

static uint64_t hash_at(const struct choosing *choosing, const postern__pattern *pattern,
                        unsigned number) {
    const char *code = choosing->block + pattern->glob.code;
    size_t offset = number < POSTERN__STARTS
                        ? number
                        : pattern->glob.length - (number - POSTERN__STARTS) - pattern->width;
    return postern__gram_hash(code + offset, pattern->width, number);
}

/* Looks at a place from now on: once, whatever is filed there. */
static void use_place(const struct choosing *choosing, unsigned number, unsigned width) {
    postern__gram_head *head = choosing->head;
    for (uint32_t i = 0; i < head->figures.places; i++) {
        if (head->places[i].number == number && head->places[i].width == width) return;
    }
    head->places[head->figures.places++] = (postern__gram_place){(uint16_t)number, (uint16_t)width};
}

/* ---- Many, by a sample ---------------------------------------------------*/

/* Those of `width` that have no place. */
static bool find_pending(struct choosing *choosing, unsigned width) {
    choosing->pending.count = 0;
    for (uint32_t i = 0; i < choosing->patterns->count; i++) {
        const postern__pattern *pattern = pattern_at(choosing, i);
        if (pattern->width != width || pattern->place != POSTERN__NO_PLACE) continue;
        if (postern__vector_push(&choosing->pending, &i, 1) == NULL) return false;
    }
    return true;
}

/* How many of a sample have a gram at a place that no other of it has, nearly. */
static size_t count_alone(const struct choosing *choosing, unsigned number) {
    const uint32_t *pending = POSTERN__AT(&choosing->pending, uint32_t, 0);
    size_t step = choosing->pending.count / SAMPLE, grams = 0, alone = 0;
    uint64_t hashes[SAMPLE];
    for (size_t i = 0; i < SAMPLE; i++) {
        const postern__pattern *pattern = pattern_at(choosing, pending[i * step]);
        if (!has_gram_at(pattern, number)) continue;
        hashes[grams] = hash_at(choosing, pattern, number);
        count_up(choosing, hashes[grams++]);
    }
    for (size_t i = 0; i < grams; i++) alone += *counter_of(choosing, hashes[i]) == 1;
    for (size_t i = 0; i < grams; i++) *counter_of(choosing, hashes[i]) = 0;
    return alone;
}

/* How promising each place is. False: out of memory. */
static bool look_at_sample(struct choosing *choosing, size_t alone[POSTERN__FIXED]) {
    if (!clear_counters(choosing, SAMPLE_BITS)) return false;
    for (unsigned number = 0; number < POSTERN__FIXED; number++) {
        alone[number] = count_alone(choosing, number);
    }
    return true;
}

/* Fills in the hash of all of `pending` at a place, 0 where they have no gram
 * there: how many of them are rare. */
static size_t count_rare(struct choosing *choosing, unsigned number) {
    const uint32_t *pending = POSTERN__AT(&choosing->pending, uint32_t, 0);
    uint64_t *hashes = POSTERN__AT(&choosing->hashes, uint64_t, 0);
    size_t count = choosing->pending.count, rare = 0;
    for (size_t i = 0; i < count; i++) {
        const postern__pattern *pattern = pattern_at(choosing, pending[i]);
        hashes[i] = has_gram_at(pattern, number) ? hash_at(choosing, pattern, number) : 0;
        if (hashes[i] != 0) count_up(choosing, hashes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (hashes[i] != 0 && *counter_of(choosing, hashes[i]) > RARE) hashes[i] = 0;
        rare += hashes[i] != 0;
    }
    return rare;
}

/* Files those that have a hash; the others stay pending. */
static void file_rare(struct choosing *choosing, unsigned number) {
    uint32_t *pending = POSTERN__AT(&choosing->pending, uint32_t, 0);
    const uint64_t *hashes = POSTERN__AT(&choosing->hashes, uint64_t, 0);
    size_t left = 0;
    for (size_t i = 0; i < choosing->pending.count; i++) {
        if (hashes[i] == 0) {
            pending[left++] = pending[i];
            continue;
        }
        postern__pattern *pattern = pattern_at(choosing, pending[i]);
        pattern->place = (uint16_t)number;
        pattern->hash = hashes[i];
    }
    choosing->pending.count = left;
}

/* Tries the places that a sample finds best until one does. `tried` has those
 * that did or did not. `*found`: one did. False: out of memory. */
static bool find_place(struct choosing *choosing, unsigned width, bool tried[POSTERN__FIXED],
                       bool *found) {
    size_t alone[POSTERN__FIXED], count = choosing->pending.count;
    *found = false;
    if (!look_at_sample(choosing, alone)) return false;
    for (int vain = 0; vain < MOST_IN_VAIN && !*found; vain++) {
        unsigned best = POSTERN__FIXED;
        for (unsigned number = 0; number < POSTERN__FIXED; number++) {
            if (tried[number] || alone[number] < SAMPLE / WORTH_OF_MANY) continue;
            if (best == POSTERN__FIXED || alone[number] > alone[best]) best = number;
        }
        if (best == POSTERN__FIXED) return true;
        tried[best] = true;
        choosing->hashes.count = 0;
        if (!clear_counters(choosing, bits_for(4 * count)) ||
            postern__vector_push(&choosing->hashes, NULL, count) == NULL) {
            return false;
        }
        if (count_rare(choosing, best) < count / WORTH_OF_MANY) continue;
        file_rare(choosing, best);
        use_place(choosing, best, width);
        *found = true;
    }
    return true;
}

/* Places for what is many. False: out of memory. */
static bool choose_by_sample(struct choosing *choosing, unsigned width, uint32_t most) {
    bool tried[POSTERN__FIXED] = {false}, found = true;
    if (!find_pending(choosing, width)) return false;
    while (found && choosing->pending.count >= MANY && choosing->head->figures.places < most) {
        if (!find_place(choosing, width, tried, &found)) return false;
    }
    return true;
}

/* ---- Few, gram by gram ---------------------------------------------------*/

/* Grams one behind the other: the first at `text`, its place, and what is added
 * to the place for each that follows. */
struct stretch {
    const char *text;
    size_t count;
    unsigned number;
    int step;
};

/* The next grams of a pattern that there are places for, from `*at` of its code on.
 * `all_float`: as if none were fixed. */
static bool next_stretch(const struct choosing *choosing, const postern__pattern *pattern,
                         bool all_float, size_t *at, struct stretch *out) {
    const char *code = choosing->block + pattern->glob.code;
    size_t length = pattern->glob.length, width = pattern->width, run;
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

static void count_grams(const struct choosing *choosing, const postern__pattern *pattern) {
    struct stretch grams;
    for (size_t at = 0; next_stretch(choosing, pattern, false, &at, &grams);) {
        unsigned number = grams.number;
        for (size_t i = 0; i < grams.count; i++, number += (unsigned)grams.step) {
            count_up(choosing, postern__gram_hash(grams.text + i, pattern->width, number));
        }
    }
}

static void find_rarest_floating(const struct choosing *choosing, struct weight *weight,
                                 const struct stretch *grams) {
    unsigned width = pattern_of(choosing, weight)->width;
    for (size_t i = 0; i < grams->count; i++) {
        uint64_t hash = postern__gram_hash(grams->text + i, width, POSTERN__FLOATING);
        uint32_t count = *counter_of(choosing, hash);
        if (count < weight->floating_least) {
            weight->floating_least = count;
            weight->floating = hash;
        }
        if (postern__gram_delimiter(grams->text[i]) && count < weight->delimited_least) {
            weight->delimited_least = count;
            weight->delimited = hash;
        }
    }
}

/* Finds the rarest of each kind. Of the fixed ones `counts` are by place: those
 * from the start first, `starts` of them, and those from the end. */
struct counts {
    uint16_t items[POSTERN__FIXED];
    size_t starts, ends;
};

static void find_rarest(const struct choosing *choosing, struct weight *weight,
                        struct counts *counts) {
    const postern__pattern *pattern = pattern_of(choosing, weight);
    struct stretch grams;
    uint32_t least = NOTHING;
    counts->starts = counts->ends = 0;
    for (size_t at = 0; next_stretch(choosing, pattern, false, &at, &grams);) {
        unsigned number = grams.number;
        if (number == POSTERN__FLOATING) {
            find_rarest_floating(choosing, weight, &grams);
            continue;
        }
        *(number == 0 ? &counts->starts : &counts->ends) = grams.count;
        for (size_t i = 0; i < grams.count; i++, number += (unsigned)grams.step) {
            uint64_t hash = postern__gram_hash(grams.text + i, pattern->width, number);
            uint16_t count = *counter_of(choosing, hash);
            counts->items[number] = count;
            least = count < least ? count : least;
        }
    }
    weight->least = least;
}

static void mark_good_from(struct weight *weight, const struct counts *counts, unsigned first,
                           size_t count) {
    uint32_t enough = weight->least + weight->least / 2;
    if (enough < RARE) enough = RARE;
    for (unsigned number = first; number < first + count; number++) {
        weight->good[number / 64] |= (uint64_t)(counts->items[number] <= enough) << (number % 64);
    }
}

/* Of the fixed places those whose gram is nearly as rare as the rarest. */
static void mark_good(struct weight *weight, const struct counts *counts) {
    mark_good_from(weight, counts, 0, counts->starts);
    mark_good_from(weight, counts, POSTERN__STARTS, counts->ends);
}

static struct weight *weight_at(const struct choosing *choosing, size_t index) {
    return POSTERN__AT(&choosing->weights, struct weight, index);
}

static bool is_good(const struct weight *weight, unsigned number) {
    return (weight->good[number / 64] >> (number % 64) & 1) != 0;
}

/* Which of the places gives a gram to the most of `pending`. POSTERN__FLOATING: no
 * place gives one to any. */
static unsigned best_place(const struct choosing *choosing) {
    uint32_t tally[POSTERN__FIXED] = {0};
    for (size_t i = 0; i < choosing->pending.count; i++) {
        const struct weight *weight =
            weight_at(choosing, *POSTERN__AT(&choosing->pending, uint32_t, i));
        for (unsigned k = 0; k < POSTERN__FIXED / 64; k++) {
            for (uint64_t bits = weight->good[k]; bits != 0; bits &= bits - 1) {
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

/* Files what has a good gram at a place there; the others stay pending. */
static void file_good(struct choosing *choosing, unsigned number) {
    uint32_t *pending = POSTERN__AT(&choosing->pending, uint32_t, 0);
    size_t left = 0;
    for (size_t i = 0; i < choosing->pending.count; i++) {
        const struct weight *weight = weight_at(choosing, pending[i]);
        if (!is_good(weight, number)) {
            pending[left++] = pending[i];
            continue;
        }
        postern__pattern *pattern = pattern_of(choosing, weight);
        pattern->place = (uint16_t)number;
        pattern->hash = hash_at(choosing, pattern, number);
    }
    choosing->pending.count = left;
}

static bool choose_places(struct choosing *choosing, uint32_t width) {
    uint32_t most = width == POSTERN__WIDE ? MOST_WIDE : POSTERN__MOST_PLACES;
    choosing->pending.count = 0;
    for (uint32_t i = 0; i < choosing->weights.count; i++) {
        if (pattern_of(choosing, weight_at(choosing, i))->width != width) continue;
        if (postern__vector_push(&choosing->pending, &i, 1) == NULL) return false;
    }
    while (choosing->head->figures.places < most) {
        unsigned number = best_place(choosing);
        if (number == POSTERN__FLOATING) break;
        use_place(choosing, number, width);
        file_good(choosing, number);
    }
    return true;
}

/* A fixed gram is preferred when it is rare, or as rare as a floating one. */
static void weigh(struct choosing *choosing) {
    struct counts counts;
    for (size_t i = 0; i < choosing->weights.count; i++) {
        struct weight *weight = weight_at(choosing, i);
        find_rarest(choosing, weight, &counts);
        if (weight->least != NOTHING &&
            (weight->least <= RARE || weight->least <= weight->floating_least)) {
            mark_good(weight, &counts);
        }
    }
}

/* Whether a gram that starts with a delimiter will do. */
static bool is_delimited(const struct weight *weight) {
    uint32_t enough = weight->floating_least + weight->floating_least / 2;
    return weight->delimited_least <= (enough > RARE ? enough : RARE);
}

static void let_float(const struct choosing *choosing, const struct weight *weight,
                      bool delimited) {
    postern__gram_head *head = choosing->head;
    postern__pattern *pattern = pattern_of(choosing, weight);
    pattern->place = POSTERN__FLOATING;
    pattern->hash = delimited ? weight->delimited : weight->floating;
    head->figures.floating++;
    if (delimited) {
        head->delimited |= pattern->width;
    } else {
        head->figures.everywhere++;
        head->everywhere |= pattern->width;
    }
}

/* The rarest floating gram of a pattern all of whose grams are fixed. */
static void let_all_float(const struct choosing *choosing, struct weight *weight) {
    struct stretch grams;
    for (size_t at = 0; next_stretch(choosing, pattern_of(choosing, weight), true, &at, &grams);) {
        find_rarest_floating(choosing, weight, &grams);
    }
}

static bool is_settled(const struct choosing *choosing, const struct weight *weight) {
    return pattern_of(choosing, weight)->place != POSTERN__NO_PLACE;
}

/* Those that no place was found for float, or are tried always. */
static void settle(const struct choosing *choosing) {
    uint32_t everywhere = 0, delimited = 0;
    for (size_t i = 0; i < choosing->weights.count; i++) {
        struct weight *weight = weight_at(choosing, i);
        if (is_settled(choosing, weight)) continue;
        if (weight->floating_least == NOTHING) let_all_float(choosing, weight);
        if (is_delimited(weight)) delimited++;
        else everywhere++;
    }
    for (size_t i = 0; i < choosing->weights.count; i++) {
        const struct weight *weight = weight_at(choosing, i);
        if (is_settled(choosing, weight)) continue;
        /* Few that want to be looked for everywhere are better found with some
         * others behind a delimiter. */
        bool few = everywhere <= WORTH_EVERYWHERE;
        bool behind = is_delimited(weight) || (few && weight->delimited_least <= WORTH_EVERYWHERE);
        bool worth = behind ? !few || delimited > WORTH_DELIMITERS : !few;
        if (worth) let_float(choosing, weight, behind);
        else choosing->head->figures.rest++;
    }
}

/* A weight for each that has grams and no place, their grams counted. */
static bool begin_weighing(struct choosing *choosing) {
    for (uint32_t i = 0; i < choosing->patterns->count; i++) {
        const postern__pattern *pattern = pattern_at(choosing, i);
        if (pattern->place != POSTERN__NO_PLACE) continue;
        if (pattern->width == 0) {
            choosing->head->figures.rest++;
            continue;
        }
        struct weight weight = {.pattern = i, .least = NOTHING, .floating_least = NOTHING,
                                .delimited_least = NOTHING};
        if (postern__vector_push(&choosing->weights, &weight, 1) == NULL) return false;
    }
    uint32_t bits = bits_for(64 * choosing->weights.count + 1);
    if (!clear_counters(choosing, bits < MOST_COUNTER_BITS ? bits : MOST_COUNTER_BITS)) {
        return false;
    }
    for (size_t i = 0; i < choosing->weights.count; i++) {
        count_grams(choosing, pattern_of(choosing, weight_at(choosing, i)));
    }
    return true;
}

/* ---- All -----------------------------------------------------------------*/

static bool choose(struct choosing *choosing) {
    for (size_t i = 0; i < choosing->patterns->count; i++) {
        pattern_at(choosing, i)->place = POSTERN__NO_PLACE;
    }
    if (!choose_by_sample(choosing, POSTERN__WIDE, MOST_WIDE_OF_MANY) ||
        !choose_by_sample(choosing, POSTERN__NARROW, MOST_OF_MANY) || !begin_weighing(choosing)) {
        return false;
    }
    weigh(choosing);
    if (!choose_places(choosing, POSTERN__WIDE) || !choose_places(choosing, POSTERN__NARROW)) {
        return false;
    }
    settle(choosing);
    return true;
}

bool postern__places_choose(const char *block, postern__vector *patterns,
                            postern__gram_head *head) {
    const postern_allocator *allocator = &patterns->allocator;
    struct choosing choosing = {.block = block, .patterns = patterns, .head = head};
    postern__vector_init(&choosing.counters, sizeof(uint16_t), allocator);
    postern__vector_init(&choosing.weights, sizeof(struct weight), allocator);
    postern__vector_init(&choosing.pending, sizeof(uint32_t), allocator);
    postern__vector_init(&choosing.hashes, sizeof(uint64_t), allocator);
    bool chosen = choose(&choosing);
    postern__vector_free(&choosing.counters);
    postern__vector_free(&choosing.weights);
    postern__vector_free(&choosing.pending);
    postern__vector_free(&choosing.hashes);
    return chosen;
}
