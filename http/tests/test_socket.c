#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "postern_http.h"
#include "test.h"

/* A Unix socket of its own at `name`; `@` begins an abstract one. */
static int bound(int type, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, type, 0);
    unlink(name);
    if (bind(fd, (struct sockaddr *)&address,
             (socklen_t)(sizeof address.sun_family + length + (name[0] != '@'))) != 0)
        perror(name);
    return fd;
}

static char path[96], abstract_name[96];

static void make_names(void) {
    snprintf(path, sizeof path, "/tmp/postern-test-socket-%d", (int)getpid());
    snprintf(abstract_name, sizeof abstract_name, "@postern-test-%d", (int)getpid());
}

static int32_t notify(const char *to, const char *message, postern_error *error) {
    return postern_http_notify(to, strlen(to), message, strlen(message), error);
}

static void test_notify(void) {
    make_names();
    const char *const names[] = {path, abstract_name};
    for (size_t i = 0; i < 2; i++) {
        char received[64] = "";
        postern_error error = {0};
        int fd = bound(SOCK_DGRAM, names[i]);
        CHECK(notify(names[i], "READY=1\nSTATUS=ok", &error) == POSTERN_OK);
        CHECK(recv(fd, received, sizeof received - 1, MSG_DONTWAIT) == 17);
        CHECK_TEXT(received, "READY=1\nSTATUS=ok");
        close(fd);
        CHECK(notify(names[i], "READY=1", &error) == POSTERN_VALUE);
        CHECK_TEXT(error.message, "the service manager: Connection refused");
    }
    unlink(path);
}

static void test_notify_is_refused(void) {
    char longest[200];
    postern_error error;
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    CHECK(notify("relative", "x", &error) == POSTERN_VALUE);
    CHECK(strstr(error.message, "`relative` is no socket that can be notified") != NULL);
    CHECK(notify("vsock:2:1234", "x", &error) == POSTERN_VALUE);
    CHECK(notify("", "x", &error) == POSTERN_VALUE);
    CHECK(notify("/", "x", &error) == POSTERN_VALUE);
    CHECK(postern_http_notify("/a\0b", 4, "x", 1, NULL) == POSTERN_VALUE);
    CHECK(postern_http_notify(longest, 108, "x", 1, &error) == POSTERN_VALUE);
    CHECK(strstr(error.message, "is no socket") != NULL);
    CHECK(postern_http_notify(longest, 107, "x", 1, &error) == POSTERN_VALUE);
    CHECK(strstr(error.message, "the service manager: ") != NULL);
    CHECK(notify("/nowhere/at/all", "x", &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "the service manager: No such file or directory");
}

static void test_descriptions(void) {
    postern_http_socket out;
    postern_error error;
    make_names();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001)};
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK);
    CHECK(out.family == POSTERN_HTTP_INET && out.stream && !out.listening && out.port > 0);
    CHECK_TEXT(out.address, "127.0.0.1");
    CHECK(out.address_length == 9);
    listen(fd, 1);
    CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK && out.listening);
    postern_http_credentials who;
    CHECK(postern_http_peer(fd, &who, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "only a Unix socket knows its peer");
    close(fd);

    fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd >= 0) { /* a machine may have no IPv6 */
        CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK);
        CHECK(out.family == POSTERN_HTTP_INET6 && !out.stream && !out.listening && out.port == 0);
        CHECK_TEXT(out.address, "::");
        close(fd);
    }

    fd = bound(SOCK_STREAM, path);
    CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK);
    CHECK(out.family == POSTERN_HTTP_UNIX && out.stream && !out.listening && out.port == 0);
    CHECK_TEXT(out.address, path);
    CHECK(out.address_length == strlen(path));
    close(fd);
    unlink(path);

    fd = bound(SOCK_STREAM, abstract_name);
    CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK);
    CHECK_TEXT(out.address, abstract_name);
    close(fd);

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(postern_http_socket_of(fd, &out, NULL) == POSTERN_OK && out.address_length == 0);
    close(fd);
}

