/* Lookups of addresses among prefixes: postern's sets beside DPDK's rte_lpm,
 * rte_fib, rte_lpm6 and rte_fib6 and a plain radix tree.
 *
 *    bench_cidr              those cases below that have targets: `make bench-structures`
 *    bench_cidr all          every case, and every path
 *    bench_cidr NAME SIZE    one of them: net4 1000
 *    bench_cidr NAME SIZE TURNS   TURNS through the stream of hits in `round_of`, of
 *                            `longest` and then of `members` on the path that the
 *                            environment names, and nothing else, for a profiler
 *
 * The answers of all are compared with each other before anything is timed.
 * Rounds of all contestants take turns, so that a slow moment hits all alike;
 * medians, and the least and the most. A dependent lookup has its address made
 * from the answer before it, by arithmetic no processor can foresee, as branches
 * can be: what it costs is the way through memory. DPDK runs without huge pages, and
 * beside it Postern's sets are in small ones too; large sets are in huge pages as
 * well, as a matcher has them, beside a copy of rte_lpm's table in such. Every prefix
 * has a value of its own; a row of few values looks up which by a table of its own,
 * for which rte_lpm costs the same as without.
 * Where POSTERN_BENCH_RESULTS names a file, every figure is a line in it.
 *
 * Built for this processor. DPDK's own flags name an old one and come later on
 * a command line, so CMakeLists.txt takes that one out. */
#define _GNU_SOURCE

#include "dpdk.h"
#include "pages.h"
#include "radix.h"
#include "result.h"
#include "targets.h"

enum { ROUNDS = 9, MOST = 16 };

/* With less all that is looked up stays in the caches. */
enum { FEW_VALUES_FROM = 50000 };

/* A plain radix of more takes most of the time of all. */
enum { RADIX_MOST = 200000 };

/* ---- Postern --------------------------------------------------------------- */

struct ours {
    void *block;
    const char *set;
    const uint8_t *values; /* of few values, one for each prefix */
    postern__simd simd;
};

static inline int32_t ours_find4(const struct ours *ours, uint32_t at) {
    postern__address address = {.high = (uint64_t)at << 32, .family = 4};
    return postern__cidr_find(ours->set, ours->simd, &address);
}

static inline int32_t value_find4(const struct ours *ours, uint32_t at) {
    return ours->values[ours_find4(ours, at) + 1];
}

static inline int32_t ours_find6(const struct ours *ours, pair at) {
    postern__address address = {.high = at.high, .low = at.low, .family = 6};
    return postern__cidr_find(ours->set, ours->simd, &address);
}

LOOPS(ours4, uint32_t, ipv4, at ^= turn, ours_find4(self, at),
      ours_find4(self, at))
LOOPS(value4, uint32_t, ipv4, at ^= turn, value_find4(self, at), value_find4(self, at))
LOOPS(ours6, pair, ipv6, (at.high ^= turn, at.low ^= turn), ours_find6(self, at),
      ours_find6(self, at))

struct how {
    postern__answer answer;
    postern__simd simd;
    bool huge;
};

static void build_ours(struct contestant *made, const postern__prefix *prefixes, size_t count,
                       struct how how) {
    struct ours *ours = must(calloc(1, sizeof *ours));
    postern_allocator allocator = postern__allocator(NULL);
    postern__vector block;
    size_t offset;
    double start = now();
    postern__vector_init(&block, 1, &allocator);
    if (!postern__cidr_build(prefixes, count, how.answer, &block, &offset)) die("no set");
    made->build = now() - start;
    made->memory = (double)block.count / (1 << 20);
    ours->block = must(malloc(postern__pages_room(0, block.count, how.huge)));
    ours->set = memcpy(postern__pages_place(ours->block, 0, block.count, how.huge), block.items,
                       block.count);
    postern__vector_free(&block);
    ours->simd = how.simd;
    made->self = ours;
    made->members = how.answer == POSTERN__MEMBERSHIP;
}

/* Its value is as good as random: prefixes are in random order. */
static void add_values(struct contestant *made, size_t count) {
    uint8_t *values = must(malloc(count + 1));
    values[0] = 0; /* of no prefix */
    for (size_t i = 0; i < count; i++) values[i + 1] = (uint8_t)(i % VALUES);
    ((struct ours *)made->self)->values = values;
    made->memory += (double)count / (1 << 20);
    made->kinds = true;
}

