/* A load client for HTTP/1.1 that checks every answer.
 *
 *    http_load --tcp 127.0.0.1:PORT | --unix PATH  --requests FILE
 *              --seconds S | --count N
 *              [--connections 32] [--pipeline 1] [--rate R] [--timeout 10]
 *
 * FILE holds requests that are sent in turn, each framed by a line:
 *
 *    request STATUS[,STATUS]... BYTES CONTAINS\n
 *    BYTES bytes, as they are sent, and CONTAINS bytes that the body has to hold
 *    (0: any body), and \n
 *
 * An answer with another status or body is wrong. Failed is a request that got
 * none: closed, malformed, refused, or not there after --timeout seconds. Those
 * behind an answer with `Connection: close` are sent again, as HTTP wants it.
 *
 * Each connection sends its next request when it has its answer, or keeps
 * --pipeline of them on the way. With --rate, R requests a second are due at
 * even distances, each on the connection whose turn it is, and a latency counts
 * from when the request was due, not from when the connection was free for it:
 * a server that stops for a second shows all that would have waited.
 *
 * It prints a line of JSON; latencies are in microseconds. The status is 0 when
 * nothing was wrong or failed, 1 when something was, 2 for wrong use. */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <llhttp.h>

#include "histogram.h"
#include "requests.h"

#define SECOND UINT64_C(1000000000)
#define RETRY (10 * UINT64_C(1000000)) /* between two attempts to connect */

enum {
    MOST_DEPTH = 256,           /* of a pipeline: one writev */
    MOST_BODY = 64 * 1024,      /* looked through for what it has to contain */
    EVENTS = 256,
    UNASKED = 1, LAST = 1, /* the parser stops; which of them it was, the connection knows */
};

typedef struct flight {
    uint32_t request;
    uint64_t since; /* what its latency counts from */
    uint64_t sent;  /* what its timeout counts from */
} flight;

typedef struct connection {
    struct load *load;
    int fd; /* -1: to be opened at `retry` */
    bool connected, writable_wanted, last_answer;
    uint64_t retry;
    llhttp_t parser;
    /* A ring: the oldest at `first`; the last `unsent` of `count` are still to be
     * written, the first of those from `offset` on. */
    flight *flights;
    uint32_t first, count, unsent;
    size_t offset;
    uint32_t turn;      /* the request to send next */
    uint64_t slot, due; /* --rate: its next slot, and how many are due */
    char body[MOST_BODY];
    size_t body_length;
} connection;

typedef struct load {
    struct sockaddr_storage address;
    socklen_t address_length;
    request *requests;
    uint32_t request_count, connection_count, depth;
    double rate;
    uint64_t timeout, duration, limit; /* limit: of requests; 0 is none */
    connection *connections;
    int epoll;
    uint64_t now, began, ended;
    uint64_t started, slots;
    bool stopping;
    uint64_t answered, wrong, failed, again, connects;
    char problem[256]; /* the first */
    llhttp_settings_t settings;
    histogram latencies;
} load;

static uint64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* Keeps the first problem, for one says more than a count of them. */
static void note(load *self, const char *format, ...) {
    if (self->problem[0]) return;
    va_list list;
    va_start(list, format);
    vsnprintf(self->problem, sizeof self->problem, format, list);
    va_end(list);
    for (char *at = self->problem; *at; at++)
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ') *at = ' ';
}

/* ---- Connections ----------------------------------------------------------- */

static void want_writable(connection *from, bool wanted) {
    if (from->writable_wanted == wanted) return;
    from->writable_wanted = wanted;
    struct epoll_event event = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = from};
    epoll_ctl(from->load->epoll, EPOLL_CTL_MOD, from->fd, &event);
}

static void start_parser(connection *from) {
    llhttp_init(&from->parser, HTTP_RESPONSE, &from->load->settings);
    from->parser.data = from;
    from->body_length = 0;
}

/* What is on the way is sent again from its start. */
static void close_connection(connection *from, uint64_t retry) {
    if (from->fd >= 0) close(from->fd);
    from->fd = -1;
    from->connected = from->writable_wanted = from->last_answer = false;
    from->retry = retry;
    from->unsent = from->count;
    from->offset = 0;
}

/* Nothing that is on the way will be answered. */
static void fail_connection(connection *from, const char *why) {
    load *self = from->load;
    note(self, "%s", why);
    uint64_t retry = self->now;
    if (!from->connected) {
        retry += RETRY;
        if (!from->count) { /* an attempt uses up a request, or nothing would end */
            self->started++;
            self->failed++;
            if (from->due) {
                from->due--;
                from->slot += self->connection_count;
            }
        }
    }
    self->failed += from->count;
    from->count = 0;
    close_connection(from, retry);
}

