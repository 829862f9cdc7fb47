#define _GNU_SOURCE /* struct ucred */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "postern_http.h"

static int32_t fail(postern_error *error, const char *what) {
    return postern__fail(error, POSTERN_VALUE, 0, 0, "%s: %s", what, strerror(errno));
}

/* ---- The service manager ------------------------------------------------- */

/* Names begin with `@` where there is no file: abstract sockets, whose address
 * begins with NUL and ends with its length. */
static socklen_t unix_address(struct sockaddr_un *address, const char *path, size_t length) {
    bool absolute = length > 1 && (path[0] == '/' || path[0] == '@');
    if (!absolute || length >= sizeof address->sun_path || memchr(path, '\0', length) != NULL)
        return 0;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length);
    size_t size = offsetof(struct sockaddr_un, sun_path) + length;
    if (path[0] != '@') return (socklen_t)(size + 1);
    address->sun_path[0] = '\0';
    return (socklen_t)size;
}

/* Long enough for a service manager that is busy, short enough for whoever is
 * served meanwhile. */
static const struct timeval MOST_WAIT = {.tv_sec = 1};

int32_t postern_http_notify(const char *path, size_t path_length, const char *message,
                            size_t length, postern_error *error) {
    struct sockaddr_un address;
    socklen_t size = unix_address(&address, path, path_length);
    if (size == 0)
        return postern__fail(error, POSTERN_VALUE, 0, 0,
                             "`%.*s%s` is no socket that can be notified: give the path of a "
                             "Unix socket, or `@` and an abstract name",
                             POSTERN__QUOTE(((postern_span){path, path_length})));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail(error, "no socket to notify from");
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &MOST_WAIT, sizeof MOST_WAIT);
    ssize_t sent = sendto(fd, message, length, MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int32_t status = sent == (ssize_t)length ? POSTERN_OK : fail(error, "the service manager");
    close(fd);
    return status;
}

/* ---- Sockets that were handed over --------------------------------------- */

static int32_t option_of(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

static void describe_unix(const struct sockaddr_un *address, socklen_t size,
                          postern_http_socket *out) {
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = size > start ? size - start : 0;
    if (length > sizeof address->sun_path) length = sizeof address->sun_path;
    memcpy(out->address, address->sun_path, length);
    if (length > 0 && out->address[0] == '\0') {
        out->address[0] = '@';
    } else {
        length = strnlen(out->address, length);
    }
    out->address_length = (uint32_t)length;
}

int32_t postern_http_socket_of(int32_t fd, postern_http_socket *out, postern_error *error) {
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
        struct sockaddr_un local;
        struct sockaddr_storage room;
    } address;
    socklen_t size = sizeof address;
    memset(out, 0, sizeof *out);
    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.any, &size) != 0) return fail(error, "no socket");
    out->stream = option_of(fd, SO_TYPE) == SOCK_STREAM;
    out->listening = option_of(fd, SO_ACCEPTCONN) == 1;
    if (address.any.sa_family == AF_INET) {
        out->family = POSTERN_HTTP_INET;
        out->port = ntohs(address.inet.sin_port);
        inet_ntop(AF_INET, &address.inet.sin_addr, out->address, sizeof out->address);
    } else if (address.any.sa_family == AF_INET6) {
        out->family = POSTERN_HTTP_INET6;
        out->port = ntohs(address.inet6.sin6_port);
        inet_ntop(AF_INET6, &address.inet6.sin6_addr, out->address, sizeof out->address);
    } else if (address.any.sa_family == AF_UNIX) {
        out->family = POSTERN_HTTP_UNIX;
        describe_unix(&address.local, size, out);
        return POSTERN_OK;
    }
    out->address_length = (uint32_t)strlen(out->address);
    return POSTERN_OK;
}

int32_t postern_http_peer(int32_t fd, postern_http_credentials *out, postern_error *error) {
    postern_http_socket own;
    struct ucred peer;
    socklen_t size = sizeof peer;
    memset(out, 0, sizeof *out);
    int32_t status = postern_http_socket_of(fd, &own, error);
    if (status != POSTERN_OK) return status;
    /* Of other sockets the system answers as well, but not with a process. */
    if (own.family != POSTERN_HTTP_UNIX)
        return postern__fail(error, POSTERN_VALUE, 0, 0, "only a Unix socket knows its peer");
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return fail(error, "no peer");
    /* One that listens answers with itself, one that is not connected with -1. */
    if (own.listening || peer.uid == (uid_t)-1)
        return postern__fail(error, POSTERN_VALUE, 0, 0, "the socket has no peer");
    out->pid = peer.pid;
    out->uid = peer.uid;
    out->gid = peer.gid;
    return POSTERN_OK;
}

int32_t postern_http_reuse_port(int32_t fd, postern_error *error) {
    int yes = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0) return POSTERN_OK;
    return fail(error, "the port cannot be shared");
}

int32_t postern_http_close_on_exec(int32_t fd, postern_error *error) {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) == 0) return POSTERN_OK;
    return fail(error, "no descriptor");
}

/* ---- Connections --------------------------------------------------------- */

static int32_t reason_of(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? POSTERN_HTTP_LATER : POSTERN_HTTP_BROKEN;
}

int32_t postern_http_receive(int32_t fd, char *bytes, uint32_t size) {
    ssize_t came;
    do {
        came = recv(fd, bytes, size < INT32_MAX ? size : INT32_MAX, 0);
    } while (came < 0 && errno == EINTR);
    return came >= 0 ? (int32_t)came : reason_of();
}

int32_t postern_http_send(int32_t fd, const char *bytes, size_t length) {
    ssize_t sent;
    do {
        sent = send(fd, bytes, length < INT32_MAX ? length : INT32_MAX, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? (int32_t)sent : reason_of();
}

int32_t postern_http_watch_new(postern_error *error) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0) fail(error, "nothing can be watched");
    return set;
}

int32_t postern_http_watch_add(int32_t set, int32_t fd, uint32_t number, postern_error *error) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0) return POSTERN_OK;
    return fail(error, "the descriptor cannot be watched");
}

void postern_http_watch_remove(int32_t set, int32_t fd) {
    struct epoll_event event = {0};
    epoll_ctl(set, EPOLL_CTL_DEL, fd, &event);
}

int32_t postern_http_watch_ready(int32_t set, uint32_t *numbers, uint32_t most) {
    struct epoll_event events[64];
    if (most > sizeof events / sizeof *events) most = sizeof events / sizeof *events;
    int count = epoll_wait(set, events, (int)most, 0);
    for (int i = 0; i < count; i++) numbers[i] = events[i].data.u32;
    return count > 0 ? count : 0;
}

void postern_http_watch_close(int32_t set) {
    close(set);
}

double postern_http_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

uint32_t postern_http_place(const double *bounds, uint32_t count, double value) {
    uint32_t place = 0;
    while (place < count && value > bounds[place]) place++;
    return place;
}
