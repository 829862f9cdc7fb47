/* Keys, certificates and lists of revoked ones, made for a test and gone with
 * it: PEM files in a folder of their own. Failing to make them ends the test. */
#ifndef POSTERN_TLS_AUTHORITY_H
#define POSTERN_TLS_AUTHORITY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

typedef struct test_authority {
    X509 *x509;
    EVP_PKEY *key;
} test_authority;

/* A folder that does not exist yet is made; it is the same one from then on. */
const char *test_folder(void);

/* The path of a file in it, in one of several buffers that are used in turn. */
const char *test_path(const char *name);

void test_write(const char *name, const char *text);

/* Writes `<name>.pem`. */
test_authority authority_make(const char *name);
void authority_free(test_authority *authority);

/* What is asked of a certificate; zeros are a good one. */
typedef struct test_wish {
    const char *sans; /* as in openssl.cnf: DNS:a,IP:127.0.0.1 */
    long from, until; /* seconds from now; 0: a day before, a day after */
    long serial;
    const char *usage; /* NULL: both ends */
} test_wish;

/* Writes `<name>.pem` and `<name>.key`; the caller frees it. */
X509 *authority_issue(const test_authority *authority, const char *name, test_wish wish);

/* Writes `<name>.crl`, which revokes one certificate, or none (NULL). */
void authority_revoke(const test_authority *authority, const char *name, X509 *revoked);

/* Removes the folder. */
void test_clean(void);

#endif