static void free_ours(void *self) {
    struct ours *ours = self;
    free((void *)(uintptr_t)ours->values);
    free(ours->block);
    free(ours);
}

/* ---- Sets and streams ------------------------------------------------------ */

/* NET is like a routing table, HOST like a list of
 * blocked addresses, ALLOCATED like NET within few regions. */
enum mix { NET, HOST, ALLOCATED };

static unsigned draw_length(enum mix mix, unsigned bits) {
    uint64_t percent = below(100);
    if (mix == HOST) {
        if (percent < 90) return bits;
        if (percent < 95) return bits == 32 ? 24 : 64;
        return bits == 32 ? 16 + (unsigned)below(16) : 32 + (unsigned)below(33);
    }
    if (bits == 32) return percent < 60 ? 24 : 16 + (unsigned)below(9);
    if (percent < 50) return 48;
    return percent < 75 ? 32 : 33 + (unsigned)below(32);
}

static postern__prefix draw_prefix(enum mix mix, uint8_t family) {
    static const uint16_t regions[] = {0x2001, 0x2400, 0x2404, 0x2600, 0x2603, 0x2800, 0x2a00,
                                       0x2a02, 0x2a0a, 0x2c0f};
    unsigned bits = family == 4 ? 32 : 128;
    unsigned length = draw_length(mix, bits);
    postern__address address = {.high = next_random(), .low = next_random(), .family = family};
    if (family == 6) address.high = address.high >> 3 | UINT64_C(0x2000000000000000);
    if (mix == ALLOCATED) {
        uint64_t region = regions[below(sizeof regions / sizeof *regions)];
        address.high = region << 48 | (next_random() >> 16 & UINT64_C(0x0FFFFFFFFFFF));
        if (length == 32) length = 40;
    }
    if (family == 4) address.low = 0;
    address.high &= postern__high_mask(length);
    address.low &= postern__low_mask(length);
    return (postern__prefix){.address = address, .length = (uint8_t)length};
}

static int by_value(const void *a, const void *b) {
    const postern__prefix *x = a, *y = b;
    if (x->address.high != y->address.high) return x->address.high < y->address.high ? -1 : 1;
    if (x->address.low != y->address.low) return x->address.low < y->address.low ? -1 : 1;
    return (int)x->length - (int)y->length;
}

/* Different ones, in random order. Returns how many. */
static size_t draw_prefixes(enum mix mix, uint8_t family, postern__prefix *out, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = draw_prefix(mix, family);
    qsort(out, count, sizeof *out, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || by_value(&out[kept - 1], &out[i]) != 0) out[kept++] = out[i];
    }
    for (size_t i = kept; i > 1; i--) {
        size_t other = below(i);
        postern__prefix swapped = out[i - 1];
        out[i - 1] = out[other];
        out[other] = swapped;
    }
    return kept;
}

enum kind { UNI, HIT, SKEW, KINDS };
static const char *const kinds[KINDS] = {"uni", "hit", "skew"};

static pair draw_address(enum kind kind, uint8_t family, const postern__prefix *prefixes,
                         size_t count) {
    pair any = {next_random(), next_random()};
    if (family == 4) any.high &= UINT64_C(0xFFFFFFFF00000000), any.low = 0;
    if (kind == UNI) return any;
    const postern__prefix *in = &prefixes[below(count)];
    pair hit = {in->address.high | (any.high & ~postern__high_mask(in->length)),
                in->address.low | (any.low & ~postern__low_mask(in->length))};
    return hit;
}

/* SKEW: member i of 65536 addresses about as often as 1/i, half of them hits. */
static void fill_stream(enum kind kind, uint8_t family, const postern__prefix *prefixes,
                        size_t count, struct stream *out) {
    enum { POPULAR = 1 << 16 };
    static pair popular[POPULAR];
    for (size_t i = 0; i < POPULAR; i++)
        popular[i] = draw_address(i % 2 ? HIT : UNI, family, prefixes, count);
    for (size_t i = 0; i < STREAM; i++) {
        pair at;
        if (kind == SKEW) {
            double uniform = (double)(next_random() >> 11) / 9007199254740992.0;
            at = popular[(size_t)(__builtin_exp2(uniform * 16)) - 1];
        } else {
            at = draw_address(kind, family, prefixes, count);
        }
        out->ipv4[i] = (uint32_t)(at.high >> 32);
        out->ipv6[i] = at;
        uint64_t words[2] = {__builtin_bswap64(at.high), __builtin_bswap64(at.low)};
        memcpy(out->bytes[i].of, words, 16);
    }
}

