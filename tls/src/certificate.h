/* A certificate taken apart. The public half is in postern_tls.h. */
#ifndef POSTERN_TLS_CERTIFICATE_H
#define POSTERN_TLS_CERTIFICATE_H

#include <openssl/x509.h>

#include "alloc.h"
#include "postern_tls.h"

/* Everything of it, in two arrays. */
typedef struct postern__certificate {
    postern__vector text;
    postern__vector sans; /* of postern_span */
    postern_tls_certificate parts;
} postern__certificate;

/* Fills `out`, which is then to be freed also on failure: POSTERN_NO_MEMORY, or
 * POSTERN_VALUE for what cannot be read. `verified` stays 0. */
int32_t postern__certificate_read(postern__certificate *out, X509 *x509,
                                  const postern_allocator *allocator, postern_error *error);
void postern__certificate_free(postern__certificate *certificate);

#endif