static void connected(connection *from) {
    from->connected = true;
    from->load->connects++;
}

static void open_connection(connection *from) {
    load *self = from->load;
    from->fd = socket(self->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (from->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    if (self->address.ss_family == AF_INET)
        setsockopt(from->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    start_parser(from);
    if (connect(from->fd, (struct sockaddr *)&self->address, self->address_length) == 0)
        connected(from);
    else if (errno != EINPROGRESS) {
        fail_connection(from, strerror(errno));
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = from};
    from->writable_wanted = true;
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, from->fd, &event)) die("epoll: %s", strerror(errno));
}

/* ---- Sending --------------------------------------------------------------- */

static uint64_t due_at(const load *self, uint64_t slot) {
    return self->began + (uint64_t)((double)slot * 1e9 / self->rate);
}

static bool may_start(const connection *from) {
    const load *self = from->load;
    if (from->count == self->depth || from->last_answer) return false;
    if (self->rate > 0) return from->due > 0;
    return !self->stopping && (!self->limit || self->started < self->limit);
}

static void start_requests(connection *from) {
    load *self = from->load;
    while (may_start(from)) {
        flight *next = &from->flights[(from->first + from->count) % self->depth];
        next->request = from->turn;
        next->since = next->sent = self->now;
        if (self->rate > 0) {
            next->since = due_at(self, from->slot);
            from->slot += self->connection_count;
            from->due--;
        }
        from->turn = (from->turn + 1) % self->request_count;
        from->count++;
        from->unsent++;
        self->started++;
    }
}

/* Takes off what was written. */
static void written(connection *from, size_t bytes) {
    const load *self = from->load;
    while (bytes) {
        const flight *at = &from->flights[(from->first + from->count - from->unsent) % self->depth];
        size_t left = self->requests[at->request].length - from->offset;
        if (bytes < left) {
            from->offset += bytes;
            return;
        }
        bytes -= left;
        from->offset = 0;
        from->unsent--;
    }
}

static void send_requests(connection *from) {
    load *self = from->load;
    if (from->fd < 0 || !from->connected) return;
    start_requests(from);
    while (from->unsent) {
        struct iovec parts[MOST_DEPTH];
        for (uint32_t i = 0; i < from->unsent; i++) {
            flight *at =
                &from->flights[(from->first + from->count - from->unsent + i) % self->depth];
            const request *what = &self->requests[at->request];
            size_t skip = i ? 0 : from->offset;
            parts[i].iov_base = (char *)(uintptr_t)(what->bytes + skip);
            parts[i].iov_len = what->length - skip;
            at->sent = self->now;
        }
        ssize_t bytes = writev(from->fd, parts, (int)from->unsent);
        if (bytes < 0) {
            /* Reading says what has become of it. */
            want_writable(from, errno == EAGAIN);
            return;
        }
        written(from, (size_t)bytes);
    }
    want_writable(from, false);
}

/* ---- Answers --------------------------------------------------------------- */

static const request *asked(const connection *from) {
    return &from->load->requests[from->flights[from->first].request];
}

static int on_headers(llhttp_t *parser) {
    const connection *from = parser->data;
    return from->count && asked(from)->head ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length) {
    connection *from = parser->data;
    size_t left = MOST_BODY - from->body_length;
    if (length > left) length = left;
    memcpy(from->body + from->body_length, at, length);
    from->body_length += length;
    return 0;
}

static void judge(connection *from, unsigned status) {
    load *self = from->load;
    request *what = &self->requests[from->flights[from->first].request];
    if (status < STATUSES) what->answers[status]++;
    if (status >= STATUSES || !what->expected[status]) {
        self->wrong++;
        note(self, "status %u for request %u", status, from->flights[from->first].request + 1);
    } else if (what->contains_length &&
               !memmem(from->body, from->body_length, what->contains, what->contains_length)) {
        self->wrong++;
        note(self, "request %u: not in the body: %.*s", from->flights[from->first].request + 1,
             (int)what->contains_length, what->contains);
    }
}

static int on_message(llhttp_t *parser) {
    connection *from = parser->data;
    load *self = from->load;
    unsigned status = llhttp_get_status_code(parser);
    if (status < 200) return 0; /* the answer is still to come */
    if (from->count == from->unsent) return UNASKED;
    judge(from, status);
    from->body_length = 0;
    histogram_add(&self->latencies, self->now - from->flights[from->first].since);
    self->answered++;
    from->first = (from->first + 1) % self->depth;
    from->count--;
    if (!llhttp_should_keep_alive(parser)) {
        from->last_answer = true;
        return LAST;
    }
    return 0;
}

static void closed_by_peer(connection *from) {
    llhttp_finish(&from->parser); /* an answer may end with its connection */
    if (from->count && !from->last_answer) {
        fail_connection(from, "closed before the answer");
    } else {
        from->load->again += from->count;
        close_connection(from, from->load->now);
    }
}

static void receive(connection *from) {
    static char bytes[256 * 1024]; /* spent before the next call */
    load *self = from->load;
    ssize_t length = read(from->fd, bytes, sizeof bytes);
    self->now = monotonic();
    if (length < 0) {
        if (errno != EAGAIN) fail_connection(from, strerror(errno));
        return;
    }
    if (length == 0) {
        closed_by_peer(from);
        return;
    }
    llhttp_errno_t status = llhttp_execute(&from->parser, bytes, (size_t)length);
    if (from->last_answer) {
        self->again += from->count;
        close_connection(from, self->now);
    } else if (status != HPE_OK) {
        char why[128];
        snprintf(why, sizeof why, "a malformed answer: %s",
                 status == HPE_CB_MESSAGE_COMPLETE ? "nobody asked for it" : llhttp_errno_name(status));
        if (!from->count) self->failed++;
        fail_connection(from, why);
    }
}

/* ---- The loop -------------------------------------------------------------- */

static void open_when_needed(connection *from) {
    const load *self = from->load;
    bool needed = !self->stopping || from->count || from->due;
    if (from->fd < 0 && needed && self->now >= from->retry) open_connection(from);
}

static void handle(connection *from, uint32_t events) {
    if (!from->connected) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(from->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            fail_connection(from, strerror(error));
            return;
        }
        connected(from);
    } else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        receive(from);
        open_when_needed(from);
    }
    send_requests(from);
}

