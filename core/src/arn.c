#include "arn.h"

/* The parts so far, and where the next begins. */
struct split {
    postern__arn *out;
    size_t start;
    int part;
};

/* A colon at `at`: true for the fifth. */
static inline bool end_part(struct split *split, const char *text, size_t at) {
    split->out->part[split->part] = (postern_span){text + split->start, at - split->start};
    split->start = at + 1;
    return ++split->part == POSTERN__ARN_RESOURCE;
}

bool postern__arn_split(postern_span text, postern__arn *out) {
    struct split split = {.out = out};
    bool done = false;
    size_t at = 0;
    for (; !done && text.length - at >= POSTERN__WORD; at += POSTERN__WORD) {
        uint64_t colons = postern__word_finds(postern__word_at(text.text + at), ':');
        for (; colons != 0 && !done; colons &= colons - 1) {
            done = end_part(&split, text.text, at + postern__lowest_bit(colons) / 8);
        }
    }
    for (; !done && at < text.length; at++) {
        if (text.text[at] == ':') done = end_part(&split, text.text, at);
    }
    if (done) out->part[POSTERN__ARN_RESOURCE] = postern__span_from(text, split.start);
    return done;
}

bool postern__is_account(postern_span text) {
    if (text.length != 12) return false;
    for (size_t i = 0; i < text.length; i++) {
        if (text.text[i] < '0' || text.text[i] > '9') return false;
    }
    return true;
}

postern_span postern__last_path_part(postern_span text) {
    size_t start = text.length;
    while (start > 0 && text.text[start - 1] != '/') start--;
    return postern__span_from(text, start);
}
