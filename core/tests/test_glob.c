#include "glob.h"

#include <stdlib.h>
#include <time.h>

#include "failing_alloc.h"
#include "inputs.h"
#include "test.h"
#include "utf8.h"

/* ---- The plain twin: code points, recursion ------------------------------ */

enum { MOST = 64 };

struct token {
    char what;         /* '*', '?', or 0 for the literal `point` */
    const char *stops; /* what a wildcard does not match */
    uint32_t point;
};

struct pair {
    struct token pattern[MOST];
    size_t pattern_count;
    uint32_t text[MOST];
    size_t text_count;
    bool failed[MOST + 1][MOST + 1]; /* tried before, in vain */
};

static bool twin_from(struct pair *pair, size_t i, size_t j) {
    if (pair->failed[i][j]) return false;
    if (i == pair->pattern_count) return j == pair->text_count;
    const struct token *token = &pair->pattern[i];
    bool here = j < pair->text_count && (token->what == 0 ? token->point == pair->text[j] : true);
    for (const char *stop = token->stops; here && *stop != '\0'; stop++) {
        if (pair->text[j] == (uint32_t)*stop) here = false;
    }
    bool matches = token->what == '*'
                       ? twin_from(pair, i + 1, j) || (here && twin_from(pair, i, j + 1))
                       : here && twin_from(pair, i + 1, j + 1);
    pair->failed[i][j] = !matches;
    return matches;
}

static size_t read_points(postern_span text, uint32_t *out) {
    size_t count = 0;
    for (size_t i = 0; i < text.length;) {
        size_t size = postern__point_size((unsigned char)text.text[i]);
        uint32_t point = 0;
        for (size_t k = 0; k < size; k++) point = point << 8 | (unsigned char)text.text[i + k];
        out[count++] = point;
        i += size;
    }
    return count;
}

/* The reach of every wildcard as the rule for Resource says it. */
static size_t read_pattern(postern_span text, int kind, struct token *out) {
    uint32_t points[MOST];
    size_t count = read_points(text, points);
    int colons = 0;
    for (size_t i = 0; i < count; i++) {
        bool ends_segment = i + 1 == count || points[i + 1] == ':';
        bool wild = points[i] == '*' || points[i] == '?';
        bool confined = kind == POSTERN_GLOB_RESOURCE && colons < 5 &&
                        !(points[i] == '*' && ends_segment);
        out[i] = (struct token){wild ? (char)points[i] : '\0', wild && confined ? ":" : "",
                                points[i]};
        if (points[i] == ':') colons++;
    }
    return count;
}

static bool twin_matches(postern_span pattern, int kind, postern_span text) {
    static struct pair pair;
    memset(&pair, 0, sizeof pair);
    pair.pattern_count = read_pattern(pattern, kind, pair.pattern);
    pair.text_count = read_points(text, pair.text);
    return twin_from(&pair, 0, 0);
}

/* ---- One pattern, one text ---------------------------------------------- */

/* A copy with nothing behind it, so that a byte read too far is noticed. */
static char *exact_copy(postern_span text) {
    char *copy = malloc(text.length > 0 ? text.length : 1);
    if (copy == NULL) abort();
    if (text.length > 0) memcpy(copy, text.text, text.length);
    return copy;
}

static bool matches(postern_span pattern, int kind, postern_span text) {
    postern_glob *glob = postern_glob_new(&pattern, 1, kind, NULL, NULL);
    if (glob == NULL) abort();
    char *copy = exact_copy(text);
    int32_t index = postern_glob_match(glob, copy, text.length);
    free(copy);
    postern_glob_free(glob);
    CHECK(index == 0 || index == POSTERN_NO_MATCH);
    return index == 0;
}

enum { TEXT = 1, RESOURCE = 2, BOTH = TEXT | RESOURCE }; /* kinds that match */

