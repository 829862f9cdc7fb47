#define _POSIX_C_SOURCE 200112L /* setenv */

#include "pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { HEAD = 40, MIB = 1 << 20 };

static void environment_chooses(void) {
    static const struct {
        const char *wanted;
        bool huge;
    } rows[] = {{NULL, true}, {"", true}, {"huge", true}, {"small", false}, {"tiny", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].wanted == NULL) unsetenv("POSTERN_PAGES");
        else setenv("POSTERN_PAGES", rows[i].wanted, 1);
        CHECK_ROW(postern__pages_huge() == rows[i].huge, rows[i].wanted);
    }
    unsetenv("POSTERN_PAGES");
}

/* Wherever the block begins, all of the table is in it, behind the head. */
static void tables_have_their_place(void) {
    static const struct {
        const char *name;
        size_t size;
        size_t align;
        size_t room; /* behind head and alignment */
    } rows[] = {
        {"nothing", 0, 64, 0},
        {"small", 1000, 64, 1000},
        {"less than a page", 2 * MIB - 1, 64, 2 * MIB - 1},
        {"a page", 2 * MIB, 2 * MIB, 2 * MIB},
        {"a page and some", 2 * MIB + 1000, 2 * MIB, 2 * MIB + 1000},
        {"nearly one and a half", 3 * MIB - 1, 2 * MIB, 3 * MIB - 1},
        {"one and a half", 3 * MIB, 2 * MIB, 4 * MIB},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = rows[i].size;
        for (int huge = 0; huge < 2; huge++) {
            size_t room = postern__pages_room(HEAD, size, huge != 0);
            size_t align = huge ? rows[i].align : 64;
            CHECK_ROW(room == HEAD + align + (huge ? rows[i].room : size), rows[i].name);
            char *block = malloc(room + 64);
            if (block == NULL) abort();
            for (size_t from = 0; from < 64; from += 8) {
                char *table = postern__pages_place(block + from, HEAD, size, huge != 0);
                CHECK_ROW((uintptr_t)table % align == 0, rows[i].name);
                CHECK_ROW(table >= block + from + HEAD, rows[i].name);
                CHECK_ROW(table + size <= block + from + room, rows[i].name);
                memset(table, 7, size);
            }
            free(block);
        }
    }
}

TEST_MAIN(
    RUN(environment_chooses);
    RUN(tables_have_their_place)
)
