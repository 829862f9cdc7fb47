#include "index.h"

#include <stdlib.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"

/* ---- Patterns and their index ------------------------------------------- */

struct shelf {
    postern__vector codes, filings, index;
    size_t offset;
};

static void shelf_init(struct shelf *shelf, const postern_allocator *allocator) {
    postern_allocator own = postern__allocator(allocator);
    postern__vector_init(&shelf->codes, 1, &own);
    postern__vector_init(&shelf->filings, sizeof(postern__filing), &own);
    postern__vector_init(&shelf->index, 1, &own);
    /* Codes are offsets in a block, and an index is not its first bytes. */
    if (postern__vector_push(&shelf->codes, "*zz", 3) == NULL ||
        postern__vector_push(&shelf->index, "abc", 3) == NULL) {
        abort();
    }
}

static void shelf_free(struct shelf *shelf) {
    postern__vector_free(&shelf->codes);
    postern__vector_free(&shelf->filings);
    postern__vector_free(&shelf->index);
}

static void file_code(struct shelf *shelf, size_t start, uint32_t id, uint32_t variables) {
    postern__filing filing = {.id = id, .variables = variables};
    filing.glob = postern__glob_measure(shelf->codes.items, start, shelf->codes.count - start);
    if (postern__vector_push(&shelf->filings, &filing, 1) == NULL) abort();
}

static void file(struct shelf *shelf, postern_span pattern, uint32_t id) {
    size_t start = shelf->codes.count;
    if (!postern__glob_encode(pattern, &shelf->codes)) abort();
    file_code(shelf, start, id, 0);
}

static bool build(struct shelf *shelf) {
    return postern__index_build(shelf->codes.items,
                                POSTERN__AT(&shelf->filings, postern__filing, 0),
                                shelf->filings.count, &shelf->index, &shelf->offset);
}

static const char *index_of(const struct shelf *shelf) {
    return shelf->index.items + shelf->offset;
}

/* How often each id was found; those that are only possible count 100. */
enum { MOST_IDS = 6000 };

static void note(void *context, const uint32_t *ids, uint32_t count, bool sure) {
    uint32_t *found = context;
    for (uint32_t i = 0; i < count; i++) found[ids[i]] += sure ? 1 : 100;
}

static const uint32_t *find(const struct shelf *shelf, postern_span text) {
    static uint32_t found[MOST_IDS];
    memset(found, 0, sizeof found);
    /* Nothing behind the text, so that a byte read too far is noticed. */
    char *copy = malloc(text.length > 0 ? text.length : 1);
    if (copy == NULL) abort();
    if (text.length > 0) memcpy(copy, text.text, text.length);
    postern__index_find(index_of(shelf), shelf->codes.items, (postern_span){copy, text.length},
                        note, found);
    free(copy);
    return found;
}

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

struct text_buffer {
    char text[256];
    size_t length;
};

static void append(struct text_buffer *out, const char *piece) {
    size_t length = strlen(piece);
    if (out->length + length > sizeof out->text) return;
    memcpy(out->text + out->length, piece, length);
    out->length += length;
}

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