static void examples_match(void) {
    static const struct {
        const char *pattern;
        const char *text;
        int kinds;
    } rows[] = {
        {"", "", BOTH},
        {"", "a", 0},
        {"*", "", BOTH},
        {"*", "arn:aws:sqs:us-east-1:111122223333:q:r", BOTH},
        {"?", "", 0},
        {"?", "é", BOTH}, /* a code point, not a byte */
        {"?", "𝄞", BOTH},
        {"??", "é", 0},
        {"é", "e\xCC\x81", 0}, /* no normalisation */
        {"a?c", "a/c", BOTH},  /* `/` is like any other */
        {"a*c", "a/b/c", BOTH},
        {"a", "A", 0},
        {"[ab]", "a", 0}, /* no classes, no escapes */
        {"[ab]", "[ab]", BOTH},
        {"\\*", "*", 0},
        {"\\*", "\\x", BOTH},
        {"a*a", "a", 0}, /* head and tail must not overlap */
        {"ab*ba", "aba", 0},
        {"ab*ba", "abba", BOTH},
        {"*a", "ab", 0},
        {"a*", "ba", 0},
        {"*b*", "abc", BOTH},
        {"execute-api:*", "execute-api:invoke", BOTH},
        {"*:invoke", "execute-api:invoke", BOTH},
        {"a:b*c", "a:bx:yc", TEXT},
        {"a:b?c", "a:b:c", TEXT},
        {"?", ":", TEXT},
        {"*?", ":", TEXT},
        {"*?", "a:", TEXT},
        /* A `*` that ends its segment reaches beyond colons. */
        {"arn:aws:dynamodb:*:table/prod-*",
         "arn:aws:dynamodb:us-east-1:123456789012:table/prod-1", BOTH},
        {"arn:aws:execute-api:*:abc123/dev/GET/pets",
         "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/pets", BOTH},
        {"arn:aws:execute-api:*", "arn:aws:execute-api:eu-west-1:123456789012:abc123/dev/GET/",
         BOTH},
        {"arn:aws:execute-api:us-east-1:*:abc123/*",
         "arn:aws:execute-api:us-east-1:123456789012:zzz/dev/GET/x:abc123/y", BOTH},
        /* Any other before the fifth colon does not. */
        {"arn:aws:execute-api:us-*2:abc123/*",
         "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/", TEXT},
        {"arn:aws:execute-api:us-*2:abc123/*", "arn:aws:execute-api:us-west-2:abc123/dev", BOTH},
        {"arn:aws:s3?::b", "arn:aws:s3:::b", TEXT},
        {"arn:*s:s3:::b", "arn:aws:s3:::b", BOTH},
        {"arn:*s:s3:::b", "arn:a:s:s3:::b", TEXT},
        /* Behind it all of them do. */
        {"arn:aws:logs:*:*:log-group:a*c?d", "arn:aws:logs:r:1:log-group:ab:c:d", BOTH},
        {"1:2:3:4:5:a?b", "1:2:3:4:5:a:b", BOTH},
        {"1:2:3:4:a?b:6", "1:2:3:4:a:b:6", TEXT},
        /* Literal text is no prefix. */
        {"arn:aws:execute-api:us-east-1:111122223333:abc/",
         "arn:aws:execute-api:us-east-1:111122223333:abc/dev", 0},
        {"arn:aws:execute-api", "arn:aws:execute-api:us-east-1:111122223333:abc/dev", 0},
        /* A confined run that fails has to hand back to the free one. */
        {"*:a*b:c", "x:a1:a2b:c", BOTH},
        {"*:a*b:c", "x:a1:2b:c", TEXT},
        {"*:a*b*c:*:d?", "::a:abc:abbc::d:d:dd", BOTH},
        {"*:a*bc*:*d", "x:a:abbc:ax:bd", BOTH},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_span pattern = span(rows[i].pattern), text = span(rows[i].text);
        CHECK_ROW(matches(pattern, POSTERN_GLOB_TEXT, text) == ((rows[i].kinds & TEXT) != 0),
                  rows[i].pattern);
        CHECK_ROW(
            matches(pattern, POSTERN_GLOB_RESOURCE, text) == ((rows[i].kinds & RESOURCE) != 0),
            rows[i].pattern);
    }
}

/* ---- Against the twin ---------------------------------------------------- */

struct text_buffer {
    char text[4 * MOST];
    size_t length;
    size_t points;
};

