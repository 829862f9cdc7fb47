#include "context.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "failure.h"

uint32_t postern_tls_abi(void) {
    return POSTERN_TLS_ABI;
}

static int32_t misuse(postern_error *error, const char *message) {
    return postern__fail(error, POSTERN_MISUSE, 0, 0, "%s", message);
}

static int32_t check_options(const postern_tls_options *options, postern_error *error) {
    bool server = options->role == POSTERN_TLS_SERVER;
    if (!server && options->role != POSTERN_TLS_CLIENT) return misuse(error, "a role that is none");
    if (options->demand < POSTERN_TLS_NOT_ASKED || options->demand > POSTERN_TLS_REQUIRED)
        return misuse(error, "a demand that is none");
    if (options->min_version != POSTERN_TLS_1_2 && options->min_version != POSTERN_TLS_1_3)
        return misuse(error, "a version that is none");
    if (server && options->certificate == NULL) return misuse(error, "a server has a certificate");
    if ((options->certificate == NULL) != (options->key == NULL))
        return misuse(error, "a certificate and its key are given together");
    bool asks = !server || options->demand != POSTERN_TLS_NOT_ASKED;
    if (server && asks && options->authorities == NULL)
        return misuse(error, "a server that asks for certificates has authorities to believe");
    if (server && !asks && options->authorities != NULL)
        return misuse(error, "authorities are for certificates that are asked for");
    if (!asks && options->revoked != NULL)
        return misuse(error, "lists of revoked certificates are for those that are asked for");
    return POSTERN_OK;
}

/* ---- Files --------------------------------------------------------------- */

static int32_t fail_with(postern_error *error, const char *path, const char *what) {
    char message[POSTERN_MESSAGE_SIZE];
    postern_span quoted = {path, strlen(path)};
    snprintf(message, sizeof message, "`%.*s%s`: %s", POSTERN__QUOTE(quoted), what);
    return postern__tls_fail(error, POSTERN_VALUE, message);
}

/* For keys that are encrypted: nobody is asked. */
static int no_password(char *buffer, int size, int writing, void *user) {
    (void)buffer, (void)size, (void)writing, (void)user;
    return -1;
}

static int32_t load_own(SSL_CTX *ssl, const postern_tls_options *options, postern_error *error) {
    if (options->certificate == NULL) return POSTERN_OK;
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    if (SSL_CTX_use_certificate_chain_file(ssl, options->certificate) != 1)
        return fail_with(error, options->certificate, "no certificate that can be used");
    /* Asked by OpenSSL as well, and told with fewer words. */
    if (SSL_CTX_use_PrivateKey_file(ssl, options->key, SSL_FILETYPE_PEM) != 1)
        return fail_with(error, options->key, "no private key that can be used");
    if (SSL_CTX_check_private_key(ssl) != 1)
        return fail_with(error, options->key, "not the key of the certificate");
    return POSTERN_OK;
}

static int32_t load_revoked(SSL_CTX *ssl, const char *path, postern_error *error) {
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
        return fail_with(error, path, "no lists of revoked certificates");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return POSTERN_OK;
}

static int32_t load_authorities(SSL_CTX *ssl, const postern_tls_options *options,
                                postern_error *error) {
    const char *path = options->authorities;
    if (path == NULL) {
        if (SSL_CTX_set_default_verify_paths(ssl) != 1)
            return postern__tls_fail(error, POSTERN_VALUE, "the system's authorities");
        return POSTERN_OK;
    }
    if (SSL_CTX_load_verify_file(ssl, path) != 1)
        return fail_with(error, path, "no authorities that can be used");
    if (options->role == POSTERN_TLS_CLIENT) return POSTERN_OK;
    /* Told to clients, which choose their certificate by it. */
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);
    if (names == NULL) return fail_with(error, path, "no authorities that can be used");
    SSL_CTX_set_client_CA_list(ssl, names);
    return POSTERN_OK;
}

/* ---- Rules --------------------------------------------------------------- */

static const unsigned char PROTOCOLS[] = "\x08http/1.1";
enum { PROTOCOLS_SIZE = sizeof PROTOCOLS - 1 };

/* RFC 7301, section 3.2: who offers protocols, and not ours, would not
 * understand us. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                           const unsigned char *offered, unsigned int length, void *user) {
    (void)ssl, (void)user;
    unsigned char *chosen;
    int found = SSL_select_next_proto(&chosen, out_length, PROTOCOLS, PROTOCOLS_SIZE, offered,
                                      length);
    if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int verify_mode(const postern_tls_options *options) {
    if (options->role == POSTERN_TLS_CLIENT) return SSL_VERIFY_PEER;
    switch ((postern_tls_demand)options->demand) {
    case POSTERN_TLS_NOT_ASKED: return SSL_VERIFY_NONE;
    case POSTERN_TLS_OPTIONAL: return SSL_VERIFY_PEER;
    case POSTERN_TLS_REQUIRED: break;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* RFC 9325: forward secrecy and authenticated encryption alone. TLS 1.3 has
 * nothing else. */
static const char CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

static bool set_rules(SSL_CTX *ssl, const postern_tls_options *options) {
    int lowest = options->min_version == POSTERN_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ssl, verify_mode(options), NULL);
    if (SSL_CTX_set_min_proto_version(ssl, lowest) != 1) return false;
    if (SSL_CTX_set_cipher_list(ssl, CIPHERS) != 1) return false;
    if (options->role == POSTERN_TLS_CLIENT)
        return SSL_CTX_set_alpn_protos(ssl, PROTOCOLS, PROTOCOLS_SIZE) == 0;
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return SSL_CTX_set_num_tickets(ssl, 0) == 1;
}

static int32_t fill(SSL_CTX *ssl, const postern_tls_options *options, postern_error *error) {
    if (!set_rules(ssl, options)) return postern__tls_fail(error, POSTERN_VALUE, "TLS");
    int32_t status = load_own(ssl, options, error);
    bool asks = verify_mode(options) != SSL_VERIFY_NONE;
    if (status == POSTERN_OK && asks) status = load_authorities(ssl, options, error);
    if (status == POSTERN_OK && options->revoked != NULL)
        status = load_revoked(ssl, options->revoked, error);
    return status;
}

postern_tls_context *postern_tls_context_new(const postern_tls_options *options,
                                             postern_error *error) {
    postern_allocator allocator = postern__allocator(options->allocator);
    if (check_options(options, error) != POSTERN_OK) return NULL;
    postern_tls_context *context = postern__alloc(&allocator, sizeof *context);
    if (context == NULL) {
        postern__no_memory(error);
        return NULL;
    }
    ERR_clear_error();
    memset(context, 0, sizeof *context);
    context->allocator = allocator;
    context->client = options->role == POSTERN_TLS_CLIENT;
    context->max_buffered =
        options->max_buffered > 0 ? options->max_buffered : POSTERN_TLS_MAX_BUFFERED;
    context->ssl = SSL_CTX_new(context->client ? TLS_client_method() : TLS_server_method());
    int32_t status = context->ssl == NULL ? postern__tls_fail(error, POSTERN_NO_MEMORY, "TLS")
                                          : fill(context->ssl, options, error);
    ERR_clear_error();
    if (status == POSTERN_OK) return context;
    postern_tls_context_free(context);
    return NULL;
}

void postern_tls_context_free(postern_tls_context *context) {
    if (context == NULL) return;
    postern_allocator allocator = context->allocator;
    SSL_CTX_free(context->ssl);
    postern__free(&allocator, context, sizeof *context);
}
