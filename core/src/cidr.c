#include "cidr.h"

/* ---- Layout of a set ---------------------------------------------------- */

/* Up to this many prefixes are compared one by one. Measured on x86-64: an
 * address outside all takes the same time either way at about 32, one inside at
 * about 64, but a trie is four times as large. */
enum { FLAT_LIMIT = 32 };

/* A node decides STRIDE bits, so that one bit a slot fits a word. */
enum { STRIDE = 6, SLOTS = 1 << STRIDE, PATH_LIMIT = 64 };

/* One family's prefixes. Offsets count from the start of the set. */
struct part {
    uint32_t is_trie;
    uint32_t count;   /* of different prefixes */
    uint64_t entries; /* flat: offset of them; trie: of the nodes, root first */
    uint64_t leaves;  /* trie: offset of the answers */
};

struct cidr_set {
    struct part parts[2]; /* IPv4, IPv6 */
};

/* Flat prefixes stand longest first: the first that holds an address is the
 * answer. */
struct flat4 {
    uint32_t value;
    uint32_t mask;
    int32_t index;
};

struct flat6 {
    uint64_t high, low;
    uint64_t high_mask, low_mask;
    int32_t index;
    uint32_t unused; /* keeps the block free of bytes nobody wrote */
};

/* Drawn in cidr.h. */
struct node {
    uint64_t children; /* bit s: slot s leads to a child node */
    uint64_t runs;     /* bit s: a run of equal answers starts at slot s */
    uint64_t path;     /* the bits skipped before the slot, from the top */
    uint32_t first_child;
    uint32_t first_leaf;
    uint32_t skip; /* how many, at most PATH_LIMIT */
    int32_t miss;  /* the answer for addresses that leave the path */
};

/* ---- Find --------------------------------------------------------------- */

/* Without a popcount instruction in the baseline, compilers call a function
 * for theirs; they recognise this where the instruction may be used. */
static unsigned count_bits(uint64_t word) {
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* 64 bits from bit `at` of the address on, with zeros behind its end. */
static uint64_t bits_from(uint64_t high, uint64_t low, unsigned at) {
    if (at >= 64) return low << (at - 64);
    return high << at | low >> 1 >> (63 - at);
}

static int32_t find_flat4(const struct flat4 *entries, uint32_t count, uint32_t value) {
    for (uint32_t i = 0; i < count; i++) {
        if ((value & entries[i].mask) == entries[i].value) return entries[i].index;
    }
    return POSTERN_NO_MATCH;
}

static int32_t find_flat6(const struct flat6 *entries, uint32_t count,
                          const postern__address *address) {
    for (uint32_t i = 0; i < count; i++) {
        const struct flat6 *entry = &entries[i];
        if ((address->high & entry->high_mask) == entry->high &&
            (address->low & entry->low_mask) == entry->low)
            return entry->index;
    }
    return POSTERN_NO_MATCH;
}

/* Every turn goes STRIDE bits on at least, and a node exists only where some
 * prefix is longer than its place: 22 turns at most. */
static int32_t find_in_trie(const struct node *nodes, const int32_t *leaves,
                            const postern__address *address) {
    const struct node *at_node = nodes;
    unsigned at = 0;
    for (;;) {
        uint64_t bits = bits_from(address->high, address->low, at);
        if (at_node->skip > 0) {
            if ((bits ^ at_node->path) >> (PATH_LIMIT - at_node->skip) != 0) return at_node->miss;
            at += at_node->skip;
            bits = bits_from(address->high, address->low, at);
        }
        unsigned slot = (unsigned)(bits >> (64 - STRIDE));
        uint64_t up_to_slot = (UINT64_C(2) << slot) - 1;
        if ((at_node->children >> slot & 1) == 0)
            return leaves[at_node->first_leaf + count_bits(at_node->runs & up_to_slot) - 1];
        at_node = nodes + at_node->first_child + count_bits(at_node->children & up_to_slot) - 1;
        at += STRIDE;
    }
}

int32_t postern__cidr_find(const void *set, const postern__address *address) {
    const struct part *at = &((const struct cidr_set *)set)->parts[address->family == 4 ? 0 : 1];
    const void *entries = (const char *)set + at->entries;
    if (at->is_trie)
        return find_in_trie(entries, (const void *)((const char *)set + at->leaves), address);
    if (address->family == 4)
        return find_flat4(entries, at->count, (uint32_t)(address->high >> 32));
    return find_flat6(entries, at->count, address);
}

/* ---- Sorting ------------------------------------------------------------ */

struct entry {
    uint64_t high, low;
    int32_t index;
    uint32_t length;
};

/* By value, then the shorter first: a prefix stands before all it holds. */
static bool precedes(const struct entry *a, const struct entry *b) {
    if (a->high != b->high) return a->high < b->high;
    if (a->low != b->low) return a->low < b->low;
    return a->length < b->length;
}

static bool is_longer(const struct entry *a, const struct entry *b) {
    return a->length > b->length;
}

typedef bool (*entry_order)(const struct entry *a, const struct entry *b);

/* Merges [first, middle) and [middle, end) of `from` into the same place of
 * `to`. */
static void merge(const struct entry *from, struct entry *to, size_t first, size_t middle,
                  size_t end, entry_order order) {
    size_t left = first;
    size_t right = middle;
    for (size_t i = first; i < end; i++) {
        bool take_right = left == middle || (right < end && order(&from[right], &from[left]));
        to[i] = from[take_right ? right++ : left++];
    }
}

/* Stable, and it allocates nothing, which qsort does not promise. `entries`
 * and `spare` hold `count` each; returns the one that holds the result. */
static struct entry *sort(struct entry *entries, struct entry *spare, size_t count,
                          entry_order order) {
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t first = 0; first < count; first += 2 * width) {
            size_t middle = count - first > width ? first + width : count;
            size_t end = count - middle > width ? middle + width : count;
            merge(entries, spare, first, middle, end, order);
        }
        struct entry *sorted = spare;
        spare = entries;
        entries = sorted;
    }
    return entries;
}

