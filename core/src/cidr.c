#include "cidr.h"

#include "blocks.h"
#include "buckets.h"

/* ---- Layout of a set ---------------------------------------------------- */

enum { LINE = POSTERN__LINE, KEYS4 = POSTERN__LINE4, KEYS6 = POSTERN__LINE6 };
enum { WINDOW4 = POSTERN__WINDOW4, WINDOW6 = POSTERN__WINDOW6 };

/* So many lines are compared without a level above them: measured, a level more
 * costs what three lines do. */
enum { TOP_LINES = 4 };

/* From so many ends on there is a directory. The one of IPv4 takes 256 KiB or more: at
 * 2000 ends it took three quarters of the time of a tree, at 200 not less than
 * that (spec/bench/bench_cidr.c). The one of IPv6 takes an eighth of its keys. */
enum { DIRECTORY4_FROM = 1024, DIRECTORY6_FROM = 256 };

enum { LEVELS = 12, DIRECTORY_BITS = 22 };

/* The directory of IPv4 has 2^16 buckets at least, so that 16 bits are left, and
 * as many more as make half a window of them on average, but not more than 2^20. */
enum { LEAST_BITS4 = 16, MOST_BITS4 = 20 };

/* From so many answers on those of no prefix are left out, if they are one in
 * so many. It takes a read more. */
enum { RANKS_FROM = 1 << 20, RANKS_PART = 4 };

/* One family. Offsets count from the start of the set, in units of 8. */
struct part {
    uint8_t shape;
    uint8_t bucket_bits; /* directory of IPv4 */
    uint8_t ranked;      /* ranks stand before the answers: some intervals have none */
    uint8_t answer;      /* bits of an answer; where they alternate, the first of them */
    uint32_t ends;
    uint32_t body;
    uint32_t answers; /* packed, one more than an answer each; 0: they alternate */
};

struct cidr_set {
    struct part parts[2]; /* IPv4, IPv6 */
};

/* The body, but for IPv4's few (the lines) and directory (the directory, with
 * its ends behind it). */
struct tree {
    uint64_t common;  /* directory: bits that all keys have in common, */
    uint64_t mask;    /* where those are, */
    uint32_t skip;    /* how many, */
    uint32_t bits;    /* and how many behind them tell the bucket */
    uint32_t directory;
    uint32_t keys;    /* how many */
    uint32_t starts;  /* 0: every end is decided by its key */
    uint32_t lows;
    uint32_t depth;     /* levels below the top */
    uint32_t top_lines; /* lines of the top level */
    uint32_t level[LEVELS]; /* level[0] are the keys, level[depth] is the top */
};

_Static_assert(sizeof(struct part) == 16 && sizeof(struct tree) == 96,
               "no padding: every byte of a set is written");

/* Keys are kept so that they compare as signed numbers, the only ones AVX2
 * knows. These are never below an address. */
static const int32_t LAST_KEY4 = INT32_MAX;
static const int64_t LAST_KEY6 = INT64_MAX;

static int32_t key4(uint32_t address) { return (int32_t)(address ^ UINT32_C(0x80000000)); }

static int64_t key6(uint64_t word) { return (int64_t)(word ^ UINT64_C(0x8000000000000000)); }

/* ---- Find --------------------------------------------------------------- */

POSTERN__FOR_EACH_PATH uint32_t count_few4(const postern__lanes *lanes, const int32_t *lines,
                                           uint32_t count, int32_t key) {
    uint32_t below = 0;
    for (uint32_t i = 0; i < count; i++) below += lanes->line4(lines + (size_t)i * KEYS4, key);
    return below;
}

POSTERN__FOR_EACH_PATH uint32_t count_tree4(const postern__lanes *lanes, const char *set,
                                            const struct tree *tree, int32_t key) {
    uint32_t level = tree->depth;
    uint32_t place = count_few4(lanes, postern__at_offset(set, tree->level[level]), tree->top_lines, key);
    while (level-- > 0) {
        const int32_t *lines = postern__at_offset(set, tree->level[level]);
        place = place * KEYS4 + lanes->line4(lines + (size_t)place * KEYS4, key);
    }
    return place;
}

