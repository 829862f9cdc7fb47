#include "directory.h"

#include <stdlib.h>

#include "known.h"

struct key_slot {
    uint64_t key;
    uint32_t first; /* of the named; of one, itself */
    uint32_t count; /* 0: empty */
};

struct head {
    postern__directory_figures figures;
    uint32_t resources, actions;   /* where the indexes start; 0: nothing is filed there */
    uint32_t slots, named, always; /* where they start */
    uint32_t slot_bits;
};

/* ---- Looking up ----------------------------------------------------------*/

struct lookup {
    postern__directory_visit *visit;
    void *context;
    postern_element element;
};

static void pass_on(void *context, const uint32_t *ids, uint32_t count, bool sure) {
    const struct lookup *lookup = context;
    lookup->visit(lookup->context, ids, count, sure ? lookup->element : POSTERN_ELEMENT_NONE);
}

static void find_named(const struct head *head, const postern__directory_question *question,
                       const struct lookup *lookup) {
    const char *base = (const char *)head;
    const struct key_slot *slots = (const struct key_slot *)(const void *)(base + head->slots);
    const uint32_t *named = (const uint32_t *)(const void *)(base + head->named);
    size_t mask = ((size_t)1 << head->slot_bits) - 1;
    uint64_t keys[POSTERN__CALLER_KEYS];
    uint32_t count = postern__caller_keys(question->list, question->caller, keys);
    for (uint32_t i = 0; i < count; i++) {
        for (size_t at = keys[i] & mask; slots[at].count > 0; at = (at + 1) & mask) {
            if (slots[at].key != keys[i]) continue;
            const uint32_t *own = slots[at].count == 1 ? &slots[at].first : named + slots[at].first;
            lookup->visit(lookup->context, own, slots[at].count, POSTERN_ELEMENT_NONE);
            break;
        }
    }
}

void postern__directory_find(const postern_set *set, const postern__directory_question *question,
                             postern__directory_visit *visit, void *context) {
    const char *base = POSTERN__ITEMS(set, directory, char);
    const char *texts = POSTERN__ITEMS(set, texts, char);
    const struct head *head = (const struct head *)(const void *)base;
    struct lookup lookup = {visit, context, POSTERN_ELEMENT_NONE};
    if (head->figures.always > 0) {
        const uint32_t *always = (const uint32_t *)(const void *)(base + head->always);
        visit(context, always, head->figures.always, POSTERN_ELEMENT_NONE);
    }
    if (head->figures.by_principal > 0) find_named(head, question, &lookup);
    if (head->resources > 0) {
        lookup.element = POSTERN_ELEMENT_RESOURCE;
        postern__index_find(base + head->resources, texts, question->resource, pass_on, &lookup);
    }
    if (head->actions > 0) {
        lookup.element = POSTERN_ELEMENT_ACTION;
        postern__index_find(base + head->actions, texts, question->action, pass_on, &lookup);
    }
}

postern__directory_figures postern__directory_figures_of(const postern_set *set) {
    return ((const struct head *)(const void *)POSTERN__ITEMS(set, directory, char))->figures;
}

/* ---- Which element -------------------------------------------------------*/

/* A principal's key and a statement that it belongs to. */
struct naming {
    uint64_t key;
    uint32_t rule;
    uint32_t unused;
};

struct building {
    postern__directory_tables *tables;
    postern__vector notes;    /* of postern__code_note, for each template */
    postern__vector keys;     /* for each principal: one that it has, 0 if none */
    postern__vector counters; /* how many mention a pattern or a key, nearly */
    postern__vector resources, actions; /* of postern__filing */
    postern__vector namings, always;
    struct head head;
};

static uint32_t *counter_of(const struct building *building, uint64_t hash) {
    return POSTERN__AT(&building->counters, uint32_t,
                       (size_t)(hash >> 20) & (building->counters.count - 1));
}

static const postern__code_note *note_of(const struct building *building, uint32_t template) {
    return POSTERN__AT(&building->notes, postern__code_note, template);
}

static uint64_t key_of(const struct building *building, uint32_t principal) {
    return *POSTERN__AT(&building->keys, uint64_t, principal);
}