/* ---- Running ---------------------------------------------------------------- */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_answers(const struct contestant *all, size_t count,
                          const struct stream *stream) {
    static int32_t expected[STREAM];
    all[0].answers(all[0].self, stream);
    memcpy(expected, found, sizeof expected);
    for (size_t c = 1; c < count; c++) {
        if (all[c].self == NULL) continue;
        all[c].answers(all[c].self, stream);
        for (size_t i = 0; i < STREAM; i++) {
            int32_t answer = found[i] == 0xFFFFFF ? -1 : found[i];
            int32_t wanted = all[c].members && expected[i] >= 0 ? 0 : expected[i];
            if (all[c].kinds) wanted = wanted < 0 ? 0 : wanted % VALUES;
            if (answer == wanted) continue;
            fprintf(stderr, "address %zu: %s answers %d, not %d\n", i, all[c].name, answer, wanted);
            die("answers differ");
        }
    }
}

static double times[MOST][2][ROUNDS];
static volatile uint64_t sink;

static void time_stream(const struct contestant *all, size_t count, const struct stream *stream) {
    for (int round = -1; round < ROUNDS; round++) { /* the first one warms up */
        for (size_t c = 0; c < count; c++) {
            for (int form = 0; form < 2 && all[c].self != NULL; form++) {
                double start = now();
                sink += (form == 0 ? all[c].throughput : all[c].dependent)(all[c].self, stream);
                if (round >= 0) times[c][form][round] = (now() - start) * 1e9 / STREAM;
            }
        }
    }
    for (size_t c = 0; c < count; c++) {
        for (int form = 0; form < 2; form++)
            qsort(times[c][form], ROUNDS, sizeof(double), ascending);
    }
}

static void print_stream(const char *kind, const struct contestant *all, size_t count) {
    double best[2] = {times[1][0][ROUNDS / 2], times[1][1][ROUNDS / 2]};
    for (size_t c = 0; c < count; c++) {
        if (all[c].self == NULL) continue;
        double *one = times[c][0], *chain = times[c][1];
        printf("  %-5s %-24s %8.2f %7.2f-%-8.2f %6.2f  %8.1f %7.1f-%-8.1f %6.2f\n", kind,
               all[c].name, one[ROUNDS / 2], one[0], one[ROUNDS - 1], one[ROUNDS / 2] / best[0],
               chain[ROUNDS / 2], chain[0], chain[ROUNDS - 1], chain[ROUNDS / 2] / best[1]);
    }
}

struct bench_case {
    const char *name;
    enum mix mix;
    uint8_t family;
    size_t size;
    bool usual; /* run when nothing is asked for */
};

static const struct bench_case cases[] = {
    {"net4", NET, 4, 10, true},           {"net4", NET, 4, 100, true},
    {"net4", NET, 4, 1000, true},         {"net4", NET, 4, 100000, true},
    {"net4", NET, 4, 1000000, true},      {"host4", HOST, 4, 1000, false},
    {"host4", HOST, 4, 100000, false},    {"host4", HOST, 4, 1000000, false},
    {"net6", NET, 6, 10, false},          {"net6", NET, 6, 1000, false},
    {"net6", NET, 6, 100000, false},      {"net6", NET, 6, 1000000, true},
    {"allocated6", ALLOCATED, 6, 100000, false}, {"allocated6", ALLOCATED, 6, 1000000, false},
    {"host6", HOST, 6, 100000, false},    {"host6", HOST, 6, 1000000, false},
};

/* ---- Results ----------------------------------------------------------------- */

static const struct contestant *contestant_of(const struct contestant *all, size_t count,
                                              const char *name) {
    for (size_t c = 0; c < count; c++) {
        if (strcmp(all[c].name, name) == 0 && all[c].self != NULL) return &all[c];
    }
    return NULL;
}

static double median_of(const struct contestant *all, const struct contestant *one, int form) {
    return times[one - all][form][ROUNDS / 2];
}

static void note_size(struct targets *targets, const struct bench_case *from,
                      const struct contestant *ours, const struct contestant *fib) {
    if (from->size < 1000000 || from->mix != NET) return;
    if (from->family == 4) {
        add_target(targets, (struct target){.figure = ours->memory, .goal = 8, .unit = "MiB"},
                   ours->name, "net4 1M memory");
        add_target(targets, (struct target){.figure = ours->build, .goal = 0.5, .unit = "s"},
                   ours->name, "net4 1M build");
    } else if (fib != NULL) {
        struct target smaller = {.figure = fib->memory / ours->memory, .goal = 100,
                                 .at_least = true, .unit = "x"};
        add_target(targets, smaller, ours->name, "net6 1M memory, rte_fib6 to ours");
    }
}