/* Once a bucket is known, its answers are fetched while its ends are, not after
 * them: of 100,000 prefixes that takes half the time (a line may be of no use). */
static inline void prefetch_answers(const char *set, const struct part *part, uint32_t place) {
    if (part->answers == 0) return;
    if (part->ranked) {
        const postern__rank *ranks = postern__at_offset(set, part->answers);
        postern__fetch(ranks + place / 32);
    } else {
        const uint32_t *answers = postern__at_offset(set, part->answers);
        const uint32_t *first = answers + (size_t)place * part->answer / 32;
        postern__fetch(first);
        postern__fetch(first + LINE / sizeof *first);
    }
}

POSTERN__FOR_EACH_PATH uint32_t count_directory4(const postern__lanes *lanes,
                                                 const char *set, const struct part *part,
                                                 uint32_t address) {
    const uint32_t *directory = postern__at_offset(set, part->body);
    const uint32_t *bucket = directory + (address >> (32 - part->bucket_bits));
    const uint32_t *behind = directory + (UINT32_C(1) << part->bucket_bits) + 2;
    const uint16_t *ends = (const uint16_t *)(const void *)behind;
    uint16_t key = (uint16_t)address;
    uint32_t place = bucket[0];
    uint32_t count = bucket[1] - place;
    prefetch_answers(set, part, place);
    while (count > WINDOW4) {
        uint32_t half = count / 2;
        place += ends[place + half - 1] < key ? half : 0;
        count -= half;
    }
    return place + lanes->window4(ends + place, count, key);
}

POSTERN__FOR_EACH_PATH uint32_t count_tree6(const postern__lanes *lanes, const char *set,
                                            const struct tree *tree, int64_t key) {
    uint32_t level = tree->depth;
    uint32_t place = 0;
    const int64_t *top = postern__at_offset(set, tree->level[level]);
    for (uint32_t i = 0; i < tree->top_lines; i++) {
        place += lanes->line6(top + (size_t)i * KEYS6, key);
    }
    while (level-- > 0) {
        const int64_t *lines = postern__at_offset(set, tree->level[level]);
        place = place * KEYS6 + lanes->line6(lines + (size_t)place * KEYS6, key);
    }
    return place;
}

POSTERN__FOR_EACH_PATH uint32_t count_directory6(const postern__lanes *lanes, const char *set,
                                                 const struct part *part,
                                                 const struct tree *tree, uint64_t high) {
    if (((high ^ tree->common) & tree->mask) != 0) return high < tree->common ? 0 : tree->keys;
    const uint32_t *directory = postern__at_offset(set, tree->directory);
    const uint32_t *bucket = directory + (high << tree->skip >> (64 - tree->bits));
    const int64_t *keys = postern__at_offset(set, tree->level[0]);
    uint32_t count = bucket[1] - bucket[0];
    if (count > WINDOW6) return count_tree6(lanes, set, tree, key6(high));
    if (tree->starts == 0) prefetch_answers(set, part, bucket[0]);
    return bucket[0] + lanes->window6(keys + bucket[0], count, key6(high));
}

/* The ends below among those that have the key at `place`, if that is the
 * address's own, and all before. */
POSTERN__FOR_EACH_PATH uint32_t count_lows(const postern__lanes *lanes, const char *set,
                                           const struct tree *tree, uint32_t place,
                                           const postern__address *address) {
    const int64_t *keys = postern__at_offset(set, tree->level[0]);
    const uint32_t *starts = postern__at_offset(set, tree->starts);
    uint32_t before = starts[place];
    if (keys[place] != key6(address->high)) return before;
    const int64_t *lows = postern__at_offset(set, tree->lows);
    int64_t key = key6(address->low);
    uint32_t count = starts[place + 1] - before;
    while (count > WINDOW6) {
        uint32_t half = count / 2;
        before += lows[before + half - 1] < key ? half : 0;
        count -= half;
    }
    return before + lanes->window6(lows + before, count, key);
}

