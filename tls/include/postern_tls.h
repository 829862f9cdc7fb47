/* TLS for Postern's server and clients: bytes in, bytes out, on OpenSSL 3.
 *
 * Nothing here reads a socket: what came from the peer is fed, what is for the
 * peer is taken, and so any loop can carry it.
 *
 *    from the peer --feed--> [ connection ] --plain---> the application
 *    to the peer  <-sealed-- [ connection ] <--write--- the application
 *
 * TLS 1.2 with forward secrecy and authenticated ciphers, or TLS 1.3. There are
 * no tickets and no sessions to resume: a certificate that was revoked, or an
 * authority that was dropped, does not come back by an old session. There is no
 * renegotiation and no early data. The one protocol told and taken by ALPN is
 * `http/1.1`.
 *
 * Conventions are those of postern.h: constructors return NULL on failure,
 * `error` may be NULL, a connection belongs to one thread at a time, and there is
 * no global state but OpenSSL's own. `allocator` is for what is built here; OpenSSL
 * takes its memory as it always does. OpenSSL's queue of errors is left empty. */
#ifndef POSTERN_TLS_H
#define POSTERN_TLS_H

#include "postern.h"

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ffi:begin (plain declarations from here to ffi:end; LuaJIT reads them) */

enum { POSTERN_TLS_ABI = 1 }; /* changes whenever a declaration below does */

uint32_t postern_tls_abi(void);

/* ---- Contexts ----------------------------------------------------------- */

/* Keys and rules that connections share. It does not change: other keys are
 * another context, for the connections that begin from then on. */
typedef struct postern_tls_context postern_tls_context;

typedef enum postern_tls_role {
    POSTERN_TLS_SERVER = 0,
    POSTERN_TLS_CLIENT
} postern_tls_role;

/* Whether a server asks for a certificate. One that is given has to be good. */
typedef enum postern_tls_demand {
    POSTERN_TLS_NOT_ASKED = 0,
    POSTERN_TLS_OPTIONAL,
    POSTERN_TLS_REQUIRED
} postern_tls_demand;

typedef enum postern_tls_version {
    POSTERN_TLS_1_2 = 0,
    POSTERN_TLS_1_3
} postern_tls_version;

enum {
    /* What an option of 0 stands for: bytes of plain text, and of sealed, that
     * wait to be taken; a record and what belongs to the handshake may come on
     * top. */
    POSTERN_TLS_MAX_BUFFERED = 65536
};

/* Paths of PEM files, or NULL. */
typedef struct postern_tls_options {
    const postern_allocator *allocator; /* NULL: malloc */
    int32_t role;
    int32_t demand;      /* of a server; a client always demands */
    int32_t min_version;
    uint32_t max_buffered;
    const char *certificate; /* our own, then those between it and the authority;
        a server has to have one */
    const char *key;         /* its private key, not encrypted */
    const char *authorities; /* whom to believe about peers. A server that asks for
        certificates has to have some; NULL for a client: those of the system */
    const char *revoked;     /* lists of revoked certificates: one of each authority
        in the chain, or no certificate of it is good */
} postern_tls_options;

/* Reads the files. The error names the one that is wrong; POSTERN_MISUSE where
 * the options contradict each other. */
postern_tls_context *postern_tls_context_new(const postern_tls_options *options,
                                             postern_error *error);

/* Connections that were made with it go on. */
void postern_tls_context_free(postern_tls_context *context);

/* ---- Connections -------------------------------------------------------- */

typedef struct postern_tls postern_tls;

/* `name` is whom a client wants to reach, a host name or an address: it is told
 * (names are), and the certificate has to be for it. A server gives NULL. */
postern_tls *postern_tls_new(postern_tls_context *context, const char *name, size_t length,
                             postern_error *error);

typedef enum postern_tls_state {
    POSTERN_TLS_HANDSHAKE = 0,
    POSTERN_TLS_OPEN,
    POSTERN_TLS_CLOSED, /* the peer said that it sends nothing more (close_notify). A
        connection that ends without it may have been cut by somebody else */
    POSTERN_TLS_FAILED  /* for good: `error` says why. What is sealed is to be sent
        even then: it tells the peer */
} postern_tls_state;

/* Takes bytes from the peer and sets `consumed` to how many: fewer than all when
 * as much plain text waits as is allowed, and then the rest is to be fed after
 * it was taken. Length 0 goes on with what was taken before. */
int32_t postern_tls_feed(postern_tls *connection, const char *bytes, size_t length,
                         size_t *consumed, postern_error *error);

/* The state, without feeding. */
int32_t postern_tls_state_of(const postern_tls *connection);

/* Plain text from the peer. It holds until the connection is used again;
 * `taken` forgets it. */
void postern_tls_plain(const postern_tls *connection, postern_span *out);
void postern_tls_plain_taken(postern_tls *connection);

/* Seals plain text and sets `taken` to how much: fewer than all when as much
 * waits to be sent as is allowed. POSTERN_OK; POSTERN_MISUSE before the
 * handshake has ended and after our close; POSTERN_VALUE when it has failed. */
int32_t postern_tls_write(postern_tls *connection, const char *text, size_t length,
                          size_t *taken, postern_error *error);

/* Bytes for the peer; as with plain text. */
void postern_tls_sealed(const postern_tls *connection, postern_span *out);
void postern_tls_sealed_taken(postern_tls *connection);

/* Says that we send nothing more; there is something sealed then. */
void postern_tls_close(postern_tls *connection);

/* `TLSv1.2` or `TLSv1.3`; NULL until the handshake has ended. */
const char *postern_tls_version_of(const postern_tls *connection);

void postern_tls_free(postern_tls *connection);

/* ---- The peer's certificate --------------------------------------------- */

/* Names are distinguished names as RFC 4514 writes them, the most specific part
 * first: `CN=client,O=Example`. */
typedef struct postern_tls_certificate {
    int32_t verified; /* not 0: up to an authority, in time, not revoked */
    uint32_t san_count;
    const postern_span *sans; /* other names: `DNS:`, `URI:`, `email:`, `IP Address:`
        and the name; those of other kinds are left out */
    int64_t not_before;       /* seconds since 1970 */
    int64_t not_after;
    postern_span subject;
    postern_span issuer;
    postern_span serial;      /* hexadecimal, upper case, two digits a byte */
    postern_span fingerprint; /* SHA-256 of it, hexadecimal, lower case */
    postern_span pem;
} postern_tls_certificate;

/* What the peer has proved to have the key of, once the handshake has ended; it
 * holds as long as the connection. NULL: it gave none (POSTERN_OK in the error),
 * or why it cannot be read. */
const postern_tls_certificate *postern_tls_peer(postern_tls *connection, postern_error *error);

/* ffi:end */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