/* Told apart from the same text in another element. */
static uint64_t pattern_hash(const postern__code_note *note, postern_element element) {
    return (note->hash ^ (uint64_t)element << 32) * UINT64_C(0x9FB21C651E98DF25);
}

/* More than any element costs that a statement can be filed under. */
static uint32_t cost_of_all(const postern__directory_tables *tables) {
    return (uint32_t)tables->rule_count + 1;
}

/* At least `cost`, and what is mentioned as often as its counter says; statements
 * that share a counter are no more than all. */
static uint32_t higher_cost(const struct building *building, uint32_t cost, uint64_t hash) {
    uint32_t count = *counter_of(building, hash), most = (uint32_t)building->tables->rule_count;
    if (count > most) count = most;
    return count > cost ? count : cost;
}

/* How many statements a request has to be tried with if this one is filed under
 * its resources or its actions: as many as share the most common of them. */
static uint32_t cost_of_patterns(const struct building *building, postern__range range,
                                 postern_element element) {
    uint32_t cost = 0;
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__code_note *note = note_of(building, range.first + i);
        if (note->width == 0) return cost_of_all(building->tables);
        cost = higher_cost(building, cost, pattern_hash(note, element));
    }
    return cost;
}

static uint32_t cost_of_principals(const struct building *building, const postern__rule *rule) {
    const postern__directory_tables *tables = building->tables;
    uint32_t cost = 0, all = cost_of_all(tables);
    if (!rule->has_principal || rule->not_principal) return all;
    for (uint32_t i = 0; i < rule->principals.count; i++) {
        uint32_t number = rule->principals.first + i;
        if (tables->principals[number].kind == POSTERN__NAMES_ANYONE) return all;
        uint64_t key = key_of(building, number);
        if (key != 0) cost = higher_cost(building, cost, key);
    }
    return cost;
}

static void count_patterns(const struct building *building, postern__range range,
                           postern_element element) {
    for (uint32_t i = 0; i < range.count; i++) {
        ++*counter_of(building, pattern_hash(note_of(building, range.first + i), element));
    }
}

/* What is asked of each template and each principal several times. */
static bool take_notes(struct building *building) {
    const postern__directory_tables *tables = building->tables;
    postern__code_note *notes =
        postern__vector_push(&building->notes, NULL, tables->template_count);
    uint64_t *keys = postern__vector_push(&building->keys, NULL, tables->principal_count);
    if (notes == NULL || keys == NULL) return false;
    for (size_t i = 0; i < tables->template_count; i++) {
        notes[i] = postern__code_note_of(tables->texts, &tables->templates[i].glob);
    }
    for (size_t i = 0; i < tables->principal_count; i++) {
        uint64_t own[POSTERN__PRINCIPAL_KEYS];
        uint32_t count = postern__principal_keys(&tables->principals[i], tables->texts, own);
        keys[i] = count > 0 ? own[0] | 1 : 0; /* a bit that no counter is found by */
    }
    return true;
}

static bool count_mentions(struct building *building) {
    const postern__directory_tables *tables = building->tables;
    size_t room = 1024; /* with less, many that are alone look as if they were not */
    while (room < 4 * (tables->template_count + tables->principal_count)) room *= 2;
    if (postern__vector_push(&building->counters, NULL, room) == NULL) return false;
    memset(building->counters.items, 0, room * sizeof(uint32_t));
    for (size_t i = 0; i < tables->rule_count; i++) {
        const postern__rule *rule = &tables->rules[i];
        count_patterns(building, rule->actions, POSTERN_ELEMENT_ACTION);
        count_patterns(building, rule->resources, POSTERN_ELEMENT_RESOURCE);
        for (uint32_t k = 0; k < rule->principals.count; k++) {
            uint64_t key = key_of(building, rule->principals.first + k);
            if (key != 0) ++*counter_of(building, key);
        }
    }
    return true;
}

/* ---- Filing --------------------------------------------------------------*/

static bool file_patterns(const struct building *building, postern__vector *filings,
                          postern__range range, uint32_t rule) {
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__template *template = &building->tables->templates[range.first + i];
        postern__filing filing = {template->glob, *note_of(building, range.first + i), rule,
                                  template->variables};
        if (postern__vector_push(filings, &filing, 1) == NULL) return false;
    }
    return true;
}

