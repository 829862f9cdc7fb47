/* What Postern's server speaks: a reader of HTTP/1.1, bytes in, one message
 * out; a writer of responses; a writer of JSON; and what it has to ask the system.
 *
 * A library of its own, on llhttp, so that the core stays free of dependencies.
 * It is strict where the two ends of a connection could read a message
 * differently: whatever llhttp lets through and a gateway must not (white space
 * before a colon, folded lines, a Host missing or given twice, a length given
 * twice) is refused here.
 *
 * The life of a reader: it is fed what arrives until the message is complete or
 * refused; the message is read; reset makes it ready for the next one. It makes
 * no call into whoever uses it but the allocator's.
 *
 * Conventions are those of postern.h: text is pointer and length, constructors
 * return NULL on failure, `error` may be NULL, a reader belongs to one thread
 * at a time, and there is no global state.
 *
 * Rules come from RFC 9110 and RFC 9112. */
#ifndef POSTERN_HTTP_H
#define POSTERN_HTTP_H

#include "postern.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ffi:begin (plain declarations from here to ffi:end; LuaJIT reads them) */

enum { POSTERN_HTTP_ABI = 3 }; /* changes whenever a declaration below does */

uint32_t postern_http_abi(void);

/* ---- The reader --------------------------------------------------------- */

typedef struct postern_http postern_http;

typedef enum postern_http_kind {
    POSTERN_HTTP_REQUEST = 0,
    POSTERN_HTTP_RESPONSE
} postern_http_kind;

/* What an option of 0 stands for. */
enum {
    POSTERN_HTTP_MAX_HEAD = 65536,    /* bytes of start line and headers; also of
        what a chunked body may have besides the body, and then some a chunk */
    POSTERN_HTTP_MAX_HEADERS = 128,   /* header lines */
    POSTERN_HTTP_MAX_BODY = 1048576,  /* bytes of the body, chunks joined */
    POSTERN_HTTP_KEEP_BYTES = 65536   /* no option: what reset keeps, at most */
};

/* All zeros is a reader of requests with every default. */
typedef struct postern_http_options {
    const postern_allocator *allocator; /* NULL: malloc */
    int32_t kind;
    uint32_t max_head;
    uint32_t max_headers;
    uint64_t max_body;
} postern_http_options;

/* POSTERN_MISUSE for a kind that is none. */
postern_http *postern_http_new(const postern_http_options *options, postern_error *error);

typedef enum postern_http_state {
    POSTERN_HTTP_MORE = 0, /* everything was taken; the message goes on */
    POSTERN_HTTP_COMPLETE, /* the message has ended; what follows it is not taken */
    POSTERN_HTTP_REFUSED   /* it is no message that is taken: `error` says why.
        The connection is of no use any more: nobody knows where the next
        message would begin */
} postern_http_state;

/* Takes bytes, any number at a time, and sets `consumed` to how many. They are
 * copied. Interim responses (100 to 199) are passed over. A reader that is
 * complete takes nothing more, one that has refused goes on refusing, both
 * until it is reset.
 *
 * The error's status is POSTERN_SYNTAX for what is not HTTP, POSTERN_VALUE for
 * HTTP that is not taken, POSTERN_LIMIT or POSTERN_NO_MEMORY. */
int32_t postern_http_feed(postern_http *reader, const char *bytes, size_t length,
                          size_t *consumed, postern_error *error);

/* Tells that no bytes follow: the end of a response that lasts as long as its
 * connection. Complete or refused, never more. */
int32_t postern_http_finish(postern_http *reader, postern_error *error);

/* Ready for the next message. `no_body` other than 0: the next response has no
 * body whatever its head says, since it answers HEAD. Memory is kept, up to
 * POSTERN_HTTP_KEEP_BYTES for the head and as many for the body. */
void postern_http_reset(postern_http *reader, int32_t no_body);

void postern_http_free(postern_http *reader);

/* ---- The message -------------------------------------------------------- */

/* Names are in lower case. Values have no white space around them. */
typedef struct postern_http_header {
    postern_span name;
    postern_span value;
} postern_http_header;

/* In the order of arrival; a name may be there several times. */
typedef struct postern_http_message {
    int32_t status;     /* of a response, else 0 */
    int32_t minor;      /* the version: 0 for HTTP/1.0, 1 for HTTP/1.1 */
    int32_t keep_alive; /* whether the connection may be used again */
    uint32_t header_count;
    const postern_http_header *headers;
    postern_span method; /* of a request, as its target */
    postern_span target;
    postern_span reason; /* of a response; may be empty */
    postern_span body;   /* empty until the message is complete */
    /* Of a request, the parts of its target: as they were sent, nothing decoded.
     * Their text is NULL where there is no such part; `/x?` has a query of no
     * bytes. The authority is that of an absolute target, else Host's value. The
     * path begins with `/`, or is `*`, which only OPTIONS may ask for. */
    postern_span authority;
    postern_span path;
    postern_span query;
} postern_http_message;