/* How many times ours goes into the other's time. */
static void note_speed(struct targets *targets, const struct contestant *all,
                       const struct contestant *ours, const struct contestant *other, int form,
                       double goal, const char *of, const char *kind) {
    if (other == NULL) return;
    char what[48];
    snprintf(what, sizeof what, "%s %s, %s, %s", of, kind, form == 0 ? "throughput" : "dependent",
             other->name);
    struct target target = {.figure = median_of(all, other, form) / median_of(all, ours, form),
                            .goal = goal, .at_least = true, .unit = "x"};
    add_target(targets, target, ours->name, what);
}

static void note_stream(struct targets *targets, const struct bench_case *from, enum kind kind,
                        const struct contestant *all, size_t count) {
    const struct contestant *lpm = contestant_of(all, count, "rte_lpm");
    const struct contestant *fib = contestant_of(all, count, "rte_fib");
    const struct contestant *fib6 = contestant_of(all, count, "rte_fib6");
    for (size_t c = 0; c < 2 && from->mix == NET; c++) { /* by the best path */
        const struct contestant *ours = &all[c];
        if (kind == UNI) note_size(targets, from, ours, fib6);
        if (from->family == 4 && from->size == 10) {
            struct target tiny = {.figure = median_of(all, ours, 0), .goal = 10, .unit = "ns"};
            if (kind == HIT) add_target(targets, tiny, ours->name, "net4 10 hit, throughput");
        } else if (from->family == 4 && from->size <= 1000) {
            if (kind == HIT)
                note_speed(targets, all, ours, lpm, 0, 0.25,
                           from->size == 100 ? "net4 100" : "net4 1000", kinds[kind]);
        } else if (from->family == 4 && from->size >= 1000000 && kind != SKEW) {
            note_speed(targets, all, ours, lpm, 1, 3, "net4 1M", kinds[kind]);
            note_speed(targets, all, ours, fib, 1, 3, "net4 1M", kinds[kind]);
            note_speed(targets, all, ours, lpm, 0, 1, "net4 1M", kinds[kind]);
        } else if (from->family == 6 && from->size >= 1000000 && kind == HIT) {
            note_speed(targets, all, ours, fib6, 0, 2, "net6 1M", kinds[kind]);
        }
    }
}

static void append_results(const struct bench_case *from, enum kind kind,
                           const struct contestant *all, size_t count) {
    for (size_t c = 0; c < count; c++) {
        char family[24];
        snprintf(family, sizeof family, "%s %s", from->name, kinds[kind]);
        for (int form = 0; form < 2 && all[c].self != NULL; form++) {
            bench_result row = {.name = all[c].name, .family = family, .size = from->size,
                                .form = form == 0 ? "throughput" : "dependent", .unit = "ns"};
            bench_result_append(&row, times[c][form], ROUNDS);
        }
        if (kind != UNI || all[c].self == NULL) continue;
        double memory = all[c].memory, build = all[c].build;
        bench_result_append(&(bench_result){.name = all[c].name, .family = from->name,
                                            .size = from->size, .unit = "MiB"},
                            &memory, 1);
        bench_result_append(&(bench_result){.name = all[c].name, .family = from->name,
                                            .size = from->size, .unit = "s"},
                            &build, 1);
    }
}

/* ---- Cases --------------------------------------------------------------------- */

#define RUNNERS(name) .answers = name##_answers, .throughput = name##_throughput, \
                      .dependent = name##_dependent

static struct contestant make_ours(char name[32], const postern__prefix *prefixes, size_t count,
                                   uint8_t family, struct how how) {
    snprintf(name, 32, "%s, %s%s", how.answer == POSTERN__LONGEST ? "longest" : "members",
             postern__simd_name(how.simd), how.huge ? ", huge pages" : "");
    struct contestant made = {.name = name, RUNNERS(ours4)};
    if (family == 6) made = (struct contestant){.name = name, RUNNERS(ours6)};
    build_ours(&made, prefixes, count, how);
    return made;
}

/* Ours by the best path first: the answers and ratios of the rest are measured
 * by it. Its two sets on every other path as well, the large ones in huge pages,
 * and of many prefixes few values. */
