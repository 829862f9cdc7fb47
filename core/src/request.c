#include "request.h"

#include "utf8.h"

static void clear_cells(postern_request *request) {
    postern__cell *cells = POSTERN__AT(&request->cells, postern__cell, 0);
    /* Without values `first` says nothing; there are few cells, so no memset. */
    for (uint32_t i = 0; i < request->set->symbols.count; i++) {
        cells[i].state = POSTERN__ABSENT;
        cells[i].count = 0;
    }
    request->status = POSTERN_OK;
    request->list = -1;
}

static void name_nobody(postern_request *request) {
    postern__caller_set(&request->caller, POSTERN__SPAN("*"), false);
}

static void clear(postern_request *request) {
    clear_cells(request);
    request->values.count = request->texts.count = 0;
    request->principal.count = request->action.count = request->resource.count = 0;
    name_nobody(request);
}

/* The first failure stays: from then on the request is denied. */
static int broken(postern_request *request, int status) {
    if (request->status == POSTERN_OK) request->status = status;
    return status;
}

/* Makes `vector` at least `count` long; it never gets shorter. */
static bool extend(postern__vector *vector, size_t count) {
    return (vector->items != NULL && count <= vector->count) ||
           postern__vector_push(vector, NULL, count - vector->count) != NULL;
}

/* The same, and what is new is of no time. */
static bool extend_notes(postern__vector *vector, size_t count) {
    size_t before = vector->count;
    if (count <= before) return true;
    if (!extend(vector, count)) return false;
    memset(POSTERN__AT(vector, char, before), 0, (vector->count - before) * vector->item_size);
    return true;
}

/* Whether there is room already: nearly always. */
static inline bool has_room(const postern_request *request, const postern_set *set) {
    return request->set != NULL && set->symbols.count <= request->cells.count &&
           set->room <= request->scratch.count && set->marks <= request->notes.marks.count &&
           set->memos <= request->notes.memos.count;
}

static bool make_room(postern_request *request, const postern_set *set) {
    return extend(&request->cells, set->symbols.count) && extend(&request->scratch, set->room) &&
           extend_notes(&request->notes.marks, set->marks) &&
           extend_notes(&request->notes.memos, set->memos);
}

static inline int bind(postern_request *request, const postern_set *set) {
    if (!has_room(request, set) && !make_room(request, set)) {
        return broken(request, POSTERN_NO_MEMORY);
    }
    request->set = set;
    request->longest = 0; /* the room for it depended on the set before */
    return POSTERN_OK;
}

int postern_request_bind(postern_request *request, const postern_set *set) {
    int status = bind(request, set);
    if (status == POSTERN_OK) clear(request);
    return status;
}

