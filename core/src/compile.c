#include "compile.h"

#include "cidr.h"

/* ---- One policy at work --------------------------------------------------*/

struct job {
    postern_builder *builder;
    const postern__policy *policy;
    const postern__draft *draft;
    postern_error *error;
};

static const postern_node *node_of(const struct job *job, uint32_t node) {
    return postern__document_node(job->policy->document, node);
}

static postern_span text_of(const struct job *job, uint32_t node) {
    return postern__document_text(job->policy->document, node_of(job, node));
}

static void place_of(const struct job *job, uint32_t node, uint32_t *line, uint32_t *column) {
    postern_document_place(job->policy->document, node_of(job, node)->start, line, column);
}

/* What AWS would refuse to attach is refused here, unless structural policies
 * are asked for; those evaluate as the language says. */
#define ATTACH(job, node, ...)                                                           \
    ((job)->builder->strictness == POSTERN_STRUCTURAL                                    \
         ? POSTERN_OK                                                                    \
         : postern__policy_fail((job)->policy, (job)->draft, node, POSTERN_ATTACH,       \
                                (job)->error, __VA_ARGS__))

static int no_memory(const struct job *job) { return postern__no_memory(job->error); }

/* Statuses of postern__template_compile into errors. */
static int explain_status(const struct job *job, uint32_t node, int status) {
    if (status == POSTERN_NO_MEMORY) return no_memory(job);
    if (status != POSTERN_LIMIT) return status;
    return postern__policy_fail(job->policy, job->draft, node, status, job->error,
                                "more than %d variables in a value, or more than %d condition keys "
                                "in a set: use fewer",
                                POSTERN__VARIABLES, POSTERN__KEYS);
}

static int push_name(const struct job *job, postern_span text, uint32_t *offset, uint32_t *length) {
    *offset = (uint32_t)job->builder->names.count;
    *length = (uint32_t)text.length;
    if (postern__vector_push(&job->builder->names, text.text, text.length) == NULL) {
        return no_memory(job);
    }
    return POSTERN_OK;
}

/* Before a text becomes code whose wildcards are live. */
static int check_pattern(const struct job *job, uint32_t node, postern_span text) {
    if (!postern__glob_too_long(text)) return POSTERN_OK;
    return postern__policy_fail(job->policy, job->draft, node, POSTERN_LIMIT, job->error,
                                "`%.*s%s` has wildcards and %zu bytes: a pattern has at most %d",
                                POSTERN__QUOTE(text), text.length, POSTERN__PATTERN_BYTES);
}

/* ---- Action --------------------------------------------------------------*/

/* Folded to lower case: actions do not mind letter case. */
static int compile_action(const struct job *job, uint32_t node) {
    postern_builder *builder = job->builder;
    postern_span text = text_of(job, node);
    if (job->policy->variables && postern__template_has_variable(text)) {
        int status = ATTACH(job, node, "variable in %s `%.*s%s`: write the action out",
                            job->draft->not_action ? "NotAction" : "Action", POSTERN__QUOTE(text));
        if (status != POSTERN_OK) return status;
    }
    int checked = check_pattern(job, node, text);
    if (checked != POSTERN_OK) return checked;
    size_t start = builder->texts.count;
    postern__template template = {.variables = 0};
    if (!postern__glob_encode(text, &builder->texts)) return no_memory(job);
    for (char *at = builder->texts.items + start; at < builder->texts.items + builder->texts.count; at++)
        *at = (char)postern__lower((unsigned char)*at);
    template.glob = postern__glob_measure(builder->texts.items, start, builder->texts.count - start);
    return postern__vector_push(&builder->templates, &template, 1) != NULL ? POSTERN_OK
                                                                          : no_memory(job);
}

/* ---- Resource ------------------------------------------------------------*/

static int push_resource(const struct job *job, uint32_t node, postern_span text,
                         postern__template *out) {
    postern__template_tables *tables = &job->builder->template_tables;
    int status = check_pattern(job, node, text);
    if (status != POSTERN_OK) return status;
    status = postern__template_compile(tables, text, POSTERN__ARN, job->policy->variables, out);
    if (status != POSTERN_OK) return explain_status(job, node, status);
    return postern__vector_push(&job->builder->templates, out, 1) != NULL ? POSTERN_OK
                                                                         : no_memory(job);
}