/* Drops all but the first of equal prefixes, which has the smallest index as
 * sorting was stable. */
static size_t drop_duplicates(struct entry *entries, size_t count) {
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || precedes(&entries[kept - 1], &entries[i])) entries[kept++] = entries[i];
    }
    return kept;
}

/* ---- Build: flat -------------------------------------------------------- */

/* Appends at the next multiple of 8 and says how far behind `start`. */
static bool append(postern__vector *block, size_t start, const void *bytes, size_t size,
                   uint64_t *offset) {
    static const char zeros[8];
    size_t padding = (8 - block->count % 8) % 8;
    if (!postern__vector_reserve(block, padding + size)) return false;
    if (padding > 0) postern__vector_push(block, zeros, padding);
    *offset = block->count - start;
    if (size > 0) postern__vector_push(block, bytes, size);
    return true;
}

static bool append_flat4(const struct entry *entries, struct part *made, postern__vector *block,
                         size_t start) {
    struct flat4 flat[FLAT_LIMIT];
    for (size_t i = 0; i < made->count; i++) {
        flat[i] = (struct flat4){.value = (uint32_t)(entries[i].high >> 32),
                          .mask = (uint32_t)(postern__high_mask(entries[i].length) >> 32),
                          .index = entries[i].index};
    }
    return append(block, start, flat, made->count * sizeof *flat, &made->entries);
}

static bool append_flat6(const struct entry *entries, struct part *made, postern__vector *block,
                         size_t start) {
    struct flat6 flat[FLAT_LIMIT];
    for (size_t i = 0; i < made->count; i++) {
        flat[i] = (struct flat6){.high = entries[i].high,
                          .low = entries[i].low,
                          .high_mask = postern__high_mask(entries[i].length),
                          .low_mask = postern__low_mask(entries[i].length),
                          .index = entries[i].index};
    }
    return append(block, start, flat, made->count * sizeof *flat, &made->entries);
}

/* ---- Build: trie -------------------------------------------------------- */

/* What a node is made from: the entries [first, end), all longer than `at`
 * bits and alike in those, and the answer where none of them holds. */
struct task {
    size_t first, end;
    uint32_t at;
    int32_t answer;
};

/* nodes[i] is made from tasks[i]. Children are appended together when their
 * parent is made, hence side by side, and made in their turn: no recursion. */