static void append(struct text_buffer *out, const char *piece) {
    size_t points = 0;
    for (const char *c = piece; *c != '\0'; c++) points += ((unsigned char)*c & 0xC0) != 0x80;
    if (out->points + points > MOST) return;
    memcpy(out->text + out->length, piece, strlen(piece));
    out->length += strlen(piece);
    out->points += points;
}

static void append_random(struct text_buffer *out, const char *const *pieces, size_t most) {
    size_t count = 0;
    while (pieces[count] != NULL) count++;
    for (size_t n = random_below(most + 1); n > 0; n--) append(out, pieces[random_below(count)]);
}

/* A text that `pattern` may well match: wildcards become random runs, and now
 * and then something is left out, put in or cut off. */
static void append_instance(struct text_buffer *out, postern_span pattern,
                            const char *const *pieces) {
    bool spoil = random_below(3) == 0;
    for (size_t i = 0; i < pattern.length;) {
        size_t size = postern__point_size((unsigned char)pattern.text[i]);
        char point[5] = "";
        memcpy(point, pattern.text + i, size);
        i += size;
        if (spoil && random_below(8) == 0) continue;
        if (point[0] == '*') append_random(out, pieces, random_below(4) == 0 ? 8 : 2);
        else if (point[0] == '?') append_random(out, pieces, 1);
        else append(out, point);
    }
    if (spoil) append_random(out, pieces, 1);
}

static const char *const text_pieces[] = {"a", "b", ":", "/", "é", "*", "?", NULL};
static const char *const pattern_pieces[] = {"a", "b", ":", "/", "*", "?", "é", "*", NULL};
static const char *const colon_texts[] = {"a", "b", ":", ":", ":a", ":ab", "a:b", "é", NULL};
static const char *const colon_patterns[] = {"a", "b",  ":",  ":",  "*", "*:", "*:",
                                             "?", "*a", "*b", "a*", ":", ":a", NULL};

/* Common bytes and rare ones, so that pieces are searched for by either. */
static const char *const rare_texts[] = {"a", "z", "é", "zé", "ea", "q", ":", NULL};
static const char *const rare_patterns[] = {"a", "z", "?", "?z", "z?", "a?z", "??", "é?",
                                            "*", "*", "*?", "q?é", ":", NULL};

static void compare_with_twin(int kind, const char *const *patterns, size_t most_pieces,
                              const char *const *texts, size_t rounds) {
    size_t matched = 0, tried = 0;
    for (size_t round = 0; round < rounds; round++) {
        struct text_buffer pattern = {.length = 0};
        append_random(&pattern, patterns, most_pieces);
        postern_span code = {pattern.text, pattern.length};
        postern_glob *glob = postern_glob_new(&code, 1, kind, NULL, NULL);
        if (glob == NULL) abort();
        for (int i = 0; i < 4; i++, tried++) {
            struct text_buffer text = {.length = 0};
            if (i == 0) append_random(&text, texts, 12);
            else append_instance(&text, code, texts);
            postern_span whole = {text.text, text.length};
            char *copy = exact_copy(whole);
            bool expected = twin_matches(code, kind, whole);
            bool actual = postern_glob_match(glob, copy, whole.length) == 0;
            free(copy);
            matched += expected;
            test_checks++;
            if (actual == expected) continue;
            test_failures++;
            fprintf(stderr, "kind %d: `%.*s` against `%.*s`: %d\n", kind, (int)pattern.length,
                    pattern.text, (int)text.length, text.text, actual);
        }
        postern_glob_free(glob);
    }
    /* Both answers were well tried. */
    CHECK(matched > tried / 5 && matched < tried - tried / 5);
}

static void text_matches_as_twin(void) {
    random_state = 1;
    compare_with_twin(POSTERN_GLOB_TEXT, pattern_pieces, 8, text_pieces, 20000);
    compare_with_twin(POSTERN_GLOB_TEXT, colon_patterns, 16, colon_texts, 10000);
    compare_with_twin(POSTERN_GLOB_TEXT, rare_patterns, 10, rare_texts, 40000);
}

