#include "builder.h"

#include <stdlib.h>

#include "utf8.h"

/* ---- Making one -----------------------------------------------------------*/

/* Where everything stood, to go back to when a policy is refused. */
typedef struct checkpoint {
    size_t keys;
    uint32_t room, most;
#define COUNT(name, type) size_t name;
    POSTERN__TABLES(COUNT)
#undef COUNT
} checkpoint;

static checkpoint mark(const postern_builder *builder) {
    checkpoint point = {.keys = builder->keys.symbols.count,
                        .room = builder->template_tables.room,
                        .most = builder->template_tables.most};
#define MARK(name, type) point.name = builder->name.count;
    POSTERN__TABLES(MARK)
#undef MARK
    return point;
}

/* Lists that were cut off cannot be had again. */
static void forget_lists(postern__recent recent[POSTERN__RECENT], size_t count) {
    for (size_t i = 0; i < POSTERN__RECENT; i++) {
        if (recent[i].list.first + recent[i].list.count > count) recent[i] = (postern__recent){0};
    }
}

static void forget_operators(postern_builder *builder, size_t count) {
    postern__named *operators = &builder->operators[0][0][0];
    for (size_t i = 0; i < sizeof builder->operators / sizeof *operators; i++) {
        if (operators[i].name >= count) operators[i] = (postern__named){0, 0};
    }
}

static void go_back(postern_builder *builder, const checkpoint *point) {
    forget_lists(builder->actions, point->templates);
    forget_lists(builder->callers, point->principals);
    forget_operators(builder, point->names);
    postern__symbols_cut(&builder->keys, point->keys);
    builder->list_hashes.count = point->rules;
    builder->condition_hashes.count = point->conditions;
    builder->template_tables.room = point->room;
    builder->template_tables.most = point->most;
#define CUT(name, type) builder->name.count = point->name;
    POSTERN__TABLES(CUT)
#undef CUT
}

void postern_builder_free(postern_builder *builder) {
    if (builder == NULL) return;
    postern_allocator allocator = builder->allocator;
    postern__symbols_free(&builder->keys);
    postern__vector_free(&builder->api_arn);
    postern__vector_free(&builder->list_hashes);
    postern__vector_free(&builder->condition_hashes);
#define FREE(name, type) postern__vector_free(&builder->name);
    POSTERN__TABLES(FREE)
#undef FREE
    postern__free(&allocator, builder, sizeof *builder);
}

/* The ARN becomes part of a pattern: nothing in it may act as one. */
static bool has_pattern(postern_span arn) {
    for (size_t i = 0; i < arn.length; i++) {
        if (arn.text[i] != '\0' && strchr("/*?$", arn.text[i]) != NULL) return true;
    }
    return false;
}

static int check_options(const postern_options *options, postern_error *error) {
    if (postern_policy_type_name(options->policy_type) == NULL) {
        return postern__fail(error, POSTERN_MISUSE, 0, 0, "no such policy type: %d",
                             (int)options->policy_type);
    }
    if (options->strictness != POSTERN_ATTACHABLE && options->strictness != POSTERN_STRUCTURAL) {
        return postern__fail(error, POSTERN_MISUSE, 0, 0, "no such strictness: %d",
                             (int)options->strictness);
    }
    postern_span arn = {options->api_arn, options->api_arn_length};
    postern__arn parts;
    if (arn.text != NULL &&
        (!postern__utf8_valid(arn) || !postern__arn_split(arn, &parts) ||
         parts.part[POSTERN__ARN_RESOURCE].length == 0 ||
         has_pattern(arn))) {
        return postern__fail(error, POSTERN_VALUE, 0, 0,
                             "`%.*s%s` is not the ARN of an API: write "
                             "arn:partition:execute-api:region:account:api-id",
                             POSTERN__QUOTE(arn));
    }
    return POSTERN_OK;
}

/* POSTERN_INDEX: `linear` tries every statement of every set, `indexed` none that
 * need not be; without it the size of a set decides. The decisions are the same,
 * which is what it is for: to see that they are. */
