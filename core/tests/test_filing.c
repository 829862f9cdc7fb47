#include "filing.h"

#include "failing_alloc.h"
#include "shelf.h"
#include "test.h"

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

/* More than a sample is asked for: found as by trying each, however often they
 * are filed. */
static void many_are_found(void) {
    static const char *const texts[] = {
        "arn:aws:s3:::bucket-000350/x", "arn:aws:s3:::bucket-000000/y/always-the-same",
        "x:user/robots/000014",         "x/team/000021/y",
        "arn:aws:s3:::bucket-000042/000028/",
        "arn:aws:s3:::bucket-000042/000028:user/robots/000014"};
    static const char *const formats[] = {
        "arn:aws:s3:::bucket-%06u/*",        "*:user/robots/%06u", "*/team/%06u/*",
        "arn:aws:s3:::bucket-000042/%06u/*", "*bucket-%06u*",      "arn:aws:s3:::bucket-%06u/*"};
    struct shelf shelf;
    shelf_init(&shelf, NULL);
    for (uint32_t i = 0; i < 20000; i++) {
        char text[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, formats[i % 6], i / 6 * 7);
#pragma GCC diagnostic pop
        file(&shelf, span(text), i);
    }
    CHECK(build(&shelf));
    CHECK(postern__index_figures_of(index_of(&shelf)).patterns == 20000 - 20000 / 6);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK_ROW(compare(&shelf, span(texts[i])) > 0, texts[i]);
    }
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
    RUN(grams_are_chosen_where_patterns_differ);
    RUN(many_are_found);
    RUN(survives_failing_memory)
)
