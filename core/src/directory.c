#include "directory.h"

#include <stddef.h>
#include <stdlib.h>

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
    postern__vector counters; /* how many mention a pattern or a key, nearly */
    postern__vector resources, actions; /* of postern__filing */
    postern__vector namings, always;
    struct head head;
};

static uint32_t *counter_of(const struct building *building, uint64_t hash) {
    return POSTERN__AT(&building->counters, uint32_t,
                       (size_t)(hash >> 20) & (building->counters.count - 1));
}

/* Told apart from the same text in another element. */
static uint64_t template_hash(const struct building *building, const postern__template *template,
                              postern_element element) {
    return postern__text_hash(building->tables->texts + template->glob.code, template->glob.length,
                     (uint64_t)element);
}

/* More than any element costs that a statement can be filed under. */
static uint32_t cost_of_all(const postern__directory_tables *tables) {
    return (uint32_t)tables->rule_count + 1;
}

/* How many statements a request has to be tried with if this one is filed under
 * its resources or its actions: as many as share the most common of them. */
static uint32_t cost_of_patterns(const struct building *building, postern__range range,
                                 postern_element element) {
    const postern__directory_tables *tables = building->tables;
    uint32_t cost = 0, all = cost_of_all(tables);
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__template *template = &tables->templates[range.first + i];
        if (!postern__index_has_gram(tables->texts, &template->glob)) return all;
        uint32_t count = *counter_of(building, template_hash(building, template, element));
        if (count > tables->rule_count) count = (uint32_t)tables->rule_count;
        if (count > cost) cost = count;
    }
    return cost;
}

static uint32_t cost_of_principals(const struct building *building, const postern__rule *rule) {
    const postern__directory_tables *tables = building->tables;
    uint32_t cost = 0, all = cost_of_all(tables);
    if (!rule->has_principal || rule->not_principal) return all;
    for (uint32_t i = 0; i < rule->principals.count; i++) {
        const postern__principal *principal = &tables->principals[rule->principals.first + i];
        uint64_t keys[POSTERN__PRINCIPAL_KEYS];
        if (principal->kind == POSTERN__NAMES_ANYONE) return all;
        if (postern__principal_keys(principal, tables->texts, keys) == 0) continue;
        uint32_t count = *counter_of(building, keys[0]);
        if (count > tables->rule_count) count = (uint32_t)tables->rule_count;
        if (count > cost) cost = count;
    }
    return cost;
}

static void count_patterns(const struct building *building, postern__range range,
                           postern_element element) {
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__template *template = &building->tables->templates[range.first + i];
        ++*counter_of(building, template_hash(building, template, element));
    }
}

static bool count_mentions(struct building *building) {
    const postern__directory_tables *tables = building->tables;
    size_t room = 1024;
    while (room < 4 * (tables->template_count + tables->rule_count)) room *= 2;
    if (postern__vector_push(&building->counters, NULL, room) == NULL) return false;
    memset(building->counters.items, 0, room * sizeof(uint32_t));
    for (size_t i = 0; i < tables->rule_count; i++) {
        const postern__rule *rule = &tables->rules[i];
        count_patterns(building, rule->actions, POSTERN_ELEMENT_ACTION);
        count_patterns(building, rule->resources, POSTERN_ELEMENT_RESOURCE);
        for (uint32_t k = 0; k < rule->principals.count; k++) {
            uint64_t keys[POSTERN__PRINCIPAL_KEYS];
            if (postern__principal_keys(&tables->principals[rule->principals.first + k],
                                        tables->texts, keys) > 0) {
                ++*counter_of(building, keys[0]);
            }
        }
    }
    return true;
}

/* ---- Filing --------------------------------------------------------------*/

static bool file_patterns(const struct building *building, postern__vector *filings,
                          postern__range range, uint32_t rule) {
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__template *template = &building->tables->templates[range.first + i];
        postern__filing filing = {template->glob, rule, template->variables};
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

/* ---- Equal conditions and equal lists ------------------------------------*/

static bool same_template(const postern__directory_tables *tables, const postern__template *a,
                          const postern__template *b) {
    if (a->variables != b->variables) return false;
    /* Variables have numbers of their own, so codes with them differ; where the
     * texts are equal, as the caller found, they say the same. */
    if (a->variables > 0) return true;
    return a->glob.length == b->glob.length &&
           postern__bytes_equal(tables->texts + a->glob.code, tables->texts + b->glob.code,
                                a->glob.length);
}

static bool same_operand(const postern__directory_tables *tables, uint32_t operator_id,
                         const postern__operand *a, const postern__operand *b) {
    if (a->usable != b->usable || a->length != b->length ||
        !postern__bytes_equal(tables->texts + a->text, tables->texts + b->text, a->length)) {
        return false;
    }
    if (!a->usable) return true;
    switch (postern__operator_info_of(operator_id)->operand) {
    case POSTERN__OPERAND_TEXT:
    case POSTERN__OPERAND_FOLDED:
    case POSTERN__OPERAND_PATTERN: return same_template(tables, &a->as.template, &b->as.template);
    case POSTERN__OPERAND_ARNS:
        for (uint32_t i = 0; i < POSTERN__ARN_PARTS; i++) {
            if (!same_template(tables, &tables->templates[a->as.parts + i],
                               &tables->templates[b->as.parts + i])) {
                return false;
            }
        }
        return true;
    default: return true; /* read from the text alone */
    }
}

static bool same_condition(const postern__directory_tables *tables, const postern__condition *a,
                           const postern__condition *b) {
    if (a->operator_id != b->operator_id || a->quantifier != b->quantifier ||
        a->if_exists != b->if_exists || a->symbol != b->symbol || a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!same_operand(tables, a->operator_id, &tables->operands[a->first + i],
                          &tables->operands[b->first + i])) {
            return false;
        }
    }
    return true;
}

