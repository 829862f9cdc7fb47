#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "certificate.h"
#include "context.h"
#include "failure.h"

/* Each end has one memory BIO:
 *
 *    feed  -> incoming -> SSL_read  -> plain -> the application
 *    write -> SSL_write -> outgoing -> the peer
 *
 * No more is put into `incoming` than a record, so what waits is bounded. */
struct postern_tls {
    postern_allocator allocator;
    SSL *ssl; /* owns both BIOs */
    BIO *incoming;
    BIO *outgoing;
    postern__vector plain;
    size_t max_buffered;
    int32_t state;
    bool closed; /* by us */
    bool peer_read;
    postern__certificate peer;
    int status; /* why it failed, to be said again */
    char reason[POSTERN_MESSAGE_SIZE];
};

/* The largest record, and its head (RFC 8446, section 5.2). */
enum { RECORD_SIZE = 16384 + 256 + 5 };

/* What a handshake may have in `outgoing`: chains of certificates. */
enum { HANDSHAKE_SIZE = 262144 };

/* ---- Beginning and end --------------------------------------------------- */

static bool is_address(const char *name) {
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

/* RFC 6066, section 3: addresses are not told. */
static bool expect_name(SSL *ssl, const char *name) {
    if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

enum { MOST_NAME = 253 }; /* of a host: RFC 1035, section 2.3.4 */

static int32_t begin(postern_tls *connection, postern_tls_context *context, const char *name,
                     size_t length, postern_error *error) {
    char copy[MOST_NAME + 1];
    connection->ssl = SSL_new(context->ssl);
    connection->incoming = BIO_new(BIO_s_mem());
    connection->outgoing = BIO_new(BIO_s_mem());
    if (connection->ssl == NULL || connection->incoming == NULL || connection->outgoing == NULL) {
        BIO_free(connection->incoming);
        BIO_free(connection->outgoing);
        return postern__no_memory(error);
    }
    /* Empty means that more will come, not that nothing will. */
    BIO_set_mem_eof_return(connection->incoming, -1);
    SSL_set_bio(connection->ssl, connection->incoming, connection->outgoing);
    if (!context->client) {
        SSL_set_accept_state(connection->ssl);
        return POSTERN_OK;
    }
    memcpy(copy, name, length);
    copy[length] = '\0';
    if (!expect_name(connection->ssl, copy))
        return postern__tls_fail(error, POSTERN_VALUE, "the name of the server");
    SSL_set_connect_state(connection->ssl);
    return POSTERN_OK;
}

static int32_t check_name(const postern_tls_context *context, const char *name, size_t length,
                          postern_error *error) {
    bool given = name != NULL && length > 0;
    if (given != context->client)
        return postern__fail(error, POSTERN_MISUSE, 0, 0,
                             "a client says whom it wants to reach, a server does not");
    if (given && (length > MOST_NAME || memchr(name, '\0', length) != NULL || name[0] == '.'))
        return postern__fail(error, POSTERN_VALUE, 0, 0, "the name of the server is none");
    return POSTERN_OK;
}

postern_tls *postern_tls_new(postern_tls_context *context, const char *name, size_t length,
                             postern_error *error) {
    size_t used;
    if (check_name(context, name, length, error) != POSTERN_OK) return NULL;
    postern_tls *connection = postern__alloc(&context->allocator, sizeof *connection);
    if (connection == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    memset(connection, 0, sizeof *connection);
    connection->allocator = context->allocator;
    connection->max_buffered = context->max_buffered;
    postern__vector_init(&connection->plain, 1, &context->allocator);
    ERR_clear_error();
    if (begin(connection, context, name, length, error) != POSTERN_OK ||
        postern_tls_feed(connection, NULL, 0, &used, error) == POSTERN_TLS_FAILED) {
        postern_tls_free(connection);
        return NULL;
    }
    return connection;
}

void postern_tls_free(postern_tls *connection) {
    if (connection == NULL) return;
    postern_allocator allocator = connection->allocator;
    SSL_free(connection->ssl);
    postern__vector_free(&connection->plain);
    if (connection->peer_read) postern__certificate_free(&connection->peer);
    postern__free(&allocator, connection, sizeof *connection);
}

/* ---- From the peer ------------------------------------------------------- */

static int32_t say_again(const postern_tls *connection, postern_error *error) {
    postern__fail(error, connection->status, 0, 0, "%s", connection->reason);
    return POSTERN_TLS_FAILED;
}

static void fail(postern_tls *connection, int status, const char *reason) {
    connection->state = POSTERN_TLS_FAILED;
    connection->status = status;
    snprintf(connection->reason, sizeof connection->reason, "%s", reason);
    ERR_clear_error();
}

/* A certificate is refused for a reason of its own, which the queue lacks. */
static void fail_as_openssl(postern_tls *connection) {
    postern_error error;
    long verdict = SSL_get_verify_result(connection->ssl);
    bool refused = ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    postern__tls_fail(&error, POSTERN_VALUE, "TLS");
    if (refused && verdict != X509_V_OK)
        postern__fail(&error, POSTERN_VALUE, 0, 0, "the peer's certificate: %s",
                      X509_verify_cert_error_string(verdict));
    fail(connection, POSTERN_VALUE, error.message);
}

/* What a call of OpenSSL that did not succeed comes to. True: it wants more. */
static bool wants_more(postern_tls *connection, int result) {
    int why = SSL_get_error(connection->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return true;
    if (why == SSL_ERROR_ZERO_RETURN) {
        connection->state = POSTERN_TLS_CLOSED;
    } else {
        fail_as_openssl(connection);
    }
    return false;
}

static bool is_full(const postern_tls *connection) {
    return connection->plain.count >= connection->max_buffered;
}

/* Opens what there is, until it is used up, too much waits or it has ended. */
static void open_records(postern_tls *connection) {
    while (!is_full(connection)) {
        size_t got = 0;
        if (!postern__vector_reserve(&connection->plain, RECORD_SIZE)) {
            fail(connection, POSTERN_NO_MEMORY, "out of memory");
            return;
        }
        int result = SSL_read_ex(connection->ssl, connection->plain.items + connection->plain.count,
                                 RECORD_SIZE, &got);
        connection->plain.count += got;
        if (result != 1) {
            wants_more(connection, result);
            return;
        }
    }
}

static void go_on(postern_tls *connection) {
    if (connection->state == POSTERN_TLS_HANDSHAKE) {
        int result = SSL_do_handshake(connection->ssl);
        if (result == 1) {
            connection->state = POSTERN_TLS_OPEN;
        } else {
            wants_more(connection, result);
        }
    }
    if (connection->state == POSTERN_TLS_OPEN && SSL_pending(connection->ssl) +
        (int)BIO_ctrl_pending(connection->incoming) > 0)
        open_records(connection);
    /* Somebody asks and asks, and never takes an answer. */
    if (connection->state != POSTERN_TLS_FAILED &&
        BIO_ctrl_pending(connection->outgoing) > connection->max_buffered + HANDSHAKE_SIZE)
        fail(connection, POSTERN_LIMIT, "the peer takes no answers");
}

int32_t postern_tls_feed(postern_tls *connection, const char *bytes, size_t length,
                         size_t *consumed, postern_error *error) {
    *consumed = 0;
    if (connection->state == POSTERN_TLS_FAILED) return say_again(connection, error);
    ERR_clear_error();
    for (;;) {
        size_t left = length - *consumed, waiting = BIO_ctrl_pending(connection->incoming);
        size_t room = waiting < RECORD_SIZE ? RECORD_SIZE - waiting : 0, put = 0;
        if (connection->state == POSTERN_TLS_CLOSED) {
            *consumed = length; /* nothing counts after the peer's last word */
            break;
        }
        if (left > 0 && room > 0 && !is_full(connection) &&
            BIO_write_ex(connection->incoming, bytes + *consumed, left < room ? left : room,
                         &put) != 1)
            fail(connection, POSTERN_NO_MEMORY, "out of memory");
        *consumed += put;
        if (connection->state != POSTERN_TLS_FAILED) go_on(connection);
        if (connection->state == POSTERN_TLS_FAILED || *consumed == length || put == 0) break;
    }
    ERR_clear_error();
    return connection->state == POSTERN_TLS_FAILED ? say_again(connection, error)
                                                   : connection->state;
}

int32_t postern_tls_state_of(const postern_tls *connection) {
    return connection->state;
}

void postern_tls_plain(const postern_tls *connection, postern_span *out) {
    *out = (postern_span){connection->plain.items, connection->plain.count};
}

void postern_tls_plain_taken(postern_tls *connection) {
    if (connection->plain.capacity > POSTERN_TLS_MAX_BUFFERED)
        postern__vector_free(&connection->plain);
    connection->plain.count = 0;
}

/* ---- To the peer --------------------------------------------------------- */

int32_t postern_tls_write(postern_tls *connection, const char *text, size_t length,
                          size_t *taken, postern_error *error) {
    *taken = 0;
    if (connection->state == POSTERN_TLS_FAILED) {
        say_again(connection, error);
        return connection->status;
    }
    if (connection->state == POSTERN_TLS_HANDSHAKE || connection->closed)
        return postern__fail(error, POSTERN_MISUSE, 0, 0,
                             "nothing is sent before the handshake has ended, or after a close");
    ERR_clear_error();
    while (*taken < length && BIO_ctrl_pending(connection->outgoing) < connection->max_buffered) {
        size_t put = 0, left = length - *taken;
        int result = SSL_write_ex(connection->ssl, text + *taken,
                                  left < 16384 ? left : 16384, &put);
        if (result != 1) {
            fail_as_openssl(connection);
            say_again(connection, error);
            return connection->status;
        }
        *taken += put;
    }
    return POSTERN_OK;
}

void postern_tls_sealed(const postern_tls *connection, postern_span *out) {
    char *bytes = NULL;
    long length = BIO_get_mem_data(connection->outgoing, &bytes);
    *out = (postern_span){bytes, length > 0 ? (size_t)length : 0};
}

void postern_tls_sealed_taken(postern_tls *connection) {
    (void)BIO_reset(connection->outgoing);
}

void postern_tls_close(postern_tls *connection) {
    bool open = connection->state == POSTERN_TLS_OPEN || connection->state == POSTERN_TLS_CLOSED;
    if (!open || connection->closed) return;
    connection->closed = true;
    SSL_shutdown(connection->ssl);
    ERR_clear_error();
}

/* ---- What is known of the peer ------------------------------------------- */

const char *postern_tls_version_of(const postern_tls *connection) {
    return SSL_is_init_finished(connection->ssl) ? SSL_get_version(connection->ssl) : NULL;
}

static const postern_tls_certificate *read_peer(postern_tls *connection, X509 *x509,
                                                postern_error *error) {
    int32_t status =
        postern__certificate_read(&connection->peer, x509, &connection->allocator, error);
    if (status != POSTERN_OK) {
        postern__certificate_free(&connection->peer);
        return NULL;
    }
    connection->peer_read = true;
    connection->peer.parts.verified = SSL_get_verify_result(connection->ssl) == X509_V_OK;
    return &connection->peer.parts;
}

const postern_tls_certificate *postern_tls_peer(postern_tls *connection, postern_error *error) {
    if (error != NULL) error->status = POSTERN_OK;
    if (connection->peer_read) return &connection->peer.parts;
    /* Before that nobody has proved anything. */
    if (!SSL_is_init_finished(connection->ssl)) return NULL;
    X509 *x509 = SSL_get1_peer_certificate(connection->ssl);
    if (x509 == NULL) return NULL;
    const postern_tls_certificate *parts = read_peer(connection, x509, error);
    X509_free(x509);
    return parts;
}