POSTERN__FOR_EACH_PATH uint32_t count4(const postern__lanes *lanes, const char *set,
                                       const struct part *part, uint32_t address) {
    const void *body = postern__at_offset(set, part->body);
    int32_t key = key4(address);
    if (part->shape == POSTERN__TREE) return count_tree4(lanes, set, body, key);
    return count_few4(lanes, body, (part->ends + KEYS4 - 1) / KEYS4, key);
}

POSTERN__FOR_EACH_PATH uint32_t count6(const postern__lanes *lanes, const char *set,
                                       const struct part *part,
                                       const postern__address *address) {
    if (part->ends == 0) return 0;
    const struct tree *tree = postern__at_offset(set, part->body);
    uint32_t place = part->shape == POSTERN__DIRECTORY
                         ? count_directory6(lanes, set, part, tree, address->high)
                         : count_tree6(lanes, set, tree, key6(address->high));
    return tree->starts == 0 ? place : count_lows(lanes, set, tree, place, address);
}

/* What the interval answers that stands behind so many. */
POSTERN__FOR_EACH_PATH int32_t answer_at(const postern__lanes *lanes, const char *set,
                                         const struct part *part, size_t place) {
    if (part->answers == 0) return (int32_t)((place + part->answer) & 1) - 1;
    const uint32_t *answers = postern__at_offset(set, part->answers);
    uint32_t none = 0;
    if (part->ranked) {
        const postern__rank *ranks = postern__at_offset(set, part->answers);
        answers = postern__ranks_end(ranks, (size_t)part->ends + 1);
        /* Without a branch, which nobody could foresee. */
        none = (uint32_t)postern__ranks_taken(ranks, place) - 1;
        place = postern__ranks_before(lanes, ranks, place);
    }
    return (int32_t)(postern__packed_at(answers, part->answer, place) & ~none) - 1;
}

static inline const struct part *part_of(const char *set, uint8_t family) {
    return (const struct part *)(const void *)set + (family == 4 ? 0 : 1);
}

/* A function for each shape and path, so that none pays for what another one
 * has to keep in registers: where memory is slow, as many lookups are under way
 * as their instructions let the processor see at once. */
