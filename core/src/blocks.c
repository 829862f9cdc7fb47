#include "blocks.h"

/* From so many ends on a directory of buckets takes more room: of membership, which
 * has no numbers there, much later. With numbers it takes as much time at 100,000
 * prefixes, and half as much again at 500,000 (spec/bench/bench_cidr.c). At most one
 * end in so many may lie within a block. */
enum { BLOCKS_FROM = 1 << 17, MEMBERSHIP_FROM = 1 << 20, COARSE = 16 };

_Static_assert(offsetof(postern__blocks, directory) == POSTERN__LINE &&
                   sizeof(postern__blocks) == POSTERN__LINE + POSTERN__RECORDS * sizeof(uint32_t),
               "no padding: every byte of a set is written");

static uint32_t address_of(const postern__end *end) { return (uint32_t)(end->high >> 32); }

static uint32_t block_of(const postern__end *end) { return address_of(end) >> 8; }

static bool is_within(const postern__end *end) { return (uint8_t)address_of(end) != UINT8_MAX; }

bool postern__blocks_suit(const postern__end *ends, size_t count, postern__answer answer) {
    size_t within = 0;
    if (count < (answer == POSTERN__MEMBERSHIP ? MEMBERSHIP_FROM : BLOCKS_FROM)) return false;
    for (size_t i = 0; i < count; i++) within += is_within(&ends[i]);
    return within <= count / COARSE;
}

int32_t postern__blocks_within(const void *start, const postern__blocks *blocks, uint32_t number,
                               uint32_t address) {
    uint32_t deep = number - blocks->deep;
    const uint32_t *starts = (const uint32_t *)postern__at_offset(start, blocks->starts) + deep;
    const uint8_t *lows = postern__at_offset(start, blocks->lows);
    uint32_t place = starts[0];
    uint32_t count = starts[1] - place;
    while (count > 0) {
        uint32_t half = (count + 1) / 2;
        place += lows[place + half - 1] < (uint8_t)address ? half : 0;
        count -= half;
    }
    const uint32_t *numbers = postern__at_offset(start, blocks->within);
    return (int32_t)postern__packed_at(numbers, blocks->bits, (size_t)place + deep) - 1;
}

/* ---- Build: intervals of whole blocks -------------------------------------- */

struct span_of_blocks {
    uint32_t number;
    uint32_t last; /* block */
};

/* What is not whole goes to the last three. */
struct draft {
    postern__vector spans;  /* of struct span_of_blocks */
    postern__vector blocks; /* of uint32_t, those that are deep */
    postern__vector starts; /* of uint32_t */
    postern__vector lows;   /* of uint8_t */
    postern__vector within; /* of uint32_t, numbers */
    uint32_t deep;
};

static void draft_init(struct draft *draft, const postern_allocator *allocator) {
    postern__vector_init(&draft->spans, sizeof(struct span_of_blocks), allocator);
    postern__vector_init(&draft->blocks, sizeof(uint32_t), allocator);
    postern__vector_init(&draft->starts, sizeof(uint32_t), allocator);
    postern__vector_init(&draft->lows, sizeof(uint8_t), allocator);
    postern__vector_init(&draft->within, sizeof(uint32_t), allocator);
}

static void draft_free(struct draft *draft) {
    postern__vector_free(&draft->within);
    postern__vector_free(&draft->lows);
    postern__vector_free(&draft->starts);
    postern__vector_free(&draft->blocks);
    postern__vector_free(&draft->spans);
}

static uint32_t number_of(int32_t answer) { return (uint32_t)answer + 1; }

static bool add_span(struct draft *draft, uint32_t number, uint32_t last) {
    struct span_of_blocks span = {number, last};
    return postern__vector_push(&draft->spans, &span, 1) != NULL;
}

static bool add_start(struct draft *draft) {
    uint32_t start = (uint32_t)draft->lows.count;
    return postern__vector_push(&draft->starts, &start, 1) != NULL;
}

/* A block with `count` ends before its last address. */
static bool add_deep(struct draft *draft, const postern__end *ends, const int32_t *answers,
                     size_t count) {
    uint32_t number = draft->deep + (uint32_t)draft->starts.count;
    uint32_t block = block_of(ends);
    bool done = postern__vector_push(&draft->blocks, &block, 1) != NULL && add_start(draft) &&
                add_span(draft, number, block);
    for (size_t i = 0; done && i <= count; i++) {
        uint32_t within = number_of(answers[i]);
        done = postern__vector_push(&draft->within, &within, 1) != NULL;
    }
    for (size_t i = 0; done && i < count; i++) {
        uint8_t low = (uint8_t)address_of(&ends[i]);
        done = postern__vector_push(&draft->lows, &low, 1) != NULL;
    }
    return done;
}

/* How many of the first ends lie within one block. */
static size_t count_within(const postern__end *ends, size_t count) {
    size_t within = 0;
    while (within < count && is_within(&ends[within]) && block_of(&ends[within]) == block_of(ends))
        within++;
    return within;
}