static void test_no_sockets(void) {
    postern_http_socket out;
    postern_http_credentials who;
    postern_error error;
    int fd = open("/dev/null", O_RDONLY);
    CHECK(postern_http_socket_of(fd, &out, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "no socket: Socket operation on non-socket");
    CHECK(postern_http_peer(fd, &who, NULL) == POSTERN_VALUE);
    CHECK(postern_http_reuse_port(fd, NULL) == POSTERN_VALUE);
    CHECK(postern_http_close_on_exec(fd, NULL) == POSTERN_OK);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    CHECK(postern_http_socket_of(fd, &out, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "no socket: Bad file descriptor");
    CHECK(postern_http_socket_of(-1, &out, NULL) == POSTERN_VALUE);
    CHECK(postern_http_close_on_exec(fd, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "no descriptor: Bad file descriptor");
}

static void test_peer(void) {
    postern_http_credentials who;
    postern_error error;
    make_names();
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(postern_http_peer(pair[0], &who, NULL) == POSTERN_OK);
    CHECK(who.pid == getpid() && who.uid == geteuid() && who.gid == getegid());
    close(pair[0]);
    close(pair[1]);
    int fd = bound(SOCK_STREAM, path); /* nobody has connected */
    CHECK(postern_http_peer(fd, &who, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "the socket has no peer");
    listen(fd, 1);
    CHECK(postern_http_peer(fd, &who, &error) == POSTERN_VALUE);
    CHECK_TEXT(error.message, "the socket has no peer");
    close(fd);
    unlink(path);
}

static int bind_again(int shared, uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001), .sin_port = htons(port)};
    if (shared) CHECK(postern_http_reuse_port(fd, NULL) == POSTERN_OK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

static void test_shared_port(void) {
    postern_http_socket out;
    int first = bind_again(1, 0);
    CHECK(postern_http_socket_of(first, &out, NULL) == POSTERN_OK);
    int second = bind_again(1, (uint16_t)out.port), third = bind_again(0, (uint16_t)out.port);
    CHECK(second >= 0);
    CHECK(third < 0);
    close(first);
    close(second);
}

static void test_bytes(void) {
    int pair[2];
    char bytes[8] = "";
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK(postern_http_receive(pair[1], bytes, sizeof bytes) == POSTERN_HTTP_LATER);
    CHECK(postern_http_send(pair[0], "abcdefghij", 10) == 10);
    CHECK(postern_http_receive(pair[1], bytes, sizeof bytes) == 8);
    CHECK(memcmp(bytes, "abcdefgh", 8) == 0);
    CHECK(postern_http_receive(pair[1], bytes, sizeof bytes) == 2);
    static const char MANY[65536];
    int32_t sent = 0;
    for (int i = 0; i < 1000 && sent >= 0; i++) sent = postern_http_send(pair[0], MANY, sizeof MANY);
    CHECK(sent == POSTERN_HTTP_LATER);
    shutdown(pair[1], SHUT_WR);
    CHECK(postern_http_receive(pair[0], bytes, sizeof bytes) == 0);
    close(pair[1]);
    CHECK(postern_http_send(pair[0], "a", 1) == POSTERN_HTTP_BROKEN); /* and no SIGPIPE */
    CHECK(postern_http_receive(-1, bytes, sizeof bytes) == POSTERN_HTTP_BROKEN);
    close(pair[0]);
}

static void test_watch(void) {
    int first[2], second[2];
    uint32_t ready[4];
    postern_error error = {0};
    int32_t set = postern_http_watch_new(&error);
    CHECK(set >= 0 && (fcntl(set, F_GETFD) & FD_CLOEXEC));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, first) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, second) == 0);
    CHECK(postern_http_watch_add(set, first[0], 1, &error) == POSTERN_OK);
    CHECK(postern_http_watch_add(set, second[0], UINT32_MAX, &error) == POSTERN_OK);
    CHECK(postern_http_watch_ready(set, ready, 4) == 0);
    CHECK(send(second[1], "x", 1, 0) == 1);
    CHECK(postern_http_watch_ready(set, ready, 4) == 1 && ready[0] == UINT32_MAX);
    close(first[1]); /* its end is something to read */
    CHECK(postern_http_watch_ready(set, ready, 4) == 2);
    CHECK(postern_http_watch_ready(set, ready, 1) == 1);
    postern_http_watch_remove(set, second[0]);
    CHECK(postern_http_watch_ready(set, ready, 4) == 1 && ready[0] == 1);
    CHECK(postern_http_watch_add(set, -1, 1, &error) == POSTERN_VALUE);
    CHECK(strstr(error.message, "cannot be watched: Bad file descriptor") != NULL);
    close(first[0]);
    close(second[0]);
    close(second[1]);
    postern_http_watch_close(set);
    CHECK(fcntl(set, F_GETFD) < 0);
}

static void test_time(void) {
    double before = postern_http_seconds();
    usleep(2000);
    double passed = postern_http_seconds() - before;
    CHECK(passed >= 0.002 && passed < 60);
}

static void test_place(void) {
    static const double BOUNDS[] = {1, 2.5, 4};
    CHECK(postern_http_place(BOUNDS, 3, 0) == 0);
    CHECK(postern_http_place(BOUNDS, 3, 1) == 0);
    CHECK(postern_http_place(BOUNDS, 3, 1.1) == 1);
    CHECK(postern_http_place(BOUNDS, 3, 4) == 2);
    CHECK(postern_http_place(BOUNDS, 3, 5) == 3);
    CHECK(postern_http_place(BOUNDS, 0, 5) == 0);
}

TEST_MAIN(RUN(test_bytes); RUN(test_watch); RUN(test_time); RUN(test_place); RUN(test_notify); RUN(test_notify_is_refused); RUN(test_descriptions);
          RUN(test_no_sockets); RUN(test_peer); RUN(test_shared_port))
