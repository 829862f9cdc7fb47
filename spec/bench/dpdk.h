/* DPDK's tables as contestants, where libdpdk-dev is installed. It runs without
 * huge pages; of rte_lpm, whose table is in its header, there is a copy in such. */
#ifndef POSTERN_BENCH_DPDK_H
#define POSTERN_BENCH_DPDK_H

#include "lookups.h"
#include "pages.h"

#ifdef BENCH_DPDK

#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_log.h>
#include <rte_lpm.h>
#include <rte_lpm6.h>
#include <rte_malloc.h>

enum { NO_HOP = 0xFFFFFF };

/* Insertion into rte_lpm searches all rules of a length: a million of one
 * length takes longer than anybody waits. */
enum { LPM_MOST = 700000 };

static double heap(void) {
    struct rte_malloc_socket_stats stats;
    rte_malloc_get_socket_stats(0, &stats);
    return (double)stats.heap_allocsz_bytes / (1 << 20);
}

static inline uint32_t lpm_find(const void *self, uint32_t at) {
    uint32_t hop = 0;
    int missed = rte_lpm_lookup((struct rte_lpm *)(uintptr_t)self, at, &hop);
    return missed != 0 ? NO_HOP : hop;
}

/* Where nothing is found rte_lpm tells so beside what it read; a branch on that
 * is foreseen, and would cut the chain. */
static inline uint32_t lpm_read(const void *self, uint32_t at) {
    uint32_t hop = 0;
    int missed = rte_lpm_lookup((struct rte_lpm *)(uintptr_t)self, at, &hop);
    return hop + (uint32_t)missed;
}

static inline uint32_t fib_find(const void *self, uint32_t at) {
    uint64_t hop;
    rte_fib_lookup_bulk((struct rte_fib *)(uintptr_t)self, &at, &hop, 1);
    return (uint32_t)hop;
}

static inline uint32_t lpm6_find(const void *self, struct bytes at) {
    uint32_t hop = 0;
    return rte_lpm6_lookup(self, at.of, &hop) != 0 ? NO_HOP : hop;
}

static inline uint32_t fib6_find(const void *self, struct bytes at) {
    uint64_t hop;
    rte_fib6_lookup_bulk((struct rte_fib6 *)(uintptr_t)self, &at.of, &hop, 1);
    return (uint32_t)hop;
}

static inline struct bytes turned(struct bytes at, uint32_t turn) {
    uint64_t words[2];
    memcpy(words, at.of, 16);
    words[0] ^= turn;
    words[1] ^= turn;
    memcpy(at.of, words, 16);
    return at;
}

LOOPS(lpm, uint32_t, ipv4, at ^= turn, lpm_find(self, at), lpm_read(self, at))
LOOPS(fib, uint32_t, ipv4, at ^= turn, fib_find(self, at),
      fib_find(self, at))
LOOPS(lpm6, struct bytes, bytes, at = turned(at, turn), lpm6_find(self, at),
      lpm6_find(self, at))
LOOPS(fib6, struct bytes, bytes, at = turned(at, turn), fib6_find(self, at),
      fib6_find(self, at))

static void to_bytes(const postern__address *from, uint8_t to[16]) {
    uint64_t words[2] = {__builtin_bswap64(from->high), __builtin_bswap64(from->low)};
    memcpy(to, words, 16);
}

static void *build_lpm(const postern__prefix *prefixes, size_t count, size_t deep) {
    struct rte_lpm_config config = {.max_rules = (uint32_t)count + 1,
                                    .number_tbl8s = (uint32_t)deep + 256};
    struct rte_lpm *lpm = rte_lpm_create("lpm", 0, &config);
    for (size_t i = 0; lpm != NULL && i < count; i++) {
        uint32_t at = (uint32_t)(prefixes[i].address.high >> 32);
        if (rte_lpm_add(lpm, at, prefixes[i].length, (uint32_t)i) != 0) die("rte_lpm_add");
    }
    return lpm;
}