/* The end of what is started; what is due or on the way goes on. */
static void check_end(load *self) {
    bool over = self->duration && self->now >= self->began + self->duration;
    if (self->limit)
        over = over || (self->rate > 0 ? self->slots : self->started) >= self->limit;
    if (!self->stopping && over) {
        self->stopping = true;
        self->ended = self->now;
    }
}

static void hand_out_slots(load *self) {
    while (!self->stopping && self->rate > 0 && due_at(self, self->slots) <= self->now) {
        connection *to = &self->connections[self->slots++ % self->connection_count];
        to->due++;
        send_requests(to);
        check_end(self);
    }
}

/* Opens what is closed, fails what has waited too long; what is left to do. */
static uint64_t sweep(load *self) {
    uint64_t left = 0;
    bool late = self->stopping && self->now >= self->ended + self->timeout;
    for (uint32_t i = 0; i < self->connection_count; i++) {
        connection *from = &self->connections[i];
        if (late) { /* what is still due now, was never sent */
            if (from->due) note(self, "due, and never sent");
            self->failed += from->due;
            from->due = 0;
        }
        if (from->count && from->connected &&
            self->now - from->flights[from->first].sent >= self->timeout)
            fail_connection(from, "no answer in time");
        open_when_needed(from);
        left += from->count + from->due;
    }
    return left;
}

static void wait_for_events(load *self, uint64_t until) {
    struct epoll_event events[EVENTS];
    uint64_t wait = until > self->now ? until - self->now : 0;
    struct timespec limit = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
    int count = epoll_pwait2(self->epoll, events, EVENTS, &limit, NULL);
    if (count < 0 && errno != EINTR) die("epoll: %s", strerror(errno));
    self->now = monotonic();
    for (int i = 0; i < count; i++) handle(events[i].data.ptr, events[i].events);
}

static void run(load *self) {
    const uint64_t every = RETRY;
    self->began = self->now = monotonic();
    uint64_t next_sweep = self->now;
    for (;;) {
        check_end(self);
        hand_out_slots(self);
        if (self->now >= next_sweep || self->stopping) {
            next_sweep = self->now + every;
            if (!sweep(self) && self->stopping) break;
        }
        uint64_t until = next_sweep;
        if (self->rate > 0 && !self->stopping && due_at(self, self->slots) < until)
            until = due_at(self, self->slots);
        wait_for_events(self, until);
    }
}

/* ---- Options and the report ------------------------------------------------ */