static void resource_matches_as_twin(void) {
    random_state = 2;
    compare_with_twin(POSTERN_GLOB_RESOURCE, pattern_pieces, 8, text_pieces, 20000);
    compare_with_twin(POSTERN_GLOB_RESOURCE, colon_patterns, 8, colon_texts, 20000);
    compare_with_twin(POSTERN_GLOB_RESOURCE, colon_patterns, 20, colon_texts, 20000);
    compare_with_twin(POSTERN_GLOB_RESOURCE, rare_patterns, 6, rare_texts, 40000);
}

/* Runs that stop at `/` too come from the short form of execute-api alone. */
static void name_runs_match_as_twin(void) {
    static const char *const heads[] = {"a:b:c:d:e:f/", "a:b:c:::/",    "a:b:c:d:e:f/g/",
                                        "a:b::d:e:f/",  "a:b:c:d:e:f:/", "a:b:c:d:e/:f/"};
    static const struct token head[] = {{'*', ":", 0}, {0, "", ':'}, {'*', ":", 0}, {0, "", ':'},
                                 {'*', ":", 0}, {0, "", ':'}, {'*', ":", 0}, {0, "", ':'},
                                 {'*', ":", 0}, {0, "", ':'}, {'*', ":/", 0}, {0, "", '/'}};
    static const unsigned char head_code[] = {
        POSTERN__RUN_IN_SEGMENT, ':', POSTERN__RUN_IN_SEGMENT, ':',
        POSTERN__RUN_IN_SEGMENT, ':', POSTERN__RUN_IN_SEGMENT, ':',
        POSTERN__RUN_IN_SEGMENT, ':', POSTERN__RUN_IN_NAME,    '/'};
    enum { HEAD = sizeof head_code };
    static struct pair pair;
    size_t matched = 0, tried = 20000;
    random_state = 3;
    for (size_t round = 0; round < tried; round++) {
        struct text_buffer rest = {.length = 0}, text = {.length = 0};
        append_random(&rest, pattern_pieces, 6);
        append(&text, heads[random_below(sizeof heads / sizeof *heads)]);
        append_instance(&text, (postern_span){rest.text, rest.length}, text_pieces);

        unsigned char code[HEAD + sizeof rest.text];
        memcpy(code, head_code, HEAD);
        for (size_t i = 0; i < rest.length; i++) {
            code[HEAD + i] = rest.text[i] == '*'   ? POSTERN__RUN
                             : rest.text[i] == '?' ? POSTERN__ONE
                                                   : (unsigned char)rest.text[i];
        }
        memset(&pair, 0, sizeof pair);
        memcpy(pair.pattern, head, sizeof head);
        pair.pattern_count = HEAD + read_pattern((postern_span){rest.text, rest.length},
                                                 POSTERN_GLOB_TEXT, pair.pattern + HEAD);
        pair.text_count = read_points((postern_span){text.text, text.length}, pair.text);

        postern__glob glob = postern__glob_measure((const char *)code, 0, HEAD + rest.length);
        bool expected = twin_from(&pair, 0, 0);
        matched += expected;
        CHECK(postern__glob_match(&glob, (const char *)code,
                                  (postern_span){text.text, text.length}) == expected);
    }
    CHECK(matched > tried / 5 && matched < tried - tried / 5);
}

/* ---- Work ---------------------------------------------------------------- */

static char *repeat(const char *start, const char *piece, size_t count, const char *end,
                    size_t *length) {
    size_t size = strlen(piece), first = strlen(start);
    *length = first + size * count + strlen(end);
    char *text = malloc(*length + 1);
    if (text == NULL) abort();
    memcpy(text, start, first);
    for (size_t i = 0; i < count; i++) memcpy(text + first + i * size, piece, size);
    memcpy(text + first + size * count, end, strlen(end) + 1);
    return text;
}

/* Processor time of one match, the least of a few: what else the machine does
 * only adds to it. */
static double time_of(postern_span pattern, int kind, postern_span text) {
    postern_glob *glob = postern_glob_new(&pattern, 1, kind, NULL, NULL);
    if (glob == NULL) abort();
    double least = 1e9;
    for (int i = 0; i < 3; i++) {
        clock_t start = clock();
        CHECK(postern_glob_match(glob, text.text, text.length) == POSTERN_NO_MATCH);
        double used = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (used < least) least = used;
    }
    postern_glob_free(glob);
    return least > 1e-4 ? least : 1e-4; /* below that only the clock is measured */
}

