/* Inputs for tests: spans of literals, and random numbers that are the same in
 * every run. A test that draws sets random_state first. */
#ifndef POSTERN_INPUTS_H
#define POSTERN_INPUTS_H

#include <stdint.h>
#include <string.h>

#include "postern.h"

static inline postern_span span(const char *text) {
    return (postern_span){text, strlen(text)};
}

static uint64_t random_state; /* never 0 while numbers are drawn */

static inline uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(2685821657736338717);
}

static inline size_t random_below(size_t limit) {
    return (size_t)(next_random() >> 33) % limit;
}

#endif