#define FIND_IN(path, mark)                                                                     \
    mark POSTERN__APART int32_t find6_##path(const char *set, const postern__address *address) { \
        const postern__lanes *lanes = &postern__##path##_lanes;                                 \
        const struct part *part = part_of(set, 6);                                              \
        return answer_at(lanes, set, part, count6(lanes, set, part, address));                  \
    }                                                                                           \
    mark POSTERN__APART int32_t find_buckets_##path(const char *set,                            \
                                                    const postern__address *address) {          \
        const void *body = postern__at_offset(set, part_of(set, 6)->body);                      \
        return postern__buckets_find(&postern__##path##_lanes, set, body, address->high);       \
    }                                                                                           \
    mark POSTERN__APART int32_t find4_##path(const char *set, uint32_t address) {               \
        const postern__lanes *lanes = &postern__##path##_lanes;                                 \
        const struct part *part = part_of(set, 4);                                              \
        return answer_at(lanes, set, part, count4(lanes, set, part, address));                  \
    }                                                                                           \
    mark POSTERN__APART int32_t find_directory4_##path(const char *set, uint32_t address) {     \
        const postern__lanes *lanes = &postern__##path##_lanes;                                 \
        const struct part *part = part_of(set, 4);                                              \
        return answer_at(lanes, set, part, count_directory4(lanes, set, part, address));        \
    }                                                                                           \
    mark POSTERN__APART int32_t find_crowded_##path(const char *set,                            \
                                                    const postern__blocks *blocks,              \
                                                    const uint8_t *record, uint32_t address) {  \
        return postern__blocks_crowded(&postern__##path##_lanes, set, blocks, record, address); \
    }                                                                                           \
    mark POSTERN__APART int32_t find_blocks_##path(const char *set, uint32_t address) {         \
        const postern__blocks *blocks = postern__at_offset(set, part_of(set, 4)->body);         \
        const uint8_t *record = postern__blocks_record(blocks, address);                        \
        if (*record == POSTERN__CROWDED)                                                        \
            return find_crowded_##path(set, blocks, record, address);                           \
        return postern__blocks_listed(&postern__##path##_lanes, set, blocks, record, address);  \
    }

FIND_IN(scalar, )

#if POSTERN__X86_PATHS
FIND_IN(avx2, POSTERN__IN_AVX2)
FIND_IN(avx512, POSTERN__IN_AVX512)
#define FINDERS(find) {find##scalar, find##avx2, find##avx512}
#else
#define FINDERS(find) {find##scalar, find##scalar, find##scalar}
#endif

int32_t postern__cidr_find(const void *set, postern__simd simd, const postern__address *address) {
    typedef int32_t finder4(const char *set, uint32_t address);
    typedef int32_t finder6(const char *set, const postern__address *address);
    enum { PATHS = POSTERN__AVX512 + 1 };
    static finder4 *const ipv4[][PATHS] = {
        [POSTERN__FEW] = FINDERS(find4_),
        [POSTERN__TREE] = FINDERS(find4_),
        [POSTERN__DIRECTORY] = FINDERS(find_directory4_),
        [POSTERN__BLOCKS] = FINDERS(find_blocks_),
    };
    static finder6 *const ipv6[][PATHS] = {
        [POSTERN__FEW] = FINDERS(find6_),
        [POSTERN__TREE] = FINDERS(find6_),
        [POSTERN__DIRECTORY] = FINDERS(find6_),
        [POSTERN__BUCKETS] = FINDERS(find_buckets_),
    };
    if (address->family != 4) return ipv6[part_of(set, 6)->shape][simd](set, address);
    return ipv4[part_of(set, 4)->shape][simd](set, (uint32_t)(address->high >> 32));
}

/* ---- Build: what stands in the block ------------------------------------- */

static bool append_keys(const postern__site *site, const void *last_key, size_t key_size,
                        size_t count) {
    if (!postern__vector_reserve(site->block, count * key_size)) return false;
    for (size_t i = 0; i < count; i++) postern__vector_push(site->block, last_key, key_size);
    return true;
}

/* Fills the last of `lines` lines, whose `count` keys end the block, with keys
 * that are never below. */
static bool fill_line(const postern__site *site, const void *last_key, size_t key_size, size_t count,
                      size_t lines) {
    return append_keys(site, last_key, key_size, lines * (LINE / key_size) - count);
}

/* The levels above the keys, which are at level[0] in `lines` lines. */
static bool append_levels(const postern__site *site, struct tree *tree, const void *last_key,
                          size_t key_size, size_t lines) {
    size_t per_line = LINE / key_size;
    while (lines > TOP_LINES) {
        size_t upper = (lines + per_line - 1) / per_line;
        uint32_t below = tree->level[tree->depth];
        tree->depth++;
        if (!postern__site_append(site, LINE, NULL, lines * key_size, &tree->level[tree->depth])) return false;
        char *to = postern__site_at(site, tree->level[tree->depth]);
        const char *from = postern__site_at(site, below);
        for (size_t i = 0; i < lines; i++) {
            memcpy(to + i * key_size, from + (i + 1) * LINE - key_size, key_size);
        }
        if (!fill_line(site, last_key, key_size, lines, upper)) return false;
        lines = upper;
    }
    tree->top_lines = (uint32_t)lines;
    return true;
}

/* ---- Build: IPv4 ---------------------------------------------------------- */

static bool append_keys4(const postern__site *site, const postern__end *ends, size_t count,
                         size_t align, size_t lines, uint32_t *offset) {
    if (!postern__site_append(site, align, NULL, count * sizeof LAST_KEY4, offset)) return false;
    int32_t *keys = postern__site_at(site, *offset);
    for (size_t i = 0; i < count; i++) keys[i] = key4((uint32_t)(ends[i].high >> 32));
    return fill_line(site, &LAST_KEY4, sizeof LAST_KEY4, count, lines);
}

/* There is always a last line with a key that is never below: no count leads
 * past it. */
static bool append_tree4(const postern__site *site, const postern__end *ends, size_t count,
                         uint32_t *body) {
    struct tree tree = {.keys = (uint32_t)count};
    size_t lines = count / KEYS4 + 1;
    if (!postern__site_append(site, LINE, NULL, sizeof tree, body) ||
        !append_keys4(site, ends, count, LINE, lines, &tree.level[0]) ||
        !append_levels(site, &tree, &LAST_KEY4, sizeof LAST_KEY4, lines))
        return false;
    memcpy(postern__site_at(site, *body), &tree, sizeof tree);
    return true;
}

static bool append_directory4(const postern__site *site, const postern__end *ends, size_t count,
                              struct part *part) {
    unsigned bits = LEAST_BITS4;
    while (bits < MOST_BITS4 && count >> bits >= WINDOW4 / 2) bits++;
    size_t entries = ((size_t)1 << bits) + 2; /* one for the end, and one for alignment */
    /* Windows are read whole. */
    size_t size = entries * sizeof(uint32_t) + (count + WINDOW4) * sizeof(uint16_t);
    if (!postern__site_append(site, LINE, NULL, size, &part->body)) return false;
    uint32_t *directory = postern__site_at(site, part->body);
    uint16_t *lasts = (uint16_t *)(void *)(directory + entries);
    for (size_t i = 0; i < count; i++) {
        directory[(ends[i].high >> (64 - bits)) + 1]++;
        lasts[i] = (uint16_t)(ends[i].high >> 32);
    }
    for (size_t i = 1; i < entries; i++) directory[i] += directory[i - 1];
    part->bucket_bits = (uint8_t)bits;
    return true;
}

static bool append_part4(const postern__site *site, const postern__end *ends, size_t count,
                         struct part *part) {
    if (count >= DIRECTORY4_FROM) {
        part->shape = POSTERN__DIRECTORY;
        return append_directory4(site, ends, count, part);
    }
    if (count > TOP_LINES * KEYS4) {
        part->shape = POSTERN__TREE;
        return append_tree4(site, ends, count, &part->body);
    }
    part->shape = POSTERN__FEW;
    return append_keys4(site, ends, count, 8, (count + KEYS4 - 1) / KEYS4, &part->body);
}

/* ---- Build: IPv6 ---------------------------------------------------------- */

static bool all_by_key(const postern__end *ends, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (ends[i].low != UINT64_MAX) return false;
    }
    return true;
}

