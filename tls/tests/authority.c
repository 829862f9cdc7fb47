#define _GNU_SOURCE
#include "authority.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void require(int condition) {
    if (condition) return;
    ERR_print_errors_fp(stderr);
    abort();
}

const char *test_folder(void) {
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/postern-tls-XXXXXX");
        require(mkdtemp(folder) != NULL);
    }
    return folder;
}

const char *test_path(const char *name) {
    static char paths[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(paths[next], sizeof paths[next], "%s/%s", test_folder(), name);
    return paths[next];
}

static FILE *create(const char *name, const char *ending) {
    char file[64];
    snprintf(file, sizeof file, "%s%s", name, ending);
    FILE *out = fopen(test_path(file), "w");
    require(out != NULL);
    return out;
}

void test_write(const char *name, const char *text) {
    FILE *out = create(name, "");
    require(fputs(text, out) >= 0 && fclose(out) == 0);
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    require(extension != NULL && X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *begin(const char *name, EVP_PKEY *key, long serial, long from, long until) {
    X509 *x509 = X509_new();
    require(x509 != NULL);
    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), from != 0 ? from : -86400);
    X509_gmtime_adj(X509_getm_notAfter(x509), until != 0 ? until : 86400);
    X509_NAME *subject = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Example", -1,
                               -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    require(X509_set_pubkey(x509, key));
    return x509;
}

test_authority authority_make(const char *name) {
    test_authority made = {NULL, EVP_EC_gen("P-256")};
    require(made.key != NULL);
    made.x509 = begin(name, made.key, 1, 0, 0);
    require(X509_set_issuer_name(made.x509, X509_get_subject_name(made.x509)));
    add_extension(made.x509, made.x509, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(made.x509, made.x509, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(made.x509, made.x509, NID_subject_key_identifier, "hash");
    require(X509_sign(made.x509, made.key, EVP_sha256()) > 0);
    FILE *out = create(name, ".pem");
    require(PEM_write_X509(out, made.x509) && fclose(out) == 0);
    return made;
}

void authority_free(test_authority *authority) {
    X509_free(authority->x509);
    EVP_PKEY_free(authority->key);
}

X509 *authority_issue(const test_authority *authority, const char *name, test_wish wish) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    require(key != NULL);
    X509 *x509 = begin(name, key, wish.serial != 0 ? wish.serial : 2, wish.from, wish.until);
    require(X509_set_issuer_name(x509, X509_get_subject_name(authority->x509)));
    add_extension(x509, authority->x509, NID_ext_key_usage,
                  wish.usage != NULL ? wish.usage : "serverAuth,clientAuth");
    if (wish.sans != NULL)
        add_extension(x509, authority->x509, NID_subject_alt_name, wish.sans);
    require(X509_sign(x509, authority->key, EVP_sha256()) > 0);
    FILE *out = create(name, ".pem");
    require(PEM_write_X509(out, x509) && fclose(out) == 0);
    out = create(name, ".key");
    require(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) && fclose(out) == 0);
    EVP_PKEY_free(key);
    return x509;
}

void authority_revoke(const test_authority *authority, const char *name, X509 *revoked) {
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -3600), *later = X509_gmtime_adj(NULL, 86400);
    require(crl != NULL && X509_CRL_set_version(crl, 1));
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->x509));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, later);
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(entry, now);
        require(X509_CRL_add0_revoked(crl, entry));
    }
    require(X509_CRL_sign(crl, authority->key, EVP_sha256()) > 0);
    FILE *out = create(name, ".crl");
    require(PEM_write_X509_CRL(out, crl) && fclose(out) == 0);
    ASN1_TIME_free(now);
    ASN1_TIME_free(later);
    X509_CRL_free(crl);
}

void test_clean(void) {
    DIR *entries = opendir(test_folder());
    require(entries != NULL);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] != '.') unlink(test_path(entry->d_name));
    }
    closedir(entries);
    rmdir(test_folder());
}