/* As push_resource, for text made of two pieces. */
static int push_joined(const struct job *job, uint32_t node, postern_span head, postern_span tail,
                       postern__template *out) {
    postern__vector joined;
    postern__vector_init(&joined, 1, &job->builder->allocator);
    int status = POSTERN_OK;
    if (postern__vector_push(&joined, head.text, head.length) == NULL ||
        postern__vector_push(&joined, tail.text, tail.length) == NULL) {
        status = no_memory(job);
    } else {
        status = push_resource(job, node, (postern_span){joined.items, joined.count}, out);
    }
    postern__vector_free(&joined);
    return status;
}

/* `execute-api:/` in the policy of an API stands for the ARN of that API. Where
 * the builder was not told which, it is any one API: each part of the ARN is
 * then a run that stays within its part, so that no path can look like one. */
static int compile_short_form(const struct job *job, uint32_t node, postern_span rest) {
    const postern__vector *api = &job->builder->api_arn;
    postern__template template;
    if (api->count > 0) {
        return push_joined(job, node, (postern_span){api->items, api->count}, rest, &template);
    }
    int status = push_joined(job, node, POSTERN__SPAN("arn:*:execute-api:*:*:*/"), rest, &template);
    if (status != POSTERN_OK) return status;
    unsigned char *code = (unsigned char *)job->builder->texts.items + template.glob.code;
    for (int runs = 0; runs < 4; code++) {
        if (*code != POSTERN__RUN) continue;
        *code = ++runs < 4 ? POSTERN__RUN_IN_SEGMENT : POSTERN__RUN_IN_NAME;
    }
    return POSTERN_OK;
}

/* Fewer than five colons. An identity policy, a boundary and an SCP fill what
 * is missing with `*`, and match by either reading; a session policy never
 * matches; elsewhere only the text as written counts. (IAM User Guide, "IAM
 * JSON policy elements: Resource"; the "either" and "never" are our choice.) */
static int compile_incomplete(const struct job *job, uint32_t node, postern_span text, int colons) {
    static const char fill[] = ":*:*:*:*:*";
    int32_t type = job->builder->policy_type;
    postern__template template;
    if (type == POSTERN_SESSION) {
        return ATTACH(job, node,
                      "incomplete ARN `%.*s%s`: a session policy needs all six parts, or \"*\"",
                      POSTERN__QUOTE(text));
    }
    int status = push_resource(job, node, text, &template);
    bool fills = type == POSTERN_IDENTITY || type == POSTERN_BOUNDARY || type == POSTERN_SCP;
    if (status != POSTERN_OK || !fills) return status;
    status = push_joined(job, node, text, (postern_span){fill, 2 * (size_t)(5 - colons)}, &template);
    postern__vector *templates = &job->builder->templates;
    if (status == POSTERN_OK) POSTERN__AT(templates, postern__template, templates->count - 1)->again = 1;
    return status;
}

/* Those of an ARN, at most: what is in variables does not count. */
static int count_colons(postern_span text, bool live) {
    int colons = 0;
    if (!live) {
        for (size_t i = 0; colons < 5; i++, colons++) {
            i = postern__span_find(text, i, ':');
            if (i == text.length) break;
        }
        return colons;
    }
    postern__arn parts;
    if (postern__template_split(text, live, &parts)) return 5;
    for (size_t i = 0; i < text.length;) {
        postern__reference reference;
        bool skip = postern__reference_scan(text, i, &reference);
        if (!skip && text.text[i] == ':') colons++;
        i += skip ? reference.length : 1;
    }
    return colons;
}

/* Variables live in the sixth part only; before it they stay text. */
static bool has_early_variable(postern_span text) {
    postern__arn parts;
    if (postern__template_split(text, true, &parts)) {
        text.length = (size_t)(parts.part[POSTERN__ARN_RESOURCE].text - text.text);
    }
    return postern__template_has_variable(text);
}

