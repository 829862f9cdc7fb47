/* Any bytes as an ARN, and as the principal and the caller that it may name. */
#include <stdlib.h>

#include "principal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static bool holds(postern_span text, char c) {
    return postern__span_find(text, 0, c) < text.length;
}

static bool within(postern_span part, postern_span text) {
    return part.length == 0 || (part.text >= text.text && part.length <= text.length &&
                                part.text + part.length <= text.text + text.length);
}

/* The parts and the colons between them are the text, and only the last part
 * holds more. */
static void try_split(postern_span text) {
    size_t colons = 0;
    for (size_t i = 0; i < text.length; i++) colons += text.text[i] == ':';
    postern__arn arn;
    bool split = postern__arn_split(text, &arn);
    require(split == (colons >= 5));
    if (!split) return;
    const char *at = text.text;
    for (int part = 0; part < POSTERN__ARN_PARTS; part++) {
        require(arn.part[part].text == at);
        at += arn.part[part].length;
        if (part == POSTERN__ARN_RESOURCE) break;
        require(!holds(arn.part[part], ':') && *at == ':');
        at++;
    }
    require(at == text.text + text.length);
}

static void try_pieces(postern_span text) {
    postern_span last = postern__last_path_part(text);
    require(within(last, text) && !holds(last, '/'));
    size_t front = text.length - last.length;
    require(front == 0 || text.text[front - 1] == '/');
    if (postern__is_account(text)) require(text.length == 12 && !holds(text, ':'));
}

/* Whoever is named meets himself in the way his kind does, and nobody else. */
static void try_meeting(postern_span text) {
    postern__caller caller = postern__caller_parse(text, false);
    require(within(caller.account, text) && within(caller.name, text));
    for (int type = 0; type < POSTERN__PRINCIPAL_TYPES; type++) {
        postern__principal one = postern__principal_parse((postern__principal_type)type, text, 0);
        require(one.account + (size_t)one.account_length <= text.length);
        require(one.name + (size_t)one.name_length <= text.length);
        require(one.text == 0 && one.text_length == text.length);
        postern__principal_list list = {.principals = &one, .count = 1, .texts = text.text};
        postern_match sure, possible;
        postern__principal_match(&list, &caller, &sure, &possible);
        require(possible == POSTERN_MATCH_NONE);
        if (one.kind == POSTERN__NAMES_NOBODY) require(sure == POSTERN_MATCH_NONE);
        if (one.kind == POSTERN__NAMES_ANYONE) require(sure == POSTERN_MATCH_WILD);
        if (one.kind == POSTERN__NAMES_USER || one.kind == POSTERN__NAMES_SESSION)
            require(sure == POSTERN_MATCH_DIRECT);
        if (caller.kind == POSTERN__ANONYMOUS && type != POSTERN__AWS)
            require(sure == POSTERN_MATCH_NONE);
        postern_truth exempt = postern__principal_exempts(&list, &caller);
        require((exempt == POSTERN_YES) == (sure != POSTERN_MATCH_NONE));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    postern_span text = {(const char *)data, size};
    try_split(text);
    try_pieces(text);
    try_meeting(text);
    return 0;
}