/* What stands in front of a deep block ends with the block before. */
static bool draft_all(struct draft *draft, const postern__end *ends, const int32_t *answers,
                      size_t count) {
    uint32_t covered = 0; /* blocks */
    bool done = true;
    for (size_t i = 0; done && i < count;) {
        uint32_t block = block_of(&ends[i]);
        size_t within = count_within(ends + i, count - i);
        if (within == 0) {
            done = add_span(draft, number_of(answers[i]), block);
            i++;
        } else {
            done = (block == covered || add_span(draft, number_of(answers[i]), block - 1)) &&
                   add_deep(draft, ends + i, answers + i, within);
            i += within;
            if (i < count && block_of(&ends[i]) == block) i++; /* with the last address */
        }
        covered = block + 1;
    }
    return done && add_start(draft) && add_span(draft, number_of(answers[count]), UINT32_MAX);
}

/* ---- Build: records --------------------------------------------------------- */

/* A prefix within a record; a deep block is one as well. */
struct listed {
    uint8_t place;
    uint8_t length; /* bits within the record, 1 to 8 */
    uint32_t number;
};

/* A prefix of a record or more. */
struct outer {
    uint32_t last_record;
    uint32_t number;
};

enum { RECORD_LENGTH = 16, BLOCK_LENGTH = 24 };

/* What is left for the records from one on, and that one's prefixes. */
struct progress {
    const postern__nested *prefix, *prefixes_end;
    const uint32_t *deep, *deep_first, *deep_end; /* blocks */
    const struct span_of_blocks *span;
    struct outer outer[RECORD_LENGTH + 1]; /* at most one of each length */
    size_t depth;
    struct listed listed[POSTERN__LIST4];
    size_t count; /* it may be more than have room */
};

static void list_one(struct progress *at, uint32_t block, uint32_t length, uint32_t number) {
    if (at->count < POSTERN__LIST4)
        at->listed[at->count] = (struct listed){(uint8_t)block, (uint8_t)(length - RECORD_LENGTH), number};
    at->count++;
}

/* Moves on by the prefixes that begin in a record, and its deep blocks: those come
 * first, so that of a prefix which is a deep block the block is found. */
static void list_record(struct progress *at, uint32_t record, uint32_t first_deep) {
    at->count = 0;
    for (; at->deep < at->deep_end && *at->deep >> 8 == record; at->deep++)
        list_one(at, *at->deep, BLOCK_LENGTH, first_deep + (uint32_t)(at->deep - at->deep_first));
    while (at->depth > 0 && at->outer[at->depth - 1].last_record < record) at->depth--;
    for (; at->prefix < at->prefixes_end && at->prefix->high >> 48 == record; at->prefix++) {
        const postern__nested *prefix = at->prefix;
        uint32_t number = number_of(prefix->answer);
        if (prefix->length <= RECORD_LENGTH) {
            uint32_t records = UINT32_C(1) << (RECORD_LENGTH - prefix->length);
            at->outer[at->depth++] = (struct outer){record + records - 1, number};
        } else if (prefix->length <= BLOCK_LENGTH) {
            list_one(at, (uint32_t)(prefix->high >> 40), prefix->length, number);
        }
    }
}

static size_t bytes_of(size_t numbers, unsigned bits) { return (numbers * bits + 7) / 8; }

static size_t list_size(const struct progress *at, size_t masked, unsigned bits) {
    return 2 + at->count + masked + bytes_of(at->count + 1, bits);
}

static size_t count_masked(const struct progress *at) {
    size_t masked = 0;
    for (size_t i = 0; i < at->count; i++) masked += at->listed[i].length < 8;
    return masked;
}

/* Zeros that are filled then; NULL: out of memory. */
static uint8_t *push_zeros(postern__vector *block, size_t size) {
    uint8_t *bytes = postern__vector_push(block, NULL, size);
    if (bytes != NULL) memset(bytes, 0, size);
    return bytes;
}

static bool append_list(postern__vector *block, const struct progress *at, unsigned bits) {
    size_t masked = count_masked(at);
    uint8_t *record = push_zeros(block, list_size(at, masked, bits));
    if (record == NULL) return false;
    uint8_t *places = record + 2;
    uint8_t *numbers = places + at->count + masked;
    size_t place = 0;
    record[0] = (uint8_t)at->count;
    record[1] = (uint8_t)masked;
    for (unsigned length = 8; length > 0; length--) {
        for (size_t i = 0; i < at->count; i++) {
            const struct listed *one = &at->listed[i];
            if (one->length != length) continue;
            places[place] = one->place;
            if (length < 8) places[place + masked] = (uint8_t)(0xFF << (8 - length));
            postern__packed_put_in(numbers, bits, place++, one->number);
        }
    }
    uint32_t around = at->depth > 0 ? at->outer[at->depth - 1].number : 0;
    postern__packed_put_in(numbers, bits, place, around);
    return true;
}