/* The pattern is start, piece again and again, end: it ends in a wildcard, or
 * its literal end would settle the matter at once. The text never matches, and
 * tells so as late as it can. */
struct hostile {
    int kind;
    const char *start;
    const char *piece;
    const char *end;
    const char *text;
};

static const struct hostile hostiles[] = {
    {POSTERN_GLOB_TEXT, "", "a*", "b*", "a"},
    {POSTERN_GLOB_TEXT, "*", "a", "b*", "a"}, /* a piece that nearly fits everywhere */
    {POSTERN_GLOB_TEXT, "*", "?", "b*", "a"},
    {POSTERN_GLOB_TEXT, "*", "é", "b?", "é"},
    {POSTERN_GLOB_TEXT, "", "*a", "*aaaaaaaaaaaaaaaab*", "a"},
    {POSTERN_GLOB_TEXT, "", "?*", "aaaaaaaaaaaaaaaab?", "a"},
    {POSTERN_GLOB_TEXT, "a", "**", "b**", "a"},
    {POSTERN_GLOB_TEXT, "*", "z", "y*", "z"}, /* what is searched for is everywhere */
    {POSTERN_GLOB_TEXT, "*", "z?", "y*", "z"},
    {POSTERN_GLOB_TEXT, "*", "?z", "y*", "éz"},
    {POSTERN_GLOB_TEXT, "", "*z?z", "y*", "z"},
    {POSTERN_GLOB_TEXT, "*?", "?z", "y*?", "z"},
    {POSTERN_GLOB_RESOURCE, "*:*:*:*:*:*", "?z", "y*", ":zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"},
    {POSTERN_GLOB_RESOURCE, "", "a*", "b*", "a"}, /* confined */
    {POSTERN_GLOB_RESOURCE, "*", "a", "b*", "a"},
    {POSTERN_GLOB_RESOURCE, "*", "?", "b*", "a"},
    {POSTERN_GLOB_RESOURCE, "*:*", "a", "b*:*", ":aaaaaaaaaaaaaaa"},
    {POSTERN_GLOB_RESOURCE, "*:*a*", "a", "b?", ":aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {POSTERN_GLOB_RESOURCE, "*", "a", "*:b?", "a"}, /* a free run behind a confined one */
    {POSTERN_GLOB_RESOURCE, "*:*:*:*:*:*", "a:", "b*", "a:"}, /* free again */
    {POSTERN_GLOB_RESOURCE, "*", ":", "b*", ":"},
};

static double time_hostile(const struct hostile *hostile, size_t pieces, size_t texts) {
    postern_span pattern, text;
    char *pattern_text = repeat(hostile->start, hostile->piece, pieces, hostile->end,
                                &pattern.length);
    char *text_text = repeat("", hostile->text, texts / strlen(hostile->text), "", &text.length);
    pattern.text = pattern_text;
    text.text = text_text;
    double time = time_of(pattern, hostile->kind, text);
    free(pattern_text);
    free(text_text);
    return time;
}

/* Whether the larger pattern and text take less than `limit` times as
 * long. Whatever else the machine does may spoil a measurement, so one of a few
 * that says so will do: a worse growth never says so. */
static void check_growth(const struct hostile *hostile, size_t pieces, size_t more_pieces,
                         size_t texts, size_t more_texts, double limit) {
    char name[80];
    snprintf(name, sizeof name, "%s (%s)+ %s against %s", hostile->start, hostile->piece,
             hostile->end, hostile->text);
    bool grows_slowly = false;
    for (int attempt = 0; attempt < 6 && !grows_slowly; attempt++) {
        double once = time_hostile(hostile, pieces, texts);
        grows_slowly = time_hostile(hostile, more_pieces, more_texts) < limit * once;
    }
    CHECK_ROW(grows_slowly, name);
}

/* With the pattern as it is, four times the text takes about four times as
 * long; squared it would be sixteen. */
static void time_grows_with_the_text(void) {
    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        check_growth(&hostiles[i], 20, 20, 50000, 200000, 8);
    }
}

/* With both twice as long, it takes four times as long at most; with one more
 * power of the length it would be eight. */
