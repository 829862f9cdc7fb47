/* The least an HTTP server in C can do: libuv reads, llhttp parses, and every
 * request is given the same answer. The decision server is measured against it.
 *
 *    empty_server PORT [BODY]
 *
 * It listens on 127.0.0.1 until it is killed. Without BODY it answers 204. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llhttp.h>
#include <uv.h>

typedef struct server {
    uv_tcp_t listener;
    llhttp_settings_t settings;
    char answer[1024];
    size_t answer_length;
} server;

typedef struct client {
    uv_tcp_t tcp; /* first: a handle is its client */
    server *from;
    llhttp_t parser;
    unsigned asked;         /* whole requests since the last answer */
    char body[4096];        /* the last, as somebody would read it */
    size_t body_length;
    char bytes[64 * 1024];
} client;

typedef struct answers {
    uv_write_t write;
    char *bytes;
} answers;

static void die(const char *what, int status) {
    fprintf(stderr, "empty_server: %s: %s\n", what, uv_strerror(status));
    exit(2);
}

static void free_client(uv_handle_t *handle) {
    free(handle);
}

static void close_client(client *from) {
    if (!uv_is_closing((uv_handle_t *)from)) uv_close((uv_handle_t *)from, free_client);
}

static int on_begin(llhttp_t *parser) {
    ((client *)parser->data)->body_length = 0;
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length) {
    client *from = parser->data;
    if (length > sizeof from->body - from->body_length) return HPE_USER;
    memcpy(from->body + from->body_length, at, length);
    from->body_length += length;
    return 0;
}

static int on_message(llhttp_t *parser) {
    ((client *)parser->data)->asked++;
    return 0;
}

static void after_write(uv_write_t *write, int status) {
    (void)status; /* reading says so too */
    answers *done = (answers *)write;
    free(done->bytes);
    free(done);
}

/* What the socket does not take at once. */
static void write_later(client *to, const char *bytes, size_t length) {
    answers *later = malloc(sizeof *later);
    if (later) later->bytes = malloc(length);
    if (!later || !later->bytes) die("write", UV_ENOMEM);
    memcpy(later->bytes, bytes, length);
    uv_buf_t buffer = uv_buf_init(later->bytes, (unsigned)length);
    uv_write(&later->write, (uv_stream_t *)&to->tcp, &buffer, 1, after_write);
}

/* All that is asked, in one write. */
static void answer(client *to) {
    static char bytes[64 * 1024]; /* spent before the next call */
    const server *from = to->from;
    while (to->asked) {
        size_t length = 0;
        for (; to->asked && length + from->answer_length <= sizeof bytes; to->asked--) {
            memcpy(bytes + length, from->answer, from->answer_length);
            length += from->answer_length;
        }
        uv_buf_t buffer = uv_buf_init(bytes, (unsigned)length);
        int sent = uv_try_write((uv_stream_t *)&to->tcp, &buffer, 1);
        size_t done = sent > 0 ? (size_t)sent : 0;
        if (done < length) write_later(to, bytes + done, length - done);
    }
}

static void on_allocate(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer) {
    (void)wanted;
    client *from = (client *)handle;
    *buffer = uv_buf_init(from->bytes, sizeof from->bytes);
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer) {
    client *from = (client *)stream;
    if (length < 0 ||
        llhttp_execute(&from->parser, buffer->base, (size_t)length) != HPE_OK) {
        close_client(from);
        return;
    }
    answer(from);
}

static void on_connection(uv_stream_t *listener, int status) {
    server *self = listener->data;
    client *from = status == 0 ? calloc(1, sizeof *from) : NULL;
    if (!from) return;
    from->from = self;
    uv_tcp_init(listener->loop, &from->tcp);
    llhttp_init(&from->parser, HTTP_REQUEST, &self->settings);
    from->parser.data = from;
    if (uv_accept(listener, (uv_stream_t *)&from->tcp)) {
        close_client(from);
        return;
    }
    uv_tcp_nodelay(&from->tcp, 1);
    uv_read_start((uv_stream_t *)&from->tcp, on_allocate, on_read);
}

static void write_answer(server *self, const char *body) {
    int length = body ? snprintf(self->answer, sizeof self->answer,
                                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: %zu\r\n\r\n%s",
                                 strlen(body), body)
                      : snprintf(self->answer, sizeof self->answer,
                                 "HTTP/1.1 204 No Content\r\n\r\n");
    if (length < 0 || (size_t)length >= sizeof self->answer) die("answer", UV_E2BIG);
    self->answer_length = (size_t)length;
}

int main(int argc, char **argv) {
    static server self;
    struct sockaddr_in address;
    if (argc < 2) {
        fputs("usage: empty_server PORT [BODY]\n", stderr);
        return 2;
    }
    write_answer(&self, argc > 2 ? argv[2] : NULL);
    self.settings.on_message_begin = on_begin;
    self.settings.on_body = on_body;
    self.settings.on_message_complete = on_message;
    uv_tcp_init(uv_default_loop(), &self.listener);
    self.listener.data = &self;
    uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address);
    int status = uv_tcp_bind(&self.listener, (const struct sockaddr *)&address, 0);
    if (status == 0) status = uv_listen((uv_stream_t *)&self.listener, 1024, on_connection);
    if (status) die(argv[1], status);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