static size_t count_keys(const postern__end *ends, size_t count) {
    size_t keys = 0;
    for (size_t i = 0; i < count; i++) keys += i == 0 || ends[i].high != ends[i - 1].high;
    return keys;
}

/* A key more than is counted, which fills up the last line, may be asked for
 * its lows: it has none, so there are two starts more than keys. */
static bool append_lows(const postern__site *site, const postern__end *ends, size_t count,
                        struct tree *tree) {
    size_t starts_size = (tree->keys + (size_t)2) * sizeof(uint32_t);
    if (!postern__site_append(site, LINE, NULL, starts_size, &tree->starts) ||
        !postern__site_append(site, LINE, NULL, (count + WINDOW6) * sizeof LAST_KEY6, &tree->lows))
        return false;
    uint32_t *starts = postern__site_at(site, tree->starts);
    int64_t *lows = postern__site_at(site, tree->lows);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || ends[i].high != ends[i - 1].high) *starts++ = (uint32_t)i;
        lows[i] = key6(ends[i].low);
    }
    starts[0] = starts[1] = (uint32_t)count;
    return true;
}

static bool append_keys6(const postern__site *site, const postern__end *ends, size_t count,
                         struct tree *tree) {
    size_t lines = tree->keys / KEYS6 + 1;
    size_t behind = tree->directory != 0 ? WINDOW6 : 0;
    if (!postern__site_append(site, LINE, NULL, tree->keys * sizeof LAST_KEY6, &tree->level[0])) return false;
    int64_t *keys = postern__site_at(site, tree->level[0]);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || ends[i].high != ends[i - 1].high) *keys++ = key6(ends[i].high);
    }
    /* A window that begins at the last key is read whole. */
    return fill_line(site, &LAST_KEY6, sizeof LAST_KEY6, tree->keys, lines) &&
           append_keys(site, &LAST_KEY6, sizeof LAST_KEY6, behind) &&
           append_levels(site, tree, &LAST_KEY6, sizeof LAST_KEY6, lines);
}