static void time_grows_with_text_and_pattern(void) {
    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        check_growth(&hostiles[i], 400, 800, 10000, 20000, 5.5);
    }
}

/* Free runs, each before a row of confined ones: the dearest there is. */
static void free_before_confined_runs_takes_linear_time(void) {
    static const char *const patterns[] = {
        "*:*a*a*a*a*b:*:*a*a*a*a*b:*", "*:*:*:*:*a*b*c*", "*:a*a*a*a*a*b:*:*:*", "*:*:*:*:*:*b?",
        "*:*a*:*a*:*a*:*a*:*a*b*",     "*:a*:a*:a*:a*b:*", "*:a*a:a*a:a*a:a*a:a*b:*",
    };
    static const char *const texts[] = {
        ":aaaaaaaa", "a:", ":", "a", ":aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            struct hostile row = {POSTERN_GLOB_RESOURCE, patterns[i], "", "", texts[k]};
            check_growth(&row, 0, 0, 50000, 200000, 8);
        }
    }
}

static void patterns_are_long_and_no_longer(void) {
    size_t length;
    char *stars = repeat("", "*", POSTERN__PATTERN_BYTES + 1, "", &length);
    postern_span pattern = {stars, length};
    postern_error error;
    CHECK(postern_glob_new(&pattern, 1, POSTERN_GLOB_TEXT, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_LIMIT);
    CHECK_TEXT(error.message, "pattern 1 has 4097 bytes: a pattern with wildcards has at most 4096");
    memset(stars, 's', length); /* without wildcards there is nothing to search for */
    CHECK(matches(pattern, POSTERN_GLOB_TEXT, pattern));
    memset(stars, '*', length);
    pattern.length--;
    CHECK(matches(pattern, POSTERN_GLOB_TEXT, span("")));
    CHECK(matches(pattern, POSTERN_GLOB_TEXT, span("a:b:c")));
    CHECK(matches(pattern, POSTERN_GLOB_RESOURCE, span("a:b:c"))); /* the last is free */
    free(stars);
}

/* ---- Text that is not UTF-8 ---------------------------------------------- */

static void broken_text_stays_in_bounds(void) {
    static const char *const patterns[] = {"?", "??", "*?", "?*", "a*?b*", "*?*?", "é*?", "*é",
                                           "*?:*"};
    static const unsigned char bytes[] = {'a', 'b', ':', 0x80, 0xC3, 0xA9, 0xE2, 0xF0, 0xFF, 0xFA};
    size_t answers[2] = {0, 0};
    random_state = 4;
    for (int round = 0; round < 20000; round++) {
        char text[6];
        size_t length = random_below(sizeof text + 1);
        for (size_t i = 0; i < length; i++) text[i] = (char)bytes[random_below(sizeof bytes)];
        postern_span pattern = span(patterns[random_below(sizeof patterns / sizeof *patterns)]);
        int kind = random_below(2) == 0 ? POSTERN_GLOB_TEXT : POSTERN_GLOB_RESOURCE;
        answers[matches(pattern, kind, (postern_span){text, length})]++;
    }
    CHECK(answers[0] > 0 && answers[1] > 0);
    /* A lead byte whose point is cut off is one character, as far as it goes. */
    CHECK(matches(span("?"), POSTERN_GLOB_TEXT, span("\xF0\x9D")));
    /* A byte of text is never taken for a token. */
    CHECK(!matches(span("a*b"), POSTERN_GLOB_TEXT, span("a\xFF")));
    CHECK(!matches(span("a"), POSTERN_GLOB_TEXT, span("\xFF")));
}

/* ---- Code ---------------------------------------------------------------- */

static postern__vector new_bytes(void) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector bytes;
    postern__vector_init(&bytes, 1, &allocator);
    return bytes;
}

static void patterns_become_code(void) {
    postern__vector code = new_bytes();
    CHECK(postern__glob_encode(span("x"), &code));
    CHECK(postern__glob_encode(span("a*é?"), &code));
    CHECK(code.count == 6);
    CHECK(memcmp(code.items, "xa\xFF\xC3\xA9\xFC", 6) == 0);
    CHECK(postern__glob_encode((postern_span){NULL, 0}, &code));
    CHECK(code.count == 6);
    postern__vector_free(&code);
}

