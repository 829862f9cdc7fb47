/* The target of a request, taken apart. */
#ifndef POSTERN_TARGET_H
#define POSTERN_TARGET_H

#include "postern_http.h"
#include "span.h"

/* Fills authority, path and query from method and target. NULL, or why it is
 * no target that is taken. */
const char *postern__target_split(postern_http_message *message);

/* Whether this may stand in Host: nothing that ends the authority or hides
 * another one in it. */
bool postern__target_is_host(postern_span host);

#endif
