#include "certificate.h"

#include <stdbool.h>
#include <stdlib.h>

#include "authority.h"
#include "failing_alloc.h"
#include "test.h"

static const char *quoted(postern_span span) {
    static char text[8][512];
    static int next;
    next = (next + 1) % 8;
    snprintf(text[next], sizeof text[next], "%.*s", (int)span.length, span.text);
    return text[next];
}

static postern_allocator plain_allocator(void) {
    return postern__allocator(NULL);
}

static void test_parts(void) {
    postern__certificate read;
    postern_allocator allocator = plain_allocator();
    test_authority ca = authority_make("ca");
    X509 *x509 = authority_issue(&ca, "leaf", (test_wish){
        .sans = "DNS:a.example.com,URI:spiffe://example.com/a,email:a@example.com,"
                "IP:192.0.2.1,IP:2001:db8::1,RID:1.2.3",
        .serial = 0xABC, .from = -60, .until = 120});
    CHECK(postern__certificate_read(&read, x509, &allocator, NULL) == POSTERN_OK);
    const postern_tls_certificate *parts = &read.parts;
    CHECK(parts->verified == 0);
    CHECK_TEXT(quoted(parts->subject), "CN=leaf,O=Example");
    CHECK_TEXT(quoted(parts->issuer), "CN=ca,O=Example");
    CHECK_TEXT(quoted(parts->serial), "0ABC");
    CHECK(parts->fingerprint.length == 64);
    CHECK(parts->not_after - parts->not_before == 180);
    CHECK(parts->not_before > 1500000000);
    CHECK(parts->san_count == 5);
    CHECK_TEXT(quoted(parts->sans[0]), "DNS:a.example.com");
    CHECK_TEXT(quoted(parts->sans[1]), "URI:spiffe://example.com/a");
    CHECK_TEXT(quoted(parts->sans[2]), "email:a@example.com");
    CHECK_TEXT(quoted(parts->sans[3]), "IP Address:192.0.2.1");
    CHECK_TEXT(quoted(parts->sans[4]), "IP Address:2001:DB8:0:0:0:0:0:1");
    CHECK(strncmp(parts->pem.text, "-----BEGIN CERTIFICATE-----\n", 28) == 0);
    CHECK(parts->pem.text[parts->pem.length - 1] == '\n');
    postern__certificate_free(&read);
    X509_free(x509);
    authority_free(&ca);
}

static void test_few_parts(void) {
    postern__certificate read;
    postern_allocator allocator = plain_allocator();
    test_authority ca = authority_make("ca");
    X509 *x509 = authority_issue(&ca, "A, \"B\" + C=\xC3\xA4", (test_wish){0});
    ASN1_INTEGER_set(X509_get_serialNumber(x509), -1);
    CHECK(postern__certificate_read(&read, x509, &allocator, NULL) == POSTERN_OK);
    CHECK(read.parts.san_count == 0);
    /* What could begin another part is escaped. */
    CHECK_TEXT(quoted(read.parts.subject), "CN=A\\, \\\"B\\\" \\+ C=\\C3\\A4,O=Example");
    CHECK_TEXT(quoted(read.parts.serial), "-01");
    postern__certificate_free(&read);
    X509_free(x509);
    authority_free(&ca);
}

static void test_failing_allocator(void) {
    test_authority ca = authority_make("ca");
    X509 *x509 = authority_issue(&ca, "leaf", (test_wish){.sans = "DNS:a,DNS:b"});
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        postern__certificate read;
        postern_error error = {0};
        int32_t status = postern__certificate_read(&read, x509, &failing.allocator, &error);
        bool failed = failing.allocations >= n;
        CHECK(status == (failed ? POSTERN_NO_MEMORY : POSTERN_OK));
        CHECK(!failed || error.status == POSTERN_NO_MEMORY);
        postern__certificate_free(&read);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
    X509_free(x509);
    authority_free(&ca);
}

TEST_MAIN(RUN(test_parts); RUN(test_few_parts); RUN(test_failing_allocator); test_clean())
