#include "blocks.h"

/* From so many ends on a directory of buckets takes more room. At most one end
 * in so many may lie within a block. */
enum { BLOCKS_FROM = 1 << 20, COARSE = 16 };

_Static_assert(offsetof(postern__blocks, directory) == POSTERN__LINE &&
                   sizeof(postern__blocks) == POSTERN__LINE + POSTERN__RECORDS * sizeof(uint32_t),
               "no padding: every byte of a set is written");

static uint32_t address_of(const postern__end *end) { return (uint32_t)(end->high >> 32); }

static uint32_t block_of(const postern__end *end) { return address_of(end) >> 8; }

static bool is_within(const postern__end *end) { return (uint8_t)address_of(end) != UINT8_MAX; }

bool postern__blocks_suit(const postern__end *ends, size_t count) {
    size_t within = 0;
    if (count < BLOCKS_FROM) return false;
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

/* What is not whole goes to the other three. */
struct draft {
    postern__vector spans;  /* of struct span_of_blocks */
    postern__vector starts; /* of uint32_t */
    postern__vector lows;   /* of uint8_t */
    postern__vector within; /* of uint32_t, numbers */
    uint32_t deep;
};

static void draft_init(struct draft *draft, const postern_allocator *allocator) {
    postern__vector_init(&draft->spans, sizeof(struct span_of_blocks), allocator);
    postern__vector_init(&draft->starts, sizeof(uint32_t), allocator);
    postern__vector_init(&draft->lows, sizeof(uint8_t), allocator);
    postern__vector_init(&draft->within, sizeof(uint32_t), allocator);
}

static void draft_free(struct draft *draft) {
    postern__vector_free(&draft->within);
    postern__vector_free(&draft->lows);
    postern__vector_free(&draft->starts);
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
    bool done = add_start(draft) && add_span(draft, number, block_of(ends));
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

/* Of the spans from `first` on: how many a record needs, which ends with `last`. */
static size_t spans_until(const struct span_of_blocks *first, uint32_t last) {
    size_t count = 1;
    while (first[count - 1].last < last) count++;
    return count;
}

static size_t record_words(size_t numbers, unsigned bits) {
    return POSTERN__RECORD_BITS + (numbers * bits + 31) / 32;
}

static uint32_t last_of_record(size_t record) {
    return (uint32_t)(record + 1) * POSTERN__RECORD_BLOCKS - 1;
}

static size_t count_words(const struct span_of_blocks *span, unsigned bits) {
    size_t words = 1; /* two are read where a number begins */
    for (size_t record = 0; record < POSTERN__RECORDS; record++) {
        uint32_t last = last_of_record(record);
        size_t numbers = spans_until(span, last);
        words += record_words(numbers, bits);
        span += numbers - (span[numbers - 1].last > last); /* goes on in the next one */
    }
    return words;
}

static void write_records(postern__blocks *blocks, const struct span_of_blocks *span) {
    uint32_t *words = blocks->words;
    uint32_t at = 0;
    for (size_t record = 0; record < POSTERN__RECORDS; record++) {
        uint32_t last = last_of_record(record);
        size_t numbers = spans_until(span, last);
        blocks->directory[record] = at;
        for (size_t i = 0; i < numbers; i++) {
            uint32_t block = span[i].last % POSTERN__RECORD_BLOCKS;
            if (span[i].last <= last) words[at + block / 32] |= UINT32_C(1) << block % 32;
            postern__packed_put(words + at + POSTERN__RECORD_BITS, blocks->bits, i,
                                span[i].number);
        }
        at += (uint32_t)record_words(numbers, blocks->bits);
        span += numbers - (span[numbers - 1].last > last);
    }
}

static bool append_within(const postern__site *site, const postern__vector *within, unsigned bits,
                          uint32_t *offset) {
    if (!postern__packed_append(site, within->count, bits, offset)) return false;
    uint32_t *words = postern__site_at(site, *offset);
    for (size_t i = 0; i < within->count; i++)
        postern__packed_put(words, bits, i, *POSTERN__AT(within, uint32_t, i));
    return true;
}

static bool append_draft(const postern__site *site, const struct draft *draft, uint32_t *offset) {
    const struct span_of_blocks *spans = POSTERN__AT(&draft->spans, struct span_of_blocks, 0);
    unsigned bits = postern__packed_bits(draft->deep + (uint32_t)draft->starts.count);
    uint32_t starts, lows, within;
    size_t words = count_words(spans, bits);
    if (words > UINT32_MAX ||
        !postern__site_append(site, POSTERN__LINE, NULL,
                              sizeof(postern__blocks) + words * sizeof(uint32_t), offset) ||
        !postern__site_append(site, 8, draft->starts.items, draft->starts.count * sizeof(uint32_t),
                              &starts) ||
        !postern__site_append(site, 8, draft->lows.items, draft->lows.count, &lows) ||
        !append_within(site, &draft->within, bits, &within))
        return false;
    postern__blocks *blocks = postern__site_at(site, *offset);
    blocks->bits = bits;
    blocks->deep = draft->deep;
    blocks->starts = starts;
    blocks->lows = lows;
    blocks->within = within;
    write_records(blocks, spans);
    return true;
}

bool postern__blocks_append(const postern__site *site, const postern__end *ends,
                            const int32_t *answers, size_t count, uint32_t *offset) {
    struct draft draft;
    int32_t greatest = answers[count];
    for (size_t i = 0; i < count; i++) {
        if (answers[i] > greatest) greatest = answers[i];
    }
    draft_init(&draft, &site->block->allocator);
    draft.deep = number_of(greatest) + 1;
    bool done = draft_all(&draft, ends, answers, count) && append_draft(site, &draft, offset);
    draft_free(&draft);
    return done;
}