static int compile_resource(const struct job *job, uint32_t node) {
    static const postern_span short_form = {"execute-api:/", 13};
    postern_span text = text_of(job, node);
    postern__template template;
    if (postern__span_starts(text, short_form)) {
        if (job->builder->policy_type == POSTERN_RESOURCE) {
            return compile_short_form(job, node, postern__span_from(text, short_form.length));
        }
        int status = ATTACH(job, node,
                            "short form `%.*s%s` outside an API's policy: write the whole ARN",
                            POSTERN__QUOTE(text));
        if (status != POSTERN_OK) return status;
    }
    bool live = job->policy->variables && postern__span_find(text, 0, '$') < text.length;
    if (live && has_early_variable(text)) {
        int status = ATTACH(job, node, "variable in `%.*s%s` before the sixth part of the ARN: "
                                       "write that part out",
                            POSTERN__QUOTE(text));
        if (status != POSTERN_OK) return status;
    }
    int colons = count_colons(text, live);
    if (colons < 5 && !postern__span_equal(text, POSTERN__SPAN("*"))) {
        return compile_incomplete(job, node, text, colons);
    }
    return push_resource(job, node, text, &template);
}

/* ---- Principal -----------------------------------------------------------*/

static int compile_principal(const struct job *job, uint32_t node, postern__principal_type type) {
    postern_builder *builder = job->builder;
    postern_span text = text_of(job, node);
    postern_span wild = POSTERN__SPAN("*");
    bool partial = (postern__span_find(text, 0, '*') < text.length ||
                    postern__span_find(text, 0, '?') < text.length) &&
                   !(type == POSTERN__AWS && postern__span_equal(text, wild));
    if (partial) {
        int status = ATTACH(job, node,
                            "wildcard in principal `%.*s%s`: name the principal, or use \"*\" with "
                            "a condition on aws:PrincipalArn",
                            POSTERN__QUOTE(text));
        if (status != POSTERN_OK) return status;
    }
    if (job->policy->variables && postern__template_has_variable(text)) {
        int status = ATTACH(job, node, "variable in principal `%.*s%s`: name the principal",
                            POSTERN__QUOTE(text));
        if (status != POSTERN_OK) return status;
    }
    uint32_t offset = (uint32_t)builder->texts.count;
    postern__principal principal = postern__principal_parse(type, text, offset);
    if (postern__vector_push(&builder->texts, text.text, text.length) == NULL ||
        postern__vector_push(&builder->principals, &principal, 1) == NULL) {
        return no_memory(job);
    }
    if (principal.kind != POSTERN__NAMES_ROLE) return POSTERN_OK;
    uint32_t symbol; /* a session may carry the role's whole ARN, path included */
    int status = postern__symbols_add(&builder->keys, POSTERN__SPAN("aws:PrincipalArn"), 0, &symbol);
    return explain_status(job, node, status);
}

/* A list just compiled, if it has been seen of late, is that one and stands no
 * longer at the end of the tables. */
static bool seen_of_late(postern__recent *recent, uint32_t hash, const postern__range *list) {
    return recent->hash == hash && recent->list.count == list->count && list->count > 0;
}

static uint32_t share_principals(const struct job *job, size_t texts, postern__range *range) {
    postern_builder *builder = job->builder;
    const postern__principal *all = POSTERN__AT(&builder->principals, postern__principal, 0);
    uint32_t hash = postern__sharing_hash_principals(all + range->first, range->count,
                                                     builder->texts.items);
    postern__recent *recent = &builder->callers[hash % POSTERN__RECENT];
    bool same = seen_of_late(recent, hash, range);
    for (uint32_t i = 0; same && i < range->count; i++) {
        const postern__principal *old = &all[recent->list.first + i];
        const postern__principal *new = &all[range->first + i];
        same = old->kind == new->kind && old->text_length == new->text_length &&
               postern__bytes_equal(builder->texts.items + old->text,
                                    builder->texts.items + new->text, new->text_length);
    }
    if (same) {
        builder->principals.count = range->first;
        builder->texts.count = texts;
        *range = recent->list;
    } else {
        *recent = (postern__recent){hash, *range};
    }
    return hash;
}

