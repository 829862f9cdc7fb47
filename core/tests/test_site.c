#include "site.h"

#include "failing_alloc.h"
#include "test.h"

static void things_stand_at_their_offsets(void) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    postern__vector_init(&block, 1, &allocator);
    CHECK(postern__vector_push(&block, "12345", 5) != NULL);
    postern__site site = {.block = &block, .start = 5};
    uint32_t text = 9, zeros = 9, line = 9, none = 9;
    CHECK(postern__site_append(&site, 8, "abc", 3, &text) && text == 0);
    CHECK(postern__site_append(&site, 8, NULL, 4, &zeros) && zeros == 1);
    CHECK(postern__site_append(&site, 64, "x", 1, &line) && line == 8);
    CHECK(postern__site_append(&site, 8, NULL, 0, &none) && none == 9);
    CHECK(block.count == 5 + 9 * 8);
    CHECK(memcmp(block.items, "12345abc\0\0\0\0\0\0\0\0\0", 17) == 0); /* padding is zeros */
    CHECK(*(char *)postern__site_at(&site, line) == 'x');
    CHECK(postern__at_offset(block.items + 5, line) == postern__site_at(&site, line));
    postern__vector_free(&block);
}

static void failing_memory_is_told(void) {
    postern__failing_alloc failing;
    postern__vector block;
    postern__failing_alloc_init(&failing, 1);
    postern__vector_init(&block, 1, &failing.allocator);
    postern__site site = {.block = &block, .start = 0};
    uint32_t offset = 7;
    CHECK(!postern__site_append(&site, 8, "abc", 3, &offset));
    CHECK(offset == 7 && block.count == 0);
    postern__vector_free(&block);
    CHECK(failing.live == 0);
}

TEST_MAIN(RUN(things_stand_at_their_offsets); RUN(failing_memory_is_told))
