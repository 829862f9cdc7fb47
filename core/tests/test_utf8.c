#include "utf8.h"

#include <stdlib.h>

#include "inputs.h"
#include "test.h"

/* ---- One code point ----------------------------------------------------- */

static void points_are_written(void) {
    static const struct {
        uint32_t point;
        const char *text;
    } rows[] = {
        {0x01, "\x01"},       {0x7F, "\x7F"},           {0x80, "\xC2\x80"},
        {0x7FF, "\xDF\xBF"},  {0x800, "\xE0\xA0\x80"},  {0xD7FF, "\xED\x9F\xBF"},
        {0xE000, "\xEE\x80\x80"}, {0xFFFF, "\xEF\xBF\xBF"}, {0x10000, "\xF0\x90\x80\x80"},
        {0x20AC, "\xE2\x82\xAC"}, {0x1F600, "\xF0\x9F\x98\x80"},
        {0x10FFFF, "\xF4\x8F\xBF\xBF"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[8];
        *postern__point_put(text, rows[i].point) = '\0';
        CHECK_TEXT(text, rows[i].text);
    }
    char zero[2] = "xx";
    CHECK(postern__point_put(zero, 0) == zero + 1 && zero[0] == '\0');
}

/* Every code point there is, in a block of its own size, so that a sanitizer
 * sees a byte too many; and each of its beginnings, which are none. */
static void what_is_written_is_read(void) {
    uint32_t good = 0, points = 0;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        if (point == 0xD800) point = 0xE000;
        char text[4];
        size_t size = (size_t)(postern__point_put(text, point) - text);
        bool fine = postern__point_size((unsigned char)text[0]) == size &&
                    !postern__point_continues(text[0]);
        for (size_t i = 1; i < size; i++) fine = fine && postern__point_continues(text[i]);
        char *block = text + sizeof text - size;
        memmove(block, text, size);
        fine = fine && postern__point_at(block, block + size) == size;
        for (size_t i = 0; i < size; i++) fine = fine && postern__point_at(block, block + i) == 0;
        good += fine;
        points++;
    }
    CHECK(good == points);
    CHECK(points == 0x110000 - 0x800);
}

/* One byte that is not ASCII, wherever it is in a text of whatever length. */
static void every_byte_is_looked_at(void) {
    for (size_t length = 1; length <= 40; length++) {
        char *text = malloc(length); /* a byte too many is a sanitizer's */
        if (text == NULL) abort();
        memset(text, 'a', length);
        CHECK(postern__utf8_valid((postern_span){text, length}));
        for (size_t at = 0; at < length; at++) {
            text[at] = '\x80';
            CHECK(!postern__utf8_valid((postern_span){text, length}));
            text[at] = 'a';
        }
        free(text);
    }
}

