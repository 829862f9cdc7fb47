/* Contexts. The public half is in postern_tls.h. */
#ifndef POSTERN_TLS_CONTEXT_H
#define POSTERN_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "alloc.h"
#include "postern_tls.h"

struct postern_tls_context {
    postern_allocator allocator;
    SSL_CTX *ssl; /* each connection holds it as well */
    bool client;
    size_t max_buffered;
};

#endif
