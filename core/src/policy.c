#include "policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Help ----------------------------------------------------------------*/

enum { WORD = 40 }; /* longer words are no misspelling of ours */

/* Letters to change, add, drop or swap to make one word the other; letter case
 * does not count. */
static int edit_distance(postern_span a, postern_span b) {
    int rows[3][WORD + 1];
    for (size_t j = 0; j <= b.length; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= a.length; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.length; j++) {
            unsigned char x = postern__lower((unsigned char)a.text[i - 1]);
            unsigned char y = postern__lower((unsigned char)b.text[j - 1]);
            int best = above[j - 1] + (x != y);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && x == postern__lower((unsigned char)b.text[j - 2]) &&
                y == postern__lower((unsigned char)a.text[i - 2]) && second[j - 2] + 1 < best) {
                best = second[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[a.length % 3][b.length];
}

/* The word that was probably meant, or NULL: at most two letters off, and not
 * more than half of them. */
static const char *meant(postern_span word, const char *const *words, size_t count) {
    const char *best = NULL;
    int least = 3;
    for (size_t i = 0; i < count && word.length <= WORD; i++) {
        postern_span known = {words[i], strlen(words[i])};
        int distance = edit_distance(word, known);
        if (distance < least && (size_t)distance * 2 < known.length) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}

static const char *const kind_names[] = {"null",     "a boolean", "a boolean", "a number",
                                         "a string", "a list",    "an object"};

/* ---- Errors --------------------------------------------------------------*/

static const postern_node *node_at(const postern__policy *policy, uint32_t node) {
    return postern__document_node(policy->document, node);
}

static postern_span text_of(const postern__policy *policy, uint32_t node) {
    return postern__document_text(policy->document, node_at(policy, node));
}

/* "statement `Sid`: " or "statement 3: ". */
static void label(const postern__policy *policy, const postern__draft *draft, char *out,
                  size_t size) {
    out[0] = '\0';
    if (draft == NULL) return;
    if (draft->sid != 0 && node_at(policy, draft->sid)->kind == POSTERN_STRING &&
        text_of(policy, draft->sid).length > 0) {
        postern_span sid = text_of(policy, draft->sid);
        snprintf(out, size, "statement `%.*s%s`: ", POSTERN__QUOTE(sid));
        return;
    }
    unsigned long number = 1;
    for (size_t i = 0; i < policy->drafts.count; i++) {
        if (POSTERN__AT(&policy->drafts, postern__draft, i)->node < draft->node) number++;
    }
    snprintf(out, size, "statement %lu: ", number);
}

int postern__policy_fail(const postern__policy *policy, const postern__draft *draft,
                         uint32_t node, int status, postern_error *error, const char *format,
                         ...) {
    char where[160], what[POSTERN_MESSAGE_SIZE];
    uint32_t line, column;
    if (error == NULL) return status;
    label(policy, draft, where, sizeof where);
    postern_document_place(policy->document, node_at(policy, node)->start, &line, &column);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return postern__fail(error, status, line, column, "%s%s", where, what);
}

#define FAIL(draft, node, ...) \
    postern__policy_fail(policy, draft, node, POSTERN_STRUCTURE, error, __VA_ARGS__)

/* ---- Walking -------------------------------------------------------------*/

uint32_t postern__policy_first(const postern__policy *policy, uint32_t node) {
    const postern_node *value = node_at(policy, node);
    if (value->kind != POSTERN_ARRAY) return node;
    return value->length > 0 ? node + 1 : 0;
}

uint32_t postern__policy_next(const postern__policy *policy, uint32_t node, uint32_t item) {
    uint32_t next = node_at(policy, item)->next;
    return item != node && next < node_at(policy, node)->next ? next : 0;
}

/* for each member of an object: `name` and `name + 1`, its value. */
#define EACH_MEMBER(name, object)                                                  \
    for (uint32_t name = (object) + 1; name < node_at(policy, object)->next;       \
         name = node_at(policy, name + 1)->next)

/* ---- Values --------------------------------------------------------------*/

/* A string, or a list of strings. */
static int check_strings(const postern__policy *policy, const postern__draft *draft,
                         const char *element, uint32_t node, postern_error *error) {
    for (uint32_t item = postern__policy_first(policy, node); item != 0;
         item = postern__policy_next(policy, node, item)) {
        if (node_at(policy, item)->kind != POSTERN_STRING) {
            return FAIL(draft, item, "%s holds %s: write a string or a list of strings", element,
                        kind_names[node_at(policy, item)->kind]);
        }
    }
    return POSTERN_OK;
}

static int check_principal(const postern__policy *policy, const postern__draft *draft,
                           const char *element, postern_error *error) {
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    uint32_t node = draft->principal;
    const postern_node *value = node_at(policy, node);
    if (value->kind == POSTERN_STRING &&
        postern__span_equal(text_of(policy, node), POSTERN__SPAN("*"))) {
        return POSTERN_OK;
    }
    if (value->kind != POSTERN_OBJECT) {
        return FAIL(draft, node, "%s is %s: write \"*\" or an object such as {\"AWS\": \"...\"}",
                    element, value->kind == POSTERN_STRING ? "a string other than \"*\""
                                                           : kind_names[value->kind]);
    }
    if (value->length == 0) {
        return FAIL(draft, node, "%s names nobody: give it a member such as \"AWS\"", element);
    }
    EACH_MEMBER(name, node) {
        postern_span type = text_of(policy, name);
        if (postern__principal_type_of(type) == POSTERN__PRINCIPAL_TYPES) {
            const char *hint = meant(type, types, 4);
            return FAIL(draft, name, "unknown principal type `%.*s%s`: %s%s%s", POSTERN__QUOTE(type),
                        hint != NULL ? "did you mean `" : "use AWS, Service, Federated or CanonicalUser",
                        hint != NULL ? hint : "", hint != NULL ? "`?" : "");
        }
        if (node_at(policy, name + 1)->kind == POSTERN_ARRAY &&
            node_at(policy, name + 1)->length == 0) {
            return FAIL(draft, name + 1, "%s names nobody: the list is empty", element);
        }
        int status = check_strings(policy, draft, element, name + 1, error);
        if (status != POSTERN_OK) return status;
    }
    return POSTERN_OK;
}

/* ---- Condition -----------------------------------------------------------*/

static int fail_operator(const postern__policy *policy, const postern__draft *draft, uint32_t node,
                         postern_error *error) {
    static const char *const spellings[] = {
#define SPELLING(id, spelling, negated, test, operand, variables) spelling,
        POSTERN__OPERATORS(SPELLING)
#undef SPELLING
    };
    postern_span name = text_of(policy, node);
    postern_span base = postern__operator_base(name);
    const char *hint = meant(base, spellings, POSTERN__OPERATOR_COUNT);
    if (postern__span_equal_folded(base, POSTERN__SPAN("Null"))) {
        return FAIL(draft, node, "unknown operator `%.*s%s`: Null takes no IfExists",
                    POSTERN__QUOTE(name));
    }
    return FAIL(draft, node, "unknown operator `%.*s%s`%s%s%s", POSTERN__QUOTE(name),
                hint != NULL ? ": did you mean `" : ": the language has none of that name",
                hint != NULL ? hint : "", hint != NULL ? "`?" : "");
}

static int check_condition_values(const postern__policy *policy, const postern__draft *draft,
                                  uint32_t name, postern_error *error) {
    uint32_t node = name + 1;
    for (uint32_t item = postern__policy_first(policy, node); item != 0;
         item = postern__policy_next(policy, node, item)) {
        int32_t kind = node_at(policy, item)->kind;
        if (kind == POSTERN_NULL || kind == POSTERN_ARRAY || kind == POSTERN_OBJECT) {
            postern_span key = text_of(policy, name);
            return FAIL(draft, item,
                        "condition key `%.*s%s` holds %s: write a string, a number or a boolean, "
                        "or a list of them",
                        POSTERN__QUOTE(key), kind_names[kind]);
        }
    }
    return POSTERN_OK;
}

typedef struct key_place {
    postern_span key;
    uint32_t node;
} key_place;

static int by_folded_key(const void *left, const void *right) {
    const key_place *a = left, *b = right;
    size_t shorter = a->key.length < b->key.length ? a->key.length : b->key.length;
    for (size_t i = 0; i < shorter; i++) {
        int difference = postern__lower((unsigned char)a->key.text[i]) -
                         postern__lower((unsigned char)b->key.text[i]);
        if (difference != 0) return difference;
    }
    if (a->key.length != b->key.length) return a->key.length < b->key.length ? -1 : 1;
    return a->node < b->node ? -1 : 1;
}

/* Keys that differ only in letter case are the same key twice. Sorted, so that
 * a long list costs no square. */
static int check_same_keys(const postern__policy *policy, const postern__draft *draft,
                           uint32_t block, postern_error *error) {
    if (node_at(policy, block)->length < 2) return POSTERN_OK;
    postern__vector keys;
    postern__vector_init(&keys, sizeof(key_place), &policy->drafts.allocator);
    int status = POSTERN_OK;
    EACH_MEMBER(name, block) {
        key_place place = {text_of(policy, name), name};
        if (postern__vector_push(&keys, &place, 1) == NULL) status = POSTERN_NO_MEMORY;
    }
    if (status != POSTERN_OK) {
        postern__vector_free(&keys);
        return postern__no_memory(error);
    }
    if (keys.count > 1) qsort(keys.items, keys.count, sizeof(key_place), by_folded_key);
    const key_place *repeated = NULL; /* the first in the document, not in the order */
    for (size_t i = 1; i < keys.count; i++) {
        const key_place *a = POSTERN__AT(&keys, key_place, i - 1), *b = a + 1;
        if (!postern__span_equal_folded(a->key, b->key)) continue;
        if (repeated == NULL || b->node < repeated->node) repeated = b;
    }
    if (repeated != NULL) {
        status = FAIL(draft, repeated->node,
                      "condition key `%.*s%s` appears twice, in different letter case: keep one",
                      POSTERN__QUOTE(repeated->key));
    }
    postern__vector_free(&keys);
    return status;
}

static int check_operator_block(const postern__policy *policy, const postern__draft *draft,
                                uint32_t name, postern_error *error) {
    postern__operator_name parsed;
    if (!postern__operator_parse(text_of(policy, name), &parsed)) {
        return fail_operator(policy, draft, name, error);
    }
    uint32_t block = name + 1;
    if (node_at(policy, block)->kind != POSTERN_OBJECT) {
        postern_span text = text_of(policy, name);
        return FAIL(draft, block,
                    "operator `%.*s%s` holds %s: write an object of condition keys and values",
                    POSTERN__QUOTE(text), kind_names[node_at(policy, block)->kind]);
    }
    EACH_MEMBER(key, block) {
        if (text_of(policy, key).length == 0) {
            return FAIL(draft, key, "a condition key is empty: name one such as aws:SourceIp");
        }
        int status = check_condition_values(policy, draft, key, error);
        if (status != POSTERN_OK) return status;
    }
    return check_same_keys(policy, draft, block, error);
}

static int check_condition(const postern__policy *policy, const postern__draft *draft,
                           postern_error *error) {
    const postern_node *value = node_at(policy, draft->condition);
    if (value->kind != POSTERN_OBJECT) {
        return FAIL(draft, draft->condition, "Condition is %s: write an object of operators",
                    kind_names[value->kind]);
    }
    EACH_MEMBER(name, draft->condition) {
        int status = check_operator_block(policy, draft, name, error);
        if (status != POSTERN_OK) return status;
    }
    return POSTERN_OK;
}

/* ---- Statements ----------------------------------------------------------*/

/* Puts a member's value where it belongs in the draft. */
static int take_member(const postern__policy *policy, postern__draft *draft, uint32_t name,
                       postern_error *error) {
    static const char *const names[] = {"Sid",       "Effect",   "Principal",   "NotPrincipal", "Action",
                                        "NotAction", "Resource", "NotResource", "Condition"};
    uint32_t *const slots[] = {&draft->sid,       NULL,
                               &draft->principal, &draft->principal,
                               &draft->action,    &draft->action,
                               &draft->resource,  &draft->resource,
                               &draft->condition};
    bool *const nots[] = {NULL,  NULL,
                          NULL,  &draft->not_principal,
                          NULL,  &draft->not_action,
                          NULL,  &draft->not_resource,
                          NULL};
    postern_span member = text_of(policy, name);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (member.length == 0 || member.text[0] != names[i][0]) continue;
        if (!postern__span_equal(member, (postern_span){names[i], strlen(names[i])})) continue;
        if (slots[i] == NULL) return POSTERN_OK; /* Effect is read on its own */
        if (*slots[i] != 0) {
            return FAIL(draft, name, "both %s and %s: keep one of them", names[i & ~(size_t)1],
                        names[i | 1]);
        }
        *slots[i] = name + 1;
        if (nots[i] != NULL) *nots[i] = true;
        return POSTERN_OK;
    }
    const char *hint = meant(member, names, sizeof names / sizeof *names);
    return FAIL(draft, name, "unknown member `%.*s%s`%s%s%s", POSTERN__QUOTE(member),
                hint != NULL ? ": did you mean `" : ": a statement has no such element",
                hint != NULL ? hint : "", hint != NULL ? "`?" : "");
}

static int read_effect(const postern__policy *policy, postern__draft *draft,
                       postern_error *error) {
    EACH_MEMBER(name, draft->node) {
        if (!postern__span_equal(text_of(policy, name), POSTERN__SPAN("Effect"))) continue;
        const postern_node *value = node_at(policy, name + 1);
        postern_span effect = postern__document_raw(policy->document, value);
        if (value->kind == POSTERN_STRING) effect = text_of(policy, name + 1);
        if (value->kind == POSTERN_STRING && postern__span_equal(effect, POSTERN__SPAN("Allow"))) {
            draft->effect = POSTERN_ALLOW;
            return POSTERN_OK;
        }
        if (value->kind == POSTERN_STRING && postern__span_equal(effect, POSTERN__SPAN("Deny"))) {
            draft->effect = POSTERN_DENY;
            return POSTERN_OK;
        }
        return FAIL(draft, name + 1, "Effect is `%.*s%s`: write \"Allow\" or \"Deny\", exactly so",
                    POSTERN__QUOTE(effect));
    }
    return FAIL(draft, draft->node, "no Effect: add \"Effect\": \"Allow\" or \"Deny\"");
}

static bool names_principals(int32_t type) {
    return type == POSTERN_RESOURCE || type == POSTERN_ENDPOINT ||
           type == POSTERN_GATEWAY_ENDPOINT || type == POSTERN_RCP || type == POSTERN_TRUST;
}

/* Which elements must be there, and which must not, for this type of policy. */
static int check_presence(const postern__policy *policy, const postern__draft *draft,
                          postern_error *error) {
    const char *type = postern_policy_type_name(policy->type);
    if (draft->action == 0) {
        return FAIL(draft, draft->node, "neither Action nor NotAction: say what it is about");
    }
    if (draft->resource == 0 && policy->type != POSTERN_TRUST) {
        return FAIL(draft, draft->node,
                    "neither Resource nor NotResource: add one, such as \"Resource\": \"*\"");
    }
    if (names_principals(policy->type) && draft->principal == 0) {
        return FAIL(draft, draft->node,
                    "no Principal: a policy of type %s has to say who, such as \"Principal\": \"*\"",
                    type);
    }
    if (!names_principals(policy->type) && draft->principal != 0) {
        return FAIL(draft, draft->principal,
                    "%s: a policy of type %s belongs to its principal; take it out",
                    draft->not_principal ? "NotPrincipal" : "Principal", type);
    }
    return POSTERN_OK;
}

static int check_elements(const postern__policy *policy, const postern__draft *draft,
                          postern_error *error) {
    int status = POSTERN_OK;
    if (draft->sid != 0 && node_at(policy, draft->sid)->kind != POSTERN_STRING) {
        return FAIL(draft, draft->sid, "Sid is %s: write a string",
                    kind_names[node_at(policy, draft->sid)->kind]);
    }
    if (draft->principal != 0) {
        status = check_principal(policy, draft,
                                 draft->not_principal ? "NotPrincipal" : "Principal", error);
    }
    if (status == POSTERN_OK) {
        status = check_strings(policy, draft, draft->not_action ? "NotAction" : "Action",
                               draft->action, error);
    }
    if (status == POSTERN_OK && draft->resource != 0) {
        status = check_strings(policy, draft, draft->not_resource ? "NotResource" : "Resource",
                               draft->resource, error);
    }
    if (status == POSTERN_OK && draft->condition != 0) {
        status = check_condition(policy, draft, error);
    }
    return status;
}

static int read_statement(postern__policy *policy, uint32_t node, postern_error *error) {
    postern__draft draft = {.node = node};
    if (node_at(policy, node)->kind != POSTERN_OBJECT) {
        return FAIL(&draft, node, "it is %s: write an object",
                    kind_names[node_at(policy, node)->kind]);
    }
    EACH_MEMBER(name, node) {
        int status = take_member(policy, &draft, name, error);
        if (status != POSTERN_OK) return status;
    }
    int status = read_effect(policy, &draft, error);
    if (status == POSTERN_OK) status = check_presence(policy, &draft, error);
    if (status == POSTERN_OK) status = check_elements(policy, &draft, error);
    if (status != POSTERN_OK) return status;
    if (postern__vector_push(&policy->drafts, &draft, 1) == NULL) return postern__no_memory(error);
    return POSTERN_OK;
}

/* ---- The policy ----------------------------------------------------------*/

static int read_version(postern__policy *policy, uint32_t node, postern_error *error) {
    const postern_node *value = node_at(policy, node);
    postern_span version = postern__document_raw(policy->document, value);
    if (value->kind == POSTERN_STRING) {
        version = text_of(policy, node);
        policy->variables = postern__span_equal(version, POSTERN__SPAN("2012-10-17"));
        if (policy->variables || postern__span_equal(version, POSTERN__SPAN("2008-10-17"))) {
            return POSTERN_OK;
        }
    }
    return FAIL(NULL, node, "unknown Version `%.*s%s`: write \"2012-10-17\"",
                POSTERN__QUOTE(version));
}

static int read_members(postern__policy *policy, uint32_t *statement, postern_error *error) {
    static const char *const names[] = {"Version", "Id", "Statement"};
    EACH_MEMBER(name, 0) {
        postern_span member = text_of(policy, name);
        int status = POSTERN_OK;
        if (postern__span_equal(member, POSTERN__SPAN("Version"))) {
            status = read_version(policy, name + 1, error);
        } else if (postern__span_equal(member, POSTERN__SPAN("Statement"))) {
            *statement = name + 1;
        } else if (!postern__span_equal(member, POSTERN__SPAN("Id"))) {
            const char *hint = meant(member, names, 3);
            status = FAIL(NULL, name, "unknown member `%.*s%s`%s%s%s", POSTERN__QUOTE(member),
                          hint != NULL ? ": did you mean `" : ": a policy has no such element",
                          hint != NULL ? hint : "", hint != NULL ? "`?" : "");
        } else if (node_at(policy, name + 1)->kind != POSTERN_STRING) {
            status = FAIL(NULL, name + 1, "Id is %s: write a string",
                          kind_names[node_at(policy, name + 1)->kind]);
        }
        if (status != POSTERN_OK) return status;
    }
    return POSTERN_OK;
}

static int read_policy(postern__policy *policy, postern_error *error) {
    if (node_at(policy, 0)->kind != POSTERN_OBJECT) {
        return FAIL(NULL, 0, "the document is %s: a policy is an object with a Statement",
                    kind_names[node_at(policy, 0)->kind]);
    }
    uint32_t statement = 0;
    int status = read_members(policy, &statement, error);
    if (status != POSTERN_OK) return status;
    if (statement == 0) {
        return FAIL(NULL, 0, "no Statement: add \"Statement\": [...]");
    }
    int32_t kind = node_at(policy, statement)->kind;
    if (kind != POSTERN_OBJECT && kind != POSTERN_ARRAY) {
        return FAIL(NULL, statement, "Statement is %s: write an object or a list of objects",
                    kind_names[kind]);
    }
    for (uint32_t item = postern__policy_first(policy, statement); item != 0;
         item = postern__policy_next(policy, statement, item)) {
        status = read_statement(policy, item, error);
        if (status != POSTERN_OK) return status;
    }
    return POSTERN_OK;
}

int postern__policy_read(postern__policy *out, const postern_document *document, int32_t type,
                         const postern_allocator *allocator, postern_error *error) {
    out->document = document;
    out->type = type;
    out->variables = false;
    postern__vector_init(&out->drafts, sizeof(postern__draft), allocator);
    int status = read_policy(out, error);
    if (status != POSTERN_OK) postern__policy_free(out);
    return status;
}

void postern__policy_free(postern__policy *policy) {
    postern__vector_free(&policy->drafts);
}

const char *postern_policy_type_name(int32_t policy_type) {
    switch ((postern_policy_type)policy_type) {
    case POSTERN_IDENTITY: return "identity";
    case POSTERN_BOUNDARY: return "boundary";
    case POSTERN_SESSION: return "session";
    case POSTERN_SCP: return "scp";
    case POSTERN_RCP: return "rcp";
    case POSTERN_RESOURCE: return "resource";
    case POSTERN_ENDPOINT: return "endpoint";
    case POSTERN_TRUST: return "trust";
    case POSTERN_GATEWAY_ENDPOINT: return "gateway_endpoint";
    }
    return NULL;
}