/* What follows a code point does not matter to it. */
static void points_end_where_they_end(void) {
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {
        {"ab", 1},
        {"\xC3\xA9" "b", 2},
        {"\xC3\xA9\xA9", 2},
        {"\xE2\x82\xAC\x80", 3},
        {"\xF0\x9F\x98\x80\xFF", 4},
        {"\x80", 0},                 /* begins with none */
        {"\xC0\x80", 0},             /* overlong */
        {"\xC1\xBF", 0},
        {"\xE0\x9F\xBF", 0},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xED\xA0\x80", 0},         /* surrogates */
        {"\xED\xBF\xBF", 0},
        {"\xF4\x90\x80\x80", 0},     /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", 0},
        {"\xFF", 0},
        {"\xE2\x28\xA1", 0},         /* broken off */
        {"\xE2\x82\x28", 0},
        {"\xF0\x9F\x98\x28", 0},
        {"\xC3", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *end = rows[i].text + strlen(rows[i].text);
        CHECK_ROW(postern__point_at(rows[i].text, end) == rows[i].size, rows[i].text);
    }
    CHECK(postern__point_at(NULL, NULL) == 0);
}

/* ---- A text ------------------------------------------------------------- */

/* UTF-8 by computing each code point and asking whether it is one, and
 * whether so many bytes were needed. */
static bool plain_utf8_valid(const unsigned char *text, size_t length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < length;) {
        unsigned char lead = text[i];
        size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 :
                      lead >> 3 == 30 ? 4 : 0;
        if (size == 0 || size > length - i) return false;
        uint32_t point = size == 1 ? lead : lead & (0x7Fu >> size);
        for (size_t k = 1; k < size; k++) {
            if (text[i + k] >> 6 != 2) return false;
            point = point << 6 | (text[i + k] & 0x3Fu);
        }
        if (point < least[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
            return false;
        i += size;
    }
    return true;
}

static void texts_are_judged(void) {
    /* Every lead byte, with the edges of every range behind it, at every
     * distance from the eight bytes that are looked at together. */
    static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                          0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xFF};
    enum { EDGES = sizeof edges };
    bool same = true;
    uint32_t valid = 0;
    for (uint32_t i = 0; i < 256 * EDGES * EDGES * EDGES; i++) {
        unsigned char text[24];
        memset(text, 'a', sizeof text);
        size_t at = i % 9;
        text[at] = (unsigned char)(i % 256);
        text[at + 1] = edges[i / 256 % EDGES];
        text[at + 2] = edges[i / 256 / EDGES % EDGES];
        text[at + 3] = edges[i / 256 / EDGES / EDGES];
        size_t length = at + 1 + i % 7 * 2;
        bool plain = plain_utf8_valid(text, length);
        valid += plain;
        if (postern__utf8_valid((postern_span){(char *)text, length}) != plain) same = false;
    }
    CHECK(same);
    CHECK(valid > 10000);
    CHECK(postern__utf8_valid((postern_span){NULL, 0}));
}

/* ---- Copies ------------------------------------------------------------- */

static bool plain_copy(char *to, const char *from, size_t length, bool lower) {
    bool ascii = true;
    for (size_t i = 0; i < length; i++) {
        char c = from[i];
        if ((unsigned char)c >= 0x80) ascii = false;
        to[i] = lower && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return ascii;
}

/* From a block of just its size to another of just its size, with a guard on
 * either side of the copy. */
static bool copies_alike(const char *text, size_t length, bool lower) {
    enum { GUARD = 32 };
    char *from = malloc(length + 1), *to = malloc(length + 2 * GUARD), *exact = malloc(length + 1);
    char *plain = malloc(length + 2 * GUARD);
    memcpy(from + 1, text, length);
    memset(to, 0x5A, length + 2 * GUARD);
    memset(plain, 0x5A, length + 2 * GUARD);
    postern_span span = {from + 1, length};
    bool ascii = plain_copy(plain + GUARD, text, length, lower);
    bool same = (lower ? postern__ascii_copy_lower(to + GUARD, span)
                       : postern__ascii_copy(to + GUARD, span)) == ascii &&
                memcmp(to, plain, length + 2 * GUARD) == 0 && memcmp(from + 1, text, length) == 0;
    same &= (lower ? postern__ascii_copy_lower(exact + 1, span)
                   : postern__ascii_copy(exact + 1, span)) == ascii;
    free(from);
    free(to);
    free(exact);
    free(plain);
    return same;
}

/* Every length about the sizes that blocks make, with one byte that is not ASCII
 * at each place, or none. */
static void copies_are_judged(void) {
    enum { LONGEST = 200 };
    char text[LONGEST];
    bool same = true;
    for (size_t length = 0; length <= LONGEST; length++) {
        for (size_t at = 0; at <= length; at++) {
            for (size_t i = 0; i < length; i++) text[i] = (char)('@' + (i + length) % 60);
            if (at < length) text[at] = (char)(0x80 + (at + length) % 0x80);
            same &= copies_alike(text, length, false) && copies_alike(text, length, true);
        }
    }
    CHECK(same);
    CHECK(postern__ascii_copy(text, (postern_span){NULL, 0}));
    CHECK(postern__ascii_copy_lower(text, (postern_span){NULL, 0}));
}

static void any_text_is_copied(void) {
    enum { LONGEST = 1000 };
    char text[LONGEST];
    bool same = true;
    random_state = 20261126;
    for (int round = 0; round < 20000; round++) {
        size_t length = random_below(round % 8 == 0 ? LONGEST : 130);
        unsigned most = round % 3 == 0 ? 256 : 128;
        for (size_t i = 0; i < length; i++) text[i] = (char)random_below(most);
        if (!copies_alike(text, length, false) || !copies_alike(text, length, true)) same = false;
    }
    CHECK(same);
}

/* Of each byte that there is, at each place of a text of each kind of size, only
 * A to Z change. */
static void letters_are_made_small(void) {
    static const size_t lengths[] = {1, 7, 8, 15, 16, 20, 33, 64, 70};
    bool same = true;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            for (size_t at = 0; at < lengths[l]; at++) {
                char text[80];
                memset(text, 'm', sizeof text);
                text[at] = (char)byte;
                if (!copies_alike(text, lengths[l], true)) same = false;
            }
        }
    }
    CHECK(same);
}

