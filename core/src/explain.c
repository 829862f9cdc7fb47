#include "explain.h"

/* Notes that an element failed, or that it hangs on a key. */
static void note(postern_verdict *verdict, postern_element element, postern_truth truth,
                 int32_t key) {
    if (truth == POSTERN_YES) return;
    if (truth == POSTERN_UNKNOWN) {
        if (verdict->result == POSTERN_YES) verdict->result = POSTERN_UNKNOWN;
        if (verdict->key < 0) verdict->key = key;
        return;
    }
    verdict->result = POSTERN_NO;
    verdict->failed |= 1u << element;
    if (verdict->failed_at == POSTERN_ELEMENT_NONE) verdict->failed_at = element;
}

static const postern__condition *conditions_of(const postern_set *set, uint32_t statement) {
    return POSTERN__ITEMS(set, conditions, postern__condition) +
           postern__set_rule(set, statement)->conditions.first;
}

static void explain_principal(const postern__scene *scene, const postern__rule *rule,
                              postern_verdict *out) {
    postern__finding finding;
    postern__principal_finding(scene, rule, &finding);
    postern_truth truth = finding.sure != POSTERN_MATCH_NONE       ? POSTERN_YES
                          : finding.possible != POSTERN_MATCH_NONE ? POSTERN_UNKNOWN
                                                                   : POSTERN_NO;
    out->match = truth == POSTERN_YES ? finding.sure : finding.possible;
    note(out, POSTERN_ELEMENT_PRINCIPAL, truth, finding.key);
}

int postern_explain_statement(const postern_set *set, postern_request *request,
                              uint32_t statement, postern_verdict *out) {
    int status = postern__request_ready(request, set);
    if (status != POSTERN_OK) return status;
    if (statement >= set->rules.count) return POSTERN_MISUSE;
    postern__scene scene;
    postern__scene_init(&scene, set, request);
    const postern__rule *rule = postern__set_rule(set, statement);
    int32_t key = -1;
    *out = (postern_verdict){.result = POSTERN_YES, .key = -1};
    note(out, POSTERN_ELEMENT_ACTION, postern__action_matches(&scene, rule), -1);
    postern_truth resource = postern__resource_matches(&scene, rule, &key);
    note(out, POSTERN_ELEMENT_RESOURCE, resource, key);
    explain_principal(&scene, rule, out);
    for (uint32_t i = 0; i < rule->conditions.count; i++) {
        key = -1;
        postern_truth truth =
            postern__condition_test(conditions_of(set, statement) + i, &scene.bench, &key);
        note(out, POSTERN_ELEMENT_CONDITION, truth, key);
    }
    if (out->result == POSTERN_NO) out->key = -1;
    return POSTERN_OK;
}

int postern_explain_condition(const postern_set *set, postern_request *request,
                              uint32_t statement, uint32_t condition, postern_verdict *out) {
    int status = postern__request_ready(request, set);
    if (status != POSTERN_OK) return status;
    if (statement >= set->rules.count ||
        condition >= postern__set_rule(set, statement)->conditions.count) {
        return POSTERN_MISUSE;
    }
    postern__scene scene;
    postern__scene_init(&scene, set, request);
    int32_t key = -1;
    *out = (postern_verdict){.result = POSTERN_YES, .key = -1};
    postern_truth truth =
        postern__condition_test(conditions_of(set, statement) + condition, &scene.bench, &key);
    note(out, POSTERN_ELEMENT_CONDITION, truth, key);
    return POSTERN_OK;
}

static bool has_variable(const postern__template *templates, int count) {
    for (int i = 0; i < count; i++) {
        if (templates[i].variables > 0) return true;
    }
    return false;
}

/* One template, or the six parts of an ARN pattern, expanded one behind the
 * other. Scratch has room for that where there is a variable, see template.h. */
static bool expand(const postern__scene *scene, const postern__template *templates, int count,
                   postern_span *out) {
    size_t written = 0;
    postern__row row = scene->row;
    for (int i = 0; i < count; i++) {
        size_t length = 0;
        int32_t key;
        if (i > 0) scene->row.scratch[written++] = ':';
        row.scratch = scene->row.scratch + written;
        if (postern__template_expand(&templates[i], &scene->bench.pool, &row, &length, &key) !=
            POSTERN__EXPANDED) {
            return false;
        }
        written += length;
    }
    *out = (postern_span){scene->row.scratch, written};
    return true;
}

/* Code back to what a person writes. */
static void decode(char *code, size_t length) {
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)code[i];
        if (byte == POSTERN__ONE || byte == POSTERN__ONE_IN_SEGMENT) code[i] = '?';
        else if (byte >= POSTERN__FIRST_TOKEN) code[i] = '*';
    }
}

int postern_explain_value(const postern_set *set, postern_request *request, uint32_t statement,
                          uint32_t condition, uint32_t value, postern_span *out) {
    int status = postern_set_condition_value(set, statement, condition, value, out);
    if (status == POSTERN_OK) status = postern__request_ready(request, set);
    if (status != POSTERN_OK) return status;
    const postern__condition *stored = conditions_of(set, statement) + condition;
    const postern__operand *operand =
        POSTERN__ITEMS(set, operands, postern__operand) + stored->first + value;
    const postern__operator_info *info = postern__operator_info_of(stored->operator_id);
    if (!info->variables || !operand->usable) return POSTERN_OK;
    postern__scene scene;
    postern__scene_init(&scene, set, request);
    bool arn = info->operand == POSTERN__OPERAND_ARNS;
    int count = arn ? POSTERN__ARN_PARTS : 1;
    const postern__template *templates =
        arn ? scene.bench.parts + operand->as.parts : &operand->as.template;
    if (!has_variable(templates, count)) return POSTERN_OK;
    if (!expand(&scene, templates, count, out)) {
        *out = (postern_span){NULL, 0};
        return POSTERN_OK;
    }
    decode(scene.row.scratch, out->length);
    return POSTERN_OK;
}