postern_request *postern_request_new(const postern_set *set, const postern_allocator *allocator,
                                     postern_error *error) {
    postern_allocator own = postern__allocator(allocator);
    postern_request *request = postern__alloc(&own, sizeof *request);
    if (request == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(request, 0, sizeof *request);
    request->allocator = own;
    postern__vector_init(&request->cells, sizeof(postern__cell), &own);
    postern__vector_init(&request->values, sizeof(postern__value), &own);
    postern__vector_init(&request->texts, 1, &own);
    postern__vector_init(&request->principal, 1, &own);
    postern__vector_init(&request->action, 1, &own);
    postern__vector_init(&request->resource, 1, &own);
    postern__vector_init(&request->scratch, 1, &own);
    postern__vector_init(&request->notes.marks, sizeof(uint32_t), &own);
    postern__vector_init(&request->notes.memos, sizeof(postern__memo), &own);
    if (postern_request_bind(request, set) != POSTERN_OK) {
        postern__no_memory(error);
        postern_request_free(request);
        return NULL;
    }
    return request;
}

void postern_request_reset(postern_request *request) { clear(request); }

void postern_request_free(postern_request *request) {
    if (request == NULL) return;
    postern_allocator allocator = request->allocator;
    postern__vector_free(&request->cells);
    postern__vector_free(&request->values);
    postern__vector_free(&request->texts);
    postern__vector_free(&request->principal);
    postern__vector_free(&request->action);
    postern__vector_free(&request->resource);
    postern__vector_free(&request->scratch);
    postern__vector_free(&request->notes.marks);
    postern__vector_free(&request->notes.memos);
    postern__free(&allocator, request, sizeof *request);
}

/* ---- Who, what, on what --------------------------------------------------*/

/* Copies a text and judges it meanwhile; there has to be room for it. */
static inline int take_text(char *to, postern_span text) {
    return postern__ascii_copy(to, text) || postern__utf8_valid(text) ? POSTERN_OK : POSTERN_VALUE;
}

/* Room for a text in place of what `vector` holds; that is then gone, whether
 * or not the text is taken. */
static inline int make_way(postern__vector *vector, size_t length) {
    if (length > POSTERN__VALUE_BYTES) return POSTERN_LIMIT;
    vector->count = 0;
    return postern__vector_reserve(vector, length + 1) ? POSTERN_OK : POSTERN_NO_MEMORY;
}

static inline int replace(postern__vector *vector, postern_span text) {
    int status = make_way(vector, text.length);
    if (status == POSTERN_OK) status = take_text(vector->items, text);
    if (status == POSTERN_OK) vector->count = text.length;
    return status;
}

int postern_request_principal(postern_request *request, const char *text, size_t length,
                              int32_t flags) {
    if ((flags & ~POSTERN_BOUNDED) != 0 || length == 0) return broken(request, POSTERN_MISUSE);
    int status = replace(&request->principal, (postern_span){text, length});
    if (status != POSTERN_OK) {
        name_nobody(request); /* what was named is gone */
        return broken(request, status);
    }
    postern_span own = {request->principal.items, length};
    postern__caller_set(&request->caller, own, (flags & POSTERN_BOUNDED) != 0);
    return POSTERN_OK;
}

int postern_request_action(postern_request *request, const char *text, size_t length) {
    postern__vector *action = &request->action;
    postern_span span = {text, length};
    int status = make_way(action, length);
    if (status == POSTERN_OK && !postern__ascii_copy_lower(action->items, span) &&
        !postern__utf8_valid(span)) {
        status = POSTERN_VALUE;
    }
    if (status != POSTERN_OK) return broken(request, status);
    action->count = length;
    return POSTERN_OK;
}

int postern_request_resource(postern_request *request, const char *text, size_t length) {
    int status = replace(&request->resource, (postern_span){text, length});
    return status == POSTERN_OK ? POSTERN_OK : broken(request, status);
}

/* ---- Cells ---------------------------------------------------------------*/

/* Scratch for the longest template with the longest value in every variable. */
static int reserve_scratch(postern_request *request, size_t length) {
    if (length <= request->longest) return POSTERN_OK;
    size_t room = request->set->room + request->set->most * length;
    if (room > request->scratch.count &&
        postern__vector_push(&request->scratch, NULL, room - request->scratch.count) == NULL) {
        return POSTERN_NO_MEMORY;
    }
    request->longest = length;
    return POSTERN_OK;
}

/* Room for one more value, of `length` bytes. */
static inline int make_room_for_value(postern_request *request, size_t length) {
    postern__vector *texts = &request->texts, *values = &request->values;
    if (length > POSTERN__VALUE_BYTES || values->count == POSTERN__VALUE_COUNT ||
        length > UINT32_MAX - texts->count) {
        return POSTERN_LIMIT;
    }
    int status = reserve_scratch(request, length);
    if (status != POSTERN_OK) return status;
    return postern__vector_reserve(values, 1) && postern__vector_reserve(texts, length + 1)
               ? POSTERN_OK
               : POSTERN_NO_MEMORY;
}

/* Appends a value for `key`; the cell is not touched. */
static inline int push_value(postern_request *request, uint32_t key, postern_span text) {
    postern__vector *texts = &request->texts, *values = &request->values;
    int status = make_room_for_value(request, text.length);
    if (status == POSTERN_OK) status = take_text(texts->items + texts->count, text);
    if (status != POSTERN_OK) return broken(request, status);
    postern__value *value = POSTERN__AT(values, postern__value, values->count);
    const postern__symbol *symbol = POSTERN__ITEMS(request->set, symbols, postern__symbol) + key;
    postern__value_parse(value, text, symbol->uses);
    value->text = (uint32_t)texts->count;
    value->length = (uint32_t)text.length;
    texts->count += text.length;
    values->count++;
    return POSTERN_OK;
}

static postern__cell *cell_of(postern_request *request, uint32_t key) {
    if (key >= request->set->symbols.count) {
        broken(request, POSTERN_MISUSE);
        return NULL;
    }
    return POSTERN__AT(&request->cells, postern__cell, key);
}

int postern_request_put(postern_request *request, uint32_t key, const char *text,
                        size_t length) {
    postern__cell *cell = cell_of(request, key);
    if (cell == NULL) return POSTERN_MISUSE;
    request->list = -1;
    uint32_t first = (uint32_t)request->values.count;
    int status = push_value(request, key, (postern_span){text, length});
    if (status != POSTERN_OK) return status;
    *cell = (postern__cell){POSTERN__SINGLE, first, 1};
    return POSTERN_OK;
}

int postern_request_list(postern_request *request, uint32_t key) {
    postern__cell *cell = cell_of(request, key);
    if (cell == NULL) return POSTERN_MISUSE;
    *cell = (postern__cell){POSTERN__LIST, (uint32_t)request->values.count, 0};
    request->list = (int32_t)key;
    return POSTERN_OK;
}

int postern_request_append(postern_request *request, uint32_t key, const char *text,
                           size_t length) {
    postern__cell *cell = cell_of(request, key);
    if (cell == NULL) return POSTERN_MISUSE;
    if (request->list != (int32_t)key) return broken(request, POSTERN_MISUSE);
    int status = push_value(request, key, (postern_span){text, length});
    if (status == POSTERN_OK) cell->count++;
    return status;
}

int postern_request_unresolved(postern_request *request, uint32_t key) {
    postern__cell *cell = cell_of(request, key);
    if (cell == NULL) return POSTERN_MISUSE;
    request->list = -1;
    *cell = (postern__cell){POSTERN__UNRESOLVED, 0, 0};
    return POSTERN_OK;
}

/* ---- Several sets --------------------------------------------------------*/

int postern__request_turn(postern_request *request, const postern_set *set) {
    int status = bind(request, set);
    if (status == POSTERN_OK) clear_cells(request);
    return status;
}

void postern__request_forget_values(postern_request *request) {
    request->values.count = request->texts.count = 0;
}

int postern__request_put_shared(postern_request *request, uint32_t key, postern_span text,
                                int32_t *index) {
    int status = POSTERN_OK;
    if (*index < 0) {
        int32_t next = (int32_t)request->values.count;
        status = push_value(request, key, text);
        if (status == POSTERN_OK) *index = next;
    } else {
        const postern__symbol *symbol =
            POSTERN__ITEMS(request->set, symbols, postern__symbol) + key;
        postern__value *value = POSTERN__AT(&request->values, postern__value, *index);
        postern__value_parse_more(value, text, symbol->uses);
        status = reserve_scratch(request, text.length);
    }
    if (status != POSTERN_OK) return broken(request, status);
    *POSTERN__AT(&request->cells, postern__cell, key) =
        (postern__cell){POSTERN__SINGLE, (uint32_t)*index, 1};
    return POSTERN_OK;
}

/* ---- For evaluation ------------------------------------------------------*/

void postern__notes_restart(postern__notes *notes) {
    if (notes->marks.count > 0) memset(notes->marks.items, 0, notes->marks.count * sizeof(uint32_t));
    if (notes->memos.count > 0) {
        memset(notes->memos.items, 0, notes->memos.count * sizeof(postern__memo));
    }
    notes->time = 1;
}
