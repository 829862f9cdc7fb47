#include "postern_tls.h"

#include <stdbool.h>
#include <stdlib.h>

#include "authority.h"
#include "failing_alloc.h"
#include "test.h"

enum { HANDSHAKE = POSTERN_TLS_HANDSHAKE, OPEN = POSTERN_TLS_OPEN, CLOSED = POSTERN_TLS_CLOSED,
       FAILED = POSTERN_TLS_FAILED };

static test_authority ca, other_ca;

static void make_files(void) {
    if (ca.x509 != NULL) return;
    ca = authority_make("ca");
    other_ca = authority_make("other-ca");
    X509 *made[] = {
        authority_issue(&ca, "server", (test_wish){.sans = "DNS:localhost,IP:127.0.0.1"}),
        authority_issue(&ca, "wild", (test_wish){.sans = "DNS:*.example.com"}),
        authority_issue(&ca, "expired", (test_wish){.sans = "DNS:localhost", .until = -60}),
        authority_issue(&ca, "nobody", (test_wish){.usage = "clientAuth", .sans = "DNS:localhost"}),
        authority_issue(&ca, "client", (test_wish){.sans = "URI:spiffe://example.com/a", .serial = 77}),
        authority_issue(&ca, "revoked", (test_wish){.serial = 78}),
        authority_issue(&ca, "not-a-client", (test_wish){.usage = "serverAuth"}),
        authority_issue(&other_ca, "stranger", (test_wish){.sans = "DNS:localhost"}),
    };
    authority_revoke(&ca, "ca", made[5]);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) X509_free(made[i]);
}

/* Both ends, and what they were made with. */
typedef struct both_ends {
    postern_tls_context *server_context, *client_context;
    postern_tls *server, *client;
    postern_error server_error, client_error;
} both_ends;

typedef struct settings {
    const char *server;  /* whose certificate; NULL: `server` */
    const char *client;  /* NULL: none */
    const char *name;    /* whom the client wants; NULL: localhost */
    const char *believes; /* the client; NULL: `ca` */
    int32_t demand, server_version, client_version;
    bool revoked; /* the server looks into the list */
    uint32_t max_buffered;
    const postern_allocator *allocator; /* of both ends */
} settings;

static const char *file(const char *name, const char *ending) {
    char joined[64];
    snprintf(joined, sizeof joined, "%s%s", name, ending);
    return test_path(joined);
}

static void make_contexts(both_ends *ends, const settings *setting) {
    const char *own = setting->server != NULL ? setting->server : "server";
    postern_tls_options server = {
        .allocator = setting->allocator, .role = POSTERN_TLS_SERVER, .demand = setting->demand,
        .min_version = setting->server_version, .max_buffered = setting->max_buffered,
        .certificate = file(own, ".pem"), .key = file(own, ".key")};
    if (setting->demand != POSTERN_TLS_NOT_ASKED) server.authorities = test_path("ca.pem");
    if (setting->revoked) server.revoked = test_path("ca.crl");
    postern_tls_options client = {
        .allocator = setting->allocator, .role = POSTERN_TLS_CLIENT,
        .min_version = setting->client_version, .max_buffered = setting->max_buffered,
        .authorities = file(setting->believes != NULL ? setting->believes : "ca", ".pem")};
    if (setting->client != NULL) {
        client.certificate = file(setting->client, ".pem");
        client.key = file(setting->client, ".key");
    }
    ends->server_context = postern_tls_context_new(&server, &ends->server_error);
    ends->client_context = postern_tls_context_new(&client, &ends->client_error);
}

static void make(both_ends *ends, settings setting) {
    memset(ends, 0, sizeof *ends);
    make_files();
    make_contexts(ends, &setting);
    if (ends->server_context == NULL || ends->client_context == NULL) return;
    const char *name = setting.name != NULL ? setting.name : "localhost";
    ends->server = postern_tls_new(ends->server_context, NULL, 0, &ends->server_error);
    ends->client =
        postern_tls_new(ends->client_context, name, strlen(name), &ends->client_error);
    /* Connections hold what they need. */
    postern_tls_context_free(ends->server_context);
    postern_tls_context_free(ends->client_context);
    ends->server_context = ends->client_context = NULL;
}

static void drop(both_ends *ends) {
    postern_tls_free(ends->server);
    postern_tls_free(ends->client);
    postern_tls_context_free(ends->server_context);
    postern_tls_context_free(ends->client_context);
}

