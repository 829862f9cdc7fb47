#include "target.h"

/* RFC 9112, section 3.2, for servers:
 *
 *    GET /path?query              origin form
 *    GET http://host/path?query   absolute form
 *    OPTIONS *                    asterisk form */

/* A bit for each byte that may be in Host, 64 to a word: of what can be seen, all
 * but `/`, `?`, `#`, `@`, `\`, and `,`. */
static const uint64_t HOST_BYTES[4] = {0x7FFF6FF600000000, 0x7FFFFFFFEFFFFFFE, 0, 0};

bool postern__target_is_host(postern_span host) {
    uint64_t good = 1;
    for (size_t i = 0; i < host.length; i++) {
        unsigned char c = (unsigned char)host.text[i];
        good &= HOST_BYTES[c >> 6] >> (c & 63);
    }
    return good != 0;
}

/* Bytes of `http://` or `https://`, in letters of either case; 0: neither. */
static size_t scheme_length(postern_span target) {
    static const char scheme[] = "https://";
    size_t at = 0;
    for (const char *next = scheme; *next != '\0'; next++) {
        if (*next == 's' && at < target.length && target.text[at] == ':') continue;
        if (at == target.length || postern__lower((unsigned char)target.text[at]) != *next)
            return 0;
        at++;
    }
    return at;
}

static void split_path(postern_http_message *message, postern_span rest) {
    size_t end = postern__span_find(rest, 0, '?');
    message->path = (postern_span){rest.text, end};
    if (end < rest.length) message->query = postern__span_from(rest, end + 1);
}

/* A path is absolute; where there is none it is `/` (RFC 9110, section 4.2.3). */
static const char *split_absolute(postern_http_message *message, size_t scheme) {
    postern_span rest = postern__span_from(message->target, scheme);
    size_t end = 0;
    while (end < rest.length && rest.text[end] != '/' && rest.text[end] != '?') end++;
    message->authority = (postern_span){rest.text, end};
    if (end == 0 || !postern__target_is_host(message->authority))
        return "a target whose authority is no host";
    split_path(message, postern__span_from(rest, end));
    if (message->path.length == 0) message->path = POSTERN__SPAN("/");
    return NULL;
}

const char *postern__target_split(postern_http_message *message) {
    postern_span target = message->target;
    message->authority = message->path = message->query = (postern_span){NULL, 0};
    if (postern__span_find(target, 0, '#') < target.length) return "a target with a fragment";
    if (postern__span_starts(target, POSTERN__SPAN("/"))) {
        split_path(message, target);
        return NULL;
    }
    if (postern__span_equal(target, POSTERN__SPAN("*"))) {
        message->path = target;
        bool options = postern__span_equal(message->method, POSTERN__SPAN("OPTIONS"));
        return options ? NULL : "the target `*` is for `OPTIONS`";
    }
    size_t scheme = scheme_length(target);
    return scheme > 0 ? split_absolute(message, scheme) : "a target that is none";
}
