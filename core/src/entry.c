#include "entry.h"

#include "utf8.h"

/* A value that a key has in every call. */
struct kept {
    uint32_t key;
    postern__vector text; /* of bytes */
};

enum { NO_KEY = -1, UNSAID = -2 };

struct postern_entry {
    postern_allocator allocator;
    postern_request *request;
    postern__vector between[POSTERN_ENTRY_PIECES]; /* of bytes */
    int32_t keys[POSTERN_ENTRY_VALUES];            /* NO_KEY, UNSAID */
    postern__vector kept;                          /* of struct kept */
    postern_decision decision;
};

/* ---- Making one -----------------------------------------------------------*/

static struct kept *kept_at(const postern_entry *entry, size_t index) {
    return POSTERN__AT(&entry->kept, struct kept, index);
}

postern_entry *postern_entry_new(const postern_set *set, const postern_allocator *allocator,
                                 postern_error *error) {
    postern_allocator own = postern__allocator(allocator);
    postern_request *request = postern_request_new(set, &own, error);
    if (request == NULL) return NULL;
    postern_entry *entry = postern__alloc(&own, sizeof *entry);
    if (entry == NULL) {
        postern_request_free(request);
        postern__no_memory(error);
        return NULL;
    }
    memset(entry, 0, sizeof *entry);
    entry->allocator = own;
    entry->request = request;
    entry->decision = (postern_decision){POSTERN_IMPLICITLY_DENIED, POSTERN_MATCH_NONE, -1, -1,
                                         POSTERN_MISUSE};
    for (int i = 0; i < POSTERN_ENTRY_PIECES; i++) postern__vector_init(&entry->between[i], 1, &own);
    for (int i = 0; i < POSTERN_ENTRY_VALUES; i++) entry->keys[i] = UNSAID;
    postern__vector_init(&entry->kept, sizeof(struct kept), &own);
    return entry;
}

void postern_entry_free(postern_entry *entry) {
    if (entry == NULL) return;
    postern_allocator allocator = entry->allocator;
    postern_request_free(entry->request);
    for (int i = 0; i < POSTERN_ENTRY_PIECES; i++) postern__vector_free(&entry->between[i]);
    for (size_t i = 0; i < entry->kept.count; i++) postern__vector_free(&kept_at(entry, i)->text);
    postern__vector_free(&entry->kept);
    postern__free(&allocator, entry, sizeof *entry);
}

/* ---- What stays -----------------------------------------------------------*/

static int check_text(postern_span text) {
    if (text.length > POSTERN__VALUE_BYTES) return POSTERN_LIMIT;
    return postern__utf8_valid(text) ? POSTERN_OK : POSTERN_VALUE;
}

static int replace(postern__vector *vector, const char *text, size_t length) {
    int status = check_text((postern_span){text, length});
    if (status != POSTERN_OK) return status;
    if (length > vector->count && !postern__vector_reserve(vector, length - vector->count)) {
        return POSTERN_NO_MEMORY;
    }
    vector->count = 0;
    postern__vector_push(vector, text, length);
    return POSTERN_OK;
}

int postern_entry_between(postern_entry *entry, uint32_t piece, const char *text, size_t length) {
    if (piece >= POSTERN_ENTRY_PIECES) return POSTERN_MISUSE;
    return replace(&entry->between[piece], text, length);
}

int postern_entry_key(postern_entry *entry, uint32_t value, int32_t key) {
    if (value >= POSTERN_ENTRY_VALUES || key < NO_KEY ||
        (key >= 0 && (uint32_t)key >= entry->request->set->symbols.count)) {
        return POSTERN_MISUSE;
    }
    entry->keys[value] = key;
    return POSTERN_OK;
}

/* Takes what is kept for a key away. */
static void forget(postern_entry *entry, size_t index) {
    postern__vector_free(&kept_at(entry, index)->text);
    *kept_at(entry, index) = *kept_at(entry, entry->kept.count - 1);
    entry->kept.count--;
}

static int keep_new(postern_entry *entry, uint32_t key, const char *text, size_t length) {
    struct kept kept = {.key = key};
    postern__vector_init(&kept.text, 1, &entry->allocator);
    int status = replace(&kept.text, text, length);
    if (status == POSTERN_OK && postern__vector_push(&entry->kept, &kept, 1) == NULL) {
        postern__vector_free(&kept.text);
        status = POSTERN_NO_MEMORY;
    }
    return status;
}