/* Carries what is sealed, `step` bytes at a time; how many bytes were taken. */
static size_t carry(postern_tls *from, postern_tls *to, size_t step, postern_error *error) {
    postern_span sealed;
    size_t done = 0;
    postern_tls_sealed(from, &sealed);
    while (done < sealed.length) {
        size_t left = sealed.length - done, used;
        size_t size = left < step ? left : step;
        char *piece = malloc(size);
        memcpy(piece, sealed.text + done, size);
        int32_t state = postern_tls_feed(to, piece, size, &used, error);
        free(piece);
        done += used;
        if (state == FAILED || used < size) break;
    }
    postern_tls_sealed_taken(from);
    return done;
}

static void converse(both_ends *ends, size_t step) {
    for (int round = 0; round < 6; round++) {
        carry(ends->client, ends->server, step, &ends->server_error);
        carry(ends->server, ends->client, step, &ends->client_error);
    }
}

static const char *plain_of(postern_tls *connection) {
    static char text[256];
    postern_span plain;
    postern_tls_plain(connection, &plain);
    snprintf(text, sizeof text, "%.*s", (int)plain.length, plain.text == NULL ? "" : plain.text);
    postern_tls_plain_taken(connection);
    return text;
}

static void write_all(postern_tls *connection, const char *text) {
    size_t taken;
    CHECK(postern_tls_write(connection, text, strlen(text), &taken, NULL) == POSTERN_OK);
    CHECK(taken == strlen(text));
}

static void test_conversation(void) {
    static const size_t steps[] = {1, 7, 1000, 1 << 20};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        both_ends ends;
        make(&ends, (settings){0});
        size_t taken;
        postern_error error;
        CHECK(postern_tls_state_of(ends.client) == HANDSHAKE);
        CHECK(postern_tls_version_of(ends.client) == NULL);
        CHECK(postern_tls_write(ends.client, "x", 1, &taken, &error) == POSTERN_MISUSE);
        CHECK(taken == 0);
        converse(&ends, steps[i]);
        CHECK(postern_tls_state_of(ends.client) == OPEN);
        CHECK(postern_tls_state_of(ends.server) == OPEN);
        CHECK_TEXT(postern_tls_version_of(ends.server), "TLSv1.3");
        write_all(ends.client, "ping");
        converse(&ends, steps[i]);
        CHECK_TEXT(plain_of(ends.server), "ping");
        write_all(ends.server, "po");
        write_all(ends.server, "ng");
        converse(&ends, steps[i]);
        CHECK_TEXT(plain_of(ends.client), "pong");
        /* One end closes, the other may still speak. */
        postern_tls_close(ends.client);
        postern_tls_close(ends.client);
        converse(&ends, steps[i]);
        CHECK(postern_tls_state_of(ends.server) == CLOSED);
        CHECK(postern_tls_state_of(ends.client) == OPEN);
        CHECK(postern_tls_write(ends.client, "x", 1, &taken, &error) == POSTERN_MISUSE);
        write_all(ends.server, "bye");
        postern_tls_close(ends.server);
        converse(&ends, steps[i]);
        CHECK_TEXT(plain_of(ends.client), "bye");
        CHECK(postern_tls_state_of(ends.client) == CLOSED);
        drop(&ends);
    }
}

static void test_versions(void) {
    both_ends ends;
    make(&ends, (settings){.server_version = POSTERN_TLS_1_3});
    converse(&ends, 1 << 20);
    CHECK_TEXT(postern_tls_version_of(ends.server), "TLSv1.3");
    drop(&ends);
}

typedef struct refusal_case {
    settings setting;
    bool client; /* who refuses; the server else */
    const char *message;
} refusal_case;

static const refusal_case REFUSALS[] = {
    {{.believes = "other-ca"}, true, "unable to get local issuer certificate"},
    {{.server = "stranger"}, true, "unable to get local issuer certificate"},
    {{.name = "example.org"}, true, "hostname mismatch"},
    {{.name = "127.0.0.2"}, true, "IP address mismatch"},
    {{.name = "::1"}, true, "IP address mismatch"},
    {{.server = "wild", .name = "a.b.example.com"}, true, "hostname mismatch"},
    {{.server = "wild", .name = "example.com"}, true, "hostname mismatch"},
    {{.server = "expired"}, true, "certificate has expired"},
    {{.server = "nobody"}, true, "unsuitable certificate purpose"},
    {{.demand = POSTERN_TLS_REQUIRED}, false, "peer did not return a certificate"},
    {{.demand = POSTERN_TLS_REQUIRED, .client = "stranger"}, false,
     "the peer's certificate: unable to get local issuer certificate"},
    {{.demand = POSTERN_TLS_OPTIONAL, .client = "stranger"}, false,
     "the peer's certificate: unable to get local issuer certificate"},
    {{.demand = POSTERN_TLS_REQUIRED, .client = "expired"}, false, "certificate has expired"},
    {{.demand = POSTERN_TLS_REQUIRED, .client = "not-a-client"}, false, "certificate purpose"},
    {{.demand = POSTERN_TLS_REQUIRED, .client = "revoked", .revoked = true}, false,
     "the peer's certificate: certificate revoked"},
};