static void read_tcp(load *self, char *text) {
    struct sockaddr_in *to = (struct sockaddr_in *)&self->address;
    char *colon = strrchr(text, ':');
    if (!colon) die("`%s` is no ADDRESS:PORT", text);
    *colon = '\0';
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &to->sin_addr) != 1) die("`%s` is no IPv4 address", text);
    self->address_length = sizeof *to;
}

static void read_unix(load *self, const char *path) {
    struct sockaddr_un *to = (struct sockaddr_un *)&self->address;
    to->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof to->sun_path) die("`%s` is too long for a socket", path);
    strcpy(to->sun_path, path);
    self->address_length = sizeof *to;
}

static void read_requests(load *self, const char *path) {
    request_list list = requests_read(path);
    self->requests = list.requests;
    self->request_count = list.count;
}

static double read_number(const char *name, const char *text) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end || !(number > 0)) die("%s `%s`: a number above 0", name, text);
    return number;
}

static void read_option(load *self, const char *name, char *value) {
    if (!strcmp(name, "--tcp")) read_tcp(self, value);
    else if (!strcmp(name, "--unix")) read_unix(self, value);
    else if (!strcmp(name, "--requests")) read_requests(self, value);
    else if (!strcmp(name, "--connections"))
        self->connection_count = (uint32_t)read_number(name, value);
    else if (!strcmp(name, "--pipeline")) self->depth = (uint32_t)read_number(name, value);
    else if (!strcmp(name, "--seconds"))
        self->duration = (uint64_t)(read_number(name, value) * 1e9);
    else if (!strcmp(name, "--count")) self->limit = (uint64_t)read_number(name, value);
    else if (!strcmp(name, "--rate")) self->rate = read_number(name, value);
    else if (!strcmp(name, "--timeout"))
        self->timeout = (uint64_t)(read_number(name, value) * 1e9);
    else die("unknown option `%s`", name);
}

static void prepare(load *self) {
    if (!self->address_length || !self->request_count || !(self->duration || self->limit))
        die("wanted: --tcp ADDRESS:PORT or --unix PATH, --requests FILE, --seconds or --count");
    if (!self->connection_count) die("--connections: at least 1");
    if (!self->depth || self->depth > MOST_DEPTH) die("--pipeline: from 1 to %d", MOST_DEPTH);
    self->settings.on_headers_complete = on_headers;
    self->settings.on_body = on_body;
    self->settings.on_message_complete = on_message;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->connections = allocate(self->connection_count, sizeof *self->connections);
    for (uint32_t i = 0; i < self->connection_count; i++) {
        connection *each = &self->connections[i];
        each->load = self;
        each->fd = -1;
        each->flights = allocate(self->depth, sizeof *each->flights);
        each->turn = i % self->request_count; /* not all the same at once */
        each->slot = i;
    }
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default, 50 us, would count as latency */
}

static void print_answers(const uint64_t answers[STATUSES]) {
    const char *comma = "";
    putchar('{');
    for (int status = 0; status < STATUSES; status++) {
        if (!answers[status]) continue;
        printf("%s\"%d\":%llu", comma, status, (unsigned long long)answers[status]);
        comma = ",";
    }
    putchar('}');
}

static void print_latency(const load *self) {
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"median", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};
    printf("\"latency_us\":{");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        printf("%s\"%s\":%.1f", i ? "," : "", quantiles[i].name,
               (double)histogram_quantile(&self->latencies, quantiles[i].share) / 1e3);
    printf("}");
}

static void report(const load *self) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double seconds = (double)(self->now - self->began) / 1e9;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"answered\":%llu,\"wrong\":%llu,\"failed\":%llu,\"sent_again\":%llu,"
           "\"connects\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"client_cpu\":%.6f,",
           (unsigned long long)self->answered, (unsigned long long)self->wrong,
           (unsigned long long)self->failed, (unsigned long long)self->again,
           (unsigned long long)self->connects, seconds, (double)self->answered / seconds, cpu);
    print_latency(self);
    printf(",\"answers\":[");
    for (uint32_t i = 0; i < self->request_count; i++) {
        if (i) putchar(',');
        print_answers(self->requests[i].answers);
    }
    printf("],\"problem\":\"%s\"}\n", self->problem);
}

int main(int argc, char **argv) {
    static load self = {.connection_count = 32, .depth = 1, .timeout = 10 * SECOND};
    if (argc % 2 == 0) die("an option without its value: %s", argv[argc - 1]);
    for (int i = 1; i + 1 < argc; i += 2) read_option(&self, argv[i], argv[i + 1]);
    prepare(&self);
    run(&self);
    report(&self);
    return self.wrong || self.failed ? 1 : 0;
}
