#include "set.h"

static postern_span name_at(const postern_set *set, uint32_t offset, uint32_t length) {
    return (postern_span){POSTERN__ITEMS(set, names, char) + offset, length};
}

size_t postern_set_size(const postern_set *set) { return (size_t)set->size; }

int32_t postern_set_policy_type(const postern_set *set) { return set->policy_type; }

uint32_t postern_set_policy_count(const postern_set *set) { return set->policies.count; }

uint32_t postern_set_statement_count(const postern_set *set) { return set->rules.count; }

uint32_t postern_set_key_count(const postern_set *set) { return set->symbols.count; }

int postern_set_policy_name(const postern_set *set, uint32_t policy, postern_span *out) {
    if (policy >= set->policies.count) return POSTERN_MISUSE;
    const postern__stored_policy *stored =
        POSTERN__ITEMS(set, policies, postern__stored_policy) + policy;
    *out = name_at(set, stored->name, stored->name_length);
    return POSTERN_OK;
}

int postern_set_statement(const postern_set *set, uint32_t statement, postern_statement *out) {
    if (statement >= set->rules.count) return POSTERN_MISUSE;
    const postern__rule *rule = postern__set_rule(set, statement);
    *out = (postern_statement){
        .policy = rule->policy,
        .index = rule->index,
        .effect = rule->effect,
        .line = rule->line,
        .column = rule->column,
        .principal_line = rule->principal_line,
        .action_line = rule->action_line,
        .resource_line = rule->resource_line,
        .condition_count = rule->conditions.count,
        .sid = name_at(set, rule->sid, rule->sid_length),
    };
    return POSTERN_OK;
}

/* NULL when there is no such statement or condition. */
static const postern__condition *condition_at(const postern_set *set, uint32_t statement,
                                              uint32_t condition) {
    if (statement >= set->rules.count) return NULL;
    const postern__rule *rule = postern__set_rule(set, statement);
    if (condition >= rule->conditions.count) return NULL;
    return POSTERN__ITEMS(set, conditions, postern__condition) + rule->conditions.first + condition;
}

int postern_set_condition(const postern_set *set, uint32_t statement, uint32_t condition,
                          postern_condition *out) {
    const postern__condition *stored = condition_at(set, statement, condition);
    if (stored == NULL) return POSTERN_MISUSE;
    *out = (postern_condition){
        .operator_name = name_at(set, stored->name, stored->name_length),
        .key = stored->symbol,
        .line = stored->line,
        .column = stored->column,
        .value_count = stored->count,
    };
    return POSTERN_OK;
}

int postern_set_condition_value(const postern_set *set, uint32_t statement, uint32_t condition,
                                uint32_t value, postern_span *out) {
    const postern__condition *stored = condition_at(set, statement, condition);
    if (stored == NULL || value >= stored->count) return POSTERN_MISUSE;
    const postern__operand *operand =
        POSTERN__ITEMS(set, operands, postern__operand) + stored->first + value;
    *out = (postern_span){POSTERN__ITEMS(set, texts, char) + operand->text, operand->length};
    return POSTERN_OK;
}

int postern_set_key(const postern_set *set, uint32_t key, postern_span *out) {
    if (key >= set->symbols.count) return POSTERN_MISUSE;
    const postern__symbol *symbol = POSTERN__ITEMS(set, symbols, postern__symbol) + key;
    *out = name_at(set, symbol->name, symbol->length);
    return POSTERN_OK;
}

int32_t postern_set_find_key(const postern_set *set, const char *name, size_t length) {
    return postern__symbol_find(POSTERN__ITEMS(set, symbols, postern__symbol),
                                POSTERN__ITEMS(set, sorted, uint32_t), set->symbols.count,
                                POSTERN__ITEMS(set, names, char), (postern_span){name, length});
}

void postern_set_free(postern_set *set) {
    if (set == NULL) return;
    postern_allocator allocator = set->allocator;
    postern__free(&allocator, set, (size_t)set->size);
}