/* What was read: NULL until the head is complete. It points into the reader and
 * holds until the reader is fed, reset or freed. */
const postern_http_message *postern_http_read(const postern_http *reader);

/* How many header lines of what was read have this name, given in lower case;
 * `value` becomes the first one's, or NULL. It holds as the message does. */
int32_t postern_http_find(const postern_http *reader, const char *name, size_t length,
                          postern_span *value);

/* The value of a header that is there exactly once, with 1 to `most` bytes and no
 * control character: 1; otherwise 0. */
int32_t postern_http_find_single(const postern_http *reader, const char *name, size_t length,
                                 size_t most, postern_span *value);

/* The status code with which a server tells a client why it was refused: 400,
 * 413, 431, 500, 501 or 505; 0 as long as nothing is. */
int32_t postern_http_answer(const postern_http *reader);

/* ---- Writing responses -------------------------------------------------- */

/* Answers, one after the other, into one buffer, to be sent together. What a
 * server says by itself it adds itself: status line, Date, Content-Length,
 * Connection. The rest of the head can be made beforehand. */
typedef struct postern_http_writer postern_http_writer;

enum {
    POSTERN_HTTP_CLOSE = 1,    /* say that the connection ends with this answer */
    POSTERN_HTTP_KEEP = 2,     /* say that it does not, which HTTP/1.0 has to be told */
    POSTERN_HTTP_NO_BODY = 4   /* the body is only counted: it answers HEAD */
};

/* `allocator` may be NULL. */
postern_http_writer *postern_http_writer_new(const postern_allocator *allocator,
                                             postern_error *error);
/* Empties it; the time stays, and as much memory as a reader keeps. */
void postern_http_writer_reset(postern_http_writer *writer);
void postern_http_writer_free(postern_http_writer *writer);

/* The time for Date, in seconds since 1970, from then on; until then there is
 * no Date. Costs next to nothing as long as the second is the same. */
void postern_http_writer_time(postern_http_writer *writer, int64_t seconds);

/* The flags with which to answer what was read. Whoever was refused, or has not
 * sent a whole head, gets POSTERN_HTTP_CLOSE. */
int32_t postern_http_flags(const postern_http *reader);

/* Adds an answer. `lines` are further header lines, each with its CR LF, or
 * none; the caller has seen to it that they are header lines. They and the body
 * are copied. POSTERN_MISUSE, for a status that is none of 200 to 599, lines
 * without an end, and a body for a status that has none (204 and 304), or
 * POSTERN_NO_MEMORY; then nothing is added. */
int32_t postern_http_writer_answer(postern_http_writer *writer, int32_t status,
                                   const char *lines, size_t lines_length,
                                   const char *body, size_t body_length, int32_t flags);

/* Adds bytes as they are. POSTERN_OK or POSTERN_NO_MEMORY. */
int32_t postern_http_writer_put(postern_http_writer *writer, const char *bytes, size_t length);

/* What was added; it holds until the writer is used again. */
void postern_http_writer_bytes(const postern_http_writer *writer, postern_span *out);

/* ---- Writing JSON ------------------------------------------------------- */

/* Writes one JSON text (RFC 8259) value by value, and sees to commas and
 * nesting itself. The first failure stays: every later call returns its status
 * and writes nothing, and there is no text, until reset. So a caller may write
 * everything and ask once, at the end. All text is copied.
 *
 * POSTERN_MISUSE is a call where it cannot be: a value without a key in an
 * object, a key outside of one, a key after a key, a close without an open or
 * with a key that has no value, a second value at the top. That a key stands
 * once in its object is the caller's business. */
typedef struct postern_json postern_json;

enum {
    POSTERN_JSON_DEPTH = 64,  /* open containers, as many as documents may have;
        one more is POSTERN_LIMIT */
    POSTERN_JSON_KEEP = 65536 /* bytes of memory at most that reset keeps */
};

/* `allocator` may be NULL. */
postern_json *postern_json_new(const postern_allocator *allocator, postern_error *error);
void postern_json_reset(postern_json *writer);
void postern_json_free(postern_json *writer);

int32_t postern_json_object(postern_json *writer);
int32_t postern_json_array(postern_json *writer);
int32_t postern_json_close(postern_json *writer); /* the innermost of them */

/* Escaped is what must be: `"`, `\` and control characters below U+0020. Each
 * byte that is part of no code point of well-formed UTF-8 becomes U+FFFD: text
 * of clients ends up in answers and logs, and those have to be readable. */
int32_t postern_json_key(postern_json *writer, const char *text, size_t length);
int32_t postern_json_string(postern_json *writer, const char *text, size_t length);

/* The fewest digits that read back as the same double; whole numbers below
 * 9.2e18 without fraction and exponent. POSTERN_VALUE for NaN and infinities. */
int32_t postern_json_number(postern_json *writer, double number);

int32_t postern_json_boolean(postern_json *writer, int32_t truth);
int32_t postern_json_null(postern_json *writer);