static void test_refusals(void) {
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++) {
        const refusal_case *row = &REFUSALS[i];
        both_ends ends;
        make(&ends, row->setting);
        converse(&ends, 1 << 20);
        const char *message =
            row->client ? ends.client_error.message : ends.server_error.message;
        CHECK(postern_tls_state_of(row->client ? ends.client : ends.server) == FAILED);
        CHECK_ROW(strstr(message, row->message) != NULL, message);
        /* The other end was told, and has nothing either. */
        CHECK(postern_tls_state_of(row->client ? ends.server : ends.client) == FAILED);
        CHECK(postern_tls_peer(ends.server, NULL) == NULL);
        size_t used;
        postern_error error;
        CHECK(postern_tls_feed(ends.server, "x", 1, &used, &error) == FAILED && used == 0);
        CHECK(postern_tls_write(ends.server, "x", 1, &used, NULL) == POSTERN_VALUE);
        postern_tls_close(ends.server);
        drop(&ends);
    }
}

static void test_names(void) {
    static const settings good[] = {
        {.name = "localhost"}, {.name = "LOCALHOST"}, {.name = "127.0.0.1"},
        {.server = "wild", .name = "a.example.com"}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        both_ends ends;
        make(&ends, good[i]);
        converse(&ends, 1 << 20);
        CHECK_ROW(postern_tls_state_of(ends.client) == OPEN, ends.client_error.message);
        drop(&ends);
    }
    make_files();
    both_ends ends = {0};
    make_contexts(&ends, &(settings){0});
    postern_error error;
    static char longest[300];
    memset(longest, 'a', sizeof longest);
    CHECK(postern_tls_new(ends.client_context, NULL, 0, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_tls_new(ends.client_context, "", 0, NULL) == NULL);
    CHECK(postern_tls_new(ends.server_context, "a", 1, &error) == NULL);
    CHECK(error.status == POSTERN_MISUSE);
    CHECK(postern_tls_new(ends.client_context, "a\0b", 3, &error) == NULL);
    CHECK(error.status == POSTERN_VALUE);
    /* OpenSSL would take any name below it. */
    CHECK(postern_tls_new(ends.client_context, ".example.com", 12, &error) == NULL);
    CHECK(postern_tls_new(ends.client_context, longest, 254, &error) == NULL);
    postern_tls *connection = postern_tls_new(ends.client_context, longest, 63, &error);
    CHECK(connection != NULL);
    postern_tls_free(connection);
    postern_tls_free(NULL);
    drop(&ends);
}

static void test_peer(void) {
    static const int32_t demands[] = {POSTERN_TLS_OPTIONAL, POSTERN_TLS_REQUIRED};
    for (size_t i = 0; i < 2; i++) {
        both_ends ends;
        make(&ends, (settings){.demand = demands[i], .client = "client", .revoked = true});
        postern_error error;
        CHECK(postern_tls_peer(ends.server, &error) == NULL && error.status == POSTERN_OK);
        converse(&ends, 100);
        const postern_tls_certificate *peer = postern_tls_peer(ends.server, NULL);
        CHECK(peer != NULL && peer->verified);
        if (peer == NULL) continue;
        CHECK(peer->subject.length == 19 &&
              memcmp(peer->subject.text, "CN=client,O=Example", 19) == 0);
        CHECK(peer->san_count == 1 && peer->sans[0].length == 26);
        CHECK(peer->serial.length == 2 && memcmp(peer->serial.text, "4D", 2) == 0);
        CHECK(postern_tls_peer(ends.server, NULL) == peer);
        CHECK(postern_tls_peer(ends.client, NULL) != NULL);
        drop(&ends);
    }
    /* Asked for, and not given; not asked for, and so not given. */
    for (int32_t demand = POSTERN_TLS_NOT_ASKED; demand <= POSTERN_TLS_OPTIONAL; demand++) {
        both_ends ends;
        make(&ends, (settings){.demand = demand, .client = demand == 0 ? "client" : NULL});
        converse(&ends, 100);
        postern_error error;
        CHECK(postern_tls_state_of(ends.server) == OPEN);
        CHECK(postern_tls_peer(ends.server, &error) == NULL && error.status == POSTERN_OK);
        drop(&ends);
    }
}

static void test_nonsense(void) {
    static const char *const rows[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00xxxxxxxxx",
                                       "\x17\x03\x03\xFF\xFFxxxxxxxxxxx"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        both_ends ends;
        make(&ends, (settings){0});
        size_t used;
        const char *bytes = rows[i];
        size_t length = i == 0 ? strlen(bytes) : 16;
        CHECK(postern_tls_feed(ends.server, bytes, length, &used, &ends.server_error) == FAILED);
        CHECK_ROW(strstr(ends.server_error.message, "TLS: ") != NULL, ends.server_error.message);
        drop(&ends);
    }
    /* A record that was changed on its way. */
    both_ends ends;
    make(&ends, (settings){0});
    converse(&ends, 1 << 20);
    write_all(ends.client, "ping");
    postern_span sealed;
    postern_tls_sealed(ends.client, &sealed);
    char copy[128];
    size_t used;
    CHECK(sealed.length < sizeof copy);
    memcpy(copy, sealed.text, sealed.length);
    copy[sealed.length - 1] ^= 1;
    CHECK(postern_tls_feed(ends.server, copy, sealed.length, &used, &ends.server_error) == FAILED);
    CHECK_TEXT(ends.server_error.message, "TLS: decryption failed or bad record mac");
    CHECK_TEXT(plain_of(ends.server), "");
    drop(&ends);
}

/* Neither end holds more than it may, and nothing is lost by that. */
static void test_limits(void) {
    enum { LIMIT = 20000, TOTAL = 300000 };
    both_ends ends;
    make(&ends, (settings){.max_buffered = LIMIT});
    converse(&ends, 1 << 20);
    static char text[TOTAL], received[TOTAL];
    for (size_t i = 0; i < TOTAL; i++) text[i] = (char)(i * 7 + i / 256);
    size_t written = 0, got = 0;
    static char waiting[TOTAL + 65536];
    size_t waits = 0;
    for (int round = 0; round < 1000 && got < TOTAL; round++) {
        size_t taken, used;
        postern_span span;
        CHECK(postern_tls_write(ends.client, text + written, TOTAL - written, &taken, NULL) == 0);
        written += taken;
        postern_tls_sealed(ends.client, &span);
        CHECK(span.length <= LIMIT + 17000);
        memcpy(waiting + waits, span.text, span.length);
        waits += span.length;
        postern_tls_sealed_taken(ends.client);
        CHECK(postern_tls_feed(ends.server, waiting, waits, &used, NULL) == OPEN);
        memmove(waiting, waiting + used, waits - used);
        waits -= used;
        postern_tls_plain(ends.server, &span);
        CHECK(span.length <= LIMIT + 17000);
        if (span.length > 0) memcpy(received + got, span.text, span.length);
        got += span.length;
        postern_tls_plain_taken(ends.server);
    }
    CHECK(got == TOTAL && memcmp(text, received, TOTAL) == 0);
    drop(&ends);
}

static void test_failing_allocator(void) {
    make_files();
    for (size_t n = 1;; n++) {
        postern__failing_alloc failing;
        postern__failing_alloc_init(&failing, n);
        both_ends ends;
        make(&ends, (settings){.allocator = &failing.allocator, .demand = POSTERN_TLS_REQUIRED,
                              .client = "client"});
        bool made = ends.server != NULL && ends.client != NULL, peer = false;
        postern_error peer_error = {0};
        if (made) {
            size_t taken;
            converse(&ends, 1 << 20);
            postern_tls_write(ends.client, "ping", 4, &taken, NULL);
            converse(&ends, 1 << 20);
            peer = postern_tls_peer(ends.server, &peer_error) != NULL;
        }
        bool failed = failing.allocations >= n;
        if (!failed) CHECK(peer && strcmp(plain_of(ends.server), "ping") == 0);
        if (failed) CHECK(!made || !peer || postern_tls_state_of(ends.client) == FAILED ||
                          postern_tls_state_of(ends.server) == FAILED);
        if (failed) CHECK(ends.server_error.status == POSTERN_NO_MEMORY ||
                          ends.client_error.status == POSTERN_NO_MEMORY ||
                          peer_error.status == POSTERN_NO_MEMORY);
        drop(&ends);
        CHECK(failing.live == 0);
        if (!failed) break;
    }
}

TEST_MAIN(RUN(test_conversation); RUN(test_versions); RUN(test_refusals); RUN(test_names);
          RUN(test_peer); RUN(test_nonsense); RUN(test_limits); RUN(test_failing_allocator);
          authority_free(&ca); authority_free(&other_ca); test_clean())
