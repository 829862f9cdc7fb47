#include "certificate.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "failure.h"

/* While the text grows its pieces are offsets; pointers are set at the end. */
typedef struct assembly {
    postern__certificate *out;
    bool no_memory;
} assembly;

static size_t size_of(const assembly *parts) {
    return parts->out->text.count;
}

static void append(assembly *parts, const char *text, size_t length) {
    if (!parts->no_memory && postern__vector_push(&parts->out->text, text, length) == NULL)
        parts->no_memory = true;
}

/* What was written to the BIO, which is empty afterwards. */
static void append_bio(assembly *parts, BIO *bio) {
    char *text;
    long length = BIO_get_mem_data(bio, &text);
    append(parts, text, (size_t)length);
    (void)BIO_reset(bio);
}

static void append_hex(assembly *parts, const unsigned char *bytes, size_t length,
                       const char *digits) {
    for (size_t i = 0; i < length; i++) {
        char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 0xF]};
        append(parts, pair, sizeof pair);
    }
}

static void append_name(assembly *parts, BIO *bio, const X509_NAME *name) {
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) append_bio(parts, bio);
}

static bool append_serial(assembly *parts, const X509 *x509) {
    unsigned char bytes[64];
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    if (number == NULL || BN_num_bytes(number) > (int)sizeof bytes) {
        BN_free(number);
        return false;
    }
    if (BN_is_negative(number)) append(parts, "-", 1);
    if (BN_is_zero(number)) append(parts, "00", 2);
    append_hex(parts, bytes, (size_t)BN_bn2bin(number, bytes), "0123456789ABCDEF");
    BN_free(number);
    return true;
}

static bool append_fingerprint(assembly *parts, const X509 *x509) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (X509_digest(x509, EVP_sha256(), bytes, &length) != 1) return false;
    append_hex(parts, bytes, length, "0123456789abcdef");
    return true;
}

/* ---- Other names --------------------------------------------------------- */

static void append_address(assembly *parts, const ASN1_OCTET_STRING *address) {
    const unsigned char *bytes = ASN1_STRING_get0_data(address);
    int length = ASN1_STRING_length(address);
    char text[64];
    if (length == 4) {
        snprintf(text, sizeof text, "%d.%d.%d.%d", bytes[0], bytes[1], bytes[2], bytes[3]);
        append(parts, text, strlen(text));
        return;
    }
    /* As OpenSSL writes them: eight groups, none left out. */
    for (int i = 0; i < length; i += 2) {
        snprintf(text, sizeof text, i == 0 ? "%X" : ":%X", bytes[i] << 8 | bytes[i + 1]);
        append(parts, text, strlen(text));
    }
}

static const char *kind_of(const GENERAL_NAME *name) {
    int length;
    switch (name->type) {
    case GEN_DNS: return "DNS:";
    case GEN_URI: return "URI:";
    case GEN_EMAIL: return "email:";
    case GEN_IPADD:
        length = ASN1_STRING_length(name->d.iPAddress);
        return length == 4 || length == 16 ? "IP Address:" : NULL;
    default: return NULL;
    }
}

static void append_san(assembly *parts, const GENERAL_NAME *name) {
    const char *kind = kind_of(name);
    if (kind == NULL) return;
    size_t start = size_of(parts);
    append(parts, kind, strlen(kind));
    if (name->type == GEN_IPADD) {
        append_address(parts, name->d.iPAddress);
    } else {
        const ASN1_IA5STRING *text = name->d.ia5;
        append(parts, (const char *)ASN1_STRING_get0_data(text),
               (size_t)ASN1_STRING_length(text));
    }
    postern_span san = {NULL, size_of(parts) - start};
    if (postern__vector_push(&parts->out->sans, &san, 1) == NULL) parts->no_memory = true;
}

/* -1: the certificate has none. */
static bool append_sans(assembly *parts, const X509 *x509) {
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, NULL);
    if (names == NULL) return critical == -1;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        append_san(parts, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return true;
}

/* ---- The whole ----------------------------------------------------------- */

/* RFC 5280 counts in seconds; no leap seconds, as everywhere. */
static bool seconds_of(const ASN1_TIME *time, int64_t *seconds) {
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool known = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    *seconds = (int64_t)days * 86400 + rest;
    return known;
}

/* Each piece begins where the one before ended, in the order they were put. */
static void set_spans(postern__certificate *out, const size_t *ends) {
    postern_tls_certificate *parts = &out->parts;
    postern_span *spans[] = {&parts->subject, &parts->issuer, &parts->serial,
                             &parts->fingerprint, &parts->pem};
    const char *at = out->text.items;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        *spans[i] = (postern_span){at, (size_t)(out->text.items + ends[i] - at)};
        at = out->text.items + ends[i];
    }
    for (size_t i = 0; i < out->sans.count; i++) {
        postern_span *san = POSTERN__AT(&out->sans, postern_span, i);
        san->text = at;
        at += san->length;
    }
    parts->sans = POSTERN__AT(&out->sans, postern_span, 0);
    parts->san_count = (uint32_t)out->sans.count;
}

int32_t postern__certificate_read(postern__certificate *out, X509 *x509,
                                  const postern_allocator *allocator, postern_error *error) {
    assembly whole = {out, false};
    size_t ends[5];
    memset(out, 0, sizeof *out);
    postern__vector_init(&out->text, 1, allocator);
    postern__vector_init(&out->sans, sizeof(postern_span), allocator);
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio == NULL) return postern__no_memory(error);
    append_name(&whole, bio, X509_get_subject_name(x509));
    ends[0] = size_of(&whole);
    append_name(&whole, bio, X509_get_issuer_name(x509));
    ends[1] = size_of(&whole);
    bool good = append_serial(&whole, x509);
    ends[2] = size_of(&whole);
    good = append_fingerprint(&whole, x509) && good;
    ends[3] = size_of(&whole);
    good = PEM_write_bio_X509(bio, x509) == 1 && good;
    append_bio(&whole, bio);
    ends[4] = size_of(&whole);
    good = append_sans(&whole, x509) && good;
    good = seconds_of(X509_get0_notBefore(x509), &out->parts.not_before) && good;
    good = seconds_of(X509_get0_notAfter(x509), &out->parts.not_after) && good;
    BIO_free(bio);
    ERR_clear_error();
    if (whole.no_memory) return postern__no_memory(error);
    if (!good)
        return postern__fail(error, POSTERN_VALUE, 0, 0, "the peer's certificate cannot be read");
    set_spans(out, ends);
    return POSTERN_OK;
}

void postern__certificate_free(postern__certificate *certificate) {
    postern__vector_free(&certificate->text);
    postern__vector_free(&certificate->sans);
}
