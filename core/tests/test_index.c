#include "index.h"

#include "shelf.h"
#include "test.h"

/* ---- Examples ------------------------------------------------------------ */

static void examples_are_found(void) {
    static const char *const patterns[] = {
        "arn:aws:s3:::photos/*",
        "arn:aws:s3:::photos/2024/a.jpg",
        "*",
        "arn:aws:execute-api:*:*:a1b2c3d4e5/live/*",
        "*/billing",
        "s3:*",
        "s3:Get*",
        "*:Get?bject",
        "",
        "arn:aws:s3:::photos/*", /* again */
        "?hort",
    };
    static const struct {
        const char *text, *expected; /* a digit for each pattern */
    } rows[] = {
        {"arn:aws:s3:::photos/2024/a.jpg", "11100000010"},
        {"arn:aws:s3:::photos/", "10100000010"},
        {"arn:aws:execute-api:x:y:z:a1b2c3d4e5/live/GET/billing", "00111000000"},
        {"s3:GetObject", "00100111000"},
        {"s3:Get", "00100110000"},
        {"", "00100000100"},
        {"short", "00100000001"},
        {"hort", "00100000000"},
    };
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 11; i++) file(&shelf, span(patterns[i]), i);
    CHECK(build(&shelf));
    CHECK(shelf.offset % 8 == 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint32_t *found = find(&shelf, span(rows[i].text));
        char actual[12] = "";
        for (int k = 0; k < 11; k++) actual[k] = (char)('0' + found[k]);
        CHECK_TEXT(actual, rows[i].expected);
    }
    postern__index_figures figures = postern__index_figures_of(index_of(&shelf));
    CHECK(figures.patterns == 10);
    CHECK(figures.places > 0 && figures.floating == 0);
    shelf_free(&shelf);
}

static void no_patterns_are_found_nowhere(void) {
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    CHECK(build(&shelf));
    const uint32_t *found = find(&shelf, span("arn:aws:s3:::photos/x"));
    for (int i = 0; i < MOST_IDS; i++) CHECK(found[i] == 0);
    CHECK(postern__index_find != NULL && postern__index_figures_of(index_of(&shelf)).patterns == 0);
    shelf_free(&shelf);
}

/* An index may be moved, its codes with it: nothing in it is an address. */
static void an_index_may_be_moved(void) {
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "*:some/path/number-%u/*", i);
        file(&shelf, span(pattern), i);
    }
    CHECK(build(&shelf));
    char *moved = malloc(shelf.index.count), *codes = malloc(shelf.codes.count);
    if (moved == NULL || codes == NULL) abort();
    memcpy(moved, index_of(&shelf), shelf.index.count - shelf.offset);
    memcpy(codes, shelf.codes.items, shelf.codes.count);
    shelf_free(&shelf);
    static uint32_t found[MOST_IDS];
    postern__index_find(moved, codes, span("x:some/path/number-42/y"), note, found);
    for (uint32_t i = 0; i < 100; i++) CHECK(found[i] == (i == 42));
    free(moved);
    free(codes);
}

/* ---- Against trying each ------------------------------------------------- */

struct flavour {
    const char *const *patterns;
    const char *const *texts;
    size_t most; /* pieces of a pattern */
};

/* Pieces that make grams: shared starts, shared ends, repeated middles. */
static const char *const arn_patterns[] = {
    "arn:aws:s3:::", "bucket-", "photos/", "2024/", "a", "b",    "c",       "*",
    "*",             "?",       "/live/",  "GET/",  "x", "zz/", "abcdefgh", "abcd", NULL};
static const char *const arn_texts[] = {
    "arn:aws:s3:::", "bucket-", "photos/", "2024/", "a",       "b",        "c",
    "/live/",        "GET/",    "x",       "zz/",   "abcdefgh", "abcdefgh", "é", NULL};
static const char *const small_patterns[] = {"a", "b", "a", "b", "*", "?", "é", "aaaa", "abab", NULL};
static const char *const small_texts[] = {"a", "b", "a", "b", "aaaaaaaa", "é", "abababab", NULL};

static size_t count_pieces(const char *const *pieces) {
    size_t count = 0;
    while (pieces[count] != NULL) count++;
    return count;
}

static void append_random(struct text_buffer *out, const char *const *pieces, size_t most) {
    size_t count = count_pieces(pieces);
    for (size_t n = random_below(most + 1); n > 0; n--) append(out, pieces[random_below(count)]);
}

/* A text that `pattern` may well match. */
static void append_instance(struct text_buffer *out, postern_span pattern,
                            const char *const *pieces) {
    for (size_t i = 0; i < pattern.length; i++) {
        char c[2] = {pattern.text[i], '\0'};
        if (c[0] == '*') append_random(out, pieces, 3);
        else if (c[0] == '?') append(out, "q");
        else append(out, c);
    }
}

static void compare_random(const struct flavour *flavour, size_t count, size_t texts) {
    struct shelf shelf;
    struct text_buffer *patterns = calloc(count, sizeof *patterns);
    if (patterns == NULL) abort();
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < count; i++) {
        append_random(&patterns[i], flavour->patterns, flavour->most);
        file(&shelf, (postern_span){patterns[i].text, patterns[i].length}, i);
    }
    CHECK(build(&shelf));
    size_t matched = 0;
    for (size_t i = 0; i < texts; i++) {
        struct text_buffer text = {.length = 0};
        const struct text_buffer *pattern = &patterns[random_below(count)];
        if (i % 4 == 0) append_random(&text, flavour->texts, 12);
        else append_instance(&text, (postern_span){pattern->text, pattern->length}, flavour->texts);
        matched += compare(&shelf, (postern_span){text.text, text.length});
    }
    CHECK(matched > texts / 8);
    free(patterns);
    shelf_free(&shelf);
}