static uint64_t condition_hash(const postern__directory_tables *tables,
                               const postern__condition *condition) {
    uint64_t hash = (uint64_t)condition->operator_id << 40 ^ (uint64_t)condition->symbol << 8 ^
                    (uint64_t)condition->quantifier << 1 ^ condition->if_exists;
    for (uint32_t i = 0; i < condition->count; i++) {
        const postern__operand *operand = &tables->operands[condition->first + i];
        hash = postern__text_hash(tables->texts + operand->text, operand->length, hash + 1);
    }
    return postern__text_hash(NULL, 0, hash);
}

static bool same_actions(const postern__directory_tables *tables, postern__range a,
                         postern__range b) {
    for (uint32_t i = 0; i < a.count; i++) {
        if (!same_template(tables, &tables->templates[a.first + i],
                           &tables->templates[b.first + i])) {
            return false;
        }
    }
    return true;
}

static uint64_t actions_hash(const postern__directory_tables *tables, postern__range range) {
    uint64_t hash = range.count;
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__glob *glob = &tables->templates[range.first + i].glob;
        hash = postern__text_hash(tables->texts + glob->code, glob->length, hash);
    }
    return hash;
}

static bool same_principals(const postern__directory_tables *tables, postern__range a,
                            postern__range b) {
    for (uint32_t i = 0; i < a.count; i++) {
        const postern__principal *x = &tables->principals[a.first + i];
        const postern__principal *y = &tables->principals[b.first + i];
        if (x->kind != y->kind || x->text_length != y->text_length ||
            !postern__bytes_equal(tables->texts + x->text, tables->texts + y->text,
                                  x->text_length)) {
            return false;
        }
    }
    return true;
}

static uint64_t principals_hash(const postern__directory_tables *tables, postern__range range) {
    uint64_t hash = range.count;
    for (uint32_t i = 0; i < range.count; i++) {
        const postern__principal *principal = &tables->principals[range.first + i];
        hash = postern__text_hash(tables->texts + principal->text, principal->text_length, hash);
    }
    return hash;
}

static size_t table_room(size_t count) {
    size_t room = 16;
    while (room < 2 * count) room *= 2;
    return room;
}

/* A list that statements have, and how lists of its kind are told apart. */
struct list {
    size_t member; /* of postern__rule: a range */
    uint64_t (*hash)(const postern__directory_tables *tables, postern__range range);
    bool (*same)(const postern__directory_tables *tables, postern__range a, postern__range b);
};

static postern__range *range_of(const struct list *list, postern__rule *rule) {
    return (postern__range *)(void *)((char *)rule + list->member);
}

/* Lists that are equal become one, so that it stays in the caches. */
static bool share_lists(postern__directory_tables *tables, const struct list *list,
                        postern__vector *table) {
    size_t room = table_room(tables->rule_count);
    table->count = 0;
    uint32_t *first = postern__vector_push(table, NULL, room);
    if (first == NULL) return false;
    memset(first, 0, room * sizeof *first);
    for (uint32_t i = 0; i < tables->rule_count; i++) {
        postern__range *range = range_of(list, &tables->rules[i]);
        size_t at = (size_t)list->hash(tables, *range) & (room - 1);
        for (; first[at] != 0; at = (at + 1) & (room - 1)) {
            postern__range known = *range_of(list, &tables->rules[first[at] - 1]);
            if (known.count != range->count || !list->same(tables, known, *range)) continue;
            *range = known;
            break;
        }
        if (first[at] == 0) first[at] = i + 1;
    }
    return true;
}

/* A list of conditions is another one's when those are equal and as they stand. */
static void share_tests(postern__directory_tables *tables, const uint32_t *kind) {
    for (uint32_t i = 0; i < tables->rule_count; i++) {
        postern__rule *rule = &tables->rules[i];
        const uint32_t *own = kind + rule->conditions.first;
        uint32_t same = 0;
        while (same < rule->conditions.count && own[same] == own[0] + same) same++;
        if (same > 0 && same == rule->conditions.count) rule->tests = own[0];
    }
}

/* Two walks: how many are equal to the first of their kind, then a number for
 * those that are many. Between them `memo` counts. */
