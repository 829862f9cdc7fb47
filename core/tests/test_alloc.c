#include "alloc.h"

#include <stdint.h>

#include "failing_alloc.h"
#include "test.h"

static void null_means_malloc(void) {
    postern_allocator allocator = postern__allocator(NULL);
    char *block = postern__alloc(&allocator, 3);
    CHECK(block != NULL);
    if (block == NULL) return;
    memcpy(block, "ab", 3);
    block = allocator.resize(allocator.user, block, 3, 1000);
    CHECK(block != NULL);
    CHECK_TEXT(block, "ab");
    postern__free(&allocator, block, 1000);
    CHECK(allocator.resize(allocator.user, NULL, 0, 0) == NULL);
}

static void own_allocator_is_used(void) {
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 2);
    postern_allocator allocator = postern__allocator(&failing.allocator);
    void *block = postern__alloc(&allocator, 24);
    CHECK(block != NULL);
    CHECK(failing.live == 24);
    CHECK(postern__alloc(&allocator, 1) == NULL);
    postern__free(&allocator, block, 24);
    CHECK(failing.live == 0);
}

static void free_takes_null(void) {
    /* No function to call: doing so would crash. */
    postern_allocator allocator = {.resize = NULL, .user = NULL};
    postern__free(&allocator, NULL, 0);
    CHECK(allocator.user == NULL);
}

static void vector_grows_and_keeps(void) {
    enum { COUNT = 1000 };
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 0);
    postern__vector vector;
    postern__vector_init(&vector, sizeof(int), &failing.allocator);
    CHECK(failing.allocations == 0); /* an empty vector costs nothing */
    for (int i = 0; i < COUNT; i++) {
        int *item = postern__vector_push(&vector, &i, 1);
        CHECK(item != NULL && *item == i);
    }
    CHECK(vector.count == COUNT);
    int wrong = 0;
    for (int i = 0; i < COUNT; i++) wrong += *POSTERN__AT(&vector, int, i) != i;
    CHECK(wrong == 0);
    CHECK(failing.allocations <= 8); /* doubling from 16, not once per item */
    postern__vector_free(&vector);
    CHECK(vector.items == NULL && vector.count == 0 && vector.capacity == 0);
    CHECK(failing.live == 0);
}

static void push_takes_several_and_none(void) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector vector;
    postern__vector_init(&vector, 1, &allocator);
    CHECK(postern__vector_push(&vector, "abc", 3) != NULL);
    char *room = postern__vector_push(&vector, NULL, 2);
    CHECK(room != NULL);
    CHECK(room == vector.items + 3);
    if (room != NULL) memcpy(room, "de", 2);
    CHECK(postern__vector_push(&vector, "f", 0) == vector.items + 5);
    CHECK(vector.count == 5);
    CHECK(memcmp(vector.items, "abcde", 5) == 0);
    postern__vector_free(&vector);
}

/* NULL would read as out of memory. */
static void pushing_none_on_nothing_succeeds(void) {
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector vector;
    postern__vector_init(&vector, 8, &allocator);
    CHECK(postern__vector_push(&vector, NULL, 0) != NULL);
    CHECK(vector.count == 0);
    postern__vector_free(&vector);
}

static void reserve_makes_room_once(void) {
    postern__failing_alloc failing;
    postern__failing_alloc_init(&failing, 2);
    postern__vector vector;
    postern__vector_init(&vector, 8, &failing.allocator);
    CHECK(postern__vector_reserve(&vector, 100));
    CHECK(vector.count == 0);
    CHECK(vector.capacity >= 100);
    CHECK(postern__vector_push(&vector, NULL, 100) != NULL);
    CHECK(failing.allocations == 1);
    postern__vector_free(&vector);
    CHECK(failing.live == 0);
}

/* A refusal at any step leaves what was there, and the next push may succeed. */
static void failed_push_changes_nothing(void) {
    for (size_t fail_at = 1; fail_at < 7; fail_at++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, fail_at);
        postern__vector vector;
        postern__vector_init(&vector, sizeof(size_t), &failing.allocator);
        size_t pushed = 0;
        while (postern__vector_push(&vector, &pushed, 1) != NULL) pushed++;
        CHECK(vector.count == pushed);
        CHECK(vector.capacity == pushed);
        CHECK((pushed == 0) == (fail_at == 1));
        CHECK(postern__vector_push(&vector, &pushed, 1) != NULL);
        size_t wrong = 0;
        for (size_t i = 0; i <= pushed; i++) wrong += *POSTERN__AT(&vector, size_t, i) != i;
        CHECK(wrong == 0);
        postern__vector_free(&vector);
        CHECK(failing.live == 0);
    }
}

/* Sizes whose product does not fit are refused before the allocator sees a
 * small, wrapped number. */
static void sizes_cannot_wrap(void) {
    static const struct {
        size_t item_size;
        size_t more;
    } rows[] = {
        {1, SIZE_MAX},
        {1, (size_t)PTRDIFF_MAX}, /* one item is there already */
        {8, SIZE_MAX / 8 + 1},    /* times 8 wraps to 0 */
        {8, (size_t)PTRDIFF_MAX / 8},
        {sizeof(postern_error), SIZE_MAX / sizeof(postern_error) + 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, 0);
        postern__vector vector;
        postern__vector_init(&vector, rows[i].item_size, &failing.allocator);
        CHECK(postern__vector_push(&vector, NULL, 1) != NULL);
        CHECK(!postern__vector_reserve(&vector, rows[i].more));
        CHECK(postern__vector_push(&vector, NULL, rows[i].more) == NULL);
        CHECK(failing.allocations == 1);
        CHECK(vector.count == 1);
        postern__vector_free(&vector);
        CHECK(failing.live == 0);
    }
}

/* What is taken is as large as what was pushed, and the vector begins anew; where
 * memory runs out it keeps what it has. */
static void what_is_taken_fits(void) {
    for (size_t count = 1; count <= 64; count++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, 0);
        postern__vector vector;
        postern__vector_init(&vector, sizeof(size_t), &failing.allocator);
        for (size_t i = 0; i < count; i++) postern__vector_push(&vector, &i, 1);
        failing.fail_at = failing.allocations + 1;
        size_t *items = vector.count < vector.capacity ? postern__vector_take(&vector) : NULL;
        CHECK(items == NULL && vector.count == count);
        failing.fail_at = 0;
        items = postern__vector_take(&vector);
        CHECK(items != NULL && failing.live == count * sizeof *items);
        CHECK(vector.items == NULL && vector.count == 0 && vector.capacity == 0);
        for (size_t i = 0; items != NULL && i < count; i++) CHECK(items[i] == i);
        postern__free(&failing.allocator, items, count * sizeof *items);
        CHECK(failing.live == 0);
    }
}

TEST_MAIN(RUN(null_means_malloc); RUN(own_allocator_is_used); RUN(free_takes_null);
          RUN(vector_grows_and_keeps); RUN(push_takes_several_and_none);
          RUN(pushing_none_on_nothing_succeeds); RUN(reserve_makes_room_once);
          RUN(failed_push_changes_nothing); RUN(sizes_cannot_wrap);
          RUN(what_is_taken_fits))