/* Every pattern is found exactly as often as it is there, and no other. */
static size_t compare(const struct shelf *shelf, postern_span text) {
    const uint32_t *found = find(shelf, text);
    static uint32_t expected[MOST_IDS];
    size_t matched = 0;
    memset(expected, 0, sizeof expected);
    for (size_t i = 0; i < shelf->filings.count; i++) {
        const postern__filing *filing = POSTERN__AT(&shelf->filings, postern__filing, i);
        bool matches = postern__glob_match(&filing->glob, shelf->codes.items, text);
        expected[filing->id] += matches;
        matched += matches;
    }
    bool same = memcmp(found, expected, sizeof expected) == 0;
    CHECK(same);
    for (uint32_t i = 0; i < MOST_IDS && !same; i++) {
        if (found[i] == expected[i]) continue;
        fprintf(stderr, "    %u: %u, not %u, in `%.*s`\n", i, found[i], expected[i],
                (int)text.length, text.text);
        break;
    }
    return matched;
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

/* Many patterns that tell apart far from the start, near the end, or in a
 * middle that repeats. */
static void grams_are_chosen_where_patterns_differ(void) {
    static const struct {
        const char *format;
        uint32_t floating, everywhere, places;
    } rows[] = {
        {"arn:aws:execute-api:eu-central-1:111122223333:api%05u/live/GET/*", 0, 0, 2},
        {"*:some/role-%05u", 0, 0, 1},
        {"*:some/role-%05u/*", 1000, 1000, 0},
        {"*:%05u/role/*", 1000, 0, 0}, /* behind a delimiter */
        {"*:a%05ub*", 1000, 0, 0},     /* which the last of eight bytes tells apart */
        {"*/%04u*", 1000, 0, 0},       /* and narrow */
        {"%05u", 0, 0, 2}, /* 4 bytes of 5 */
        {"arn:aws:s3:::a-very-long-bucket-name-that-takes-up-all-the-room-that-there-is/and-then-"
         "a-path-that-goes-on-and-on-and-on-for-as-long-as-it-can/%05u/*",
         0, 0, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shelf shelf;
        char text[256];
        shelf_init(&shelf, NULL);
        for (uint32_t k = 0; k < 1000; k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, rows[i].format, k * 7);
#pragma GCC diagnostic pop
            file(&shelf, span(text), k);
        }
        CHECK(build(&shelf));
        postern__index_figures figures = postern__index_figures_of(index_of(&shelf));
        CHECK_ROW(figures.patterns == 1000 && figures.rest == 0, rows[i].format);
        CHECK_ROW(figures.floating == rows[i].floating, rows[i].format);
        CHECK_ROW(figures.everywhere == rows[i].everywhere, rows[i].format);
        CHECK_ROW(figures.places <= rows[i].places, rows[i].format);
        CHECK_ROW(figures.places > 0 || figures.floating > 0, rows[i].format);
        for (uint32_t k = 0; k < 40; k++) {
            const postern__filing *filing = POSTERN__AT(&shelf.filings, postern__filing, k * 25);
            struct text_buffer instance = {.length = 0};
            postern_span code = {shelf.codes.items + filing->glob.code, filing->glob.length};
            for (size_t c = 0; c < code.length; c++) {
                char byte[2] = {code.text[c], '\0'};
                append(&instance, (unsigned char)byte[0] == POSTERN__RUN ? "1/some/role-" : byte);
            }
            CHECK_ROW(compare(&shelf, (postern_span){instance.text, instance.length}) == 1,
                      rows[i].format);
        }
        shelf_free(&shelf);
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

static void survives_failing_memory(void) {
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 50; i++) {
        char text[64];
        snprintf(text, sizeof text, "*:some/path/number-%u/*", i);
        file(&shelf, span(text), i);
    }
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__vector out;
        size_t offset;
        postern__failing_alloc_init(&failing, n);
        postern__vector_init(&out, 1, &failing.allocator);
        bool built = postern__index_build(shelf.codes.items,
                                          POSTERN__AT(&shelf.filings, postern__filing, 0),
                                          shelf.filings.count, &out, &offset);
        bool failed = failing.allocations >= n;
        CHECK(built == !failed);
        postern__vector_free(&out);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    shelf_free(&shelf);
}

TEST_MAIN(
    RUN(examples_are_found);
    RUN(no_patterns_are_found_nowhere);
    RUN(an_index_may_be_moved);
    RUN(finds_what_trying_each_finds);
    RUN(grams_are_chosen_where_patterns_differ);
    RUN(variables_may_be_anything);
    RUN(repeated_grams_are_followed_once);
    RUN(many_repeated_grams_are_followed_once);
    RUN(survives_failing_memory)
)