/* One value that is JSON already, written as it is and not looked at. */
int32_t postern_json_raw(postern_json *writer, const char *json, size_t length);

/* The text, once it is whole; else POSTERN_MISUSE or the failure that stays.
 * It holds until the writer is used again. */
int32_t postern_json_text(const postern_json *writer, postern_span *out, postern_error *error);

/* ---- Reading calls ------------------------------------------------------ */

/* A call to be decided, as the native protocol has it, where it is plain: an
 * object of these members and no other, each once, and of texts in ASCII, where
 * `/`, `"` and `\` alone may be escaped. What is absent has a NULL text. */
typedef struct postern_http_call {
    postern_span api, stage, method, path, raw_path, host, scheme, peer, client_ip, vpce,
        principal;
    /* The object as it stands: names, none of them twice in any letter case, to
     * texts or lists of texts, and no more of either than anybody sends. */
    postern_span headers;
} postern_http_call;

/* Reads a JSON text that is one call. The spans point into it, and those of
 * texts with escapes into `room`, which has `length` bytes. 0 where it is
 * anything but a plain call: right or wrong, it is for others to say. */
int32_t postern_http_read_call(const char *json, size_t length, char *room,
                               postern_http_call *call);

/* Reads one that is a list of 1 to `most` calls. How many there are, or -1 where
 * any of them is not plain. */
int32_t postern_http_read_calls(const char *json, size_t length, char *room,
                                postern_http_call *calls, uint32_t most);

/* ---- Sockets, as the system knows them ---------------------------------- */

/* What a server needs of Linux and an event loop does not offer. Descriptors
 * stay the caller's. A failure is POSTERN_VALUE, with the system's reason. */

/* Tells the service manager, with one datagram, as sd_notify(3) has it: `READY=1`
 * and the like. `path` is what NOTIFY_SOCKET says: a path, or `@` and an abstract
 * name. Waits for a second at most, when nobody takes datagrams. */
int32_t postern_http_notify(const char *path, size_t path_length, const char *message,
                            size_t length, postern_error *error);

typedef enum postern_http_family {
    POSTERN_HTTP_OTHER = 0,
    POSTERN_HTTP_INET,
    POSTERN_HTTP_INET6,
    POSTERN_HTTP_UNIX
} postern_http_family;

/* A socket's own end. */
typedef struct postern_http_socket {
    int32_t family;
    int32_t stream;    /* not 0: of connections, not datagrams */
    int32_t listening; /* not 0: connections are accepted from it */
    int32_t port;
    uint32_t address_length;
    char address[128]; /* an address; a path, `@` and an abstract name, or none */
} postern_http_socket;

/* Describes a descriptor that was handed over; fails when it is no socket. */
int32_t postern_http_socket_of(int32_t fd, postern_http_socket *out, postern_error *error);

typedef struct postern_http_credentials {
    int32_t pid; /* 0 where the process is not to be seen from here */
    uint32_t uid;
    uint32_t gid;
} postern_http_credentials;

/* Who is at the other end of a Unix socket, as of when it was connected; fails
 * for any other socket, and when nobody is. */
int32_t postern_http_peer(int32_t fd, postern_http_credentials *out, postern_error *error);

/* Lets others that do the same bind to the same port; before binding. */
int32_t postern_http_reuse_port(int32_t fd, postern_error *error);

/* Keeps a descriptor from programs that are run. */
int32_t postern_http_close_on_exec(int32_t fd, postern_error *error);

enum {
    POSTERN_HTTP_LATER = -1, /* nothing has come, or nothing is taken, at the moment */
    POSTERN_HTTP_BROKEN = -2 /* the connection is of no use any more */
};

/* Takes what has come on a connection that does not block, `size` bytes at most,
 * 1 or more. How many, 0 when the peer says nothing more, or one of the above. */
int32_t postern_http_receive(int32_t fd, char *bytes, uint32_t size);

/* Sends what is taken at once. How many bytes were, or one of the above. */
int32_t postern_http_send(int32_t fd, const char *bytes, size_t length);

/* A set of descriptors that are watched: itself one, which can be read while any
 * of them can. An event loop watches the set alone; whoever it tells asks which
 * ones they are. The caller closes it. -1 on failure. */
int32_t postern_http_watch_new(postern_error *error);

/* Watches a descriptor under a number, until it is left out or closed. */
int32_t postern_http_watch_add(int32_t set, int32_t fd, uint32_t number, postern_error *error);
void postern_http_watch_remove(int32_t set, int32_t fd);

/* The numbers, `most` of them at most, of those that can be read, have ended or
 * are broken at the moment. How many there are. */
int32_t postern_http_watch_ready(int32_t set, uint32_t *numbers, uint32_t most);
void postern_http_watch_close(int32_t set);

/* The time since some moment that stays, in seconds. */
double postern_http_seconds(void);

/* How many of the bounds, which ascend, are below a value. */
uint32_t postern_http_place(const double *bounds, uint32_t count, double value);

/* ffi:end */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