static unsigned bits_in(uint64_t word) {
    unsigned bits = 0;
    for (; word > 0; word >>= 1) bits++;
    return bits;
}

/* Chooses the bits of a directory and fills it. Says whether it is of use: at
 * least half of the keys are in buckets that one window holds. */
static bool append_directory6(const postern__site *site, const postern__end *ends, size_t count,
                              struct tree *tree, bool *useful) {
    uint64_t first = ends[0].high;
    tree->skip = 64 - bits_in(first ^ ends[count - 1].high);
    tree->mask = postern__leading_bits(tree->skip);
    tree->common = first & tree->mask;
    tree->bits = bits_in(tree->keys) - 2; /* two to four keys a bucket, on average */
    if (tree->bits > DIRECTORY_BITS) tree->bits = DIRECTORY_BITS;
    if (tree->bits > 64 - tree->skip) tree->bits = 64 - tree->skip;
    size_t entries = ((size_t)1 << tree->bits) + 1;
    size_t before = site->block->count;
    if (!postern__site_append(site, LINE, NULL, entries * sizeof(uint32_t), &tree->directory)) return false;
    uint32_t *directory = postern__site_at(site, tree->directory);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && ends[i].high == ends[i - 1].high) continue;
        directory[(ends[i].high << tree->skip >> (64 - tree->bits)) + 1]++;
    }
    size_t crowded = 0;
    for (size_t i = 1; i < entries; i++) {
        crowded += directory[i] > WINDOW6 ? directory[i] : 0;
        directory[i] += directory[i - 1];
    }
    *useful = crowded <= tree->keys / 2;
    if (!*useful) {
        site->block->count = before;
        tree->directory = 0;
    }
    return true;
}

static bool append_part6(const postern__site *site, const postern__end *ends, size_t count,
                         struct part *part) {
    if (count == 0) return true; /* as in most policies: then it takes no room */
    struct tree tree = {.keys = (uint32_t)count_keys(ends, count)};
    bool few = tree.keys / KEYS6 + 1 <= TOP_LINES;
    bool directory = false;
    if (!postern__site_append(site, few ? 8 : LINE, NULL, sizeof tree, &part->body)) return false;
    if (tree.keys >= DIRECTORY6_FROM && !append_directory6(site, ends, count, &tree, &directory))
        return false;
    if (!append_keys6(site, ends, count, &tree)) return false;
    if (!all_by_key(ends, count) && !append_lows(site, ends, count, &tree)) return false;
    part->shape = directory ? POSTERN__DIRECTORY : few ? POSTERN__FEW : POSTERN__TREE;
    memcpy(postern__site_at(site, part->body), &tree, sizeof tree);
    return true;
}

/* ---- Build --------------------------------------------------------------- */

/* What follows the ranks are the answers that there are. */
static void rank_answers(postern__rank *ranks, const int32_t *answers, size_t count,
                         unsigned bits) {
    uint32_t *words = postern__ranks_end(ranks, count);
    for (size_t i = 0, place = 0; i < count; i++) {
        if (answers[i] == POSTERN_NO_MATCH) continue;
        postern__ranks_take(ranks, i);
        postern__packed_put(words, bits, place++, (uint32_t)answers[i] + 1);
    }
    postern__ranks_count(ranks, count);
}