/* ---- One value of a statement ---------------------------------------------*/

static postern_truth action_value(const postern__scene *scene, const postern__rule *rule,
                                  uint32_t value) {
    const postern__template *templates =
        POSTERN__ITEMS(scene->set, templates, postern__template) + rule->actions.first;
    return postern__glob_match(&templates[value].glob, scene->bench.pool.texts, scene->action)
               ? POSTERN_YES
               : POSTERN_NO;
}

/* A value may have two readings, each a template of its own. */
static int resource_value(const postern__scene *scene, const postern__rule *rule, uint32_t value,
                          postern_truth *out, int32_t *key) {
    const postern__template *templates =
        POSTERN__ITEMS(scene->set, templates, postern__template) + rule->resources.first;
    int64_t at = -1;
    bool found = false;
    *out = POSTERN_NO;
    for (uint32_t i = 0; i < rule->resources.count; i++) {
        if (!templates[i].again) at++;
        if (at != value) continue;
        found = true;
        postern_truth one =
            postern__template_match(&templates[i], &scene->bench, scene->resource, key);
        if (*out != POSTERN_YES && one != POSTERN_NO) *out = one;
    }
    return found ? POSTERN_OK : POSTERN_MISUSE;
}

static postern_truth principal_value(const postern__scene *scene, const postern__rule *rule,
                                     uint32_t value, postern_verdict *out) {
    postern__principal_list list = postern__rule_principals(scene, rule);
    postern_match sure, possible;
    list.principals += value;
    list.count = 1;
    postern__principal_match(&list, &scene->request->caller, &sure, &possible);
    out->match = sure != POSTERN_MATCH_NONE ? sure : possible;
    if (sure != POSTERN_MATCH_NONE) return POSTERN_YES;
    return possible != POSTERN_MATCH_NONE ? POSTERN_UNKNOWN : POSTERN_NO;
}

static int condition_value(const postern__scene *scene, uint32_t statement, uint32_t condition,
                           uint32_t value, postern_truth *out, int32_t *key) {
    const postern__rule *rule = postern__set_rule(scene->set, statement);
    if (condition >= rule->conditions.count) return POSTERN_MISUSE;
    const postern__condition *stored = conditions_of(scene->set, statement) + condition;
    if (value >= stored->count) return POSTERN_MISUSE;
    *out = postern__operand_test(stored, value, &scene->bench, key);
    return POSTERN_OK;
}

int postern_explain_match(const postern_set *set, postern_request *request, uint32_t statement,
                          int32_t element, uint32_t condition, uint32_t value,
                          postern_verdict *out) {
    int status = postern__request_ready(request, set);
    if (status != POSTERN_OK) return status;
    if (statement >= set->rules.count) return POSTERN_MISUSE;
    postern__scene scene;
    postern__scene_init(&scene, set, request);
    const postern__rule *rule = postern__set_rule(set, statement);
    postern_verdict verdict = {.result = POSTERN_YES, .key = -1};
    postern_truth truth = POSTERN_NO;
    int32_t key = -1;
    switch (element) {
    case POSTERN_ELEMENT_ACTION:
        if (value >= rule->actions.count) return POSTERN_MISUSE;
        truth = action_value(&scene, rule, value);
        break;
    case POSTERN_ELEMENT_RESOURCE:
        status = resource_value(&scene, rule, value, &truth, &key);
        break;
    case POSTERN_ELEMENT_PRINCIPAL:
        if (value >= rule->principals.count) return POSTERN_MISUSE;
        truth = principal_value(&scene, rule, value, &verdict);
        key = set->principal_arn;
        break;
    case POSTERN_ELEMENT_CONDITION:
        status = condition_value(&scene, statement, condition, value, &truth, &key);
        break;
    default: return POSTERN_MISUSE;
    }
    if (status != POSTERN_OK) return status;
    note(&verdict, (postern_element)element, truth, key);
    *out = verdict;
    return POSTERN_OK;
}

const char *postern_outcome_name(int32_t outcome) {
    switch ((postern_outcome)outcome) {
    case POSTERN_IMPLICITLY_DENIED: return "ImplicitlyDenied";
    case POSTERN_EXPLICITLY_DENIED: return "ExplicitlyDenied";
    case POSTERN_ALLOWED: return "Allowed";
    case POSTERN_UNDECIDED: return "Undecided";
    }
    return NULL;
}

const char *postern_match_name(int32_t match) {
    switch ((postern_match)match) {
    case POSTERN_MATCH_NONE: return "none";
    case POSTERN_MATCH_ACCOUNT: return "account";
    case POSTERN_MATCH_ROLE: return "role";
    case POSTERN_MATCH_WILD: return "wild";
    case POSTERN_MATCH_DIRECT: return "direct";
    case POSTERN_MATCH_NA: return "na";
    }
    return NULL;
}

const char *postern_element_name(int32_t element) {
    switch ((postern_element)element) {
    case POSTERN_ELEMENT_NONE: return "none";
    case POSTERN_ELEMENT_ACTION: return "action";
    case POSTERN_ELEMENT_RESOURCE: return "resource";
    case POSTERN_ELEMENT_PRINCIPAL: return "principal";
    case POSTERN_ELEMENT_CONDITION: return "condition";
    }
    return NULL;
}

const char *postern_version(void) { return POSTERN_VERSION; }

uint32_t postern_abi(void) { return POSTERN_ABI; }