static bool share_conditions(postern__directory_tables *tables, postern__vector *table) {
    size_t room = table_room(tables->condition_count);
    table->count = 0;
    uint32_t *first = postern__vector_push(table, NULL, room + tables->condition_count);
    if (first == NULL) return false;
    uint32_t *kind = first + room;
    memset(first, 0, room * sizeof *first);
    for (uint32_t i = 0; i < tables->condition_count; i++) {
        postern__condition *conditions = tables->conditions;
        size_t at = (size_t)condition_hash(tables, &conditions[i]) & (room - 1);
        while (first[at] != 0 &&
               !same_condition(tables, &conditions[first[at] - 1], &conditions[i])) {
            at = (at + 1) & (room - 1);
        }
        if (first[at] == 0) first[at] = i + 1;
        kind[i] = first[at] - 1;
        conditions[i].memo = 0;
        conditions[kind[i]].memo++;
    }
    for (uint32_t i = 0; i < tables->condition_count; i++) {
        postern__condition *condition = &tables->conditions[i];
        if (kind[i] != i) condition->memo = tables->conditions[kind[i]].memo;
        else condition->memo = condition->memo >= POSTERN__SHARED_FROM ? ++tables->memos : 0;
    }
    share_tests(tables, kind);
    return true;
}

/* ---- Laying out ----------------------------------------------------------*/

static int by_key(const void *a, const void *b) {
    const struct naming *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->rule > y->rule) - (x->rule < y->rule);
}

/* `size` bytes at the end, eight by eight and zeroed; where they start, or 0. */
static uint32_t claim(postern__vector *out, size_t size) {
    size_t at = out->count, rounded = (size + 7) & ~(size_t)7;
    char *bytes = postern__vector_push(out, NULL, rounded);
    if (bytes == NULL) return 0;
    memset(bytes, 0, rounded);
    return (uint32_t)at;
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

static bool lay_out_names(struct building *building, postern__vector *out) {
    struct head *head = &building->head;
    size_t count = building->namings.count;
    if (count == 0) return true;
    qsort(building->namings.items, count, sizeof(struct naming), by_key);
    while (((size_t)1 << head->slot_bits) < 2 * count) head->slot_bits++;
    head->slots = claim(out, sizeof(struct key_slot) << head->slot_bits);
    if (head->slots == 0) return false;
    head->named = claim(out, count * sizeof(uint32_t));
    if (head->named == 0) return false;
    fill_names(building, out->items);
    return true;
}

static bool lay_out_index(const struct building *building, const postern__vector *filings,
                          postern__vector *out, uint32_t *start, postern__index_figures *figures) {
    size_t offset = 0;
    if (filings->count == 0) return true;
    if (!postern__index_build(building->tables->texts, POSTERN__AT(filings, postern__filing, 0),
                              filings->count, out, &offset)) {
        return false;
    }
    *start = (uint32_t)offset;
    *figures = postern__index_figures_of(out->items + offset);
    return true;
}

static bool lay_out(struct building *building, postern__vector *out) {
    struct head *head = &building->head;
    claim(out, sizeof *head);
    if (out->count == 0 ||
        !lay_out_index(building, &building->resources, out, &head->resources,
                       &head->figures.resources) ||
        !lay_out_index(building, &building->actions, out, &head->actions,
                       &head->figures.actions) ||
        !lay_out_names(building, out)) {
        return false;
    }
    size_t size = building->always.count * sizeof(uint32_t);
    head->always = claim(out, size);
    if (head->always == 0 || out->count > UINT32_MAX) return false;
    if (size > 0) memcpy(out->items + head->always, building->always.items, size);
    memcpy(out->items, head, sizeof *head);
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

bool postern__directory_build(postern__directory_tables *tables, postern__vector *out) {
    static const struct list actions = {offsetof(postern__rule, actions), actions_hash,
                                        same_actions};
    static const struct list principals = {offsetof(postern__rule, principals), principals_hash,
                                           same_principals};
    struct building building = {.tables = tables};
    postern__vector_init(&building.counters, sizeof(uint32_t), &out->allocator);
    postern__vector_init(&building.resources, sizeof(postern__filing), &out->allocator);
    postern__vector_init(&building.actions, sizeof(postern__filing), &out->allocator);
    postern__vector_init(&building.namings, sizeof(struct naming), &out->allocator);
    postern__vector_init(&building.always, sizeof(uint32_t), &out->allocator);
    tables->marks = tables->memos = 0;
    bool built = count_mentions(&building);
    for (uint32_t i = 0; built && i < tables->rule_count; i++) built = file_rule(&building, i);
    built = built && lay_out(&building, out) &&
            share_lists(tables, &actions, &building.counters) &&
            share_lists(tables, &principals, &building.counters) &&
            share_conditions(tables, &building.counters);
    postern__vector_free(&building.counters);
    postern__vector_free(&building.resources);
    postern__vector_free(&building.actions);
    postern__vector_free(&building.namings);
    postern__vector_free(&building.always);
    return built;
}
