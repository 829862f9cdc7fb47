#include "failure.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/* The oldest error is the cause, the later ones are what it came to. */
int32_t postern__tls_fail(postern_error *error, int status, const char *what) {
    unsigned long code = ERR_get_error();
    const char *reason = "for no reason that was told";
    if (code != 0 && ERR_SYSTEM_ERROR(code)) {
        reason = strerror((int)ERR_GET_REASON(code));
    } else if (code != 0) {
        const char *known = ERR_reason_error_string(code);
        if (known != NULL) reason = known;
    }
    postern__fail(error, status, 0, 0, "%s: %s", what, reason);
    ERR_clear_error();
    return status;
}
