/* Sets of prefixes, and the public matcher over one. */
#ifndef POSTERN_CIDR_H
#define POSTERN_CIDR_H

#include "address.h"
#include "error.h"

/* A set, in one block. Each family is either flat or a trie, whichever its
 * number of different prefixes makes cheaper.
 *
 *   part IPv4 | part IPv6 | what IPv4 needs | what IPv6 needs
 *
 * Flat: the prefixes as value, mask and index, longest first; the first that
 * holds the address is the answer.
 *
 * Trie: a node first checks bits that all its prefixes have in common (the
 * path, often none), then takes six bits as a slot. A bit per slot in
 * `children` says that longer prefixes go on there: the child is found by
 * counting the bits up to it. Every other slot has an answer. Equal answers
 * side by side are stored once, as a leaf, and a bit in `runs` marks the slot
 * where each begins. Shown with two bits a slot; x is a child, a and b are
 * indexes, - is no match:
 *
 *                  skip 3   path 101   miss -
 *                  slot       0  1  2  3
 *                  answers    a  a  x  b
 *                  children   0  0  1  0   first_child --> [ child of slot 2 ]
 *                  runs       1  0  0  1   first_leaf ---> [ a | b ]
 *
 * An address whose next three bits are not 101 answers `miss`, which is the
 * answer of the slot that led here. Answers already include what shorter
 * prefixes say, so that find never goes back.
 *
 * Appends to `block` (a vector of bytes) a set of prefixes that can be found
 * from its own start alone: it holds offsets, so it may be copied or mapped
 * anywhere that is aligned to 8. Prefix i answers as i. The start of the set
 * within the block goes to `offset`, a multiple of 8. The bytes depend on the
 * prefixes alone. False: out of memory, or more than INT32_MAX prefixes; the
 * block is as it was. */
bool postern__cidr_build(const postern__prefix *prefixes, size_t count, postern__vector *block,
                         size_t *offset);

/* The index of the longest prefix that holds `address`, the earlier of equals,
 * or -1. `set` is the start that build gave. Its time is bounded by the length
 * of an address: at most 32 compares or 22 nodes. */
int32_t postern__cidr_find(const void *set, const postern__address *address);

#endif