static int read_indexing(postern__indexing *out, postern_error *error) {
    const char *text = getenv("POSTERN_INDEX");
    *out = POSTERN__INDEX_BY_SIZE;
    if (text == NULL || *text == '\0') return POSTERN_OK;
    postern_span value = {text, strlen(text)};
    if (postern__span_equal(value, POSTERN__SPAN("linear"))) *out = POSTERN__INDEX_NEVER;
    else if (postern__span_equal(value, POSTERN__SPAN("indexed"))) *out = POSTERN__INDEX_ALWAYS;
    else
        return postern__fail(error, POSTERN_VALUE, 0, 0,
                             "POSTERN_INDEX is `%.*s%s`: it may be `linear` or `indexed`",
                             POSTERN__QUOTE(value));
    return POSTERN_OK;
}

postern_builder *postern_builder_new(const postern_options *options, postern_error *error) {
    static const postern_options defaults = {.policy_type = POSTERN_IDENTITY};
    if (options == NULL) options = &defaults;
    postern__indexing indexing;
    if (check_options(options, error) != POSTERN_OK ||
        read_indexing(&indexing, error) != POSTERN_OK) {
        return NULL;
    }
    postern_allocator allocator = postern__allocator(options->allocator);
    postern_builder *builder = postern__alloc(&allocator, sizeof *builder);
    if (builder == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(builder, 0, sizeof *builder);
    builder->allocator = allocator;
    builder->policy_type = options->policy_type;
    builder->strictness = options->strictness;
    builder->indexing = indexing;
#define INIT(name, type) postern__vector_init(&builder->name, sizeof(type), &allocator);
    POSTERN__TABLES(INIT)
#undef INIT
    postern__vector_init(&builder->api_arn, 1, &allocator);
    postern__vector_init(&builder->list_hashes, sizeof(postern__list_hashes), &allocator);
    postern__vector_init(&builder->condition_hashes, sizeof(uint32_t), &allocator);
    postern__symbols_init(&builder->keys, &builder->names, &allocator);
    builder->template_tables = (postern__template_tables){
        .texts = &builder->texts, .variables = &builder->variables, .symbols = &builder->keys};
    if (options->api_arn != NULL &&
        (postern__vector_push(&builder->api_arn, options->api_arn, options->api_arn_length) == NULL ||
         postern__vector_push(&builder->api_arn, "/", 1) == NULL)) {
        postern__no_memory(error);
        postern_builder_free(builder);
        return NULL;
    }
    return builder;
}

/* ---- Adding a policy ------------------------------------------------------*/

int postern_builder_add(postern_builder *builder, const char *name, size_t name_length,
                        const char *json, size_t json_length, postern_error *error) {
    postern__policy policy;
    checkpoint point = mark(builder);
    postern_error own;
    if (error == NULL) error = &own; /* the document tells its status through it */
    postern_document *document =
        postern_document_new(json, json_length, &builder->allocator, error);
    if (document == NULL) return error->status;
    int status = postern__policy_read(&policy, document, builder->policy_type, &builder->allocator,
                                      error);
    if (status == POSTERN_OK) {
        status = postern__compile_policy(builder, &policy, (postern_span){name, name_length}, error);
        postern__policy_free(&policy);
    }
    postern_document_free(document);
    if (status != POSTERN_OK) go_back(builder, &point);
    return status;
}

/* ---- The set -------------------------------------------------------------*/

/* Rules, every Deny before every Allow, in document order otherwise. */
static bool fill_order(postern_builder *builder, uint32_t *denies) {
    const postern__rule *rules = POSTERN__AT(&builder->rules, postern__rule, 0);
    builder->order.count = 0;
    if (!postern__vector_reserve(&builder->order, builder->rules.count)) return false;
    for (int effect = POSTERN_DENY; effect >= POSTERN_ALLOW; effect--) {
        for (uint32_t i = 0; i < builder->rules.count; i++) {
            if (rules[i].effect == effect) postern__vector_push(&builder->order, &i, 1);
        }
        if (effect == POSTERN_DENY) *denies = (uint32_t)builder->order.count;
    }
    return true;
}

/* The directory, of a set that is to have one, at the end of the block. */
static bool add_directory(postern_builder *builder, postern_set *head, postern__vector *block) {
    postern__directory_tables tables = {
        .rules = POSTERN__AT(&builder->rules, postern__rule, 0),
        .list_hashes = POSTERN__AT(&builder->list_hashes, postern__list_hashes, 0),
        .rule_count = builder->rules.count,
        .conditions = POSTERN__AT(&builder->conditions, postern__condition, 0),
        .condition_hashes = POSTERN__AT(&builder->condition_hashes, uint32_t, 0),
        .condition_count = builder->conditions.count,
        .templates = POSTERN__AT(&builder->templates, postern__template, 0),
        .template_count = builder->templates.count,
        .principals = POSTERN__AT(&builder->principals, postern__principal, 0),
        .principal_count = builder->principals.count,
        .operands = POSTERN__AT(&builder->operands, postern__operand, 0),
        .texts = builder->texts.items,
    };
    bool built = true;
    if (builder->indexing == POSTERN__INDEX_NEVER ||
        (builder->indexing == POSTERN__INDEX_BY_SIZE &&
         builder->rules.count < POSTERN__DIRECTORY_FROM)) {
        postern__directory_none(&tables);
    } else {
        size_t offset = 0;
        built = postern__directory_build(&tables, block, &offset);
        head->directory.offset = (uint32_t)offset;
        head->directory.count = (uint32_t)(block->count - offset);
    }
    head->marks = tables.marks;
    head->memos = tables.memos;
    return built;
}

/* Gives every table but the directory its place; the size of all, 0 when that is
 * too much. */
static size_t place_tables(const postern_builder *builder, postern_set *set) {
    size_t size = sizeof *set;
#define PLACE(table, type)                                       \
    size = (size + 7) & ~(size_t)7;                              \
    set->table.offset = (uint32_t)size;                          \
    set->table.count = (uint32_t)builder->table.count;           \
    size += builder->table.count * sizeof(type);                 \
    if (size > POSTERN__SET_BYTES) return 0;
    POSTERN__TABLES(PLACE)
#undef PLACE
    return size;
}

/* Header and tables into the block, whose gaps are made zero. */
static void fill(const postern_builder *builder, const postern_set *head, postern_set *set) {
    size_t end = sizeof *set;
    *set = *head;
#define COPY(table, type)                                                                    \
    if (builder->table.count > 0) {                                                          \
        memset((char *)set + end, 0, set->table.offset - end);                               \
        end = set->table.offset + builder->table.count * sizeof(type);                       \
        memcpy((char *)set + set->table.offset, builder->table.items,                        \
               builder->table.count * sizeof(type));                                         \
    }
    POSTERN__TABLES(COPY)
#undef COPY
}

/* The block that becomes the set: the tables are copied into it when the
 * directory, which notes things in them, is behind them. */
static int build_block(postern_builder *builder, postern_set *head, postern__vector *block) {
    size_t size = place_tables(builder, head);
    if (size == 0) return POSTERN_LIMIT;
    block->items = postern__alloc(&builder->allocator, size); /* all there is, in a small set */
    if (block->items == NULL) return POSTERN_NO_MEMORY;
    block->count = block->capacity = size;
    if (!add_directory(builder, head, block)) return POSTERN_NO_MEMORY;
    return block->count > POSTERN__SET_BYTES ? POSTERN_LIMIT : POSTERN_OK;
}

postern_set *postern_builder_build(postern_builder *builder, postern_error *error) {
    postern_set head = {.allocator = builder->allocator,
                        .policy_type = builder->policy_type,
                        .simd = postern__simd_choose(),
                        .room = builder->template_tables.room,
                        .most = builder->template_tables.most};
    /* The keys keep their tables to themselves until now. */
    builder->symbols.count = builder->sorted.count = 0;
    if (!fill_order(builder, &head.denies) ||
        postern__vector_push(&builder->symbols, builder->keys.symbols.items,
                             builder->keys.symbols.count) == NULL ||
        postern__vector_push(&builder->sorted, builder->keys.sorted.items,
                             builder->keys.sorted.count) == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    postern__vector block;
    postern__vector_init(&block, 1, &builder->allocator);
    int status = build_block(builder, &head, &block);
    head.size = block.count;
    postern_set *set = status == POSTERN_OK ? postern__vector_take(&block) : NULL;
    if (set != NULL) {
        fill(builder, &head, set);
        set->principal_arn = postern_set_find_key(set, "aws:principalarn", 16);
        return set;
    }
    postern__vector_free(&block);
    if (status == POSTERN_LIMIT) {
        postern__fail(error, POSTERN_LIMIT, 0, 0, "more than %d bytes in a set: make several sets",
                      POSTERN__SET_BYTES);
    } else {
        postern__no_memory(error);
    }
    return NULL;
}
