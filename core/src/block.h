/* Text sixteen bytes at a time, in the registers that every processor of a kind
 * has; two words where the compiler knows none. All inline. */
#ifndef POSTERN_BLOCK_H
#define POSTERN_BLOCK_H

#include "word.h"

enum { POSTERN__BLOCK = 16 };

#if defined(__GNUC__)

typedef unsigned char postern__block __attribute__((vector_size(POSTERN__BLOCK)));

static inline postern__block postern__block_or(postern__block a, postern__block b) {
    return a | b;
}

/* Its letters from A to Z made small. */
static inline postern__block postern__block_lower(postern__block block) {
    postern__block upper = (postern__block)(block - 'A' < (unsigned char)26);
    return block | (upper & 0x20);
}

#else

typedef struct postern__block {
    uint64_t words[2];
} postern__block;

static inline postern__block postern__block_or(postern__block a, postern__block b) {
    return (postern__block){{a.words[0] | b.words[0], a.words[1] | b.words[1]}};
}

static inline postern__block postern__block_lower(postern__block block) {
    return (postern__block){
        {postern__word_lower(block.words[0]), postern__word_lower(block.words[1])}};
}

#endif

static inline postern__block postern__block_at(const char *text) {
    postern__block block;
    memcpy(&block, text, sizeof block);
    return block;
}

static inline void postern__block_put(char *to, postern__block block) {
    memcpy(to, &block, sizeof block);
}

static inline bool postern__block_ascii(postern__block block) {
    uint64_t words[2];
    memcpy(words, &block, sizeof words);
    return postern__word_ascii(words[0] | words[1]);
}

#endif
