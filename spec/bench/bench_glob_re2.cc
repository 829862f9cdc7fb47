/* RE2 and RE2::Set for bench_glob. */
#include <re2/re2.h>
#include <re2/set.h>

#include <cstdlib>
#include <vector>

#include "bench_glob.h"

namespace {

RE2::Options options() {
    RE2::Options out;
    out.set_dot_nl(true);
    out.set_max_mem(int64_t{1} << 30);
    out.set_log_errors(false);
    return out;
}

void *one_new(const char *pattern, size_t) {
    char *regex = bench_regex(pattern);
    RE2 *re = new RE2(regex, options());
    free(regex);
    if (!re->ok()) abort();
    return re;
}

int one_match(void *self, const char *text, size_t length) {
    return RE2::FullMatch(re2::StringPiece(text, length), *static_cast<RE2 *>(self));
}

void one_free(void *self) { delete static_cast<RE2 *>(self); }

struct many {
    RE2::Set set;
    std::vector<int> found;
    many() : set(options(), RE2::ANCHOR_BOTH) {}
};

void *many_new(const char *const *patterns, size_t count) {
    many *self = new many;
    for (size_t i = 0; i < count; i++) {
        char *regex = bench_regex(patterns[i]);
        if (self->set.Add(regex, nullptr) < 0) abort();
        free(regex);
    }
    if (!self->set.Compile()) {
        delete self;
        return nullptr;
    }
    return self;
}

void many_match(void *handle, const char *text, size_t length, bench_visit *visit, void *context) {
    many *self = static_cast<many *>(handle);
    self->found.clear();
    self->set.Match(re2::StringPiece(text, length), &self->found);
    for (int index : self->found) visit(context, static_cast<uint32_t>(index));
}

void many_free(void *self) { delete static_cast<many *>(self); }

} // namespace

extern "C" const bench_engine bench_re2 = {"RE2",    one_new,    one_match, one_free,
                                           many_new, many_match, many_free};
