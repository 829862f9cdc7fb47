#include "failure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "test.h"

static void test_reasons(void) {
    postern_error error;
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL); /* its texts */
    ERR_clear_error();
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    ERR_raise(ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER);
    CHECK(postern__tls_fail(&error, POSTERN_VALUE, "TLS") == POSTERN_VALUE);
    CHECK_TEXT(error.message, "TLS: no shared cipher");
    CHECK(error.status == POSTERN_VALUE && error.line == 0);
    CHECK(ERR_peek_error() == 0);
}

static void test_reasons_of_the_system(void) {
    postern_error error;
    ERR_raise(ERR_LIB_SYS, ENOENT);
    CHECK(postern__tls_fail(&error, POSTERN_LIMIT, "`a`") == POSTERN_LIMIT);
    CHECK_TEXT(error.message, "`a`: No such file or directory");
}

static void test_no_reason(void) {
    postern_error error;
    CHECK(postern__tls_fail(&error, POSTERN_VALUE, "TLS") == POSTERN_VALUE);
    CHECK_TEXT(error.message, "TLS: for no reason that was told");
    CHECK(postern__tls_fail(NULL, POSTERN_VALUE, "TLS") == POSTERN_VALUE);
}

TEST_MAIN(RUN(test_reasons); RUN(test_reasons_of_the_system); RUN(test_no_reason))
