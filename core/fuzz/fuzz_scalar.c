/* Three slices of the input, cut at line ends, as every kind of scalar. */
#include <stdlib.h>

#include "scalar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) abort();
}

static int sign_of(int value) {
    return (value > 0) - (value < 0);
}

enum { SLICES = 3 };

/* `order[i][j]` is how slice i compares with slice j: reflexive, antisymmetric
 * and transitive, or it is no order. */
static void require_order(int order[SLICES][SLICES]) {
    for (int i = 0; i < SLICES; i++) {
        require(order[i][i] == 0);
        for (int j = 0; j < SLICES; j++) {
            require(order[i][j] == -order[j][i]);
            for (int k = 0; k < SLICES; k++) {
                if (order[i][j] <= 0 && order[j][k] <= 0) require(order[i][k] <= 0);
                if (order[i][j] == 0) require(order[i][k] == order[j][k]);
            }
        }
    }
}

static void try_numbers(const postern_span slices[SLICES]) {
    postern__number numbers[SLICES];
    int order[SLICES][SLICES];
    for (int i = 0; i < SLICES; i++) {
        if (!postern__number_parse(slices[i], &numbers[i])) return;
    }
    for (int i = 0; i < SLICES; i++) {
        for (int j = 0; j < SLICES; j++)
            order[i][j] = sign_of(postern__number_compare(&numbers[i], &numbers[j]));
    }
    require_order(order);
}

/* The text of a number is a number of the same sign, and its own text. */
static void try_number_text(postern_span text) {
    char buffer[POSTERN__NUMBER_SIZE], again_buffer[POSTERN__NUMBER_SIZE];
    postern__number before, after;
    postern_span out = postern__number_text(text, buffer);
    if (!postern__number_parse(text, &before)) {
        require(postern__span_equal(out, text));
        return;
    }
    require(postern__number_parse(out, &after));
    require(before.sign == after.sign);
    require(postern__span_equal(postern__number_text(out, again_buffer), out));
}

static void try_instants(const postern_span slices[SLICES]) {
    postern__instant instants[SLICES];
    int order[SLICES][SLICES];
    for (int i = 0; i < SLICES; i++) {
        if (!postern__instant_parse(slices[i], &instants[i])) return;
        require(instants[i].nanoseconds >= 0 && instants[i].nanoseconds < 1000000000);
    }
    for (int i = 0; i < SLICES; i++) {
        for (int j = 0; j < SLICES; j++)
            order[i][j] = sign_of(postern__instant_compare(&instants[i], &instants[j]));
    }
    require_order(order);
}

static void try_others(postern_span a, postern_span b) {
    bool value;
    if (postern__bool_parse(a, &value)) require(a.length == (value ? 4 : 5));
    bool equal = postern__base64_equal(a, b);
    require(equal == postern__base64_equal(b, a));
    if (equal) require(postern__base64_valid(a) && postern__base64_valid(b));
    require(postern__base64_equal(a, a) == postern__base64_valid(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    postern_span rest = {(const char *)data, size};
    postern_span slices[SLICES];
    for (int i = 0; i < SLICES; i++) {
        size_t end = i == SLICES - 1 ? rest.length : postern__span_find(rest, 0, '\n');
        slices[i] = (postern_span){rest.text, end};
        rest = end < rest.length ? postern__span_from(rest, end + 1) : (postern_span){"", 0};
    }
    try_numbers(slices);
    try_instants(slices);
    for (int i = 0; i < SLICES; i++) {
        try_number_text(slices[i]);
        try_others(slices[i], slices[(i + 1) % SLICES]);
    }
    return 0;
}
