#include "arn.h"

bool postern__arn_split(postern_span text, postern__arn *out) {
    size_t start = 0;
    for (int part = 0; part < POSTERN__ARN_RESOURCE; part++) {
        size_t colon = postern__word_search(text, start, ':');
        if (colon == text.length) return false;
        out->part[part] = (postern_span){text.text + start, colon - start};
        start = colon + 1;
    }
    out->part[POSTERN__ARN_RESOURCE] = postern__span_from(text, start);
    return true;
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
