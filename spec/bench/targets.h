/* What was promised of sets of addresses, and what a run gave: a row for each
 * promise whose case was run, printed at the end. */
#ifndef POSTERN_BENCH_TARGETS_H
#define POSTERN_BENCH_TARGETS_H

#include <stdio.h>

enum { TARGETS_MOST = 64 };

struct target {
    char what[72];
    double figure, goal;
    int at_least; /* else at most */
    const char *unit;
};

struct targets {
    struct target of[TARGETS_MOST];
    size_t count;
};

static void add_target(struct targets *targets, struct target target, const char *who,
                       const char *what) {
    if (targets->count == TARGETS_MOST) return;
    snprintf(target.what, sizeof target.what, "%s, %s", what, who);
    targets->of[targets->count++] = target;
}

static void print_targets(const struct targets *targets) {
    if (targets->count > 0) printf("\n%-54s %10s %10s\n", "targets", "figure", "goal");
    for (size_t i = 0; i < targets->count; i++) {
        const struct target *target = &targets->of[i];
        int met = target->at_least ? target->figure >= target->goal : target->figure <= target->goal;
        printf("  %-52s %8.2f %-3s %s %g  %s\n", target->what, target->figure, target->unit,
               target->at_least ? ">=" : "<=", target->goal, met ? "met" : "missed");
    }
}

#endif