static bool append_crowded(postern__vector *block, const struct span_of_blocks *span, size_t count,
                           uint32_t last, unsigned bits) {
    enum { HEAD = 1 + POSTERN__RECORD_WORDS, NUMBERS = HEAD + POSTERN__RECORD_BLOCKS / 8 };
    uint8_t *record = push_zeros(block, NUMBERS + bytes_of(count, bits));
    if (record == NULL) return false;
    record[0] = POSTERN__CROWDED;
    for (size_t i = 0; i < count; i++) {
        uint32_t end = span[i].last % POSTERN__RECORD_BLOCKS;
        postern__packed_put_in(record + NUMBERS, bits, i, span[i].number);
        if (span[i].last > last) break;
        record[HEAD + end / 8] |= (uint8_t)(1 << end % 8);
        for (size_t word = end / 64 + 1; word < POSTERN__RECORD_WORDS; word++) record[1 + word]++;
    }
    return true;
}

/* How many spans a record needs, which ends with block `last`. */
static size_t spans_until(const struct span_of_blocks *first, uint32_t last) {
    size_t count = 1;
    while (first[count - 1].last < last) count++;
    return count;
}

static bool append_records(const postern__site *site, const struct draft *draft,
                           const postern__vector *prefixes, uint32_t blocks, unsigned bits) {
    postern__vector *block = site->block;
    size_t first = block->count;
    struct progress at = {
        .prefix = POSTERN__AT(prefixes, postern__nested, 0),
        .prefixes_end = POSTERN__AT(prefixes, postern__nested, prefixes->count),
        .deep = POSTERN__AT(&draft->blocks, uint32_t, 0),
        .deep_first = POSTERN__AT(&draft->blocks, uint32_t, 0),
        .deep_end = POSTERN__AT(&draft->blocks, uint32_t, draft->blocks.count),
        .span = POSTERN__AT(&draft->spans, struct span_of_blocks, 0),
    };
    bool done = true;
    for (uint32_t record = 0; done && record < POSTERN__RECORDS; record++) {
        uint32_t last = record * POSTERN__RECORD_BLOCKS + POSTERN__RECORD_BLOCKS - 1;
        size_t spans = spans_until(at.span, last);
        postern__blocks *head = postern__site_at(site, blocks);
        head->directory[record] = (uint32_t)(block->count - first);
        list_record(&at, record, draft->deep);
        done = at.count <= POSTERN__LIST4 ? append_list(block, &at, bits)
                                          : append_crowded(block, at.span, spans, last, bits);
        at.span += spans - (at.span[spans - 1].last > last); /* goes on in the next one */
    }
    /* A list and its masks are read whole, numbers eight bytes at once. */
    return done && push_zeros(block, 2 * POSTERN__LINE) != NULL;
}

static bool append_within(const postern__site *site, const postern__vector *within, unsigned bits,
                          uint32_t *offset) {
    if (!postern__packed_append(site, within->count, bits, offset)) return false;
    uint32_t *words = postern__site_at(site, *offset);
    for (size_t i = 0; i < within->count; i++)
        postern__packed_put(words, bits, i, *POSTERN__AT(within, uint32_t, i));
    return true;
}

static bool append_draft(const postern__site *site, const struct draft *draft,
                         const postern__vector *prefixes, uint32_t *offset) {
    unsigned bits = postern__packed_bits(draft->deep + (uint32_t)draft->starts.count);
    uint32_t starts, lows, within;
    if (!postern__site_append(site, POSTERN__LINE, NULL, sizeof(postern__blocks), offset) ||
        !append_records(site, draft, prefixes, *offset, bits) ||
        !postern__site_append(site, 8, draft->starts.items, draft->starts.count * sizeof(uint32_t),
                              &starts) ||
        !postern__site_append(site, 8, draft->lows.items, draft->lows.count, &lows) ||
        !append_within(site, &draft->within, bits, &within))
        return false;
    postern__blocks *blocks = postern__site_at(site, *offset);
    blocks->bits = bits;
    blocks->most = (uint32_t)((UINT64_C(1) << bits) - 1);
    blocks->deep = draft->deep;
    blocks->starts = starts;
    blocks->lows = lows;
    blocks->within = within;
    return true;
}

bool postern__blocks_append(const postern__site *site, const postern__intervals *intervals,
                            uint32_t *offset) {
    struct draft draft;
    size_t count = intervals->ends.count;
    const int32_t *answers = POSTERN__AT(&intervals->answers, int32_t, 0);
    int32_t greatest = answers[count];
    for (size_t i = 0; i < count; i++) {
        if (answers[i] > greatest) greatest = answers[i];
    }
    draft_init(&draft, &site->block->allocator);
    draft.deep = number_of(greatest) + 1;
    bool done = draft_all(&draft, POSTERN__AT(&intervals->ends, postern__end, 0), answers, count) &&
                append_draft(site, &draft, &intervals->prefixes, offset);
    draft_free(&draft);
    return done;
}
