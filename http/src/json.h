/* Writing JSON. The public half is in postern_http.h. */
#ifndef POSTERN_JSON_H
#define POSTERN_JSON_H

#include "postern_http.h"

/* Puts JSON's point into a number that the C library wrote, where the locale's
 * stands, of one byte or more. The text's length afterwards; no NUL is set. */
size_t postern__json_set_point(char *text);

#endif