static bool file_principals(struct building *building, const postern__rule *rule, uint32_t number) {
    const postern__directory_tables *tables = building->tables;
    for (uint32_t i = 0; i < rule->principals.count; i++) {
        uint64_t keys[POSTERN__PRINCIPAL_KEYS];
        uint32_t count = postern__principal_keys(
            &tables->principals[rule->principals.first + i], tables->texts, keys);
        for (uint32_t k = 0; k < count; k++) {
            struct naming naming = {keys[k], number, 0};
            if (postern__vector_push(&building->namings, &naming, 1) == NULL) return false;
        }
    }
    return true;
}

/* Under the element that costs least. An element that is there and lists nothing
 * costs nothing: it never matches, and neither does its statement. */
static bool file_rule(struct building *building, uint32_t number) {
    postern__rule *rule = &building->tables->rules[number];
    postern__directory_figures *figures = &building->head.figures;
    uint32_t all = cost_of_all(building->tables);
    bool has_resources = rule->has_resource && !rule->not_resource;
    uint32_t by_resource =
        has_resources ? cost_of_patterns(building, rule->resources, POSTERN_ELEMENT_RESOURCE) : all;
    uint32_t by_action = rule->not_action ? all
                         : cost_of_patterns(building, rule->actions, POSTERN_ELEMENT_ACTION);
    uint32_t by_principal = cost_of_principals(building, rule);
    uint32_t least = by_resource < by_principal ? by_resource : by_principal;
    if (by_action < least) least = by_action;
    rule->mark = 0;
    rule->tests = rule->conditions.first;
    if (least == 0) {
        figures->never++;
        return true;
    }
    if (least == all) {
        figures->always++;
        return postern__vector_push(&building->always, &number, 1) != NULL;
    }
    if (least == by_resource) {
        figures->by_resource++;
        if (rule->resources.count > 1) rule->mark = ++building->tables->marks;
        return file_patterns(building, &building->resources, rule->resources, number);
    }
    if (least == by_principal) {
        figures->by_principal++;
        if (rule->principals.count > 1) rule->mark = ++building->tables->marks;
        return file_principals(building, rule, number);
    }
    figures->by_action++;
    if (rule->actions.count > 1) rule->mark = ++building->tables->marks;
    return file_patterns(building, &building->actions, rule->actions, number);
}

/* ---- Laying out ----------------------------------------------------------*/

