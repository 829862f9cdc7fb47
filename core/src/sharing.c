#include "sharing.h"

#include <stddef.h>

#include "known.h"

/* ---- Hashes --------------------------------------------------------------*/

uint32_t postern__sharing_hash_actions(const postern__template *actions, uint32_t count,
                                       const char *texts) {
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) {
        hash = postern__text_hash(texts + actions[i].glob.code, actions[i].glob.length, hash);
    }
    return (uint32_t)hash;
}

uint32_t postern__sharing_hash_principals(const postern__principal *principals, uint32_t count,
                                          const char *texts) {
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) {
        hash = postern__text_hash(texts + principals[i].text, principals[i].text_length,
                                  hash + principals[i].kind);
    }
    return (uint32_t)hash;
}

uint32_t postern__sharing_hash_condition(const postern__condition *condition,
                                         const postern__operand *operands, const char *texts) {
    uint64_t hash = (uint64_t)condition->operator_id << 40 ^ (uint64_t)condition->symbol << 8 ^
                    (uint64_t)condition->quantifier << 1 ^ condition->if_exists;
    for (uint32_t i = 0; i < condition->count; i++) {
        hash = postern__text_hash(texts + operands[i].text, operands[i].length, hash + 1);
    }
    return (uint32_t)postern__text_hash(NULL, 0, hash);
}

/* ---- Equal ---------------------------------------------------------------*/

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

/* ---- Lists ---------------------------------------------------------------*/

/* So many steps before it is read a place in a table is asked for. */
enum { AHEAD = 8 };

/* A list that statements have, and how lists of its kind are told apart. */
struct list {
    size_t member; /* of postern__rule: a range */
    size_t hash;   /* of postern__list_hashes */
    bool (*same)(const postern__directory_tables *tables, postern__range a, postern__range b);
};

static postern__range *range_of(const struct list *list, postern__rule *rule) {
    return (postern__range *)(void *)((char *)rule + list->member);
}

static uint32_t hash_of(const struct list *list, const postern__list_hashes *hashes) {
    return *(const uint32_t *)(const void *)((const char *)hashes + list->hash);
}

static bool share_lists(postern__directory_tables *tables, const struct list *list,
                        postern__vector *table) {
    const postern__list_hashes *hashes = tables->list_hashes;
    postern__known *known = postern__known_init(table, tables->rule_count);
    if (known == NULL) return false;
    for (uint32_t i = 0; i < tables->rule_count; i++) {
        if (tables->rule_count - i > AHEAD) {
            postern__known_fetch(table, hash_of(list, &hashes[i + AHEAD]));
        }
        postern__range *range = range_of(list, &tables->rules[i]);
        uint32_t hash = hash_of(list, &hashes[i]);
        size_t at = hash;
        for (; postern__known_next(table, hash, &at); at++) {
            postern__range other = *range_of(list, &tables->rules[known[at].number - 1]);
            if (other.count != range->count) continue;
            if (other.first != range->first && !list->same(tables, other, *range)) continue;
            *range = other;
            break;
        }
        if (known[at].number == 0) known[at] = (postern__known){hash, i + 1};
    }
    return true;
}

bool postern__sharing_lists(postern__directory_tables *tables, postern__vector *table) {
    static const struct list actions = {offsetof(postern__rule, actions),
                                        offsetof(postern__list_hashes, actions), same_actions};
    static const struct list principals = {offsetof(postern__rule, principals),
                                           offsetof(postern__list_hashes, principals),
                                           same_principals};
    return share_lists(tables, &actions, table) && share_lists(tables, &principals, table);
}

/* ---- Conditions ----------------------------------------------------------*/

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
bool postern__sharing_conditions(postern__directory_tables *tables, postern__vector *table) {
    postern__condition *conditions = tables->conditions;
    size_t count = tables->condition_count;
    if (postern__known_init(table, count) == NULL) return false;
    size_t room = table->count;
    /* The first of each one's kind stands behind the table. */
    if (postern__vector_push(table, NULL, count) == NULL) return false;
    table->count = room;
    postern__known *known = POSTERN__AT(table, postern__known, 0);
    uint32_t *kind = (uint32_t *)(void *)(known + room);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t hash = tables->condition_hashes[i];
        size_t at = hash;
        if (count - i > AHEAD) postern__known_fetch(table, tables->condition_hashes[i + AHEAD]);
        while (postern__known_next(table, hash, &at) &&
               !same_condition(tables, &conditions[known[at].number - 1], &conditions[i])) {
            at++;
        }
        if (known[at].number == 0) known[at] = (postern__known){hash, i + 1};
        kind[i] = known[at].number - 1;
        conditions[i].memo = 0;
        conditions[kind[i]].memo++;
    }
    for (uint32_t i = 0; i < count; i++) {
        postern__condition *condition = &conditions[i];
        if (kind[i] != i) condition->memo = conditions[kind[i]].memo;
        else condition->memo = condition->memo >= POSTERN__SHARED_FROM ? ++tables->memos : 0;
    }
    share_tests(tables, kind);
    return true;
}