struct trie {
    const struct entry *entries;
    postern__vector nodes;
    postern__vector tasks;
    postern__vector leaves;
};

static unsigned leading_zeros(uint64_t word) {
    for (unsigned shift = 1; shift < 64; shift *= 2) word |= word >> shift;
    return 64 - count_bits(word);
}

/* How many leading bits two entries have in common. */
static unsigned common_bits(const struct entry *a, const struct entry *b) {
    if (a->high != b->high) return leading_zeros(a->high ^ b->high);
    return 64 + leading_zeros(a->low ^ b->low);
}

static unsigned slot_of(const struct entry *entry, unsigned at) {
    return (unsigned)(bits_from(entry->high, entry->low, at) >> (64 - STRIDE));
}

/* The bit at which the node of `from` decides. Skipping stops before the first
 * difference, before the end of the shortest entry (the first, if it holds the
 * others), and after PATH_LIMIT bits. */
static uint32_t choose_place(const struct trie *trie, const struct task *from) {
    const struct entry *first = &trie->entries[from->first];
    unsigned place = common_bits(first, &trie->entries[from->end - 1]);
    if (place > first->length - 1) place = first->length - 1;
    if (place > from->at + PATH_LIMIT) place = from->at + PATH_LIMIT;
    return place;
}

/* The answer of each slot of a node at `place`, from the entries that end in
 * it. Longer ones come later and paint over what they refine. */
static void paint(const struct trie *trie, const struct task *from, uint32_t place,
                  int32_t answers[SLOTS]) {
    for (unsigned slot = 0; slot < SLOTS; slot++) answers[slot] = from->answer;
    for (size_t i = from->first; i < from->end; i++) {
        const struct entry *entry = &trie->entries[i];
        if (entry->length > place + STRIDE) continue;
        unsigned first = slot_of(entry, place);
        unsigned count = 1u << (place + STRIDE - entry->length);
        for (unsigned slot = first; slot < first + count; slot++) answers[slot] = entry->index;
    }
}

/* Appends a child for every slot that an entry passes through. Entries of one
 * slot stand together. */
static bool add_children(struct trie *trie, struct node *made, const struct task *from,
                         uint32_t place, const int32_t answers[SLOTS]) {
    struct task child = {.at = place + STRIDE};
    for (size_t i = from->first; i < from->end; i = child.end) {
        const struct entry *first = &trie->entries[i];
        unsigned slot = slot_of(first, place);
        child.first = i;
        child.end = i + 1;
        if (first->length <= place + STRIDE) continue;
        while (child.end < from->end && slot_of(&trie->entries[child.end], place) == slot)
            child.end++;
        child.answer = answers[slot];
        made->children |= UINT64_C(1) << slot;
        if (postern__vector_push(&trie->tasks, &child, 1) == NULL ||
            postern__vector_push(&trie->nodes, NULL, 1) == NULL)
            return false;
    }
    return true;
}

/* Appends the answers of the slots without a child, one for each run. */
static bool add_leaves(struct trie *trie, struct node *made, const int32_t answers[SLOTS]) {
    int32_t leaves[SLOTS];
    size_t count = 0;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (made->children >> slot & 1) continue;
        if (count > 0 && leaves[count - 1] == answers[slot]) continue;
        leaves[count++] = answers[slot];
        made->runs |= UINT64_C(1) << slot;
    }
    return count == 0 || postern__vector_push(&trie->leaves, leaves, count) != NULL;
}

static bool make_node(struct trie *trie, size_t index) {
    struct task from = *POSTERN__AT(&trie->tasks, struct task, index);
    uint32_t place = choose_place(trie, &from);
    uint32_t skip = place - from.at;
    const struct entry *first = &trie->entries[from.first];
    if (trie->nodes.count > UINT32_MAX - SLOTS || trie->leaves.count > UINT32_MAX - SLOTS)
        return false;
    uint64_t path = bits_from(first->high, first->low, from.at);
    struct node made = {.path = path & postern__leading_bits(skip),
                 .first_child = (uint32_t)trie->nodes.count,
                 .first_leaf = (uint32_t)trie->leaves.count,
                 .skip = skip,
                 .miss = from.answer};
    int32_t answers[SLOTS];
    paint(trie, &from, place, answers);
    if (!add_children(trie, &made, &from, place, answers)) return false;
    if (!add_leaves(trie, &made, answers)) return false;
    *POSTERN__AT(&trie->nodes, struct node, index) = made;
    return true;
}

