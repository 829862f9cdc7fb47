#include "question.h"

#include "utf8.h"

enum { BITS = 5, MATCH_BITS = 3 }; /* of each set's answer: see postern.h */

_Static_assert(POSTERN_QUESTION_ASKS * BITS < 31, "the answers have to fit a number");
_Static_assert(POSTERN_MATCH_NA < 1 << MATCH_BITS && POSTERN_UNDECIDED < 1 << (BITS - MATCH_BITS),
               "an answer has to fit its bits");

/* The resource of all sets. What is too long is none. */
static bool join_resource(const postern_question *question, postern__vector *resource) {
    size_t length = 0;
    bool ascii = true;
    for (int i = 0; i < POSTERN_QUESTION_PIECES; i++) {
        postern_span piece = question->resource[i];
        if (piece.text == NULL) piece.length = 0;
        if (i == POSTERN_QUESTION_PIECES - 1) {
            if (question->skip > piece.length) return false;
            piece = postern__span_from(piece, question->skip);
        }
        if (piece.length == 0) continue;
        resource->count = length;
        if (piece.length > POSTERN__VALUE_BYTES - length ||
            !postern__vector_reserve(resource, piece.length)) {
            return false;
        }
        ascii &= postern__ascii_copy(resource->items + length, piece);
        length += piece.length;
    }
    resource->count = length;
    return ascii || postern__utf8_valid((postern_span){resource->items, length});
}

/* Where the values of a question are in the request, -1 before they are asked. */
struct places {
    int32_t of[POSTERN_QUESTION_VALUES];
};

static bool fill(const postern_question *question, const postern_ask *ask,
                 postern_request *request, struct places *places) {
    uint32_t count = ask->set->symbols.count;
    if (count > POSTERN_QUESTION_KEYS) return false;
    for (uint32_t key = 0; key < count; key++) {
        int8_t place = ask->values[key];
        if (place < 0) continue;
        if (place >= POSTERN_QUESTION_VALUES) return false;
        postern_span value = question->values[place];
        if (value.text != NULL && postern__request_put_shared(request, key, value,
                                                              &places->of[place]) != POSTERN_OK) {
            return false;
        }
    }
    return true;
}

/* Most sets see the call of the same caller, who is then read once. */
static bool name_caller(const postern_ask *ask, const postern_ask *before,
                        postern_request *request) {
    if (before != NULL && ask->principal.text == before->principal.text &&
        ask->principal.length == before->principal.length && ask->flags == before->flags) {
        return true;
    }
    return postern_request_principal(request, ask->principal.text, ask->principal.length,
                                     ask->flags) == POSTERN_OK;
}

int32_t postern_question_ask(postern_question *question, postern_request *request) {
    int32_t answers = 0;
    struct places places;
    if (question->ask_count == 0 || question->ask_count > POSTERN_QUESTION_ASKS ||
        postern_request_action(request, question->action.text, question->action.length) !=
            POSTERN_OK ||
        !join_resource(question, &request->resource)) {
        return -1;
    }
    postern__request_forget_values(request);
    memset(&places, -1, sizeof places);
    for (uint32_t i = 0; i < question->ask_count; i++) {
        const postern_ask *ask = &question->asks[i];
        postern_decision *decision = &question->decisions[i];
        if (ask->set == NULL || postern__request_turn(request, ask->set) != POSTERN_OK ||
            !name_caller(ask, i > 0 ? ask - 1 : NULL, request) ||
            !fill(question, ask, request, &places)) {
            return -1;
        }
        int32_t outcome = postern_evaluate(ask->set, request, decision);
        if (decision->status != POSTERN_OK || outcome == POSTERN_UNDECIDED) return -1;
        answers |= (outcome << MATCH_BITS | decision->match) << (BITS * i);
    }
    return answers;
}