static int by_key(const void *a, const void *b) {
    const struct naming *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

/* What is laid out, and where in it the directory starts. */
struct layout {
    postern__vector *out;
    size_t start;
};

/* `size` bytes at the end, eight by eight and zeroed; where they start in the
 * directory. False: out of memory. */
static bool claim(const struct layout *layout, size_t size, uint32_t *at) {
    postern__vector *out = layout->out;
    size_t rounded = (size + 7) & ~(size_t)7;
    *at = (uint32_t)(out->count - layout->start);
    char *bytes = postern__vector_push(out, NULL, rounded);
    if (bytes != NULL) memset(bytes, 0, rounded);
    return bytes != NULL;
}

/* Keys into slots; a key has its statements one behind the other. */
static void fill_names(const struct building *building, char *base) {
    const struct head *head = &building->head;
    const struct naming *namings = POSTERN__AT(&building->namings, struct naming, 0);
    struct key_slot *slots = (struct key_slot *)(void *)(base + head->slots);
    uint32_t *named = (uint32_t *)(void *)(base + head->named);
    size_t mask = ((size_t)1 << head->slot_bits) - 1, count = building->namings.count;
    for (size_t i = 0; i < count;) {
        size_t end = i, at = namings[i].key & mask;
        for (; end < count && namings[end].key == namings[i].key; end++) {
            named[end] = namings[end].rule;
        }
        while (slots[at].count > 0) at = (at + 1) & mask;
        uint32_t first = end - i == 1 ? namings[i].rule : (uint32_t)i;
        slots[at] = (struct key_slot){namings[i].key, first, (uint32_t)(end - i)};
        i = end;
    }
}

static bool lay_out_names(struct building *building, const struct layout *layout) {
    struct head *head = &building->head;
    size_t count = building->namings.count;
    if (count == 0) return true;
    qsort(building->namings.items, count, sizeof(struct naming), by_key);
    while (((size_t)1 << head->slot_bits) < 2 * count) head->slot_bits++;
    if (!claim(layout, sizeof(struct key_slot) << head->slot_bits, &head->slots) ||
        !claim(layout, count * sizeof(uint32_t), &head->named)) {
        return false;
    }
    fill_names(building, layout->out->items + layout->start);
    return true;
}

static bool lay_out_index(const struct building *building, const postern__vector *filings,
                          const struct layout *layout, uint32_t *start,
                          postern__index_figures *figures) {
    size_t offset = 0;
    if (filings->count == 0) return true;
    if (!postern__index_build(building->tables->texts, POSTERN__AT(filings, postern__filing, 0),
                              filings->count, layout->out, &offset)) {
        return false;
    }
    *start = (uint32_t)(offset - layout->start);
    *figures = postern__index_figures_of(layout->out->items + offset);
    return true;
}

static bool lay_out(struct building *building, postern__vector *out, size_t *offset) {
    struct head *head = &building->head;
    size_t padding = (8 - out->count % 8) % 8, size = building->always.count * sizeof(uint32_t);
    uint32_t at;
    if (postern__vector_push(out, "\0\0\0\0\0\0\0", padding) == NULL) return false;
    struct layout layout = {out, out->count};
    if (!claim(&layout, sizeof *head, &at) ||
        !lay_out_index(building, &building->resources, &layout, &head->resources,
                       &head->figures.resources) ||
        !lay_out_index(building, &building->actions, &layout, &head->actions,
                       &head->figures.actions) ||
        !lay_out_names(building, &layout) || !claim(&layout, size, &head->always) ||
        out->count - layout.start > UINT32_MAX) {
        return false;
    }
    char *base = out->items + layout.start;
    if (size > 0) memcpy(base + head->always, building->always.items, size);
    memcpy(base, head, sizeof *head);
    *offset = layout.start;
    return true;
}

void postern__directory_none(postern__directory_tables *tables) {
    tables->marks = tables->memos = 0;
    for (size_t i = 0; i < tables->rule_count; i++) {
        postern__rule *rule = &tables->rules[i];
        rule->mark = 0;
        rule->tests = rule->conditions.first;
    }
    for (size_t i = 0; i < tables->condition_count; i++) tables->conditions[i].memo = 0;
}

bool postern__directory_build(postern__directory_tables *tables, postern__vector *out,
                              size_t *offset) {
    struct building building = {.tables = tables};
    postern__vector known;
    postern__vector_init(&known, sizeof(postern__known), &out->allocator);
    postern__vector_init(&building.notes, sizeof(postern__code_note), &out->allocator);
    postern__vector_init(&building.keys, sizeof(uint64_t), &out->allocator);
    postern__vector_init(&building.counters, sizeof(uint32_t), &out->allocator);
    postern__vector_init(&building.resources, sizeof(postern__filing), &out->allocator);
    postern__vector_init(&building.actions, sizeof(postern__filing), &out->allocator);
    postern__vector_init(&building.namings, sizeof(struct naming), &out->allocator);
    postern__vector_init(&building.always, sizeof(uint32_t), &out->allocator);
    tables->marks = tables->memos = 0;
    bool built = take_notes(&building) && count_mentions(&building);
    for (uint32_t i = 0; built && i < tables->rule_count; i++) built = file_rule(&building, i);
    built = built && lay_out(&building, out, offset) &&
            postern__sharing_lists(tables, &known) && postern__sharing_conditions(tables, &known);
    postern__vector_free(&known);
    postern__vector_free(&building.notes);
    postern__vector_free(&building.keys);
    postern__vector_free(&building.counters);
    postern__vector_free(&building.resources);
    postern__vector_free(&building.actions);
    postern__vector_free(&building.namings);
    postern__vector_free(&building.always);
    return built;
}