static void finds_what_trying_each_finds(void) {
    static const struct flavour flavours[] = {{arn_patterns, arn_texts, 9},
                                              {small_patterns, small_texts, 8},
                                              {small_patterns, small_texts, 20}};
    static const size_t counts[] = {1, 2, 5, 13, 40, 200, 1000, 5000};
    random_state = 21;
    for (size_t f = 0; f < 3; f++) {
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            for (int round = 0; round < (counts[c] < 100 ? 60 : 3); round++) {
                compare_random(&flavours[f], counts[c], 40);
            }
        }
    }
}

/* ---- Variables ----------------------------------------------------------- */

static void file_with_variable(struct shelf *shelf, const char *before, uint32_t index,
                               const char *after, uint32_t id) {
    size_t start = shelf->codes.count;
    unsigned char variable = POSTERN__VARIABLE;
    if (!postern__glob_encode(span(before), &shelf->codes) ||
        postern__vector_push(&shelf->codes, &variable, 1) == NULL ||
        postern__vector_push(&shelf->codes, &index, sizeof index) == NULL ||
        !postern__glob_encode(span(after), &shelf->codes)) {
        abort();
    }
    file_code(shelf, start, id, 1);
}

/* What replaces a variable is not known: whatever its literal parts allow may
 * match. Its index may look like text or like tokens. */
static void variables_may_be_anything(void) {
    static const uint32_t numbers[] = {0, 0x61616161, 0xFAFAFAFA, 0xFF00FF};
    for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
        struct shelf shelf;
        shelf_init(&shelf, NULL);
        file_with_variable(&shelf, "arn:aws:s3:::home/", numbers[n], "/*", 0);
        file_with_variable(&shelf, "", numbers[n], "", 1);
        file_with_variable(&shelf, "", numbers[n], ":photos/2024", 2);
        file_with_variable(&shelf, "*", numbers[n], ":photos/*", 3);
        file_with_variable(&shelf, "*", numbers[n], ":photos/*", 4); /* another variable */
        for (uint32_t i = 5; i < 60; i++) {
            char text[64];
            snprintf(text, sizeof text, "*middle-%u-middle*", i);
            file(&shelf, span(text), i);
        }
        CHECK(build(&shelf));
        CHECK(postern__index_figures_of(index_of(&shelf)).patterns == 60);
        const uint32_t *found = find(&shelf, span("arn:aws:s3:::home/alice/x"));
        CHECK(found[0] == 100 && found[1] == 100 && found[2] == 0);
        found = find(&shelf, span("alice:photos/2024"));
        CHECK(found[0] == 0 && found[1] == 100 && found[2] == 100 && found[3] == 100 &&
              found[4] == 100);
        found = find(&shelf, span("x:photos/middle-7-middle"));
        CHECK(found[3] == 100 && found[4] == 100 && found[7] == 1 && found[8] == 0);
        shelf_free(&shelf);
    }
}

/* ---- Work ---------------------------------------------------------------- */

/* A gram everywhere in a long text leads to its pattern once. */
static void repeated_grams_are_followed_once(void) {
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        char text[64];
        snprintf(text, sizeof text, "*aaaaaaaa*b%u*", i);
        file(&shelf, span(text), i);
    }
    CHECK(build(&shelf));
    CHECK(postern__index_figures_of(index_of(&shelf)).floating == 100);
    size_t length = 60000;
    char *text = malloc(length);
    if (text == NULL) abort();
    memset(text, 'a', length);
    memcpy(text + length - 3, "b42", 3);
    const uint32_t *found = find(&shelf, (postern_span){text, length});
    for (uint32_t i = 0; i < 100; i++) CHECK(found[i] == (i == 42 || i == 4));
    free(text);
    shelf_free(&shelf);
}

/* However many there are: more than a search remembers. */
static void many_repeated_grams_are_followed_once(void) {
    struct shelf shelf;
    struct text_buffer text = {.length = 0};
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        char pattern[64];
        snprintf(pattern, sizeof pattern, "*%u-%u-*", 1000 + i, 1000 + i);
        file(&shelf, span(pattern), i);
    }
    for (uint32_t i = 0; i < 24; i++) {
        char piece[64];
        uint32_t number = 1000 + i % 12;
        snprintf(piece, sizeof piece, "%u-%u-", number, number);
        append(&text, piece);
    }
    CHECK(build(&shelf));
    CHECK(postern__index_figures_of(index_of(&shelf)).floating == 100);
    const uint32_t *found = find(&shelf, (postern_span){text.text, text.length});
    for (uint32_t i = 0; i < 100; i++) CHECK(found[i] == (i < 12));
    shelf_free(&shelf);
}

TEST_MAIN(
    RUN(examples_are_found);
    RUN(no_patterns_are_found_nowhere);
    RUN(an_index_may_be_moved);
    RUN(finds_what_trying_each_finds);
    RUN(variables_may_be_anything);
    RUN(repeated_grams_are_followed_once);
    RUN(many_repeated_grams_are_followed_once)
)