/* A prefix of length 0 sorts first. It is longer than no place, hence no entry
 * of the root but its answer. */
static bool make_nodes(struct trie *trie, size_t count) {
    struct task root = {.first = 0, .end = count, .at = 0, .answer = POSTERN_NO_MATCH};
    if (trie->entries[0].length == 0) {
        root.first = 1;
        root.answer = trie->entries[0].index;
    }
    if (postern__vector_push(&trie->tasks, &root, 1) == NULL ||
        postern__vector_push(&trie->nodes, NULL, 1) == NULL)
        return false;
    for (size_t i = 0; i < trie->nodes.count; i++) {
        if (!make_node(trie, i)) return false;
    }
    return true;
}

static bool append_trie(const struct entry *entries, struct part *made, postern__vector *block,
                        size_t start) {
    struct trie trie = {.entries = entries};
    postern__vector_init(&trie.nodes, sizeof(struct node), &block->allocator);
    postern__vector_init(&trie.tasks, sizeof(struct task), &block->allocator);
    postern__vector_init(&trie.leaves, sizeof(int32_t), &block->allocator);
    bool done = make_nodes(&trie, made->count);
    size_t nodes_size = trie.nodes.count * sizeof(struct node);
    size_t leaves_size = trie.leaves.count * sizeof(int32_t);
    done = done && append(block, start, trie.nodes.items, nodes_size, &made->entries) &&
           append(block, start, trie.leaves.items, leaves_size, &made->leaves);
    postern__vector_free(&trie.leaves);
    postern__vector_free(&trie.tasks);
    postern__vector_free(&trie.nodes);
    return done;
}

/* ---- Build -------------------------------------------------------------- */

/* Copies the prefixes of one family. Returns how many. */
static size_t gather(const postern__prefix *prefixes, size_t count, uint8_t family,
                     struct entry *out) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const postern__address *address = &prefixes[i].address;
        if (address->family != family) continue;
        out[found++] = (struct entry){.high = address->high,
                               .low = address->low,
                               .index = (int32_t)i,
                               .length = prefixes[i].length};
    }
    return found;
}

/* Appends one family. `scratch` has room for `count` entries twice. */
static bool append_part(const postern__prefix *prefixes, size_t count, uint8_t family,
                        struct entry *scratch, postern__vector *block, size_t start) {
    size_t found = gather(prefixes, count, family, scratch);
    struct entry *entries = sort(scratch, scratch + count, found, precedes);
    found = drop_duplicates(entries, found);
    struct part made = {.is_trie = found > FLAT_LIMIT, .count = (uint32_t)found};
    bool done;
    if (made.is_trie) {
        done = append_trie(entries, &made, block, start);
    } else {
        struct entry *spare = entries == scratch ? scratch + count : scratch;
        entries = sort(entries, spare, found, is_longer);
        done = family == 4 ? append_flat4(entries, &made, block, start)
                           : append_flat6(entries, &made, block, start);
    }
    if (!done) return false;
    struct cidr_set *set = (struct cidr_set *)(void *)(block->items + start);
    set->parts[family == 4 ? 0 : 1] = made;
    return true;
}

bool postern__cidr_build(const postern__prefix *prefixes, size_t count, postern__vector *block,
                         size_t *offset) {
    static const struct cidr_set empty;
    size_t before = block->count;
    uint64_t start = 0;
    postern__vector scratch;
    postern__vector_init(&scratch, sizeof(struct entry), &block->allocator);
    bool done = count <= INT32_MAX && append(block, 0, &empty, sizeof empty, &start) &&
                postern__vector_reserve(&scratch, 2 * count + 1);
    if (done) {
        struct entry *entries = POSTERN__AT(&scratch, struct entry, 0);
        done = append_part(prefixes, count, 4, entries, block, (size_t)start) &&
               append_part(prefixes, count, 6, entries, block, (size_t)start);
    }
    postern__vector_free(&scratch);
    if (done) {
        *offset = (size_t)start;
    } else {
        block->count = before;
    }
    return done;
}