/* Principal is "*" or a map; both become one list. */
static int compile_principals(const struct job *job, postern__rule *rule, uint32_t *hash) {
    postern_builder *builder = job->builder;
    uint32_t node = job->draft->principal;
    size_t texts = builder->texts.count;
    rule->principals.first = (uint32_t)builder->principals.count;
    if (node == 0) return POSTERN_OK;
    int status = POSTERN_OK;
    rule->has_principal = true;
    rule->not_principal = job->draft->not_principal;
    if (node_of(job, node)->kind == POSTERN_STRING) {
        status = compile_principal(job, node, POSTERN__AWS);
    } else {
        for (uint32_t name = node + 1; status == POSTERN_OK && name < node_of(job, node)->next;
             name = node_of(job, name + 1)->next) {
            postern__principal_type type = postern__principal_type_of(text_of(job, name));
            for (uint32_t item = postern__policy_first(job->policy, name + 1);
                 status == POSTERN_OK && item != 0;
                 item = postern__policy_next(job->policy, name + 1, item)) {
                status = compile_principal(job, item, type);
            }
        }
    }
    rule->principals.count = (uint32_t)builder->principals.count - rule->principals.first;
    if (status == POSTERN_OK) *hash = share_principals(job, texts, &rule->principals);
    if (status == POSTERN_OK && rule->not_principal && rule->effect == POSTERN_ALLOW) {
        return ATTACH(job, node, "NotPrincipal with Allow: it never matches; use Principal with a "
                                 "condition instead");
    }
    return status;
}

/* ---- Condition -----------------------------------------------------------*/

/* Policy values may be strings, numbers or booleans; they become text. */
static postern_span value_text(const struct job *job, uint32_t node, char buffer[POSTERN__NUMBER_SIZE]) {
    const postern_node *value = node_of(job, node);
    if (value->kind == POSTERN_STRING) return text_of(job, node);
    postern_span raw = postern__document_raw(job->policy->document, value);
    return value->kind == POSTERN_NUMBER ? postern__number_text(raw, buffer) : raw;
}

static int fail_value(const struct job *job, uint32_t node, const postern__operator_info *info,
                      postern_span text) {
    static const char *const wanted[] = {
        [POSTERN__OPERAND_NUMBER] = "a number", [POSTERN__OPERAND_DATE] = "a date",
        [POSTERN__OPERAND_BOOLEAN] = "true or false", [POSTERN__OPERAND_BYTES] = "base64",
        [POSTERN__OPERAND_CIDR] = "an address or a CIDR range", [POSTERN__OPERAND_ARNS] = "an ARN",
        [POSTERN__OPERAND_PRESENCE] = "true or false"};
    if (!info->variables && job->policy->variables && postern__template_has_variable(text)) {
        return ATTACH(job, node, "variable in `%.*s%s`: %s takes none, write %s",
                      POSTERN__QUOTE(text), info->spelling, wanted[info->operand]);
    }
    return ATTACH(job, node, "`%.*s%s` is not %s: %s cannot compare it", POSTERN__QUOTE(text),
                  wanted[info->operand], info->spelling);
}

static int compile_text(const struct job *job, uint32_t node, postern_span text,
                        postern__template_mode mode, postern__operand *operand) {
    postern_builder *builder = job->builder;
    postern__template *template = &operand->as.template;
    int status = mode == POSTERN__PATTERN ? check_pattern(job, node, text) : POSTERN_OK;
    if (status != POSTERN_OK) return status;
    status = postern__template_compile(&builder->template_tables, text, mode,
                                       job->policy->variables, template);
    operand->usable = 1;
    if (status != POSTERN_OK) return explain_status(job, node, status);
    /* Plain text is its own code: keep it once. */
    if (template->glob.head == template->glob.length && template->glob.length == operand->length &&
        postern__bytes_equal(builder->texts.items + template->glob.code,
                             builder->texts.items + operand->text, operand->length)) {
        builder->texts.count = template->glob.code;
        template->glob.code = operand->text;
    }
    return POSTERN_OK;
}