/* ---- Words --------------------------------------------------------------- */

/* Every byte value at every place of a word, against looking at each byte. */
static void words_are_looked_at(void) {
    bool same = true;
    for (unsigned value = 0; value < 256; value++) {
        for (unsigned at = 0; at < POSTERN__WORD; at++) {
            char text[POSTERN__WORD + 1] = "abcdefgh";
            text[at] = (char)value;
            uint64_t word = postern__word_at(text), start = postern__word_start(text, at + 1);
            if ((word >> 8 * at & 0xFF) != value || start >> 8 * at != value) same = false;
            if (postern__word_ascii(word) != (value < 0x80)) same = false;
            if (postern__tops_count(word) != (value >= 0x80)) same = false;
            if (postern__lowest_bit(UINT64_C(0x80) << 8 * at) != 8 * at + 7) same = false;
            uint64_t found = UINT64_C(0x80) << 8 * at;
            if (value < 'a' || value > 'h') {
                if (postern__word_finds(word, (unsigned char)value) != found) same = false;
            }
            char small[POSTERN__WORD], lower[POSTERN__WORD];
            uint64_t folded = postern__word_lower(word);
            plain_copy(small, text, sizeof small, true);
            for (int i = 0; i < POSTERN__WORD; i++) lower[i] = (char)(folded >> 8 * i);
            if (memcmp(small, lower, sizeof small) != 0) same = false;
        }
    }
    CHECK(same);
    CHECK(postern__tops_count(UINT64_MAX) == POSTERN__WORD);
    CHECK(postern__word_start("", 0) == 0);
}

/* Texts that differ in a bit, in length or by the seed, each in a block of its
 * own size, so that a sanitizer sees a byte too many. */
static void hashes_differ(void) {
    enum { LONGEST = 40 };
    char block[LONGEST] = {0};
    bool differ = true;
    for (size_t length = 0; length <= LONGEST; length++) {
        char *text = block + LONGEST - length;
        uint64_t hash = postern__text_hash(text, length, 7);
        if (postern__text_hash(text, length, 8) == hash) differ = false;
        if (length > 0 && postern__text_hash(text, length - 1, 7) == hash) differ = false;
        for (size_t bit = 0; bit < 8 * length; bit++) {
            text[bit / 8] ^= (char)(1 << bit % 8);
            if ((uint32_t)postern__text_hash(text, length, 7) == (uint32_t)hash) differ = false;
            text[bit / 8] ^= (char)(1 << bit % 8);
        }
        if (postern__text_hash(text, length, 7) != hash) differ = false;
    }
    CHECK(differ);
    CHECK(postern__text_hash(NULL, 0, 1) != postern__text_hash(NULL, 0, 2));
}

TEST_MAIN(
    RUN(points_are_written);
    RUN(what_is_written_is_read);
    RUN(points_end_where_they_end);
    RUN(every_byte_is_looked_at);
    RUN(texts_are_judged);
    RUN(copies_are_judged);
    RUN(any_text_is_copied);
    RUN(letters_are_made_small);
    RUN(words_are_looked_at);
    RUN(hashes_differ)
)
