#include "interval.h"

/* ---- Sorting ------------------------------------------------------------ */

/* Digits from the least: the length, then the bytes of the address. Sorted by
 * all of them a prefix stands before every other that it holds. */
enum { DIGITS = 17, DIGIT_VALUES = 256 };

/* Below this many, counting digits costs more than moving entries by one. */
enum { INSERTION_LIMIT = 48 };

static unsigned digit_of(const postern__nested *entry, unsigned digit) {
    if (digit == 0) return entry->length;
    uint64_t word = digit <= 8 ? entry->low : entry->high;
    return word >> ((digit - 1) % 8 * 8) & 0xFF;
}

static bool precedes(const postern__nested *a, const postern__nested *b) {
    if (a->high != b->high) return a->high < b->high;
    if (a->low != b->low) return a->low < b->low;
    return a->length < b->length;
}

static void sort_few(postern__nested *entries, size_t count) {
    for (size_t i = 1; i < count; i++) {
        postern__nested moved = entries[i];
        size_t to = i;
        for (; to > 0 && precedes(&moved, &entries[to - 1]); to--) entries[to] = entries[to - 1];
        entries[to] = moved;
    }
}

static void sort_by_digit(const postern__nested *from, postern__nested *to, size_t count,
                          unsigned digit) {
    size_t places[DIGIT_VALUES] = {0};
    for (size_t i = 0; i < count; i++) places[digit_of(&from[i], digit)]++;
    size_t before = 0;
    for (unsigned value = 0; value < DIGIT_VALUES; value++) {
        size_t here = places[value];
        places[value] = before;
        before += here;
    }
    for (size_t i = 0; i < count; i++) to[places[digit_of(&from[i], digit)]++] = from[i];
}

/* Stable, and it allocates nothing. `entries` and `spare` hold `count` each;
 * returns the one that holds the result. */
static postern__nested *sort(postern__nested *entries, postern__nested *spare, size_t count) {
    if (count <= INSERTION_LIMIT) {
        sort_few(entries, count);
        return entries;
    }
    postern__nested differs = {0};
    for (size_t i = 1; i < count; i++) {
        differs.high |= entries[i].high ^ entries[0].high;
        differs.low |= entries[i].low ^ entries[0].low;
        differs.length |= entries[i].length ^ entries[0].length;
    }
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (digit_of(&differs, digit) == 0) continue;
        sort_by_digit(entries, spare, count, digit);
        postern__nested *sorted = spare;
        spare = entries;
        entries = sorted;
    }
    return entries;
}

static bool same_prefix(const postern__nested *a, const postern__nested *b) {
    return a->high == b->high && a->low == b->low && a->length == b->length;
}

/* ---- Sweeping ------------------------------------------------------------ */

/* A prefix the sweep is in, and its last address. */
struct open {
    postern__end end;
    int32_t answer;
};

/* Prefixes nest or are apart: those around a place are a stack, at most one of
 * each length. */
enum { NESTED_LIMIT = 129 };

struct sweep {
    postern__intervals *out; /* has room for all */
    struct open stack[NESTED_LIMIT];
    size_t depth;
};

static bool ends_before(const postern__end *a, const postern__end *b) {
    return a->high != b->high ? a->high < b->high : a->low < b->low;
}

static int32_t answer_here(const struct sweep *sweep) {
    return sweep->depth > 0 ? sweep->stack[sweep->depth - 1].answer : POSTERN_NO_MATCH;
}

/* What follows the last interval, up to `end`, has the answer of here. */
static void close_interval(struct sweep *sweep, const postern__end *end) {
    postern__vector *ends = &sweep->out->ends;
    postern__vector *answers = &sweep->out->answers;
    int32_t answer = answer_here(sweep);
    if (ends->count > 0) {
        postern__end *last = POSTERN__AT(ends, postern__end, ends->count - 1);
        if (!ends_before(last, end)) return;
        if (*POSTERN__AT(answers, int32_t, answers->count - 1) == answer) {
            *last = *end;
            return;
        }
    }
    postern__vector_push(ends, end, 1);
    postern__vector_push(answers, &answer, 1);
}