static int compile_arn_pattern(const struct job *job, uint32_t node, postern_span text,
                               postern__operand *operand) {
    postern_builder *builder = job->builder;
    postern__arn parts;
    if (!postern__template_split(text, job->policy->variables, &parts)) return POSTERN_OK;
    int status = check_pattern(job, node, text);
    if (status != POSTERN_OK) return status;
    postern__template templates[POSTERN__ARN_PARTS];
    for (int i = 0; i < POSTERN__ARN_PARTS; i++) {
        status = postern__template_compile(&builder->template_tables, parts.part[i],
                                           POSTERN__PATTERN, job->policy->variables,
                                           &templates[i]);
        if (status != POSTERN_OK) return explain_status(job, node, status);
    }
    postern__template_note(&builder->template_tables, templates, POSTERN__ARN_PARTS);
    operand->usable = 1;
    operand->as.parts = (uint32_t)builder->templates.count;
    return postern__vector_push(&builder->templates, templates, POSTERN__ARN_PARTS) != NULL
               ? POSTERN_OK
               : no_memory(job);
}

/* Fills `operand` from the text of a value. A value its operator cannot parse
 * stays unusable: it never matches, and it is an attach error. */
static int compile_operand(const struct job *job, uint32_t node, const postern__operator_info *info,
                           postern_span text, postern__vector *prefixes,
                           postern__operand *operand) {
    postern__number number;
    postern__prefix prefix;
    bool boolean = false;
    switch (info->operand) {
    case POSTERN__OPERAND_TEXT:
    case POSTERN__OPERAND_FOLDED: return compile_text(job, node, text, POSTERN__TEXT, operand);
    case POSTERN__OPERAND_PATTERN: return compile_text(job, node, text, POSTERN__PATTERN, operand);
    case POSTERN__OPERAND_ARNS: return compile_arn_pattern(job, node, text, operand);
    case POSTERN__OPERAND_NUMBER: operand->usable = postern__number_parse(text, &number); break;
    case POSTERN__OPERAND_DATE:
        operand->usable = postern__instant_parse(text, &operand->as.instant);
        break;
    case POSTERN__OPERAND_BYTES: operand->usable = postern__base64_valid(text); break;
    case POSTERN__OPERAND_BOOLEAN:
    case POSTERN__OPERAND_PRESENCE:
        operand->usable = postern__bool_parse(text, &boolean);
        operand->as.boolean = boolean;
        break;
    case POSTERN__OPERAND_CIDR:
        operand->usable = postern__prefix_parse(text, &prefix);
        if (operand->usable && postern__vector_push(prefixes, &prefix, 1) == NULL) {
            return no_memory(job);
        }
        break;
    }
    return POSTERN_OK;
}

static int compile_values(const struct job *job, uint32_t node, postern__condition *condition,
                          postern__vector *prefixes) {
    postern_builder *builder = job->builder;
    const postern__operator_info *info = postern__operator_info_of(condition->operator_id);
    condition->first = (uint32_t)builder->operands.count;
    for (uint32_t item = postern__policy_first(job->policy, node); item != 0;
         item = postern__policy_next(job->policy, node, item)) {
        char buffer[POSTERN__NUMBER_SIZE];
        postern_span text = value_text(job, item, buffer);
        postern__operand operand = {.text = (uint32_t)builder->texts.count,
                                    .length = (uint32_t)text.length};
        if (postern__vector_push(&builder->texts, text.text, text.length) == NULL) {
            return no_memory(job);
        }
        int status = compile_operand(job, item, info, text, prefixes, &operand);
        if (status == POSTERN_OK && !operand.usable) status = fail_value(job, item, info, text);
        if (status != POSTERN_OK) return status;
        if (postern__vector_push(&builder->operands, &operand, 1) == NULL) return no_memory(job);
    }
    condition->count = (uint32_t)builder->operands.count - condition->first;
    if (info->operand != POSTERN__OPERAND_CIDR) return POSTERN_OK;
    size_t offset = 0;
    bool built = postern__cidr_build(POSTERN__AT(prefixes, postern__prefix, 0), prefixes->count,
                                     POSTERN__MEMBERSHIP, &builder->ranges, &offset);
    condition->cidr = (uint32_t)offset;
    return built ? POSTERN_OK : no_memory(job);
}

static uint32_t uses_of(postern__operand_kind operand) {
    switch (operand) {
    case POSTERN__OPERAND_CIDR: return POSTERN__USE_ADDRESS;
    case POSTERN__OPERAND_DATE: return POSTERN__USE_INSTANT;
    case POSTERN__OPERAND_BOOLEAN: return POSTERN__USE_BOOL;
    default: return 0;
    }
}