/* The answers of `count` intervals, packed. */
static bool append_answers(const postern__site *site, const int32_t *answers, size_t count,
                           struct part *part) {
    int32_t greatest = POSTERN_NO_MATCH;
    size_t some = 0;
    for (size_t i = 0; i < count; i++) {
        if (answers[i] > greatest) greatest = answers[i];
        some += answers[i] != POSTERN_NO_MATCH;
    }
    unsigned bits = postern__packed_bits((uint32_t)greatest + 1);
    part->ranked = count >= RANKS_FROM && count - some >= count / RANKS_PART;
    part->answer = (uint8_t)bits;
    uint32_t behind;
    if (part->ranked) {
        if (!postern__ranks_append(site, count, &part->answers) ||
            !postern__packed_append(site, some, bits, &behind))
            return false;
        rank_answers(postern__site_at(site, part->answers), answers, count, bits);
        return true;
    }
    if (!postern__packed_append(site, count, bits, &part->answers)) return false;
    uint32_t *words = postern__site_at(site, part->answers);
    for (size_t i = 0; i < count; i++)
        postern__packed_put(words, bits, i, (uint32_t)answers[i] + 1);
    return true;
}

static bool append_intervals(const postern__site *site, const postern__intervals *intervals,
                             uint8_t family, postern__answer answer) {
    const postern__end *ends = POSTERN__AT(&intervals->ends, postern__end, 0);
    const int32_t *answers = POSTERN__AT(&intervals->answers, int32_t, 0);
    size_t count = intervals->ends.count;
    struct part part = {.ends = (uint32_t)count, .answer = answers[0] >= 0};
    postern__buckets_plan plan;
    bool done;
    if (family == 6 && postern__buckets_suit(&intervals->prefixes, &plan)) {
        part.shape = POSTERN__BUCKETS;
        done = postern__buckets_append(site, &intervals->prefixes, plan, &part.body);
    } else if (family == 4 && postern__blocks_suit(ends, count, answer)) {
        part.shape = POSTERN__BLOCKS;
        done = postern__blocks_append(site, intervals, &part.body);
    } else {
        done = family == 4 ? append_part4(site, ends, count, &part)
                           : append_part6(site, ends, count, &part);
        if (done && answer == POSTERN__LONGEST)
            done = append_answers(site, answers, count + 1, &part);
    }
    if (done) ((struct part *)postern__site_at(site, 0))[family == 4 ? 0 : 1] = part;
    return done;
}

static bool append_family(const postern__site *site, const postern__prefix *prefixes, size_t count,
                          uint8_t family, postern__answer answer) {
    postern__intervals intervals;
    if (!postern__intervals_build(prefixes, count, family, answer, &site->block->allocator,
                                  &intervals))
        return false;
    bool done = append_intervals(site, &intervals, family, answer);
    postern__intervals_free(&intervals);
    return done;
}

bool postern__cidr_build(const postern__prefix *prefixes, size_t count, postern__answer answer,
                         postern__vector *block, size_t *offset) {
    size_t before = block->count;
    postern__site site = {.block = block};
    uint32_t ignored;
    /* The start itself is placed as seen from the start of the block. */
    bool done = count <= INT32_MAX && postern__site_append(&site, 8, NULL, sizeof(struct cidr_set), &ignored);
    if (done) {
        site.start = block->count - sizeof(struct cidr_set);
        done = append_family(&site, prefixes, count, 4, answer) &&
               append_family(&site, prefixes, count, 6, answer);
    }
    if (done) {
        *offset = site.start;
    } else {
        block->count = before;
    }
    return done;
}

const char *postern__shape_name(postern__shape shape) {
    static const char *const names[] = {"few", "tree", "directory", "blocks", "buckets"};
    return names[shape];
}

postern__cidr_report postern__cidr_describe(const void *set, uint8_t family) {
    const struct part *part = (const struct part *)set + (family == 4 ? 0 : 1);
    return (postern__cidr_report){.shape = (postern__shape)part->shape, .ends = part->ends};
}