static void leave_one(struct sweep *sweep) {
    close_interval(sweep, &sweep->stack[sweep->depth - 1].end);
    sweep->depth--;
}

/* False: it answers what is answered around it, and nothing changes. */
static bool enter(struct sweep *sweep, const postern__nested *entry) {
    postern__end first = {entry->high, entry->low};
    while (sweep->depth > 0 && ends_before(&sweep->stack[sweep->depth - 1].end, &first)) {
        leave_one(sweep);
    }
    if (entry->answer == answer_here(sweep)) return false;
    if (first.high > 0 || first.low > 0) {
        postern__end before = {first.high - (first.low == 0), first.low - 1};
        close_interval(sweep, &before);
    }
    sweep->stack[sweep->depth++] = (struct open){
        .end = {first.high | ~postern__high_mask(entry->length),
                first.low | ~postern__low_mask(entry->length)},
        .answer = entry->answer,
    };
    return true;
}

/* `entries` lie within `out->prefixes`, no nearer to its start than what is kept. */
static void sweep_all(const postern__nested *entries, size_t count, postern__intervals *out) {
    static const postern__end last = {UINT64_MAX, UINT64_MAX};
    struct sweep sweep = {.out = out};
    postern__nested *kept = POSTERN__AT(&out->prefixes, postern__nested, 0);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && same_prefix(&entries[i], &entries[i - 1])) continue;
        if (enter(&sweep, &entries[i])) *kept++ = entries[i];
    }
    out->prefixes.count = (size_t)(kept - POSTERN__AT(&out->prefixes, postern__nested, 0));
    while (sweep.depth > 0) leave_one(&sweep);
    close_interval(&sweep, &last);
    out->ends.count--;
}

/* ---- Build --------------------------------------------------------------- */

static size_t count_family(const postern__prefix *prefixes, size_t count, uint8_t family) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) found += prefixes[i].address.family == family;
    return found;
}

static void gather(const postern__prefix *prefixes, size_t count, uint8_t family,
                   postern__answer answer, postern__nested *out) {
    for (size_t i = 0; i < count; i++) {
        const postern__address *address = &prefixes[i].address;
        if (address->family != family) continue;
        *out++ = (postern__nested){.high = address->high,
                                .low = address->low,
                                .answer = answer == POSTERN__LONGEST ? (int32_t)i : 0,
                                .length = prefixes[i].length};
    }
}

bool postern__intervals_build(const postern__prefix *prefixes, size_t count, uint8_t family,
                              postern__answer answer, const postern_allocator *allocator,
                              postern__intervals *out) {
    size_t found = count_family(prefixes, count, family);
    postern__vector_init(&out->prefixes, sizeof(postern__nested), allocator);
    postern__vector_init(&out->ends, sizeof(postern__end), allocator);
    postern__vector_init(&out->answers, sizeof(int32_t), allocator);
    /* A prefix cuts before its first address and behind its last; and sorting
     * takes as much room again. */
    bool done = postern__vector_reserve(&out->prefixes, 2 * found + 1) &&
                postern__vector_reserve(&out->ends, 2 * found + 1) &&
                postern__vector_reserve(&out->answers, 2 * found + 1);
    if (done) {
        postern__nested *entries = POSTERN__AT(&out->prefixes, postern__nested, 0);
        gather(prefixes, count, family, answer, entries);
        sweep_all(sort(entries, entries + found, found), found, out);
    } else {
        postern__intervals_free(out);
    }
    return done;
}

void postern__intervals_free(postern__intervals *intervals) {
    postern__vector_free(&intervals->answers);
    postern__vector_free(&intervals->ends);
    postern__vector_free(&intervals->prefixes);
}