/* The operator's name as the language spells it, whatever the policy's case; kept
 * once. */
static int push_operator_name(const struct job *job, const postern__operator_name *name,
                              postern__condition *condition) {
    static const char *const prefixes[] = {"", "ForAllValues:", "ForAnyValue:"};
    const char *pieces[3] = {prefixes[name->quantifier],
                             postern__operator_info_of(name->operator_id)->spelling,
                             name->if_exists ? "IfExists" : ""};
    postern__vector *names = &job->builder->names;
    postern__named *known =
        &job->builder->operators[name->operator_id][name->quantifier][name->if_exists];
    if (known->length == 0) {
        postern__named named = {(uint32_t)names->count, 0};
        for (int i = 0; i < 3; i++) {
            if (postern__vector_push(names, pieces[i], strlen(pieces[i])) == NULL) {
                return no_memory(job);
            }
        }
        named.length = (uint32_t)names->count - named.name;
        *known = named;
    }
    condition->name = known->name;
    condition->name_length = known->length;
    return POSTERN_OK;
}

static int compile_condition(const struct job *job, uint32_t operator_node, uint32_t key_node) {
    postern_builder *builder = job->builder;
    postern__operator_name name;
    if (!postern__operator_parse(text_of(job, operator_node), &name)) return POSTERN_MISUSE;
    postern__condition condition = {.operator_id = (uint16_t)name.operator_id,
                                    .quantifier = (uint8_t)name.quantifier,
                                    .if_exists = name.if_exists};
    place_of(job, key_node, &condition.line, &condition.column);
    int status = POSTERN_OK;
    postern_span key = text_of(job, key_node);
    if (job->policy->variables && postern__template_has_variable(key)) {
        status = ATTACH(job, key_node, "variable in condition key `%.*s%s`: name the key",
                        POSTERN__QUOTE(key));
    }
    if (status == POSTERN_OK) status = push_operator_name(job, &name, &condition);
    if (status != POSTERN_OK) return status;
    postern__operand_kind operand = postern__operator_info_of(name.operator_id)->operand;
    status = postern__symbols_add(&builder->keys, key, uses_of(operand), &condition.symbol);
    if (status != POSTERN_OK) return explain_status(job, key_node, status);
    postern__vector prefixes;
    postern__vector_init(&prefixes, sizeof(postern__prefix), &builder->allocator);
    status = compile_values(job, key_node + 1, &condition, &prefixes);
    postern__vector_free(&prefixes);
    if (status != POSTERN_OK) return status;
    uint32_t hash = postern__sharing_hash_condition(
        &condition, POSTERN__AT(&builder->operands, postern__operand, condition.first),
        builder->texts.items);
    return postern__vector_push(&builder->conditions, &condition, 1) != NULL &&
                   postern__vector_push(&builder->condition_hashes, &hash, 1) != NULL
               ? POSTERN_OK
               : no_memory(job);
}

static int compile_conditions(const struct job *job, postern__rule *rule) {
    rule->conditions.first = (uint32_t)job->builder->conditions.count;
    uint32_t node = job->draft->condition;
    for (uint32_t name = node + 1; node != 0 && name < node_of(job, node)->next;
         name = node_of(job, name + 1)->next) {
        for (uint32_t key = name + 2; key < node_of(job, name + 1)->next;
             key = node_of(job, key + 1)->next) {
            int status = compile_condition(job, name, key);
            if (status != POSTERN_OK) return status;
        }
    }
    rule->conditions.count = (uint32_t)job->builder->conditions.count - rule->conditions.first;
    return POSTERN_OK;
}

/* ---- Statement -----------------------------------------------------------*/