int postern_entry_keep(postern_entry *entry, uint32_t key, const char *text, size_t length) {
    if (key >= entry->request->set->symbols.count) return POSTERN_MISUSE;
    for (size_t i = 0; i < entry->kept.count; i++) {
        if (kept_at(entry, i)->key != key) continue;
        if (text != NULL) return replace(&kept_at(entry, i)->text, text, length);
        forget(entry, i);
        return POSTERN_OK;
    }
    return text == NULL ? POSTERN_OK : keep_new(entry, key, text, length);
}

/* ---- Deciding -------------------------------------------------------------*/

/* Joins the pieces and what stands in front of each: in the request itself, so
 * that they are copied once. What is too long or no UTF-8 is no resource. */
static int join_resource(const postern_entry *entry, const postern_span pieces[]) {
    postern__vector *resource = &entry->request->resource;
    size_t length = 0;
    int count = 0;
    for (; count < POSTERN_ENTRY_PIECES && pieces[count].text != NULL; count++) {
        if (pieces[count].length > POSTERN__VALUE_BYTES) return POSTERN_LIMIT;
        length += entry->between[count].count + pieces[count].length;
    }
    if (length > POSTERN__VALUE_BYTES) return POSTERN_LIMIT;
    for (int i = count; i < POSTERN_ENTRY_PIECES; i++) {
        if (pieces[i].text != NULL) return POSTERN_MISUSE;
    }
    resource->count = 0;
    if (!postern__vector_reserve(resource, length)) return POSTERN_NO_MEMORY;
    char *to = resource->items;
    bool ascii = true;
    for (int i = 0; i < count; i++) {
        postern_span between = {entry->between[i].items, entry->between[i].count};
        ascii &= postern__ascii_copy(to, between);
        to += between.length;
        ascii &= postern__ascii_copy(to, pieces[i]);
        to += pieces[i].length;
    }
    resource->count = length;
    postern_span joined = {resource->items, length};
    return ascii || postern__utf8_valid(joined) ? POSTERN_OK : POSTERN_VALUE;
}

/* The first that fails ends it. What fails in the request itself is noted there,
 * too. */
static int fill(const postern_entry *entry, postern_span principal, postern_span action,
                const postern_span values[]) {
    postern_request *request = entry->request;
    int status = POSTERN_OK;
    if (principal.text != NULL) {
        status = postern_request_principal(request, principal.text, principal.length, 0);
    }
    if (action.text == NULL) return POSTERN_MISUSE;
    if (status == POSTERN_OK) status = postern_request_action(request, action.text, action.length);
    for (size_t i = 0; status == POSTERN_OK && i < entry->kept.count; i++) {
        const struct kept *kept = kept_at(entry, i);
        status = postern_request_put(request, kept->key, kept->text.items, kept->text.count);
    }
    for (int i = 0; status == POSTERN_OK && i < POSTERN_ENTRY_VALUES; i++) {
        if (values[i].text == NULL || entry->keys[i] == NO_KEY) continue;
        /* A value that nobody knows a key for may be one that matters. */
        if (entry->keys[i] == UNSAID) return POSTERN_MISUSE;
        status = postern_request_put(request, (uint32_t)entry->keys[i], values[i].text,
                                     values[i].length);
    }
    return status;
}

static int32_t decide(postern_entry *entry, postern_span principal, postern_span action,
                      const postern_span pieces[], const postern_span values[]) {
    postern_request_reset(entry->request);
    int status = fill(entry, principal, action, values);
    if (status == POSTERN_OK) status = join_resource(entry, pieces);
    if (status == POSTERN_OK) {
        return postern_evaluate(entry->request->set, entry->request, &entry->decision);
    }
    entry->decision =
        (postern_decision){POSTERN_IMPLICITLY_DENIED, POSTERN_MATCH_NONE, -1, -1, status};
    return POSTERN_IMPLICITLY_DENIED;
}

int32_t postern_entry_decide(postern_entry *entry, const char *principal, size_t principal_length,
                             const char *action, size_t action_length, const char *piece0,
                             size_t length0, const char *piece1, size_t length1,
                             const char *piece2, size_t length2, const char *piece3,
                             size_t length3, const char *value0, size_t value0_length,
                             const char *value1, size_t value1_length, const char *value2,
                             size_t value2_length, const char *value3, size_t value3_length) {
    const postern_span pieces[POSTERN_ENTRY_PIECES] = {
        {piece0, length0}, {piece1, length1}, {piece2, length2}, {piece3, length3}};
    const postern_span values[POSTERN_ENTRY_VALUES] = {{value0, value0_length},
                                                       {value1, value1_length},
                                                       {value2, value2_length},
                                                       {value3, value3_length}};
    return decide(entry, (postern_span){principal, principal_length},
                  (postern_span){action, action_length}, pieces, values);
}

const postern_decision *postern_entry_decision(const postern_entry *entry) {
    return &entry->decision;
}
