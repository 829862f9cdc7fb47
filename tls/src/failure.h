/* OpenSSL's errors in our words. */
#ifndef POSTERN_TLS_FAILURE_H
#define POSTERN_TLS_FAILURE_H

#include "error.h"

/* Fills `error` with `what` and the reason of the oldest error in OpenSSL's
 * queue, which is empty afterwards. Returns `status`. */
int32_t postern__tls_fail(postern_error *error, int status, const char *what);

#endif
