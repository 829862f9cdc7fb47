#include "postern_tls.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "authority.h"
#include "failing_alloc.h"
#include "test.h"

enum { SERVER = POSTERN_TLS_SERVER, CLIENT = POSTERN_TLS_CLIENT };

static test_authority ca;

static void make_files(void) {
    if (ca.x509 != NULL) return;
    ca = authority_make("ca");
    X509 *leaf = authority_issue(&ca, "leaf", (test_wish){.sans = "DNS:localhost"});
    X509 *other = authority_issue(&ca, "other", (test_wish){0});
    authority_revoke(&ca, "revoked", leaf);
    X509_free(leaf);
    X509_free(other);
    test_write("text.pem", "no PEM at all\n");
    test_write("empty.pem", "");
}

typedef struct options_case {
    int32_t role, demand;
    const char *certificate, *key, *authorities, *revoked; /* files, or NULL */
    int status;
    const char *message; /* a part of it */
} options_case;

#define LEAF "leaf.pem", "leaf.key"

static const options_case CASES[] = {
    {SERVER, POSTERN_TLS_NOT_ASKED, LEAF, NULL, NULL, POSTERN_OK, NULL},
    {SERVER, POSTERN_TLS_OPTIONAL, LEAF, "ca.pem", NULL, POSTERN_OK, NULL},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, "ca.pem", "revoked.crl", POSTERN_OK, NULL},
    {CLIENT, POSTERN_TLS_NOT_ASKED, NULL, NULL, "ca.pem", NULL, POSTERN_OK, NULL},
    {CLIENT, POSTERN_TLS_NOT_ASKED, LEAF, "ca.pem", "revoked.crl", POSTERN_OK, NULL},
    {CLIENT, POSTERN_TLS_NOT_ASKED, NULL, NULL, NULL, NULL, POSTERN_OK, NULL},
    /* Contradictions. */
    {2, 0, LEAF, NULL, NULL, POSTERN_MISUSE, "a role that is none"},
    {-1, 0, LEAF, NULL, NULL, POSTERN_MISUSE, "a role that is none"},
    {SERVER, 3, LEAF, "ca.pem", NULL, POSTERN_MISUSE, "a demand that is none"},
    {SERVER, -1, LEAF, "ca.pem", NULL, POSTERN_MISUSE, "a demand that is none"},
    {SERVER, 0, NULL, NULL, NULL, NULL, POSTERN_MISUSE, "a server has a certificate"},
    {SERVER, 0, "leaf.pem", NULL, NULL, NULL, POSTERN_MISUSE, "are given together"},
    {CLIENT, 0, NULL, "leaf.key", "ca.pem", NULL, POSTERN_MISUSE, "are given together"},
    {SERVER, POSTERN_TLS_OPTIONAL, LEAF, NULL, NULL, POSTERN_MISUSE, "has authorities to believe"},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, NULL, NULL, POSTERN_MISUSE, "has authorities to believe"},
    {SERVER, 0, LEAF, "ca.pem", NULL, POSTERN_MISUSE, "for certificates that are asked for"},
    {SERVER, 0, LEAF, NULL, "revoked.crl", POSTERN_MISUSE, "for those that are asked for"},
    /* Files. */
    {SERVER, 0, "none.pem", "leaf.key", NULL, NULL, POSTERN_VALUE,
     "none.pem`: no certificate that can be used: No such file"},
    {SERVER, 0, "text.pem", "leaf.key", NULL, NULL, POSTERN_VALUE,
     "text.pem`: no certificate that can be used: no start line"},
    {SERVER, 0, "leaf.key", "leaf.key", NULL, NULL, POSTERN_VALUE, "no certificate"},
    {SERVER, 0, "leaf.pem", "none.key", NULL, NULL, POSTERN_VALUE,
     "none.key`: no private key that can be used: No such file"},
    {SERVER, 0, "leaf.pem", "leaf.pem", NULL, NULL, POSTERN_VALUE, "leaf.pem`: no private key"},
    {SERVER, 0, "leaf.pem", "other.key", NULL, NULL, POSTERN_VALUE, "key values mismatch"},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, "none.pem", NULL, POSTERN_VALUE,
     "none.pem`: no authorities that can be used"},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, "empty.pem", NULL, POSTERN_VALUE,
     "empty.pem`: no authorities that can be used"},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, "ca.pem", "none.crl", POSTERN_VALUE,
     "none.crl`: no lists of revoked certificates"},
    {SERVER, POSTERN_TLS_REQUIRED, LEAF, "ca.pem", "ca.pem", POSTERN_VALUE,
     "ca.pem`: no lists of revoked certificates"},
};

static const char *path_or_null(const char *name) {
    return name == NULL ? NULL : test_path(name);
}

static postern_tls_context *context_of(const options_case *row, const postern_allocator *allocator,
                                       postern_error *error) {
    postern_tls_options options = {
        .allocator = allocator, .role = row->role, .demand = row->demand,
        .certificate = path_or_null(row->certificate), .key = path_or_null(row->key),
        .authorities = path_or_null(row->authorities), .revoked = path_or_null(row->revoked)};
    return postern_tls_context_new(&options, error);
}

static void test_options(void) {
    make_files();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const options_case *row = &CASES[i];
        postern_error error = {0};
        postern_tls_context *context = context_of(row, NULL, &error);
        CHECK((context != NULL) == (row->status == POSTERN_OK));
        CHECK(error.status == row->status);
        if (row->message != NULL) CHECK_ROW(strstr(error.message, row->message) != NULL,
                                            error.message);
        CHECK(ERR_peek_error() == 0);
        postern_tls_context_free(context);
    }
    postern_tls_options options = {.role = CLIENT, .min_version = 2};
    postern_error error;
    CHECK(postern_tls_context_new(&options, &error) == NULL && error.status == POSTERN_MISUSE);
    CHECK(postern_tls_context_new(&options, NULL) == NULL);
}

/* Nobody is asked for a password, not even where there is a terminal. */
static void test_encrypted_key(void) {
    static const char key[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAw\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n";
    make_files();
    test_write("encrypted.key", key);
    options_case row = {SERVER, 0, "leaf.pem", "encrypted.key", NULL, NULL, POSTERN_VALUE, NULL};
    postern_error error = {0};
    CHECK(context_of(&row, NULL, &error) == NULL);
    CHECK_ROW(strstr(error.message, "encrypted.key`: no private key that can be used") != NULL,
              error.message);
}

static void test_failing_allocator(void) {
    make_files();
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern_error error = {0};
        postern_tls_context *context = context_of(&CASES[0], &failing.allocator, &error);
        if (context == NULL) CHECK(error.status == POSTERN_NO_MEMORY);
        int failed = failing.allocations >= n;
        CHECK((context == NULL) == failed);
        postern_tls_context_free(context);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    postern_tls_context_free(NULL);
}

static void test_abi(void) {
    CHECK(postern_tls_abi() == POSTERN_TLS_ABI);
}

TEST_MAIN(RUN(test_abi); RUN(test_options); RUN(test_encrypted_key); RUN(test_failing_allocator);
          authority_free(&ca); test_clean())