/* ---- The public matcher ------------------------------------------------- */

/* The set stands right behind this head, in the same allocation. */
struct postern_cidr {
    postern_allocator allocator;
    uint64_t size; /* of the whole, for the allocator */
};

_Static_assert(sizeof(postern_cidr) % 8 == 0, "the set behind the head is aligned to 8");
_Static_assert(sizeof(struct part) == 24 && sizeof(struct node) == 40 &&
                   sizeof(struct flat4) == 12 && sizeof(struct flat6) == 40,
               "no padding: every byte of a set is written");

static int fail_range(postern_span text, size_t index, postern_error *error) {
    unsigned limit = postern__prefix_limit(text);
    if (limit == 0)
        return postern__fail(error, POSTERN_VALUE, 0, 0,
                             "range %zu: `%.*s%s`: not an IPv4 or IPv6 address; write it like "
                             "10.0.0.0/8 or 2001:db8::/32, without spaces, leading zeros or zone",
                             index, POSTERN__QUOTE(text));
    return postern__fail(error, POSTERN_VALUE, 0, 0,
                         "range %zu: `%.*s%s`: bad prefix length; write 0 to %u after the slash, "
                         "without leading zeros, or leave both out for one address",
                         index, POSTERN__QUOTE(text), limit);
}

/* Appends the parsed ranges to `prefixes`. */
static int parse_ranges(const postern_span *ranges, size_t count, postern__vector *prefixes,
                        postern_error *error) {
    if (!postern__vector_reserve(prefixes, count)) return postern__no_memory(error);
    for (size_t i = 0; i < count; i++) {
        postern__prefix prefix;
        if (!postern__prefix_parse(ranges[i], &prefix)) return fail_range(ranges[i], i, error);
        postern__vector_push(prefixes, &prefix, 1);
    }
    return POSTERN_OK;
}

static postern_cidr *new_matcher(const postern__vector *prefixes, postern__vector *block) {
    size_t offset;
    postern_cidr head = {.allocator = block->allocator};
    if (postern__vector_push(block, &head, sizeof head) == NULL ||
        !postern__cidr_build((const void *)prefixes->items, prefixes->count, block, &offset))
        return NULL;
    postern_cidr *cidr = postern__alloc(&block->allocator, block->count);
    if (cidr == NULL) return NULL;
    memcpy(cidr, block->items, block->count);
    cidr->size = block->count;
    return cidr;
}

postern_cidr *postern_cidr_new(const postern_span *ranges, size_t count,
                               const postern_allocator *allocator, postern_error *error) {
    if (count > INT32_MAX) {
        postern__fail(error, POSTERN_LIMIT, 0, 0, "%zu ranges in one set; at most %d are possible",
                      count, INT32_MAX);
        return NULL;
    }
    if (ranges == NULL && count > 0) {
        postern__fail(error, POSTERN_MISUSE, 0, 0, "%zu ranges announced but none given", count);
        return NULL;
    }
    postern_allocator own = postern__allocator(allocator);
    postern__vector prefixes, block;
    postern__vector_init(&prefixes, sizeof(postern__prefix), &own);
    postern__vector_init(&block, 1, &own);
    postern_cidr *cidr = NULL;
    if (parse_ranges(ranges, count, &prefixes, error) == POSTERN_OK) {
        cidr = new_matcher(&prefixes, &block);
        if (cidr == NULL) postern__no_memory(error);
    }
    postern__vector_free(&block);
    postern__vector_free(&prefixes);
    return cidr;
}

int32_t postern_cidr_match(const postern_cidr *cidr, const char *address, size_t length) {
    postern__address parsed;
    if (!postern__address_parse((postern_span){address, length}, &parsed))
        return POSTERN_NOT_AN_ADDRESS;
    return postern__cidr_find(cidr + 1, &parsed);
}

void postern_cidr_free(postern_cidr *cidr) {
    if (cidr == NULL) return;
    postern_allocator allocator = cidr->allocator;
    postern__free(&allocator, cidr, (size_t)cidr->size);
}
