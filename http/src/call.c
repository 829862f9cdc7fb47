#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "postern_http.h"
#include "span.h"

/* Headers of a plain call. Telling whether one is there twice takes the square
 * of them, and calls with more are seldom. The values of all of them: whoever
 * decides refuses more, and a plain call is decided without looking. */
enum { MOST_HEADERS = 32, MOST_VALUES = 64 };

typedef struct reader {
    const char *at;
    const char *end;
    char *room; /* where texts go that are not there as they are */
} reader;

/* ---- Pieces -------------------------------------------------------------- */

static inline bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static inline void skip_space(reader *in) {
    while (in->at < in->end && is_space(*in->at)) in->at++;
}

static inline bool take(reader *in, char wanted) {
    if (in->at < in->end && *in->at != wanted) skip_space(in);
    if (in->at == in->end || *in->at != wanted) return false;
    in->at++;
    return true;
}

/* ASCII that stands for itself in a JSON string. */
static inline bool is_plain(char c) {
    return (unsigned char)c >= ' ' && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Up to the first byte that does not, sixteen at a time where that is known to
 * be had. */
static inline const char *plain_end(const char *at, const char *end) {
#if defined(__SSE2__)
    const __m128i space = _mm_set1_epi8(' '), quote = _mm_set1_epi8('"'),
                  backslash = _mm_set1_epi8('\\');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* Signed: what is no ASCII is below all of it. */
        __m128i found = _mm_or_si128(_mm_cmplt_epi8(bytes, space),
                                     _mm_or_si128(_mm_cmpeq_epi8(bytes, quote),
                                                  _mm_cmpeq_epi8(bytes, backslash)));
        int places = _mm_movemask_epi8(found);
        if (places != 0) return at + __builtin_ctz((unsigned)places);
    }
#endif
    while (at < end && is_plain(*at)) at++;
    return at;
}

/* An escape of a character that is printable anyhow. Writers escape `/` so that
 * no text ends a script in HTML. */
static bool is_escape(const reader *in, const char *at) {
    return in->end - at >= 2 && *at == '\\' &&
        (at[1] == '/' || at[1] == '"' || at[1] == '\\');
}

/* The rest of a text, from its first escape on. */
static bool take_escaped(reader *in, const char *end, postern_span *out) {
    const char *from = in->at;
    char *start = in->room, *to = start;
    while (is_escape(in, end)) {
        memcpy(to, from, (size_t)(end - from));
        to += end - from;
        *to++ = end[1];
        from = end + 2;
        end = plain_end(from, in->end);
    }
    if (end == in->end || *end != '"') return false;
    memcpy(to, from, (size_t)(end - from));
    to += end - from;
    *out = (postern_span){start, (size_t)(to - start)};
    in->room = to;
    in->at = end + 1;
    return true;
}

static inline bool take_text(reader *in, postern_span *out) {
    if (!take(in, '"')) return false;
    const char *start = in->at, *end = plain_end(start, in->end);
    if (end == in->end) return false;
    if (*end != '"') return take_escaped(in, end, out);
    *out = (postern_span){start, (size_t)(end - start)};
    in->at = end + 1;
    return true;
}

static bool skip_text(reader *in) {
    if (!take(in, '"')) return false;
    const char *end = plain_end(in->at, in->end);
    while (is_escape(in, end)) end = plain_end(end + 2, in->end);
    if (end == in->end || *end != '"') return false;
    in->at = end + 1;
    return true;
}

/* Behind a member or an item: whether another one follows, or `close`. */
static bool take_next(reader *in, char close, bool *more) {
    *more = take(in, ',');
    return *more || take(in, close);
}

/* ---- Headers ------------------------------------------------------------- */

/* A text, or a list of texts with at least one; there may be `left` of them. */
static bool skip_values(reader *in, size_t *left) {
    bool more = take(in, '[');
    if (!more) return (*left)-- > 0 && skip_text(in);
    while (more) {
        if ((*left)-- == 0 || !skip_text(in) || !take_next(in, ']', &more)) return false;
    }
    return true;
}

/* An object of headers, none of them twice in whatever letter case. */
static bool take_headers(reader *in, postern_span *out) {
    postern_span names[MOST_HEADERS];
    size_t count = 0, left = MOST_VALUES;
    skip_space(in);
    const char *start = in->at;
    if (!take(in, '{')) return false;
    bool more = !take(in, '}');
    while (more) {
        postern_span name;
        if (count == MOST_HEADERS || !take_text(in, &name)) return false;
        for (size_t i = 0; i < count; i++) {
            if (postern__span_equal_folded(names[i], name)) return false;
        }
        names[count++] = name;
        if (!take(in, ':') || !skip_values(in, &left) || !take_next(in, '}', &more)) return false;
    }
    *out = (postern_span){start, (size_t)(in->at - start)};
    return true;
}

/* ---- Members ------------------------------------------------------------- */

/* Where a member goes, NULL for any other name. */
static postern_span *member_of(postern_http_call *call, postern_span name) {
#define IS(literal) (memcmp(name.text, literal, sizeof(literal) - 1) == 0)
    switch (name.length) {
    case 3:
        return IS("api") ? &call->api : NULL;
    case 4:
        return IS("path") ? &call->path
            : IS("vpce") ? &call->vpce
            : IS("peer") ? &call->peer
            : IS("host") ? &call->host
            : NULL;
    case 5:
        return IS("stage") ? &call->stage : NULL;
    case 6:
        return IS("method") ? &call->method : IS("scheme") ? &call->scheme : NULL;
    case 7:
        return IS("headers") ? &call->headers : NULL;
    case 8:
        return IS("raw_path") ? &call->raw_path : NULL;
    case 9:
        return IS("client_ip") ? &call->client_ip : IS("principal") ? &call->principal : NULL;
    default:
        return NULL;
    }
#undef IS
}

static bool take_call(reader *in, postern_http_call *call) {
    memset(call, 0, sizeof *call);
    if (!take(in, '{')) return false;
    bool more = true; /* one without members lacks what a call needs */
    while (more) {
        postern_span name;
        if (!take_text(in, &name)) return false;
        postern_span *member = member_of(call, name);
        if (member == NULL || member->text != NULL || !take(in, ':')) return false;
        bool taken = member == &call->headers ? take_headers(in, member) : take_text(in, member);
        if (!taken || !take_next(in, '}', &more)) return false;
    }
    return true;
}

static bool is_at_end(reader *in) {
    skip_space(in);
    return in->at == in->end;
}

/* ---- Public -------------------------------------------------------------- */

int32_t postern_http_read_call(const char *json, size_t length, char *room,
                               postern_http_call *call) {
    if (length == 0) return 0;
    reader in = {json, json + length, room};
    return take_call(&in, call) && is_at_end(&in);
}

int32_t postern_http_read_calls(const char *json, size_t length, char *room,
                                postern_http_call *calls, uint32_t most) {
    if (length == 0) return -1;
    reader in = {json, json + length, room};
    int32_t count = 0;
    if (!take(&in, '[')) return -1;
    bool more = true; /* an empty list is left to others too */
    while (more) {
        if ((uint32_t)count == most || !take_call(&in, calls + count) ||
            !take_next(&in, ']', &more))
            return -1;
        count++;
    }
    return is_at_end(&in) ? count : -1;
}