static uint32_t share_actions(const struct job *job, size_t texts, postern__range *range) {
    postern_builder *builder = job->builder;
    const postern__template *all = POSTERN__AT(&builder->templates, postern__template, 0);
    uint32_t hash = postern__sharing_hash_actions(all + range->first, range->count,
                                                  builder->texts.items);
    postern__recent *recent = &builder->actions[hash % POSTERN__RECENT];
    bool same = seen_of_late(recent, hash, range);
    for (uint32_t i = 0; same && i < range->count; i++) {
        const postern__glob *old = &all[recent->list.first + i].glob;
        const postern__glob *new = &all[range->first + i].glob;
        same = old->length == new->length &&
               postern__bytes_equal(builder->texts.items + old->code,
                                    builder->texts.items + new->code, new->length);
    }
    if (same) {
        builder->templates.count = range->first;
        builder->texts.count = texts;
        *range = recent->list;
    } else {
        *recent = (postern__recent){hash, *range};
    }
    return hash;
}

static int compile_list(const struct job *job, uint32_t node, int (*compile)(const struct job *, uint32_t),
                        postern__range *range) {
    range->first = (uint32_t)job->builder->templates.count;
    for (uint32_t item = postern__policy_first(job->policy, node); item != 0;
         item = postern__policy_next(job->policy, node, item)) {
        int status = compile(job, item);
        if (status != POSTERN_OK) return status;
    }
    range->count = (uint32_t)job->builder->templates.count - range->first;
    return POSTERN_OK;
}

/* What a customer's resource control policy may not say (Organizations User
 * Guide, "RCP syntax"). The one Allow is the policy that is always attached:
 * everybody, everything. */
static int check_rcp(const struct job *job, const postern__rule *rule) {
    const postern__draft *draft = job->draft;
    const postern__principal *principals =
        POSTERN__AT(&job->builder->principals, postern__principal, rule->principals.first);
    const postern__template *actions =
        POSTERN__AT(&job->builder->templates, postern__template, rule->actions.first);
    bool anyone = rule->principals.count == 1 && principals->kind == POSTERN__NAMES_ANYONE;
    bool every_action = false;
    for (uint32_t i = 0; i < rule->actions.count; i++) {
        if (actions[i].glob.length == 1 && actions[i].glob.head == 0) every_action = true;
    }
    if (rule->effect == POSTERN_ALLOW && anyone && every_action && draft->condition == 0) {
        return POSTERN_OK;
    }
    if (!job->policy->variables) {
        return ATTACH(job, draft->node, "an RCP needs \"Version\": \"2012-10-17\"");
    }
    if (rule->effect == POSTERN_ALLOW) {
        return ATTACH(job, draft->node, "an RCP holds Deny only: it never grants");
    }
    if (!anyone || rule->not_principal) {
        return ATTACH(job, draft->principal, "the Principal of an RCP is \"*\": use a condition");
    }
    if (rule->not_action || every_action) {
        return ATTACH(job, draft->action, "an RCP names the service in its Action: \"s3:*\"");
    }
    return POSTERN_OK;
}

static int check_type_rules(const struct job *job, const postern__rule *rule) {
    if (job->builder->policy_type == POSTERN_RCP) return check_rcp(job, rule);
    if (job->builder->policy_type == POSTERN_TRUST && rule->not_principal) {
        return ATTACH(job, job->draft->principal, "NotPrincipal in a trust policy: name who may");
    }
    return POSTERN_OK;
}

static int compile_statement(const struct job *job, uint32_t index) {
    const postern__draft *draft = job->draft;
    uint32_t column;
    postern__rule rule = {.effect = (uint8_t)draft->effect,
                          .not_action = draft->not_action,
                          .not_resource = draft->not_resource,
                          .has_resource = draft->resource != 0,
                          .policy = (uint32_t)job->builder->policies.count,
                          .index = index};
    place_of(job, draft->node, &rule.line, &rule.column);
    if (draft->principal != 0) place_of(job, draft->principal, &rule.principal_line, &column);
    place_of(job, draft->action, &rule.action_line, &column);
    if (draft->resource != 0) place_of(job, draft->resource, &rule.resource_line, &column);
    postern__list_hashes hashes = {0, 0};
    postern_span sid = {NULL, 0};
    if (draft->sid != 0) sid = text_of(job, draft->sid);
    int status = push_name(job, sid, &rule.sid, &rule.sid_length);
    if (status == POSTERN_OK) status = compile_principals(job, &rule, &hashes.principals);
    size_t texts = job->builder->texts.count;
    if (status == POSTERN_OK) {
        status = compile_list(job, draft->action, compile_action, &rule.actions);
    }
    if (status == POSTERN_OK) hashes.actions = share_actions(job, texts, &rule.actions);
    if (status == POSTERN_OK && rule.has_resource) {
        status = compile_list(job, draft->resource, compile_resource, &rule.resources);
    }
    if (status == POSTERN_OK) status = check_type_rules(job, &rule);
    if (status == POSTERN_OK) status = compile_conditions(job, &rule);
    if (status != POSTERN_OK) return status;
    return postern__vector_push(&job->builder->rules, &rule, 1) != NULL &&
                   postern__vector_push(&job->builder->list_hashes, &hashes, 1) != NULL
               ? POSTERN_OK
               : no_memory(job);
}