static void literal_ends_are_measured(void) {
    static const struct {
        const char *pattern;
        uint32_t head, tail;
    } rows[] = {
        {"", 0, 0},     {"abc", 3, 0},  {"*", 0, 0},       {"?", 0, 0},   {"ab*", 2, 0},
        {"*abc", 0, 3}, {"a*bc", 1, 2}, {"ab?x*c", 2, 1}, {"**", 0, 0}, {"é*é", 2, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__vector code = new_bytes();
        /* Something in front: offsets count from the block. */
        CHECK(postern__vector_push(&code, "*zz", 3) != NULL);
        CHECK(postern__glob_encode(span(rows[i].pattern), &code));
        postern__glob glob = postern__glob_measure(code.items, 3, code.count - 3);
        CHECK_ROW(glob.code == 3 && glob.length == code.count - 3, rows[i].pattern);
        CHECK_ROW(glob.head == rows[i].head && glob.tail == rows[i].tail, rows[i].pattern);
        postern__vector_free(&code);
    }
}

/* Literal ends of every length, and one byte of them that differs, which are
 * compared by words. */
static void every_byte_of_an_end_counts(void) {
    char text[80], pattern[80];
    for (size_t length = 1; length <= 70; length++) {
        for (int form = 0; form < 3; form++) { /* whole, `head*`, `*tail` */
            size_t star = form == 0 ? 0 : 1;
            for (size_t i = 0; i < length; i++) {
                text[i] = (char)('a' + i % 26);
                pattern[i + (form == 2)] = text[i];
            }
            if (form == 1) pattern[length] = '*';
            if (form == 2) pattern[0] = '*';
            postern_span one = {pattern, length + star};
            postern_glob *glob = postern_glob_new(&one, 1, POSTERN_GLOB_TEXT, NULL, NULL);
            CHECK(postern_glob_match(glob, text, length) == 0);
            CHECK(postern_glob_match(glob, text, length - 1) == POSTERN_NO_MATCH);
            for (size_t i = 0; i < length; i++) {
                text[i] ^= 1;
                CHECK(postern_glob_match(glob, text, length) == POSTERN_NO_MATCH);
                text[i] ^= 1;
            }
            postern_glob_free(glob);
        }
    }
}

static void wildcards_are_confined(void) {
    for (unsigned colons = 0; colons < 8; colons++) {
        bool before = colons < 5;
        for (int ends = 0; ends < 2; ends++) {
            CHECK(postern__glob_confine(POSTERN__RUN, colons, ends) ==
                  (before && !ends ? POSTERN__RUN_IN_SEGMENT : POSTERN__RUN));
            CHECK(postern__glob_confine(POSTERN__ONE, colons, ends) ==
                  (before ? POSTERN__ONE_IN_SEGMENT : POSTERN__ONE));
            CHECK(postern__glob_confine('a', colons, ends) == 'a');
            CHECK(postern__glob_confine('*', colons, ends) == '*');
        }
    }
}

/* ---- The list ------------------------------------------------------------ */

static void the_first_of_a_list_matches(void) {
    postern_span patterns[] = {span("a*"), span(""), span("ab"), span("*"), span("c")};
    char *copies[5];
    for (int i = 0; i < 5; i++) {
        copies[i] = exact_copy(patterns[i]);
        patterns[i].text = copies[i];
    }
    postern_glob *glob = postern_glob_new(patterns, 5, POSTERN_GLOB_TEXT, NULL, NULL);
    for (int i = 0; i < 5; i++) free(copies[i]); /* they were copied */
    CHECK(glob != NULL);
    CHECK(postern_glob_match(glob, "ab", 2) == 0);
    CHECK(postern_glob_match(glob, "", 0) == 1);
    CHECK(postern_glob_match(glob, NULL, 0) == 1);
    CHECK(postern_glob_match(glob, "c", 1) == 3);
    CHECK(postern_glob_match(glob, "c\0d", 3) == 3); /* NUL is a character */
    postern_glob_free(glob);

    postern_span star = span("*");
    postern_glob *everything = postern_glob_new(&star, 1, POSTERN_GLOB_TEXT, NULL, NULL);
    CHECK(everything != NULL);
    CHECK(postern_glob_match(everything, NULL, 0) == 0);
    postern_glob_free(everything);

    postern_glob *nothing = postern_glob_new(NULL, 0, POSTERN_GLOB_RESOURCE, NULL, NULL);
    CHECK(nothing != NULL);
    CHECK(postern_glob_match(nothing, "", 0) == POSTERN_NO_MATCH);
    postern_glob_free(nothing);
    postern_glob_free(NULL);
}

/* Each pattern counts its own colons. */
static void patterns_of_a_list_are_apart(void) {
    postern_span patterns[] = {span("1:2:3:4:5:6"), span("a?b"), span("*"), span(":x")};
    postern_glob *glob = postern_glob_new(patterns, 4, POSTERN_GLOB_RESOURCE, NULL, NULL);
    CHECK(glob != NULL);
    CHECK(postern_glob_match(glob, "a:b", 3) == 2);
    CHECK(postern_glob_match(glob, "a-b", 3) == 1);
    postern_glob_free(glob);
}

/* Bytes that could be taken for tokens, and any others that are no text. */
static void patterns_that_are_not_utf8_are_refused(void) {
    static const char *const rows[] = {"\xFF",     "a\xFA*",       "\xFC",     "?\xA9",
                                       "\xC3",     "\xC3*\xA9",    "\xC0\xAF", "\xED\xA0\x80",
                                       "\xF5\x80", "\xF4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern_span patterns[] = {span("ok"), span(rows[i])};
        postern_error error = {0};
        CHECK_ROW(postern_glob_new(patterns, 2, POSTERN_GLOB_TEXT, NULL, &error) == NULL, rows[i]);
        CHECK_ROW(error.status == POSTERN_VALUE, rows[i]);
        CHECK_TEXT(error.message, "pattern 2 is not UTF-8: encode it as UTF-8");
        CHECK_ROW(postern_glob_new(patterns, 2, POSTERN_GLOB_TEXT, NULL, NULL) == NULL, rows[i]);
    }
}

static void wrong_arguments_are_refused(void) {
    postern_span patterns[] = {span("a")};
    postern_error error = {0};
    CHECK(postern_glob_new(patterns, 1, 2, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_glob_new(patterns, 1, -1, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_glob_new(NULL, 1, POSTERN_GLOB_TEXT, NULL, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_glob_new(patterns, (size_t)INT32_MAX + 1, POSTERN_GLOB_TEXT, NULL, &error) ==
          NULL);
    CHECK(error.status == POSTERN_LIMIT);
}

static void list_survives_failing_memory(void) {
    enum { COUNT = 60 };
    char texts[COUNT][32];
    postern_span patterns[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "pattern-%d-*", i);
        patterns[i] = span(texts[i]);
    }
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern_error error = {0};
        postern__failing_alloc_init(&failing, n);
        postern_glob *glob =
            postern_glob_new(patterns, COUNT, POSTERN_GLOB_TEXT, &failing.allocator, &error);
        bool failed = failing.allocations >= n;
        CHECK((glob == NULL) == failed);
        CHECK(error.status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        if (glob != NULL) CHECK(postern_glob_match(glob, "pattern-44-x", 12) == 44);
        postern_glob_free(glob);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(
    RUN(examples_match);
    RUN(text_matches_as_twin);
    RUN(resource_matches_as_twin);
    RUN(name_runs_match_as_twin);
    RUN(time_grows_with_the_text);
    RUN(time_grows_with_text_and_pattern);
    RUN(free_before_confined_runs_takes_linear_time);
    RUN(patterns_are_long_and_no_longer);
    RUN(broken_text_stays_in_bounds);
    RUN(patterns_become_code);
    RUN(patterns_that_are_not_utf8_are_refused);
    RUN(literal_ends_are_measured);
    RUN(every_byte_of_an_end_counts);
    RUN(wildcards_are_confined);
    RUN(the_first_of_a_list_matches);
    RUN(patterns_of_a_list_are_apart);
    RUN(wrong_arguments_are_refused);
    RUN(list_survives_failing_memory)
)
