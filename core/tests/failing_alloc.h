/* An allocator that fails once, at a chosen request, and knows what it lent.
 *
 *    for (size_t n = 1;; n++) {
 *        postern__failing_alloc failing;
 *        postern__failing_alloc_init(&failing, n);
 *        ... with &failing.allocator; afterwards failing.live must be 0 ...
 *        if (failing.allocations < n) break;   (nothing failed: all were tried)
 *    }
 */
#ifndef POSTERN_FAILING_ALLOC_H
#define POSTERN_FAILING_ALLOC_H

#include "postern.h"

typedef struct postern__failing_alloc {
    postern_allocator allocator;
    size_t allocations; /* requested so far, growths included */
    size_t fail_at;     /* the one that fails, from 1; 0: none */
    size_t live;        /* bytes lent and not given back */
} postern__failing_alloc;

/* Do not copy it afterwards: the allocator points back to it. Every growth
 * moves the block, and a wrong `old_size` aborts. */
void postern__failing_alloc_init(postern__failing_alloc *failing, size_t fail_at);

#endif