static size_t enter_ours(struct contestant *all, const postern__prefix *prefixes, size_t count,
                         uint8_t family, bool every_path) {
    static char names[MOST][32];
    size_t entered = 0;
    postern__simd best = postern__simd_best();
    for (int simd = (int)best; simd >= (every_path ? POSTERN__SCALAR : (int)best); simd--) {
        for (int answer = POSTERN__LONGEST; answer >= POSTERN__MEMBERSHIP; answer--) {
            struct how how = {(postern__answer)answer, (postern__simd)simd, false};
            all[entered] = make_ours(names[entered], prefixes, count, family, how);
            entered++;
        }
    }
    for (size_t small = 0; small < 2; small++) {
        if (all[small].memory < 2) continue;
        struct how how = {small == 0 ? POSTERN__LONGEST : POSTERN__MEMBERSHIP, best, true};
        all[entered] = make_ours(names[entered], prefixes, count, family, how);
        entered++;
    }
    if (family == 4 && count >= FEW_VALUES_FROM) {
        struct contestant made = {.name = "longest, 256 values", RUNNERS(value4)};
        build_ours(&made, prefixes, count, (struct how){POSTERN__LONGEST, best, false});
        add_values(&made, count);
        all[entered++] = made;
    }
    return entered;
}

static void print_sizes(const struct contestant *all, size_t count) {
    for (size_t c = 0; c < count; c++) {
        if (all[c].self == NULL) {
            printf("  %-24s not compared: %s\n", all[c].name, all[c].why);
        } else {
            printf("  %-24s build %8.3f s  memory %9.3f MiB\n", all[c].name, all[c].build,
                   all[c].memory);
        }
    }
}

static size_t enter_peers(struct contestant *all, const struct bench_case *from,
                          const postern__prefix *prefixes, size_t count) {
    size_t entered = 0;
    struct contestant radix = {.name = "plain radix", RUNNERS(radix4)};
    if (from->family == 6) radix = (struct contestant){.name = "plain radix", RUNNERS(radix6)};
    radix.why = "it would take most of the time";
    if (count <= RADIX_MOST) build_radix(&radix, prefixes, count);
    all[entered++] = radix;
#ifdef BENCH_DPDK
    size_t deep = count_deep(prefixes, count, from->family);
    if (from->family == 4) {
        struct contestant lpm = {.name = "rte_lpm", RUNNERS(lpm)};
        lpm.why = "rte_lpm needs too long to insert so many of one length";
        if (from->mix != HOST || count <= LPM_MOST) {
            build_dpdk(&lpm, prefixes, count, deep, build_lpm);
        }
        struct contestant fib = {.name = "rte_fib", RUNNERS(fib)};
        build_dpdk(&fib, prefixes, count, deep, build_fib);
        all[entered++] = lpm;
        if (lpm.self != NULL) {
            struct contestant huge = {.name = "rte_lpm, huge pages", RUNNERS(lpm)};
            copy_lpm(&huge, &lpm, deep);
            all[entered++] = huge;
        }
        all[entered++] = fib;
    } else {
        struct contestant lpm = {.name = "rte_lpm6", RUNNERS(lpm6)};
        lpm.why = "its table and that of rte_fib6 do not fit together";
        if (count <= LPM_MOST) build_dpdk(&lpm, prefixes, count, deep, build_lpm6);
        struct contestant fib = {.name = "rte_fib6", RUNNERS(fib6)};
        build_dpdk(&fib, prefixes, count, deep, build_fib6);
        all[entered++] = lpm;
        all[entered++] = fib;
    }
#endif
    return entered;
}

static void leave(struct contestant *all, size_t ours, size_t count) {
    for (size_t c = 0; c < ours; c++) free_ours(all[c].self);
    if (all[ours].self != NULL) free_radix(all[ours].self);
#ifdef BENCH_DPDK
    for (size_t c = ours + 1; c < count; c++) {
        if (all[c].self == NULL) continue;
        if (all[c].answers == lpm_answers) free_lpm(all[c].self);
        if (all[c].answers == fib_answers) free_fib(all[c].self);
        if (all[c].answers == lpm6_answers) free_lpm6(all[c].self);
        if (all[c].answers == fib6_answers) free_fib6(all[c].self);
    }
#else
    (void)count;
#endif
}

