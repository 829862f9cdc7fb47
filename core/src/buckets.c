#include "buckets.h"

/* From so many prefixes on they take less time in every way: at 1000 a lookup
 * that waits for the one before took a tenth longer than a directory of ends, and
 * half as long otherwise (spec/bench/bench_cidr.c). A bucket has two to four on
 * average, or up to a quarter of that where they are not spread evenly. */
enum { BUCKETS_FROM = 4096, MORE_BITS = 2 };

/* Offsets of records have 32 bits. */
enum { BUCKETS_MOST = 1 << 26 };

_Static_assert(sizeof(postern__buckets) == POSTERN__LINE, "no padding: every byte of a set is written");

/* ---- Plan ------------------------------------------------------------------- */

static const postern__nested *prefix_at(const postern__vector *prefixes, size_t index) {
    return POSTERN__AT(prefixes, postern__nested, index);
}

static uint32_t bits_in(uint64_t word) {
    uint32_t bits = 0;
    for (; word > 0; word >>= 1) bits++;
    return bits;
}

static size_t bucket_of(const postern__nested *prefix, postern__buckets_plan plan) {
    return (size_t)(prefix->high << plan.skip >> (64 - plan.bits));
}

static bool is_listed(const postern__nested *prefix, postern__buckets_plan plan) {
    return prefix->length > plan.skip + plan.bits;
}

static bool fits(const postern__vector *prefixes, postern__buckets_plan plan) {
    size_t bucket = 0, here = 0, most = 0;
    for (size_t i = 0; i < prefixes->count; i++) {
        const postern__nested *prefix = prefix_at(prefixes, i);
        if (!is_listed(prefix, plan)) continue;
        here = bucket_of(prefix, plan) == bucket ? here + 1 : 1;
        bucket = bucket_of(prefix, plan);
        if (here > most) most = here;
    }
    return most <= POSTERN__LIST6;
}

bool postern__buckets_suit(const postern__vector *prefixes, postern__buckets_plan *plan) {
    size_t count = prefixes->count;
    if (count < BUCKETS_FROM || count > BUCKETS_MOST) return false;
    uint32_t shortest = 64;
    for (size_t i = 0; i < count; i++) {
        const postern__nested *prefix = prefix_at(prefixes, i);
        if (prefix->length > 64) return false;
        if (prefix->length < shortest) shortest = prefix->length;
    }
    uint32_t common = 64 - bits_in(prefix_at(prefixes, 0)->high ^ prefix_at(prefixes, count - 1)->high);
    plan->skip = common < shortest ? common : shortest;
    uint32_t bits = bits_in(count) - 2;
    for (plan->bits = bits; plan->bits <= bits + MORE_BITS; plan->bits++) {
        /* Of the word a bit is left for the one behind 64 bits. */
        if (plan->skip + plan->bits < 64 && fits(prefixes, *plan)) return true;
    }
    return false;
}

/* ---- Build ------------------------------------------------------------------ */

/* A prefix of a bucket or more. */
struct outer {
    size_t last; /* bucket */
    uint32_t number;
};

/* What is left for the buckets from one on, and that one's prefixes. */
struct progress {
    const postern__nested *prefix, *end;
    struct outer outer[64]; /* at most one of each length */
    size_t depth;
    const postern__nested *listed[POSTERN__LIST6]; /* longest first */
    size_t count;
};

static uint32_t number_of(const postern__nested *prefix) { return (uint32_t)prefix->answer + 1; }

/* Moves on by the prefixes that begin in a bucket. */
static void list_bucket(struct progress *at, size_t bucket, postern__buckets_plan plan) {
    at->count = 0;
    while (at->depth > 0 && at->outer[at->depth - 1].last < bucket) at->depth--;
    for (; at->prefix < at->end && bucket_of(at->prefix, plan) == bucket; at->prefix++) {
        const postern__nested *prefix = at->prefix;
        if (is_listed(prefix, plan)) {
            size_t to = at->count++;
            for (; to > 0 && at->listed[to - 1]->length < prefix->length; to--)
                at->listed[to] = at->listed[to - 1];
            at->listed[to] = prefix;
        } else {
            size_t more = ((size_t)1 << (plan.skip + plan.bits - prefix->length)) - 1;
            at->outer[at->depth++] = (struct outer){bucket + more, number_of(prefix)};
        }
    }
}

static void put_word(uint8_t *bytes, uint64_t word) {
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(word >> 8 * i);
}

static bool append_record(postern__vector *block, const struct progress *at,
                          postern__buckets_plan plan, uint32_t bits) {
    unsigned taken = plan.skip + plan.bits;
    size_t numbers = 1 + at->count * 8;
    size_t size = numbers + ((at->count + 1) * bits + 7) / 8;
    uint8_t *record = postern__vector_push(block, NULL, size);
    if (record == NULL) return false;
    memset(record, 0, size);
    record[0] = (uint8_t)at->count;
    for (size_t i = 0; i < at->count; i++) {
        const postern__nested *prefix = at->listed[i];
        put_word(record + 1 + i * 8,
                 prefix->high << taken | UINT64_C(1) << (63 + taken - prefix->length));
        postern__packed_put_in(record + numbers, bits, i, number_of(prefix));
    }
    uint32_t around = at->depth > 0 ? at->outer[at->depth - 1].number : 0;
    postern__packed_put_in(record + numbers, bits, at->count, around);
    return true;
}

static uint32_t greatest_number(const postern__vector *prefixes) {
    uint32_t greatest = 0;
    for (size_t i = 0; i < prefixes->count; i++) {
        uint32_t number = number_of(prefix_at(prefixes, i));
        if (number > greatest) greatest = number;
    }
    return greatest;
}

bool postern__buckets_append(const postern__site *site, const postern__vector *prefixes,
                             postern__buckets_plan plan, uint32_t *offset) {
    static const uint8_t behind[2 * POSTERN__LINE]; /* eight words may be read, or a number */
    size_t buckets = (size_t)1 << plan.bits;
    uint64_t mask = postern__leading_bits(plan.skip);
    uint32_t bits = postern__packed_bits(greatest_number(prefixes));
    postern__buckets head = {.common = prefix_at(prefixes, 0)->high & mask,
                             .mask = mask,
                             .skip = plan.skip,
                             .bits = plan.bits,
                             .number_bits = bits,
                             .most = (uint32_t)((UINT64_C(1) << bits) - 1)};
    struct progress at = {.prefix = prefix_at(prefixes, 0),
                          .end = prefix_at(prefixes, prefixes->count)};
    if (!postern__site_append(site, POSTERN__LINE, NULL,
                              sizeof head + buckets * sizeof(uint32_t), offset) ||
        !postern__site_append(site, 8, NULL, 0, &head.bytes))
        return false;
    memcpy(postern__site_at(site, *offset), &head, sizeof head);
    size_t first = site->block->count;
    for (size_t bucket = 0; bucket < buckets; bucket++) {
        postern__buckets *made = postern__site_at(site, *offset);
        made->directory[bucket] = (uint32_t)(site->block->count - first);
        list_bucket(&at, bucket, plan);
        if (!append_record(site->block, &at, plan, bits)) return false;
    }
    return postern__vector_push(site->block, behind, sizeof behind) != NULL;
}
