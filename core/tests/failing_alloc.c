#include "failing_alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stands before every block, to check the size the caller says it has. */
typedef union header {
    size_t size;
    max_align_t align;
} header;

static void give_back(postern__failing_alloc *failing, void *block, size_t size) {
    if (block == NULL) return;
    header *head = (header *)block - 1;
    if (head->size != size) {
        fprintf(stderr, "a block of %zu bytes is said to have %zu\n", head->size, size);
        abort();
    }
    failing->live -= size;
    free(head);
}

static void *resize(void *user, void *block, size_t old_size, size_t new_size) {
    postern__failing_alloc *failing = user;
    header *head = NULL;
    if (new_size > 0) {
        if (++failing->allocations == failing->fail_at) return NULL;
        head = malloc(sizeof *head + new_size);
        if (head == NULL) abort();
        head->size = new_size;
        failing->live += new_size;
        if (block != NULL) memcpy(head + 1, block, old_size < new_size ? old_size : new_size);
    }
    give_back(failing, block, old_size);
    return head == NULL ? NULL : head + 1;
}

void postern__failing_alloc_init(postern__failing_alloc *failing, size_t fail_at) {
    *failing = (postern__failing_alloc){.fail_at = fail_at};
    failing->allocator = (postern_allocator){.resize = resize, .user = failing};
}