static void run_case(const struct bench_case *from, bool every_path, struct stream *stream,
                     struct targets *targets) {
    postern__prefix *prefixes = must(malloc(from->size * sizeof *prefixes));
    struct contestant all[MOST];
    size_t count = draw_prefixes(from->mix, from->family, prefixes, from->size);
    size_t ours = enter_ours(all, prefixes, count, from->family, every_path);
    size_t entered = ours + enter_peers(all + ours, from, prefixes, count);
    printf("\n%s %zu: %zu prefixes\n", from->name, from->size, count);
    for (size_t c = 0; c < 2; c++) {
        const struct ours *one = all[c].self;
        postern__cidr_report report = postern__cidr_describe(one->set, from->family);
        printf("  %-24s %zu ends of ranges, shape %s\n", all[c].name, report.ends,
               postern__shape_name(report.shape));
    }
    print_sizes(all, entered);
    printf("  %-30s %8s %16s %6s  %8s %16s %6s\n", "", "ns", "least-most", "ratio", "dependent",
           "least-most", "ratio");
    for (int kind = UNI; kind < KINDS; kind++) {
        fill_stream((enum kind)kind, from->family, prefixes, count, stream);
        check_answers(all, entered, stream);
        time_stream(all, entered, stream);
        print_stream(kinds[kind], all, entered);
        note_stream(targets, from, (enum kind)kind, all, entered);
        append_results(from, (enum kind)kind, all, entered);
        fflush(stdout);
    }
    leave(all, ours, entered);
    free(prefixes);
}

/* ---- For a profiler -------------------------------------------------------------- */

/* Never inlined: instructions are counted while it runs. */
__attribute__((noinline)) static void round_of(const struct contestant *ours,
                                               const struct stream *stream, long turns) {
    for (long i = 0; i < turns; i++) sink += ours->throughput(ours->self, stream);
}

static const struct bench_case *case_of(const char *name, const char *size) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, name) == 0 && cases[i].size == strtoul(size, NULL, 10)) return &cases[i];
    }
    die("no such case");
    return NULL;
}

static void profile_case(const struct bench_case *from, long turns, struct stream *stream) {
    postern__prefix *prefixes = must(malloc(from->size * sizeof *prefixes));
    size_t count = draw_prefixes(from->mix, from->family, prefixes, from->size);
    fill_stream(HIT, from->family, prefixes, count, stream);
    for (int answer = POSTERN__LONGEST; answer >= POSTERN__MEMBERSHIP; answer--) {
        struct contestant ours = {.name = "ours", RUNNERS(ours4)};
        if (from->family == 6) ours = (struct contestant){.name = "ours", RUNNERS(ours6)};
        struct how how = {(postern__answer)answer, postern__simd_choose(), false};
        build_ours(&ours, prefixes, count, how);
        sink += ours.throughput(ours.self, stream); /* caches are warm then */
        round_of(&ours, stream, turns);
        free_ours(ours.self);
    }
    free(prefixes);
}

int main(int argc, char **argv) {
    bool every = argc == 2 && strcmp(argv[1], "all") == 0;
    long turns = argc == 4 ? atol(argv[3]) : 0;
    if (argc != 1 && argc != 3 && !every && turns <= 0) {
        die("usage: bench_cidr [all | NAME SIZE [TURNS]]");
    }
    struct targets targets = {.count = 0};
    struct stream stream = {.ipv4 = must(malloc(STREAM * sizeof(uint32_t))),
                            .ipv6 = must(malloc(STREAM * sizeof(pair))),
                            .bytes = must(malloc(STREAM * sizeof(struct bytes)))};
    if (turns > 0) {
        profile_case(case_of(argv[1], argv[2]), turns, &stream);
        return 0;
    }
#ifdef BENCH_DPDK
    start_dpdk();
#else
    puts("not compared: rte_lpm, rte_fib, rte_lpm6, rte_fib6: libdpdk-dev is not installed");
#endif
    puts("ratios are to `members` by the best path; streams of 262144 addresses: uniform, within\n"
         "a random member, and skewed towards few, half of them members");
    bool any = false;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct bench_case *one = &cases[i];
        if (argc == 3 && strcmp(one->name, argv[1]) != 0) continue;
        if (argc == 3 && one->size != strtoul(argv[2], NULL, 10)) continue;
        if (argc == 1 && !one->usual) continue;
        run_case(one, every || argc == 3, &stream, &targets);
        any = true;
    }
    print_targets(&targets);
    free(stream.bytes);
    free(stream.ipv6);
    free(stream.ipv4);
    if (!any) die("no such case");
    return 0;
}