/* ---- Policy --------------------------------------------------------------*/

/* Characters that AWS takes in a policy of this type, 0 where that depends on
 * the service (IAM User Guide, "IAM and AWS STS quotas"; AWS PrivateLink Guide,
 * "Control access to VPC endpoints using endpoint policies"). White space
 * counts, except in the types where AWS does not count it. */
static size_t character_limit(int32_t type, bool *spaces_count) {
    *spaces_count = type != POSTERN_IDENTITY && type != POSTERN_BOUNDARY && type != POSTERN_TRUST;
    switch ((postern_policy_type)type) {
    case POSTERN_IDENTITY: return 10240; /* the largest kind, inline in a role */
    case POSTERN_BOUNDARY: return 6144;
    case POSTERN_SESSION: return 2048;
    case POSTERN_SCP: return 10240;
    case POSTERN_RCP: return 5120;
    case POSTERN_ENDPOINT:
    case POSTERN_GATEWAY_ENDPOINT: return 20480;
    case POSTERN_TRUST: return 8192; /* 2,048 by default, raisable to this */
    case POSTERN_RESOURCE: return 0;
    }
    return 0;
}

static size_t count_characters(postern_span source, bool spaces_count) {
    size_t count = 0;
    bool in_string = false;
    for (size_t i = 0; i < source.length; i++) {
        char c = source.text[i];
        if (c == '"') in_string = !in_string;
        if (in_string && c == '\\') {
            count++;
            i++; /* the escaped character, perhaps a quote */
        }
        bool space = !in_string && memchr(" \t\r\n", c, 4) != NULL;
        if (((unsigned char)c & 0xC0) != 0x80 && (spaces_count || !space)) count++;
    }
    return count;
}

static int check_size(const struct job *job) {
    bool spaces_count;
    size_t limit = character_limit(job->builder->policy_type, &spaces_count);
    postern_span source;
    source.text = postern_document_source(job->policy->document, &source.length);
    if (limit == 0 || source.length <= limit) return POSTERN_OK;
    size_t count = count_characters(source, spaces_count);
    if (count <= limit) return POSTERN_OK;
    return ATTACH(job, 0, "%zu characters, where a policy of type %s may have %zu: split it", count,
                  postern_policy_type_name(job->builder->policy_type), limit);
}

int postern__compile_policy(postern_builder *builder, const postern__policy *policy,
                          postern_span name, postern_error *error) {
    struct job job = {.builder = builder, .policy = policy, .error = error};
    int status = check_size(&job);
    for (uint32_t i = 0; status == POSTERN_OK && i < policy->drafts.count; i++) {
        job.draft = POSTERN__AT(&policy->drafts, postern__draft, i);
        status = compile_statement(&job, i);
    }
    postern__stored_policy stored;
    if (status == POSTERN_OK) status = push_name(&job, name, &stored.name, &stored.name_length);
    if (status != POSTERN_OK) return status;
    if (postern__vector_push(&builder->policies, &stored, 1) == NULL) return no_memory(&job);
    if (builder->texts.count > POSTERN__SET_BYTES || builder->names.count > POSTERN__SET_BYTES ||
        builder->ranges.count > POSTERN__SET_BYTES) {
        return postern__fail(error, POSTERN_LIMIT, 0, 0,
                             "more than %d bytes in a set: make several sets", POSTERN__SET_BYTES);
    }
    return POSTERN_OK;
}