static void *build_fib(const postern__prefix *prefixes, size_t count, size_t deep) {
    struct rte_fib_conf config = {.type = RTE_FIB_DIR24_8,
                                  .default_nh = NO_HOP,
                                  .max_routes = (int)count + 1,
                                  .dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B,
                                              .num_tbl8 = (uint32_t)deep + 256}};
    struct rte_fib *fib = rte_fib_create("fib", 0, &config);
    for (size_t i = 0; fib != NULL && i < count; i++) {
        uint32_t at = (uint32_t)(prefixes[i].address.high >> 32);
        if (rte_fib_add(fib, at, prefixes[i].length, (uint64_t)i) != 0) die("rte_fib_add");
    }
    return fib;
}

static void *build_lpm6(const postern__prefix *prefixes, size_t count, size_t deep) {
    struct rte_lpm6_config config = {.max_rules = (uint32_t)count + 1,
                                     .number_tbl8s = (uint32_t)deep + 256};
    struct rte_lpm6 *lpm = rte_lpm6_create("lpm6", 0, &config);
    for (size_t i = 0; lpm != NULL && i < count; i++) {
        uint8_t at[16];
        to_bytes(&prefixes[i].address, at);
        if (rte_lpm6_add(lpm, at, prefixes[i].length, (uint32_t)i) != 0) die("rte_lpm6_add");
    }
    return lpm;
}

static void *build_fib6(const postern__prefix *prefixes, size_t count, size_t deep) {
    struct rte_fib6_conf config = {.type = RTE_FIB6_TRIE,
                                   .default_nh = NO_HOP,
                                   .max_routes = (int)count + 1,
                                   .trie = {.nh_sz = RTE_FIB6_TRIE_4B,
                                            .num_tbl8 = (uint32_t)deep + 256}};
    struct rte_fib6 *fib = rte_fib6_create("fib6", 0, &config);
    for (size_t i = 0; fib != NULL && i < count; i++) {
        uint8_t at[16];
        to_bytes(&prefixes[i].address, at);
        if (rte_fib6_add(fib, at, prefixes[i].length, (uint64_t)i) != 0) die("rte_fib6_add");
    }
    return fib;
}

static void build_dpdk(struct contestant *made, const postern__prefix *prefixes, size_t count,
                       size_t deep,
                       void *(*build)(const postern__prefix *, size_t, size_t)) {
    double before = heap(), start = now();
    made->self = build(prefixes, count, deep);
    made->build = now() - start;
    made->memory = heap() - before;
    if (made->self == NULL) made->why = "DPDK could not make it: not enough memory";
}

static void *copied_table, *copied_block; /* one at a time */

/* What its lookups read, elsewhere. */
static void copy_lpm(struct contestant *made, const struct contestant *lpm, size_t deep) {
    const struct rte_lpm *from = lpm->self;
    size_t seconds = (deep + 256) * RTE_LPM_TBL8_GROUP_NUM_ENTRIES * sizeof *from->tbl8;
    size_t size = sizeof *from + seconds;
    void *block = must(malloc(postern__pages_room(0, size, true)));
    struct rte_lpm *table = postern__pages_place(block, 0, size, true);
    memcpy(table, from, sizeof *from);
    table->tbl8 = memcpy(table + 1, from->tbl8, seconds);
    made->self = table;
    made->build = lpm->build;
    made->memory = lpm->memory;
    copied_table = table;
    copied_block = block;
}

static void free_lpm(void *self) {
    if (self == copied_table) free(copied_block);
    else rte_lpm_free(self);
}
static void free_fib(void *self) { rte_fib_free(self); }
static void free_lpm6(void *self) { rte_lpm6_free(self); }
static void free_fib6(void *self) { rte_fib6_free(self); }

static void start_dpdk(void) {
    char *arguments[] = {"bench_cidr", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                         "-l", "0", "-m", "9000", "--log-level", "1", NULL};
    if (rte_eal_init(11, arguments) < 0) die("rte_eal_init");
}

/* As many second tables as DPDK may need. */
static size_t count_deep(const postern__prefix *prefixes, size_t count, uint8_t family) {
    size_t deep = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned length = prefixes[i].length;
        if (length > 24) deep += family == 4 ? 1 : (length - 24 + 7) / 8;
    }
    size_t most = family == 4 ? (size_t)1 << 24 : (size_t)7 << 20;
    return deep < most ? deep : most;
}

#endif

#endif
