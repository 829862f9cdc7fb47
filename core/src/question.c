#include "question.h"

#include "utf8.h"

enum { BITS = 5, MATCH_BITS = 3 }; /* of each set's answer: see postern.h */

_Static_assert(POSTERN_QUESTION_ASKS * BITS < 31, "the answers have to fit a number");
_Static_assert(POSTERN_MATCH_NA < 1 << MATCH_BITS && POSTERN_UNDECIDED < 1 << (BITS - MATCH_BITS),
               "an answer has to fit its bits");

/* The resource of all sets. Its length is checked before anything is copied:
 * what is too long is none. */
static bool join_resource(const postern_question *question, postern_request *request) {
    postern_span pieces[POSTERN_QUESTION_PIECES];
    size_t length = 0;
    for (int i = 0; i < POSTERN_QUESTION_PIECES; i++) {
        pieces[i] = question->resource[i];
        if (pieces[i].text == NULL) pieces[i].length = 0;
        if (i == POSTERN_QUESTION_PIECES - 1) {
            if (question->skip > pieces[i].length) return false;
            pieces[i] = postern__span_from(pieces[i], question->skip);
        }
        if (pieces[i].length > POSTERN__VALUE_BYTES - length) return false;
        length += pieces[i].length;
    }
    postern__vector *resource = &request->resource;
    resource->count = 0;
    if (!postern__vector_reserve(resource, length)) return false;
    for (int i = 0; i < POSTERN_QUESTION_PIECES; i++) {
        if (pieces[i].length == 0) continue;
        memcpy(resource->items + resource->count, pieces[i].text, pieces[i].length);
        resource->count += pieces[i].length;
    }
    return postern__utf8_valid((postern_span){resource->items, resource->count});
}

static bool fill(const postern_question *question, const postern_ask *ask,
                 postern_request *request) {
    uint32_t count = ask->set->symbols.count;
    if (count > POSTERN_QUESTION_KEYS) return false;
    for (uint32_t key = 0; key < count; key++) {
        int8_t place = ask->values[key];
        if (place < 0) continue;
        if (place >= POSTERN_QUESTION_VALUES) return false;
        postern_span value = question->values[place];
        if (value.text != NULL &&
            postern_request_put(request, key, value.text, value.length) != POSTERN_OK) {
            return false;
        }
    }
    return postern_request_principal(request, ask->principal.text, ask->principal.length,
                                     ask->flags) == POSTERN_OK;
}

/* Action and resource are the same for every set: they outlast being bound. */
static bool bind(postern_request *request, const postern_set *set) {
    size_t action = request->action.count, resource = request->resource.count;
    if (set == NULL || postern_request_bind(request, set) != POSTERN_OK) return false;
    request->action.count = action;
    request->resource.count = resource;
    return true;
}

int32_t postern_question_ask(postern_question *question, postern_request *request) {
    int32_t answers = 0;
    if (question->ask_count == 0 || question->ask_count > POSTERN_QUESTION_ASKS ||
        postern_request_action(request, question->action.text, question->action.length) !=
            POSTERN_OK ||
        !join_resource(question, request)) {
        return -1;
    }
    for (uint32_t i = 0; i < question->ask_count; i++) {
        const postern_ask *ask = &question->asks[i];
        postern_decision *decision = &question->decisions[i];
        if (!bind(request, ask->set) || !fill(question, ask, request)) return -1;
        int32_t outcome = postern_evaluate(ask->set, request, decision);
        if (decision->status != POSTERN_OK || outcome == POSTERN_UNDECIDED) return -1;
        answers |= (outcome << MATCH_BITS | decision->match) << (BITS * i);
    }
    return answers;
}
